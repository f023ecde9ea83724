/* Futures and pools used at odd moments: waiting for oneself, letting go from the inside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/in_use.h"
#include <krait/group.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waiting for several, of which one is the caller's own. */
struct several {
    kr_executor *pool;
    kr_future *futures[2]; /* the task's own, and another */
    kr_event known;
};

static int in_a_task(kr_task_fn fn)
{
    struct several s = {.pool = pool_of(2)}, *at = &s;
    CHECK_EQ(kr_submit(s.pool, &s.futures[0], fn, &at, sizeof at, 0), 0);
    CHECK_EQ(kr_submit(s.pool, &s.futures[1], count_one, NULL, 0, 0), 0);
    kr_event_set(&s.known);
    int error = error_of(s.futures[0]);
    kr_future_release(s.futures[1]);
    end(s.pool);
    return error;
}

/* A time limit of the scope, so that a wait that never ends fails here and not in the runner. */
static int within(kr_time limit, int (*wait)(struct several *s), struct several *s)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_event_wait(&s->known, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, limit), 0);
    int answer = wait(s);
    kr_cancel_scope_exit(&scope);
    return answer;
}

static int iterate_over_both(struct several *s)
{
    kr_completed *it;
    kr_future *f;
    CHECK_EQ(kr_as_completed(&it, s->futures, 2), 0);
    CHECK_EQ(kr_completed_next(it, &f, KR_FOREVER), 1);
    CHECK(f == s->futures[1]);
    int answer = kr_completed_next(it, &f, KR_FOREVER);
    kr_completed_release(it);
    return answer;
}

static int iterate_in_task(const void *arg, void *result)
{
    (void)result;
    return within(kr_ms(500), iterate_over_both, *(struct several *const *)arg);
}

/* Every wait ends; kr_future_result and kr_wait say -EDEADLK here. */
TEST(iterating_over_oneself_is_an_error)
{
    CHECK_EQ(in_a_task(iterate_in_task), -EDEADLK);
}

static int wait_for_the_first(struct several *s)
{
    bool done[2] = {false, false};
    int answer = kr_wait(s->futures, 2, KR_FIRST_COMPLETED, done, KR_FOREVER);
    return answer == 1 && done[1] ? 0 : answer;
}

static int wait_for_first_in_task(const void *arg, void *result)
{
    (void)result;
    return within(kr_sec(20), wait_for_the_first, *(struct several *const *)arg);
}

/* The other one ends this wait, so there is no deadlock. */
TEST(the_first_of_oneself_and_another_is_the_other)
{
    CHECK_EQ(in_a_task(wait_for_first_in_task), 0);
}

static int wait_for_a_failure(struct several *s)
{
    return kr_wait(s->futures, 2, KR_FIRST_EXCEPTION, NULL, KR_FOREVER);
}

static int wait_for_failure_in_task(const void *arg, void *result)
{
    (void)result;
    return within(kr_sec(20), wait_for_a_failure, *(struct several *const *)arg);
}

/* The other one does not fail, and with that nothing is left that could end the wait. */
TEST(no_failure_beside_oneself_is_a_deadlock)
{
    CHECK_EQ(in_a_task(wait_for_failure_in_task), -EDEADLK);
}

static int fail(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -EIO;
}

