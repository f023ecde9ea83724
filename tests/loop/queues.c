/* Queues between the coroutines of one loop: what a cancel must not take away.
 *
 * Behaviours: section 13.2
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

enum { MOST = 12 };

static kr_queue *q;
static kr_future *tasks[MOST];
static int64_t got[MOST];
static int order[MOST], count; /* who came through, in their order */

static void make_queue(size_t maxsize, kr_queue_order kind)
{
    kr_queue_options options = {.order = kind};
    CHECK_EQ(kr_queue_create(&q, sizeof(int64_t), maxsize, &options), 0);
    count = 0;
}

static void put(int64_t item)
{
    CHECK_EQ(kr_queue_put(q, &item, KR_NOWAIT), 0);
}

static int64_t get(void)
{
    int64_t item;
    int err = kr_queue_get(q, &item, KR_NOWAIT);
    return err < 0 ? err : item;
}

static int get_one(const void *arg, void *result)
{
    int i = *(const int *)arg;
    (void)result;
    int err = kr_queue_get(q, &got[i], KR_FOREVER);
    if (err == 0)
        order[count++] = i;
    return err;
}

static int put_one(const void *arg, void *result)
{
    int i = *(const int *)arg;
    (void)result;
    int err = kr_queue_put(q, &(int64_t){100 + i}, KR_FOREVER);
    if (err == 0)
        order[count++] = i;
    return err;
}

static void spawn(int first, int n, kr_task_fn fn)
{
    for (int i = first; i < first + n; i++)
        CHECK_EQ(kr_spawn(&tasks[i], fn, &i, sizeof i, 0, NULL), 0);
}

/* `n` of them, at their wait. */
static void start(int first, int n, kr_task_fn fn)
{
    spawn(first, n, fn);
    let_others_run();
}

static void cancel(int i)
{
    CHECK_EQ(kr_future_cancel(tasks[i]), KR_ASKED);
}

static void expect_end(int first, int n, int error)
{
    for (int i = first; i < first + n; i++)
        CHECK_EQ(error_of(tasks[i]), error);
}

/* behaviours: 13.2 test_empty, test_maxsize, test_nonblocking_get, test_nonblocking_get_exception,
 * test_nonblocking_put, test_nonblocking_put_exception, test_order */
