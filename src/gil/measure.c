/* What an interpreter lock tells about itself: counts, percentiles, the log.
 *
 * Counts are written by one runner at a time, see take.c, and read by anybody, relaxed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"

#include <string.h>

/* Durations: 0 to 15 each for itself, then 8 steps for each doubling. */
enum { STEP_BITS = 3, EXACT = 16 };

#ifndef KRI_MODEL
static unsigned step_of(uint64_t value)
{
    if (value < EXACT)
        return (unsigned)value;
    unsigned top = 63 - (unsigned)__builtin_clzll(value);
    unsigned step = EXACT + (top - STEP_BITS - 1) * 8 + (unsigned)(value >> (top - STEP_BITS) & 7);
    return step < KRI_GIL_STEPS ? step : KRI_GIL_STEPS - 1;
}

static inline void put_in(kri_gil_histogram *h, unsigned step, uint64_t value)
{
    kri_store_rlx(&h->steps[step], kri_load_rlx(&h->steps[step]) + 1);
    kri_gil_count(&h->count, 1);
    if (value > kri_load_rlx64(&h->max))
        kri_store_rlx64(&h->max, value);
}

/* The lock's and the runner's. */
void kri_gil_note_time(kri_gil_histogram *all, kri_gil_histogram *own, kr_time time)
{
    uint64_t value = time > 0 ? (uint64_t)time : 0;
    unsigned step = step_of(value);
    put_in(all, step, value);
    put_in(own, step, value);
}
#endif

/* The middle of a step. */
static uint64_t value_of(unsigned step)
{
    if (step < EXACT)
        return step;
    unsigned top = (step - EXACT) / 8 + STEP_BITS + 1;
    uint64_t low = (uint64_t)(8 + (step - EXACT) % 8) << (top - STEP_BITS);
    return low + (UINT64_C(1) << (top - STEP_BITS)) / 2;
}

static kr_time percentile(const kri_gil_histogram *h, uint64_t count, unsigned percent)
{
    uint64_t wanted = (count * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < KRI_GIL_STEPS; i++) {
        seen += kri_load_rlx(&h->steps[i]);
        if (seen >= wanted && seen > 0)
            return (kr_time)value_of(i);
    }
    return 0;
}

static kr_gil_times times_of(const kri_gil_histogram *h)
{
    kr_gil_times times = {.count = kri_load_rlx64(&h->count),
                          .max = (kr_time)kri_load_rlx64(&h->max)};
    times.p50 = percentile(h, times.count, 50);
    times.p99 = percentile(h, times.count, 99);
    if (times.p50 > times.max)
        times.p50 = times.max;
    if (times.p99 > times.max)
        times.p99 = times.max;
    return times;
}

static void copy_counts(const kri_gil_counts *counts, kr_gil_metrics *metrics)
{
    metrics->switches = kri_load_rlx64(&counts->switches);
    metrics->forced_drops = kri_load_rlx64(&counts->forced_drops);
    metrics->waits = kri_load_rlx64(&counts->waits);
    metrics->held = (kr_time)kri_load_rlx64(&counts->held);
    metrics->wait = times_of(&counts->wait);
    metrics->hold = times_of(&counts->hold);
}

void kr_gil_measure(kr_gil *gil, kr_gil_metrics *metrics)
{
    copy_counts(&gil->counts, metrics);
    kri_mutex_lock(&gil->lock);
    metrics->waiting = gil->waiting;
    metrics->attached = gil->attached;
    kri_mutex_unlock(&gil->lock);
}

void kr_gil_measure_thread(kr_gil_thread *thread, kr_gil_metrics *metrics)
{
    copy_counts(&thread->counts, metrics);
    kri_mutex_lock(&thread->gil->lock);
    metrics->waiting = thread->queued;
    metrics->attached = 1;
    kri_mutex_unlock(&thread->gil->lock);
}

/* In a forked child, where nobody else is. */
void kri_gil_forget_counts(kri_gil_counts *counts)
{
    *counts = (kri_gil_counts){0};
}

/* The log. */

void kri_gil_note(kr_gil *g, kr_gil_thread *t, kr_gil_what what, kr_time now)
{
    kr_gil_event *event = &g->events[g->event_count++ % g->log_size];
    event->time = now;
    event->thread = t->number;
    memcpy(event->name, t->name, sizeof event->name);
    event->what = what;
}

size_t kr_gil_log(kr_gil *gil, kr_gil_event *events, size_t most)
{
    if (gil->events == NULL)
        return 0;
    kri_mutex_lock(&gil->lock);
    uint64_t kept = gil->event_count < gil->log_size ? gil->event_count : gil->log_size;
    size_t count = kept < most ? (size_t)kept : most;
    uint64_t from = gil->event_count - count;
    for (size_t i = 0; i < count; i++)
        events[i] = gil->events[(from + i) % gil->log_size];
    kri_mutex_unlock(&gil->lock);
    return count;
}

void kr_gil_set_name(kr_gil_thread *thread, const char *name)
{
    kri_mutex_lock(&thread->gil->lock);
    memset(thread->name, 0, sizeof thread->name);
    memcpy(thread->name, name, strnlen(name, sizeof thread->name - 1));
    kri_mutex_unlock(&thread->gil->lock);
}
