/* Signals: kr_cancel_on_signal, and what a signal does to a wait.
 *
 * Behaviours: sections 8.6, 8.8
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "harness/sanitizers.h"
#include "thread/child.h"
#include "thread/help.h"
#include <dlfcn.h>
#include <krait/krait.h>
#include <pthread.h>
#include <signal.h>

static kr_event never, stop;
static kr_word handled;

static void count(int signo)
{
    (void)signo;
    kri_add_sc(&handled, 1);
}

static void handle(int signo, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    CHECK_EQ(sigaction(signo, &action, NULL), 0);
}

/* Waits in a scope until the signal, which `run` sends, has ended the wait. */
static void be_interrupted(int signo, kr_run_fn run, void *arg)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_on_signal(signo, &scope), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_thread *t = start(run, arg);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK(kr_cancelled());
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    join(t);
    CHECK_EQ(kr_cancel_on_signal(signo, NULL), 0);
}

static int send_to_process(void *arg)
{
    kri_test_wait_parked(&never.word, 1);
    return kill(getpid(), *(int *)arg);
}

TEST(test_interrupt_main_subthread)
{
    int signo = SIGINT;
    be_interrupted(SIGINT, send_to_process, &signo);
}

TEST(test_interrupt_main_mainthread)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope); /* from main itself, it is immediate */
    CHECK(kr_cancelled());
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    scope = (kr_cancel_scope)KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_on_signal(SIGINT, &scope), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(raise(SIGINT), 0);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK_EQ(kr_cancel_on_signal(SIGINT, NULL), 0);
}

/* A program's own handler comes back when krait gives the signal up. */
TEST(test_interrupt_main_with_signal_handler)
{
    static const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        int signo = signals[i];
        handle(signo, count);
        be_interrupted(signo, send_to_process, &signo);
        CHECK_EQ(kri_load_acq(&handled), i);
        CHECK_EQ(raise(signo), 0);
        CHECK_EQ(kri_load_acq(&handled), i + 1);
    }
}

TEST(test_interrupt_main_noerror)
{
    int signo = SIGINT;
    handle(SIGINT, SIG_IGN);
    CHECK_EQ(raise(SIGINT), 0);
    be_interrupted(SIGINT, send_to_process, &signo);
    CHECK_EQ(raise(SIGINT), 0);                      /* ignored again */
    CHECK_EQ(kr_cancel_on_signal(SIGTERM, NULL), 0); /* never caught: nothing to do */
}

TEST(test_interrupt_main_invalid_signal)
{
    static const int bad[] = {-1, 0, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGFPE};
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(kr_cancel_on_signal(bad[i], &scope), -EINVAL);
        CHECK_EQ(kr_cancel_on_signal(bad[i], NULL), -EINVAL);
    }
}

static int loop_until_told(void *arg)
{
    kr_cancel_scope *scope = arg;
    CHECK_EQ(kr_cancel_scope_enter(scope, KR_FOREVER), 0);
    kr_event_set(&stop);
    while (!kr_cancelled())
        ;
    CHECK_EQ(kr_cancel_scope_exit(scope), -ECANCELED);
    return 0;
}

TEST(test_can_interrupt_tight_loops)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_thread *t = start(loop_until_told, &scope);
    CHECK_EQ(kr_event_wait(&stop, KR_FOREVER), 0);
    kr_cancel(&scope);
    join(t);
}

static int raise_two(void *arg)
{
    (void)arg;
    CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
    return pthread_kill(pthread_self(), SIGUSR2);
}

static void wait_for_cancel(kr_cancel_scope *scope)
{
    CHECK_EQ(kr_cancel_scope_enter(scope, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(scope), -ECANCELED);
}

/* Signals that a worker raises in itself reach the scopes, in whichever thread those are. */
TEST(test_signals)
{
    kr_cancel_scope first = KR_CANCEL_SCOPE_INIT, second = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, &first), 0);
    CHECK_EQ(kr_cancel_on_signal(SIGUSR2, &second), 0);
    kr_thread *t = start(raise_two, NULL);
    wait_for_cancel(&first);
    wait_for_cancel(&second);
    join(t);
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, NULL), 0);
    CHECK_EQ(kr_cancel_on_signal(SIGUSR2, NULL), 0);
}

