/* A bell: a word by which one process wakes sleepers in others, and which costs nothing while
 * nobody sleeps.
 *
 * State.  Bit 0: somebody sleeps, or may.  The other bits count the rings that found it set.
 *
 * Fields.  One word each: items, space and settled in shared.h; atomic, changed by anybody.
 *
 * Protocol.  Whoever wants to sleep sets the bit, looks once more whether there is what it waits
 * for, and sleeps on the word as it has seen it.  Whoever changes something looks at the bit after
 * the change; if it is set, it clears the bit, counts, and wakes one sleeper.  So while that one is
 * on its way nobody else needs to call: a wake for each of many items would cost more than the
 * items.  Who was woken sets the bit again before it looks, since others may sleep still, and when
 * it leaves something for them it rings for the next (shared_wait.c).  So without a death nobody
 * sleeps in vain: where the bit is clear somebody was woken and has not looked yet, or there was
 * nobody in the kernel, and who was about to go there finds that the word has been counted on.
 *
 * A bell by which all are woken at a time has no such order of one after the other; a shutdown,
 * which concerns all, calls all whether the bit is set or not.
 *
 * When the one that was woken dies, or a waker between its change and the wake, the others sleep on
 * until their slice ends: sleepers of a shared queue look around some times a second.
 *
 * Ordering.
 *     [bell-1]  Whoever changes a position changes the lock of that side next, by releasing it,
 *               and looks at the bit then; who is about to sleep sets the bit, looks at that lock
 *               and then at the position.  All of that but the change of the position is
 *               sequentially consistent.  So either the waker sees the bit, or the sleeper reads
 *               what the release wrote or a later change of the lock, and each of those is one of
 *               what stood there before: with it comes the position.  Where a position is changed
 *               sequentially consistently itself (shared_heap.c), and for what task_done counts,
 *               the look at the lock adds nothing.
 *
 * Why not.  A number of sleepers: one that is killed would be counted for ever.  Clearing the bit
 * when a wake finds nobody: whoever has looked at the word and not yet reached the kernel would
 * be forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared.h"

enum { ARMED = KRI_BELL_ARMED, ONE_RING = 2 };

uint32_t kri_bell_arm(kr_word *bell)
{
    uint32_t seen = kri_load_sc(bell); /* [bell-1] */
    while (!(seen & ARMED)) {
        if (kri_cas_sc(bell, &seen, seen | ARMED)) /* [bell-1] */
            return seen | ARMED;
    }
    return seen;
}

void kri_bell_ring_armed(kr_word *bell, int count)
{
    uint32_t seen = kri_load_sc(bell); /* [bell-1] */
    while (seen & ARMED) {
        if (kri_cas_sc(bell, &seen, (seen + ONE_RING) & ~(uint32_t)ARMED)) {
            kri_wake(bell, count, KRI_SHARED);
            return;
        }
    }
}

void kri_bell_call_all(kr_word *bell)
{
    kri_add_sc(bell, ONE_RING);
    kri_wake(bell, KRI_ALL, KRI_SHARED);
}
