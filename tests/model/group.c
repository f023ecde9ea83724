/* Groups: tasks in their opener's frame, which is gone the moment that the group is closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/pool_scenario.h"

enum { MANY = 6 }; /* more than a worker's own queue holds in the model */

/* In memory that is freed after the close, so that a late touch is seen. */
struct frame {
    kr_group group;
    kr_group_task tasks[MANY];
    long results[MANY]; /* plain */
};

static struct {
    kr_executor *pool;
    kr_event go;
    bool closing; /* plain: the opener is in its close */
    int stranger; /* plain */
    int error;
} s;

static void fresh(kr_executor *pool)
{
    memset(&s, 0, sizeof s);
    s.pool = pool;
}

static int set_seven(const void *arg, void *result)
{
    (void)arg;
    *(long *)result = 7;
    return 0;
}

static struct frame *open_frame(kr_executor *pool)
{
    struct frame *frame = kr_explore_alloc(sizeof *frame);
    memset(frame, 0, sizeof *frame);
    kr_explore_check(kr_group_open(&frame->group, pool) == 0);
    return frame;
}

static void close_frame(struct frame *frame, int count)
{
    kr_explore_check(kr_group_close(&frame->group) == 0);
    for (int i = 0; i < count; i++)
        kr_explore_check(frame->results[i] == 7);
    kr_explore_free(frame);
}

static int start(struct frame *frame, int i)
{
    return kr_group_start(&frame->group, &frame->tasks[i], set_seven, NULL, &frame->results[i]);
}

static int fork_and_join(const void *arg, void *result)
{
    int count = (int)(intptr_t)arg;
    (void)result;
    struct frame *frame = open_frame(NULL);
    for (int i = 0; i < count; i++)
        kr_explore_check(start(frame, i) == 0);
    close_frame(frame, count);
    return 0;
}

/* The opener goes on when a second worker runs its task, and closes while that one ends. */
static int set_seven_and_go(const void *arg, void *result)
{
    (void)arg;
    kr_event_set(&s.go);
    *(long *)result = 7;
    return 0;
}

static int fork_and_meet(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    struct frame *frame = open_frame(NULL);
    kr_explore_check(kr_group_start(&frame->group, &frame->tasks[0], set_seven_and_go, NULL,
                                    &frame->results[0]) == 0);
    kr_explore_check(kr_event_wait(&s.go, KR_FOREVER) == 0);
    close_frame(frame, 1);
    return 0;
}

SCENARIO(group_stolen, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 6000)
{
    fresh(workers_only(2));
    run_one(s.pool, fork_and_meet, NULL);
    end_pool(s.pool);
}

SCENARIO(group_stolen_at_random, .mode = KR_EXPLORE_RANDOM, .schedules = 6000)
{
    fresh(workers_only(2));
    run_one(s.pool, fork_and_meet, NULL);
    end_pool(s.pool);
}

SCENARIO(group_two_stolen, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 6000)
{
    fresh(workers_only(2));
    run_one(s.pool, fork_and_join, (void *)2);
    end_pool(s.pool);
}

/* What the worker's queue has no room for becomes futures. */
SCENARIO(group_overflows, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 3000)
{
    fresh(workers_only(2));
    run_one(s.pool, fork_and_join, (void *)MANY);
    end_pool(s.pool);
}

SCENARIO(group_overflows_alone, .preemptions = 1, .stale = KR_EXPLORE_NONE, .schedules = 20000)
{
    fresh(workers_only(1));
    run_one(s.pool, fork_and_join, (void *)MANY);
    end_pool(s.pool);
}

/* Opened outside: its tasks are futures, which workers and the opener run. */
SCENARIO(group_from_outside, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1}));
    struct frame *frame = open_frame(s.pool);
    kr_explore_check(start(frame, 0) == 0);
    close_frame(frame, 1);
    end_pool(s.pool);
}

/* One fails, the other waits, and is cancelled for it or never begins. */
static int fail(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -EIO;
}

static int wait_for_go(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_event_wait(&s.go, KR_FOREVER);
}

static int fail_among_others(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    struct frame *frame = open_frame(NULL);
    int first = kr_group_start(&frame->group, &frame->tasks[0], wait_for_go, NULL, NULL);
    int second = kr_group_start(&frame->group, &frame->tasks[1], fail, NULL, NULL);
    kr_explore_check(first == 0 && second == 0);
    kr_explore_check(kr_group_close(&frame->group) == -EIO);
    kr_explore_check(kr_group_task_error(&frame->tasks[0]) == -ECANCELED);
    kr_explore_check(kr_group_task_error(&frame->tasks[1]) == -EIO);
    kr_explore_free(frame);
    return 0;
}

SCENARIO(group_failure_cancels, .mode = KR_EXPLORE_PCT, .depth = 3, .schedules = 6000)
{
    fresh(workers_only(2));
    run_one(s.pool, fail_among_others, NULL);
    end_pool(s.pool);
}

SCENARIO(group_failure_cancels_all, .preemptions = 1, .stale = KR_EXPLORE_NONE, .schedules = 20000)
{
    fresh(workers_only(2));
    run_one(s.pool, fail_among_others, NULL);
    end_pool(s.pool);
}

/* A task that was submitted beside the group is not run by the close, and not lost. */
static int note_stranger(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_explore_check(!s.closing);
    s.stranger++;
    return 0;
}

static int submit_beside(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    struct frame *frame = open_frame(NULL);
    kr_explore_check(start(frame, 0) == 0);
    int err = kr_submit(s.pool, NULL, note_stranger, NULL, 0, 0);
    kr_explore_check(err == 0 || err == KR_ESHUTDOWN);
    s.error = err;
    s.closing = true;
    kr_explore_check(kr_group_close(&frame->group) == 0);
    s.closing = false;
    kr_explore_check(frame->results[0] == 7);
    kr_explore_free(frame);
    return 0;
}

SCENARIO(group_beside_a_stranger, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    run_one(s.pool, submit_beside, NULL);
    end_pool(s.pool);
    kr_explore_check(s.stranger == 1);
}

/* The common queue is closed meanwhile, so it goes back where it was. */
SCENARIO(group_beside_a_stranger_shut, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    kr_explore_check(kr_submit(s.pool, NULL, submit_beside, NULL, 0, 0) == 0);
    end_pool(s.pool);
    kr_explore_check(s.stranger == (s.error == 0));
}
