/* Which peers stand in which row; krait is the first of each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include <stdio.h>
#include <unistd.h>

#ifdef KRI_HAVE_SHARED_LOCK
#define KRAIT_LOCK_SHARED (&bench_krait_lock_shared)
#else
#define KRAIT_LOCK_SHARED NULL
#endif
#ifdef KRI_HAVE_SHARED_SEMAPHORE
#define KRAIT_SEMAPHORE_SHARED (&bench_krait_semaphore_shared)
#else
#define KRAIT_SEMAPHORE_SHARED NULL
#endif
#ifdef KRI_HAVE_SHARED_EVENT
#define KRAIT_EVENT_SHARED (&bench_krait_event_shared)
#else
#define KRAIT_EVENT_SHARED NULL
#endif
#ifdef KRI_HAVE_SHARED_CONDITION
#define KRAIT_TURN_SHARED (&bench_krait_turn_shared)
#else
#define KRAIT_TURN_SHARED NULL
#endif
#ifdef KRI_HAVE_BARRIER
#define KRAIT_BARRIER        (&bench_krait_barrier)
#define KRAIT_BARRIER_SHARED (&bench_krait_barrier_shared)
#define KRAIT_BARRIER_HELD   (&bench_krait_barrier_held)
#else
#define KRAIT_BARRIER        NULL
#define KRAIT_BARRIER_SHARED NULL
#define KRAIT_BARRIER_HELD   NULL
#endif
#ifdef KRI_HAVE_NSYNC
#define NSYNC_LOCK (&bench_nsync_lock)
#define NSYNC_TURN (&bench_nsync_turn)
#else
#define NSYNC_LOCK NULL
#define NSYNC_TURN NULL
#endif
#ifdef KRI_HAVE_GLIB
#define GLIB_LOCK (&bench_glib_lock)
#define GLIB_TURN (&bench_glib_turn)
#else
#define GLIB_LOCK NULL
#define GLIB_TURN NULL
#endif
#ifdef KRI_HAVE_CK
#define CK_LOCK    (&bench_ck_lock)
#define CK_BARRIER (&bench_ck_barrier)
#else
#define CK_LOCK    NULL
#define CK_BARRIER NULL
#endif
#ifdef KRI_HAVE_TBB_MUTEX
#define TBB_LOCK (&bench_tbb_lock)
#else
#define TBB_LOCK NULL
#endif
#ifdef KRI_HAVE_BOOST_MUTEX
#define BOOST_LOCK      (&bench_boost_lock)
#define BOOST_SEMAPHORE (&bench_boost_semaphore)
#else
#define BOOST_LOCK      NULL
#define BOOST_SEMAPHORE NULL
#endif
#ifdef KRI_HAVE_STD
#define STD_SEMAPHORE (&bench_std_semaphore)
#define STD_EVENT     (&bench_std_event)
#define STD_BARRIER   (&bench_std_barrier)
#else
#define STD_SEMAPHORE NULL
#define STD_EVENT     NULL
#define STD_BARRIER   NULL
#endif

#define BOOST_PACKAGES "libboost-dev, g++"

/* It takes a bare spinlock to see what the hardware gives; it is no peer. */
static const struct bench_peer locks[] = {
    {"krait", &bench_krait_lock, NULL, false},    {"pthread", &bench_pthread_lock, NULL, false},
    {"c11", &bench_c11_lock, NULL, false},        {"nsync", NSYNC_LOCK, "libnsync-dev", false},
    {"glib", GLIB_LOCK, "libglib2.0-dev", false}, {"tbb", TBB_LOCK, "libtbb-dev, g++", false},
    {"go", BENCH_GO, "golang-go", false},         {"futex", &bench_futex_lock, NULL, false},
    {"ck-spinlock", CK_LOCK, "libck-dev", true},  {"cpython", BENCH_CPYTHON, "python3", true},
};

static const struct bench_peer locks_shared[] = {
    {"krait", KRAIT_LOCK_SHARED, "krait's lock in shared memory", false},
    {"pthread-robust", &bench_pthread_lock_robust, NULL, false},
    {"pthread-shared", &bench_pthread_lock_shared, NULL, false},
    {"boost", BOOST_LOCK, BOOST_PACKAGES, false},
    {"futex", &bench_futex_lock_shared, NULL, false},
    {"cpython", BENCH_CPYTHON, "python3", true},
};

/* Goroutines hand over without the kernel as long as one thread runs them: to be looked at. */
static const struct bench_peer semaphores[] = {
    {"krait", &bench_krait_semaphore, NULL, false},
    {"pthread", &bench_pthread_semaphore, NULL, false},
    {"std", STD_SEMAPHORE, "g++", false},
    {"go", BENCH_GO, "golang-go", true},
    {"futex", &bench_futex_semaphore, NULL, false},
    {"cpython", BENCH_CPYTHON, "python3", true},
};

static const struct bench_peer semaphores_shared[] = {
    {"krait", KRAIT_SEMAPHORE_SHARED, "krait's semaphore in shared memory", false},
    {"pthread", &bench_pthread_semaphore_shared, NULL, false},
    {"boost", BOOST_SEMAPHORE, BOOST_PACKAGES, false},
    {"futex", &bench_futex_semaphore_shared, NULL, false},
    {"futex-timed", &bench_futex_semaphore_timed, NULL, false},
    {"cpython", BENCH_CPYTHON, "python3", true},
};

