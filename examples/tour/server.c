/* A web server that takes its time: it answers each request after the latency.
 *
 * It is a process of its own, so that what it costs is not counted to those who ask, and one loop
 * with a coroutine for each connection, which just sleeps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BODY = 2000, REQUEST_MOST = 1024, CLIENTS_MOST = 4096 };

struct service {
    int listener;
    kr_time latency;
};

static kr_time latency; /* of this server, which has one thread */

static int answer(int fd)
{
    char text[BODY + 200];
    int size = snprintf(text, sizeof text,
                        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n"
                        "Content-Length: %d\r\nConnection: close\r\n\r\n",
                        BODY);
    memset(text + size, 'k', BODY);
    return kr_write_all(fd, text, (size_t)size + BODY, NULL, kr_sec(10));
}

/* A client that goes away is no error. */
static int serve(const void *arg, void *result)
{
    char request[REQUEST_MOST + 1];
    int fd = *(const int *)arg;
    size_t used = 0;
    (void)result;
    request[0] = '\0';
    while (used < REQUEST_MOST && !strstr(request, "\r\n\r\n")) {
        int64_t got = kr_recv(fd, request + used, REQUEST_MOST - used, 0, kr_sec(10));
        if (got <= 0)
            break;
        used += (size_t)got;
        request[used] = '\0';
    }
    if (strncmp(request, "GET ", 4) == 0 && kr_sleep(latency) == 0)
        (void)answer(fd);
    (void)kr_close(fd);
    return 0;
}

/* Until it is killed. */
static int accept_all(void *arg)
{
    const struct service *service = arg;
    for (;;) {
        int fd = kr_accept(service->listener, NULL, NULL, KR_FOREVER), err = fd;
        if (fd >= 0 && (err = kr_spawn(NULL, serve, &fd, sizeof fd, 0, NULL)) != 0)
            (void)kr_close(fd);
        if (err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS)
            err = kr_sleep(kr_ms(5));
        if (err < 0)
            return err;
    }
}

/* Ctrl-C is for the tour, which then kills us. */
static int run(void *arg)
{
    struct service *service = arg;
    signal(SIGINT, SIG_IGN);
    latency = service->latency;
    return kr_run_with(accept_all, service, &(kr_run_options){.keep_interrupt = true});
}

static int listen_anywhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, CLIENTS_MOST) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        int err = -errno;
        (void)kr_close(fd);
        return err;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int server_start(kr_process **server, int *port, kr_time wanted)
{
    struct service service = {.latency = wanted, .listener = listen_anywhere(port)};
    if (service.listener < 0)
        return service.listener;
    int err = kr_process_start(
        server, run, &service, sizeof service,
        &(kr_process_options){
            .name = "server", .start = KR_FORK, .daemon = KR_DAEMON_YES, .die_with_parent = true});
    (void)kr_close(service.listener);
    return err;
}

void server_end(kr_process *server)
{
    kr_process_kill(server);
    kr_shield
        kr_process_join(server, NULL, KR_FOREVER);
    kr_process_release(server);
}
