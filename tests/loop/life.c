/* A loop from its making to its end, and what it does with those who hold it up or fail.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "loop/in_loop.h"
#include "thread/child.h"

#include "base/atomic.h"
#include <dirent.h>

static int double_it(const void *arg, void *result)
{
    *(int *)result = 2 * *(const int *)arg;
    return 0;
}

/* The end. */

TEST(test_close)
{
    kr_executor *pool;
    int number = 4;
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(pool, NULL, double_it, &number, sizeof number, sizeof number), KR_ESHUTDOWN);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), 0);
    kr_executor_release(pool);
}

static int shut_down_own(const void *arg, void *result)
{
    kr_executor *loop = kr_running_loop();
    (void)result;
    CHECK_EQ(kr_executor_shutdown(loop, NULL, KR_FOREVER), *(const int *)arg);
    CHECK_EQ(kr_executor_shutdown(loop, NULL, KR_NOWAIT),
             *(const int *)arg == -EPERM ? -EPERM : -ETIMEDOUT);
    return kr_yield(); /* it goes on */
}

TEST(test_close_running_event_loop)
{
    kr_executor *pool;
    kr_future *f;
    int want = -EDEADLK;
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, &f, shut_down_own, &want, sizeof want, 0), 0);
    CHECK_EQ(error_of(f), 0);
    kr_executor_release(pool);
}

LOOP_TEST(test_close_running_event_loop_of_kr_run)
{
    kr_future *f;
    int want = -EPERM;
    CHECK_EQ(kr_spawn(&f, shut_down_own, &want, sizeof want, 0, NULL), 0);
    CHECK_EQ(error_of(f), 0);
}

static int return_42(void *arg)
{
    (void)arg;
    return 42;
}

static int sleep_and_nest(void *arg)
{
    kr_time *took = arg;
    kr_time began = kr_now();
    CHECK_EQ(kr_sleep(kr_ms(20)), 0);
    *took = kr_now() - began;
    CHECK_EQ(kr_run(return_42, NULL), -EBUSY);
    return 5;
}

/* behaviour: 13.6 test_running_loop_within_a_loop */
TEST(test_run_until_complete)
{
    kr_time took = 0;
    CHECK_EQ(kr_run(sleep_and_nest, &took), 5);
    CHECK_TIME(took, kr_ms(20));
    CHECK_EQ(kr_run(return_42, NULL), 42);
}

/* Work in other threads. */

static pthread_t worker;
static kr_event go, working;

static int work(const void *arg, void *result)
{
    worker = pthread_self();
    kr_event_set(&working);
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    return double_it(arg, result);
}

LOOP_TEST(test_run_in_executor)
{
    kr_executor *pool;
    kr_future *f;
    int number = 21;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, &f, work, &number, sizeof number, sizeof number), 0);
    CHECK_EQ(kr_event_wait(&working, KR_FOREVER), 0);
    kr_event_set(&go);
    CHECK_EQ(kr_future_result(f, &number, sizeof number, NULL, KR_FOREVER), 0);
    CHECK_EQ(number, 42);
    CHECK(!pthread_equal(worker, pthread_self()));
    kr_future_release(f);
    kr_executor_release(pool);
}

static kr_word waits, called; /* atomic */

static int note_done(kr_future *f, void *arg)
{
    (void)f;
    (void)arg;
    CHECK(kr_running_loop() == NULL);
    kri_add_rlx(&called, 1);
    return 0;
}

static int await_work(const void *arg, void *result)
{
    kr_future *f = *(kr_future *const *)arg;
    (void)result;
    kri_add_rlx(&waits, 1);
    CHECK_EQ(kr_future_add_done_callback(f, note_done, NULL), 0);
    CHECK_EQ(kr_future_result(f, NULL, 0, NULL, KR_FOREVER), -ECANCELED);
    return 0;
}

static int leave_while_it_works(void *arg)
{
    kr_future **f = arg;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_spawn(NULL, await_work, f, sizeof *f, 0, NULL), 0);
    let_others_run();
    CHECK_EQ(kri_load_rlx(&waits), 3);
    return 0;
}

/* The loop is gone by the time the work is done: nobody comes back to it. */
TEST(test_run_in_executor_cancel)
{
    kr_executor *pool;
    kr_future *f;
    int number = 21;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, &f, work, &number, sizeof number, sizeof number), 0);
    CHECK_EQ(kr_event_wait(&working, KR_FOREVER), 0);
    CHECK_EQ(kr_run(leave_while_it_works, &f), 0);
    CHECK(!kr_future_done(f));
    kr_event_set(&go);
    CHECK_EQ(kr_future_result(f, &number, sizeof number, NULL, KR_FOREVER), 0);
    CHECK_EQ(number, 42);
    kr_future_release(f);
    kr_executor_release(pool); /* the callbacks are over */
    CHECK_EQ(kri_load_rlx(&called), 3);
}

/* Descriptors, and waking. */

