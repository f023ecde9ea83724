/* What the kernel has for messages: a pipe, sockets, POSIX message queues; and copies alone.
 *
 * Several may write and read at a time where messages stay whole without a lock: up to 4096 bytes
 * in a pipe, always in packets and message queues.
 *
 * SPDX-License-Identifier: MIT
 */
#include "party.h"
#include "peers.h"
#include "queue.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2]; /* to read from, to write to */

static void put_bytes(const void *message, size_t size)
{
    const char *from = message;
    while (size > 0) {
        ssize_t put = write(ends[1], from, size);
        BENCH_MUST(put);
        from += put;
        size -= (size_t)put;
    }
}

static void get_bytes(void *message, size_t size)
{
    char *to = message;
    while (size > 0) {
        ssize_t got = read(ends[0], to, size);
        if (got <= 0)
            bench_fail("read");
        to += got;
        size -= (size_t)got;
    }
}

/* The pipe.  1 MiB is as large as who is not root may make it. */

static void open_pipe(size_t size, size_t depth)
{
    size_t wanted = size * depth;
    BENCH_MUST(pipe(ends));
    BENCH_MUST(fcntl(ends[0], F_SETPIPE_SZ, (int)(wanted < (1u << 20) ? wanted : 1u << 20)));
}

const struct bench_stream bench_pipe_stream = {
    .open = open_pipe, .put = put_bytes, .get = get_bytes};

/* Sockets, with twice the room where it can be had: the kernel counts what it needs itself. */

static void open_pair(int type, size_t wanted)
{
    int room = (int)(2 * wanted);
    BENCH_MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends));
    if (setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0)
        BENCH_MUST(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room));
}

static void open_socket(size_t size, size_t depth)
{
    open_pair(SOCK_STREAM, size * depth);
}

static void open_seqpacket(size_t size, size_t depth)
{
    open_pair(SOCK_SEQPACKET, size * depth);
}

static void put_packet(const void *message, size_t size)
{
    BENCH_MUST(send(ends[1], message, size, 0));
}

static void get_packet(void *message, size_t size)
{
    if (recv(ends[0], message, size, 0) != (ssize_t)size)
        bench_fail("recv");
}

const struct bench_stream bench_socket_stream = {
    .open = open_socket, .put = put_bytes, .get = get_bytes};
const struct bench_stream bench_seqpacket_stream = {
    .open = open_seqpacket, .put = put_packet, .get = get_packet};

/* The message queue: who is not root gets 10 places. */

static mqd_t messages;

static void open_mq(size_t size, size_t depth)
{
    char name[64];
    struct mq_attr attributes = {.mq_maxmsg = (long)depth, .mq_msgsize = (long)size};
    snprintf(name, sizeof name, "/krait-bench-%d", (int)getpid());
    messages = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (messages < 0) {
        attributes.mq_maxmsg = 10;
        messages = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    }
    BENCH_MUST(messages);
    BENCH_MUST(mq_unlink(name));
}

static void put_mq(const void *message, size_t size)
{
    BENCH_MUST(mq_send(messages, message, size, 0));
}

static void get_mq(void *message, size_t size)
{
    BENCH_MUST(mq_receive(messages, message, size, NULL));
}

const struct bench_stream bench_mq_stream = {.open = open_mq, .put = put_mq, .get = get_mq};

/* Copies into a ring in shared memory and out again. */

static unsigned char *places;
static size_t number_of_places, put_at, get_at;

static void open_copies(size_t size, size_t depth)
{
    places = bench_shared_memory(size * depth);
    number_of_places = depth;
}

static void put_copy(const void *message, size_t size)
{
    memcpy(places + put_at++ % number_of_places * size, message, size);
}

static void get_copy(void *message, size_t size)
{
    memcpy(message, places + get_at++ % number_of_places * size, size);
}

const struct bench_stream bench_copies_stream = {
    .open = open_copies, .put = put_copy, .get = get_copy};
