/* Futures by hand: their states, their callbacks, and who waits for them.
 *
 * Behaviours: section 11.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "harness/test.h"

#include <krait/krait.h>
#include <unistd.h>

#include "executor/future.h"

enum { VALUE = 42 };

/* A future in each of the states that CPython's tests begin with. */

static kr_future *pending(void)
{
    kr_future *f;
    CHECK_EQ(kr_future_create(&f, sizeof(int)), 0);
    return f;
}

static kr_future *running(void)
{
    kr_future *f = pending();
    CHECK_EQ(kr_future_set_running(f, NULL), 0);
    return f;
}

static kr_future *cancelled(void)
{
    kr_future *f = pending();
    CHECK_EQ(kr_future_cancel(f), 0);
    return f;
}

static kr_future *notified(void)
{
    kr_future *f = cancelled();
    CHECK_EQ(kr_future_set_running(f, NULL), -ECANCELED);
    return f;
}

static kr_future *failed(void)
{
    kr_future *f = running();
    CHECK_EQ(kr_future_set_error(f, -EIO), 0);
    return f;
}

static kr_future *successful(void)
{
    kr_future *f = running();
    int value = VALUE;
    CHECK_EQ(kr_future_set_result(f, &value, sizeof value), 0);
    return f;
}

static kr_future *seen(kr_future *f)
{
    int error;
    int err = kr_future_exception(f, &error, KR_NOWAIT);
    CHECK(err == 0 || err == -ETIMEDOUT);
    return f;
}

struct called {
    int times;
    kr_future *with;
    int order[8];
};

static int note_call(kr_future *f, void *arg)
{
    struct called *called = arg;
    called->times++;
    called->with = f;
    CHECK(kr_future_done(f));
    return 0;
}

TEST(test_done_callback_with_result)
{
    struct called called = {0};
    int value = VALUE, got = 0;
    kr_future *f = pending();
    CHECK_EQ(kr_future_add_done_callback(f, note_call, &called), 0);
    CHECK_EQ(kr_future_set_result(f, &value, sizeof value), 0);
    CHECK_EQ(called.times, 1);
    CHECK(called.with == f);
    CHECK_EQ(kr_future_result(f, &got, sizeof got, NULL, KR_NOWAIT), 0);
    CHECK_EQ(got, VALUE);
    kr_future_release(f);
}

TEST(test_done_callback_with_exception)
{
    struct called called = {0};
    kr_future *f = pending();
    CHECK_EQ(kr_future_add_done_callback(f, note_call, &called), 0);
    CHECK_EQ(kr_future_set_error(f, -EIO), 0);
    CHECK_EQ(called.times, 1);
    CHECK_EQ(kr_future_exception(called.with, NULL, KR_NOWAIT), -EIO);
    kr_future_release(f);
}

TEST(test_done_callback_with_cancel)
{
    struct called called = {0};
    kr_future *f = pending();
    CHECK_EQ(kr_future_add_done_callback(f, note_call, &called), 0);
    CHECK_EQ(kr_future_cancel(f), 0);
    CHECK_EQ(called.times, 1);
    CHECK(kr_future_cancelled(called.with));
    kr_future_release(f);
}

static kr_task_report last_report;
static int reports;

static void note_report(const kr_task_report *report)
{
    last_report = *report;
    reports++;
}

static int fail_call(kr_future *f, void *arg)
{
    (void)note_call(f, arg);
    return -EDOM;
}

static int cancelled_call(kr_future *f, void *arg)
{
    (void)note_call(f, arg);
    return -ECANCELED;
}

TEST(a_cancelled_callback_is_not_reported)
{
    struct called called = {0};
    kr_set_task_hook(note_report);
    kr_future *f = pending();
    CHECK_EQ(kr_future_add_done_callback(f, cancelled_call, &called), 0);
    CHECK_EQ(kr_future_cancel(f), 0);
    CHECK_EQ(called.times, 1);
    CHECK_EQ(reports, 0);
    kr_future_release(f);
}

