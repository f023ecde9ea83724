/* Other programs: starting, ending, signals, what they inherit.
 *
 * Behaviours: section 13.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "subprocess/help.h"
#include "harness/sanitizers.h"
#include "wait/wait.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* Starting. */

RUNNER_TEST(test_shell)
{
    kr_subprocess *p = shell("exit 7", NULL);
    CHECK(kr_subprocess_pid(p) > 0);
    CHECK_EQ(end(p), 7);
}

RUNNER_TEST(bad_input)
{
    kr_subprocess *p;
    const char *const *argv = ARGV("true");
    CHECK_EQ(kr_subprocess_start(NULL, argv, NULL), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, (const char *const[]){NULL}, NULL), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, argv, OPTIONS(.stdin_to = KR_TO_STDOUT)), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, argv, OPTIONS(.stdout_to = KR_TO_STDOUT)), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, argv, OPTIONS(.stderr_to = -4)), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, argv, OPTIONS(.reserved = {1})), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, argv, OPTIONS(.descriptor_count = 1)), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, argv, OPTIONS(.descriptor_count = -1)), -EINVAL);
    CHECK_EQ(kr_subprocess_start(&p, argv, OPTIONS(.stdout_to = 987)), -EBADF);
    CHECK_EQ(
        kr_subprocess_start(&p, argv, OPTIONS(.descriptor_count = 1, .descriptors = &(int){987})),
        -EBADF);
    CHECK_EQ(kr_subprocess_shell(&p, NULL, NULL), -EINVAL);
    CHECK(p == NULL);
    CHECK_EQ(kr_subprocess_wait(NULL, NULL, 0), -EINVAL);
    kr_subprocess_release(NULL);
    p = start(argv, NULL);
    CHECK_EQ(kr_subprocess_wait(p, NULL, -1), -EINVAL);
    CHECK_EQ(kr_subprocess_returncode(p, NULL), -EINVAL);
    CHECK_EQ(kr_subprocess_signal(p, 0), -EINVAL);
    CHECK_EQ(kr_subprocess_signal(p, 65), -EINVAL);
    CHECK_EQ(kr_subprocess_pipe(p, 3), -EINVAL);
    CHECK_EQ(kr_subprocess_pipe(p, -1), -EINVAL);
    CHECK_EQ(kr_subprocess_pipe(p, 1), -EBADF);
    CHECK_EQ(kr_subprocess_close_pipe(p, 0), -EBADF);
    CHECK_EQ(end(p), 0);
}

static void expect_error(const char *const *argv, const kr_subprocess_options *options, int err)
{
    kr_subprocess *p;
    CHECK_EQ(kr_subprocess_start(&p, argv, options), err);
    CHECK(p == NULL);
    expect_no_child();
}

RUNNER_TEST(test_popen_error)
{
    if (KRI_QEMU)
        SKIP("qemu's vfork is a fork, whose child cannot say what failed");
    expect_error(ARGV("no such program"), NULL, -ENOENT);
    expect_error(ARGV("./no such program"), NULL, -ENOENT);
    expect_error(ARGV(""), NULL, -ENOENT);
    expect_error(ARGV("/etc/passwd"), NULL, -EACCES);
    expect_error(ARGV("/etc"), NULL, -EACCES);
    expect_error(ARGV("/etc/passwd/x"), NULL, -ENOTDIR);
    expect_error(ARGV("true"), OPTIONS(.cwd = "/no such folder"), -ENOENT);
    expect_error(ARGV("true"), OPTIONS(.path = "/etc:/no such folder"), -ENOENT);
    expect_error(ARGV("passwd"), OPTIONS(.path = "/nowhere:/etc"), -EACCES);
}

RUNNER_TEST(test_popen_error_with_stdin_pipe)
{
    expect_error(ARGV("no such program"), OPTIONS(ALL_PIPES), -ENOENT);
    expect_error(ARGV("/etc/passwd"), OPTIONS(ALL_PIPES), -EACCES);
}

RUNNER_TEST(a_file_that_is_no_program)
{
    if (KRI_QEMU)
        SKIP("qemu's vfork is a fork, whose child cannot say what failed");
    char name[] = "/tmp/krait-no-program-XXXXXX";
    int fd = mkstemp(name);
    CHECK_EQ(write(fd, "nothing\n", 8), 8);
    CHECK_EQ(fchmod(fd, 0700), 0);
    close(fd);
    expect_error(ARGV(name), NULL, -ENOEXEC);
    CHECK_EQ(unlink(name), 0);
}

