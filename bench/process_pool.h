/* The same pool of processes by many hands, and what all of them work on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_PROCESS_POOL_H
#define KRI_BENCH_PROCESS_POOL_H

#include "duplex.h"
#include "peers.h"
#include "pool.h"

#include <string.h>

enum { BENCH_LARGE = 1 << 20, BENCH_IN_FLIGHT = 4 };

/* What a pool is opened for. */
enum bench_load {
    BENCH_TINY,          /* bench_task(arg, 0) */
    BENCH_LARGE_ARGS,    /* of BENCH_LARGE bytes, to their number */
    BENCH_LARGE_RESULTS, /* from a number to so many bytes */
};

/* Functions over one pool of their own; what it cannot do is NULL. */
struct bench_process_pool {
    /* The lanes that a pool is made of by hand, see process_hand.c; the others are NULL then. */
    const struct bench_duplex *duplex;

    void (*open)(int workers, enum bench_load load);
    uint64_t (*round_trip)(uint64_t arg);
    /* results[i] = bench_task(args[i], 0); chunk 0: as the pool likes it */
    void (*map)(const uint64_t *args, uint64_t *results, size_t count, size_t chunk);
    /* The numbers from 1 to `count`, BENCH_IN_FLIGHT at a time; the sum of those that came back. */
    uint64_t (*move_large)(enum bench_load load, unsigned long count);
    /* With one worker: kill it, and have its successor do a task; the nanoseconds from the kill. */
    double (*replace)(void);
};

/* By hand over these lanes, which are to be set first. */
extern const struct bench_process_pool bench_hand;
extern const struct bench_duplex *bench_hand_lanes;

extern const struct bench_process_pool bench_memcpy, bench_shared_copy, bench_fork_again;
extern const struct bench_process_pool bench_krait_processes;

/* A number all over a large message, at every so many bytes and at its end. */
enum { BENCH_STAMP_EVERY = 1 << 16 };

static inline void bench_stamp(unsigned char *message, uint64_t number)
{
    for (size_t at = 0; at < BENCH_LARGE; at += BENCH_STAMP_EVERY)
        memcpy(message + at, &number, sizeof number);
    memcpy(message + BENCH_LARGE - sizeof number, &number, sizeof number);
}

static inline uint64_t bench_stamp_of(const unsigned char *message)
{
    uint64_t number, other;
    memcpy(&number, message + BENCH_LARGE - sizeof number, sizeof number);
    for (size_t at = 0; at < BENCH_LARGE; at += BENCH_STAMP_EVERY) {
        memcpy(&other, message + at, sizeof other);
        if (other != number)
            bench_fail("the contents of a message");
    }
    return number;
}

/* Room for a large message, warm; never given back. */
unsigned char *bench_large_room(void);

/* What is measured: functions for struct bench_workload, whose subject is a table above. */
struct bench_result bench_processes_hot(const struct bench_workload *workload, const void *subject);
struct bench_result bench_processes_map(const struct bench_workload *workload, const void *subject);
struct bench_result bench_processes_map_auto(const struct bench_workload *workload,
                                             const void *subject);
struct bench_result bench_processes_args(const struct bench_workload *workload,
                                         const void *subject);
struct bench_result bench_processes_results(const struct bench_workload *workload,
                                            const void *subject);
struct bench_result bench_processes_replace(const struct bench_workload *workload,
                                            const void *subject);

#endif
