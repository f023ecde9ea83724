/* A thread whose function fails: who hears of it.
 *
 * Behaviours: sections 8.4, 8.5
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread/child.h"
#include <krait/krait.h>
#include <signal.h>

static int return_it(void *arg)
{
    return *(int *)arg;
}

static void run(int result, const char *name)
{
    kr_thread *t;
    int got = 1;
    CHECK_EQ(
        kr_thread_start(&t, return_it, &result, sizeof result, &(kr_thread_options){.name = name}),
        0);
    CHECK_EQ(kr_thread_join(t, &got, KR_FOREVER), 0);
    CHECK_EQ(got, result);
    kr_thread_release(t);
}

#define ENOENT_LINE                                                                                \
    "krait: thread \"excepthook thread\" failed: ENOENT (No such file or directory)\n"

static void fail_by_default(void)
{
    run(-ENOENT, "excepthook thread");
    puts("main goes on");
}

TEST(test_excepthook)
{
    child_expect(fail_by_default, ENOENT_LINE "main goes on\n");
}

TEST(test_print_exception)
{
    child_expect(fail_by_default, ENOENT_LINE "main goes on\n");
}

static void fail_without_stderr(void)
{
    fclose(stderr);
    run(-ENOENT, NULL);
    puts("main goes on");
}

TEST(test_print_exception_stderr_is_none_1)
{
    child_expect(fail_without_stderr, "main goes on\n");
}

static void fail_with_a_closed_stderr(void)
{
    close(2);
    run(-ENOENT, NULL);
    puts("main goes on");
}

TEST(test_print_exception_stderr_is_none_2)
{
    child_expect(fail_with_a_closed_stderr, "main goes on\n");
}

static void be_cancelled(void)
{
    run(-ECANCELED, NULL);
    run(0, NULL);
    run(3, NULL);
}

/* What SystemExit is in Python: a thread that was told to end. */
TEST(test_system_exit)
{
    child_expect(be_cancelled, "");
}

/* A consumer that hands on why its queue has no more for it. */
static int consume(void *queue)
{
    int item, err;
    do {
        err = kr_queue_get(*(kr_queue **)queue, &item, KR_FOREVER);
    } while (err == 0);
    return err;
}

static void be_shut_down(void)
{
    kr_queue *queue;
    kr_thread *t;
    int got;
    CHECK_EQ(kr_queue_create(&queue, sizeof got, 0, NULL), 0);
    CHECK_EQ(kr_thread_start(&t, consume, &queue, sizeof queue, NULL), 0);
    CHECK_EQ(kr_queue_shutdown(queue, false), 0);
    CHECK_EQ(kr_thread_join(t, &got, KR_FOREVER), 0);
    CHECK_EQ(got, KR_ESHUTDOWN);
    kr_thread_release(t);
    kr_queue_release(queue);
}

TEST(an_end_by_shutdown_is_no_failure)
{
    child_expect(be_shut_down, "");
}

typedef struct heard {
    kr_thread *thread;
    int error;
    int count;
    int result;
} heard;

static int listen_to_failure(kr_thread *thread, int error, void *arg)
{
    heard *h = arg;
    CHECK(thread == kr_thread_current());
    h->error = error;
    h->count++;
    return h->result;
}

static void fail_with_a_hook(void)
{
    heard h = {.result = 0};
    kr_thread_set_failure_hook(listen_to_failure, &h);
    run(-EIO, NULL);
    run(-ECANCELED, NULL);
    CHECK_EQ(h.count, 1);
    CHECK_EQ(h.error, -EIO);
}

TEST(test_custom_excepthook)
{
    child_expect(fail_with_a_hook, "");
}

static void fail_with_a_failing_hook(void)
{
    heard h = {.result = -EPERM};
    kr_thread_set_failure_hook(listen_to_failure, &h);
    run(-EIO, "worker");
    CHECK_EQ(h.count, 1);
}

TEST(test_custom_excepthook_fail)
{
    child_expect(fail_with_a_failing_hook,
                 "krait: the failure hook of thread \"worker\" failed: EPERM (Operation not "
                 "permitted)\n");
}

static void restore_the_hook(void)
{
    heard h = {.result = 0};
    kr_thread_set_failure_hook(listen_to_failure, &h);
    kr_thread_set_failure_hook(NULL, NULL);
    run(-ENOENT, "excepthook thread");
    CHECK_EQ(h.count, 0);
}

TEST(test_original_excepthook)
{
    child_expect(restore_the_hook, ENOENT_LINE);
}

static void fail_with_a_krait_error(void)
{
    run(KR_EBROKEN, "pool");
}

TEST(own_errors_have_their_names)
{
    child_expect(fail_with_a_krait_error,
                 "krait: thread \"pool\" failed: KR_EBROKEN (broken: a party gave up, or an "
                 "initializer failed)\n");
}

enum { DEPTH = 1000000 };

static int recurse(volatile int depth)
{
    volatile char frame[4096];
    frame[0] = (char)depth;
    frame[4095] = (char)depth;
    return depth == DEPTH ? frame[0] : recurse(depth + 1) + frame[4095];
}

static int recurse_deep(void *arg)
{
    (void)arg;
    return recurse(0) & 1;
}

static void overflow(void)
{
    kr_thread *t;
    kr_thread_options options = {.stack_size = 256 * 1024};
    CHECK_EQ(kr_thread_start(&t, recurse_deep, NULL, 0, &options), 0);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    puts("not reached");
}

/* In C the guard page ends the process; nothing else is damaged before.  A sanitizer may catch the
 * signal and exit by itself. */
TEST(test_recursion_limit)
{
    child c;
    child_run(&c, overflow);
    CHECK(strstr(c.out, "not reached") == NULL);
    CHECK(WIFSIGNALED(c.status) ? WTERMSIG(c.status) == SIGSEGV : WEXITSTATUS(c.status) != 0);
}
