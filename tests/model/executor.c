/* Futures and the thread pool under every schedule within a bound.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/krait.h>

static struct {
    kr_future *future;
    kr_future *other;
    kr_executor *pool;
    long before; /* plain: written before the future is finished */
    int answer;
    int ran;
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
}

static kr_future *created(void)
{
    kr_future *f;
    kr_explore_check(kr_future_create(&f, sizeof(int)) == 0);
    return f;
}

static void finish(void *arg)
{
    kr_future *f = *(kr_future **)arg;
    int value = 7;
    s.before = 7;
    s.answer = kr_future_set_result(f, &value, sizeof value);
    kr_future_release(f);
}

static void wait_result(void *arg)
{
    kr_future *f = *(kr_future **)arg;
    int value = 0, error = 1;
    kr_explore_check(kr_future_result(f, &value, sizeof value, &error, KR_FOREVER) == 0);
    kr_explore_check(error == 0 ? value == 7 && s.before == 7 : error == -ECANCELED);
    kr_future_release(f);
}

/* Each holder gives up its reference as soon as it can: the last one frees. */
SCENARIO(future_result_wakes_and_is_freed_once)
{
    fresh();
    s.future = created();
    kr_future_retain(s.future);
    kr_explore_spawn(wait_result, &s.future);
    kr_explore_spawn(finish, &s.future);
    kr_explore_join_all();
    kr_explore_check(s.answer == 0);
}

SCENARIO(future_finish_or_cancel)
{
    fresh();
    s.future = created();
    kr_future_retain(s.future);
    kr_future_retain(s.future);
    kr_explore_spawn(wait_result, &s.future);
    kr_explore_spawn(finish, &s.future);
    int cancelled = kr_future_cancel(s.future);
    kr_explore_join_all();
    kr_explore_check((cancelled == 0) == kr_future_cancelled(s.future));
    kr_explore_check(cancelled == 0 ? s.answer == -ECANCELED : s.answer == 0);
    kr_future_release(s.future);
}

/* The scope stands in the frame of whoever runs, and is gone once the future is done. */
static void run_in_scope(void *arg)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int value = 7;
    (void)arg;
    if (kr_future_set_running(s.future, &scope) == -ECANCELED)
        return;
    kr_explore_check(kr_cancel_scope_enter(&scope, KR_FOREVER) == 0);
    s.ran = 1;
    kr_cancel_scope_exit(&scope);
    s.answer = kr_future_set_result(s.future, &value, sizeof value);
}

SCENARIO(future_ask_while_it_runs)
{
    fresh();
    s.future = created();
    kr_explore_spawn(run_in_scope, NULL);
    int answer = kr_future_cancel(s.future);
    kr_explore_join_all();
    kr_explore_check(s.ran == (answer != 0));
    kr_explore_check(answer == 0 || answer == KR_ASKED || answer == -EALREADY);
    kr_explore_check(kr_future_cancel(s.future) == (s.ran ? -EALREADY : 0));
    kr_future_release(s.future);
}

static int note_done(kr_future *f, void *arg)
{
    (void)f;
    ++*(int *)arg;
    return 0;
}

SCENARIO(future_callback_is_called_once)
{
    fresh();
    s.future = created();
    kr_future_retain(s.future);
    kr_explore_spawn(finish, &s.future);
    kr_explore_check(kr_future_add_done_callback(s.future, note_done, &s.ran) == 0);
    kr_explore_join_all();
    kr_explore_check(s.ran == 1);
    kr_future_release(s.future);
}

static void finish_one(void *arg)
{
    kr_future *f = *(kr_future **)arg;
    int value = 7;
    kr_explore_check(kr_future_set_result(f, &value, sizeof value) == 0);
    kr_future_release(f);
}

/* The members of the wait lie in memory that is freed at its end. */
SCENARIO(wait_for_the_first_of_two, .stale = 1)
{
    fresh();
    s.future = kr_future_retain(created());
    s.other = kr_future_retain(created());
    kr_explore_spawn(finish_one, &s.future);
    kr_explore_spawn(finish_one, &s.other);
    kr_future *both[2] = {s.future, s.other};
    int done = kr_wait(both, 2, KR_FIRST_COMPLETED, NULL, KR_FOREVER);
    kr_explore_check(done >= 1);
    kr_explore_join_all();
    kr_future_release(s.future);
    kr_future_release(s.other);
}

