/* What CPython's tests assert of a queue that is shut down.
 *
 * Behaviours: section 10
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/parties.h"

typedef struct shutdown_world {
    kr_queue *queue;
    kr_word go;
    kr_word joined;
    kr_word wrong;
    kr_word messages;
    int64_t results[PARTY_MAX];
} shutdown_world;

static shutdown_world *world_create(kr_queue_order order, size_t maxsize)
{
    shutdown_world *world = party_world(sizeof *world);
    world->queue = make_queue(order, maxsize);
    memset(world->results, 0x55, sizeof world->results);
    return world;
}

static void world_free(shutdown_world *world)
{
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    kr_queue_release(world->queue);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test_shutdown_empty)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 0);
        CHECK(!kr_queue_is_shutdown(world->queue));
        CHECK_EQ(kr_queue_shutdown(world->queue, false), 0);
        CHECK_EQ(put(world->queue, 1, KR_FOREVER), KR_ESHUTDOWN);
        CHECK_EQ(get(world->queue, KR_FOREVER), KR_ESHUTDOWN);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_nonempty)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 0);
        CHECK_EQ(put(world->queue, 7, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_shutdown(world->queue, false), 0);
        CHECK_EQ(put(world->queue, 8, KR_NOWAIT), KR_ESHUTDOWN);
        CHECK_EQ(get(world->queue, KR_FOREVER), 7);
        CHECK_EQ(get(world->queue, KR_NOWAIT), KR_ESHUTDOWN);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_immediate)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 0);
        CHECK_EQ(put(world->queue, 7, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_shutdown(world->queue, true), 0);
        CHECK_EQ(get(world->queue, KR_FOREVER), KR_ESHUTDOWN);
        CHECK_EQ(put(world->queue, 8, KR_FOREVER), KR_ESHUTDOWN);
        CHECK_EQ(kr_queue_qsize(world->queue), 0);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_allowed_transitions)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 0);
        CHECK_EQ(put(world->queue, 7, KR_FOREVER), 0);
        CHECK(!kr_queue_is_shutdown(world->queue));
        CHECK_EQ(kr_queue_shutdown(world->queue, false), 0);
        CHECK(kr_queue_is_shutdown(world->queue));
        CHECK_EQ(kr_queue_qsize(world->queue), 1);
        CHECK_EQ(kr_queue_shutdown(world->queue, true), 0);
        CHECK(kr_queue_is_shutdown(world->queue));
        CHECK_EQ(kr_queue_qsize(world->queue), 0);
        CHECK_EQ(kr_queue_shutdown(world->queue, false), 0);
        CHECK(kr_queue_is_shutdown(world->queue));
        CHECK_EQ(get(world->queue, KR_NOWAIT), KR_ESHUTDOWN);
        world_free(world);
    }
}

/* With two items inside, one of them taken before the shutdown. */
static void check_all_methods(shutdown_world *world, bool immediate)
{
    kr_queue *q = world->queue;
    for (int i = 1; i <= 3; i++)
        CHECK_EQ(put(q, i, KR_FOREVER), 0);
    CHECK_GE(get(q, KR_FOREVER), 1);
    CHECK_EQ(kr_queue_shutdown(q, immediate), 0);
    CHECK_EQ(put(q, 4, KR_FOREVER), KR_ESHUTDOWN);
    CHECK_EQ(put(q, 4, KR_NOWAIT), KR_ESHUTDOWN);
    CHECK_EQ(put(q, 4, kr_ms(5)), KR_ESHUTDOWN);
    if (!immediate) {
        CHECK_EQ(kr_queue_join(q, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_qsize(q), 2);
        for (int i = 0; i < 2; i++)
            CHECK_GE(get(q, i ? KR_FOREVER : KR_NOWAIT), 1);
    }
    CHECK_EQ(get(q, KR_FOREVER), KR_ESHUTDOWN);
    CHECK_EQ(get(q, KR_NOWAIT), KR_ESHUTDOWN);
    CHECK_EQ(get(q, kr_ms(5)), KR_ESHUTDOWN);
    CHECK(kr_queue_empty(q));
    for (int i = 0; i < (immediate ? 1 : 3); i++) {
        CHECK_EQ(kr_queue_join(q, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_task_done(q), 0);
    }
    CHECK_EQ(kr_queue_join(q, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_task_done(q), -EPERM);
    CHECK_EQ(kr_queue_join(q, KR_FOREVER), 0);
}

PARTY_TEST(test_shutdown_all_methods_in_one_thread)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 5);
        check_all_methods(world, false);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_immediate_all_methods_in_one_thread)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 5);
        check_all_methods(world, true);
        world_free(world);
    }
}

