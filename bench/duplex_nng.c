/* Lanes of nng: pairs over Unix sockets with abstract names.
 *
 * SPDX-License-Identifier: MIT
 */
#include "duplex.h"
#include "peers.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <unistd.h>

static int maker;
static nng_socket sockets[BENCH_LANES];

static void open_pairs(int lanes, size_t size)
{
    (void)lanes;
    (void)size;
    maker = (int)getpid();
}

static void must(int error)
{
    if (error)
        bench_fail(nng_strerror(error));
}

/* The first call in a process starts its threads, so it comes after the fork.  Who dials tries
 * again until somebody listens. */
static void join(int lane, enum bench_side side)
{
    char address[64];
    snprintf(address, sizeof address, "abstract://krait-bench-%d-%d", maker, lane);
    must(nng_pair0_open(&sockets[lane]));
    must(nng_socket_set_size(sockets[lane], NNG_OPT_RECVMAXSZ, 0));
    must(nng_socket_set_ms(sockets[lane], NNG_OPT_RECONNMINT, 1));
    if (side == BENCH_WORKER)
        must(nng_dial(sockets[lane], address, NULL, NNG_FLAG_NONBLOCK));
    else
        must(nng_listen(sockets[lane], address, NULL, 0));
}

static void send(int lane, enum bench_side side, const void *message, size_t size)
{
    (void)side;
    must(nng_send(sockets[lane], (void *)message, size, 0));
}

static void receive(int lane, enum bench_side side, void *message, size_t size)
{
    size_t got = size;
    (void)side;
    must(nng_recv(sockets[lane], message, &got, 0));
    if (got != size)
        bench_fail("nng_recv");
}

const struct bench_duplex bench_nng_duplex = {
    .open = open_pairs, .join = join, .send = send, .receive = receive};