TEST(a_report_is_one_line)
{
    int pipes[2];
    char text[512];
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(dup2(pipes[1], 2), 2);
    kr_future *f = pending();
    CHECK_EQ(kr_future_set_error(f, -EIO), 0);
    kr_future_release(f);
    ssize_t length = read(pipes[0], text, sizeof text - 1);
    CHECK_GE(length, 1);
    text[length] = '\0';
    CHECK(strchr(text, '\n') == text + length - 1);
}

TEST(test_done_callback_raises)
{
    struct called before = {0}, after = {0}, bad = {0};
    kr_set_task_hook(note_report);
    kr_future *f = pending();
    CHECK_EQ(kr_future_add_done_callback(f, note_call, &before), 0);
    CHECK_EQ(kr_future_add_done_callback(f, fail_call, &bad), 0);
    CHECK_EQ(kr_future_add_done_callback(f, note_call, &after), 0);
    int value = VALUE;
    CHECK_EQ(kr_future_set_result(f, &value, sizeof value), 0);
    CHECK_EQ(before.times + bad.times + after.times, 3);
    CHECK_EQ(reports, 1);
    CHECK_EQ(last_report.error, -EDOM);
    CHECK_STR(last_report.where, "done callback");
    kr_future_release(f);
}

static int calls;

static int note_order(kr_future *f, void *arg)
{
    (void)f;
    CHECK_EQ(calls++, *(int *)arg);
    return 0;
}

TEST(callbacks_run_in_the_order_of_adding)
{
    int order[5] = {0, 1, 2, 3, 4};
    kr_future *f = pending();
    for (int i = 0; i < 5; i++)
        CHECK_EQ(kr_future_add_done_callback(f, note_order, &order[i]), 0);
    CHECK_EQ(kr_future_cancel(f), 0);
    CHECK_EQ(calls, 5);
    kr_future_release(f);
}

static void add_late(kr_future *f)
{
    struct called called = {0};
    CHECK_EQ(kr_future_add_done_callback(f, note_call, &called), 0);
    CHECK_EQ(called.times, 1);
    CHECK(called.with == f);
    kr_future_release(f);
}

TEST(test_done_callback_already_successful)
{
    add_late(successful());
}

TEST(test_done_callback_already_failed)
{
    add_late(seen(failed()));
}

TEST(test_done_callback_already_cancelled)
{
    add_late(cancelled());
}

TEST(test_done_callback_raises_already_succeeded)
{
    struct called called = {0};
    kr_set_task_hook(note_report);
    kr_future *f = successful();
    CHECK_EQ(kr_future_add_done_callback(f, fail_call, &called), 0);
    CHECK_EQ(called.times, 1);
    CHECK_EQ(reports, 1);
    kr_future_release(f);
}

/* What a predicate answers for a future in each state. */
static void check_states(bool (*predicate)(const kr_future *f), const bool want[6])
{
    kr_future *futures[6] = {pending(), running(), cancelled(), notified(), failed(), successful()};
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(predicate(futures[i]), want[i]);
        kr_future_release(seen(futures[i]));
    }
}

TEST(test_cancelled)
{
    check_states(kr_future_cancelled, (bool[]){false, false, true, true, false, false});
}

TEST(test_running)
{
    check_states(kr_future_running, (bool[]){false, true, false, false, false, false});
}

TEST(test_done)
{
    check_states(kr_future_done, (bool[]){false, false, true, true, true, true});
}

static void check_cancel(kr_future *f, int answer, bool is_cancelled)
{
    bool was_running = kr_future_running(f);
    CHECK_EQ(kr_future_cancel(f), answer);
    CHECK_EQ(kr_future_cancelled(f), is_cancelled);
    CHECK_EQ(kr_future_running(f), was_running);
    kr_future_release(seen(f));
}

TEST(test_cancel)
{
    check_cancel(pending(), 0, true);
    check_cancel(running(), -EALREADY, false);
    check_cancel(cancelled(), 0, true);
    check_cancel(notified(), 0, true);
    check_cancel(failed(), -EALREADY, false);
    check_cancel(successful(), -EALREADY, false);
}

