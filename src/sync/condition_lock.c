/* A condition's lock: given up with the wakes that are due, and taken again.
 *
 * State, shared only.  A word's lowest bit is REQUEUED: members that slept on it may be in the
 * lock's queue.
 *
 * Fields, guarded by the lock.
 *     unsent    shared: 1 + the number of the word of the one who was notified and whom the release
 *               will wake; 0: nobody.  Not 0 only while the lock is held
 *
 * Protocol.
 *     A notify wakes nobody: it moves the notified to the queue of the lock, whose release wakes
 *     one of them at a time.  Woken at once they would only meet the lock held, and sleep again.
 *     The word changes before anybody is taken from it, so that a member on its way to sleep stays
 *     awake.
 *     In shared memory that takes two calls of the system.  So where the lock is the condition's
 *     own, so that every release comes by here, a notify of one only leaves a note (unsent), and
 *     the release changes the word, and wakes that one once the lock is free.
 *     Who comes out of the lock's queue takes the lock as one of those who wait for it, because
 *     there may be others.  Who slept on a word without REQUEUED was in no queue.
 *
 * Death.  Until the lock is free its next holder learns of it, and lets everybody go.  After that
 * a wake is owed, which the looks of the sleepers make up for (condition.c).
 *
 * Ordering.  As in condition.c: the lock orders everything.
 *
 * Why not wake after every release?  A user's own lock is released without us.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/condition.h"
#include "sync/debug.h"

enum { REQUEUED = 1, ONE_CHANGE = 2 }; /* in a word */

bool kri_condition_held(kr_condition *c)
{
    kr_rlock *rlock = kri_condition_rlock(c);
    return rlock != NULL ? kr_rlock_owned(rlock) : kr_lock_locked(kri_condition_lock(c));
}

static int release_and_wake(kr_condition *c)
{
    kr_word *word = &c->words[(c->unsent - 1) & 1];
    c->unsent = 0;
    kri_spin_word_note_waker(&c->hint);
    kri_add_sc(word, ONE_CHANGE);
    int err = kr_lock_release(&c->own);
    kri_wake(word, 1, KRI_SHARED);
    return err;
}

int kri_condition_release(kr_condition *c)
{
    bool own = c->lock == 0 && kri_condition_is_shared(c);
    if (own && kri_condition_held(c) && c->unsent != 0)
        return release_and_wake(c);
    return kr_lock_release(kri_condition_lock(c));
}

static int64_t release_all(kr_condition *c)
{
    kr_rlock *rlock = kri_condition_rlock(c);
    if (rlock != NULL)
        return kri_rlock_release_all(rlock);
    (void)kri_condition_release(c);
    return 0;
}

/* The lock will be taken again behind what is still held, and that is told now: whoever is to
 * notify may then wait for the latter, and it would never come to that. */
int64_t kri_condition_let_go(kr_condition *c)
{
    int64_t depth = release_all(c);
    if (kri_debug_on())
        kri_debug_order(kri_condition_lock(c), __builtin_return_address(0));
    return depth;
}

int kri_condition_take_back(kr_condition *c, const kr_word *word, int64_t depth, int err)
{
    bool moved = !kri_condition_is_shared(c) || (kri_load_rlx(word) & REQUEUED);
    bool queued = err == 0 && moved;
    kr_rlock *rlock = kri_condition_rlock(c);
    int taken = (queued ? kri_lock_retake : kri_lock_take)(kri_condition_lock(c));
    if (rlock != NULL && taken >= 0)
        kri_rlock_become(rlock, depth);
    return taken;
}

static void move(kr_condition *c, kr_word *word, int count)
{
    kri_or_rlx(word, REQUEUED);
    kri_add_sc(word, ONE_CHANGE);
    kri_lock_adopt(kri_condition_lock(c), word, count);
}

void kri_condition_send(kr_condition *c, kr_word *word, uint32_t count)
{
    bool own = c->lock == 0 && kri_condition_is_shared(c);
    if (own && c->unsent == 0 && count == 1) {
        c->unsent = (uint8_t)(1 + (word - c->words));
        return;
    }
    if (c->unsent != 0)
        move(c, &c->words[(c->unsent - 1) & 1], 1);
    c->unsent = 0;
    move(c, word, (int)count);
}

void kri_condition_send_all(kr_condition *c)
{
    c->unsent = 0;
    for (int i = 0; i < 2; i++)
        move(c, &c->words[i], KRI_ALL);
}

void kri_condition_forget_moves(kr_condition *c)
{
    for (int i = 0; i < 2; i++) {
        uint32_t seen = kri_load_rlx(&c->words[i]);
        if (seen & REQUEUED)
            kri_store_rlx(&c->words[i], seen & ~(uint32_t)REQUEUED);
    }
}
