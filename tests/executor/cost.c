/* What tasks cost in memory: a future is one pooled block, a task of a group nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/allocations.h"

#include "executor/pool.h"

enum { TASKS = 50, ROUNDS = 200 };

/* Under the sanitizers and valgrind, where every block comes from the system, the counts are not
 * looked at. */

struct bytes {
    char at[32];
};

static int copy_bytes(const void *arg, void *result)
{
    *(struct bytes *)result = *(const struct bytes *)arg;
    return 0;
}

static void run_tasks(kr_executor *pool)
{
    struct bytes bytes = {"thirty-two bytes"}, got;
    kr_future *futures[TASKS];
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], copy_bytes, &bytes, sizeof bytes, sizeof got), 0);
    for (int i = 0; i < TASKS; i++) {
        CHECK_EQ(kr_future_result(futures[i], &got, sizeof got, NULL, KR_FOREVER), 0);
        CHECK(memcmp(&got, &bytes, sizeof got) == 0);
        kr_future_release(futures[i]);
    }
}

TEST(a_future_with_32_bytes_each_way_is_one_block_of_192)
{
    kr_executor *pool = pool_of(1);
    struct bytes bytes = {""};
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, copy_bytes, &bytes, sizeof bytes, sizeof bytes), 0);
    const char *begin = (const char *)f;
    CHECK_LE(f->size, 192);
    CHECK((const char *)f->arg >= begin && (const char *)f->arg + 32 <= begin + f->size);
    CHECK((char *)f->result >= begin && (char *)f->result + 32 <= begin + f->size);
    CHECK_EQ(error_of(f), 0);
    end(pool);
}

TEST(tasks_use_the_blocks_of_those_before)
{
    kr_executor *pool = pool_of(1);
    for (int i = 0; i < ROUNDS; i++)
        run_tasks(pool);
    allocations_begin();
    for (int i = 0; i < ROUNDS; i++)
        run_tasks(pool);
    uint32_t allocated = allocations_end();
    if (!KRI_CHECKED)
        CHECK_LE(allocated, ROUNDS * TASKS / 20);
    end(pool);
}

static int fork_and_join(const void *arg, void *result)
{
    kr_group group;
    kr_group_task tasks[TASKS];
    (void)arg;
    allocations_begin();
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], count_one, NULL, NULL), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    *(uint32_t *)result = allocations_end();
    return 0;
}

TEST(tasks_of_a_group_allocate_nothing)
{
    kr_executor *pool = pool_of(1);
    uint32_t allocated = 1;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, fork_and_join, NULL, 0, sizeof allocated), 0);
    CHECK_EQ(kr_future_result(f, &allocated, sizeof allocated, NULL, kr_sec(3600)), 0);
    if (!KRI_CHECKED)
        CHECK_EQ(allocated, 0);
    CHECK_EQ(kri_load_acq(&ran), TASKS);
    kr_future_release(f);
    end(pool);
}
