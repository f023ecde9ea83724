/* What is called when a future is done, and who finishes futures, in a loop.
 *
 * Behaviours: section 13.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

static int calls[8], count;
static kr_future *future;

static int note_call(kr_future *f, void *arg)
{
    CHECK(f == future);
    CHECK(kr_future_done(f));
    calls[count++] = *(int *)arg;
    return 0;
}

static int numbers[] = {0, 1, 2, 3};

static void add(int number)
{
    CHECK_EQ(kr_future_add_done_callback(future, note_call, &numbers[number]), 0);
}

static void expect_calls(int n)
{
    CHECK_EQ(count, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(calls[i], i);
}

static int await_result(const void *arg, void *result)
{
    (void)arg;
    return kr_future_result(future, result, sizeof(int), NULL, KR_FOREVER);
}

/* Somebody waits for a future that the program finishes itself. */
static kr_future *start_waiter(void)
{
    kr_future *waiter;
    CHECK_EQ(kr_future_create(&future, sizeof(int)), 0);
    CHECK_EQ(kr_spawn(&waiter, await_result, NULL, 0, sizeof(int), NULL), 0);
    let_others_run();
    return waiter;
}

LOOP_TEST(test_callbacks_invoked_on_set_result)
{
    kr_future *waiter = start_waiter();
    int number = 42;
    add(0);
    add(1);
    CHECK_EQ(kr_future_set_result(future, &number, sizeof number), 0);
    expect_calls(2);
    CHECK_EQ(kr_future_set_result(future, &number, sizeof number), -EALREADY);
    add(2); /* it is done: at once */
    expect_calls(3);
    number = 0;
    CHECK_EQ(kr_future_result(waiter, &number, sizeof number, NULL, KR_FOREVER), 0);
    CHECK_EQ(number, 42);
    kr_future_release(waiter);
    kr_future_release(future);
}

LOOP_TEST(test_callbacks_invoked_on_set_exception)
{
    kr_future *waiter = start_waiter();
    add(0);
    CHECK_EQ(kr_future_set_error(future, -EPIPE), 0);
    expect_calls(1);
    CHECK_EQ(error_of(waiter), -EPIPE);
    kr_future_release(future);
}

LOOP_TEST(test_set_result_unless_cancelled)
{
    kr_future *waiter = start_waiter();
    int number = 1;
    add(0);
    CHECK_EQ(kr_future_cancel(future), 0);
    expect_calls(1);
    CHECK_EQ(kr_future_set_result(future, &number, sizeof number), -ECANCELED);
    CHECK(kr_future_cancelled(future));
    CHECK_EQ(error_of(waiter), -ECANCELED); /* which is the outcome, and no cancel of the waiter */
    kr_future_release(future);
}

/* A callback that adds others: they are called, too, after those before them. */
static int add_others(kr_future *f, void *arg)
{
    int err = note_call(f, arg);
    add(2);
    add(3);
    return err;
}

/* behaviour: 13.3 test_callbacks_copy */
LOOP_TEST(test_schedule_callbacks_list_mutation_1)
{
    kr_future *waiter = start_waiter();
    CHECK_EQ(kr_future_add_done_callback(future, add_others, &numbers[0]), 0);
    CHECK_EQ(kr_future_set_error(future, -EPIPE), 0);
    CHECK_EQ(count, 3);
    CHECK_EQ(error_of(waiter), -EPIPE);
    kr_future_release(future);
}
