/* kr_rlock - a lock that its holder may acquire again.
 *
 *     static kr_rlock lock = KR_RLOCK_INIT;
 *
 *     kr_with (&lock)                     // the outer section
 *         add_all(&lock, items);          // may take the lock too
 *
 * Python's threading.RLock and multiprocessing.RLock.  It belongs to the runner, thread or
 * coroutine, that acquired it, and is free once that one has released it as often.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_RLOCK_H
#define KRAIT_RLOCK_H

#include <krait/lock.h>

KR_EXTERN_BEGIN

/* All zero is a free private lock.  Needs no destroy, never allocates; may be freed by whoever
 * holds it last.  Private members. */
struct kr_rlock {
    kr_lock lock;
    uint32_t count; /* the owner's: how often it has acquired */
    uint32_t reserved;
    struct {
        uint64_t bits;
    } owner, process; /* who holds it: a runner of this process */
};

/* clang-format off */
#define KR_RLOCK_INIT        { KR_LOCK_INIT, 0, 0, { 0 }, { 0 } }
#define KR_RLOCK_INIT_SHARED { KR_LOCK_INIT_SHARED, 0, 0, { 0 }, { 0 } }
/* clang-format on */

/* kr_rlock_init - make a free lock at run time, whatever was there; see kr_lock_init.
 *
 * Returns   0; -EINVAL: scope
 */
KR_API int kr_rlock_init(kr_rlock *rlock, kr_scope scope);

/* kr_rlock_acquire - take the lock, waiting while another runner has it; at once when the caller
 * has it already.  Python's acquire.
 *
 * Who waits how long, and the death of a holder: as kr_lock_acquire.
 *
 * Returns   0                 the caller holds it, once more
 *           KR_OWNER_DIED     (shared) the caller holds it, and a process died that held it
 *           -ETIMEDOUT        it was not free within the timeout; not held
 *           -ECANCELED        the caller's scope is cancelled; not held.  Not with KR_NOWAIT
 *           -ENOTRECOVERABLE  (shared) was released after KR_OWNER_DIED without kr_rlock_recover
 *           -EOVERFLOW        the caller holds it 2^32 - 1 times; nothing was done
 *           KR_ECORRUPT       (shared) the memory holds no lock
 *           -EINVAL           negative timeout
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_rlock_acquire(kr_rlock *rlock, kr_time timeout);

/* kr_rlock_release - take one acquire back; with the last one the lock is free.  Python's release.
 *
 * Returns   0; -EPERM: the caller does not hold it, nothing was done
 */
KR_API int kr_rlock_release(kr_rlock *rlock);

/* kr_rlock_locked - does any runner hold it?  A guess, unless it is the caller.  Python's locked.
 */
KR_API bool kr_rlock_locked(const kr_rlock *rlock);

/* kr_rlock_owned - does the caller hold it?  Python's _is_owned. */
KR_API bool kr_rlock_owned(const kr_rlock *rlock);

/* kr_rlock_count - how often the caller holds it, 0 when it does not.  Python's _recursion_count.
 */
KR_API unsigned kr_rlock_count(const kr_rlock *rlock);

/* kr_rlock_recover - as kr_lock_recover.
 *
 * Returns   0, also when there was nothing to recover; -EPERM: the caller does not hold it
 */
KR_API int kr_rlock_recover(kr_rlock *rlock);

/* kr_rlock_inconsistent - as kr_lock_inconsistent, whoever holds it. */
KR_API bool kr_rlock_inconsistent(const kr_rlock *rlock);

/* kr_rlock_reinit - make it free, whatever it was; see kr_lock_reinit.  Not needed in a forked
 * child for what the forking thread holds: the child's thread is the same runner, and may release
 * it. */
KR_API void kr_rlock_reinit(kr_rlock *rlock);

KR_EXTERN_END

#endif
