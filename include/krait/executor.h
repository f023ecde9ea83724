/* kr_executor - where tasks run: submit a function, get a future.
 *
 *     kr_executor *pool;
 *     err = kr_thread_pool(&pool, NULL);               // as many workers as processors
 *     err = kr_submit(pool, &f, fib_task, &n, sizeof n, sizeof(long));
 *     ...
 *     err = kr_executor_shutdown(pool, NULL, KR_FOREVER);
 *     kr_executor_release(pool);
 *
 * Python's concurrent.futures.Executor and ThreadPoolExecutor.  All calls may come from any runner,
 * tasks of the same executor included.  In a forked child an executor of the parent answers
 * KR_EFORKED.
 *
 * At exit(), and at the return of main, every pool is shut down and its pending tasks are finished
 * first, as in Python; kr_submit then answers KR_ESHUTDOWN.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_EXECUTOR_H
#define KRAIT_EXECUTOR_H

#include <krait/future.h>

KR_EXTERN_BEGIN

typedef struct kr_executor kr_executor;

typedef struct kr_pool_options {
    int workers;                   /* at most; 0: kr_cpu_count() */
    const char *name;              /* copied; workers are called name_0, name_1 ..; NULL: "pool-1",
                                      "pool-2" .. by order of creation */
    int (*initializer)(void *arg); /* runs in each worker before its first task; NULL: none */
    void *initializer_arg;         /* must stay until the pool is shut down */
    size_t stack_size;             /* of each worker, bytes; 0: the system's default */
    size_t max_queued;             /* tasks that may wait in the queue; 0: no limit */
    int max_spares;                /* workers more at most, while as many wait for tasks; 0: 256,
                                      negative: none */
    bool no_outside_help; /* a thread that is no worker of this pool never runs its tasks */
    bool own_processors;  /* a pool that is made in a task of another does not share its
                             budget of processors, see kr_thread_pool */
    bool timing;          /* measure how long tasks wait, for kr_pool_metrics */
    kr_time stuck_after;  /* report a worker that is in one task for longer than this, see
                             kr_set_stuck_hook; 0: never */
    uint64_t reserved[4];
} kr_pool_options;

/* kr_thread_pool - a pool whose tasks run in threads of this process.
 *
 * Workers are started when a task finds no idle one, up to .workers; the one that was idle last is
 * used first.  A worker holds no lock and no cancel scope of its starter.
 *
 * When .initializer returns an error in any worker, the hook gets it and the pool is broken: tasks
 * that have not begun fail with KR_EBROKEN and kr_submit returns it.  An initializer may submit
 * tasks to its pool but not wait for any: such a wait returns -EDEADLK, for a worker that came to
 * run the task would stand in the initializer, too.
 *
 * A thread that is no worker of the pool runs a task itself that it waits for, see
 * kr_future_result; not with .initializer, whose work it may need, nor with .no_outside_help.
 *
 * A worker whose task waits for another task is replaced meanwhile by a spare one, up to
 * .max_spares; those that are too many sleep, and end after some seconds.
 *
 * A pool that is made in a task of another pool shares that one's budget of processors: together
 * they run as many tasks at a time as the outer pool has workers, but each of them always one.
 *
 * Python's default is min(32, processors + 4) for the sake of its interpreter lock.
 *
 * Returns   0
 *           -ENOMEM
 *           -EINVAL       a number is negative that must not be, .stack_size is less than the
 *                         system allows, or a reserved field is set
 *           -EAGAIN       the thread that .stuck_after needs could not be started
 *           KR_ESHUTDOWN  the program is at its exit()
 *           On every error *pool is NULL
 */
KR_API KR_NODISCARD int kr_thread_pool(kr_executor **pool, const kr_pool_options *options);

/* kr_submit - have a task run.
 *
 *   future       receives the task's future with one reference, the caller's.  NULL: fire and
 *                forget; an error of the task then goes to the task hook
 *   arg          arg_size bytes, copied before the return; with size 0 the pointer itself is
 *                handed to the task
 *   result_size  bytes that the task may write
 *
 * The task may be left to a worker that looks for tasks now and then only: at once when a runner
 * sleeps in a krait wait, else within 250 us beside what the system's scheduler takes.  So a caller
 * who submits and then blocks outside of krait, or computes, may have it begin that late; where
 * that happens again it becomes rare.
 *
 * One allocation, which the argument and the result lie in.  Where .max_queued is reached the call
 * waits for room; a worker of the same pool does not wait, for it is what makes room.
 *
 * Returns   0
 *           KR_ESHUTDOWN  the executor is, or was meanwhile, shut down
 *           KR_EBROKEN    an initializer failed
 *           -ENOMEM, -EINVAL
 *           -EAGAIN       the first worker could not be started
 *           -ECANCELED    the caller's scope is cancelled while it waits for room
 *           KR_EFORKED
 *           On every error nothing was queued and *future is NULL
 * Blocks    only for room: a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_submit(kr_executor *executor, kr_future **future, kr_task_fn fn,
                                  const void *arg, size_t arg_size, size_t result_size);

/* Lanes: what is queued in a higher one is begun before what waits in a lower one. */
typedef enum kr_priority {
    KR_PRIORITY_NORMAL,
    KR_PRIORITY_HIGH,
    KR_PRIORITY_LOW, /* begun when nothing else is queued; every 64th task all the same */
} kr_priority;

