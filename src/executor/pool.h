/* The inside of the thread pool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_POOL_H
#define KRI_EXECUTOR_POOL_H

#include <krait/group.h>
#include <krait/lock.h>
#include <krait/thread.h>

#include "executor/executor.h"
#include "executor/finish.h"
#include "executor/waiting_times.h"
#include "queue/deque.h"
#include "queue/injection.h"
#include "status/page.h"

typedef struct kri_pool kri_pool;
typedef struct kri_watch kri_watch;

/* What stands in a queue: a future, or a task of a group, which lies in its opener's frame. */
typedef uint64_t kri_item;
enum { KRI_ITEM_OF_GROUP = 1 }; /* the tag of the latter */

static inline kri_item kri_item_of(kr_future *f)
{
    return (uintptr_t)f;
}

static inline kr_future *kri_item_future(kri_item item)
{
    return (kr_future *)(uintptr_t)item;
}

enum { KRI_LANES = 3, KRI_POOL_NAME = 48 };

/* Does a worker search, or does one who may call one look first?  See idle.c, and nap.c for the
 * last two. */
enum { KRI_NOBODY_SEARCHES, KRI_SEARCHING, KRI_CALLING, KRI_NAPPING, KRI_RELIED_ON };

/* How a sleeping worker was called. */
enum { KRI_NOT_CALLED, KRI_CALLED_TO_SEARCH, KRI_CALLED_TO_LOOK };

struct kri_worker {
    kri_deque deque; /* pushed and popped by the owner, stolen from by all */

    /* The owner's. */
    kri_frame frame;
    kr_group *group; /* of the task that it runs; NULL: of none */
    uint32_t tick;   /* tasks taken */
    uint32_t random;
    bool searches;       /* it is the pool's searcher */
    bool called_to_work; /* and was woken for that; it has not found anything yet */
    bool initializes;    /* it is in the initializer, before its first task */
    kr_time idle_since;  /* 0: it is not idle */
    kr_time batch_taken; /* when it last took tasks from the common queue */
    size_t batch;        /* how many it would have taken */
    bool took_few;       /* there were only few */
    bool stole;          /* what it took last was another worker's */
    bool streams;        /* the last task's submitter does not wait, see kri_streak */

    /* Written by the owner alone, read by all. */
    kri_word64 begun, done, helped, steals;
    kri_word64 task;  /* the function that it runs, for the watchdog; 0: none */
    kri_word64 turns; /* begins and ends of tasks below its own, where those above do not count them
                         at once */

    kri_pool *pool; /* const */
    int number;     /* const */
    kr_word called; /* atomic: KRI_NOT_CALLED .. */
    bool idle;      /* [mutex] it stands in the list of the idle */
    uint32_t waits; /* [mutex] begins and ends of waits for other tasks: odd while it waits */
    struct kri_worker *next_idle;     /* [mutex] */
    struct kri_worker *previous_idle; /* [mutex] */
    struct kri_worker *next_free;     /* [mutex] among those without a thread */
    kr_thread *thread;                /* [mutex] NULL until kr_thread_start returned */
};

/* Pools that share processors; each has one of its own unless it was made in a task of another. */
typedef struct kri_budget {
    kri_mutex mutex;    /* guards what is marked [mutex], in all its pools */
    kr_word references; /* atomic: of its pools */
    int limit;          /* const */
    int running;        /* [mutex] */
    kri_pool *pools;    /* [mutex] */
} kri_budget;

struct kri_pool {
    kr_executor executor; /* first: a pool is an executor */
    kri_budget *budget;   /* const */
    int max_spares;       /* const */
    bool outside_help;    /* const: threads that are no workers of its may run its tasks */
    uint32_t number;      /* const; of two pools at the same place, which one it is */
    kr_word references;   /* atomic: the handle, each thread, each helper, whoever visits at exit */
    kr_word room;         /* atomic: counts departures from a bounded queue */
    kr_word ended;        /* atomic: 1 when it is shut and nobody is left; changed under mutex */
    kr_lock growing;      /* held while the first worker is being started */

