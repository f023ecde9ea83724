/* The same channels between a process and its workers by many hands: one lane for each worker,
 * which carries messages both ways.  C++ reads this too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_DUPLEX_H
#define KRI_BENCH_DUPLEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_LANES = 4 };

/* Who calls, at a lane: the process that made it, or its worker. */
enum bench_side { BENCH_CALLER, BENCH_WORKER };

/* Functions over lanes of their own.  Messages stay whole, and both sides know their lengths. */
struct bench_duplex {
    /* Before the workers are there: lanes for messages of at most so many bytes. */
    void (*open)(int lanes, size_t size);
    /* In a worker, before its first message; then in the caller, for every lane.  NULL: nothing. */
    void (*join)(int lane, enum bench_side side);
    void (*send)(int lane, enum bench_side side, const void *message, size_t size);
    void (*receive)(int lane, enum bench_side side, void *message, size_t size);
};

/* The kernel's; sockets of their own with a length before each message, as krait sends it there. */
extern const struct bench_duplex bench_pipe_duplex, bench_socket_duplex, bench_seqpacket_duplex,
    bench_mq_duplex, bench_unix_duplex, bench_tcp_duplex;
/* A word and a message in shared memory; one message at a time. */
extern const struct bench_duplex bench_futex_duplex;
extern const struct bench_duplex bench_zmq_duplex, bench_nng_duplex, bench_boost_duplex;
extern const struct bench_duplex bench_krait_pipe_duplex, bench_krait_unix_duplex,
    bench_krait_tcp_duplex;

#ifdef __cplusplus
}
#endif

#endif
