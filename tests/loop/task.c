/* Coroutines as tasks: how they begin, are named, found, cancelled, waited for, and end.
 *
 * Behaviours: section 13.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 16 };

static int order[MOST * 4], count;
static kr_event event;

static kr_future *spawn_with(kr_task_fn fn, const void *arg, size_t size,
                             const kr_spawn_options *options)
{
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, fn, arg, size, sizeof(int), options), 0);
    return f;
}

static kr_future *spawn(kr_task_fn fn, int number)
{
    return spawn_with(fn, &number, sizeof number, NULL);
}

static int result_of(kr_future *f)
{
    int result;
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    return result;
}

static int double_it(const void *arg, void *result)
{
    order[count++] = *(const int *)arg;
    *(int *)result = 2 * *(const int *)arg;
    return 0;
}

/* behaviours: 13.3 test_create_task_*, test_eager_start_false, test_initial_state, test_result,
 * test_task_basics */
LOOP_TEST(test_bare_create_task)
{
    kr_future *f = spawn(double_it, 21);
    CHECK(!kr_future_running(f) && !kr_future_done(f));
    CHECK_EQ(count, 0); /* it begins when the caller waits */
    CHECK_EQ(result_of(f), 42);
    CHECK_EQ(kr_spawn(&f, NULL, NULL, 0, 0, NULL), -EINVAL);
    CHECK(f == NULL);
    CHECK_EQ(kr_spawn(&f, double_it, NULL, 0, 0, &(kr_spawn_options){.reserved = {1}}), -EINVAL);
}

/* From a thread there is no loop to spawn on; kr_submit to a loop is what it has. */
static int spawn_from_thread(void *arg)
{
    kr_executor *loop = *(kr_executor *const *)arg;
    kr_future *f;
    int number = 4;
    CHECK_EQ(kr_spawn(&f, double_it, &number, sizeof number, sizeof number, NULL), -EPERM);
    CHECK(f == NULL);
    CHECK(kr_task_current() == NULL);
    CHECK_EQ(kr_task_set_name("nobody"), -EPERM);
    CHECK_EQ(kr_task_all(NULL, 0), -EPERM);
    CHECK_EQ(kr_submit(loop, &f, double_it, &number, sizeof number, sizeof number), 0);
    CHECK_EQ(result_of(f), 8);
    return 0;
}

LOOP_TEST(spawned_from_a_thread)
{
    kr_executor *loop = kr_running_loop();
    kr_thread *thread;
    CHECK_EQ(kr_thread_start(&thread, spawn_from_thread, &loop, sizeof loop, NULL), 0);
    CHECK_EQ(kr_thread_join(thread, NULL, KR_FOREVER), 0);
    kr_thread_release(thread);
    CHECK_EQ(count, 1);
}

/* Names, and who is there. */

static int tell_name(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_STR(kr_task_name(kr_task_current()), "the first");
    CHECK_EQ(kr_task_set_name("another"), 0);
    CHECK_EQ(kr_yield(), 0);
    CHECK_STR(kr_task_name(kr_task_current()), "another");
    return kr_event_wait(&event, KR_FOREVER);
}

static int stay(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_event_wait(&event, KR_FOREVER);
}

LOOP_TEST(test_bare_create_named_task)
{
    kr_future *f = spawn_with(tell_name, NULL, 0, &(kr_spawn_options){.name = "the first"});
    kr_future *g = spawn(stay, 0);
    kr_future *h = spawn_with(
        stay, NULL, 0, &(kr_spawn_options){.name = "a name that is longer than thirty-one bytes"});
    CHECK_STR(kr_task_name(f), "the first");
    CHECK_STR(kr_task_name(g), "");
    let_others_run();
    CHECK_STR(kr_task_name(f), "another");
    CHECK(strncmp(kr_task_name(g), "task-", 5) == 0);
    CHECK_STR(kr_task_name(h), "a name that is longer than thir");
    kr_event_set(&event);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    CHECK_STR(kr_task_name(f), "");
    kr_future_release(f);
    CHECK_EQ(error_of(g), 0);
    CHECK_EQ(error_of(h), 0);
}

static int tell_own_name(const void *arg, void *result)
{
    (void)arg;
    snprintf(result, 32, "%s", kr_task_name(kr_task_current()));
    return 0;
}

