/* Groups on pools: several of them, bounded, shut, broken, inherited by a forked child.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/sanitizers.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <krait/group.h>

enum { MANY = 400 };

static int count_up(const void *arg, void *result)
{
    (void)result;
    kri_add_rlx((kr_word *)(uintptr_t)arg, 1);
    return 0;
}

/* Several executors: an initializer tells where a task runs, for only its own workers run it. */

static _Thread_local int home;

static int settle(void *arg)
{
    home = *(int *)arg;
    return 0;
}

static int tell_home(const void *arg, void *result)
{
    (void)arg;
    *(int *)result = home;
    return 0;
}

static kr_executor *pool_at(int *number)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = 2, .initializer = settle, .initializer_arg = number};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    return pool;
}

static void check_homes(kr_executor *first, kr_executor *second, kr_executor *default_one)
{
    kr_group group;
    kr_group_task tasks[60];
    int got[60];
    CHECK_EQ(kr_group_open(&group, default_one), 0);
    for (int i = 0; i < 60; i++) {
        kr_executor *on = i % 3 == 1 ? first : second;
        got[i] = -1;
        if (i % 3 == 0)
            CHECK_EQ(kr_group_start(&group, &tasks[i], tell_home, NULL, &got[i]), 0);
        else
            CHECK_EQ(kr_group_start_on(&group, &tasks[i], on, tell_home, NULL, &got[i]), 0);
    }
    CHECK_EQ(kr_group_close(&group), 0);
    for (int i = 0; i < 60; i++) {
        CHECK_EQ(kr_group_task_error(&tasks[i]), 0);
        CHECK_EQ(got[i], i % 3 == 2 ? 2 : 1);
    }
}

struct homes {
    kr_executor *first;
    kr_executor *second;
};

static int homes_in_task(const void *arg, void *result)
{
    const struct homes *homes = arg;
    (void)result;
    check_homes(homes->first, homes->second, NULL);
    return 0;
}

/* Opened by a task of the second pool on the first one. */
static int homes_elsewhere(const void *arg, void *result)
{
    const struct homes *homes = arg;
    (void)result;
    check_homes(homes->first, homes->second, homes->first);
    return 0;
}

TEST(tasks_of_one_group_on_several_pools)
{
    int numbers[2] = {1, 2};
    struct homes homes = {pool_at(&numbers[0]), pool_at(&numbers[1])};
    for (int i = 0; i < 20; i++) {
        check_homes(homes.first, homes.second, homes.first);
        CHECK_EQ(run_in_worker(homes.first, homes_in_task, &homes), 0);
        CHECK_EQ(run_in_worker(homes.second, homes_elsewhere, &homes), 0);
    }
    end(homes.first);
    end(homes.second);
}

static int await_event(const void *arg, void *result)
{
    (void)result;
    return kr_event_wait((kr_event *)(uintptr_t)arg, KR_FOREVER);
}

static int fail(const void *arg, void *result)
{
    (void)result;
    return *(const int *)arg;
}

TEST(a_failure_on_one_pool_cancels_tasks_on_the_other)
{
    kr_executor *a = pool_of(1), *b = pool_of(1);
    kr_event never = KR_EVENT_INIT;
    kr_group group;
    kr_group_task tasks[3];
    kr_word count = {0};
    int error = -ENOTTY;
    struct gate gate = {0}, *at = &gate;
    CHECK_EQ(kr_group_open(&group, a), 0);
    CHECK_EQ(kr_group_start_on(&group, &tasks[0], b, pass_gate, &at, NULL), 0);
    wait_entered(&gate, 1);
    CHECK_EQ(kr_group_start_on(&group, &tasks[1], b, count_up, &count, NULL), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[2], fail, &error, NULL), 0);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_group_close(&group), -ENOTTY);
    CHECK_EQ(kr_group_task_error(&tasks[0]), -ECANCELED);
    CHECK_EQ(kr_group_task_error(&tasks[1]), -ECANCELED);
    CHECK_EQ(kri_load_rlx(&count), 0);
    end(a);
    end(b);
}

