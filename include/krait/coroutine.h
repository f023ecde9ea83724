/* Coroutines: any C function, run by a loop in its own thread, suspended by every krait wait.
 *
 *     static int serve(const void *arg, void *result)
 *     {
 *         int fd = *(const int *)arg;
 *         char bytes[4096];
 *         int64_t n;
 *         while ((n = kr_read(fd, bytes, sizeof bytes, KR_FOREVER)) > 0)
 *             (void)kr_write(fd, bytes, (size_t)n, KR_FOREVER);     // others run meanwhile
 *         ...
 *     }
 *
 *     static int program(void *arg)                                  // the first coroutine
 *     {
 *         ...
 *         err = kr_spawn(NULL, serve, &fd, sizeof fd, 0, NULL);
 *     }
 *
 *     int main(void) { return kr_run(program, NULL) < 0; }
 *
 * Python's asyncio without the second colour: a coroutine has a stack of its own, so it may wait
 * anywhere, in any function that it calls.  There is no await, and no second lock, queue or sleep:
 * kr_lock_acquire, kr_queue_get, kr_future_result ... suspend the coroutine that calls them, and
 * the loop runs another one.  What blocks outside of krait (read(2), a long computation) holds up
 * the loop: give that to a pool, and wait for its future.
 *
 * A coroutine stays in the thread of its loop, and runs until it waits: between two waits nothing
 * else of that loop runs.
 *
 * In C++ a coroutine may throw and catch as it likes, but no exception leaves its function, and it
 * must not wait in a catch block, nor in a destructor that an exception runs: of exceptions that
 * are under way C++ keeps one list a thread, not one a coroutine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_COROUTINE_H
#define KRAIT_COROUTINE_H

#include <krait/executor.h>

KR_EXTERN_BEGIN

typedef struct kr_run_options {
    const char *name;    /* of the first coroutine, copied; NULL: "main" */
    size_t stack_size;   /* of each coroutine, bytes, 16 KiB or more; 0: 256 KiB, of which what is
                            used is taken */
    bool keep_interrupt; /* leave SIGINT alone */
    bool debug;          /* report coroutines that hold up the loop, see kr_set_slow_hook */
    kr_time slow_after;  /* how long is too long; 0: 100 ms */
    uint64_t reserved[4];
} kr_run_options;

/* kr_run - make a loop in the calling thread, run main(arg) as its first coroutine, and end it.
 *
 * When main has returned, the coroutines that are left are cancelled, and waited for, with main's
 * result kept.  Errors of theirs go to the task hook.  SIGINT cancels main's scope, so that its
 * waits return -ECANCELED; the second one ends the process as by default.  Only one kr_run at a
 * time does so, the first; see .keep_interrupt.
 *
 * In a task of a thread pool it has the worker to itself until it returns.  A coroutine that waits
 * for another task of that pool neither runs it nor has a spare worker come: where all workers are
 * in such loops, it waits in vain.
 *
 * A child that a coroutine forks has that coroutine only, as a thread: kr_run returns there when
 * main has returned, or at once, with KR_EFORKED, where another one forked.
 *
 * Python's asyncio.run.
 *
 * Returns   what main returned
 *           -EBUSY        the calling thread runs a loop already, or the caller is a coroutine
 *           -ENOMEM, -EMFILE, -EAGAIN  no loop could be made
 *           -EINVAL       main is NULL, a number is negative or too small, or a reserved field is
 *                         set
 *           -EINTR        main was cancelled by SIGINT and returned -ECANCELED
 *           KR_EFORKED    in a forked child, see above
 * Blocks    until then
 */
KR_API KR_NODISCARD int kr_run(int (*main)(void *arg), void *arg);
KR_API KR_NODISCARD int kr_run_with(int (*main)(void *arg), void *arg,
                                    const kr_run_options *options);

typedef struct kr_spawn_options {
    const char *name;  /* copied, the first 31 bytes; NULL: "task-1", "task-2" .. */
    size_t stack_size; /* bytes, 16 KiB or more; 0: as the loop's */
    bool eager;        /* run it at once, until it first waits; the caller goes on after that */
    uint64_t reserved[4];
} kr_spawn_options;

/* kr_spawn - have fn(arg, result) run as a coroutine of the calling coroutine's loop.
 *
 * As kr_submit, on the loop that runs the caller: the argument is copied, the future is the
 * caller's, NULL: fire and forget.  The coroutine begins when the caller waits next.
 *
 * Python's asyncio.create_task.  From outside a loop: kr_submit on kr_loop_pool.
 *
 * Callbacks of the loop (krait/call_later.h) may spawn, too, but not .eager ones.
 *
 * Returns   0
 *           -EPERM        the caller is in no loop
 *           KR_ESHUTDOWN  the loop is at its end
 *           -ENOMEM
 *           -EINVAL       fn is NULL, a stack that is too small, or a reserved field is set
 *           On an error nothing was begun and *future is NULL
 */