typedef struct kr_submit_options {
    kr_priority priority;
    bool dont_wait;  /* for room where .max_queued is reached: -ETIMEDOUT at once */
    kr_time timeout; /* of that wait; 0: none */
    uint64_t reserved[4];
} kr_submit_options;

/* kr_submit_with - kr_submit with options.
 *
 * Returns   as kr_submit; -ETIMEDOUT: there was no room in time; -EINVAL: no such priority, a
 *           negative timeout, or a reserved field is set
 * Blocks    only for room
 */
KR_API KR_NODISCARD int kr_submit_with(kr_executor *executor, kr_future **future, kr_task_fn fn,
                                       const void *arg, size_t arg_size, size_t result_size,
                                       const kr_submit_options *options);

typedef struct kr_shutdown_options {
    bool cancel_pending; /* tasks that have not begun are cancelled instead of run */
    uint64_t reserved[4];
} kr_shutdown_options;

/* kr_executor_shutdown - take no more tasks, and wait until all are done and the workers ended.
 *
 * KR_NOWAIT is Python's wait=False: -ETIMEDOUT then only says that work remains, which goes on.  It
 * may be called again, to wait or to cancel.
 *
 * Returns   0           every task is done and every worker has ended
 *           -ETIMEDOUT  not within the timeout; the executor is shut down all the same
 *           -ECANCELED  the caller's scope is cancelled; the executor is shut down all the same;
 *                       not with KR_NOWAIT
 *           -EDEADLK    called from a task of this executor, which is shut down all the same; not
 *                       with KR_NOWAIT
 *           -EINVAL     negative timeout or a reserved field is set; nothing was done
 *           KR_EFORKED
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_executor_shutdown(kr_executor *executor,
                                             const kr_shutdown_options *options, kr_time timeout);

/* kr_executor_release - give the handle up; NULL is allowed.
 *
 * An executor that was never shut down is shut down first, and its tasks are waited for, whether
 * or not the caller is cancelled: the end of Python's `with`.  After a kr_executor_shutdown, and
 * from a task of its own, it does not wait: what was submitted is finished all the same.  Futures
 * stay valid.
 *
 * Blocks    where it waits: a thread sleeps, a coroutine is suspended
 */
KR_API void kr_executor_release(kr_executor *executor);

/* For KR_AUTO(kr_executor): releases *executor. */
KR_API void kr_executor_auto(kr_executor **executor);

/* kr_executor_workers - how many tasks it runs at a time at most.
 *
 * Returns   the number; -EINVAL: NULL */
KR_API int kr_executor_workers(const kr_executor *executor);

/* kr_pool_metrics - what a thread pool is doing and has done.
 *
 * Read without stopping anybody: the numbers belong to about the same moment.  Rising counts never
 * fall.  Times are from submit to begin, of the tasks of a pool with .timing, in nanoseconds, each
 * at most a 16th too long; 0: none yet.
 *
 * Returns   0; -EINVAL: no thread pool; KR_EFORKED
 */
typedef struct kr_pool_metrics {
    uint64_t queued;    /* tasks that nobody has taken yet */
    uint64_t running;   /* tasks that have begun and not ended */
    uint64_t done;      /* tasks that have ended */
    uint64_t cancelled; /* tasks that never began */
    uint64_t helped;    /* of those done: run by whoever waited for them */
    uint64_t steals;    /* tasks taken from another worker's queue */
    uint64_t wakeups;   /* calls of a sleeping worker */
    int workers;        /* threads alive now */
    int sleeping;       /* of those: asleep for want of work */
    int waiting;        /* of those: in a task that waits for another task */
    kr_time wait_p50, wait_p90, wait_p99, wait_max;
    uint64_t reserved[8];
} kr_pool_metrics;
KR_API int kr_pool_read_metrics(kr_executor *pool, kr_pool_metrics *metrics);

/* kr_stuck_report - a worker that does not come back from a task. */
typedef struct kr_stuck_report {
    const char *pool;
    const char *worker; /* the thread's name */
    kr_task_fn task;
    kr_time since; /* how long it has been in the task, at least */
} kr_stuck_report;

/* kr_set_stuck_hook - who hears of workers that are stuck, in pools with .stuck_after.
 *
 * Called once for a task, by a thread of the library's own, which sleeps while the pools do.  A
 * task that waits for another task is not stuck.  One that it runs itself meanwhile is part of it,
 * and is the one named if it was submitted, and not started in a group.  Maps, loops, and groups
 * where they submit, go by a function of the library's.  The hook may still run while the pool is
 * being released.  All signals are blocked in its thread, and until it returns nobody else is
 * reported. NULL is the default: one line on standard error, with the name of the task's function
 * where the program's file has it.
 *
 * Returns   the hook before; NULL: the default
 */
typedef void (*kr_stuck_hook)(const kr_stuck_report *report);
KR_API kr_stuck_hook kr_set_stuck_hook(kr_stuck_hook hook);

KR_EXTERN_END

#endif
