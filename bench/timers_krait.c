/* krait's timers: those of a loop by themselves, with nothing but a sleep around them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "timers.h"

#include "loop/timers.h"
#include "os/os.h"
#include "wait/wait.h"

#include <stdlib.h>
#include <time.h>

static const kr_time SECOND = 1000000000, MILLISECOND = 1000000;

static kri_timers all;
static kri_timer *timers;

static void fire(kri_timer *timer)
{
    (void)timer;
    bench_timers_fired++;
}

static void arm(const unsigned *delays, size_t count)
{
    timers = calloc(count, sizeof *timers);
    if (!timers || kri_timers_reserve(&all, count) != 0)
        bench_fail("kri_timers_reserve");
    kr_time now = os_now();
    for (size_t i = 0; i < count; i++) {
        timers[i].fire = fire;
        kri_timers_set(&all, &timers[i], now + delays[i] * MILLISECOND);
    }
}

static void run(void)
{
    for (kr_time next; (next = kri_timers_next(&all)) != KRI_NEVER;) {
        struct timespec until = {next / SECOND, next % SECOND};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        (void)kri_timers_fire(&all, os_now(), SIZE_MAX);
    }
}

static void rearm(const unsigned *numbers, size_t count)
{
    kr_time now = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % BENCH_LOOK_EVERY == 0)
            now = os_now();
        kri_timers_set(&all, &timers[numbers[i]], now + BENCH_TIMEOUT * MILLISECOND);
    }
}

const struct bench_timers bench_krait_timers = {arm, run, rearm, NULL};
