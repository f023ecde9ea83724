/* kr_gather and kr_wait_for - waits that take the tasks with them when they end early.
 *
 *     kr_future *pages[2];
 *     err = kr_spawn(&pages[0], fetch, &first, sizeof first, sizeof page, NULL);
 *     err = kr_submit(pool, &pages[1], parse, &second, sizeof second, 0);
 *     err = kr_gather(pages, 2, NULL, NULL, KR_FOREVER);      // 0, or the first error
 *
 *     err = kr_wait_for(pages[0], &page, sizeof page, NULL, kr_sec(5));    // or it is cancelled
 *
 * kr_wait and kr_future_result leave the tasks alone whatever becomes of the wait; these do not.
 * Python's asyncio.gather and asyncio.wait_for, for futures of every executor.  What is to go on
 * when its waiter is cancelled, as with asyncio.shield, is waited for with kr_future_result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_GATHER_H
#define KRAIT_GATHER_H

#include <krait/future.h>

KR_EXTERN_BEGIN

typedef struct kr_gather_options {
    bool return_exceptions; /* wait for all, and return 0 whatever they ended with */
    uint64_t reserved[4];
} kr_gather_options;

/* kr_gather - wait until all of some futures are done, or the first has failed.
 *
 *   futures   count of them, of any executors; one may occur twice
 *   errors    count elements: what each ended with, 0 or its error, and -EINPROGRESS for those that
 *             are not done at the return.  NULL: not wanted
 *   options   NULL: the defaults
 *
 * When one fails, or was cancelled, its error is the result at once, and the others go on.  Errors
 * of theirs are not reported any more, now or later: they were gathered.
 *
 * When the caller's scope is cancelled, or its time is up, the futures that are not done are
 * cancelled, and those that could be asked to stop are waited for.  The timeout of the call itself
 * ends no task.
 *
 * Returns   0           all are done, with 0; with .return_exceptions: all are done
 *           the error   of the one that failed first; -ECANCELED: it was cancelled
 *           -ETIMEDOUT  not within the timeout; they go on
 *           -ECANCELED  the caller's scope is cancelled, and so are they
 *           -EDEADLK    the caller is one of these tasks, or an initializer of the pool of one; not
 *                       with KR_NOWAIT
 *           -EINVAL     negative timeout, a NULL among the futures, more than INT_MAX of them, or a
 *                       reserved field is set
 *           -ENOMEM
 *           KR_EFORKED  one of them is a parent process's
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_gather(kr_future *const *futures, size_t count, int *errors,
                                  const kr_gather_options *options, kr_time timeout);

/* kr_wait_for - kr_future_result for a task that nobody wants when it takes too long.
 *
 * When the time is up, or the caller's scope is cancelled, the future is cancelled; a task that
 * could be asked to stop is waited for, however long that takes, so that it is over at the return.
 * A result that it has all the same is not lost: it is the outcome, and so is an error other than
 * -ECANCELED.  One that cannot be asked is left to itself.  With KR_NOWAIT a task that has not
 * begun never does.
 *
 * Returns   0           it is done, and *task_error tells how
 *           -ETIMEDOUT  it was not done within the timeout, and was cancelled
 *           -ECANCELED  the caller's scope is cancelled, and so is the task
 *           the rest    as kr_future_result: the task is not touched
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_wait_for(kr_future *future, void *result, size_t size, int *task_error,
                                    kr_time timeout);

KR_EXTERN_END

#endif
