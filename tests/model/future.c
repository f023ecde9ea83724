/* Futures under every schedule: the end against waiting, cancelling, callbacks and releases.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/completed.h>
#include <krait/future.h>

static struct {
    kr_future *future;
    kr_future *other;
    long value; /* plain: written before the future is done */
    int results[4];
    int called;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_future_create(&s.future, sizeof(long)) == 0);
    kr_explore_name(&s.value, sizeof s.value, "value");
}

static void fulfil(void *arg)
{
    long seven = 7;

    (void)arg;
    s.value = 7;
    s.results[0] = kr_future_set_result(s.future, &seven, sizeof seven);
}

static void fulfil_and_release(void *arg)
{
    fulfil(arg);
    kr_future_release(s.future);
}

static void expect_seven(kr_time timeout)
{
    long got = 0;
    int error = 1;

    int err = kr_future_result(s.future, &got, sizeof got, &error, timeout);
    if (err == -ETIMEDOUT && timeout != KR_FOREVER)
        return;
    kr_explore_check(err == 0 && error == 0);
    kr_explore_check(got == 7 && s.value == 7);
    kr_explore_check(kr_future_done(s.future));
}

SCENARIO(future_result)
{
    fresh();
    kr_explore_spawn(fulfil, NULL);
    expect_seven(KR_FOREVER);
    kr_explore_join_all();
    kr_future_release(s.future);
}

/* Each side has a reference, and whoever is last frees it. */
SCENARIO(future_released_by_both)
{
    fresh();
    kr_explore_spawn(fulfil_and_release, kr_future_retain(s.future));
    expect_seven(KR_FOREVER);
    kr_future_release(s.future);
    kr_explore_join_all();
}

SCENARIO(future_result_timed)
{
    fresh();
    kr_explore_spawn(fulfil, NULL);
    expect_seven(kr_ms(1));
    kr_explore_join_all();
    expect_seven(KR_NOWAIT);
    kr_future_release(s.future);
}

static void wait_for_it(void *arg)
{
    (void)arg;
    expect_seven(KR_FOREVER);
}

SCENARIO(future_two_waiters, .stale = 1)
{
    fresh();
    kr_explore_spawn(fulfil, NULL);
    kr_explore_spawn(wait_for_it, NULL);
    expect_seven(KR_FOREVER);
    kr_explore_join_all();
    kr_future_release(s.future);
}

/* Cancelled or fulfilled, never both, and both sides agree. */
SCENARIO(future_cancel_against_result)
{
    int error = 0;

    fresh();
    kr_explore_spawn(fulfil, NULL);
    int cancelled = kr_future_cancel(s.future);
    kr_explore_join_all();
    kr_explore_check(kr_future_exception(s.future, &error, KR_NOWAIT) == 0);
    kr_explore_check((cancelled == 0) == (s.results[0] == -ECANCELED));
    kr_explore_check((cancelled == 0) == (error == -ECANCELED));
    kr_explore_check(cancelled == 0 || (cancelled == -EALREADY && s.results[0] == 0));
    kr_explore_check(kr_future_cancelled(s.future) == (cancelled == 0));
    kr_future_release(s.future);
}

/* A callback is called once, whether it was added before or after the end. */
static int count_call(kr_future *future, void *arg)
{
    (void)arg;
    kr_explore_check(kr_future_done(future));
    kr_explore_check(s.value == 7);
    s.called++;
    return 0;
}

SCENARIO(future_callback_against_result)
{
    fresh();
    kr_explore_spawn(fulfil, NULL);
    kr_explore_check(kr_future_add_done_callback(s.future, count_call, NULL) == 0);
    kr_explore_join_all();
    kr_explore_check(s.called == 1);
    expect_seven(KR_NOWAIT);
    kr_future_release(s.future);
}

/* Two who fulfil it: one is told that it is too late. */
static void fulfil_too(void *arg)
{
    long seven = 7;

    *(int *)arg = kr_future_set_result(s.future, &seven, sizeof seven);
}

SCENARIO(future_fulfilled_twice)
{
    fresh();
    s.value = 7;
    kr_explore_spawn(fulfil_too, &s.results[0]);
    kr_explore_spawn(fulfil_too, &s.results[1]);
    expect_seven(KR_FOREVER);
    kr_explore_join_all();
    kr_explore_check(s.results[0] + s.results[1] == -EALREADY);
    kr_future_release(s.future);
}
