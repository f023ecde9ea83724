/* Rings of events: one writer each, any number of readers, nobody waits.
 *
 * State.  A ring is
 *     nobody's   owner 0
 *     a thread's
 *     ended      its thread is over; what is in it stays until another trace begins
 * A slot is empty or of another trace, in the midst of being written, or whole: its stamp says
 * which, and the number of its event in the ring.
 *
 * Fields.
 *     ring.owner    by compare-and-swap from 0; ENDED is added by the owner, or by who finds that
 *                   its process is over
 *     the rest of a ring, and its slots
 *                   written by the owner only; all are atomic, since readers look at any time
 *
 * Protocol.
 *     The owner marks the slot as being written, with the event's number, writes the fields, and
 *     marks it whole.  A reader takes the stamp, the fields, and the stamp once more: the same and
 *     whole both times, and it has an event; otherwise it has nothing there, and goes on.  So it
 *     never waits for a writer, not for one that was killed in the midst of an event either.
 *     A slot that is read twice in the same lap is the same event, since the number is in the
 *     stamp.
 *     The owner goes round through the slots that have memory.  While that is less than the trace
 *     allows, it asks for more as it comes to the end; refused, it stays with what it has.
 *     Handlers of signals may come to a point while the interrupted thread is in one.  They find
 *     `writing` set, and their event is lost, and counted.
 *     An ended ring becomes nobody's only when a trace begins, and a trace that begins has another
 *     number: so what a thread of the last one may be about to write is in a ring that is still its
 *     own, and its stamp says that it is of the last one.
 *
 * Ordering.
 *     [trace-1]  who sees a field of an event sees that its slot is being written: each field is
 *                stored with release after that mark, and read with acquire before the second look
 *                at the stamp
 *     [trace-2]  who sees the slot whole sees the fields: stored with release, read with acquire
 *     [trace-3]  the next owner of a ring finds it as the last one has left it: set free with
 *                release, taken with acquire
 *
 * Why not one mark behind the last event, as queues have it?  The writer does not wait for readers,
 * so the oldest are overwritten while they are read; each slot has to tell by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/ring.h"

#include <string.h>

#include "os/os.h"

enum { BUSY = 1, NUMBER_BITS = 40 };

static uint64_t stamp_of(uint32_t trace, uint64_t number)
{
    return (uint64_t)trace << NUMBER_BITS | (number << 1 & ((UINT64_C(1) << NUMBER_BITS) - 1));
}

void kri_trace_name_put(kri_word64 *to, const char *name)
{
    uint64_t words[KRI_TRACE_WORDS] = {0};
    memcpy(words, name, strnlen(name, KRI_TRACE_NAME - 1));
    for (int i = 0; i < KRI_TRACE_WORDS; i++)
        kri_store_rel64(&to[i], words[i]); /* [trace-1] */
}

void kri_trace_name_get(const kri_word64 *from, char name[KRI_TRACE_NAME])
{
    for (int i = 0; i < KRI_TRACE_WORDS; i++) {
        uint64_t word = kri_load_acq64(&from[i]); /* [trace-1] */
        memcpy(name + (size_t)i * sizeof word, &word, sizeof word);
    }
    name[KRI_TRACE_NAME - 1] = 0;
}

void kri_trace_ring_begin(kri_trace_ring *ring, uint32_t trace)
{
    kri_store_rlx64(&ring->count, 0);
    kri_store_rlx64(&ring->lost, 0);
    kri_store_rlx64(&ring->runner, 0);
    kri_store_rlx(&ring->next, 0);
    kri_store_rel(&ring->trace, trace);
}

/* For the calling thread, which has none. */
kri_trace_ring *kri_trace_ring_take(kri_trace_area *area, uint64_t owner)
{
    for (kri_trace_ring *ring = area->rings; ring < area->rings + KRI_TRACE_RINGS; ring++) {
        uint64_t seen = kri_load_rlx64(&ring->owner);
        if (seen == 0 && kri_cas_acq64(&ring->owner, &seen, owner)) /* [trace-3] */
            return ring;
    }
    return NULL;
}

/* Another part of the ring gets its memory; false: it does without. */
static bool grow(kri_trace_area *area, kri_trace_ring *ring, uint32_t room)
{
    uint32_t most = kri_load_rlx(&area->events);
    uint32_t more = most - room < KRI_TRACE_PART ? most - room : KRI_TRACE_PART;
    kri_trace_slot *slots = kri_trace_slots(area, ring) + room;
    if (os_shared_touch(slots, more * sizeof *slots) != 0)
        return false;
    kri_store_rel(&ring->room, room + more);
    return true;
}

/* NULL: there is no memory at all. */
static kri_trace_slot *next_slot(kri_trace_area *area, kri_trace_ring *ring)
{
    uint32_t next = kri_load_rlx(&ring->next);
    uint32_t room = kri_load_rlx(&ring->room);
    uint32_t most = kri_load_rlx(&area->events);
    if (next == room && room < most)
        (void)grow(area, ring, room);
    room = kri_load_rlx(&ring->room);
    if (room == 0)
        return NULL;
    if (next >= (room < most ? room : most))
        next = 0;
    kri_store_rlx(&ring->next, next + 1);
    return kri_trace_slots(area, ring) + next;
}

static void fill(kri_trace_slot *slot, uint64_t stamp, const kri_trace_copy *event)
{
    kri_store_rel64(&slot->stamp, stamp | BUSY);
    for (int i = 0; i < KRI_TRACE_FIELDS; i++)
        kri_store_rel64(&slot->fields[i], event->fields[i]); /* [trace-1] */
    if (event->fields[KRI_TRACE_WHAT] & KRI_TRACE_NAMED)
        kri_trace_name_put(slot->name, event->name);
    kri_store_rel64(&slot->stamp, stamp); /* [trace-2] */
}

/* By the owner. */
void kri_trace_ring_put(kri_trace_area *area, kri_trace_ring *ring, const kri_trace_copy *event)
{
    if (kri_load_rlx(&ring->writing)) {
        kri_store_rlx64(&ring->lost, kri_load_rlx64(&ring->lost) + 1);
        return;
    }
    kri_store_rlx(&ring->writing, 1);
    uint64_t number = kri_load_rlx64(&ring->count) + 1;
    kri_trace_slot *slot = next_slot(area, ring);
    if (slot != NULL)
        fill(slot, stamp_of(kri_load_rlx(&ring->trace), number), event);
    kri_store_rel64(&ring->count, number);
    kri_store_rel(&ring->writing, 0);
}

/* false: there is no event of that trace in it, or not a whole one. */
bool kri_trace_slot_read(const kri_trace_slot *slot, uint32_t trace, kri_trace_copy *copy)
{
    uint64_t stamp = kri_load_acq64(&slot->stamp); /* [trace-2] */
    if (stamp >> NUMBER_BITS != trace || stamp & BUSY)
        return false;
    copy->number = (stamp & ((UINT64_C(1) << NUMBER_BITS) - 1)) >> 1;
    for (int i = 0; i < KRI_TRACE_FIELDS; i++)
        copy->fields[i] = kri_load_acq64(&slot->fields[i]); /* [trace-1] */
    copy->name[0] = 0;
    if (copy->fields[KRI_TRACE_WHAT] & KRI_TRACE_NAMED)
        kri_trace_name_get(slot->name, copy->name);
    return kri_load_rlx64(&slot->stamp) == stamp;
}
