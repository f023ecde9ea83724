/* kr_gather and kr_wait_for, in coroutines and threads, for coroutines and tasks of pools.
 *
 * Behaviours: section 13.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

#include "executor/future.h"
#include "os/os.h"

enum { COUNT = 3 };

static const kr_gather_options all = {.return_exceptions = true};

static int reports;

static void count_report(const kr_task_report *report)
{
    (void)report;
    reports++;
}

struct set {
    struct step steps[COUNT];
    kr_future *futures[COUNT];
};

static void begin(struct set *set)
{
    *set = (struct set){0};
    for (int i = 0; i < COUNT; i++)
        set->futures[i] = spawn_step(&set->steps[i], 0);
    let_others_run();
}

static void end(struct set *set)
{
    for (int i = 0; i < COUNT; i++) {
        kr_event_set(&set->steps[i].go);
        (void)error_of(set->futures[i]);
    }
}

/* A coroutine that gathers. */
struct gatherer {
    struct set *set;
    const kr_gather_options *options;
    int errors[COUNT];
    int result;
    bool over;
};

static int gather_task(const void *arg, void *result)
{
    struct gatherer *g = *(struct gatherer *const *)arg;
    (void)result;
    g->result = kr_gather(g->set->futures, COUNT, g->errors, g->options, KR_FOREVER);
    g->over = true;
    return g->result;
}

static kr_future *spawn_gatherer(struct gatherer *g)
{
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, gather_task, &g, sizeof g, 0, NULL), 0);
    let_others_run();
    return f;
}

