/* The timers of a loop, against a list that is searched from end to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/timers.h"
#include "harness/test.h"
#include "wait/wait.h"
#include <stdlib.h>

enum { TIMERS = 400, MANY = 4000 };

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
    item items[MANY];
    int many; /* of them are in use */
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
    static const uint64_t spans[] = {1, 4, 100, 1000000, UINT64_C(1) << 40};
    uint64_t span = spans[choose(the.many > TIMERS ? 5 : 4)];
    return the.now + (kr_time)choose(span) - (choose(8) == 0 ? 3 : 0);
}

static item *first_due(void)
{
    item *first = NULL;
    for (int i = 0; i < the.many; i++) {
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
    item *it = &the.items[choose((uint64_t)the.many)];
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
    for (int i = 0; i < the.many; i++)
        if (the.items[i].set && the.items[i].deadline < next)
            next = the.items[i].deadline;
    return next;
}

static void fire_due(void)
{
    size_t most = the.quiet || choose(3) != 0 ? 2 * MANY : (size_t)choose(10);
    the.fired = 0;
    the.firing = true;
    size_t fired = kri_timers_fire(&the.timers, the.now, most);
    the.firing = false;
    CHECK_EQ(fired, the.fired);
    CHECK_LE(fired, most);
    CHECK(fired == most || first_due() == NULL);
    for (int i = 0; i < the.many; i++)
        the.items[i].late = false;
}

static void begin_with(int many)
{
    the.random = kri_test_seed();
    the.now = 1000;
    the.many = many;
    for (int i = 0; i < many; i++)
        the.items[i].timer.fire = fire;
}

static void begin(void)
{
    begin_with(TIMERS);
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

static size_t far_ones(void)
{
    return the.timers.count - the.timers.near;
}

/* So many that they do not all stand in the heap; the room for them grows as they are set. */
TEST(test_many_random_operations)
{
    begin_with(MANY);
    size_t most_far = 0;
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(kri_timers_reserve(&the.timers, 1), 0);
        set(&the.items[i]);
        if (i % 64 == 0)
            CHECK_EQ(kri_timers_next(&the.timers), model_next());
        most_far = far_ones() > most_far ? far_ones() : most_far;
    }
    CHECK_GE(most_far, MANY / 4);
    for (int round = 0; round < 20; round++) {
        for (int n = 0; n < MANY; n++)
            step();
        play(20);
    }
    CHECK_GE(far_ones(), 1);
    the.quiet = true;
    for (int i = 0; i < 3 * MANY && model_next() != KRI_NEVER; i++) {
        the.now = model_next();
        CHECK_EQ(kri_timers_next(&the.timers), the.now);
        fire_due();
    }
    CHECK_EQ(kri_timers_next(&the.timers), KRI_NEVER);
    kri_timers_end(&the.timers);
}

/* All at one time, before and after that, and for ever. */
TEST(test_many_of_one_time)
{
    begin_with(MANY);
    the.quiet = true;
    CHECK_EQ(kri_timers_reserve(&the.timers, MANY), 0);
    static const kr_time times[] = {5000, 5000, 5000, 5001, -7, KRI_NEVER};
    for (int i = 0; i < MANY; i++) {
        item *it = &the.items[i];
        it->set = true;
        it->order = the.settings++;
        it->deadline = times[choose(6)];
        kri_timers_set(&the.timers, &it->timer, it->deadline);
    }
    for (the.now = -8; the.now < 5003; the.now += the.now < 4990 ? 100 : 1) {
        CHECK_EQ(kri_timers_next(&the.timers), model_next());
        fire_due();
    }
    CHECK_GE(the.timers.live, 100);
    CHECK_EQ(kri_timers_next(&the.timers), KRI_NEVER);
    for (int i = 0; i < MANY; i++)
        cancel(&the.items[i]);
    CHECK_EQ(the.timers.count, 0);
    kri_timers_end(&the.timers);
}

/* The same of one that is far, beside thousands. */
TEST(test_set_and_cancel_far_leaves_nothing)
{
    begin_with(MANY);
    CHECK_EQ(kri_timers_reserve(&the.timers, MANY), 0);
    for (int i = 1; i < MANY; i++)
        kri_timers_set(&the.timers, &the.items[i].timer, 1000 + i);
    CHECK_GE(far_ones(), 1);
    size_t count = the.timers.count;
    for (int i = 0; i < 100; i++) {
        kri_timers_set(&the.timers, &the.items[0].timer, 1000000 + i * 1000);
        CHECK_EQ(the.timers.count, count + 1);
        kri_timers_cancel(&the.timers, &the.items[0].timer);
        CHECK_EQ(the.timers.count, count);
    }
    for (int i = 1; i < MANY - 10; i++)
        kri_timers_cancel(&the.timers, &the.items[i].timer);
    CHECK_LE(the.timers.count, 60);
    kri_timers_end(&the.timers);
}

static void unreserve_one(kri_timer *timer)
{
    (void)timer;
    kri_timers_unreserve(&the.timers, 1);
}

/* Room that is no more needed is given back, also where the last of all fire at once. */
TEST(test_room_is_given_back)
{
    enum { SO_MANY = 100000 };
    kri_timer *timers = calloc(SO_MANY, sizeof *timers);
    for (int i = 0; i < SO_MANY; i++) {
        CHECK_EQ(kri_timers_reserve(&the.timers, 1), 0);
        timers[i].fire = unreserve_one;
        kri_timers_set(&the.timers, &timers[i], 100 + i % 1000);
    }
    size_t room = the.timers.room;
    CHECK_GE(room, SO_MANY);
    CHECK_EQ(kri_timers_fire(&the.timers, 100000, SIZE_MAX), SO_MANY);
    CHECK_EQ(the.timers.reserved, 0);
    CHECK_LE(the.timers.room, room / 4);
    kri_timers_end(&the.timers);
    free(timers);
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
    CHECK_EQ(kri_timers_fire(&timers, 500000000, SIZE_MAX), fired_so_far);
    kri_timers_fire(&timers, KRI_NEVER - 1, SIZE_MAX);
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
