/* krait's coroutines, in the loop of kr_run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine.h"
#include "peers.h"

#include <krait/coroutine.h>
#include <krait/event.h>
#include <krait/queue.h>

/* What a run is for, and what it found. */
struct run {
    unsigned long count;
    unsigned long visits;
    double found;
    kr_queue *there, *back;
    kr_event event;
};

static struct run run;

static double run_main(int (*main)(void *arg), unsigned long count)
{
    run = (struct run){.count = count};
    BENCH_MUST(kr_run(main, NULL));
    return run.found;
}

/* kr_yield */

static int yield_some(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    for (unsigned long i = 0; i < run.count / 2; i++) {
        run.visits++;
        (void)kr_yield();
    }
    return 0;
}

static int yield_main(void *arg)
{
    (void)arg;
    kr_future *futures[2];
    for (int i = 0; i < 2; i++)
        BENCH_MUST(kr_spawn(&futures[i], yield_some, NULL, 0, 0, NULL));
    double begun = bench_clock();
    for (int i = 0; i < 2; i++) {
        BENCH_MUST(kr_future_result(futures[i], NULL, 0, NULL, KR_FOREVER));
        kr_future_release(futures[i]);
    }
    run.found = bench_clock() - begun;
    bench_check(run.visits == run.count / 2 * 2, "krait's yields");
    return 0;
}

static double yield(unsigned long count)
{
    return run_main(yield_main, count);
}

/* kr_spawn */

static int add_one(const void *arg, void *result)
{
    *(unsigned long *)result = *(const unsigned long *)arg + 1;
    return 0;
}

static int spawn_main(void *arg)
{
    (void)arg;
    kr_future *futures[BENCH_BATCH];
    unsigned long sum = 0, made = 0;
    double begun = bench_clock();
    for (unsigned long i = 0; i < run.count; i += BENCH_BATCH) {
        for (int k = 0; k < BENCH_BATCH; k++)
            BENCH_MUST(kr_spawn(&futures[k], add_one, &i, sizeof i, sizeof i, NULL));
        for (int k = 0; k < BENCH_BATCH; k++) {
            unsigned long result;
            BENCH_MUST(kr_future_result(futures[k], &result, sizeof result, NULL, KR_FOREVER));
            kr_future_release(futures[k]);
            sum += result - i;
            made++;
        }
    }
    run.found = bench_clock() - begun;
    bench_check(sum == made, "the results of krait's coroutines");
    return 0;
}

static double spawn(unsigned long count)
{
    return run_main(spawn_main, count);
}

/* kr_queue */

static int answer(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    for (unsigned long i = 0; i < run.count; i++) {
        unsigned long number;
        BENCH_MUST(kr_queue_get(run.there, &number, KR_FOREVER));
        number++;
        BENCH_MUST(kr_queue_put(run.back, &number, KR_FOREVER));
    }
    return 0;
}

static int trips_main(void *arg)
{
    (void)arg;
    kr_future *other;
    BENCH_MUST(kr_queue_create(&run.there, sizeof run.count, 1, NULL));
    BENCH_MUST(kr_queue_create(&run.back, sizeof run.count, 1, NULL));
    BENCH_MUST(kr_spawn(&other, answer, NULL, 0, 0, NULL));
    double begun = bench_clock();
    for (unsigned long i = 0; i < run.count; i++) {
        unsigned long number = i;
        BENCH_MUST(kr_queue_put(run.there, &number, KR_FOREVER));
        BENCH_MUST(kr_queue_get(run.back, &number, KR_FOREVER));
        bench_check(number == i + 1, "a number in krait's queue");
    }
    run.found = bench_clock() - begun;
    BENCH_MUST(kr_future_result(other, NULL, 0, NULL, KR_FOREVER));
    kr_future_release(other);
    kr_queue_release(run.there);
    kr_queue_release(run.back);
    return 0;
}

static double trips(unsigned long count)
{
    return run_main(trips_main, count);
}

/* Many alive */

static int linger(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    run.visits++;
    return kr_event_wait(&run.event, KR_FOREVER);
}

static int memory_main(void *arg)
{
    (void)arg;
    double before = bench_resident();
    for (unsigned long i = 0; i < run.count; i++)
        BENCH_MUST(kr_spawn(NULL, linger, NULL, 0, 0, NULL));
    while (run.visits < run.count)
        (void)kr_yield();
    run.found = bench_resident() - before;
    kr_event_set(&run.event);
    return 0;
}

static double memory(unsigned long count)
{
    return run_main(memory_main, count);
}

const struct bench_coroutines bench_krait_coroutines = {
    .yield = yield, .spawn = spawn, .trips = trips, .memory = memory};
