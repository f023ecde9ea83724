/* A gate: calling one at a time of those who wait for something.
 *
 * State.  Nobody waits; or some wait and none is called; or one is called and has not answered.
 *
 * Fields.
 *     waiting   atomic: how many have entered and not left, asleep or not
 *     called    atomic: 1 from a call until somebody answers it.  They sleep on it while it is 0
 *     in_vain   a hint of whoever looks for a moment before it enters: how often that was in vain
 *     yields_in_vain  the same of yields of the processor
 *
 * Protocol.
 *     Whoever publishes something reads `waiting`; nobody there: done.  Else, unless `called` is 1
 *     already, it sets it and wakes one.
 *     Whoever waits counts itself, looks, and sleeps while `called` is 0.  Woken, or finding it 1,
 *     it answers: it sets it back to 0, and looks then.  When it leaves, with something or without,
 *     and there is more for others who wait, it calls the next.
 *     So while something is there and somebody waits for it, one is called, or one that has
 *     answered has not left yet.  At most one wake is on its way: to wake one for each item costs
 *     more than most items.
 *     A call may meet nobody asleep.  It then stays until the next who wants to sleep, who answers
 *     instead; and as long as it stands nobody goes to sleep, so it keeps no wake from anybody.
 *
 * Ordering.
 *     [gate-1]  The publisher changes the queue, then reads waiting; the waiter adds to waiting,
 *               then looks.  All sequentially consistent, so one of the two sees the other.
 *     [gate-2]  The publisher changes the queue, then reads called; whoever answers swaps called,
 *               then looks: the same.  So a publisher that finds a call standing may go.
 *
 * Why not.  Waking as many as there are items: under load those who are woken find that others were
 * faster; with one call at a time the wakes are as many as the work is worth.  A queue of waiters
 * here: kri_wait keeps one, in order of arrival.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/gate.h"

void kri_gate_call_slow(kri_gate *gate, unsigned flags)
{
    uint32_t seen = kri_load_sc(&gate->called); /* [gate-2] */
    if (seen == 0 && kri_cas_sc(&gate->called, &seen, 1))
        kri_wake(&gate->called, 1, flags);
}

void kri_gate_enter(kri_gate *gate)
{
    kri_add_sc(&gate->waiting, 1); /* [gate-1] */
}

void kri_gate_leave(kri_gate *gate, kri_gate_look look, void *queue, unsigned flags)
{
    if (kri_sub_sc(&gate->waiting, 1) > 1 && look(queue))
        kri_gate_call_slow(gate, flags);
}

void kri_gate_answer(kri_gate *gate)
{
    kri_swap_sc(&gate->called, 0); /* [gate-2] */
}

int kri_gate_wait(kri_gate *gate, kri_gate_look look, void *queue, kr_time deadline, unsigned flags,
                  kri_describe describe)
{
    while (!look(queue)) {
        int err = kri_wait_for(&gate->called, 0, deadline, flags, describe);
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
        kri_gate_answer(gate);
    }
    return 0;
}
