/* Pools of loops at odd moments: initializers, the lack of memory, shutdowns and forks.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"
#include "thread/child.h"

#include "base/atomic.h"

#include <semaphore.h>

static kr_word reports; /* atomic */

static void count_report(const kr_task_report *report)
{
    (void)report;
    kri_add_rlx(&reports, 1);
}

static int succeed(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

/* Initializers. */

static kr_word submitted; /* atomic */
static kr_event all_submitted;

static int submit_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 8; i++)
        CHECK_EQ(kr_submit(kr_running_loop(), NULL, succeed, NULL, 0, 0), 0);
    if (kri_add_rlx(&submitted, 8) == 3 * 8)
        kr_event_set(&all_submitted);
    return 0;
}

TEST(an_initializer_submits_while_the_pool_is_made)
{
    for (int i = 0; i < 50; i++) {
        kr_executor *pool;
        kr_pool_options o = {.workers = 4, .initializer = submit_some};
        CHECK_EQ(kr_loop_pool(&pool, &o), 0);
        CHECK_EQ(kr_event_wait(&all_submitted, KR_FOREVER), 0);
        kr_executor_release(pool);
        kr_event_clear(&all_submitted);
        kri_store_rlx(&submitted, 0);
    }
}

/* What stands back until the initializer is over is not to be waited for by it; what it has spawned
 * does not. */
static int waits_refused, tasks_waited;

static int begin_after_the_initializer(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(waits_refused, 1);
    return 0;
}

