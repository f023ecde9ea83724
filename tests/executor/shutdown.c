/* Shutting down, and exit.
 *
 * Behaviours: sections 11.2, 11.3, 11.5
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/sanitizers.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor/pool.h"

TEST(test_run_after_shutdown)
{
    kr_executor *pool = pool_of(2);
    kr_future *f;
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), KR_ESHUTDOWN);
    CHECK(f == NULL);
    int one = 1;
    CHECK_EQ(kr_map(pool, count_one, &one, sizeof one, 1, NULL, 0, NULL), KR_ESHUTDOWN);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), 0);
    kr_executor_release(pool);
}

TEST(test_hang_issue12364)
{
    kr_executor *pool = pool_of(4);
    kr_future *futures[50];
    for (int i = 0; i < 50; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    kr_executor_release(pool);
}

TEST(test_cancel_futures)
{
    kr_executor *pool = pool_of(4);
    struct gate gate = {0};
    kr_future *futures[50];
    for (int i = 0; i < 50; i++)
        futures[i] = submit_gate(pool, &gate);
    wait_entered(&gate, 4);
    kr_shutdown_options options = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &options, KR_NOWAIT), -ETIMEDOUT);
    kr_event_set(&gate.open);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    int cancelled = 0;
    for (int i = 0; i < 50; i++) {
        CHECK(kr_future_done(futures[i]));
        bool was = kr_future_cancelled(futures[i]);
        cancelled += was;
        CHECK_EQ(error_of(futures[i]), was ? -ECANCELED : 0);
    }
    CHECK_EQ(cancelled, 46);
    kr_executor_release(pool);
}

TEST(test_cancel_futures_wait_false)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *first = submit_gate(pool, &gate), *second = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    kr_shutdown_options options = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &options, KR_NOWAIT), -ETIMEDOUT);
    kr_executor_release(pool);
    CHECK(kr_future_cancelled(second));
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(error_of(second), -ECANCELED);
}

TEST(test_hang_gh94440)
{
    for (int i = 0; i < 50; i++) {
        kr_executor *pool = pool_of(1);
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), 0);
        (void)kr_future_cancel(f);
        CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
        kr_future_release(f);
        kr_executor_release(pool);
    }
}

TEST(test_shutdown_race_issue12456)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(kr_map(pool, count_one, NULL, 0, 1000, NULL, 0, NULL), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kri_load_rlx(&ran), 1000);
    kr_executor_release(pool);
}

TEST(test_threads_terminate)
{
    int before = kr_thread_active_count();
    kr_executor *pool = pool_of(3);
    struct gate gate = {0};
    for (int i = 0; i < 3; i++)
        kr_future_release(submit_gate(pool, &gate));
    wait_entered(&gate, 3);
    CHECK_EQ(kr_thread_active_count(), before + 3);
    kr_event_set(&gate.open);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_thread_active_count(), before);
    kr_executor_release(pool);
}

/* A worker whose thread takes its time to end. */

static kr_word ended_slowly;

static void end_slowly(void *value)
{
    (void)value;
    for (int naps = 0; naps < 200; naps++)
        kri_test_nap();
    kri_add_sc(&ended_slowly, 1);
}

static kr_local slow_local = KR_LOCAL_INIT(1, NULL, end_slowly);

static int touch_slow_local(void *arg)
{
    (void)arg;
    return kr_local_get(&slow_local) ? 0 : -ENOMEM;
}

TEST(shutdown_waits_for_the_threads_of_the_workers)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = 1, .initializer = touch_slow_local};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&ended_slowly), 1);
    kr_executor_release(pool);
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    kr_executor_release(pool);
    CHECK_EQ(kri_load_sc(&ended_slowly), 2);
}

TEST(test_context_manager_shutdown)
{
    int before = kr_thread_active_count();
    {
        KR_AUTO(kr_executor) *pool = pool_of(5);
        for (int i = 0; i < 100; i++)
            CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    }
    CHECK_EQ(kri_load_rlx(&ran), 100);
    CHECK_EQ(kr_thread_active_count(), before);
}

