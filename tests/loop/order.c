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

/* Getters that have all found the queue empty; then somebody puts who stands anywhere between them
 * in the line, so that some have looked again already, and sleep, and some have not. */
enum { GETTERS = 4, MOST_YIELDS = 3 };

static kr_queue *queue;
static int got[GETTERS], begun;

static int get_one(const void *arg, void *result)
{
    (void)result;
    begun++;
    return kr_queue_get(queue, &got[*(const int *)arg], KR_FOREVER);
}

static void yield_times(int times)
{
    for (int i = 0; i < times; i++)
        CHECK_EQ(kr_yield(), 0);
}

typedef struct putting {
    int before; /* yields */
    int between;
    int at_first; /* items at once */
} putting;

static int put_all(const void *arg, void *result)
{
    const putting *how = arg;
    (void)result;
    while (begun < GETTERS)
        (void)kr_yield();
    yield_times(how->before);
    for (int i = 0; i < GETTERS; i++) {
        CHECK_EQ(kr_queue_put(queue, &i, KR_NOWAIT), 0);
        yield_times(i + 1 < how->at_first ? 0 : how->between);
    }
    return 0;
}

static void get_in_order(int place, int apart, const putting *how)
{
    kr_future *getters[GETTERS], *putter = NULL;
    begun = 0;
    for (int i = 0; i < GETTERS; i++) {
        if (i == place)
            CHECK_EQ(kr_spawn(&putter, put_all, how, sizeof *how, 0, NULL), 0);
        CHECK_EQ(kr_spawn(&getters[i], get_one, &i, sizeof i, 0, NULL), 0);
        yield_times(i % 2 == 0 ? apart : 0);
    }
    end(getters, GETTERS);
    end(&putter, 1);
    for (int i = 0; i < GETTERS; i++)
        CHECK_EQ(got[i], i);
}

/* A new queue each time: one learns whether it pays to look before sleeping. */
static int all_get_in_order(void *arg)
{
    enum { EACH = MOST_YIELDS + 1 };
    (void)arg;
    for (int way = 0; way < EACH * EACH * EACH * GETTERS * GETTERS; way++) {
        int rest = way / (EACH * EACH * EACH);
        putting how = {way % EACH, way / EACH % EACH, 1 + rest / GETTERS};
        CHECK_EQ(kr_queue_create(&queue, sizeof(int), 0, NULL), 0);
        get_in_order(rest % GETTERS, way / (EACH * EACH) % EACH, &how);
        kr_queue_release(queue);
    }
    return 0;
}

TEST(test_getters_in_order)
{
    CHECK_EQ(kr_run(all_get_in_order, NULL), 0);
}

static int cancelled_before_an_item(void *arg)
{
    kr_future *task;
    int item = 1, none = 0, error;
    (void)arg;
    for (int yields = 1; yields <= MOST_YIELDS; yields++) {
        CHECK_EQ(kr_queue_create(&queue, sizeof(int), 0, NULL), 0);
        CHECK_EQ(kr_spawn(&task, get_one, &none, sizeof none, 0, NULL), 0);
        yield_times(yields);
        CHECK_EQ(kr_future_cancel(task), KR_ASKED);
        CHECK_EQ(kr_queue_put(queue, &item, KR_NOWAIT), 0);
        CHECK_EQ(kr_future_exception(task, &error, KR_FOREVER), 0);
        CHECK_EQ(error, -ECANCELED);
        CHECK_EQ(kr_queue_qsize(queue), 1);
        kr_future_release(task);
        kr_queue_release(queue);
    }
    return 0;
}

TEST(test_cancelled_getter_takes_nothing)
{
    CHECK_EQ(kr_run(cancelled_before_an_item, NULL), 0);
}