static int count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static int poll_in_vain(void *arg)
{
    int ends[2];
    (void)arg;
    int before = count_descriptors();
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_poll(ends[0], KR_READABLE, kr_ms(1)), -ETIMEDOUT);
    int own = count_descriptors() - before - 2;
    CHECK_GE(own, 2); /* events and a bell, which are made when there is a use for them */
    CHECK_LE(own, 3); /* and that of the cancelled scope, which the thread keeps */
    CHECK_EQ(kr_close(ends[0]), 0);
    CHECK_EQ(kr_close(ends[1]), 0);
    CHECK_EQ(count_descriptors() - before, own);
    return 0;
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* behaviour: 13.6 test_internal_fds */
TEST(the_descriptors_of_a_loop_go_with_it)
{
    CHECK_EQ(kr_run(do_nothing, NULL), 0); /* who listens for signals is there from then on */
    int before = count_descriptors();
    CHECK_EQ(kr_run(do_nothing, NULL), 0);
    CHECK_EQ(count_descriptors(), before);
    CHECK_EQ(kr_run(poll_in_vain, NULL), 0);
    int after = count_descriptors();
    CHECK_LE(after, before + 1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_run(poll_in_vain, NULL), 0);
    CHECK_EQ(count_descriptors(), after);
}

enum { CALLS = 5000, CALLERS = 3 };
static int calls; /* of the loop's thread */

static void count_call(void *arg)
{
    (void)arg;
    calls++;
}

static int call_often(void *arg)
{
    for (int i = 0; i < CALLS; i++)
        CHECK_EQ(kr_call_soon_threadsafe(*(kr_executor **)arg, count_call, NULL), 0);
    return 0;
}

static kr_thread *start_caller(void)
{
    kr_thread *t;
    kr_executor *loop = kr_running_loop();
    CHECK_EQ(kr_thread_start(&t, call_often, &loop, sizeof loop, NULL), 0);
    return t;
}

static int wait_for_byte(const void *arg, void *result)
{
    (void)result;
    return kr_poll(*(const int *)arg, KR_READABLE, KR_FOREVER) == KR_READABLE ? 0 : -EIO;
}

/* However often the loop is woken while it is busy: nobody waits for it, and each call is made
 * once; also where it sleeps by its descriptors.
 * behaviours: 13.6 test_write_to_self_*, test_read_from_self_* */
LOOP_TEST(a_loop_that_is_called_by_many_threads)
{
    kr_thread *t[CALLERS];
    kr_future *poller;
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_spawn(&poller, wait_for_byte, &ends[0], sizeof ends[0], 0, NULL), 0);
    let_others_run();
    for (int i = 0; i < CALLERS; i++)
        t[i] = start_caller();
    while (calls < CALLS)
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    for (int i = 0; i < CALLERS; i++) {
        CHECK_EQ(kr_thread_join(t[i], NULL, KR_FOREVER), 0);
        kr_thread_release(t[i]);
    }
    while (calls < CALLERS * CALLS)
        CHECK_EQ(kr_yield(), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(error_of(poller), 0);
    CHECK_EQ(calls, CALLERS * CALLS);
    close(ends[0]);
    close(ends[1]);
}

static void cancel_it(void *arg)
{
    CHECK_EQ(kr_future_cancel(arg), KR_ASKED);
}

static int read_nothing(const void *arg, void *result)
{
    char byte;
    (void)result;
    return (int)kr_read(*(const int *)arg, &byte, 1, KR_FOREVER);
}

/* One that is cancelled while the loop sleeps by its descriptors goes on in the same turn. */
LOOP_TEST(test_prompt_cancellation)
{
    int ends[2];
    kr_future *f;
    kr_call call = {.fn = NULL};
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_spawn(&f, read_nothing, &ends[0], sizeof ends[0], 0, NULL), 0);
    CHECK_EQ(kr_call_later(&call, kr_ms(1), cancel_it, f), 0);
    while (kr_call_pending(&call))
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    let_others_run();
    CHECK(kr_future_done(f));
    CHECK_EQ(error_of(f), -ECANCELED);
    close(ends[0]);
    close(ends[1]);
}

/* Errors that nobody asks for. */

static int first_heard, second_heard;

static void first_hook(const kr_task_report *report)
{
    CHECK_EQ(report->error, -EPIPE);
    first_heard++;
}

static void second_hook(const kr_task_report *report)
{
    CHECK_EQ(report->error, -EPIPE);
    second_heard++;
}

static int fail(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -EPIPE;
}

static void fail_unheard(void)
{
    CHECK_EQ(kr_spawn(NULL, fail, NULL, 0, 0, NULL), 0);
    let_others_run();
}

/* behaviour: 13.6 test_set_exc_handler_* */
LOOP_TEST(the_hook_of_tasks_is_set_and_taken_away)
{
    CHECK(kr_set_task_hook(first_hook) == NULL);
    fail_unheard();
    CHECK(kr_set_task_hook(second_hook) == first_hook);
    fail_unheard();
    CHECK_EQ(first_heard, 1);
    CHECK_EQ(second_heard, 1);
    CHECK(kr_set_task_hook(NULL) == second_hook);
    fail_unheard();
    CHECK_EQ(first_heard + second_heard, 2);
}

