/* The slot of a cancel scope: where one that sleeps inside is found by a cancel.
 *
 * Hardly a scope has more than one party asleep in it.  That one stands in no queue for the
 * cancel, but in the scope itself: two compare-and-swaps, where a place in a queue is some six
 * locked instructions.
 *
 * State.
 *     EMPTY      nobody stands there
 *     a waiter   sleeps inside the scope, or is about to, or was woken a moment ago
 *     CLOSED     the scope was cancelled; it stays so
 *
 * Fields.  scope.sleeper is atomic.  A party inside fills it while it is EMPTY, and empties it
 * again while it is itself that stands there; who cancels closes it, under the scope's lock.
 *
 * Protocol.
 *     A waiter puts itself in the place of EMPTY.  Where something else stands it queues on the
 *     scope's state, as on any word (park.c), and so finds it marked where the slot was CLOSED.
 *     When its wait is over, however it ended, it puts EMPTY in the place of itself.
 *     kr_cancel marks the state and then closes the slot.  Whom it finds there it takes and wakes
 *     as a wake does, unless a wake, or the party itself, was first.
 *     A waiter that is not in the slot any more when its wait is over takes the scope's lock once
 *     before it leaves its frame: who cancels holds that until he is done with the waiter.
 *     So the slot alone says who was first, the waiter or the cancel, and neither looks twice.
 *     A waker of the waiter's own thread (direct.c) takes the waiter by emptying the slot of it:
 *     then no cancel has found it, nor will.
 *     As a scope joins the tree it is closed without its lock, but then nobody sleeps inside yet.
 *
 *     In a forked child those who stood there are gone, but for the calling thread's, who are
 *     awake: the slot is emptied where the scope's lock is put right (scope_tree.c).
 *
 * Ordering.
 *     [slot-1]  who cancels finds the waiter as it was when it put itself there: that releases,
 *               closing acquires
 *     [slot-2]  who finds CLOSED sees the mark: closing releases, filling acquires where it fails
 *     Who cancels has let go of the waiter before its frame is left: by the lock [scope-2].
 *
 * Why not one word with the state?  Others sleep on that, in the table and in the kernel beside
 * shared words, and would see it change with each sleeper.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "wait/internal.h"

#define EMPTY  ((void *)0)
#define CLOSED ((void *)1)

static kri_pointer *slot_of(kr_cancel_scope *scope)
{
    return (kri_pointer *)&scope->sleeper;
}

bool kri_stand_enter(kri_stand *stand, kri_waiter *w, kr_cancel_scope *scope)
{
    void *seen = EMPTY;
    stand->in_slot = kri_cas_acq_rel_ptr(slot_of(scope), &seen, w); /* [slot-1] [slot-2] */
    return stand->in_slot || kri_place_enter(&stand->place, w, &scope->state, KRI_SCOPE_LIVE);
}

void kri_stand_leave(kri_stand *stand, const kri_waiter *w, kr_cancel_scope *scope)
{
    void *seen = (void *)(uintptr_t)w;
    if (!stand->in_slot) {
        if (w->through != &stand->place)
            kri_place_leave(&stand->place);
    } else if (!kri_cas_acq_rel_ptr(slot_of(scope), &seen, EMPTY)) {
        kri_scope_lock(scope);
        kri_scope_unlock(scope);
    }
}

bool kri_slot_take(kr_cancel_scope *scope, kri_waiter *w)
{
    void *seen = w;
    return kri_cas_acq_rel_ptr(slot_of(scope), &seen, EMPTY);
}

void kri_slot_close(kr_cancel_scope *scope)
{
    kri_waiter *w = kri_swap_acq_rel_ptr(slot_of(scope), CLOSED); /* [slot-1] [slot-2] */
    if (w != EMPTY)
        kri_waiter_wake(w);
}

void kri_slot_forked(kr_cancel_scope *scope)
{
    kri_store_rlx_ptr(slot_of(scope), kri_scope_reached(scope) ? CLOSED : EMPTY);
}
