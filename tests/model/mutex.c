/* The library's inner lock, and waiting and waking on a word.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include "wait/wait.h"
#include <krait/cancel.h>

/* What a scenario shares; made anew in each run. */
static struct {
    kri_mutex mutex;
    long counter; /* plain: guarded */
    kr_word word;
    kr_word other;
    int results[4];
    int woken;
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.mutex, sizeof s.mutex, "mutex");
    kr_explore_name(&s.counter, sizeof s.counter, "counter");
    kr_explore_name(&s.word, sizeof s.word, "word");
    kr_explore_name(&s.other, sizeof s.other, "other");
    kr_explore_name(&s.scope, sizeof s.scope, "scope");
}

static void count_once(void *arg)
{
    (void)arg;
    kri_mutex_lock(&s.mutex);
    s.counter++;
    kri_mutex_unlock(&s.mutex);
}

SCENARIO(mutex_two)
{
    fresh();
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    kr_explore_join_all();
    kr_explore_check(s.counter == 2);
}

SCENARIO(mutex_three)
{
    fresh();
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    kr_explore_join_all();
    kr_explore_check(s.counter == 3);
}

/* The last owner frees the object that the lock lies in. */
typedef struct box {
    kri_mutex mutex;
    long owners;
} box;

static void leave_box(void *arg)
{
    box *b = arg;

    kri_mutex_lock(&b->mutex);
    bool last = --b->owners == 0;
    kri_mutex_unlock(&b->mutex);
    if (last)
        kr_explore_free(b);
}

SCENARIO(mutex_freed_by_last_owner)
{
    box *b = kr_explore_alloc(sizeof *b);

    b->owners = 2;
    kr_explore_spawn(leave_box, b);
    kr_explore_spawn(leave_box, b);
    kr_explore_join_all();
}

SCENARIO(mutex_spurious, .spurious = 2)
{
    fresh();
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    kr_explore_join_all();
    kr_explore_check(s.counter == 2);
}

/* One waits for a word, another changes it and wakes. */
static void wait_for_word(void *arg)
{
    int *result = arg;

    while (kri_load_acq(&s.word) == 0)
        *result = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kr_explore_check(s.counter == 7);
}

static void change_and_wake(void *arg)
{
    (void)arg;
    s.counter = 7;
    kri_store_sc(&s.word, 1);
    s.woken = kri_wake(&s.word, KRI_ALL, 0);
}

SCENARIO(wait_and_wake)
{
    fresh();
    kr_explore_spawn(wait_for_word, &s.results[0]);
    kr_explore_spawn(change_and_wake, NULL);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0 || s.results[0] == -EAGAIN);
    kr_explore_check(s.woken == 0 || s.results[0] == 0);
}

/* What the waker wrote before is visible to whom its wake took, who looks at no word again. */
static void wait_and_look(void *arg)
{
    int *result = arg;

    *result = kri_wait(&s.word, 0, KRI_NEVER, 0);
    if (*result == 0)
        kr_explore_check(s.counter == 7);
}

SCENARIO(wait_and_wake_plain)
{
    fresh();
    kr_explore_spawn(wait_and_look, &s.results[0]);
    kr_explore_spawn(change_and_wake, NULL);
    kr_explore_join_all();
}

SCENARIO(wait_and_wake_spurious, .spurious = 1)
{
    fresh();
    kr_explore_spawn(wait_and_look, &s.results[0]);
    kr_explore_spawn(change_and_wake, NULL);
    kr_explore_join_all();
}

/* The count that a wake returns is that of the waits that return 0. */
static void wait_once(void *arg)
{
    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
}

static void wake_all(void *arg)
{
    (void)arg;
    kri_store_sc(&s.word, 1);
    s.woken = kri_wake(&s.word, KRI_ALL, 0);
}

static int zeros(int count)
{
    int n = 0;

    for (int i = 0; i < count; i++)
        n += s.results[i] == 0;
    return n;
}

