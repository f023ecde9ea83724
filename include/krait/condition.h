/* kr_condition - wait under a lock until others have made something true.
 *
 *     kr_condition_acquire(&c, KR_FOREVER);
 *     while (!ready)
 *         kr_condition_wait(&c, KR_FOREVER);
 *     kr_condition_release(&c);
 *
 * Python's threading.Condition.  notify(n) wakes exactly the smaller of n and the number of those
 * who wait at that moment, never one who comes later; a wait never returns for nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_CONDITION_H
#define KRAIT_CONDITION_H

#include <krait/lock.h>

KR_EXTERN_BEGIN

/* All zero is a condition that uses the lock inside it.  Needs no destroy, never allocates.
 * Private members; all but the lock are guarded by the condition's lock. */
struct kr_condition {
    uint64_t group;   /* number of the newest group of waiters */
    uint32_t older;   /* members of the group before it */
    uint32_t permits; /* wake-ups granted to the group before it */
    uint32_t newer;   /* members of the newest group */
    uint32_t reserved;
    kr_word words[2]; /* one to sleep on for the even groups, one for the odd */
    kr_lock own;
    ptrdiff_t lock; /* where the user's lock is, counted from here; 0: own */
};

/* clang-format off */
#define KR_CONDITION_INIT { 0, 0, 0, 0, 0, { { 0 }, { 0 } }, KR_LOCK_INIT, 0 }
/* clang-format on */

/* kr_condition_init - a condition over the user's lock, which several conditions may share.
 *
 *   lock      stays as long as the condition; NULL: one of its own
 */
KR_API void kr_condition_init(kr_condition *condition, kr_lock *lock);

/* kr_condition_acquire, kr_condition_release, kr_condition_locked - the condition's lock, as
 * kr_lock_acquire, kr_lock_release, kr_lock_locked. */
KR_API KR_NODISCARD int kr_condition_acquire(kr_condition *condition, kr_time timeout);
KR_API int kr_condition_release(kr_condition *condition);
KR_API bool kr_condition_locked(const kr_condition *condition);

/* kr_condition_wait - release the lock, sleep until notified, take the lock again.
 *
 * On every result but -EPERM and -EINVAL the lock was released and is held again.  Taking it again
 * is neither timed nor cancelled.
 *
 * Returns   0           notified
 *           -ETIMEDOUT  not notified within the timeout; no notify was spent on the caller
 *           -ECANCELED  the scope is cancelled; no notify was spent.  Not with KR_NOWAIT
 *           -EPERM      nobody holds the lock; nothing was done
 *           -EINVAL     negative timeout; nothing was done
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API int kr_condition_wait(kr_condition *condition, kr_time timeout);

/* kr_condition_wait_for - wait until predicate(arg) is true; the timeout is for the whole.
 *
 * The predicate is called with the lock held, at once and after each wake-up.
 *
 * Returns   0 once it was true; else as kr_condition_wait, with a last look at the predicate
 */
KR_API KR_NODISCARD int kr_condition_wait_for(kr_condition *condition, bool (*predicate)(void *arg),
                                              void *arg, kr_time timeout);

/* kr_condition_notify - wake `count` of those who wait now, or all when they are fewer;
 * kr_condition_notify_all - wake all.
 *
 * They run once they have the lock, so not before the caller releases it.
 *
 * Returns   how many were woken; -EPERM: nobody holds the lock; -EINVAL: count is negative
 */
KR_API int kr_condition_notify(kr_condition *condition, int count);
KR_API int kr_condition_notify_all(kr_condition *condition);

/* kr_condition_reinit - nobody waits and its own lock is free; for a forked child.  A user's lock
 * is left alone: kr_lock_reinit. */
KR_API void kr_condition_reinit(kr_condition *condition);

KR_EXTERN_END

#endif
