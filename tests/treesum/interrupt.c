/* Ctrl-C ends treesum within 100 ms with status 130, whatever it is waiting for; and what a person
 * at a terminal sees.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum/tool.h"

#include <fcntl.h>
#include <krait/krait.h>
#include <poll.h>
#include <sys/stat.h>

#define LARGE ((off_t)1 << 42) /* bytes of nothing: longer than any test */

static void make_large_file(const char *name, off_t size)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(ftruncate(fd, size), 0);
    CHECK_EQ(close(fd), 0);
}

static pid_t run(char *const arguments[], int in, int out)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        tool_may_leave_threads();
        int err = open("err", O_CREAT | O_TRUNC | O_WRONLY, 0644);
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
            _exit(126);
        execv(TOOL, arguments);
        _exit(127);
    }
    close(in);
    close(out);
    return child;
}

/* How long it takes to end after the signal, without a word on standard error. */
static kr_time interrupt(pid_t child)
{
    struct stat said;
    int status;
    kr_time begun = kr_now();
    CHECK_EQ(kill(child, SIGINT), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    kr_time took = kr_now() - begun;
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 130);
    CHECK_EQ(stat("err", &said), 0);
    CHECK_EQ(said.st_size, 0);
    return took;
}

/* Other programs may keep the processors from this one: the quickest counts, of five at least. */
static void check_interrupt(pid_t (*start)(const char *how), const char *how)
{
    enum { LEAST = 5, MOST = 25 };
    const kr_time limit = KRI_SANITIZED ? kr_sec(5) : kr_ms(100);
    kr_time quickest = KR_FOREVER;
    for (int i = 0; i < LEAST || (i < MOST && quickest > limit); i++) {
        kr_time took = interrupt(start(how));
        quickest = took < quickest ? took : quickest;
    }
    CHECK_LE(quickest, limit);
}

static int null_device(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static pid_t start_large(const char *how)
{
    char *arguments[] = {(char *)"treesum", (char *)how, (char *)"d", NULL};
    pid_t child = run(arguments, null_device(), null_device());
    while (bytes_read(child) < 4 << 20)
        kri_test_nap();
    return child;
}

static void interrupt_large(const char *how)
{
    tool_begin();
    CHECK_EQ(mkdir("d", 0755), 0);
    make_large_file("d/1", LARGE);
    make_large_file("d/2", LARGE);
    make_large_file("d/3", LARGE);
    check_interrupt(start_large, how);
}

TEST(interrupt_the_pool)
{
    interrupt_large("-j2");
}

TEST(interrupt_many_workers)
{
    interrupt_large("-j9");
}

TEST(interrupt_sequential)
{
    interrupt_large("--sequential");
}

static pid_t start_on_pipe(const char *how)
{
    char *arguments[] = {(char *)"treesum", (char *)how, (char *)"pipe", NULL};
    pid_t child = run(arguments, null_device(), null_device());
    while (!tool_catches(child, SIGINT) || !tool_has_open(child, "pipe"))
        kri_test_nap();
    return child;
}

static void interrupt_pipe(const char *how)
{
    tool_begin();
    CHECK_EQ(mkfifo("pipe", 0644), 0);
    check_interrupt(start_on_pipe, how);
}

TEST(interrupt_reading_a_pipe)
{
    interrupt_pipe("-j2");
}

TEST(interrupt_reading_a_pipe_sequential)
{
    interrupt_pipe("--sequential");
}

static pid_t start_on_silent_input(const char *how)
{
    int ends[2]; /* the end to write to stays open here, and nothing comes */
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    char *arguments[] = {(char *)"treesum", (char *)how, NULL};
    pid_t child = run(arguments, ends[0], null_device());
    while (!tool_catches(child, SIGINT))
        kri_test_nap();
    return child;
}

/* A list may come through a pipe, too. */
TEST(interrupt_reading_standard_input)
{
    tool_begin();
    check_interrupt(start_on_silent_input, "-c");
}

static pid_t start_on_full_pipe(const char *how)
{
    int ends[2]; /* nobody reads */
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 4096) >= 0);
    int probe = dup(ends[1]);
    char *arguments[] = {(char *)"treesum", (char *)how, (char *)"d", NULL};
    pid_t child = run(arguments, null_device(), ends[1]);
    struct pollfd room = {.fd = probe, .events = POLLOUT};
    while (poll(&room, 1, 0) > 0)
        kri_test_nap();
    return child;
}

TEST(interrupt_writing_to_a_full_pipe)
{
    tool_begin();
    CHECK_EQ(tool_script("mkdir d; i=0; while [ $i -lt 1500 ]; do : >d/$i-name-that-fills-a-pipe; "
                         "i=$((i + 1)); done"),
             0);
    check_interrupt(start_on_full_pipe, "-j2");
}

/* Standard error on a terminal: what treesum writes there, of which `text` receives the end. */
static int run_at_terminal(char *const arguments[], char *text, size_t size)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        SKIP("the system has no pseudo-terminals here"); /* a bare chroot without /dev/pts */
    CHECK_EQ(grantpt(master), 0);
    CHECK_EQ(unlockpt(master), 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(terminal >= 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (dup2(null_device(), 1) < 0 || dup2(terminal, 2) < 0)
            _exit(126);
        execv(TOOL, arguments);
        _exit(127);
    }
    close(terminal);
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(master, text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

TEST(a_terminal_sees_progress)
{
    static char text[1 << 18];
    tool_begin();
    make_large_file("sparse", (off_t)1 << (KRI_SANITIZED ? 27 : 29));
    char *arguments[] = {(char *)"treesum", (char *)"sparse", NULL};
    CHECK_EQ(run_at_terminal(arguments, text, sizeof text), 0);
    CHECK(strstr(text, "0 of 1 files") != NULL);
    CHECK(strstr(text, " left") != NULL);
    CHECK(strstr(text, "B/s") != NULL);
    size_t length = strlen(text);
    CHECK(length > 4);
    CHECK_STR(text + length - 4, "\r\033[K"); /* and in the end nothing is left of it */
}
