/* Groups of coroutines, and of tasks of pools: kr_group_submit.
 *
 * Behaviours: section 13.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

#include "executor/future.h"
#include "os/os.h"

static int reports;

static void count_report(const kr_task_report *report)
{
    (void)report;
    reports++;
}

static kr_future *add_step(kr_group *group, kr_executor *executor, struct step *step)
{
    kr_future *f;
    CHECK_EQ(kr_group_submit(group, executor, &f, take_step, &step, sizeof step, sizeof(int)), 0);
    return f;
}

static void begin_all(void)
{
    let_others_run();
}

static int value_of(kr_future *f)
{
    int value;
    CHECK_EQ(kr_future_result(f, &value, sizeof value, NULL, KR_NOWAIT), 0);
    kr_future_release(f);
    return value;
}

/* behaviour: 13.4 test_taskgroup_02 */
LOOP_TEST(test_taskgroup_01)
{
    kr_group group;
    struct step steps[3] = {{.error = 0}};
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    kr_future *first = add_step(&group, NULL, &steps[0]);
    kr_future *second = add_step(&group, NULL, &steps[1]);
    begin_all();
    let_go(&steps[0], 0);
    let_others_run();
    CHECK_EQ(value_of(first), 42);
    kr_future *third = add_step(&group, NULL, &steps[2]);
    let_go(&steps[1], 0);
    let_go(&steps[2], 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(value_of(second), 42);
    CHECK_EQ(value_of(third), 42);
}

/* A child that was cancelled for itself. */
LOOP_TEST(test_taskgroup_03)
{
    kr_group group;
    struct step steps[2] = {{.error = 0}};
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    kr_future *first = add_step(&group, NULL, &steps[0]);
    kr_future *second = add_step(&group, NULL, &steps[1]);
    begin_all();
    CHECK_EQ(kr_future_cancel(first), KR_ASKED);
    let_others_run();
    CHECK(!steps[1].cancelled && !kr_cancelled());
    let_go(&steps[1], 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK(kr_future_cancelled(first));
    CHECK_EQ(value_of(second), 42);
    kr_future_release(first);
}

/* The first failure cancels the siblings and the block; all errors are kept.
 * behaviour: 13.4 test_taskgroup_04 */
LOOP_TEST(test_cancel_children_on_child_error)
{
    kr_group group;
    struct step steps[3] = {{.error = 0}, {.after_cancel = -EPERM}};
    kr_future *f[3];
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < 3; i++)
        f[i] = add_step(&group, NULL, &steps[i]);
    begin_all();
    let_go(&steps[2], -EIO);
    CHECK_EQ(kr_sleep(kr_sec(3600)), -ECANCELED);
    CHECK_EQ(kr_group_close(&group), -EIO);
    CHECK(!kr_cancelled());
    CHECK_EQ(error_of(f[0]), -ECANCELED);
    CHECK_EQ(error_of(f[1]), -EPERM);
    CHECK_EQ(error_of(f[2]), -EIO);
    CHECK(steps[0].ended && steps[1].ended);
}

/* A task that holds a group with two steps, and perhaps a third thing that it does. */
struct holder {
    struct step steps[2];
    kr_group group;
    int closed;
    bool in_body; /* it waits in the body, not in the close */
    int body_error;
};

static int hold_group(const void *arg, void *result)
{
    struct holder *h = *(struct holder *const *)arg;
    (void)result;
    CHECK_EQ(kr_group_open(&h->group, NULL), 0);
    for (int i = 0; i < 2; i++)
        kr_future_release(add_step(&h->group, NULL, &h->steps[i]));
    int err = h->in_body ? kr_sleep(kr_sec(3600)) : 0;
    if (err == -ECANCELED && h->body_error)
        err = h->body_error;
    if (err < 0 && err != -ECANCELED)
        kr_group_cancel(&h->group);
    h->closed = kr_group_close(&h->group);
    return err < 0 && err != -ECANCELED ? err : h->closed;
}

static kr_future *spawn_holder(struct holder *h)
{
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, hold_group, &h, sizeof h, 0, NULL), 0);
    let_others_run();
    return f;
}

static void cancel_holder(struct holder *h, int wanted)
{
    kr_future *f = spawn_holder(h);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_of(f), wanted);
    for (int i = 0; i < 2; i++)
        CHECK(h->steps[i].cancelled && h->steps[i].ended);
}