static int wait_with_a_failing_one(const void *arg, void *result)
{
    struct several *s = *(struct several *const *)arg;
    kr_future *failing;
    bool done[2] = {true, false};
    (void)result;
    CHECK_EQ(kr_event_wait(&s->known, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(s->pool, &failing, fail, NULL, 0, 0), 0);
    kr_future *both[2] = {s->futures[0], failing};
    CHECK_EQ(kr_wait(both, 2, KR_FIRST_EXCEPTION, done, KR_FOREVER), 1);
    CHECK(!done[0] && done[1]);
    CHECK_EQ(kr_wait(both, 2, KR_ALL_COMPLETED, NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_wait(both, 1, KR_FIRST_COMPLETED, NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(error_of(failing), -EIO);
    return 0;
}

TEST(a_failure_beside_oneself_ends_the_wait)
{
    CHECK_EQ(in_a_task(wait_with_a_failing_one), 0);
}

/* Who is told of an error is told whose it was. */

static char reported_pool[64];

static void note_pool(const kr_task_report *report)
{
    CHECK_EQ(report->error, -EIO);
    strncpy(reported_pool, report->pool ? report->pool : "none", sizeof reported_pool - 1);
}

TEST(the_report_of_a_task_names_its_pool)
{
    kr_executor *pool;
    kr_set_task_hook(note_pool);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = "bakers"}), 0);
    CHECK_EQ(kr_submit(pool, NULL, fail, NULL, 0, 0), 0);
    end(pool);
    CHECK_STR(reported_pool, "bakers");
}

static int end_as_told(const void *arg, void *result)
{
    (void)result;
    return *(const int *)arg;
}

TEST(ends_that_were_asked_for_are_not_reported)
{
    static const int ends[] = {-ECANCELED, KR_ESHUTDOWN, 0, -EIO};
    kr_executor *pool;
    kr_set_task_hook(note_pool); /* which wants -EIO */
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = "told"}), 0);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        CHECK_EQ(kr_submit(pool, NULL, end_as_told, &ends[i], sizeof ends[i], 0), 0);
    end(pool);
    CHECK_STR(reported_pool, "told");
}

/* The future is released by its holder, after or before the pool. */
static void fail_unasked(const char *name, bool pool_goes_first)
{
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = name}), 0);
    CHECK_EQ(kr_submit(pool, &f, fail, NULL, 0, 0), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    if (pool_goes_first)
        kr_executor_release(pool);
    kr_future_release(f);
    if (!pool_goes_first)
        kr_executor_release(pool);
}

TEST(the_report_of_a_released_future_names_a_pool_that_is_there)
{
    kr_set_task_hook(note_pool);
    fail_unasked("cooks", false);
    CHECK_STR(reported_pool, "cooks");
    fail_unasked("waiters", true);
    CHECK_STR(reported_pool, "none");
}

static int complain(kr_future *f, void *arg)
{
    (void)f;
    (void)arg;
    return -EIO;
}

TEST(the_report_of_a_callback_names_the_pool)
{
    kr_executor *pool;
    kr_future *f;
    kr_set_task_hook(note_pool);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = "smiths"}), 0);
    CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_add_done_callback(f, complain, NULL), 0);
    CHECK_EQ(error_of(f), 0);
    end(pool);
    CHECK_STR(reported_pool, "smiths");
}

/* The handle is released by a callback that the shutdown itself runs. */

struct last_use {
    kr_executor *pool;
    struct gate *gate;
    int threads;
};

static int release_the_pool(kr_future *f, void *arg)
{
    struct last_use *last = arg;
    CHECK(kr_future_cancelled(f));
    kr_event_set(&last->gate->open);
    while (kr_thread_active_count() > last->threads)
        kri_test_nap();
    kr_executor_release(last->pool);
    return 0;
}

/* Under the address sanitizer: the shutdown goes on with a pool that was freed. */
TEST(a_callback_of_the_shutdown_releases_the_pool)
{
    int threads = kr_thread_active_count();
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    struct last_use last = {pool, &gate, threads};
    kr_future *first = submit_gate(pool, &gate), *second = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    CHECK_EQ(kr_future_add_done_callback(second, release_the_pool, &last), 0);
    kr_shutdown_options options = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &options, KR_FOREVER), 0);
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(error_of(second), -ECANCELED);
}

/* A callback that finishes the next future, whose callback finishes the next, and so on. */
enum { LONG = 100000 };

static kr_future *chain[LONG];

static int finish_the_next(kr_future *f, void *arg)
{
    kr_future **next = arg;
    CHECK(kr_future_done(f));
    return next < chain + LONG ? kr_future_set_result(*next, NULL, 0) : 0;
}

TEST(a_long_chain_of_callbacks)
{
    for (int i = 0; i < LONG; i++) {
        CHECK_EQ(kr_future_create(&chain[i], 0), 0);
        CHECK_EQ(kr_future_add_done_callback(chain[i], finish_the_next, &chain[i + 1]), 0);
    }
    CHECK_EQ(kr_future_set_result(chain[0], NULL, 0), 0);
    for (int i = 0; i < LONG; i++) {
        CHECK(kr_future_done(chain[i]));
        kr_future_release(chain[i]);
    }
}

