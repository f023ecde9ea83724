/* The rows of coroutines and timers, and which peers stand in which; krait is the first of each.
 *
 *     coroutine.switch    one op is a bare switch
 *     coroutine.create    one op is a coroutine made, run and given back, without a scheduler
 *     coroutine.yield     one op is a yield of one of two
 *     coroutine.spawn     one op is a coroutine started, run, and its result taken
 *     coroutine.queue     one op is a number to another coroutine and back by two queues
 *     coroutine.memory    not nanoseconds but bytes that become resident, each, with 100,000 alive
 *     coroutine.handover  the same number between a thread and a coroutine in another one
 *     sleep.gather        CPU time of one of 10,000 coroutines that sleep
 *     timers.fire         CPU time of one of 1,000,000 timers, set and fired
 *     timers.rearm        CPU time of setting one of those anew, by turns; .random: in any order
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine_rows.h"
#include "coroutine.h"
#include "rows.h"
#include "timers.h"

#include <string.h>

enum { ROUNDS = 5, LONG_ROUNDS = 3 };

#ifdef KRI_HAVE_CONTEXT
#define KRAIT_BARE (&bench_krait_bare)
#else
#define KRAIT_BARE NULL
#endif
#ifdef KRI_HAVE_LOOP
#define KRAIT          (&bench_krait_coroutines)
#define KRAIT_HANDOVER (&bench_handover_coroutine)
#define KRAIT_SLEEPERS (&bench_krait_sleepers)
#else
#define KRAIT          NULL
#define KRAIT_HANDOVER NULL
#define KRAIT_SLEEPERS NULL
#endif
#ifdef KRI_HAVE_TIMERS
#define KRAIT_TIMERS (&bench_krait_timers)
#else
#define KRAIT_TIMERS NULL
#endif
#ifdef KRI_HAVE_CALL_LATER
#define KRAIT_LATER (&bench_krait_later)
#else
#define KRAIT_LATER NULL
#endif
#ifdef KRI_HAVE_BOOST_CONTEXT
#define CONTEXT  (&bench_boost_context)
#define FCONTEXT (&bench_boost_fcontext)
#else
#define CONTEXT  NULL
#define FCONTEXT NULL
#endif
#ifdef KRI_HAVE_BOOST_COROUTINE2
#define COROUTINE2 (&bench_boost_coroutine2)
#else
#define COROUTINE2 NULL
#endif
#ifdef KRI_HAVE_BOOST_FIBER
#define FIBER (&bench_boost_fiber)
#else
#define FIBER NULL
#endif
#ifdef KRI_HAVE_PTH
#define PTH (&bench_pth)
#else
#define PTH NULL
#endif
#ifdef KRI_HAVE_LIBEV
#define LIBEV (&bench_libev_timers)
#else
#define LIBEV NULL
#endif
#ifdef KRI_HAVE_UV
#define UV (&bench_libuv_timers)
#else
#define UV NULL
#endif

/* clang-format off */
#define PEER(name, subject, package) {name, subject, package, false}
#define ASIDE(name, subject, package) {name, subject, package, true}
#define PEER_CONTEXT PEER("boost.context", CONTEXT, "libboost-context-dev, g++")
#define PEER_FCONTEXT PEER("boost.fcontext", FCONTEXT, "libboost-context-dev, g++")
#define PEER_FIBER PEER("boost.fiber", FIBER, "libboost-fiber-dev, g++")
#define PEER_PTH PEER("pth", PTH, "libpth-dev")
#define PEER_GO PEER("go", BENCH_GO, "golang-go")
#define PEER_UVLOOP PEER("uvloop", BENCH_UVLOOP, "python3-uvloop")
#define PEER_ASYNCIO PEER("asyncio", BENCH_ASYNCIO, "python3")

static const struct bench_peer switch_peers[] = {
    PEER("krait", KRAIT_BARE, "krait's contexts"),
    PEER_FCONTEXT, PEER_CONTEXT,
    PEER("boost.coroutine2", COROUTINE2, "libboost-coroutine-dev, g++"),
    PEER("ucontext", &bench_ucontext, NULL),
};