/* behaviours: 13.4 test_taskgroup_07, test_taskgroup_22 */
LOOP_TEST(test_cancellation)
{
    struct holder h = {.steps = {{.delay = kr_ms(2)}}};
    cancel_holder(&h, -ECANCELED);
    struct holder in_body = {.in_body = true};
    cancel_holder(&in_body, -ECANCELED);
}

/* behaviour: 13.4 test_taskgroup_17 */
LOOP_TEST(test_taskgroup_context_manager_exit_raises)
{
    struct holder h = {.in_body = true};
    cancel_holder(&h, -ECANCELED);
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_sleep(1), 0);
}

/* Errors while it is cleaned up win over the cancel.
 * behaviours: 13.4 test_taskgroup_15, test_taskgroup_16, test_error_and_cancel */
LOOP_TEST(test_taskgroup_08)
{
    struct holder h = {.steps = {{.after_cancel = -EIO}}};
    cancel_holder(&h, -EIO);
    struct holder in_body = {.steps = {{.after_cancel = -EIO, .delay = kr_ms(2)}}, .in_body = true};
    cancel_holder(&in_body, -EIO);
}

/* The body fails: the children are cancelled.
 * behaviours: 13.4 test_taskgroup_10, test_taskgroup_18, test_taskgroup_19 */
LOOP_TEST(test_taskgroup_09)
{
    struct holder h = {.in_body = true, .body_error = -EIO};
    cancel_holder(&h, -EIO);
    CHECK_EQ(h.closed, -ECANCELED);
}

/* A task of the outer group holds an inner one. */
static void nest(struct holder *h, struct step *outer_step, int fails_in, int wanted_inner)
{
    kr_group group;
    kr_future *inner;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, &inner, hold_group, &h, sizeof h, 0), 0);
    kr_future_release(add_step(&group, NULL, outer_step));
    begin_all();
    let_go(fails_in == 0 ? outer_step : &h->steps[0], -EIO);
    CHECK_EQ(kr_group_close(&group), -EIO);
    CHECK_EQ(error_of(inner), wanted_inner);
    CHECK(h->steps[0].ended && h->steps[1].ended && outer_step->ended);
}

/* The outer group holds only the error of its child.
 * behaviour: 13.4 test_taskgroup_11 */
LOOP_TEST(test_taskgroup_13)
{
    struct holder h = {.in_body = true};
    struct step step = {0};
    nest(&h, &step, 0, -ECANCELED);
}

/* behaviour: 13.4 test_taskgroup_12 */
LOOP_TEST(test_taskgroup_14)
{
    struct holder h = {.in_body = true};
    struct step step = {0};
    nest(&h, &step, 1, -EIO);
    CHECK(step.cancelled);
}

LOOP_TEST(test_nested_groups_both_cancelled)
{
    struct holder h = {.in_body = true};
    struct step step = {.after_cancel = -EPERM};
    h.steps[1].after_cancel = -EPERM;
    nest(&h, &step, 1, -EIO);
}

static int nothing(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

/* What is over is forgotten at once. */
LOOP_TEST(test_taskgroup_23)
{
    kr_group group;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < 100; i++) {
        kr_future *f;
        CHECK_EQ(kr_group_submit(&group, NULL, &f, nothing, NULL, 0, 0), 0);
        CHECK_EQ(error_of(f), 0);
        CHECK_EQ(group.pending.bits, 0);
        for (int list = 0; list < 3; list++)
            CHECK(group.members[list] == NULL);
    }
    CHECK_EQ(kr_group_close(&group), 0);
}

/* Tasks that add tasks. */
struct chain {
    kr_group *group;
    int left;
    int *made;
};

static int add_next(const void *arg, void *result)
{
    struct chain chain = *(const struct chain *)arg;
    (void)result;
    ++*chain.made;
    CHECK_EQ(kr_yield(), 0);
    if (chain.left-- == 0)
        return 0;
    return kr_group_submit(chain.group, NULL, NULL, add_next, &chain, sizeof chain, 0);
}

LOOP_TEST(test_taskgroup_24)
{
    kr_group group;
    int made = 0;
    struct chain chain = {&group, 20, &made};
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, NULL, add_next, &chain, sizeof chain, 0), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(made, 21);
}

static int add_when_cancelled(const void *arg, void *result)
{
    struct chain chain = *(const struct chain *)arg;
    (void)result;
    CHECK_EQ(kr_sleep(kr_sec(3600)), -ECANCELED);
    *chain.made = kr_group_submit(chain.group, NULL, NULL, nothing, NULL, 0, 0);
    return -ECANCELED;
}

