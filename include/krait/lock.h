/* kr_lock - one runner at a time.
 *
 *     static kr_lock lock = KR_LOCK_INIT;
 *
 *     kr_with (&lock) {
 *         counter++;                      // released however the block is left
 *     }
 *
 * Python's threading.Lock and asyncio.Lock.  Not recursive: a runner that acquires twice waits for
 * itself.  Any runner may release it, not only the one that acquired it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_LOCK_H
#define KRAIT_LOCK_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* All zero is a free lock.  Needs no destroy, never allocates; may be a member of a struct, and may
 * be freed by whoever holds it last.  Private members. */
typedef struct kr_lock {
    kr_word word;
    uint32_t reserved;
} kr_lock;

/* clang-format off */
#define KR_LOCK_INIT { { 0 }, 0 }
/* clang-format on */

/* kr_lock_acquire - take the lock, waiting while somebody has it.
 *
 * There is no promise of order among those who wait: who comes by at the right moment may be
 * faster than who was woken.
 *
 * Returns   0           the caller holds it
 *           -ETIMEDOUT  it was not free within the timeout (with KR_NOWAIT: at once); not held
 *           -ECANCELED  the caller's scope is cancelled; not held.  Not with KR_NOWAIT
 *           -EINVAL     negative timeout
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_lock_acquire(kr_lock *lock, kr_time timeout);

/* kr_lock_release - give the lock up and let one of the waiting try for it.
 *
 * Returns   0; -EPERM: nobody holds it, nothing was done
 */
KR_API int kr_lock_release(kr_lock *lock);

/* kr_lock_locked - does anybody hold it?  A guess by the time it is read. */
KR_API bool kr_lock_locked(const kr_lock *lock);

/* kr_lock_reinit - make it free, whatever it was; for a forked child, where its holder is gone.
 *
 * Nobody may wait for it or use it meanwhile.
 */
KR_API void kr_lock_reinit(kr_lock *lock);

/* kr_with - kr_with (&lock) { ... }: the block runs with the lock held.
 *
 * Waits without a time limit and is not ended by a cancel.  The lock is released when the block is
 * left, by its end, break, continue, return or goto.
 */
typedef struct kr_with_guard {
    kr_lock *lock;
    bool held;
} kr_with_guard;

KR_API bool kr_with_next(kr_with_guard *guard);
KR_API void kr_with_end(kr_with_guard *guard);

#define kr_with(lock_address) KR_WITH_NAMED(KR_UNIQUE(kr_with_guard_), lock_address)
#define KR_WITH_NAMED(guard, lock_address)                                                         \
    for (kr_with_guard guard KR_CLEANUP(kr_with_end) = {(lock_address), false};                    \
         kr_with_next(&guard);)

KR_EXTERN_END

#endif
