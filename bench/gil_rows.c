/* The rows of interpreter locks, and which peers stand in which.
 *
 *     gil.check       a check point when nobody asks; `loop` is the loop without it
 *     gil.region      the lock given away and taken again, uncontended
 *     gil.handover    from one who has it to another who wants it, .free, .1cpu, .2cpu
 *     gil.compute.kN  N threads of one interpreter compute; one op is a round of any of them
 *     gil.udp.kN, gil.tcp.kN, with .think, .2cpu after
 *                     a request of 64 bytes and its answer by another thread beside them, back to
 *                     back or 2 ms apart; .2cpu: those that compute on one processor, the thread
 *                     that answers and the client on a second
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_rows.h"
#include "rows.h"

#include <stdio.h>

enum { ROUNDS = 3, COMPUTE_ROWS = 3 };

#ifdef KRI_GIL_LUA
#define LUA(policy) (&(const struct bench_gil_host){KRI_GIL_LUA, policy})
#else
#define LUA(policy) NULL
#endif
#ifdef KRI_PYTHON_INSTALLED
#define CPYTHON (&(const struct bench_gil_host){KRI_PYTHON_INSTALLED " " KRI_PYTHON_GIL, NULL})
#else
#define CPYTHON NULL
#endif
#ifdef KRI_PYTHON_NEWER
#define NEWER (&(const struct bench_gil_host){KRI_PYTHON_NEWER " " KRI_PYTHON_GIL, NULL})
#else
#define NEWER                 NULL
#define KRI_PYTHON_NEWER_NAME "cpython-newer"
#endif

static const struct bench_peer hosts[] = {
    {"krait", LUA("deadline"), "liblua5.4-dev", false},
    {"no-lock", &(const struct bench_gil_host){KRI_BARE_PROGRAM, NULL}, NULL, true},
    {"lua-interval", LUA("interval"), "liblua5.4-dev", true},
    {"lua-ticks", LUA("ticks"), "liblua5.4-dev", true},
    {"cpython", CPYTHON, "python3", false},
#ifdef KRI_PYTHON_NEWER
    {KRI_PYTHON_NEWER_NAME, NEWER, "python3", true},
#endif
};

#define ROW(row, how, computing, where)                                                            \
    {                                                                                              \
        .name = row, .measure = how, .peers = hosts, .peer_count = sizeof hosts / sizeof *hosts,   \
        .threads = computing, .place = where, .rounds = ROUNDS                                     \
    }
#define CONVOY(row, count, where)                                                                  \
    ROW("gil.udp." row, bench_gil_convoy, count, where),                                           \
        ROW("gil.tcp." row, bench_gil_convoy, count, where)
#define CONVOYS(row, count)                                                                        \
    CONVOY(row, count, BENCH_FREE), CONVOY(row ".2cpu", count, BENCH_TWO_CPUS),                    \
        CONVOY(row ".think", count, BENCH_FREE), CONVOY(row ".think.2cpu", count, BENCH_TWO_CPUS)

static const struct bench_workload convoys[] = {CONVOYS("k0", 0), CONVOYS("k1", 1),
                                                CONVOYS("k2", 2), CONVOYS("k4", 4)};

static const struct bench_workload computing[COMPUTE_ROWS] = {
    ROW("gil.compute.k1", bench_gil_compute, 1, BENCH_FREE),
    ROW("gil.compute.k2", bench_gil_compute, 2, BENCH_FREE),
    ROW("gil.compute.k4", bench_gil_compute, 4, BENCH_FREE),
};

static const struct bench_peer checks[] = {
    {"krait", &bench_gil_check, NULL, false},
    {"loop", &bench_gil_no_check, NULL, true},
};
static const struct bench_peer regions[] = {
    {"krait", &bench_gil_region, NULL, false},
    {"pthread", &bench_gil_mutex, NULL, false},
};

static const struct bench_turn *const no_turn, *const futex_turn = &bench_futex_turn;
static const struct bench_peer handovers[] = {
    {"krait", &no_turn, NULL, false},
    {"futex", &futex_turn, NULL, false},
};

#define ALONE(row, who)                                                                            \
    {                                                                                              \
        .name = row, .measure = bench_gil_alone, .peers = who,                                     \
        .peer_count = sizeof who / sizeof *who                                                     \
    }
static const struct bench_workload alone[] = {ALONE("gil.check", checks),
                                              ALONE("gil.region", regions)};
static const struct bench_workload handover = {.name = "gil.handover",
                                               .measure = bench_gil_handover,
                                               .peers = handovers,
                                               .peer_count = 2,
                                               .threads = 2,
                                               .rounds = 5};

/* What several compute together, as a part of what one does. */
static void print_together(void)
{
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        double one = bench_median(0, i), two = bench_median(1, i), four = bench_median(2, i);
        if (one > 0 && two > 0 && four > 0)
            printf("%-30s %-16s two: %.3f   four: %.3f of one\n", "gil.compute", hosts[i].name,
                   one / two, one / four);
    }
}

void bench_gil_rows(const char *filter)
{
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        bench_run(&alone[i], filter);
    bench_run_placed(&handover, filter);
    if (bench_wanted("gil.compute.", filter)) {
        bench_run_together(computing, COMPUTE_ROWS);
        print_together();
    }
    for (size_t i = 0; i < sizeof convoys / sizeof *convoys; i++)
        bench_run(&convoys[i], filter);
}