static const struct bench_peer events[] = {
    {"krait", &bench_krait_event, NULL, false},
    {"pthread", &bench_pthread_event, NULL, false},
    {"std", STD_EVENT, "g++", false},
    {"futex", &bench_futex_event, NULL, false},
    {"cpython", BENCH_CPYTHON, "python3", true},
};

static const struct bench_peer events_shared[] = {
    {"krait", KRAIT_EVENT_SHARED, "krait's event in shared memory", false},
    {"pthread", &bench_pthread_event_shared, NULL, false},
    {"futex", &bench_futex_event_shared, NULL, false},
    {"futex-timed", &bench_futex_event_timed, NULL, false},
    {"cpython", BENCH_CPYTHON, "python3", true},
};

static const struct bench_peer turns[] = {
    {"krait", &bench_krait_turn, NULL, false},    {"pthread", &bench_pthread_turn, NULL, false},
    {"c11", &bench_c11_turn, NULL, false},        {"nsync", NSYNC_TURN, "libnsync-dev", false},
    {"glib", GLIB_TURN, "libglib2.0-dev", false}, {"go", BENCH_GO, "golang-go", true},
    {"futex", &bench_futex_turn, NULL, false},    {"cpython", BENCH_CPYTHON, "python3", true},
};

static const struct bench_peer turns_shared[] = {
    {"krait", KRAIT_TURN_SHARED, "krait's condition in shared memory", false},
    {"pthread", &bench_pthread_turn_shared, NULL, false},
    {"futex", &bench_futex_turn_shared, NULL, false},
    {"futex-timed", &bench_futex_turn_timed, NULL, false},
    {"cpython", BENCH_CPYTHON, "python3", true},
};

static const struct bench_peer barriers[] = {
    {"krait", KRAIT_BARRIER, "krait's barrier", false},
    {"pthread", &bench_pthread_barrier, NULL, false},
    {"std", STD_BARRIER, "g++", false},
    {"futex", &bench_futex_barrier, NULL, false},
    {"ck", CK_BARRIER, "libck-dev", true},
    {"cpython", BENCH_CPYTHON, "python3", true},
};

static const struct bench_peer barriers_shared[] = {
    {"krait", KRAIT_BARRIER_SHARED, "krait's barrier", false},
    {"krait-holders", KRAIT_BARRIER_HELD, "krait's barrier", false},
    {"pthread", &bench_pthread_barrier_shared, NULL, false},
    {"futex", &bench_futex_barrier_shared, NULL, false},
    {"futex-timed", &bench_futex_barrier_timed, NULL, false},
    {"cpython", BENCH_CPYTHON, "python3", true},
};

#define PEERS(table)                                                                               \
    {                                                                                              \
        table, sizeof(table) / sizeof *(table)                                                     \
    }

const struct bench_peers bench_locks[2] = {PEERS(locks), PEERS(locks_shared)};
const struct bench_peers bench_semaphores[2] = {PEERS(semaphores), PEERS(semaphores_shared)};
const struct bench_peers bench_events[2] = {PEERS(events), PEERS(events_shared)};
const struct bench_peers bench_turns[2] = {PEERS(turns), PEERS(turns_shared)};
const struct bench_peers bench_barriers[2] = {PEERS(barriers), PEERS(barriers_shared)};

/* Programs of their own */

#ifndef KRI_GO_PROGRAM
#define KRI_GO_PROGRAM ""
#endif
#ifndef KRI_PYTHON
#define KRI_PYTHON         ""
#define KRI_PYTHON_MEET    ""
#define KRI_PYTHON_PROCESS ""
#define KRI_PYTHON_DICT    ""
#define KRI_PYTHON_LIST    ""
#endif
#ifndef KRI_PYTHON_LOOPS
#define KRI_PYTHON_LOOPS     ""
#define KRI_PYTHON_COROUTINE ""
#endif
#ifndef KRI_MPI_PROGRAM
#define KRI_MPI_PROGRAM ""
#define KRI_MPI_START   ""
#endif

const struct bench_command bench_go_command = {KRI_GO_PROGRAM, ""};
const struct bench_command bench_cpython_command = {KRI_PYTHON_MEET, KRI_PYTHON};
#define KIND(name)                                                                                 \
    {                                                                                              \
        KRI_PYTHON_PROCESS, "env KR_PEER=" name " " KRI_PYTHON                                     \
    }
const struct bench_command bench_cpython_kinds[BENCH_CPYTHON_KINDS] = {
    [BENCH_CPYTHON_POOL] = KIND("pool"),
    [BENCH_CPYTHON_EXECUTOR] = KIND("executor"),
    [BENCH_CPYTHON_PIPE] = KIND("pipe"),
    [BENCH_CPYTHON_FORK] = KIND("fork"),
    [BENCH_CPYTHON_FORKSERVER] = KIND("forkserver"),
    [BENCH_CPYTHON_SPAWN] = KIND("spawn"),
};
const struct bench_command bench_cpython_dict_command = {KRI_PYTHON_DICT, KRI_PYTHON};
const struct bench_command bench_cpython_list_command = {KRI_PYTHON_LIST, KRI_PYTHON};
const struct bench_command bench_asyncio_command = {KRI_PYTHON_COROUTINE, KRI_PYTHON_LOOPS};
const struct bench_command bench_uvloop_command = {KRI_PYTHON_COROUTINE,
                                                   "env KR_PEER=uvloop " KRI_PYTHON_LOOPS};
const struct bench_command bench_mpi_command = {KRI_MPI_PROGRAM, KRI_MPI_START};

void bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s failed\n", what);
    _exit(1);
}
