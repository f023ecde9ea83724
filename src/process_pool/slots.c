/* The slots of a process pool: what became of each task, in one word.
 *
 * State.  A ticket, a worker and a phase:
 *     IDLE      the parent's, to be filled
 *     READY     may be claimed by whoever presents the ticket
 *     RUNNING   the worker runs it
 *     DONE      the worker has; error and result stand
 *
 * Protocol.
 *     The parent fills an idle slot and offers it with the ticket of its entry in a ring.
 *     A worker claims by one compare-and-swap, which is also the record of who runs what: killed
 *     before it, it has taken nothing; after it, the slot says whose the task is.
 *     The parent withdraws a task by the same compare-and-swap, so either the one or the other.
 *     RUNNING and DONE are the claimer's alone.  Once that worker is dead, and not before, the
 *     parent settles what it has left: what it finds RUNNING has crashed, what it finds DONE has
 *     ended and was perhaps not told.
 *     So a slot is the only truth.  Rings and bells tell where to look, and may be late, repeated
 *     or lost: whoever follows a stale entry finds another ticket.
 *
 * Ordering.
 *     [slots-1]  what the parent filled in is visible to the claimer: offered with release, claimed
 *                with acquire
 *     [slots-2]  what the task wrote is visible to whoever sees DONE: stored with release, read
 *                with acquire.  What a dead worker wrote is, by its death
 *
 * Why a ticket?  A worker that was stopped between its look and its claim must not claim what lies
 * in the slot by then: that one stands in another place of the ring, whose entry would be left, and
 * in another lane perhaps.  48 bits of it do not come round while anybody is stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/work.h"

void kri_slot_offer(kri_work_slot *slot, uint64_t ticket)
{
    kri_store_rel64(&slot->state, kri_slot_state(ticket, 0, KRI_SLOT_READY)); /* [slots-1] */
}

bool kri_slot_withdraw(kri_work_slot *slot, uint64_t ticket)
{
    uint64_t ready = kri_slot_state(ticket, 0, KRI_SLOT_READY);
    return kri_cas_rlx64(&slot->state, &ready, 0);
}

bool kri_slot_claim(kri_work_slot *slot, uint64_t ticket, uint32_t worker)
{
    uint64_t ready = kri_slot_state(ticket, 0, KRI_SLOT_READY);
    if (kri_load_rlx64(&slot->state) != ready)
        return false;
    return kri_cas_acq_rel64(&slot->state, &ready,
                             kri_slot_state(ticket, worker, KRI_SLOT_RUNNING)); /* [slots-1] */
}

void kri_slot_finish(kri_work_slot *slot)
{
    uint64_t state = kri_load_rlx64(&slot->state);
    kri_store_rel64(&slot->state, state ^ KRI_SLOT_RUNNING ^ KRI_SLOT_DONE); /* [slots-2] */
}

uint64_t kri_slot_look(const kri_work_slot *slot)
{
    return kri_load_acq64(&slot->state); /* [slots-2] */
}

void kri_slot_settle(kri_work_slot *slot)
{
    kri_store_rlx64(&slot->state, 0);
}
