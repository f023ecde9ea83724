/* A worker's own queue: against a reference, and with thieves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "queue/deque.h"

enum { ROOM = KRI_DEQUE_ROOM };

TEST(all_zero_is_empty)
{
    kri_deque d = {0};

    CHECK(kri_deque_is_empty(&d));
    CHECK_EQ(kri_deque_length(&d), 0);
    CHECK_EQ(kri_deque_pop(&d), 0);
    CHECK_EQ(kri_deque_steal(&d), 0);
    CHECK_EQ(kri_deque_newest(&d), 0);
    CHECK_EQ(kri_deque_mark(&d), 0);
    CHECK(kri_deque_is_empty(&d));
}

TEST(thieves_reach_their_line_apart_from_the_owners)
{
    CHECK_GE(offsetof(kri_deque, bottom) - offsetof(kri_deque, top), KRI_DEQUE_LINE);
    CHECK_EQ(offsetof(kri_deque, slots) - offsetof(kri_deque, bottom), KRI_DEQUE_LINE);
}

TEST(pop_is_newest_first_and_steal_oldest_first)
{
    kri_deque d = {0};

    for (uint64_t i = 1; i <= 4; i++)
        CHECK(kri_deque_push(&d, i));
    CHECK_EQ(kri_deque_newest(&d), 4);
    CHECK_EQ(kri_deque_pop(&d), 4);
    CHECK_EQ(kri_deque_steal(&d), 1);
    CHECK_EQ(kri_deque_length(&d), 2);
    CHECK_EQ(kri_deque_pop(&d), 3);
    CHECK_EQ(kri_deque_newest(&d), 2);
    CHECK_EQ(kri_deque_steal(&d), 2);
    CHECK_EQ(kri_deque_pop(&d), 0);
}

TEST(full_takes_no_more_until_one_is_gone)
{
    kri_deque d = {0};

    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 1; i <= ROOM; i++)
            CHECK(kri_deque_push(&d, i));
        CHECK(!kri_deque_push(&d, 1000));
        CHECK_EQ(kri_deque_length(&d), ROOM);
        CHECK_EQ(kri_deque_newest(&d), ROOM);
        CHECK_EQ(kri_deque_steal(&d), 1);
        CHECK(kri_deque_push(&d, 1000));
        CHECK(!kri_deque_push(&d, 1001));
        CHECK_EQ(kri_deque_pop(&d), 1000);
        CHECK(kri_deque_push(&d, 1002));
        CHECK(!kri_deque_push(&d, 1003));
        CHECK_EQ(kri_deque_pop(&d), 1002);
        for (uint64_t i = 2; i <= ROOM; i++)
            CHECK_EQ(kri_deque_steal(&d), i);
        CHECK(kri_deque_is_empty(&d));
    }
}

TEST(mark_tells_what_was_pushed_since)
{
    kri_deque d = {0};

    CHECK(kri_deque_push(&d, 1));
    uint64_t mark = kri_deque_mark(&d);
    CHECK(kri_deque_push(&d, 2));
    CHECK(kri_deque_push(&d, 3));
    CHECK_EQ(kri_deque_mark(&d), mark + 2);
    CHECK_EQ(kri_deque_steal(&d), 1);
    CHECK_EQ(kri_deque_mark(&d), mark + 2);
    CHECK_EQ(kri_deque_pop(&d), 3);
    CHECK_EQ(kri_deque_mark(&d), mark + 1);
    CHECK_EQ(kri_deque_pop(&d), 2); /* the last one uses its place up, as if stolen */
    CHECK_EQ(kri_deque_mark(&d), mark + 1);
    CHECK_EQ(kri_deque_pop(&d), 0);
    CHECK_EQ(kri_deque_mark(&d), mark + 1);
}

/* The places are counted without end: the middle of a long life is as good as its beginning. */
static void start_at(kri_deque *d, uint64_t place)
{
    memset(d, 0, sizeof *d);
    kri_store_rlx64(&d->top, place);
    kri_store_rlx64(&d->bottom, place);
    d->top_seen = place;
}

static void check_like(kri_deque *d, const uint64_t *list, size_t first, size_t end)
{
    CHECK_EQ(kri_deque_length(d), end - first);
    CHECK_EQ(kri_deque_is_empty(d), end == first);
    CHECK_EQ(kri_deque_newest(d), end == first ? 0 : list[end - 1]);
}

