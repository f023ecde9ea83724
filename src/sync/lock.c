/* kr_lock: a word.
 *
 * State.
 *     FREE       nobody holds it
 *     HELD       held; its releaser owes nobody a wake
 *     CONTENDED  held; its releaser wakes one of those who wait
 *
 * Protocol.  Who has waited, or is about to, takes the lock as CONTENDED, because others may wait
 * beside it; so a debt is never lost, and at worst one wake finds nobody.  A waiter that leaves,
 * timed out or cancelled, leaves CONTENDED behind for the same reason.
 * A condition's notify puts its waiters into the lock's queue; that makes the lock CONTENDED as if
 * they had come by themselves.
 * A woken waiter competes with whoever comes by: the lock is not handed over, because the time
 * until the woken one runs would be time in which nobody may have it.
 *
 * Ordering.
 *     [lock-1]  release gives what its holder wrote to the next acquirer
 *     The release is sequentially consistent because kri_wake wants it so, and is the last touch of
 *     the word: the next holder may free the lock at once.
 *
 * Why not look at the word for a while before queueing?  Two processors that both want the lock
 * would pass its cache line to and fro at every section; with one of them in the queue the other
 * goes through several sections before it is the queue's turn.  Under contention of two that is
 * 22 ns a section instead of 130 (./run bench lock).
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/internal.h"
#include "wait/stall.h"

enum { FREE, HELD, CONTENDED };

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "a lock at %p", (const void *)word);
}

static __attribute__((noinline)) int acquire_slow(kr_word *word, kr_time timeout, unsigned flags)
{
    if (timeout == KR_NOWAIT)
        return -ETIMEDOUT;
    kr_time deadline = kri_deadline(timeout);
    while (kri_swap_acq(word, CONTENDED) != FREE) { /* [lock-1] */
        int err = kri_wait_for(word, CONTENDED, deadline, flags, describe);
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
    }
    return 0;
}

int kr_lock_acquire(kr_lock *lock, kr_time timeout)
{
    uint32_t seen = FREE;
    if (timeout < 0)
        return -EINVAL;
    if (kri_cas_acq(&lock->word, &seen, HELD)) /* [lock-1] */
        return 0;
    return acquire_slow(&lock->word, timeout, 0);
}

void kri_lock_take(kr_lock *lock)
{
    uint32_t seen = FREE;
    if (!kri_cas_acq(&lock->word, &seen, HELD)) /* [lock-1] */
        acquire_slow(&lock->word, KR_FOREVER, KRI_UNCANCELLABLE);
}

void kri_lock_retake(kr_lock *lock)
{
    acquire_slow(&lock->word, KR_FOREVER, KRI_UNCANCELLABLE);
}

void kri_lock_adopt(kr_lock *lock, kr_word *word, int count)
{
    uint32_t seen = HELD;
    if (kri_requeue(word, count, &lock->word, 0, describe) == 0)
        return;
    if (!kri_cas_sc(&lock->word, &seen, CONTENDED) && seen == FREE)
        kri_wake(&lock->word, KRI_ALL, 0); /* released by another meanwhile, against the rules */
}

int kr_lock_release(kr_lock *lock)
{
    uint32_t old = kri_swap_sc(&lock->word, FREE); /* [lock-1] */
    if (old == CONTENDED)
        kri_wake(&lock->word, 1, 0);
    return old == FREE ? -EPERM : 0;
}

bool kr_lock_locked(const kr_lock *lock)
{
    return kri_load_rlx(&lock->word) != FREE;
}

void kr_lock_reinit(kr_lock *lock)
{
    kri_store_rlx(&lock->word, FREE);
}

bool kr_with_next(kr_with_guard *guard)
{
    if (guard->held)
        return false;
    kri_lock_take(guard->lock);
    guard->held = true;
    return true;
}

void kr_with_end(kr_with_guard *guard)
{
    if (guard->held)
        kr_lock_release(guard->lock);
}