static void succeeds_with(const kr_gather_options *options)
{
    struct set set;
    begin(&set);
    struct gatherer g = {.set = &set, .options = options};
    kr_future *f = spawn_gatherer(&g);
    let_go(&set.steps[1], 0);
    let_go(&set.steps[0], 0);
    let_others_run();
    CHECK(!g.over);
    let_go(&set.steps[2], 0);
    CHECK_EQ(error_of(f), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(g.errors[i], 0);
    end(&set);
}

LOOP_TEST(test_success)
{
    succeeds_with(NULL);
}

LOOP_TEST(test_result_exception_success)
{
    succeeds_with(&all);
}

/* The first in time, not in the array. */
LOOP_TEST(test_one_exception)
{
    struct set set;
    begin(&set);
    struct gatherer g = {.set = &set};
    kr_future *f = spawn_gatherer(&g);
    let_go(&set.steps[2], -EIO);
    let_others_run();
    CHECK(g.over);
    CHECK_EQ(g.errors[2], -EIO);
    CHECK_EQ(g.errors[0], -EINPROGRESS);
    CHECK_EQ(error_of(f), -EIO);
    CHECK(!set.steps[0].ended && !set.steps[0].cancelled);
    let_go(&set.steps[0], 0);
    CHECK_EQ(error_of(kr_future_retain(set.futures[0])), 0);
    end(&set);
}

LOOP_TEST(test_first_of_two_errors)
{
    struct set set;
    begin(&set);
    struct gatherer g = {.set = &set};
    kr_future *f = spawn_gatherer(&g);
    let_go(&set.steps[2], -EIO);
    let_go(&set.steps[0], -EPERM);
    CHECK_EQ(error_of(f), -EIO);
    end(&set);
}

LOOP_TEST(test_return_exceptions)
{
    struct set set;
    begin(&set);
    struct gatherer g = {.set = &set, .options = &all};
    kr_future *f = spawn_gatherer(&g);
    let_go(&set.steps[0], -EIO);
    let_go(&set.steps[2], 0);
    let_others_run();
    CHECK(!g.over);
    let_go(&set.steps[1], -EPERM);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(g.errors[0], -EIO);
    CHECK_EQ(g.errors[1], -EPERM);
    CHECK_EQ(g.errors[2], 0);
    end(&set);
}

/* behaviour: 13.3 test_constructor_empty_sequence_* */
LOOP_TEST(test_constructor_empty_sequence)
{
    CHECK_EQ(kr_gather(NULL, 0, NULL, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_gather(NULL, 0, NULL, &all, KR_NOWAIT), 0);
}

LOOP_TEST(test_one_cancellation)
{
    struct set set;
    begin(&set);
    struct gatherer g = {.set = &set};
    kr_future *f = spawn_gatherer(&g);
    CHECK_EQ(kr_future_cancel(set.futures[1]), KR_ASKED);
    CHECK_EQ(error_of(f), -ECANCELED);
    CHECK_EQ(g.errors[1], -ECANCELED);
    CHECK(!set.steps[0].cancelled && !set.steps[2].cancelled);
    CHECK(!kr_cancelled());
    end(&set);
}

LOOP_TEST(test_result_exception_one_cancellation)
{
    struct set set;
    begin(&set);
    struct gatherer g = {.set = &set, .options = &all};
    kr_future *f = spawn_gatherer(&g);
    CHECK_EQ(kr_future_cancel(set.futures[1]), KR_ASKED);
    let_go(&set.steps[0], 0);
    let_others_run();
    CHECK(!g.over);
    let_go(&set.steps[2], -EIO);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(g.errors[1], -ECANCELED);
    CHECK_EQ(g.errors[2], -EIO);
    end(&set);
}

LOOP_TEST(test_duplicate_coroutines)
{
    struct step step = {0};
    kr_future *f = spawn_step(&step, 0);
    kr_future *twice[] = {f, f, f};
    int errors[3] = {1, 1, 1};
    let_go(&step, -EIO);
    CHECK_EQ(kr_gather(twice, 3, errors, &all, KR_FOREVER), 0);
    CHECK_EQ(errors[0], -EIO);
    CHECK_EQ(errors[2], -EIO);
    kr_future_release(f);
}

/* Who cancels the gatherer cancels all that it gathers, and they are over when it ends. */
static void cancels(const kr_gather_options *options)
{
    struct set set;
    begin(&set);
    set.steps[1].delay = kr_ms(5);
    struct gatherer g = {.set = &set, .options = options};
    kr_future *f = spawn_gatherer(&g);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_of(f), -ECANCELED);
    for (int i = 0; i < COUNT; i++)
        CHECK(set.steps[i].cancelled && set.steps[i].ended);
    end(&set);
}

LOOP_TEST(test_cancellation_broadcast)
{
    cancels(NULL);
}

/* behaviour: 13.3 test_cancel_gather_1 */
LOOP_TEST(test_cancel_gather_2)
{
    cancels(&all);
}

/* A cancel that comes when all are done already changes nothing. */
LOOP_TEST(test_issue46672)
{
    struct set set;
    begin(&set);
    struct gatherer g = {.set = &set};
    kr_future *f = spawn_gatherer(&g);
    for (int i = 0; i < COUNT; i++)
        let_go(&set.steps[i], 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(error_of(kr_future_retain(set.futures[i])), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(kr_future_cancel(set.futures[0]), -EALREADY);
    end(&set);
}

/* Errors of those that were gathered are nobody else's business, also the later ones. */
LOOP_TEST(test_exception_marking)
{
    struct set set;
    (void)kr_set_task_hook(count_report);
    begin(&set);
    struct gatherer g = {.set = &set};
    kr_future *f = spawn_gatherer(&g);
    let_go(&set.steps[0], -EIO);
    CHECK_EQ(error_of(f), -EIO);
    let_go(&set.steps[1], -EPERM);
    let_go(&set.steps[2], -EPERM);
    let_others_run();
    for (int i = 0; i < COUNT; i++)
        kr_future_release(set.futures[i]);
    CHECK_EQ(reports, 0);
}

/* The group is shielded by its waiter's not being the gatherer's. */
static int shielding(const void *arg, void *result)
{
    kr_future *inner = *(kr_future *const *)arg;
    (void)result;
    return kr_future_exception(inner, NULL, KR_FOREVER);
}

static kr_future *spawn_shield(kr_future *inner)
{
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, shielding, &inner, sizeof inner, 0, NULL), 0);
    let_others_run();
    return f;
}

/* A wait for a task that goes on without it. */
LOOP_TEST(test_shield_result)
{
    struct step step = {0};
    kr_future *inner = spawn_step(&step, 0);
    kr_future *outer = spawn_shield(inner);
    let_go(&step, 0);
    CHECK_EQ(error_of(outer), 0);
    CHECK_EQ(error_of(inner), 0);
}

LOOP_TEST(test_shield_exception)
{
    struct step step = {0};
    kr_future *inner = spawn_step(&step, 0);
    kr_future *outer = spawn_shield(inner);
    let_go(&step, -EIO);
    CHECK_EQ(error_of(outer), -EIO);
    kr_future_release(inner);
}

LOOP_TEST(test_shield_cancel_inner)
{
    struct step step = {0};
    kr_future *inner = spawn_step(&step, 0);
    kr_future *outer = spawn_shield(inner);
    CHECK_EQ(kr_future_cancel(inner), KR_ASKED);
    CHECK_EQ(error_of(outer), -ECANCELED);
    CHECK(kr_future_cancelled(inner));
    kr_future_release(inner);
}

/* behaviour: 13.3 test_shield_effect */
LOOP_TEST(test_shield_cancel_outer)
{
    struct step step = {0};
    kr_future *inner = spawn_step(&step, 0);
    kr_future *outer = spawn_shield(inner);
    CHECK_EQ(kr_future_cancel(outer), KR_ASKED);
    CHECK_EQ(error_of(outer), -ECANCELED);
    CHECK(!step.cancelled && !kr_future_done(inner));
    let_go(&step, 0);
    CHECK_EQ(error_of(inner), 0);
    CHECK(step.ended);
}

LOOP_TEST(test_shield_shortcut)
{
    kr_future *inner;
    CHECK_EQ(kr_future_create(&inner, 0), 0);
    CHECK_EQ(kr_future_set_result(inner, NULL, 0), 0);
    CHECK_EQ(kr_future_exception(inner, NULL, KR_NOWAIT), 0);
    kr_future_release(inner);
}

/* Nobody waits any more for the shielded one: its late error is reported, once.
 * behaviours: 13.3 test_gather_cancel_outer_exception, test_gather_duplicate_log_once,
 * test_gather_cancel_outer_result */
LOOP_TEST(test_shield_late_error)
{
    struct step steps[2] = {{.error = 0}};
    (void)kr_set_task_hook(count_report);
    for (int i = 0; i < 2; i++) {
        kr_future *inner = spawn_step(&steps[i], 0);
        kr_future *outer = spawn_shield(inner);
        CHECK_EQ(kr_future_cancel(outer), KR_ASKED);
        CHECK_EQ(error_of(outer), -ECANCELED);
        let_go(&steps[i], i == 0 ? 0 : -EIO);
        let_others_run();
        CHECK(kr_future_done(inner));
        kr_future_release(inner);
        CHECK_EQ(reports, i);
    }
}

LOOP_TEST(test_gather_shield)
{
    struct set set;
    struct set shields = {0};
    begin(&set);
    for (int i = 0; i < COUNT; i++)
        shields.futures[i] = spawn_shield(set.futures[i]);
    struct gatherer g = {.set = &shields};
    kr_future *f = spawn_gatherer(&g);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_of(f), -ECANCELED);
    for (int i = 0; i < COUNT; i++) {
        CHECK(kr_future_cancelled(shields.futures[i]));
        CHECK(!set.steps[i].cancelled);
        kr_future_release(shields.futures[i]);
    }
    end(&set);
}

