/* Signals: waiting for them, and callbacks of a loop.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "thread/child.h"
#include <krait/krait.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static kr_word handled;

static void count(int signo)
{
    (void)signo;
    kri_add_sc(&handled, 1);
}

static kr_signal *listen_to(int signo)
{
    kr_signal *s;
    CHECK_EQ(kr_signal_open(&s, &signo, 1), 0);
    return s;
}

static int next(kr_signal *s)
{
    int signo = 0;
    CHECK_EQ(kr_signal_wait(s, &signo, kr_sec(30)), 0);
    return signo;
}

static bool is_default(int signo)
{
    struct sigaction action;
    CHECK_EQ(sigaction(signo, NULL, &action), 0);
    return action.sa_handler == SIG_DFL;
}

/* In a thread and in a coroutine. */
static int run_body(void *arg)
{
    (*(void (**)(void))arg)();
    return 0;
}

#define RUNNER_TEST(name)                                                                          \
    static void name(void);                                                                        \
    TEST(name##_in_a_thread)                                                                       \
    {                                                                                              \
        name();                                                                                    \
    }                                                                                              \
    TEST(name##_in_a_coroutine)                                                                    \
    {                                                                                              \
        void (*body)(void) = name;                                                                 \
        CHECK_EQ(kr_run(run_body, &body), 0);                                                      \
    }                                                                                              \
    static void name(void)

RUNNER_TEST(bad_input)
{
    static const int bad[] = {-1, 0, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV};
    kr_signal *s;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int some[] = {SIGUSR1, bad[i]};
        CHECK_EQ(kr_signal_open(&s, &bad[i], 1), -EINVAL);
        CHECK_EQ(kr_signal_open(&s, some, 2), -EINVAL);
        CHECK_EQ(kr_signal_handle(bad[i], NULL, NULL), -EINVAL);
    }
    CHECK(is_default(SIGUSR1));
    CHECK_EQ(kr_signal_open(&s, NULL, 1), -EINVAL);
    CHECK_EQ(kr_signal_open(&s, &(int){SIGUSR1}, 0), -EINVAL);
    CHECK_EQ(kr_signal_open(NULL, &(int){SIGUSR1}, 1), -EINVAL);
    CHECK_EQ(kr_signal_wait(NULL, NULL, 0), -EINVAL);
    s = listen_to(SIGUSR1);
    CHECK_EQ(kr_signal_wait(s, NULL, -1), -EINVAL);
    kr_signal_close(s);
    kr_signal_close(NULL);
}

RUNNER_TEST(signals_are_waited_for)
{
    KR_AUTO(kr_signal) *s = NULL;
    CHECK_EQ(kr_signal_open(&s, (int[]){SIGUSR2, SIGUSR1, SIGTERM}, 3), 0);
    CHECK_EQ(kr_signal_wait(s, NULL, KR_NOWAIT), -ETIMEDOUT);
    kr_time began = kr_now();
    CHECK_EQ(kr_signal_wait(s, NULL, kr_ms(20)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(20));
    CHECK_EQ(raise(SIGTERM), 0);
    CHECK_EQ(next(s), SIGTERM);
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    int first = next(s), second = next(s);
    CHECK(first != second);
    CHECK_EQ(first + second, SIGUSR1 + SIGUSR2);
    CHECK_EQ(kr_signal_wait(s, NULL, KR_NOWAIT), -ETIMEDOUT);
}

/* Any number from one to as many as came. */
RUNNER_TEST(signals_that_come_together_are_one)
{
    enum { MANY = 100 };
    int got = 0;
    kr_signal *s = listen_to(SIGUSR1), *later = listen_to(SIGUSR2);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(next(later), SIGUSR2); /* what came before is served by now */
    while (kr_signal_wait(s, NULL, KR_NOWAIT) == 0)
        got++;
    CHECK_EQ(got, 1);
    kr_signal_close(s);
    kr_signal_close(later);
}

RUNNER_TEST(the_old_disposition_comes_back)
{
    struct sigaction action = {.sa_handler = count};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    kr_signal *s = listen_to(SIGUSR1), *other = listen_to(SIGUSR1);
    kr_signal_close(s);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(next(other), SIGUSR1);
    CHECK_EQ(kri_load_acq(&handled), 0);
    kr_signal_close(other);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(kri_load_acq(&handled), 1);
    kr_signal_close(listen_to(SIGUSR2));
    CHECK(is_default(SIGUSR2));
}

RUNNER_TEST(all_who_listen_hear)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, &scope), 0);
    kr_signal *s = listen_to(SIGUSR1), *other = listen_to(SIGUSR1);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(next(s), SIGUSR1);
    CHECK_EQ(next(other), SIGUSR1);
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, NULL), 0);
    CHECK(kr_cancel_scope_cancelled(&scope));
    CHECK(!is_default(SIGUSR1)); /* the two still listen */
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(next(s), SIGUSR1);
    kr_signal_close(s);
    kr_signal_close(other);
    CHECK(is_default(SIGUSR1));
}

