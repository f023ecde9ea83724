/* kr_process_pool - an executor whose tasks run in processes, and that outlives them.
 *
 *     kr_executor *pool;
 *     err = kr_process_pool(&pool, NULL);              // instead of kr_thread_pool
 *     err = kr_submit(pool, &f, fib_task, &n, sizeof n, sizeof(long));
 *     ...
 *     if (kr_future_result(f, &fib, sizeof fib, NULL, KR_FOREVER) == KR_ECRASHED)
 *         err = kr_future_crash(f, &crash);            // who, where, how
 *
 * Python's ProcessPoolExecutor and multiprocessing.Pool, with the calls of krait/executor.h.  A
 * worker that crashes, is killed, or takes more time or memory than it may, fails the task that it
 * runs and nothing else; another worker takes its place at once.
 *
 * What differs from a thread pool.  A task has the bytes of its argument, and its result's bytes
 * come back; pointers lead nowhere, but in a worker that is a fork to what was there when that was
 * forked.  Nobody but a worker ever runs a task.  A task that has begun cannot be asked to stop:
 * kr_future_cancel answers -EALREADY.  A task cannot use its own pool: KR_EFORKED in a fork.  Loops
 * (krait/parallel.h) and groups work on the caller's memory, and answer -EOPNOTSUPP.
 *
 * Small arguments and results travel in a slot of shared memory, others lie in it as blocks: copied
 * in once by kr_submit and out once by kr_future_result.  A future that holds such a result keeps
 * that memory, and the pool's, until it is released.  A task that writes where it must not may hit
 * that memory, and so the pool: what is protected from each other are processes, not bytes.
 *
 * A result of more than 4096 bytes (in a map: of one item) is not cleared before its task runs.
 * What the task does not write holds whatever arguments and results of this pool have left there,
 * and comes back with the result: a task that returns 0 writes all of it, or clears it.
 *
 * Callbacks run in a thread of the pool's, one after the other, or in whoever cancels.  One that
 * waits, be it for another task of the pool, holds up the callbacks behind it and no task.
 *
 * SIGINT.  Workers ignore it, and the parent decides.  A kr_map whose scope is cancelled
 * (kr_cancel_on_signal) returns -ECANCELED at once: items that have not begun never do, and the
 * workers that are in one of its items are killed and replaced.
 *
 * Workers are killed when this process is gone, however it went.  At exit, and where the main
 * function returns, what was submitted is finished first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_PROCESS_POOL_H
#define KRAIT_PROCESS_POOL_H

#include <krait/executor.h>
#include <krait/process.h>

KR_EXTERN_BEGIN

/* kr_process_pool - make a pool of processes.
 *
 * Of the options .workers, .name, .initializer, .initializer_arg and .max_queued count, as for a
 * thread pool; the others mean nothing here.  Workers are processes called name_0, name_1 ..
 *
 * Returns   0
 *           -ENOMEM, -EAGAIN, -EMFILE, -ENFILE   the system refuses
 *           -EINVAL       as for a thread pool; more than 1024 workers
 *           KR_EINIT, KR_ETASK, -ENOSYS   as kr_process_start; the initializer is not declared with
 *                         KR_TASK
 *           KR_ESHUTDOWN  the program is at its exit()
 *           On every error *pool is NULL
 * Blocks    for as long as the system takes
 */
KR_API KR_NODISCARD int kr_process_pool(kr_executor **pool, const kr_pool_options *options);

typedef struct kr_process_pool_options {
    kr_start_method start;        /* see below */
    size_t initializer_arg_size;  /* so many bytes of .initializer_arg are copied, and the
                                     initializer gets their address; 0: it gets the pointer */
    uint64_t max_tasks_per_child; /* then it is replaced by a new one; 0: no limit */
    kr_time task_timeout;         /* a task that runs for longer is killed: -ETIMEDOUT; of a map,
                                     an item; one that ends just then counts, or has that error,
                                     and no other is hit; 0: none */
    uint64_t memory_limit;        /* bytes that a worker may have resident, looked at every 100 ms,
                                     and may map beyond what it begins with, kept by the kernel;
                                     between two tasks it is replaced, and none fails; 0: none */
    int retries;                  /* how often a task whose worker has died is run again; not after
                                     its .task_timeout */
    const kr_cpu_set *affinity;   /* worker n is bound to set n % affinity_count; copied */
    int affinity_count;
    uint64_t reserved[4];
} kr_process_pool_options;

/* kr_process_pool_with - make a pool of processes, with more options; more is NULL: none.
 *
 * .start says how workers come to be, those that replace others too.  Under KR_FORK all are started
 * by this call.  Otherwise they are started as tasks need them, and only functions declared with
 * KR_TASK can be submitted: others are refused with KR_ETASK.  KR_START_DEFAULT is what it is for
 * kr_process_start at the time of this call.
 *
 * When the initializer fails in any worker, or three workers one after the other die before they
 * have begun, or none is left and for a second the system lets none be started (or never will, as
 * kr_process_start says by -ENOSYS), the pool is broken: what has not ended fails with KR_EBROKEN,
 * and kr_submit returns it.
 *
 * Returns   as kr_process_pool
 */
KR_API KR_NODISCARD int kr_process_pool_with(kr_executor **pool, const kr_pool_options *options,
                                             const kr_process_pool_options *more);

/* kr_executor_terminate_workers - shut a process pool down and send its workers SIGTERM.
 * kr_executor_kill_workers - the same with SIGKILL.
 *
 * Tasks that have not begun are cancelled, those that run fail with KR_ECRASHED, unless they end by
 * themselves in time.  Does not wait; kr_executor_shutdown does.
 *
 * Returns   0; -EINVAL: no process pool; KR_EFORKED
 */
KR_API int kr_executor_terminate_workers(kr_executor *pool);
KR_API int kr_executor_kill_workers(kr_executor *pool);

/* kr_process_pool_workers - the numbers of the processes that are alive, at most `max` of them; one
 * that is just being started may be missing.
 *
 * Returns   how many there are; -EINVAL: no process pool; KR_EFORKED */
KR_API int kr_process_pool_workers(kr_executor *pool, int *pids, int max);

/* Why a worker died. */
typedef enum kr_crash_reason {
    KR_CRASH_DIED = 0,    /* of itself, or killed from outside */
    KR_CRASH_TIMEOUT = 1, /* killed for .task_timeout */
    KR_CRASH_MEMORY = 2,  /* killed for .memory_limit */
    KR_CRASH_STOPPED = 3, /* killed by kr_executor_kill_workers and the like */
} kr_crash_reason;

typedef struct kr_crash {
    char worker[KR_PROCESS_NAME_SIZE]; /* its name */
    int pid;
    int exit_code; /* as kr_process_join: negative: of a signal */
    kr_crash_reason reason;
    int attempts; /* how often the task was begun */
    kr_task_fn task;
    char task_name[64]; /* of KR_TASK, or the function's, or where it is, if that is known */
    kr_time run_time;   /* since it began, the last time */
    uint64_t max_rss;   /* bytes: the most that the process had resident; 0: not known */
    uint64_t reserved[4];
} kr_crash;

/* kr_future_crash - how the task's worker died.
 *
 * Returns   0; -ENODATA: it did not, or the future is not done; -EINVAL, KR_EFORKED
 */
KR_API KR_NODISCARD int kr_future_crash(const kr_future *future, kr_crash *crash);

KR_EXTERN_END

#endif
