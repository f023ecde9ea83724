/* Queues as CPython's tests see them.
 *
 * Behaviours: section 10
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/help.h"

enum { SIZE = 5, MOST_THREADS = 16 };

/* Runners that do one thing on a queue and keep what came of it. */
struct world {
    kr_queue *q;
    kr_time timeout;
    kr_word number;
    kr_word passed; /* results of 0 */
    kr_word shut;   /* of KR_ESHUTDOWN */
    kr_word other;
    int64_t value;
};

static void count_result(struct world *world, int result)
{
    kr_word *counter = result == 0              ? &world->passed
                       : result == KR_ESHUTDOWN ? &world->shut
                                                : &world->other;
    kri_add_acq_rel(counter, 1);
}

static void do_put(void *arg)
{
    struct world *world = arg;
    count_result(world, queue_put(world->q, 7, world->timeout));
}

static void do_get(void *arg)
{
    struct world *world = arg;
    int64_t value = 0;
    int err = queue_get(world->q, &value, world->timeout);
    if (err == 0)
        world->value = value;
    count_result(world, err);
}

static void do_join(void *arg)
{
    struct world *world = arg;
    count_result(world, kr_queue_join(world->q, world->timeout));
}

static void check_counts(const struct world *world, uint32_t passed, uint32_t shut)
{
    CHECK_EQ(kri_load_acq(&world->passed), passed);
    CHECK_EQ(kri_load_acq(&world->shut), shut);
    CHECK_EQ(kri_load_acq(&world->other), 0);
}

TEST(test_queue_task_done)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 0);
        int64_t value;
        CHECK_EQ(kr_queue_task_done(q), -EPERM);
        CHECK_EQ(queue_put(q, 1, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_task_done(q), 0); /* as in Python it need not be taken before */
        CHECK_EQ(kr_queue_task_done(q), -EPERM);
        CHECK_EQ(queue_get(q, &value, KR_NOWAIT), 0);
        kr_queue_release(q);
    }
}

/* Negative numbers end a worker. */
static void work(void *arg)
{
    struct world *world = arg;
    for (;;) {
        int64_t value;
        CHECK_EQ(queue_get(world->q, &value, KR_FOREVER), 0);
        if (value < 0) {
            CHECK_EQ(kr_queue_task_done(world->q), 0);
            return;
        }
        kri_add_acq_rel(&world->number, (uint32_t)value);
        CHECK_EQ(kr_queue_task_done(world->q), 0);
    }
}

TEST(test_queue_join)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        struct world world = {.q = queue_make(n, 0)};
        kri_bunch workers;
        kri_bunch_start(&workers, 2, work, &world);
        for (uint32_t round = 1; round <= 2; round++) {
            for (int64_t i = 0; i < 100; i++)
                CHECK_EQ(queue_put(world.q, i, KR_FOREVER), 0);
            CHECK_EQ(kr_queue_join(world.q, KR_FOREVER), 0);
            CHECK_EQ(kri_load_acq(&world.number), round * 4950);
        }
        CHECK_EQ(queue_put(world.q, -1, KR_FOREVER), 0);
        CHECK_EQ(queue_put(world.q, -1, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_join(world.q, KR_FOREVER), 0);
        kri_bunch_end(&workers);
        kr_queue_release(world.q);
    }
}

static void check_order(kr_queue *q)
{
    static const int64_t wanted[QUEUE_ORDERS][3] = {
        {111, 333, 222}, {222, 333, 111}, {111, 222, 333}};
    CHECK_EQ(queue_put(q, 111, KR_FOREVER), 0);
    CHECK(!kr_queue_empty(q));
    CHECK_EQ(queue_put(q, 333, KR_FOREVER), 0);
    CHECK_EQ(queue_put(q, 222, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_qsize(q), 3);
    for (int i = 0; i < 3; i++) {
        int64_t value;
        CHECK_EQ(queue_get(q, &value, KR_FOREVER), 0);
        CHECK_EQ(value, wanted[q->order][i]);
    }
    CHECK(kr_queue_empty(q));
}

static void check_blocked_put(kr_queue *q, kr_time timeout)
{
    struct world world = {.q = q, .timeout = timeout};
    kri_bunch bunch;
    int64_t value;
    kri_bunch_start(&bunch, 1, do_put, &world);
    queue_await_putters(q, 1);
    CHECK_EQ(queue_get(q, &value, KR_NOWAIT), 0);
    kri_bunch_end(&bunch);
    check_counts(&world, 1, 0);
    CHECK(kr_queue_full(q));
}

static void check_blocked_get(kr_queue *q, kr_time timeout)
{
    struct world world = {.q = q, .timeout = timeout};
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, do_get, &world);
    queue_await_getters(q, 1);
    CHECK_EQ(queue_put(q, 42, KR_NOWAIT), 0);
    kri_bunch_end(&bunch);
    check_counts(&world, 1, 0);
    CHECK_EQ(world.value, 42);
    CHECK(kr_queue_empty(q));
}

