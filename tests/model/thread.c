/* kr_thread under every schedule: start, join from several, release, refusal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/cancel.h>
#include <krait/thread.h>

static struct {
    kr_thread *thread;
    long value; /* plain: written by the thread, read after the join */
    int results[3];
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.value, sizeof s.value, "value");
}

static int write_value(void *arg)
{
    s.value = *(long *)arg;
    return 5;
}

static void start(void)
{
    long seven = 7;

    fresh();
    kr_explore_check(kr_thread_start(&s.thread, write_value, &seven, sizeof seven, NULL) == 0);
}

SCENARIO(thread_start_and_join)
{
    int result = 0;

    start();
    kr_explore_check(kr_thread_join(s.thread, &result, KR_FOREVER) == 0);
    kr_explore_check(result == 5);
    kr_explore_check(s.value == 7);
    kr_explore_check(!kr_thread_alive(s.thread));
    kr_explore_check(kr_thread_join(s.thread, NULL, KR_NOWAIT) == 0);
    kr_thread_release(s.thread);
}

static void join(void *arg)
{
    kr_explore_check(kr_thread_join(s.thread, arg, KR_FOREVER) == 0);
    kr_explore_check(s.value == 7);
}

SCENARIO(thread_two_joiners, .stale = 1)
{
    start();
    kr_explore_spawn(join, &s.results[0]);
    join(&s.results[1]);
    kr_explore_join(2);
    kr_explore_check(s.results[0] == 5 && s.results[1] == 5);
    kr_thread_release(s.thread);
}

/* Nobody keeps a handle: nothing is left behind. */
SCENARIO(thread_fire_and_forget)
{
    long seven = 7;

    fresh();
    kr_explore_check(kr_thread_start(NULL, write_value, &seven, sizeof seven, NULL) == 0);
}

SCENARIO(thread_released_before_its_end)
{
    start();
    kr_thread_release(s.thread);
}

SCENARIO(thread_join_times_out)
{
    int result = 0;

    start();
    int err = kr_thread_join(s.thread, &result, kr_ms(1));
    kr_explore_check(err == 0 || err == -ETIMEDOUT);
    kr_explore_check(err == 0 ? s.value == 7 : result == 0);
    kr_explore_check(kr_thread_join(s.thread, &result, KR_FOREVER) == 0);
    kr_explore_check(result == 5);
    kr_thread_release(s.thread);
}

/* The system refuses a thread or memory: an error, and nothing has happened. */
SCENARIO(thread_refused, .failures = 1)
{
    long seven = 7;

    fresh();
    int err = kr_thread_start(&s.thread, write_value, &seven, sizeof seven, NULL);
    if (err < 0) {
        kr_explore_check(err == -EAGAIN || err == -ENOMEM);
        kr_explore_check(s.thread == NULL);
        return;
    }
    kr_explore_check(kr_thread_join(s.thread, NULL, KR_FOREVER) == 0);
    kr_explore_check(s.value == 7);
    kr_thread_release(s.thread);
}

/* A cancelled joiner goes, the thread goes on. */
static void join_in_scope(void *arg)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = kr_thread_join(s.thread, NULL, KR_FOREVER);
    kr_cancel_scope_exit(&s.scope);
}

SCENARIO(thread_join_cancelled, .stale = 1)
{
    start();
    kr_explore_spawn(join_in_scope, &s.results[0]);
    kr_cancel(&s.scope);
    kr_explore_join(2);
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ECANCELED);
    kr_explore_check(kr_thread_join(s.thread, NULL, KR_FOREVER) == 0);
    kr_explore_check(s.value == 7);
    kr_thread_release(s.thread);
}

/* Two who look for the last time at once: one of them frees it. */
static void look_and_release(void *arg)
{
    (void)kr_thread_alive(arg);
    kr_thread_release(arg);
}

SCENARIO(thread_released_by_two, .stale = 1)
{
    start();
    kr_explore_spawn(look_and_release, kr_thread_retain(s.thread));
    kr_thread_release(s.thread);
    kr_explore_join_all();
}