static kr_lock lock;

static int send_when_parked(void *arg)
{
    kri_test_wait_parked(&lock.word, 1);
    return kill(getpid(), *(int *)arg);
}

TEST(test_lock_acquire_interruption)
{
    int signo = SIGINT;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_on_signal(SIGINT, &scope), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_thread *t = start(send_when_parked, &signo);
    kr_time began = kr_now();
    CHECK_EQ(kr_lock_acquire(&lock, kr_sec(25)), -ECANCELED);
    CHECK_LE(kr_now() - began, kr_sec(10));
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    join(t);
}

static int interrupt_then_release(void *arg)
{
    pthread_t waiter = *(pthread_t *)arg;
    kri_test_wait_parked(&lock.word, 1);
    CHECK_EQ(pthread_kill(waiter, SIGUSR1), 0);
    while (kri_load_acq(&handled) == 0)
        kri_test_nap();
    return kr_lock_release(&lock);
}

/* A handler that returns leaves the wait as it was. */
TEST(test_lock_acquire_retries_on_intr)
{
    pthread_t self = pthread_self();
    handle(SIGUSR1, count);
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    kr_thread *t = start(interrupt_then_release, &self);
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    CHECK_EQ(kri_load_acq(&handled), 1);
    join(t);
}

/* The same for recursive locks, held by another thread. */

static kr_rlock rlock;
static kr_event held;

static int hold_until_parked(void *arg)
{
    int signo = *(int *)arg;
    CHECK_EQ(kr_rlock_acquire(&rlock, KR_FOREVER), 0);
    kr_event_set(&held);
    kri_test_wait_parked(&rlock.lock.word, 1);
    CHECK_EQ(kill(getpid(), signo), 0);
    if (signo == SIGINT)
        CHECK_EQ(kr_event_wait(&stop, KR_FOREVER), 0);
    else
        while (kri_load_acq(&handled) == 0)
            kri_test_nap();
    return kr_rlock_release(&rlock);
}

