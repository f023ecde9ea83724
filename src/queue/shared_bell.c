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
 *     [bell-1]  The change of a position, the look at the bit, the setting of the bit and the look
 *               at the position are sequentially consistent: either the sleeper sees the change, or
 *               the waker sees the bit.
 *
 * Why not.  A number of sleepers: one that is killed would be counted for ever.  Clearing the bit
 * when a wake finds nobody: whoever has looked at the word and not yet reached the kernel would
 * be forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared.h"

enum { ARMED = 1, ONE_RING = 2 };

uint32_t kri_bell_arm(kr_word *bell)
{
    uint32_t seen = kri_load_sc(bell); /* [bell-1] */
    while (!(seen & ARMED)) {
        if (kri_cas_sc(bell, &seen, seen | ARMED)) /* [bell-1] */
            return seen | ARMED;
    }
    return seen;
}

bool kri_bell_armed(const kr_word *bell)
{
    return kri_load_sc(bell) & ARMED; /* [bell-1] */
}

void kri_bell_ring(kr_word *bell, int count)
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
