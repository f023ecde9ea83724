/* Conditions and barriers between the coroutines of one loop; as locks.c.
 *
 * Behaviours: section 13.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

enum { MOST = 8, PARTIES = 3 };

static kr_condition condition;
static kr_barrier barrier;
static kr_future *tasks[MOST];
static int results[MOST], woken, items;
static bool stop;

static void start(int first, int n, kr_task_fn fn)
{
    for (int i = first; i < first + n; i++) {
        results[i] = -EINPROGRESS;
        CHECK_EQ(kr_spawn(&tasks[i], fn, &i, sizeof i, 0, NULL), 0);
    }
    let_others_run();
}

static void cancel(int i)
{
    CHECK_EQ(kr_future_cancel(tasks[i]), KR_ASKED);
}

static void expect_end(int i, int error)
{
    CHECK_EQ(error_of(tasks[i]), error);
}

static void acquire(void)
{
    CHECK_EQ(kr_condition_acquire(&condition, KR_FOREVER), 0);
}

static void release(void)
{
    CHECK_EQ(kr_condition_release(&condition), 0);
}

/* Whatever ends its wait, it has the lock then. */
static int await_notify(const void *arg, void *result)
{
    (void)result;
    acquire();
    int err = kr_condition_wait(&condition, KR_FOREVER);
    CHECK(kr_condition_locked(&condition));
    woken += err == 0;
    results[*(const int *)arg] = err;
    release();
    return err;
}

static int notify(int n)
{
    acquire();
    int count = kr_condition_notify(&condition, n);
    release();
    return count;
}

static void make_condition(void)
{
    woken = 0;
    CHECK_EQ(kr_condition_init(&condition, NULL), 0);
}

/* behaviours: 13.1 test_notify_all, test_cancelled_error_wakeup */
LOOP_TEST(test_notify)
{
    make_condition();
    start(0, 5, await_notify);
    CHECK_EQ(notify(1), 1);
    let_others_run();
    CHECK_EQ(woken, 1);
    CHECK_EQ(results[0], 0);
    CHECK_EQ(notify(2), 2);
    let_others_run();
    CHECK_EQ(woken, 3);
    cancel(3);
    let_others_run();
    CHECK_EQ(results[3], -ECANCELED);
    acquire();
    CHECK_EQ(kr_condition_notify_all(&condition), 1);
    release();
    for (int i = 0; i < 5; i++)
        expect_end(i, i == 3 ? -ECANCELED : 0);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

/* behaviours: 13.1 test_wait_unacquired, test_wait_for_unacquired, test_notify_unacquired,
 * test_notify_all_unacquired */
LOOP_TEST(without_the_lock)
{
    make_condition();
    CHECK_EQ(kr_condition_wait(&condition, KR_FOREVER), -EPERM);
    CHECK_EQ(kr_condition_wait_for(&condition, never, NULL, KR_FOREVER), -EPERM);
    CHECK_EQ(kr_condition_notify(&condition, 1), -EPERM);
    CHECK_EQ(kr_condition_notify_all(&condition), -EPERM);
}

/* It has the lock again when it hears of the cancel, and so not before it is free. */
LOOP_TEST(test_wait_cancel_contested)
{
    make_condition();
    start(0, 1, await_notify);
    acquire();
    cancel(0);
    let_others_run();
    CHECK_EQ(results[0], -EINPROGRESS);
    release();
    expect_end(0, -ECANCELED);
    CHECK(!kr_condition_locked(&condition));
}

/* Cancelled once it was notified, and again while it waits for the lock: it was notified.
 * behaviour: 13.1 test_cancelled_error_re_aquire */
LOOP_TEST(test_wait_cancel_after_notify)
{
    make_condition();
    start(0, 2, await_notify);
    acquire();
    CHECK_EQ(kr_condition_notify(&condition, 1), 1);
    cancel(0);
    let_others_run();
    CHECK_EQ(kr_future_cancel(tasks[0]), KR_ASKED);
    CHECK_EQ(results[0], -EINPROGRESS);
    release();
    expect_end(0, 0);
    CHECK_EQ(results[1], -EINPROGRESS);
    CHECK_EQ(notify(1), 1);
    expect_end(1, 0);
}

static int await_in_time(const void *arg, void *result)
{
    (void)result;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    acquire();
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(5)), 0);
    int err = kr_condition_wait(&condition, KR_FOREVER);
    CHECK(kr_condition_locked(&condition));
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    release();
    results[*(const int *)arg] = err;
    return 0;
}

