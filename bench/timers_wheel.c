/* A wheel of slots of a millisecond by hand, each a list: what timers cost at least where they are
 * exact to a tick only and none is later than a turn of the wheel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "timers.h"

#include <stdlib.h>
#include <time.h>

enum { SLOTS = 1 << 17 }; /* two minutes */

struct link {
    struct link *next, *previous;
};

struct timer {
    struct link link;
    void (*fire)(struct timer *timer);
};

static struct link slots[SLOTS];
static struct timer *timers;
static unsigned long now, outstanding;

static void look(void)
{
    now = (unsigned long)(bench_now() / 1e6);
}

static void take_out(struct link *link)
{
    link->next->previous = link->previous;
    link->previous->next = link->next;
}

static void put_in(struct timer *timer, unsigned delay)
{
    struct link *slot = &slots[(now + delay) % SLOTS];
    timer->link = (struct link){slot, slot->previous};
    slot->previous->next = &timer->link;
    slot->previous = &timer->link;
}

static void fire(struct timer *timer)
{
    (void)timer;
    bench_timers_fired++;
}

static void arm(const unsigned *delays, size_t count)
{
    timers = calloc(count, sizeof *timers);
    if (!timers)
        bench_fail("calloc");
    for (size_t i = 0; i < SLOTS; i++)
        slots[i] = (struct link){&slots[i], &slots[i]};
    look();
    for (size_t i = 0; i < count; i++) {
        timers[i].fire = fire;
        put_in(&timers[i], delays[i]);
    }
    outstanding = count;
}

static void empty(struct link *slot)
{
    while (slot->next != slot) {
        struct timer *timer = (struct timer *)slot->next;
        take_out(&timer->link);
        outstanding--;
        timer->fire(timer);
    }
}

static void run(void)
{
    unsigned long tick = now;
    while (outstanding) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        look();
        for (; tick < now; tick++)
            empty(&slots[tick % SLOTS]);
    }
}

static void rearm(const unsigned *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i % BENCH_LOOK_EVERY == 0)
            look();
        take_out(&timers[numbers[i]].link);
        put_in(&timers[numbers[i]], BENCH_TIMEOUT);
    }
}

const struct bench_timers bench_wheel_timers = {arm, run, rearm, NULL};