static void simple_queue_test(kr_queue *q)
{
    int64_t value;
    CHECK_EQ(kr_queue_qsize(q), 0);
    check_order(q);
    for (int i = 0; i < SIZE - 1; i++) {
        CHECK_EQ(queue_put(q, i, KR_FOREVER), 0);
        CHECK(!kr_queue_full(q));
    }
    CHECK_EQ(queue_put(q, SIZE, KR_FOREVER), 0);
    CHECK(kr_queue_full(q));
    CHECK_EQ(queue_put(q, 7, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(queue_put(q, 7, kr_ms(10)), -ETIMEDOUT);
    check_blocked_put(q, KR_FOREVER);
    check_blocked_put(q, kr_sec(10));
    for (int i = 0; i < SIZE; i++)
        CHECK_EQ(queue_get(q, &value, KR_FOREVER), 0);
    CHECK(kr_queue_empty(q));
    CHECK_EQ(queue_get(q, &value, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(queue_get(q, &value, kr_ms(10)), -ETIMEDOUT);
    check_blocked_get(q, KR_FOREVER);
    check_blocked_get(q, kr_sec(10));
}

TEST(test_basic)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, SIZE);
        simple_queue_test(q);
        simple_queue_test(q);
        kr_queue_release(q);
    }
}

TEST(test_negative_timeout_raises_exception)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 1);
        int64_t value;
        CHECK_EQ(queue_put(q, 1, -1), -EINVAL);
        CHECK_EQ(queue_get(q, &value, -1), -EINVAL);
        CHECK_EQ(kr_queue_join(q, -1), -EINVAL);
        kr_queue_release(q);
    }
}

TEST(test_nowait)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, SIZE);
        int64_t value;
        for (int i = 0; i < SIZE; i++)
            CHECK_EQ(queue_put(q, 1, KR_NOWAIT), 0);
        CHECK_EQ(queue_put(q, 1, KR_NOWAIT), -ETIMEDOUT);
        for (int i = 0; i < SIZE; i++)
            CHECK_EQ(queue_get(q, &value, KR_NOWAIT), 0);
        CHECK_EQ(queue_get(q, &value, KR_NOWAIT), -ETIMEDOUT);
        kr_queue_release(q);
    }
}

TEST(test_shrinking_queue)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        struct world world = {.q = queue_make(n, 3), .timeout = KR_FOREVER};
        kri_bunch bunch;
        for (int i = 0; i < 3; i++)
            CHECK_EQ(queue_put(world.q, 1, KR_NOWAIT), 0);
        CHECK_EQ(queue_put(world.q, 1, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_set_maxsize(world.q, 2), 0);
        CHECK_EQ(kr_queue_maxsize(world.q), 2);
        CHECK(kr_queue_full(world.q));
        CHECK_EQ(queue_put(world.q, 1, KR_NOWAIT), -ETIMEDOUT);
        kri_bunch_start(&bunch, 2, do_put, &world);
        queue_await_putters(world.q, 2);
        CHECK_EQ(kr_queue_set_maxsize(world.q, 5), 0); /* and growing lets them in */
        kri_bunch_end(&bunch);
        check_counts(&world, 2, 0);
        kr_queue_release(world.q);
    }
}

static void check_shut(kr_queue *q)
{
    int64_t value;
    CHECK_EQ(queue_put(q, 1, KR_FOREVER), KR_ESHUTDOWN);
    CHECK_EQ(queue_put(q, 1, KR_NOWAIT), KR_ESHUTDOWN);
    CHECK_EQ(queue_get(q, &value, KR_FOREVER), KR_ESHUTDOWN);
    CHECK_EQ(queue_get(q, &value, KR_NOWAIT), KR_ESHUTDOWN);
}

TEST(test_shutdown_empty)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 0);
        CHECK_EQ(kr_queue_shutdown(q, false), 0);
        check_shut(q);
        kr_queue_release(q);
    }
}

TEST(test_shutdown_nonempty)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 0);
        int64_t value;
        CHECK_EQ(queue_put(q, 4, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_shutdown(q, false), 0);
        CHECK_EQ(queue_get(q, &value, KR_FOREVER), 0);
        CHECK_EQ(value, 4);
        check_shut(q);
        kr_queue_release(q);
    }
}