LOOP_TEST(test_timeout_in_block)
{
    make_condition();
    start(0, 2, await_in_time);
    expect_end(0, 0);
    expect_end(1, 0);
    CHECK_EQ(results[0], -ECANCELED);
    CHECK_EQ(results[1], -ECANCELED);
    CHECK_EQ(notify(2), 0);
}

/* Take items, until it is cancelled or told to stop; what is done is told to all. */

static bool some(void *arg)
{
    (void)arg;
    return items > 0 || stop;
}

static bool all_taken(void *arg)
{
    (void)arg;
    return items == 0;
}

static int consume(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    int err;
    acquire();
    while ((err = kr_condition_wait_for(&condition, some, NULL, KR_FOREVER)) == 0 && !stop) {
        items--;
        CHECK_GE(kr_condition_notify_all(&condition), 0);
    }
    release();
    return err;
}

/* An item and its notify, for a consumer that is cancelled in the same turn: before, or after it
 * with or without the lock being free.  Somebody takes the item. */
static void check_cancelled_consumer(bool cancel_first, bool lock_first)
{
    make_condition();
    items = 0;
    stop = false;
    start(0, 2, consume);
    acquire();
    items = 1;
    if (cancel_first)
        cancel(0);
    CHECK_EQ(kr_condition_notify(&condition, 1), 1);
    if (lock_first)
        let_others_run(); /* the notified one is at the lock */
    if (!cancel_first)
        cancel(0);
    CHECK_EQ(kr_condition_wait_for(&condition, all_taken, NULL, kr_sec(60)), 0);
    stop = true;
    CHECK_EQ(kr_condition_notify_all(&condition), 1);
    release();
    expect_end(0, -ECANCELED);
    expect_end(1, 0);
}

LOOP_TEST(test_cancelled_wakeup)
{
    check_cancelled_consumer(true, false);
    check_cancelled_consumer(false, false);
}

LOOP_TEST(test_cancelled_wakeup_relock)
{
    check_cancelled_consumer(true, true);
    check_cancelled_consumer(false, true);
}

/* An object belongs to no loop: those of two meet there. */
static int await_item(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    acquire();
    CHECK_EQ(kr_condition_wait_for(&condition, some, NULL, kr_sec(60)), 0);
    release();
    return 0;
}

LOOP_TEST(test_ambiguous_loops)
{
    kr_executor *pool;
    kr_future *f[2];
    make_condition();
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_submit(pool, &f[i], await_item, NULL, 0, 0), 0);
    start(0, 1, await_item);
    acquire();
    items = 1;
    CHECK_GE(kr_condition_notify_all(&condition), 1);
    release();
    expect_end(0, 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(error_of(f[i]), 0);
    kr_executor_release(pool);
}

/* Barriers */

static int meet(const void *arg, void *result)
{
    (void)result;
    results[*(const int *)arg] = kr_barrier_wait(&barrier, KR_FOREVER);
    return 0;
}

static int meet_twice(const void *arg, void *result)
{
    CHECK_EQ(meet(arg, result), 0);
    CHECK_GE(results[*(const int *)arg], 0);
    return meet(arg, result);
}

static void make_barrier(void)
{
    CHECK_EQ(kr_barrier_init(&barrier, PARTIES, NULL), 0);
}

static int meet_here(void)
{
    return kr_barrier_wait(&barrier, KR_FOREVER);
}

static void expect_results(int first, int n, int result)
{
    for (int i = first; i < first + n; i++) {
        expect_end(i, 0);
        if (result == 0)
            CHECK_GE(results[i], 0);
        else
            CHECK_EQ(results[i], result);
    }
}

LOOP_TEST(test_filling_task_by_task)
{
    make_barrier();
    for (int i = 0; i < PARTIES; i++) {
        CHECK_EQ(kr_barrier_n_waiting(&barrier), i);
        start(i, 1, meet);
    }
    expect_results(0, PARTIES, 0);
    CHECK_EQ(kr_barrier_n_waiting(&barrier), 0);
}

LOOP_TEST(test_filling_tasks_wait_twice)
{
    make_barrier();
    start(0, PARTIES, meet_twice);
    expect_results(0, PARTIES, 0);
    CHECK_EQ(results[0] + results[1] + results[2], 3); /* each place once */
    CHECK_EQ(kr_barrier_n_waiting(&barrier), 0);
}

