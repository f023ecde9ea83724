/* Cancel scopes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "wait/each.h"

TEST(test_enter_and_exit)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope zero;

    memset(&zero, 0, sizeof zero);
    CHECK(!kr_cancelled());
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        CHECK(!kr_cancelled());
        CHECK(!kr_cancel_scope_cancelled(&scope));
        CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    }
    CHECK_EQ(kr_cancel_scope_enter(&zero, kr_sec(100)), 0);
    CHECK_EQ(kr_cancel_scope_exit(&zero), 0);
}

TEST(test_misuse)
{
    kr_cancel_scope outer = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_exit(&outer), -EINVAL);
    CHECK_EQ(kr_cancel_scope_enter(&outer, -1), -EINVAL);
    CHECK_EQ(kr_cancel_scope_enter(&outer, INT64_MIN), -EINVAL);
    CHECK_EQ(kr_cancel_scope_exit(&outer), -EINVAL);
    CHECK_EQ(kr_cancel_scope_enter(&outer, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_scope_enter(&outer, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_cancel_scope_enter(&inner, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_scope_exit(&outer), -EINVAL);
    CHECK_EQ(kr_cancel_scope_exit(&inner), 0);
    CHECK_EQ(kr_cancel_scope_exit(&inner), -EINVAL);
    CHECK_EQ(kr_cancel_scope_exit(&outer), 0);
}

/* A scope is its runner's: another thread cannot leave it. */
static void leave_for_another(void *arg, int index)
{
    (void)index;
    CHECK_EQ(kr_cancel_scope_exit(arg), -EINVAL);
}

TEST(test_exit_by_another_thread)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    party_be(&party_threads);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    party_join(party_start(1, leave_for_another, &scope));
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
}

TEST(test_every_wait_again_and_again)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(wait_each(world, kr_us(10)), -ETIMEDOUT);
    kr_cancel(&scope);
    kr_cancel(&scope);
    CHECK(kr_cancelled());
    CHECK(kr_cancel_scope_cancelled(&scope));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
        CHECK_EQ(wait_each(world, kr_sec(100)), -ECANCELED);
    }
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK(!kr_cancelled());
    CHECK_EQ(wait_each(world, kr_us(10)), -ETIMEDOUT);
    waits_end(world);
}

TEST(test_cancelled_before_enter)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    kr_cancel(&scope);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        CHECK(kr_cancelled());
        CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    }
    waits_end(world);
}

/* Trying once is no wait. */
TEST(test_nowait_is_not_affected)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(wait_each(world, KR_NOWAIT), -ETIMEDOUT);
    for (int i = 0; i < WAITS_KINDS; i++) {
        if (waits_kinds[i].wait == waits_condition)
            continue;
        waits_kinds[i].serve(world);
        CHECK_EQ(waits_kinds[i].wait(world, KR_NOWAIT), 0);
    }
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    waits_end(world);
}

/* kr_with is not ended by a cancel: its block always runs with the lock held. */
static void hold_with(void *arg, int index)
{
    waits_world *world = arg;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    (void)index;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    kr_with (&world->lock)
        world->result = 1;
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

TEST(test_with_is_not_affected)
{
    waits_world *world = begin();
    party_bunch *bunch = party_start(1, hold_with, world);

    PARTY_AWAIT_PARKED(&world->lock, 1);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    party_join(bunch);
    CHECK_EQ(world->result, 1);
    CHECK(!kr_lock_locked(&world->lock));
    waits_end(world);
}

typedef struct victim {
    waits_world *world;
    const waits_kind *kind;
    kr_cancel_scope scope;
    int exit;
} victim;

static void wait_in_scope(void *arg, int index)
{
    victim *v = arg;

    (void)index;
    CHECK_EQ(kr_cancel_scope_enter(&v->scope, KR_FOREVER), 0);
    waits_announce(v->world);
    v->world->result = v->kind->wait(v->world, v->world->timeout);
    v->exit = kr_cancel_scope_exit(&v->scope);
}

static void check_cancel_from_outside(const waits_kind *kind, kr_time timeout)
{
    waits_world *world = begin();
    victim *v = party_world(sizeof *v);
    party_bunch *bunch;

    v->world = world;
    v->kind = kind;
    world->timeout = timeout;
    bunch = party_start(1, wait_in_scope, v);
    waits_await_asleep(kind, world);
    CHECK_EQ(party_finished(bunch), 0);
    kr_cancel(&v->scope);
    party_join(bunch);
    CHECK_EQ(world->result, -ECANCELED);
    CHECK_EQ(v->exit, -ECANCELED);
    if (kind->word != NULL)
        CHECK_EQ(kri_waiting(kind->word(world)), 0);
    if (kind->wait == waits_condition)
        CHECK(world->condition_held);
    party_world_free(v, sizeof *v);
    waits_end(world);
}

TEST(test_cancel_from_another_thread)
{
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < WAITS_KINDS; i++)
            check_cancel_from_outside(&waits_kinds[i], round % 2 == 0 ? KR_FOREVER : kr_sec(100));
}