/* Who comes after it on the same stack has a name of his own. */
LOOP_TEST(a_name_ends_with_a_task_that_never_begins)
{
    kr_future *f = spawn_with(stay, NULL, 0, &(kr_spawn_options){.name = "the first"});
    CHECK_EQ(kr_future_cancel(f), 0);
    CHECK_STR(kr_task_name(f), "");
    kr_future_release(f);
    let_others_run();
    char name[32];
    CHECK_EQ(kr_spawn(&f, tell_own_name, NULL, 0, sizeof name, NULL), 0);
    CHECK_EQ(kr_future_result(f, name, sizeof name, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    CHECK(strncmp(name, "task-", 5) == 0);
}

/* It is the one that the spawner has got, whoever runs in between. */
static int know_oneself(const void *arg, void *result)
{
    kr_future *self = kr_task_current();
    CHECK(self != NULL);
    (void)result;
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(kr_yield(), 0);
        CHECK(kr_task_current() == self);
    }
    CHECK(self == **(kr_future * *const *)arg);
    return 0;
}

/* behaviour: 13.3 test_current_task_with_interleaving_tasks */
LOOP_TEST(test_current_task)
{
    kr_future *futures[3], *self = kr_task_current();
    CHECK(self != NULL);
    for (int i = 0; i < 3; i++) {
        kr_future **own = &futures[i];
        futures[i] = spawn_with(know_oneself, &own, sizeof own, NULL);
    }
    let_others_run();
    CHECK(kr_task_current() == self);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(error_of(futures[i]), 0);
}

static void expect_all(int n, kr_future *const *expected)
{
    kr_future *all[MOST] = {NULL};
    CHECK_EQ(kr_task_all(NULL, 0), n);
    CHECK_EQ(kr_task_all(all, MOST), n);
    for (int i = 0; i < n; i++) {
        CHECK(all[i] == expected[i]);
        kr_future_release(all[i]);
    }
    CHECK_EQ(kr_task_all(all, 1), n);
    CHECK(all[0] == expected[0]);
    kr_future_release(all[0]);
}

LOOP_TEST(all_tasks_that_have_not_begun)
{
    kr_future *expected[3] = {kr_task_current()};
    kr_spawn_options named = {.name = "named"};
    int zero = 0;
    kr_future *dropped = spawn(stay, 0);
    expected[1] = spawn(stay, 0);
    CHECK_EQ(kr_spawn(&expected[2], stay, &zero, sizeof zero, 0, &named), 0);
    CHECK_EQ(kr_future_cancel(dropped), 0);
    expect_all(3, expected);
    kr_event_set(&event);
    for (int i = 1; i < 3; i++)
        CHECK_EQ(error_of(expected[i]), 0);
    expect_all(1, expected);
    kr_future_release(dropped);
}

LOOP_TEST(all_tasks)
{
    kr_future *expected[4] = {kr_task_current()};
    expect_all(1, expected);
    for (int i = 1; i < 4; i++)
        expected[i] = spawn(stay, i);
    expect_all(4, expected); /* those that have not begun, too */
    let_others_run();
    expect_all(4, expected);
    kr_event_set(&event);
    for (int i = 1; i < 4; i++)
        CHECK_EQ(error_of(expected[i]), 0);
    expect_all(1, expected);
}

static kr_event leave[5];

static int stay_until(const void *arg, void *result)
{
    (void)result;
    return kr_event_wait(&leave[*(const int *)arg], KR_FOREVER);
}

/* Those that come take the places of those that went, the last first. */
LOOP_TEST(all_tasks_stand_in_the_order_of_beginning)
{
    kr_future *futures[5], *expected[6] = {kr_task_current()};
    for (int i = 0; i < 5; i++)
        futures[i] = spawn(stay_until, i);
    let_others_run();
    for (int i = 0; i < 4; i += 2) {
        kr_event_set(&leave[i]);
        CHECK_EQ(error_of(futures[i]), 0);
    }
    expected[1] = futures[1];
    expected[2] = futures[3];
    expected[3] = futures[4];
    expect_all(4, expected);
    for (int i = 4; i < 6; i++)
        expected[i] = spawn(stay, 0);
    let_others_run();
    expect_all(6, expected);
    kr_event_set(&event);
    for (int i = 1; i < 6; i++) {
        if (i < 4)
            kr_event_set(&leave[i == 1 ? 1 : i + 1]);
        CHECK_EQ(error_of(expected[i]), 0);
    }
    expect_all(1, expected);
}

/* Order. */

static int yield_in_turn(const void *arg, void *result)
{
    (void)result;
    for (int i = 0; i < 3; i++) {
        order[count++] = *(const int *)arg;
        CHECK_EQ(kr_yield(), 0);
    }
    return 0;
}

LOOP_TEST(yields_take_turns)
{
    kr_future *f[4];
    for (int i = 0; i < 4; i++)
        f[i] = spawn(yield_in_turn, i);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(error_of(f[i]), 0);
    CHECK_EQ(count, 12);
    for (int i = 0; i < 12; i++)
        CHECK_EQ(order[i], i % 4);
}

/* behaviours: 13.3 SleepTests.test_sleep_zero, SleepTests.test_sleep_zero_and_cancel,
 * test_sleep_when_delay_is_nan */
LOOP_TEST(test_sleep)
{
    kr_future *f = spawn(double_it, 1);
    CHECK_EQ(kr_sleep(-1), -EINVAL);
    CHECK_EQ(count, 0);
    CHECK_EQ(kr_sleep(0), 0);
    CHECK_EQ(count, 1); /* one turn of the others */
    CHECK_EQ(result_of(f), 2);
    kr_time began = kr_now();
    CHECK_EQ(kr_sleep(kr_ms(5)), 0);
    CHECK_GE(kr_now() - began, kr_ms(5));
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_sleep(0), -ECANCELED);
    CHECK_EQ(kr_sleep(kr_sec(60)), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

/* Destructors of a coroutine's locals may wait.  Its future is over by then, perhaps gone, and what
 * they spawn may be at its place: they are nobody's task. */
static int destructors_ended;

static void spawn_and_wait(void *value)
{
    (void)value;
    CHECK(kr_task_current() == NULL);
    CHECK_EQ(result_of(spawn(double_it, 4)), 8);
    CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    destructors_ended++;
}

static kr_local waits_at_the_end = KR_LOCAL_INIT(sizeof(int), NULL, spawn_and_wait);

static int touch_local(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK(kr_local_get(&waits_at_the_end) != NULL);
    return 0;
}

LOOP_TEST(destructors_of_locals_wait)
{
    CHECK_EQ(kr_spawn(NULL, touch_local, NULL, 0, sizeof(int), NULL), 0);
    while (destructors_ended == 0)
        CHECK_EQ(kr_yield(), 0);
}

/* Eager ones. */

static const kr_spawn_options eager = {.eager = true};

/* behaviours: 13.3 test_eager_start_true, test_all_tasks_with_eager_completion */
LOOP_TEST(test_eager_completion)
{
    kr_future *self = kr_task_current(), *f = spawn_with(double_it, &(int){5}, sizeof(int), &eager);
    CHECK_EQ(count, 1);
    CHECK(kr_future_done(f));
    CHECK(kr_task_current() == self);
    expect_all(1, &self);
    CHECK_EQ(result_of(f), 10);
}

/* behaviours: 13.3 test_await_future_during_eager_step, test_cancellation_after_eager_*,
 * test_all_tasks_with_eager_with_blocking */
LOOP_TEST(test_block_after_eager_step)
{
    kr_future *both[2] = {kr_task_current()};
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct step step = {.begun = false}, *at = &step;
        both[1] = spawn_with(take_step, &at, sizeof at, &eager);
        CHECK(step.begun && !step.ended);
        expect_all(2, both);
        if (cancelled)
            CHECK_EQ(kr_future_cancel(both[1]), KR_ASKED);
        else
            let_go(&step, 0);
        CHECK_EQ(error_of(both[1]), cancelled ? -ECANCELED : 0);
        CHECK_EQ(step.cancelled, cancelled);
    }
}

/* Cancels. */

/* behaviours: 13.3 test_task_cancel_waiter_future, test_yield_future_passes_cancel */
LOOP_TEST(test_cancel)
{
    struct step step = {.begun = false};
    kr_future *f = spawn_step(&step, 0);
    let_others_run();
    CHECK(!kr_future_cancelled(f));
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK(!kr_future_done(f));
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -ECANCELED);
    CHECK(kr_future_done(f) && kr_future_cancelled(f));
    CHECK(step.cancelled);
    CHECK_EQ(kr_future_cancel(f), 0); /* it is so already */
    kr_future_release(f);
}

