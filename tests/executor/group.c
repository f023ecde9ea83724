/* Groups: fork-join, nesting, many tasks, and what belongs to whom.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/counted_local.h"
#include "executor/help.h"
#include "harness/sanitizers.h"

/* What a group and its tasks lie in was something else before. */
static void dirty(kr_group *group, kr_group_task *tasks, size_t count)
{
    memset(group, 0xa5, sizeof *group);
    memset(tasks, 0xa5, count * sizeof *tasks);
}

/* Fork and join */

static int fib_both(const void *arg, void *result)
{
    long n = *(const long *)arg, less[2] = {n - 1, n - 2}, parts[2] = {0, n};
    kr_group group;
    kr_group_task tasks[2];
    int err = 0;
    if (n >= 2) {
        dirty(&group, tasks, 2);
        err = kr_group_open(&group, NULL);
        for (int i = 0; i < 2 && !err; i++)
            err = kr_group_start(&group, &tasks[i], fib_both, &less[i], &parts[i]);
        err = kr_group_close(&group);
    }
    *(long *)result = parts[0] + parts[1];
    return err;
}

/* One branch is a task, the other is called; the larger, or the smaller, is the task. */
static int fib_one(long n, long *result, bool larger);

static int fib_larger(const void *arg, void *result)
{
    return fib_one(*(const long *)arg, result, true);
}

static int fib_smaller(const void *arg, void *result)
{
    return fib_one(*(const long *)arg, result, false);
}

static int fib_one(long n, long *result, bool larger)
{
    long task_n = larger ? n - 1 : n - 2, parts[2] = {0, n};
    kr_group group;
    kr_group_task task;
    if (n >= 2) {
        dirty(&group, &task, 1);
        CHECK_EQ(kr_group_open(&group, NULL), 0);
        CHECK_EQ(
            kr_group_start(&group, &task, larger ? fib_larger : fib_smaller, &task_n, &parts[0]),
            0);
        CHECK_EQ(fib_one(n + n - 3 - task_n, &parts[1], larger), 0);
        CHECK_EQ(kr_group_close(&group), 0);
        CHECK_EQ(kr_group_task_error(&task), 0);
    }
    *result = parts[0] + parts[1];
    return 0;
}

static void check_fib(kr_task_fn fib, int workers)
{
    kr_executor *pool = pool_of(workers);
    for (long n = 0; n <= 18; n += 6) {
        const long want[] = {0, 8, 144, 2584};
        long got = -1;
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, fib, &n, sizeof n, sizeof got), 0);
        CHECK_EQ(kr_future_result(f, &got, sizeof got, NULL, kr_sec(25)), 0);
        CHECK_EQ(got, want[n / 6]);
        kr_future_release(f);
    }
    end(pool);
}

TEST(fork_join_with_both_branches_as_tasks)
{
    for (int workers = 1; workers <= 3; workers++)
        check_fib(fib_both, workers);
}

TEST(fork_join_with_the_larger_branch_as_a_task)
{
    for (int workers = 1; workers <= 3; workers++)
        check_fib(fib_larger, workers);
}

TEST(fork_join_with_the_smaller_branch_as_a_task)
{
    for (int workers = 1; workers <= 3; workers++)
        check_fib(fib_smaller, workers);
}

static int fib_outside(const void *arg, void *result)
{
    CHECK(result == NULL);
    kr_executor *pool = (kr_executor *)(uintptr_t)arg;
    long less[2] = {14, 13}, parts[2] = {0, 0};
    kr_group group;
    kr_group_task tasks[2];
    dirty(&group, tasks, 2);
    CHECK_EQ(kr_group_open(&group, pool), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], fib_both, &less[i], &parts[i]), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(parts[0] + parts[1], 610);
    return 0;
}

TEST(a_group_opened_outside_the_pool)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(fib_outside(pool, NULL), 0);
    end(pool);
}

static void open_outside(void *arg)
{
    for (int i = 0; i < 5; i++)
        CHECK_EQ(fib_outside(arg, NULL), 0);
}

