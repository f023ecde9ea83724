/* kr_submit_with: lanes, and how long to wait for room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"

/* The order in which the tasks of one worker are run. */

enum { MOST = 4000 };

static int order[MOST];
static kr_word begun;

static int note(const void *arg, void *result)
{
    (void)result;
    order[kri_add_rlx(&begun, 1)] = *(const int *)arg;
    return 0;
}

static void submit(kr_executor *pool, kr_priority priority, int label)
{
    kr_submit_options options = {.priority = priority};
    CHECK_EQ(kr_submit_with(pool, NULL, note, &label, sizeof label, 0, &options), 0);
}

static int position_of(int label)
{
    for (int i = 0; i < (int)kri_load_rlx(&begun); i++)
        if (order[i] == label)
            return i;
    kri_test_fail(__FILE__, __LINE__, "%d has not run", label);
}

enum { HIGH = 1000, NORMAL = 2000, LOW = 3000 };

static int lane_of(int label)
{
    return label / 1000;
}

/* Nothing of a lower lane before something of a higher one. */
static void check_lanes(int count)
{
    CHECK_EQ(kri_load_rlx(&begun), count);
    for (int i = 1; i < count; i++)
        CHECK_LE(lane_of(order[i - 1]), lane_of(order[i]));
}

static void submit_mixed(kr_executor *pool, int each)
{
    for (int i = 0; i < each; i++) {
        submit(pool, KR_PRIORITY_LOW, LOW + i);
        submit(pool, KR_PRIORITY_NORMAL, NORMAL + i);
        submit(pool, KR_PRIORITY_HIGH, HIGH + i);
    }
}

TEST(higher_lanes_come_first)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *blocker = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    submit_mixed(pool, 10);
    kr_event_set(&gate.open);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
    check_lanes(30);
}

static int submit_in_task(const void *arg, void *result)
{
    (void)result;
    submit_mixed((kr_executor *)(uintptr_t)arg, 10);
    return 0;
}

TEST(higher_lanes_come_first_of_what_a_task_submits)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_in_worker(pool, submit_in_task, pool), 0);
    end(pool);
    check_lanes(30);
}

/* What was submitted without options is normal; what comes late overtakes. */
TEST(plain_submits_are_in_the_normal_lane)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *blocker = submit_gate(pool, &gate);
    int label = NORMAL;
    wait_entered(&gate, 1);
    submit(pool, KR_PRIORITY_LOW, LOW);
    CHECK_EQ(kr_submit(pool, NULL, note, &label, sizeof label, 0), 0);
    label++;
    CHECK_EQ(kr_submit_with(pool, NULL, note, &label, sizeof label, 0, NULL), 0);
    submit(pool, KR_PRIORITY_HIGH, HIGH);
    kr_event_set(&gate.open);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
    check_lanes(4);
}

/* No lane waits for ever: of each 64 tasks one is of the lowest that has any. */
TEST(low_tasks_are_not_starved)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *blocker = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    for (int i = 0; i < 8; i++)
        submit(pool, KR_PRIORITY_LOW, LOW + i);
    for (int i = 0; i < 900; i++)
        submit(pool, KR_PRIORITY_NORMAL, NORMAL + i);
    kr_event_set(&gate.open);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
    CHECK_EQ(kri_load_rlx(&begun), 908);
    int low = 0;
    for (int i = 0; i < 900; i++) {
        low += lane_of(order[i]) == 3;
        CHECK_LE(low, i / 64 + 1); /* and not more often */
        if (i >= 128)
            CHECK_GE(low, i / 64 - 1 < 8 ? i / 64 - 1 : 8);
    }
}

/* A task that submits itself again as a high one keeps neither of the others from running. */
static int submit_on(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    kr_submit_options options = {.priority = KR_PRIORITY_HIGH};
    int err = 0;
    if (kri_load_rlx(&begun) < 2)
        err = kr_submit_with(pool, NULL, submit_on, &pool, sizeof pool, 0, &options);
    return err;
}

TEST(high_tasks_that_never_end_starve_nobody)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *blocker = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    kr_submit_options options = {.priority = KR_PRIORITY_HIGH};
    CHECK_EQ(kr_submit_with(pool, NULL, submit_on, &pool, sizeof pool, 0, &options), 0);
    submit(pool, KR_PRIORITY_LOW, LOW);
    submit(pool, KR_PRIORITY_LOW, LOW + 1);
    kr_event_set(&gate.open);
    while (kri_load_rlx(&begun) < 2)
        kri_test_nap();
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
    CHECK_GE(position_of(LOW + 1), 0);
}

/* All lanes are the pool's: cancelled, counted, finished at its end like the others. */
TEST(queued_tasks_of_each_lane_are_cancelled)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *blocker = submit_gate(pool, &gate), *futures[9];
    wait_entered(&gate, 1);
    for (int i = 0; i < 9; i++) {
        kr_submit_options options = {.priority = (kr_priority)(i % 3)};
        CHECK_EQ(kr_submit_with(pool, &futures[i], note, &i, sizeof i, 0, &options), 0);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_future_cancel(futures[i]), 0);
    kr_shutdown_options options = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &options, KR_NOWAIT), -ETIMEDOUT);
    for (int i = 0; i < 9; i++)
        CHECK_EQ(error_of(futures[i]), -ECANCELED);
    kr_event_set(&gate.open);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
    CHECK_EQ(kri_load_rlx(&begun), 0);
}

/* Room */

