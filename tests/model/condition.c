/* kr_condition under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/cancel.h>
#include <krait/condition.h>

static struct {
    kr_condition condition;
    int waiting; /* guarded by the condition's lock, as the next three */
    int woken;
    int notified; /* sum of what the notifies returned */
    bool ready;
    int results[3];
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.condition, sizeof s.condition, "condition");
}

static void enter(void)
{
    kr_explore_check(kr_condition_acquire(&s.condition, KR_FOREVER) == 0);
}

static void leave(void)
{
    kr_explore_check(kr_condition_release(&s.condition) == 0);
}

static void wait_until_ready(void *arg)
{
    (void)arg;
    enter();
    while (!s.ready)
        kr_explore_check(kr_condition_wait(&s.condition, KR_FOREVER) == 0);
    leave();
}

static void make_ready(void *arg)
{
    (void)arg;
    enter();
    s.ready = true;
    s.notified = kr_condition_notify(&s.condition, 1);
    leave();
}

SCENARIO(condition_notify)
{
    fresh();
    kr_explore_spawn(wait_until_ready, NULL);
    kr_explore_spawn(make_ready, NULL);
    kr_explore_join_all();
}

static void make_ready_all(void *arg)
{
    (void)arg;
    enter();
    s.ready = true;
    s.notified = kr_condition_notify_all(&s.condition);
    kr_explore_check(s.notified == s.waiting);
    leave();
}

static void wait_counted(void *arg)
{
    (void)arg;
    enter();
    while (!s.ready) {
        s.waiting++;
        kr_explore_check(kr_condition_wait(&s.condition, KR_FOREVER) == 0);
        s.waiting--;
    }
    leave();
}

SCENARIO(condition_notify_all, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn(wait_counted, NULL);
    kr_explore_spawn(wait_counted, NULL);
    kr_explore_spawn(make_ready_all, NULL);
    kr_explore_join_all();
}

/* Each wait ends by a notify and by one that was meant for it: it never returns for nothing. */
static void wait_once(void *arg)
{
    enter();
    s.waiting++;
    *(int *)arg = kr_condition_wait(&s.condition, KR_FOREVER);
    s.waiting--;
    s.woken++;
    kr_explore_check(s.woken <= s.notified);
    leave();
}

static void notify_until(int total)
{
    while (s.notified < total) {
        enter();
        int present = s.waiting;
        int owed = s.notified - s.woken; /* notified, and not back yet */
        int n = kr_condition_notify(&s.condition, 1);
        kr_explore_check(n == (present - owed > 0));
        s.notified += n;
        leave();
        if (n == 0)
            kr_explore_yield();
    }
}

SCENARIO(condition_exact, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_once, &s.results[0]);
    notify_until(1);
    kr_explore_join_all();
    kr_explore_check(s.woken == 1);
}

SCENARIO(condition_exact_two, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn(wait_once, &s.results[0]);
    kr_explore_spawn(wait_once, &s.results[1]);
    notify_until(2);
    kr_explore_join_all();
    kr_explore_check(s.woken == 2);
}

/* A waiter that comes after a notify does not take it from one who was there. */
static void wait_first(void *arg)
{
    (void)arg;
    enter();
    s.waiting++;
    kr_explore_check(kr_condition_wait(&s.condition, KR_FOREVER) == 0);
    s.ready = true;
    leave();
}

static void notify_then_wait(void *arg)
{
    (void)arg;
    enter();
    if (s.waiting == 1) {
        kr_explore_check(kr_condition_notify(&s.condition, 1) == 1);
        int err = kr_condition_wait(&s.condition, kr_ms(1)); /* a newcomer */
        kr_explore_check(err == -ETIMEDOUT);
        s.notified = 1;
    }
    leave();
}

static void notify_the_first(void)
{
    enter();
    if (s.notified == 0 && s.waiting == 1)
        s.notified = kr_condition_notify(&s.condition, 1);
    leave();
}

SCENARIO(condition_newcomer)
{
    fresh();
    kr_explore_spawn(wait_first, NULL);
    kr_explore_spawn(notify_then_wait, NULL);
    kr_explore_join(2);
    while (s.notified == 0) {
        notify_the_first();
        kr_explore_yield();
    }
    kr_explore_join_all();
    kr_explore_check(s.ready);
}

/* A waiter that times out, or is cancelled, spends no notify. */
static void wait_timed(void *arg)
{
    enter();
    s.waiting++;
    *(int *)arg = kr_condition_wait(&s.condition, kr_ms(1));
    s.waiting--;
    leave();
}

static void notify_once(void *arg)
{
    (void)arg;
    enter();
    s.notified = kr_condition_notify(&s.condition, 1);
    leave();
}

SCENARIO(condition_time_out, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_timed, &s.results[0]);
    kr_explore_spawn(notify_once, NULL);
    kr_explore_join_all();
    kr_explore_check(s.notified == (s.results[0] == 0));
}

static void wait_in_scope(void *arg)
{
    enter();
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = kr_condition_wait(&s.condition, KR_FOREVER);
    kr_cancel_scope_exit(&s.scope);
    leave();
}

SCENARIO(condition_cancel, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_in_scope, &s.results[0]);
    kr_explore_spawn(notify_once, NULL);
    kr_cancel(&s.scope);
    kr_explore_join_all();
    kr_explore_check(s.notified == (s.results[0] == 0));
    kr_explore_check(!kr_condition_locked(&s.condition));
}

/* Two notifies, two waiters: both are woken, whoever leaves by time-out meanwhile. */
SCENARIO(condition_time_out_beside_waiter, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_timed, &s.results[0]);
    kr_explore_spawn(wait_timed, &s.results[1]);
    notify_once(NULL);
    kr_explore_join_all();
    kr_explore_check(s.notified == (s.results[0] == 0) + (s.results[1] == 0));
}

static void notify_and_add(void *arg)
{
    (void)arg;
    enter();
    s.notified += kr_condition_notify(&s.condition, 1);
    leave();
}

SCENARIO(condition_two_notifiers, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn(wait_timed, &s.results[0]);
    kr_explore_spawn(notify_and_add, NULL);
    kr_explore_spawn(notify_and_add, NULL);
    kr_explore_join_all();
    kr_explore_check(s.notified == (s.results[0] == 0));
}

/* The notified stand in the lock's queue beside those who want the lock for itself. */
static void pass_through(void *arg)
{
    (void)arg;
    enter();
    s.woken++;
    leave();
}

SCENARIO(condition_beside_lockers, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn(wait_until_ready, NULL);
    kr_explore_spawn(pass_through, NULL);
    make_ready(NULL);
    pass_through(NULL);
    kr_explore_join_all();
    kr_explore_check(s.woken == 2);
}
