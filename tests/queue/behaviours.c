/* Queues as CPython's tests see them: order, limits, time-outs, task_done and join.
 *
 * Behaviours: section 10
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/parties.h"

enum { ROOM = 5 };

typedef struct queue_world {
    kr_queue *queue;
    kr_time timeout;
    kr_word waiting;
    kr_word counted;
    int64_t results[PARTY_MAX];
    kri_word64 sum;
} queue_world;

static queue_world *world_create(kr_queue_order order, size_t maxsize)
{
    queue_world *world = party_world(sizeof *world);
    world->queue = make_queue(order, maxsize);
    world->timeout = KR_FOREVER;
    return world;
}

static void world_free(queue_world *world)
{
    kr_queue_release(world->queue);
    party_world_free(world, sizeof *world);
}

/* Blocked calls */

static void put_one(void *arg, int index)
{
    queue_world *world = arg;
    world->results[index] = put(world->queue, 1000 + index, world->timeout);
}

static void get_one(void *arg, int index)
{
    queue_world *world = arg;
    world->results[index] = get(world->queue, world->timeout);
}

/* A put sleeps at the full queue until something is taken. */
static void check_blocked_put(queue_world *world, kr_time timeout)
{
    world->timeout = timeout;
    party_bunch *bunch = party_start(1, put_one, world);
    party_await_asleep(1);
    CHECK_EQ(party_finished(bunch), 0);
    CHECK_GE(get(world->queue, KR_NOWAIT), 0);
    party_join(bunch);
    CHECK_EQ(world->results[0], 0);
}

/* A get sleeps at the empty queue until something is put. */
static void check_blocked_get(queue_world *world, kr_time timeout)
{
    world->timeout = timeout;
    party_bunch *bunch = party_start(1, get_one, world);
    party_await_asleep(1);
    CHECK_EQ(party_finished(bunch), 0);
    CHECK_EQ(put(world->queue, 77, KR_NOWAIT), 0);
    party_join(bunch);
    CHECK_EQ(world->results[0], 77);
}