/* The last one has come, and those before it have not run yet: it goes by at once, and who comes
 * now belongs to the next round.
 * behaviour: 13.1 test_blocking_tasks_while_draining */
LOOP_TEST(test_draining_state)
{
    make_barrier();
    start(0, PARTIES - 1, meet);
    CHECK_GE(meet_here(), 0);
    CHECK_EQ(kr_barrier_wait(&barrier, kr_us(1)), KR_EBROKEN); /* by itself */
    expect_results(0, PARTIES - 1, 0);
    CHECK(kr_barrier_broken(&barrier));
    CHECK_EQ(kr_barrier_reset(&barrier), 0);
    start(0, PARTIES - 1, meet);
    CHECK_GE(meet_here(), 0);
    start(PARTIES, PARTIES, meet);
    expect_results(0, PARTIES - 1, 0);
    expect_results(PARTIES, PARTIES, 0);
}

/* One that is cancelled breaks it, as one whose time is up. */
LOOP_TEST(test_filling_tasks_cancel_one)
{
    make_barrier();
    start(0, PARTIES - 1, meet);
    cancel(0);
    expect_results(0, 1, -ECANCELED);
    expect_results(1, 1, KR_EBROKEN);
    CHECK(kr_barrier_broken(&barrier));
}

/* behaviour: 13.1 test_reset_barrier_while_tasks_waiting_and_waiting_again */
LOOP_TEST(test_reset_barrier_while_tasks_waiting)
{
    make_barrier();
    CHECK_EQ(kr_barrier_reset(&barrier), 0);
    for (int round = 0; round < 2; round++) {
        start(0, PARTIES - 1, meet);
        CHECK_EQ(kr_barrier_reset(&barrier), 0);
        CHECK(!kr_barrier_broken(&barrier));
        start(PARTIES, PARTIES, meet);
        expect_results(0, PARTIES - 1, KR_EBROKEN);
        expect_results(PARTIES, PARTIES, 0);
    }
}

/* A reset, or an abort, in the turn in which the last one came: that round is over, and all of it
 * have passed; those who came since are of the next round, which is broken. */
static void check_half_draining(int (*end)(kr_barrier *barrier), int newcomers)
{
    make_barrier();
    start(0, PARTIES - 1, meet);
    for (int i = PARTIES; i < PARTIES + newcomers; i++)
        CHECK_EQ(kr_spawn(&tasks[i], meet, &i, sizeof i, 0, &(kr_spawn_options){.eager = true}), 0);
    CHECK_EQ(end(&barrier), 0);
    expect_results(0, PARTIES - 1, 0);
    expect_results(PARTIES, 1, 0); /* it was the last one */
    expect_results(PARTIES + 1, newcomers - 1, KR_EBROKEN);
    CHECK_EQ(kr_barrier_broken(&barrier), end == kr_barrier_abort);
}

/* behaviour: 13.1 test_reset_barrier_when_tasks_half_draining */
LOOP_TEST(test_reset_barrier_while_tasks_draining)
{
    check_half_draining(kr_barrier_reset, 1);
}

LOOP_TEST(test_reset_barrier_when_tasks_half_draining_half_blocking)
{
    check_half_draining(kr_barrier_reset, PARTIES);
}

LOOP_TEST(test_abort_barrier_when_tasks_half_draining_half_blocking)
{
    check_half_draining(kr_barrier_abort, PARTIES);
}

static int meet_or_abort(const void *arg, void *result)
{
    if (*(const int *)arg != PARTIES - 1)
        return meet(arg, result);
    CHECK_EQ(kr_barrier_abort(&barrier), 0);
    return -EIO;
}

/* behaviours: 13.1 test_abort_barrier_when_exception, test_abort_barrier */
LOOP_TEST(test_abort_barrier_when_exception_then_resetting)
{
    make_barrier();
    start(0, PARTIES, meet_or_abort);
    expect_results(0, PARTIES - 1, KR_EBROKEN);
    expect_end(PARTIES - 1, -EIO);
    CHECK_EQ(meet_here(), KR_EBROKEN);
    CHECK_EQ(kr_barrier_reset(&barrier), 0);
    start(0, PARTIES, meet);
    expect_results(0, PARTIES, 0);
}
