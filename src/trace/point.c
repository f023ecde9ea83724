/* A point: from what happens to an event in the ring of the calling thread.
 *
 * State.  A thread has no ring, has one, or has asked in vain.  What it knows is of one trace; when
 * another has begun it asks again, or begins its ring anew.
 *
 * Fields.
 *     kri_trace_current   the area; set once for each area, and never unmapped: a point that has
 *                         read it may go on with it
 *     own                 the thread's
 *     area.left_out, area.processes    atomic
 *
 * Ordering.
 *     [trace-4]  who sees the area finds it as it was made: set with release, read with acquire
 *     [trace-5]  who sees that a trace runs sees how many events a ring may have: `state` is stored
 *                with release and read with acquire
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/inside.h"

#include <string.h>

#include "base/global.h"
#include "os/os.h"

struct own {
    kri_trace_ring *ring;
    uint32_t trace; /* that `ring` is for, or that there is none for */
    bool taking;    /* a handler of a signal finds the thread in the midst of it */
};

KRI_THREAD_LOCAL(struct own, own_ring)

kr_word kri_trace_on KRI_GLOBAL;
kri_pointer kri_trace_current KRI_GLOBAL;
kri_word64 kri_trace_image KRI_GLOBAL;

static bool is_in(const kri_trace_area *area, const kri_trace_ring *ring)
{
    return ring >= area->rings && ring < area->rings + KRI_TRACE_RINGS;
}

/* The system calls it as the thread ends.  What comes later is left out. */
static void thread_ends(void)
{
    struct own *own = own_ring();
    if (own->ring != NULL)
        kri_or_rel64(&own->ring->owner, KRI_TRACE_ENDED); /* [trace-3] */
    own->ring = NULL;
}

void kri_trace_forget_own(void)
{
    *own_ring() = (struct own){.ring = NULL};
}

/* Processes. */

static kri_trace_process *process_of(kri_trace_area *area, uint32_t id)
{
    for (int i = 0; i < KRI_TRACE_PROCESSES; i++) {
        kri_trace_process *p = &area->processes[i];
        uint32_t seen = kri_load_rlx(&p->id);
        if (seen == id)
            return p;
        if (seen == 0 && kri_cas_rlx(&p->id, &seen, id))
            return p;
        if (seen == id)
            return p;
    }
    return NULL;
}

static void note_process(kri_trace_area *area)
{
    kri_trace_process *p = process_of(area, (uint32_t)os_process_id());
    if (p == NULL || kri_load_rlx64(&p->base) != 0)
        return;
    kri_store_rlx64(&p->base, kri_load_rlx64(&kri_trace_image));
    if (kri_load_rlx64(&p->name[0]) == 0)
        kri_trace_name_put(p->name, os_program_name());
}

void kri_trace_name_process(const char *name)
{
    kri_trace_area *area = kri_trace_area_now();
    kri_trace_process *p = area != NULL ? process_of(area, (uint32_t)os_process_id()) : NULL;
    if (p != NULL)
        kri_trace_name_put(p->name, name);
}

/* The ring. */

static kri_trace_ring *take(kri_trace_area *area)
{
    uint64_t owner = (uint64_t)os_process_id() << 32 | (uint32_t)os_thread_id();
    kri_trace_ring *ring = kri_trace_ring_take(area, owner);
    if (ring == NULL) {
        kri_add_rlx64(&area->left_out, 1);
        return NULL;
    }
    char name[KRI_TRACE_NAME];
    os_thread_name(name, sizeof name);
    kri_trace_name_put(ring->name, name);
    note_process(area);
    os_at_thread_end(thread_ends);
    return ring;
}

static void begin(kri_trace_area *area, struct own *own, uint32_t trace)
{
    own->taking = true;
    if (own->ring == NULL || !is_in(area, own->ring))
        own->ring = take(area);
    if (own->ring != NULL)
        kri_trace_ring_begin(own->ring, trace);
    own->trace = trace;
    own->taking = false;
}

/* NULL: no trace runs, or there is no room for the thread. */
static kri_trace_ring *ring_of(kri_trace_area *area)
{
    uint32_t state = area != NULL ? kri_load_acq(&area->state) : 0; /* [trace-5] */
    struct own *own = own_ring();
    if (!(state & 1) || own->taking)
        return NULL;
    if (own->trace != state >> 1)
        begin(area, own, state >> 1);
    return own->ring;
}

void kri_trace_note(uint64_t what, uint64_t object, uint64_t other, const char *name)
{
    kri_trace_area *area = kri_trace_area_now();
    kri_trace_ring *ring = ring_of(area);
    if (ring == NULL)
        return;
    kri_trace_copy event;
    uint64_t cpu = (uint64_t)(os_cpu_current() + 1);
    event.fields[KRI_TRACE_WHAT] = what | cpu << 16 | (name != NULL ? KRI_TRACE_NAMED : 0);
    event.fields[KRI_TRACE_AT] = (uint64_t)os_now();
    event.fields[KRI_TRACE_RUNNER] = kri_load_rlx64(&ring->runner);
    event.fields[KRI_TRACE_OBJECT] = object;
    event.fields[KRI_TRACE_OTHER] = other;
    if (name != NULL) {
        size_t length = strnlen(name, KRI_TRACE_NAME - 1);
        memcpy(event.name, name, length);
        event.name[length] = 0;
    }
    kri_trace_ring_put(area, ring, &event);
}

void kri_trace_runs(uint64_t runner)
{
    kri_trace_ring *ring = ring_of(kri_trace_area_now());
    if (ring == NULL || kri_load_rlx64(&ring->runner) == runner)
        return;
    kri_store_rlx64(&ring->runner, runner);
    kri_trace_note(kri_trace_what(KR_TRACE_RUN, KRI_TRACE_MOMENT), runner, 0, NULL);
}

void kri_trace_name_thread(const char *name)
{
    kri_trace_ring *ring = ring_of(kri_trace_area_now());
    if (ring != NULL)
        kri_trace_name_put(ring->name, name);
}

uint64_t kri_trace_new_id(void)
{
    kri_trace_area *area = kri_trace_area_now();
    return area != NULL ? KRI_TRACE_SHARED_ID | (kri_add_rlx64(&area->last_id, 1) + 1) : 0;
}

#ifndef KRI_MODEL
/* Here, since a static library gives a program only the files that it has use for. */
__attribute__((constructor)) static void begin_with_program(void)
{
    kri_trace_from_environment();
}
#endif

/* The program's own. */

static void note_named(unsigned kind, enum kri_trace_phase phase, const char *name)
{
    if (kri_trace_is_on())
        kri_trace_note(kri_trace_what(kind, phase), 0, 0, name != NULL ? name : "");
}

void kr_trace_begin(const char *name)
{
    KRI_PROBE(user__begin, name, 0);
    note_named(KR_TRACE_USER, KRI_TRACE_BEGIN, name);
}

void kr_trace_end(void)
{
    KRI_TRACE_ENDS(user__end, USER, 0, 0);
}

void kr_trace_mark(const char *name)
{
    KRI_PROBE(mark, name, 0);
    note_named(KR_TRACE_MARK, KRI_TRACE_MOMENT, name);
}