TEST(groups_of_several_threads_on_one_pool)
{
    kr_executor *pool = pool_of(2);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 4, open_outside, pool);
    kri_bunch_end(&bunch);
    end(pool);
}

/* A task of one pool that opens a group on another. */
TEST(a_group_of_a_task_on_another_pool)
{
    kr_executor *here = pool_of(1), *there = pool_of(1);
    CHECK_EQ(run_in_worker(here, fib_outside, there), 0);
    end(here);
    end(there);
}

/* Many tasks */

enum { MANY = 20000 };

static kr_group_task many[MANY];
static int numbers[MANY], sums[MANY];

static int add_number(const void *arg, void *result)
{
    *(int *)result += *(const int *)arg + 1;
    return 0;
}

static void check_many(kr_executor *executor, int count)
{
    kr_group group;
    dirty(&group, many, MANY);
    for (int i = 0; i < count; i++) {
        numbers[i] = i;
        sums[i] = 5; /* what fn writes to is not cleared */
    }
    CHECK_EQ(kr_group_open(&group, executor), 0);
    for (int i = 0; i < count; i++)
        CHECK_EQ(kr_group_start(&group, &many[i], add_number, &numbers[i], &sums[i]), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    for (int i = 0; i < count; i++) {
        CHECK_EQ(sums[i], i + 6);
        CHECK_EQ(kr_group_task_error(&many[i]), 0);
    }
}

static int many_in_task(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    const int counts[] = {0, 1, 2, 255, 256, 257, 300, 1000, KRI_VALGRIND ? 2000 : MANY};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        check_many(NULL, counts[i]);
    return 0;
}

TEST(all_of_20000_tasks_in_one_group)
{
    for (int workers = 1; workers <= 3; workers++) {
        kr_executor *pool = pool_of(workers);
        CHECK_EQ(run_in_worker(pool, many_in_task, NULL), 0);
        end(pool);
    }
}

TEST(all_of_20000_tasks_in_one_group_from_outside)
{
    kr_executor *pool = pool_of(2);
    check_many(pool, 300);
    check_many(pool, KRI_VALGRIND ? 2000 : MANY);
    end(pool);
}

static int many_groups(const void *arg, void *result)
{
    (void)result;
    kr_executor *pool = (kr_executor *)(uintptr_t)arg;
    for (int i = 0; i < 5000; i++) {
        kr_group group;
        kr_group_task tasks[3];
        int in[3] = {i, i + 1, i + 2}, out[3] = {0, 0, 0};
        dirty(&group, tasks, 3);
        CHECK_EQ(kr_group_open(&group, pool), 0);
        for (int j = 0; j < i % 4; j++)
            CHECK_EQ(kr_group_start(&group, &tasks[j], add_number, &in[j], &out[j]), 0);
        CHECK_EQ(kr_group_close(&group), 0);
        for (int j = 0; j < 3; j++)
            CHECK_EQ(out[j], j < i % 4 ? i + j + 1 : 0);
    }
    return 0;
}

TEST(each_of_5000_groups_in_one_frame_after_each_other)
{
    kr_executor *pool = pool_of(3);
    CHECK_EQ(run_in_worker(pool, many_groups, NULL), 0);
    CHECK_EQ(many_groups(pool, NULL), 0);
    end(pool);
}

/* Nesting */

static int nest(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_group outer, inner;
    kr_group_task outer_tasks[2], inner_tasks[2];
    int in = 1, out[4] = {0};
    dirty(&outer, outer_tasks, 2);
    dirty(&inner, inner_tasks, 2);
    CHECK_EQ(kr_group_open(&outer, NULL), 0);
    CHECK_EQ(kr_group_start(&outer, &outer_tasks[0], add_number, &in, &out[0]), 0);
    CHECK_EQ(kr_group_open(&inner, NULL), 0);
    CHECK_EQ(kr_group_start(&inner, &inner_tasks[0], add_number, &in, &out[1]), 0);
    /* Into the outer one while the inner one is open. */
    CHECK_EQ(kr_group_start(&outer, &outer_tasks[1], add_number, &in, &out[2]), 0);
    CHECK_EQ(kr_group_start(&inner, &inner_tasks[1], add_number, &in, &out[3]), 0);
    CHECK_EQ(kr_group_close(&outer), -EDEADLK);
    CHECK_EQ(kr_group_close(&inner), 0);
    CHECK_EQ(out[1] + out[3], 4);
    CHECK_EQ(kr_group_close(&outer), 0);
    CHECK_EQ(out[0] + out[2], 4);
    return 0;
}

TEST(close_of_a_group_that_is_not_the_innermost)
{
    for (int workers = 1; workers <= 3; workers++) {
        kr_executor *pool = pool_of(workers);
        for (int i = 0; i < 200; i++)
            CHECK_EQ(run_in_worker(pool, nest, NULL), 0);
        end(pool);
    }
}

struct foreign_close {
    kr_group *group;
    int answer;
};

static void close_foreign(void *arg)
{
    struct foreign_close *foreign = arg;
    foreign->answer = kr_group_close(foreign->group);
}

TEST(close_by_another_runner)
{
    kr_executor *pool = pool_of(1);
    kr_group group;
    kr_group_task task;
    int in = 1, out = 0;
    kri_bunch bunch;
    dirty(&group, &task, 1);
    CHECK_EQ(kr_group_open(&group, pool), 0);
    struct foreign_close foreign = {&group, 1};
    kri_bunch_start(&bunch, 1, close_foreign, &foreign);
    kri_bunch_end(&bunch);
    CHECK_EQ(foreign.answer, -EDEADLK);
    CHECK_EQ(kr_group_start(&group, &task, add_number, &in, &out), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(out, 2);
    end(pool);
}

/* A close waits for a group that its tasks have opened, on other workers, below it. */

struct tree {
    int depth;
    kr_word *leaves;
};

static int grow(const void *arg, void *result)
{
    const struct tree *tree = arg;
    (void)result;
    if (tree->depth == 0) {
        kri_add_rlx(tree->leaves, 1);
        return 0;
    }
    struct tree below = {tree->depth - 1, tree->leaves};
    kr_group group;
    kr_group_task tasks[5];
    dirty(&group, tasks, 5);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], grow, &below, NULL), 0);
    return kr_group_close(&group);
}

