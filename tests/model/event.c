/* kr_event under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/cancel.h>
#include <krait/event.h>

#include "base/atomic.h"

static struct {
    kr_event event;
    long value; /* plain: written before the set */
    int results[3];
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.event, sizeof s.event, "event");
    kr_explore_name(&s.value, sizeof s.value, "value");
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

SCENARIO(event_set_wakes)
{
    fresh();
    kr_explore_spawn(wait_for_it, &s.results[0]);
    kr_explore_spawn(set_it, NULL);
    kr_explore_join_all();
    kr_explore_check(kr_event_is_set(&s.event));
}

SCENARIO(event_set_wakes_all, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_for_it, &s.results[0]);
    kr_explore_spawn(wait_for_it, &s.results[1]);
    kr_explore_spawn(set_it, NULL);
    kr_explore_join_all();
}

/* Set and cleared at once: who was waiting at the set is woken all the same. */
static void set_and_clear(void *arg)
{
    int waiter = *(int *)arg;
    bool was_asleep = kr_explore_asleep(waiter);

    kr_event_set(&s.event);
    kr_event_clear(&s.event);
    if (!was_asleep)
        kr_event_set(&s.event); /* it may have come too late for the first */
}

static void wait_plain(void *arg)
{
    *(int *)arg = kr_event_wait(&s.event, KR_FOREVER);
}

SCENARIO(event_set_then_clear)
{
    fresh();
    int waiter = kr_explore_spawn(wait_plain, &s.results[0]);
    kr_explore_spawn(set_and_clear, &waiter);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0);
}

SCENARIO(event_set_then_clear_two, .stale = 1)
{
    fresh();
    int first = kr_explore_spawn(wait_plain, &s.results[0]);
    int second = kr_explore_spawn(wait_plain, &s.results[1]);
    bool both = kr_explore_asleep(first) && kr_explore_asleep(second);
    kr_event_set(&s.event);
    kr_event_clear(&s.event);
    if (!both)
        kr_event_set(&s.event);
    kr_explore_join_all();
}

/* A waiter that has been let go may free the event while the setter is not back yet. */
static void set_boxed(void *arg)
{
    kr_event_set(arg);
}

SCENARIO(event_freed_by_waiter)
{
    kr_event *event = kr_explore_alloc(sizeof *event);

    kr_explore_spawn(set_boxed, event);
    kr_explore_check(kr_event_wait(event, KR_FOREVER) == 0);
    kr_explore_free(event);
    kr_explore_join_all();
}

static void wait_timed(void *arg)
{
    *(int *)arg = kr_event_wait(&s.event, kr_ms(1));
}

SCENARIO(event_time_out)
{
    fresh();
    kr_explore_spawn(wait_timed, &s.results[0]);
    kr_explore_spawn(set_it, NULL);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ETIMEDOUT);
}

SCENARIO(event_time_out_alone)
{
    fresh();
    kr_explore_check(kr_event_wait(&s.event, kr_ms(1)) == -ETIMEDOUT);
}

static void wait_in_scope(void *arg)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = kr_event_wait(&s.event, KR_FOREVER);
    int left = kr_cancel_scope_exit(&s.scope);
    kr_explore_check(left == -ECANCELED || (left == 0 && *(int *)arg == 0));
}

SCENARIO(event_cancel)
{
    fresh();
    kr_explore_spawn(wait_in_scope, &s.results[0]);
    kr_cancel(&s.scope);
    kr_event_set(&s.event);
    kr_explore_join(1);
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ECANCELED);
}

/* Who clears and then looks for work misses none, though a set has found the flag up. */
static kr_word work;

static void add_work(void *arg)
{
    (void)arg;
    kri_store_rlx(&work, 1);
    kr_event_set(&s.event);
}

SCENARIO(event_set_again_against_clear, .stale = 1)
{
    fresh();
    kri_store_rlx(&work, 0);
    kr_event_set(&s.event);
    kr_explore_spawn(add_work, NULL);
    kr_explore_check(kr_event_wait(&s.event, KR_FOREVER) == 0);
    kr_event_clear(&s.event);
    if (kri_load_rlx(&work) == 0)
        kr_explore_check(kr_event_wait(&s.event, KR_FOREVER) == 0);
    kr_explore_check(kri_load_rlx(&work) == 1);
    kr_explore_join_all();
}
