/* The parent's side of a process pool.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_PROCESS_POOL_POOL_H
#define KRI_PROCESS_POOL_POOL_H

#include <krait/process_pool.h>

#include "executor/executor.h"
#include "executor/finish.h"
#include "executor/teller.h"
#include "process_pool/arena.h"
#include "process_pool/doze.h"
#include "process_pool/work.h"
#include "status/page.h"

typedef struct kri_process_pool kri_process_pool;

enum { KRI_NO_SLOT = -1, KRI_POOL_SLOTS = 1024, KRI_PROCESS_POOL_NAME = 48 };
enum { KRI_JOB_CANCELLED = 1 }; /* as a job's error: it never began */

/* Where a job is. */
enum kri_job_place { KRI_JOB_NOWHERE, KRI_JOB_BACKLOG, KRI_JOB_SLOT };

/* A task, from its submit until its future is released. */
typedef struct kri_job {
    kri_remote remote;      /* first: the future's */
    kri_process_pool *pool; /* const, with a reference */
    kr_future *future;      /* const */
    kri_task task;          /* const; the argument's bytes are the future's, or a block's */
    uint64_t function;      /* const: as in the slot */
    kri_block *result;      /* const; NULL: inline */
    kri_block *arg;         /* [mutex] NULL: inline, or it is over */
    struct kri_job *next;   /* [mutex] in the backlog, or among those that have ended */
    struct kri_job *previous;
    uint64_t ticket;   /* [mutex] of the last put */
    int slot;          /* [mutex] */
    int attempts;      /* [mutex] how often a worker has died of it, of a batch: of this item */
    uint32_t progress; /* [mutex] of a batch: items that had ended before this attempt */
    int error;         /* [mutex] how it ended */
    kr_crash *crash;   /* const once the future is done; NULL: it has not crashed */
    uint8_t place;     /* [mutex] kri_job_place */
    bool abandoned;    /* [mutex] its worker is killed because nobody wants it any more */
    bool watched;      /* [mutex] it counts among those who rely on the collector */
} kri_job;

typedef struct kri_job_list {
    kri_job *first;
    kri_job *last;
} kri_job_list;

/* A worker's place, and the process that is in it. */
typedef struct kri_pool_worker {
    kr_process *process; /* [mutex] changed by the supervisor; NULL: nobody is in it */
    uint64_t taken;      /* [mutex] how far its ring of completed slots was read */
    kr_crash_reason why; /* [mutex] it is killed for this, if it is */
    uint64_t max_rss;    /* the supervisor's, as the rest */
    int runs;            /* the slot that it was seen in, or KRI_NO_SLOT .. */
    uint32_t item;       /* .. and the item there */
    uint64_t seen;       /* the state of the slot that it runs */
    kr_time seen_at;     /* since when, at the latest */
} kri_pool_worker;

struct kri_process_pool {
    kr_executor executor; /* first: it is an executor */
    kr_word references;   /* atomic: the handle, each job, each thread */
    kr_word ended;        /* atomic: 1 once no worker and no task is left */
    kr_word room;         /* atomic: counts departures from a bounded pool */
    kr_word leading;      /* atomic: 1: somebody who waits takes what is completed */
    kr_word closing;      /* atomic: 1 when the collector shall end */
    kri_work work;        /* const, as the rest up to the mutex */
    int memory;           /* the segment's descriptor */
    size_t mapped;        /* its size */
    int bell;             /* calls the supervisor */
    kr_process_pool_options more;
    kr_cpu_set *affinity; /* more.affinity_count of them */
    size_t max_queued;
    bool watches; /* tasks have to be looked after while they run */
    int (*initializer)(void *arg);
    void *initializer_arg;
    kr_thread *supervisor;
    kr_thread *collector;
    kri_teller teller; /* calls the program back */
    char name[KRI_PROCESS_POOL_NAME];

    kri_mutex arena_lock;
    kri_arena arena; /* guarded by arena_lock */

    kri_mutex mutex;                      /* guards what is marked [mutex] */
    kri_job **in_slots;                   /* [mutex] */
    uint32_t *free_slots;                 /* [mutex] the last is used first */
    uint32_t free_count;                  /* [mutex] */
    size_t backlogged;                    /* [mutex] in the backlog */
    size_t outstanding;                   /* [mutex] tasks that have not ended */
    uint64_t over;                        /* [mutex] tasks that have */
    uint32_t refills;                     /* [mutex] */
    uint32_t to_call;                     /* [mutex] puts since the mutex was taken */
    kri_doze doze;                        /* the collector's */
    kri_pool_worker *workers;             /* [mutex] */
    int alive;                            /* [mutex] processes */
    int wanted;                           /* [mutex] how many there should be */
    int early_deaths;                     /* [mutex] how many in a row died before they worked */
    bool broken;                          /* [mutex] */
    bool shut;                            /* [mutex] */
    bool stopped;                         /* [mutex] its workers were killed: none is replaced */
    kri_job_list backlog[KRI_WORK_LANES]; /* [mutex] what has no slot yet */

    kri_finish finish;
};

extern const kri_executor_ops kri_process_pool_ops;
extern const kri_remote_ops kri_job_ops;

/* pool.c */
void kri_process_pool_unref(kri_process_pool *pool);
void kri_process_pool_rouse(kri_process_pool *pool); /* call the supervisor */

