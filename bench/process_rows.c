/* The rows of processes, and which peers stand in which; krait is the first of each.
 *
 *     process_pool.rtt            one op is a small task submitted and waited for, one worker, hot;
 *                                 `futex` is a bare ping-pong between two processes
 *     process_pool.map            one op is an item of a map over tiny ones, chunk 1, two workers
 *     process_pool.map-auto       the same with chunks as the pool likes them
 *     process_pool.large.args     one op is 1 MiB to a worker, four in flight; `memcpy` is one copy
 *     process_pool.large.results  of it by one process alone; the same from a worker
 *     process_pool.replace        one op is from the kill of a worker to its successor's result
 *     process.start.10mib         one op is start and join of a process that does nothing, where
 *     process.start.2gib          its parent has so much memory in use
 *     pipe.rtt                    one op is a message of 64 bytes to another process and back
 *     connection.unix.rtt         the same over sockets; `bare` is the socket with krait's framing
 *     connection.tcp.rtt          by hand
 *     connection.unix.stream      one op is a message of 64 bytes one way, with room for 64 KiB
 *     connection.tcp.stream
 *
 * pipe.stream.64b stands with the other streams.
 *
 * SPDX-License-Identifier: MIT
 */
#include "channel.h"
#include "process_pool.h"
#include "process_start.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 5, LARGE_ROUNDS = 3 };

#ifdef KRI_HAVE_ZMQ
#define ZMQ      (&zmq_pool)
#define ZMQ_LANE (&bench_zmq_duplex)
#else
#define ZMQ      NULL
#define ZMQ_LANE NULL
#endif
#ifdef KRI_HAVE_NNG
#define NNG      (&nng_pool)
#define NNG_LANE (&bench_nng_duplex)
#else
#define NNG      NULL
#define NNG_LANE NULL
#endif
#ifdef KRI_HAVE_BOOST_DUPLEX
#define BOOST      (&boost_pool)
#define BOOST_LANE (&bench_boost_duplex)
#else
#define BOOST      NULL
#define BOOST_LANE NULL
#endif

static const struct bench_process_pool futex_pool = {.duplex = &bench_futex_duplex},
                                       pipe_pool = {.duplex = &bench_pipe_duplex},
                                       socket_pool = {.duplex = &bench_socket_duplex},
                                       mq_pool = {.duplex = &bench_mq_duplex};
#ifdef KRI_HAVE_ZMQ
static const struct bench_process_pool zmq_pool = {.duplex = &bench_zmq_duplex};
#endif
#ifdef KRI_HAVE_NNG
static const struct bench_process_pool nng_pool = {.duplex = &bench_nng_duplex};
#endif
#ifdef KRI_HAVE_BOOST_DUPLEX
static const struct bench_process_pool boost_pool = {.duplex = &bench_boost_duplex};
#endif

/* clang-format off */
#define PEER(name, subject, package) {name, subject, package, false}
#define ASIDE(name, subject, package) {name, subject, package, true}
#define PEER_KRAIT PEER("krait", &bench_krait_processes, NULL)
#define PEER_PIPE PEER("pipe", &pipe_pool, NULL)
#define PEER_SOCKET PEER("socketpair", &socket_pool, NULL)
#define PEER_MQ PEER("posix-mq", &mq_pool, NULL)
#define PEER_ZMQ PEER("zeromq", ZMQ, "libzmq3-dev")
#define PEER_NNG PEER("nng", NNG, "libnng-dev")
#define PEER_BOOST PEER("boost", BOOST, "libboost-dev, g++")
#define PEER_MPI ASIDE("openmpi-polls", BENCH_MPI, "libopenmpi-dev, openmpi-bin")
#define CPYTHON(name, kind) ASIDE("cpython-" name, BENCH_CPYTHON_KIND(kind), "python3")

static const struct bench_peer rtt_peers[] = {
    PEER_KRAIT,
    ASIDE("futex", &futex_pool, NULL),
    PEER_SOCKET, PEER_PIPE, PEER_MQ, PEER_ZMQ, PEER_NNG, PEER_BOOST, PEER_MPI,
    CPYTHON("executor", EXECUTOR), CPYTHON("pool", POOL),
};

static const struct bench_peer map_peers[] = {
    PEER_KRAIT,
    PEER_SOCKET, PEER_PIPE, PEER_MQ, PEER_ZMQ, PEER_NNG, PEER_BOOST,
    CPYTHON("executor", EXECUTOR), CPYTHON("pool", POOL),
};

static const struct bench_peer map_auto_peers[] = {
    PEER_KRAIT, CPYTHON("executor", EXECUTOR), CPYTHON("pool", POOL),
};

static const struct bench_peer large_peers[] = {
    PEER_KRAIT,
    ASIDE("memcpy", &bench_memcpy, NULL),
    ASIDE("shared-copy", &bench_shared_copy, NULL),
    PEER_SOCKET, PEER_PIPE, PEER_ZMQ, PEER_NNG, PEER_BOOST,
    CPYTHON("executor", EXECUTOR), CPYTHON("pool", POOL),
};