static void check_result(kr_future *f, int err, int task_error)
{
    int got = 0, error = 1;
    CHECK_EQ(kr_future_result(f, &got, sizeof got, &error, KR_NOWAIT), err);
    CHECK_EQ(error, task_error);
    CHECK_EQ(got, err == 0 && task_error == 0 ? VALUE : 0);
    error = 1;
    CHECK_EQ(kr_future_exception(f, &error, KR_NOWAIT), err);
    CHECK_EQ(error, task_error);
    CHECK_EQ(kr_future_exception(f, NULL, KR_NOWAIT), err ? err : task_error);
    kr_future_release(f);
}

TEST(test_result_with_timeout)
{
    check_result(pending(), -ETIMEDOUT, 1);
    check_result(running(), -ETIMEDOUT, 1);
    check_result(cancelled(), 0, -ECANCELED);
    check_result(notified(), 0, -ECANCELED);
    check_result(failed(), 0, -EIO);
    check_result(successful(), 0, 0);
}

TEST(test_exception_with_timeout)
{
    kr_future *f = pending();
    kr_time began = kr_now();
    CHECK_EQ(kr_future_exception(f, NULL, kr_ms(20)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(20));
    kr_future_release(f);
}

/* A reader that sleeps while another thread finishes the future. */

struct reader {
    kr_future *future;
    int err, error, value;
};

static void read_result(void *arg)
{
    struct reader *r = arg;
    r->err = kr_future_result(r->future, &r->value, sizeof r->value, &r->error, KR_FOREVER);
}

static void start_reader(kri_bunch *bunch, struct reader *reader, kr_future *f)
{
    *reader = (struct reader){.future = f, .err = 1, .error = 1};
    kri_bunch_start(bunch, 1, read_result, reader);
    kri_test_wait_parked(&f->state, 1);
}

TEST(test_result_with_success)
{
    kri_bunch bunch;
    struct reader reader;
    kr_future *f = running();
    start_reader(&bunch, &reader, f);
    int value = VALUE;
    CHECK_EQ(kr_future_set_result(f, &value, sizeof value), 0);
    kri_bunch_end(&bunch);
    CHECK_EQ(reader.err, 0);
    CHECK_EQ(reader.error, 0);
    CHECK_EQ(reader.value, VALUE);
    kr_future_release(f);
}

TEST(test_result_with_cancel)
{
    kri_bunch bunch;
    struct reader reader;
    kr_future *f = pending();
    start_reader(&bunch, &reader, f);
    CHECK_EQ(kr_future_cancel(f), 0);
    kri_bunch_end(&bunch);
    CHECK_EQ(reader.err, 0);
    CHECK_EQ(reader.error, -ECANCELED);
    kr_future_release(f);
}

TEST(test_exception_with_success)
{
    kri_bunch bunch;
    struct reader reader;
    kr_future *f = pending();
    start_reader(&bunch, &reader, f);
    CHECK_EQ(kr_future_set_error(f, -EPIPE), 0);
    kri_bunch_end(&bunch);
    CHECK_EQ(reader.error, -EPIPE);
    kr_future_release(f);
}

TEST(test_multiple_set_result)
{
    kr_future *f = pending();
    int first = 1, second = 2, got = 0;
    CHECK_EQ(kr_future_set_result(f, &first, sizeof first), 0);
    CHECK_EQ(kr_future_set_result(f, &second, sizeof second), -EALREADY);
    CHECK_EQ(kr_future_set_error(f, -EIO), -EALREADY);
    CHECK_EQ(kr_future_set_running(f, NULL), -EALREADY);
    CHECK_EQ(kr_future_result(f, &got, sizeof got, NULL, KR_NOWAIT), 0);
    CHECK_EQ(got, 1);
    kr_future_release(f);
    f = cancelled();
    CHECK_EQ(kr_future_set_result(f, &first, sizeof first), -ECANCELED);
    CHECK(kr_future_cancelled(f));
    kr_future_release(f);
}

TEST(test_multiple_set_exception)
{
    kr_future *f = pending();
    CHECK_EQ(kr_future_set_error(f, -EIO), 0);
    CHECK_EQ(kr_future_set_error(f, -EDOM), -EALREADY);
    CHECK_EQ(kr_future_exception(f, NULL, KR_NOWAIT), -EIO);
    kr_future_release(f);
}

TEST(a_running_future_with_a_scope_can_be_asked)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_future *f = pending();
    CHECK_EQ(kr_future_set_running(f, &scope), 0);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK(kr_cancel_scope_cancelled(&scope));
    CHECK(kr_future_running(f));
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(kr_future_set_error(f, -ECANCELED), 0);
    CHECK(kr_future_cancelled(f));
    CHECK_EQ(kr_future_cancel(f), 0);
    kr_future_release(f);
}

