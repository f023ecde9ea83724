/* kr_lock - one runner at a time, of one process or of all that share the memory.
 *
 *     static kr_lock lock = KR_LOCK_INIT;
 *
 *     kr_with (&lock) {
 *         counter++;                      // released however the block is left
 *     }
 *
 * Python's threading.Lock, multiprocessing.Lock and asyncio.Lock.  Not recursive: a runner that
 * acquires twice waits for itself.  Any runner may release it, not only the one that acquired it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_LOCK_H
#define KRAIT_LOCK_H

#include <krait/base.h>
#include <krait/with.h>

KR_EXTERN_BEGIN

/* All zero is a free private lock.  Needs no destroy, never allocates; may be a member of a struct,
 * and may be freed by whoever holds it last.  Private members. */
struct kr_lock {
    kr_word word;
    kr_word more;
} __attribute__((aligned(8)));

/* clang-format off */
#define KR_LOCK_INIT        { { 0 }, { 0 } }
#define KR_LOCK_INIT_SHARED { { 1u << 22 }, { 0 } }
/* clang-format on */

/* kr_lock_init - make a free lock at run time, whatever was there.
 *
 *   scope     KR_SHARED: it lies in memory that several processes map.  They are of one pid and one
 *             time namespace
 *
 * Returns   0; -EINVAL: scope
 */
KR_API int kr_lock_init(kr_lock *lock, kr_scope scope);

/* kr_lock_acquire - take the lock, waiting while somebody has it.  Python's acquire.
 *
 * Who comes by at the right moment may be faster than who was woken.  In private scope that has an
 * end: a waiter that is still too late five milliseconds after it was woken first is handed the
 * lock by whoever releases it next; several such in the order in which they asked.  In shared scope
 * there is no such bound: one may be too late again and again while others keep coming by.
 * A private lock that only coroutines of one loop use goes to them in the order of their asking.
 *
 * When the process that holds a shared lock dies, however, the next to acquire it has it within
 * 100 ms and learns it by KR_OWNER_DIED.  What the lock guards may be half done: put it right and
 * call kr_lock_recover.  Who releases without that says that it cannot be put right.
 * - The holder is the process whose runner acquired it, also when another is to release it.
 * - A process that calls exec while it holds a shared lock keeps it until it ends: release it
 *   before.  Those within queues, managers and other shared objects are held by whoever is inside
 *   a call, also another thread than that which calls exec.
 *   A forked child does not hold what its parent holds.
 * - Where /proc cannot be read, a holder that has died is not noticed if its pid is in use again.
 *
 *   timeout   KR_NOWAIT: one try.  On a shared lock that another process holds it looks whether
 *             that one lives, which takes some microseconds
 *
 * Returns   0                 the caller holds it
 *           KR_OWNER_DIED     (shared) the caller holds it, and a process died that held it
 *           -ETIMEDOUT        it was not free within the timeout; not held
 *           -ECANCELED        the caller's scope is cancelled; not held.  Not with KR_NOWAIT
 *           -ENOTRECOVERABLE  (shared) was released after KR_OWNER_DIED without kr_lock_recover
 *           KR_ECORRUPT       (shared) the memory holds no lock
 *           -EINVAL           negative timeout
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_lock_acquire(kr_lock *lock, kr_time timeout);

/* kr_lock_release - give the lock up and let one of the waiting try for it.  Python's release.
 *
 * From any runner of any process that has the memory.
 *
 * Returns   0; -EPERM: nobody holds it, nothing was done
 */
KR_API int kr_lock_release(kr_lock *lock);

/* kr_lock_locked - does anybody hold it?  A guess by the time it is read.  Python's locked. */
KR_API bool kr_lock_locked(const kr_lock *lock);

/* kr_lock_recover - after KR_OWNER_DIED, by the holder: what the lock guards is whole again.
 *
 * Returns   0, also when there was nothing to recover; -EPERM: nobody holds it
 */
KR_API int kr_lock_recover(kr_lock *lock);

/* kr_lock_inconsistent - is it held after KR_OWNER_DIED, and not yet recovered? */
KR_API bool kr_lock_inconsistent(const kr_lock *lock);

/* kr_lock_reinit - make it free, whatever it was; the scope stays.  Python's _at_fork_reinit.
 *
 * Nobody may wait for it or use it meanwhile, in any process.  A forked child calls it for a
 * private lock, whose holder is gone; a shared lock is still the parent's then, so there it is for
 * whoever sets the memory up again, when all others are gone or kept out.
 */
KR_API void kr_lock_reinit(kr_lock *lock);

KR_EXTERN_END

#endif
