/* Fork: who is left in the child, and what the others' handles say there.
 *
 * Behaviours: sections 8.1, 8.2
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread/child.h"
#include "harness/sanitizers.h"
#include "thread/help.h"
#include <krait/krait.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>

static int wait_for(void *event)
{
    return kr_event_wait(event, KR_FOREVER);
}

static void check_name(kr_thread *t, const char *want)
{
    char name[KR_THREAD_NAME_SIZE];
    kr_thread_name(t, name, sizeof name);
    CHECK_STR(name, want);
}

/* What every child must find: itself, alone, as main, and able to go on. */
static void check_child(uint64_t ident, const char *name)
{
    kr_thread *self = kr_thread_current(), *listed[4];
    CHECK(self == kr_thread_main());
    CHECK_EQ(kr_thread_enumerate(listed, 4), 1);
    CHECK(listed[0] == self);
    kr_thread_release(self);
    CHECK(kr_thread_alive(self));
    CHECK_EQ(kr_thread_native_id(self), getpid());
    CHECK(ident == 0 || kr_thread_ident(self) == ident);
    CHECK(!kr_thread_daemon(self));
    check_name(self, name);
    if (!KRI_TSAN)
        join_well(start(nothing, NULL));
    CHECK_EQ(kr_thread_active_count(), 1);
}

static void fork_and_check(uint64_t ident, const char *name)
{
    pid_t pid = fork();
    if (pid == 0) {
        check_child(ident, name);
        exit(0);
    }
    child_wait(pid);
}

TEST(test_main_thread_after_fork)
{
    fork_and_check(kr_thread_ident(kr_thread_main()), "MainThread");
}

/* Main has never asked who it is. */
TEST(a_fork_before_the_first_question)
{
    join_well(start(nothing, NULL));
    fork_and_check(0, "MainThread");
    pid_t pid = fork();
    if (pid == 0) {
        fork_and_check(0, "MainThread");
        exit(0);
    }
    child_wait(pid);
}

static int fork_here(void *arg)
{
    (void)arg;
    fork_and_check(kr_thread_ident(kr_thread_current()), "forker");
    CHECK_EQ(kr_thread_active_count(), 2);
    return 0;
}

TEST(test_main_thread_after_fork_from_nonmain_thread)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, fork_here, NULL, 0, &(kr_thread_options){.name = "forker"}), 0);
    join_well(t);
}

static void fork_unknown(void *arg)
{
    (void)arg;
    fork_and_check(0, "MainThread");
}

static void fork_as_dummy(void *arg)
{
    (void)arg;
    check_name(kr_thread_current(), "Dummy-1");
    fork_and_check(kr_thread_ident(kr_thread_current()), "MainThread");
    check_name(kr_thread_current(), "Dummy-1");
}

static void fork_in_foreign(void (*body)(void *))
{
    kri_bunch bunch;
    CHECK_EQ(kr_thread_active_count(), 1);
    kri_bunch_start(&bunch, 1, body, NULL);
    kri_bunch_end(&bunch);
}

TEST(test_main_thread_after_fork_from_foreign_thread)
{
    fork_in_foreign(fork_unknown);
}

TEST(test_main_thread_after_fork_from_dummy_thread)
{
    fork_in_foreign(fork_as_dummy);
}

static void be_known(void *arg)
{
    (void)arg;
    (void)kr_thread_current();
}

TEST(test_dummy_thread_after_fork)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    kri_bunch bunch;
    kri_bunch_hold(&bunch, 1, be_known, NULL);
    kri_bunch_wait_finished(&bunch, 1);
    CHECK_EQ(kr_thread_active_count(), 2);
    fork_and_check(0, "MainThread");
    kri_bunch_end(&bunch);
}

TEST(test_is_alive_after_fork)
{
    for (int i = 0; i < 20; i++) {
        kr_event go = KR_EVENT_INIT;
        kr_thread *t = start(wait_for, &go);
        pid_t pid = fork();
        if (pid == 0) {
            int result = 0;
            CHECK(!kr_thread_alive(t));
            CHECK_EQ(kr_thread_join(t, &result, KR_NOWAIT), 0);
            CHECK_EQ(result, KR_EFORKED);
            CHECK_EQ(kr_thread_set_affinity(t, &(kr_cpu_set){{1}}), -ESRCH);
            kr_thread_release(t);
            _exit(0);
        }
        CHECK(kr_thread_alive(t));
        kr_event_set(&go);
        child_wait(pid);
        join_well(t);
    }
}

/* It had ended, and nobody had joined it. */
TEST(an_ended_thread_keeps_its_result_in_the_child)
{
    if (KRI_TSAN)
        SKIP("the sanitizer takes the thread that is not here for one that was not joined");
    kr_thread *t = start(nothing, NULL);
    while (kr_thread_alive(t))
        kri_test_nap();
    pid_t pid = fork();
    if (pid == 0) {
        join_well(t);
        exit(0);
    }
    child_wait(pid);
    join_well(t);
}

