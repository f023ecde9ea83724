/* The memory of a trace: one segment that all processes of a program share.
 *
 *     area     whether a trace runs, and which; the processes
 *     rings    one for each thread: whose it is, how far it is
 *     slots    of each ring, its events
 *
 * Nothing in it is an address that another process would follow.  ring.c tells the protocol.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TRACE_RING_H
#define KRI_TRACE_RING_H

#include "base/atomic.h"

#ifdef KRI_MODEL
enum { KRI_TRACE_RINGS = 2, KRI_TRACE_PART = 2, KRI_TRACE_PROCESSES = 2 };
#else
enum { KRI_TRACE_RINGS = 512, KRI_TRACE_PART = 1024, KRI_TRACE_PROCESSES = 512 };
#endif
enum { KRI_TRACE_NAME = 32, KRI_TRACE_WORDS = KRI_TRACE_NAME / 8, KRI_TRACE_FIELDS = 5 };

/* One event.  All of it is atomic. */
typedef struct kri_trace_slot {
    kri_word64 stamp; /* the trace it is of, its number in the ring, and whether it is whole */
    kri_word64 fields[KRI_TRACE_FIELDS]; /* what, at, runner, object, other */
    kri_word64 name[KRI_TRACE_WORDS];    /* where `what` says that there is one */
} kri_trace_slot;

_Static_assert(sizeof(kri_trace_slot) == 80, "as the header says");

typedef struct kri_trace_ring {
    kri_word64 owner;  /* atomic: process << 32 | thread; 0: nobody's; ENDED: the thread is over */
    kri_word64 count;  /* atomic, as all that follows; only the owner writes: events so far */
    kri_word64 lost;   /* of these: never written, since a signal handler came in between */
    kri_word64 runner; /* the coroutine that runs in the thread; 0: none */
    kr_word trace;     /* the trace that all this is of */
    kr_word room;      /* slots that have memory */
    kr_word next;      /* where the next event goes */
    kr_word writing;   /* the owner is in the midst of an event */
    kri_word64 name[KRI_TRACE_WORDS];
    uint64_t reserved[6];
} kri_trace_ring;

_Static_assert(sizeof(kri_trace_ring) == 128, "whole lines");

typedef struct kri_trace_process {
    kr_word id; /* atomic: 0: nobody's */
    kr_word parent;
    kri_word64 base; /* where the program's image lies */
    kri_word64 name[KRI_TRACE_WORDS];
} kri_trace_process;

#define KRI_TRACE_MAGIC UINT64_C(0x6b72747261636531)

typedef struct kri_trace_area {
    uint64_t magic; /* const, as the next two */
    uint64_t size;
    uint64_t stride;     /* slots of each ring, at most */
    kr_word state;       /* atomic: the number of the trace << 1 | whether it runs */
    kr_word events;      /* atomic: slots that a ring may use in this trace */
    kri_word64 started;  /* atomic, as the rest: kr_time */
    kri_word64 stopped;  /* 0: not yet */
    kri_word64 left_out; /* threads without a ring */
    kri_word64 last_id;  /* of what has no address that means something to all */
    kr_word yielding;    /* atomic: the trace that gives way to any other; 0: none */
    uint32_t unused;
    uint64_t reserved[7];
    kri_trace_process processes[KRI_TRACE_PROCESSES];
    kri_trace_ring rings[KRI_TRACE_RINGS];
    kri_trace_slot slots[];
} kri_trace_area;

/* What is in the field `what`. */
enum kri_trace_phase { KRI_TRACE_BEGIN, KRI_TRACE_END, KRI_TRACE_MOMENT, KRI_TRACE_PHASES };
enum { KRI_TRACE_NAMED = 1 << 10 };
static inline uint64_t kri_trace_what(unsigned kind, enum kri_trace_phase phase)
{
    return (uint64_t)phase << 8 | kind;
}

/* A copy of an event. */
typedef struct kri_trace_copy {
    uint64_t number; /* in its ring */
    uint64_t fields[KRI_TRACE_FIELDS];
    char name[KRI_TRACE_NAME];
} kri_trace_copy;
enum { KRI_TRACE_WHAT, KRI_TRACE_AT, KRI_TRACE_RUNNER, KRI_TRACE_OBJECT, KRI_TRACE_OTHER };

#define KRI_TRACE_ENDED (UINT64_C(1) << 63)

static inline kri_trace_slot *kri_trace_slots(kri_trace_area *area, const kri_trace_ring *ring)
{
    return area->slots + (size_t)(ring - area->rings) * area->stride;
}

/* ring.c */
void kri_trace_ring_begin(kri_trace_ring *ring, uint32_t trace);
void kri_trace_ring_put(kri_trace_area *area, kri_trace_ring *ring, const kri_trace_copy *event);
bool kri_trace_slot_read(const kri_trace_slot *slot, uint32_t trace, kri_trace_copy *copy);
kri_trace_ring *kri_trace_ring_take(kri_trace_area *area, uint64_t owner);
void kri_trace_name_put(kri_word64 *to, const char *name);
void kri_trace_name_get(const kri_word64 *from, char name[KRI_TRACE_NAME]);

#endif
