/* The library's inner lock: a word that threads sleep on in the kernel.
 *
 * State.
 *     0  free
 *     1  held, nobody sleeps
 *     2  held, somebody may sleep: whoever unlocks wakes one
 *
 * Protocol.  A thread that has slept, or is about to, takes the lock with 2, because others may
 * sleep beside it; so a 2 is never lost, and at worst one wake finds nobody.
 *
 * Ordering.
 *     [mutex-1]  unlock releases, every way of taking acquires
 *     The unlock's swap is its last touch of the word: the wake uses only the address, because the
 *     next owner may free the object at once.
 *
 * Why not kr_lock?  It stands on the parking table, whose buckets are guarded by this lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

enum { FREE, HELD, HELD_WITH_SLEEPERS };

void kri_mutex_lock(kri_mutex *m)
{
    uint32_t seen = FREE;
    if (kri_cas_acq(m, &seen, HELD)) /* [mutex-1] */
        return;
    while (kri_swap_acq(m, HELD_WITH_SLEEPERS) != FREE) /* [mutex-1] */
        os_futex_wait(m, HELD_WITH_SLEEPERS, OS_NEVER, false);
}

bool kri_mutex_try(kri_mutex *m)
{
    uint32_t seen = FREE;
    return kri_cas_acq(m, &seen, HELD); /* [mutex-1] */
}

void kri_mutex_unlock(kri_mutex *m)
{
    if (kri_swap_rel(m, FREE) == HELD_WITH_SLEEPERS) /* [mutex-1] */
        os_futex_wake(m, 1, false);
}
