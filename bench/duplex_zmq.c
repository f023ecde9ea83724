/* Lanes of ZeroMQ: pairs over Unix sockets with abstract names.
 *
 * SPDX-License-Identifier: MIT
 */
#include "duplex.h"
#include "peers.h"

#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

static int maker;
static void *context, *sockets[BENCH_LANES];

static void open_pairs(int lanes, size_t size)
{
    (void)lanes;
    (void)size;
    maker = (int)getpid();
}

/* A context does not survive a fork.  Who connects first waits for who binds. */
static void join(int lane, enum bench_side side)
{
    char address[64];
    int soon = 1; /* ms */
    snprintf(address, sizeof address, "ipc://@krait-bench-%d-%d", maker, lane);
    if (!context)
        context = zmq_ctx_new();
    sockets[lane] = zmq_socket(context, ZMQ_PAIR);
    if (!sockets[lane])
        bench_fail("zmq_socket");
    BENCH_MUST(zmq_setsockopt(sockets[lane], ZMQ_RECONNECT_IVL, &soon, sizeof soon));
    if (side == BENCH_WORKER)
        BENCH_MUST(zmq_connect(sockets[lane], address));
    else
        BENCH_MUST(zmq_bind(sockets[lane], address));
}

static void send(int lane, enum bench_side side, const void *message, size_t size)
{
    (void)side;
    BENCH_MUST(zmq_send(sockets[lane], message, size, 0));
}

static void receive(int lane, enum bench_side side, void *message, size_t size)
{
    (void)side;
    if (zmq_recv(sockets[lane], message, size, 0) != (int)size)
        bench_fail("zmq_recv");
}

const struct bench_duplex bench_zmq_duplex = {
    .open = open_pairs, .join = join, .send = send, .receive = receive};