/* Four who put, six who get, two who join; a fifth of the messages in, the queue is shut down. */

enum { WRITERS = 4, READERS = 6, JOINERS = 2, MESSAGES = 8192, SHUT_AFTER = MESSAGES / 5 };

static void write_all(shutdown_world *world, int index)
{
    for (int i = 0; i < MESSAGES / WRITERS; i++) {
        int err = put(world->queue, i, KR_FOREVER);
        if (err == 0)
            kri_add_acq_rel(&world->messages, 1);
        else if (err == KR_ESHUTDOWN)
            world->results[index] = err;
        else
            kri_add_acq_rel(&world->wrong, 1);
    }
}

static void read_all(shutdown_world *world, int index)
{
    int64_t item;
    while ((item = get(world->queue, KR_FOREVER)) >= 0) {
        int err = kr_queue_task_done(world->queue);
        if (err != 0 && err != -EPERM)
            kri_add_acq_rel(&world->wrong, 1);
    }
    world->results[index] = item;
}

static void do_any(void *arg, int index)
{
    shutdown_world *world = arg;
    if (index < WRITERS)
        write_all(world, index);
    else if (index < WRITERS + READERS)
        read_all(world, index);
    else if (kr_queue_join(world->queue, KR_FOREVER) != 0)
        kri_add_acq_rel(&world->wrong, 1);
}

static void check_many(bool immediate)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 16);
        CHECK_EQ(put(world->queue, 1, KR_FOREVER), 0);
        party_bunch *bunch = party_start(WRITERS + READERS + JOINERS, do_any, world);
        party_await_count(&world->messages, SHUT_AFTER);
        CHECK_EQ(kr_queue_shutdown(world->queue, immediate), 0);
        if (immediate)
            CHECK(kr_queue_empty(world->queue));
        party_join(bunch);
        for (int i = WRITERS; i < WRITERS + READERS; i++)
            CHECK_EQ(world->results[i], KR_ESHUTDOWN);
        CHECK(kr_queue_empty(world->queue));
        CHECK_EQ(kr_queue_join(world->queue, KR_FOREVER), 0);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_all_methods_in_many_threads)
{
    check_many(false);
}

PARTY_TEST(test_shutdown_immediate_all_methods_in_many_threads)
{
    check_many(true);
}

/* Getters, putters and joiners that are called together, or wait already. */

static void get_one(void *arg, int index)
{
    shutdown_world *world = arg;
    party_await_count(&world->go, 1);
    world->results[index] = get(world->queue, KR_FOREVER);
}

static void put_one(void *arg, int index)
{
    shutdown_world *world = arg;
    party_await_count(&world->go, 1);
    world->results[index] = put(world->queue, 50 + index, KR_FOREVER);
}

static void join_one(void *arg, int index)
{
    shutdown_world *world = arg;
    party_await_count(&world->go, 1);
    world->results[index] = kr_queue_join(world->queue, KR_FOREVER);
    kri_add_acq_rel(&world->joined, 1);
}

static int count_results(const shutdown_world *world, int count, int64_t result)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += world->results[i] == result;
    return found;
}

static void check_get(bool immediate)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 0);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(put(world->queue, 0, KR_FOREVER), 0);
        party_bunch *bunch = party_start(3, get_one, world);
        CHECK_EQ(kr_queue_shutdown(world->queue, immediate), 0);
        kri_add_acq_rel(&world->go, 1);
        party_join(bunch);
        CHECK_EQ(count_results(world, 3, KR_ESHUTDOWN), immediate ? 3 : 1);
        CHECK_EQ(count_results(world, 3, 0), immediate ? 0 : 2);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_get)
{
    check_get(false);
}

PARTY_CASE(test_shutdown_get, runners)

PARTY_TEST(test_shutdown_immediate_get)
{
    check_get(true);
}

PARTY_CASE(test_shutdown_immediate_get, runners)

