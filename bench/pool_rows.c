/* The rows of pools, and which peers stand in which; krait is the first of each.
 *
 *     submit1m       one op is an empty task from outside, with its result
 *     fib27-*        one op is a call of fib(27), each a task; -spawn-one: one of two is
 *     rtt-*          one op is a task submitted and waited for: -inline, where the waiter may run
 *                    it itself; -handed, where a worker must; -idle, after a millisecond's sleep
 *     map1m          one op is an item of a loop
 *     map1m-call     the same, but each item is a call of a function that is known by its address
 *     idle           wake-ups of an idle pool's threads in 10 s
 *     crowd-*        tasks with 2, 4, 8 and 32 workers, and what more of them cost
 *     future.*       memory of a future
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool.h"
#include "pool_rows.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>

enum { WORKERS = 2, ROUNDS = 5 };

#ifdef KRI_HAVE_GROUP
#define KRAIT_GROUP (&bench_krait_handed)
#else
#define KRAIT_GROUP NULL
#endif
#ifdef KRI_HAVE_PARALLEL
#define KRAIT_PARALLEL (&bench_krait_pool)
#else
#define KRAIT_PARALLEL NULL
#endif
#ifdef KRI_HAVE_GLIB
#define GLIB (&bench_glib_pool)
#else
#define GLIB NULL
#endif
#ifdef KRI_HAVE_TBB
#define TBB (&bench_tbb_pool)
#else
#define TBB NULL
#endif
#ifdef KRI_HAVE_OPENMP
#define OPENMP (&bench_openmp_pool)
#else
#define OPENMP NULL
#endif
#ifdef KRI_HAVE_UV
#define UV (&bench_uv_pool)
#else
#define UV NULL
#endif
#ifdef KRI_HAVE_DISPATCH
#define DISPATCH (&bench_dispatch_pool)
#else
#define DISPATCH NULL
#endif
#ifdef KRI_HAVE_TASKFLOW
#define TASKFLOW        (&bench_taskflow_pool)
#define TASKFLOW_SILENT (&bench_taskflow_silent)
#else
#define TASKFLOW        NULL
#define TASKFLOW_SILENT NULL
#endif
#ifdef KRI_GO_PROGRAM
#define GO (&bench_go_pool)
#else
#define GO NULL
#endif
#ifdef KRI_PYTHON
#define CPYTHON (&bench_cpython_pool)
#else
#define CPYTHON NULL
#endif

#define PEER_GLIB                                                                                  \
    {                                                                                              \
        "glib", GLIB, "libglib2.0-dev", false                                                      \
    }
#define PEER_TBB                                                                                   \
    {                                                                                              \
        "tbb", TBB, "libtbb-dev, g++", false                                                       \
    }
#define PEER_OPENMP                                                                                \
    {                                                                                              \
        "openmp", OPENMP, "libgomp1, with gcc", false                                              \
    }
#define PEER_UV                                                                                    \
    {                                                                                              \
        "libuv", UV, "libuv1-dev", false                                                           \
    }
#define PEER_DISPATCH                                                                              \
    {                                                                                              \
        "libdispatch", DISPATCH, "libdispatch (not in Debian 12)", false                           \
    }
#define PEER_TASKFLOW                                                                              \
    {                                                                                              \
        "taskflow", TASKFLOW, "Taskflow's headers (not in Debian 12), g++", false                  \
    }
#define PEER_SILENT                                                                                \
    {                                                                                              \
        "taskflow-silent", TASKFLOW_SILENT, "Taskflow's headers (not in Debian 12), g++", false    \
    }
#define PEER_GO                                                                                    \
    {                                                                                              \
        "go", GO, "golang-go", false                                                               \
    }
#define PEER_NAIVE                                                                                 \
    {                                                                                              \
        "naive", &bench_naive_pool, NULL, false                                                    \
    }
#define PEER_CPYTHON                                                                               \
    {                                                                                              \
        "cpython", CPYTHON, "python3", true                                                        \
    }

static const struct bench_peer submit_peers[] = {
    {"krait", &bench_krait_pool, NULL, false},
    PEER_TBB,
    PEER_UV,
    PEER_GLIB,
    {"openmp", OPENMP, "libgomp1, with gcc", true}, /* queues 64 a thread, the others are calls */
    PEER_GO,
    PEER_DISPATCH,
    PEER_TASKFLOW,
    PEER_SILENT,
    PEER_NAIVE,
    PEER_CPYTHON,
};

