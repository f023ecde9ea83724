/* Forks of processes that have loops: the parent's are not in the child, which may have its own.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread/child.h"
#include "harness/sanitizers.h"
#include <krait/krait.h>

static kr_event never;

static int wait_a_little(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_sleep(kr_ms(1));
}

/* A program of its own, with coroutines, timers and a descriptor. */
static int live(void *arg)
{
    kr_future *f;
    int ends[2];
    (void)arg;
    CHECK_EQ(kr_spawn(&f, wait_a_little, NULL, 0, 0, NULL), 0);
    CHECK_EQ(kr_future_result(f, NULL, 0, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_poll(ends[0], KR_READABLE, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(kr_poll(ends[0], KR_READABLE, KR_FOREVER), KR_READABLE);
    close(ends[0]);
    close(ends[1]);
    return 17;
}

static int others;

static int stay(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    others++;
    return 0;
}

/* In a coroutine that has siblings, and waits for descriptors and timers. */
static void fork_among_others(void (*in_child)(kr_future *main, kr_executor *loop))
{
    int ends[2];
    CHECK_EQ(kr_spawn(NULL, stay, NULL, 0, 0, NULL), 0);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_poll(ends[0], KR_READABLE, kr_ms(1)), -ETIMEDOUT);
    kr_executor *loop = kr_running_loop();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        in_child(kr_task_current(), loop);
        _exit(0);
    }
    child_wait(pid);
    CHECK_EQ(kr_poll(ends[0], KR_READABLE, kr_ms(1)), -ETIMEDOUT); /* all is as before */
    CHECK(kr_running_loop() == loop);
    close(ends[0]);
    close(ends[1]);
}

static void be_no_coroutine(kr_future *main, kr_executor *loop)
{
    (void)main;
    (void)loop;
    CHECK(kr_running_loop() == NULL);
    CHECK_EQ(kr_spawn(NULL, stay, NULL, 0, 0, NULL), -EPERM);
    CHECK_EQ(kr_task_set_name("x"), -EPERM);
    CHECK_EQ(kr_sleep(kr_ms(1)), 0); /* a thread's */
    CHECK_EQ(kr_yield(), 0);
}

static int fork_and_ask(void *arg)
{
    (void)arg;
    fork_among_others(be_no_coroutine);
    return 3;
}

/* behaviour: 13.6 test_fork_not_share_current_task */
TEST(test_fork_not_share_event_loop)
{
    CHECK_EQ(kr_run(fork_and_ask, NULL), 3);
    CHECK_EQ(others, 1);
}

static void run_anew(kr_future *main, kr_executor *loop)
{
    (void)main;
    (void)loop;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_run(live, NULL), 17);
    CHECK_EQ(others, 0);
}

static void expect_no_events(kr_future *main, kr_executor *loop)
{
    char path[32], target[64];
    (void)main;
    (void)loop;
    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        CHECK(strstr(target, "eventpoll") == NULL);
    }
}

static int fork_and_look(void *arg)
{
    (void)arg;
    fork_among_others(expect_no_events);
    return 3;
}

TEST(the_parents_descriptors_are_not_kept)
{
    CHECK_EQ(kr_run(fork_and_look, NULL), 3);
}

static int fork_and_run(void *arg)
{
    (void)arg;
    fork_among_others(run_anew);
    return 3;
}

static int live_in_process(void *arg)
{
    CHECK(kr_running_loop() == NULL);
    return kr_run(live, arg);
}

static int start_process(void *arg)
{
    kr_process *p;
    int code = 1;
    kr_process_options o = {.start = KR_FORK};
    (void)arg;
    CHECK_EQ(kr_spawn(NULL, stay, NULL, 0, 0, NULL), 0);
    CHECK_EQ(kr_process_start(&p, live_in_process, NULL, 0, &o), 0);
    CHECK_EQ(kr_process_join(p, &code, KR_FOREVER), 0);
    CHECK_EQ(code, 17);
    kr_process_release(p);
    return 0;
}

