/* kr_timeout_scope, and time limits that are moved.
 *
 * Behaviours: section 13.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

#include "os/os.h"

static kr_timeout outer, inner;

static int sleep_long(void)
{
    return kr_sleep(kr_sec(3600));
}

static void let_time_pass(kr_time time)
{
    kr_time end = kr_now() + time;
    while (kr_now() < end)
        ;
}

/* behaviour: 13.3 test_timeout_at_basic */
LOOP_TEST(test_timeout_basic)
{
    kr_time began = kr_now();
    kr_timeout_scope (&outer, kr_ms(10)) {
        CHECK_GE(kr_cancel_scope_deadline(&outer.scope), began + kr_ms(10));
        CHECK_LE(kr_cancel_scope_deadline(&outer.scope), kr_now() + kr_ms(10));
        CHECK_EQ(sleep_long(), -ECANCELED);
        CHECK_EQ(sleep_long(), -ECANCELED);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
    CHECK_GE(kr_now() - began, kr_ms(10));
    CHECK(!kr_cancelled());
}

TEST(test_timeout_in_thread)
{
    kr_timeout_scope (&outer, kr_ms(1))
        CHECK_EQ(sleep_long(), -ECANCELED);
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

LOOP_TEST(test_timeout_not_called)
{
    kr_timeout_scope (&outer, kr_sec(3600))
        CHECK_EQ(kr_sleep(1), 0);
    CHECK_EQ(outer.result, 0);
    CHECK_EQ(kr_cancel_scope_deadline(&outer.scope), KR_FOREVER);
}

/* behaviour: 13.3 test_timeout_at_disabled */
LOOP_TEST(test_timeout_disabled)
{
    kr_timeout_scope (&outer, KR_FOREVER) {
        CHECK_EQ(kr_cancel_scope_deadline(&outer.scope), KR_FOREVER);
        CHECK_EQ(kr_sleep(1), 0);
    }
    CHECK_EQ(outer.result, 0);
}

LOOP_TEST(test_timeout_zero)
{
    kr_timeout_scope (&outer, KR_NOWAIT)
        CHECK_EQ(sleep_long(), -ECANCELED);
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

/* behaviour: 13.3 test_timeout_in_the_past_sleep_zero */
LOOP_TEST(test_timeout_zero_sleep_zero)
{
    kr_timeout_scope (&outer, KR_NOWAIT)
        CHECK_EQ(kr_yield(), -ECANCELED);
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

/* Nothing that waits: nothing is cut short. */
LOOP_TEST(test_timeout_without_wait)
{
    kr_timeout_scope (&outer, 1)
        let_time_pass(kr_us(10));
    CHECK_EQ(outer.result, 0);
}

LOOP_TEST(test_timeout_is_left)
{
    for (int i = 0; i < 2; i++) {
        kr_timeout_scope (&outer, kr_sec(1))
            break;
        CHECK_EQ(outer.result, 0);
        CHECK_EQ(kr_cancel_scope_exit(&outer.scope), -EINVAL);
    }
    int runs = 0;
    kr_timeout_scope (&outer, -1)
        runs++;
    CHECK_EQ(runs, 0);
    CHECK_EQ(outer.result, -EINVAL);
}

/* The task that is waited for is not the one whose time is up. */
LOOP_TEST(test_waiter_cancelled)
{
    struct step step = {0};
    kr_future *f = spawn_step(&step, 0);
    let_others_run();
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    kr_timeout_scope (&outer, kr_sec(3600))
        CHECK_EQ(error_of(f), -ECANCELED);
    CHECK_EQ(outer.result, 0);
}

LOOP_TEST(test_outer_task_is_not_cancelled)
{
    kr_timeout_scope (&outer, kr_ms(1))
        CHECK_EQ(sleep_long(), -ECANCELED);
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_sleep(1), 0);
}

/* Only the one whose time is up says so. */
LOOP_TEST(test_nested_timeouts)
{
    kr_timeout_scope (&outer, kr_ms(1)) {
        kr_timeout_scope (&inner, kr_sec(3600))
            CHECK_EQ(sleep_long(), -ECANCELED);
        CHECK_EQ(inner.result, -ECANCELED);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
    kr_timeout_scope (&outer, kr_sec(3600)) {
        kr_timeout_scope (&inner, kr_ms(1))
            CHECK_EQ(sleep_long(), -ECANCELED);
        CHECK_EQ(inner.result, -ETIMEDOUT);
        CHECK(!kr_cancelled());
    }
    CHECK_EQ(outer.result, 0);
}

/* Both are up when the wait begins: the outermost says it.
 * behaviour: 13.3 test_nested_timeouts_loop_busy */
LOOP_TEST(test_nested_timeouts_concurrent)
{
    kr_timeout_scope (&outer, kr_us(20)) {
        kr_timeout_scope (&inner, kr_us(10)) {
            let_time_pass(kr_us(50));
            CHECK_EQ(sleep_long(), -ECANCELED);
        }
        CHECK_EQ(inner.result, -ECANCELED);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

LOOP_TEST(test_nested_timeout_in_finally)
{
    kr_timeout_scope (&outer, kr_ms(1)) {
        CHECK_EQ(sleep_long(), -ECANCELED);
        kr_shield {
            kr_timeout_scope (&inner, kr_ms(1)) {
                CHECK(!kr_cancelled());
                CHECK_EQ(sleep_long(), -ECANCELED);
            }
        }
        CHECK_EQ(inner.result, -ETIMEDOUT);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

/* What else the block has come to is its own affair.
 * behaviours: 13.3 test_foreign_exception_passed, test_foreign_exception_on_timeout_2 */
LOOP_TEST(test_foreign_exception_on_timeout)
{
    int err = 0;
    kr_timeout_scope (&outer, kr_ms(1)) {
        err = -EIO;
        if (sleep_long() == -ECANCELED)
            err = -EPERM;
    }
    CHECK_EQ(err, -EPERM);
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

/* A task in a block with a time limit. */
struct limited {
    kr_time time;
    kr_timeout timeout;
    int waited;
    kr_time busy;
};

static int in_limit(const void *arg, void *result)
{
    struct limited *l = *(struct limited *const *)arg;
    (void)result;
    kr_timeout_scope (&l->timeout, l->time)
        l->waited = sleep_long();
    return l->timeout.result;
}

static kr_future *spawn_limited(struct limited *l)
{
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, in_limit, &l, sizeof l, 0, NULL), 0);
    let_others_run();
    return f;
}

LOOP_TEST(test_foreign_cancel_doesnt_timeout_if_not_expired)
{
    struct limited l = {.time = kr_sec(3600)};
    kr_future *f = spawn_limited(&l);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_of(f), -ECANCELED);
    CHECK_EQ(l.waited, -ECANCELED);
}

/* A cancel that comes first is no time-out, though the time is up later. */
LOOP_TEST(test_cancel_in_timeout_after_cancellation)
{
    kr_timeout_scope (&outer, kr_ms(5)) {
        kr_cancel(&outer.scope);
        CHECK_EQ(sleep_long(), -ECANCELED);
        let_time_pass(kr_ms(6));
        CHECK_EQ(sleep_long(), -ECANCELED);
    }
    CHECK_EQ(outer.result, -ECANCELED);
}

LOOP_TEST(test_timeout_after_cancellation)
{
    kr_timeout_scope (&outer, kr_sec(3600)) {
        kr_cancel(&outer.scope);
        CHECK_EQ(sleep_long(), -ECANCELED);
        kr_shield {
            kr_timeout_scope (&inner, kr_ms(1))
                CHECK_EQ(sleep_long(), -ECANCELED);
            CHECK_EQ(inner.result, -ETIMEDOUT);
        }
    }
    CHECK_EQ(outer.result, -ECANCELED);
}

/* Moving the limit. */

LOOP_TEST(test_reschedule)
{
    kr_timeout_scope (&outer, kr_ms(1)) {
        CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, kr_sec(3600)), 0);
        CHECK_EQ(kr_sleep(kr_ms(3)), 0);
        CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, KR_FOREVER), 0);
        CHECK_EQ(kr_cancel_scope_deadline(&outer.scope), KR_FOREVER);
        CHECK_EQ(kr_sleep(1), 0);
        CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, kr_ms(1)), 0);
        CHECK_EQ(sleep_long(), -ECANCELED);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

/* The time was up, but nobody has noticed. */
LOOP_TEST(test_reschedule_unnoticed)
{
    kr_timeout_scope (&outer, 1) {
        let_time_pass(kr_us(10));
        CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, kr_sec(3600)), 0);
        CHECK_EQ(kr_sleep(1), 0);
    }
    CHECK_EQ(outer.result, 0);
}