/* One who joins does not hear what came before. */
RUNNER_TEST(only_later_signals_are_heard)
{
    kr_signal *first = listen_to(SIGUSR1);
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(raise(SIGUSR1), 0);
        kr_signal *s = listen_to(SIGUSR1);
        CHECK_EQ(kr_signal_wait(first, NULL, KR_NOWAIT), 0);
        CHECK_EQ(kr_signal_wait(s, NULL, KR_NOWAIT), -ETIMEDOUT);
        kr_signal_close(s);
    }
    kr_signal_close(first);
}

RUNNER_TEST(a_wait_for_signals_is_cancelled)
{
    kr_signal *s = listen_to(SIGUSR1);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(10)), 0);
    CHECK_EQ(kr_signal_wait(s, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    kr_signal_close(s);
}

/* Of one loop. */

static int wait_until_closed(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(kr_signal_wait(*(kr_signal *const *)arg, NULL, KR_FOREVER), KR_ESHUTDOWN);
    return 0;
}

static int close_while_awaited(void *arg)
{
    enum { WAITERS = 3 };
    kr_future *f[WAITERS];
    kr_signal *s = listen_to(SIGUSR1);
    (void)arg;
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(kr_spawn(&f[i], wait_until_closed, &s, sizeof s, 0, NULL), 0);
    (void)kr_yield();
    kr_signal_close(s);
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(kr_future_result(f[i], NULL, 0, NULL, KR_FOREVER), 0);
        kr_future_release(f[i]);
    }
    return 0;
}

TEST(close_ends_waits)
{
    CHECK_EQ(kr_run(close_while_awaited, NULL), 0);
}

/* Callbacks. */

static kr_event called;
static int calls, last_signo;
static void *last_arg;

static void note(int signo, void *arg)
{
    calls++;
    last_signo = signo;
    last_arg = arg;
    kr_event_set(&called);
}

static void expect_call(int signo, void *arg)
{
    CHECK_EQ(kr_event_wait(&called, kr_sec(30)), 0);
    kr_event_clear(&called);
    CHECK_EQ(last_signo, signo);
    CHECK(last_arg == arg);
}

