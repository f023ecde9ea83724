/* Coroutines at an interpreter lock, and loops in threads that are attached.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"

#include "loop/in_loop.h"
#include <sys/socket.h>
#include <unistd.h>

enum { TASKS = 10 };

static kr_gil *gil;
static int inside;   /* how many hold it: plain, one loop */
static int suspends; /* how often somebody was found suspended */

static int take_turns(const void *arg, void *result)
{
    (void)arg, (void)result;
    kr_gil_thread *self = gil_attach(gil);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(inside, 0);
        inside = 1;
        CHECK_EQ(kr_gil_check(self), 0);
        inside = 0;
        if (i % 3 == 0)
            CHECK_EQ(kr_yield(), 0);
        else if (i % 3 == 1)
            CHECK_EQ(kr_sleep(kr_us(5)), 0);
        CHECK(kr_gil_held(self));
    }
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

static void spawn_and_join(kr_task_fn fn)
{
    kr_future *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(kr_spawn(&tasks[i], fn, NULL, 0, 0, NULL), 0);
    for (int i = 0; i < TASKS; i++) {
        CHECK_EQ(kr_future_exception(tasks[i], NULL, KR_FOREVER), 0);
        kr_future_release(tasks[i]);
    }
}

LOOP_TEST(test_coroutines_take_turns)
{
    for (int i = 0; i < POLICIES; i++) {
        gil = gil_create(policies[i]);
        spawn_and_join(take_turns);
        CHECK_EQ(kr_gil_destroy(gil), 0);
    }
}

static int look_at(const void *arg, void *result)
{
    (void)result;
    suspends += !kr_gil_held(*(kr_gil_thread *const *)arg);
    return 0;
}

/* A yield gives it up, and so does an eager start of another. */
LOOP_TEST(test_yield_gives_it_up)
{
    kr_future *other;
    gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    CHECK_EQ(kr_spawn(&other, look_at, &self, sizeof self, 0, NULL), 0);
    CHECK_EQ(kr_yield(), 0);
    CHECK_EQ(suspends, 1);
    CHECK(kr_gil_held(self));
    kr_future_release(other);
    CHECK_EQ(kr_spawn(&other, look_at, &self, sizeof self, 0, &(kr_spawn_options){.eager = true}),
             0);
    CHECK_EQ(suspends, 2);
    CHECK(kr_gil_held(self));
    kr_future_release(other);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* A thread asks for what a coroutine holds; the coroutine is suspended meanwhile, its loop is not.
 */
static int have_it_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        kr_gil_thread *self = gil_attach(gil);
        for (int j = 0; j < 100; j++)
            CHECK_EQ(kr_gil_check(self), 0);
        CHECK_EQ(kr_gil_detach(self), 0);
    }
    return 0;
}

static int compute(const void *arg, void *result)
{
    (void)arg, (void)result;
    kr_gil_thread *self = gil_attach(gil);
    for (int i = 0; i < 100000; i++)
        CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

LOOP_TEST(test_threads_beside_coroutines)
{
    for (int i = 0; i < POLICIES; i++) {
        gil = gil_create(policies[i]);
        CHECK_EQ(kr_gil_set_switch_interval(gil, kr_us(50)), 0);
        kr_thread *thread = start(have_it_often, NULL);
        spawn_and_join(compute);
        CHECK_EQ(join(thread), 0);
        CHECK_EQ(kr_gil_destroy(gil), 0);
    }
}

/* A thread that is attached before kr_run has it for all its coroutines. */
static kr_gil_thread *of_thread;

static int look_whose(const void *arg, void *result)
{
    (void)arg, (void)result;
    kr_gil_thread *mine;
    CHECK(kr_gil_held(of_thread));
    CHECK(kr_gil_current(gil) == NULL);
    CHECK_EQ(kr_gil_attach(gil, &mine), -EDEADLK);
    CHECK_EQ(kr_gil_acquire(of_thread), -EPERM);
    CHECK_EQ(kr_sleep(kr_us(10)), 0);
    CHECK(kr_gil_held(of_thread));
    return 0;
}

static int wait_for_event(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(kr_event_wait(*(kr_event *const *)arg, KR_FOREVER), 0);
    CHECK(kr_gil_held(of_thread));
    return 0;
}

static int set_when_had(void *arg)
{
    kr_gil_thread *self = gil_attach(gil);
    kr_event_set(arg);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

static int in_attached_thread(void *arg)
{
    (void)arg;
    kr_event event = KR_EVENT_INIT;
    const kr_event *at = &event;
    kr_future *task;
    spawn_and_join(look_whose);
    CHECK_EQ(kr_spawn(&task, wait_for_event, &at, sizeof at, 0, NULL), 0);
    kr_thread *thread = start(set_when_had, &event); /* only when the loop has given it up */
    CHECK_EQ(kr_future_exception(task, NULL, KR_FOREVER), 0);
    kr_future_release(task);
    CHECK_EQ(join(thread), 0);
    int fds[2];
    char byte;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    kr_event_clear(&event);
    thread = start(set_when_had, &event); /* the loop sleeps in the poller */
    while (!kr_event_is_set(&event))
        CHECK_EQ(kr_read(fds[0], &byte, 1, kr_us(100)), -ETIMEDOUT);
    CHECK_EQ(kr_close(fds[0]) | kr_close(fds[1]), 0);
    CHECK_EQ(join(thread), 0);
    CHECK(kr_gil_held(of_thread));
    return 0;
}

TEST(test_loop_of_attached_thread)
{
    gil = gil_create(KR_GIL_DEADLINE);
    of_thread = gil_attach(gil);
    CHECK_EQ(kr_run(in_attached_thread, NULL), 0);
    CHECK(kr_gil_held(of_thread));
    CHECK_EQ(kr_gil_detach(of_thread), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* Only coroutines wait: the holder sees to the time by itself. */
static int wait_in_loop(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_run_with(have_it_often, NULL, &(kr_run_options){.keep_interrupt = true}), 0);
    return 0;
}

TEST(test_coroutine_waits_for_thread)
{
    gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    kr_thread *other = start(wait_in_loop, NULL);
    while (kr_thread_alive(other))
        CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(join(other), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}
