/* GNU Pth: threads of its own scheduler, one at a time, with events and message ports.
 *
 * Its ready queue costs more the longer it is, so there are fewer of them at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine.h"

#include <pth.h>
#include <stdint.h>
#include <stdlib.h>

static unsigned long visits;

static void begin(void)
{
    static int begun;
    if (!begun)
        bench_check(pth_init() == TRUE, "pth_init");
    begun = 1;
}

static pth_t start(void *(*body)(void *), void *arg)
{
    pth_t thread = pth_spawn(PTH_ATTR_DEFAULT, body, arg);
    bench_check(thread != NULL, "pth_spawn");
    return thread;
}

static void finish(pth_t thread, void *expected)
{
    void *result;
    bench_check(pth_join(thread, &result) == TRUE && result == expected, "pth_join");
}

static void *yield_some(void *arg)
{
    for (uintptr_t i = 0; i < (uintptr_t)arg; i++) {
        visits++;
        pth_yield(NULL);
    }
    return arg;
}

static double yield(unsigned long count)
{
    void *half = (void *)(uintptr_t)(count / 2);
    begin();
    visits = 0;
    pth_t first = start(yield_some, half), second = start(yield_some, half);
    double start_of = bench_clock();
    finish(first, half);
    finish(second, half);
    double taken = bench_clock() - start_of;
    bench_check(visits == count / 2 * 2, "the yields of Pth");
    return taken;
}

static void *give_back(void *arg)
{
    return arg;
}

static double spawn(unsigned long count)
{
    begin();
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i++)
        finish(start(give_back, &visits), &visits);
    return bench_clock() - begun;
}

static pth_msgport_t ports[2];

static pth_message_t *take(pth_msgport_t port, pth_event_t event)
{
    pth_message_t *message;
    while (!(message = pth_msgport_get(port)))
        pth_wait(event);
    return message;
}

static void *answer(void *arg)
{
    pth_event_t event = pth_event(PTH_EVENT_MSG, ports[0]);
    for (uintptr_t i = 0; i < (uintptr_t)arg; i++)
        pth_msgport_put(ports[1], take(ports[0], event));
    pth_event_free(event, PTH_FREE_THIS);
    return arg;
}

static double trips(unsigned long count)
{
    pth_message_t message = {0};
    begin();
    for (int i = 0; i < 2 && !ports[i]; i++)
        ports[i] = pth_msgport_create(i ? "back" : "there");
    pth_event_t event = pth_event(PTH_EVENT_MSG, ports[1]);
    pth_t other = start(answer, (void *)(uintptr_t)count);
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i++) {
        pth_msgport_put(ports[0], &message);
        bench_check(take(ports[1], event) == &message, "a message of Pth");
    }
    double taken = bench_clock() - begun;
    finish(other, (void *)(uintptr_t)count);
    pth_event_free(event, PTH_FREE_THIS);
    return taken;
}

static void *suspend(void *arg)
{
    visits++;
    pth_suspend(pth_self());
    return arg;
}

static double memory(unsigned long count)
{
    unsigned long alive = count / 10;
    begin();
    visits = 0;
    double before = bench_resident();
    pth_t last = NULL;
    for (unsigned long i = 0; i < alive; i++)
        last = start(suspend, NULL);
    while (visits < alive)
        pth_yield(NULL);
    bench_check(last != NULL, "coroutines of Pth");
    return (bench_resident() - before) * (double)count / (double)alive;
}

const struct bench_coroutines bench_pth = {
    .yield = yield, .spawn = spawn, .trips = trips, .memory = memory};
