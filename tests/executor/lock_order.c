/* Whoever closes a group while it holds a lock runs nobody who may want that lock.
 *
 * A close runs tasks on the stack of the closer: those of its group, and what those have started in
 * groups of their own.  A task that has nothing to do with the group, a stranger, waits here for a
 * lock that the closer holds; run by the closer it would wait for ever.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"

#include <krait/group.h>

struct plan {
    kr_executor *pool;
    kr_lock lock;
    struct gate gate;
    kr_event began; /* a stranger has */
    kr_word strangers;
    kr_word members;
};

static int want_lock(const void *arg, void *result)
{
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    (void)result;
    kr_event_set(&plan->began);
    kr_with (&plan->lock) {
        kri_add_rlx(&plan->strangers, 1);
    }
    return 0;
}

static void submit_stranger(struct plan *plan)
{
    CHECK_EQ(kr_submit(plan->pool, NULL, want_lock, plan, 0, 0), 0);
}

static int belong(const void *arg, void *result)
{
    (void)result;
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    kri_add_rlx(&plan->members, 1);
    return 0;
}

static int stay(const void *arg, void *result)
{
    (void)result;
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    struct gate *gate = &plan->gate;
    kri_add_rlx(&plan->members, 1);
    return pass_gate(&gate, NULL);
}

static void run_plan(int workers, kr_task_fn fn, uint32_t strangers, uint32_t members)
{
    for (int i = 0; i < 50; i++) {
        struct plan plan = {.pool = pool_of(workers)};
        CHECK_EQ(run_in_worker(plan.pool, fn, &plan), 0);
        end(plan.pool);
        CHECK_EQ(kri_load_rlx(&plan.strangers), strangers);
        CHECK_EQ(kri_load_rlx(&plan.members), members);
    }
}

/* Strangers before, between and after the tasks of the group, submitted by the opener itself. */

static int strangers_between(const void *arg, void *result)
{
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    (void)result;
    kr_group group;
    kr_group_task tasks[4];
    CHECK_EQ(kr_lock_acquire(&plan->lock, KR_FOREVER), 0);
    submit_stranger(plan);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    submit_stranger(plan);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(kr_group_start(&group, &tasks[i], belong, plan, NULL), 0);
        submit_stranger(plan);
    }
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(kri_load_rlx(&plan->strangers), 0);
    return kr_lock_release(&plan->lock);
}

TEST(strangers_that_the_opener_submits_inside_the_group)
{
    for (int workers = 1; workers <= 3; workers++)
        run_plan(workers, strangers_between, 6, 4);
}

/* The same with an inner group whose tasks lie above strangers of the outer one. */
static int strangers_in_nested(const void *arg, void *result)
{
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    (void)result;
    kr_group outer, inner;
    kr_group_task tasks[4];
    CHECK_EQ(kr_lock_acquire(&plan->lock, KR_FOREVER), 0);
    CHECK_EQ(kr_group_open(&outer, NULL), 0);
    CHECK_EQ(kr_group_start(&outer, &tasks[0], belong, plan, NULL), 0);
    submit_stranger(plan);
    CHECK_EQ(kr_group_open(&inner, NULL), 0);
    CHECK_EQ(kr_group_start(&inner, &tasks[1], belong, plan, NULL), 0);
    CHECK_EQ(kr_group_start(&outer, &tasks[2], belong, plan, NULL), 0);
    submit_stranger(plan);
    CHECK_EQ(kr_group_start(&inner, &tasks[3], belong, plan, NULL), 0);
    CHECK_EQ(kr_group_close(&inner), 0);
    CHECK_GE(kri_load_rlx(&plan->members), 2);
    CHECK_EQ(kr_group_close(&outer), 0);
    CHECK_EQ(kri_load_rlx(&plan->members), 4);
    CHECK_EQ(kri_load_rlx(&plan->strangers), 0);
    return kr_lock_release(&plan->lock);
}

TEST(strangers_below_and_above_an_inner_group)
{
    for (int workers = 1; workers <= 3; workers++)
        run_plan(workers, strangers_in_nested, 2, 4);
}

/* A task of the outer group wants a lock that is held around the inner group only: the close of the
 * inner one must not run it either. */
static int lock_around_inner(const void *arg, void *result)
{
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    (void)result;
    kr_group outer, inner;
    kr_group_task tasks[5];
    CHECK_EQ(kr_group_open(&outer, NULL), 0);
    CHECK_EQ(kr_lock_acquire(&plan->lock, KR_FOREVER), 0);
    CHECK_EQ(kr_group_start(&outer, &tasks[0], want_lock, plan, NULL), 0);
    CHECK_EQ(kr_group_open(&inner, NULL), 0);
    CHECK_EQ(kr_group_start(&inner, &tasks[1], belong, plan, NULL), 0);
    CHECK_EQ(kr_group_start(&outer, &tasks[2], want_lock, plan, NULL), 0);
    CHECK_EQ(kr_group_start(&inner, &tasks[3], belong, plan, NULL), 0);
    CHECK_EQ(kr_group_start(&outer, &tasks[4], want_lock, plan, NULL), 0);
    CHECK_EQ(kr_group_close(&inner), 0);
    CHECK_EQ(kri_load_rlx(&plan->members), 2);
    CHECK_EQ(kri_load_rlx(&plan->strangers), 0);
    CHECK_EQ(kr_lock_release(&plan->lock), 0);
    return kr_group_close(&outer);
}

TEST(tasks_of_an_outer_group_are_strangers_to_the_inner_one)
{
    for (int workers = 1; workers <= 3; workers++)
        run_plan(workers, lock_around_inner, 3, 2);
}