TEST(test_shutdown_immediate)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 0);
        CHECK_EQ(queue_put(q, 4, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_shutdown(q, true), 0);
        CHECK(kr_queue_empty(q));
        check_shut(q);
        kr_queue_release(q);
    }
}

TEST(test_shutdown_allowed_transitions)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 0);
        CHECK(!kr_queue_is_shutdown(q));
        CHECK_EQ(queue_put(q, 4, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_shutdown(q, false), 0);
        CHECK(kr_queue_is_shutdown(q));
        CHECK_EQ(kr_queue_qsize(q), 1);
        CHECK_EQ(kr_queue_shutdown(q, true), 0);
        CHECK_EQ(kr_queue_qsize(q), 0);
        CHECK_EQ(kr_queue_shutdown(q, false), 0);
        CHECK(kr_queue_is_shutdown(q));
        check_shut(q);
        kr_queue_release(q);
    }
}

static void all_methods_in_one_thread(bool immediate)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 2);
        int64_t value;
        CHECK_EQ(queue_put(q, 1, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_shutdown(q, immediate), 0);
        CHECK_EQ(queue_put(q, 1, KR_FOREVER), KR_ESHUTDOWN);
        CHECK_EQ(queue_put(q, 1, KR_NOWAIT), KR_ESHUTDOWN);
        if (!immediate) {
            CHECK_EQ(kr_queue_join(q, KR_NOWAIT), -ETIMEDOUT);
            CHECK_EQ(queue_get(q, &value, KR_FOREVER), 0);
            CHECK_EQ(kr_queue_task_done(q), 0);
        }
        CHECK_EQ(kr_queue_task_done(q), -EPERM);
        CHECK_EQ(kr_queue_join(q, KR_FOREVER), 0);
        CHECK_EQ(queue_get(q, &value, KR_FOREVER), KR_ESHUTDOWN);
        CHECK_EQ(queue_get(q, &value, KR_NOWAIT), KR_ESHUTDOWN);
        kr_queue_release(q);
    }
}

TEST(test_shutdown_all_methods_in_one_thread)
{
    all_methods_in_one_thread(false);
}

TEST(test_shutdown_immediate_all_methods_in_one_thread)
{
    all_methods_in_one_thread(true);
}

enum { MESSAGES = 65536, WRITERS = 4, READERS = 6, JOINERS = 2 };

static void write_many(void *arg)
{
    struct world *world = arg;
    int err = 0;
    for (int i = 0; i < MESSAGES / WRITERS && err == 0; i++) {
        err = queue_put(world->q, i, KR_FOREVER);
        if (err == 0 && kri_add_acq_rel(&world->number, 1) == MESSAGES / 2)
            CHECK_EQ(kr_queue_shutdown(world->q, world->value), 0);
    }
    CHECK(err == 0 || err == KR_ESHUTDOWN);
}

static void read_all(void *arg)
{
    struct world *world = arg;
    int64_t value;
    int err;
    while ((err = queue_get(world->q, &value, KR_FOREVER)) == 0)
        CHECK_EQ(kr_queue_task_done(world->q), 0);
    count_result(world, err);
}

static void all_methods_in_many_threads(bool immediate)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        struct world world = {.q = queue_make(n, 64), .value = immediate};
        struct world join = {.q = world.q, .timeout = KR_FOREVER};
        kri_bunch writers, readers, joiners;
        kri_bunch_start(&writers, WRITERS, write_many, &world);
        kri_bunch_start(&readers, READERS, read_all, &world);
        kri_bunch_end(&writers);
        kri_bunch_start(&joiners, JOINERS, do_join, &join);
        kri_bunch_end(&readers);
        kri_bunch_end(&joiners);
        check_counts(&world, 0, READERS);
        check_counts(&join, JOINERS, 0);
        CHECK(kr_queue_empty(world.q));
        CHECK_EQ(kr_queue_task_done(world.q), -EPERM);
        kr_queue_release(world.q);
    }
}

TEST(test_shutdown_all_methods_in_many_threads)
{
    all_methods_in_many_threads(false);
}

TEST(test_shutdown_immediate_all_methods_in_many_threads)
{
    all_methods_in_many_threads(true);
}

/* Three getters, two items: the third waits. */
static void check_shutdown_get(bool immediate)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        struct world world = {.q = queue_make(n, 0), .timeout = KR_FOREVER};
        kri_bunch bunch;
        CHECK_EQ(queue_put(world.q, 1, KR_FOREVER), 0);
        CHECK_EQ(queue_put(world.q, 2, KR_FOREVER), 0);
        if (immediate)
            CHECK_EQ(kr_queue_shutdown(world.q, true), 0);
        kri_bunch_start(&bunch, 3, do_get, &world);
        if (!immediate) {
            queue_await_getters(world.q, 1);
            kri_bunch_wait_finished(&bunch, 2);
            CHECK_EQ(kr_queue_shutdown(world.q, false), 0);
        }
        kri_bunch_end(&bunch);
        check_counts(&world, immediate ? 0 : 2, immediate ? 3 : 1);
        kr_queue_release(world.q);
    }
}