TEST(test_fork_asyncio_run)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    CHECK_EQ(kr_run(fork_and_run, NULL), 3);
}

TEST(a_started_process_runs_a_loop)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    NEED_PROCESSES;
    CHECK_EQ(kr_run(start_process, NULL), 0);
}

static int run_program(void *arg)
{
    kr_subprocess_data data = {.input = "text", .input_size = 4};
    (void)arg;
    CHECK_EQ(kr_subprocess_run((const char *[]){"cat", NULL}, NULL, &data, NULL, kr_sec(60)), 0);
    CHECK_STR(data.output, "text");
    free(data.output);
    free(data.error_output);
    return 0;
}

static void run_programs(kr_future *main, kr_executor *loop)
{
    (void)main;
    (void)loop;
    CHECK_EQ(run_program(NULL), 0);
    CHECK_EQ(kr_run(run_program, NULL), 0);
}

static int fork_and_run_programs(void *arg)
{
    fork_among_others(run_programs);
    return run_program(arg);
}

TEST(test_fork_asyncio_subprocess)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    NEED_PROCESSES;
    CHECK_EQ(kr_run(fork_and_run_programs, NULL), 0);
}

static void use_parents(kr_future *main, kr_executor *loop)
{
    (void)main;
    CHECK_EQ(kr_submit(loop, NULL, stay, NULL, 0, 0), KR_EFORKED);
}

static int fork_and_submit(void *arg)
{
    (void)arg;
    fork_among_others(use_parents);
    return 0;
}

TEST(the_parents_loop_is_known_to_be_gone)
{
    CHECK_EQ(kr_run(fork_and_submit, NULL), 0);
}

/* The child comes out of kr_run without a loop, and the siblings do not go on in it. */
static int fork_and_return(void *arg)
{
    CHECK_EQ(kr_spawn(NULL, stay, NULL, 0, 0, NULL), 0);
    CHECK_EQ(kr_yield(), 0);
    *(pid_t *)arg = fork();
    return 5;
}

TEST(the_child_may_return)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    pid_t pid;
    int result = kr_run(fork_and_return, &pid);
    CHECK_EQ(result, 5);
    CHECK_EQ(others, pid != 0);
    CHECK(kr_running_loop() == NULL);
    CHECK_EQ(kr_run(live, NULL), 17);
    if (pid != 0)
        child_wait(pid);
}

static pid_t forked;

static int fork_beside_main(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    forked = fork();
    return 0;
}

static int wait_for_sibling(void *arg)
{
    kr_future *f;
    (void)arg;
    CHECK_EQ(kr_spawn(&f, fork_beside_main, NULL, 0, 0, NULL), 0);
    CHECK_EQ(kr_future_result(f, NULL, 0, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    return 5;
}

TEST(the_child_of_another_coroutine_may_return)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    int result = kr_run(wait_for_sibling, NULL);
    CHECK_EQ(result, forked != 0 ? 5 : KR_EFORKED); /* main has not come to its end there */
    CHECK_EQ(kr_run(live, NULL), 17);
    if (forked != 0)
        child_wait(forked);
}

/* Another thread has a loop while this one forks. */

static kr_event running, over;

static int run_until_told(void *arg)
{
    (void)arg;
    kr_event_set(&running);
    return kr_event_wait(&over, KR_FOREVER);
}

static int have_a_loop(void *arg)
{
    return kr_run(run_until_told, arg);
}

TEST(a_fork_beside_a_loop)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, have_a_loop, NULL, 0, NULL), 0);
    CHECK_EQ(kr_event_wait(&running, KR_FOREVER), 0);
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            CHECK_EQ(kr_run(live, NULL), 17);
            _exit(0);
        }
        child_wait(pid);
    }
    kr_event_set(&over);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
}
