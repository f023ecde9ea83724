/* Waiting for several futures, map and timers under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/completed.h>
#include <krait/executor.h>
#include <krait/map.h>
#include <krait/timer.h>

static struct {
    kr_future *futures[2];
    int fired; /* by the timer's thread */
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    for (int i = 0; i < 2; i++)
        kr_explore_check(kr_future_create(&s.futures[i], 0) == 0);
}

static void release(void)
{
    for (int i = 0; i < 2; i++)
        kr_future_release(s.futures[i]);
}

static void fulfil(void *arg)
{
    kr_explore_check(kr_future_set_result(arg, NULL, 0) == 0);
}

static void fulfil_later(void)
{
    kr_explore_spawn(fulfil, s.futures[0]);
    kr_explore_spawn(fulfil, s.futures[1]);
}

SCENARIO(wait_for_all, .stale = 1)
{
    bool done[2] = {false, false};

    fresh();
    fulfil_later();
    kr_explore_check(kr_wait(s.futures, 2, KR_ALL_COMPLETED, done, KR_FOREVER) == 2);
    kr_explore_check(done[0] && done[1]);
    kr_explore_join_all();
    release();
}

SCENARIO(wait_for_first, .stale = 1)
{
    bool done[2] = {false, false};

    fresh();
    fulfil_later();
    int count = kr_wait(s.futures, 2, KR_FIRST_COMPLETED, done, KR_FOREVER);
    kr_explore_check(count >= 1 && count == done[0] + done[1]);
    kr_explore_join_all();
    release();
}

SCENARIO(as_completed, .stale = KR_EXPLORE_NONE)
{
    kr_completed *it;
    kr_future *first, *second, *none;

    fresh();
    fulfil_later();
    kr_explore_check(kr_as_completed(&it, s.futures, 2) == 0);
    kr_explore_check(kr_completed_next(it, &first, KR_FOREVER) == 1);
    kr_explore_check(kr_completed_next(it, &second, KR_FOREVER) == 1);
    kr_explore_check(first != second);
    kr_explore_check(kr_completed_next(it, &none, KR_FOREVER) == 0);
    kr_completed_release(it);
    kr_explore_join_all();
    release();
}

/* Released while the futures are on their way. */
SCENARIO(as_completed_left_early, .stale = 1)
{
    kr_completed *it;

    fresh();
    fulfil_later();
    kr_explore_check(kr_as_completed(&it, s.futures, 2) == 0);
    kr_completed_release(it);
    kr_explore_join_all();
    release();
}

static int add(const void *arg, void *result)
{
    *(int *)result = *(const int *)arg + 1;
    return 0;
}

SCENARIO(map_pct, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 20000)
{
    kr_executor *pool;
    int args[3] = {1, 2, 3};
    int results[3] = {0, 0, 0};

    kr_explore_check(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}) == 0);
    int err = kr_map(pool, add, args, sizeof args[0], 3, results, sizeof results[0], NULL);
    kr_explore_check(err == 0);
    for (int i = 0; i < 3; i++)
        kr_explore_check(results[i] == args[i] + 1);
    kr_explore_check(kr_executor_shutdown(pool, NULL, KR_FOREVER) == 0);
    kr_executor_release(pool);
}

static int fire(void *arg)
{
    (void)arg;
    s.fired++;
    return 0;
}

SCENARIO(timer_cancel_against_fire, .stale = 1)
{
    kr_timer *timer;

    memset(&s, 0, sizeof s);
    kr_explore_check(kr_timer_start(&timer, kr_ms(1), fire, NULL, 0, NULL) == 0);
    int cancelled = kr_timer_cancel(timer);
    kr_explore_check(kr_timer_join(timer, NULL, KR_FOREVER) == 0);
    kr_explore_check(s.fired == (cancelled == 0));
    kr_timer_release(timer);
}

SCENARIO(timer_fires, .stale = 1)
{
    kr_timer *timer;

    memset(&s, 0, sizeof s);
    kr_explore_check(kr_timer_start(&timer, kr_ms(1), fire, NULL, 0, NULL) == 0);
    kr_explore_check(kr_timer_join(timer, NULL, KR_FOREVER) == 0);
    kr_explore_check(s.fired == 1);
    kr_timer_release(timer);
}