SCENARIO(wake_counts)
{
    fresh();
    kr_explore_spawn(wait_once, &s.results[0]);
    kr_explore_spawn(wait_once, &s.results[1]);
    kr_explore_spawn(wake_all, NULL);
    kr_explore_join_all();
    kr_explore_check(zeros(2) == s.woken);
    for (int i = 0; i < 2; i++)
        kr_explore_check(s.results[i] == 0 || s.results[i] == -EAGAIN);
}

static void wait_timed(void *arg)
{
    *(int *)arg = kri_wait(&s.word, 0, kri_deadline(kr_ms(1)), 0);
}

static void wake_one(void *arg)
{
    (void)arg;
    kri_store_sc(&s.word, 1);
    s.woken = kri_wake(&s.word, 1, 0);
}

/* A time-out and a wake at once: the wake counts whom it took, and no other. */
SCENARIO(time_out_against_wake)
{
    fresh();
    kr_explore_spawn(wait_timed, &s.results[0]);
    kr_explore_spawn(wake_one, NULL);
    kr_explore_join_all();
    kr_explore_check(zeros(1) == s.woken);
    kr_explore_check(s.results[0] == 0 || s.results[0] == -EAGAIN || s.results[0] == -ETIMEDOUT);
}

/* Who left by time-out has left nothing behind in the queue when it comes again. */
static void wait_timed_twice(void *arg)
{
    wait_timed(arg);
    if (s.results[0] == -ETIMEDOUT)
        wait_timed(arg);
}

SCENARIO(time_out_and_again)
{
    fresh();
    kr_explore_spawn(wait_timed_twice, &s.results[0]);
    kr_explore_spawn(wake_one, NULL);
    kr_explore_join_all();
    kr_explore_check(zeros(1) == s.woken);
}

/* One of two leaves by time-out: the wake goes to the other. */
SCENARIO(time_out_beside_waiter)
{
    fresh();
    kr_explore_spawn(wait_timed, &s.results[0]);
    kr_explore_spawn(wait_once, &s.results[1]);
    kri_store_sc(&s.word, 1);
    s.woken = kri_wake(&s.word, 1, 0);
    s.woken += kri_wake(&s.word, KRI_ALL, 0);
    kr_explore_join_all();
    kr_explore_check(s.woken == zeros(2));
}

/* Cancelling against a wake. */
static void wait_in_scope(void *arg)
{
    int err = kr_cancel_scope_enter(&s.scope, KR_FOREVER);

    kr_explore_check(err == 0);
    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
    s.results[2] = kr_cancel_scope_exit(&s.scope);
}

SCENARIO(cancel_against_wake)
{
    fresh();
    int waiter = kr_explore_spawn(wait_in_scope, &s.results[0]);
    int waker = kr_explore_spawn(wake_one, NULL);
    kr_cancel(&s.scope);
    kr_explore_join(waiter);
    kr_explore_join(waker);
    kr_explore_check(zeros(1) == s.woken);
    kr_explore_check(s.results[0] == 0 || s.results[0] == -EAGAIN || s.results[0] == -ECANCELED);
    kr_explore_check(s.results[2] == -ECANCELED || s.results[2] == 0);
}

SCENARIO(cancel_ends_a_wait)
{
    fresh();
    kr_explore_spawn(wait_in_scope, &s.results[0]);
    kr_cancel(&s.scope);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
    kr_explore_check(s.results[2] == -ECANCELED);
}

/* Two words that share a bucket of the table, as every second one does here. */
static void wait_other(void *arg)
{
    *(int *)arg = kri_wait(&s.other, 0, KRI_NEVER, 0);
}

SCENARIO(two_words_in_one_bucket)
{
    fresh();
    kr_explore_spawn(wait_once, &s.results[0]);
    kr_explore_spawn(wait_other, &s.results[1]);
    kri_store_sc(&s.word, 1);
    int first = kri_wake(&s.word, KRI_ALL, 0);
    kr_explore_check(first <= 1);
    kri_store_sc(&s.other, 1);
    int second = kri_wake(&s.other, KRI_ALL, 0);
    kr_explore_join_all();
    kr_explore_check(first == (s.results[0] == 0));
    kr_explore_check(second == (s.results[1] == 0));
}