/* Two of them wait at the full queue when it is shut down. */
static void check_put(bool immediate)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 2);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(put(world->queue, i, KR_FOREVER), 0);
        kri_add_acq_rel(&world->go, 1);
        party_bunch *bunch = party_start(2, put_one, world);
        party_await_asleep(2);
        CHECK_EQ(kr_queue_shutdown(world->queue, immediate), 0);
        party_join(bunch);
        CHECK_EQ(count_results(world, 2, KR_ESHUTDOWN), 2);
        CHECK_EQ(kr_queue_qsize(world->queue), immediate ? 0 : 2);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_put)
{
    check_put(false);
}

PARTY_CASE(test_shutdown_put, runners)

PARTY_TEST(test_shutdown_immediate_put)
{
    check_put(true);
}

PARTY_CASE(test_shutdown_immediate_put, runners)

static void check_join(bool immediate, size_t items)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, items);
        for (size_t i = 0; i < items; i++)
            CHECK_EQ(put(world->queue, 0, KR_FOREVER), 0);
        kri_add_acq_rel(&world->go, 1);
        party_bunch *bunch = party_start(2, join_one, world);
        party_await_asleep(2);
        CHECK_EQ(kr_queue_shutdown(world->queue, immediate), 0);
        for (size_t i = 0; !immediate && i < items; i++) {
            CHECK_EQ(kri_load_acq(&world->joined), 0);
            CHECK_EQ(get(world->queue, KR_FOREVER), 0);
            CHECK_EQ(kr_queue_task_done(world->queue), 0);
        }
        party_join(bunch);
        CHECK_EQ(count_results(world, 2, 0), 2);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_join)
{
    check_join(false, 1);
    check_join(false, 3);
}

PARTY_CASE(test_shutdown_join, runners)

PARTY_TEST(test_shutdown_immediate_join)
{
    check_join(true, 1);
    check_join(true, 3);
}

static void put_or_join(void *arg, int index)
{
    (index < 2 ? put_one : join_one)(arg, index);
}

static void check_put_join(bool immediate)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 2);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(put(world->queue, 0, KR_FOREVER), 0);
        kri_add_acq_rel(&world->go, 1);
        party_bunch *bunch = party_start(4, put_or_join, world);
        party_await_asleep(4);
        CHECK_EQ(kr_queue_shutdown(world->queue, immediate), 0);
        party_await_finished(bunch, 2);
        for (int i = 0; !immediate && i < 2; i++) {
            CHECK_EQ(kri_load_acq(&world->joined), 0);
            CHECK_EQ(get(world->queue, KR_NOWAIT), 0);
            CHECK_EQ(kr_queue_task_done(world->queue), 0);
        }
        party_join(bunch);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(world->results[i], i < 2 ? KR_ESHUTDOWN : 0);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_put_join)
{
    check_put_join(false);
}

PARTY_TEST(test_shutdown_immediate_put_join)
{
    check_put_join(true);
}

static void get_and_settle(shutdown_world *world, int index)
{
    party_await_count(&world->go, 1);
    world->results[index] = get(world->queue, KR_FOREVER);
    if (world->results[index] >= 0 && kr_queue_task_done(world->queue) != 0)
        kri_add_acq_rel(&world->wrong, 1);
}

static void settle_or_join(void *arg, int index)
{
    shutdown_world *world = arg;
    if (index < 2)
        get_and_settle(world, index);
    else
        join_one(world, index);
}

PARTY_TEST(test_shutdown_get_task_done_join)
{
    FOR_EACH_ORDER(order)
    {
        shutdown_world *world = world_create(order, 2);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(put(world->queue, 0, KR_FOREVER), 0);
        party_bunch *bunch = party_start(4, settle_or_join, world);
        CHECK_EQ(kr_queue_shutdown(world->queue, false), 0);
        kri_add_acq_rel(&world->go, 1);
        party_join(bunch);
        CHECK_EQ(count_results(world, 4, 0), 4);
        world_free(world);
    }
}

PARTY_TEST(test_shutdown_pending_get)
{
    for (int immediate = 0; immediate < 2; immediate++)
        FOR_EACH_ORDER(order)
        {
            shutdown_world *world = world_create(order, 0);
            kri_add_acq_rel(&world->go, 1);
            party_bunch *bunch = party_start(3, get_one, world);
            party_await_asleep(3);
            CHECK_EQ(kr_queue_shutdown(world->queue, immediate), 0);
            party_join(bunch);
            CHECK_EQ(count_results(world, 3, KR_ESHUTDOWN), 3);
            world_free(world);
        }
}

PARTY_CASE(test_shutdown_pending_get, runners)