LOOP_TEST(test_cancel_with_message_before_starting_task)
{
    struct step step = {.begun = false};
    kr_future *f = spawn_step(&step, 0);
    CHECK_EQ(kr_future_cancel(f), 0);
    CHECK(kr_future_cancelled(f));
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -ECANCELED);
    let_others_run();
    CHECK(!step.begun);
    kr_future_release(f);
}

static int yield_for_ever(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    while (kr_yield() == 0)
        count++;
    return -ECANCELED;
}

LOOP_TEST(test_cancel_yield)
{
    kr_future *f = spawn(yield_for_ever, 0);
    let_others_run();
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_of(f), -ECANCELED);
    CHECK_GE(count, 1);
}

static int sleep_long(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_time began = kr_now();
    int err = kr_sleep(kr_sec(3600));
    CHECK_LE(kr_now() - began, kr_sec(600));
    return err;
}

/* behaviour: 13.3 test_task_cancel_sleeping_task */
LOOP_TEST(test_sleep_cancel)
{
    kr_future *f = spawn(sleep_long, 0);
    let_others_run();
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_of(f), -ECANCELED);
}

/* Waits for another task; what ends its wait, and whether it was cancelled itself. */
static int await_future(const void *arg, void *result)
{
    kr_future *inner = *(kr_future *const *)arg;
    int err = kr_future_exception(inner, NULL, KR_FOREVER);
    *(int *)result = err;
    return kr_cancelled() ? -ECANCELED : 0;
}

