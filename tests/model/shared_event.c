/* kr_event between processes, under every schedule and every death.
 *
 * Where nobody dies no waiter may need the end of its slice: the clock must stand still.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/cancel.h>
#include <krait/event.h>

enum { VICTIM = 1, SURVIVOR = 2 };

static struct {
    kr_event event;
    long value; /* plain: written before the set */
    int results[3];
    kr_cancel_scope scope;
    kr_time began;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    s.event = (kr_event)KR_EVENT_INIT_SHARED;
    kr_explore_name(&s.event, sizeof s.event, "event");
    kr_explore_name(&s.value, sizeof s.value, "value");
    s.began = kr_now();
}

static void end(void)
{
    kr_explore_join_all();
    kr_explore_check(kr_now() - s.began < kr_ms(1));
}

static void wait_for_it(void *arg)
{
    int *result = arg;

    *result = kr_event_wait(&s.event, KR_FOREVER);
    kr_explore_check(*result == 0);
    kr_explore_check(s.value == 7);
}

static void set_it(void *arg)
{
    (void)arg;
    s.value = 7;
    kr_event_set(&s.event);
}

SCENARIO(shared_set_wakes, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(1, wait_for_it, &s.results[0]);
    kr_explore_spawn_in(2, set_it, NULL);
    end();
}

SCENARIO(shared_set_wakes_all, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh();
    kr_explore_spawn_in(1, wait_for_it, &s.results[0]);
    kr_explore_spawn_in(2, wait_for_it, &s.results[1]);
    kr_explore_spawn_in(3, set_it, NULL);
    end();
}

static void wait_plain(void *arg)
{
    *(int *)arg = kr_event_wait(&s.event, KR_FOREVER);
    kr_explore_check(*(int *)arg == 0);
}

SCENARIO(shared_set_then_clear, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh();
    int first = kr_explore_spawn_in(1, wait_plain, &s.results[0]);
    int second = kr_explore_spawn_in(2, wait_plain, &s.results[1]);
    bool both = kr_explore_asleep(first) && kr_explore_asleep(second);
    kr_event_set(&s.event);
    kr_event_clear(&s.event);
    if (!both)
        kr_event_set(&s.event); /* they may have come too late for the first */
    end();
}

static void wait_timed(void *arg)
{
    *(int *)arg = kr_event_wait(&s.event, kr_ms(1));
}

SCENARIO(shared_time_out)
{
    fresh();
    kr_explore_spawn_in(1, wait_timed, &s.results[0]);
    kr_explore_spawn_in(2, set_it, NULL);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ETIMEDOUT);
}

static void wait_in_scope(void *arg)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = kr_event_wait(&s.event, KR_FOREVER);
    int left = kr_cancel_scope_exit(&s.scope);
    kr_explore_check(left == -ECANCELED || (left == 0 && *(int *)arg == 0));
}

SCENARIO(shared_cancel, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn(wait_in_scope, &s.results[0]);
    kr_explore_spawn_in(2, wait_for_it, &s.results[1]);
    kr_cancel(&s.scope);
    set_it(NULL);
    end();
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ECANCELED);
}

static void set_boxed(void *arg)
{
    kr_event_set(arg);
}

SCENARIO(shared_event_freed_by_waiter, .early = KR_EXPLORE_NONE)
{
    kr_event *event = kr_explore_alloc(sizeof *event);

    kr_explore_check(kr_event_init(event, KR_SHARED) == 0);
    kr_explore_spawn_in(1, set_boxed, event);
    kr_explore_check(kr_event_wait(event, KR_FOREVER) == 0);
    kr_explore_free(event);
    kr_explore_join_all();
}

/* The death of a waiter, asleep, woken, or anywhere: the other one wakes. */
SCENARIO(shared_waiter_dies, .victim = VICTIM, .stale = 1)
{
    fresh();
    kr_explore_spawn_in(VICTIM, wait_for_it, &s.results[0]);
    kr_explore_spawn_in(SURVIVOR, wait_for_it, &s.results[1]);
    set_it(NULL);
    kr_explore_join_all();
}

/* The death of a setter: a flag that is up is seen, without further help; else the next sets it. */
SCENARIO(shared_setter_dies, .victim = VICTIM)
{
    fresh();
    int setter = kr_explore_spawn_in(VICTIM, set_it, NULL);
    kr_explore_spawn_in(SURVIVOR, wait_for_it, &s.results[1]);
    kr_explore_join(setter);
    if (!kr_event_is_set(&s.event))
        set_it(NULL);
    kr_explore_join_all();
}