/* fcontext's stack is always the same one. */
static const struct bench_peer create_peers[] = {
    PEER("krait", KRAIT_BARE, "krait's contexts"),
    PEER_CONTEXT,
    ASIDE("boost.fcontext", FCONTEXT, "libboost-context-dev, g++"),
    ASIDE("ucontext", &bench_ucontext, NULL),
};

static const struct bench_peer loop_peers[] = {
    PEER("krait", KRAIT, "krait's loop"),
    PEER_FIBER, PEER_PTH, PEER_GO, PEER_UVLOOP, PEER_ASYNCIO,
};

static const struct bench_peer memory_peers[] = {
    PEER("krait", KRAIT, "krait's loop"),
    PEER_CONTEXT, PEER_FIBER, PEER_PTH, PEER_GO, PEER_UVLOOP, PEER_ASYNCIO,
};

static const struct bench_peer handover_peers[] = {
    PEER("krait", KRAIT_HANDOVER, "krait's loop"),
    PEER("threads", &bench_handover_threads, NULL),
};

static const struct bench_peer sleep_peers[] = {
    PEER("krait", KRAIT_SLEEPERS, "krait's loop"),
    PEER_GO, PEER_UVLOOP, PEER_ASYNCIO,
};

/* What a wheel of slots can do is less than what a heap can. */
static const struct bench_peer timer_peers[] = {
    PEER("krait", KRAIT_TIMERS, "krait's timers"),
    PEER("krait-later", KRAIT_LATER, "krait's kr_call_later"),
    PEER("libev", LIBEV, "libev-dev"),
    PEER("libuv", UV, "libuv1-dev"),
    ASIDE("wheel", &bench_wheel_timers, NULL),
};
/* clang-format on */

#define PEERS(table) .peers = table, .peer_count = sizeof(table) / sizeof *(table)
#define ROW(row, how, table, where, times)                                                         \
    {                                                                                              \
        .name = row, .measure = how, PEERS(table), .place = where, .threads = 1, .afresh = row,    \
        .rounds = times                                                                            \
    }

static const struct bench_workload rows[] = {
    ROW("coroutine.switch", bench_coroutine_switch, switch_peers, BENCH_ONE_CPU, ROUNDS),
    ROW("coroutine.create", bench_coroutine_create, create_peers, BENCH_ONE_CPU, ROUNDS),
    ROW("coroutine.yield", bench_coroutine_yield, loop_peers, BENCH_ONE_CPU, ROUNDS),
    ROW("coroutine.spawn", bench_coroutine_spawn, loop_peers, BENCH_ONE_CPU, ROUNDS),
    ROW("coroutine.queue", bench_coroutine_queue, loop_peers, BENCH_ONE_CPU, ROUNDS),
    ROW("coroutine.memory", bench_coroutine_memory, memory_peers, BENCH_FREE, LONG_ROUNDS),
    ROW("sleep.gather", bench_sleep_gather, sleep_peers, BENCH_FREE, LONG_ROUNDS),
    ROW("timers.fire", bench_timers_fire, timer_peers, BENCH_ONE_CPU, LONG_ROUNDS),
    ROW("timers.rearm", bench_timers_rearm, timer_peers, BENCH_ONE_CPU, LONG_ROUNDS),
    ROW("timers.rearm.random", bench_timers_rearm_random, timer_peers, BENCH_ONE_CPU, LONG_ROUNDS),
};

static const struct bench_workload handover = {
    .name = "coroutine.handover", .measure = bench_coroutine_handover, PEERS(handover_peers)};

void bench_coroutine_rows(const char *filter)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bench_run(&rows[i], filter);
    bench_run_placed(&handover, filter);
}

void bench_measure_coroutine(const char *row, const char *peer, const char *descriptor)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].afresh, row) == 0)
            bench_measure_afresh(&rows[i], peer, descriptor);
    }
}
