/* Locks, events, conditions and semaphores between the coroutines of one loop, where it matters
 * what happens in one turn: between two waits nobody else runs, so that a release, a cancel and a
 * notify can be as near to each other as can be.
 *
 * Behaviours: section 13.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

enum { MOST = 8 };

static kr_lock lock;
static kr_event event;
static kr_condition condition;
static kr_semaphore semaphore;
static int order[MOST], count; /* who got through, in their order */
static kr_future *tasks[MOST];

static void pass(const void *arg)
{
    order[count++] = *(const int *)arg;
}

/* `n` of them, at their wait. */
static void start(int n, kr_task_fn fn)
{
    count = 0;
    for (int i = 0; i < n; i++)
        CHECK_EQ(kr_spawn(&tasks[i], fn, &i, sizeof i, 0, NULL), 0);
    let_others_run();
}

static void expect_passed(int n, const int *expected)
{
    let_others_run();
    CHECK_EQ(count, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(order[i], expected[i]);
}

#define EXPECT_PASSED(...)                                                                         \
    expect_passed((int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__})

static void cancel(int i)
{
    CHECK_EQ(kr_future_cancel(tasks[i]), KR_ASKED);
}

static void expect_end(int i, int error)
{
    CHECK_EQ(error_of(tasks[i]), error);
}

/* Locks */

static int take_lock(const void *arg, void *result)
{
    (void)result;
    int err = kr_lock_acquire(&lock, KR_FOREVER);
    if (err == 0)
        pass(arg);
    return err;
}

static void give_lock(void)
{
    CHECK_EQ(kr_lock_release(&lock), 0);
}

LOOP_TEST(test_acquire)
{
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    start(3, take_lock);
    CHECK_EQ(count, 0);
    give_lock();
    EXPECT_PASSED(0);
    give_lock();
    EXPECT_PASSED(0, 1);
    give_lock();
    EXPECT_PASSED(0, 1, 2);
    give_lock();
    CHECK(!kr_lock_locked(&lock));
    for (int i = 0; i < 3; i++)
        expect_end(i, 0);
}

LOOP_TEST(test_acquire_cancel)
{
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    start(2, take_lock);
    cancel(0);
    expect_end(0, -ECANCELED);
    CHECK(kr_lock_locked(&lock));
    give_lock();
    EXPECT_PASSED(1);
    expect_end(1, 0);
}

/* A cancel of one who waits and a release, in one turn: exactly one has the lock. */
LOOP_TEST(test_cancel_release_race)
{
    for (int release_first = 0; release_first < 2; release_first++) {
        int first = release_first ? 0 : 1;
        CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
        start(3, take_lock);
        if (release_first)
            give_lock();
        cancel(0);
        if (!release_first)
            give_lock();
        EXPECT_PASSED(first);
        CHECK(kr_lock_locked(&lock));
        expect_end(0, release_first ? 0 : -ECANCELED); /* handed over is handed over */
        for (int i = first + 1; i < 3; i++) {
            give_lock();
            let_others_run();
            CHECK_EQ(order[count - 1], i);
        }
        for (int i = 1; i < 3; i++)
            expect_end(i, 0);
        give_lock();
    }
}

/* Has the lock, though it is cancelled, and gives it back when it hears of that. */
static int take_lock_and_wait(const void *arg, void *result)
{
    (void)result;
    int err = kr_lock_acquire(&lock, KR_FOREVER);
    if (err != 0)
        return err;
    pass(arg);
    err = kr_event_wait(&event, KR_FOREVER);
    give_lock();
    return err;
}

/* The one that was woken is cancelled before it runs: the next one does not wait for ever. */
LOOP_TEST(test_finished_waiter_cancelled)
{
    kr_event_clear(&event);
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    start(2, take_lock_and_wait);
    give_lock();
    cancel(0);
    EXPECT_PASSED(0, 1);
    expect_end(0, -ECANCELED);
    kr_event_set(&event);
    expect_end(1, 0);
    CHECK(!kr_lock_locked(&lock));
}

/* behaviours: 13.1 test_release_not_acquired, test_release_no_waiters, test_context_manager */
LOOP_TEST(lock_without_waiters)
{
    CHECK_EQ(kr_lock_release(&lock), -EPERM);
    kr_with (&lock)
        CHECK(kr_lock_locked(&lock));
    CHECK(!kr_lock_locked(&lock));
    CHECK_EQ(kr_lock_release(&lock), -EPERM);
}

/* There is no text form: what it would say can be asked. */
LOOP_TEST(test_repr)
{
    kr_barrier barrier;
    CHECK_EQ(kr_barrier_init(&barrier, 2, NULL), 0);
    CHECK_EQ(kr_semaphore_init(&semaphore, 3, NULL), 0);
    CHECK_EQ(kr_condition_init(&condition, NULL), 0);
    CHECK(!kr_lock_locked(&lock) && !kr_condition_locked(&condition));
    CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_condition_acquire(&condition, KR_NOWAIT), 0);
    CHECK(kr_lock_locked(&lock) && kr_condition_locked(&condition));
    CHECK_EQ(kr_condition_release(&condition), 0);
    give_lock();
    CHECK_EQ(kr_semaphore_value(&semaphore), 3);
    CHECK(!kr_event_is_set(&event));
    CHECK_EQ(kr_barrier_n_waiting(&barrier), 0);
    CHECK_EQ(kr_barrier_abort(&barrier), 0);
    CHECK(kr_barrier_broken(&barrier));
}

