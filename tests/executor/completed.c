/* kr_wait and kr_as_completed.
 *
 * Behaviours: section 11.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <krait/krait.h>

#include "executor/future.h"

enum { MOST = 8 };

static void create(kr_future **futures, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(kr_future_create(&futures[i], 0), 0);
}

static void release(kr_future **futures, int count)
{
    for (int i = 0; i < count; i++) {
        int error, err = kr_future_exception(futures[i], &error, KR_NOWAIT);
        CHECK(err == 0 || err == -ETIMEDOUT);
        kr_future_release(futures[i]);
    }
}

static void succeed(kr_future *f)
{
    CHECK_EQ(kr_future_set_result(f, NULL, 0), 0);
}

static void fail(kr_future *f)
{
    CHECK_EQ(kr_future_set_error(f, -EIO), 0);
}

/* A thread that waits, while this one finishes futures and looks whether it still waits. */

struct waiter {
    kri_bunch bunch;
    kr_future **futures;
    size_t count;
    kr_wait_when when;
    int answer;
    bool done[MOST];
};

static void wait_in_thread(void *arg)
{
    struct waiter *w = arg;
    w->answer = kr_wait(w->futures, w->count, w->when, w->done, KR_FOREVER);
}

static void start(struct waiter *w, kr_future **futures, size_t count, kr_wait_when when)
{
    *w = (struct waiter){.futures = futures, .count = count, .when = when};
    kri_bunch_start(&w->bunch, 1, wait_in_thread, w);
    for (size_t i = 0; i < count; i++) {
        bool watched = kr_future_done(futures[i]);
        while (!watched) {
            kri_test_nap();
            kri_mutex_lock(&futures[i]->mutex);
            watched = futures[i]->watchers != NULL;
            kri_mutex_unlock(&futures[i]->mutex);
        }
    }
}

static void still_waits(struct waiter *w)
{
    kri_test_nap();
    CHECK_EQ(kri_bunch_finished(&w->bunch), 0);
}

TEST(test_all_completed)
{
    kr_future *f[4];
    struct waiter w;
    create(f, 4);
    succeed(f[3]);
    start(&w, f, 4, KR_ALL_COMPLETED);
    fail(f[2]);
    CHECK_EQ(kr_future_cancel(f[1]), 0);
    still_waits(&w);
    succeed(f[0]);
    kri_bunch_end(&w.bunch);
    CHECK_EQ(w.answer, 4);
    for (int i = 0; i < 4; i++)
        CHECK(w.done[i]);
    release(f, 4);
}

TEST(test_first_completed)
{
    kr_future *f[3];
    struct waiter w;
    create(f, 3);
    start(&w, f, 3, KR_FIRST_COMPLETED);
    still_waits(&w);
    succeed(f[1]);
    kri_bunch_end(&w.bunch);
    CHECK_EQ(w.answer, 1);
    CHECK(!w.done[0] && w.done[1] && !w.done[2]);
    CHECK(f[0]->watchers == NULL);
    release(f, 3);
}

TEST(test_first_completed_some_already_completed)
{
    kr_future *f[3];
    bool done[3];
    create(f, 3);
    succeed(f[2]);
    CHECK_EQ(kr_future_cancel(f[0]), 0);
    CHECK_EQ(kr_wait(f, 3, KR_FIRST_COMPLETED, done, KR_FOREVER), 2);
    CHECK(done[0] && !done[1] && done[2]);
    release(f, 3);
}

TEST(test_first_exception)
{
    kr_future *f[4];
    struct waiter w;
    create(f, 4);
    start(&w, f, 4, KR_FIRST_EXCEPTION);
    succeed(f[0]);
    CHECK_EQ(kr_future_cancel(f[1]), 0);
    still_waits(&w);
    fail(f[2]);
    kri_bunch_end(&w.bunch);
    CHECK_EQ(w.answer, 3);
    CHECK(!w.done[3]);
    release(f, 4);
}

TEST(test_first_exception_some_already_complete)
{
    kr_future *f[3];
    struct waiter w;
    create(f, 3);
    succeed(f[0]);
    start(&w, f, 3, KR_FIRST_EXCEPTION);
    fail(f[1]);
    kri_bunch_end(&w.bunch);
    CHECK_EQ(w.answer, 2);
    release(f, 3);
}