/* What a callback sets off runs after it, in order, also where its own handle is gone by then. */

static char order[8];

static int note_order(kr_future *f, void *arg)
{
    CHECK(kr_future_done(f));
    strncat(order, arg, 1);
    return 0;
}

static int finish_three(kr_future *f, void *arg)
{
    kr_future **others = arg;
    (void)note_order(f, "a");
    CHECK_EQ(kr_future_set_error(others[0], -EIO), 0);
    CHECK_EQ(kr_future_cancel(others[1]), 0);
    for (int i = 0; i < 2; i++)
        kr_future_release(others[i]);
    CHECK_STR(order, "a");
    return 0;
}

TEST(what_a_callback_sets_off_comes_after_it)
{
    kr_future *f[3];
    char *const names[] = {"c", "d", "e", "b"};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_future_create(&f[i], 0), 0);
    CHECK_EQ(kr_future_add_done_callback(f[2], finish_three, f), 0);
    CHECK_EQ(kr_future_add_done_callback(f[2], note_order, names[3]), 0);
    CHECK_EQ(kr_future_add_done_callback(f[0], note_order, names[0]), 0);
    CHECK_EQ(kr_future_add_done_callback(f[0], note_order, names[1]), 0);
    CHECK_EQ(kr_future_add_done_callback(f[1], note_order, names[2]), 0);
    kr_set_task_hook(note_pool);
    CHECK_EQ(kr_future_set_result(f[2], NULL, 0), 0);
    CHECK_STR(order, "abcde");
    kr_future_release(f[2]);
}

/* A task that a callback's wait runs is not that callback's: what it sets off comes at once. */

static int set_event(kr_future *f, void *arg)
{
    (void)f;
    kr_event_set(arg);
    return 0;
}

static int finish_and_wait(const void *arg, void *result)
{
    kr_event event = {0};
    kr_future *f;
    (void)arg;
    (void)result;
    CHECK_EQ(kr_future_create(&f, 0), 0);
    CHECK_EQ(kr_future_add_done_callback(f, set_event, &event), 0);
    CHECK_EQ(kr_future_set_result(f, NULL, 0), 0);
    int err = kr_event_wait(&event, kr_sec(20));
    kr_future_release(f);
    return err;
}

static int help_with_a_task(kr_future *f, void *arg)
{
    kr_future *task;
    (void)f;
    CHECK_EQ(kr_submit(arg, &task, finish_and_wait, NULL, 0, 0), 0);
    CHECK_EQ(error_of(task), 0);
    kri_add_rlx(&ran, 100);
    return 0;
}

TEST(a_task_helped_by_a_callback_has_its_own_callbacks)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *busy = submit_gate(pool, &gate), *f;
    wait_entered(&gate, 1);
    CHECK_EQ(kr_future_create(&f, 0), 0);
    CHECK_EQ(kr_future_add_done_callback(f, help_with_a_task, pool), 0);
    CHECK_EQ(kr_future_set_result(f, NULL, 0), 0);
    CHECK_EQ(kri_load_rlx(&ran), 100);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(busy), 0);
    kr_future_release(f);
    end(pool);
}

/* A callback of one pending task waits for another, and a shutdown cancels both. */

static int wait_for_other(kr_future *f, void *arg)
{
    int error;
    CHECK(kr_future_cancelled(f));
    CHECK_EQ(kr_future_exception(arg, &error, kr_ms(500)), 0);
    CHECK_EQ(error, -ECANCELED);
    kri_add_rlx(&ran, 100);
    return 0;
}

TEST(a_callback_waits_for_what_the_shutdown_cancels_too)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *f[3];
    for (int i = 0; i < 3; i++)
        f[i] = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    CHECK_EQ(kr_future_add_done_callback(f[1], wait_for_other, f[2]), 0);
    kr_shutdown_options options = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &options, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kri_load_rlx(&ran), 100);
    kr_event_set(&gate.open);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(error_of(f[i]), i ? -ECANCELED : 0);
    kr_executor_release(pool);
}

