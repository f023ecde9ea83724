/* kr_condition in shared memory under every schedule, and the death of a process at every point.
 *
 * Nobody hangs here for ever whatever is lost, since sleeps are cut into slices: so the scenarios
 * check how late it gets on the virtual clock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "sync/internal.h"
#include <krait/cancel.h>
#include <krait/condition.h>

enum { VICTIM = 1, SURVIVOR = 2, OTHER = 3 };

static struct {
    kr_condition condition;
    kr_rlock rlock;
    int waiting; /* guarded by the condition's lock, as the next four */
    int woken;
    int notified; /* sum of what the notifies returned */
    bool ready;
    bool repaired;
    int results[3];
    kr_time began;
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    s.condition = (kr_condition)KR_CONDITION_INIT_SHARED;
    kr_explore_name(&s.condition, sizeof s.condition, "condition");
    s.began = kr_now();
}

static void on_time(int64_t milliseconds)
{
    kr_explore_check(kr_now() - s.began < kr_ms(milliseconds));
}

/* With the lock held, in order again. */
static int enter(void)
{
    int err = kr_condition_acquire(&s.condition, KR_FOREVER);

    kr_explore_check(err == 0 || err == KR_OWNER_DIED);
    if (err == KR_OWNER_DIED)
        kr_explore_check(kr_condition_recover(&s.condition) == 0);
    return err;
}

static void leave(void)
{
    kr_explore_check(kr_condition_release(&s.condition) == 0);
}

static int wait_once_more(kr_time timeout)
{
    int err = kr_condition_wait(&s.condition, timeout);

    if (err == KR_OWNER_DIED)
        kr_explore_check(kr_condition_recover(&s.condition) == 0);
    return err;
}

/* All live, and nothing comes late. */

static void wait_until_ready(void *arg)
{
    (void)arg;
    enter();
    s.waiting++;
    while (!s.ready)
        kr_explore_check(wait_once_more(KR_FOREVER) >= 0);
    s.waiting--;
    leave();
}

static void make_ready(void *arg)
{
    (void)arg;
    enter();
    s.ready = true;
    int waiting = s.waiting;
    int n = kr_condition_notify_all(&s.condition);
    kr_explore_check(n == waiting || kr_explore_alive(VICTIM) == false);
    leave();
}

SCENARIO(shared_notify, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_until_ready, NULL);
    kr_explore_spawn_in(OTHER, make_ready, NULL);
    kr_explore_join_all();
    on_time(50);
}

SCENARIO(shared_notify_all, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_until_ready, NULL);
    kr_explore_spawn_in(OTHER, wait_until_ready, NULL);
    make_ready(NULL);
    kr_explore_join_all();
    on_time(50);
}

/* Each wait ends by a notify that was meant for it. */
static void wait_once(void *arg)
{
    enter();
    s.waiting++;
    *(int *)arg = wait_once_more(KR_FOREVER);
    s.waiting--;
    s.woken++;
    kr_explore_check(s.woken <= s.notified);
    leave();
}

static void notify_until(int total)
{
    while (s.notified < total) {
        enter();
        int owed = s.notified - s.woken; /* notified, and not back yet */
        int n = kr_condition_notify(&s.condition, 1);
        kr_explore_check(n == (s.waiting - owed > 0));
        s.notified += n;
        leave();
        if (n == 0)
            kr_explore_yield();
    }
}

SCENARIO(shared_exact, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_once, &s.results[0]);
    notify_until(1);
    kr_explore_join_all();
    kr_explore_check(s.woken == 1);
    on_time(50);
}

SCENARIO(shared_exact_two, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_once, &s.results[0]);
    kr_explore_spawn_in(OTHER, wait_once, &s.results[1]);
    notify_until(2);
    kr_explore_join_all();
    kr_explore_check(s.woken == 2);
    on_time(50);
}

/* Two notifies of one under one hold of the lock: the second finds the note of the first. */
static void notify_twice(void)
{
    while (s.notified < 2) {
        enter();
        for (int i = 0; i < 2; i++)
            s.notified += kr_condition_notify(&s.condition, 1);
        leave();
        if (s.notified < 2)
            kr_explore_yield();
    }
}

SCENARIO(shared_notify_twice, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_once, &s.results[0]);
    kr_explore_spawn_in(OTHER, wait_once, &s.results[1]);
    notify_twice();
    kr_explore_join_all();
    kr_explore_check(s.woken == 2);
    on_time(50);
}

