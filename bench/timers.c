/* Timers: what a processor spends on setting and firing one of very many, and on setting one anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "timers.h"
#include "coroutine_rows.h"
#include "party.h"

#include <stdlib.h>

enum { OUTSTANDING = 1000000, REARMED = 5, SOONEST = 1000, SPREAD = 1000 };

size_t bench_timers_fired;

static unsigned draw(unsigned below)
{
    static unsigned long long state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static unsigned *numbers(size_t count)
{
    unsigned *all = malloc(count * sizeof *all);
    if (!all)
        bench_fail("malloc");
    return all;
}

/* None is due before the last of them has been set. */
struct bench_result bench_timers_fire(const struct bench_workload *workload, const void *subject)
{
    const struct bench_timers *timers = subject;
    size_t count = bench_amount(OUTSTANDING);
    unsigned *delays = numbers(count);
    for (size_t i = 0; i < count; i++)
        delays[i] = SOONEST + draw(SPREAD);
    bench_place_process(workload->place);
    double begun = bench_processor_time(), since = bench_now();
    timers->arm(delays, count);
    timers->run();
    double taken = bench_processor_time() - begun;
    if (bench_timers_fired != count || bench_now() - since < SOONEST * 1e6)
        bench_fail("the timers that fired");
    free(delays);
    return (struct bench_result){.ns_per_op = taken / (double)count};
}

static struct bench_result measure_rearm(const struct bench_workload *workload,
                                         const struct bench_timers *timers, bool shuffled)
{
    size_t count = bench_amount(OUTSTANDING);
    unsigned *delays = numbers(count), *order = numbers(count);
    for (size_t i = 0; i < count; i++) {
        delays[i] = BENCH_TIMEOUT + draw(SPREAD);
        order[i] = (unsigned)i;
    }
    for (size_t i = count - 1; i > 0 && shuffled; i--) {
        size_t other = draw((unsigned)i + 1);
        unsigned number = order[i];
        order[i] = order[other];
        order[other] = number;
    }
    bench_place_process(workload->place);
    timers->arm(delays, count);
    timers->rearm(order, count);
    double begun = bench_processor_time();
    for (int i = 0; i < REARMED; i++)
        timers->rearm(order, count);
    double taken = bench_processor_time() - begun;
    if (bench_timers_fired != 0)
        bench_fail("timers that were to be set anew");
    free(delays);
    free(order);
    return (struct bench_result){.ns_per_op = taken / REARMED / (double)count};
}

struct bench_result bench_timers_rearm(const struct bench_workload *workload, const void *subject)
{
    return measure_rearm(workload, subject, false);
}

struct bench_result bench_timers_rearm_random(const struct bench_workload *workload,
                                              const void *subject)
{
    return measure_rearm(workload, subject, true);
}