TEST(test_native_id_after_fork)
{
    CHECK_EQ(kr_thread_native_id(kr_thread_main()), getpid());
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        CHECK_EQ(kr_thread_native_id(kr_thread_main()), getpid());
        CHECK_NE(kr_thread_native_id(kr_thread_main()), parent);
        exit(0);
    }
    child_wait(pid);
}

enum { FORKERS = 16 };

static int fork_often(void *arg)
{
    CHECK_EQ(kr_event_wait(arg, KR_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            CHECK(kr_thread_main() == kr_thread_current());
            CHECK_EQ(kr_thread_active_count(), 1);
            exit(0);
        }
        child_wait(pid);
    }
    return 0;
}

TEST(test_reinit_tls_after_fork)
{
    kr_event go = KR_EVENT_INIT;
    kr_thread *threads[FORKERS];
    for (int i = 0; i < FORKERS; i++)
        threads[i] = start(fork_often, &go);
    kri_test_wait_parked(&go.word, FORKERS);
    kr_event_set(&go);
    for (int i = 0; i < FORKERS; i++)
        join_well(threads[i]);
}

TEST(test_clear_threads_states_after_fork)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    kr_event go = KR_EVENT_INIT;
    kr_thread *threads[FORKERS];
    for (int i = 0; i < FORKERS; i++)
        threads[i] = start(wait_for, &go);
    CHECK_EQ(kr_thread_active_count(), FORKERS + 1);
    kri_test_wait_parked(&go.word, FORKERS);
    fork_and_check(0, "MainThread");
    kr_event_set(&go);
    for (int i = 0; i < FORKERS; i++)
        join_well(threads[i]);
}

static int start_and_join(void *arg)
{
    while (!kr_event_is_set(arg))
        join_well(start(nothing, NULL));
    return 0;
}

/* The registry's lock is as likely as not held at the moment of the fork. */
TEST(forks_amid_starts_and_ends)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_SANITIZED)
        SKIP("the sanitizers' allocators do not stand a fork in the middle of an allocation");
    kr_event stop = KR_EVENT_INIT;
    kr_thread *busy[2] = {start(start_and_join, &stop), start(start_and_join, &stop)};
    for (int i = 0; i < 100; i++)
        fork_and_check(0, "MainThread");
    kr_event_set(&stop);
    join_well(busy[0]);
    join_well(busy[1]);
}

static kr_event never;

static int return_in_the_child(void *arg)
{
    pid_t *forked = arg;
    *forked = fork();
    kr_thread_options daemon = {.daemon = KR_DAEMON_YES};
    if (*forked == 0)
        CHECK_EQ(kr_thread_start(NULL, wait_for, &never, 0, &daemon), 0);
    return 0; /* in the child it is main: the process exits with 0, whatever else runs */
}

TEST(a_forked_thread_may_return)
{
    if (KRI_TSAN)
        SKIP("the sanitizer knows no new threads in a forked child");
    pid_t pid = 0;
    join_well(start(return_in_the_child, &pid));
    child_wait(pid);
}

static pid_t first_process;

static void check_main_at_exit(void *arg)
{
    (void)arg;
    if (getpid() == first_process)
        return;
    CHECK_EQ(kr_thread_native_id(kr_thread_main()), getpid());
    check_name(kr_thread_main(), "forks");
}

static int return_in_a_child_without_handles(void *events)
{
    kr_event *go = events, *done = go + 1;
    CHECK_EQ(kr_event_wait(go, KR_FOREVER), 0);
    pid_t pid = fork();
    if (pid != 0) {
        child_wait(pid);
        kr_event_set(done);
    }
    return 0;
}

TEST(a_forked_thread_that_nobody_holds_stays_main)
{
    if (KRI_TSAN)
        SKIP("the sanitizer does not survive the end of a forked thread");
    static kr_event events[2];
#ifdef M_PERTURB
    mallopt(M_PERTURB, 0xa5); /* what is freed does not look as if it were not */
#endif
    first_process = getpid();
    CHECK_EQ(kr_at_exit(check_main_at_exit, NULL), 0);
    kr_thread_options options = {.name = "forks"};
    CHECK_EQ(kr_thread_start(NULL, return_in_a_child_without_handles, events, 0, &options), 0);
    kr_event_set(&events[0]);
    CHECK_EQ(kr_event_wait(&events[1], KR_FOREVER), 0);
}

static void start_refused(void)
{
    struct rlimit none = {0, 0};
    if (getuid() == 0)
        CHECK_EQ(setuid(65534), 0);
    CHECK_EQ(setrlimit(RLIMIT_NPROC, &none), 0);
    kr_thread *t;
    int err = kr_thread_start(&t, nothing, NULL, 0, NULL);
    printf("%s %d %d\n", kr_errname(err), t == NULL, kr_thread_active_count());
}

TEST(test_start_new_thread_failed)
{
    child_expect(start_refused, "EAGAIN 1 1\n");
}
