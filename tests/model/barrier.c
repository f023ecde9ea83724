/* kr_barrier under every schedule, between threads and between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/barrier.h>
#include <krait/cancel.h>
#include <krait/coroutine.h>

static struct {
    kr_barrier barrier;
    long before[3]; /* plain: written before the wait, read after it by the others */
    int results[4];
    int actions;
    kr_cancel_scope scope;
    kr_time began;
} s;

static void fresh_in(kr_scope scope, int parties)
{
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_barrier_init(&s.barrier, parties, &(kr_barrier_options){.scope = scope}) ==
                     0);
    kr_explore_name(&s.barrier, sizeof s.barrier, "barrier");
    kr_explore_name(s.before, sizeof s.before, "before");
    s.began = kr_now();
}

static void fresh(int parties)
{
    fresh_in(KR_PRIVATE, parties);
}

static void check_nobody_slept_on(void)
{
    kr_explore_check(kr_now() - s.began < kr_ms(1));
}

static void meet(int self)
{
    s.before[self]++;
    s.results[self] = kr_barrier_wait(&s.barrier, KR_FOREVER);
}

static void meet_once(void *arg)
{
    int self = (int)(intptr_t)arg;

    meet(self);
    kr_explore_check(s.results[self] >= 0);
    kr_explore_check(s.before[!self] == 1);
}

static void check_two_met(void)
{
    kr_explore_join_all();
    kr_explore_check(s.results[0] + s.results[1] == 1);
    kr_explore_check(kr_barrier_n_waiting(&s.barrier) == 0);
    kr_explore_check(!kr_barrier_broken(&s.barrier));
}

SCENARIO(barrier_two_meet)
{
    fresh(2);
    kr_explore_spawn(meet_once, (void *)0);
    kr_explore_spawn(meet_once, (void *)1);
    check_two_met();
}

SCENARIO(barrier_two_processes_meet, .early = KR_EXPLORE_NONE)
{
    fresh_in(KR_SHARED, 2);
    kr_explore_spawn_in(1, meet_once, (void *)0);
    kr_explore_spawn_in(2, meet_once, (void *)1);
    check_two_met();
    check_nobody_slept_on();
}

/* Who is slow to leave the first round finds the second under way, or over. */
static void meet_twice(void *arg)
{
    int self = (int)(intptr_t)arg;

    for (int round = 1; round <= 2; round++) {
        meet(self);
        kr_explore_check(s.results[self] >= 0);
        kr_explore_check(s.before[self] == round);
    }
}

SCENARIO(barrier_two_rounds, .stale = 1)
{
    fresh(2);
    kr_explore_spawn(meet_twice, (void *)0);
    kr_explore_spawn(meet_twice, (void *)1);
    check_two_met();
}

SCENARIO(barrier_two_rounds_of_processes, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh_in(KR_SHARED, 2);
    kr_explore_spawn_in(1, meet_twice, (void *)0);
    kr_explore_spawn_in(2, meet_twice, (void *)1);
    check_two_met();
    check_nobody_slept_on();
}

/* Three at a barrier of two, and the scenario itself makes it four: two rounds. */
static void meet_any(void *arg)
{
    *(int *)arg = kr_barrier_wait(&s.barrier, KR_FOREVER);
}

SCENARIO(barrier_more_than_its_parties, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh(2);
    for (int i = 0; i < 3; i++)
        kr_explore_spawn(meet_any, &s.results[i]);
    meet_any(&s.results[3]);
    kr_explore_join_all();
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        kr_explore_check(s.results[i] >= 0);
        sum += s.results[i];
    }
    kr_explore_check(sum == 2);
}

/* The action runs once, with all here and nobody let go. */
static int act(void *arg)
{
    (void)arg;
    s.actions++;
    kr_explore_check(s.before[0] == 1 && s.before[1] == 1);
    kr_explore_check(kr_barrier_n_waiting(&s.barrier) == 2);
    return 0;
}

static void meet_and_act(void *arg)
{
    int self = (int)(intptr_t)arg;

    s.before[self]++;
    s.results[self] = kr_barrier_wait_action(&s.barrier, act, NULL, KR_FOREVER);
    kr_explore_check(s.actions == 1);
}

