/* The interpreter lock under every schedule: taking, handing over, asking, the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "gil/gil.h"
#include "model/scenario.h"
#include <krait/gil.h>

static struct {
    kr_gil *gil;
    long counter; /* plain: guarded by the interpreter lock */
    kr_word done;
    kr_word left;
    kr_gil_thread *other;
    int calls; /* plain: guarded by it, too */
} s;

static void fresh(kr_gil_policy policy)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.counter, sizeof s.counter, "counter");
    const kr_gil_options o = {.policy = policy, .check_interval = 1};
    kr_explore_check(kr_gil_create(&s.gil, &o) == 0);
}

static void finish(long counted)
{
    kr_explore_join_all();
    kr_explore_check(s.counter == counted);
    kr_explore_check(kr_gil_destroy(s.gil) == 0);
}

static kr_gil_thread *attach(void)
{
    kr_gil_thread *self;
    kr_explore_check(kr_gil_attach(s.gil, &self) == 0);
    return self;
}

static void detach(kr_gil_thread *self)
{
    kr_explore_check(kr_gil_detach(self) == 0);
}

static void count_once(void *arg)
{
    (void)arg;
    kr_gil_thread *self = attach();
    s.counter++;
    detach(self);
    kri_add_rlx(&s.left, 1);
}

static void count_around_region(void *arg)
{
    (void)arg;
    kr_gil_thread *self = attach();
    s.counter++;
    kr_explore_check(kr_gil_release(self) == 0);
    kr_explore_check(kr_gil_acquire(self) == 0);
    s.counter++;
    detach(self);
}

static void await_asleep(int thread)
{
    while (!kr_explore_asleep(thread) && kri_load_rlx(&s.left) == 0)
        kr_explore_yield();
}

/* Two that come and go. */
SCENARIO(gil_two, .early = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_spawn(count_once, NULL);
    count_once(NULL);
    finish(2);
}

SCENARIO(gil_region, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_spawn(count_around_region, NULL);
    count_once(NULL);
    finish(3);
}

/* To one that sleeps, and back. */
SCENARIO(gil_handed, .early = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_gil_thread *self = attach();
    s.counter++;
    await_asleep(kr_explore_spawn(count_once, NULL));
    kr_explore_check(kr_gil_release(self) == 0);
    kr_explore_check(kr_gil_acquire(self) == 0);
    s.counter++;
    detach(self);
    finish(3);
}

/* Who is given it may be gone before he is woken. */
SCENARIO(gil_given_and_gone, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .spurious = 1,
         .preemptions = 1)
{
    fresh(KR_GIL_DEADLINE);
    kr_gil_thread *self = attach();
    await_asleep(kr_explore_spawn(count_once, NULL));
    detach(self);
    finish(1);
}

/* One that computes until the others have had it.  They are two, so that the one that keeps the
 * time may be the one that gets it. */
static void check_until(uint32_t left)
{
    kr_gil_thread *self = attach();
    s.counter++;
    while (kri_load_rlx(&s.left) < left) {
        kr_explore_check(kr_gil_check(self) == 0);
        kr_explore_check(kr_gil_held(self));
        kr_explore_yield();
    }
    s.counter++;
    detach(self);
}

SCENARIO(gil_asked, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_spawn(count_once, NULL);
    check_until(1);
    finish(3);
}

SCENARIO(gil_asked_by_two, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    check_until(2);
    finish(4);
}

/* The holder's slice is over whenever a visitor asks: the one behind the visitor is called. */
SCENARIO(gil_next_is_called, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_check(kr_gil_set_switch_interval(s.gil, 1) == 0);
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    check_until(2);
    finish(4);
}

/* One that has held more than its share, and one that comes: on one processor, where that asks at
 * once. */
SCENARIO(gil_early, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_check(kr_gil_set_switch_interval(s.gil, 1) == 0);
    kr_gil_thread *self = attach();
    self->key = kr_ms(1);
    kr_explore_spawn(count_once, NULL);
    while (kri_load_rlx(&s.left) == 0) {
        kr_explore_check(kr_gil_check(self) == 0);
        kr_explore_yield();
    }
    s.counter++;
    detach(self);
    finish(2);
}

/* Two wait; the one that keeps the time has had its turn, and the other one computes. */
static void count_and_check(void *arg)
{
    (void)arg;
    kr_gil_thread *self = attach();
    s.counter++;
    kri_add_rlx(&s.left, 1);
    while (kri_load_rlx(&s.done) == 0) {
        kr_explore_check(kr_gil_check(self) == 0);
        kr_explore_yield();
    }
    s.counter++;
    detach(self);
}

