/* kr_debug_locks under every schedule: an inversion is always found, and a deadlock too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "sync/debug.h"
#include <krait/debug.h>
#include <krait/semaphore.h>

static struct {
    kr_lock a;
    kr_lock b;
    int orders;
    int circles;
    kri_mutex counting;
} s;

static void hook(const char *report)
{
    kri_mutex_lock(&s.counting);
    s.orders += strstr(report, "opposite orders") != NULL;
    s.circles += strstr(report, "wait for each other") != NULL;
    kri_mutex_unlock(&s.counting);
}

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    (void)kr_set_debug_hook(hook);
    kr_explore_check(kr_debug_locks(true) == 0);
}

static void take_timed(kr_lock *first, kr_lock *second)
{
    kr_explore_check(kr_lock_acquire(first, KR_FOREVER) == 0);
    if (kr_lock_acquire(second, kr_ms(1)) == 0)
        kr_lock_release(second);
    kr_lock_release(first);
}

static void take_ab(void *arg)
{
    (void)arg;
    take_timed(&s.a, &s.b);
}

static void take_ba(void *arg)
{
    (void)arg;
    take_timed(&s.b, &s.a);
}

SCENARIO(debug_finds_an_inversion, .stale = 1, .preemptions = 1)
{
    fresh();
    kr_explore_spawn(take_ab, NULL);
    kr_explore_spawn(take_ba, NULL);
    kr_explore_join_all();
    kr_explore_check(s.orders == 1);
    kr_explore_check(s.circles == 0);
}

/* Never b behind a. */
static void take_apart(void *arg)
{
    kr_explore_check(kr_lock_acquire(&s.a, KR_FOREVER) == 0);
    kr_lock_release(&s.a);
    take_ba(arg);
}

SCENARIO(debug_keeps_quiet, .stale = 1, .preemptions = 1)
{
    fresh();
    kr_explore_spawn(take_apart, NULL);
    kr_explore_spawn(take_apart, NULL);
    kr_explore_join_all();
    kr_explore_check(s.orders == 0 && s.circles == 0);
}
