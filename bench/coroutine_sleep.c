/* Coroutines that sleep, and are gathered: what a processor spends on each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine_rows.h"
#include "party.h"

#include <krait/coroutine.h>
#ifdef KRI_HAVE_GATHER
#include <krait/gather.h>
#endif

#include <stdlib.h>

enum { SLEEPERS = 10000, ROUNDS = 10, LEAST_US = 1000, MOST_US = 10000 };

/* The first round warms up. */
struct bench_result bench_sleep_gather(const struct bench_workload *workload, const void *subject)
{
    unsigned long count = bench_amount(SLEEPERS);
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, count);
    bench_place_process(workload->place);
    const struct bench_sleepers_of *sleepers = subject;
    return (struct bench_result){.ns_per_op = sleepers->run(count)};
}

#ifdef KRI_HAVE_LOOP

struct sleepers {
    unsigned long count;
    double taken; /* by each */
};

static int sleep_a_while(const void *arg, void *result)
{
    *(unsigned long *)result = *(const unsigned long *)arg;
    return kr_sleep(kr_us((int64_t) * (const unsigned long *)arg));
}

static void gather(kr_future **futures, unsigned long count)
{
#ifdef KRI_HAVE_GATHER
    BENCH_MUST(kr_gather(futures, count, NULL, NULL, KR_FOREVER));
#endif
    for (unsigned long i = 0; i < count; i++) {
        unsigned long slept;
        BENCH_MUST(kr_future_result(futures[i], &slept, sizeof slept, NULL, KR_FOREVER));
        if (slept < LEAST_US)
            bench_fail("what a sleeper returned");
        kr_future_release(futures[i]);
    }
}

static int sleep_main(void *arg)
{
    struct sleepers *sleepers = arg;
    kr_future **futures = calloc(sleepers->count, sizeof *futures);
    unsigned random = 1;
    double begun = 0;
    for (int round = 0; round <= ROUNDS && futures; round++) {
        if (round == 1)
            begun = bench_processor_time();
        for (unsigned long i = 0; i < sleepers->count; i++) {
            random = random * 1664525u + 1013904223u;
            unsigned long us = LEAST_US + (random >> 8) % (MOST_US - LEAST_US + 1);
            BENCH_MUST(kr_spawn(&futures[i], sleep_a_while, &us, sizeof us, sizeof us, NULL));
        }
        gather(futures, sleepers->count);
    }
    sleepers->taken = (bench_processor_time() - begun) / ROUNDS / (double)sleepers->count;
    free(futures);
    return futures ? 0 : KR_ESHUTDOWN;
}

static double run_sleepers(unsigned long count)
{
    struct sleepers sleepers = {.count = count};
    BENCH_MUST(kr_run(sleep_main, &sleepers));
    return sleepers.taken;
}

const struct bench_sleepers_of bench_krait_sleepers = {run_sleepers};

#endif
