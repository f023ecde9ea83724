/* krait's process pool.  Its workers are forked, by one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool.h"

#include <krait/future.h>
#include <krait/map.h>
#include <krait/process_pool.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static kr_executor *pool;

static int tiny(const void *arg, void *result)
{
    uint64_t number;
    memcpy(&number, arg, sizeof number);
    number = bench_task(number, 0);
    memcpy(result, &number, sizeof number);
    return 0;
}

static int take_large(const void *arg, void *result)
{
    uint64_t number = bench_stamp_of(arg);
    memcpy(result, &number, sizeof number);
    return 0;
}

static int make_large(const void *arg, void *result)
{
    uint64_t number;
    memcpy(&number, arg, sizeof number);
    bench_stamp(result, number);
    return 0;
}

static void open_pool(int workers, enum bench_load load)
{
    kr_pool_options options = {.workers = workers};
    kr_process_pool_options more = {.start = KR_FORK};
    (void)load;
    BENCH_MUST(kr_process_pool_with(&pool, &options, &more));
}

static uint64_t round_trip(uint64_t arg)
{
    kr_future *future;
    uint64_t result;
    BENCH_MUST(kr_submit(pool, &future, tiny, &arg, sizeof arg, sizeof result));
    BENCH_MUST(kr_future_result(future, &result, sizeof result, NULL, KR_FOREVER));
    kr_future_release(future);
    return result;
}

static void map(const uint64_t *args, uint64_t *results, size_t count, size_t chunk)
{
    kr_map_options options = {.chunk = chunk};
    BENCH_MUST(kr_map(pool, tiny, args, sizeof *args, count, results, sizeof *results, &options));
}

static kr_future *submit_large(enum bench_load load, unsigned char *room, uint64_t number)
{
    kr_future *future;
    if (load == BENCH_LARGE_ARGS) {
        bench_stamp(room, number);
        BENCH_MUST(kr_submit(pool, &future, take_large, room, BENCH_LARGE, sizeof number));
    } else {
        BENCH_MUST(kr_submit(pool, &future, make_large, &number, sizeof number, BENCH_LARGE));
    }
    return future;
}

static uint64_t move_large(enum bench_load load, unsigned long count)
{
    static unsigned char *room;
    kr_future *flying[BENCH_IN_FLIGHT];
    uint64_t sum = 0;
    unsigned long asked = 0;
    room = room ? room : bench_large_room();
    for (unsigned long done = 0; done < count; done++) {
        for (; asked < count && asked < done + BENCH_IN_FLIGHT; asked++)
            flying[asked % BENCH_IN_FLIGHT] = submit_large(load, room, asked + 1);
        kr_future *future = flying[done % BENCH_IN_FLIGHT];
        uint64_t number;
        if (load == BENCH_LARGE_ARGS) {
            BENCH_MUST(kr_future_result(future, &number, sizeof number, NULL, KR_FOREVER));
        } else {
            BENCH_MUST(kr_future_result(future, room, BENCH_LARGE, NULL, KR_FOREVER));
            number = bench_stamp_of(room);
        }
        sum += number;
        kr_future_release(future);
    }
    return sum;
}

static int tell_pid(const void *arg, void *result)
{
    int pid = (int)getpid();
    (void)arg;
    memcpy(result, &pid, sizeof pid);
    return 0;
}

/* A task that the dying worker had already been given fails: the next one is meant. */
static int ask_pid(void)
{
    for (;;) {
        kr_future *future;
        int pid, error;
        BENCH_MUST(kr_submit(pool, &future, tell_pid, NULL, 0, sizeof pid));
        BENCH_MUST(kr_future_result(future, &pid, sizeof pid, &error, KR_FOREVER));
        kr_future_release(future);
        if (error == 0)
            return pid;
        if (error != KR_ECRASHED)
            bench_fail("a task");
    }
}

static double replace(void)
{
    int old = ask_pid(), new = old;
    double begun = bench_now();
    kill(old, SIGKILL);
    while (new == old)
        new = ask_pid();
    return bench_now() - begun;
}

const struct bench_process_pool bench_krait_processes = {.open = open_pool,
                                                         .round_trip = round_trip,
                                                         .map = map,
                                                         .move_large = move_large,
                                                         .replace = replace};