/* behaviour: 13.6 test_signal_handling_args */
static int add_and_remove(void *arg)
{
    int first, second;
    (void)arg;
    CHECK_EQ(kr_signal_handle(SIGUSR1, NULL, NULL), -ENOENT);
    CHECK_EQ(kr_signal_handle(SIGUSR1, note, &first), 0);
    CHECK_EQ(kr_signal_handle(SIGUSR2, note, NULL), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    expect_call(SIGUSR1, &first);
    CHECK_EQ(kr_signal_handle(SIGUSR1, note, &second), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    expect_call(SIGUSR1, &second);
    CHECK_EQ(raise(SIGUSR2), 0);
    expect_call(SIGUSR2, NULL);
    CHECK_EQ(kr_signal_handle(SIGUSR1, NULL, NULL), 0);
    CHECK_EQ(kr_signal_handle(SIGUSR1, NULL, NULL), -ENOENT);
    CHECK(is_default(SIGUSR1));
    CHECK_EQ(calls, 3);
    return 0;
}

TEST(test_add_signal_handler)
{
    CHECK_EQ(kr_signal_handle(SIGUSR1, note, NULL), -EPERM);
    CHECK_EQ(kr_run(add_and_remove, NULL), 0);
    CHECK(is_default(SIGUSR2)); /* taken away by the end */
}

static void wait_long(int signo, void *arg)
{
    *(int *)arg = kr_sleep(kr_sec(30));
    note(signo, arg);
}

static int have_it_wait(void *arg)
{
    int result = 0;
    (void)arg;
    CHECK_EQ(kr_signal_handle(SIGUSR1, wait_long, &result), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    expect_call(SIGUSR1, &result);
    CHECK_EQ(result, -ECANCELED);
    return 0;
}

TEST(a_callback_cannot_hold_up_the_loop)
{
    CHECK_EQ(kr_run(have_it_wait, NULL), 0);
}

static int be_rung(void *arg)
{
    struct itimerval timer = {.it_value.tv_usec = 5000};
    (void)arg;
    CHECK_EQ(kr_signal_handle(SIGALRM, note, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
    CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    expect_call(SIGALRM, NULL);
    return 0;
}

TEST(test_signal_handling_while_selecting)
{
    CHECK_EQ(kr_run(be_rung, NULL), 0);
}

static int handle_in_a_pool(const void *arg, void *result)
{
    (void)result;
    return kr_signal_handle(SIGUSR1, note, *(void *const *)arg);
}

TEST(loops_of_a_pool_are_called_too)
{
    kr_executor *pool;
    kr_future *f;
    void *arg = &pool;
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, &f, handle_in_a_pool, &arg, sizeof arg, 0), 0);
    CHECK_EQ(kr_future_result(f, NULL, 0, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    CHECK_EQ(raise(SIGUSR1), 0);
    expect_call(SIGUSR1, arg);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
    CHECK(is_default(SIGUSR1));
}

static void take_itself_away(int signo, void *arg)
{
    (void)arg;
    calls++;
    CHECK_EQ(kr_signal_handle(signo, NULL, NULL), 0);
    kr_event_set(&called);
}

/* The callback is in the loop's line, or on its way, or was called. */
static int take_away_at_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < 500; i++) {
        int before = calls;
        CHECK_EQ(kr_signal_handle(SIGUSR1, i % 2 ? note : take_itself_away, NULL), 0);
        CHECK_EQ(raise(SIGUSR1), 0);
        if (i % 3 == 0)
            (void)kr_yield();
        bool is_there = i % 2 || calls == before;
        CHECK_EQ(kr_signal_handle(SIGUSR1, NULL, NULL), is_there ? 0 : -ENOENT);
        int then = calls;
        for (int k = 0; k < 3; k++)
            (void)kr_yield();
        CHECK_EQ(calls, then);
        CHECK_LE(calls, before + 1);
    }
    kr_event_clear(&called);
    CHECK_EQ(kr_signal_handle(SIGUSR1, take_itself_away, NULL), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(kr_event_wait(&called, KR_FOREVER), 0);
    CHECK(is_default(SIGUSR1));
    return 0;
}

TEST(a_callback_that_is_taken_away_is_not_called)
{
    CHECK_EQ(kr_run(take_away_at_once, NULL), 0);
}

/* The end, with signals on their way. */

static bool over;

static void *send_without_end(void *arg)
{
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
        CHECK_EQ(pthread_kill(*(pthread_t *)arg, SIGUSR1), 0);
    return NULL;
}

static int hear_some(void *arg)
{
    (void)arg;
    calls = 0;
    CHECK_EQ(kr_signal_handle(SIGUSR1, note, NULL), 0);
    expect_call(SIGUSR1, NULL);
    return 0;
}

TEST(loops_end_while_signals_come)
{
    struct sigaction action = {.sa_handler = count};
    pthread_t self = pthread_self(), sender;
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_EQ(pthread_create(&sender, NULL, send_without_end, &self), 0);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(kr_run(hear_some, NULL), 0);
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    CHECK_EQ(pthread_join(sender, NULL), 0);
}

/* Forks. */

static int fork_and_signal(void *arg)
{
    (void)arg;
    int status;
    kr_signal *s = listen_to(SIGTERM);
    CHECK_EQ(kr_signal_handle(SIGTERM, note, NULL), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_EQ(kr_signal_wait(s, NULL, KR_FOREVER), KR_EFORKED);
        kr_signal_close(s);
        raise(SIGTERM);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGTERM);
    CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    CHECK_EQ(kr_signal_wait(s, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(calls, 0);
    CHECK_EQ(raise(SIGTERM), 0);
    expect_call(SIGTERM, NULL);
    CHECK_EQ(next(s), SIGTERM);
    kr_signal_close(s);
    return 0;
}

TEST(test_fork_signal_handling)
{
    CHECK_EQ(kr_run(fork_and_signal, NULL), 0);
}
