/* kr_future - what a piece of work will have come to.
 *
 *     kr_future *f;
 *     err = kr_submit(pool, &f, count_words, &page, sizeof page, sizeof(long));
 *     ...
 *     long words;
 *     int task_error;
 *     err = kr_future_result(f, &words, sizeof words, &task_error, kr_sec(5));
 *     kr_future_release(f);
 *
 * Python's concurrent.futures.Future.  A future is pending, then running, then done: with a result,
 * with an error, or cancelled.  Any number of runners may wait for it; whoever holds a reference
 * may do any of the below.
 *
 * A call here speaks of two errors.  What it returns is what became of the call: it timed out, the
 * caller was cancelled.  What the task returned is `task_error`.
 *
 * In a forked child a future of the parent answers KR_EFORKED, and the predicates tell what was
 * true at the fork.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_FUTURE_H
#define KRAIT_FUTURE_H

#include <krait/cancel.h>

KR_EXTERN_BEGIN

typedef struct kr_future kr_future;

/* kr_task_fn - a task: one type for every executor.
 *
 *   arg       the copy of the submitted argument; submitted with size 0: the pointer itself
 *   result    as many zero bytes as were asked for at submit, to be written; NULL when none.  In a
 *             process pool more than 4096 are not cleared, see krait/process_pool.h
 *
 * It ends by returning: it must not leave by pthread_exit or longjmp, and has left every cancel
 * scope that it entered.
 *
 * Returns   0, or a negative error: the future's exception.  The result is kept only with 0;
 *           a positive value counts as 0
 */
typedef int (*kr_task_fn)(const void *arg, void *result);

/* Getting the outcome */

/* kr_future_result - wait until the future is done, and get its result.
 *
 *   result      receives the result when the task returned 0; NULL: not wanted
 *   size        of `result`, the same as was given at submit; with NULL: 0
 *   task_error  receives 0, the error that the task returned, or -ECANCELED when the future was
 *               cancelled; NULL: that error becomes what this call returns, as in Python
 *
 * Whoever waits without a time limit for a task that is still queued takes it out of the queue and
 * runs it himself: a worker of the task's pool always, any other thread if the pool has neither an
 * initializer nor .no_outside_help.  So workers that all wait for queued work do not hang.  Nothing
 * but the awaited task is run, so no stranger meets the waiter's locks.  It is a party of its own,
 * with a cancel scope and values of kr_local of its own, and no part of the waiter: the waiter's
 * being cancelled, or its scope's time, ends the wait only after that task.  A waiter helps while
 * half of its stack is free, an eighth where no spare worker may come any more, and then sleeps.
 *
 * Returns   0           it is done, and *task_error tells how
 *           -ETIMEDOUT  it is not done within the timeout; it goes on
 *           -ECANCELED  the caller's scope is cancelled; the task goes on.  Not with KR_NOWAIT
 *           -EDEADLK    the caller is this very task, or an initializer of the task's pool.  Not
 *                       with KR_NOWAIT
 *           -EINVAL     negative timeout, or not the size of the result
 *           KR_EFORKED  the future belongs to the parent process
 *           the task's  with task_error NULL: what it returned
 * Blocks    a thread sleeps, a coroutine is suspended; not with KR_NOWAIT, nor when it is done
 */
KR_API KR_NODISCARD int kr_future_result(kr_future *future, void *result, size_t size,
                                         int *task_error, kr_time timeout);

/* kr_future_exception - wait until the future is done, and get its error.
 *
 * Returns   as kr_future_result without a result */
KR_API KR_NODISCARD int kr_future_exception(kr_future *future, int *task_error, kr_time timeout);

/* kr_future_cancelled - it ended as cancelled: before it ran, or because it was asked to stop and
 * returned -ECANCELED; kr_future_running - it has begun and not ended; kr_future_done - it has
 * ended, in any of the three ways. */
KR_API bool kr_future_cancelled(const kr_future *future);
KR_API bool kr_future_running(const kr_future *future);
KR_API bool kr_future_done(const kr_future *future);

/* kr_future_cancel - say that the outcome is not wanted.
 *
 * A running task is asked through its cancel scope: its waits return -ECANCELED, kr_cancelled()
 * is true in it.  It may finish all the same; the future then holds what it returned.
 *
 * Returns   0           removed: it was pending, or is cancelled already; it never runs
 *           KR_ASKED    it is running and has been asked to stop
 *           -EALREADY   too late: it is done, or is running where it cannot be asked
 *           KR_EFORKED
 */
