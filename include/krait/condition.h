/* kr_condition - wait under a lock until others have made something true.
 *
 *     kr_condition_acquire(&c, KR_FOREVER);
 *     while (!ready)
 *         kr_condition_wait(&c, KR_FOREVER);
 *     kr_condition_release(&c);
 *
 * Python's threading.Condition and multiprocessing.Condition.  notify(n) wakes exactly the smaller
 * of n and the number of those who wait at that moment, never one who comes later.  A wait never
 * returns for nothing, but in shared memory see kr_condition_wait: loop on your predicate there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_CONDITION_H
#define KRAIT_CONDITION_H

#include <krait/lock.h>
#include <krait/rlock.h>

KR_EXTERN_BEGIN

/* All zero is a private condition that uses the lock inside it.  Needs no destroy, never allocates.
 * Private members; all but the lock are guarded by the condition's lock. */
struct kr_condition {
    uint64_t group;   /* number of the newest group of waiters */
    uint32_t older;   /* members of the group before it */
    uint32_t permits; /* wake-ups granted to the group before it */
    uint32_t newer;   /* members of the newest group */
    uint8_t kind;     /* scope, and kind of lock */
    uint8_t unsent;   /* shared: whom the release wakes */
    uint16_t reserved;
    kr_word words[2];   /* one to sleep on for the even groups, one for the odd */
    kr_word owed;       /* shared: notified and not yet back */
    uint32_t returns;   /* shared: how often one came back */
    uint32_t restarted; /* shared: newest group at the last restart */
    kr_word hint;       /* shared: for spinning */
    kr_lock own;
    int64_t lock; /* where the user's lock is, counted from here; 0: own */
};

/* clang-format off */
#define KR_CONDITION_INIT \
    { 0, 0, 0, 0, 0, 0, 0, { { 0 }, { 0 } }, { 0 }, 0, 0, { 0 }, KR_LOCK_INIT, 0 }
#define KR_CONDITION_INIT_SHARED \
    { 0, 0, 0, 0, 1, 0, 0, { { 0 }, { 0 } }, { 0 }, 0, 0, { 0 }, KR_LOCK_INIT_SHARED, 0 }
/* clang-format on */

typedef struct kr_condition_options {
    kr_lock *lock;   /* one of the user's, which several conditions may share; NULL: its own */
    kr_rlock *rlock; /* or a recursive one; a wait gives up all the levels that the caller holds */
    kr_scope scope;  /* KR_SHARED: it lies in memory that several processes map, and so does the
                        lock, at the same distance in all of them, and it is a shared one */
    uint64_t reserved[4];
} kr_condition_options;

/* kr_condition_init - a condition as the options say; NULL: private, with a lock of its own.
 *
 * The lock stays as long as the condition.  Nobody uses the condition meanwhile.
 *
 * Returns   0; -EINVAL: options, two locks, or a lock of another scope
 */
KR_API int kr_condition_init(kr_condition *condition, const kr_condition_options *options);

/* kr_condition_acquire, kr_condition_release, kr_condition_locked, kr_condition_recover,
 * kr_condition_inconsistent - the condition's lock, as the functions of kr_lock (or kr_rlock) with
 * these names.
 *
 * In shared scope nothing else releases a lock of the condition's own: this is what wakes the one
 * whom a notify was for, who else comes up to 300 ms late.
 *
 * Who gets KR_OWNER_DIED here has also woken all who wait, since the dead one may have owed them a
 * notify.  Who gets it by the lock itself, or by another condition over the same lock, calls
 * kr_condition_notify_all.
 *
 * Returns   as kr_lock_acquire (kr_rlock_acquire) and its kin
 * Blocks    kr_condition_acquire: a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_condition_acquire(kr_condition *condition, kr_time timeout);
KR_API int kr_condition_release(kr_condition *condition);
KR_API bool kr_condition_locked(const kr_condition *condition);
KR_API int kr_condition_recover(kr_condition *condition);
KR_API bool kr_condition_inconsistent(const kr_condition *condition);

/* kr_condition_wait - release the lock, sleep until notified, take the lock again.
 *
 * On the first four results the lock was released and is held again.  Taking it again is neither
 * timed nor cancelled.
 *
 * In shared scope, after a participant's death, a notify may come up to 300 ms late, counted from
 * when nobody else is notified, and a wait may return 0 once for nothing; that may happen too when
 * one who was notified is stopped.  So look at what you wait for again, as above.  The death of a
 * process that waits hangs nobody.
 *
 * Returns   0                 notified
 *           -ETIMEDOUT        not notified within the timeout; no notify was spent on the caller
 *           -ECANCELED        the scope is cancelled; no notify was spent.  Not with KR_NOWAIT
 *           KR_OWNER_DIED     (shared) a process died that held the lock, notified or not: what the
 *                             lock guards may be half done; put it right, kr_condition_recover, and
 *                             look again.  All who wait are woken.  Comes also if nobody else asks
 *                             for the lock, about 200 ms after the death
 *           -ENOTRECOVERABLE  (shared) the lock was released after KR_OWNER_DIED without recovery;
 *                             it is not held, and never will be
 *           KR_ECORRUPT       (shared) the lock's memory was damaged meanwhile; it is not held
 *           -EPERM            nobody holds the lock (kr_rlock: the caller does not); nothing done
 *           -EINVAL           negative timeout; nothing was done
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API int kr_condition_wait(kr_condition *condition, kr_time timeout);

/* kr_condition_wait_for - wait until predicate(arg) is true; the timeout is for the whole.
 *
 * The predicate is called with the lock held, at once and after each wake-up; not after the results
 * of kr_condition_wait from KR_OWNER_DIED on, which are returned at once.
 *
 * Returns   0 once it was true; else as kr_condition_wait, with a last look at the predicate
 */
KR_API KR_NODISCARD int kr_condition_wait_for(kr_condition *condition, bool (*predicate)(void *arg),
                                              void *arg, kr_time timeout);

/* kr_condition_notify - wake `count` of those who wait now, or all when they are fewer;
 * kr_condition_notify_all - wake all.
 *
 * They run once they have the lock, so not before the caller releases it.  In shared scope a waiter
 * whose process has died counts until it is found to be missing.
 *
 * Returns   how many were woken; -EPERM: nobody holds the lock (kr_rlock: the caller does not);
 *           -EINVAL: count is negative
 */
KR_API int kr_condition_notify(kr_condition *condition, int count);
KR_API int kr_condition_notify_all(kr_condition *condition);

/* kr_condition_reinit - nobody waits and its own lock is free; for a forked child.  A user's lock
 * is left alone: kr_lock_reinit.  Nobody may use the condition meanwhile, in any process. */
KR_API void kr_condition_reinit(kr_condition *condition);

KR_EXTERN_END

#endif
