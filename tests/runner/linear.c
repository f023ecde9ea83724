/* The search for an order of calls finds one where there is one, and only there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/linear_objects.h"
#include "harness/test.h"

#define COUNT(calls) (sizeof(calls) / sizeof(calls)[0])
#define PUT(from, to, item)                                                                        \
    {                                                                                              \
        .begun = (from), .ended = (to), .what = LINEAR_PUT, .value = (item)                        \
    }
#define GET(from, to, got)                                                                         \
    {                                                                                              \
        .begun = (from), .ended = (to), .what = LINEAR_GET, .result = (got)                        \
    }
#define EXPECT(object, calls, verdict)                                                             \
    CHECK_EQ(linear_check(&(object), (calls), COUNT(calls), NULL), verdict)

TEST(test_one_after_the_other)
{
    linear_call calls[] = {PUT(1, 2, 7), PUT(3, 4, 8), GET(5, 6, 7), GET(7, 8, 8)};
    EXPECT(linear_fifo, calls, LINEAR_YES);
    EXPECT(linear_lifo, calls, LINEAR_NO);
    EXPECT(linear_priority, calls, LINEAR_YES);
    EXPECT(linear_fifo, ((linear_call[]){GET(1, 2, -ETIMEDOUT)}), LINEAR_YES);
    CHECK_EQ(linear_check(&linear_fifo, calls, 0, NULL), LINEAR_YES);
}

TEST(test_rejects_wrong_order)
{
    linear_call calls[] = {PUT(1, 2, 7), PUT(3, 4, 8), GET(5, 6, 8), GET(7, 8, 7)};
    EXPECT(linear_fifo, calls, LINEAR_NO);
    EXPECT(linear_lifo, calls, LINEAR_YES);
    /* When the puts overlapped, either order will do. */
    calls[0].ended = 5;
    EXPECT(linear_fifo, calls, LINEAR_YES);
}

TEST(test_rejects_twice_and_lost)
{
    EXPECT(linear_fifo, ((linear_call[]){PUT(1, 2, 7), GET(3, 6, 7), GET(4, 5, 7)}), LINEAR_NO);
    EXPECT(linear_fifo, ((linear_call[]){PUT(1, 2, 7), GET(3, 4, -ETIMEDOUT)}), LINEAR_NO);
    EXPECT(linear_fifo, ((linear_call[]){PUT(1, 4, 7), GET(2, 3, -ETIMEDOUT)}), LINEAR_YES);
    EXPECT(linear_fifo, ((linear_call[]){GET(1, 2, 7), PUT(3, 4, 7)}), LINEAR_NO);
    EXPECT(linear_fifo, ((linear_call[]){PUT(1, 3, 7), GET(2, 4, 8)}), LINEAR_NO);
}

TEST(test_unfinished_calls)
{
    /* A put that never returned may have been or not, but comes before what was taken of it. */
    EXPECT(linear_fifo, ((linear_call[]){PUT(1, 0, 7), GET(2, 3, 7)}), LINEAR_YES);
    EXPECT(linear_fifo, ((linear_call[]){PUT(1, 0, 7), GET(2, 3, -ETIMEDOUT)}), LINEAR_YES);
    EXPECT(linear_fifo, ((linear_call[]){PUT(4, 0, 7), GET(2, 3, 7)}), LINEAR_NO);
    EXPECT(linear_fifo, ((linear_call[]){PUT(1, 0, 7), GET(2, 3, 7), GET(4, 5, 7)}), LINEAR_NO);
    /* And a get that never returned may have taken the item with it. */
    EXPECT(linear_fifo, ((linear_call[]){PUT(1, 2, 7), GET(3, 0, 0), GET(4, 5, -ETIMEDOUT)}),
           LINEAR_YES);
}

static linear_call lock_call(uint64_t from, uint64_t to, int what, int result)
{
    return (linear_call){.begun = from, .ended = to, .what = what, .result = result};
}

TEST(test_locks)
{
    linear_call calls[] = {lock_call(1, 2, LINEAR_ACQUIRE, 0), lock_call(3, 6, LINEAR_ACQUIRE, 0),
                           lock_call(4, 5, LINEAR_RELEASE, 0)};
    EXPECT(linear_lock, calls, LINEAR_YES);
    calls[1].ended = 4, calls[2].begun = 5, calls[2].ended = 6;
    EXPECT(linear_lock, calls, LINEAR_NO);
    EXPECT(linear_lock, ((linear_call[]){lock_call(1, 2, LINEAR_ACQUIRE, -ETIMEDOUT)}), LINEAR_NO);
    EXPECT(linear_lock, ((linear_call[]){lock_call(1, 2, LINEAR_RELEASE, -EPERM)}), LINEAR_YES);
}

/* Against a search that tries every order of a few calls. */

enum { FEW = 5 };

static bool some_order(const linear_object *object, const linear_call *calls, unsigned had,
                       const void *state)
{
    bool all = true;
    for (int i = 0; i < FEW; i++) {
        linear_queue_state next;
        bool early = true;
        if (had & 1u << i)
            continue;
        all &= calls[i].ended == 0;
        for (int k = 0; k < FEW; k++)
            early &= had & 1u << k || calls[k].ended == 0 || calls[k].ended > calls[i].begun;
        memcpy(&next, state, sizeof next);
        if (early && object->step(&next, &calls[i]) &&
            some_order(object, calls, had | 1u << i, &next))
            return true;
    }
    return all;
}

static void make_calls(linear_call *calls, uint64_t *random)
{
    for (int i = 0; i < FEW; i++) {
        uint64_t begun = kri_test_random(random) % 12 * 2 + 1;
        bool put = kri_test_random(random) % 2 == 0;
        int64_t item = (int64_t)(kri_test_random(random) % 3);
        calls[i] = (linear_call){.begun = begun,
                                 .ended = begun + 1 + kri_test_random(random) % 6 * 2,
                                 .party = i,
                                 .what = put ? LINEAR_PUT : LINEAR_GET,
                                 .value = put ? item : 0,
                                 .result = put ? 0 : item};
        if (!put && kri_test_random(random) % 4 == 0)
            calls[i].result = -ETIMEDOUT;
        if (kri_test_random(random) % 8 == 0)
            calls[i].ended = 0;
    }
}

TEST(test_agrees_with_trying_all)
{
    uint64_t random = kri_test_seed();
    int right = 0, wrong = 0;
    for (int i = 0; i < 20000; i++) {
        linear_call calls[FEW];
        linear_queue_state empty = {0};
        make_calls(calls, &random);
        const linear_object *object = i % 2 ? &linear_fifo : &linear_lifo;
        bool expected = some_order(object, calls, 0, &empty);
        EXPECT(*object, calls, expected ? LINEAR_YES : LINEAR_NO);
        right += expected;
        wrong += !expected;
    }
    kri_test_note("%d right histories, %d wrong ones", right, wrong);
    CHECK_GE(right, 100);
    CHECK_GE(wrong, 100);
}