/* Events */

static int await_event(const void *arg, void *result)
{
    (void)result;
    int err = kr_event_wait(&event, KR_FOREVER);
    if (err == 0)
        pass(arg);
    return err;
}

/* behaviour: 13.1 test_clear */
LOOP_TEST(test_wait)
{
    start(3, await_event);
    CHECK_EQ(count, 0);
    kr_event_set(&event);
    EXPECT_PASSED(0, 1, 2);
    for (int i = 0; i < 3; i++)
        expect_end(i, 0);
    kr_event_clear(&event);
    CHECK(!kr_event_is_set(&event));
    CHECK_EQ(kr_event_wait(&event, KR_NOWAIT), -ETIMEDOUT);
}

LOOP_TEST(test_wait_on_set)
{
    kr_event_set(&event);
    CHECK_EQ(kr_spawn(&tasks[0], await_event, &(int){7}, sizeof(int), 0, NULL), 0);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(count, 0); /* it did not even let the other one run */
    expect_end(0, 0);
}

LOOP_TEST(test_wait_cancel)
{
    start(1, await_event);
    cancel(0);
    expect_end(0, -ECANCELED);
    CHECK_EQ(count, 0);
}

/* Set and cleared in one turn: who waited before has seen it, who comes after has not. */
LOOP_TEST(test_clear_with_waiters)
{
    start(2, await_event);
    kr_event_set(&event);
    kr_event_clear(&event);
    kr_event_set(&event);
    kr_event_clear(&event);
    CHECK_EQ(kr_event_wait(&event, kr_us(1)), -ETIMEDOUT);
    EXPECT_PASSED(0, 1);
    expect_end(0, 0);
    expect_end(1, 0);
}

/* Semaphores */

static int take_permit(const void *arg, void *result)
{
    (void)result;
    int err = kr_semaphore_acquire(&semaphore, KR_FOREVER);
    if (err == 0)
        pass(arg);
    return err;
}

static void make_semaphore(int permits)
{
    CHECK_EQ(kr_semaphore_init(&semaphore, permits, NULL), 0);
}

/* behaviours: 13.1 test_semaphore, test_semaphore_value */
LOOP_TEST(test_initial_value_zero)
{
    CHECK_EQ(kr_semaphore_init(&semaphore, -1, NULL), -EINVAL);
    make_semaphore(0);
    CHECK_EQ(kr_semaphore_acquire(&semaphore, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(kr_semaphore_value(&semaphore), 1);
    CHECK_EQ(kr_semaphore_acquire(&semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_value(&semaphore), 0);
}

/* Two of four are cancelled in the turn of the release: one of the others has the permit. */
LOOP_TEST(test_acquire_cancel_before_awoken)
{
    make_semaphore(0);
    start(4, take_permit);
    cancel(0);
    cancel(1);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    EXPECT_PASSED(2);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    EXPECT_PASSED(2, 3);
    for (int i = 0; i < 4; i++)
        expect_end(i, i < 2 ? -ECANCELED : 0);
}

LOOP_TEST(test_acquire_hang)
{
    make_semaphore(0);
    start(2, take_permit);
    cancel(0);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    EXPECT_PASSED(1);
    CHECK_EQ(kr_semaphore_value(&semaphore), 0);
    expect_end(0, -ECANCELED);
    expect_end(1, 0);
}

/* The release comes first, and the cancel finds one that has its permit already. */
LOOP_TEST(test_acquire_no_hang)
{
    make_semaphore(0);
    start(2, take_permit);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    cancel(0);
    EXPECT_PASSED(0);
    expect_end(0, 0);
    cancel(1);
    expect_end(1, -ECANCELED);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(kr_semaphore_acquire(&semaphore, kr_sec(60)), 0);
}

/* Number 1 gives its permit back and takes one again: number 2 is before it then. */
static int take_twice(const void *arg, void *result)
{
    int err = take_permit(arg, result);
    if (err != 0 || *(const int *)arg != 1)
        return err;
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    return take_permit(&(int){4}, result);
}

LOOP_TEST(test_acquire_fifo_order_2)
{
    make_semaphore(1);
    start(3, take_twice);
    EXPECT_PASSED(0);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    EXPECT_PASSED(0, 1, 2);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    EXPECT_PASSED(0, 1, 2, 4);
    for (int i = 0; i < 3; i++)
        expect_end(i, 0);
}

LOOP_TEST(test_acquire_fifo_order_3)
{
    make_semaphore(0);
    start(3, take_permit);
    cancel(0);
    let_others_run();
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    EXPECT_PASSED(1, 2);
    for (int i = 0; i < 3; i++)
        expect_end(i, i == 0 ? -ECANCELED : 0);
}

/* A release that lets several go leaves nothing for who comes before they run. */
LOOP_TEST(test_acquire_fifo_order_4)
{
    make_semaphore(0);
    start(3, take_permit);
    CHECK_EQ(kr_semaphore_release(&semaphore, 3), 0);
    CHECK_EQ(kr_semaphore_acquire(&semaphore, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_spawn(&tasks[3], take_permit, &(int){3}, sizeof(int), 0, NULL), 0);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    EXPECT_PASSED(0, 1, 2, 3);
    for (int i = 0; i < 4; i++)
        expect_end(i, 0);
}
