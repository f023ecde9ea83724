/* The rings of the trace: whoever reads while somebody writes gets whole events or none, under
 * every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "trace/ring.h"

enum { TRACE = 3, STRIDE = 2, EVENTS = 3 };

static struct {
    _Alignas(16) unsigned char bytes[sizeof(kri_trace_area) +
                                     (size_t)KRI_TRACE_RINGS * STRIDE * sizeof(kri_trace_slot)];
    bool named; /* events have names */
    int taken;
} s;

static kri_trace_area *area(void)
{
    return (kri_trace_area *)(void *)s.bytes;
}

static void fresh(uint32_t events, bool named)
{
    memset(&s, 0, sizeof s);
    s.named = named;
    area()->stride = STRIDE;
    kri_store_rlx(&area()->events, events);
}

/* Every part of an event follows from its number. */
static void put(kri_trace_ring *ring, uint64_t number)
{
    kri_trace_copy event = {
        .fields = {s.named ? KRI_TRACE_NAMED : 0, number, number, number, number}};
    memset(event.name, (int)('a' + number), 9);
    kri_trace_ring_put(area(), ring, &event);
}

static int look(const kri_trace_ring *ring)
{
    int found = 0;
    for (int i = 0; i < STRIDE; i++) {
        kri_trace_copy event;
        if (!kri_trace_slot_read(kri_trace_slots(area(), ring) + i, TRACE, &event))
            continue;
        found++;
        for (int field = KRI_TRACE_AT; field <= KRI_TRACE_OTHER; field++)
            kr_explore_check(event.fields[field] == event.number);
        if (!s.named)
            continue;
        kr_explore_check(event.name[0] == 'a' + (int)event.number);
        kr_explore_check(event.name[8] == 'a' + (int)event.number);
    }
    return found;
}

static void write_more(void *arg)
{
    (void)arg;
    for (uint64_t number = 2; number <= EVENTS; number++)
        put(&area()->rings[0], number);
}

static void read_while_written(uint32_t events, bool named)
{
    fresh(events, named);
    kri_trace_ring_begin(&area()->rings[0], TRACE);
    put(&area()->rings[0], 1);
    kr_explore_spawn(write_more, NULL);
    (void)look(&area()->rings[0]);
    kr_explore_join_all();
    kr_explore_check(look(&area()->rings[0]) <= (int)events);
    kr_explore_check(kri_load_rlx64(&area()->rings[0].count) == EVENTS);
}

/* One slot for three events. */
SCENARIO(trace_read_while_written, .preemptions = 2)
{
    read_while_written(1, false);
    kr_explore_check(look(&area()->rings[0]) == 1);
}

SCENARIO(trace_name_read_while_written, .preemptions = 2)
{
    read_while_written(1, true);
    kr_explore_check(look(&area()->rings[0]) == 1);
}

/* Without memory there are no events, and nobody minds. */
SCENARIO(trace_without_memory, .preemptions = 1, .failures = 2)
{
    read_while_written(2, false);
}

static void take_and_write(void *arg)
{
    uint64_t owner = (uintptr_t)arg;
    kri_trace_ring *ring = kri_trace_ring_take(area(), owner);
    if (ring == NULL)
        return;
    kr_explore_check(kri_load_rlx64(&ring->owner) == owner);
    kri_trace_ring_begin(ring, TRACE);
    put(ring, 1);
    kr_explore_check(kri_load_rlx64(&ring->owner) == owner);
    kr_explore_check(kri_load_rlx64(&ring->lost) == 0);
    kr_explore_check(look(ring) == 1);
    s.taken++;
    kri_store_rel64(&ring->owner, 0); /* as a trace that begins does for ended threads */
}

/* One ring is there for two, who do not know of each other. */
SCENARIO(trace_ring_of_two, .preemptions = 2)
{
    fresh(2, true);
    kri_store_rlx64(&area()->rings[1].owner, 77);
    kr_explore_spawn(take_and_write, (void *)1);
    take_and_write((void *)2);
    kr_explore_join_all();
}