/* The inner one is cancelled: that is its outcome, and no cancel of who waits for it. */
LOOP_TEST(test_cancel_inner_future)
{
    kr_future *inner = spawn(stay, 0);
    kr_future *outer = spawn_with(await_future, &inner, sizeof inner, NULL);
    let_others_run();
    CHECK_EQ(kr_future_cancel(inner), KR_ASKED);
    CHECK_EQ(result_of(outer), -ECANCELED);
    CHECK_EQ(error_of(inner), -ECANCELED);
}

LOOP_TEST(test_cancel_both_task_and_inner_future)
{
    kr_future *inner = spawn(stay, 0);
    kr_future *outer = spawn_with(await_future, &inner, sizeof inner, NULL);
    let_others_run();
    CHECK_EQ(kr_future_cancel(inner), KR_ASKED);
    CHECK_EQ(kr_future_cancel(outer), KR_ASKED);
    CHECK_EQ(error_of(outer), -ECANCELED);
    CHECK_EQ(error_of(inner), -ECANCELED);
}

/* Who waits is cancelled, and what he waits for goes on: a wait is a shield.
 * behaviours: 13.3 test_shield_cancel_outer, test_shield_effect, test_cancel_awaited_task */
LOOP_TEST(test_yield_wait_does_not_shield_cancel)
{
    struct step step = {.begun = false};
    kr_future *inner = spawn_step(&step, 0);
    kr_future *outer = spawn_with(await_future, &inner, sizeof inner, NULL);
    let_others_run();
    CHECK_EQ(kr_future_cancel(outer), KR_ASKED);
    CHECK_EQ(error_of(outer), -ECANCELED);
    CHECK(!kr_future_done(inner) && !step.cancelled);
    let_go(&step, 0);
    CHECK_EQ(error_of(inner), 0);
}

static int await_shielded(const void *arg, void *result)
{
    kr_future *inner = *(kr_future *const *)arg;
    kr_shield
        *(int *)result = kr_future_exception(inner, NULL, KR_FOREVER);
    count += kr_cancelled();
    return 0;
}

/* behaviours: 13.3 test_shield_result, test_shield_exception, test_shield_cancel_inner,
 * test_shield_shortcut */