TEST(test_del_shutdown)
{
    int before = kr_thread_active_count();
    kr_executor *pool = pool_of(5);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    kr_executor_release(pool);
    CHECK_EQ(kri_load_rlx(&ran), 100);
    CHECK_EQ(kr_thread_active_count(), before);
}

TEST(release_waits_in_a_cancelled_scope_too)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_executor *pool = pool_of(2);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    kr_cancel(&scope);
    kr_executor_release(pool);
    CHECK_EQ(kri_load_rlx(&ran), 100);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

static void wait_gone(int threads)
{
    while (kr_thread_active_count() > threads)
        kri_test_nap();
}

TEST(test_shutdown_no_wait)
{
    int before = kr_thread_active_count();
    kr_executor *pool = pool_of(3);
    struct gate gate = {0};
    kr_future *futures[6];
    for (int i = 0; i < 6; i++)
        futures[i] = submit_gate(pool, &gate);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, kr_ms(10)), -ETIMEDOUT);
    kr_executor_release(pool);
    kr_event_set(&gate.open);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    wait_gone(before);
}

TEST(shutdown_in_a_cancelled_scope)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_future *f = submit_gate(pool, &gate);
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(5)), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

TEST(wrong_shutdowns_are_refused)
{
    kr_executor *pool = pool_of(1);
    kr_shutdown_options options = {.reserved = {1, 0, 0, 0}};
    CHECK_EQ(kr_executor_shutdown(pool, NULL, -1), -EINVAL);
    CHECK_EQ(kr_executor_shutdown(pool, &options, 0), -EINVAL);
    CHECK_EQ(kr_executor_shutdown(NULL, NULL, 0), -EINVAL);
    CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    kr_executor_release(pool);
    kr_executor_release(NULL);
    CHECK_EQ(kri_load_rlx(&ran), 1);
}

static int shut_own_pool(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    int err = kr_executor_shutdown(pool, NULL, KR_FOREVER);
    kr_executor_release(pool);
    return err;
}

TEST(shutdown_and_release_in_a_task_of_the_pool)
{
    int before = kr_thread_active_count();
    kr_executor *pool = pool_of(2);
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, shut_own_pool, &pool, sizeof pool, 0), 0);
    CHECK_EQ(error_of(f), -EDEADLK);
    wait_gone(before);
}

static void shut_down(void *arg)
{
    CHECK_EQ(kr_executor_shutdown(arg, NULL, KR_FOREVER), 0);
}

TEST(many_shut_down_at_once)
{
    for (int round = 0; round < 20; round++) {
        kr_executor *pool = pool_of(3);
        kri_bunch bunch;
        for (int i = 0; i < 20; i++)
            CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
        kri_bunch_start(&bunch, 4, shut_down, pool);
        kri_bunch_end(&bunch);
        kr_executor_release(pool);
    }
    CHECK_EQ(kri_load_rlx(&ran), 400);
}

/* A submitter and a shutdown: what was accepted is run. */

static kr_word accepted;

static void submit_until_shut(void *arg)
{
    int err;
    while ((err = kr_submit(arg, NULL, count_one, NULL, 0, 0)) == 0)
        kri_add_rlx(&accepted, 1);
    CHECK_EQ(err, KR_ESHUTDOWN);
}

TEST(what_was_accepted_before_a_shutdown_is_run)
{
    for (int round = 0; round < 50; round++) {
        kr_executor *pool = pool_of(2);
        kri_bunch bunch;
        kri_store_sc(&accepted, 0);
        kri_store_sc(&ran, 0);
        kri_bunch_start(&bunch, 2, submit_until_shut, pool);
        if (round % 2)
            while (kri_load_rlx(&ran) < 100)
                kri_test_nap();
        CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
        uint32_t done = kri_load_rlx(&ran);
        kri_bunch_end(&bunch);
        CHECK_EQ(kri_load_rlx(&accepted), done);
        kr_executor_release(pool);
    }
}

/* Exit.  A child process leaves, and what it did stands in shared memory. */

static kr_word *shared;

static void share(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    shared = at;
}