/* behaviours: 13.7 test_create_subprocess_env_shell, test_create_subprocess_env_exec,
 * test_create_subprocess_exec_with_path */
RUNNER_TEST(the_environment)
{
    const char *const env[] = {"FOO=bar", "PATH=/nowhere:/bin", NULL};
    kr_subprocess *p =
        start(ARGV("sh", "-c", "echo $FOO$HOME"), OPTIONS(.stdout_to = KR_TO_PIPE, .env = env));
    expect_line(p, "bar\n");
    CHECK_EQ(end(p), 0);
    expect_error(ARGV("sh"), OPTIONS(.env = (const char *const[]){"PATH=/nowhere", NULL}), -ENOENT);
}

RUNNER_TEST(the_folder)
{
    kr_subprocess *p =
        start(ARGV("./sh", "-c", "pwd"), OPTIONS(.stdout_to = KR_TO_PIPE, .cwd = "/usr/bin"));
    expect_line(p, "/usr/bin\n");
    CHECK_EQ(end(p), 0);
}

RUNNER_TEST(test_start_new_session)
{
    static const char line[] = "read pid name state parent group session rest < /proc/self/stat; "
                               "test $session = $$";
    CHECK_EQ(end(shell(line, OPTIONS(.new_session = true))), 0);
    CHECK_EQ(end(shell(line, NULL)), 1);
}

/* What it inherits. */

static const char list_descriptors[] = "ls /proc/self/fd | tr '\\n' ' '"; /* 3: ls's own */

RUNNER_TEST(test_stdin_not_inheritable)
{
    int high = 60;
    char text[256];
    CHECK_EQ(dup2(1, high), high); /* not closed by exec */
    kr_subprocess *p = shell(list_descriptors, OPTIONS(ALL_PIPES));
    read_text(p, 1, text, sizeof text, false);
    CHECK_STR(text, "0 1 2 3 ");
    CHECK_EQ(end(p), 0);
    close(high);
}

RUNNER_TEST(descriptors_that_are_handed_over)
{
    int ends[2];
    char text[256];
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    int fds[] = {ends[1], ends[0], ends[1]};
    kr_subprocess *p =
        shell("echo three >&3; echo five >&5; exec 3>&- 5>&-; head -n 2 <&4",
              OPTIONS(.stdout_to = KR_TO_PIPE, .descriptors = fds, .descriptor_count = 3));
    read_text(p, 1, text, sizeof text, false);
    CHECK_STR(text, "three\nfive\n");
    CHECK_EQ(end(p), 0);
    CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC); /* still ours, and as it was */
    close(ends[0]);
    close(ends[1]);
}

/* Any two of the numbers may be given in exchange. */
RUNNER_TEST(streams_may_be_swapped)
{
    char text[256];
    int saved = dup(2), ends[2];
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(dup2(ends[1], 2), 2);
    kr_subprocess *p =
        shell("echo out; echo err >&2", OPTIONS(.stdout_to = 2, .stderr_to = ends[1]));
    CHECK_EQ(dup2(saved, 2), 2);
    close(saved);
    close(ends[1]);
    CHECK_EQ(end(p), 0);
    CHECK_EQ(read(ends[0], text, sizeof text), 8);
    CHECK(memcmp(text, "out\nerr\n", 8) == 0);
    close(ends[0]);
}

RUNNER_TEST(test_devnull_input)
{
    kr_subprocess *p =
        shell("cat; echo over", OPTIONS(.stdin_to = KR_TO_NULL, .stdout_to = KR_TO_PIPE));
    CHECK_EQ(kr_subprocess_pipe(p, 0), -EBADF);
    expect_line(p, "over\n");
    CHECK_EQ(end(p), 0);
}

RUNNER_TEST(test_devnull_output)
{
    kr_subprocess *p = shell("echo x; test $(readlink /proc/$$/fd/1) = /dev/null",
                             OPTIONS(.stdout_to = KR_TO_NULL));
    CHECK_EQ(kr_subprocess_pipe(p, 1), -EBADF);
    CHECK_EQ(end(p), 0);
}