/* behaviours: 13.4 test_taskgroup_25 */
LOOP_TEST(test_taskgroup_no_create_task_after_failure)
{
    kr_group group;
    int answer = 0;
    struct step step = {0};
    struct chain chain = {&group, 0, &answer};
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, NULL, add_when_cancelled, &chain, sizeof chain, 0), 0);
    kr_future_release(add_step(&group, NULL, &step));
    begin_all();
    let_go(&step, -EIO);
    let_others_run();
    CHECK_EQ(answer, -ECANCELED);
    CHECK_EQ(kr_group_submit(&group, NULL, NULL, nothing, NULL, 0, 0), -ECANCELED);
    CHECK_EQ(kr_group_close(&group), -EIO);
}

static int fail_io(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -EIO;
}

/* What ends it is a sibling that it has made itself. */
static int make_one_that_fails(const void *arg, void *result)
{
    kr_group *group = *(kr_group *const *)arg;
    CHECK_EQ(kr_group_submit(group, NULL, NULL, fail_io, NULL, 0, 0), 0);
    *(int *)result = kr_sleep(kr_sec(3600));
    return 0;
}

LOOP_TEST(test_cancels_task_if_created_during_creation)
{
    kr_group group, *at = &group;
    kr_future *f;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, &f, make_one_that_fails, &at, sizeof at, sizeof(int)),
             0);
    CHECK_EQ(kr_group_close(&group), -EIO);
    CHECK_EQ(value_of(f), -ECANCELED);
}

LOOP_TEST(test_cancellation_does_not_leak_out_of_tg)
{
    kr_group group;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, NULL, fail_io, NULL, 0, 0), 0);
    CHECK_EQ(kr_group_close(&group), -EIO);
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_yield(), 0);
    CHECK_EQ(kr_sleep(kr_ms(1)), 0);
}

/* Nobody would wait for what is added to a group that is closed, or was never opened.
 * behaviours: 13.4 test_taskgroup_finished, test_taskgroup_not_entered */
LOOP_TEST(a_group_takes_tasks_while_it_is_open)
{
    static kr_group never, group;
    kr_group_task task;
    kr_future *f;
    CHECK_EQ(kr_group_submit(&never, NULL, &f, nothing, NULL, 0, 0), -EINVAL);
    CHECK_EQ(kr_group_start(&never, &task, nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_start(&group, &task, nothing, NULL, NULL), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, &f, nothing, NULL, 0, 0), -EINVAL);
    CHECK(f == NULL);
    CHECK_EQ(kr_group_start(&group, &task, nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_group_start_on(&group, &task, kr_running_loop(), nothing, NULL, NULL), -EINVAL);
    kr_group_cancel(&group);
    CHECK_EQ(kr_group_close(&group), -EINVAL);
}

LOOP_TEST(test_group_submit_refuses)
{
    kr_group group;
    kr_future *f;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, &f, NULL, NULL, 0, 0), -EINVAL);
    CHECK(f == NULL);
    CHECK_EQ(kr_group_close(&group), -EINVAL);
}

/* Its error is the group's to tell. */
LOOP_TEST(test_error_is_not_reported)
{
    kr_group group;
    struct step step = {0};
    (void)kr_set_task_hook(count_report);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    kr_future_release(add_step(&group, NULL, &step));
    let_go(&step, -EIO);
    CHECK_EQ(kr_group_close(&group), -EIO);
    CHECK_EQ(reports, 0);
}

/* Both kinds of tasks, on the loop and on a pool. */
LOOP_TEST(test_group_of_all_kinds)
{
    kr_group group;
    kr_executor *pool;
    kr_group_task tasks[2];
    struct step steps[4] = {{.error = 0}};
    struct step *started[2] = {&steps[2], &steps[3]};
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    kr_future_release(add_step(&group, NULL, &steps[0]));
    kr_future_release(add_step(&group, pool, &steps[1]));
    CHECK_EQ(kr_group_start(&group, &tasks[0], take_step, &started[0], NULL), 0);
    CHECK_EQ(kr_group_start_on(&group, &tasks[1], pool, take_step, &started[1], NULL), 0);
    begin_all();
    let_go(&steps[2], -EIO);
    CHECK_EQ(kr_group_close(&group), -EIO);
    CHECK(!steps[0].begun || steps[0].ended);
    CHECK(!steps[1].begun || steps[1].ended);
    CHECK(!steps[3].begun || steps[3].ended);
    kr_executor_release(pool);
}