SCENARIO(gil_keeper_leaves, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh(KR_GIL_DEADLINE);
    kr_gil_thread *self = attach();
    int one = kr_explore_spawn(count_and_check, NULL);
    int two = kr_explore_spawn(count_and_check, NULL);
    while (!kr_explore_asleep(one) || !kr_explore_asleep(two))
        kr_explore_yield();
    kr_explore_check(kr_gil_release(self) == 0); /* to the first: the second one waits on */
    while (kri_load_rlx(&s.left) < 2)
        kr_explore_yield();
    kri_store_rlx(&s.done, 1);
    kr_explore_check(kr_gil_acquire(self) == 0);
    detach(self);
    finish(4);
}

/* A shutdown beside one that comes, and one that comes back from a region. */
static void come_back(void *arg)
{
    (void)arg;
    kr_gil_thread *self;
    int err = kr_gil_attach(s.gil, &self);
    if (err != 0) {
        kr_explore_check(err == KR_ESHUTDOWN);
        return;
    }
    s.counter++;
    kr_explore_check(kr_gil_release(self) == 0);
    err = kr_gil_acquire(self);
    kr_explore_check(err == 0 || err == KR_ESHUTDOWN);
    kr_explore_check(kr_gil_held(self) == (err == 0));
    if (err == 0)
        s.counter++;
    else
        kr_explore_check(kr_gil_check(self) == KR_ESHUTDOWN);
    detach(self);
}

static void shut_down(void)
{
    kr_explore_check(kr_gil_shutdown(s.gil) == 0);
    kr_gil_thread *self;
    kr_explore_check(kr_gil_attach(s.gil, &self) == KR_ESHUTDOWN);
    kr_explore_join_all();
    kr_explore_check(kr_gil_destroy(s.gil) == 0);
}

SCENARIO(gil_shutdown_beside_region, .early = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_spawn(come_back, NULL);
    shut_down();
}

SCENARIO(gil_shutdown_by_holder, .early = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_gil_thread *self = attach();
    kr_explore_spawn(come_back, NULL);
    kr_explore_check(kr_gil_shutdown(s.gil) == 0);
    kr_explore_check(kr_gil_held(self));
    kr_explore_check(kr_gil_check(self) == 0);
    s.counter++;
    detach(self);
    finish(1);
}

/* Two that come again: each owes what it has had, and not what the other one has. */
enum { HOUR = 3600 };

static void hold_long(kr_time time)
{
    kr_gil_thread *self = attach();
    kri_mutex_lock(&s.gil->lock);
    self->key += time;
    self->spent += time;
    kri_mutex_unlock(&s.gil->lock);
    detach(self);
}

static void come_again(kr_time owed)
{
    hold_long(owed);
    kr_gil_thread *self = attach();
    kri_mutex_lock(&s.gil->lock);
    kr_time debt = self->key + kr_gil_switch_interval(s.gil) - s.gil->clock;
    kr_time passed = s.gil->clock; /* from 0: who came later counts from there */
    kri_mutex_unlock(&s.gil->lock);
    kr_explore_check(debt + passed >= owed - kr_sec(HOUR));
    kr_explore_check(debt <= owed);
    detach(self);
}

static void come_again_with_more(void *arg)
{
    (void)arg;
    come_again(kr_sec(8 * HOUR));
}

SCENARIO(gil_debts, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_check(kr_gil_set_switch_interval(s.gil, kr_sec(HOUR)) == 0);
    kr_explore_spawn(come_again_with_more, NULL);
    come_again(kr_sec(4 * HOUR));
    finish(0);
}

/* What a fork would find at any moment: lists that are whole. */
static void look_as_a_fork(void)
{
    kri_gil_before_fork();
    unsigned attached = 0;
    unsigned waiting = 0;
    bool holder_known = kri_gil_holder(s.gil) == NULL;
    for (kr_gil_thread *t = s.gil->newest; t != NULL; t = t->older) {
        attached++;
        waiting += t->queued;
        holder_known = holder_known || t == kri_gil_holder(s.gil);
        kr_explore_check(t->older == NULL || t->older->newer == t);
    }
    kr_explore_check(attached == s.gil->attached);
    kr_explore_check(waiting == s.gil->waiting);
    kr_explore_check(holder_known);
    for (kr_gil_thread *t = s.gil->first; t != NULL; t = t->behind, waiting--)
        kr_explore_check(t->queued && t != kri_gil_holder(s.gil));
    kr_explore_check(waiting == 0);
    kri_gil_after_fork();
}

SCENARIO(gil_fork, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_spawn(count_around_region, NULL);
    look_as_a_fork();
    count_once(NULL);
    finish(3);
}

/* Pending calls and interrupts beside checks. */
static int call(void *arg)
{
    (void)arg;
    s.calls++;
    return 0;
}