LOOP_TEST(shielded_waits)
{
    static const int errors[] = {0, -EPIPE, -ECANCELED};
    for (int i = 0; i < 3; i++) {
        struct step step = {.begun = false};
        kr_future *inner = spawn_step(&step, 0);
        kr_future *outer = spawn_with(await_shielded, &inner, sizeof inner, NULL);
        let_others_run();
        CHECK_EQ(kr_future_cancel(outer), KR_ASKED);
        let_others_run();
        CHECK(!kr_future_done(outer) && !step.cancelled);
        if (errors[i] == -ECANCELED)
            CHECK_EQ(kr_future_cancel(inner), KR_ASKED);
        else
            let_go(&step, errors[i]);
        CHECK_EQ(result_of(outer), errors[i]);
        CHECK_EQ(count, i + 1);
        outer = spawn_with(await_shielded, &inner, sizeof inner, NULL); /* it is done already */
        CHECK_EQ(result_of(outer), errors[i]);
        CHECK_EQ(error_of(inner), errors[i]);
    }
}

/* A task that is asked to stop may answer otherwise.
 * behaviours: 13.3 test_cancel_task_ignoring, test_baseexception_during_cancel */
LOOP_TEST(test_cancel_task_catching)
{
    struct step catching = {.after_cancel = -EPIPE}, ignoring = {.ignores_cancel = true};
    kr_future *f = spawn_step(&catching, 0), *g = spawn_step(&ignoring, sizeof(int));
    let_others_run();
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(kr_future_cancel(g), KR_ASKED);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -EPIPE);
    CHECK(!kr_future_cancelled(f));
    kr_future_release(f);
    CHECK(ignoring.cancelled && !kr_future_done(g));
    let_go(&ignoring, 0);
    CHECK_EQ(result_of(g), 42);
}

static int cancel_oneself(const void *arg, void *result)
{
    bool wait = *(const int *)arg;
    CHECK_EQ(kr_future_cancel(kr_task_current()), KR_ASKED);
    CHECK(kr_cancelled());
    *(int *)result = 7;
    return wait ? kr_sleep(kr_sec(60)) : 0;
}

/* behaviour: 13.3 test_cancel_at_end */
LOOP_TEST(test_cancel_current_task)
{
    CHECK_EQ(error_of(spawn(cancel_oneself, 1)), -ECANCELED);
    CHECK_EQ(result_of(spawn(cancel_oneself, 0)), 7); /* there was no wait to end */
}

/* Itself. */
static int await_oneself(const void *arg, void *result)
{
    kr_future *self = kr_task_current();
    (void)arg;
    *(int *)result = 1;
    CHECK_EQ(kr_future_exception(self, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_gather(&self, 1, NULL, NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_wait(&self, 1, KR_ALL_COMPLETED, NULL, KR_FOREVER), -EDEADLK);
    return kr_future_exception(self, NULL, KR_FOREVER);
}

/* Its future is finished by its return alone. */
LOOP_TEST(test_task_set_methods)
{
    kr_future *f = spawn(double_it, 3);
    CHECK_EQ(kr_future_set_result(f, &(int){7}, sizeof(int)), -EALREADY);
    CHECK_EQ(kr_future_set_error(f, -EIO), -EALREADY);
    CHECK_EQ(result_of(f), 6);
}

/* behaviour: 13.3 test_task_awaits_on_itself */
LOOP_TEST(waits_for_itself)
{
    CHECK_EQ(error_of(spawn(await_oneself, 0)), -EDEADLK);
}

/* Errors that nobody asks for. */

static void note_report(const kr_task_report *report)
{
    CHECK_EQ(report->error, -EPIPE);
    CHECK_STR(report->where, "task");
    count++;
}

static int fail(const void *arg, void *result)
{
    (void)result;
    return *(const int *)arg;
}

/* behaviour: 13.3 test_tb_logger_* */
LOOP_TEST(test_future_exception_never_retrieved)
{
    (void)kr_set_task_hook(note_report);
    kr_future *f = spawn(fail, -EPIPE);
    let_others_run();
    CHECK_EQ(count, 0);
    kr_future_release(f);
    CHECK_EQ(count, 1);
    CHECK_EQ(kr_spawn(NULL, fail, &(int){-EPIPE}, sizeof(int), 0, NULL), 0);
    let_others_run();
    CHECK_EQ(count, 2);
    CHECK_EQ(error_of(spawn(fail, -EPIPE)), -EPIPE); /* asked for */
    f = spawn(stay, 0);
    let_others_run();
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    kr_future_release(f);
    let_others_run();
    CHECK_EQ(count, 2);
}

/* Those who waited for it are cancelled, and it ends then: an error is reported once, when the last
 * reference goes, however many had waited.
 * behaviours: 13.3 test_gather_cancel_outer_result, test_gather_duplicate_log_once */
LOOP_TEST(test_gather_cancel_outer_exception)
{
    static const int errors[] = {0, -EPIPE};
    (void)kr_set_task_hook(note_report);
    for (int i = 0; i < 2; i++) {
        struct step step = {.begun = false};
        kr_future *inner = spawn_step(&step, 0), *outer[2];
        for (int j = 0; j < 2; j++)
            outer[j] = spawn_with(await_future, &inner, sizeof inner, NULL);
        let_others_run();
        for (int j = 0; j < 2; j++) {
            CHECK_EQ(kr_future_cancel(outer[j]), KR_ASKED);
            CHECK_EQ(error_of(outer[j]), -ECANCELED);
        }
        let_go(&step, errors[i]);
        let_others_run();
        CHECK(kr_future_done(inner));
        CHECK_EQ(count, 0);
        kr_future_release(inner);
        CHECK_EQ(count, i);
    }
}

/* Tasks of pools, which a coroutine waits for as for any other. */

static int work(const void *arg, void *result)
{
    CHECK(kr_running_loop() == NULL);
    CHECK(kr_future_running(kr_task_current()));
    if (*(const int *)arg < 0)
        return *(const int *)arg;
    *(int *)result = 2 * *(const int *)arg;
    return 0;
}

static kr_future *submit(kr_executor *pool, int number)
{
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, work, &number, sizeof number, sizeof number), 0);
    return f;
}

