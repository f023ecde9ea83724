/* The same meeting points by several hands: krait, the C library, others that people use, a bare
 * futex.
 *
 * Each kind of meeting point is a table of functions over storage that begins as zero and is
 * prepared by init.  Tables called _shared are for processes that share the storage.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_PEERS_H
#define KRI_BENCH_PEERS_H

#include "common.h"

enum { BENCH_STORAGE = 512 }; /* bytes, for the largest of them */

/* What the threads of a contended row have in common; see locks.h. */
struct bench_contest;

struct bench_lock {
    void (*init)(void *lock);
    /* The loops of the rows, with direct calls; see locks.h. */
    void (*cycle)(void *lock, unsigned long count);
    void (*contend)(struct bench_contest *contest, int index);
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

struct bench_barrier {
    void (*init)(void *barrier); /* of two */
    void (*wait)(void *barrier);
};

/* The tables, one file a hand. */
extern const struct bench_lock bench_krait_lock, bench_krait_lock_shared, bench_pthread_lock,
    bench_pthread_lock_shared, bench_pthread_lock_robust, bench_futex_lock, bench_futex_lock_shared,
    bench_futex_lock_timed, bench_c11_lock, bench_nsync_lock, bench_glib_lock, bench_ck_lock,
    bench_tbb_lock, bench_boost_lock;
extern const struct bench_semaphore bench_krait_semaphore, bench_krait_semaphore_shared,
    bench_pthread_semaphore, bench_pthread_semaphore_shared, bench_futex_semaphore,
    bench_futex_semaphore_shared, bench_futex_semaphore_timed, bench_std_semaphore,
    bench_boost_semaphore;
extern const struct bench_event bench_krait_event, bench_krait_event_shared, bench_pthread_event,
    bench_pthread_event_shared, bench_futex_event, bench_futex_event_shared,
    bench_futex_event_timed, bench_std_event;
extern const struct bench_turn bench_krait_turn, bench_krait_turn_shared, bench_pthread_turn,
    bench_pthread_turn_shared, bench_futex_turn, bench_futex_turn_shared, bench_futex_turn_timed,
    bench_c11_turn, bench_nsync_turn, bench_glib_turn;
extern const struct bench_barrier bench_krait_barrier, bench_krait_barrier_shared,
    bench_krait_barrier_held, bench_pthread_barrier, bench_pthread_barrier_shared,
    bench_futex_barrier, bench_futex_barrier_shared, bench_futex_barrier_timed, bench_ck_barrier,
    bench_std_barrier;

/* A benchmark that goes wrong has no result. */
_Noreturn void bench_fail(const char *what);
#define BENCH_MUST(call)                                                                           \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            bench_fail(#call);                                                                     \
    } while (0)

#endif