/* The inner ones follow, as far as their own limits and shields go. */
LOOP_TEST(test_reschedule_outer)
{
    kr_timeout_scope (&outer, kr_ms(1)) {
        kr_timeout_scope (&inner, kr_sec(3600)) {
            CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, kr_sec(3600)), 0);
            CHECK_EQ(kr_sleep(kr_ms(3)), 0);
            kr_shield {
                CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, KR_NOWAIT), 0);
                CHECK_EQ(kr_sleep(kr_ms(1)), 0);
            }
            CHECK_EQ(sleep_long(), -ECANCELED);
        }
        CHECK_EQ(inner.result, -ECANCELED);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

LOOP_TEST(test_reschedule_inner_keeps_outer)
{
    kr_timeout_scope (&outer, kr_ms(2)) {
        kr_timeout_scope (&inner, kr_ms(1)) {
            CHECK_EQ(kr_cancel_scope_reschedule(&inner.scope, KR_FOREVER), 0);
            CHECK_EQ(sleep_long(), -ECANCELED);
        }
        CHECK_EQ(inner.result, -ECANCELED);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
}

/* behaviours: 13.3 test_timeout_finished, test_timeout_expired, test_timeout_expiring and
 * test_timeout_not_entered */
LOOP_TEST(test_reschedule_refuses)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_reschedule(&scope, kr_sec(1)), -EINVAL);
    kr_timeout_scope (&outer, kr_ms(1)) {
        CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, -1), -EINVAL);
        CHECK_EQ(sleep_long(), -ECANCELED);
        CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, kr_sec(1)), -EALREADY);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, kr_sec(1)), -EINVAL);
}

/* behaviour: 13.3 test_timeout_already_entered */
LOOP_TEST(test_timeout_double_enter)
{
    kr_timeout_scope (&outer, kr_sec(1))
        CHECK_EQ(kr_cancel_scope_enter(&outer.scope, kr_sec(1)), -EINVAL);
    CHECK_EQ(outer.result, 0);
}

/* Tasks of a group have their limit from around it, so that does not move while it is open. */
LOOP_TEST(test_timeout_taskgroup)
{
    kr_group group;
    kr_group_task task;
    struct step step = {0};
    struct step *arg = &step;
    kr_timeout_scope (&outer, kr_ms(5)) {
        CHECK_EQ(kr_group_open(&group, NULL), 0);
        CHECK_EQ(kr_cancel_scope_reschedule(&outer.scope, kr_sec(1)), -EBUSY);
        CHECK_EQ(kr_group_start(&group, &task, take_step, &arg, NULL), 0);
        CHECK_EQ(kr_group_close(&group), -ECANCELED);
        CHECK(step.ended);
    }
    CHECK_EQ(outer.result, -ETIMEDOUT);
}
