/* How long tasks wait.
 *
 * A duration of n nanoseconds goes to the step that its highest five bits name.  All is relaxed: a
 * reader sees some of what is noted beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/waiting_times.h"

enum { STEPS = KRI_TIME_DOUBLINGS * KRI_TIME_STEPS };

static size_t step_of(uint64_t n)
{
    if (n < KRI_TIME_STEPS)
        return (size_t)n;
    unsigned doubling = 63 - (unsigned)__builtin_clzll(n) - 4;
    size_t step = (doubling + 1) * KRI_TIME_STEPS + ((n >> doubling) & (KRI_TIME_STEPS - 1));
    return step < STEPS ? step : STEPS - 1;
}

/* The longest duration that belongs to a step. */
static uint64_t end_of(size_t step)
{
    if (step < KRI_TIME_STEPS)
        return step;
    uint64_t doubling = step / KRI_TIME_STEPS - 1;
    uint64_t within = step % KRI_TIME_STEPS + KRI_TIME_STEPS;
    return ((within + 1) << doubling) - 1;
}

void kri_waiting_times_note(kri_waiting_times *times, kr_time duration)
{
    uint64_t n = duration > 0 ? (uint64_t)duration : 0;
    uint64_t longest = kri_load_rlx64(&times->longest);
    while (n > longest && !kri_cas_rlx64(&times->longest, &longest, n))
        ;
    kri_add_rlx64(&times->counts[step_of(n)], 1);
}

static kr_time percentile(const uint64_t *counts, uint64_t total, unsigned percent)
{
    uint64_t wanted = (total * percent + 99) / 100;
    uint64_t passed = 0;
    for (size_t i = 0; i < STEPS && wanted; i++) {
        passed += counts[i];
        if (passed >= wanted)
            return (kr_time)end_of(i);
    }
    return 0;
}

void kri_waiting_times_read(const kri_waiting_times *times, const unsigned *percents, size_t count,
                            kr_time *durations)
{
    uint64_t counts[STEPS];
    uint64_t total = 0;
    for (size_t i = 0; i < STEPS; i++) {
        counts[i] = kri_load_rlx64(&times->counts[i]);
        total += counts[i];
    }
    kr_time longest = (kr_time)kri_load_rlx64(&times->longest);
    for (size_t i = 0; i < count; i++) {
        kr_time duration = percentile(counts, total, percents[i]);
        durations[i] = duration < longest ? duration : longest;
    }
}
