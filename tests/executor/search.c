/* How long a worker that has nothing to do looks for work: as long as that has paid lately.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"

#include "executor/pool.h"
#include "os/os.h"

enum { LEAST = 6 }; /* so many long idle times in a row, and the search is as short as it gets */

static uint32_t long_idles(kr_executor *pool)
{
    return kri_load_acq(&((kri_pool *)pool)->long_idles);
}

static void wait_asleep(kr_executor *pool)
{
    kr_pool_metrics metrics;
    do {
        kri_test_nap();
        CHECK_EQ(kr_pool_read_metrics(pool, &metrics), 0);
    } while (metrics.sleeping != 1);
}

/* Longer than it pays to look for. */
static void idle_for_long(kr_executor *pool)
{
    kr_event never = KR_EVENT_INIT;
    wait_asleep(pool);
    CHECK_EQ(kr_event_wait(&never, kr_ms(1)), -ETIMEDOUT);
}

TEST(long_idle_times_shorten_the_search_and_a_brief_one_restores_it)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_in_worker(pool, count_one, NULL), 0);
    uint32_t expected = long_idles(pool); /* 1 if the first worker was there long before its task */
    for (int round = 0; round < LEAST + 2; round++) {
        idle_for_long(pool);
        CHECK_EQ(run_in_worker(pool, count_one, NULL), 0);
        expected += expected < LEAST;
        CHECK_EQ(long_idles(pool), expected);
    }
    CHECK_EQ(expected, LEAST);
    while (long_idles(pool) != 0) /* the case's time limit ends it otherwise */
        CHECK_EQ(run_in_worker(pool, count_one, NULL), 0);
    end(pool);
}

TEST(a_worker_that_searches_goes_to_sleep_by_itself)
{
    kr_executor *pool = pool_of(1);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(run_in_worker(pool, count_one, NULL), 0);
        wait_asleep(pool);
        CHECK_EQ(kri_load_acq(&((kri_pool *)pool)->searching), 0);
    }
    end(pool);
}

static int pretend_calls_in_vain(const void *arg, void *result)
{
    kri_pool *pool = *(kri_pool *const *)arg;
    (void)result;
    kri_store_rlx(&pool->vain_calls, 4);
    return 0;
}

/* What main does not wait for in krait may have been held up by a nap before. */
static int pretend_naps_pay(const void *arg, void *result)
{
    kri_store_rlx(&(*(kri_pool *const *)arg)->naps_to_omit, 0);
    return pretend_calls_in_vain(arg, result);
}

TEST(naps_that_nobody_relies_on_end)
{
    kr_executor *pool = pool_of(1);
    kri_pool *inside = (kri_pool *)pool;
    for (int i = 0; i < 20; i++) {
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, pretend_naps_pay, &inside, sizeof inside, 0), 0);
        while (!kr_future_done(f)) /* it must not be run here */
            kri_test_nap();
        kr_future_release(f);
        while (kri_load_rlx(&inside->vain_calls) != 0) /* else the case's time limit ends it */
            kri_test_nap();
        wait_asleep(pool);
        CHECK_EQ(kri_load_acq(&inside->searching), KRI_NOBODY_SEARCHES);
    }
    end(pool);
}

/* Not by looking at the calls: the nap that follows may have ended, and forgotten them, by then. */
static void have_it_nap(kr_executor *pool)
{
    kri_pool *inside = (kri_pool *)pool;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, pretend_calls_in_vain, &inside, sizeof inside, 0), 0);
    while (!kr_future_done(f)) /* it must not be run here */
        kri_test_nap();
    kr_future_release(f);
}

/* Submit a task while the searcher naps, and wait outside of krait. */
static void leave_to_napper(kr_executor *pool)
{
    kri_pool *inside = (kri_pool *)pool;
    kr_future *f;
    while (!kri_pool_naps(inside) && kri_load_rlx(&inside->vain_calls) != 0 &&
           kri_load_rlx(&inside->naps_to_omit) == 0)
        os_pause();
    CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), 0);
    while (!kr_future_done(f))
        os_pause();
    kr_future_release(f);
}

TEST(naps_that_hold_tasks_up_are_left_out)
{
    kr_executor *pool = pool_of(1);
    kri_pool *inside = (kri_pool *)pool;
    while (kri_load_rlx(&inside->naps_to_omit) == 0) { /* else the case's time limit ends it */
        have_it_nap(pool);
        leave_to_napper(pool);
        wait_asleep(pool);
    }
    uint32_t left = kri_load_rlx(&inside->naps_to_omit);
    while (left > 0) {
        have_it_nap(pool);
        wait_asleep(pool);
        CHECK_EQ(kri_load_rlx(&inside->vain_calls), 4); /* a nap would have forgotten them */
        CHECK_EQ(kri_load_rlx(&inside->naps_to_omit), left - 1);
        left--;
    }
    have_it_nap(pool);
    wait_asleep(pool);
    CHECK_EQ(kri_load_rlx(&inside->vain_calls), 0);
    end(pool);
}

TEST(groups_and_maps_that_are_waited_for_are_no_stream)
{
    kr_executor *pool = pool_of(1);
    int numbers[4] = {0};
    for (int i = 0; i < 20; i++) {
        kr_group group;
        kr_group_task task;
        CHECK_EQ(kr_group_open(&group, pool), 0);
        CHECK_EQ(kr_group_start(&group, &task, count_one, NULL, NULL), 0);
        CHECK_EQ(kr_group_close(&group), 0);
        CHECK_EQ(*kri_streak(), 0);
        CHECK_EQ(kr_map(pool, count_one, numbers, sizeof numbers[0], 4, NULL, 0, NULL), 0);
        CHECK_EQ(*kri_streak(), 0);
    }
    end(pool);
}
