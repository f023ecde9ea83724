/* Who works in a thread pool: nobody sleeps while there is work for him.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/pool_scenario.h"

#include "executor/pool.h"

static struct {
    kr_executor *pool;
    kr_executor *inner;
    kr_future *future;
    kr_future *last;
    kr_event go;
    kr_event begun;
    int order[4];
    int ordered;
    int errors[2];
} s;

static void fresh(kr_executor *pool)
{
    memset(&s, 0, sizeof s);
    s.pool = pool;
}

static int nothing(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

static int wait_for_go(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_event_set(&s.begun);
    return kr_event_wait(&s.go, KR_FOREVER);
}

static int say_go(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_event_set(&s.go);
    return 0;
}

/* The worker goes to sleep while the second task comes. */
SCENARIO(idle_called_again, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    run_one(s.pool, nothing, NULL);
    run_one(s.pool, nothing, NULL);
    end_pool(s.pool);
}

SCENARIO(idle_called_again_stale, .preemptions = 1, .stale = 1)
{
    fresh(workers_only(1));
    run_one(s.pool, nothing, NULL);
    run_one(s.pool, nothing, NULL);
    end_pool(s.pool);
}

/* A second worker could be started at any time, so only the search tells. */
SCENARIO(idle_searcher_called_again, .preemptions = 1, .stale = 1, .schedules = 30000)
{
    fresh(workers_only(2));
    run_one(s.pool, nothing, NULL);
    run_one(s.pool, nothing, NULL);
    end_pool(s.pool);
}

/* Whoever submits the next task only when the last one is done needs one worker, however late the
 * submitter is with his call. */
SCENARIO(idle_one_is_enough, .mode = KR_EXPLORE_RANDOM, .schedules = 20000)
{
    fresh(workers_only(2));
    run_one(s.pool, nothing, NULL);
    run_one(s.pool, nothing, NULL);
    kr_explore_check(((kri_pool *)s.pool)->slots_used.bits == 1);
    end_pool(s.pool);
}

/* The second task is wanted while the first one runs: a second worker has to come. */
SCENARIO(idle_second_is_called, .preemptions = 1, .stale = KR_EXPLORE_NONE, .schedules = 40000)
{
    fresh(workers_only(2));
    kr_future *f = submit(s.pool, wait_for_go, NULL);
    run_one(s.pool, say_go, NULL);
    wait_and_release(f);
    end_pool(s.pool);
}

SCENARIO(idle_second_is_called_stale, .mode = KR_EXPLORE_RANDOM, .schedules = 10000)
{
    fresh(workers_only(2));
    kr_future *f = submit(s.pool, wait_for_go, NULL);
    run_one(s.pool, say_go, NULL);
    wait_and_release(f);
    end_pool(s.pool);
}

/* Both workers are there already. */
SCENARIO(idle_two_are_called, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 20000)
{
    fresh(workers_only(2));
    for (int round = 0; round < 2; round++) {
        kr_event_clear(&s.go);
        kr_future *f = submit(s.pool, wait_for_go, NULL);
        run_one(s.pool, say_go, NULL);
        wait_and_release(f);
    }
    end_pool(s.pool);
}

/* The same from a task, by the worker's own queue. */
static int submit_and_wait_for_go(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.future = submit(s.pool, say_go, NULL);
    return kr_event_wait(&s.go, KR_FOREVER);
}

SCENARIO(idle_thief_is_called, .preemptions = 1, .stale = KR_EXPLORE_NONE, .schedules = 40000)
{
    fresh(workers_only(2));
    run_one(s.pool, submit_and_wait_for_go, NULL);
    wait_and_release(s.future);
    end_pool(s.pool);
}

static int submit_nothing(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_submit(s.pool, NULL, nothing, NULL, 0, 0);
}

static void submit_from_outside(void *arg)
{
    (void)arg;
    run_one(s.pool, nothing, NULL);
}

SCENARIO(idle_pct, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 4000)
{
    fresh(workers_only(2));
    int other = kr_explore_spawn(submit_from_outside, NULL);
    kr_future *f = submit(s.pool, submit_nothing, NULL);
    run_one(s.pool, submit_and_wait_for_go, NULL);
    wait_and_release(s.future);
    wait_and_release(f);
    kr_explore_join(other);
    end_pool(s.pool);
}

/* Waiting for another task. */

static int fulfil(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_future_set_result(s.future, NULL, 0);
}

