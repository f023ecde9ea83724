/* Futures among the choices of kr_wait_any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include <krait/krait.h>

static kr_event event;
static kr_event go;

static int wait_for_go(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_event_wait(&go, KR_FOREVER);
}

static kr_executor *make_pool(int workers)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = workers, .no_outside_help = true}),
             0);
    return pool;
}

static void end_pool(kr_executor *pool)
{
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

TEST(test_task_or_event)
{
    kr_executor *pool = make_pool(1);
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, wait_for_go, NULL, 0, 0), 0);
    kr_choice any[] = {kr_choose_event(&event), kr_choose_future(f)};
    CHECK_EQ(kr_wait_any(any, 2, kr_ms(5)), -ETIMEDOUT);
    kr_event_set(&event);
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 0);
    kr_event_clear(&event);
    kr_event_set(&go);
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 1);
    CHECK_EQ(any[1].result, 0);
    CHECK(kr_future_done(f));
    kr_future_release(f);
    end_pool(pool);
}

/* The one worker waits for a task that is queued behind it: another one comes for that. */
static int wait_for_next(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    kr_future *next;
    (void)result;
    kr_event_set(&go);
    CHECK_EQ(kr_submit(pool, &next, wait_for_go, NULL, 0, 0), 0);
    kr_choice any[] = {kr_choose_event(&event), kr_choose_future(next)};
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 1);
    kr_future_release(next);
    return 0;
}

TEST(test_worker_that_waits)
{
    kr_executor *pool = make_pool(1);
    kr_future *f;
    int error;
    CHECK_EQ(kr_submit(pool, &f, wait_for_next, &pool, sizeof pool, 0), 0);
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    CHECK_EQ(error, 0);
    kr_future_release(f);
    end_pool(pool);
}

/* One's own task never ends while one waits for it. */
static kr_future *own;

static int wait_for_own(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    kr_choice any[] = {kr_choose_future(own), kr_choose_event(&event)};
    CHECK_EQ(kr_wait_any(any, 1, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_wait_any(any, 1, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_wait_any(any, 2, kr_ms(1)), -ETIMEDOUT);
    kr_event_set(&event);
    CHECK_EQ(kr_wait_any(any, 2, KR_FOREVER), 1);
    return 0;
}

TEST(test_own_task)
{
    kr_executor *pool = make_pool(1);
    int error;
    CHECK_EQ(kr_submit(pool, &own, wait_for_own, NULL, 0, 0), 0);
    kr_event_set(&go);
    CHECK_EQ(kr_future_exception(own, &error, KR_FOREVER), 0);
    CHECK_EQ(error, 0);
    kr_future_release(own);
    end_pool(pool);
}

TEST(test_future_set_by_hand)
{
    kr_future *f;
    CHECK_EQ(kr_future_create(&f, 0), 0);
    kr_choice any[] = {kr_choose_future(f)};
    CHECK_EQ(kr_wait_any(any, 1, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_future_set_error(f, -EIO), 0);
    CHECK_EQ(kr_wait_any(any, 1, KR_NOWAIT), 0);
    CHECK_EQ(any[0].result, 0);
    int error;
    CHECK_EQ(kr_future_exception(f, &error, KR_NOWAIT), 0);
    CHECK_EQ(error, -EIO);
    kr_future_release(f);
}