TEST(test_first_exception_one_already_failed)
{
    kr_future *f[2];
    bool done[2];
    create(f, 2);
    fail(f[0]);
    CHECK_EQ(kr_wait(f, 2, KR_FIRST_EXCEPTION, done, KR_FOREVER), 1);
    CHECK(done[0] && !done[1]);
    release(f, 2);
}

TEST(first_exception_without_one_waits_for_all)
{
    kr_future *f[2];
    struct waiter w;
    create(f, 2);
    start(&w, f, 2, KR_FIRST_EXCEPTION);
    succeed(f[0]);
    still_waits(&w);
    succeed(f[1]);
    kri_bunch_end(&w.bunch);
    CHECK_EQ(w.answer, 2);
    release(f, 2);
}

TEST(test_timeout)
{
    kr_future *f[3];
    bool done[3];
    create(f, 3);
    succeed(f[1]);
    kr_time began = kr_now();
    CHECK_EQ(kr_wait(f, 3, KR_ALL_COMPLETED, done, kr_ms(20)), 1);
    CHECK_TIME(kr_now() - began, kr_ms(20));
    CHECK(!done[0] && done[1] && !done[2]);
    CHECK_EQ(kr_wait(f, 3, KR_ALL_COMPLETED, NULL, KR_NOWAIT), 1);
    CHECK(f[0]->watchers == NULL);
    release(f, 3);
}

TEST(test_20369)
{
    kr_future *f[1];
    create(f, 1);
    kr_future *twice[2] = {f[0], f[0]};
    bool done[2];
    CHECK_EQ(kr_wait(twice, 2, KR_ALL_COMPLETED, done, kr_ms(1)), 0);
    succeed(f[0]);
    CHECK_EQ(kr_wait(twice, 2, KR_ALL_COMPLETED, done, KR_FOREVER), 2);
    CHECK(done[0] && done[1]);
    release(f, 1);
}