enum { KR_ASKED = 1 };
KR_API int kr_future_cancel(kr_future *future);

/* kr_done_fn - called with a future that is done.  It may call anything here but must not release
 * the reference that it is called with.
 *
 * Returns   0, or a negative error, which goes to the task hook and to nobody else
 */
typedef int (*kr_done_fn)(kr_future *future, void *arg);

/* kr_future_add_done_callback - have fn(future, arg) called once the future is done.
 *
 * Callbacks run in the order of their adding, in the runner that finished or cancelled the future,
 * outside the task's cancel scope, after those who wait were woken; on a future that is done
 * already, before this call returns, in the caller.  Of a coroutine's task that never began it may
 * be the loop itself, where a wait that would have to sleep returns -ECANCELED, for no coroutine
 * would run meanwhile.
 *
 * A callback may finish or cancel other futures.  Their callbacks run after it has returned, in the
 * same order and runner, however long the chain; so a callback must not wait for what they do.
 *
 * Returns   0; -ENOMEM, -EINVAL, KR_EFORKED: it will not be called
 */
KR_API KR_NODISCARD int kr_future_add_done_callback(kr_future *future, kr_done_fn fn, void *arg);

/* References */

/* kr_future_retain - one reference more, for another holder; returns `future`.
 *
 * kr_future_release - give one up; NULL is allowed.  Does not cancel and does not wait.  When all
 * are gone from a future whose task failed, and nobody asked for the error, the task hook gets it.
 */
KR_API kr_future *kr_future_retain(kr_future *future);
KR_API void kr_future_release(kr_future *future);

/* For KR_AUTO(kr_future): releases *future. */
KR_API void kr_future_auto(kr_future **future);

/* For those who fulfil futures: other executors, and programs with a source of their own */

/* kr_future_create - a pending future that the program itself will finish.
 *
 *   result_size  bytes that kr_future_set_result will give
 *
 * Returns   0 and a future with one reference; -ENOMEM, -EINVAL
 */
KR_API KR_NODISCARD int kr_future_create(kr_future **future, size_t result_size);

/* kr_future_set_running - pending becomes running.  Python's set_running_or_notify_cancel.
 *
 *   scope     cancelled by kr_future_cancel from now until the future is done; stays until then.
 *             NULL: it cannot be asked
 *
 * Returns   0; -ECANCELED: it was cancelled, do not run it; -EALREADY: it is running or done, or is
 *           another executor's to run; KR_EFORKED
 */
KR_API KR_NODISCARD int kr_future_set_running(kr_future *future, kr_cancel_scope *scope);

/* kr_future_set_result - done, with `size` bytes copied from `result`; kr_future_set_error - done,
 * with a negative error (-ECANCELED after kr_future_cancel returned KR_ASKED: as cancelled).
 *
 * The future may be pending or running.  Callbacks run before the return; where the caller
 * is a done callback itself, after that has returned.
 *
 * Returns   0; -EALREADY: it was done, or is another executor's to finish, and is unchanged;
 *           -ECANCELED: it was cancelled, and is unchanged; -EINVAL: not the size of the result,
 *           or no negative error; KR_EFORKED
 */
KR_API int kr_future_set_result(kr_future *future, const void *result, size_t size);
KR_API int kr_future_set_error(kr_future *future, int error);

/* The task hook */

/* kr_task_report - an error that no caller gets to see. */
typedef struct kr_task_report {
    int error;
    const char *where; /* "task", "done callback", "initializer" */
    const char *pool;  /* the pool's name; NULL: no pool's, or the pool is gone by now */
} kr_task_report;

/* kr_set_task_hook - who hears of errors that nobody asked for: those of tasks submitted without a
 * future, of futures released unasked, of callbacks and initializers.
 *
 * Each is reported once, in the runner where it is found.  -ECANCELED and KR_ESHUTDOWN are
 * ends that somebody asked for, and not reported.  NULL is the default: one line on standard error.
 *
 * Returns   the hook before; NULL: the default
 */
typedef void (*kr_task_hook)(const kr_task_report *report);
KR_API kr_task_hook kr_set_task_hook(kr_task_hook hook);

KR_EXTERN_END

#endif