static const struct bench_peer fib_peers[] = {
    {"krait", KRAIT_GROUP, "src/executor/group.c", false},
    PEER_TASKFLOW,
    PEER_TBB,
    PEER_OPENMP,
    PEER_GO,
};

static const struct bench_peer fib_future_peers[] = {
    {"krait", &bench_krait_handed, NULL, false},
    PEER_TASKFLOW,
    PEER_GO,
};

static const struct bench_peer inline_peers[] = {
    {"krait", &bench_krait_pool, NULL, false},
    {"krait-inside", &bench_krait_inside, NULL, false},
    PEER_TBB,
    PEER_OPENMP,
    PEER_GO,
    PEER_CPYTHON,
};

static const struct bench_peer handed_peers[] = {
    {"krait", &bench_krait_handed, NULL, false},
    PEER_TASKFLOW,
    PEER_DISPATCH,
    PEER_GLIB,
    PEER_NAIVE,
    PEER_UV,
    PEER_CPYTHON,
};

static const struct bench_peer idle_trip_peers[] = {
    {"krait", &bench_krait_pool, NULL, false},
    {"krait-handed", &bench_krait_handed, NULL, false},
    PEER_TASKFLOW,
    PEER_DISPATCH,
    PEER_GLIB,
    PEER_NAIVE,
    PEER_UV,
    PEER_TBB,
    PEER_GO,
    PEER_CPYTHON,
};

static const struct bench_peer loop_peers[] = {
    {"krait", KRAIT_PARALLEL, "src/executor/parallel.c", false},
    {"krait-map", &bench_krait_map, NULL, false},
    PEER_DISPATCH,
    PEER_TBB,
    PEER_OPENMP,
    PEER_TASKFLOW,
    {"sequential", &bench_sequential, NULL, true},
};

static const struct bench_peer loop_call_peers[] = {
    {"krait", &bench_krait_map, NULL, false},      PEER_DISPATCH, PEER_TBB, PEER_OPENMP,
    {"sequential", &bench_sequential, NULL, true},
};

static const struct bench_peer idleness_peers[] = {
    {"krait", &bench_krait_pool, NULL, false},
    PEER_TBB,
    PEER_OPENMP,
    PEER_GLIB,
    PEER_DISPATCH,
    PEER_TASKFLOW,
    PEER_UV,
    PEER_NAIVE,
};

static const struct bench_peer crowd_peers[] = {
    {"krait", &bench_krait_pool, NULL, false}, PEER_TBB, PEER_GLIB, PEER_GO, PEER_NAIVE,
};

#define PEERS(table) .peers = table, .peer_count = sizeof(table) / sizeof *(table)
#define ROW(row, how, table)                                                                       \
    {                                                                                              \
        .name = row, .measure = how, PEERS(table), .place = BENCH_FREE, .threads = WORKERS,        \
        .afresh = row, .rounds = ROUNDS                                                            \
    }
#define CROWD_ROW(row, how, workers)                                                               \
    {                                                                                              \
        .name = row "." #workers, .measure = how, PEERS(crowd_peers), .place = BENCH_FREE,         \
        .threads = workers, .afresh = row "." #workers, .rounds = ROUNDS                           \
    }

static const struct bench_workload placed_rows[] = {
    ROW("submit1m", bench_pool_submit, submit_peers),
    ROW("fib27-group", bench_pool_fib_both, fib_peers),
    ROW("fib27-spawn-one", bench_pool_fib_one, fib_peers),
    ROW("fib27-future", bench_pool_fib_future, fib_future_peers),
    ROW("rtt-inline", bench_pool_hot, inline_peers),
    ROW("rtt-handed", bench_pool_hot, handed_peers),
    ROW("rtt-idle", bench_pool_idle_trips, idle_trip_peers),
    ROW("map1m", bench_pool_loop, loop_peers),
    ROW("map1m-call", bench_pool_loop_call, loop_call_peers),
};