static int be_there(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    for (; count < 1000000 && !kr_event_is_set(&event); count++)
        (void)kr_yield();
    return 0;
}

static int await_let_go(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_event_wait(&event, KR_FOREVER);
}

/* behaviours: 13.3 test_to_thread_exception, test_to_thread_once, test_to_thread_concurrent,
 * test_to_thread_args_kwargs, test_wrap_future* */
LOOP_TEST(test_to_thread)
{
    kr_executor *pool;
    kr_future *f[10];
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    CHECK_EQ(result_of(submit(pool, 4)), 8);
    CHECK_EQ(error_of(submit(pool, -EPIPE)), -EPIPE);
    for (int i = 0; i < 10; i++)
        f[i] = submit(pool, i);
    CHECK_EQ(kr_gather(f, 10, NULL, NULL, KR_FOREVER), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(result_of(f[i]), 2 * i);
    kr_executor_release(pool);
}

/* The others of the loop run while one waits for a thread; cancelling him leaves the task alone. */
LOOP_TEST(others_run_beside_to_thread)
{
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, &f, await_let_go, NULL, 0, 0), 0);
    kr_future *waits = spawn_with(await_future, &f, sizeof f, NULL);
    kr_future *cancelled = spawn_with(await_future, &f, sizeof f, NULL);
    kr_future *other = spawn(be_there, 0);
    let_others_run();
    CHECK_GE(count, 1);
    CHECK_EQ(kr_future_cancel(cancelled), KR_ASKED);
    CHECK_EQ(error_of(cancelled), -ECANCELED);
    CHECK(!kr_future_done(f));
    kr_event_set(&event);
    CHECK_EQ(result_of(waits), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(error_of(other), 0);
    kr_executor_release(pool);
}

static int join_group(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    kr_group group;
    kr_future *f[3];
    int sum = 0;
    CHECK_EQ(kr_group_open(&group, kr_running_loop()), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_group_submit(&group, i == 0 ? NULL : pool, &f[i], i == 0 ? double_it : work, &i,
                                 sizeof i, sizeof i),
                 0);
    CHECK_EQ(kr_group_close(&group), 0);
    for (int i = 0; i < 3; i++)
        sum += result_of(f[i]);
    *(int *)result = sum;
    return 0;
}

LOOP_TEST(groups_of_both)
{
    kr_executor *pool;
    kr_future *f[4];
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    for (int i = 0; i < 4; i++)
        f[i] = spawn_with(join_group, &pool, sizeof pool, NULL);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(result_of(f[i]), 6);
    kr_executor_release(pool);
}