SCENARIO(iterate_over_two, .stale = 1)
{
    fresh();
    s.future = kr_future_retain(created());
    s.other = kr_future_retain(created());
    kr_future *both[2] = {s.future, s.other}, *got;
    kr_completed *it;
    kr_explore_check(kr_as_completed(&it, both, 2) == 0);
    kr_explore_spawn(finish_one, &s.future);
    kr_explore_spawn(finish_one, &s.other);
    kr_explore_check(kr_completed_next(it, &got, KR_FOREVER) == 1);
    kr_future *first = got;
    kr_explore_check(kr_completed_next(it, &got, KR_FOREVER) == 1);
    kr_explore_check(got != first);
    kr_explore_check(kr_completed_next(it, &got, KR_FOREVER) == 0);
    kr_completed_release(it);
    kr_explore_join_all();
    kr_future_release(s.future);
    kr_future_release(s.other);
}

/* The pool.  What it registers for the exit of the process stays. */

static int count_one(const void *arg, void *result)
{
    int *count = *(int *const *)arg;
    *(int *)result = ++*count;
    return 0;
}

static void start_pool(int workers)
{
    fresh();
    kr_pool_options options = {.workers = workers, .name = "pool", .no_outside_help = true};
    kr_explore_check(kr_thread_pool(&s.pool, &options) == 0);
}

static kr_future *submit_one(void)
{
    kr_future *f;
    int *count = &s.ran;
    kr_explore_check(kr_submit(s.pool, &f, count_one, &count, sizeof count, sizeof(int)) == 0);
    return f;
}

SCENARIO(pool_runs_a_task, .preemptions = 1, .stale = 1, .keeps_memory = true)
{
    int got = 0;
    start_pool(1);
    kr_future *f = submit_one();
    kr_explore_check(kr_future_result(f, &got, sizeof got, NULL, KR_FOREVER) == 0);
    kr_explore_check(got == 1);
    kr_future_release(f);
    kr_executor_release(s.pool);
}

SCENARIO(pool_cancel_or_run, .preemptions = 1, .stale = 1, .keeps_memory = true)
{
    int error = 1;
    start_pool(1);
    kr_future *f = submit_one();
    int answer = kr_future_cancel(f);
    kr_explore_check(kr_future_exception(f, &error, KR_FOREVER) == 0);
    kr_explore_check(error == (answer == 0 ? -ECANCELED : 0));
    kr_executor_release(s.pool);
    kr_explore_check(s.ran == (answer != 0));
    kr_future_release(f);
}

/* The handle goes first: the last worker frees the pool. */
SCENARIO(pool_is_left_to_its_worker, .preemptions = 1, .stale = 1, .keeps_memory = true)
{
    start_pool(1);
    kr_future *f = submit_one();
    int err = kr_executor_shutdown(s.pool, NULL, KR_NOWAIT);
    kr_explore_check(err == 0 || err == -ETIMEDOUT);
    kr_executor_release(s.pool);
    kr_explore_check(kr_future_exception(f, NULL, KR_FOREVER) == 0);
    kr_future_release(f);
}

static void submit_and_wait(void *arg)
{
    int *got = arg;
    kr_future *f = submit_one();
    kr_explore_check(kr_future_result(f, got, sizeof *got, NULL, KR_FOREVER) == 0);
    kr_future_release(f);
}

SCENARIO(pool_two_submitters, .mode = KR_EXPLORE_PCT, .keeps_memory = true)
{
    int first = 0, second = 0;
    start_pool(1);
    int other = kr_explore_spawn(submit_and_wait, &first);
    submit_and_wait(&second);
    kr_explore_join(other);
    kr_explore_check(first + second == 3);
    kr_executor_release(s.pool);
}

/* The worker's task waits for another, which its waiter or, after it, the worker runs. */
static int submit_inner(const void *arg, void *result)
{
    (void)arg;
    submit_and_wait(result);
    return 0;
}

