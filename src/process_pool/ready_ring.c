/* The rings of a process pool: which slots are ready, in their order, one ring for each lane.
 *
 * State.  head <= tail count entries; the entry at a place names a slot.  It counts as long as that
 * slot is READY with the ticket of this place, see slots.c; otherwise it is over: claimed, or
 * withdrawn.
 *
 * Fields.
 *     tail      written by the parent, one put at a time
 *     head      moved by anybody
 *     entries   an entry is written by the parent before tail passes it, and again only once head
 *               has
 *
 * Protocol.
 *     A worker reads the entry at the head and claims its slot.  Whether or not it could, that
 *     entry is over now, and it moves the head past it, as everybody does who finds it so.
 *     So one that is killed between the two holds nobody up.
 *     Entries that were withdrawn take up room until the head has passed them, and the parent, too,
 *     moves it.  There is room for twice as many as there are slots; where withdrawn ones fill it
 *     behind one that is still ready the put fails, and is repeated once something has completed.
 *
 * Ordering.
 *     [ready-1]  who sees the tail sees the entry: stored sequentially consistent, which releases
 *     [ready-2]  who sees the head sees what was read at the entry before: the parent must not
 *                write it any sooner.  Moved with release, read with acquire
 *     [ready-3]  the parent moves the tail and then looks for an idle worker; a worker says that it
 *                is idle and then reads the tails: all sequentially consistent
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/work.h"

static kr_word *entry_at(const kri_work *work, uint32_t lane, uint64_t place)
{
    uint32_t length = 2 * work->slot_count;
    return &work->entries[lane * length + (place & (length - 1))];
}

static uint64_t ticket_of(uint32_t lane, uint64_t place)
{
    return (place << 2 | lane) & (UINT64_MAX >> 16);
}

static void pass(kri_work_ring *ring, uint64_t place)
{
    (void)kri_cas_rel64(&ring->head, &place, place + 1); /* [ready-2] */
}

/* Move the head over what is over; returns it. */
static uint64_t skip(const kri_work *work, uint32_t lane, uint64_t tail)
{
    kri_work_ring *ring = &work->area->rings[lane];
    uint64_t head;
    while ((head = kri_load_acq64(&ring->head)) < tail) {
        uint32_t slot = kri_load_rlx(entry_at(work, lane, head));
        uint64_t state = kri_load_rlx64(&work->slots[slot].state);
        if (state == kri_slot_state(ticket_of(lane, head), 0, KRI_SLOT_READY))
            break;
        pass(ring, head);
    }
    return head;
}

uint64_t kri_ready_ticket(const kri_work *work, uint32_t lane)
{
    return ticket_of(lane, kri_load_rlx64(&work->area->rings[lane].tail));
}

/* The slot is offered before the tail passes its entry: whoever reads the entry finds it so. */
bool kri_ready_put(const kri_work *work, uint32_t lane, uint32_t slot)
{
    kri_work_ring *ring = &work->area->rings[lane];
    uint64_t tail = kri_load_rlx64(&ring->tail);
    if (tail - kri_load_acq64(&ring->head) == 2 * work->slot_count && /* [ready-2] */
        tail - skip(work, lane, tail) == 2 * work->slot_count)
        return false;
    kri_store_rlx(entry_at(work, lane, tail), slot);
    kri_slot_offer(&work->slots[slot], ticket_of(lane, tail));
    kri_store_sc64(&ring->tail, tail + 1); /* [ready-1] [ready-3] */
    return true;
}

static int take(const kri_work *work, uint32_t lane, uint32_t worker)
{
    kri_work_ring *ring = &work->area->rings[lane];
    for (;;) {
        uint64_t head = kri_load_acq64(&ring->head);
        if (head >= kri_load_acq64(&ring->tail)) /* [ready-1] */
            return -1;
        uint32_t slot = kri_load_rlx(entry_at(work, lane, head));
        bool claimed = kri_slot_claim(&work->slots[slot], ticket_of(lane, head), worker);
        pass(ring, head);
        if (claimed)
            return (int)slot;
    }
}

int kri_ready_take(const kri_work *work, uint32_t worker, bool low_first)
{
    static const unsigned char orders[2][KRI_WORK_LANES] = {{1, 0, 2}, {2, 1, 0}};
    for (int i = 0; i < KRI_WORK_LANES; i++) {
        int slot = take(work, orders[low_first][i], worker);
        if (slot >= 0)
            return slot;
    }
    return -1;
}

bool kri_ready_seems(const kri_work *work)
{
    bool some = false;
    for (uint32_t lane = 0; lane < KRI_WORK_LANES; lane++) {
        const kri_work_ring *ring = &work->area->rings[lane];
        some = some || kri_load_rlx64(&ring->head) != kri_load_rlx64(&ring->tail);
    }
    return some;
}

bool kri_ready_some(const kri_work *work)
{
    for (uint32_t lane = 0; lane < KRI_WORK_LANES; lane++) {
        uint64_t tail = kri_load_sc64(&work->area->rings[lane].tail); /* [ready-3] */
        if (skip(work, lane, tail) < tail)
            return true;
    }
    return false;
}
