/* Ctrl-C ends fetch with status 130, whatever it is waiting for: what came is kept, and nothing
 * else is left; and what a person at a terminal sees.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch/tool.h"

#include <poll.h>
#include <sys/stat.h>

static tool_server server;

static int interrupt(pid_t child)
{
    kr_time begun = kr_now();
    CHECK_EQ(kill(child, SIGINT), 0);
    int status = tool_end(child);
    CHECK_LE(kr_now() - begun, kr_sec(5));
    return status;
}

/* The paths with a 'w' never come to their end. */
static void serve(int fd, const char *path, int before)
{
    char byte;
    (void)before;
    tool_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    if (path[1] == 'w')
        (void)!read(fd, &byte, 1);
    else
        tool_say(fd, "lo");
}

static int lines_of(const char *text)
{
    int lines = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        lines++;
    return lines;
}

BOTH(interrupted_downloads)
{
    tool_serve(&server, serve);
    TOOL_LIST(server.port, "/1", "/w2", "/3", "/w4", "/5");
    tool_write("out", "");
    CHECK_EQ(mkdir("d", 0755), 0);
    pid_t child = TOOL_START(mode, "-c", "-o", "d");
    while (lines_of(tool_read("out")) < 3 || tool_count("d") < 5)
        kri_test_nap();
    CHECK_EQ(interrupt(child), 130);
    CHECK_EQ(tool_count("d"), 3);
    CHECK_STR(tool_read("d/000001-1"), "hello");
    CHECK_STR(tool_read("d/000003-3"), "hello");
    CHECK_STR(tool_read("d/000005-5"), "hello");
    CHECK(strstr(tool_read("err"), "fetch: 3 of 5 URLs, ") != NULL);
}

/* Those behind one that never ended are shown all the same. */
BOTH(interrupted_in_order)
{
    tool_serve(&server, serve);
    TOOL_LIST(server.port, "/1", "/w2", "/3");
    CHECK_EQ(mkdir("d", 0755), 0);
    pid_t child = TOOL_START(mode, "-q", "-o", "d");
    while (access("d/000001-1", F_OK) != 0 || access("d/000003-3", F_OK) != 0 ||
           access("d/000002-w2.part", F_OK) != 0)
        kri_test_nap();
    while (lines_of(tool_read("out")) < 1)
        kri_test_nap();
    kri_test_nap();
    CHECK_EQ(interrupt(child), 130);
    CHECK_EQ(tool_count("d"), 2);
    const char *out = tool_read("out");
    CHECK(strstr(out, "/1\td/000001-1\n") != NULL);
    CHECK(strstr(out, "/3\td/000003-3\n") != NULL);
}

BOTH(interrupted_reading_the_list)
{
    CHECK_EQ(mkfifo("pipe", 0600), 0);
    CHECK_EQ(link("pipe", "list"), 0);          /* by this name it is open in fetch alone */
    int end = open("pipe", O_RDWR | O_CLOEXEC); /* nothing comes, nor an end */
    CHECK(end >= 0);
    pid_t child = TOOL_START(mode, "-q");
    while (!tool_catches(child, SIGINT) || !tool_has_open(child, "list"))
        kri_test_nap();
    CHECK_EQ(interrupt(child), 130);
    CHECK_STR(tool_read("err"), "");
}

BOTH(interrupted_writing_to_a_full_pipe)
{
    int ends[2]; /* nobody reads */
    char text[16 * 1024];
    size_t used = 0;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 4096) >= 0);
    for (int i = 0; i < 300; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "nonsense-that-fills-%d\n", i);
    tool_write("list", text);
    pid_t child = tool_start_to(ends[1], (const char *const[]){mode, "-q", NULL});
    struct pollfd room = {.fd = ends[1], .events = POLLOUT};
    while (poll(&room, 1, 0) > 0)
        kri_test_nap();
    CHECK_EQ(interrupt(child), 130);
}

/* Whoever reads the results may leave; then nobody wants the rest. */
BOTH(nobody_wants_the_results)
{
    int ends[2];
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(close(ends[0]), 0);
    tool_serve(&server, serve);
    TOOL_LIST(server.port, "/1", "/w2", "/3");
    pid_t child = tool_start_to(ends[1], (const char *const[]){mode, "-q", "-t2", "-r0", NULL});
    CHECK_EQ(tool_end(child), 1);
    CHECK_STR(tool_read("err"), "fetch: Broken pipe\n");
}

static void serve_in_pieces(int fd, const char *path, int before)
{
    (void)path, (void)before;
    tool_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        tool_say(fd, "some of the body");
        kri_test_nap();
    }
}

/* Standard error on a terminal: what fetch writes there. */
TEST(a_terminal_sees_progress)
{
    static char text[1 << 16];
    tool_begin();
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        SKIP("the system has no pseudo-terminals here");
    CHECK_EQ(grantpt(master), 0);
    CHECK_EQ(unlockpt(master), 0);
    tool_serve(&server, serve_in_pieces);
    char urls[1024] = "";
    for (int i = 0; i < 20; i++)
        snprintf(urls + strlen(urls), sizeof urls - strlen(urls), "http://127.0.0.1:%d/\n",
                 server.port);
    tool_write("list", urls);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(terminal >= 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (dup2(null, 1) < 0 || dup2(terminal, 2) < 0)
            _exit(126);
        execl(TOOL, "fetch", "-q", "-j1", "list", (char *)NULL);
        _exit(127);
    }
    close(terminal);
    size_t used = 0;
    ssize_t got;
    while (used < sizeof text - 1 && (got = read(master, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    CHECK_EQ(tool_end(child), 0);
    CHECK(strstr(text, " of 20 URLs  ") != NULL || strstr(text, "+ URLs  ") != NULL);
    CHECK(strstr(text, "B/s") != NULL);
    CHECK(strstr(text, "  [") != NULL);
    CHECK(used > 4);
    CHECK_STR(text + used - 4, "\r\033[K"); /* and in the end nothing is left of it */
}
