/* The callbacks of kr_at_exit.
 *
 * Behaviours: section 8.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread/child.h"
#include <krait/krait.h>

static kr_event go;

static void start(kr_run_fn run, const kr_thread_options *options)
{
    CHECK_EQ(kr_thread_start(NULL, run, NULL, 0, options), 0);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int say_ran(void *arg)
{
    (void)arg;
    puts("ran");
    return 0;
}

static int say_end_of_thread(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    puts("end of thread");
    return 0;
}

static void say(void *text)
{
    puts(text);
}

static void say_and_let_go(void *text)
{
    puts(text);
    kr_event_set(&go);
}

static void print_at_exit(void)
{
    CHECK_EQ(kr_at_exit(NULL, NULL), -EINVAL);
    CHECK_EQ(kr_at_exit(say_and_let_go, "parrot"), 0);
    CHECK_EQ(kr_at_exit(say, "last in, first out"), 0);
    start(say_end_of_thread, NULL);
}

TEST(test_atexit_output)
{
    child_expect(print_at_exit, "last in, first out\nparrot\nend of thread\n");
}

static void exit_again(void)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, nothing, NULL, 0, NULL), 0);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
    CHECK_EQ(kr_at_exit(say, "once"), 0);
}

TEST(test_atexit_called_once)
{
    child_expect(exit_again, "once\n");
}

static void register_late(void *arg)
{
    printf("%s\n", kr_errname(kr_at_exit(say, arg)));
}

static void register_at_exit(void)
{
    CHECK_EQ(kr_at_exit(register_late, "never"), 0);
}

TEST(test_atexit_after_shutdown)
{
    child_expect(register_at_exit, "KR_ESHUTDOWN\n");
}

static void start_in_callback(void *arg)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, say_ran, NULL, 0, NULL), 0);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
    start(say_end_of_thread, NULL);
    kr_event_set(arg);
}

static void work_in_callback(void)
{
    CHECK_EQ(kr_at_exit(start_in_callback, &go), 0);
}

TEST(callbacks_may_start_and_join)
{
    child_expect(work_in_callback, "ran\nend of thread\n");
}
