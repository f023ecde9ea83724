/* The executor interface: what a pool, a loop or a cluster implements.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_EXECUTOR_H
#define KRI_EXECUTOR_EXECUTOR_H

#include "executor/future.h"

struct kr_map_options;

typedef struct kri_executor_ops {
    /* Tasks run in another process, so nothing of the caller's memory is there but the argument's
     * bytes.  Batches are understood. */
    bool elsewhere;

    /* A task that waits lets its worker run others, so more than one each are worth while. */
    bool overlaps;

    /* As kri_future_new; NULL: that. */
    int (*make)(kr_executor *executor, kr_future **future, const kri_task *task, bool forgotten);

    /* As kr_map, of which all has been checked; NULL: the runners of this process do it. */
    int (*map)(kr_executor *executor, const kri_task *task, void *results,
               const struct kr_map_options *options);

    /* Queue a pending future; on success the executor owns the queue's reference.  Waits for room
     * until the deadline; -ETIMEDOUT, and otherwise the errors of kr_submit. */
    int (*submit)(kr_executor *executor, kr_future *f, kr_time deadline);

    /* Called with f's mutex held by whoever has just claimed f, which is queued [future-2].  With
     * `run` he is going to run it and calls `ran` afterwards; the executor stays until then.
     * true: it was taken out of the queue, whose reference is the caller's now. */
    bool (*claimed)(kr_executor *executor, kr_future *f, bool run);
    void (*ran)(kr_executor *executor);

    /* As kr_executor_shutdown; flags are kri_wait's. */
    int (*shutdown)(kr_executor *executor, bool cancel_pending, kr_time deadline, unsigned flags);

    /* Is the caller, a task of its without a worker, an initializer of it?  NULL: never. */
    bool (*initializes)(const kr_executor *executor);

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

/* kr_submit that waits for room until the deadline at most: -ETIMEDOUT.  *future is written also
 * before the task is queued, so that the task may find it there. */
int kri_submit(kr_executor *executor, kr_future **future, const kri_task *task, kr_time deadline);

size_t kri_executor_under_way(const kr_executor *executor); /* how many tasks keep it busy */

int kri_executor_check(const kr_executor *executor); /* 0, -EINVAL for NULL, KR_EFORKED */

/* The same for a call that will wait for tasks of this executor: -EDEADLK, too. */
int kri_executor_check_wait(const kr_executor *executor);

/* A frame stands on the stack of whoever runs a task, innermost first in its thread. */
typedef struct kri_worker kri_worker;
typedef struct kri_frame {
    struct kri_frame *outer;
    kr_future *future; /* NULL: the worker's own frame, between tasks or in one of a group */
    kr_executor *executor;
    kri_worker *worker; /* whose thread this is; NULL: no pool's */
    const char *limit;  /* helping ends where the stack has come here */
    const char *last;   /* or here, where the pool has no spare worker left */
} kri_frame;

KRI_SHARED_THREAD_LOCAL(kri_frame *, kri_frame_current) /* NULL: the caller is in no task */

static inline kri_frame *kri_frame_innermost(void)
{
    return *kri_frame_current();
}
bool kri_frame_in_executor(const kr_executor *e); /* the caller is in a task of e */

/* The caller is in the initializer of a worker of e, where no task of e is run or waited for. */
bool kri_frame_initializes(const kr_executor *e);

/* f, if pending, does not end while the caller waits: he is in it, or in such an initializer. */
bool kri_frame_holds_up(const kr_future *f);
size_t kri_frame_may_hold_up(void); /* how many there may be at most */
void kri_frames_disown(void);       /* the thread is no worker's any more: of a child, at exit */

/* Is there room for running another task on this stack?  It grows downwards wherever krait runs. */
const char *kri_frame_limit_outside(void);
bool kri_frame_is_the_last(const kri_frame *frame);
static inline bool kri_frame_has_room(const kri_frame *frame)
{
    const char *here = __builtin_frame_address(0);
    if (here > (frame ? frame->limit : kri_frame_limit_outside()))
        return true;
    return frame && here > frame->last && kri_frame_is_the_last(frame);
}

/* Call run(arg) as a party of its own, whose innermost scope at first is `scope`. */
void kri_party_clean_up(kri_party *party);
static inline void kri_run_as_party(void (*run)(void *arg), void *arg, kr_cancel_scope *scope)
{
    kri_party party = {.scope = scope};
    kri_party *previous = kri_party_enter(&party);
    party.ops = previous->ops;
    party.runner = previous->runner;
    run(arg);
    kri_party_leave(previous);
    if (__builtin_expect(party.locals || party.vars || party.bell, 0))
        kri_party_clean_up(&party);
}

/* The same while the caller waits: it gives up what it gives up in a wait. */
static inline void kri_run_while_waiting(void (*run)(void *arg), void *arg, kr_cancel_scope *scope)
{
    kri_party *self = kri_party_self();
    bool hooked = self->hooks != NULL;
    if (__builtin_expect(hooked, 0))
        kri_block_begin(self);
    kri_run_as_party(run, arg, scope);
    if (__builtin_expect(hooked, 0))
        kri_block_end(self);
}

/* Run a task that the caller has claimed with this scope, which it has begun, and end both, which
 * uses up a reference.  false: this is a forked child of the task, where the future is no more. */
bool kri_run(kr_future *f, kr_cancel_scope *scope);

KRI_SHARED_THREAD_LOCAL(uint32_t, kri_streak)

/* If f is queued, and its executor allows, run it here as a party of its own inside `outer`.
 * true: it ran. */
bool kri_help(kr_future *f, kr_cancel_scope *outer);

/* Before such a wait: look at the word for a moment, which is cheaper than to have another worker
 * called.  true: it is over. */
bool kri_wait_briefly(const kr_word *word, bool (*is_over)(uint32_t bits));

/* Around a wait for another task: if the caller is a pool's worker, another one may take its place.
 * May be called for a frame of NULL. */
void kri_wait_begin(kri_frame *frame);
void kri_wait_end(kri_frame *frame);

#endif
