/* krait's pools: as they come; with every task handed to a worker; used from inside a task; and
 * kr_map for its loops.
 *
 * The caller is not one of the workers, but runs tasks that it waits for, where it may.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "pool.h"

#include <krait/krait.h>
#ifdef KRI_HAVE_GROUP
#include <krait/group.h>
#endif
#ifdef KRI_HAVE_PARALLEL
#include <krait/parallel.h>
#endif

static kr_executor *pool;

static void open_krait(int workers)
{
    BENCH_MUST(kr_thread_pool(&pool, &(kr_pool_options){.workers = workers}));
}

static void open_handed(int workers)
{
    BENCH_MUST(
        kr_thread_pool(&pool, &(kr_pool_options){.workers = workers, .no_outside_help = true}));
}

/* Tasks by themselves */

static int run_empty(const void *arg, void *result)
{
    *(uint64_t *)result = bench_task(*(const uint64_t *)arg, 0);
    return 0;
}

struct ground {
    uint64_t arg;
    unsigned rounds;
};

static int run_ground(const void *arg, void *result)
{
    const struct ground *ground = arg;
    *(uint64_t *)result = bench_task(ground->arg, ground->rounds);
    return 0;
}

static kr_future *submit_one(uint64_t arg, unsigned rounds)
{
    kr_future *future;
    if (rounds == 0) {
        BENCH_MUST(kr_submit(pool, &future, run_empty, &arg, sizeof arg, sizeof arg));
    } else {
        struct ground ground = {.arg = arg, .rounds = rounds};
        BENCH_MUST(kr_submit(pool, &future, run_ground, &ground, sizeof ground, sizeof arg));
    }
    return future;
}

static uint64_t finish(kr_future *future)
{
    uint64_t result;
    BENCH_MUST(kr_future_result(future, &result, sizeof result, NULL, KR_FOREVER));
    kr_future_release(future);
    return result;
}

static uint64_t submit_krait(unsigned long count, unsigned rounds)
{
    kr_future **futures = bench_places(count, sizeof(kr_future *));
    uint64_t sum = 0;
    for (unsigned long i = 0; i < count; i++)
        futures[i] = submit_one(i, rounds);
    for (unsigned long i = 0; i < count; i++)
        sum += finish(futures[i]);
    return sum;
}

static uint64_t round_trip_krait(uint64_t arg)
{
    return finish(submit_one(arg, 0));
}

/* Inside a task */

struct visit {
    void (*body)(void *arg);
    void *arg;
};

static int run_visit(const void *arg, void *result)
{
    const struct visit *visit = arg;
    (void)result;
    visit->body(visit->arg);
    return 0;
}

static void inside_krait(void (*body)(void *arg), void *arg)
{
    struct visit visit = {.body = body, .arg = arg};
    kr_future *future;
    BENCH_MUST(kr_submit(pool, &future, run_visit, &visit, sizeof visit, 0));
    BENCH_MUST(kr_future_result(future, NULL, 0, NULL, KR_FOREVER));
    kr_future_release(future);
}

/* Fork and join */

static uint64_t run_root(kr_task_fn fn, unsigned n)
{
    kr_future *future;
    uint64_t number = n;
    BENCH_MUST(kr_submit(pool, &future, fn, &number, sizeof number, sizeof number));
    return finish(future);
}

static int run_fib_future(const void *arg, void *result)
{
    uint64_t n = *(const uint64_t *)arg, sum = n;
    if (n >= 2) {
        kr_future *parts[2];
        for (unsigned i = 0; i < 2; i++) {
            uint64_t less = n - 1 - i;
            BENCH_MUST(kr_submit(pool, &parts[i], run_fib_future, &less, sizeof less, sizeof less));
        }
        /* The one submitted last is the one that is nearest. */
        sum = finish(parts[1]);
        sum += finish(parts[0]);
    }
    *(uint64_t *)result = sum;
    return 0;
}

static uint64_t fib_future_krait(unsigned n)
{
    return run_root(run_fib_future, n);
}

#ifdef KRI_HAVE_GROUP

static int run_fib_both(const void *arg, void *result)
{
    uint64_t n = *(const uint64_t *)arg, less[2] = {n - 1, n - 2}, parts[2] = {0, n};
    kr_group group;
    kr_group_task tasks[2];
    int err = 0;
    if (n >= 2) {
        kr_group_open(&group, NULL);
        for (unsigned i = 0; i < 2; i++)
            kr_group_start(&group, &tasks[i], run_fib_both, &less[i], &parts[i]);
        err = kr_group_close(&group);
    }
    *(uint64_t *)result = parts[0] + parts[1];
    return err;
}

static int run_fib_one(const void *arg, void *result)
{
    uint64_t n = *(const uint64_t *)arg, less[2] = {n - 1, n - 2}, parts[2] = {0, n};
    kr_group group;
    kr_group_task task;
    int err = 0;
    if (n >= 2) {
        kr_group_open(&group, NULL);
        kr_group_start(&group, &task, run_fib_one, &less[0], &parts[0]);
        int called = run_fib_one(&less[1], &parts[1]);
        err = kr_group_close(&group);
        err = err ? err : called;
    }
    *(uint64_t *)result = parts[0] + parts[1];
    return err;
}

static uint64_t fib_both_krait(unsigned n)
{
    return run_root(run_fib_both, n);
}

static uint64_t fib_one_krait(unsigned n)
{
    return run_root(run_fib_one, n);
}

#else
#define fib_both_krait NULL
#define fib_one_krait  NULL
#endif

/* Loops */

static int run_item(const void *arg, void *result)
{
    *(double *)result = bench_item(*(const double *)arg);
    return 0;
}

static void loop_map(const double *from, double *to, size_t count)
{
    BENCH_MUST(kr_map(pool, run_item, from, sizeof *from, count, to, sizeof *to, NULL));
}

#ifdef KRI_HAVE_PARALLEL

struct range {
    const double *from;
    double *to;
};

static int run_range(size_t first, size_t end, void *arg)
{
    const struct range *range = arg;
    for (size_t i = first; i < end; i++)
        range->to[i] = bench_item(range->from[i]);
    return 0;
}

static void loop_krait(const double *from, double *to, size_t count)
{
    struct range range = {.from = from, .to = to};
    BENCH_MUST(kr_parallel_for(pool, 0, count, run_range, &range, NULL));
}

#else
#define loop_krait NULL
#endif

const struct bench_pool bench_krait_pool = {
    .open = open_krait,
    .submit = submit_krait,
    .round_trip = round_trip_krait,
    .loop = loop_krait,
};

/* Fork and join begin here too, so that a worker runs the root and not the thread outside. */
const struct bench_pool bench_krait_handed = {
    .open = open_handed,
    .fib_both = fib_both_krait,
    .fib_one = fib_one_krait,
    .fib_future = fib_future_krait,
    .round_trip = round_trip_krait,
};

const struct bench_pool bench_krait_inside = {
    .open = open_handed,
    .inside = inside_krait,
    .round_trip = round_trip_krait,
};

static void loop_call_map(const double *from, double *to, size_t count)
{
    BENCH_MUST(kr_map(pool, bench_item_call, from, sizeof *from, count, to, sizeof *to, NULL));
}

const struct bench_pool bench_krait_map = {
    .open = open_krait,
    .loop = loop_map,
    .loop_call = loop_call_map,
};
