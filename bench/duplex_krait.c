/* Lanes of krait's connections: pipes, and sockets; and its pipe as a stream.
 *
 * SPDX-License-Identifier: MIT
 */
#include "duplex.h"
#include "peers.h"
#include "queue.h"

#include <krait/connection.h>
#include <krait/listener.h>

#include <stdio.h>
#include <unistd.h>

static kr_connection *ends[BENCH_LANES][2];

static void open_pipes(int lanes, size_t size)
{
    kr_pipe_options options = {.capacity = 4 * size};
    for (int lane = 0; lane < lanes; lane++)
        BENCH_MUST(kr_pipe(&ends[lane][BENCH_CALLER], &ends[lane][BENCH_WORKER],
                           size > 4096 ? &options : NULL));
}

/* Each side keeps its own end only. */
static void join(int lane, enum bench_side side)
{
    kr_connection_release(ends[lane][!side]);
}

static void send(int lane, enum bench_side side, const void *message, size_t size)
{
    BENCH_MUST(kr_connection_send(ends[lane][side], message, size, KR_FOREVER));
}

static void receive(int lane, enum bench_side side, void *message, size_t size)
{
    size_t got;
    int err = kr_connection_recv_into(ends[lane][side], message, size, &got, KR_FOREVER);
    if (err == KR_EOF && side == BENCH_WORKER)
        _exit(0); /* the caller is through */
    BENCH_MUST(err);
    if (got != size)
        bench_fail("the length of a message");
}

const struct bench_duplex bench_krait_pipe_duplex = {
    .open = open_pipes, .join = join, .send = send, .receive = receive};

/* Sockets: both ends are made here, and the worker inherits its. */

static void open_sockets(const char *where, int lanes)
{
    kr_listener *listener;
    char address[KR_ADDRESS_SIZE];
    BENCH_MUST(kr_listener_create(&listener, where, NULL));
    kr_listener_address(listener, address, sizeof address);
    for (int lane = 0; lane < lanes; lane++) {
        BENCH_MUST(kr_client(&ends[lane][BENCH_CALLER], address, NULL, KR_FOREVER));
        BENCH_MUST(kr_listener_accept(listener, &ends[lane][BENCH_WORKER], KR_FOREVER));
    }
    kr_listener_release(listener);
}

static void open_unix(int lanes, size_t size)
{
    char name[64];
    (void)size;
    snprintf(name, sizeof name, "@krait-bench-%d", (int)getpid());
    open_sockets(name, lanes);
}

static void open_tcp(int lanes, size_t size)
{
    (void)size;
    open_sockets("tcp:127.0.0.1:0", lanes);
}

const struct bench_duplex bench_krait_unix_duplex = {
    .open = open_unix, .join = join, .send = send, .receive = receive};
const struct bench_duplex bench_krait_tcp_duplex = {
    .open = open_tcp, .join = join, .send = send, .receive = receive};

/* The pipe one way, for one writer and one reader. */

static void open_stream(size_t size, size_t depth)
{
    kr_pipe_options options = {.one_way = true, .capacity = 2 * size * depth};
    BENCH_MUST(kr_pipe(&ends[0][BENCH_WORKER], &ends[0][BENCH_CALLER], &options));
}

static void join_stream(int writer)
{
    join(0, writer ? BENCH_CALLER : BENCH_WORKER);
}

static void put(const void *message, size_t size)
{
    send(0, BENCH_CALLER, message, size);
}

static void get(void *message, size_t size)
{
    receive(0, BENCH_WORKER, message, size);
}

const struct bench_stream bench_krait_pipe_stream = {
    .open = open_stream, .join = join_stream, .put = put, .get = get};