TEST(groups_within_tasks_of_groups)
{
    for (int workers = 1; workers <= 4; workers++) {
        kr_word leaves = {0};
        kr_executor *pool = pool_of(workers);
        CHECK_EQ(run_in_worker(pool, grow, &(struct tree){5, &leaves}), 0);
        CHECK_EQ(kri_load_rlx(&leaves), 3125);
        end(pool);
    }
}

/* A task that waits for its sibling through an event: with a second worker, in either order. */

static int await_event(const void *arg, void *result)
{
    (void)result;
    return kr_event_wait((kr_event *)(uintptr_t)arg, KR_FOREVER);
}

static int set_event(const void *arg, void *result)
{
    (void)result;
    kr_event_set((kr_event *)(uintptr_t)arg);
    return 0;
}

static int two_siblings(const void *arg, void *result)
{
    (void)result;
    bool waiter_first = *(const bool *)arg;
    for (int i = 0; i < 200; i++) {
        kr_event event = KR_EVENT_INIT;
        kr_group group;
        kr_group_task tasks[2];
        dirty(&group, tasks, 2);
        CHECK_EQ(kr_group_open(&group, NULL), 0);
        CHECK_EQ(
            kr_group_start(&group, &tasks[0], waiter_first ? await_event : set_event, &event, NULL),
            0);
        CHECK_EQ(
            kr_group_start(&group, &tasks[1], waiter_first ? set_event : await_event, &event, NULL),
            0);
        CHECK_EQ(kr_group_close(&group), 0);
    }
    return 0;
}

TEST(a_task_waits_for_an_event_of_its_sibling)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(run_in_worker(pool, two_siblings, &(bool){true}), 0);
    CHECK_EQ(run_in_worker(pool, two_siblings, &(bool){false}), 0);
    end(pool);
}