SCENARIO(pool_task_waits_for_a_task, .preemptions = 1, .stale = 1, .keeps_memory = true)
{
    int got = 0;
    kr_future *f;
    start_pool(1);
    kr_explore_check(kr_submit(s.pool, &f, submit_inner, NULL, 0, sizeof(int)) == 0);
    kr_explore_check(kr_future_result(f, &got, sizeof got, NULL, KR_FOREVER) == 0);
    kr_explore_check(got == 1);
    kr_future_release(f);
    kr_executor_release(s.pool);
}

static int double_it(const void *arg, void *result)
{
    *(int *)result = 2 * *(const int *)arg;
    return 0;
}

SCENARIO(pool_map_on_two_workers, .preemptions = 1, .stale = 1, .schedules = 20000,
         .keeps_memory = true)
{
    int in[3] = {1, 2, 3}, out[3] = {0};
    kr_map_options options = {.chunk = 1};
    start_pool(2);
    kr_explore_check(kr_map(s.pool, double_it, in, 4, 3, out, 4, &options) == 0);
    kr_explore_check(out[0] == 2 && out[1] == 4 && out[2] == 6);
    kr_executor_release(s.pool);
}

static int succeed(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

/* The system refuses memory or threads: an error, or all is done; nothing hangs or is lost. */
SCENARIO(pool_under_refusals, .preemptions = 1, .stale = KR_EXPLORE_NONE, .failures = 2,
         .schedules = 20000, .keeps_memory = true)
{
    kr_future *f[2];
    kr_pool_options options = {.workers = 2, .name = "pool"};
    fresh();
    if (kr_thread_pool(&s.pool, &options) != 0)
        return;
    for (int i = 0; i < 2; i++) {
        int err = kr_submit(s.pool, &f[i], succeed, NULL, 0, 0);
        kr_explore_check(err == 0 || err == -ENOMEM || err == -EAGAIN);
        kr_explore_check((err == 0) == (f[i] != NULL));
    }
    for (int i = 0; i < 2; i++) {
        if (!f[i])
            continue;
        kr_explore_check(kr_future_exception(f[i], NULL, KR_FOREVER) == 0);
        kr_future_release(f[i]);
    }
    kr_executor_release(s.pool);
}

static void submit_if_possible(void *arg)
{
    int *rounds = arg;
    for (; *rounds > 0; --*rounds) {
        kr_future *f;
        if (kr_submit(s.pool, &f, succeed, NULL, 0, 0) != 0)
            continue;
        kr_explore_check(kr_future_exception(f, NULL, KR_FOREVER) == 0);
        kr_future_release(f);
    }
}

/* A second worker is refused while the first has become idle and another task has come. */
SCENARIO(pool_start_refused_while_others_submit, .preemptions = 1, .stale = KR_EXPLORE_NONE,
         .failures = 1, .schedules = 60000, .keeps_memory = true)
{
    int one = 1, two = 2;
    kr_pool_options options = {.workers = 2, .name = "pool", .no_outside_help = true};
    fresh();
    if (kr_thread_pool(&s.pool, &options) != 0)
        return;
    int other = kr_explore_spawn(submit_if_possible, &one);
    submit_if_possible(&two);
    kr_explore_join(other);
    kr_executor_release(s.pool);
}

/* The same for a map: it is complete, or says why not. */
SCENARIO(map_under_refusals, .preemptions = 1, .stale = KR_EXPLORE_NONE, .failures = 2,
         .schedules = 20000, .keeps_memory = true)
{
    int in[3] = {1, 2, 3}, out[3] = {0};
    kr_pool_options options = {.workers = 2, .name = "pool"};
    fresh();
    if (kr_thread_pool(&s.pool, &options) != 0)
        return;
    int err = kr_map(s.pool, double_it, in, 4, 3, out, 4, &(kr_map_options){.chunk = 1});
    kr_explore_check(err == 0 || err == -ENOMEM || err == -EAGAIN);
    kr_explore_check(err != 0 || (out[0] == 2 && out[1] == 4 && out[2] == 6));
    kr_executor_release(s.pool);
}
