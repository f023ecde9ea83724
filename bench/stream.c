/* Streams of messages between processes.
 *
 *     stream.64b     64 bytes, one writer and one reader, room for 1024
 *     stream.1mib    1 MiB, one writer and one reader, room for 8; `two-copies` is what copying
 *                    each of them in and out takes one process alone, so krait's ratio to it is the
 *                    time taken beside two copies
 *     pipe.stream.64b  64 bytes, through a pipe with room for 1024 and more; CPython's is a Pipe
 *     stream.4w4r    64 bytes, four writers and four readers
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue.h"
#include "rows.h"

#include <stdlib.h>
#include <string.h>

enum {
    SMALL = 64,
    SMALL_DEPTH = 1024,
    SMALL_MESSAGES = 200000,
    LARGE = 1 << 20,
    LARGE_DEPTH = 8,
    LARGE_MESSAGES = 500,
    STAMP_EVERY = 1 << 16, /* bytes of a large message */
    MOST_READERS = 4,
    ROUNDS = 5,
};

#ifdef KRI_HAVE_SHARED_QUEUE
#define KRAIT       (&bench_krait_stream)
#define KRAIT_BYTES (&bench_krait_stream_bytes)
#else
#define KRAIT       NULL
#define KRAIT_BYTES NULL
#endif
#ifdef KRI_HAVE_ZMQ
#define ZMQ (&bench_zmq_stream)
#else
#define ZMQ NULL
#endif
#ifdef KRI_HAVE_BOOST_STREAM
#define BOOST (&bench_boost_stream)
#else
#define BOOST NULL
#endif

#define PEER_KRAIT                                                                                 \
    {                                                                                              \
        "krait", KRAIT, "krait's queue in shared memory", false                                    \
    }
#define PEER_KRAIT_BYTES                                                                           \
    {                                                                                              \
        "krait-bytes", KRAIT_BYTES, "krait's queue in shared memory", false                        \
    }
#define PEER_BOOST                                                                                 \
    {                                                                                              \
        "boost", BOOST, "libboost-dev, g++", false                                                 \
    }
#define PEER_ZMQ                                                                                   \
    {                                                                                              \
        "zeromq", ZMQ, "libzmq3-dev", false                                                        \
    }
#define PEER_MPI                                                                                   \
    {                                                                                              \
        "openmpi-polls", BENCH_MPI, "libopenmpi-dev, openmpi-bin", true                            \
    }
#define PEER_CPYTHON                                                                               \
    {                                                                                              \
        "cpython", BENCH_CPYTHON, "python3", true                                                  \
    }
#define PLAIN(name, stream)                                                                        \
    {                                                                                              \
        name, &(stream), NULL, false                                                               \
    }

static const struct bench_peer small_peers[] = {
    PEER_KRAIT,
    PEER_KRAIT_BYTES,
    PEER_BOOST,
    PEER_ZMQ,
    PLAIN("pipe", bench_pipe_stream),
    PLAIN("socket", bench_socket_stream),
    PLAIN("seqpacket", bench_seqpacket_stream),
    PLAIN("posix-mq", bench_mq_stream),
    PLAIN("robust-ring", bench_robust_stream),
    PEER_MPI,
    PEER_CPYTHON,
};

static const struct bench_peer large_peers[] = {
    PEER_KRAIT_BYTES,
    {"two-copies", &bench_copies_stream, NULL, true},
    PEER_BOOST,
    PEER_ZMQ,
    PLAIN("pipe", bench_pipe_stream),
    PLAIN("socket", bench_socket_stream),
    PLAIN("seqpacket", bench_seqpacket_stream),
    PLAIN("robust-ring", bench_robust_stream),
    PEER_MPI,
    PEER_CPYTHON,
};

/* Of the others all but boost's go on when one of the eight is killed. */
static const struct bench_peer crowd_peers[] = {
    PEER_KRAIT,
    PEER_KRAIT_BYTES,
    PEER_BOOST,
    PLAIN("pipe", bench_pipe_stream),
    PLAIN("seqpacket", bench_seqpacket_stream),
    PLAIN("posix-mq", bench_mq_stream),
    PLAIN("robust-ring", bench_robust_stream),
    PEER_CPYTHON,
};

static const struct bench_peer pipe_peers[] = {
    PLAIN("krait", bench_krait_pipe_stream),
    PLAIN("pipe", bench_pipe_stream),
    PLAIN("socket", bench_socket_stream),
    PLAIN("seqpacket", bench_seqpacket_stream),
    PLAIN("posix-mq", bench_mq_stream),
    PEER_BOOST,
    PEER_ZMQ,
    PEER_MPI,
    {"cpython-pipe", BENCH_CPYTHON_KIND(PIPE), "python3", true},
};

/* What the processes share. */
struct traffic {
    const struct bench_stream *kind;
    size_t size;
    unsigned long depth;
    unsigned long messages; /* of each writer, and of each reader */
    int writers;
    struct {
        _Alignas(64) uint64_t sum;
    } taken[MOST_READERS];
};

/* A number at every so many bytes of a message, and at its end. */
static void stamp(unsigned char *message, size_t size, uint64_t number)
{
    for (size_t at = 0; at < size; at += STAMP_EVERY)
        memcpy(message + at, &number, sizeof number);
    memcpy(message + size - sizeof number, &number, sizeof number);
}