TEST(one_asked_too_late_keeps_its_result)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int value = VALUE;
    kr_future *f = pending();
    CHECK_EQ(kr_future_set_running(f, &scope), 0);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(kr_future_set_result(f, &value, sizeof value), 0);
    CHECK(!kr_future_cancelled(f));
    check_result(f, 0, 0);
}

TEST(wrong_use_is_refused)
{
    int value = VALUE;
    kr_future *f;
    CHECK_EQ(kr_future_create(NULL, 0), -EINVAL);
    CHECK_EQ(kr_future_create(&f, SIZE_MAX), -EINVAL);
    f = pending();
    CHECK_EQ(kr_future_set_result(f, &value, 1), -EINVAL);
    CHECK_EQ(kr_future_set_error(f, 0), -EINVAL);
    CHECK_EQ(kr_future_set_error(f, 5), -EINVAL);
    CHECK_EQ(kr_future_result(f, &value, 2, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_future_exception(f, NULL, -1), -EINVAL);
    CHECK_EQ(kr_future_exception(NULL, NULL, 0), -EINVAL);
    CHECK_EQ(kr_future_add_done_callback(f, NULL, NULL), -EINVAL);
    kr_future_release(f);
    kr_future_release(NULL);
}

TEST(an_error_that_nobody_asked_for_is_reported_once)
{
    kr_set_task_hook(note_report);
    kr_future *f = failed();
    kr_future *second = kr_future_retain(f);
    kr_future_release(f);
    CHECK_EQ(reports, 0);
    kr_future_release(second);
    CHECK_EQ(reports, 1);
    CHECK_EQ(last_report.error, -EIO);
    kr_future_release(seen(failed()));
    kr_future_release(cancelled());
    kr_future_release(successful());
    CHECK_EQ(reports, 1);
    CHECK(kr_set_task_hook(NULL) == note_report);
}

TEST(a_cancelled_reader_returns)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_future *f = pending();
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_future_exception(f, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    kr_future_release(f);
}

/* Several threads cancel, finish and read one future at once: exactly one change of it counts. */

struct race {
    kr_future *future;
    kr_word finished, removed, seen;
};

static void race_one(void *arg)
{
    struct race *race = arg;
    int value = VALUE, error;
    uint32_t turn = kri_add_rlx(&race->seen, 1);
    if (turn % 3 == 0)
        kri_add_rlx(&race->finished, kr_future_set_result(race->future, &value, sizeof value) == 0);
    else if (turn % 3 == 1)
        kri_add_rlx(&race->removed, kr_future_cancel(race->future) == 0);
    CHECK_EQ(kr_future_exception(race->future, &error, KR_FOREVER), 0);
    CHECK(error == 0 || error == -ECANCELED);
}

TEST(finish_and_cancel_race)
{
    const int rounds = KRI_VALGRIND ? 10 : 100;
    for (int round = 0; round < rounds; round++) {
        struct race race = {.future = pending()};
        kri_bunch bunch;
        kri_bunch_start(&bunch, 6, race_one, &race);
        kri_bunch_end(&bunch);
        bool was_cancelled = kr_future_cancelled(race.future);
        CHECK_EQ(kri_load_rlx(&race.finished), was_cancelled ? 0 : 1);
        CHECK_EQ(kri_load_rlx(&race.removed), was_cancelled ? 2 : 0);
        kr_future_release(race.future);
    }
}