/* A waiter that times out, or is cancelled, spends no notify and leaves no trace. */
static void no_trace(void)
{
    kr_explore_check(s.condition.newer == 0 && s.condition.older == 0);
    kr_explore_check(s.condition.permits == 0 && s.condition.owed.bits == 0);
    kr_explore_check(!kr_condition_locked(&s.condition));
}

static void wait_timed(void *arg)
{
    enter();
    *(int *)arg = wait_once_more(kr_ms(1));
    leave();
}

static void notify_once(void *arg)
{
    (void)arg;
    enter();
    s.notified += kr_condition_notify(&s.condition, 1);
    leave();
}

SCENARIO(shared_time_out, .stale = 1)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_timed, &s.results[0]);
    kr_explore_spawn_in(OTHER, notify_once, NULL);
    kr_explore_join_all();
    kr_explore_check(s.notified == (s.results[0] == 0));
    no_trace();
}

SCENARIO(shared_time_out_beside_waiter, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_timed, &s.results[0]);
    kr_explore_spawn_in(OTHER, wait_timed, &s.results[1]);
    notify_once(NULL);
    kr_explore_join_all();
    kr_explore_check(s.notified == (s.results[0] == 0) + (s.results[1] == 0));
    no_trace();
}

static void wait_in_scope(void *arg)
{
    enter();
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = wait_once_more(KR_FOREVER);
    kr_cancel_scope_exit(&s.scope);
    leave();
}

/* A cancel reaches threads of its own process only. */
SCENARIO(shared_cancel, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_in_scope, &s.results[0]);
    kr_explore_spawn_in(OTHER, notify_once, NULL);
    kr_cancel(&s.scope);
    kr_explore_join_all();
    kr_explore_check(s.notified == (s.results[0] == 0));
    no_trace();
    on_time(50);
}

/* One who comes after a notify takes it from nobody. */
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
        kr_explore_check(kr_condition_wait(&s.condition, kr_ms(1)) == -ETIMEDOUT);
        s.notified = 1;
    }
    leave();
}

SCENARIO(shared_newcomer, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_first, NULL);
    kr_explore_join(kr_explore_spawn_in(OTHER, notify_then_wait, NULL));
    while (s.notified == 0) {
        enter();
        if (s.notified == 0 && s.waiting == 1)
            s.notified = kr_condition_notify(&s.condition, 1);
        leave();
        kr_explore_yield();
    }
    kr_explore_join_all();
    kr_explore_check(s.ready);
    on_time(50);
}

/* Somebody dies: in the end all who live are back, in time. */

SCENARIO(shared_waiter_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(VICTIM, wait_until_ready, NULL);
    kr_explore_spawn_in(SURVIVOR, wait_until_ready, NULL);
    make_ready(NULL);
    kr_explore_join_all();
    on_time(350);
}

/* Whoever is left makes it ready: who notified did not, or did not come to the notify. */
SCENARIO(shared_notifier_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_until_ready, NULL);
    kr_explore_join(kr_explore_spawn_in(VICTIM, make_ready, NULL));
    enter();
    bool ready = s.ready;
    leave();
    if (!ready)
        make_ready(NULL);
    kr_explore_join_all();
    on_time(350);
}

/* Nobody but the waiter ever asks for the lock that the dead one held. */
static void wait_for_death(void *arg)
{
    int *result = arg;

    *result = enter();
    while (!s.ready && *result != KR_OWNER_DIED)
        *result = wait_once_more(KR_FOREVER);
    leave();
}

static bool dead_one_holds(void)
{
    uint32_t holder = (uint32_t)kri_lock_holder(&s.condition.own);

    return !kr_explore_alive(VICTIM) && holder % 1000 == VICTIM;
}

SCENARIO(shared_holder_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_for_death, &s.results[0]);
    kr_explore_join(kr_explore_spawn_in(VICTIM, notify_once, NULL));
    if (!dead_one_holds()) {
        enter();
        s.ready = true;
        (void)kr_condition_notify_all(&s.condition);
        leave();
    }
    kr_explore_join_all();
    on_time(350);
}

/* A notify that went to one who has died before comes to the living after all, also when the one
 * who would find that out dies too. */
static void wait_looping(void *arg)
{
    enter();
    while (s.notified == 0)
        (void)wait_once_more(KR_FOREVER);
    s.notified--;
    *(int *)arg = 1;
    leave();
}

static void hand_out(int count)
{
    for (int i = 0; i < count; i++) {
        enter();
        s.notified++;
        (void)kr_condition_notify(&s.condition, 1);
        leave();
    }
}

