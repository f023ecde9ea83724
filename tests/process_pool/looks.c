/* Process pools: who hears of the end of a task without waiting for it.
 *
 * What the collector is not called for is found by those who look, and those who wait for its word
 * are told; what the explorer has of that is process_pool_relied_collector.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"

enum { MANY = 500, AHEAD = 4 };

static kr_future *submit_square(kr_executor *pool, long n)
{
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    return f;
}

static void take(kr_future *f, long n)
{
    long result = -1;
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER), 0);
    CHECK_EQ(result, n * n);
    kr_future_release(f);
}

/* Several under way, taken one after the other: the collector has nothing to tell anybody. */
static void stream(kr_executor *pool, int count)
{
    kr_future *flying[AHEAD];
    int asked = 0;
    for (int i = 0; i < count; i++) {
        for (; asked < count && asked < i + AHEAD; asked++)
            flying[asked % AHEAD] = submit_square(pool, asked);
        take(flying[i % AHEAD], i);
    }
}

/* Nobody is in the pool but the task, so what polls find they have found themselves. */
TEST(polls_see_the_end)
{
    kr_executor *pool = pool_of(2);
    for (long i = 0; i < MANY; i++) {
        kr_future *f = submit_square(pool, i);
        while (!kr_future_done(f))
            kri_test_nap();
        CHECK(!kr_future_running(f));
        take(f, i);
    }
    end(pool);
}

TEST(results_without_waiting)
{
    kr_executor *pool = pool_of(2);
    for (long i = 0; i < MANY; i++) {
        kr_future *f = submit_square(pool, i);
        long result = -1;
        int err;
        while ((err = kr_future_result(f, &result, sizeof result, NULL, KR_NOWAIT)) == -ETIMEDOUT)
            kri_test_nap();
        CHECK_EQ(err, 0);
        CHECK_EQ(result, i * i);
        kr_future_release(f);
    }
    end(pool);
}

static int raise_event(kr_future *f, void *event)
{
    (void)f;
    kr_event_set(event);
    return 0;
}

/* After each stream the collector dozes, or is about to. */
TEST(callbacks_after_a_stream)
{
    kr_executor *pool = pool_of(2);
    for (int i = 0; i < 50; i++) {
        kr_event called = KR_EVENT_INIT;
        stream(pool, 3 * AHEAD);
        kr_future *f = submit_square(pool, i);
        CHECK_EQ(kr_future_add_done_callback(f, raise_event, &called), 0);
        CHECK_EQ(kr_event_wait(&called, KR_FOREVER), 0);
        take(f, i);
    }
    end(pool);
}

TEST(choices_and_sets_after_a_stream)
{
    kr_executor *pool = pool_of(2);
    for (int i = 0; i < 50; i++) {
        stream(pool, 3 * AHEAD);
        kr_future *f[2] = {submit_square(pool, i), submit_square(pool, i + 1)};
        kr_choice choices[] = {kr_choose_future(f[0]), kr_choose_future(f[1])};
        CHECK(kr_wait_any(choices, 2, KR_FOREVER) >= 0);
        CHECK_EQ(kr_wait(f, 2, KR_ALL_COMPLETED, NULL, KR_FOREVER), 2);
        take(f[0], i);
        take(f[1], i + 1);
    }
    end(pool);
}

static int submit_and_wait(void *arg)
{
    stream(*(kr_executor **)arg, MANY);
    return 0;
}

/* One of them leads, and the others hear of their tasks from him or from the collector. */
TEST(streams_beside_each_other)
{
    enum { THREADS = 4 };
    kr_executor *pool = pool_of(2);
    kr_thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(kr_thread_start(&threads[i], submit_and_wait, &pool, sizeof pool, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(kr_thread_join(threads[i], NULL, KR_FOREVER), 0);
        kr_thread_release(threads[i]);
    }
    end(pool);
}

/* Each end of a task makes room for the next, though nobody waits for any. */
TEST(more_than_there_are_slots)
{
    enum { COUNT = 3000 };
    static kr_future *futures[COUNT];
    kr_executor *pool = pool_of(2);
    stream(pool, 3 * AHEAD);
    for (long i = 0; i < COUNT; i++)
        futures[i] = submit_square(pool, i);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    for (long i = 0; i < COUNT; i++)
        take(futures[i], i);
    kr_executor_release(pool);
}
