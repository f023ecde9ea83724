/* The thread pool under every schedule within narrower bounds, and at random: submit, result,
 * cancel, shutdown.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/executor.h>
#include <krait/future.h>

static struct {
    kr_executor *pool;
    long ran; /* plain: by the only worker */
    int results[3];
} s;

static void fresh(int workers)
{
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_thread_pool(&s.pool, &(kr_pool_options){.workers = workers}) == 0);
    kr_explore_name(&s.ran, sizeof s.ran, "ran");
}

static void finish(void)
{
    kr_explore_check(kr_executor_shutdown(s.pool, NULL, KR_FOREVER) == 0);
    kr_executor_release(s.pool);
}

static int add(const void *arg, void *result)
{
    *(long *)result = *(const long *)arg + 1;
    return 0;
}

static int count(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.ran++;
    return 0;
}

static void submit_and_get(long given)
{
    kr_future *f;
    long got = 0;

    kr_explore_check(kr_submit(s.pool, &f, add, &given, sizeof given, sizeof got) == 0);
    kr_explore_check(kr_future_result(f, &got, sizeof got, NULL, KR_FOREVER) == 0);
    kr_explore_check(got == given + 1);
    kr_future_release(f);
}

SCENARIO(pool_submit_and_result, .preemptions = 1, .stale = 1)
{
    fresh(1);
    submit_and_get(1);
    finish();
}

SCENARIO(pool_two_tasks_one_after_the_other, .stale = KR_EXPLORE_NONE)
{
    fresh(1);
    submit_and_get(1);
    submit_and_get(2);
    finish();
}

/* Whatever was submitted before the shutdown is run by it. */
SCENARIO(pool_shutdown_runs_what_is_queued, .preemptions = 1, .stale = 1)
{
    fresh(1);
    kr_explore_check(kr_submit(s.pool, NULL, count, NULL, 0, 0) == 0);
    kr_explore_check(kr_submit(s.pool, NULL, count, NULL, 0, 0) == 0);
    finish();
    kr_explore_check(s.ran == 2);
}

/* Submitting against a shutdown: run, or refused. */
static void submit_late(void *arg)
{
    *(int *)arg = kr_submit(s.pool, NULL, count, NULL, 0, 0);
}

SCENARIO(pool_submit_against_shutdown, .preemptions = 1, .stale = 1)
{
    fresh(1);
    kr_explore_spawn(submit_late, &s.results[0]);
    kr_explore_check(kr_executor_shutdown(s.pool, NULL, KR_FOREVER) == 0);
    kr_explore_join(1);
    kr_explore_check(s.results[0] == 0 || s.results[0] == KR_ESHUTDOWN);
    kr_explore_check(s.ran == (s.results[0] == 0));
    kr_executor_release(s.pool);
}

/* A pending task is cancelled, or it is run. */
SCENARIO(pool_cancel_against_run, .preemptions = 1, .stale = 1)
{
    kr_future *f;
    int error = 0;

    fresh(1);
    kr_explore_check(kr_submit(s.pool, &f, count, NULL, 0, 0) == 0);
    int cancelled = kr_future_cancel(f);
    kr_explore_check(kr_future_exception(f, &error, KR_FOREVER) == 0);
    kr_explore_check(cancelled == 0 ? error == -ECANCELED : error == 0);
    kr_future_release(f);
    finish();
    kr_explore_check(s.ran == (cancelled != 0));
}

/* Two submitters and two workers, at random with PCT's guarantee. */
static void submit_some(void *arg)
{
    long given = *(long *)arg;

    submit_and_get(given);
    submit_and_get(given + 10);
}

SCENARIO(pool_pct, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 20000)
{
    long one = 1, two = 2;

    fresh(2);
    kr_explore_spawn(submit_some, &one);
    kr_explore_spawn(submit_some, &two);
    kr_explore_join(1);
    kr_explore_join(2);
    finish();
}

/* A task that waits for another task of the same pool of one worker. */
static int nested(const void *arg, void *result)
{
    long given = *(const long *)arg;

    (void)result;
    submit_and_get(given);
    return 0;
}

SCENARIO(pool_nested, .stale = KR_EXPLORE_NONE)
{
    kr_future *f;
    long one = 1;

    fresh(1);
    kr_explore_check(kr_submit(s.pool, &f, nested, &one, sizeof one, 0) == 0);
    kr_explore_check(kr_future_exception(f, NULL, KR_FOREVER) == 0);
    kr_future_release(f);
    finish();
}

/* The system refuses memory or the thread once, at any place. */
SCENARIO(pool_refused, .failures = 1, .stale = KR_EXPLORE_NONE)
{
    kr_future *f;

    memset(&s, 0, sizeof s);
    int err = kr_thread_pool(&s.pool, &(kr_pool_options){.workers = 1});
    if (err < 0) {
        kr_explore_check(err == -ENOMEM || err == -EAGAIN);
        return;
    }
    err = kr_submit(s.pool, &f, count, NULL, 0, 0);
    if (err == 0) {
        kr_explore_check(kr_future_exception(f, NULL, KR_FOREVER) == 0);
        kr_future_release(f);
    } else {
        kr_explore_check(err == -ENOMEM || err == -EAGAIN);
    }
    finish();
    kr_explore_check(s.ran == (err == 0));
}
