/* krait-bench-load PORT CONNECTIONS SIZE MILLISECONDS SERVER: has a server on this machine, the
 * process SERVER, echo messages, one at a time by each connection, and prints how many came back in
 * a second, how many nanoseconds half and 99 of 100 of them took at most, and how many nanoseconds
 * of processor time the server had for each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 512, WARM_PARTS = 5, MOST_SIZE = 1 << 20 };

struct connection {
    int fd;
    size_t sent, got; /* of the message that is under way */
    uint64_t number;  /* of it, which stands at both its ends */
    int64_t begun;
    char *message;
    unsigned events; /* that it waits for */
};

static size_t message_size;
static int poller;
static uint64_t messages;

static struct {
    uint32_t *taken;
    size_t count, room;
} times;

static void note(int64_t taken)
{
    if (times.count == times.room) {
        times.room = times.room ? 2 * times.room : 1 << 20;
        times.taken = realloc(times.taken, times.room * sizeof *times.taken);
        if (!times.taken)
            fail("realloc");
    }
    times.taken[times.count++] = taken < UINT32_MAX ? (uint32_t)taken : UINT32_MAX;
}

static void wait_for(struct connection *connection, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    int how = connection->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (connection->events == events)
        return;
    if (epoll_ctl(poller, how, connection->fd, &event) != 0)
        fail("epoll_ctl");
    connection->events = events;
}

static void send_rest(struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->message + connection->sent,
                        message_size - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        fail("send");
    connection->sent += sent < 0 ? 0 : (size_t)sent;
    wait_for(connection, connection->sent < message_size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void stamp(struct connection *connection)
{
    connection->number = ++messages;
    memcpy(connection->message, &connection->number, sizeof connection->number);
    memcpy(connection->message + message_size - sizeof connection->number, &connection->number,
           sizeof connection->number);
}

static void send_next(struct connection *connection)
{
    stamp(connection);
    connection->sent = connection->got = 0;
    connection->begun = now();
    send_rest(connection);
}

/* The end of a message must be the end of what comes: nothing else is under way. */
static void check(const struct connection *connection, const char *bytes, size_t got)
{
    size_t from = connection->got, size = sizeof connection->number;
    size_t last = message_size - size;
    if (got > message_size - from)
        fail("more than was sent");
    if (from == 0 && got >= size && memcmp(bytes, &connection->number, size) != 0)
        fail("the beginning of a message");
    if (from <= last && from + got == message_size &&
        memcmp(bytes + last - from, &connection->number, size) != 0)
        fail("the end of a message");
}

static void receive(struct connection *connection)
{
    static char bytes[MOST_SIZE + 1];
    ssize_t got = recv(connection->fd, bytes, message_size - connection->got + 1, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("recv");
    check(connection, bytes, (size_t)got);
    connection->got += (size_t)got;
    if (connection->got == message_size) {
        note(now() - connection->begun);
        send_next(connection);
    }
}

static void begin(struct connection *connection, int port)
{
    connection->fd = open_connection(SOCK_STREAM, port);
    connection->message = calloc(1, message_size);
    if (!connection->message)
        fail("calloc");
}

static void play_until(int64_t end)
{
    struct epoll_event found[EVENTS];
    while (now() < end) {
        int count = epoll_wait(poller, found, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            struct connection *connection = found[i].data.ptr;
            if (connection->sent < message_size && (found[i].events & EPOLLOUT))
                send_rest(connection);
            receive(connection);
        }
    }
}

static void report(int64_t taken, int64_t used)
{
    sort_times(times.taken, times.count);
    printf("%.1f %u %u %.1f\n", (double)times.count * 1e9 / (double)taken,
           times.taken[times.count / 2], times.taken[times.count * 99 / 100],
           (double)used / (double)times.count);
}

int main(int argc, char **argv)
{
    int numbers[5] = {0};
    clockid_t server;
    for (int i = 0; i < 5 && argc == 6; i++)
        numbers[i] = atoi(argv[i + 1]);
    message_size = (size_t)numbers[2];
    if (numbers[1] < 1 || message_size < sizeof messages || message_size > MOST_SIZE ||
        clock_getcpuclockid(numbers[4], &server) != 0) {
        fputs("usage: krait-bench-load PORT CONNECTIONS SIZE MILLISECONDS SERVER\n", stderr);
        return 2;
    }
    struct connection *connections = calloc((size_t)numbers[1], sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || poller < 0)
        fail("epoll_create1");
    for (int i = 0; i < numbers[1]; i++)
        begin(&connections[i], numbers[0]);
    int64_t span = numbers[3] * INT64_C(1000000);
    for (int i = 0; i < numbers[1]; i++)
        send_next(&connections[i]);
    play_until(now() + span / WARM_PARTS);
    times.count = 0;
    int64_t used = read_clock(server), begun = now();
    play_until(begun + span);
    int64_t taken = now() - begun;
    report(taken, read_clock(server) - used);
    return 0;
}