/* A killed worker of CPython's Pool hangs it; the executor is made anew. */
static const struct bench_peer replace_peers[] = {
    PEER_KRAIT,
    ASIDE("fork-again", &bench_fork_again, NULL),
    CPYTHON("executor", EXECUTOR),
};

static const struct bench_peer start_peers[] = {
    PEER("krait-server", &bench_krait_forkserver, NULL),
    PEER("krait-fork", &bench_krait_fork, NULL),
    PEER("krait-spawn", &bench_krait_spawn, NULL),
    ASIDE("fork", &bench_fork, NULL),
    ASIDE("vfork", &bench_vfork, NULL),
    ASIDE("posix_spawn", &bench_posix_spawn, NULL),
    CPYTHON("fork", FORK), CPYTHON("server", FORKSERVER), CPYTHON("spawn", SPAWN),
};

static const struct bench_peer pipe_peers[] = {
    PEER("krait", &bench_krait_pipe_duplex, NULL),
    PEER("pipe", &bench_pipe_duplex, NULL),
    PEER("socketpair", &bench_socket_duplex, NULL),
    PEER("seqpacket", &bench_seqpacket_duplex, NULL),
    PEER("posix-mq", &bench_mq_duplex, NULL),
    PEER("zeromq", ZMQ_LANE, "libzmq3-dev"),
    PEER("nng", NNG_LANE, "libnng-dev"),
    PEER("boost", BOOST_LANE, "libboost-dev, g++"),
    ASIDE("futex", &bench_futex_duplex, NULL),
    PEER_MPI,
    CPYTHON("pipe", PIPE),
};

static const struct bench_peer unix_peers[] = {
    PEER("krait", &bench_krait_unix_duplex, NULL),
    PEER("bare", &bench_unix_duplex, NULL),
    CPYTHON("socket", PIPE),
};

static const struct bench_peer tcp_peers[] = {
    PEER("krait", &bench_krait_tcp_duplex, NULL),
    PEER("bare", &bench_tcp_duplex, NULL),
    CPYTHON("socket", PIPE),
};
/* clang-format on */

#define PEERS(table) .peers = table, .peer_count = sizeof(table) / sizeof *(table)
#define ROW(row, how, table, count, times)                                                         \
    {                                                                                              \
        .name = row, .measure = how, PEERS(table), .place = BENCH_FREE, .threads = count,          \
        .shared = true, .afresh = row, .rounds = times                                             \
    }

static const struct bench_workload placed_rows[] = {
    ROW("process_pool.rtt", bench_processes_hot, rtt_peers, 1, ROUNDS),
    ROW("process_pool.map", bench_processes_map, map_peers, 2, LARGE_ROUNDS),
    ROW("process_pool.map-auto", bench_processes_map_auto, map_auto_peers, 2, ROUNDS),
    ROW("process_pool.large.args", bench_processes_args, large_peers, 2, LARGE_ROUNDS),
    ROW("process_pool.large.results", bench_processes_results, large_peers, 2, LARGE_ROUNDS),
    ROW("pipe.rtt", bench_channel_trips, pipe_peers, 2, ROUNDS),
    ROW("connection.unix.rtt", bench_channel_trips, unix_peers, 2, ROUNDS),
    ROW("connection.tcp.rtt", bench_channel_trips, tcp_peers, 2, ROUNDS),
    ROW("connection.unix.stream", bench_channel_stream, unix_peers, 2, ROUNDS),
    ROW("connection.tcp.stream", bench_channel_stream, tcp_peers, 2, ROUNDS),
};

static const struct bench_workload single_rows[] = {
    ROW("process_pool.replace", bench_processes_replace, replace_peers, 1, ROUNDS),
    ROW("process.start.10mib", bench_start_small, start_peers, 1, ROUNDS),
    ROW("process.start.2gib", bench_start_large, start_peers, 1, LARGE_ROUNDS),
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void run_placed(const struct bench_workload *row, enum bench_place place, const char *behind,
                       const char *filter)
{
    char name[64];
    struct bench_workload placed = *row;
    snprintf(name, sizeof name, "%s%s", row->name, behind);
    placed.name = name;
    placed.place = place;
    bench_run(&placed, filter);
}

void bench_process_rows(const char *filter)
{
    for (size_t i = 0; i < COUNT(placed_rows); i++) {
        run_placed(&placed_rows[i], BENCH_FREE, "", filter);
        run_placed(&placed_rows[i], BENCH_ONE_CPU, ".1cpu", filter);
    }
    for (size_t i = 0; i < COUNT(single_rows); i++)
        run_placed(&single_rows[i], BENCH_FREE, "", filter);
}

void bench_measure_process(const char *row, const char *peer, const char *descriptor)
{
    for (size_t i = 0; i < COUNT(placed_rows); i++) {
        if (strcmp(placed_rows[i].afresh, row) == 0)
            bench_measure_afresh(&placed_rows[i], peer, descriptor);
    }
    for (size_t i = 0; i < COUNT(single_rows); i++) {
        if (strcmp(single_rows[i].afresh, row) == 0)
            bench_measure_afresh(&single_rows[i], peer, descriptor);
    }
}
