/* Shared queues that have been used so often that their counters go round.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared.h"
#include "queue/shared_help.h"
#include "sync/internal.h"

enum { MAXSIZE = 5, BEFORE = 16 };

/* As if so many items had been put, taken and dealt with. */
static void begin(kri_shared *q, bool priority, uint32_t owners, uint64_t used)
{
    kri_shared_plan plan = {
        .priority = priority, .item_size = 8, .maxsize = MAXSIZE, .owners = owners};
    size_t size = kri_shared_size(&plan);
    CHECK_EQ(kri_shared_make(q, shared_pages(size), size, &plan), 0);
    uint64_t at = priority ? used : (uint32_t)used;
    kri_store_rlx64(&q->state->put.at, at);
    kri_store_rlx64(&q->state->put.seen, at);
    kri_store_rlx64(&q->state->get.at, at);
    kri_store_rlx64(&q->state->get.seen, at);
    kri_store_rlx64(&q->state->ledger.done, used);
}

static void put_some(kri_shared *q, uint64_t *next, size_t count, int expected)
{
    uint64_t values[MAXSIZE + 1];
    for (size_t i = 0; i < count; i++)
        values[i] = *next + i;
    kri_put put = {.items = (const unsigned char *)values, .length = 8, .count = count};
    CHECK_EQ(kri_shared_put(q, &put, 0), expected);
    *next += expected > 0 ? (uint64_t)expected : 0;
}

static void get_some(kri_shared *q, uint64_t *next, size_t count, int expected)
{
    uint64_t values[MAXSIZE + 1];
    kri_get get = {.items = (unsigned char *)values, .room = 8, .count = count};
    CHECK_EQ(kri_shared_get(q, &get, 0), expected);
    for (int i = 0; i < expected; i++)
        CHECK_EQ(values[i], (*next)++);
}

static void go_round(bool priority, uint32_t owners, uint64_t limit)
{
    kri_shared q;
    uint64_t put = 0, got = 0;
    begin(&q, priority, owners, limit - BEFORE);
    while (put < 3 * BEFORE) {
        put_some(&q, &put, 3, 3);
        CHECK_EQ(kri_shared_count(&q), 3);
        put_some(&q, &put, 3, 2);
        CHECK(!kri_shared_has_room(&q));
        put_some(&q, &put, 1, -ETIMEDOUT);
        get_some(&q, &got, 4, 4);
        get_some(&q, &got, 4, 1);
        get_some(&q, &got, 1, -ETIMEDOUT);
        CHECK_EQ(kri_shared_unfinished(&q), MAXSIZE);
        CHECK_EQ(kri_shared_join(&q, 0), -ETIMEDOUT);
        for (int i = 0; i < MAXSIZE; i++)
            CHECK_EQ(kri_shared_task_done(&q), 0);
        CHECK_EQ(kri_shared_task_done(&q), -EPERM);
        CHECK_EQ(kri_shared_join(&q, 0), 0);
    }
}

/* 2^30: what an entry of the table remembers of a number; 2^31: its sign; 2^32: its half word. */
TEST(shared_counters_go_round)
{
    static const uint64_t limits[] = {UINT64_C(1) << 30, UINT64_C(1) << 31, UINT64_C(1) << 32};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (uint32_t owners = 0; owners < 2; owners++) {
            go_round(false, owners, limits[i]);
            go_round(true, owners, limits[i]);
        }
    }
}

/* Somebody died in a get of three items, after the change of the position or before, with two owed
 * already; and in a task_done. */
static void resolve(uint64_t under_way, uint64_t before, uint64_t taken, uint64_t owed)
{
    kri_shared q;
    begin(&q, false, 1, before);
    kri_word64 *number = under_way == 1 ? &q.state->get.at : &q.state->ledger.done;
    kri_store_rlx64(&q.owing[0].process, kri_process_self());
    kri_store_rlx64(&q.owing[0].owed, (under_way << 30 | (before & 0x3fffffff)) << 32 | 2);
    kri_store_rlx64(number, (uint32_t)(before + taken));
    kri_owing_resolve(&q);
    CHECK_EQ(kri_load_rlx64(&q.owing[0].owed), owed);
    CHECK_EQ(kri_load_rlx64(&q.owing[0].process), owed == 0 ? 0 : kri_process_self());
}

TEST(shared_death_where_a_counter_goes_round)
{
    enum { GETS = 1, SETTLES = 2 };
    for (int bits = 30; bits <= 32; bits++) {
        for (uint64_t less = 0; less < 4; less++) {
            uint64_t before = (UINT64_C(1) << bits) - less;
            resolve(GETS, before, 3, 5);
            resolve(GETS, before, 0, 2);
            resolve(SETTLES, before, 1, 1);
            resolve(SETTLES, before, 2, 0);
            resolve(SETTLES, before, 0, 2);
        }
    }
}