static int wait_for_future(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return error_of(s.future);
}

static void wait_behind(void)
{
    kr_explore_check(kr_future_create(&s.future, 0) == 0);
    kr_future *f = submit(s.pool, wait_for_future, NULL);
    run_one(s.pool, fulfil, NULL);
    wait_and_release(f);
    kr_future_release(s.future);
}

/* The only worker waits for what a task behind it does: a spare one comes. */
SCENARIO(wait_brings_a_spare, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 4000)
{
    fresh(workers_only(1));
    wait_behind();
    end_pool(s.pool);
}

SCENARIO(wait_brings_a_spare_deeper, .preemptions = 2, .stale = KR_EXPLORE_NONE, .schedules = 20000)
{
    fresh(workers_only(1));
    wait_behind();
    end_pool(s.pool);
}

/* The spare leaves after two seconds, while it is wanted again. */
SCENARIO(wait_against_retirement, .preemptions = 1, .stale = KR_EXPLORE_NONE, .schedules = 20000)
{
    fresh(workers_only(1));
    wait_behind();
    kr_explore_check(kr_event_wait(&s.begun, kr_ms(2000)) == -ETIMEDOUT);
    wait_behind();
    end_pool(s.pool);
}

/* After the wait two run where one should: who parks leaves a task behind in its queue. */
static int fulfil_and_submit(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.last = submit(s.pool, nothing, NULL);
    return kr_future_set_result(s.future, NULL, 0);
}

SCENARIO(wait_over_one_too_many, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 6000)
{
    fresh(workers_only(1));
    kr_explore_check(kr_future_create(&s.future, 0) == 0);
    kr_future *f = submit(s.pool, wait_for_future, NULL);
    run_one(s.pool, fulfil_and_submit, NULL);
    wait_and_release(s.last);
    wait_and_release(f);
    kr_future_release(s.future);
    end_pool(s.pool);
}

/* Room. */

static void submit_when_there_is_room(void *arg)
{
    kr_future *f = submit(s.pool, nothing, NULL);
    (void)arg;
    kr_future_release(f);
}

static int fill_bounded(bool outside)
{
    fresh(
        make_pool(&(kr_pool_options){.workers = 1, .max_queued = 1, .no_outside_help = !outside}));
    s.future = submit(s.pool, wait_for_go, NULL);
    s.last = submit(s.pool, nothing, NULL);
    return kr_explore_spawn(submit_when_there_is_room, NULL);
}

static void drain_bounded(int other)
{
    kr_explore_join(other);
    kr_event_set(&s.go);
    wait_and_release(s.future);
    kr_future_release(s.last);
    end_pool(s.pool);
}

SCENARIO(room_by_cancel, .preemptions = 1, .stale = 1)
{
    int other = fill_bounded(false);
    kr_explore_check(kr_future_cancel(s.last) == 0);
    drain_bounded(other);
}

SCENARIO(room_by_help, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    int other = fill_bounded(true);
    kr_explore_check(error_of(s.last) == 0);
    drain_bounded(other);
}

/* The shutdown sends away who waits for room. */
static void submit_or_shut(void *arg)
{
    int *err = arg;
    *err = kr_submit(s.pool, NULL, nothing, NULL, 0, 0);
    kr_explore_check(*err == 0 || *err == KR_ESHUTDOWN);
}

SCENARIO(room_against_shutdown, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1, .max_queued = 1, .no_outside_help = true}));
    kr_future *f = submit(s.pool, wait_for_go, NULL);
    int one = kr_explore_spawn(submit_or_shut, &s.errors[0]);
    int two = kr_explore_spawn(submit_or_shut, &s.errors[1]);
    kr_explore_check(kr_event_wait(&s.begun, KR_FOREVER) == 0);
    kr_explore_check(kr_executor_shutdown(s.pool, NULL, KR_NOWAIT) == -ETIMEDOUT);
    kr_explore_join(one);
    kr_explore_join(two);
    kr_event_set(&s.go);
    wait_and_release(f);
    end_pool(s.pool);
}

/* Each departure lets one in. */
SCENARIO(room_by_departure, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 4000)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1, .max_queued = 1, .no_outside_help = true}));
    int one = kr_explore_spawn(submit_when_there_is_room, NULL);
    int two = kr_explore_spawn(submit_when_there_is_room, NULL);
    submit_when_there_is_room(NULL);
    kr_explore_join(one);
    kr_explore_join(two);
    end_pool(s.pool);
}

