/* krait-bench-echo NAME: a server that listens on a port of its own choice, prints it, and sends
 * back what comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct {
    const char *name;
    void (*serve)(int listener);
} servers[] = {
    {"epoll", echo_epoll_level}, {"epoll-edge", echo_epoll_edge},
#ifdef KRI_HAVE_UV
    {"libuv", echo_uv},
#endif
#ifdef KRI_HAVE_LIBEV
    {"libev", echo_libev},
#endif
#ifdef KRI_HAVE_PTH
    {"pth", echo_pth},
#endif
#ifdef KRI_HAVE_ASIO
    {"asio", echo_asio},
#endif
#ifdef KRI_HAVE_URING
    {"io_uring", echo_uring},
#endif
};

void echo_fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Connections inherit that small packets are not delayed. */
static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ECHO_MUST(fd >= 0);
    ECHO_MUST(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    ECHO_MUST(bind(fd, (struct sockaddr *)&address, size) == 0);
    ECHO_MUST(listen(fd, 1024) == 0);
    ECHO_MUST(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc == 2 && i < sizeof servers / sizeof *servers; i++) {
        if (strcmp(servers[i].name, argv[1]) == 0)
            servers[i].serve(listen_somewhere());
    }
    fputs("usage: krait-bench-echo NAME\n", stderr);
    return 2;
}
