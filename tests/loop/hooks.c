/* A coroutine that is attached to an interpreter lock gives it up while it is suspended: the hooks
 * are its own, not its thread's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "wait/wait.h"

#include <krait/krait.h>
#include <unistd.h>

typedef struct attached {
    kri_block_hook hook;
    int given_up;
    int retaken;
    bool holds;
} attached;

static attached *holder; /* who has the interpreter lock */
static int suspended;    /* how often anybody has given it up */

static attached *of(kri_block_hook *hook)
{
    return (attached *)(void *)hook;
}

static void give_up(kri_block_hook *hook)
{
    CHECK(of(hook)->holds);
    CHECK(holder == of(hook));
    of(hook)->holds = false;
    of(hook)->given_up++;
    suspended++;
    holder = NULL;
}

static void take_again(kri_block_hook *hook)
{
    CHECK(holder == NULL);
    holder = of(hook);
    of(hook)->holds = true;
    of(hook)->retaken++;
}

/* Suspended by four waits of three kinds. */
static int work(const void *arg, void *result)
{
    kr_queue *queue = *(kr_queue *const *)arg;
    attached mine = {.hook = {.before = give_up, .after = take_again}, .holds = true};
    int item;
    (void)result;
    CHECK(holder == NULL);
    holder = &mine;
    kri_block_hook_add(&mine.hook);
    CHECK_EQ(kr_sleep(kr_us(10)), 0);
    CHECK_EQ(kr_queue_get(queue, &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_get(queue, &item, kr_us(10)), -ETIMEDOUT);
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(kr_read(fds[0], &item, 1, kr_us(10)), -ETIMEDOUT);
    CHECK_EQ(kr_close(fds[0]) | kr_close(fds[1]), 0);
    kri_block_hook_remove(&mine.hook);
    holder = NULL;
    CHECK_GE(mine.given_up, 4);
    CHECK_EQ(mine.given_up, mine.retaken);
    return 0;
}

/* Two take turns; who is not attached has no hook to run. */
static int program(void *arg)
{
    kr_queue *queue;
    kr_future *task;
    int item = 1;
    (void)arg;
    CHECK_EQ(kr_queue_create(&queue, sizeof item, 0, NULL), 0);
    CHECK_EQ(kr_spawn(&task, work, &queue, sizeof queue, 0, NULL), 0);
    while (suspended < 2) /* once for its sleep, once at the queue */
        CHECK_EQ(kr_yield(), 0);
    CHECK(holder == NULL);
    CHECK_EQ(kr_queue_put(queue, &item, KR_FOREVER), 0);
    CHECK_EQ(kr_future_exception(task, NULL, KR_FOREVER), 0);
    kr_future_release(task);
    kr_queue_release(queue);
    return 0;
}

TEST(test_attached_coroutine_detaches)
{
    CHECK_EQ(kr_run(program, NULL), 0);
}
