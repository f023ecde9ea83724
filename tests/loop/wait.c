/* Coroutines that wait for several tasks, of their loop and of a pool: for all or the first, and
 * for one after the other as they end.
 *
 * Behaviours: section 13.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

enum { TASKS = 3 };

static struct step steps[TASKS];
static kr_future *futures[TASKS];

static void start(void)
{
    for (int i = 0; i < TASKS; i++) {
        steps[i] = (struct step){.begun = false};
        futures[i] = spawn_step(&steps[i], sizeof(int));
    }
    let_others_run();
}

static void end(int begin, int error)
{
    for (int i = begin; i < TASKS; i++)
        let_go(&steps[i], error);
    for (int i = 0; i < TASKS; i++)
        kr_future_release(futures[i]);
}

/* Ends a task after a while. */
typedef struct later {
    int task;
    int error;
} later;

static int end_later(const void *arg, void *result)
{
    const later *l = arg;
    (void)result;
    CHECK_EQ(kr_sleep(kr_ms(2)), 0);
    let_go(&steps[l->task], l->error);
    return 0;
}

static void in_a_while(int task, int error)
{
    later l = {.task = task, .error = error};
    CHECK_EQ(kr_spawn(NULL, end_later, &l, sizeof l, 0, NULL), 0);
}

/* behaviours: 13.3 test_wait_concurrent_complete, test_wait_with_iterator_of_tasks,
 * test_wait_generator */
LOOP_TEST(test_wait)
{
    bool done[TASKS];
    start();
    CHECK_EQ(kr_wait(futures, TASKS, KR_ALL_COMPLETED, done, KR_NOWAIT), 0);
    for (int i = 0; i < TASKS; i++)
        in_a_while(i, 0);
    CHECK_EQ(kr_wait(futures, TASKS, KR_ALL_COMPLETED, done, KR_FOREVER), TASKS);
    CHECK(done[0] && done[1] && done[2]);
    CHECK_EQ(kr_wait(futures, TASKS, KR_ALL_COMPLETED, NULL, KR_FOREVER), TASKS);
    end(TASKS, 0);
}

LOOP_TEST(test_wait_duplicate_coroutines)
{
    start();
    kr_future *twice[] = {futures[0], futures[1], futures[0]};
    bool done[3];
    in_a_while(0, 0);
    CHECK_EQ(kr_wait(twice, 3, KR_FIRST_COMPLETED, done, KR_FOREVER), 2);
    CHECK(done[0] && !done[1] && done[2]);
    end(1, 0);
}

