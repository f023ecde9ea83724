/* Coroutines of one loop are served in their order, and nobody who comes by is faster.
 *
 * Behaviours: section 13.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <krait/krait.h>

static kr_lock lock;
static kr_semaphore semaphore;
static int order[16], count;

static int take_lock(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    order[count++] = *(const int *)arg;
    CHECK_EQ(kr_lock_release(&lock), 0);
    return 0;
}

static void start(kr_future **tasks, int n, kr_task_fn fn)
{
    for (int i = 0; i < n; i++)
        CHECK_EQ(kr_spawn(&tasks[i], fn, &i, sizeof i, 0, NULL), 0);
    CHECK_EQ(kr_yield(), 0);
}

static void end(kr_future **tasks, int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_EQ(kr_future_exception(tasks[i], NULL, KR_FOREVER), 0);
        kr_future_release(tasks[i]);
    }
}

/* Three wait; who releases and wants it at once again is the fourth. */
static int lock_in_order(void *arg)
{
    kr_future *tasks[3];
    (void)arg;
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    start(tasks, 3, take_lock);
    CHECK_EQ(kr_lock_release(&lock), 0);
    CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    order[count++] = 3;
    CHECK_EQ(kr_lock_release(&lock), 0);
    end(tasks, 3);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(order[i], i);
    return 0;
}

TEST(test_lock_in_order)
{
    CHECK_EQ(kr_run(lock_in_order, NULL), 0);
}

static int take_permit(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(kr_semaphore_acquire(&semaphore, KR_FOREVER), 0);
    order[count++] = *(const int *)arg;
    return 0;
}

static int permits_in_order(void *arg)
{
    kr_future *tasks[3];
    (void)arg;
    CHECK_EQ(kr_semaphore_init(&semaphore, 0, NULL), 0);
    start(tasks, 3, take_permit);
    CHECK_EQ(kr_semaphore_release(&semaphore, 2), 0);
    CHECK_EQ(kr_semaphore_acquire(&semaphore, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(kr_semaphore_acquire(&semaphore, KR_NOWAIT), -ETIMEDOUT);
    end(tasks, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(order[i], i);
    return 0;
}

TEST(test_acquire_fifo_order)
{
    CHECK_EQ(kr_run(permits_in_order, NULL), 0);
}

/* The first in the line is cancelled at the moment of its turn: the next one has it. */
static int take_lock_or_not(const void *arg, void *result)
{
    (void)result;
    int err = kr_lock_acquire(&lock, KR_FOREVER);
    if (err < 0)
        return err;
    order[count++] = *(const int *)arg;
    CHECK_EQ(kr_lock_release(&lock), 0);
    return 0;
}

static int cancel_race(void *arg)
{
    kr_future *tasks[2];
    (void)arg;
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    start(tasks, 2, take_lock_or_not);
    CHECK_EQ(kr_future_cancel(tasks[0]), KR_ASKED);
    CHECK_EQ(kr_lock_release(&lock), 0);
    int error;
    CHECK_EQ(kr_future_exception(tasks[0], &error, KR_FOREVER), 0);
    CHECK_EQ(error, -ECANCELED);
    CHECK_EQ(kr_future_exception(tasks[1], NULL, KR_FOREVER), 0);
    CHECK_EQ(count, 1);
    CHECK_EQ(order[0], 1);
    CHECK(!kr_lock_locked(&lock));
    kr_future_release(tasks[0]);
    kr_future_release(tasks[1]);
    return 0;
}

TEST(test_cancel_race)
{
    CHECK_EQ(kr_run(cancel_race, NULL), 0);
}
