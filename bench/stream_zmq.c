/* ZeroMQ over a Unix socket with an abstract name.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "queue.h"

#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

static char address[64];
static int limit;
static void *context, *channel;

static void open_stream(size_t size, size_t depth)
{
    (void)size;
    snprintf(address, sizeof address, "ipc://@krait-bench-%d", (int)getpid());
    limit = (int)depth / 2; /* each side has its own */
}

/* A context does not survive a fork. */
static void join(int writer)
{
    context = zmq_ctx_new();
    channel = zmq_socket(context, writer ? ZMQ_PUSH : ZMQ_PULL);
    if (!channel)
        bench_fail("zmq_socket");
    BENCH_MUST(zmq_setsockopt(channel, writer ? ZMQ_SNDHWM : ZMQ_RCVHWM, &limit, sizeof limit));
    if (writer)
        BENCH_MUST(zmq_connect(channel, address));
    else
        BENCH_MUST(zmq_bind(channel, address));
}

/* The writer's end waits until all is sent. */
static void leave(int writer)
{
    (void)writer;
    zmq_close(channel);
    zmq_ctx_term(context);
}

static void put(const void *message, size_t size)
{
    BENCH_MUST(zmq_send(channel, message, size, 0));
}

static void get(void *message, size_t size)
{
    if (zmq_recv(channel, message, size, 0) != (int)size)
        bench_fail("zmq_recv");
}

const struct bench_stream bench_zmq_stream = {
    .open = open_stream, .join = join, .leave = leave, .put = put, .get = get};
