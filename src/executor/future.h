/* The inside of a future, for executors and for those who wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_FUTURE_H
#define KRI_EXECUTOR_FUTURE_H

#include <krait/completed.h>
#include <krait/executor.h>
#include <krait/future.h>
#include <string.h>

#include "base/atomic.h"
#include "thread/vars.h"
#include "wait/wait.h"

/* What stands in the state word; see future.c for the table. */
enum kri_future_state {
    KRI_PENDING = 0,
    KRI_FINISHED = 1,
    KRI_CANCELLED = 2,
    KRI_STATE = 3, /* the mask of the above */
    KRI_ASKED = 4, /* cancelled while it ran */
    KRI_SEEN = 8,  /* somebody asked how it ended */
    KRI_SLOW = 16, /* it ends under the mutex */
    KRI_REFERENCE = 256,
};

/* What stands in the claim, unless it is the scope of whoever runs it. */
enum {
    KRI_UNCLAIMED = 0,
    KRI_CLAIM_OUTSIDE = 1, /* beside the rest: claimed under the mutex, while still in a queue */
    KRI_CLAIM_DROPPED = 2, /* it will never run */
    KRI_CLAIM_SILENT = 4,  /* it runs, and cannot be asked to stop */
    KRI_CLAIM_SCOPE = 8,   /* this or more: it runs, inside this scope */
};

/* A watcher is told that a future is done, under the future's mutex: a few instructions and a wake,
 * no more.  It belongs to whoever waits and is in no list once it was told or taken off.
 *
 * One that is shared watches many futures, and each of them tells it.  It is the last of each list,
 * which has one at most, and nothing is written to it. */
typedef struct kri_watcher kri_watcher;
struct kri_watcher {
    kri_watcher *next;     /* [mutex]; NULL of a shared one */
    kri_watcher *previous; /* [mutex] */
    void (*tell)(kri_watcher *watcher, kr_future *f);
    bool watching; /* [mutex] */
    bool shared;   /* const */
};

typedef struct kri_callback {
    struct kri_callback *next;
    kr_future *future; /* once it is due: with a reference */
    kr_done_fn fn;
    void *arg;
} kri_callback;

/* What stands for a task that runs in another process.  It is the executor's, who hangs it to the
 * future before anybody else knows that, and it stays as long as the future does. */
typedef struct kri_remote {
    const struct kri_remote_ops *ops;
    uint64_t traced; /* const: what a trace knows it by in all processes; 0: nothing */
} kri_remote;

typedef struct kri_remote_ops {
    bool (*has_begun)(const kr_future *f); /* pending: has somebody begun it? */

    /* With f's mutex held: see to it that it never begins; false: it has begun, or is over.  After
     * true the executor's `claimed` is called, as for any that is taken out of a queue. */
    bool (*withdraw)(kr_future *f);

    void (*withdrawn)(kr_future *f); /* that one is done now */

    int (*await)(kr_future *f, kr_time deadline, unsigned flags); /* as kri_future_await */

    /* Somebody asks whether it is over now; watched: or is to be told at once when it is. */
    void (*look)(const kr_future *f, bool watched);

    void (*drop)(kri_remote *remote); /* the future is gone */
} kri_remote_ops;

struct kr_future {
    _Alignas(max_align_t) kr_word state; /* atomic; see future.c */
    kri_mutex mutex;  /* guards the members marked so; held for some changes of state and claim */
    kri_word64 claim; /* atomic; who has begun it, or will never let it begin */
    kr_task_fn fn;    /* const; NULL: made by kr_future_create */
    const void *arg;  /* const */
    void *result;     /* const; the bytes: the finisher's until done, then const */
    kr_executor *executor; /* const; followed only as [future-2] says */
    int error;             /* the finisher's until done, then const */
    uint32_t generation;   /* const */
    size_t result_size;    /* const */

