/* A pool whose queue has a bound: submit waits for room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "executor/pool.h"

struct feeder {
    kr_executor *pool;
    int want;
};

static void feed(void *arg)
{
    const struct feeder *feeder = arg;
    CHECK_EQ(kr_submit(feeder->pool, NULL, count_one, NULL, 0, 0), feeder->want);
}

static kr_executor *bounded(struct gate *gate, kr_future **blocker)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_queued = 2}), 0);
    *blocker = submit_gate(pool, gate);
    wait_entered(gate, 1);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    return pool;
}

TEST(submit_waits_for_room)
{
    struct gate gate = {0};
    kr_future *blocker;
    struct feeder feeder = {bounded(&gate, &blocker), 0};
    kri_bunch bunch;
    kri_bunch_start(&bunch, 3, feed, &feeder);
    kri_test_wait_parked(&((kri_pool *)feeder.pool)->room, 3);
    CHECK_EQ(kri_load_rlx(&ran), 0);
    kr_event_set(&gate.open);
    kri_bunch_end(&bunch);
    CHECK_EQ(error_of(blocker), 0);
    end(feeder.pool);
    CHECK_EQ(kri_load_rlx(&ran), 6);
}

TEST(shutdown_ends_the_wait_for_room)
{
    struct gate gate = {0};
    kr_future *blocker;
    struct feeder feeder = {bounded(&gate, &blocker), KR_ESHUTDOWN};
    kri_bunch bunch;
    kri_bunch_start(&bunch, 2, feed, &feeder);
    kri_test_wait_parked(&((kri_pool *)feeder.pool)->room, 2);
    CHECK_EQ(kr_executor_shutdown(feeder.pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    kri_bunch_end(&bunch);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(blocker), 0);
    end(feeder.pool);
}

TEST(a_cancelled_submitter_gives_up)
{
    struct gate gate = {0};
    kr_future *blocker, *f;
    kr_executor *pool = bounded(&gate, &blocker);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(5)), 0);
    CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), -ECANCELED);
    CHECK(f == NULL);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(blocker), 0);
    end(pool);
    CHECK_EQ(kri_load_rlx(&ran), 3);
}

static int fill_own_pool(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    return 0;
}

TEST(a_worker_of_the_pool_does_not_wait_for_room)
{
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_queued = 2}), 0);
    CHECK_EQ(kr_submit(pool, &f, fill_own_pool, &pool, sizeof pool, 0), 0);
    CHECK_EQ(error_from_worker(f), 0);
    end(pool);
    CHECK_EQ(kri_load_rlx(&ran), 20);
}

/* The worker stays at its gate, so only the cancel can have made the room. */
TEST(cancelling_a_queued_task_makes_room)
{
    struct gate gate = {0};
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_queued = 1}), 0);
    kr_future *blocker = submit_gate(pool, &gate), *queued;
    wait_entered(&gate, 1);
    CHECK_EQ(kr_submit(pool, &queued, count_one, NULL, 0, 0), 0);
    struct feeder feeder = {pool, 0};
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, feed, &feeder);
    kri_test_wait_parked(&((kri_pool *)pool)->room, 1);
    CHECK_EQ(kr_future_cancel(queued), 0);
    kri_bunch_end(&bunch);
    CHECK(kr_future_running(blocker));
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(blocker), 0);
    CHECK_EQ(error_of(queued), -ECANCELED);
    end(pool);
    CHECK_EQ(kri_load_rlx(&ran), 2);
}