static void compute(void *arg)
{
    (void)arg;
    kr_gil_thread *self = attach();
    int err = 0;
    s.other = self;
    kri_store_rel(&s.left, 1);
    while (err == 0) {
        err = kr_gil_check(self);
        kr_explore_yield();
    }
    kr_explore_check(err == -EINTR);
    kr_explore_check(s.calls == 1);
    detach(self);
}

SCENARIO(gil_told, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_DEADLINE);
    kr_explore_spawn(compute, NULL);
    while (kri_load_acq(&s.left) == 0)
        kr_explore_yield();
    kr_explore_check(kr_gil_add_pending_call(s.gil, NULL, call, NULL) == 0);
    kr_explore_check(kr_gil_interrupt(s.other, -EINTR) == 0);
    finish(0);
}

/* The policies where whoever comes first has it. */
SCENARIO(gil_barging, .early = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_INTERVAL);
    kr_explore_spawn(count_around_region, NULL);
    count_once(NULL);
    finish(3);
}

SCENARIO(gil_barging_two, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh(KR_GIL_INTERVAL);
    kr_gil_thread *self = attach();
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    detach(self);
    finish(2);
}

SCENARIO(gil_forced, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_INTERVAL);
    kr_explore_spawn(count_once, NULL);
    check_until(1);
    finish(3);
}

/* Who is asked drops it, and then one takes it who comes out of a region, who is asked as well: two
 * wait now until another has had it. */
static void come_when_it_is_asked(void *arg)
{
    (void)arg;
    kr_gil_thread *self = attach();
    kr_explore_check(kr_gil_release(self) == 0);
    kri_store_rlx(&s.done, 1);
    while (kri_load_rlx(&s.left) == 0 && !kr_explore_asleep(0)) {
        if (kri_load_rlx(&s.other->asked) & KRI_GIL_DROP)
            break;
        kr_explore_yield();
    }
    kr_explore_yield();
    kr_explore_check(kr_gil_acquire(self) == 0);
    while (kri_load_rlx(&s.left) == 0) {
        kr_explore_check(kr_gil_check(self) == 0);
        kr_explore_yield();
    }
    detach(self);
}

SCENARIO(gil_forced_twice, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh(KR_GIL_INTERVAL);
    s.other = attach();
    kr_explore_check(kr_gil_release(s.other) == 0);
    kr_explore_spawn(come_when_it_is_asked, NULL);
    while (kri_load_rlx(&s.done) == 0)
        kr_explore_yield();
    kr_explore_check(kr_gil_acquire(s.other) == 0);
    kr_explore_spawn(count_once, NULL);
    while (kri_load_rlx(&s.left) == 0) {
        kr_explore_check(kr_gil_check(s.other) == 0);
        kr_explore_yield();
    }
    kr_explore_check(kr_gil_release(s.other) == 0);
    kr_explore_join_all();
    detach(s.other);
    finish(1);
}

SCENARIO(gil_forced_and_shut_down, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE,
         .preemptions = 1)
{
    fresh(KR_GIL_INTERVAL);
    kr_gil_thread *self = attach();
    kr_explore_spawn(come_back, NULL);
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++) {
        err = kr_gil_check(self);
        kr_explore_yield();
    }
    kr_explore_check(err == 0);
    detach(self);
    shut_down();
}

/* The one that was called leaves without it: who yields to it must not wait for ever. */
static void shut_down_when_asleep(void *arg)
{
    (void)arg;
    while (!kr_explore_asleep(0) && kri_load_rlx(&s.done) == 0)
        kr_explore_yield();
    kr_explore_check(kr_gil_shutdown(s.gil) == 0);
}

static void come_back_and_say(void *arg)
{
    come_back(arg);
    kri_add_rlx(&s.left, 1);
}

SCENARIO(gil_yields_to_nobody, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .preemptions = 1)
{
    fresh(KR_GIL_INTERVAL);
    kr_gil_thread *self = attach();
    kr_explore_spawn(come_back_and_say, NULL);
    kr_explore_spawn(shut_down_when_asleep, NULL);
    int err = 0;
    while (err == 0 && kri_load_rlx(&s.left) == 0) {
        err = kr_gil_check(self);
        kr_explore_yield();
    }
    kr_explore_check(err == 0 || err == KR_ESHUTDOWN);
    kri_store_rlx(&s.done, 1);
    detach(self);
    kr_explore_join_all();
    kr_explore_check(kr_gil_destroy(s.gil) == 0);
}

SCENARIO(gil_ticks, .early = KR_EXPLORE_NONE)
{
    fresh(KR_GIL_TICKS);
    kr_explore_spawn(count_once, NULL);
    kr_gil_thread *self = attach();
    for (int i = 0; i < 2; i++) {
        s.counter++;
        kr_explore_check(kr_gil_check(self) == 0);
        kr_explore_check(kr_gil_held(self));
    }
    detach(self);
    finish(3);
}
