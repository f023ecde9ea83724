/* The timers of a loop, against a list that is searched from end to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/timers.h"
#include "harness/test.h"
#include "wait/wait.h"
#include <stdlib.h>

enum { TIMERS = 400 };

/* What is to be: of each timer whether it is set, to when, and how manyth setting that was. */
typedef struct item {
    kri_timer timer;
    bool set;
    bool late; /* set while timers fired: not in this round */
    kr_time deadline;
    uint64_t order;
} item;

typedef struct model {
    kri_timers timers;
    item items[TIMERS];
    uint64_t settings;
    uint64_t random;
    kr_time now;
    size_t fired;
    bool firing;
    bool quiet; /* nothing is set or cancelled by those that fire */
} model;

static model the;

static uint64_t choose(uint64_t below)
{
    return kri_test_random(&the.random) % below;
}

static kr_time some_deadline(void)
{
    static const uint64_t spans[] = {1, 4, 100, 1000000};
    return the.now + (kr_time)choose(spans[choose(4)]) - (choose(8) == 0 ? 3 : 0);
}

static item *first_due(void)
{
    item *first = NULL;
    for (int i = 0; i < TIMERS; i++) {
        item *it = &the.items[i];
        if (!it->set || it->late || it->deadline > the.now)
            continue;
        if (first == NULL || it->deadline < first->deadline ||
            (it->deadline == first->deadline && it->order < first->order))
            first = it;
    }
    return first;
}

static void set(item *it)
{
    it->deadline = some_deadline();
    it->order = the.settings++;
    it->set = true;
    it->late = the.firing;
    kri_timers_set(&the.timers, &it->timer, it->deadline);
}

static void cancel(item *it)
{
    it->set = false;
    kri_timers_cancel(&the.timers, &it->timer);
}

static void step(void)
{
    item *it = &the.items[choose(TIMERS)];
    if (choose(3) == 0)
        cancel(it);
    else
        set(it);
}

static void fire(kri_timer *timer)
{
    item *it = (item *)timer;
    CHECK(it == first_due());
    CHECK(!kri_timer_is_set(timer));
    it->set = false;
    the.fired++;
    if (the.quiet)
        return;
    if (choose(4) == 0)
        set(it);
    for (uint64_t n = choose(3); n > 0; n--)
        step();
}

static kr_time model_next(void)
{
    kr_time next = KRI_NEVER;
    for (int i = 0; i < TIMERS; i++)
        if (the.items[i].set && the.items[i].deadline < next)
            next = the.items[i].deadline;
    return next;
}

static void fire_due(void)
{
    the.fired = 0;
    the.firing = true;
    size_t fired = kri_timers_fire(&the.timers, the.now);
    the.firing = false;
    CHECK_EQ(fired, the.fired);
    CHECK(first_due() == NULL);
    for (int i = 0; i < TIMERS; i++)
        the.items[i].late = false;
}

static void begin(void)
{
    the.random = kri_test_seed();
    the.now = 1000;
    for (int i = 0; i < TIMERS; i++)
        the.items[i].timer.fire = fire;
    CHECK_EQ(kri_timers_reserve(&the.timers, TIMERS), 0);
}

static void play(int rounds)
{
    for (int round = 0; round < rounds; round++) {
        for (uint64_t n = choose(60); n > 0; n--)
            step();
        CHECK_EQ(kri_timers_next(&the.timers), model_next());
        the.now += (kr_time)choose(choose(10) == 0 ? 1000000 : 30);
        fire_due();
    }
}

TEST(test_random_operations)
{
    begin();
    play(4000);
    the.now += 2000000;
    the.quiet = true;
    fire_due();
    CHECK_EQ(kri_timers_next(&the.timers), KRI_NEVER);
    kri_timers_end(&the.timers);
}

/* The numbers of settings go round while timers are set. */
TEST(test_orders_go_round)
{
    begin();
    for (uint32_t turn = 1; turn <= 4; turn++) {
        the.timers.orders = (turn << 30) - 3000;
        for (int i = 0; i < TIMERS; i++)
            cancel(&the.items[i]);
        play(300);
    }
    kri_timers_end(&the.timers);
}

TEST(test_cancelled_do_not_pile_up)
{
    begin();
    for (int i = 0; i < 10; i++)
        set(&the.items[i]);
    for (int i = 0; i < 200000; i++) {
        item *it = &the.items[10 + choose(20)];
        if (choose(2) == 0)
            cancel(it);
        else
            set(it);
        CHECK_LE(the.timers.count, 2 * TIMERS);
    }
    for (int i = 0; i < TIMERS; i++)
        cancel(&the.items[i]);
    CHECK_LE(the.timers.count, 32);
    CHECK_EQ(kri_timers_next(&the.timers), KRI_NEVER);
    CHECK_EQ(the.timers.count, 0);
    kri_timers_end(&the.timers);
}

/* A time limit that does not expire leaves nothing behind, whatever else is set. */
TEST(test_set_and_cancel_leaves_nothing)
{
    begin();
    kri_timers_set(&the.timers, &the.items[0].timer, 10);
    for (int i = 0; i < 100; i++) {
        kri_timers_set(&the.timers, &the.items[1].timer, 1000 - i);
        kri_timers_cancel(&the.timers, &the.items[1].timer);
        CHECK_EQ(the.timers.count, 1);
    }
    kri_timers_end(&the.timers);
}

static uint64_t fired_so_far;
static kr_time last_deadline;

static void in_order(kri_timer *timer)
{
    CHECK_GE(timer->deadline, last_deadline);
    last_deadline = timer->deadline;
    fired_so_far++;
}

/* A million at once; later moves cost nothing in the heap. */
TEST(test_million)
{
    enum { MILLION = 1000000 };
    kri_timers timers = {0};
    kri_timer *many = calloc(MILLION, sizeof *many);
    uint64_t random = kri_test_seed();
    CHECK_EQ(kri_timers_reserve(&timers, MILLION), 0);
    for (int i = 0; i < MILLION; i++) {
        many[i].fire = in_order;
        kri_timers_set(&timers, &many[i], (kr_time)(kri_test_random(&random) % 1000000000));
    }
    CHECK_EQ(timers.count, MILLION);
    for (int i = 0; i < MILLION; i++)
        kri_timers_set(&timers, &many[i], many[i].deadline + 1000);
    CHECK_EQ(timers.count, MILLION);
    CHECK_EQ(kri_timers_fire(&timers, 500000000), fired_so_far);
    kri_timers_fire(&timers, KRI_NEVER - 1);
    CHECK_EQ(fired_so_far, MILLION);
    kri_timers_unreserve(&timers, MILLION - 10);
    CHECK_LE(timers.room, MILLION);
    CHECK_EQ(kri_timers_reserve(&timers, 10), 0);
    kri_timers_set(&timers, &many[3], 7);
    CHECK_EQ(kri_timers_next(&timers), 7);
    kri_timers_end(&timers);
    free(many);
}

TEST(test_reserve_too_many)
{
    kri_timers timers = {0};
    CHECK_EQ(kri_timers_reserve(&timers, SIZE_MAX), -ENOMEM);
    CHECK_EQ(kri_timers_reserve(&timers, 1), 0);
    CHECK_EQ(kri_timers_reserve(&timers, SIZE_MAX - 1), -ENOMEM);
    kri_timers_end(&timers);
}
