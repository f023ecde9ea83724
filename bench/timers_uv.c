/* libuv's timers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "timers.h"

#include <stdlib.h>
#include <uv.h>

static uv_loop_t loop;
static uv_timer_t *timers;

static void fire(uv_timer_t *timer)
{
    (void)timer;
    bench_timers_fired++;
}

static void arm(const unsigned *delays, size_t count)
{
    timers = calloc(count, sizeof *timers);
    if (uv_loop_init(&loop) != 0 || !timers)
        bench_fail("uv_loop_init");
    for (size_t i = 0; i < count; i++) {
        BENCH_MUST(uv_timer_init(&loop, &timers[i]));
        BENCH_MUST(uv_timer_start(&timers[i], fire, delays[i], 0));
    }
}

static void run(void)
{
    BENCH_MUST(uv_run(&loop, UV_RUN_DEFAULT));
}

static void rearm(const unsigned *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i % BENCH_LOOK_EVERY == 0)
            uv_update_time(&loop);
        BENCH_MUST(uv_timer_start(&timers[numbers[i]], fire, BENCH_TIMEOUT, 0));
    }
}

const struct bench_timers bench_libuv_timers = {arm, run, rearm, NULL};