/* behaviour: 13.3 test_wait_invalid_args */
LOOP_TEST(test_wait_errors)
{
    kr_future *none = NULL;
    start();
    CHECK_EQ(kr_wait(&none, 1, KR_ALL_COMPLETED, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_wait(futures, TASKS, (kr_wait_when)9, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_wait(futures, TASKS, KR_ALL_COMPLETED, NULL, -1), -EINVAL);
    CHECK_EQ(kr_wait(NULL, 0, KR_ALL_COMPLETED, NULL, KR_FOREVER), 0);
    end(0, 0);
}

LOOP_TEST(test_wait_first_completed)
{
    bool done[TASKS];
    start();
    in_a_while(1, 0);
    CHECK_EQ(kr_wait(futures, TASKS, KR_FIRST_COMPLETED, done, KR_FOREVER), 1);
    CHECK(!done[0] && done[1] && !done[2]);
    end(0, 0);
}

/* Two end in one turn, before the waiter runs: it sees both. */
LOOP_TEST(test_wait_really_done)
{
    bool done[TASKS];
    start();
    let_go(&steps[0], 0);
    let_go(&steps[1], 0);
    CHECK_EQ(kr_wait(futures, TASKS, KR_FIRST_COMPLETED, done, KR_FOREVER), 2);
    CHECK(done[0] && done[1] && !done[2]);
    end(2, 0);
}

/* behaviour: 13.3 test_wait_first_exception_in_wait */
LOOP_TEST(test_wait_first_exception)
{
    bool done[TASKS];
    start();
    let_go(&steps[0], 0);
    in_a_while(2, -EPIPE);
    CHECK_EQ(kr_wait(futures, TASKS, KR_FIRST_EXCEPTION, done, KR_FOREVER), 2);
    CHECK(done[0] && !done[1] && done[2]);
    CHECK_EQ(kr_future_exception(futures[2], NULL, KR_NOWAIT), -EPIPE);
    end(1, 0);
}

LOOP_TEST(test_wait_with_exception)
{
    start();
    in_a_while(0, 0);
    in_a_while(1, -EPIPE);
    in_a_while(2, 0);
    CHECK_EQ(kr_wait(futures, TASKS, KR_ALL_COMPLETED, NULL, KR_FOREVER), TASKS);
    CHECK_EQ(kr_future_exception(futures[1], NULL, KR_NOWAIT), -EPIPE);
    end(TASKS, 0);
}

/* No error, and nobody is cancelled. */
LOOP_TEST(test_wait_with_timeout)
{
    bool done[TASKS];
    start();
    let_go(&steps[0], 0);
    CHECK_EQ(kr_wait(futures, TASKS, KR_ALL_COMPLETED, done, kr_ms(5)), 1);
    CHECK(done[0] && !done[1] && !done[2]);
    CHECK(!steps[1].cancelled && !kr_future_done(futures[1]));
    end(1, 0);
}

static int wait_for_all(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_wait(futures, TASKS, KR_ALL_COMPLETED, NULL, KR_FOREVER);
}

LOOP_TEST(waits_are_cancelled)
{
    kr_future *f;
    start();
    CHECK_EQ(kr_spawn(&f, wait_for_all, NULL, 0, 0, NULL), 0);
    let_others_run();
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_of(f), -ECANCELED);
    CHECK(!steps[0].cancelled);
    end(0, 0);
}

/* As completed. */

static void expect_next(kr_completed *completed, int task)
{
    kr_future *next;
    CHECK_EQ(kr_completed_next(completed, &next, KR_FOREVER), 1);
    CHECK(next == futures[task]);
}

/* behaviours: 13.3 test_as_completed_same_tasks_in_as_out, test_as_completed_concurrent,
 * test_as_completed_with_unused_timeout */
LOOP_TEST(test_as_completed)
{
    kr_completed *completed;
    kr_future *next;
    start();
    CHECK_EQ(kr_as_completed(&completed, futures, TASKS), 0);
    CHECK_EQ(kr_completed_unfinished(completed), TASKS);
    in_a_while(2, 0);
    expect_next(completed, 2);
    in_a_while(0, -EPIPE);
    expect_next(completed, 0);
    in_a_while(1, 0);
    CHECK_EQ(kr_completed_next(completed, &next, kr_sec(60)), 1);
    CHECK(next == futures[1]);
    CHECK_EQ(kr_completed_unfinished(completed), 0);
    CHECK_EQ(kr_completed_next(completed, &next, KR_FOREVER), 0); /* that was all */
    CHECK_EQ(kr_future_exception(futures[0], NULL, KR_NOWAIT), -EPIPE);
    kr_completed_release(completed);
    end(TASKS, 0);
}

/* The time was up, and it goes on where it was.
 * behaviour: 13.3 test_as_completed_resume_iterator */
LOOP_TEST(test_as_completed_with_timeout)
{
    kr_completed *completed;
    kr_future *next;
    start();
    CHECK_EQ(kr_as_completed(&completed, futures, TASKS), 0);
    CHECK_EQ(kr_completed_next(completed, &next, kr_ms(2)), -ETIMEDOUT);
    CHECK_EQ(kr_completed_unfinished(completed), TASKS);
    let_go(&steps[1], 0);
    expect_next(completed, 1);
    CHECK_EQ(kr_completed_next(completed, &next, KR_NOWAIT), -ETIMEDOUT);
    CHECK(!steps[0].cancelled);
    kr_completed_release(completed);
    end(0, 0);
}

/* They end in the other order than they were given. */
LOOP_TEST(test_as_completed_reverse_wait)
{
    kr_completed *completed;
    start();
    CHECK_EQ(kr_as_completed(&completed, futures, TASKS), 0);
    for (int i = TASKS - 1; i >= 0; i--) {
        let_go(&steps[i], 0);
        let_others_run();
    }
    for (int i = TASKS - 1; i >= 0; i--)
        expect_next(completed, i);
    kr_completed_release(completed);
    end(TASKS, 0);
}

/* behaviour: 13.3 test_as_completed_invalid_args */
LOOP_TEST(test_as_completed_duplicate_coroutines)
{
    kr_completed *completed;
    kr_future *none = NULL;
    CHECK_EQ(kr_as_completed(&completed, &none, 1), -EINVAL);
    start();
    kr_future *twice[] = {futures[0], futures[0]};
    CHECK_EQ(kr_as_completed(&completed, twice, 2), 0);
    CHECK_EQ(kr_completed_unfinished(completed), 1);
    in_a_while(0, 0);
    expect_next(completed, 0);
    CHECK_EQ(kr_completed_unfinished(completed), 0);
    kr_completed_release(completed);
    end(1, 0);
}

static int return_at_once(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

/* Tasks of the loop and of a pool together. */
LOOP_TEST(both_kinds)
{
    kr_executor *pool;
    kr_completed *completed;
    kr_future *both[2], *next;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    start();
    both[0] = futures[0];
    CHECK_EQ(kr_submit(pool, &both[1], return_at_once, NULL, 0, 0), 0);
    CHECK_EQ(kr_as_completed(&completed, both, 2), 0);
    CHECK_EQ(kr_completed_next(completed, &next, KR_FOREVER), 1);
    CHECK(next == both[1]);
    CHECK_EQ(kr_wait(both, 2, KR_FIRST_COMPLETED, NULL, KR_FOREVER), 1);
    let_go(&steps[0], 0);
    expect_next(completed, 0);
    kr_completed_release(completed);
    kr_future_release(both[1]);
    kr_executor_release(pool);
    end(1, 0);
}