static void check_order(kr_queue *q)
{
    static const int64_t given[] = {111, 333, 222};
    static const int64_t taken[][3] = {
        [KR_FIFO] = {111, 333, 222}, [KR_LIFO] = {222, 333, 111}, [KR_PRIORITY] = {111, 222, 333}};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(put(q, given[i], KR_FOREVER), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(get(q, KR_FOREVER), taken[q->order][i]);
}

static void check_full(queue_world *world)
{
    kr_queue *q = world->queue;
    for (int i = 0; i < ROOM; i++) {
        CHECK_EQ(kr_queue_qsize(q), i);
        CHECK(!kr_queue_full(q));
        CHECK_EQ(put(q, i, KR_FOREVER), 0);
        CHECK(!kr_queue_empty(q));
    }
    CHECK(kr_queue_full(q));
    CHECK_EQ(kr_queue_qsize(q), ROOM);
    CHECK_EQ(put(q, 9, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(put(q, 9, kr_ms(10)), -ETIMEDOUT);
    CHECK_EQ(kr_queue_qsize(q), ROOM);
    check_blocked_put(world, KR_FOREVER);
    check_blocked_put(world, kr_sec(100));
    for (int i = 0; i < ROOM; i++)
        CHECK_GE(get(q, KR_FOREVER), 0);
}

static void check_empty(queue_world *world)
{
    kr_queue *q = world->queue;
    CHECK(kr_queue_empty(q));
    CHECK_EQ(kr_queue_qsize(q), 0);
    CHECK_EQ(get(q, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(get(q, kr_ms(10)), -ETIMEDOUT);
    check_blocked_get(world, KR_FOREVER);
    check_blocked_get(world, kr_sec(100));
    CHECK(kr_queue_empty(q));
}

PARTY_TEST(test_basic)
{
    FOR_EACH_ORDER(order)
    {
        queue_world *world = world_create(order, ROOM);
        for (int round = 0; round < 2; round++) {
            check_empty(world);
            check_order(world->queue);
            check_full(world);
            check_empty(world);
        }
        world_free(world);
    }
}

PARTY_TEST(test_negative_timeout_raises_exception)
{
    FOR_EACH_ORDER(order)
    {
        queue_world *world = world_create(order, 1);
        CHECK_EQ(put(world->queue, 1, -1), -EINVAL);
        CHECK_EQ(put(world->queue, 1, INT64_MIN), -EINVAL);
        CHECK(kr_queue_empty(world->queue));
        CHECK_EQ(put(world->queue, 1, KR_NOWAIT), 0);
        CHECK_EQ(get(world->queue, -1), -EINVAL);
        CHECK_EQ(get(world->queue, INT64_MIN), -EINVAL);
        CHECK_EQ(kr_queue_join(world->queue, -1), -EINVAL);
        CHECK_EQ(kr_queue_qsize(world->queue), 1);
        world_free(world);
    }
}

PARTY_TEST(test_nowait)
{
    FOR_EACH_ORDER(order)
    {
        queue_world *world = world_create(order, ROOM);
        for (int i = 0; i < ROOM; i++)
            CHECK_EQ(put(world->queue, 1, KR_NOWAIT), 0);
        CHECK_EQ(put(world->queue, 1, KR_NOWAIT), -ETIMEDOUT);
        for (int i = 0; i < ROOM; i++)
            CHECK_EQ(get(world->queue, KR_NOWAIT), 1);
        CHECK_EQ(get(world->queue, KR_NOWAIT), -ETIMEDOUT);
        world_free(world);
    }
}

/* A shared queue's limit is fixed: see tests/deviations. */
PARTY_TEST_OF(test_shrinking_queue, threads)
{
    FOR_EACH_ORDER(order)
    {
        queue_world *world = world_create(order, 3);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(put(world->queue, i, KR_NOWAIT), 0);
        CHECK_EQ(put(world->queue, 4, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_set_maxsize(world->queue, 2), 0);
        CHECK(kr_queue_full(world->queue));
        CHECK_EQ(put(world->queue, 4, KR_NOWAIT), -ETIMEDOUT);
        CHECK_GE(get(world->queue, KR_NOWAIT), 0);
        CHECK_EQ(put(world->queue, 4, KR_NOWAIT), -ETIMEDOUT);
        CHECK_GE(get(world->queue, KR_NOWAIT), 0);
        CHECK_EQ(put(world->queue, 4, KR_NOWAIT), 0);
        world_free(world);
    }
}

PARTY_TEST(test_queue_task_done)
{
    FOR_EACH_ORDER(order)
    {
        queue_world *world = world_create(order, 0);
        CHECK_EQ(kr_queue_task_done(world->queue), -EPERM);
        CHECK_EQ(kr_queue_join(world->queue, KR_FOREVER), 0);
        CHECK_EQ(put(world->queue, 1, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_join(world->queue, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(get(world->queue, KR_NOWAIT), 1);
        CHECK_EQ(kr_queue_join(world->queue, kr_ms(5)), -ETIMEDOUT);
        CHECK_EQ(kr_queue_task_done(world->queue), 0);
        CHECK_EQ(kr_queue_join(world->queue, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_task_done(world->queue), -EPERM);
        world_free(world);
    }
}

/* CPython's worker stops at a negative number; here at a large one, which each takes once. */
enum { STOP = 1000000 };

static void work_until_told(void *arg, int index)
{
    queue_world *world = arg;
    for (;;) {
        int64_t item = get(world->queue, KR_FOREVER);
        if (item < 0 || (item < STOP && kri_add_acq_rel64(&world->sum, (uint64_t)item) > INT64_MAX))
            world->results[index] = item;
        if (kr_queue_task_done(world->queue) != 0)
            world->results[index] = -EPERM;
        if (item < 0 || item >= STOP)
            return;
    }
}

PARTY_TEST(test_queue_join)
{
    enum { WORKERS = 2, ITEMS = 100 };
    FOR_EACH_ORDER(order)
    {
        queue_world *world = world_create(order, 0);
        party_bunch *bunch = party_start(WORKERS, work_until_told, world);
        for (int round = 1; round <= 2; round++) {
            for (int i = 0; i < ITEMS; i++)
                CHECK_EQ(put(world->queue, i, KR_FOREVER), 0);
            CHECK_EQ(kr_queue_join(world->queue, KR_FOREVER), 0);
            CHECK_EQ(kri_load_acq64(&world->sum), round * ITEMS * (ITEMS - 1) / 2);
        }
        for (int i = 0; i < WORKERS; i++)
            CHECK_EQ(put(world->queue, STOP, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_join(world->queue, KR_FOREVER), 0);
        party_join(bunch);
        for (int i = 0; i < WORKERS; i++)
            CHECK_EQ(world->results[i], 0);
        world_free(world);
    }
}

static void join_queue(void *arg, int index)
{
    queue_world *world = arg;
    world->results[index] = kr_queue_join(world->queue, KR_FOREVER);
}

/* All who wait in a join go on, at the last task_done and not before. */
PARTY_TEST(test_many_wait_in_join)
{
    queue_world *world = world_create(KR_FIFO, 0);
    memset(world->results, 0xff, sizeof world->results);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(put(world->queue, i, KR_FOREVER), 0);
    party_bunch *bunch = party_start(5, join_queue, world);
    party_await_asleep(5);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(party_finished(bunch), 0);
        CHECK_EQ(get(world->queue, KR_NOWAIT), i);
        CHECK_EQ(kr_queue_task_done(world->queue), 0);
    }
    party_join(bunch);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(world->results[i], 0);
    world_free(world);
}
