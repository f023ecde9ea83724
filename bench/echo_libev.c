/* Echo by libev.
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <ev.h>
#pragma GCC diagnostic pop

#include <stdlib.h>

struct watched {
    ev_io io;
    struct echo_connection *connection;
};

static void wait_for(struct ev_loop *loop, struct watched *watched, int events)
{
    if ((watched->io.events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(loop, &watched->io);
    ev_io_set(&watched->io, watched->connection->fd, events);
    ev_io_start(loop, &watched->io);
}

static void ready(struct ev_loop *loop, ev_io *io, int events)
{
    struct watched *watched = (struct watched *)io;
    (void)events;
    switch (echo_step(watched->connection)) {
    case ECHO_BLOCKED:
        wait_for(loop, watched, EV_WRITE);
        break;
    case ECHO_OVER:
        ev_io_stop(loop, io);
        free(watched);
        break;
    default:
        wait_for(loop, watched, EV_READ);
    }
}

static void accept_all(struct ev_loop *loop, ev_io *io, int events)
{
    (void)events;
    for (struct echo_connection *connection; (connection = echo_accept(io->fd));) {
        struct watched *watched = calloc(1, sizeof *watched);
        ECHO_MUST(watched != NULL);
        watched->connection = connection;
        ev_init(&watched->io, ready);
        ev_io_set(&watched->io, connection->fd, EV_READ);
        ev_io_start(loop, &watched->io);
    }
}

void echo_libev(int listener)
{
    static ev_io io;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    ECHO_MUST(loop != NULL);
    ev_init(&io, accept_all);
    ev_io_set(&io, listener, EV_READ);
    ev_io_start(loop, &io);
    ev_run(loop, 0);
}
