/* The wheel of far timers, against a list that is searched from end to end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/wheel.h"
#include "harness/test.h"
#include <stdlib.h>

enum { MOST = 6000 };

typedef enum place { OUTSIDE, INSIDE, TAKEN } place;

/* What is to be: of each entry, its number its slot, where it is. */
static kri_wheel *wheel;
static kri_timer_entry entries[MOST];
static place places[MOST];
static kri_timer_entry taken[MOST];
static size_t inside;
static uint32_t orders;
static uint64_t random_state;

static uint64_t choose(uint64_t below)
{
    return kri_test_random(&random_state) % below;
}

static void begin(void)
{
    random_state = kri_test_seed();
    wheel = aligned_alloc(64, kri_wheel_size(MOST));
    CHECK(wheel != NULL);
    kri_wheel_clear(wheel);
    CHECK_EQ(kri_wheel_open(wheel, -5), 0);
}

/* Close by and far away, many alike. */
static kr_time key_after(kr_time near)
{
    if (choose(40) == 0)
        return INT64_MAX - (kr_time)choose(3);
    uint64_t span = UINT64_C(1) << choose(50);
    kr_time key = near + 1 + (kr_time)choose(span);
    return choose(3) == 0 ? key | 0xff : key;
}

static void put(uint32_t slot, kr_time key)
{
    entries[slot] = (kri_timer_entry){key, slot, orders++};
    places[slot] = INSIDE;
    inside++;
    kri_wheel_put(wheel, entries[slot]);
}

static void put_some(uint64_t count)
{
    while (count-- > 0) {
        uint32_t slot = (uint32_t)choose(MOST);
        if (places[slot] == OUTSIDE)
            put(slot, key_after(inside > 0 ? kri_wheel_near(wheel) : -1));
    }
}

static void put_and_take_back(void)
{
    uint32_t slot = (uint32_t)choose(MOST);
    if (places[slot] != OUTSIDE || inside == 0)
        return;
    put(slot, key_after(kri_wheel_near(wheel)));
    CHECK(kri_wheel_take_back(wheel, entries[slot]));
    CHECK(!kri_wheel_take_back(wheel, entries[slot]));
    places[slot] = OUTSIDE;
    inside--;
}

static size_t count_until(kr_time near)
{
    size_t count = 0;
    for (int i = 0; i < MOST; i++)
        count += places[i] == INSIDE && entries[i].key <= near;
    return count;
}

static void take(void)
{
    kr_time before = kri_wheel_near(wheel);
    size_t count = kri_wheel_take(wheel, taken);
    CHECK_GE(count, 1);
    CHECK_GE(kri_wheel_near(wheel), before + 1);
    CHECK_EQ(count, count_until(kri_wheel_near(wheel)));
    bool alike = true;
    for (size_t i = 0; i < count; i++) {
        const kri_timer_entry *e = &entries[taken[i].slot];
        CHECK(e->order == taken[i].order && e->key == taken[i].key);
        CHECK_EQ(places[taken[i].slot], INSIDE);
        places[taken[i].slot] = TAKEN;
        alike &= e->key == taken[0].key;
    }
    CHECK(alike || count <= 512);
    inside -= count;
}

/* What was taken comes back, as far as it can, or is gone. */
static void forget_taken(bool again)
{
    kr_time base = again ? kri_wheel_open(wheel, (kr_time)choose(1000)) : 0;
    for (uint32_t i = 0; i < MOST; i++) {
        if (places[i] != TAKEN)
            continue;
        places[i] = OUTSIDE;
        if (again && entries[i].key >= base)
            put(i, entries[i].key);
    }
}

static bool is_out(const void *arg, const kri_timer_entry *e)
{
    return e->order % *(const uint32_t *)arg == 0;
}

static void sweep(void)
{
    uint32_t of = 2 + (uint32_t)choose(3);
    for (int i = 0; i < MOST; i++) {
        if (places[i] != INSIDE || entries[i].order % of != 0)
            continue;
        places[i] = OUTSIDE;
        inside--;
    }
    CHECK_EQ(kri_wheel_sweep(wheel, is_out, &of), inside);
}

/* Into memory that is as large, so that too many chunks would be noticed. */
static void move(void)
{
    kri_wheel *other = aligned_alloc(64, kri_wheel_size(MOST));
    CHECK(other != NULL);
    kri_wheel_copy(other, wheel);
    free(wheel);
    wheel = other;
}

TEST(test_random_operations)
{
    begin();
    for (int round = 0; round < 1500; round++) {
        put_some(choose(100) < 3 ? 2L * MOST : choose(40));
        put_and_take_back();
        if (inside > 0 && choose(4) != 0)
            take();
        if (choose(3) == 0)
            forget_taken(choose(2) == 0);
        if (choose(50) == 0)
            sweep();
        if (choose(50) == 0)
            move();
        if (inside == 0)
            forget_taken(false);
    }
    while (inside > 0)
        take();
    free(wheel);
}

/* One that was put behind it stays where it is. */
TEST(test_only_the_last_is_taken_back)
{
    begin();
    put(0, 70);
    put(1, 71);
    put(2, 1000);
    CHECK(!kri_wheel_take_back(wheel, (kri_timer_entry){90, 0, entries[0].order}));
    CHECK(!kri_wheel_take_back(wheel, (kri_timer_entry){1000, 2, entries[2].order + 1}));
    CHECK(!kri_wheel_take_back(wheel, entries[0]));
    CHECK(kri_wheel_take_back(wheel, entries[1]));
    CHECK(kri_wheel_take_back(wheel, entries[0]));
    places[0] = places[1] = OUTSIDE;
    inside = 1;
    take();
    CHECK_EQ(inside, 0);
    free(wheel);
}

/* Buckets that hold one chunk and one entry more, and all that a wheel has room for. */
TEST(test_every_entry_in_a_bucket_of_its_own)
{
    begin();
    for (uint32_t i = 0; i < 62; i++)
        put(i, (kr_time)(UINT64_C(1) << i));
    for (uint32_t i = 62; i < MOST; i++)
        put(i, (kr_time)i * 7919);
    kr_time last = -1;
    while (inside > 0) {
        take();
        CHECK_GE(kri_wheel_near(wheel), last);
        last = kri_wheel_near(wheel);
    }
    free(wheel);
}
