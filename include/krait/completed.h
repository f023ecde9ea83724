/* Waiting for several futures, of whatever executors.
 *
 * Python's concurrent.futures.wait and as_completed.  Whoever waits here without a time limit runs
 * the queued ones among the futures himself, where kr_future_result would.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_COMPLETED_H
#define KRAIT_COMPLETED_H

#include <krait/future.h>

KR_EXTERN_BEGIN

/* What kr_wait waits for.  A future that is cancelled counts as done, and not as failed. */
typedef enum kr_wait_when {
    KR_ALL_COMPLETED,
    KR_FIRST_COMPLETED, /* one is done */
    KR_FIRST_EXCEPTION, /* one has failed, or all are done */
} kr_wait_when;

/* kr_wait - wait until all, or the first, of some futures are done.
 *
 *   futures   count of them; one may occur twice
 *   done      count elements, receives which are done; NULL: not wanted
 *
 * Returns   how many elements are done; when the time ran out too, as in Python
 *           -ECANCELED  the caller's scope is cancelled.  Not with KR_NOWAIT
 *           -EDEADLK    the wait cannot end: the caller is one of these tasks, and all are waited
 *                       for, or of the others none has failed and none is left; not with
 *                       KR_NOWAIT.  To an initializer all tasks of its pool are as itself
 *           -EINVAL     negative timeout, an unknown `when`, a NULL among the futures, or more
 *                       than INT_MAX of them
 *           -ENOMEM, KR_EFORKED
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_wait(kr_future *const *futures, size_t count, kr_wait_when when,
                                bool *done, kr_time timeout);

/* kr_as_completed - an iterator over futures in the order in which they become done.
 *
 *     err = kr_as_completed(&it, futures, count);
 *     while ((err = kr_completed_next(it, &f, KR_FOREVER)) == 1)
 *         use(f);
 *     kr_completed_release(it);
 *
 * Those that are done already come first, in the order given; one that is given twice comes once.
 * Holds a reference to each future until it was delivered or the iterator is released.
 *
 * Returns   0; -ENOMEM, -EINVAL, KR_EFORKED
 */
typedef struct kr_completed kr_completed;
KR_API KR_NODISCARD int kr_as_completed(kr_completed **completed, kr_future *const *futures,
                                        size_t count);

/* kr_completed_next - the next future that is done.  One caller at a time.
 *
 *   future    receives it, with a reference that the iterator keeps until the next call
 *
 * Returns   1           *future is done
 *           0           all were delivered; *future is NULL
 *           -ETIMEDOUT  none became done within the timeout; call again
 *           -ECANCELED  the caller's scope is cancelled; none was lost.  Not with KR_NOWAIT
 *           -EDEADLK    only tasks are left that the caller is in, or, to an initializer, tasks
 *                       of its pool.  Not with KR_NOWAIT
 *           -EINVAL, KR_EFORKED
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_completed_next(kr_completed *completed, kr_future **future,
                                          kr_time timeout);

/* kr_completed_unfinished - how many were not delivered yet. */
KR_API size_t kr_completed_unfinished(const kr_completed *completed);

/* kr_completed_release - frees the iterator, not the futures' other references; NULL is allowed. */
KR_API void kr_completed_release(kr_completed *completed);

KR_EXTERN_END

#endif