/* In threads. */

static int add_up(const void *arg, void *result)
{
    *(int *)result = *(const int *)arg * 2;
    return 0;
}

TEST(test_group_submit_to_pool)
{
    enum { TASKS = 500 };
    kr_executor *pool;
    kr_group group;
    static kr_future *f[TASKS];
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    CHECK_EQ(kr_group_open(&group, pool), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(kr_group_submit(&group, NULL, &f[i], add_up, &i, sizeof i, sizeof i), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(value_of(f[i]), 2 * i);
    kr_executor_release(pool);
}

/* Groups within groups on one worker: the closes run what nobody else can. */
static int recurse(const void *arg, void *result)
{
    int depth = *(const int *)arg, below = depth - 1, values[2] = {1, 1};
    kr_group group;
    kr_future *f[2] = {NULL, NULL};
    if (depth > 0) {
        CHECK_EQ(kr_group_open(&group, NULL), 0);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(
                kr_group_submit(&group, NULL, &f[i], recurse, &below, sizeof below, sizeof(int)),
                0);
        CHECK_EQ(kr_group_close(&group), 0);
        for (int i = 0; i < 2; i++)
            values[i] = value_of(f[i]);
    }
    *(int *)result = values[0] + values[1];
    return 0;
}

TEST(test_group_submit_recursion)
{
    kr_executor *pool;
    kr_future *f;
    int depth = 8, sum;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, &f, recurse, &depth, sizeof depth, sizeof sum), 0);
    CHECK_EQ(kr_future_result(f, &sum, sizeof sum, NULL, KR_FOREVER), 0);
    CHECK_EQ(sum, 512);
    kr_future_release(f);
    kr_executor_release(pool);
}

static int fail_sometimes(const void *arg, void *result)
{
    int n = *(const int *)arg;
    (void)result;
    if (n == 7)
        return -EIO;
    return kr_sleep(kr_us(n % 50)) < 0 ? -ECANCELED : 0;
}

/* Failures, cancels from outside and ends, all at once. */
TEST(test_group_submit_chaos)
{
    kr_executor *pool;
    uint64_t random = kri_test_seed();
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 4}), 0);
    for (int round = 0; round < 300; round++) {
        kr_group group;
        int tasks = (int)(kri_test_random(&random) % 20);
        CHECK_EQ(kr_group_open(&group, pool), 0);
        for (int i = 0; i < tasks; i++)
            (void)kr_group_submit(&group, NULL, NULL, fail_sometimes, &i, sizeof i, 0);
        if (kri_test_random(&random) % 4 == 0)
            kr_group_cancel(&group);
        int err = kr_group_close(&group);
        CHECK(err == 0 || err == -ECANCELED || err == -EIO);
        CHECK(tasks > 7 || err != -EIO);
        CHECK_EQ(group.pending.bits, 0);
    }
    kr_executor_release(pool);
}

TEST(test_taskgroup_without_parent_task)
{
    kr_group group;
    CHECK_EQ(kr_group_open(&group, NULL), -EINVAL);
    CHECK_EQ(kr_group_submit(&group, NULL, NULL, nothing, NULL, 0, 0), -EINVAL);
    CHECK_EQ(kr_group_close(&group), -EINVAL);
}

/* A cancel reaches the members at once, not only as the group is closed. */
LOOP_TEST(test_group_cancel_at_once)
{
    kr_group group;
    struct step step = {0};
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    kr_future_release(add_step(&group, NULL, &step));
    begin_all();
    kr_group_cancel(&group);
    let_others_run();
    CHECK(step.cancelled && step.ended);
    CHECK_EQ(kr_group_close(&group), -ECANCELED);
}

static int open_gate(const void *arg, void *result)
{
    struct step *step = *(struct step *const *)arg;
    (void)result;
    let_go(step, 0);
    return 0;
}

/* The only worker waits for what is queued behind it: who closes runs that himself. */
TEST(test_group_close_helps)
{
    kr_executor *pool;
    kr_group group;
    struct step step = {0};
    struct step *gate = &step;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_spares = -1}), 0);
    CHECK_EQ(kr_submit(pool, &f, take_step, &gate, sizeof gate, 0), 0);
    while (!kr_future_running(f))
        kri_test_nap();
    CHECK_EQ(kr_group_open(&group, pool), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, NULL, open_gate, &gate, sizeof gate, 0), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(error_of(f), 0);
    kr_executor_release(pool);
}