    /* Read at each submit and each end of a task. */
    kr_word callable __attribute__((aligned(64))); /* atomic; changed under mutex: 1 when a worker
                                                      could be called, or started */
    kr_word searching;                             /* atomic: KRI_NOBODY_SEARCHES .. */
    kr_word spent;   /* atomic; changed under mutex: no spare worker may come any more */
    kr_word excess;  /* atomic; changed under mutex: more workers run than should */
    kr_word ending;  /* atomic; changed under mutex: 1 when workers shall leave */
    kr_word closed;  /* atomic; changed under mutex: 1 when it takes no more tasks */
    kr_word verdict; /* atomic: what a task ends with that has not begun, negated; 0: it is run */
    kr_word slots_used;   /* atomic; changed under mutex: of slots, from the first */
    kri_pointer *slots;   /* const; each set once: all workers that ever were */
    kr_word long_idles;   /* atomic hint: how many idle times in a row were long */
    kr_word vain_calls;   /* atomic hint: how many calls in a row were in vain, up to some */
    kr_word naps_to_omit; /* atomic hint: how many naps are to be left out */
    kr_word naps_omitted; /* atomic hint: how many were to be, the last time; 0: naps are of use */

    kri_injection lanes[KRI_LANES] __attribute__((aligned(64))); /* by kr_priority */
    kri_word64 shells;                      /* atomic: futures in a queue that were claimed there */
    kri_word64 outside_begun, outside_done; /* atomic; changed under mutex: tasks that others than
                                               its workers ran */
    kri_word64 removed;                     /* atomic: tasks that were cancelled in a queue */

    kri_worker *idle;    /* [mutex] the one that was idle last is first */
    kri_worker *free;    /* [mutex] workers without a thread */
    int alive;           /* [mutex] threads that run or are being started */
    int sleeping;        /* [mutex] of those: in the list of the idle */
    int waiting;         /* [mutex] of those: in a task that waits for another task */
    int holds;           /* [mutex] starters, helpers and others who must be waited for */
    size_t queued;       /* [mutex] with max_queued: tasks that nobody has claimed */
    uint64_t wakeups;    /* [mutex] */
    bool staffed;        /* [mutex] a worker was started once */
    bool shut;           /* [mutex] */
    bool broken;         /* [mutex] */
    bool refused;        /* [mutex] the system would not start a thread; until a worker is idle */
    kri_pool *neighbour; /* [mutex] in the budget's list */

    kri_finish finish;
    kri_watch *watch;         /* const; NULL: nobody looks for workers that are stuck */
    kri_waiting_times *times; /* const; NULL: not measured */
    kr_pool_options options;  /* const; without the name */
    char name[KRI_POOL_NAME]; /* const */
};

extern const kri_executor_ops kri_pool_ops;

static inline bool kri_worker_of(const kri_worker *worker, const kr_future *f)
{
    return &worker->pool->executor == f->executor;
}

/* By its only writer. */
static inline void kri_add_up(kri_word64 *count, uint64_t more)
{
    kri_store_rel64(count, kri_load_rlx64(count) + more); /* [metrics-1] */
}

static inline void kri_count(kri_word64 *count)
{
    kri_add_up(count, 1);
}

/* Its thread goes on with another task: one that it helps, or again the one that waited for that.
 * Returns the one before. */
static inline uint64_t kri_worker_turn(kri_worker *worker, uint64_t task)
{
    uint64_t before = kri_load_rlx64(&worker->task);
    kri_count(&worker->turns);
    kri_store_rel64(&worker->task, task); /* [watch-2] */
    return before;
}

/* pool.c */
int kri_pool_submit(kr_executor *executor, kr_future *f, kr_time deadline);
void kri_pool_departed(kri_pool *pool); /* with max_queued: a task was claimed */
bool kri_pool_claimed(kr_executor *executor, kr_future *f, bool run);
void kri_pool_ran(kr_executor *executor);

