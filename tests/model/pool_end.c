/* The end of a thread pool: nothing is lost, nobody is left, and the memory goes once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/pool_scenario.h"

static struct {
    kr_executor *pool;
    kr_future *future;
    bool over; /* plain: the shutdown has returned */
    int ran[3];
    int errors[2];
} s;

static void fresh(kr_executor *pool)
{
    memset(&s, 0, sizeof s);
    s.pool = pool;
    kr_explore_name(&s.over, sizeof s.over, "over");
    kr_explore_name(&s.ran, sizeof s.ran, "ran");
}

static int run(const void *arg, void *result)
{
    (void)result;
    kr_explore_check(!s.over);
    s.ran[(intptr_t)arg]++;
    return 0;
}

static const void *number(intptr_t n)
{
    return (const void *)n;
}

static int begin_before_the_end(void *arg)
{
    (void)arg;
    kr_explore_check(!s.over);
    return 0;
}

static void submit_late(void *arg)
{
    s.errors[0] = kr_submit(s.pool, NULL, run, arg, 0, 0);
}

static void shut_down(void)
{
    kr_explore_check(kr_executor_shutdown(s.pool, NULL, KR_FOREVER) == 0);
    s.over = true;
}

/* After the shutdown nothing runs and no thread begins, whatever came at the same time. */
SCENARIO(end_against_first_submit, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1, .initializer = begin_before_the_end}));
    int other = kr_explore_spawn(submit_late, NULL);
    shut_down();
    kr_explore_join(other);
    kr_explore_check(s.ran[0] == (s.errors[0] == 0));
    kr_executor_release(s.pool);
}

SCENARIO(end_against_next_submit, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(make_pool(&(kr_pool_options){.workers = 2, .initializer = begin_before_the_end}));
    kr_explore_check(kr_submit(s.pool, NULL, run, number(1), 0, 0) == 0);
    int other = kr_explore_spawn(submit_late, NULL);
    shut_down();
    kr_explore_join(other);
    kr_explore_check(s.ran[1] == 1 && s.ran[0] == (s.errors[0] == 0));
    kr_executor_release(s.pool);
}

/* A thread is refused while the last worker runs what it was to run. */
SCENARIO(end_against_refused_start, .mode = KR_EXPLORE_RANDOM, .failures = 1, .schedules = 20000)
{
    fresh(NULL);
    if (kr_thread_pool(&s.pool, &(kr_pool_options){.workers = 2}) != 0)
        return;
    int err = kr_submit(s.pool, NULL, run, number(1), 0, 0);
    int other = kr_explore_spawn(submit_late, NULL);
    kr_explore_check(kr_executor_shutdown(s.pool, NULL, KR_FOREVER) == 0);
    kr_explore_join(other);
    kr_explore_check(s.ran[1] == (err == 0) && s.ran[0] == (s.errors[0] == 0));
    kr_executor_release(s.pool);
}

/* Two who shut it. */
static void shut_too(void *arg)
{
    (void)arg;
    kr_explore_check(kr_executor_shutdown(s.pool, NULL, KR_FOREVER) == 0);
    kr_explore_check(s.ran[0] == 1);
}

SCENARIO(end_by_two, .preemptions = 1, .stale = 1)
{
    fresh(workers_only(1));
    kr_explore_check(kr_submit(s.pool, NULL, run, NULL, 0, 0) == 0);
    int other = kr_explore_spawn(shut_too, NULL);
    shut_too(NULL);
    kr_explore_join(other);
    kr_executor_release(s.pool);
}

/* What has not begun is cancelled, what has begun ends. */
SCENARIO(end_cancels_what_is_queued, .preemptions = 1, .stale = 1)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, run, NULL);
    kr_shutdown_options options = {.cancel_pending = true};
    kr_explore_check(kr_executor_shutdown(s.pool, &options, KR_FOREVER) == 0);
    int error = 1;
    kr_explore_check(kr_future_exception(f, &error, KR_NOWAIT) == 0);
    kr_explore_check(error == (s.ran[0] ? 0 : -ECANCELED));
    kr_future_release(f);
    kr_executor_release(s.pool);
}

/* The same for what a task has put into its worker's own queue. */
static int submit_own(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    int err = kr_submit(s.pool, &s.future, run, NULL, 0, 0);
    kr_explore_check(err == 0 || err == KR_ESHUTDOWN);
    return 0;
}

SCENARIO(end_cancels_own_queue, .preemptions = 2, .stale = KR_EXPLORE_NONE, .schedules = 20000)
{
    fresh(workers_only(1));
    kr_explore_check(kr_submit(s.pool, NULL, submit_own, NULL, 0, 0) == 0);
    kr_shutdown_options options = {.cancel_pending = true};
    kr_explore_check(kr_executor_shutdown(s.pool, &options, KR_FOREVER) == 0);
    if (s.future) {
        int error = 1;
        kr_explore_check(kr_future_exception(s.future, &error, KR_NOWAIT) == 0);
        kr_explore_check(error == (s.ran[0] ? 0 : -ECANCELED));
        kr_future_release(s.future);
    }
    kr_executor_release(s.pool);
}

/* A worker waits for a task of its own queue while the pool is shut. */
static int submit_and_wait_for_own(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_future *f;
    int err = kr_submit(s.pool, &f, run, NULL, 0, 0);
    if (!err)
        wait_and_release(f);
    return 0;
}

SCENARIO(end_against_nested, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(2));
    kr_explore_check(kr_submit(s.pool, NULL, submit_and_wait_for_own, NULL, 0, 0) == 0);
    end_pool(s.pool);
}

/* Shut while a spare worker comes for one that waits. */
static int wait_for_future(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return error_of(s.future);
}

static int fulfil(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_future_set_result(s.future, NULL, 0);
}

SCENARIO(end_against_spare, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    kr_explore_check(kr_future_create(&s.future, 0) == 0);
    kr_explore_check(kr_submit(s.pool, NULL, wait_for_future, NULL, 0, 0) == 0);
    kr_explore_check(kr_submit(s.pool, NULL, fulfil, NULL, 0, 0) == 0);
    end_pool(s.pool);
    kr_explore_check(kr_future_done(s.future));
    kr_future_release(s.future);
}

/* The initializer fails: what is queued fails, and what comes is refused. */
static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

static void submit_to_broken(void *arg)
{
    kr_future *f;
    int err = kr_submit(s.pool, &f, run, NULL, 0, 0);
    (void)arg;
    kr_explore_check(err == 0 || err == KR_EBROKEN);
    if (err)
        return;
    kr_explore_check(error_of(f) == KR_EBROKEN);
    kr_future_release(f);
}

static void be_silent(const kr_task_report *report)
{
    (void)report;
}

SCENARIO(end_of_broken_pool, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    kr_set_task_hook(be_silent);
    fresh(make_pool(&(kr_pool_options){.workers = 1, .initializer = fail}));
    int other = kr_explore_spawn(submit_to_broken, NULL);
    submit_to_broken(NULL);
    kr_explore_join(other);
    end_pool(s.pool);
    kr_explore_check(s.ran[0] == 0);
}

/* The handle goes in a task, perhaps before its submit returns, and the last worker frees the pool.
 */
static int release_own(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_executor_release(s.pool);
    return 0;
}

SCENARIO(end_by_its_own_task, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, release_own, NULL);
    wait_and_release(f);
}
