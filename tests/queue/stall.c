/* What the report of a stall says of those who wait at a queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/help.h"
#include "wait/stalls.h"

static kr_queue *stalled;

static void put_one(void)
{
    int64_t item = 1;
    CHECK_EQ(kr_queue_put(stalled, &item, KR_NOWAIT), 0);
}

static void take_one(void)
{
    int64_t item;
    CHECK_EQ(kr_queue_get(stalled, &item, KR_NOWAIT), 0);
}

static void finish_one(void)
{
    CHECK_EQ(kr_queue_task_done(stalled), 0);
}

TEST(wait_for_an_item)
{
    int64_t item;
    stalled = queue_make(KR_FIFO, 1);
    expect_stall(put_one);
    CHECK_EQ(kr_queue_get(stalled, &item, KR_FOREVER), 0);
    CHECK(says("  MainThread waits for an item of a queue at %p", (void *)stalled));
    kr_queue_release(stalled);
}

TEST(wait_for_room)
{
    int64_t item = 0;
    stalled = queue_make(KR_PRIORITY, 1);
    put_one();
    expect_stall(take_one);
    CHECK_EQ(kr_queue_put(stalled, &item, KR_FOREVER), 0);
    CHECK(says("  MainThread waits for room in a queue at %p", (void *)stalled));
    kr_queue_release(stalled);
}

TEST(wait_for_the_tasks)
{
    stalled = queue_make(KR_LIFO, 0);
    put_one();
    expect_stall(finish_one);
    CHECK_EQ(kr_queue_join(stalled, KR_FOREVER), 0);
    CHECK(says("  MainThread waits for the tasks of a queue at %p", (void *)stalled));
    kr_queue_release(stalled);
}
