/* Tasks that wait for tasks until no worker is left: spare ones take over.
 *
 * A wait without a time limit runs what is queued itself, as far as the stack reaches; one with a
 * time limit never does.  In both cases somebody must come to what is queued.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/sanitizers.h"
#include <stdlib.h>

/* How a task waits for another. */
enum way { BY_RESULT, BY_WAIT, BY_COMPLETED, WAYS };

static int wait_by(enum way way, kr_future *f, kr_time timeout)
{
    kr_completed *it;
    kr_future *got;
    int err;
    switch (way) {
    case BY_RESULT:
        return kr_future_exception(f, NULL, timeout);
    case BY_WAIT:
        err = kr_wait(&f, 1, KR_FIRST_COMPLETED, NULL, timeout);
        break;
    default:
        CHECK_EQ(kr_as_completed(&it, &f, 1), 0);
        err = kr_completed_next(it, &got, timeout);
        kr_completed_release(it);
    }
    if (err == 0)
        return -ETIMEDOUT;
    return err < 0 ? err : kr_future_exception(f, NULL, KR_NOWAIT);
}

/* All workers have a task, and only then each task submits one and waits for it. */

struct starved {
    kr_executor *pool;
    enum way way;
    kr_time timeout;
    struct gate gate;
};

static int submit_and_wait(const void *arg, void *result)
{
    struct starved *starved = (struct starved *)(uintptr_t)arg;
    (void)result;
    kr_future *f;
    CHECK_EQ(kr_semaphore_release(&starved->gate.entered, 1), 0);
    CHECK_EQ(kr_event_wait(&starved->gate.open, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(starved->pool, &f, count_one, NULL, 0, 0), 0);
    int err = wait_by(starved->way, f, starved->timeout);
    kr_future_release(f);
    return err;
}

static void starve(int workers, enum way way, kr_time timeout)
{
    struct starved starved = {.pool = pool_of(workers), .way = way, .timeout = timeout};
    kr_future *futures[4];
    kri_store_sc(&ran, 0);
    for (int i = 0; i < workers; i++)
        CHECK_EQ(kr_submit(starved.pool, &futures[i], submit_and_wait, &starved, 0, 0), 0);
    wait_entered(&starved.gate, workers);
    kr_event_set(&starved.gate.open);
    for (int i = 0; i < workers; i++)
        CHECK_EQ(error_from_worker(futures[i]), 0);
    CHECK_EQ(kri_load_sc(&ran), workers);
    end(starved.pool);
}

static void starve_each_way(kr_time timeout)
{
    for (int workers = 1; workers <= 4; workers++)
        for (enum way way = 0; way < WAYS; way++)
            starve(workers, way, timeout);
}

TEST(all_workers_wait_for_ever)
{
    starve_each_way(KR_FOREVER);
}

TEST(all_workers_wait_with_a_time_limit)
{
    starve_each_way(kr_sec(20));
}

/* Many more tasks than workers, each with children that it waits for with a time limit. */

static int fan_out(const void *arg, void *result)
{
    kr_executor *pool = (kr_executor *)(uintptr_t)arg;
    kr_future *futures[20];
    (void)result;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_wait(futures, 20, KR_ALL_COMPLETED, NULL, kr_sec(20)), 20);
    for (int i = 0; i < 20; i++)
        kr_future_release(futures[i]);
    return 0;
}

TEST(more_tasks_than_workers_wait_with_a_time_limit)
{
    kr_executor *pool = pool_of(2);
    kr_future *futures[40];
    for (int i = 0; i < 40; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], fan_out, pool, 0, 0), 0);
    for (int i = 0; i < 40; i++)
        CHECK_EQ(error_from_worker(futures[i]), 0);
    CHECK_EQ(kri_load_sc(&ran), 800);
    end(pool);
}

/* Chains */

struct chain {
    kr_executor *pool;
    kr_executor *other; /* runs every second one */
    int depth;
    enum way way;
    kr_time timeout;
    kr_time last_timeout; /* of the wait for the last one */
};

static kr_word ends;

static int descend(const void *arg, void *result)
{
    const struct chain *chain = arg;
    (void)result;
    if (chain->depth == 0) {
        kri_add_rlx(&ends, 1);
        return 0;
    }
    struct chain below = *chain;
    below.depth--;
    below.pool = chain->other;
    below.other = chain->pool;
    kr_future *f;
    CHECK_EQ(kr_submit(below.pool, &f, descend, &below, sizeof below, 0), 0);
    int err = wait_by(chain->way, f, chain->depth == 1 ? chain->last_timeout : chain->timeout);
    kr_future_release(f);
    return err;
}

static int run_chain(struct chain chain)
{
    kr_future *f;
    CHECK_EQ(kr_submit(chain.pool, &f, descend, &chain, sizeof chain, 0), 0);
    return error_from_worker(f);
}

static void check_chain(const kr_pool_options *options, enum way way, int depth, kr_time timeout)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, options), 0);
    kri_store_sc(&ends, 0);
    CHECK_EQ(run_chain((struct chain){pool, pool, depth, way, timeout, timeout}), 0);
    CHECK_EQ(kri_load_sc(&ends), 1);
    end(pool);
}

static const kr_pool_options one_worker = {.workers = 1};

TEST(a_chain_10000_deep_by_result)
{
    check_chain(&one_worker, BY_RESULT, 10000, KR_FOREVER);
}

TEST(a_chain_10000_deep_by_wait)
{
    check_chain(&one_worker, BY_WAIT, 10000, KR_FOREVER);
}

