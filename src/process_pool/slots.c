/* The slots of a process pool: what became of each task, in one word.
 *
 * State.  A ticket, a worker and a phase:
 *     IDLE      the parent's, to be filled
 *     READY     may be claimed by whoever presents the ticket
 *     RUNNING   the worker runs it
 *     DONE      the worker has; error and result stand
 * Beside it `progress`: how many items have ended, where a task that is no batch is one item; and
 * whether the worker is condemned for the one that it is in.
 *
 * Protocol.
 *     The parent fills an idle slot and offers it with the ticket of its entry in a ring.
 *     A worker claims by one compare-and-swap, which is also the record of who runs what: killed
 *     before it, it has taken nothing; after it, the slot says whose the task is.
 *     The parent withdraws a task by the same compare-and-swap, so either the one or the other.
 *     RUNNING and DONE are the claimer's alone.  Once that worker is dead, and not before, the
 *     parent settles what it has left: what it finds RUNNING has crashed, unless all items have
 *     passed; what it finds DONE has ended and was perhaps not told.
 *     A worker passes each item by one compare-and-swap of the progress.  Who wants to kill it for
 *     the item that it is in condemns it first, by one of the same word from the number of that
 *     item.  So either the item counts, and the worker is not killed for it, or its worker never
 *     gets past it: it says nothing of it, begins nothing else, and kills itself if nobody has done
 *     so by then.  The slot itself cannot be another task's meanwhile, since who condemns has found
 *     it RUNNING under the mutex under which alone it is settled.
 *     So a slot is the only truth.  Rings and bells tell where to look, and may be late, repeated
 *     or lost: whoever follows a stale entry finds another ticket.
 *
 * Ordering.
 *     [slots-1]  what the parent filled in is visible to the claimer: offered with release, claimed
 *                with acquire
 *     [slots-2]  what the task wrote is visible to whoever sees DONE: stored with release, read
 *                with acquire.  What a dead worker wrote is, by its death
 *     [slots-3]  what a worker noted before it passed an item is visible to whoever sees the next:
 *                passed with release, read with acquire.  So a time that is read after the item's
 *                number is when that item began, or a later one.  To condemn hands nothing over:
 *                relaxed, and whoever cannot pass has nothing to read
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

bool kri_slot_pass(kri_work_slot *slot)
{
    uint32_t item = kri_load_rlx(&slot->progress);
    return !(item & KRI_SLOT_CONDEMNED) &&
           kri_cas_rel(&slot->progress, &item, item + 1); /* [slots-3] */
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

static bool all_have_passed(const kri_work_slot *slot, uint32_t progress)
{
    return (progress & ~KRI_SLOT_CONDEMNED) >= (slot->items ? slot->items : 1);
}

bool kri_slot_is_running(const kri_work_slot *slot, uint64_t state, uint32_t *item)
{
    if (kri_slot_phase(state) != KRI_SLOT_RUNNING)
        return false;
    *item = kri_load_acq(&slot->progress); /* [slots-3] */
    return !(*item & KRI_SLOT_CONDEMNED) && !all_have_passed(slot, *item);
}

bool kri_slot_condemn(kri_work_slot *slot, uint32_t item)
{
    return kri_cas_rlx(&slot->progress, &item, item | KRI_SLOT_CONDEMNED);
}

bool kri_slot_has_ended(const kri_work_slot *slot, uint64_t state)
{
    return kri_slot_phase(state) == KRI_SLOT_DONE ||
           (kri_slot_phase(state) == KRI_SLOT_RUNNING &&
            all_have_passed(slot, kri_load_rlx(&slot->progress)));
}

void kri_slot_settle(kri_work_slot *slot)
{
    kri_store_rlx64(&slot->state, 0);
}
