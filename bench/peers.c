/* Which peers stand in which row; krait is the first of each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"

#include <stdio.h>
#include <unistd.h>

#ifdef KRI_HAVE_NSYNC
#define NSYNC_LOCK (&bench_nsync_lock)
#define NSYNC_TURN (&bench_nsync_turn)
#else
#define NSYNC_LOCK NULL
#define NSYNC_TURN NULL
#endif

const struct bench_peer bench_locks[BENCH_LOCKS] = {
    {"krait", &bench_krait_lock, NULL, false},
    {"pthread", &bench_pthread_lock, NULL, false},
    {"nsync", NSYNC_LOCK, "libnsync-dev", false},
    {"futex", &bench_futex_lock, NULL, false},
};

const struct bench_peer bench_semaphores[BENCH_SEMAPHORES] = {
    {"krait", &bench_krait_semaphore, NULL, false},
    {"pthread", &bench_pthread_semaphore, NULL, false},
    {"futex", &bench_futex_semaphore, NULL, false},
};

const struct bench_peer bench_events[BENCH_EVENTS] = {
    {"krait", &bench_krait_event, NULL, false},
    {"pthread", &bench_pthread_event, NULL, false},
    {"futex", &bench_futex_event, NULL, false},
};

const struct bench_peer bench_turns[BENCH_TURNS] = {
    {"krait", &bench_krait_turn, NULL, false},
    {"pthread", &bench_pthread_turn, NULL, false},
    {"nsync", NSYNC_TURN, "libnsync-dev", false},
    {"futex", &bench_futex_turn, NULL, false},
};

void bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s failed\n", what);
    _exit(1);
}