LOOP_TEST(test_shield_gather)
{
    struct set set;
    begin(&set);
    struct gatherer g = {.set = &set};
    kr_future *f = spawn_gatherer(&g);
    kr_future *outer = spawn_shield(f);
    CHECK_EQ(kr_future_cancel(outer), KR_ASKED);
    CHECK_EQ(error_of(outer), -ECANCELED);
    CHECK(!g.over && !set.steps[0].cancelled);
    for (int i = 0; i < COUNT; i++)
        let_go(&set.steps[i], 0);
    CHECK_EQ(error_of(f), 0);
    end(&set);
}

LOOP_TEST(test_gather_timeout)
{
    struct set set;
    int errors[COUNT];
    begin(&set);
    CHECK_EQ(kr_gather(set.futures, COUNT, errors, NULL, KR_NOWAIT), -ETIMEDOUT);
    let_go(&set.steps[1], 0);
    CHECK_EQ(kr_gather(set.futures, COUNT, errors, NULL, kr_ms(3)), -ETIMEDOUT);
    CHECK_EQ(errors[1], 0);
    CHECK_EQ(errors[0], -EINPROGRESS);
    CHECK(!set.steps[0].cancelled);
    let_go(&set.steps[2], -EIO);
    let_others_run();
    CHECK_EQ(kr_gather(set.futures, COUNT, errors, NULL, KR_NOWAIT), -EIO);
    CHECK_EQ(kr_gather(set.futures, COUNT, errors, &all, KR_NOWAIT), -ETIMEDOUT);
    end(&set);
}