    kri_watcher *watchers;   /* [mutex] */
    kri_callback *callbacks; /* [mutex] newest first */
    kr_future *next;         /* of whoever has taken it out of a queue */
    kri_remote *remote;      /* const; NULL: its task runs in this process */
    kr_time submitted;       /* const; 0: not measured */
    size_t size;             /* const; of the block that all this lies in */
    uint32_t pool;           /* const; the number of the executor, if that is a pool */
    uint8_t lane;            /* const; a kr_priority */
    bool forgotten;          /* const: submitted without a future */
    bool outside_help;       /* const: a thread that is no worker of the executor may run it */
    bool streams;            /* const: its submitter has submitted many and waited for none */
    struct kr_context *vars; /* of a loop's task: what it is to begin with; see kri_vars_inherit */
    /* The argument's and the result's bytes follow. */
};

_Static_assert(sizeof(struct kr_future) <= 128, "with 32 bytes each way it fits in 192");
_Static_assert(sizeof(struct kr_future) % _Alignof(max_align_t) == 0, "what follows is aligned");

/* What is to be run, and how. */
typedef struct kri_task {
    kr_task_fn fn;
    const void *arg;
    size_t arg_size;
    size_t result_size;
    kr_priority lane;
    size_t items; /* of a batch, see below; 0: it is none */
    size_t item_arg;
    size_t item_result;
} kri_task;

/* A batch is fn called for each of several items, one after the other: arg holds item_arg bytes of
 * each, result gets item_result bytes of each and then an int for each, its error.  Only for
 * executors that say so. */
static inline size_t kri_batch_errors_at(size_t items, size_t item_result)
{
    const size_t mask = _Alignof(int) - 1;
    return (items * item_result + mask) & ~mask;
}

static inline size_t kri_batch_result_size(size_t items, size_t item_result)
{
    return kri_batch_errors_at(items, item_result) + items * sizeof(int);
}

/* A pending future of an executor, with the argument copied in and two references: the caller's and
 * the queue's; with `forgotten` only the queue's.  -ENOMEM, -EINVAL. */
int kri_future_new(kr_future **future, kr_executor *executor, const kri_task *task, bool forgotten);

bool kri_future_is_over(const kr_future *f); /* done; what the finisher wrote is visible */
bool kri_future_is_forked(const kr_future *f);
int kri_future_check(const kr_future *f); /* 0, -EINVAL for NULL, KR_EFORKED */
void kri_future_seen(kr_future *f);       /* somebody knows how it ended */

/* What runs elsewhere may have ended without anybody's having looked; watched: from now on somebody
 * is to look at once. */
void kri_future_look(const kr_future *f, bool watched);
int kri_future_error(const kr_future *f); /* of one that is over: what it ended with */

/* Make it the caller's to run or to drop: `as` is a scope's address or KRI_CLAIM_...; false:
 * somebody was first. */
static inline bool kri_future_claim(kr_future *f, uint64_t as)
{
    uint64_t seen = KRI_UNCLAIMED;
    return kri_cas_acq_rel64(&f->claim, &seen, as); /* [future-4] */
}

static inline bool kri_future_is_claimed(const kr_future *f)
{
    return kri_load_acq64(&f->claim) != KRI_UNCLAIMED;
}

/* What a trace knows its task by. */
static inline uint64_t kri_future_traced_as(const kr_future *f)
{
    return f->remote != NULL && f->remote->traced != 0 ? f->remote->traced : (uintptr_t)f;
}

/* It has a watcher or a callback, or somebody is just about to change that. */
static inline bool kri_future_is_watched(const kr_future *f)
{
    return kri_load_acq(&f->state) & KRI_SLOW;
}

/* It will never run; it may be that it is not yet done for that. */
static inline bool kri_future_is_dropped(const kr_future *f)
{
    return (kri_load_acq64(&f->claim) & ~(uint64_t)KRI_CLAIM_OUTSIDE) == KRI_CLAIM_DROPPED;
}

/* Whoever comes upon a claimed future in a queue: it may still be used for reaching the executor
 * [future-2]; not any more after this. */
void kri_future_pass(kr_future *f);