static int status_of(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int count_slowly(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kri_test_nap();
    kri_add_sc(shared, 1);
    return 0;
}

TEST(test_interpreter_shutdown)
{
    share();
    pid_t child = fork();
    if (child == 0) {
        kr_executor *pool = pool_of(2);
        for (int i = 0; i < 20; i++)
            CHECK_EQ(kr_submit(pool, NULL, count_slowly, NULL, 0, 0), 0);
        exit(0);
    }
    CHECK_EQ(status_of(child), 0);
    CHECK_EQ(kri_load_sc(shared), 20);
}

TEST(test_hang_gh83386)
{
    share();
    pid_t child = fork();
    if (child == 0) {
        kr_executor *pool = pool_of(1);
        for (int i = 0; i < 5; i++)
            CHECK_EQ(kr_submit(pool, NULL, count_slowly, NULL, 0, 0), 0);
        CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
        kr_executor_release(pool);
        exit(0);
    }
    CHECK_EQ(status_of(child), 0);
    CHECK_EQ(kri_load_sc(shared), 5);
}

TEST(an_idle_pool_does_not_hold_up_exit)
{
    pid_t child = fork();
    if (child == 0) {
        kr_executor *pool = pool_of(3);
        CHECK_EQ(kr_map(pool, count_one, NULL, 0, 30, NULL, 0, NULL), 0);
        CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
        exit(3);
    }
    CHECK_EQ(status_of(child), 3);
}

static kr_executor *late_pool;

static void submit_late(void)
{
    int err = kr_submit(late_pool, NULL, count_one, NULL, 0, 0);
    kr_executor *another;
    kri_store_sc(shared, err == KR_ESHUTDOWN && kr_thread_pool(&another, NULL) == KR_ESHUTDOWN);
}

TEST(test_submit_after_interpreter_shutdown)
{
    share();
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(atexit(submit_late), 0);
        late_pool = pool_of(1);
        CHECK_EQ(kr_submit(late_pool, NULL, count_one, NULL, 0, 0), 0);
        exit(0);
    }
    CHECK_EQ(status_of(child), 0);
    CHECK_EQ(kri_load_sc(shared), 1);
}

static int leave(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    exit(5);
}

TEST(exit_in_a_task_ends_the_process)
{
    pid_t child = fork();
    if (child == 0) {
        kr_executor *pool = pool_of(2);
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, leave, NULL, 0, 0), 0);
        for (;;)
            pause();
    }
    CHECK_EQ(status_of(child), 5);
}

TEST(exit_in_a_task_ends_the_process_beside_other_workers)
{
    if (KRI_TSAN)
        SKIP("to it, threads that end during exit are lost where nobody joins them");
    pid_t child = fork();
    if (child == 0) {
        kr_executor *pool = pool_of(3);
        struct gate gate = {0};
        kr_future *futures[3];
        for (int i = 0; i < 3; i++)
            futures[i] = submit_gate(pool, &gate);
        wait_entered(&gate, 3);
        kr_event_set(&gate.open);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(error_of(futures[i]), 0);
        CHECK_EQ(kr_submit(pool, NULL, leave, NULL, 0, 0), 0);
        for (;;)
            pause();
    }
    CHECK_EQ(status_of(child), 5);
}

static int submit_and_leave(const void *arg, void *result)
{
    (void)result;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_submit(*(kr_executor *const *)arg, NULL, count_slowly, NULL, 0, 0), 0);
    exit(5);
}

TEST(what_a_task_has_submitted_before_its_exit_is_done)
{
    if (KRI_TSAN)
        SKIP("to it, threads that end during exit are lost where nobody joins them");
    share();
    pid_t child = fork();
    if (child == 0) {
        kr_executor *pool;
        kr_pool_options one = {.workers = 1, .max_spares = -1, .stuck_after = kr_sec(60)};
        CHECK_EQ(kr_thread_pool(&pool, &one), 0);
        CHECK_EQ(kr_submit(pool, NULL, submit_and_leave, &pool, sizeof pool, 0), 0);
        for (;;)
            pause();
    }
    CHECK_EQ(status_of(child), 5);
    CHECK_EQ(kri_load_sc(shared), 3);
}