static int fail_in_loop(void *arg)
{
    (void)arg;
    fail_unheard();
    return 0;
}

static void run_one_that_fails(void)
{
    CHECK_EQ(kr_run(fail_in_loop, NULL), 0);
}

/* behaviour: 13.6 test_default_exc_handler_* */
TEST(the_default_hook_of_tasks_prints)
{
    child c;
    child_run(&c, run_one_that_fails);
    CHECK(WIFEXITED(c.status));
    CHECK_EQ(WEXITSTATUS(c.status), 0);
    CHECK(strstr(c.out, "krait: ") == c.out);
    CHECK(strstr(c.out, "Broken pipe") != NULL || strstr(c.out, "EPIPE") != NULL);
    CHECK(strchr(c.out, '\n') == c.out + c.length - 1); /* one line */
}

/* Those who hold the loop up. */

static int slow_heard;
static char slow_name[32];
static kr_task_fn slow_task;
static kr_time slow_took;
static uintptr_t slow_wanted; /* whose; 0: compute's */

static int compute(const void *arg, void *result)
{
    (void)result;
    kr_time end = kr_now() + *(const kr_time *)arg;
    while (kr_now() < end)
        continue;
    return 0;
}

/* On a busy machine others may be slow, too. */
static void note_slow(const kr_slow_report *report)
{
    if ((uintptr_t)report->task != (slow_wanted != 0 ? slow_wanted : (uintptr_t)compute))
        return;
    slow_heard++;
    snprintf(slow_name, sizeof slow_name, "%s", report->name);
    slow_task = report->task;
    slow_took = report->took;
}

static void compute_for(kr_time duration)
{
    kr_future *f;
    kr_spawn_options o = {.name = "busy"};
    CHECK_EQ(kr_spawn(&f, compute, &duration, sizeof duration, 0, &o), 0);
    CHECK_EQ(error_of(f), 0);
}

static kr_time slow(void)
{
    return kr_ms(20 * KRI_TIMES);
}

static int run_impatiently(int (*body)(void *arg))
{
    const kr_run_options impatient = {.debug = true, .slow_after = slow()};
    return kr_run_with(body, NULL, &impatient);
}

static int hold_up_with_hook(void *arg)
{
    (void)arg;
    compute_for(slow());
    CHECK_EQ(slow_heard, 1);
    CHECK_STR(slow_name, "busy");
    CHECK(slow_task == compute);
    CHECK_GE(slow_took, slow());
    return 0;
}

static int hold_up(void *arg)
{
    (void)arg;
    compute_for(slow());
    return 0;
}

static const kr_run_options patient = {.debug = true, .slow_after = INT64_MAX};

static void hold_up_unheard(void)
{
    CHECK_EQ(run_impatiently(hold_up), 0);
}

TEST(test_log_slow_callbacks)
{
    child c;
    child_run(&c, hold_up_unheard); /* first: the child has a thread */
    CHECK(strstr(c.out, "coroutine busy (compute) ") != NULL);
    CHECK(strstr(c.out, "has held up its loop for") != NULL);
    CHECK(kr_set_slow_hook(note_slow) == NULL);
    CHECK_EQ(kr_run(hold_up, NULL), 0); /* not in debug mode */
    CHECK_EQ(kr_run_with(hold_up, NULL, &patient), 0);
    CHECK_EQ(slow_heard, 0);
    CHECK_EQ(run_impatiently(hold_up_with_hook), 0);
    CHECK(kr_set_slow_hook(NULL) == note_slow);
}

/* Of another type than a task, and called by a function of the library's. */
static int compute_as_main(void *arg)
{
    kr_time duration = slow();
    (void)arg;
    return compute(&duration, NULL);
}

TEST(a_first_coroutine_that_holds_up_its_loop)
{
    slow_wanted = (uintptr_t)compute_as_main;
    CHECK(kr_set_slow_hook(note_slow) == NULL);
    CHECK_EQ(run_impatiently(compute_as_main), 0);
    CHECK_EQ(slow_heard, 1);
    CHECK_STR(slow_name, "main");
}

TEST(an_initializer_that_holds_up_its_loop)
{
    kr_executor *pool;
    kr_pool_options o = {.workers = 1, .stuck_after = slow(), .initializer = compute_as_main};
    slow_wanted = (uintptr_t)compute_as_main;
    CHECK(kr_set_slow_hook(note_slow) == NULL);
    CHECK_EQ(kr_loop_pool(&pool, &o), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(slow_heard, 1);
    kr_executor_release(pool);
}

TEST(coroutines_that_hold_up_a_loop_of_a_pool)
{
    kr_executor *pool;
    kr_future *f;
    kr_time duration = kr_ms(20);
    kr_pool_options o = {.workers = 1, .stuck_after = duration};
    CHECK(kr_set_slow_hook(note_slow) == NULL);
    CHECK_EQ(kr_loop_pool(&pool, &o), 0);
    CHECK_EQ(kr_submit(pool, &f, compute, &duration, sizeof duration, 0), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(slow_heard, 1);
    CHECK_GE(slow_took, duration);
    kr_executor_release(pool);
}