/* The opener's worker does not take part: b's only worker must come to the rest by itself. */
TEST(a_start_on_another_pool_wakes_its_worker)
{
    kr_executor *a = pool_of(1), *b = pool_of(1);
    for (int i = 0; i < 200; i++) {
        kr_event event = KR_EVENT_INIT;
        struct gate gate = {0}, *at = &gate;
        kr_group group;
        kr_group_task tasks[2];
        CHECK_EQ(kr_group_open(&group, a), 0);
        CHECK_EQ(kr_group_start_on(&group, &tasks[0], b, pass_gate, &at, NULL), 0);
        wait_entered(&gate, 1);
        CHECK_EQ(kr_group_start(&group, &tasks[1], await_event, &event, NULL), 0);
        kr_event_set(&event);
        kr_event_set(&gate.open);
        CHECK_EQ(kr_group_close(&group), 0);
    }
    end(a);
    end(b);
}

/* Bounded */

static void count_many(kr_executor *executor)
{
    static kr_group_task tasks[MANY];
    kr_word count = {0};
    kr_group group;
    CHECK_EQ(kr_group_open(&group, executor), 0);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], count_up, &count, NULL), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(kri_load_rlx(&count), MANY);
}

static int count_many_in_task(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    count_many(NULL);
    return 0;
}

TEST(a_pool_with_a_bounded_queue)
{
    for (int workers = 1; workers <= 2; workers++) {
        kr_executor *pool;
        kr_pool_options options = {.workers = workers, .max_queued = 1};
        CHECK_EQ(kr_thread_pool(&pool, &options), 0);
        CHECK_EQ(run_in_worker(pool, count_many_in_task, NULL), 0);
        count_many(pool);
        end(pool);
    }
}

TEST(a_start_from_outside_that_waits_for_room_is_cancelled)
{
    kr_executor *pool;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    struct gate gate = {0}, *at = &gate;
    kr_word count = {0};
    kr_group group;
    kr_group_task tasks[3];
    kr_pool_options options = {.workers = 1, .max_queued = 1, .no_outside_help = true};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_sec(KRI_SLOWED ? 5 : 1)), 0);
    CHECK_EQ(kr_group_open(&group, pool), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[0], pass_gate, &at, NULL), 0);
    CHECK_EQ(kr_semaphore_acquire(&gate.entered, KR_FOREVER), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[1], count_up, &count, NULL), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[2], count_up, &count, NULL), -ECANCELED);
    CHECK_EQ(kr_group_close(&group), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_group_task_error(&tasks[i]), -ECANCELED);
    CHECK_EQ(kri_load_rlx(&count), 0);
    end(pool);
}

/* Shut down */

TEST(a_pool_that_is_shut_already)
{
    kr_executor *pool = pool_of(1);
    kr_word count = {0};
    kr_group group;
    kr_group_task tasks[2];
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_group_open(&group, pool), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[0], count_up, &count, NULL), KR_ESHUTDOWN);
    CHECK_EQ(kr_group_start(&group, &tasks[1], count_up, &count, NULL), -ECANCELED);
    CHECK_EQ(kr_group_close(&group), KR_ESHUTDOWN);
    CHECK_EQ(kr_group_task_error(&tasks[0]), KR_ESHUTDOWN);
    CHECK_EQ(kr_group_task_error(&tasks[1]), -ECANCELED);
    CHECK_EQ(kri_load_rlx(&count), 0);
    kr_executor_release(pool);
}

/* Whether a task may still start others in its own pool after the shutdown is not said; what was
 * started is accounted for. */
struct shut_plan {
    kr_executor *pool;
    struct gate gate; /* between the two halves of the starts */
    kr_word count;
    int answer;
};

static int start_around_shutdown(const void *arg, void *result)
{
    struct shut_plan *plan = (struct shut_plan *)(uintptr_t)arg;
    (void)result;
    static kr_group_task tasks[MANY];
    kr_group group;
    uint32_t good = 0;
    int refused = 0;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        if (i == MANY / 2) {
            CHECK_EQ(kr_semaphore_release(&plan->gate.entered, 1), 0);
            CHECK_EQ(kr_event_wait(&plan->gate.open, KR_FOREVER), 0);
        }
        int err = kr_group_start(&group, &tasks[i], count_up, &plan->count, NULL);
        CHECK(err == 0 || (i >= MANY / 2 && (err == KR_ESHUTDOWN || err == -ECANCELED)));
        refused += err == KR_ESHUTDOWN;
    }
    CHECK_LE(refused, 1);
    plan->answer = kr_group_close(&group);
    for (int i = 0; i < MANY; i++) {
        int error = kr_group_task_error(&tasks[i]);
        CHECK(error == 0 || error == -ECANCELED || error == KR_ESHUTDOWN);
        good += error == 0;
    }
    CHECK_EQ(good, kri_load_rlx(&plan->count));
    return 0;
}

