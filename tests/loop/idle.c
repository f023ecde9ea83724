/* Coroutines without a task are kept for the next ones, as many as were needed a moment ago.
 *
 * SPDX-License-Identifier: MIT
 */
#include "in_loop.h"
#include "loop/loop.h"

enum { MANY = 3000, KEPT_ALWAYS = 1024 };

static int wait_for(const void *arg, void *result)
{
    (void)result;
    return kr_event_wait(*(kr_event *const *)arg, KR_FOREVER);
}

static void run_many(void)
{
    static kr_future *tasks[MANY];
    kr_event event = KR_EVENT_INIT, *go = &event;
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(kr_spawn(&tasks[i], wait_for, &go, sizeof go, 0, NULL), 0);
    let_others_run();
    kr_event_set(&event);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(error_of(tasks[i]), 0);
}

LOOP_TEST(many_are_kept_while_they_come_again)
{
    kri_loop *loop = kri_loop_here();
    for (int round = 0; round < 3; round++) {
        run_many();
        let_others_run();
        CHECK(loop->roster.count >= MANY - 1);
    }
}

LOOP_TEST(many_are_given_back_while_nothing_happens)
{
    const kri_loop *loop = kri_loop_here();
    run_many();
    CHECK(loop->roster.count > KEPT_ALWAYS);
    while (loop->roster.count > KEPT_ALWAYS)
        CHECK_EQ(kr_sleep(kr_ms(20)), 0);
    CHECK_EQ(loop->roster.count, KEPT_ALWAYS);
}