/* Who was served returns what it got, whatever comes after; the next wait sees the cancel. */
TEST(test_served_then_cancelled)
{
    for (int i = 0; i < WAITS_KINDS; i++) {
        waits_world *world = begin();
        victim *v = party_world(sizeof *v);
        party_bunch *bunch;

        v->world = world;
        v->kind = &waits_kinds[i];
        world->timeout = KR_FOREVER;
        bunch = party_start(1, wait_in_scope, v);
        waits_await_asleep(v->kind, world);
        v->kind->serve(world);
        kr_cancel(&v->scope);
        party_join(bunch);
        CHECK_EQ(world->result, 0);
        party_world_free(v, sizeof *v);
        waits_end(world);
    }
}

TEST(test_nesting)
{
    waits_world *world = begin();
    kr_cancel_scope scopes[3] = {KR_CANCEL_SCOPE_INIT, KR_CANCEL_SCOPE_INIT, KR_CANCEL_SCOPE_INIT};

    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_cancel_scope_enter(&scopes[i], KR_FOREVER), 0);
    kr_cancel(&scopes[1]);
    CHECK(kr_cancel_scope_cancelled(&scopes[2]));
    CHECK(!kr_cancel_scope_cancelled(&scopes[0]));
    CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scopes[2]), -ECANCELED);
    CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scopes[1]), -ECANCELED);
    CHECK_EQ(wait_each(world, kr_us(10)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_exit(&scopes[0]), 0);
    waits_end(world);
}

/* A scope that is entered inside a cancelled one is cancelled from the start. */
TEST(test_entered_inside_cancelled)
{
    waits_world *world = begin();
    kr_cancel_scope outer = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&outer, KR_FOREVER), 0);
    kr_cancel(&outer);
    CHECK_EQ(kr_cancel_scope_enter(&inner, kr_sec(100)), 0);
    CHECK(kr_cancelled());
    CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&inner), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&outer), -ECANCELED);
    waits_end(world);
}

TEST(test_a_thousand_deep)
{
    enum { DEPTH = 1000, AT = 300 };
    static kr_cancel_scope scopes[DEPTH];
    waits_world *world = begin();

    for (int i = 0; i < DEPTH; i++)
        CHECK_EQ(kr_cancel_scope_enter(&scopes[i], i % 7 == 0 ? kr_sec(100) : KR_FOREVER), 0);
    CHECK(!kr_cancelled());
    kr_cancel(&scopes[AT]);
    CHECK(kr_cancelled());
    CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
    for (int i = DEPTH - 1; i >= 0; i--)
        CHECK_EQ(kr_cancel_scope_exit(&scopes[i]), i >= AT ? -ECANCELED : 0);
    waits_end(world);
}

/* Cancelled too late: what the runner does next is not hit. */
TEST(test_late_cancel)
{
    waits_world *world = begin();
    kr_cancel_scope first = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope second = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&first, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_scope_exit(&first), 0);
    CHECK_EQ(kr_cancel_scope_enter(&second, KR_FOREVER), 0);
    kr_cancel(&first);
    CHECK(!kr_cancelled());
    CHECK_EQ(wait_each(world, kr_us(10)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_exit(&second), 0);
    waits_end(world);
}

/* A runner adopted by a scope of another, as a group does with its members. */
typedef struct family {
    kr_cancel_scope root;
    kr_event never;
    kr_word entered;
    int results[PARTY_MAX];
    int exits[PARTY_MAX];
} family;

static void wait_as_child(void *arg, int index)
{
    family *f = arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;

    self->scope = &f->root;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_scope_enter(&inner, KR_FOREVER), 0);
    kri_add_acq_rel(&f->entered, 1);
    f->results[index] = kr_event_wait(&f->never, KR_FOREVER);
    CHECK_EQ(kr_cancel_scope_exit(&inner), -ECANCELED);
    f->exits[index] = kr_cancel_scope_exit(&scope);
    self->scope = NULL;
}