TEST(test_rlock_acquire_interruption)
{
    int signo = SIGINT;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_on_signal(SIGINT, &scope), 0);
    kr_thread *t = start(hold_until_parked, &signo);
    CHECK_EQ(kr_event_wait(&held, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_time began = kr_now();
    CHECK_EQ(kr_rlock_acquire(&rlock, kr_sec(25)), -ECANCELED);
    CHECK_LE(kr_now() - began, kr_sec(10));
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK_EQ(kr_rlock_count(&rlock), 0);
    kr_event_set(&stop);
    join(t);
}

TEST(test_rlock_acquire_retries_on_intr)
{
    int signo = SIGUSR1;
    handle(SIGUSR1, count);
    kr_thread *t = start(hold_until_parked, &signo);
    CHECK_EQ(kr_event_wait(&held, KR_FOREVER), 0);
    CHECK_EQ(kr_rlock_acquire(&rlock, KR_FOREVER), 0);
    CHECK_EQ(kri_load_acq(&handled), 1);
    CHECK_EQ(kr_rlock_count(&rlock), 1);
    join(t);
}

static int send_forty(void *arg)
{
    pthread_t waiter = *(pthread_t *)arg;
    for (int i = 0; i < 40 && !kr_event_is_set(&stop); i++) {
        CHECK_EQ(pthread_kill(waiter, SIGUSR1), 0);
        CHECK_LE(kr_event_wait(&stop, kr_ms(20)), 0);
    }
    return 0;
}

TEST(test_interrupted_timed_acquire)
{
    pthread_t self = pthread_self();
    handle(SIGUSR1, count);
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    kr_thread *t = start(send_forty, &self);
    kr_time began = kr_now();
    CHECK_EQ(kr_lock_acquire(&lock, kr_ms(500)), -ETIMEDOUT);
    kr_time took = kr_now() - began;
    kr_event_set(&stop);
    CHECK_GE(took, kr_ms(500));
    CHECK_LE(took, kr_sec(10));
    CHECK_GE(kri_load_acq(&handled), 2);
    join(t);
}

/* A scope that takes the place of another does not get the other's signal. */
TEST(a_later_scope_gets_only_later_signals)
{
    for (int i = 0; i < 200; i++) {
        kr_cancel_scope first = KR_CANCEL_SCOPE_INIT, second = KR_CANCEL_SCOPE_INIT;
        CHECK_EQ(kr_cancel_on_signal(SIGUSR1, &first), 0);
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(kr_cancel_on_signal(SIGUSR1, &second), 0);
        CHECK(kr_cancel_scope_cancelled(&first));
        CHECK(!kr_cancel_scope_cancelled(&second));
        CHECK_EQ(kr_cancel_on_signal(SIGUSR1, NULL), 0);
    }
}

#if !KRI_SANITIZED
static int raise_once_caught;

/* In the place of the C library's: a signal that comes as soon as it is caught. */
int sigaction(int signo, const struct sigaction *action, struct sigaction *old)
{
    static int (*next)(int, const struct sigaction *, struct sigaction *);
    if (next == NULL)
        *(void **)(void *)&next = dlsym(RTLD_NEXT, "sigaction");
    int err = next(signo, action, old);
    if (err == 0 && action != NULL && signo == raise_once_caught)
        CHECK_EQ(raise(signo), 0);
    return err;
}

TEST(the_first_signal_may_come_at_once)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    raise_once_caught = SIGUSR1;
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, &scope), 0);
    raise_once_caught = 0;
    wait_for_cancel(&scope);
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, NULL), 0);
}
#endif

static void die_in_the_child(void)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_on_signal(SIGINT, &scope), 0);
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGINT); /* the old disposition: ends the process */
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGINT);
    CHECK(!kr_cancel_scope_cancelled(&scope));
    CHECK_EQ(raise(SIGINT), 0); /* the parent still has it */
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    exit(0);
}

TEST(a_forked_child_has_the_old_disposition)
{
    child_expect(die_in_the_child, "");
}

static void catch_again_in_the_child(void)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_on_signal(SIGINT, &scope), 0);
    pid_t pid = fork();
    if (pid == 0) {
        test_interrupt_main_subthread();
        exit(0);
    }
    child_wait(pid);
    CHECK(!kr_cancel_scope_cancelled(&scope));
}

TEST(a_forked_child_may_catch_again)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    child_expect(catch_again_in_the_child, "");
}

static void interrupt_late(void)
{
    raise(SIGINT);
    puts("not reached");
}

static int cancel_by_signal_at_exit(void *arg)
{
    CHECK_EQ(kr_event_wait(&stop, KR_FOREVER), 0);
    CHECK_EQ(kill(getpid(), SIGINT), 0);
    wait_for_cancel(arg);
    puts("cancelled");
    return 0;
}

static void set_stop(void *arg)
{
    (void)arg;
    kr_event_set(&stop);
}

static void exit_while_caught(void)
{
    static kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(atexit(interrupt_late), 0);
    CHECK_EQ(kr_cancel_on_signal(SIGINT, &scope), 0);
    CHECK_EQ(kr_at_exit(set_stop, NULL), 0);
    CHECK_EQ(kr_thread_start(NULL, cancel_by_signal_at_exit, &scope, 0, NULL), 0);
}

/* The signals are caught while exit waits for threads, and have their old meaning after. */
TEST(exit_gives_the_signals_back)
{
    child c;
    child_run(&c, exit_while_caught);
    CHECK_STR(c.out, "cancelled\n");
    CHECK(WIFSIGNALED(c.status));
    CHECK_EQ(WTERMSIG(c.status), SIGINT);
}
