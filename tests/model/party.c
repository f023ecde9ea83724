/* A second kind of party beside threads: a test double of a coroutine, which waits on the same
 * word, in the same queue, and pays nothing before.
 *
 * The double is parked by setting a flag of its scheduler and sleeping on a descriptor; unpark
 * rings that.  So nothing of a thread's own parking is used.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include "os/os.h"
#include "wait/wait.h"
#include <krait/cancel.h>
#include <krait/lock.h>

typedef struct double_party {
    kri_party party;
    int bell;
    int parks;
    int unparks;
} double_party;

static struct {
    double_party one;
    double_party two;
    kr_word word;
    kr_lock lock;
    long counter; /* guarded by lock */
    int results[3];
    int order[3];
    kr_word arrived;
    kr_cancel_scope scope;
} s;

static void double_park(kri_waiter *w, kr_time deadline)
{
    double_party *d = (double_party *)(void *)kri_waiter_party(w);

    d->parks++;
    if (os_poll(d->bell, OS_READABLE, -1, deadline) == OS_READABLE)
        os_bell_clear(d->bell);
    while (kri_waiter_woken(w) == false && deadline == KRI_NEVER) {
        if (os_poll(d->bell, OS_READABLE, -1, deadline) == OS_READABLE)
            os_bell_clear(d->bell);
    }
}

static void double_unpark(kri_waiter *w)
{
    double_party *d = (double_party *)(void *)kri_waiter_party(w);
    int bell = d->bell;

    d->unparks++;
    kri_waiter_set_woken(w);
    os_bell_ring(bell);
}

static const kri_party_ops double_ops = {.park = double_park, .unpark = double_unpark};

static void begin(double_party *d)
{
    d->party.ops = &double_ops;
    d->bell = os_bell_create();
}

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    begin(&s.one);
    begin(&s.two);
    kr_explore_name(&s.word, sizeof s.word, "word");
    kr_explore_name(&s.lock, sizeof s.lock, "lock");
}

static void thread_waits(void *arg)
{
    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
}

static void double_waits(void *arg)
{
    kri_party *previous = kri_party_enter(&s.one.party);

    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kri_party_leave(previous);
}

SCENARIO(double_and_thread_on_one_word, .stale = 1)
{
    fresh();
    kr_explore_spawn(thread_waits, &s.results[0]);
    kr_explore_spawn(double_waits, &s.results[1]);
    kri_store_sc(&s.word, 1);
    int woken = kri_wake(&s.word, KRI_ALL, 0);
    kr_explore_join_all();
    kr_explore_check(woken == (s.results[0] == 0) + (s.results[1] == 0));
    kr_explore_check(s.one.unparks <= 1);
    kr_explore_check(s.one.unparks == (s.results[1] == 0));
}

/* In order of arrival, whatever kind they are. */
static void wait_in_turn(bool as_double, int turn)
{
    kri_party *previous = as_double ? kri_party_enter(&s.one.party) : NULL;

    s.results[turn] = kri_wait(&s.word, 0, KRI_NEVER, 0);
    if (as_double)
        kri_party_leave(previous);
}

static void thread_first(void *arg)
{
    (void)arg;
    wait_in_turn(false, 0);
}

static void double_second(void *arg)
{
    (void)arg;
    while (kri_waiting(&s.word) < 1)
        kr_explore_yield();
    wait_in_turn(true, 1);
}

SCENARIO(woken_in_order_of_arrival, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn(thread_first, NULL);
    kr_explore_spawn(double_second, NULL);
    while (kri_waiting(&s.word) < 2)
        kr_explore_yield();
    kr_explore_check(kri_wake(&s.word, 1, 0) == 1);
    kr_explore_join(1); /* the thread came first; the other still waits */
    kr_explore_check(kri_waiting(&s.word) == 1);
    kr_explore_check(kri_wake(&s.word, 1, 0) == 1);
    kr_explore_join(2);
    kr_explore_check(s.results[0] == 0 && s.results[1] == 0);
}

/* The same lock serves both. */
static void count_as_thread(void *arg)
{
    (void)arg;
    kr_with (&s.lock)
        s.counter++;
}

static void count_as_double(void *arg)
{
    kri_party *previous = kri_party_enter(arg);

    kr_with (&s.lock)
        s.counter++;
    kri_party_leave(previous);
}

SCENARIO(double_and_thread_share_a_lock)
{
    fresh();
    kr_explore_spawn(count_as_thread, NULL);
    kr_explore_spawn(count_as_double, &s.one.party);
    kr_explore_join_all();
    kr_explore_check(s.counter == 2);
}

SCENARIO(two_doubles_and_a_thread_share_a_lock, .stale = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn(count_as_thread, NULL);
    kr_explore_spawn(count_as_double, &s.one.party);
    kr_explore_spawn(count_as_double, &s.two.party);
    kr_explore_join_all();
    kr_explore_check(s.counter == 3);
}

/* A double inside a cancelled scope is unparked by the cancel. */
static void double_in_scope(void *arg)
{
    kri_party *previous = kri_party_enter(&s.one.party);

    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kr_cancel_scope_exit(&s.scope);
    kri_party_leave(previous);
}

SCENARIO(double_cancelled)
{
    fresh();
    kr_explore_spawn(double_in_scope, &s.results[0]);
    kr_cancel(&s.scope);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == -ECANCELED);
}

SCENARIO(double_time_out_against_wake)
{
    fresh();
    kri_party *previous = kri_party_enter(&s.one.party);
    kri_party_leave(previous);
    kr_explore_spawn(double_waits, &s.results[0]);
    kri_store_sc(&s.word, 1);
    int woken = kri_wake(&s.word, 1, 0);
    kr_explore_join_all();
    kr_explore_check(woken == (s.results[0] == 0));
}
