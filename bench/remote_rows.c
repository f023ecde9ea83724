/* The rows of pools on other machines; every peer is a program of its own.
 *
 *     remote.mpi.rtt       one op is a small task submitted and waited for, in one other rank;
 * `bare` is MPI_Send and MPI_Recv there and back, whose ranks poll remote.mpi.stream    one op is
 * one of many tasks under way; bare: four messages at a time remote.mpi.work.N    one op is a task
 * of about a millisecond's computing, in N other ranks; bare: whoever answers gets the next one
 *     remote.redis.rtt     one op is a small task submitted and waited for, one worker; `bare` is
 *     remote.redis.stream  XADD, XREADGROUP, XADD of the answer with XACK, and XREAD, by hiredis
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

enum { ROUNDS = 3, TRIPS = 20000, WORK = 2000, POSTS = 10000 };

#ifdef KRI_RANKS_PROGRAM
#define RANKS(peer, count)                                                                         \
    (&(const struct bench_command){KRI_RANKS_PROGRAM,                                              \
                                   "env KR_PEER=" peer " " KRI_RANKS_START count})
#else
#define RANKS(peer, count) NULL
#endif
#ifdef KRI_POST_PROGRAM
#define POST(peer) (&(const struct bench_command){KRI_POST_PROGRAM, "env KR_PEER=" peer})
#else
#define POST(peer) NULL
#endif

#define MPI_PACKAGES   "libopenmpi-dev, openmpi-bin"
#define REDIS_PACKAGES "libhiredis-dev, redis-server"

static struct bench_result measure_trips(const struct bench_workload *row, const void *subject)
{
    return bench_run_row(row, subject, bench_amount(TRIPS));
}

static struct bench_result measure_work(const struct bench_workload *row, const void *subject)
{
    return bench_run_row(row, subject, bench_amount(WORK));
}

static struct bench_result measure_posts(const struct bench_workload *row, const void *subject)
{
    return bench_run_row(row, subject, bench_amount(POSTS));
}

static void run_ranks(const char *name,
                      struct bench_result (*measure)(const struct bench_workload *, const void *),
                      const void *krait, const void *bare, int workers, const char *filter)
{
    const struct bench_peer peers[] = {
        {"krait", krait, MPI_PACKAGES, false},
        {"bare", bare, MPI_PACKAGES, false},
    };
    const struct bench_workload row = {.name = name,
                                       .measure = measure,
                                       .peers = peers,
                                       .peer_count = 2,
                                       .place = BENCH_FREE,
                                       .threads = workers,
                                       .rounds = ROUNDS};
    bench_run(&row, filter);
}

static void run_posts(const char *name, const char *filter)
{
    const struct bench_peer peers[] = {
        {"krait", POST("krait"), REDIS_PACKAGES, false},
        {"bare", POST("bare"), REDIS_PACKAGES, false},
    };
    const struct bench_workload row = {.name = name,
                                       .measure = measure_posts,
                                       .peers = peers,
                                       .peer_count = 2,
                                       .place = BENCH_FREE,
                                       .threads = 1,
                                       .rounds = ROUNDS};
    bench_run(&row, filter);
}

void bench_remote_rows(const char *filter)
{
    run_ranks("remote.mpi.rtt", measure_trips, RANKS("krait", "2"), RANKS("bare", "2"), 1, filter);
    run_ranks("remote.mpi.stream", measure_trips, RANKS("krait", "2"), RANKS("bare", "2"), 1,
              filter);
    run_ranks("remote.mpi.work.1", measure_work, RANKS("krait", "2"), RANKS("bare", "2"), 1,
              filter);
    run_ranks("remote.mpi.work.2", measure_work, RANKS("krait", "3"), RANKS("bare", "3"), 2,
              filter);
    run_ranks("remote.mpi.work.4", measure_work, RANKS("krait", "5"), RANKS("bare", "5"), 4,
              filter);
    run_posts("remote.redis.rtt", filter);
    run_posts("remote.redis.stream", filter);
}