SCENARIO(shared_notify_swallowed, .victim = VICTIM, .early = KR_EXPLORE_NONE,
         .stale = KR_EXPLORE_NONE)
{
    fresh();
    s.condition.group = s.condition.older = 1;
    kr_explore_spawn_in(VICTIM, wait_looping, &s.results[0]);
    kr_explore_spawn_in(SURVIVOR, wait_looping, &s.results[1]);
    hand_out(2);
    kr_explore_join_all();
    kr_explore_check(s.results[1] == 1);
    on_time(450);
}

/* Who learns of the death has the lock by another way than the condition: the counts that the dead
 * one may have left half changed are found out all the same. */
static void repair_beside(void)
{
    int err;

    while ((err = kr_lock_acquire(&s.condition.own, KR_NOWAIT)) == -ETIMEDOUT)
        kr_explore_yield();
    kr_explore_check(err >= 0);
    s.ready = true;
    if (err == KR_OWNER_DIED)
        kr_explore_check(kr_lock_recover(&s.condition.own) == 0);
    (void)kr_condition_notify_all(&s.condition);
    kr_explore_check(kr_lock_release(&s.condition.own) == 0);
}

SCENARIO(shared_death_told_beside, .victim = VICTIM, .early = KR_EXPLORE_NONE,
         .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_until_ready, NULL);
    kr_explore_join(kr_explore_spawn_in(VICTIM, notify_once, NULL));
    repair_beside();
    kr_explore_join_all();
    on_time(350);
}

/* Who gets the lock by the condition lets all go who wait; there is no notify here. */
static void section(void *arg)
{
    (void)arg;
    enter();
    leave();
}

static void wait_unless_ready(void *arg)
{
    (void)arg;
    if (enter() == 0 && !s.ready)
        (void)wait_once_more(KR_FOREVER);
    leave();
}

SCENARIO(shared_death_wakes_all, .victim = VICTIM, .early = KR_EXPLORE_NONE,
         .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_unless_ready, NULL);
    kr_explore_join(kr_explore_spawn_in(VICTIM, section, NULL));
    if (enter() == 0)
        (void)kr_condition_notify_all(&s.condition);
    s.ready = true;
    leave();
    kr_explore_join_all();
    on_time(50);
}

/* The same with one who dies where it comes back from its wait. */
SCENARIO(shared_death_on_return, .victim = VICTIM, .early = KR_EXPLORE_NONE,
         .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(SURVIVOR, wait_until_ready, NULL);
    int victim = kr_explore_spawn_in(VICTIM, wait_timed, &s.results[0]);
    notify_once(NULL);
    kr_explore_join(victim);
    repair_beside();
    kr_explore_join_all();
    on_time(350);
}

/* Over a recursive lock. */
static void wait_deep(void *arg)
{
    (void)arg;
    enter();
    kr_explore_check(kr_rlock_acquire(&s.rlock, KR_FOREVER) == 0);
    s.waiting++;
    while (!s.ready) {
        int err = kr_condition_wait(&s.condition, KR_FOREVER);
        kr_explore_check(err >= 0);
        kr_explore_check(kr_rlock_count(&s.rlock) == 2);
        if (err == KR_OWNER_DIED)
            kr_explore_check(kr_condition_recover(&s.condition) == 0);
    }
    s.waiting--;
    kr_explore_check(kr_rlock_release(&s.rlock) == 0);
    kr_explore_check(kr_rlock_release(&s.rlock) == 0);
}

static void over_rlock(kr_scope scope)
{
    kr_explore_check(kr_rlock_init(&s.rlock, scope) == 0);
    kr_explore_check(kr_condition_init(&s.condition, &(kr_condition_options){.rlock = &s.rlock,
                                                                             .scope = scope}) == 0);
}

SCENARIO(shared_over_rlock, .victim = VICTIM, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh();
    over_rlock(KR_SHARED);
    kr_explore_spawn_in(SURVIVOR, wait_deep, NULL);
    kr_explore_join(kr_explore_spawn_in(VICTIM, make_ready, NULL));
    enter();
    bool ready = s.ready;
    leave();
    if (!ready)
        make_ready(NULL);
    kr_explore_join_all();
    on_time(350);
}

SCENARIO(private_over_rlock, .stale = 1)
{
    fresh();
    over_rlock(KR_PRIVATE);
    kr_explore_spawn(wait_deep, NULL);
    kr_explore_spawn(make_ready, NULL);
    kr_explore_join_all();
}
