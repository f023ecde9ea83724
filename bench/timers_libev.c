/* libev's timers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "timers.h"

/* Its macros for C of long ago. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <ev.h>
#pragma GCC diagnostic pop

#include <stdlib.h>

static struct ev_loop *loop;
static ev_timer *timers;

static void fire(struct ev_loop *of, ev_timer *timer, int events)
{
    (void)of;
    (void)timer;
    (void)events;
    bench_timers_fired++;
}

static void arm(const unsigned *delays, size_t count)
{
    loop = ev_loop_new(EVFLAG_AUTO);
    timers = calloc(count, sizeof *timers);
    if (!loop || !timers)
        bench_fail("ev_loop_new");
    for (size_t i = 0; i < count; i++) {
        ev_set_cb(&timers[i], fire);
        timers[i].at = delays[i] / 1e3;
        ev_timer_start(loop, &timers[i]);
    }
}

static void run(void)
{
    ev_run(loop, 0);
}

static void rearm(const unsigned *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i % BENCH_LOOK_EVERY == 0)
            ev_now_update(loop);
        timers[numbers[i]].repeat = BENCH_TIMEOUT / 1e3;
        ev_timer_again(loop, &timers[numbers[i]]);
    }
}

const struct bench_timers bench_libev_timers = {arm, run, rearm, NULL};
