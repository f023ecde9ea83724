/* Echo by epoll alone, level- and edge-triggered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS = 256 };

static int poller;

static void watch(int how, int fd, unsigned events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    ECHO_MUST(epoll_ctl(poller, how, fd, &event) == 0);
}

static void accept_all(int listener, unsigned events)
{
    for (struct echo_connection *connection; (connection = echo_accept(listener));)
        watch(EPOLL_CTL_ADD, connection->fd, events, connection);
}

static _Noreturn void serve(int listener, unsigned events,
                            void (*ready)(struct echo_connection *connection, unsigned events))
{
    struct epoll_event found[EVENTS];
    poller = epoll_create1(EPOLL_CLOEXEC);
    ECHO_MUST(poller >= 0);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    for (;;) {
        int count = epoll_wait(poller, found, EVENTS, -1);
        ECHO_MUST(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            if (found[i].data.ptr)
                ready(found[i].data.ptr, found[i].events);
            else
                accept_all(listener, events);
        }
    }
}

/* Once for each time that it is ready; what could not be sent has it wait for room instead. */
static void ready_level(struct echo_connection *connection, unsigned events)
{
    enum echo_state state = echo_step(connection);
    if (state == ECHO_BLOCKED && !(events & EPOLLOUT))
        watch(EPOLL_CTL_MOD, connection->fd, EPOLLOUT, connection);
    else if (state == ECHO_MORE && (events & EPOLLOUT))
        watch(EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
}

static void ready_edge(struct echo_connection *connection, unsigned events)
{
    (void)events;
    while (echo_step(connection) == ECHO_MORE)
        ;
}

void echo_epoll_level(int listener)
{
    serve(listener, EPOLLIN, ready_level);
}

/* An end of the stream is an event of its own, also behind bytes that were a short read. */
void echo_epoll_edge(int listener)
{
    serve(listener, EPOLLIN | EPOLLOUT | EPOLLET, ready_edge);
}
