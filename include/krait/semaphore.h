/* kr_semaphore - a number of permits: so many runners at a time.
 *
 *     kr_semaphore connections = KR_SEMAPHORE_INIT(3);
 *
 * Python's threading.Semaphore, and with a bound its BoundedSemaphore.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_SEMAPHORE_H
#define KRAIT_SEMAPHORE_H

#include <krait/base.h>
#include <krait/with.h>

KR_EXTERN_BEGIN

#define KR_SEMAPHORE_MAX 0x7fffffffu /* permits */

/* All zero is a semaphore with no permit and no bound.  Needs no destroy, never allocates; a runner
 * whose acquire has returned 0 may free it at once, even while the release that served it has not
 * returned.  Private members. */
typedef struct kr_semaphore {
    kr_word value;
    uint32_t bound; /* 0: none */
    uint32_t reserved[2];
} kr_semaphore;

/* clang-format off */
#define KR_SEMAPHORE_INIT(permits)         { { (permits) }, 0, { 0, 0 } }
#define KR_SEMAPHORE_INIT_BOUNDED(permits) { { (permits) }, (permits), { 0, 0 } }
/* clang-format on */

/* kr_semaphore_init - the same with checks.
 *
 *   permits   free at first, 0 to KR_SEMAPHORE_MAX
 *   bound     a release may never lift the value above it; 0: no bound
 *
 * Returns   0; -EINVAL: permits is negative, too large, or larger than bound
 */
KR_API KR_NODISCARD int kr_semaphore_init(kr_semaphore *semaphore, int64_t permits, int64_t bound);

/* kr_semaphore_acquire - take a permit, waiting while there is none.
 *
 * No promise of order among those who wait.
 *
 * Returns   0           the caller has a permit
 *           -ETIMEDOUT  none was free within the timeout; none taken
 *           -ECANCELED  the caller's scope is cancelled; none taken.  Not with KR_NOWAIT
 *           -EINVAL     negative timeout
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_semaphore_acquire(kr_semaphore *semaphore, kr_time timeout);

/* kr_semaphore_release - give back `permits` permits and wake as many of the waiting.
 *
 * Returns   0; -EINVAL: permits is below 1; -EOVERFLOW: the value would exceed the bound or
 *           KR_SEMAPHORE_MAX.  On an error nothing was done
 */
KR_API int kr_semaphore_release(kr_semaphore *semaphore, int permits);

/* kr_semaphore_value - how many permits are free.  A guess by the time it is read. */
KR_API unsigned kr_semaphore_value(const kr_semaphore *semaphore);

KR_EXTERN_END

#endif