/* Half of the rounds cancel while children still enter. */
TEST(test_many_threads_below_one_scope)
{
    enum { CHILDREN = 20 };

    const int rounds = KRI_VALGRIND ? 4 : 20;
    party_be(&party_threads);
    for (int round = 0; round < rounds; round++) {
        family *f = party_world(sizeof *f);
        party_bunch *bunch;

        CHECK_EQ(kr_cancel_scope_enter(&f->root, KR_FOREVER), 0);
        bunch = party_start(CHILDREN, wait_as_child, f);
        if (round % 2 == 0)
            PARTY_AWAIT_PARKED(&f->never, CHILDREN);
        else
            party_await_count(&f->entered, CHILDREN / 2);
        kr_cancel(&f->root);
        party_join(bunch);
        for (int i = 0; i < CHILDREN; i++) {
            CHECK_EQ(f->results[i], -ECANCELED);
            CHECK_EQ(f->exits[i], -ECANCELED);
        }
        CHECK_EQ(kr_cancel_scope_exit(&f->root), -ECANCELED);
        party_world_free(f, sizeof *f);
    }
}

/* Children come and go below one scope, while another thread cancels them one by one; none of the
 * siblings is hit. */
typedef struct crowd {
    kr_cancel_scope root;
    kri_pointer target[3];
    kr_word pins[3]; /* 1: the canceller may be at the child's scope */
    kr_word stop;
    kr_time end;
} crowd;

static void come_and_go(void *arg, int index)
{
    crowd *c = arg;
    kri_party *self = kri_party_self();

    self->scope = &c->root;
    while (kr_now() < c->end) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        kr_event never = KR_EVENT_INIT;

        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        kri_store_rel_ptr(&c->target[index], &scope);
        CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
        CHECK(kri_load_acq_ptr(&c->target[index]) == NULL);
        while (kri_load_acq(&c->pins[index]) != 0)
            sched_yield();
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    }
    self->scope = NULL;
}

static void cancel_one_by_one(void *arg, int index)
{
    crowd *c = arg;
    uint64_t random = party_random_start(index);

    while (kri_load_acq(&c->stop) == 0) {
        unsigned which = party_random_below(&random, 3);
        kr_cancel_scope *scope;

        kri_store_rel(&c->pins[which], 1);
        scope = kri_swap_acq_rel_ptr(&c->target[which], NULL);
        if (scope != NULL)
            kr_cancel(scope);
        kri_store_rel(&c->pins[which], 0);
    }
}

TEST(test_siblings_cancelled_one_by_one)
{
    crowd *c;
    party_bunch *children;
    party_bunch *canceller;

    party_be(&party_threads);
    c = party_world(sizeof *c);
    c->end = kr_now() + party_budget() / 2;
    CHECK_EQ(kr_cancel_scope_enter(&c->root, KR_FOREVER), 0);
    canceller = party_start(1, cancel_one_by_one, c);
    children = party_start(3, come_and_go, c);
    party_join(children);
    kri_store_rel(&c->stop, 1);
    party_join(canceller);
    CHECK_EQ(kr_cancel_scope_exit(&c->root), 0);
    party_world_free(c, sizeof *c);
}

/* Any runner may ask about a scope, while its own enters and leaves it. */
typedef struct watched {
    kr_cancel_scope scope;
    kr_word stop;
} watched;

static void watch(void *arg, int index)
{
    watched *w = arg;

    (void)index;
    while (kri_load_acq(&w->stop) == 0)
        CHECK(!kr_cancel_scope_cancelled(&w->scope));
}

TEST(test_asked_from_another_thread)
{
    waits_world *world = begin();
    watched *w = party_world(sizeof *w);
    party_bunch *bunch = party_start(2, watch, w);

    for (int i = 0; i < 300; i++) {
        CHECK_EQ(kr_cancel_scope_enter(&w->scope, i % 2 == 0 ? kr_sec(100) : KR_FOREVER), 0);
        CHECK_EQ(kr_event_wait(&world->event, kr_us(10)), -ETIMEDOUT);
        CHECK_EQ(kr_cancel_scope_exit(&w->scope), 0);
    }
    kri_store_rel(&w->stop, 1);
    party_join(bunch);
    kr_cancel(&w->scope);
    CHECK(kr_cancel_scope_cancelled(&w->scope));
    party_world_free(w, sizeof *w);
    waits_end(world);
}
