/* What a child inherits: descriptors, the signal mask, standard streams; and what it leaves.
 *
 * Behaviours: section 12.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include "harness/sanitizers.h"
#include <dirent.h>
#include <sys/resource.h>

static int count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = -3; /* "." and ".." and the folder itself */
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static int tell_count(void *arg)
{
    (void)arg;
    int count = count_descriptors();
    child_say(&count, sizeof count);
    return 0;
}
KR_TASK(tell_count);

static int count_in_child(channel *c)
{
    int count;
    CHECK_EQ(end(start_with(tell_count, NULL, 0, c->options)), 0);
    channel_read(c, &count, sizeof count);
    return count;
}

METHOD_TEST(test_child_fd_inflation)
{
    enum { SIBLINGS = 5 };
    kr_process *p[SIBLINGS];
    channel c;
    channel_open(&c);
    int alone = count_in_child(&c);
    for (int i = 0; i < SIBLINGS; i++)
        p[i] = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    CHECK_EQ(count_in_child(&c), alone);
    for (int i = 0; i < SIBLINGS; i++) {
        CHECK_EQ(kr_process_kill(p[i]), 0);
        CHECK_EQ(end(p[i]), -SIGKILL);
    }
    CHECK_EQ(count_in_child(&c), alone);
}

static int is_open(void *arg)
{
    return fcntl(*(int *)arg, F_GETFD) >= 0;
}
KR_TASK(is_open);

METHOD_TEST(test_closefd)
{
    int high = 60;
    CHECK_EQ(dup2(1, high), high); /* not closed by exec */
    CHECK_EQ(run_code(is_open, &high, sizeof high), method == KR_FORK);
    CHECK_EQ(run_code(is_open, &(int){1}, sizeof(int)), 1);
}

METHOD_TEST(the_parent_keeps_nothing_but_two)
{
    CHECK_EQ(run_code(is_open, &(int){1}, sizeof(int)), 1); /* life line, fork server */
    int before = count_descriptors();
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    CHECK_LE(count_descriptors(), before + 2);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
    CHECK_EQ(count_descriptors(), before);
}

METHOD_TEST(many_descriptors)
{
    int fds[KR_HANDED_MAX];
    channel c;
    channel_open(&c);
    for (int i = 0; i < KR_HANDED_MAX; i++)
        fds[i] = c.ends[1];
    kr_process_options o = {.descriptors = fds, .descriptor_count = KR_HANDED_MAX};
    CHECK_EQ(end(start_with(tell_count, NULL, 0, o)), 0);
    int count;
    channel_read(&c, &count, sizeof count);
    CHECK(method == KR_FORK || count >= KR_HANDED_MAX);
    channel_expect_end(&c);
}

/* Signals. */

static int tell_mask(void *arg)
{
    sigset_t set;
    (void)arg;
    sigprocmask(SIG_SETMASK, NULL, &set);
    uint64_t mask = 0;
    for (int signo = 1; signo <= 31; signo++)
        mask |= sigismember(&set, signo) == 1 ? (uint64_t)1 << signo : 0;
    struct sigaction action;
    sigaction(SIGINT, NULL, &action);
    uint64_t told[2] = {mask, action.sa_handler == SIG_DFL};
    child_say(told, sizeof told);
    return 0;
}
KR_TASK(tell_mask);

/* behaviour: 12.10 test_resource_tracker_blocked_signals */
METHOD_TEST(the_signal_mask_goes_over_and_stays)
{
    sigset_t set, after;
    uint64_t told[2];
    channel c;
    channel_open(&c);
    for (int round = 0; round < 2; round++) {
        sigemptyset(&set);
        sigaddset(&set, round == 0 ? SIGUSR1 : SIGUSR2);
        sigprocmask(SIG_SETMASK, &set, NULL);
        CHECK_EQ(end(start_with(tell_mask, NULL, 0, c.options)), 0);
        channel_read(&c, told, sizeof told);
        CHECK_EQ(told[0], (uint64_t)1 << (round == 0 ? SIGUSR1 : SIGUSR2));
        CHECK_EQ(told[1], 1);
        sigprocmask(SIG_SETMASK, NULL, &after);
        for (int signo = 1; signo <= 31; signo++)
            CHECK_EQ(sigismember(&after, signo), sigismember(&set, signo));
    }
}

/* Standard streams. */

static int write_without_flush(void *arg)
{
    fputs(arg, stdout); /* no newline, no flush */
    return 0;
}
KR_TASK(write_without_flush);