RUNNER_TEST(test_devnull_error)
{
    kr_subprocess *p = shell("echo x >&2; test $(readlink /proc/$$/fd/2) = /dev/null",
                             OPTIONS(.stderr_to = KR_TO_NULL));
    CHECK_EQ(kr_subprocess_pipe(p, 2), -EBADF);
    CHECK_EQ(end(p), 0);
}

static bool has_signal(const char *hex, int signo)
{
    return strtoull(hex, NULL, 16) >> (signo - 1) & 1;
}

static void read_signals(kr_subprocess *p, char *blocked, char *ignored)
{
    char text[256];
    read_text(p, 1, text, sizeof text, false);
    CHECK_EQ(sscanf(text, "SigBlk: %31s SigIgn: %31s", blocked, ignored), 2);
    CHECK_EQ(end(p), 0);
}

RUNNER_TEST(signals_begin_as_by_default)
{
    char blocked[32], ignored[32];
    sigset_t set, before;
    sigfillset(&set);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &set, &before), 0);
    const char *const *argv = ARGV("grep", "-E", "SigBlk|SigIgn", "/proc/self/status");
    for (int i = 0; i < 2; i++) {
        read_signals(start(argv, OPTIONS(.stdout_to = KR_TO_PIPE, .default_signals = i == 1)),
                     blocked, ignored);
        CHECK_EQ(strtoull(blocked, NULL, 16), 0);
        CHECK(!has_signal(ignored, SIGPIPE));
        CHECK_EQ(has_signal(ignored, SIGHUP), i == 0);
    }
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, &set), 0);
    CHECK(sigismember(&set, SIGTERM) == 1); /* the starting thread's mask is as it was */
}

/* Waiting. */

