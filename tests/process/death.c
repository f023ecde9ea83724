/* The parent dies: who goes with it, and who stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include "process/internal.h"
#include <poll.h>

enum { AT_MOST_MS = 200, ON_A_BUSY_MACHINE = 10 };

static channel program; /* children tell their number, and the pipe's end tells theirs */

static int tell_pid(void)
{
    int pid = getpid();
    child_say(&pid, sizeof pid);
    return pid;
}

/* The rudest of all: it computes, and cannot be told anything. */
static int compute(void *arg)
{
    sigset_t all;
    (void)arg;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    tell_pid();
    for (volatile unsigned long n = 0;; n++)
        continue;
    return 0;
}
KR_TASK(compute);

static int tell_and_stay(void *arg)
{
    tell_pid();
    return stay(arg);
}
KR_TASK(tell_and_stay);

static kr_run_fn run;
static kr_process_options options;

static int start_one(void *arg)
{
    (void)arg;
    options.descriptors = program.options.descriptors;
    options.descriptor_count = 1;
    kr_process_release(start_with(run, NULL, 0, options));
    return 0;
}

/* A process with a child, started from another thread, which is over. */
static pid_t start_family(bool in_thread)
{
    channel_open(&program);
    pid_t parent = fork();
    CHECK(parent >= 0);
    if (parent == 0) {
        kr_thread *t;
        if (in_thread) {
            CHECK_EQ(kr_thread_start(&t, start_one, NULL, 0, NULL), 0);
            CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
        } else {
            start_one(NULL);
        }
        int over = 0; /* the thread is, and the child lives */
        CHECK_EQ(write(program.ends[1], &over, sizeof over), sizeof over);
        stay(NULL);
    }
    close(program.ends[1]);
    return parent;
}

static void dies_with_parent(bool in_thread)
{
    pid_t parent = start_family(in_thread);
    int said[2];
    channel_read(&program, said, sizeof said);
    int pidfd = os_pidfd_open(said[0] != 0 ? said[0] : said[1]);
    CHECK(pidfd >= 0);
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    CHECK_EQ(poll(&fd, 1, 20), 0);
    CHECK_EQ(kill(parent, SIGKILL), 0);
    kr_time before = kr_now();
    CHECK_EQ(poll(&fd, 1, AT_MOST_MS * ON_A_BUSY_MACHINE), 1);
    kri_test_note("gone after %d us", (int)((kr_now() - before) / 1000));
    CHECK_EQ(waitpid(parent, NULL, 0), parent);
}

METHOD_TEST(a_daemon_dies_with_its_parent)
{
    run = compute;
    options.daemon = KR_DAEMON_YES;
    dies_with_parent(false);
}

METHOD_TEST(not_with_the_thread_that_started_it)
{
    run = compute;
    options.die_with_parent = true;
    dies_with_parent(true);
}

static void outlives_parent(void)
{
    int said[2];
    run = tell_and_stay;
    pid_t parent = start_family(false);
    channel_read(&program, said, sizeof said);
    pid_t pid = said[0] != 0 ? said[0] : said[1];
    int pidfd = os_pidfd_open(pid);
    CHECK_EQ(kill(parent, SIGKILL), 0);
    CHECK_EQ(waitpid(parent, NULL, 0), parent);
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    CHECK_EQ(poll(&fd, 1, 50), 0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(poll(&fd, 1, 60000), 1);
}

METHOD_TEST(others_outlive_their_parent)
{
    outlives_parent();
}

METHOD_TEST(a_daemon_may_outlive_its_parent)
{
    options.daemon = KR_DAEMON_YES;
    options.outlive_parent = true;
    outlives_parent();
}

/* The descriptor that the kernel kills by is not shared with a fork. */
static int fork_and_leave(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        tell_pid();
        stay(NULL);
    }
    return stay(NULL);
}
KR_TASK(fork_and_leave);

METHOD_TEST(a_fork_of_a_child_is_nobodys)
{
    int said[2];
    run = fork_and_leave;
    options.die_with_parent = true;
    pid_t parent = start_family(false);
    channel_read(&program, said, sizeof said);
    pid_t pid = said[0] != 0 ? said[0] : said[1];
    int pidfd = os_pidfd_open(pid);
    CHECK_EQ(kill(parent, SIGKILL), 0);
    CHECK_EQ(waitpid(parent, NULL, 0), parent);
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    CHECK_EQ(poll(&fd, 1, 50), 0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(poll(&fd, 1, 60000), 1);
}

/* The end of a line of daemons: the first one's death ends the last one. */
static int have_daemon(void *arg)
{
    int fd = kr_process_descriptor(0);
    kr_process_options o = {.start = *(kr_start_method *)arg,
                            .daemon = KR_DAEMON_YES,
                            .descriptors = &fd,
                            .descriptor_count = 1};
    kr_process *p;
    CHECK_EQ(kr_process_start(&p, compute, NULL, 0, &o), 0);
    return stay(NULL);
}
KR_TASK(have_daemon);

METHOD_TEST(daemons_of_daemons)
{
    int pid;
    channel_open(&program);
    kr_process_options o = program.options;
    o.daemon = KR_DAEMON_YES;
    kr_process *p = start_with(have_daemon, &method, sizeof method, o);
    channel_read(&program, &pid, sizeof pid);
    struct pollfd fd = {.fd = os_pidfd_open(pid), .events = POLLIN};
    CHECK_EQ(poll(&fd, 1, 0), 0);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(poll(&fd, 1, AT_MOST_MS * ON_A_BUSY_MACHINE), 1);
    CHECK_EQ(end(p), -SIGKILL);
    channel_expect_end(&program);
}