/* roster.c: how many work; with the mutex held */
int kri_roster_running(const kri_pool *pool);
bool kri_roster_may_run_more(const kri_pool *pool);
bool kri_roster_runs_too_many(const kri_pool *pool);
bool kri_roster_may_grow(const kri_pool *pool);
void kri_roster_count(kri_pool *pool, int alive, int sleeping,
                      int waiting);             /* changes of the three */
void kri_roster_lay_down(kri_worker *worker);   /* it is idle */
void kri_roster_raise(kri_worker *worker);      /* it is not */
kri_worker *kri_pool_take_idle(kri_pool *pool); /* all of them */

/* idle.c: who is called, and who sleeps */
void kri_pool_notify(kri_pool *pool); /* after something was queued: call a worker if need be */
bool kri_pool_could_call(kri_pool *pool);
bool kri_pool_has_work(const kri_pool *pool);
bool kri_worker_park(kri_worker *worker); /* false: the worker must leave, and is not alive */
void kri_worker_stop_search(kri_worker *worker); /* it is about to run something */
bool kri_worker_begin_search(kri_worker *worker);
void kri_worker_begin_search_surely(kri_worker *worker); /* unless somebody else does */
void kri_worker_wake(kri_worker *worker, uint32_t how);
void kri_workers_wake(kri_worker *worker); /* a list that kri_pool_take_idle gave */
int kri_pool_start_first(kri_pool *pool);
void kri_pool_hold_drop(kri_pool *pool); /* mutex held */
void kri_pool_rouse(kri_pool *pool);     /* mutex held: work was taken away, see idle.c */
void kri_pool_hold(kri_pool *pool);      /* it does not end until let go */
void kri_pool_let_go(kri_pool *pool);
void kri_worker_abandon(kri_worker *worker); /* its thread never comes back to it */
void kri_pool_leave(kri_worker *worker);     /* mutex held: not alive any more */

/* nap.c */
bool kri_worker_nap(kri_worker *worker); /* by the searcher: true: look for work again */
void kri_pool_rely(kri_pool *pool);      /* instead of a call, while the searcher naps */
void kri_nap_note_vain(kri_pool *pool);
static inline bool kri_pool_naps(const kri_pool *pool)
{
    return kri_load_rlx(&pool->searching) >= KRI_NAPPING;
}
void kri_nap_note_found(kri_worker *worker);

/* worker.c */
int kri_worker_start(kri_pool *pool); /* alive and holds were counted for it */
bool kri_worker_claim(kri_worker *worker, kr_future *f, kr_cancel_scope *scope);
void kri_worker_helped(kri_worker *worker); /* what was claimed so has ended */
void kri_pool_before_end(const kri_frame *frame);

/* group.c */
void kri_group_run(kri_worker *worker, kri_item item);

/* budget.c */
int kri_budget_join(kri_pool *pool); /* -ENOMEM */
void kri_budget_leave(kri_pool *pool);

/* watchdog.c, of pools with .stuck_after */
int kri_watch_begin(kri_pool *pool, size_t slots); /* -ENOMEM, -EAGAIN */
void kri_watch_end(kri_pool *pool);
void kri_watch_ring(kri_watch *watch); /* mutex held: somebody runs in the pool */

/* shutdown.c */
int kri_pool_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline, unsigned flags);
void kri_pool_release(kr_executor *executor);
void kri_pool_unref(kri_pool *pool);
void kri_pool_check_ended(kri_pool *pool);          /* mutex held: note that nobody is left */
void kri_pool_break(kri_pool *pool, int error);     /* an initializer failed */
void kri_pool_finish(kri_pool *pool, kr_future *f); /* out of a queue: it ends by the verdict */

/* show.c: a row of the status page for it, and for each worker; waits for nothing */
void kri_pool_show(kri_pool *pool, kri_view *view);

/* registry.c: the pools that exit must finish */
int kri_registry_add(kri_pool *pool); /* -ENOMEM; KR_ESHUTDOWN: exit has begun */
void kri_registry_remove(kri_pool *pool);

/* The name of a pool that may be gone: false. */
bool kri_registry_name(const kr_executor *executor, uint32_t number, char name[KRI_POOL_NAME]);

#endif
