/* The same timers by many hands, each in one thread with a loop of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_TIMERS_H
#define KRI_BENCH_TIMERS_H

#include <stddef.h>

enum { BENCH_TIMEOUT = 60000, BENCH_LOOK_EVERY = 64 };

struct bench_timers {
    /* Make `count` timers and set each to fire once after so many milliseconds. */
    void (*arm)(const unsigned *delays, size_t count);
    /* Run the loop until none is left. */
    void (*run)(void);
    /* Set that of each number anew, to BENCH_TIMEOUT milliseconds from now; look at the clock after
     * every BENCH_LOOK_EVERY, as a loop does between its rounds. */
    void (*rearm)(const unsigned *numbers, size_t count);
    /* Where it is set, the others are called in there only. */
    void (*inside)(void (*body)(void *arg), void *arg);
};

extern const struct bench_timers bench_krait_timers, bench_krait_later, bench_libev_timers,
    bench_libuv_timers, bench_wheel_timers;

/* How many have fired: for those who implement it to count up. */
extern size_t bench_timers_fired;

#endif