SCENARIO(barrier_action)
{
    fresh(2);
    kr_explore_spawn(meet_and_act, (void *)0);
    kr_explore_spawn(meet_and_act, (void *)1);
    check_two_met();
}

/* Who comes while the action runs has to wait for the next round, and breaks that. */
static int act_slowly(void *arg)
{
    (void)arg;
    s.actions++;
    kr_explore_yield();
    return 0;
}

static void meet_and_act_slowly(void *arg)
{
    *(int *)arg = kr_barrier_wait_action(&s.barrier, act_slowly, NULL, KR_FOREVER);
}

SCENARIO(barrier_late_beside_action, .stale = 1)
{
    fresh(1);
    kr_explore_spawn(meet_and_act_slowly, &s.results[0]);
    kr_explore_spawn(meet_and_act_slowly, &s.results[1]);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0 && s.results[1] == 0 && s.actions == 2);
}

static void meet_without_time(void *arg)
{
    *(int *)arg = kr_barrier_wait(&s.barrier, KR_NOWAIT);
}

/* One that finds an action running and has no time breaks nothing. */
SCENARIO(barrier_surplus_gives_up, .stale = 1)
{
    fresh(1);
    kr_explore_spawn(meet_and_act_slowly, &s.results[0]);
    kr_explore_spawn(meet_without_time, &s.results[1]);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0 && s.actions == 1);
    kr_explore_check(s.results[1] == 0 || s.results[1] == -ETIMEDOUT);
    kr_explore_check(!kr_barrier_broken(&s.barrier));
}

static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

static void meet_and_fail(void *arg)
{
    *(int *)arg = kr_barrier_wait_action(&s.barrier, fail, NULL, KR_FOREVER);
}

SCENARIO(barrier_action_fails)
{
    fresh(2);
    kr_explore_spawn(meet_and_fail, &s.results[0]);
    kr_explore_spawn(meet_and_fail, &s.results[1]);
    kr_explore_join_all();
    kr_explore_check(s.results[0] != s.results[1]);
    kr_explore_check(s.results[0] + s.results[1] == -EIO + KR_EBROKEN);
    kr_explore_check(kr_barrier_broken(&s.barrier));
}

/* A time-out breaks it for all, unless all were let go before. */
static void meet_timed(void *arg)
{
    *(int *)arg = kr_barrier_wait(&s.barrier, kr_ms(1));
}

static void check_all_or_none(void)
{
    kr_explore_join_all();
    if (s.results[0] >= 0)
        kr_explore_check(s.results[0] + s.results[1] == 1);
    else
        kr_explore_check(s.results[0] == KR_EBROKEN && s.results[1] == KR_EBROKEN);
    kr_explore_check(kr_barrier_broken(&s.barrier) == (s.results[0] < 0));
    kr_explore_check(kr_barrier_n_waiting(&s.barrier) == 0);
}

SCENARIO(barrier_time_out)
{
    fresh(2);
    kr_explore_spawn(meet_timed, &s.results[0]);
    kr_explore_spawn(meet_any, &s.results[1]);
    check_all_or_none();
}

SCENARIO(barrier_time_out_of_process, .stale = 1)
{
    fresh_in(KR_SHARED, 2);
    kr_explore_spawn_in(1, meet_timed, &s.results[0]);
    kr_explore_spawn_in(2, meet_any, &s.results[1]);
    check_all_or_none();
}

/* The lock is waited for in vain, wherever the other is who has it. */
SCENARIO(barrier_given_up_without_the_lock, .stale = 1)
{
    fresh_in(KR_SHARED, 2);
    kr_explore_spawn_in(1, meet_without_time, &s.results[0]);
    kr_explore_spawn_in(2, meet_any, &s.results[1]);
    check_all_or_none();
}

/* The round is over for all who wait once one has broken it so. */
static void hold_the_lock_for_long(void *arg)
{
    (void)arg;
    kr_explore_check(kr_lock_acquire(&s.barrier.lock, KR_FOREVER) == 0);
    if (kr_barrier_n_waiting(&s.barrier) == 2)
        kr_explore_check(kr_sleep(kr_sec(2)) == 0);
    kr_explore_check(kr_lock_release(&s.barrier.lock) == 0);
}

static void meet_and_note_when(void *arg)
{
    meet_timed(arg);
    kr_explore_check(kr_now() - s.began < kr_ms(1500));
    s.began = kr_now();
}