LOOP_TEST(test_full)
{
    make_queue(2, KR_FIFO);
    CHECK(kr_queue_empty(q) && !kr_queue_full(q));
    CHECK_EQ(get(), -ETIMEDOUT);
    put(1);
    CHECK(!kr_queue_empty(q) && !kr_queue_full(q));
    put(2);
    CHECK(kr_queue_full(q));
    CHECK_EQ(kr_queue_put(q, &(int64_t){3}, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(get(), 1);
    CHECK_EQ(get(), 2);
    CHECK_EQ(kr_queue_maxsize(q), 2);
    kr_queue_release(q);
}

static void check_order(kr_queue_order kind, const int64_t *expected)
{
    make_queue(0, kind);
    put(1);
    put(3);
    put(2);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(get(), expected[i]);
    kr_queue_release(q);
}

/* behaviours: 13.2 LifoQueueTests.test_order, PriorityQueueTests.test_order */
LOOP_TEST(the_orders)
{
    check_order(KR_FIFO, (int64_t[]){1, 3, 2});
    check_order(KR_LIFO, (int64_t[]){2, 3, 1});
    make_queue(0, KR_PRIORITY);
    for (int64_t i = 0; i < 3; i++)
        CHECK_EQ(kr_queue_put_priority(q, &i, (int64_t[]){1, 3, 2}[i], KR_NOWAIT), 0);
    CHECK_EQ(get(), 0);
    CHECK_EQ(get(), 2);
    CHECK_EQ(get(), 1);
    kr_queue_release(q);
}

/* Those who wait to get are served in their order.
 * behaviours: 13.2 test_blocking_get, test_blocking_get_wait */
LOOP_TEST(test_put_with_waiting_getters)
{
    make_queue(0, KR_FIFO);
    start(0, 3, get_one);
    for (int i = 0; i < 3; i++)
        put(10 + i);
    expect_end(0, 3, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(order[i], i);
        CHECK_EQ(got[i], 10 + i);
    }
    kr_queue_release(q);
}

/* And those who wait to put.
 * behaviours: 13.2 test_get_with_putters, test_blocking_put, test_blocking_put_wait */
LOOP_TEST(test_get_with_waiting_putters)
{
    make_queue(1, KR_FIFO);
    put(7);
    start(0, 3, put_one);
    CHECK_EQ(count, 0);
    CHECK_EQ(get(), 7);
    for (int i = 0; i < 3; i++) {
        int64_t item;
        CHECK_EQ(kr_queue_get(q, &item, KR_FOREVER), 0);
        CHECK_EQ(item, 100 + i);
    }
    expect_end(0, 3, 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(order[i], i);
    kr_queue_release(q);
}

/* An item comes and its getter is cancelled, in one turn: somebody has it, or it is there still. */
static void check_cancelled_getter(bool cancel_first)
{
    make_queue(0, KR_FIFO);
    start(0, 1, get_one);
    got[0] = 0;
    if (cancel_first)
        cancel(0);
    put(5);
    if (!cancel_first)
        cancel(0);
    int error = error_of(tasks[0]);
    CHECK(error == 0 || error == -ECANCELED);
    CHECK_EQ(error == 0 ? got[0] : get(), 5);
    CHECK_EQ(kr_queue_qsize(q), 0);
    kr_queue_release(q);
}

LOOP_TEST(test_get_cancelled_race)
{
    check_cancelled_getter(true);
    check_cancelled_getter(false);
}

/* Of several who wait some are cancelled as the items come: all items are had by the others. */
static void check_pending_readers(int readers, int cancelled)
{
    int64_t sum = 0;
    make_queue(0, KR_FIFO);
    start(0, readers, get_one);
    for (int i = 0; i < cancelled; i++)
        cancel(i);
    for (int i = cancelled; i < readers; i++)
        put(i);
    for (int i = 0; i < readers; i++) {
        int error = error_of(tasks[i]);
        CHECK_EQ(error, i < cancelled ? -ECANCELED : 0);
        sum += error == 0 ? got[i] : 0;
    }
    CHECK_EQ(sum, (readers - 1) * readers / 2 - (cancelled - 1) * cancelled / 2);
    CHECK(kr_queue_empty(q));
    kr_queue_release(q);
}

LOOP_TEST(test_get_cancel_drop_one_pending_reader)
{
    check_pending_readers(2, 1);
}

/* behaviours: 13.2 test_cancelled_getters_not_being_held_in_self_getters,
 * test_why_are_getters_waiting */
LOOP_TEST(test_get_cancel_drop_many_pending_readers)
{
    check_pending_readers(MOST, MOST - 3);
    check_pending_readers(MOST, 1);
}

/* Cancelled after the items: who was woken may have one, and what is left the others have. */
LOOP_TEST(items_of_cancelled_readers)
{
    enum { READERS = 6, ITEMS = 3 };
    int taken = 0;
    make_queue(0, KR_FIFO);
    start(0, READERS, get_one);
    for (int i = 0; i < ITEMS; i++)
        put(i);
    for (int i = 0; i < ITEMS; i++)
        cancel(i);
    for (int i = 0; i < ITEMS; i++)
        taken += error_of(tasks[i]) == 0;
    let_others_run();
    CHECK_EQ(count, ITEMS);
    CHECK(kr_queue_empty(q));
    for (int i = taken; i < ITEMS; i++)
        CHECK_EQ(error_of(tasks[ITEMS + i - taken]), 0);
    for (int i = 2 * ITEMS - taken; i < READERS; i++) {
        cancel(i);
        CHECK_EQ(error_of(tasks[i]), -ECANCELED);
    }
    kr_queue_release(q);
}

/* What a cancelled putter had is not in the queue, and the next one has the room.
 * behaviours: 13.2 test_put_cancelled, test_cancelled_puts_not_being_held_in_self_putters,
 * test_why_are_putters_waiting, test_cancelled_put_silence_value_error_exception */
LOOP_TEST(test_put_cancel_drop)
{
    make_queue(1, KR_FIFO);
    put(1);
    start(0, 3, put_one);
    cancel(0);
    expect_end(0, 1, -ECANCELED);
    CHECK_EQ(get(), 1);
    let_others_run();
    CHECK_EQ(get(), 101);
    let_others_run();
    CHECK_EQ(get(), 102);
    expect_end(1, 2, 0);
    CHECK(kr_queue_empty(q));
    kr_queue_release(q);
}

/* Room comes and a putter is cancelled, in one turn. */
static void check_cancelled_putter(bool cancel_first)
{
    make_queue(1, KR_FIFO);
    put(1);
    start(0, 2, put_one);
    if (cancel_first)
        cancel(0);
    CHECK_EQ(get(), 1);
    if (!cancel_first)
        cancel(0);
    int64_t item, first = error_of(tasks[0]);
    CHECK(first == 0 || first == -ECANCELED);
    for (int i = first == 0 ? 0 : 1; i < 2; i++) {
        CHECK_EQ(kr_queue_get(q, &item, KR_FOREVER), 0);
        CHECK_EQ(item, 100 + i);
    }
    expect_end(1, 1, 0);
    CHECK(kr_queue_empty(q));
    kr_queue_release(q);
}

LOOP_TEST(test_put_cancelled_race)
{
    check_cancelled_putter(true);
    check_cancelled_putter(false);
}

/* Joining */

static int join(const void *arg, void *result)
{
    (void)result;
    int err = kr_queue_join(q, KR_FOREVER);
    order[count++] = *(const int *)arg;
    return err;
}

static void take_and_finish(void)
{
    int64_t item;
    CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), 0);
    CHECK_EQ(kr_queue_task_done(q), 0);
}

/* behaviours: 13.2 test_task_done_underflow, test_join_empty_queue, test_format */
LOOP_TEST(test_task_done)
{
    static const kr_queue_order kinds[] = {KR_FIFO, KR_LIFO, KR_PRIORITY};
    for (int kind = 0; kind < 3; kind++) {
        make_queue(0, kinds[kind]);
        CHECK_EQ(kr_queue_task_done(q), -EPERM);
        CHECK_EQ(kr_queue_join(q, KR_FOREVER), 0);
        for (int i = 0; i < 3; i++)
            put(i);
        start(0, 2, join);
        take_and_finish();
        take_and_finish();
        let_others_run();
        CHECK_EQ(count, 0);
        take_and_finish();
        expect_end(0, 2, 0);
        CHECK_EQ(kr_queue_task_done(q), -EPERM);
        kr_queue_release(q);
    }
}

/* Shutdown */

LOOP_TEST(test_shutdown_empty)
{
    make_queue(1, KR_FIFO);
    start(0, 3, get_one);
    CHECK_EQ(kr_queue_shutdown(q, false), 0);
    expect_end(0, 3, KR_ESHUTDOWN);
    CHECK_EQ(get(), KR_ESHUTDOWN);
    CHECK_EQ(kr_queue_put(q, &(int64_t){1}, KR_NOWAIT), KR_ESHUTDOWN);
    kr_queue_release(q);
}

LOOP_TEST(test_shutdown_nonempty)
{
    make_queue(1, KR_FIFO);
    put(4);
    start(0, 3, put_one);
    start(3, 1, join);
    CHECK_EQ(kr_queue_shutdown(q, false), 0);
    expect_end(0, 3, KR_ESHUTDOWN);
    CHECK_EQ(get(), 4);
    CHECK_EQ(get(), KR_ESHUTDOWN);
    CHECK(!kr_future_done(tasks[3]));
    CHECK_EQ(kr_queue_task_done(q), 0);
    expect_end(3, 1, 0);
    kr_queue_release(q);
}

LOOP_TEST(test_shutdown_immediate)
{
    make_queue(1, KR_FIFO);
    put(4);
    start(0, 2, put_one);
    start(2, 2, join);
    CHECK_EQ(kr_queue_shutdown(q, true), 0);
    expect_end(0, 2, KR_ESHUTDOWN);
    expect_end(2, 2, 0);
    CHECK_EQ(get(), KR_ESHUTDOWN);
    kr_queue_release(q);
}

/* What was taken is owed still. */
LOOP_TEST(test_shutdown_immediate_with_unfinished)
{
    make_queue(0, KR_FIFO);
    put(1);
    put(2);
    CHECK_EQ(get(), 1);
    start(0, 1, join);
    CHECK_EQ(kr_queue_shutdown(q, true), 0);
    let_others_run();
    CHECK(!kr_future_done(tasks[0]));
    CHECK_EQ(kr_queue_task_done(q), 0);
    expect_end(0, 1, 0);
    CHECK_EQ(kr_queue_task_done(q), -EPERM);
    kr_queue_release(q);
}
