/* Where what lies in the memory of a shared queue.
 *
 * The numbers of the segment decide it alone, by the same sums for who makes a queue and for who
 * attaches: so an attacher that has checked the total knows that every part lies inside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "queue/shared.h"

#include <string.h>

/* The numbers of the segment. */
enum { ITEM_SIZE, MAXSIZE, LIMITED, UNITS, CHUNK, LONGEST, OWNERS, PARAMETERS };
_Static_assert((int)PARAMETERS <= (int)KRI_SEGMENT_PARAMETERS, "they have room");

enum { RING_UNIT = 8, VARYING_CHUNK = 128 };

#define MOST_ITEMS  UINT64_C(0x3fffffff)
#define MOST_UNITS  UINT64_C(0x7fffffff)
#define MOST_BYTES  UINT64_C(0x7fffffff) /* of an item */
#define MOST_OWNERS UINT64_C(0xffff)
#define MODES       UINT32_C(0666)

static const kr_time slice = (kr_time)50 * 1000000;

static uint64_t rounded(uint64_t size, uint64_t to)
{
    return (size + to - 1) / to * to;
}

/* Offsets of the parts. */
typedef struct parts {
    uint64_t owing, slots, order, links, marks, bytes, total;
} parts;

static parts parts_of(bool priority, const uint64_t *p)
{
    uint64_t items = priority ? p[MAXSIZE] : 0;
    uint64_t chunks = priority ? p[UNITS] : 0;
    parts at = {.owing = sizeof(kri_shared_state)};
    at.slots = at.owing + p[OWNERS] * sizeof(kri_owing);
    at.order = at.slots + items * sizeof(kri_slot);
    at.links = at.order + items * sizeof(uint32_t);
    at.marks = at.links + chunks * sizeof(uint32_t);
    at.bytes = rounded(at.marks + chunks, KRI_LINES);
    at.total = at.bytes + p[UNITS] * p[CHUNK];
    return at;
}

/* None of the sums above can overflow then. */
static bool are_sound(bool priority, const uint64_t *p)
{
    if (p[MAXSIZE] == 0 || p[MAXSIZE] > MOST_ITEMS || p[UNITS] == 0 || p[UNITS] > MOST_UNITS)
        return false;
    if (p[OWNERS] > MOST_OWNERS || p[LIMITED] > 1 || p[LONGEST] > MOST_BYTES || p[CHUNK] == 0)
        return false;
    if (p[CHUNK] > MOST_BYTES + 1 || p[CHUNK] % RING_UNIT != 0)
        return false;
    if (p[ITEM_SIZE] != 0 && p[ITEM_SIZE] != p[LONGEST])
        return false;
    if (!priority && p[CHUNK] != RING_UNIT)
        return false;
    uint64_t whole = p[UNITS] * p[CHUNK];
    return p[LONGEST] <= whole - (priority ? 0 : RING_UNIT);
}

static bool number(const kri_shared_plan *plan, uint64_t *p)
{
    uint64_t bytes = plan->bytes != 0 ? plan->bytes : KRI_SHARED_BYTES;
    if (plan->maxsize > MOST_ITEMS || plan->item_size > MOST_BYTES || bytes > MOST_UNITS * 8)
        return false;
    if ((plan->item_size != 0 && plan->maxsize == 0) || (plan->mode & ~MODES) != 0)
        return false;
    uint64_t items = plan->maxsize;
    p[ITEM_SIZE] = plan->item_size;
    p[LIMITED] = items != 0;
    p[OWNERS] = plan->owners;
    if (plan->item_size != 0) {
        uint64_t size = rounded(plan->item_size, RING_UNIT);
        p[LONGEST] = plan->item_size;
        p[CHUNK] = plan->priority ? size : RING_UNIT;
        p[UNITS] = plan->priority ? items : items * (1 + size / RING_UNIT);
    } else { /* so much more that the bytes fit, however they are cut */
        p[LONGEST] = bytes / 2;
        p[CHUNK] = plan->priority ? VARYING_CHUNK : RING_UNIT;
        p[UNITS] = bytes / p[CHUNK] + 1 + items * (plan->priority ? 1 : 2);
    }
    p[MAXSIZE] = items != 0 ? items : p[UNITS] < MOST_ITEMS ? p[UNITS] : MOST_ITEMS;
    return are_sound(plan->priority, p);
}

size_t kri_shared_size(const kri_shared_plan *plan)
{
    uint64_t numbers[KRI_SEGMENT_PARAMETERS] = {0};
    return number(plan, numbers) ? (size_t)parts_of(plan->priority, numbers).total : 0;
}

/* The numbers are this process's own copy, and sound. */
static void view(kri_shared *q, void *memory, bool priority, const uint64_t *p)
{
    unsigned char *base = memory;
    parts at = parts_of(priority, p);
    *q = (kri_shared){.state = memory,
                      .bytes = base + at.bytes,
                      .units = (uint32_t)p[UNITS],
                      .maxsize = (uint32_t)p[MAXSIZE],
                      .limited = p[LIMITED] != 0,
                      .item_size = (size_t)p[ITEM_SIZE],
                      .longest = (size_t)p[LONGEST],
                      .chunk = (size_t)p[CHUNK],
                      .slots = (kri_slot *)(void *)(base + at.slots),
                      .order = (uint32_t *)(void *)(base + at.order),
                      .links = (uint32_t *)(void *)(base + at.links),
                      .marks = base + at.marks,
                      .owing = (kri_owing *)(void *)(base + at.owing),
                      .owners = (uint32_t)p[OWNERS],
                      .priority = priority,
                      .slice = slice};
}

int kri_shared_make(kri_shared *q, void *memory, size_t size, const kri_shared_plan *plan)
{
    uint64_t numbers[KRI_SEGMENT_PARAMETERS] = {0};
    if (!number(plan, numbers))
        return -EINVAL;
    parts at = parts_of(plan->priority, numbers);
    if (at.total > size)
        return -ENOSPC;
    kri_shared_state *state = memory;
    memset(memory, 0, at.slots);
    view(q, memory, plan->priority, numbers);
    if (kr_lock_init(&state->put.lock, KR_SHARED) != 0 ||
        kr_lock_init(&state->get.lock, KR_SHARED) != 0)
        return -EINVAL;
    if (plan->priority) {
        memset(q->slots, 0, (size_t)(at.order - at.slots));
        (void)kri_heap_repair(q);
    }
    kri_or_rlx64(&state->bells.processors, os_cpu_mask());
    state->segment.kind = plan->priority ? KRI_SEGMENT_PRIORITY : KRI_SEGMENT_FIFO;
    state->segment.size = at.total;
    state->segment.mode = plan->mode;
    memcpy(state->segment.parameters, numbers, sizeof numbers);
    kri_segment_make(&state->segment);
    kri_segment_open(&state->segment);
    return 0;
}

int kri_shared_attach(kri_shared *q, void *memory, size_t size)
{
    kri_segment copy;
    int err = kri_segment_read(memory, size, &copy);
    if (err != 0)
        return err;
    bool priority = copy.kind == KRI_SEGMENT_PRIORITY;
    if (!priority && copy.kind != KRI_SEGMENT_FIFO)
        return KR_ECORRUPT;
    if (!are_sound(priority, copy.parameters) ||
        parts_of(priority, copy.parameters).total != copy.size)
        return KR_ECORRUPT;
    view(q, memory, priority, copy.parameters);
    kri_or_rlx64(&q->state->bells.processors, os_cpu_mask());
    return 0;
}
