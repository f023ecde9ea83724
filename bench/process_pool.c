/* What is measured of pools of processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool.h"
#include "party.h"

#include <stdlib.h>

enum {
    WARM_TRIPS = 200,
    LEAST_TRIPS = 200,
    MOST_TRIPS = 50000,
    ITEMS = 100000,
    LARGE_MESSAGES = 400,
    REPLACEMENTS = 15,
};

/* The pool's functions; where it is made by hand, those for its lanes. */
static const struct bench_process_pool *functions(const void *subject)
{
    const struct bench_process_pool *pool = subject;
    if (!pool->duplex)
        return pool;
    bench_hand_lanes = pool->duplex;
    return &bench_hand;
}

static double make_trips(const struct bench_process_pool *pool, unsigned long count)
{
    double begun = bench_now();
    for (unsigned long i = 0; i < count; i++) {
        if (pool->round_trip(i) != bench_task(i, 0))
            bench_fail("the result of a round trip");
    }
    return bench_now() - begun;
}

struct bench_result bench_processes_hot(const struct bench_workload *workload, const void *subject)
{
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, bench_amount(MOST_TRIPS));
    const struct bench_process_pool *pool = functions(subject);
    bench_place_process(workload->place);
    pool->open(workload->threads, BENCH_TINY);
    unsigned long trips = bench_afford(make_trips(pool, WARM_TRIPS), WARM_TRIPS, LEAST_TRIPS,
                                       bench_amount(MOST_TRIPS));
    return (struct bench_result){.ns_per_op = make_trips(pool, trips) / (double)trips};
}

static double map_once(const struct bench_process_pool *pool, size_t count, size_t chunk)
{
    uint64_t *args = calloc(count, sizeof *args), *results = calloc(count, sizeof *results);
    if (!args || !results)
        bench_fail("calloc");
    for (size_t i = 0; i < count; i++)
        args[i] = results[i] = i;
    double begun = bench_now();
    pool->map(args, results, count, chunk);
    double taken = bench_now() - begun;
    for (size_t i = 0; i < count; i++) {
        if (results[i] != bench_task(i, 0))
            bench_fail("the result of a map");
    }
    free(args);
    free(results);
    return taken;
}

static struct bench_result measure_map(const struct bench_workload *workload, const void *subject,
                                       size_t chunk)
{
    size_t count = bench_amount(ITEMS);
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, count);
    const struct bench_process_pool *pool = functions(subject);
    bench_place_process(workload->place);
    pool->open(workload->threads, BENCH_TINY);
    /* By hand it takes tens of times as long, whatever their number. */
    size_t few = pool == &bench_hand ? count / 50 + 1 : count;
    count = bench_afford(map_once(pool, few, chunk), few, few, count);
    return (struct bench_result){.ns_per_op = map_once(pool, count, chunk) / (double)count};
}

struct bench_result bench_processes_map(const struct bench_workload *workload, const void *subject)
{
    return measure_map(workload, subject, 1);
}

struct bench_result bench_processes_map_auto(const struct bench_workload *workload,
                                             const void *subject)
{
    return measure_map(workload, subject, 0);
}

static struct bench_result measure_large(const struct bench_workload *workload, const void *subject,
                                         enum bench_load load)
{
    uint64_t count = bench_amount(LARGE_MESSAGES), warm = 4 * BENCH_IN_FLIGHT;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, count);
    const struct bench_process_pool *pool = functions(subject);
    bench_place_process(workload->place);
    pool->open(workload->threads, load);
    if (pool->move_large(load, warm) != warm * (warm + 1) / 2)
        bench_fail("the sum of the messages");
    double begun = bench_now();
    uint64_t sum = pool->move_large(load, count);
    double taken = bench_now() - begun;
    if (sum != count * (count + 1) / 2)
        bench_fail("the sum of the messages");
    return (struct bench_result){.ns_per_op = taken / (double)count};
}

struct bench_result bench_processes_args(const struct bench_workload *workload, const void *subject)
{
    return measure_large(workload, subject, BENCH_LARGE_ARGS);
}

struct bench_result bench_processes_results(const struct bench_workload *workload,
                                            const void *subject)
{
    return measure_large(workload, subject, BENCH_LARGE_RESULTS);
}

struct bench_result bench_processes_replace(const struct bench_workload *workload,
                                            const void *subject)
{
    double taken[REPLACEMENTS];
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, REPLACEMENTS);
    const struct bench_process_pool *pool = functions(subject);
    bench_place_process(workload->place);
    pool->open(1, BENCH_TINY);
    make_trips(pool, WARM_TRIPS);
    for (int i = 0; i < REPLACEMENTS; i++) {
        taken[i] = pool->replace();
        make_trips(pool, WARM_TRIPS);
    }
    return (struct bench_result){.ns_per_op = bench_middle(taken, REPLACEMENTS)};
}