LOOP_TEST(test_gather_refuses)
{
    kr_future *self[] = {kr_task_current(), NULL};
    kr_gather_options odd = {.reserved = {1}};
    CHECK_EQ(kr_gather(self, 1, NULL, NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_gather(self, 2, NULL, NULL, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_gather(self, 1, NULL, NULL, -1), -EINVAL);
    CHECK_EQ(kr_gather(self, 1, NULL, &odd, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_wait_for(NULL, NULL, 0, NULL, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_wait_for(self[0], NULL, 0, NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_wait_for(self[0], NULL, 0, NULL, -1), -EINVAL);
}

/* Coroutines and a pool's tasks together. */
LOOP_TEST(test_gather_mixed)
{
    struct step steps[2] = {{.error = 0}};
    struct step *there = &steps[1];
    kr_executor *pool;
    kr_future *f[2];
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    f[0] = spawn_step(&steps[0], 0);
    CHECK_EQ(kr_submit(pool, &f[1], take_step, &there, sizeof there, 0), 0);
    CHECK_EQ(kr_gather(f, 2, NULL, NULL, kr_ms(1)), -ETIMEDOUT);
    let_go(&steps[0], 0);
    let_go(&steps[1], 0);
    CHECK_EQ(kr_gather(f, 2, NULL, NULL, KR_FOREVER), 0);
    kr_future_release(f[0]);
    kr_future_release(f[1]);
    kr_executor_release(pool);
}

/* Waiting for one. */

LOOP_TEST(test_wait_for)
{
    struct step step = {0};
    int answer = 0;
    kr_future *f = spawn_step(&step, sizeof answer);
    let_go(&step, 0);
    CHECK_EQ(kr_wait_for(f, &answer, sizeof answer, NULL, KR_FOREVER), 0);
    CHECK_EQ(answer, 42);
    kr_future_release(f);
}

LOOP_TEST(test_wait_for_blocking)
{
    struct step step = {.error = -EIO};
    kr_future *f = spawn_step(&step, 0);
    let_others_run();
    let_go(&step, -EIO);
    CHECK_EQ(kr_wait_for(f, NULL, 0, NULL, kr_sec(3600)), -EIO);
    kr_future_release(f);
}

/* behaviours: 13.3 test_asyncio_wait_for_timeout, test_asyncio_wait_for_cancelled */
LOOP_TEST(test_wait_for_waits_for_task_cancellation)
{
    struct step step = {.delay = kr_ms(5)};
    kr_future *f = spawn_step(&step, 0);
    CHECK_EQ(kr_wait_for(f, NULL, 0, NULL, kr_ms(1)), -ETIMEDOUT);
    CHECK(step.ended);
    CHECK(kr_future_cancelled(f));
    CHECK_EQ(kr_wait_for(f, NULL, 0, NULL, kr_ms(1)), -ECANCELED);
    kr_future_release(f);
}

LOOP_TEST(test_wait_for_waits_for_task_cancellation_w_timeout_0)
{
    struct step step = {.delay = kr_ms(5)};
    kr_future *f = spawn_step(&step, 0);
    let_others_run();
    CHECK_EQ(kr_wait_for(f, NULL, 0, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK(step.ended);
    kr_future_release(f);
}

/* behaviours: 13.3 test_zero_timeout, test_wait_for_timeout_less_then_0_or_0 */
LOOP_TEST(test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started)
{
    struct step step = {0};
    kr_future *f = spawn_step(&step, 0);
    CHECK_EQ(kr_wait_for(f, NULL, 0, NULL, KR_NOWAIT), -ETIMEDOUT);
    let_others_run();
    CHECK(!step.begun);
    CHECK(kr_future_cancelled(f));
    kr_future_release(f);
}

LOOP_TEST(test_wait_for_timeout_less_then_0_or_0_future_done)
{
    struct step step = {0};
    int answer = 0;
    kr_future *f = spawn_step(&step, sizeof answer);
    let_go(&step, 0);
    let_others_run();
    CHECK_EQ(kr_wait_for(f, &answer, sizeof answer, NULL, KR_NOWAIT), 0);
    CHECK_EQ(answer, 42);
    kr_future_release(f);
}

LOOP_TEST(test_wait_for_reraises_exception_during_cancellation)
{
    struct step step = {.after_cancel = -EIO};
    int error = 0;
    kr_future *f = spawn_step(&step, 0);
    CHECK_EQ(kr_wait_for(f, NULL, 0, &error, kr_ms(1)), 0);
    CHECK_EQ(error, -EIO);
    kr_future_release(f);
}

/* What it has when it ends all the same is not lost.
 * behaviours: 13.3 test_wait_for_race_condition, test_wait_for_issue86296 */
LOOP_TEST(test_wait_for_cancel_suppressed)
{
    struct step step = {.ignores_cancel = true};
    int answer = 0;
    kr_future *f = spawn_step(&step, sizeof answer);
    let_others_run();
    kr_event_set(&step.go);
    CHECK_EQ(kr_wait_for(f, &answer, sizeof answer, NULL, KR_NOWAIT), 0);
    CHECK_EQ(answer, 42);
    kr_future_release(f);
}

struct waiter {
    kr_future *future;
    int answer;
    int error;
    int result;
};

static int wait_for_task(const void *arg, void *result)
{
    struct waiter *w = *(struct waiter *const *)arg;
    (void)result;
    w->result = kr_wait_for(w->future, &w->answer, sizeof w->answer, &w->error, kr_sec(3600));
    return w->result;
}

static int cancel_waiter(struct step *step, struct waiter *w)
{
    kr_future *f;
    w->future = spawn_step(step, sizeof w->answer);
    CHECK_EQ(kr_spawn(&f, wait_for_task, &w, sizeof w, 0, NULL), 0);
    let_others_run();
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    int error = error_of(f);
    kr_future_release(w->future);
    return error;
}

LOOP_TEST(test_cancel_wait_for)
{
    struct step step = {0};
    struct waiter w = {0};
    CHECK_EQ(cancel_waiter(&step, &w), -ECANCELED);
    CHECK(step.cancelled && step.ended);
}

LOOP_TEST(test_cancel_blocking_wait_for)
{
    struct step step = {.delay = kr_ms(5), .after_cancel = -EIO};
    struct waiter w = {0};
    CHECK_EQ(cancel_waiter(&step, &w), 0);
    CHECK_EQ(w.error, -EIO);
    CHECK(step.ended);
}

/* The task is done and the waiter cancelled at the same time: the result comes out. */
LOOP_TEST(test_wait_for_cancellation_race_condition)
{
    struct step step = {0};
    struct waiter w = {.future = spawn_step(&step, sizeof w.answer)};
    struct waiter *waiting = &w;
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, wait_for_task, &waiting, sizeof waiting, 0, NULL), 0);
    let_others_run();
    let_go(&step, 0);
    while (!kr_future_done(w.future))
        CHECK_EQ(kr_yield(), 0);
    (void)kr_future_cancel(f);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(w.result, 0);
    CHECK_EQ(w.answer, 42);
    kr_future_release(w.future);
}

LOOP_TEST(test_none_timeout)
{
    struct step step = {0};
    kr_future *f = spawn_step(&step, 0);
    let_others_run();
    let_go(&step, 0);
    CHECK_EQ(kr_wait_for(f, NULL, 0, NULL, KR_FOREVER), 0);
    kr_future_release(f);
}

LOOP_TEST(test_shielded_timeout)
{
    struct step step = {0};
    kr_future *f = spawn_step(&step, 0);
    kr_future *shield = spawn_shield(f);
    CHECK_EQ(kr_wait_for(shield, NULL, 0, NULL, kr_ms(1)), -ETIMEDOUT);
    CHECK(kr_future_cancelled(shield));
    CHECK(!step.cancelled);
    let_go(&step, 0);
    CHECK_EQ(error_of(f), 0);
    kr_future_release(shield);
}

/* From a thread, of a task in a pool. */
TEST(test_wait_for_in_thread)
{
    struct step step = {0};
    struct step *there = &step;
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    CHECK_EQ(kr_submit(pool, &f, take_step, &there, sizeof there, 0), 0);
    while (!kr_future_running(f))
        kri_test_nap();
    CHECK_EQ(kr_wait_for(f, NULL, 0, NULL, kr_ms(1)), -ETIMEDOUT);
    CHECK(step.ended);
    kr_future_release(f);
    kr_executor_release(pool);
}

/* One that nobody can ask to stop is left. */
TEST(test_wait_for_what_cannot_be_asked)
{
    kr_future *f;
    CHECK_EQ(kr_future_create(&f, 0), 0);
    CHECK_EQ(kr_future_set_running(f, NULL), 0);
    CHECK_EQ(kr_wait_for(f, NULL, 0, NULL, kr_ms(1)), -ETIMEDOUT);
    CHECK(!kr_future_done(f));
    CHECK_EQ(kr_future_set_result(f, NULL, 0), 0);
    kr_future_release(f);
}