/* Lanes. */

static int note_order(const void *arg, void *result)
{
    (void)result;
    s.order[s.ordered++] = (int)(intptr_t)arg;
    return 0;
}

static void submit_lane(int number, kr_priority lane)
{
    kr_submit_options options = {.priority = lane};
    kr_explore_check(
        kr_submit_with(s.pool, NULL, note_order, (void *)(intptr_t)number, 0, 0, &options) == 0);
}

static int submit_own_after_go(const void *arg, void *result)
{
    int err = wait_for_go(arg, result);
    return err ? err : kr_submit(s.pool, NULL, note_order, (void *)2, 0, 0);
}

SCENARIO(lanes_in_order, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, submit_own_after_go, NULL);
    kr_explore_check(kr_event_wait(&s.begun, KR_FOREVER) == 0);
    submit_lane(4, KR_PRIORITY_LOW);
    submit_lane(3, KR_PRIORITY_NORMAL);
    submit_lane(1, KR_PRIORITY_HIGH);
    kr_event_set(&s.go);
    wait_and_release(f);
    end_pool(s.pool);
    for (int i = 0; i < 4; i++)
        kr_explore_check(s.order[i] == i + 1);
}

/* Pools that share processors. */

static int use_inner_pool(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_executor *inner = workers_only(1);
    run_one(inner, nothing, NULL);
    end_pool(inner);
    return 0;
}

SCENARIO(budget_inner_pool, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 4000)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, use_inner_pool, NULL);
    run_one(s.pool, nothing, NULL);
    wait_and_release(f);
    end_pool(s.pool);
}

/* The inner one is freed while a worker of the outer one looks whom it could call. */
static int make_inner_pool(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.inner = workers_only(1);
    run_one(s.inner, nothing, NULL);
    return 0;
}

SCENARIO(budget_released_while_neighbour_calls, .mode = KR_EXPLORE_PCT, .depth = 3,
         .schedules = 10000)
{
    fresh(workers_only(1));
    run_one(s.pool, make_inner_pool, NULL);
    end_pool(s.inner);
    end_pool(s.pool);
}

/* A task of the inner pool ends its last worker: the outer one may run one more, which is wanted.
 */
static int leave_to_outer(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_executor *inner = workers_only(1);
    kr_explore_check(kr_submit(inner, NULL, nothing, NULL, 0, 0) == 0);
    int err = kr_executor_shutdown(inner, NULL, KR_NOWAIT);
    kr_explore_check(err == 0 || err == -ETIMEDOUT);
    kr_executor_release(inner);
    kr_explore_check(kr_submit(s.pool, NULL, say_go, NULL, 0, 0) == 0);
    return kr_event_wait(&s.go, KR_FOREVER);
}

SCENARIO(budget_left, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 4000)
{
    fresh(workers_only(2));
    run_one(s.pool, leave_to_outer, NULL);
    end_pool(s.pool);
}

/* The inner worker parks instead. */
static int park_to_outer(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.inner = workers_only(1);
    kr_explore_check(kr_submit(s.inner, NULL, nothing, NULL, 0, 0) == 0);
    kr_explore_check(kr_submit(s.pool, NULL, say_go, NULL, 0, 0) == 0);
    return kr_event_wait(&s.go, KR_FOREVER);
}

SCENARIO(budget_parked, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 4000)
{
    fresh(workers_only(2));
    run_one(s.pool, park_to_outer, NULL);
    end_pool(s.inner);
    end_pool(s.pool);
}

/* The searcher naps, and the submitter calls nobody.  As nobody's time is up before all sleep, what
 * time passes shows whether a task waited for the end of a nap. */
SCENARIO(idle_nap_ends_with_the_submitters_sleep, .preemptions = 2, .stale = 1,
         .early = KR_EXPLORE_NONE, .schedules = 40000)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1}));
    kr_explore_check(kr_submit(s.pool, NULL, nothing, NULL, 0, 0) == 0);
    kri_store_rlx(&((kri_pool *)s.pool)->vain_calls, 4);
    kr_time before = kr_now();
    kr_explore_check(kr_submit(s.pool, NULL, say_go, NULL, 0, 0) == 0);
    kr_explore_check(kr_event_wait(&s.go, KR_FOREVER) == 0);
    kr_explore_check(kr_now() - before < kr_us(20)); /* the clock moves with each look */
    end_pool(s.pool);
}
