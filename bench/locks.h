/* The loops in which locks are measured, made anew for each of them: a call through a pointer is a
 * tenth of what an uncontended lock takes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_LOCKS_H
#define KRI_BENCH_LOCKS_H

#include "base/atomic.h"
#include "peers.h"

#include <stdalign.h>

enum { BENCH_INSIDE = 8, BENCH_OUTSIDE = 20, BENCH_LOOK = 256 };

struct bench_contest {
    alignas(64) unsigned char lock[BENCH_STORAGE];
    alignas(64) uint64_t guarded[BENCH_INSIDE];
    struct {
        alignas(64) uint64_t sections;
        uint64_t random;
    } own[16];
    alignas(64) kr_word over;
    alignas(64) double duration;
};

typedef void bench_lock_call(void *lock);

static inline __attribute__((always_inline)) void bench_cycle(void *lock, unsigned long count,
                                                              bench_lock_call *acquire,
                                                              bench_lock_call *release)
{
    for (unsigned long i = 0; i < count; i++) {
        acquire(lock);
        release(lock);
    }
}

static inline __attribute__((always_inline)) void bench_contend(struct bench_contest *contest,
                                                                int index, bench_lock_call *acquire,
                                                                bench_lock_call *release)
{
    uint64_t sections = 0, random = (uint64_t)index + 1;
    double end = bench_now() + contest->duration;
    while (!kri_load_rlx(&contest->over)) {
        acquire(contest->lock);
        for (int i = 0; i < BENCH_INSIDE; i++)
            contest->guarded[i]++;
        release(contest->lock);
        for (int i = 0; i < BENCH_OUTSIDE; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
        }
        if (++sections % BENCH_LOOK == 0 && bench_now() >= end)
            kri_store_rlx(&contest->over, 1);
    }
    contest->own[index].sections = sections;
    contest->own[index].random = random;
}

/* The table NAME, of a lock with these functions. */
#define BENCH_LOCK(name, init, acquire, release)                                                   \
    static void name##_cycle(void *lock, unsigned long count)                                      \
    {                                                                                              \
        bench_cycle(lock, count, acquire, release);                                                \
    }                                                                                              \
    static void name##_contend(struct bench_contest *contest, int index)                           \
    {                                                                                              \
        bench_contend(contest, index, acquire, release);                                           \
    }                                                                                              \
    const struct bench_lock name = {init, name##_cycle, name##_contend}

#endif