RUNNER_TEST(wait_and_returncode)
{
    int code = 1;
    kr_subprocess *p = start(ARGV("cat"), OPTIONS(.stdin_to = KR_TO_PIPE));
    CHECK_EQ(kr_subprocess_returncode(p, &code), -EAGAIN);
    CHECK_EQ(kr_subprocess_wait(p, &code, KR_NOWAIT), -ETIMEDOUT);
    kr_time began = kr_now();
    CHECK_EQ(kr_subprocess_wait(p, &code, kr_ms(20)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(20));
    CHECK_EQ(kr_subprocess_close_pipe(p, 0), 0);
    CHECK_EQ(kr_subprocess_close_pipe(p, 0), -EBADF);
    CHECK_EQ(kr_subprocess_wait(p, &code, kr_sec(60)), 0);
    CHECK_EQ(code, 0);
    code = 1;
    CHECK_EQ(kr_subprocess_returncode(p, &code), 0);
    CHECK_EQ(code, 0);
    CHECK_EQ(kr_subprocess_wait(p, NULL, KR_NOWAIT), 0);
    kr_subprocess_release(p);
}

static kr_subprocess *awaited;

static int wait_for_it(void *arg)
{
    int code;
    (void)arg;
    CHECK_EQ(kr_subprocess_wait(awaited, &code, KR_FOREVER), 0);
    return code;
}

RUNNER_TEST(test_subprocess_concurrent_wait)
{
    enum { WAITERS = 8 };
    kr_thread *t[WAITERS];
    awaited = start(ARGV("cat"), OPTIONS(.stdin_to = KR_TO_PIPE));
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(kr_thread_start(&t[i], wait_for_it, NULL, 0, NULL), 0);
    CHECK_EQ(kr_subprocess_signal(awaited, SIGUSR1), 0);
    for (int i = 0; i < WAITERS; i++) {
        int code = 0;
        CHECK_EQ(kr_thread_join(t[i], &code, KR_FOREVER), 0);
        CHECK_EQ(code, -SIGUSR1);
        kr_thread_release(t[i]);
    }
    CHECK_EQ(end(awaited), -SIGUSR1);
}

RUNNER_TEST(test_cancel_process_wait)
{
    kr_subprocess *p = stay();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
    CHECK_EQ(kr_subprocess_wait(p, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    CHECK_EQ(kr_subprocess_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
}

static int cancel_waiter(void *arg)
{
    kr_cancel_scope *scope = arg;
    kri_test_wait_parked(&scope->state, 1);
    kr_cancel(scope);
    return 0;
}

TEST(a_wait_is_cancelled_by_another_thread)
{
    kr_thread *t;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_subprocess *p = stay();
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_thread_start(&t, cancel_waiter, &scope, 0, NULL), 0);
    CHECK_EQ(kr_subprocess_wait(p, NULL, KR_FOREVER), -ECANCELED);
    kr_subprocess_release(p); /* inside the cancelled scope */
    expect_no_child();
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
}

/* behaviour: 13.7 test_cancel_make_subprocess_transport_exec, test_cancel_post_init */
RUNNER_TEST(a_start_in_a_cancelled_scope_leaves_no_zombie)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_cancel(&scope);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_subprocess *p = stay();
    CHECK_EQ(kr_subprocess_wait(p, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_subprocess_communicate(p, NULL, KR_FOREVER), -ECANCELED);
    kr_subprocess_release(p);
    expect_no_child();
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

/* Signals. */

/* behaviour: 13.7 test_kill_issue43884 */
RUNNER_TEST(test_kill)
{
    kr_subprocess *p = stay();
    CHECK_EQ(kr_subprocess_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
}

RUNNER_TEST(test_terminate)
{
    kr_subprocess *p = stay();
    CHECK_EQ(kr_subprocess_terminate(p), 0);
    CHECK_EQ(end(p), -SIGTERM);
}

RUNNER_TEST(test_send_signal)
{
    kr_subprocess *p = shell("trap 'echo got; exit 3' USR1; echo ready; read nothing",
                             OPTIONS(.stdin_to = KR_TO_PIPE, .stdout_to = KR_TO_PIPE));
    expect_line(p, "ready\n");
    CHECK_EQ(kr_subprocess_signal(p, SIGUSR1), 0);
    expect_line(p, "got\n");
    CHECK_EQ(end(p), 3);
}

RUNNER_TEST(test_subprocess_send_signal_race)
{
    for (int i = 0; i < 20; i++) {
        kr_subprocess *p = start(ARGV("true"), NULL);
        int code = 1;
        while (kr_subprocess_returncode(p, &code) == -EAGAIN)
            CHECK_EQ(kr_subprocess_signal(p, SIGCONT), 0);
        CHECK_EQ(code, 0);
        CHECK_EQ(kr_subprocess_signal(p, SIGTERM), 0); /* reaped: nobody is hit */
        CHECK_EQ(kr_subprocess_kill(p), 0);
        CHECK_EQ(end(p), 0);
    }
}

/* Others who wait for children. */

RUNNER_TEST(another_has_taken_the_code)
{
    int status, code;
    kr_subprocess *p = shell("exit 3", NULL);
    CHECK_EQ(waitpid(kr_subprocess_pid(p), &status, 0), kr_subprocess_pid(p));
    CHECK_EQ(kr_subprocess_wait(p, &code, KR_FOREVER), 0);
    CHECK_EQ(code, KR_EXIT_UNKNOWN);
    CHECK_EQ(kr_subprocess_kill(p), 0);
    kr_subprocess_release(p);
}

RUNNER_TEST(nobody_hears_of_children)
{
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(end(start(ARGV("true"), NULL)), KR_EXIT_UNKNOWN);
    kr_subprocess_release(stay());
    struct sigaction action;
    CHECK_EQ(sigaction(SIGCHLD, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

/* Release. */

RUNNER_TEST(test_close_kill_running)
{
    kr_subprocess *p = stay();
    kr_subprocess *same = kr_subprocess_retain(p);
    int code;
    kr_subprocess_release(p);
    CHECK_EQ(kr_subprocess_returncode(same, &code), -EAGAIN); /* that was not the last handle */
    kr_subprocess_release(same);
    expect_no_child();
}

RUNNER_TEST(test_close_dont_kill_finished)
{
    KR_AUTO(kr_subprocess) *p = start(ARGV("true"), OPTIONS(ALL_PIPES));
    CHECK_EQ(kr_subprocess_wait(p, NULL, KR_FOREVER), 0);
    expect_no_child();
}

/* The forked child's release does nothing to the program, nor do its other calls. */
TEST(a_forked_child_leaves_it_alone)
{
    int code, status;
    kr_subprocess *p = stay();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_EQ(kr_subprocess_wait(p, NULL, KR_FOREVER), KR_EFORKED);
        CHECK_EQ(kr_subprocess_kill(p), KR_EFORKED);
        CHECK_EQ(kr_subprocess_communicate(p, NULL, KR_FOREVER), KR_EFORKED);
        kr_subprocess_release(p);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(kr_subprocess_returncode(p, &code), -EAGAIN);
    kr_subprocess_release(p);
    expect_no_child();
}
