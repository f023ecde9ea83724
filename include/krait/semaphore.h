/* kr_semaphore - a number of permits: so many runners at a time.
 *
 *     kr_semaphore connections = KR_SEMAPHORE_INIT(3);
 *
 * Python's threading.Semaphore and multiprocessing.Semaphore, and with a bound their
 * BoundedSemaphore.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_SEMAPHORE_H
#define KRAIT_SEMAPHORE_H

#include <krait/holder.h>
#include <krait/lock.h>
#include <krait/with.h>

KR_EXTERN_BEGIN

#define KR_SEMAPHORE_MAX 0x7fffffffu /* permits */

/* All zero is a semaphore with no permit and no bound, for the runners of one process.  Needs no
 * destroy, never allocates; a runner whose acquire has returned 0 may free it at once, even while
 * the release that served it has not returned.  Private members. */
struct kr_semaphore {
    kr_word value;
    uint32_t bound; /* 0: none; with holders: how many permits there are */
    kr_word hint;
    uint16_t flags;
    uint16_t holder_count;
    int64_t holders; /* where the table is, counted from here */
    kr_lock lock;    /* guards the table */
};

/* clang-format off */
#define KR_SEMAPHORE_INIT(permits) { { (permits) }, 0, { 0 }, 0, 0, 0, KR_LOCK_INIT }
#define KR_SEMAPHORE_INIT_BOUNDED(permits) \
    { { (permits) }, (permits), { 0 }, 0, 0, 0, KR_LOCK_INIT }
#define KR_SEMAPHORE_INIT_SHARED(permits) { { (permits) }, 0, { 0 }, 1, 0, 0, KR_LOCK_INIT }
/* clang-format on */

/* kr_semaphore_options - NULL or zero: the defaults.
 *
 * With `holders` the semaphore knows which process has how many permits, and those of a process
 * that dies return: whoever waits for one finds out within 100 ms.  Without, only a release by
 * another process brings them back.
 * With `holders`, one that is stopped (SIGSTOP) inside a call holds up the others: an acquire until
 * its timeout, but for a second at least, a release until then.
 */
typedef struct kr_semaphore_options {
    int64_t bound;       /* a release may never lift the value above it; 0: no bound.  With
                            holders the permits are the bound: 0 or the same number */
    kr_scope scope;      /* KR_SHARED: for all processes that have the memory in which it lies */
    kr_holder *holders;  /* of a shared semaphore: a table in the same memory; it is cleared */
    size_t holder_count; /* of the table: as many processes may have permits at once, up to 65535 */
    uint64_t reserved[4];
} kr_semaphore_options;

/* kr_semaphore_init - a semaphore with `permits` free.
 *
 *   permits   free at first, 0 to KR_SEMAPHORE_MAX; with holders: all there are
 *
 * Returns   0; -EINVAL: permits or bound is negative or too large, permits is above the bound, no
 *           such scope, holders without KR_SHARED, without a number or with another bound, or
 *           reserved not 0
 */
KR_API int kr_semaphore_init(kr_semaphore *semaphore, int64_t permits,
                             const kr_semaphore_options *options);

/* kr_semaphore_acquire - take a permit, waiting while there is none.
 *
 * No promise of order among those who wait; but a private semaphore that only coroutines of one
 * loop use, and that has no holders, serves them in the order of their asking.
 *
 * Returns   0           the caller has a permit
 *           -ETIMEDOUT  none was free within the timeout; none taken
 *           -ECANCELED  the caller's scope is cancelled; none taken.  Not with KR_NOWAIT
 *           -ENOSPC     a permit is free, but the table of holders has no room for this process
 *           KR_ECORRUPT (with holders) the memory holds no such semaphore; none taken
 *           -EINVAL     negative timeout
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_semaphore_acquire(kr_semaphore *semaphore, kr_time timeout);

/* kr_semaphore_release - give back `permits` permits and wake as many of the waiting.
 *
 * From any runner; with holders, of the process that has them.
 *
 * Returns   0; -EINVAL: permits is below 1; -EOVERFLOW: the value would exceed the bound or
 *           KR_SEMAPHORE_MAX; with holders instead -EPERM: this process has not so many, or
 *           KR_ECORRUPT.  On an error nothing was done
 */
KR_API int kr_semaphore_release(kr_semaphore *semaphore, int permits);

/* kr_semaphore_value - how many permits are free.  A guess by the time it is read. */
KR_API unsigned kr_semaphore_value(const kr_semaphore *semaphore);

KR_EXTERN_END

#endif