/* job.c: making one */
int kri_job_make(kr_executor *executor, kr_future **future, const kri_task *task, bool forgotten);
void kri_job_drop(kri_remote *remote);
void kri_job_free_block(kri_process_pool *pool, kri_block *block);
int kri_function_number(const kri_process_pool *pool, void (*fn)(void), uint64_t *number);
void kri_job_append(kri_job_list *list, kri_job *job);
void kri_job_unlink(kri_job_list *list, kri_job *job);
kri_job *kri_job_shift(kri_job_list *list);

/* queue.c: its way to the workers, and back */
int kri_job_submit(kr_executor *executor, kr_future *f, kr_time deadline);
bool kri_job_claimed(kr_executor *executor, kr_future *f, bool run);
bool kri_job_withdraw(kr_future *f);
void kri_job_put(kri_process_pool *pool, kri_job *job); /* mutex held: into a slot, or behind */
void kri_job_put_again(kri_process_pool *pool, kri_job *job);  /* mutex held: its slot is idle */
void kri_job_refill(kri_process_pool *pool);                   /* mutex held: slots are free */
void kri_job_leave_slot(kri_process_pool *pool, kri_job *job); /* mutex held: it is idle */
uint32_t kri_process_pool_unlock(kri_process_pool *pool); /* and call workers for what was put */
bool kri_job_take_back(kri_process_pool *pool, kri_job *job); /* mutex held: false: it has begun */

/* end.c: how jobs end */
void kri_job_ended(kri_process_pool *pool, kri_job *job, int error,
                   kri_job_list *list); /* mutex held: it is nowhere any more */
void kri_jobs_conclude(kri_process_pool *pool, kri_job_list *list, bool announces); /* not held */
void kri_process_pool_departed(kri_process_pool *pool, size_t count);               /* mutex held */
void kri_process_pool_fail(kri_process_pool *pool, int error,
                           kri_job_list *list); /* mutex held: all that has not begun */

/* collector.c */
int kri_collector_start(kri_process_pool *pool);
void kri_collector_end(kri_process_pool *pool);
int kri_job_await(kr_future *f, kr_time deadline, unsigned flags);
void kri_job_look(const kr_future *f, bool watched);
void kri_job_watch(kri_process_pool *pool, kri_job *job);   /* mutex held */
void kri_job_unwatch(kri_process_pool *pool, kri_job *job); /* mutex held: it is over */
enum kri_collects { KRI_LEADER, KRI_COLLECTOR, KRI_PASSER_BY };
bool kri_collect(kri_process_pool *pool, enum kri_collects who); /* true: some were done */

/* supervisor.c */
int kri_supervisor_start(kri_process_pool *pool);

/* start.c: a worker's process */
int kri_pool_worker_start(kri_process_pool *pool, uint32_t worker);
void kri_pool_worker_name(const kri_process_pool *pool, uint32_t worker,
                          char name[KR_PROCESS_NAME_SIZE]);

/* crash.c: mutex held: an end to the worker that is in this item; false: it has ended */
bool kri_crash_condemn(kri_process_pool *pool, uint32_t slot, uint32_t item, kr_crash_reason why);
void kri_crash_kill(kri_process_pool *pool, uint32_t worker,
                    kr_crash_reason why); /* one that is in no task, and gets none */
/* and what a dead worker has left */
void kri_crash_settle(kri_process_pool *pool, uint32_t worker, int exit_code, kri_job_list *list);

/* map.c */
int kri_process_map(kr_executor *executor, const kri_task *task, void *results,
                    const struct kr_map_options *options);

/* shutdown.c */
int kri_process_pool_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline,
                              unsigned flags);
void kri_process_pool_release(kr_executor *executor);
void kri_process_pool_stop(kri_process_pool *pool, bool at_once);
void kri_process_pool_break(kri_process_pool *pool,
                            int error); /* for the hook; 0: no initializer's */

/* show.c: rows of the status page; waits for nothing */
void kri_process_pool_show(kri_process_pool *pool, kri_view *view);

/* register.c: the pools that exit must finish */
int kri_process_pool_register(kri_process_pool *pool); /* KR_ESHUTDOWN, -ENOMEM */
void kri_process_pool_unregister(kri_process_pool *pool);

/* worker.c: the child's side */
typedef struct kri_worker_plan {
    uint64_t work;       /* where the segment lies; 0: it is to be mapped */
    uint64_t mapped;     /* its size */
    uint64_t function;   /* the initializer, as in a slot; 0: none */
    uint64_t by_address; /* it is an address, and the pointer below one, too */
    uint64_t arg;        /* the pointer itself, where its size is 0 */
    uint64_t arg_size;   /* its bytes follow */
    uint64_t max_tasks;
    uint64_t memory_limit;
    uint64_t mask; /* of signals, once SIGINT is ignored */
    uint32_t worker;
    uint32_t timed; /* somebody wants to know when each item began */
    max_align_t bytes[];
} kri_worker_plan;

int kri_pool_work(void *plan);

static inline kri_process_pool *kri_process_pool_of(kr_executor *executor)
{
    return (kri_process_pool *)executor;
}

static inline kri_job *kri_job_of(const kr_future *f)
{
    return (kri_job *)f->remote;
}

#endif
