/* The example server: it says where it listens, sends back what comes, and ends on Ctrl-C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER KRI_TEST_BUILD "/examples/echo/echo"

enum { LARGE = 1 << 20 };

static FILE *said;

static pid_t start(const char *option, const char *value)
{
    int ends[2];
    if (access(SERVER, X_OK) != 0)
        SKIP("echo is not built");
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGINT, SIG_DFL); /* which a shell in the background has its children ignore */
        dup2(ends[1], STDOUT_FILENO);
        execl(SERVER, "echo", option, value, (char *)NULL);
        _exit(127);
    }
    CHECK_GE(child, 1);
    close(ends[1]);
    said = fdopen(ends[0], "r");
    CHECK(said != NULL);
    return child;
}

static void end(pid_t server)
{
    int status;
    CHECK_EQ(kill(server, SIGINT), 0);
    CHECK_EQ(waitpid(server, &status, 0), server);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 130);
    fclose(said);
}

static int connect_to(const void *address, socklen_t size)
{
    int fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(connect(fd, address, size), 0);
    return fd;
}

static int connect_by_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int port = 0;
    CHECK_EQ(fscanf(said, "listening on 127.0.0.1:%d", &port), 1);
    CHECK_GE(port, 1);
    address.sin_port = htons((uint16_t)port);
    return connect_to(&address, sizeof address);
}

/* Sent by a child, so that neither side has to have room for all of it. */
static void expect_back(int fd)
{
    static unsigned char sent[LARGE], got[LARGE];
    for (size_t i = 0; i < LARGE; i++)
        sent[i] = (unsigned char)(i % 251);
    pid_t child = fork();
    if (child == 0) {
        for (size_t at = 0; at < LARGE;) {
            ssize_t n = write(fd, sent + at, LARGE - at);
            if (n <= 0)
                _exit(1);
            at += (size_t)n;
        }
        _exit(0);
    }
    for (size_t at = 0; at < LARGE;) {
        ssize_t n = read(fd, got + at, LARGE - at);
        CHECK_GE(n, 1);
        at += (size_t)n;
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(memcmp(got, sent, LARGE), 0);
}

/* Of a stream of bytes that goes on for ever, from `at`: how many were taken, -1: none now. */
static ssize_t send_part(int fd, size_t at)
{
    char part[5000];
    for (size_t i = 0; i < sizeof part; i++)
        part[i] = (char)((at + i) % 101);
    return send(fd, part, sizeof part, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int connect_again(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    CHECK_EQ(getpeername(fd, (struct sockaddr *)&address, &size), 0);
    return connect_to(&address, size);
}

TEST(sends_back_what_comes_over_tcp)
{
    char byte;
    pid_t server = start("--port", "0");
    int fd = connect_by_port();
    expect_back(fd);
    CHECK_EQ(shutdown(fd, SHUT_WR), 0);
    CHECK_EQ(read(fd, &byte, 1), 0);
    end(server);
}

TEST(sends_back_what_comes_over_a_unix_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char line[256];
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/krait-echo-%d", (int)getpid());
    pid_t server = start("--unix", address.sun_path);
    CHECK(fgets(line, sizeof line, said) != NULL);
    int fd = connect_to(&address, sizeof address);
    expect_back(fd);
    end(server);
    CHECK_EQ(access(address.sun_path, F_OK), -1); /* its file is gone */
}

/* Both ways are full, and the server waits until its client reads: for this one.  So what it cannot
 * take yet must not be where others' bytes are. */
TEST(one_that_does_not_read_holds_up_no_other)
{
    enum { IDLE = 50 };
    static char bytes[60000], back[60000];
    size_t sent = 0, got = 0;
    pid_t server = start("--port", "0");
    int slow = connect_by_port(), quick = connect_again(slow);
    for (int idle = 0; idle < IDLE; idle++) {
        for (ssize_t n; (n = send_part(slow, sent)) > 0; idle = 0)
            sent += (size_t)n;
        memset(bytes, idle | 0x80, sizeof bytes);
        CHECK_EQ(write(quick, bytes, sizeof bytes), sizeof bytes);
        CHECK_EQ(recv(quick, back, sizeof back, MSG_WAITALL), sizeof back);
        CHECK_EQ(memcmp(bytes, back, sizeof back), 0);
    }
    CHECK_EQ(shutdown(slow, SHUT_WR), 0);
    for (ssize_t n; (n = read(slow, back, sizeof back)) > 0;) {
        for (ssize_t i = 0; i < n; i++, got++)
            CHECK_EQ(back[i], (char)(got % 101));
    }
    CHECK_EQ(got, sent);
    end(server);
}

/* With connections open, of which some are in the middle of something. */
TEST(ends_on_interrupt_and_closes_its_connections)
{
    char byte = 0;
    pid_t server = start("--port", "0");
    int fd = connect_by_port();
    CHECK_EQ(write(fd, &byte, 1), 1);
    CHECK_EQ(read(fd, &byte, 1), 1);
    end(server);
    CHECK_EQ(read(fd, &byte, 1), 0);
}

TEST(refuses_what_it_does_not_know)
{
    int status;
    pid_t server = start("--port", "70000");
    CHECK_EQ(waitpid(server, &status, 0), server);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 2);
}