/* The opener submits a stranger, then a task of its group waits, and the group below it is the one
 * that is closed first: the stack holds the lock two tasks above. */
static int close_below(const void *arg, void *result)
{
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    (void)result;
    kr_group group;
    kr_group_task tasks[2];
    submit_stranger(plan);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], belong, plan, NULL), 0);
    submit_stranger(plan);
    CHECK_EQ(kr_group_close(&group), 0);
    return 0;
}

static int lock_two_above(const void *arg, void *result)
{
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    (void)result;
    kr_group group;
    kr_group_task tasks[3];
    CHECK_EQ(kr_lock_acquire(&plan->lock, KR_FOREVER), 0);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], close_below, plan, NULL), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(kri_load_rlx(&plan->members), 6);
    CHECK_EQ(kri_load_rlx(&plan->strangers), 0);
    return kr_lock_release(&plan->lock);
}

TEST(strangers_that_tasks_of_the_group_submit)
{
    for (int workers = 1; workers <= 3; workers++)
        run_plan(workers, lock_two_above, 6, 6);
}

/* While another worker runs the last task the closer helps that worker, with what it has started in
 * groups and with nothing else of its queue. */
static int start_and_stay(const void *arg, void *result)
{
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    (void)result;
    kr_group group;
    kr_group_task tasks[2];
    submit_stranger(plan);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[0], belong, plan, NULL), 0);
    submit_stranger(plan);
    CHECK_EQ(kr_group_start(&group, &tasks[1], belong, plan, NULL), 0);
    submit_stranger(plan);
    CHECK_EQ(stay(plan, NULL), 0);
    return kr_group_close(&group);
}

static int help_the_other(const void *arg, void *result)
{
    struct plan *plan = (struct plan *)(uintptr_t)arg;
    (void)result;
    kr_group group;
    kr_group_task task;
    CHECK_EQ(kr_lock_acquire(&plan->lock, KR_FOREVER), 0);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_start(&group, &task, start_and_stay, plan, NULL), 0);
    wait_entered(&plan->gate, 1); /* by the other worker, for this one is here */
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(kri_load_rlx(&plan->members), 3);
    CHECK_EQ(kri_load_rlx(&plan->strangers), 0);
    return kr_lock_release(&plan->lock);
}

/* Opened when the closer has either taken over what was left to help with, or gone to sleep. */
static void open_later(void *arg)
{
    struct plan *plan = arg;
    for (int naps = 0; naps < 200 && kri_load_rlx(&plan->members) < 3; naps++)
        kri_test_nap();
    kr_event_set(&plan->gate.open);
}

TEST(a_closer_that_helps_another_worker_takes_no_stranger_from_it)
{
    for (int i = 0; i < 20; i++) {
        struct plan plan = {.pool = pool_of(2)};
        kri_bunch bunch;
        kri_bunch_start(&bunch, 1, open_later, &plan);
        CHECK_EQ(run_in_worker(plan.pool, help_the_other, &plan), 0);
        kri_bunch_end(&bunch);
        end(plan.pool);
        CHECK_EQ(kri_load_rlx(&plan.strangers), 3);
        CHECK_EQ(kri_load_rlx(&plan.members), 3);
    }
}

/* From outside: strangers queued before and behind the tasks of the group. */
TEST(a_closer_outside_the_pool_runs_no_stranger)
{
    for (int workers = 1; workers <= 2; workers++)
        for (int i = 0; i < 50; i++) {
            struct plan plan = {.pool = pool_of(workers + 2)};
            kr_group group;
            kr_group_task tasks[4];
            CHECK_EQ(kr_lock_acquire(&plan.lock, KR_FOREVER), 0);
            CHECK_EQ(kr_group_open(&group, plan.pool), 0);
            submit_stranger(&plan);
            for (int j = 0; j < 4; j++)
                CHECK_EQ(kr_group_start(&group, &tasks[j], belong, &plan, NULL), 0);
            submit_stranger(&plan);
            CHECK_EQ(kr_group_close(&group), 0);
            CHECK_EQ(kri_load_rlx(&plan.members), 4);
            CHECK_EQ(kri_load_rlx(&plan.strangers), 0);
            CHECK_EQ(kr_lock_release(&plan.lock), 0);
            end(plan.pool);
            CHECK_EQ(kri_load_rlx(&plan.strangers), 2);
        }
}

/* A chain of groups, one below the other, on workers that all do the same. */

struct chain {
    kr_word *ends;
    int depth;
};

static int descend(const void *arg, void *result)
{
    const struct chain *chain = arg;
    (void)result;
    if (chain->depth == 0) {
        kri_add_rlx(chain->ends, 1);
        return 0;
    }
    struct chain below = {chain->ends, chain->depth - 1};
    kr_group group;
    kr_group_task task;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK_EQ(kr_group_start(&group, &task, descend, &below, NULL), 0);
    return kr_group_close(&group);
}

static void check_chain(int workers, int chains, int depth)
{
    kr_word ends = {0};
    struct chain top = {&ends, depth};
    kr_executor *pool = pool_of(workers);
    kr_future *futures[4];
    for (int i = 0; i < chains; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], descend, &top, 0, 0), 0);
    for (int i = 0; i < chains; i++)
        CHECK_EQ(error_from_worker(futures[i]), 0);
    CHECK_EQ(kri_load_rlx(&ends), chains);
    end(pool);
}

TEST(groups_10000_deep_on_one_worker)
{
    check_chain(1, 1, 10000);
}

TEST(groups_10000_deep_on_two_workers)
{
    check_chain(2, 1, 10000);
    check_chain(2, 4, 2500);
}