static kr_executor *full(struct gate *gate, kr_future **blocker)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_queued = 2}), 0);
    *blocker = submit_gate(pool, gate);
    wait_entered(gate, 1);
    submit(pool, KR_PRIORITY_HIGH, HIGH); /* the bound is of all lanes together */
    submit(pool, KR_PRIORITY_LOW, LOW);
    return pool;
}

static int submit_timed(kr_executor *pool, kr_submit_options options)
{
    kr_future *f = (kr_future *)&options;
    int label = NORMAL;
    int err = kr_submit_with(pool, &f, note, &label, sizeof label, 0, &options);
    CHECK_EQ(f == NULL, err != 0);
    kr_future_release(f);
    return err;
}

TEST(no_room_in_time)
{
    struct gate gate = {0};
    kr_future *blocker;
    kr_executor *pool = full(&gate, &blocker);
    CHECK_EQ(submit_timed(pool, (kr_submit_options){.dont_wait = true}), -ETIMEDOUT);
    for (int priority = 0; priority < 3; priority++) {
        kr_submit_options options = {.priority = (kr_priority)priority, .timeout = kr_ms(20)};
        kr_time began = kr_now();
        CHECK_EQ(submit_timed(pool, options), -ETIMEDOUT);
        CHECK_TIME(kr_now() - began, kr_ms(20));
    }
    kr_event_set(&gate.open);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
    check_lanes(2);
}

static void feed(void *arg)
{
    CHECK_EQ(submit_timed(arg, (kr_submit_options){.timeout = kr_sec(25)}), 0);
}

static void feed_in_vain(void *arg)
{
    CHECK_EQ(submit_timed(arg, (kr_submit_options){.timeout = kr_sec(25)}), KR_ESHUTDOWN);
}

TEST(room_in_time)
{
    struct gate gate = {0};
    kr_future *blocker;
    kr_executor *pool = full(&gate, &blocker);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 3, feed, pool);
    kri_bunch_wait_started(&bunch, 3);
    for (int naps = 0; naps < 50; naps++)
        kri_test_nap();
    CHECK_EQ(kri_bunch_finished(&bunch), 0);
    kr_event_set(&gate.open);
    kri_bunch_end(&bunch);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
    CHECK_EQ(kri_load_rlx(&begun), 5);
}

TEST(shutdown_ends_a_timed_wait_for_room)
{
    struct gate gate = {0};
    kr_future *blocker;
    kr_executor *pool = full(&gate, &blocker);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 2, feed_in_vain, pool);
    kri_bunch_wait_started(&bunch, 2);
    for (int naps = 0; naps < 50; naps++)
        kri_test_nap();
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    kri_bunch_end(&bunch);
    kr_event_set(&gate.open);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
}

TEST(a_cancelled_submitter_gives_up)
{
    struct gate gate = {0};
    kr_future *blocker;
    kr_executor *pool = full(&gate, &blocker);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(5)), 0);
    CHECK_EQ(submit_timed(pool, (kr_submit_options){.timeout = kr_sec(25)}), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    kr_event_set(&gate.open);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
}

static int fill_own_pool(const void *arg, void *result)
{
    kr_executor *pool = (kr_executor *)(uintptr_t)arg;
    (void)result;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(submit_timed(pool, (kr_submit_options){.dont_wait = i % 2 == 0}), 0);
    return 0;
}

TEST(a_worker_of_the_pool_does_not_wait_for_room)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_queued = 2}), 0);
    CHECK_EQ(run_in_worker(pool, fill_own_pool, pool), 0);
    end(pool);
    CHECK_EQ(kri_load_rlx(&begun), 20);
}

/* A cancelled task of any lane makes room. */
TEST(cancelling_makes_room)
{
    kr_executor *pool;
    struct gate gate = {0};
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_queued = 1}), 0);
    kr_future *blocker = submit_gate(pool, &gate), *f;
    wait_entered(&gate, 1);
    for (int priority = 0; priority < 3; priority++) {
        kr_submit_options options = {.priority = (kr_priority)priority, .dont_wait = true};
        CHECK_EQ(kr_submit_with(pool, &f, note, &priority, sizeof priority, 0, &options), 0);
        CHECK_EQ(submit_timed(pool, (kr_submit_options){.dont_wait = true}), -ETIMEDOUT);
        CHECK_EQ(kr_future_cancel(f), 0);
        kr_future_release(f);
    }
    kr_event_set(&gate.open);
    end(pool);
    CHECK_EQ(error_of(blocker), 0);
    CHECK_EQ(kri_load_rlx(&begun), 0);
}

TEST(wrong_options_are_refused)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(submit_timed(pool, (kr_submit_options){.priority = (kr_priority)3}), -EINVAL);
    CHECK_EQ(submit_timed(pool, (kr_submit_options){.priority = (kr_priority)-1}), -EINVAL);
    CHECK_EQ(submit_timed(pool, (kr_submit_options){.timeout = -1}), -EINVAL);
    CHECK_EQ(submit_timed(pool, (kr_submit_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    CHECK_EQ(submit_timed(NULL, (kr_submit_options){.dont_wait = true}), -EINVAL);
    end(pool);
    CHECK_EQ(kri_load_rlx(&begun), 0);
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit_with(pool, &f, NULL, NULL, 0, 0, NULL), -EINVAL);
    CHECK(f == NULL);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(submit_timed(pool, (kr_submit_options){.dont_wait = true}), KR_ESHUTDOWN);
    kr_executor_release(pool);
}
