/* kr_semaphore under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/cancel.h>
#include <krait/semaphore.h>

static struct {
    kr_semaphore semaphore;
    long value; /* plain: handed over with the permit */
    int results[3];
    kr_cancel_scope scope;
} s;

static void fresh(int permits)
{
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_semaphore_init(&s.semaphore, permits, NULL) == 0);
    kr_explore_name(&s.semaphore, sizeof s.semaphore, "semaphore");
    kr_explore_name(&s.value, sizeof s.value, "value");
}

static unsigned left(void)
{
    kr_explore_join_all();
    return kr_semaphore_value(&s.semaphore);
}

static void take(void *arg)
{
    *(int *)arg = kr_semaphore_acquire(&s.semaphore, KR_FOREVER);
}

static void take_and_use(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
    s.value++;
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

static void give(void *arg)
{
    (void)arg;
    s.value = 7;
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

static void take_value(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
    kr_explore_check(s.value == 7);
}

SCENARIO(semaphore_hands_over)
{
    fresh(0);
    kr_explore_spawn(take_value, NULL);
    kr_explore_spawn(give, NULL);
    kr_explore_check(left() == 0);
}

SCENARIO(semaphore_as_lock)
{
    fresh(1);
    kr_explore_spawn(take_and_use, NULL);
    kr_explore_spawn(take_and_use, NULL);
    kr_explore_check(left() == 1);
    kr_explore_check(s.value == 2);
}

SCENARIO(semaphore_two_takers_one_release, .stale = 1)
{
    fresh(0);
    kr_explore_spawn(take, &s.results[0]);
    kr_explore_spawn(take, &s.results[1]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 2) == 0);
    kr_explore_check(left() == 0);
}

SCENARIO(semaphore_two_releases, .stale = 1)
{
    fresh(0);
    kr_explore_spawn(take, &s.results[0]);
    kr_explore_spawn(take, &s.results[1]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 0);
}

/* A permit is neither lost nor made when a taker times out, ... */
static void take_timed(void *arg)
{
    *(int *)arg = kr_semaphore_acquire(&s.semaphore, kr_ms(1));
}

SCENARIO(semaphore_time_out)
{
    fresh(0);
    kr_explore_spawn(take_timed, &s.results[0]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == (s.results[0] == 0 ? 0u : 1u));
}

/* ... and another who waits gets it. */
static void take_timed_and_give(void *arg)
{
    take_timed(arg);
    if (*(int *)arg == 0)
        kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

SCENARIO(semaphore_time_out_beside_taker, .stale = 1)
{
    fresh(0);
    kr_explore_spawn(take_timed_and_give, &s.results[0]);
    kr_explore_spawn(take, &s.results[1]);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 0);
}

static void take_in_scope(void *arg)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = kr_semaphore_acquire(&s.semaphore, KR_FOREVER);
    kr_cancel_scope_exit(&s.scope);
}

SCENARIO(semaphore_cancel)
{
    fresh(0);
    kr_explore_spawn(take_in_scope, &s.results[0]);
    kr_cancel(&s.scope);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == (s.results[0] == 0 ? 0u : 1u));
}

/* Two takers, one permit, one of them cancelled: the other gets the permit if the first did not. */
static void give_back(void *arg)
{
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
    *(int *)arg = 1;
}

static void take_in_scope_and_give(void *arg)
{
    take_in_scope(arg);
    if (*(int *)arg == 0)
        kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

SCENARIO(semaphore_cancel_beside_taker, .stale = 1)
{
    fresh(0);
    kr_explore_spawn(take_in_scope_and_give, &s.results[0]);
    kr_explore_spawn(give_back, &s.results[1]);
    kr_cancel(&s.scope);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(left() == 0);
}

static void release_boxed(void *arg)
{
    kr_explore_check(kr_semaphore_release(arg, 1) == 0);
}

/* Whoever got the permit may free the semaphore, while the releaser is not back yet. */
SCENARIO(semaphore_freed_by_taker)
{
    kr_semaphore *semaphore = kr_explore_alloc(sizeof *semaphore);

    kr_explore_check(kr_semaphore_init(semaphore, 0, &(kr_semaphore_options){.bound = 1}) == 0);
    kr_explore_spawn(release_boxed, semaphore);
    kr_explore_check(kr_semaphore_acquire(semaphore, KR_FOREVER) == 0);
    kr_explore_free(semaphore);
    kr_explore_join_all();
}

static void give_bounded(void *arg)
{
    *(int *)arg = kr_semaphore_release(&s.semaphore, 1);
}

SCENARIO(semaphore_bound)
{
    fresh(0);
    s.semaphore.bound = 1;
    kr_explore_spawn(give_bounded, &s.results[0]);
    kr_explore_spawn(give_bounded, &s.results[1]);
    kr_explore_check(left() == 1);
    kr_explore_check(s.results[0] + s.results[1] == -EOVERFLOW);
}