enum { CROWDS = 4 };

static const struct bench_workload crowd_rows[2][CROWDS] = {
    {
        CROWD_ROW("crowd-empty", bench_pool_crowd_empty, 2),
        CROWD_ROW("crowd-empty", bench_pool_crowd_empty, 4),
        CROWD_ROW("crowd-empty", bench_pool_crowd_empty, 8),
        CROWD_ROW("crowd-empty", bench_pool_crowd_empty, 32),
    },
    {
        CROWD_ROW("crowd-work", bench_pool_crowd_work, 2),
        CROWD_ROW("crowd-work", bench_pool_crowd_work, 4),
        CROWD_ROW("crowd-work", bench_pool_crowd_work, 8),
        CROWD_ROW("crowd-work", bench_pool_crowd_work, 32),
    },
};

static const struct bench_pool memory_program = {.program = KRI_MEMORY_PROGRAM};
static const struct bench_peer memory_peers[] = {{"krait", &memory_program, NULL, false}};

/* How often a pool wakes up does not vary by mood, nor does what it asks of the allocator. */
static const struct bench_workload single_rows[] = {
    {.name = "idle",
     .measure = bench_pool_idleness,
     PEERS(idleness_peers),
     .threads = WORKERS,
     .afresh = "idle",
     .rounds = 1},
    {.name = "future.bytes",
     .measure = bench_pool_memory,
     PEERS(memory_peers),
     .threads = WORKERS,
     .afresh = "future.bytes",
     .rounds = 1},
    {.name = "future.allocations",
     .measure = bench_pool_memory,
     PEERS(memory_peers),
     .threads = WORKERS,
     .afresh = "future.allocations",
     .rounds = 1},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* `pool` is a word for all of them. */
static bool wanted(const char *row, const char *filter)
{
    return bench_wanted(row, filter) || bench_wanted("pool", filter);
}

static void run_placed(const struct bench_workload *row, enum bench_place place, const char *behind,
                       const char *filter)
{
    char name[64];
    struct bench_workload placed = *row;
    snprintf(name, sizeof name, "%s%s", row->name, behind);
    placed.name = name;
    placed.place = place;
    if (wanted(name, filter))
        bench_run_together(&placed, 1);
}

static void run_crowds(const struct bench_workload rows[CROWDS], const char *filter)
{
    bool any = false;
    for (size_t i = 0; i < CROWDS; i++)
        any = any || wanted(rows[i].name, filter);
    if (!any)
        return;
    bench_run_together(rows, CROWDS);
    for (size_t i = 1; i < CROWDS; i++) {
        for (size_t peer = 0; peer < rows[0].peer_count; peer++) {
            double few = bench_median(0, peer), many = bench_median(i, peer);
            if (few > 0 && many > 0)
                printf("%-30s %-16s beside that with %d workers %12s %8.2f\n", rows[i].name,
                       rows[0].peers[peer].name, rows[0].threads, "", many / few);
        }
    }
}

void bench_pool_rows(const char *filter)
{
    for (size_t i = 0; i < COUNT(placed_rows); i++) {
        run_placed(&placed_rows[i], BENCH_FREE, "", filter);
        run_placed(&placed_rows[i], BENCH_ONE_CPU, ".1cpu", filter);
    }
    for (size_t i = 0; i < COUNT(crowd_rows); i++)
        run_crowds(crowd_rows[i], filter);
    for (size_t i = 0; i < COUNT(single_rows); i++)
        run_placed(&single_rows[i], BENCH_FREE, "", filter);
}

static const struct bench_workload *find(const struct bench_workload *rows, size_t count,
                                         const char *row)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].afresh, row) == 0)
            return &rows[i];
    }
    return NULL;
}

_Noreturn void bench_measure_pool(const char *row, const char *peer, const char *descriptor)
{
    const struct bench_workload *found = find(placed_rows, COUNT(placed_rows), row);
    for (size_t i = 0; i < COUNT(crowd_rows) && !found; i++)
        found = find(crowd_rows[i], CROWDS, row);
    if (!found)
        found = find(single_rows, COUNT(single_rows), row);
    if (!found)
        bench_fail(row);
    bench_measure_afresh(found, peer, descriptor);
}