TEST(test_shutdown_get)
{
    check_shutdown_get(false);
}

TEST(test_shutdown_immediate_get)
{
    check_shutdown_get(true);
}

static void check_shutdown_put(bool immediate)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        struct world world = {.q = queue_make(n, 1), .timeout = KR_FOREVER};
        kri_bunch bunch;
        CHECK_EQ(queue_put(world.q, 1, KR_FOREVER), 0);
        kri_bunch_start(&bunch, 3, do_put, &world);
        queue_await_putters(world.q, 3);
        CHECK_EQ(kr_queue_shutdown(world.q, immediate), 0);
        kri_bunch_end(&bunch);
        check_counts(&world, 0, 3);
        CHECK_EQ(kr_queue_qsize(world.q), immediate ? 0 : 1);
        kr_queue_release(world.q);
    }
}

TEST(test_shutdown_put)
{
    check_shutdown_put(false);
}

TEST(test_shutdown_immediate_put)
{
    check_shutdown_put(true);
}

static void check_shutdown_join(bool immediate, bool putters)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        struct world join = {.q = queue_make(n, 1), .timeout = KR_FOREVER};
        struct world put = {.q = join.q, .timeout = KR_FOREVER};
        kri_bunch joiners, writers;
        int64_t value;
        CHECK_EQ(queue_put(join.q, 1, KR_FOREVER), 0);
        kri_bunch_start(&joiners, 2, do_join, &join);
        queue_await_joiners(join.q, 2);
        kri_bunch_start(&writers, putters ? 2 : 0, do_put, &put);
        queue_await_putters(join.q, putters ? 2 : 0);
        CHECK_EQ(kr_queue_shutdown(join.q, immediate), 0);
        kri_bunch_end(&writers);
        check_counts(&put, 0, putters ? 2 : 0);
        if (!immediate) {
            queue_await_joiners(join.q, 2);
            CHECK_EQ(queue_get(join.q, &value, KR_FOREVER), 0);
            CHECK_EQ(kri_bunch_finished(&joiners), 0);
            CHECK_EQ(kr_queue_task_done(join.q), 0);
        }
        kri_bunch_end(&joiners);
        check_counts(&join, 2, 0);
        kr_queue_release(join.q);
    }
}

TEST(test_shutdown_join)
{
    check_shutdown_join(false, false);
}

TEST(test_shutdown_immediate_join)
{
    check_shutdown_join(true, false);
}

TEST(test_shutdown_put_join)
{
    check_shutdown_join(false, true);
}

TEST(test_shutdown_immediate_put_join)
{
    check_shutdown_join(true, true);
}

static void get_and_finish(void *arg)
{
    struct world *world = arg;
    do_get(arg);
    CHECK_EQ(kr_queue_task_done(world->q), 0);
}

TEST(test_shutdown_get_task_done_join)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        struct world join = {.q = queue_make(n, 0), .timeout = KR_FOREVER};
        struct world get = {.q = join.q, .timeout = KR_FOREVER};
        kri_bunch joiners, getters;
        CHECK_EQ(queue_put(join.q, 1, KR_FOREVER), 0);
        CHECK_EQ(queue_put(join.q, 2, KR_FOREVER), 0);
        kri_bunch_start(&joiners, 2, do_join, &join);
        queue_await_joiners(join.q, 2);
        CHECK_EQ(kr_queue_shutdown(join.q, false), 0);
        kri_bunch_start(&getters, 2, get_and_finish, &get);
        kri_bunch_end(&getters);
        kri_bunch_end(&joiners);
        check_counts(&get, 2, 0);
        check_counts(&join, 2, 0);
        kr_queue_release(join.q);
    }
}

TEST(test_shutdown_pending_get)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        struct world world = {.q = queue_make(n, 0), .timeout = KR_FOREVER};
        kri_bunch bunch;
        kri_bunch_start(&bunch, 3, do_get, &world);
        queue_await_getters(world.q, 3);
        kri_test_wait_parked(&kri_private_of(world.q)->items.called, 3);
        CHECK_EQ(kr_queue_shutdown(world.q, false), 0);
        kri_bunch_end(&bunch);
        check_counts(&world, 0, 3);
        kr_queue_release(world.q);
    }
}
