/* Done callbacks of a pool's tasks: in whose thread and scope they run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"

struct seen {
    kr_event called;
    uint64_t thread;
    bool done;
    bool cancelled;
};

static uint64_t here(void)
{
    return kr_thread_ident(kr_thread_current());
}

static int note(kr_future *f, void *arg)
{
    struct seen *seen = arg;
    seen->thread = here();
    seen->done = kr_future_done(f);
    seen->cancelled = kr_cancelled();
    kr_event_set(&seen->called);
    return 0;
}

struct stay {
    struct gate gate;
    uint64_t thread;
};

static int stay(const void *arg, void *result)
{
    struct stay *at = (struct stay *)(uintptr_t)arg;
    struct gate *gate = &at->gate;
    at->thread = here();
    return pass_gate(&gate, result);
}

TEST(one_of_a_running_task_runs_in_its_worker_and_outside_its_scope)
{
    kr_executor *pool = pool_of(1);
    struct stay at = {.thread = 0};
    struct seen seen = {.thread = 0};
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, stay, &at, 0, 0), 0);
    wait_entered(&at.gate, 1);
    CHECK_EQ(kr_future_add_done_callback(f, note, &seen), 0);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(kr_event_wait(&seen.called, KR_FOREVER), 0);
    CHECK(seen.thread == at.thread && seen.thread != here());
    CHECK(seen.done && !seen.cancelled);
    CHECK_EQ(error_of(f), -ECANCELED);
    end(pool);
}

TEST(one_of_a_pending_task_runs_where_it_is_cancelled)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    struct seen seen = {.thread = 0};
    kr_future *first = submit_gate(pool, &gate), *second = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    CHECK_EQ(kr_future_add_done_callback(second, note, &seen), 0);
    CHECK_EQ(kr_future_cancel(second), 0);
    CHECK(seen.thread == here() && seen.done);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(error_of(second), -ECANCELED);
    end(pool);
}

TEST(one_that_comes_late_runs_in_its_caller)
{
    kr_executor *pool = pool_of(1);
    struct seen seen = {.thread = 0};
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, &(int){0}, kr_sec(3600)), 0);
    CHECK_EQ(kr_future_add_done_callback(f, note, &seen), 0);
    CHECK(seen.thread == here() && seen.done);
    kr_future_release(f);
    end(pool);
}

/* The one that it wakes has a result before the callback is through. */
static int hold(kr_future *f, void *arg)
{
    (void)f;
    return kr_event_wait(arg, KR_FOREVER);
}

TEST(those_who_wait_are_woken_before_the_callbacks_run)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_event go = KR_EVENT_INIT;
    kr_future *f = submit_gate(pool, &gate);
    CHECK_EQ(kr_future_add_done_callback(f, hold, &go), 0);
    wait_entered(&gate, 1);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(f), 0);
    kr_event_set(&go);
    end(pool);
}
