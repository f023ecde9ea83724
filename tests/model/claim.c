/* Who runs a task: its worker, a thread outside that waits for it, or nobody since it was
 * cancelled; and how its end meets those who look at it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/pool_scenario.h"

static struct {
    kr_executor *pool;
    kr_future *future;
    kr_future *other;
    kr_event go;
    long value; /* plain: written by the task */
    int ran;    /* plain */
    int called;
    int error;
} s;

static void fresh(kr_executor *pool)
{
    memset(&s, 0, sizeof s);
    s.pool = pool;
    kr_explore_name(&s.value, sizeof s.value, "value");
    kr_explore_name(&s.ran, sizeof s.ran, "ran");
}

static int run(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.ran++;
    s.value = 7;
    return 0;
}

static void help(void *arg)
{
    kr_future *f = arg;
    s.error = error_of(f);
    kr_explore_check(s.error == 0 ? s.value == 7 : s.error == -ECANCELED);
    kr_future_release(f);
}

/* Three who want it: the worker, an outside helper, a cancel. */
SCENARIO(claim_of_three, .preemptions = 1, .stale = 1)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1}));
    kr_future *f = submit(s.pool, run, NULL);
    int other = kr_explore_spawn(help, kr_future_retain(f));
    int answer = kr_future_cancel(f);
    kr_explore_join(other);
    kr_explore_check((s.error == -ECANCELED) == (answer == 0));
    end_pool(s.pool);
    kr_explore_check(s.ran == (answer != 0));
    kr_future_release(f);
}

/* Two who help, and the worker. */
SCENARIO(claim_of_two_helpers, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1}));
    kr_future *f = submit(s.pool, run, NULL);
    int other = kr_explore_spawn(help, kr_future_retain(f));
    kr_explore_check(error_of(f) == 0 && s.value == 7);
    kr_explore_join(other);
    kr_future_release(f);
    end_pool(s.pool);
    kr_explore_check(s.ran == 1);
}

/* The pool ends and is freed while somebody outside claims its task: all is done by then. */
static void shut_and_free(void *arg)
{
    kr_explore_check(kr_executor_shutdown(s.pool, arg, KR_FOREVER) == 0);
    kr_explore_check(s.ran == 1 || arg);
    kr_explore_check(kr_future_done(s.future));
    kr_executor_release(s.pool);
}

static void help_against(kr_shutdown_options *options)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1}));
    s.future = submit(s.pool, run, NULL);
    int other = kr_explore_spawn(shut_and_free, options);
    help(kr_future_retain(s.future));
    kr_explore_join(other);
    kr_explore_check(s.ran == (s.error == 0));
    kr_explore_check(s.ran || options);
    kr_future_release(s.future);
}

SCENARIO(claim_against_the_end_of_the_pool, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    help_against(NULL);
}

SCENARIO(claim_against_the_end_at_random, .mode = KR_EXPLORE_RANDOM, .schedules = 10000)
{
    help_against(NULL);
}

/* A shutdown that cancels takes the task out of the queue while a helper claims it: when it
 * returns, the task has ended or never begins. */
SCENARIO(claim_against_cancelling_shutdown, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    help_against(&(kr_shutdown_options){.cancel_pending = true});
}

static void cancel_and_release(void *arg)
{
    s.error = kr_future_cancel(arg);
    kr_future_release(arg);
}

/* The same with a cancel. */
SCENARIO(cancel_against_the_end_of_the_pool, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh(make_pool(&(kr_pool_options){.workers = 1}));
    kr_future *f = submit(s.pool, run, NULL);
    int other = kr_explore_spawn(cancel_and_release, f);
    end_pool(s.pool);
    kr_explore_join(other);
    kr_explore_check(s.ran == (s.error != 0));
}

/* A worker helps with a task that stands in the common queue, which leaves a shell there. */
static int wait_for_other(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_explore_check(kr_event_wait(&s.go, KR_FOREVER) == 0);
    s.error = error_of(s.other);
    kr_explore_check(s.error == 0 ? s.value == 7 : s.error == -ECANCELED);
    return 0;
}

SCENARIO(claim_by_waiting_worker, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, wait_for_other, NULL);
    s.other = submit(s.pool, run, NULL);
    kr_event_set(&s.go);
    int answer = kr_future_cancel(s.other);
    wait_and_release(f);
    end_pool(s.pool);
    kr_explore_check((s.error == 0) == (answer != 0) && s.ran == (answer != 0));
    kr_future_release(s.other);
}

/* The end. */

static int note_done(kr_future *f, void *arg)
{
    (void)arg;
    kr_explore_check(kr_future_done(f) && s.value == 7);
    s.called++;
    return 0;
}

SCENARIO(end_against_callback, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, run, NULL);
    kr_explore_check(kr_future_add_done_callback(f, note_done, NULL) == 0);
    kr_future_release(f);
    end_pool(s.pool);
    kr_explore_check(s.called == 1);
}

SCENARIO(end_against_watch, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, run, NULL);
    bool done = false;
    kr_explore_check(kr_wait(&f, 1, KR_ALL_COMPLETED, &done, KR_FOREVER) == 1);
    kr_explore_check(done && s.value == 7);
    kr_future_release(f);
    end_pool(s.pool);
}

/* The handle goes while the task ends: the last one frees it, and sees all of it. */
SCENARIO(end_against_release, .preemptions = 1, .stale = 1)
{
    fresh(workers_only(1));
    kr_future_release(submit(s.pool, run, NULL));
    end_pool(s.pool);
    kr_explore_check(s.ran == 1);
}

SCENARIO(end_shows_the_result, .preemptions = 1, .stale = 2)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, run, NULL);
    kr_explore_check(error_of(f) == 0 && s.value == 7);
    kr_future_release(f);
    end_pool(s.pool);
}

/* Who asks a task to stop reaches it, or comes too late; a later task is not reached. */
static int wait_cancelled(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.ran++;
    return kr_event_wait(&s.go, KR_FOREVER);
}

SCENARIO(end_of_one_asked_to_stop, .preemptions = 1, .stale = 1)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, wait_cancelled, NULL);
    int answer = kr_future_cancel(f);
    kr_explore_check(answer == 0 || answer == KR_ASKED);
    kr_explore_check(error_of(f) == -ECANCELED && kr_future_cancelled(f));
    kr_future_release(f);
    end_pool(s.pool);
    kr_explore_check(s.ran == (answer != 0));
}

static int is_not_cancelled(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_explore_check(!kr_cancelled());
    s.called++;
    kr_explore_point();
    kr_explore_check(!kr_cancelled());
    return 0;
}

SCENARIO(end_against_asking, .preemptions = 1, .stale = 1)
{
    fresh(workers_only(1));
    kr_future *f = submit(s.pool, run, NULL);
    kr_future *next = submit(s.pool, is_not_cancelled, NULL);
    int answer = kr_future_cancel(f);
    int error = error_of(f);
    kr_explore_check(error == (answer == 0 ? -ECANCELED : 0));
    kr_future_release(f);
    wait_and_release(next);
    end_pool(s.pool);
    kr_explore_check(s.called == 1);
}