static void wait_in_an_initializer(kr_executor *pool)
{
    kr_future *f;
    kr_group group;
    kr_group_task member;
    CHECK_EQ(kr_submit(pool, &f, begin_after_the_initializer, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_wait(&f, 1, KR_ALL_COMPLETED, NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_gather(&f, 1, NULL, NULL, KR_FOREVER), -EDEADLK);
    kr_future_release(f);
    CHECK_EQ(kr_group_open(&group, NULL), -EDEADLK);
    CHECK_EQ(kr_group_start(&group, &member, succeed, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_group_close(&group), -EDEADLK);
    CHECK_EQ(kr_map(pool, succeed, NULL, 0, 8, NULL, 0, NULL), -EDEADLK);
    CHECK_EQ(kr_spawn(&f, succeed, NULL, 0, 0, NULL), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
}

static int wait_for_own_pool(void *arg)
{
    (void)arg;
    wait_in_an_initializer(kr_running_loop());
    waits_refused++;
    return 0;
}

static int wait_as_a_task(const void *arg, void *result)
{
    kr_future *f;
    (void)arg;
    (void)result;
    CHECK_EQ(kr_submit(kr_running_loop(), &f, succeed, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    tasks_waited++;
    return 0;
}

TEST(an_initializer_waits_for_no_task_of_its_pool)
{
    kr_executor *pool;
    kr_future *f;
    kr_pool_options o = {.workers = 1, .initializer = wait_for_own_pool};
    CHECK_EQ(kr_loop_pool(&pool, &o), 0);
    CHECK_EQ(kr_submit(pool, &f, wait_as_a_task, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, kr_sec(60)), 0);
    kr_future_release(f);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, kr_sec(60)), 0);
    CHECK_EQ(waits_refused, 1);
    CHECK_EQ(tasks_waited, 1);
    kr_executor_release(pool);
}

static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

TEST(a_broken_pool_is_reported_by_who_broke_it)
{
    kr_executor *pool;
    (void)kr_set_task_hook(count_report);
    for (int i = 0; i < 20; i++) {
        kr_pool_options o = {.workers = 1, .initializer = fail};
        CHECK_EQ(kr_loop_pool(&pool, &o), 0);
        kr_executor_release(pool);
    }
    CHECK_EQ(kri_load_rlx(&reports), 20);
    for (int i = 0; i < 20; i++) {
        kr_pool_options o = {.workers = 4, .initializer = fail};
        kri_store_rlx(&reports, 0);
        CHECK_EQ(kr_loop_pool(&pool, &o), 0);
        kr_executor_release(pool);
        CHECK_GE(kri_load_rlx(&reports), 1);
        CHECK_LE(kri_load_rlx(&reports), 4);
    }
}

/* Memory. */

static const size_t too_large = (size_t)1 << 50;

static void submit_in_vain(kr_executor *pool, int want)
{
    for (int i = 0; i < 10; i++) {
        kr_future *f;
        int err = kr_submit(pool, &f, succeed, NULL, 0, 0);
        if (err == want && want == KR_EBROKEN)
            continue;
        CHECK_EQ(err, 0);
        CHECK_EQ(error_of(f), want);
    }
}

TEST(tasks_without_memory_leave_the_queue)
{
    kr_executor *pool;
    kr_pool_options o = {.workers = 1, .stack_size = too_large, .max_queued = 2};
    CHECK_EQ(kr_loop_pool(&pool, &o), 0);
    submit_in_vain(pool, -ENOMEM);
    kr_executor_release(pool);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST(an_initializer_without_memory_has_failed)
{
    kr_executor *pool;
    kr_pool_options o = {.workers = 1, .stack_size = too_large, .initializer = do_nothing};
    (void)kr_set_task_hook(count_report);
    CHECK_EQ(kr_loop_pool(&pool, &o), 0);
    while (kri_load_rlx(&reports) == 0)
        kri_test_nap();
    submit_in_vain(pool, KR_EBROKEN);
    kr_executor_release(pool);
    CHECK_EQ(kri_load_rlx(&reports), 1);
}

/* What has not begun is cancelled. */

static kr_event begun, go;

static int begin_and_wait(void *arg)
{
    (void)arg;
    kr_event_set(&begun);
    return kr_event_wait(&go, KR_FOREVER);
}

TEST(what_waits_for_an_initializer_is_cancelled)
{
    kr_executor *pool;
    kr_future *f[3];
    kr_pool_options o = {.workers = 1, .initializer = begin_and_wait};
    kr_shutdown_options cancel = {.cancel_pending = true};
    CHECK_EQ(kr_loop_pool(&pool, &o), 0);
    CHECK_EQ(kr_event_wait(&begun, KR_FOREVER), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_submit(pool, &f[i], succeed, NULL, 0, 0), 0);
    CHECK_EQ(kr_executor_shutdown(pool, &cancel, 0), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_future_result(f[i], NULL, 0, NULL, KR_FOREVER), -ECANCELED);
        kr_future_release(f[i]);
    }
    kr_event_set(&go);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

static kr_word held; /* atomic */

static int hold_up(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_event_set(&begun);
    while (kri_load_acq(&held) == 0)
        kri_test_nap();
    return 0;
}

static kr_executor *make_busy(void)
{
    kr_executor *pool;
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, NULL, hold_up, NULL, 0, 0), 0);
    CHECK_EQ(kr_event_wait(&begun, KR_FOREVER), 0);
    return pool;
}

static void end_busy(kr_executor *pool)
{
    kr_shutdown_options cancel = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &cancel, 0), -ETIMEDOUT);
    kri_store_rel(&held, 1);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

TEST(what_waits_for_its_turn_is_cancelled)
{
    kr_future *f[100];
    kr_executor *pool = make_busy();
    for (int i = 0; i < 100; i++)
        CHECK_EQ(kr_submit(pool, &f[i], succeed, NULL, 0, 0), 0);
    end_busy(pool);
    for (int i = 0; i < 100; i++) {
        CHECK(kr_future_cancelled(f[i]));
        kr_future_release(f[i]);
    }
}

static kr_word callbacks; /* atomic */

static int await_other(kr_future *f, void *arg)
{
    (void)f;
    CHECK_EQ(kr_future_result(arg, NULL, 0, NULL, KR_FOREVER), -ECANCELED);
    kri_add_rlx(&callbacks, 1);
    return 0;
}

static int submit_two(kr_future **f, kr_executor *executor)
{
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_submit(executor, &f[i], succeed, NULL, 0, 0), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_future_add_done_callback(f[i], await_other, f[!i]), 0);
    return 0;
}

TEST(a_callback_waits_for_another_that_is_cancelled)
{
    kr_future *f[2];
    kr_executor *pool = make_busy();
    submit_two(f, pool);
    end_busy(pool);
    CHECK_EQ(kri_load_rlx(&callbacks), 2);
    for (int i = 0; i < 2; i++)
        kr_future_release(f[i]);
}

static kr_event initialized;

static int initialize_late(void *arg)
{
    CHECK_EQ(begin_and_wait(arg), 0);
    kr_event_set(&initialized);
    return 0;
}

static int await_initialized(kr_future *f, void *arg)
{
    (void)f;
    (void)arg;
    CHECK_EQ(kr_event_wait(&initialized, KR_FOREVER), -ECANCELED);
    kri_add_rlx(&callbacks, 1);
    return 0;
}

/* What is done in the loop's own thread cannot wait for a coroutine. */
TEST(a_callback_waits_for_the_initializer)
{
    kr_executor *pool;
    kr_future *f;
    kr_pool_options o = {.workers = 1, .initializer = initialize_late};
    kr_shutdown_options cancel = {.cancel_pending = true};
    CHECK_EQ(kr_loop_pool(&pool, &o), 0);
    CHECK_EQ(kr_event_wait(&begun, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(pool, &f, succeed, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_add_done_callback(f, await_initialized, NULL), 0);
    CHECK_EQ(kr_executor_shutdown(pool, &cancel, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(error_of(f), -ECANCELED);
    while (kri_load_acq(&callbacks) == 0)
        kri_test_nap();
    kr_event_set(&go);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK(kr_event_is_set(&initialized));
    kr_executor_release(pool);
}

static int await_left(kr_future *f, void *arg)
{
    (void)f;
    CHECK_EQ(kr_future_result(arg, NULL, 0, NULL, KR_FOREVER), -ECANCELED);
    CHECK(!kr_future_done(arg));
    kri_add_rlx(&callbacks, 1);
    return 0;
}

static int stay(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_event_wait(&go, KR_FOREVER);
}

static int leave_one_and_another(void *arg)
{
    kr_future **f = arg;
    CHECK_EQ(kr_spawn(&f[0], stay, NULL, 0, 0, NULL), 0);
    let_others_run();
    for (int i = 0; i < 100; i++) /* more than run before the loop sees the end */
        CHECK_EQ(kr_spawn(NULL, succeed, NULL, 0, 0, NULL), 0);
    CHECK_EQ(kr_spawn(&f[1], succeed, NULL, 0, 0, NULL), 0);
    return kr_future_add_done_callback(f[1], await_left, f[0]);
}

TEST(a_callback_waits_for_a_coroutine_that_is_left)
{
    kr_future *f[2];
    CHECK_EQ(kr_run(leave_one_and_another, f), 0);
    CHECK_EQ(kri_load_rlx(&callbacks), 1);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(error_of(f[i]), -ECANCELED);
}

static kr_future *left[2];

static int leave_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) /* more than run before the loop sees the end */
        CHECK_EQ(kr_spawn(NULL, succeed, NULL, 0, 0, NULL), 0);
    return submit_two(left, kr_running_loop());
}

TEST(a_callback_waits_for_another_that_is_left)
{
    CHECK_EQ(kr_run(leave_two, NULL), 0);
    CHECK_EQ(kri_load_rlx(&callbacks), 2);
    for (int i = 0; i < 2; i++)
        kr_future_release(left[i]);
}

/* A shutdown that has found the loops ended, in a cancelled scope, comes back without their threads
 * all the same. */

static pthread_key_t at_end;
static sem_t leaving;
static kr_word gone; /* atomic */

static void linger_at_end(void *value)
{
    (void)value;
    CHECK_EQ(sem_post(&leaving), 0);
    kri_test_linger();
    kri_store_rel(&gone, 1);
}

static int set_at_end(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -pthread_setspecific(at_end, &gone);
}

TEST(a_cancelled_shutdown_awaits_threads_at_their_end)
{
    kr_executor *pool;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(pthread_key_create(&at_end, linger_at_end), 0); /* before the library's own */
    CHECK_EQ(sem_init(&leaving, 0, 0), 0);
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, NULL, set_at_end, NULL, 0, 0), 0);
    int err = kr_executor_shutdown(pool, NULL, KR_NOWAIT);
    CHECK(err == 0 || err == -ETIMEDOUT);
    CHECK_EQ(sem_wait(&leaving), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kri_load_acq(&gone), 1);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    kr_executor_release(pool);
}

/* Forks in what is not a task. */

static pid_t forked = -1;

static int fork_once(void *arg)
{
    (void)arg;
    if (forked == -1)
        forked = fork();
    return 0;
}

static int note_parent(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(getpid(), *(const pid_t *)arg);
    return 0;
}

TEST(the_child_of_an_initializer_may_return)
{
    kr_executor *pool;
    kr_future *f;
    pid_t self = getpid();
    kr_pool_options o = {.workers = 1, .initializer = fork_once};
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    CHECK_EQ(kr_loop_pool(&pool, &o), 0);
    CHECK_EQ(kr_submit(pool, &f, note_parent, &self, sizeof self, 0), 0);
    CHECK_EQ(error_of(f), 0);
    child_wait(forked);
    kr_executor_release(pool);
}

static void fork_and_return(void *arg)
{
    (void)arg;
    forked = fork();
}

static void call_in_parent(void *arg)
{
    CHECK_EQ(getpid(), *(pid_t *)arg);
}

static int call_fork(void *arg)
{
    static kr_call first, second;
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, note_parent, arg, sizeof(pid_t), 0, NULL), 0);
    CHECK_EQ(kr_future_result(f, NULL, 0, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    CHECK_EQ(kr_call_soon(&first, fork_and_return, NULL), 0);
    CHECK_EQ(kr_call_soon(&second, call_in_parent, arg), 0);
    CHECK_EQ(kr_spawn(&f, note_parent, arg, sizeof(pid_t), 0, NULL), 0);
    CHECK_EQ(kr_future_result(f, NULL, 0, NULL, KR_FOREVER), 0);
    CHECK_EQ(getpid(), *(pid_t *)arg);
    kr_future_release(f);
    return 3;
}

TEST(the_child_of_a_callback_may_return)
{
    pid_t self = getpid();
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    int result = kr_run(call_fork, &self);
    CHECK_EQ(result, forked != 0 ? 3 : KR_EFORKED);
    CHECK(kr_running_loop() == NULL);
    if (forked != 0)
        child_wait(forked);
}

/* A map on loops: tasks that wait hold nobody up. */

static kr_barrier all_there = KR_BARRIER_INIT(32);

static int meet(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_barrier_wait(&all_there, KR_FOREVER) < 0 ? -EIO : 0;
}

TEST(a_map_has_as_many_under_way_as_its_window)
{
    kr_executor *pool;
    kr_pool_options two = {.workers = 2};
    CHECK_EQ(kr_loop_pool(&pool, &two), 0);
    kr_map_options o = {.window = 32, .chunk = 1};
    CHECK_EQ(kr_map(pool, meet, NULL, 0, 32, NULL, 0, &o), 0);
    o.window = 0; /* more than 32 for two loops */
    CHECK_EQ(kr_map(pool, meet, NULL, 0, 32, NULL, 0, &o), 0);
    kr_executor_release(pool);
}

static int thirty_two(void *arg, void *count)
{
    (void)arg;
    return ++*(int *)count <= 32;
}

TEST(a_map_over_a_source_has_as_many_under_way_as_its_window)
{
    kr_executor *pool;
    kr_map_stream *map;
    kr_pool_options one = {.workers = 1};
    int count = 0;
    CHECK_EQ(kr_loop_pool(&pool, &one), 0);
    CHECK_EQ(kr_map_open(&map, pool, meet, thirty_two, &count, 0, 0, NULL), 0);
    for (int i = 0; i < 32; i++)
        CHECK_EQ(kr_map_next(map, NULL, 0, NULL), 1);
    CHECK_EQ(kr_map_next(map, NULL, 0, NULL), 0);
    kr_map_close(map);
    kr_executor_release(pool);
}