/* What a forked child releases is freed there, iterators too. */
TEST(an_iterator_is_freed_in_a_forked_child)
{
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind have allocators of their own");
    kr_future *futures[100];
    kr_completed *it;
    int status;
    for (int i = 0; i < 100; i++)
        CHECK_EQ(kr_future_create(&futures[i], 0), 0);
    CHECK_EQ(kr_as_completed(&it, futures, 100), 0);
    pid_t child = fork();
    if (child == 0) {
        size_t before = in_use();
        kr_completed_release(it);
        _exit(in_use() < before ? 0 : 1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    kr_completed_release(it);
    for (int i = 0; i < 100; i++)
        kr_future_release(futures[i]);
}

/* Two shutdowns at once, of which one is given up. */

static void shut_down(void *arg)
{
    CHECK_EQ(kr_executor_shutdown(arg, NULL, KR_FOREVER), 0);
}

TEST(several_shutdowns_at_once)
{
    for (int round = 0; round < 20; round++) {
        kr_executor *pool = pool_of(2);
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        struct gate gate = {0};
        kri_bunch bunch;
        kr_future *f = submit_gate(pool, &gate);
        wait_entered(&gate, 1);
        kri_bunch_start(&bunch, 4, shut_down, pool);
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        kr_cancel(&scope);
        CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
        kr_event_set(&gate.open);
        kri_bunch_end(&bunch);
        CHECK_EQ(error_of(f), 0);
        kr_executor_release(pool);
    }
}

/* An initializer that waits for tasks of its own pool. */

static kr_executor *own_pool;
static kr_word answers; /* how many waits were refused */

static int refused(int answer)
{
    CHECK_EQ(answer, -EDEADLK);
    kri_add_rlx(&answers, 1);
    return 0;
}

/* The task is not run in here, nor by others while this is the only worker. */
static int wait_for_own_pool(void *arg)
{
    kr_event *known = arg;
    kr_future *tasks[3], *f;
    kr_completed *it;
    kr_group group;
    CHECK_EQ(kr_event_wait(known, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(own_pool, &tasks[0], count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_submit(own_pool, &tasks[1], count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_create(&tasks[2], 0), 0);
    CHECK_EQ(kr_future_set_running(tasks[0], NULL), -EALREADY);
    refused(kr_future_exception(tasks[0], NULL, KR_FOREVER));
    refused(kr_wait(tasks, 2, KR_FIRST_COMPLETED, NULL, KR_FOREVER));
    refused(kr_wait(tasks, 3, KR_ALL_COMPLETED, NULL, KR_FOREVER));
    CHECK_EQ(kr_as_completed(&it, tasks, 2), 0);
    refused(kr_completed_next(it, &f, KR_FOREVER));
    kr_completed_release(it);
    CHECK_EQ(kr_wait(tasks, 3, KR_FIRST_COMPLETED, NULL, kr_ms(1)), 0);
    CHECK_EQ(kr_future_set_result(tasks[2], NULL, 0), 0);
    refused(kr_wait(tasks, 3, KR_FIRST_EXCEPTION, NULL, KR_FOREVER));
    CHECK_EQ(kr_wait(tasks, 3, KR_FIRST_COMPLETED, NULL, KR_FOREVER), 1);
    refused(kr_map(own_pool, count_one, NULL, 0, 3, NULL, 0, NULL));
    refused(kr_group_open(&group, NULL));
    refused(kr_group_close(&group));
    CHECK_EQ(kri_load_rlx(&ran), 0);
    for (int i = 0; i < 3; i++)
        kr_future_release(tasks[i]);
    return 0;
}

TEST(an_initializer_does_not_wait_for_its_own_pool)
{
    kr_event known = {0};
    kr_pool_options options = {.workers = 1,
                               .max_spares = -1,
                               .initializer = wait_for_own_pool,
                               .initializer_arg = &known};
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&own_pool, &options), 0);
    CHECK_EQ(kr_submit(own_pool, &f, count_one, NULL, 0, 0), 0);
    kr_event_set(&known);
    CHECK_EQ(error_of(f), 0);
    end(own_pool);
    CHECK_EQ(kri_load_rlx(&answers), 8);
    CHECK_EQ(kri_load_rlx(&ran), 3);
}
