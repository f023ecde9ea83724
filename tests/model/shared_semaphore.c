/* kr_semaphore between processes, under every schedule and every death.
 *
 * Where nobody dies no waiter may need the end of its slice: the clock must stand still.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/cancel.h>
#include <krait/semaphore.h>

enum { VICTIM = 1, SURVIVOR = 2 };

static struct {
    kr_semaphore semaphore;
    long value; /* plain: handed over with the permit */
    int results[3];
    kr_cancel_scope scope;
    kr_time began;
} s;

static void fresh(int permits)
{
    memset(&s, 0, sizeof s);
    kr_explore_check(
        kr_semaphore_init(&s.semaphore, permits, &(kr_semaphore_options){.scope = KR_SHARED}) == 0);
    kr_explore_name(&s.semaphore, sizeof s.semaphore, "semaphore");
    kr_explore_name(&s.value, sizeof s.value, "value");
    s.began = kr_now();
}

static unsigned left(void)
{
    kr_explore_join_all();
    return kr_semaphore_value(&s.semaphore);
}

static void check_nobody_slept_on(void)
{
    kr_explore_check(kr_now() - s.began < kr_ms(1));
}

static void take(void *arg)
{
    *(int *)arg = kr_semaphore_acquire(&s.semaphore, KR_FOREVER);
    kr_explore_check(*(int *)arg == 0);
}

static void give(void *arg)
{
    (void)arg;
    s.value = 7;
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

static void take_value(void *arg)
{
    take(arg);
    kr_explore_check(s.value == 7);
}

SCENARIO(shared_hands_over, .early = KR_EXPLORE_NONE)
{
    fresh(0);
    kr_explore_spawn_in(1, take_value, &s.results[0]);
    kr_explore_spawn_in(2, give, NULL);
    kr_explore_check(left() == 0);
    check_nobody_slept_on();
}

SCENARIO(shared_two_takers_one_release, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh(0);
    kr_explore_spawn_in(1, take, &s.results[0]);
    kr_explore_spawn_in(2, take, &s.results[1]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 2) == 0);
    kr_explore_check(left() == 0);
    check_nobody_slept_on();
}

SCENARIO(shared_two_releases, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh(0);
    kr_explore_spawn_in(1, take, &s.results[0]);
    kr_explore_spawn_in(2, take, &s.results[1]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 0);
    check_nobody_slept_on();
}

static void take_and_give(void *arg)
{
    take(arg);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

/* One permit goes round: who comes by takes the one that a sleeper was woken for. */
SCENARIO(shared_one_permit_goes_round, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh(0);
    kr_explore_spawn_in(1, take_and_give, &s.results[0]);
    kr_explore_spawn_in(2, take_and_give, &s.results[1]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 1);
    check_nobody_slept_on();
}

static void take_timed_and_give(void *arg)
{
    *(int *)arg = kr_semaphore_acquire(&s.semaphore, kr_ms(1));
    if (*(int *)arg == 0)
        kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

SCENARIO(shared_time_out_beside_taker, .stale = 1)
{
    fresh(0);
    kr_explore_spawn_in(1, take_timed_and_give, &s.results[0]);
    kr_explore_spawn_in(2, take, &s.results[1]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 0);
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ETIMEDOUT);
}

static void take_in_scope_and_give(void *arg)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = kr_semaphore_acquire(&s.semaphore, KR_FOREVER);
    kr_cancel_scope_exit(&s.scope);
    if (*(int *)arg == 0)
        kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

/* Who is cancelled passes on the wake that it may have taken. */
SCENARIO(shared_cancel_beside_taker, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh(0);
    kr_explore_spawn(take_in_scope_and_give, &s.results[0]);
    kr_explore_spawn_in(2, take, &s.results[1]);
    kr_cancel(&s.scope);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 0);
    check_nobody_slept_on();
}

static void release_boxed(void *arg)
{
    kr_explore_check(kr_semaphore_release(arg, 1) == 0);
}

SCENARIO(shared_freed_by_taker, .early = KR_EXPLORE_NONE)
{
    kr_semaphore *semaphore = kr_explore_alloc(sizeof *semaphore);

    kr_explore_check(
        kr_semaphore_init(semaphore, 0, &(kr_semaphore_options){.bound = 1, .scope = KR_SHARED}) ==
        0);
    kr_explore_spawn_in(1, release_boxed, semaphore);
    kr_explore_check(kr_semaphore_acquire(semaphore, KR_FOREVER) == 0);
    kr_explore_free(semaphore);
    kr_explore_join_all();
}

/* A second release finds nobody asleep, and does not ask the system for sleepers. */
SCENARIO(shared_bit_goes_with_the_sleepers, .early = KR_EXPLORE_NONE)
{
    fresh(0);
    kr_explore_spawn_in(1, take, &s.results[0]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 0);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(s.semaphore.value.bits == 1);
}

/* The death of a taker, asleep, woken, or anywhere: the other one gets a permit. */
SCENARIO(shared_taker_dies, .victim = VICTIM, .stale = 1)
{
    fresh(0);
    kr_explore_spawn_in(VICTIM, take, &s.results[0]);
    kr_explore_spawn_in(SURVIVOR, take, &s.results[1]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() <= 1);
    kr_explore_check(s.results[1] == 0);
}

/* The death of a releaser: what it released is there and found, or it is not. */
SCENARIO(shared_releaser_dies, .victim = VICTIM)
{
    fresh(0);
    int releaser = kr_explore_spawn_in(VICTIM, give, NULL);
    kr_explore_spawn_in(SURVIVOR, take, &s.results[1]);
    kr_explore_join(releaser);
    if (!kr_explore_alive(VICTIM))
        kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 0 || !kr_explore_alive(VICTIM));
}

/* The same with nobody to release again: a permit that is there is found without further help. */
SCENARIO(shared_releaser_dies_before_the_wake, .victim = VICTIM)
{
    fresh(0);
    int releaser = kr_explore_spawn_in(VICTIM, give, NULL);
    s.results[1] = -1;
    kr_explore_spawn_in(SURVIVOR, take_timed_and_give, &s.results[1]);
    kr_explore_join(releaser);
    kr_explore_check(left() <= 1);
    if (kr_explore_alive(VICTIM))
        kr_explore_check(kr_semaphore_value(&s.semaphore) == 1);
}
