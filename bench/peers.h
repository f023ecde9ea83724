/* The same meeting points by several hands: krait, the C library, nsync, a bare futex.
 *
 * Each kind of meeting point is a table of functions over storage that begins as zero and is
 * prepared by init.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_PEERS_H
#define KRI_BENCH_PEERS_H

#include "common.h"

enum { BENCH_STORAGE = 256 }; /* bytes, for the largest of them */

struct bench_lock {
    void (*init)(void *lock);
    void (*acquire)(void *lock);
    void (*release)(void *lock);
};

struct bench_semaphore {
    void (*init)(void *semaphore); /* no permit */
    void (*acquire)(void *semaphore);
    void (*release)(void *semaphore);
};

struct bench_event {
    void (*init)(void *event);
    void (*set)(void *event);
    void (*wait_and_clear)(void *event);
};

/* A number under a lock, which others wait to change. */
struct bench_turn {
    void (*init)(void *turn);
    void (*pass)(void *turn, int mine, int next); /* wait until it is mine, make it the next's */
};

enum { BENCH_LOCKS = 4, BENCH_SEMAPHORES = 3, BENCH_EVENTS = 3, BENCH_TURNS = 4 };
extern const struct bench_peer bench_locks[BENCH_LOCKS];
extern const struct bench_peer bench_semaphores[BENCH_SEMAPHORES];
extern const struct bench_peer bench_events[BENCH_EVENTS];
extern const struct bench_peer bench_turns[BENCH_TURNS];

/* The tables, one file a hand. */
extern const struct bench_lock bench_krait_lock, bench_pthread_lock, bench_futex_lock;
extern const struct bench_semaphore bench_krait_semaphore, bench_pthread_semaphore,
    bench_futex_semaphore;
extern const struct bench_event bench_krait_event, bench_pthread_event, bench_futex_event;
extern const struct bench_turn bench_krait_turn, bench_pthread_turn, bench_futex_turn;
#ifdef KRI_HAVE_NSYNC
extern const struct bench_lock bench_nsync_lock;
extern const struct bench_turn bench_nsync_turn;
#endif

/* A benchmark that goes wrong has no result. */
_Noreturn void bench_fail(const char *what);
#define BENCH_MUST(call)                                                                           \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            bench_fail(#call);                                                                     \
    } while (0)

#endif