static void into_pipe(int ends[2])
{
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    fflush(stdout);
    CHECK_EQ(dup2(ends[1], 1), 1);
    close(ends[1]);
    setvbuf(stdout, NULL, _IOFBF, 4096);
}

METHOD_TEST(what_was_printed_before_is_printed_once)
{
    int ends[2];
    into_pipe(ends);
    fputs("before ", stdout);
    CHECK_EQ(run_code(write_without_flush, "in child ", sizeof "in child "), 0);
    fputs("after", stdout);
    fflush(stdout);
    dup2(2, 1);
    char got[64] = {0};
    CHECK(read(ends[0], got, sizeof got - 1) > 0);
    CHECK_STR(got, "before in child after");
}

static int break_stdout(void *arg)
{
    if (*(int *)arg == 0) {
        fclose(stdout);
        fclose(stderr);
    } else {
        close(1);
        close(2);
        fputs("lost", stdout);
    }
    return 0;
}
KR_TASK(break_stdout);

/* behaviours: 12.1 test_error_on_stdio_flush_1, test_error_on_stdio_flush_2 */
METHOD_TEST(test_error_on_stdio_flush)
{
    for (int how = 0; how < 2; how++)
        CHECK_EQ(run_code(break_stdout, &how, sizeof how), 0);
    CHECK_EQ(dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), 1), 1);
    fputs("no room", stdout);
    CHECK_EQ(run_code(break_stdout, &(int){1}, sizeof(int)), 0);
}

static int fail(void *arg)
{
    (void)arg;
    return -ENOENT;
}
KR_TASK(fail);

METHOD_TEST(test_stderr_flush)
{
    int ends[2], before = dup(2);
    char got[256] = {0};
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], 2);
    int code = end(start_with(fail, NULL, 0, (kr_process_options){.name = "the one"}));
    dup2(before, 2);
    CHECK_EQ(code, 1);
    CHECK(read(ends[0], got, sizeof got - 1) > 0);
    CHECK_STR(got, "krait: process \"the one\" failed: ENOENT (No such file or directory)\n");
}

static int read_standard_input(void *arg)
{
    char byte;
    return (int)read(0, &byte, *(size_t *)arg) < 0 ? 7 : 0;
}
KR_TASK(read_standard_input);

/* behaviour: 12.1 TestStdinBadfiledescriptor.test_flushing */
METHOD_TEST(a_bad_standard_input)
{
    close(0);
    CHECK_EQ(run_code(read_standard_input, &(size_t){1}, sizeof(size_t)), 7);
    CHECK_EQ(run_code(is_open, &(int){0}, sizeof(int)), 0);
    close(1);
    /* the fork server was there before */
    CHECK_EQ(run_code(is_open, &(int){1}, sizeof(int)), method == KR_FORKSERVER);
    CHECK_EQ(run_code(is_open, &(int){2}, sizeof(int)), 1);
}

/* Limits. */

METHOD_TEST(no_descriptor_left)
{
    if (KRI_QEMU && method == KR_SPAWN)
        SKIP("qemu's vfork is a fork, whose child cannot say what failed");
    struct rlimit limit;
    kr_process *p;
    CHECK_EQ(run_code(is_open, &(int){1}, sizeof(int)), 1);
    int before = count_descriptors();
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t usual = limit.rlim_cur;
    int failed = 0;
    for (int room = 0; room < 6; room++) {
        int lowest = dup(0);
        close(lowest);
        limit.rlim_cur = (rlim_t)(lowest + room);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
        kr_process_options o = {.start = method};
        int err = kr_process_start(&p, is_open, &(int){1}, sizeof(int), &o);
        limit.rlim_cur = usual;
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (err == 0)
            CHECK_EQ(end(p), 1);
        else
            CHECK_EQ(err, -EMFILE);
        failed += err != 0;
        CHECK_EQ(count_descriptors(), before);
    }
    CHECK(failed > 1);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
}

static int allocate(void *arg)
{
    void *memory = malloc(*(size_t *)arg);
    int code = memory == NULL ? 3 : 4;
    free(memory);
    return code;
}
KR_TASK(allocate);

METHOD_TEST(memory_limit)
{
    if (KRI_QEMU)
        SKIP("qemu sets no limit to memory");
    if (KRI_SANITIZED)
        SKIP("shadow memory is address space");
    size_t large = (size_t)1 << 30;
    kr_process_options o = {.memory_limit = (uint64_t)512 << 20};
    CHECK_EQ(end(start_with(allocate, &large, sizeof large, o)), 3);
    CHECK_EQ(run_code(allocate, &large, sizeof large), 4);
}
