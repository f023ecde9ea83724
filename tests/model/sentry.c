/* Threads that sleep on shared words for coroutines, beside those who sleep on them themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include "wait/wait.h"
#include <krait/cancel.h>
#include <krait/coroutine.h>

static struct {
    kr_word word; /* shared, as the other: how many permits there are */
    kr_word other;
    kr_cancel_scope scope;
    int results[2];
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.word, sizeof s.word, "word");
    kr_explore_name(&s.other, sizeof s.other, "other");
}

static void in_loop(int (*first)(void *arg))
{
    const kr_run_options o = {.keep_interrupt = true};

    kr_explore_check(kr_run_with(first, NULL, &o) == 0);
    kr_explore_join_all();
}

static void release(void *arg)
{
    kr_word *word = arg;

    kri_add_sc(word, 1);
    (void)kri_wake(word, 1, KRI_SHARED);
}

static int acquire(kr_word *word)
{
    for (;;) {
        uint32_t seen = kri_load_rlx(word);
        while (seen > 0)
            if (kri_cas_acq(word, &seen, seen - 1))
                return 0;
        int err = kri_wait(word, 0, KRI_NEVER, KRI_SHARED);
        if (err != 0 && err != -EAGAIN)
            return err;
    }
}

static void acquire_as_thread(void *arg)
{
    kr_explore_check(acquire(arg) == 0);
}

static int acquire_one(void *arg)
{
    (void)arg;
    return acquire(&s.word);
}

SCENARIO(watched_word_changes, .stale = 1, .keeps_threads = true)
{
    fresh();
    kr_explore_spawn(release, &s.word);
    in_loop(acquire_one);
}

/* The second comes when the watcher sleeps already. */
static int acquire_other(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return acquire(&s.other);
}

static int acquire_by_two(void *arg)
{
    kr_future *f;
    kr_explore_check(kr_spawn(&f, acquire_other, NULL, 0, 0, NULL) == 0);
    kr_explore_spawn(release, &s.other);
    kr_explore_check(acquire_one(arg) == 0);
    kr_explore_check(kr_future_result(f, NULL, 0, NULL, KR_FOREVER) == 0);
    kr_future_release(f);
    return 0;
}

SCENARIO(watched_by_two, .preemptions = 1, .stale = 1, .keeps_threads = true)
{
    fresh();
    kr_explore_spawn(release, &s.word);
    in_loop(acquire_by_two);
}

static void release_both(void *arg)
{
    (void)arg;
    release(&s.word);
    release(&s.other);
}

static int acquire_by_two_together(void *arg)
{
    kr_explore_spawn(release_both, NULL);
    return acquire_by_two(arg);
}

SCENARIO(two_words_at_once, .preemptions = 1, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE,
         .keeps_threads = true)
{
    fresh();
    in_loop(acquire_by_two_together);
}

static void cancel_scope(void *arg)
{
    (void)arg;
    kr_cancel(&s.scope);
}

/* The permit that it has after all is for somebody else. */
static int acquire_in_scope(void *arg)
{
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    kr_explore_spawn(cancel_scope, NULL);
    s.results[0] = acquire(&s.word);
    kr_cancel_scope_exit(&s.scope);
    if (s.results[0] == 0)
        release(&s.word);
    return 0;
}

SCENARIO(watched_and_cancelled, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE,
         .keeps_threads = true)
{
    fresh();
    kr_explore_spawn(release, &s.word);
    in_loop(acquire_in_scope);
    kr_explore_check(kri_load_sc(&s.word) == 1);
}

/* A wake that was spent on the coroutine, or on the thread that sleeps for it, goes on. */
SCENARIO(wake_passed_on, .preemptions = 1, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE,
         .keeps_threads = true)
{
    fresh();
    kr_explore_spawn(acquire_as_thread, &s.word);
    kr_explore_spawn(release, &s.word);
    in_loop(acquire_in_scope);
    kr_explore_check(kri_load_sc(&s.word) == 0);
}
