/* Tasks of loops under every schedule: cancelled from outside, waiting for one of several, on two
 * loops, refused by the system.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/loop_scenario.h"

/* Cancelled by its future, from outside, while it ends. */

static void cancel_future(void *arg)
{
    (void)arg;
    s.cancelled = kr_future_cancel(s.future);
}

static int wait_for_word(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.results[0] = kri_wait(&s.word, 0, KRI_NEVER, 0);
    return s.results[0] == -EAGAIN ? 0 : s.results[0];
}

static int run_cancelled(void *arg)
{
    (void)arg;
    kr_explore_check(kr_spawn(&s.future, wait_for_word, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kr_explore_spawn(cancel_future, NULL);
    kr_explore_spawn(wake_word, NULL);
    int err = kr_future_exception(s.future, NULL, KR_FOREVER);
    kr_explore_check(err == 0 || err == -ECANCELED);
    return 0;
}

SCENARIO(cancelled_by_its_future, .stale = 1)
{
    fresh();
    kr_explore_check(in_loop(run_cancelled) == 0);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
    kr_future_release(s.future);
}

static int sleep_long(void *arg)
{
    (void)arg;
    s.future = kr_future_retain(kr_task_current());
    kr_explore_spawn(cancel_future, NULL);
    return kr_sleep(kr_sec(1));
}

/* The loop ends with the coroutine that is cancelled. */
SCENARIO(cancelled_at_the_end)
{
    fresh();
    int err = in_loop(sleep_long);
    kr_explore_check(err == 0 || err == -ECANCELED);
    kr_future_release(s.future);
}

/* One of two words. */

static int wait_for_either(void *arg)
{
    (void)arg;
    kri_spot second = {.word = &s.second};
    kri_spot first = {.next = &second, .word = &s.word};
    kri_spot *which = NULL;
    kr_explore_spawn(wake_word, NULL);
    kr_explore_spawn(wake_second, NULL);
    s.results[0] = kri_wait_any(&first, kri_deadline(kr_sec(1)), 0, NULL, &which);
    kr_explore_check(s.results[0] != 0 || kri_load_sc(which->word) == 1);
    return 0;
}

SCENARIO(either_of_two, .preemptions = 1, .stale = 1)
{
    fresh();
    kr_explore_check(in_loop(wait_for_either) == 0);
    kr_explore_check(s.woken[0] + s.woken[1] == (s.results[0] == 0));
}

static int wait_for_either_in_scope(void *arg)
{
    (void)arg;
    kri_spot second = {.word = &s.second, .shared = true};
    kri_spot first = {.next = &second, .word = &s.word};
    kri_spot *which = NULL;
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    kr_explore_spawn(wake_word, NULL);
    kr_explore_spawn(cancel_scope, NULL);
    s.results[0] = kri_wait_any(&first, KRI_NEVER, 0, NULL, &which);
    kr_cancel_scope_exit(&s.scope);
    kr_explore_check(s.results[0] != 0 || which == &first);
    return 0;
}

/* A private one and a shared one, which a thread watches. */
SCENARIO(private_or_shared_cancelled, .preemptions = 1, .stale = KR_EXPLORE_NONE,
         .keeps_threads = true)
{
    fresh();
    kr_explore_check(in_loop(wait_for_either_in_scope) == 0);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
}

/* Two loops, and a thread. */

static int count_once(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    s.counter++;
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    return 0;
}

SCENARIO(lock_between_two_loops, .preemptions = 1, .stale = KR_EXPLORE_NONE,
         .early = KR_EXPLORE_NONE, .keeps_memory = true)
{
    kr_executor *pool;
    const kr_pool_options o = {.workers = 2, .name = "loops"};
    kr_future *f[2];
    fresh();
    kr_explore_check(kr_loop_pool(&pool, &o) == 0);
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    for (int i = 0; i < 2; i++)
        kr_explore_check(kr_submit(pool, &f[i], count_once, NULL, 0, 0) == 0);
    kr_explore_yield();
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    for (int i = 0; i < 2; i++) {
        kr_explore_check(kr_future_result(f[i], NULL, 0, NULL, KR_FOREVER) == 0);
        kr_future_release(f[i]);
    }
    kr_explore_check(s.counter == 2);
    kr_explore_check(kr_executor_shutdown(pool, NULL, KR_FOREVER) == 0);
    kr_executor_release(pool);
}

/* Whatever the system refuses is answered, and given back. */

static int end_at_once(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

static int spawn_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        kr_future *f;
        int err = kr_spawn(&f, end_at_once, NULL, 0, 0, NULL);
        if (err != 0)
            return err;
        err = kr_future_exception(f, NULL, KR_FOREVER);
        kr_future_release(f);
        if (err != 0)
            return err;
    }
    return kr_sleep(kr_sec(1));
}

SCENARIO(refused_by_the_system, .failures = 2)
{
    fresh();
    int err = in_loop(spawn_two);
    kr_explore_check(err == 0 || err == -ENOMEM);
}