SCENARIO(barrier_broken_without_the_lock, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE)
{
    fresh_in(KR_SHARED, 3);
    kr_explore_spawn_in(1, meet_and_note_when, &s.results[0]);
    kr_explore_spawn_in(2, hold_the_lock_for_long, NULL);
    meet_any(&s.results[1]);
    kr_time back = kr_now();
    kr_explore_join_all();
    kr_explore_check(s.results[0] == KR_EBROKEN && s.results[1] == KR_EBROKEN);
    kr_explore_check(back - s.began < kr_ms(1));
    kr_explore_check(kr_barrier_reset(&s.barrier) == 0);
    kr_explore_check(!kr_barrier_broken(&s.barrier));
    kr_explore_check(kr_barrier_n_waiting(&s.barrier) == 0);
}

SCENARIO(barrier_abort, .stale = KR_EXPLORE_NONE)
{
    fresh(2);
    kr_explore_spawn(meet_any, &s.results[0]);
    kr_explore_spawn(meet_any, &s.results[1]);
    kr_explore_check(kr_barrier_abort(&s.barrier) == 0);
    kr_explore_join_all();
    kr_explore_check(kr_barrier_broken(&s.barrier));
    kr_explore_check((s.results[0] < 0) == (s.results[1] < 0));
    kr_explore_check(s.results[0] >= 0 || s.results[0] == KR_EBROKEN);
}

/* A reset: who waited is told, and those who come after it meet as if nothing had been. */
static void meet_until_let_go(void *arg)
{
    int *result = arg;

    do {
        *result = kr_barrier_wait(&s.barrier, KR_FOREVER);
    } while (*result == KR_EBROKEN);
}

SCENARIO(barrier_reset, .stale = 1)
{
    fresh(2);
    kr_explore_spawn(meet_until_let_go, &s.results[0]);
    kr_explore_check(kr_barrier_reset(&s.barrier) == 0);
    kr_explore_check(kr_barrier_reset(&s.barrier) == 0);
    meet_until_let_go(&s.results[1]);
    check_two_met();
}

static void meet_in_scope(void *arg)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = kr_barrier_wait(&s.barrier, KR_FOREVER);
    kr_cancel_scope_exit(&s.scope);
}

static void check_cancel(void)
{
    kr_cancel(&s.scope);
    kr_explore_join_all();
    if (s.results[0] >= 0) {
        kr_explore_check(s.results[0] + s.results[1] == 1);
    } else {
        kr_explore_check(s.results[0] == -ECANCELED && s.results[1] == KR_EBROKEN);
        kr_explore_check(kr_barrier_broken(&s.barrier));
    }
}

SCENARIO(barrier_cancel, .stale = 1)
{
    fresh(2);
    kr_explore_spawn(meet_in_scope, &s.results[0]);
    kr_explore_spawn(meet_any, &s.results[1]);
    check_cancel();
}

/* One is told late how its round went, when another has gone otherwise already. */
SCENARIO(barrier_told_late_of_success, .stale = KR_EXPLORE_NONE)
{
    fresh(2);
    kr_explore_spawn(meet_any, &s.results[0]);
    kr_explore_join(kr_explore_spawn(meet_any, &s.results[1]));
    kr_explore_check(kr_barrier_reset(&s.barrier) == 0);
    kr_explore_check(kr_barrier_reset(&s.barrier) == 0);
    check_two_met();
}

SCENARIO(barrier_told_late_of_failure, .stale = KR_EXPLORE_NONE)
{
    fresh(2);
    kr_explore_spawn(meet_any, &s.results[0]);
    bool came = kr_barrier_n_waiting(&s.barrier) == 1;
    kr_explore_check(kr_barrier_reset(&s.barrier) == 0);
    if (came) {
        kr_explore_spawn(meet_any, &s.results[1]);
        meet_any(&s.results[2]);
        kr_explore_join_all();
        kr_explore_check(s.results[0] == KR_EBROKEN && s.results[1] + s.results[2] == 1);
    } else {
        kr_explore_check(kr_barrier_abort(&s.barrier) == 0);
        kr_explore_join_all();
        kr_explore_check(s.results[0] == KR_EBROKEN);
    }
}