/* Claimed becomes done: watchers are told, those who wait are woken, callbacks run.  Uses up a
 * reference of the caller's. */
void kri_future_end(kr_future *f, int error);

/* The same by hand, claimed or not, with result_size bytes of result; NULL: none.  Uses up no
 * reference.  false: it was done. */
bool kri_future_end_with(kr_future *f, int error, const void *result);

/* Claimed becomes done as with kri_future_end, but what a program has to be called for is left:
 * true: the future has callbacks, or an error that nobody will ask for, and the caller's reference
 * is for whoever calls kri_future_announce and gives it up. */
bool kri_future_end_quietly(kr_future *f, int error);

/* Done without having run, for whoever has claimed it as DROPPED, with -ECANCELED, or as SILENT.
 * Those who wait are woken; the callbacks wait for kri_future_announce.  Uses up no reference. */
void kri_future_conclude(kr_future *f, int error);
void kri_future_announce(kr_future *f);

/* Pending becomes cancelled, wherever it is queued; false: it was not pending. */
bool kri_future_remove(kr_future *f);

/* Wait as kri_wait does: 0 once done, -ETIMEDOUT, -ECANCELED.  Does not help. */
int kri_future_await(kr_future *f, kr_time deadline, unsigned flags);

/* The same, and if the caller is a pool's worker, another one may take its place meanwhile. */
int kri_future_await_here(kr_future *f, kr_time deadline, unsigned flags);

/* The same for a relative timeout, and with kr_future_result's help, -EDEADLK and KR_NOWAIT. */
int kri_future_wait(kr_future *f, kr_time timeout);

/* Watch; false: it is done already, and the watcher will not be told. */
bool kri_future_watch(kr_future *f, kri_watcher *watcher);
void kri_future_unwatch(kr_future *f, kri_watcher *watcher); /* told or not, it is off now */

/* The same with a shared one: 1: it watches; 0: the future is done; -EBUSY: another shared one
 * does.
 */
int kri_future_watch_shared(kr_future *f, kri_watcher *watcher);
void kri_future_unwatch_shared(kr_future *f, const kri_watcher *watcher);

/* With the mutex: false: it is done already. */
bool kri_future_add_callback(kr_future *f, kri_callback *callback);

/* completed.c, for several: 0, -EINVAL, KR_EFORKED; and as kr_wait, but that KRI_ALL_DONE says that
 * all are done, and 0 that the wait is over, by time too.  *failed is the index + 1 of the first
 * that was found with an error; 0: none. KRI_FIRST_ERROR is as KR_FIRST_EXCEPTION, where a
 * cancelled one counts as failed. */
enum { KRI_ALL_DONE = 1 };
#define KRI_FIRST_ERROR ((kr_wait_when)(KR_FIRST_EXCEPTION + 1))
int kri_futures_check(kr_future *const *futures, size_t count);
int kri_futures_wait(kr_future *const *futures, size_t count, kr_wait_when when, size_t *failed,
                     kr_time timeout);

/* Copy an argument or a result: most are a word, which is not worth a call. */
static inline void kri_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else if (size)
        memcpy(to, from, size);
}

/* kri_vars_inherit - by the submitter of a coroutine, before it is queued: it gets a copy of his
 * context.  0, -ENOMEM.  kri_vars_enter - by the coroutine itself, which begins. */
static inline int kri_vars_inherit(kr_future *f)
{
    return kri_party_self()->vars == NULL ? 0 : kri_vars_copy(&f->vars);
}

static inline void kri_vars_enter(kr_future *f, kri_party *self)
{
    self->vars = f->vars;
    f->vars = NULL;
}

/* callback.c: in a callback, those that become due wait until it has returned. */
void kri_callbacks_run(kr_future *f, kri_callback *newest);
void kri_callbacks_free(kri_callback *callbacks);

/* hook.c */
void kri_task_report_error(int error, const char *where, const char *pool);
void kri_task_report_future(const kr_future *f, int error, const char *where);

#endif
