/* What a coroutine does must not hold up its loop.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

#include <unistd.h>

/* Messages. */

static int await_byte(const void *arg, void *result)
{
    (void)result;
    return kr_poll(*(const int *)arg, KR_READABLE, KR_FOREVER) < 0 ? -EIO : 0;
}

static int send_one(const void *arg, void *result)
{
    kr_connection *c = *(kr_connection *const *)arg;
    (void)result;
    return kr_connection_send(c, "x", 1, KR_FOREVER);
}

static void receive_one(kr_connection *c)
{
    char byte;
    size_t size;
    CHECK_EQ(kr_connection_recv_into(c, &byte, 1, &size, KR_FOREVER), 0);
    CHECK_EQ(size, 1);
}

/* An event has come of a call that was taken without a wait. */
LOOP_TEST(an_event_for_nothing_holds_up_no_receiver)
{
    kr_connection *here, *there;
    kr_future *poller, *sender;
    int ends[2];
    CHECK_EQ(kr_pipe(&here, &there, NULL), 0);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_spawn(&poller, await_byte, &ends[0], sizeof ends[0], 0, NULL), 0);
    CHECK_EQ(kr_connection_poll(here, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_connection_send(there, "x", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_sleep(kr_ms(1)), 0); /* the loop has heard of it */
    receive_one(here);
    CHECK_EQ(kr_connection_poll(here, 0), -ETIMEDOUT);
    CHECK_EQ(kr_spawn(&sender, send_one, &there, sizeof there, 0, NULL), 0);
    receive_one(here);
    CHECK_EQ(error_of(sender), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(error_of(poller), 0);
    kr_connection_release(here);
    kr_connection_release(there);
    close(ends[0]);
    close(ends[1]);
}

/* Loops over a range, by the workers of a pool alone. */

static pthread_t loop_thread;
static kr_event sibling_ran;

static int let_range_end(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_event_set(&sibling_ran);
    return 0;
}

static int await_sibling(size_t first, size_t end, void *arg)
{
    (void)arg;
    CHECK(!pthread_equal(pthread_self(), loop_thread));
    CHECK(end > first);
    return kr_event_wait(&sibling_ran, KR_FOREVER);
}

static int await_sibling_in_map(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return await_sibling(0, 1, NULL);
}

static int add_range(size_t first, size_t end, void *partial, void *arg)
{
    CHECK_EQ(await_sibling(first, end, arg), 0);
    for (size_t i = first; i < end; i++)
        *(long *)partial += (long)i;
    return 0;
}

static void join_sums(void *into, const void *partial, void *arg)
{
    (void)arg;
    *(long *)into += *(const long *)partial;
}

static kr_executor *begin_with(kr_future **sibling)
{
    kr_executor *pool;
    loop_thread = pthread_self();
    kr_event_clear(&sibling_ran);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    CHECK_EQ(kr_spawn(sibling, let_range_end, NULL, 0, 0, NULL), 0);
    return pool;
}

static void end_with(kr_executor *pool, kr_future *sibling)
{
    CHECK_EQ(error_of(sibling), 0);
    kr_executor_release(pool);
}

static void run_range(size_t grain)
{
    kr_future *sibling;
    kr_executor *pool = begin_with(&sibling);
    kr_parallel_options o = {.grain = grain};
    CHECK_EQ(kr_parallel_for(pool, 0, 100, await_sibling, NULL, &o), 0);
    end_with(pool, sibling);
}

LOOP_TEST(a_range_is_left_to_the_pool)
{
    run_range(0);
    run_range(1);
}

static void run_reduction(size_t grain)
{
    kr_future *sibling;
    kr_executor *pool = begin_with(&sibling);
    kr_parallel_options o = {.grain = grain};
    kr_reduction how = {.size = sizeof(long), .add = add_range, .join = join_sums};
    long sum = 0;
    CHECK_EQ(kr_parallel_reduce(pool, 0, 1000, &how, NULL, &sum, &o), 0);
    CHECK_EQ(sum, 999 * 500);
    end_with(pool, sibling);
}

LOOP_TEST(a_reduction_is_left_to_the_pool)
{
    run_reduction(0);
    run_reduction(7);
}

LOOP_TEST(a_map_is_left_to_the_pool)
{
    kr_future *sibling;
    kr_executor *pool = begin_with(&sibling);
    CHECK_EQ(kr_map(pool, await_sibling_in_map, NULL, 0, 50, NULL, 0, NULL), 0);
    end_with(pool, sibling);
}

/* Where nobody else can do it. */

static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

static void ignore(const kr_task_report *report)
{
    (void)report;
}

static int count_range(size_t first, size_t end, void *arg)
{
    *(size_t *)arg += end - first;
    return 0;
}

LOOP_TEST(a_range_that_nobody_else_can_do)
{
    kr_executor *pool;
    size_t count = 0;
    (void)kr_set_task_hook(ignore);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2, .initializer = fail}), 0);
    CHECK_EQ(kr_parallel_for(pool, 0, 1000, count_range, &count, NULL), 0);
    CHECK_EQ(count, 1000);
    kr_executor_release(pool);
}

/* A coroutine of the executor takes part: there may be nobody else. */

static int run_range_here(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    kr_parallel_options o = {.grain = 1};
    size_t count = 0;
    (void)result;
    CHECK_EQ(kr_parallel_for(pool, 0, 1000, count_range, &count, NULL), 0);
    CHECK_EQ(kr_parallel_for(pool, 0, 1000, count_range, &count, &o), 0);
    CHECK_EQ(count, 2000);
    return 0;
}

TEST(a_pools_own_coroutine_takes_part)
{
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, &f, run_range_here, &pool, sizeof pool, 0), 0);
    CHECK_EQ(error_of(f), 0);
    kr_executor_release(pool);
}
