/* SIGINT in kr_run.
 *
 * Behaviours: section 13.5
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "harness/sanitizers.h"
#include "thread/child.h"
#include "thread/thread.h"
#include <krait/krait.h>
#include <signal.h>

static kr_event never, stop;

static bool is_default(void)
{
    struct sigaction action;
    CHECK_EQ(sigaction(SIGINT, NULL, &action), 0);
    return action.sa_handler == SIG_DFL;
}

/* A coroutine that sends it, once those before it wait. */
static int interrupt_once(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(kill(getpid(), SIGINT), 0);
    return 0;
}

static void spawn(kr_task_fn fn)
{
    CHECK_EQ(kr_spawn(NULL, fn, NULL, 0, 0, NULL), 0);
}

static int interrupted_wait(void *arg)
{
    (void)arg;
    CHECK(!is_default());
    spawn(interrupt_once);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK(kr_cancelled());
    CHECK(is_default()); /* the next one ends the process */
    return -ECANCELED;
}

/* behaviour: 13.6 test_run_forever_keyboard_interrupt */
TEST(test_interrupt_wait)
{
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_run(interrupted_wait, NULL), -EINTR);
        CHECK(is_default());
    }
}

static int yields;

static int yield_on(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    while (kr_yield() == 0)
        if (++yields == 1000)
            spawn(interrupt_once);
    return -ECANCELED;
}

static int wait_among_ready_ones(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        spawn(yield_on);
    return kr_event_wait(&never, KR_FOREVER);
}

TEST(test_interrupt_call_soon)
{
    CHECK_EQ(kr_run(wait_among_ready_ones, NULL), -EINTR);
    CHECK_GE(yields, 1000);
}

static int compute_until_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(kill(getpid(), SIGINT), 0);
    while (!kr_cancelled())
        continue;
    return -ECANCELED;
}

TEST(a_computation_is_told)
{
    CHECK_EQ(kr_run(compute_until_cancelled, NULL), -EINTR);
}

static int cancel_itself(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_future_cancel(kr_task_current()), KR_ASKED);
    return kr_event_wait(&never, KR_FOREVER);
}

TEST(test_interrupt_cancelled_task)
{
    CHECK_EQ(kr_run(cancel_itself, NULL), -ECANCELED);
}

static int recover(void *arg)
{
    (void)interrupted_wait(arg);
    return 7;
}

TEST(a_result_in_spite_of_it_is_kept)
{
    CHECK_EQ(kr_run(recover, NULL), 7);
}

/* The second one. */

static int wait_shielded(void *arg)
{
    (void)interrupted_wait(arg);
    puts("first");
    kr_shield {
        spawn(interrupt_once);
        CHECK_EQ(kr_event_wait(&never, KR_FOREVER), 0);
    }
    puts("not reached");
    return 0;
}

static void run_shielded(void)
{
    (void)!kr_run(wait_shielded, NULL);
}

TEST(the_second_one_ends_the_process)
{
    child c;
    child_run(&c, run_shielded);
    CHECK_STR(c.out, "first\n");
    CHECK(WIFSIGNALED(c.status));
    CHECK_EQ(WTERMSIG(c.status), SIGINT);
}

/* Two at once, and a program that goes on all the same: it ends, however close they are, or else
 * the two were one. */
static int wait_for_ever(void *arg)
{
    (void)arg;
    CHECK_EQ(kill(getpid(), SIGINT), 0);
    CHECK_EQ(kill(getpid(), SIGINT), 0);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    return -ECANCELED;
}

static void run_for_ever(void)
{
    exit(kr_run(wait_for_ever, NULL) == -EINTR ? 0 : 1);
}

TEST(two_at_once)
{
    for (int i = 0; i < 20; i++) {
        child c;
        child_run(&c, run_for_ever);
        CHECK((WIFSIGNALED(c.status) && WTERMSIG(c.status) == SIGINT) ||
              (WIFEXITED(c.status) && WEXITSTATUS(c.status) == 0));
    }
}