/* The block itself waits for what a task does, before it closes: so somebody else must come. */
static int block_waits(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 200; i++) {
        kr_event event = KR_EVENT_INIT;
        kr_group group;
        kr_group_task task;
        dirty(&group, &task, 1);
        CHECK_EQ(kr_group_open(&group, NULL), 0);
        CHECK_EQ(kr_group_start(&group, &task, set_event, &event, NULL), 0);
        CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
        CHECK_EQ(kr_group_close(&group), 0);
    }
    return 0;
}

TEST(the_block_waits_for_an_event_of_a_task)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(run_in_worker(pool, block_waits, NULL), 0);
    end(pool);
}

/* What a task is in */

static int touch_local(const void *arg, void *result)
{
    const uint64_t *outer = arg;
    (void)result;
    CHECK(kri_party_id(kri_party_self()) != *outer);
    CHECK(kr_local_peek(&local) == NULL);
    CHECK(kr_local_get(&local) != NULL);
    CHECK(!kr_cancelled());
    return 0;
}

static int close_with_local(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    void *mine = kr_local_get(&local);
    uint64_t self = kri_party_id(kri_party_self());
    kr_group group;
    kr_group_task tasks[10];
    dirty(&group, tasks, 10);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], touch_local, &self, NULL), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK(kri_party_id(kri_party_self()) == self);
    CHECK(kr_local_peek(&local) == mine);
    CHECK_EQ(kri_load_rlx(&values_alive), 1);
    return 0;
}

TEST(each_task_that_a_close_runs_is_a_party_of_its_own)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_in_worker(pool, close_with_local, NULL), 0);
    end(pool);
    CHECK_EQ(kri_load_rlx(&values_alive), 0);
}

static int count_up(const void *arg, void *result)
{
    (void)result;
    kri_add_rlx((kr_word *)(uintptr_t)arg, 1);
    return 7; /* counts as 0 */
}

TEST(a_positive_result_is_no_error)
{
    kr_executor *pool = pool_of(1);
    kr_word count = {0};
    kr_group group;
    kr_group_task task;
    dirty(&group, &task, 1);
    CHECK_EQ(kr_group_open(&group, pool), 0);
    CHECK_EQ(kr_group_start(&group, &task, count_up, &count, NULL), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(kr_group_task_error(&task), 0);
    CHECK_EQ(kri_load_rlx(&count), 1);
    end(pool);
}

static int empty_group(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_group group;
    memset(&group, 0xa5, sizeof group);
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    CHECK(!kr_cancelled());
    return kr_group_close(&group);
}

TEST(an_empty_group)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_in_worker(pool, empty_group, NULL), 0);
    end(pool);
}

/* Wrong use */

TEST(an_error_of_open_comes_back_from_start_and_close)
{
    kr_executor *pool = pool_of(1);
    kr_group group;
    kr_group_task task;
    int in = 1, out = 0;
    dirty(&group, &task, 1);
    CHECK_EQ(kr_group_open(&group, NULL), -EINVAL); /* in no task */
    CHECK_EQ(kr_group_start(&group, &task, add_number, &in, &out), -EINVAL);
    CHECK_EQ(kr_group_start_on(&group, &task, pool, add_number, &in, &out), -EINVAL);
    CHECK_EQ(kr_group_close(&group), -EINVAL);
    CHECK_EQ(kr_group_close(&group), -EINVAL);
    CHECK(!kr_cancelled());
    end(pool);
    CHECK_EQ(out, 0);
}

TEST(a_start_without_a_function_fails_the_group)
{
    kr_executor *pool = pool_of(1);
    kr_group group;
    kr_group_task tasks[2];
    int in = 1, out = 0;
    dirty(&group, tasks, 2);
    CHECK_EQ(kr_group_open(&group, pool), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[0], NULL, &in, &out), -EINVAL);
    CHECK_EQ(kr_group_start(&group, &tasks[1], add_number, &in, &out), -ECANCELED);
    CHECK_EQ(kr_group_close(&group), -EINVAL);
    CHECK_EQ(kr_group_task_error(&tasks[0]), -EINVAL);
    CHECK_EQ(kr_group_task_error(&tasks[1]), -ECANCELED);
    CHECK_EQ(out, 0);
    end(pool);
}
