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
    kri_add_rlx64(&times->counts[step_of(n)], 1);
    uint64_t longest = kri_load_rlx64(&times->longest);
    while (n > longest && !kri_cas_rlx64(&times->longest, &longest, n))
        ;
}

kr_time kri_waiting_times_percentile(const kri_waiting_times *times, unsigned percent)
{
    uint64_t total = 0;
    for (size_t i = 0; i < STEPS; i++)
        total += kri_load_rlx64(&times->counts[i]);
    uint64_t longest = kri_load_rlx64(&times->longest);
    uint64_t wanted = (total * percent + 99) / 100;
    uint64_t passed = 0;
    for (size_t i = 0; i < STEPS && wanted; i++) {
        passed += kri_load_rlx64(&times->counts[i]);
        if (passed >= wanted)
            return (kr_time)(end_of(i) < longest ? end_of(i) : longest);
    }
    return (kr_time)longest;
}
