/* The inside of a future, for executors and for those who wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_FUTURE_H
#define KRI_EXECUTOR_FUTURE_H

#include <krait/executor.h>
#include <krait/future.h>

#include "base/atomic.h"
#include "wait/wait.h"

/* What stands in the state word; see future.c for the table. */
enum kri_future_state {
    KRI_PENDING = 0,
    KRI_RUNNING = 1,
    KRI_FINISHED = 2,
    KRI_CANCELLED = 3,
    KRI_STATE = 3, /* the mask of the above */
    KRI_ASKED = 4, /* cancelled while it ran */
    KRI_SEEN = 8,  /* somebody asked how it ended */
};

/* A watcher is told that a future is done, under the future's mutex: a few instructions and a wake,
 * no more.  It belongs to whoever waits and is in no list once it was told or taken off. */
typedef struct kri_watcher kri_watcher;
struct kri_watcher {
    kri_watcher *next;     /* [mutex] */
    kri_watcher *previous; /* [mutex] */
    void (*tell)(kri_watcher *watcher);
    bool watching; /* [mutex] */
};

typedef struct kri_callback {
    struct kri_callback *next;
    kr_done_fn fn;
    void *arg;
} kri_callback;

struct kr_future {
    kr_word state; /* atomic; changed under mutex, but for KRI_SEEN */
    kri_mutex mutex;
    kr_word references;      /* atomic */
    uint32_t generation;     /* const */
    kr_executor *executor;   /* const; followed only while pending, under mutex [future-2] */
    kr_task_fn fn;           /* const; NULL: made by kr_future_create */
    const void *arg;         /* const */
    void *result;            /* const; the bytes: the finisher's until done, then const */
    size_t result_size;      /* const */
    kr_future *next;         /* [the queue's lock] */
    kr_future *previous;     /* [the queue's lock] */
    kr_cancel_scope *scope;  /* [mutex] while running; NULL: cannot be asked */
    kri_watcher *watchers;   /* [mutex] */
    kri_callback *callbacks; /* [mutex] newest first */
    int error;               /* the finisher's until done, then const */
    bool queued;             /* [the queue's lock] */
    bool forgotten;          /* const: submitted without a future */
    /* The argument's and the result's bytes follow. */
};

/* A pending future of an executor, with the argument copied in and two references: the caller's and
 * the queue's; with `forgotten` only the queue's.  -ENOMEM, -EINVAL. */
int kri_future_new(kr_future **future, kr_executor *executor, kr_task_fn fn, const void *arg,
                   size_t arg_size, size_t result_size, bool forgotten);

bool kri_future_is_over(const kr_future *f); /* done; what the finisher wrote is visible */
bool kri_future_is_forked(const kr_future *f);
int kri_future_check(const kr_future *f); /* 0, -EINVAL for NULL, KR_EFORKED */

/* Pending becomes running.  false: it was cancelled, or is running or done. */
bool kri_future_begin(kr_future *f, kr_cancel_scope *scope);

/* Pending or running becomes done, unless it is so already (false): watchers are told, those who
 * wait are woken, callbacks run.
 *
 *   error      0 or negative
 *   finishing  NULL, or counted up before anybody can know that it is done, if the caller will be
 *              free at once afterwards: the error is 0 and there are no callbacks.  *counted tells
 */
bool kri_future_end(kr_future *f, int error, kr_word *finishing, bool *counted);

/* The same by hand, with result_size bytes of result; NULL: none. */
bool kri_future_end_with(kr_future *f, int error, const void *result);

/* Pending becomes cancelled; false: it was not pending.  drop is for whoever has it out of the
 * queue already, remove takes it out. */
bool kri_future_drop(kr_future *f);
bool kri_future_remove(kr_future *f);

/* Wait as kri_wait does: 0 once done, -ETIMEDOUT, -ECANCELED.  Does not help. */
int kri_future_await(kr_future *f, kr_time deadline, unsigned flags);

/* The same for a relative timeout, and with kr_future_result's help, -EDEADLK and KR_NOWAIT. */
int kri_future_wait(kr_future *f, kr_time timeout);

/* Watch; false: it is done already, and the watcher will not be told. */
bool kri_future_watch(kr_future *f, kri_watcher *watcher);
void kri_future_unwatch(kr_future *f, kri_watcher *watcher); /* told or not, it is off now */

/* callback.c */
void kri_callbacks_run(kr_future *f, kri_callback *newest_first);
void kri_callbacks_free(kri_callback *callbacks);

/* hook.c */
void kri_task_report_error(int error, const char *where, const char *pool);

#endif