static uint64_t stamp_of(const unsigned char *message, size_t size)
{
    uint64_t number, other;
    memcpy(&number, message + size - sizeof number, sizeof number);
    for (size_t at = 0; at < size; at += STAMP_EVERY) {
        memcpy(&other, message + at, sizeof other);
        if (other != number)
            bench_fail("the contents of a message");
    }
    return number;
}

static unsigned char *make_room(size_t size)
{
    unsigned char *room = aligned_alloc(64, size);
    if (!room)
        bench_fail("aligned_alloc");
    memset(room, 1, size);
    return room;
}

static void write_some(const struct traffic *traffic, uint64_t first, unsigned long count)
{
    unsigned char *message = make_room(traffic->size);
    for (unsigned long i = 0; i < count; i++) {
        stamp(message, traffic->size, first + i);
        traffic->kind->put(message, traffic->size);
    }
    free(message);
}

/* The sum of the numbers of so many messages, which come in order where one writes. */
static uint64_t read_some(const struct traffic *traffic, unsigned long count)
{
    unsigned char *message = make_room(traffic->size);
    uint64_t sum = 0;
    for (unsigned long i = 0; i < count; i++) {
        traffic->kind->get(message, traffic->size);
        uint64_t number = stamp_of(message, traffic->size);
        if (traffic->writers == 1 && number != i + 1)
            bench_fail("the order of the messages");
        sum += number;
    }
    free(message);
    return sum;
}

/* Once round, so that everybody has seen the memory. */
static void join(void *arg, int index)
{
    const struct traffic *traffic = arg;
    bool writer = index < traffic->writers;
    if (traffic->kind->join)
        traffic->kind->join(writer);
    if (writer)
        write_some(traffic, 1, traffic->depth);
    else
        read_some(traffic, traffic->depth);
}

static void leave(void *arg, int index)
{
    const struct traffic *traffic = arg;
    if (traffic->kind->leave)
        traffic->kind->leave(index < traffic->writers);
}

static void move(void *arg, int index)
{
    struct traffic *traffic = arg;
    if (index < traffic->writers)
        write_some(traffic, (uint64_t)index * traffic->messages + 1, traffic->messages);
    else
        traffic->taken[index - traffic->writers].sum = read_some(traffic, traffic->messages);
}

/* Two copies of each message by this process alone. */
static double copy_alone(const struct bench_workload *workload, struct traffic *traffic)
{
    unsigned char *message = make_room(traffic->size), *received = make_room(traffic->size);
    double begun = 0;
    bench_place_thread(workload->place, 0);
    for (unsigned long i = 0; i < traffic->depth + traffic->messages; i++) {
        if (i == traffic->depth)
            begun = bench_now();
        stamp(message, traffic->size, i + 1);
        traffic->kind->put(message, traffic->size);
        traffic->kind->get(received, traffic->size);
        uint64_t number = stamp_of(received, traffic->size);
        traffic->taken[0].sum += i < traffic->depth ? 0 : number - traffic->depth;
    }
    double taken = bench_now() - begun;
    free(message);
    free(received);
    return taken;
}

static struct bench_result measure(const struct bench_workload *workload, const void *subject,
                                   size_t size, size_t depth, unsigned long messages)
{
    unsigned long pairs = (unsigned long)workload->threads / 2;
    uint64_t all = messages / pairs * pairs, sum = 0;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, all);
    struct traffic *traffic = bench_shared_memory(sizeof *traffic);
    *traffic = (struct traffic){.kind = subject,
                                .size = size,
                                .depth = depth,
                                .messages = messages / pairs,
                                .writers = (int)pairs};
    struct bench_party party = {.place = workload->place,
                                .count = workload->threads,
                                .processes = true,
                                .body = move,
                                .before = join,
                                .after = leave,
                                .arg = traffic};
    traffic->kind->open(size, depth);
    double taken =
        subject == &bench_copies_stream ? copy_alone(workload, traffic) : bench_party(&party);
    for (unsigned long i = 0; i < pairs; i++)
        sum += traffic->taken[i].sum;
    if (sum != all * (all + 1) / 2)
        bench_fail("the sum of the messages");
    return (struct bench_result){.ns_per_op = taken / (double)all};
}

static struct bench_result measure_small(const struct bench_workload *workload, const void *subject)
{
    return measure(workload, subject, SMALL, SMALL_DEPTH, bench_amount(SMALL_MESSAGES));
}

static struct bench_result measure_large(const struct bench_workload *workload, const void *subject)
{
    return measure(workload, subject, LARGE, LARGE_DEPTH, bench_amount(LARGE_MESSAGES));
}

#define PEERS(table) .peers = table, .peer_count = sizeof(table) / sizeof *(table)

void bench_stream_rows(const char *filter)
{
    const struct bench_workload rows[] = {
        {.name = "stream.64b", .measure = measure_small, PEERS(small_peers), .threads = 2},
        {.name = "stream.1mib", .measure = measure_large, PEERS(large_peers), .threads = 2},
        {.name = "pipe.stream.64b", .measure = measure_small, PEERS(pipe_peers), .threads = 2},
        {.name = "stream.4w4r", .measure = measure_small, PEERS(crowd_peers), .threads = 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench_workload row = rows[i];
        row.shared = true;
        row.rounds = ROUNDS;
        bench_run_placed(&row, filter);
    }
}