TEST(wrong_waits_are_refused)
{
    kr_future *f[2];
    kr_completed *it;
    create(f, 2);
    kr_future *hole[2] = {f[0], NULL};
    CHECK_EQ(kr_wait(f, 2, KR_ALL_COMPLETED, NULL, -1), -EINVAL);
    CHECK_EQ(kr_wait(f, 2, (kr_wait_when)7, NULL, 0), -EINVAL);
    CHECK_EQ(kr_wait(hole, 2, KR_ALL_COMPLETED, NULL, 0), -EINVAL);
    CHECK_EQ(kr_wait(NULL, 2, KR_ALL_COMPLETED, NULL, 0), -EINVAL);
    CHECK_EQ(kr_wait(NULL, 0, KR_ALL_COMPLETED, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_as_completed(&it, hole, 2), -EINVAL);
    CHECK(it == NULL);
    kr_completed_release(NULL);
    release(f, 2);
}

TEST(a_cancelled_waiter_returns)
{
    kr_future *f[2], *got;
    kr_completed *it;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    create(f, 2);
    CHECK_EQ(kr_as_completed(&it, f, 2), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_wait(f, 2, KR_ALL_COMPLETED, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_completed_next(it, &got, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    succeed(f[1]);
    CHECK_EQ(kr_completed_next(it, &got, KR_FOREVER), 1);
    CHECK(got == f[1]);
    kr_completed_release(it);
    release(f, 2);
}

static int do_nothing(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

TEST(test_pending_calls_race)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 4}), 0);
    for (int round = 0; round < 20; round++) {
        kr_future *f[100];
        for (int i = 0; i < 100; i++)
            CHECK_EQ(kr_submit(pool, &f[i], do_nothing, NULL, 0, 0), 0);
        CHECK_EQ(kr_wait(f, 100, KR_ALL_COMPLETED, NULL, KR_FOREVER), 100);
        release(f, 100);
    }
    kr_executor_release(pool);
}

/* as_completed */

static void next_is(kr_completed *it, kr_future *want)
{
    kr_future *got;
    CHECK_EQ(kr_completed_next(it, &got, KR_FOREVER), want ? 1 : 0);
    CHECK(got == want);
}

TEST(test_no_timeout)
{
    kr_future *f[5];
    kr_completed *it;
    create(f, 5);
    succeed(f[3]);
    CHECK_EQ(kr_future_cancel(f[1]), 0);
    CHECK_EQ(kr_as_completed(&it, f, 5), 0);
    next_is(it, f[1]);
    next_is(it, f[3]);
    fail(f[4]);
    succeed(f[0]);
    next_is(it, f[4]);
    next_is(it, f[0]);
    CHECK_EQ(kr_completed_unfinished(it), 1);
    succeed(f[2]);
    next_is(it, f[2]);
    next_is(it, NULL);
    kr_completed_release(it);
    release(f, 5);
}

TEST(test_future_times_out)
{
    kr_future *f[4], *got;
    kr_completed *it;
    create(f, 4);
    succeed(f[0]);
    succeed(f[1]);
    CHECK_EQ(kr_as_completed(&it, f, 4), 0);
    CHECK_EQ(kr_completed_next(it, &got, KR_NOWAIT), 1);
    CHECK_EQ(kr_completed_next(it, &got, kr_ms(10)), 1);
    CHECK_EQ(kr_completed_next(it, &got, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_completed_next(it, &got, kr_ms(10)), -ETIMEDOUT);
    CHECK(got == NULL);
    kr_completed_release(it);
    CHECK(f[2]->watchers == NULL);
    CHECK_EQ(kri_load_rlx(&f[2]->state) / KRI_REFERENCE, 1);
    release(f, 4);
}

TEST(test_correct_timeout_exception_msg)
{
    kr_future *f[4], *got;
    kr_completed *it;
    create(f, 4);
    succeed(f[0]);
    succeed(f[3]);
    CHECK_EQ(kr_as_completed(&it, f, 4), 0);
    CHECK_EQ(kr_completed_next(it, &got, KR_NOWAIT), 1);
    CHECK_EQ(kr_completed_next(it, &got, KR_NOWAIT), 1);
    CHECK_EQ(kr_completed_next(it, &got, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_completed_unfinished(it), 2);
    kr_completed_release(it);
    release(f, 4);
}

TEST(test_duplicate_futures)
{
    kr_future *f[2];
    kr_completed *it;
    create(f, 2);
    kr_future *given[5] = {f[0], f[1], f[0], f[1], f[0]};
    succeed(f[0]);
    CHECK_EQ(kr_as_completed(&it, given, 5), 0);
    CHECK_EQ(kr_completed_unfinished(it), 2);
    next_is(it, f[0]);
    succeed(f[1]);
    next_is(it, f[1]);
    next_is(it, NULL);
    kr_completed_release(it);
    release(f, 2);
}

TEST(test_free_reference_yielded_future)
{
    kr_future *f[2];
    kr_completed *it;
    create(f, 2);
    succeed(f[0]);
    succeed(f[1]);
    CHECK_EQ(kr_as_completed(&it, f, 2), 0);
    next_is(it, f[0]);
    next_is(it, f[1]);
    CHECK_EQ(kri_load_rlx(&f[0]->state) / KRI_REFERENCE, 1);
    next_is(it, NULL);
    CHECK_EQ(kri_load_rlx(&f[1]->state) / KRI_REFERENCE, 1);
    kr_completed_release(it);
    release(f, 2);
}

static int collect(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    kr_future *f[30], *got;
    kr_completed *it;
    for (int i = 0; i < 30; i++)
        CHECK_EQ(kr_submit(pool, &f[i], do_nothing, NULL, 0, 0), 0);
    CHECK_EQ(kr_as_completed(&it, f, 30), 0);
    int count = 0;
    while (kr_completed_next(it, &got, KR_FOREVER) == 1)
        count++;
    kr_completed_release(it);
    release(f, 30);
    *(int *)result = count;
    return 0;
}

static void check_collect(int workers)
{
    kr_executor *pool;
    kr_future *f[6];
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = workers}), 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(kr_submit(pool, &f[i], collect, &pool, sizeof pool, sizeof(int)), 0);
    for (int i = 0; i < 6; i++) {
        int count = 0;
        CHECK_EQ(kr_future_result(f[i], &count, sizeof count, NULL, KR_FOREVER), 0);
        CHECK_EQ(count, 30);
        kr_future_release(f[i]);
    }
    kr_executor_release(pool);
}

TEST(as_completed_in_tasks)
{
    for (int round = 0; round < 10; round++) {
        check_collect(1);
        check_collect(3);
    }
}