static void check_shutdown(bool cancel_pending)
{
    struct shut_plan plan = {.pool = pool_of(1)};
    kr_future *f;
    kr_shutdown_options options = {.cancel_pending = cancel_pending};
    CHECK_EQ(kr_submit(plan.pool, &f, start_around_shutdown, &plan, 0, 0), 0);
    wait_entered(&plan.gate, 1);
    CHECK_EQ(kr_executor_shutdown(plan.pool, &options, KR_NOWAIT), -ETIMEDOUT);
    kr_event_set(&plan.gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    uint32_t count = kri_load_rlx(&plan.count);
    if (plan.answer == 0)
        CHECK_EQ(count, MANY);
    else
        CHECK(plan.answer == KR_ESHUTDOWN || (cancel_pending && plan.answer == -ECANCELED));
    end(plan.pool);
}

TEST(a_pool_that_is_shut_down_while_a_group_is_open)
{
    check_shutdown(false);
    check_shutdown(true);
}

struct outsider {
    kr_executor *pool;
    kr_word shut;
};

static void open_until_shut(void *arg)
{
    struct outsider *outsider = arg;
    for (int err = 0; !err;) {
        kr_group group;
        kr_group_task tasks[20];
        kr_word count = {0};
        uint32_t good = 0;
        CHECK_EQ(kr_group_open(&group, outsider->pool), 0);
        for (int i = 0; i < 20; i++) {
            int started = kr_group_start(&group, &tasks[i], count_up, &count, NULL);
            CHECK(started == 0 || started == KR_ESHUTDOWN || started == -ECANCELED);
        }
        err = kr_group_close(&group);
        CHECK(err == 0 || err == KR_ESHUTDOWN);
        for (int i = 0; i < 20; i++)
            good += kr_group_task_error(&tasks[i]) == 0;
        CHECK_EQ(good, kri_load_rlx(&count));
        if (!err)
            CHECK_EQ(good, 20);
    }
}

TEST(groups_from_outside_while_the_pool_is_shut_down)
{
    for (int i = 0; i < 30; i++) {
        struct outsider outsider = {.pool = pool_of(2)};
        kri_bunch bunch;
        kri_bunch_start(&bunch, 3, open_until_shut, &outsider);
        for (int naps = 0; naps < i % 5; naps++)
            kri_test_nap();
        CHECK_EQ(kr_executor_shutdown(outsider.pool, NULL, KR_FOREVER), 0);
        kri_bunch_end(&bunch);
        kr_executor_release(outsider.pool);
    }
}

/* Broken */

static int refuse(void *arg)
{
    (void)arg;
    return -EACCES;
}

static void hear_nothing(const kr_task_report *report)
{
    (void)report;
}

TEST(a_broken_pool_fails_the_group)
{
    kr_set_task_hook(hear_nothing);
    for (int round = 0; round < 20; round++) {
        kr_executor *pool;
        kr_word count = {0};
        kr_group group;
        kr_group_task tasks[10];
        kr_pool_options options = {.workers = 2, .initializer = refuse};
        CHECK_EQ(kr_thread_pool(&pool, &options), 0);
        CHECK_EQ(kr_group_open(&group, pool), 0);
        for (int i = 0; i < 10; i++) {
            int err = kr_group_start(&group, &tasks[i], count_up, &count, NULL);
            CHECK(err == 0 || err == KR_EBROKEN || err == -ECANCELED);
        }
        CHECK_EQ(kr_group_close(&group), KR_EBROKEN);
        for (int i = 0; i < 10; i++) {
            int error = kr_group_task_error(&tasks[i]);
            CHECK(error == KR_EBROKEN || error == -ECANCELED);
        }
        CHECK_EQ(kri_load_rlx(&count), 0);
        end(pool);
    }
}

/* Fork */

TEST(a_group_on_an_inherited_pool_says_so)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_in_worker(pool, count_many_in_task, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        kr_word count = {0};
        kr_group group;
        kr_group_task task;
        CHECK_EQ(kr_group_open(&group, pool), KR_EFORKED);
        CHECK_EQ(kr_group_start(&group, &task, count_up, &count, NULL), -EINVAL);
        CHECK_EQ(kr_group_close(&group), KR_EFORKED);
        if (!KRI_SANITIZED) {
            kr_executor *own = pool_of(2);
            count_many(own);
            end(own);
        }
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    end(pool);
}
