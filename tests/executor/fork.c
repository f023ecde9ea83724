/* Fork: what a child inherits says so, and what it makes itself works.
 *
 * Behaviours: section 11.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/sanitizers.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int status_of(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(inherited_pools_and_futures_say_so)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    kr_executor *pool = pool_of(2);
    struct gate gate = {0};
    kr_future *futures[3], *made;
    for (int i = 0; i < 3; i++)
        futures[i] = submit_gate(pool, &gate);
    wait_entered(&gate, 2);
    CHECK_EQ(kr_future_create(&made, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        int error, n = 0;
        bool done;
        kr_completed *it;
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), KR_EFORKED);
        CHECK_EQ(kr_map(pool, count_one, &n, sizeof n, 1, NULL, 0, NULL), KR_EFORKED);
        CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), KR_EFORKED);
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(kr_future_exception(futures[i], &error, KR_FOREVER), KR_EFORKED);
            CHECK_EQ(kr_future_cancel(futures[i]), KR_EFORKED);
            CHECK_EQ(kr_future_running(futures[i]), i < 2);
        }
        CHECK_EQ(kr_wait(futures, 3, KR_ALL_COMPLETED, &done, KR_FOREVER), KR_EFORKED);
        CHECK_EQ(kr_as_completed(&it, futures, 3), KR_EFORKED);
        CHECK_EQ(kr_future_set_error(made, -EIO), KR_EFORKED);
        for (int i = 0; i < 3; i++)
            kr_future_release(futures[i]);
        kr_executor_release(pool);
        pool = pool_of(2);
        int want = KRI_SANITIZED ? 0 : 100;
        CHECK_EQ(kr_map(pool, count_one, &n, 0, (size_t)want, NULL, 0, NULL), 0);
        CHECK_EQ(kri_load_rlx(&ran), want);
        exit(0);
    }
    CHECK_EQ(status_of(child), 0);
    kr_event_set(&gate.open);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    kr_future_release(made);
    kr_executor_release(pool);
}

static int submit_on(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    int err = kr_submit(pool, NULL, submit_on, arg, sizeof pool, 0);
    return err == KR_ESHUTDOWN ? 0 : err;
}

TEST(test_hang_global_shutdown_lock)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    kr_executor *pool = pool_of(2);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_submit(pool, NULL, submit_on, &pool, sizeof pool, 0), 0);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), KR_EFORKED);
            if (KRI_SANITIZED)
                _exit(0);
            kr_executor *own = pool_of(2);
            CHECK_EQ(kr_map(own, count_one, &i, 0, 10, NULL, 0, NULL), 0);
            if (i % 2)
                kr_executor_release(own);
            exit(0);
        }
        CHECK_EQ(status_of(child), 0);
    }
    kr_executor_release(pool);
}

static int fork_in_task(const void *arg, void *result)
{
    bool returns = *(const bool *)arg;
    pid_t child = fork();
    if (child == 0) {
        kr_group group;
        CHECK_EQ(kr_group_open(&group, NULL), KR_EFORKED);
        CHECK_EQ(kr_group_close(&group), KR_EFORKED);
        if (!returns)
            exit(0);
        return 0;
    }
    *(int *)result = status_of(child);
    return 0;
}

static void check_fork_in_task(bool returns)
{
    kr_executor *pool = pool_of(2);
    kr_future *f;
    int got = -1;
    CHECK_EQ(kr_submit(pool, &f, fork_in_task, &returns, sizeof returns, sizeof got), 0);
    CHECK_EQ(kr_future_result(f, &got, sizeof got, NULL, kr_sec(3600)), 0); /* does not help */
    CHECK_EQ(got, 0);
    kr_future_release(f);
    kr_executor_release(pool);
}

TEST(test_process_fork_from_a_threadpool)
{
    check_fork_in_task(false);
}

TEST(a_task_that_returns_in_a_forked_child)
{
    if (KRI_SANITIZED)
        SKIP("the thread sanitizer does not survive the end of such a thread");
    check_fork_in_task(true);
}

static pid_t parent;

/* In the child this runs in the thread that was the worker, after the worker has returned. */
static void wait_in_the_exit_of_the_child(void *arg)
{
    (void)arg;
    if (getpid() == parent)
        return;
    kr_future *f;
    int error;
    CHECK_EQ(kr_future_create(&f, 0), 0);
    CHECK_EQ(kr_future_exception(f, &error, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_future_set_result(f, NULL, 0), 0);
    CHECK_EQ(error_of(f), 0);
}

TEST(the_exit_of_a_child_whose_task_returned_is_in_no_task)
{
    if (KRI_TSAN)
        SKIP("the thread sanitizer does not survive the end of such a thread");
    parent = getpid();
    CHECK_EQ(kr_at_exit(wait_in_the_exit_of_the_child, NULL), 0);
    check_fork_in_task(true);
}

/* A thread that is no worker runs the first of some tasks, which forks and returns in the child. */

enum { HELPED = 3 };

static int fork_once(const void *arg, void *result)
{
    bool *has_forked = *(bool *const *)arg;
    (void)result;
    CHECK(getpid() == parent);
    if (*has_forked)
        return 0;
    *has_forked = true;
    pid_t child = fork();
    if (child != 0)
        CHECK_EQ(status_of(child), 0);
    return 0;
}

/* What it came to, in the parent; the child must hear that it is one, and ends. */
static int unless_child(int outcome)
{
    if (getpid() == parent)
        return outcome;
    CHECK_EQ(outcome, KR_EFORKED);
    _exit(0);
}

static int close_group(kr_executor *pool, bool *has_forked)
{
    kr_group group;
    kr_group_task tasks[HELPED];
    CHECK_EQ(kr_group_open(&group, pool), 0);
    for (int i = 0; i < HELPED; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], fork_once, &has_forked, NULL), 0);
    return unless_child(kr_group_close(&group));
}

static void help_forking_tasks(kr_executor *pool, int way)
{
    kr_future *futures[HELPED], *first;
    kr_completed *it;
    bool has_forked = false, *at = &has_forked;
    for (int i = 0; i < HELPED; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], fork_once, &at, sizeof at, 0), 0);
    if (way == 0)
        CHECK_EQ(unless_child(kr_future_exception(futures[0], NULL, KR_FOREVER)), 0);
    if (way == 1)
        CHECK_EQ(unless_child(kr_wait(futures, HELPED, KR_ALL_COMPLETED, NULL, KR_FOREVER)),
                 HELPED);
    if (way == 2) {
        CHECK_EQ(kr_as_completed(&it, futures, HELPED), 0);
        CHECK_EQ(unless_child(kr_completed_next(it, &first, KR_FOREVER)), 1);
        kr_completed_release(it);
    }
    CHECK(has_forked);
    for (int i = 0; i < HELPED; i++)
        CHECK_EQ(error_of(futures[i]), 0);
}

static void check_helped_fork(int way)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    parent = getpid();
    kr_future *blocker = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    bool has_forked = false;
    if (way == 3)
        CHECK_EQ(close_group(pool, &has_forked), 0);
    else
        help_forking_tasks(pool, way);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(blocker), 0);
    end(pool);
}

TEST(a_helped_task_that_returns_in_a_forked_child_ends_the_wait_there)
{
    check_helped_fork(0);
}

TEST(a_helped_task_that_returns_in_a_forked_child_ends_kr_wait_there)
{
    check_helped_fork(1);
}

TEST(a_helped_task_that_returns_in_a_forked_child_ends_the_iterator_there)
{
    check_helped_fork(2);
}

TEST(a_helped_task_that_returns_in_a_forked_child_ends_the_close_there)
{
    check_helped_fork(3);
}
