/* kr_run: from the first coroutine to the last.
 *
 * Behaviours: section 13.5
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include <krait/krait.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static kr_event never;

static int give_back(void *arg)
{
    (void)kr_sleep(0);
    return *(int *)arg;
}

TEST(test_asyncio_run_return)
{
    int results[] = {0, 1, 42, INT32_MAX};
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_run(give_back, &results[i]), results[i]);
}

TEST(test_asyncio_run_raises)
{
    int results[] = {-1, -EPIPE, KR_EBROKEN, -ECANCELED, INT32_MIN};
    for (int i = 0; i < 5; i++)
        CHECK_EQ(kr_run(give_back, &results[i]), results[i]);
}

/* behaviours: 13.5 test_asyncio_run_only_coro, test_run_non_coro, test_non_debug */
TEST(bad_input)
{
    int zero = 0;
    CHECK_EQ(kr_run(NULL, NULL), -EINVAL);
    CHECK_EQ(kr_run_with(give_back, &zero, &(kr_run_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    CHECK_EQ(kr_run_with(give_back, &zero, &(kr_run_options){.stack_size = 1}), -EINVAL);
    CHECK_EQ(kr_run_with(give_back, &zero, &(kr_run_options){.slow_after = -1}), -EINVAL);
    CHECK_EQ(kr_run_with(give_back, &zero, NULL), 0);
}

static int tell_name(void *arg)
{
    snprintf(arg, 32, "%s", kr_task_name(kr_task_current()));
    return 0;
}

/* behaviours: 13.5 test_debug, test_asyncio_run_debug */
TEST(options)
{
    char name[32];
    kr_run_options o = {.name = "first", .stack_size = 1 << 20, .debug = true};
    CHECK_EQ(kr_run_with(tell_name, name, &o), 0);
    CHECK_STR(name, "first");
    CHECK_EQ(kr_run(tell_name, name), 0);
    CHECK_STR(name, "main");
}

static int run_once_more(void *arg)
{
    int zero = 0;
    (void)arg;
    CHECK_EQ(kr_run(give_back, &zero), -EBUSY);
    return 5;
}

/* behaviour: 13.5 test_recursive_run */
TEST(test_asyncio_run_from_running_loop)
{
    CHECK_EQ(kr_run(run_once_more, NULL), 5);
}

/* Those that are left. */

enum { LEFT = 5 };
static int cancelled, failures;

static int stay(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    int err = kr_event_wait(&never, KR_FOREVER);
    CHECK_EQ(err, -ECANCELED);
    kr_shield
        CHECK_EQ(kr_sleep(kr_ms(1)), 0); /* their clean-up may wait */
    cancelled++;
    return err;
}

static int leave_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < LEFT; i++)
        CHECK_EQ(kr_spawn(NULL, stay, NULL, 0, 0, NULL), 0);
    (void)kr_yield();
    return 3;
}

TEST(test_asyncio_run_cancels_hanging_tasks)
{
    CHECK_EQ(kr_run(leave_some, NULL), 3);
    CHECK_EQ(cancelled, LEFT);
}

static void note_failure(const kr_task_report *report)
{
    CHECK_EQ(report->error, -EPIPE);
    failures++;
}

static int fail_when_cancelled(const void *arg, void *result)
{
    (void)stay(arg, result);
    return -EPIPE;
}

static int leave_one_that_fails(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_spawn(NULL, fail_when_cancelled, NULL, 0, 0, NULL), 0);
    (void)kr_yield();
    return 0;
}

TEST(test_asyncio_run_reports_hanging_tasks_errors)
{
    (void)kr_set_task_hook(note_failure);
    CHECK_EQ(kr_run(leave_one_that_fails, NULL), 0);
    CHECK_EQ(failures, 1);
}

static int begun;

static int begin(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    begun++;
    return 0;
}

static int spawn_late(const void *arg, void *result)
{
    (void)stay(arg, result);
    CHECK_EQ(kr_spawn(NULL, begin, NULL, 0, 0, NULL), KR_ESHUTDOWN);
    CHECK_EQ(kr_submit(kr_running_loop(), NULL, begin, NULL, 0, 0), KR_ESHUTDOWN);
    return 0;
}

static int leave_one_that_spawns(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_spawn(NULL, spawn_late, NULL, 0, 0, NULL), 0);
    (void)kr_yield();
    return 0;
}

TEST(nothing_begins_after_the_end_of_main)
{
    CHECK_EQ(kr_run(leave_one_that_spawns, NULL), 0);
    CHECK_EQ(begun, 0);
    CHECK_EQ(cancelled, 1);
}

/* Main is cancelled by its own doing, and goes on to its end. */
static int catch_a_cancel(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_future_cancel(kr_task_current()), KR_ASKED);
    CHECK_EQ(kr_sleep(kr_sec(60)), -ECANCELED);
    kr_shield
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    return 9;
}

TEST(test_asyncio_run_without_uncancel)
{
    CHECK_EQ(kr_run(catch_a_cancel, NULL), 9);
}

/* Loops one after the other, and at the same time. */

static int many_in_a_thread(void *arg)
{
    for (int i = 0; i < 50; i++)
        CHECK_EQ(kr_run(give_back, arg), *(int *)arg);
    return 0;
}

TEST(test_run)
{
    enum { THREADS = 3 };
    kr_thread *t[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(kr_thread_start(&t[i], many_in_a_thread, &i, sizeof i, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        int result = 1;
        CHECK_EQ(kr_thread_join(t[i], &result, KR_FOREVER), 0);
        CHECK_EQ(result, 0);
        kr_thread_release(t[i]);
    }
    CHECK_EQ(many_in_a_thread(&(int){6}), 0);
}

static int ask(void *arg)
{
    CHECK(kr_running_loop() != NULL);
    CHECK(kr_task_current() != NULL);
    *(kr_executor **)arg = kr_running_loop();
    return 0;
}

TEST(a_loop_is_known_only_inside)
{
    kr_executor *loop = NULL;
    CHECK(kr_running_loop() == NULL);
    CHECK_EQ(kr_run(ask, &loop), 0);
    CHECK(loop != NULL);
    CHECK(kr_running_loop() == NULL);
    CHECK_EQ(kr_spawn(NULL, begin, NULL, 0, 0, NULL), -EPERM);
}
