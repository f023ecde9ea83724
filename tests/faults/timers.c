/* Timers where memory ends: setting them is refused beforehand, and those that are set fire.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "harness/test.h"
#include "loop/timers.h"

#include <krait/call_later.h>
#include <krait/coroutine.h>

enum { MANY = 5000 };

static kri_timers timers;
static kri_timer many[MANY];
static int fired;

static void fire(kri_timer *timer)
{
    CHECK(timer == &many[fired]);
    fired++;
}

/* From room to room, to one with a wheel and on: each is two pieces of memory. */
TEST(test_room_is_refused)
{
    int64_t live = faulty_live();
    int refused = 0;
    for (int i = 0; i < MANY; i++) {
        for (uint32_t k = 1; k <= 2; k++) {
            size_t room = timers.room, reserved = timers.reserved;
            faulty_begin(FAULTY_MEMORY, k, false);
            int err = kri_timers_reserve(&timers, 1);
            bool failed = faulty_failed() != 0;
            (void)faulty_end();
            CHECK_EQ(err, failed ? -ENOMEM : 0);
            if (err == 0)
                kri_timers_unreserve(&timers, 1);
            CHECK_EQ(timers.reserved, reserved);
            if (failed)
                CHECK_EQ(timers.room, room);
            refused += failed;
        }
        CHECK_EQ(kri_timers_reserve(&timers, 1), 0);
        many[i].fire = fire;
        kri_timers_set(&timers, &many[i], 10 * i);
    }
    CHECK_GE(refused, 16);
    CHECK_GE(timers.count - timers.near, 1);
    faulty_begin(FAULTY_MEMORY, 1, true);
    CHECK_EQ(kri_timers_fire(&timers, 10 * MANY, SIZE_MAX), MANY);
    CHECK_EQ(faulty_end(), 0);
    CHECK_EQ(fired, MANY);
    kri_timers_end(&timers);
    CHECK_EQ(faulty_live(), live);
}

/* Smaller room is no need. */
TEST(test_room_is_kept_where_there_is_no_memory_for_less)
{
    CHECK_EQ(kri_timers_reserve(&timers, 100000), 0);
    size_t room = timers.room;
    faulty_begin(FAULTY_MEMORY, 1, true);
    kri_timers_unreserve(&timers, 99999);
    CHECK_GE(faulty_end(), 1);
    CHECK_EQ(timers.room, room);
    many[0].fire = fire;
    kri_timers_set(&timers, &many[0], 3);
    CHECK_EQ(kri_timers_next(&timers), 3);
    CHECK_EQ(kri_timers_fire(&timers, 3, SIZE_MAX), 1);
    kri_timers_end(&timers);
}

static kr_call calls[MANY];
static int called;

static void count_up(void *arg)
{
    (void)arg;
    called++;
}

static int set_until_refused(void *arg)
{
    (void)arg;
    int set = 0;
    while (set < 200 && kr_call_later(&calls[set], kr_ms(1), count_up, NULL) == 0)
        set++;
    CHECK_LE(set, 199);
    CHECK_EQ(kr_call_later(&calls[set], 0, count_up, NULL), -ENOMEM);
    CHECK(!kr_call_pending(&calls[set]));
    CHECK_EQ(kr_call_rearm(&calls[0], kr_ms(2)), 0);
    while (called < set)
        (void)kr_sleep(kr_ms(1));
    CHECK_EQ(called, set);
    (void)faulty_end();
    return 0;
}

static int begin_and_set(void *arg)
{
    CHECK_EQ(kr_sleep(0), 0);
    faulty_begin(FAULTY_MEMORY, 1, true);
    return set_until_refused(arg);
}

TEST(test_calls_are_refused)
{
    CHECK_EQ(kr_run(begin_and_set, NULL), 0);
}