/* A list that only grows at its end, and a window of it. */
static void against_reference(uint64_t place, uint64_t *random)
{
    enum { STEPS = 20000 };
    static uint64_t list[STEPS];
    kri_deque d;
    size_t first = 0, end = 0;
    uint64_t next = 1;
    unsigned pushes = 50; /* percent; now it fills, now it empties */

    start_at(&d, place);
    for (int i = 0; i < STEPS; i++) {
        if (i % 1000 == 0)
            pushes = 20 + (unsigned)(kri_test_random(random) % 61);
        if (kri_test_random(random) % 100 < pushes) {
            bool pushed = kri_deque_push(&d, next);
            CHECK_EQ(pushed, end - first < ROOM);
            if (pushed)
                list[end++] = next++;
        } else if (kri_test_random(random) % 2 == 0) {
            CHECK_EQ(kri_deque_pop(&d), end == first ? 0 : list[end - 1]);
            end -= end != first;
        } else {
            CHECK_EQ(kri_deque_steal(&d), end == first ? 0 : list[first]);
            first += end != first;
        }
        check_like(&d, list, first, end);
    }
}

TEST(random_operations_do_as_a_list_does)
{
    static const uint64_t places[] = {0, ROOM - 1, UINT32_MAX - 3, INT64_MAX - 5, UINT64_MAX - 7};
    uint64_t random = kri_test_seed();

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        against_reference(places[i], &random);
}

/* One owner, two thieves.  An item is its number + 1; what it points to is written before the push
 * and read by whoever gets it. */
enum { ITEMS = 1 << 20, THIEVES = 2 };

static struct {
    kri_deque deque;
    kr_word thieves; /* that have begun */
    kr_word over;
    uint32_t payload[ITEMS];
    kr_word taken[ITEMS];
    uint64_t stolen[THIEVES];
    uint64_t out_of_order[THIEVES];
} s;

static void take_it(uint64_t item)
{
    CHECK(item >= 1 && item <= ITEMS);
    CHECK_EQ(s.payload[item - 1], (uint32_t)item * 7);
    CHECK_EQ(kri_add_rlx(&s.taken[item - 1], 1), 0);
}

static void be_a_thief(void *arg)
{
    (void)arg;
    uint32_t me = kri_add_rlx(&s.thieves, 1);
    uint64_t last = 0;

    for (;;) {
        bool over = kri_load_acq(&s.over) != 0;
        uint64_t item = kri_deque_steal(&s.deque);
        if (item == 0 && over)
            return;
        if (item == 0)
            continue;
        s.out_of_order[me] += item <= last;
        last = item;
        s.stolen[me]++;
        take_it(item);
    }
}

TEST(every_item_goes_to_one_taker)
{
    uint64_t random = kri_test_seed();
    kr_time end = kr_now() + kr_sec(kri_test_budget());
    uint64_t popped = 0;
    uint64_t next = 0;
    kri_bunch thieves;

    kri_bunch_start(&thieves, THIEVES, be_a_thief, NULL);
    kri_bunch_wait_started(&thieves, THIEVES);
    while (next < ITEMS && (next % 64 != 0 || kr_now() < end)) {
        uint64_t most = kri_test_random(&random) % 6;
        for (uint64_t i = 0; i < most && next < ITEMS; i++) {
            s.payload[next] = (uint32_t)(next + 1) * 7;
            if (!kri_deque_push(&s.deque, next + 1))
                break;
            next++;
        }
        most = kri_test_random(&random) % 5;
        for (uint64_t i = 0; i < most; i++) {
            uint64_t newest = kri_deque_newest(&s.deque);
            uint64_t item = kri_deque_pop(&s.deque);
            if (item == 0)
                break;
            CHECK_EQ(item, newest);
            take_it(item);
            popped++;
        }
    }
    kri_store_rel(&s.over, 1);
    kri_bunch_end(&thieves);
    CHECK(kri_deque_is_empty(&s.deque));
    for (uint64_t i = 0; i < next; i++)
        CHECK_EQ(kri_load_rlx(&s.taken[i]), 1);
    CHECK_EQ(popped + s.stolen[0] + s.stolen[1], next);
    CHECK_EQ(s.out_of_order[0] + s.out_of_order[1], 0);
    kri_test_note("%llu items: %llu popped, %llu and %llu stolen", (unsigned long long)next,
                  (unsigned long long)popped, (unsigned long long)s.stolen[0],
                  (unsigned long long)s.stolen[1]);
}
