/* The executor interface: what a pool, a loop or a cluster implements.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_EXECUTOR_H
#define KRI_EXECUTOR_EXECUTOR_H

#include "executor/future.h"

typedef struct kri_executor_ops {
    /* Queue a pending future; on success the executor owns the queue's reference.  Waits for room
     * until the deadline; -ETIMEDOUT, and otherwise the errors of kr_submit. */
    int (*submit)(kr_executor *executor, kr_future *f, kr_time deadline);

    /* Called with f's mutex held, f pending: take it out of the queue.  true: the caller owns the
     * queue's reference.  With `run` the caller is going to run it and calls `ran` afterwards, and
     * the executor may refuse. */
    bool (*take)(kr_executor *executor, kr_future *f, bool run);
    void (*ran)(kr_executor *executor);

    /* As kr_executor_shutdown; flags are kri_wait's. */
    int (*shutdown)(kr_executor *executor, bool cancel_pending, kr_time deadline, unsigned flags);

    /* The handle is gone; shutdown was called before. */
    void (*release)(kr_executor *executor);
} kri_executor_ops;

struct kr_executor {
    const kri_executor_ops *ops; /* const */
    uint32_t generation;         /* const */
    int workers;                 /* const: how many tasks run at a time at most */
    const char *name;            /* const */
    kr_word shut;                /* atomic: 1 once a shutdown was asked for */
};

/* What is to be run. */
typedef struct kri_task {
    kr_task_fn fn;
    const void *arg;
    size_t arg_size;
    size_t result_size;
} kri_task;

/* kr_submit that waits for room until the deadline at most: -ETIMEDOUT.  *future is written also
 * before the task is queued, so that the task may find it there. */
int kri_submit(kr_executor *executor, kr_future **future, const kri_task *task, kr_time deadline);

int kri_executor_check(const kr_executor *executor); /* 0, -EINVAL for NULL, KR_EFORKED */

/* A frame stands on the stack of whoever runs a task, innermost first in its thread. */
typedef struct kri_frame {
    struct kri_frame *outer;
    kr_future *future; /* NULL: the worker's own frame */
    kr_executor *executor;
    const char *bottom; /* where the stack of this thread begins, roughly */
    size_t room;        /* bytes from there that may be in use when helping begins */
} kri_frame;

kri_frame *kri_frame_innermost(void);             /* NULL: the caller is in no task */
bool kri_frame_in_executor(const kr_executor *e); /* the caller is in a task of e */
bool kri_frame_in_future(const kr_future *f);     /* the caller is in this task */

/* Put a frame on top; the first of a thread has bottom and room set before. */
void kri_frame_enter(kri_frame *frame, kr_executor *executor, kr_future *f);
void kri_frame_leave(const kri_frame *frame);

/* Run a future that the caller has taken, from begin to end, counted as kri_future_end's.  Uses up
 * the queue's reference. */
void kri_run(kr_future *f, kr_executor *executor, kr_word *finishing, bool *counted);

/* Call run(arg) as a party of its own, whose innermost scope at first is `scope`. */
void kri_run_as_party(void (*run)(void *arg), void *arg, kr_cancel_scope *scope);

/* If f is queued, and its executor allows, take it out and run it here as a party of its own inside
 * `scope`.  Only in tasks; true: it ran. */
bool kri_help(kr_future *f, kr_cancel_scope *scope);

#endif