TEST(a_chain_10000_deep_by_as_completed)
{
    check_chain(&one_worker, BY_COMPLETED, 10000, KR_FOREVER);
}

TEST(a_chain_10000_deep_on_three_workers)
{
    check_chain(&(kr_pool_options){.workers = 3}, BY_RESULT, 10000, KR_FOREVER);
}

TEST(a_chain_1000_deep_on_small_stacks)
{
    kr_pool_options options = {.workers = 1, .stack_size = 256 << 10};
    check_chain(&options, BY_RESULT, 1000, KR_FOREVER);
}

TEST(a_chain_100000_deep)
{
    const char *is_long = getenv("KR_LONG");
    if (!is_long || strcmp(is_long, "1") != 0)
        SKIP("it is one of the long ones");
    if (KRI_TSAN)
        SKIP("so many threads at a time are too many for the thread sanitizer");
    check_chain(&(kr_pool_options){.workers = 1, .max_spares = 1000}, BY_RESULT, 100000,
                KR_FOREVER);
}

TEST(a_chain_60_deep_with_time_limits)
{
    for (enum way way = 0; way < WAYS; way++)
        check_chain(&one_worker, way, 60, kr_sec(20 * KRI_TIMES));
}

TEST(a_chain_through_two_pools_with_time_limits)
{
    kr_executor *a = pool_of(1), *b = pool_of(1);
    const kr_time limit = kr_sec(20 * KRI_TIMES);
    for (enum way way = 0; way < WAYS; way++)
        CHECK_EQ(run_chain((struct chain){a, b, 100, way, limit, limit}), 0);
    end(a);
    end(b);
    CHECK_EQ(kri_load_sc(&ends), WAYS);
}

/* How many there are */

TEST(max_spares_is_how_many_may_wait)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_spares = 3}), 0);
    CHECK_EQ(run_chain((struct chain){pool, pool, 3, BY_RESULT, kr_sec(20), kr_sec(20)}), 0);
    /* Four wait, for the last of whom nobody is left, until it gives up. */
    CHECK_EQ(run_chain((struct chain){pool, pool, 4, BY_RESULT, kr_sec(20), kr_ms(50)}),
             -ETIMEDOUT);
    end(pool);
    CHECK_EQ(kri_load_sc(&ends), 2);
}

TEST(without_spares_a_time_limit_passes)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_spares = -1}), 0);
    CHECK_EQ(run_chain((struct chain){pool, pool, 1, BY_RESULT, kr_ms(50), kr_ms(50)}), -ETIMEDOUT);
    /* One without a limit runs what it waits for. */
    CHECK_EQ(run_chain((struct chain){pool, pool, 100, BY_RESULT, KR_FOREVER, KR_FOREVER}), 0);
    end(pool);
    CHECK_EQ(kri_load_sc(&ends), 2);
}

static void wait_for_threads(int most)
{
    while (kr_thread_active_count() > most)
        kri_test_nap();
}

TEST(shutdown_ends_spares_that_sleep)
{
    int before = kr_thread_active_count();
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_chain((struct chain){pool, pool, 20, BY_RESULT, kr_sec(20), kr_sec(20)}), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_thread_active_count(), before);
    kr_executor_release(pool);
}

TEST(spares_end_after_some_seconds)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_chain((struct chain){pool, pool, 20, BY_RESULT, kr_sec(20), kr_sec(20)}), 0);
    wait_for_threads(2);
    CHECK_EQ(run_chain((struct chain){pool, pool, 20, BY_RESULT, kr_sec(20), kr_sec(20)}), 0);
    end(pool);
    CHECK_EQ(kri_load_sc(&ends), 2);
}

/* A waiter that gives up leaves its task to the others. */

static int give_up(const void *arg, void *result)
{
    kr_executor *pool = (kr_executor *)(uintptr_t)arg;
    (void)result;
    struct gate gate = {0};
    kr_future *f = submit_gate(pool, &gate);
    do {
        CHECK_EQ(kr_future_exception(f, NULL, kr_ms(20)), -ETIMEDOUT);
    } while (!kr_future_running(f)); /* in a spare, which keeps it until the gate is open */
    kr_event_set(&gate.open);
    CHECK_EQ(kr_future_exception(f, NULL, kr_sec(20)), 0);
    kr_future_release(f);
    return 0;
}

TEST(a_spare_goes_on_when_the_waiter_gives_up)
{
    kr_executor *pool = pool_of(1);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(run_in_worker(pool, give_up, pool), 0);
    end(pool);
}

/* Spares are workers: with the initializer, and with a name. */

static kr_word initialized;
static _Thread_local int ready;

static int initialize(void *arg)
{
    (void)arg;
    kri_add_sc(&initialized, 1);
    ready = 1;
    return 0;
}

static int check_ready(const void *arg, void *result)
{
    char name[KR_THREAD_NAME_SIZE];
    (void)result;
    CHECK_EQ(ready, 1);
    kr_thread_name(kr_thread_current(), name, sizeof name);
    CHECK_EQ(strncmp(name, "cook_", 5), 0);
    return arg ? descend(arg, NULL) : 0;
}

TEST(spares_run_the_initializer_and_have_a_name)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = 1, .name = "cook", .initializer = initialize};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    struct chain chain = {pool, pool, 10, BY_RESULT, kr_sec(20), kr_sec(20)};
    CHECK_EQ(run_in_worker(pool, check_ready, &chain), 0);
    CHECK_EQ(kri_load_sc(&initialized), 11);
    for (int i = 0; i < 30; i++)
        CHECK_EQ(run_in_worker(pool, check_ready, NULL), 0);
    end(pool);
}
