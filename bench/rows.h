/* The rows of the benchmark, by subject.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_ROWS_H
#define KRI_BENCH_ROWS_H

#include "party.h"
#include "peers.h"

/* Peers that are programs, as subjects; NULL: not installed. */
#ifdef KRI_GO_PROGRAM
#define BENCH_GO (&bench_go_command)
#else
#define BENCH_GO NULL
#endif
#ifdef KRI_PYTHON
#define BENCH_CPYTHON            (&bench_cpython_command)
#define BENCH_CPYTHON_KIND(kind) (&bench_cpython_kinds[BENCH_CPYTHON_##kind])
#else
#define BENCH_CPYTHON            NULL
#define BENCH_CPYTHON_KIND(kind) NULL
#endif
#ifdef KRI_PYTHON_LOOPS
#define BENCH_ASYNCIO (&bench_asyncio_command)
#else
#define BENCH_ASYNCIO NULL
#endif
#ifdef KRI_HAVE_UVLOOP
#define BENCH_UVLOOP (&bench_uvloop_command)
#else
#define BENCH_UVLOOP NULL
#endif
#ifdef KRI_MPI_PROGRAM
#define BENCH_MPI (&bench_mpi_command)
#else
#define BENCH_MPI NULL
#endif

/* Who stands in a row: the first for threads, the second for processes that share memory. */
struct bench_peers {
    const struct bench_peer *peers;
    size_t count;
};
extern const struct bench_peers bench_locks[2], bench_semaphores[2], bench_events[2],
    bench_turns[2], bench_barriers[2];

/* Each runs those of its rows whose name contains the filter; NULL: all. */
void bench_lock_rows(const char *filter);
void bench_pingpong_rows(const char *filter);
void bench_queue_rows(const char *filter);
void bench_stream_rows(const char *filter);
void bench_pool_rows(const char *filter);
void bench_process_rows(const char *filter);
void bench_remote_rows(const char *filter);
void bench_coroutine_rows(const char *filter);
void bench_beside_rows(const char *filter);
void bench_echo_rows(const char *filter);
void bench_gil_rows(const char *filter);
void bench_dict_rows(const char *filter);
void bench_list_rows(const char *filter);
void bench_redis_rows(const char *filter);
void bench_trace_rows(const char *filter);
void bench_treesum_rows(const char *filter, const char *program, const char *scratch);

/* One measurement of a row of pools, in the program that was started for it. */
_Noreturn void bench_measure_pool(const char *row, const char *peer, const char *descriptor);

/* The same for processes, and for coroutines and timers; they return where they know no such row.
 */
void bench_measure_process(const char *row, const char *peer, const char *descriptor);
void bench_measure_coroutine(const char *row, const char *peer, const char *descriptor);

/* tree.c: a tree of `count` files with contents that are always the same, made where there is none.
 * False: it cannot be made, and why has been said. */
bool bench_make_tree(const char *directory, unsigned long count, uint64_t *bytes);

#endif
