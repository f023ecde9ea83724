/* The inside of the thread pool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_POOL_H
#define KRI_EXECUTOR_POOL_H

#include <krait/lock.h>
#include <krait/thread.h>

#include "executor/executor.h"
#include "executor/queue.h"

typedef struct kri_pool kri_pool;

typedef struct kri_worker {
    kri_pool *pool;               /* const */
    struct kri_worker *next;      /* [mutex] in the pool's list of all */
    struct kri_worker *next_idle; /* [mutex] */
    kr_thread *thread;            /* [mutex] NULL until kr_thread_start returned */
    kr_word called;               /* atomic: 0 asleep, 1 called */
    int number;                   /* const */
} kri_worker;

struct kri_pool {
    kr_executor executor; /* first: a pool is an executor */
    kr_word references;   /* atomic: the handle, each worker, each helper, whoever visits at exit */
    kr_word finishing;    /* atomic: see pool.c; falls under mutex */
    kr_word room;         /* atomic: counts departures from a bounded queue; changed under mutex */
    kr_word ended;        /* atomic: 1 when it is shut and nobody is left; changed under mutex */
    kri_mutex mutex;
    kr_lock growing; /* held while the first worker is being started */

    kri_task_queue queue; /* [mutex] */
    kri_worker *all;      /* [mutex] */
    kri_worker *idle;     /* [mutex] the one that was idle last is first */
    int alive;            /* [mutex] workers that run or are being started */
    int covering;         /* [mutex] workers on their way to the queue */
    int holds;            /* [mutex] starters and helpers, who must be waited for */
    int numbered;         /* [mutex] */
    bool staffed;         /* [mutex] a worker was started once */
    bool shut;            /* [mutex] */
    bool broken;          /* [mutex] */

    kri_pool *next;     /* [the registry's lock] */
    kri_pool *previous; /* [the registry's lock] */
    bool visited;       /* [the registry's lock] */

    kr_pool_options options; /* const; without the name */
    char name[48];           /* const */
};

extern const kri_executor_ops kri_pool_ops;

/* pool.c */
int kri_pool_submit(kr_executor *executor, kr_future *f, kr_time deadline);
bool kri_pool_take(kr_executor *executor, kr_future *f, bool run);
void kri_pool_ran(kr_executor *executor);
void kri_pool_hold_drop(kri_pool *pool); /* mutex held */
void kri_pool_departed(kri_pool *pool);  /* mutex held: a future left the queue */

/* worker.c */
int kri_worker_start(kri_pool *pool); /* alive, covering and holds were counted for it */
void kri_worker_call(kri_worker *worker);

/* shutdown.c */
int kri_pool_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline, unsigned flags);
void kri_pool_release(kr_executor *executor);
void kri_pool_unref(kri_pool *pool);
void kri_pool_check_ended(kri_pool *pool);      /* mutex held: note that nobody is left */
void kri_pool_break(kri_pool *pool, int error); /* an initializer failed */

/* registry.c: the pools that exit must finish */
int kri_registry_add(kri_pool *pool); /* -ENOMEM; KR_ESHUTDOWN: exit has begun */
void kri_registry_remove(kri_pool *pool);

#endif
