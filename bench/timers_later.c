/* krait's calls at a time, in the loop of kr_run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "timers.h"

#include <krait/call_later.h>
#include <krait/coroutine.h>
#include <krait/event.h>

#include <stdlib.h>

static kr_call *calls;
static size_t pending;
static kr_event all_fired;

struct inside {
    void (*body)(void *arg);
    void *arg;
};

static int call_body(void *arg)
{
    const struct inside *inside = arg;
    inside->body(inside->arg);
    return 0;
}

static void run_inside(void (*body)(void *arg), void *arg)
{
    BENCH_MUST(kr_run(call_body, &(struct inside){body, arg}));
}

static void fire(void *arg)
{
    (void)arg;
    if (++bench_timers_fired == pending)
        kr_event_set(&all_fired);
}

static void arm(const unsigned *delays, size_t count)
{
    calls = calloc(count, sizeof *calls);
    if (!calls)
        bench_fail("calloc");
    for (size_t i = 0; i < count; i++)
        BENCH_MUST(kr_call_later(&calls[i], kr_ms(delays[i]), fire, NULL));
    pending = count;
}

static void run(void)
{
    BENCH_MUST(kr_event_wait(&all_fired, KR_FOREVER));
}

static void rearm(const unsigned *numbers, size_t count)
{
    kr_time timeout = kr_ms(BENCH_TIMEOUT);
    for (size_t i = 0; i < count; i++)
        BENCH_MUST(kr_call_rearm(&calls[numbers[i]], timeout));
}

const struct bench_timers bench_krait_later = {arm, run, rearm, run_inside};
