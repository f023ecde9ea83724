/* echo - a server that sends back what comes, with a coroutine for each connection.
 *
 *     echo [--port N] [--unix PATH]        (--port 0: a free port; it says where it listens)
 *
 * One thread serves any number of connections.  serve() is written as if it had a thread of its
 * own: kr_poll and kr_write_all suspend only the coroutine that calls them.  Ctrl-C cancels the
 * first coroutine, and kr_run then cancels and awaits the others, so that each closes its
 * connection.
 *
 * A coroutine may as well have its `char bytes[16 * 1024]` and wait in kr_read itself: that is
 * three lines.  Here all of them read into one place, so that a connection that says nothing costs
 * no memory for what it might say, and what many say stays in the cache.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

struct where {
    int port;
    const char *path; /* of a Unix socket; NULL: the port */
};

/* In use between two waits only: while one coroutine does not wait, no other one runs. */
static char bytes[64 * 1024];

/* What the client does not take yet is kept for it. */
static int send_later(int fd, const char *rest, size_t size)
{
    char *kept = malloc(size);
    if (!kept)
        return -ENOMEM;
    memcpy(kept, rest, size);
    int err = kr_write_all(fd, kept, size, NULL, KR_FOREVER);
    free(kept);
    return err;
}

/* With KR_NOWAIT no call waits, and none lets others run.  Who fills all the room may go on for
 * long, so others come first then. */
static int send_back(int fd)
{
    size_t sent;
    int64_t got = kr_read(fd, bytes, sizeof bytes, KR_NOWAIT);
    if (got == -ETIMEDOUT) /* ready no more */
        return 0;
    if (got <= 0)
        return got < 0 ? (int)got : -EPIPE;
    int err = kr_write_all(fd, bytes, (size_t)got, &sent, KR_NOWAIT);
    if (err == -ETIMEDOUT)
        return send_later(fd, bytes + sent, (size_t)got - sent);
    return err == 0 && (size_t)got == sizeof bytes ? kr_yield() : err;
}

/* A client that goes away is no error of ours. */
static int serve(const void *arg, void *result)
{
    int fd = *(const int *)arg;
    (void)result;
    while (kr_poll(fd, KR_READABLE, KR_FOREVER) > 0 && send_back(fd) == 0)
        continue;
    (void)kr_close(fd);
    return 0;
}

/* Until it is cancelled.  Where there is no descriptor, or no memory, some may come back soon. */
static int accept_all(int listener)
{
    for (;;) {
        int fd = kr_accept(listener, NULL, NULL, KR_FOREVER), err = fd;
        if (fd >= 0 && (err = kr_spawn(NULL, serve, &fd, sizeof fd, 0, NULL)) != 0)
            (void)kr_close(fd);
        if (err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS)
            err = kr_sleep(kr_ms(100));
        if (err < 0)
            return err;
    }
}

/* Connections inherit that small packets are not delayed. */
static int listen_tcp(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return -errno;
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 1024) != 0)
        return -errno;
    printf("listening on %s\n", path);
    return fd;
}

/* The first coroutine. */
static int run_server(void *arg)
{
    const struct where *where = arg;
    int listener = where->path ? listen_unix(where->path) : listen_tcp(where->port);
    if (listener < 0)
        return listener;
    fflush(stdout);
    int err = accept_all(listener);
    (void)kr_close(listener);
    if (where->path)
        unlink(where->path);
    return err;
}

static int usage(void)
{
    fputs("usage: echo [--port N] [--unix PATH]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"unix", required_argument, NULL, 'u'},
                                            {NULL, 0, NULL, 0}};
    struct where where = {.port = 7007};
    char *rest = NULL;
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (letter == 'u') {
            where.path = optarg;
        } else if (letter == 'p') {
            where.port = (int)strtol(optarg, &rest, 10);
            if (*rest || !*optarg || where.port < 0 || where.port > 65535)
                return usage();
        } else {
            return usage();
        }
    }
    if (optind < argc)
        return usage();
    int err = kr_run(run_server, &where);
    if (err == -EINTR)
        return 130;
    fprintf(stderr, "echo: %s\n", kr_strerror(err));
    return 1;
}