KR_API KR_NODISCARD int kr_spawn(kr_future **future, kr_task_fn fn, const void *arg,
                                 size_t arg_size, size_t result_size,
                                 const kr_spawn_options *options);

/* kr_loop_pool - an executor whose tasks are coroutines, on .workers loops in threads of their own.
 *
 * A task is given to the loop that has the fewest, and stays there.  .initializer runs in each
 * thread before its first task, as a coroutine.  As kr_thread_pool otherwise; .stack_size is that
 * of a coroutine.  With .stuck_after, coroutines that hold up their loop for longer are reported as
 * in the debug mode of kr_run.  .max_spares, .no_outside_help, .own_processors and .timing mean
 * nothing here.
 *
 * Returns   as kr_thread_pool; -EMFILE
 */
KR_API KR_NODISCARD int kr_loop_pool(kr_executor **pool, const kr_pool_options *options);

/* kr_running_loop - the executor that is the calling coroutine's loop, or the pool of loops that it
 * belongs to: for kr_submit from other threads, as Python's run_coroutine_threadsafe.  Not to be
 * released, nor shut down (-EPERM).  The loop of a kr_run answers KR_ESHUTDOWN while that is at its
 * end, and must not be used after that.  NULL: the caller is in no loop. */
KR_API kr_executor *kr_running_loop(void);

/* kr_sleep - let the time pass; 0 is kr_yield, KR_FOREVER lasts until a cancel.
 *
 * Returns   0; -ECANCELED: the caller's scope is cancelled; -EINVAL: negative
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API int kr_sleep(kr_time duration);

/* kr_yield - let every other coroutine that can run go on first; Python's sleep(0).  In a thread,
 * let the system choose.
 *
 * Returns   0; -ECANCELED: the caller's scope is cancelled; it has yielded all the same
 */
KR_API int kr_yield(void);

/* kr_set_slow_hook - who hears of coroutines that ran for longer than .slow_after without a wait,
 * in loops with .debug, or pools of them with .stuck_after.  Called by the coroutine itself at its
 * next wait or end, and must not wait.  NULL is the default: one line on standard error, with the
 * names of the coroutine and, where the program's file has it, of its function.
 *
 * Returns   the hook before; NULL: the default
 */
typedef struct kr_slow_report {
    const char *name; /* of the coroutine */
    kr_task_fn task;  /* its function; of kr_run, an initializer or a server's handler, which are of
                         another type, the address: not to be called by this */
    kr_time took;
} kr_slow_report;
typedef void (*kr_slow_hook)(const kr_slow_report *report);
KR_API kr_slow_hook kr_set_slow_hook(kr_slow_hook hook);

/* kr_stack_guard - how it is noticed in this process that a coroutine runs over its stack:
 * "lightweight guards", from Linux 6.13 on; "guard pages"; "guard pages and canaries", where there
 * are more stacks than vm.max_map_count leaves room for; "canaries".  A guard ends the program with
 * a sentence at once, a canary at the next wait or end of the coroutine. */
KR_API const char *kr_stack_guard(void);

/* Coroutines as tasks. */

/* kr_task_current - the future of the calling coroutine, without a reference of its own; NULL: the
 * caller is no coroutine, or its function has returned, and destructors of its locals run.  (In a
 * task of a pool: that task's.) */
KR_API kr_future *kr_task_current(void);

/* kr_task_name - the name of the coroutine behind a future that is not done; "": there is none, or
 * it was given none and has not begun.  Good for the coroutine itself, and for others of its loop
 * until they wait.  kr_task_set_name - of the calling coroutine, the first 31 bytes; NULL:
 * "task-1" .. again.
 *
 * Returns   kr_task_set_name: 0; -EPERM: the caller is no coroutine */
KR_API const char *kr_task_name(const kr_future *future);
KR_API int kr_task_set_name(const char *name);

/* kr_task_all - the futures of the coroutines of the caller's loop that are not done, oldest first,
 * each with a reference for the caller; those that have not begun come last.  What another thread
 * has submitted is there once the loop has come to look.
 *
 * Returns   how many there are; the first `most` are written.  -EPERM: the caller is no coroutine
 */
KR_API int kr_task_all(kr_future **futures, int most);

KR_EXTERN_END

#endif