/* Both have come before anybody was told of the first. */
static int keep_to_itself(void *arg)
{
    (void)arg;
    kri_signals_lock();
    CHECK_EQ(raise(SIGINT), 0);
    CHECK_EQ(raise(SIGINT), 0);
    kri_signals_unlock();
    kr_shield
        CHECK_EQ(kr_event_wait(&never, kr_sec(20)), 0);
    return 0;
}

static void run_to_itself(void)
{
    (void)!kr_run(keep_to_itself, NULL);
}

TEST(a_second_one_before_the_first_is_told_of)
{
    child c;
    child_run(&c, run_to_itself);
    CHECK(WIFSIGNALED(c.status));
    CHECK_EQ(WTERMSIG(c.status), SIGINT);
}

static int return_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void die_after(void)
{
    (void)!kr_run(return_at_once, NULL);
    raise(SIGINT);
    puts("not reached");
}

TEST(it_has_its_old_meaning_after)
{
    child c;
    child_run(&c, die_after);
    CHECK_STR(c.out, "");
    CHECK(WIFSIGNALED(c.status));
}

/* Where it is somebody else's. */

static kr_word handled;

static void count(int signo)
{
    (void)signo;
    kri_add_sc(&handled, 1);
}

static int interrupt_then_wait(void *arg)
{
    (void)arg;
    spawn(interrupt_once);
    return kr_event_wait(&never, kr_ms(20));
}

TEST(a_handler_of_the_program_stays)
{
    struct sigaction action = {.sa_handler = count};
    CHECK_EQ(sigaction(SIGINT, &action, NULL), 0);
    CHECK_EQ(kr_run(interrupt_then_wait, NULL), -ETIMEDOUT);
    CHECK_EQ(kri_load_acq(&handled), 1);
    CHECK_EQ(sigaction(SIGINT, NULL, &action), 0);
    CHECK(action.sa_handler == count);
}

/* behaviour: 13.5 test_signal_install_not_supported_ok */
TEST(it_may_be_ignored)
{
    signal(SIGINT, SIG_IGN);
    CHECK_EQ(kr_run(interrupt_then_wait, NULL), -ETIMEDOUT);
}

static int tell_disposition(void *arg)
{
    (void)arg;
    return is_default();
}

TEST(keep_interrupt)
{
    kr_run_options keep = {.keep_interrupt = true};
    CHECK_EQ(kr_run_with(tell_disposition, NULL, &keep), true);
    CHECK_EQ(kr_run(tell_disposition, NULL), false);
}

static void set_stop(int signo, void *arg)
{
    CHECK_EQ(signo, SIGINT);
    kr_event_set(arg);
}

/* As loop.add_signal_handler does in asyncio.run. */
static int handle_it(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_signal_handle(SIGINT, set_stop, &stop), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(raise(SIGINT), 0);
        CHECK_EQ(kr_event_wait(&stop, KR_FOREVER), 0);
        kr_event_clear(&stop);
    }
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_signal_handle(SIGINT, NULL, NULL), 0);
    return interrupted_wait(NULL);
}

TEST(who_listens_gets_it)
{
    CHECK_EQ(kr_run(handle_it, NULL), -EINTR);
    CHECK(is_default());
}

/* Only one kr_run at a time. */

static int run_inside(void *arg)
{
    (void)arg;
    return kr_run(return_at_once, NULL);
}

static int run_in_a_thread(void *arg)
{
    kr_thread *t;
    int result = 1;
    (void)arg;
    CHECK_EQ(kr_thread_start(&t, run_inside, NULL, 0, NULL), 0);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    kr_thread_release(t);
    CHECK_EQ(result, 0);
    return interrupted_wait(NULL); /* still the outer one's */
}

TEST(the_first_of_several_loops_is_interrupted)
{
    CHECK_EQ(kr_run(run_in_a_thread, NULL), -EINTR);
}

/* A forked child's loop is the first of its own process. */
static int interrupt_in_child(void *arg)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK(is_default());
        CHECK_EQ(kr_run(interrupted_wait, NULL), -EINTR);
        _exit(0);
    }
    child_wait(pid);
    CHECK(!kr_cancelled());
    return interrupted_wait(arg);
}

TEST(a_forked_child_has_its_own)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    CHECK_EQ(kr_run(interrupt_in_child, NULL), -EINTR);
}
