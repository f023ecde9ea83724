/* What the servers that wait for readiness do with a descriptor that is ready.
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct echo_connection *echo_accept(int listener)
{
    struct echo_connection *connection;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        ECHO_MUST(errno == EAGAIN || errno == ECONNABORTED);
        return NULL;
    }
    ECHO_MUST((connection = calloc(1, sizeof *connection)) != NULL);
    connection->fd = fd;
    return connection;
}

static enum echo_state end(struct echo_connection *connection)
{
    close(connection->fd);
    free(connection->held);
    free(connection);
    return ECHO_OVER;
}

static enum echo_state hold(struct echo_connection *connection, const char *bytes, size_t count)
{
    if (!connection->held)
        ECHO_MUST((connection->held = malloc(ECHO_ROOM)) != NULL);
    memcpy(connection->held, bytes, count);
    connection->at = 0;
    connection->end = count;
    return ECHO_BLOCKED;
}

static enum echo_state flush(struct echo_connection *connection)
{
    while (connection->at < connection->end) {
        ssize_t sent = send(connection->fd, connection->held + connection->at,
                            connection->end - connection->at, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? ECHO_BLOCKED : end(connection);
        connection->at += (size_t)sent;
    }
    return ECHO_MORE;
}

enum echo_state echo_step(struct echo_connection *connection)
{
    static char bytes[ECHO_ROOM];
    if (connection->at < connection->end)
        return flush(connection);
    ssize_t got = recv(connection->fd, bytes, sizeof bytes, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? ECHO_DRAINED : end(connection);
    ssize_t sent = send(connection->fd, bytes, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return end(connection);
    sent = sent < 0 ? 0 : sent;
    if (sent < got)
        return hold(connection, bytes + sent, (size_t)(got - sent));
    return got == ECHO_ROOM ? ECHO_MORE : ECHO_DRAINED;
}
