/* Cancel scopes with a time limit, and shields.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wait/each.h"

TEST(test_scope_timeout)
{
    waits_world *world = begin();

    for (int i = 0; i < WAITS_KINDS; i++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        kr_time start = kr_now();

        CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(50)), 0);
        CHECK_EQ(waits_kinds[i].wait(world, i % 2 == 0 ? KR_FOREVER : kr_sec(100)), -ECANCELED);
        CHECK_TIME(kr_now() - start, kr_ms(50));
        CHECK(kr_cancelled());
        CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
        CHECK_EQ(wait_each(world, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
        CHECK(!kr_cancelled());
    }
    waits_end(world);
}

/* The wait's own time is shorter: that is what it reports, and the scope was not cut. */
TEST(test_inner_timeout_is_shorter)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_sec(100)), 0);
    CHECK_EQ(wait_each(world, kr_ms(1)), -ETIMEDOUT);
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    waits_end(world);
}

TEST(test_no_time_at_all)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_NOWAIT), 0);
    CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    waits_end(world);
}

/* No wait was cut: the time ran out, and nobody needs to know. */
TEST(test_body_without_waits)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_time start = kr_now();

    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(1)), 0);
    while (kr_now() - start < kr_ms(2))
        continue;
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
}

TEST(test_body_in_time)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    kr_event_set(&world->event);
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_sec(100)), 0);
    CHECK_EQ(kr_event_wait(&world->event, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    waits_end(world);
}

/* The outer limit cuts a wait in the inner scope: each reports whose time it was. */
TEST(test_nested_timeouts)
{
    waits_world *world = begin();
    kr_cancel_scope outer = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&outer, kr_ms(20)), 0);
    CHECK_EQ(kr_cancel_scope_enter(&inner, kr_sec(100)), 0);
    CHECK_EQ(kr_event_wait(&world->event, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&inner), -ECANCELED);
    CHECK_EQ(kr_event_wait(&world->event, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&outer), -ETIMEDOUT);

    CHECK_EQ(kr_cancel_scope_enter(&outer, kr_sec(100)), 0);
    CHECK_EQ(kr_cancel_scope_enter(&inner, kr_ms(20)), 0);
    CHECK_EQ(kr_event_wait(&world->event, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&inner), -ETIMEDOUT);
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_event_wait(&world->event, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_exit(&outer), 0);
    waits_end(world);
}

/* A flag beats the clock. */
TEST(test_cancelled_and_out_of_time)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(1)), 0);
    CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
    kr_cancel(&scope);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    waits_end(world);
}

TEST(test_shield)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int rounds = 0;

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    kr_shield {
        CHECK(!kr_cancelled());
        CHECK_EQ(wait_each(world, kr_ms(1)), -ETIMEDOUT);
        rounds++;
    }
    CHECK_EQ(rounds, 1);
    CHECK(kr_cancelled());
    CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    waits_end(world);
}

TEST(test_shield_from_time)
{
    waits_world *world = begin();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_NOWAIT), 0);
    kr_shield {
        CHECK(!kr_cancelled());
        CHECK_EQ(wait_each(world, kr_ms(1)), -ETIMEDOUT);
    }
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    waits_end(world);
}

/* Scopes inside the shield work as ever. */
TEST(test_scope_inside_shield)
{
    waits_world *world = begin();
    kr_cancel_scope outer = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope timed = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&outer, KR_FOREVER), 0);
    kr_cancel(&outer);
    kr_shield {
        CHECK_EQ(kr_cancel_scope_enter(&inner, KR_FOREVER), 0);
        CHECK_EQ(wait_each(world, kr_us(10)), -ETIMEDOUT);
        kr_cancel(&inner);
        CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
        kr_shield
            CHECK_EQ(wait_each(world, kr_us(10)), -ETIMEDOUT);
        CHECK_EQ(kr_cancel_scope_exit(&inner), -ECANCELED);
        CHECK_EQ(kr_cancel_scope_enter(&timed, kr_ms(2)), 0);
        CHECK_EQ(wait_each(world, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_cancel_scope_exit(&timed), -ETIMEDOUT);
    }
    CHECK_EQ(kr_cancel_scope_exit(&outer), -ECANCELED);
    waits_end(world);
}

static int return_from_shield(void)
{
    kr_shield
        return kr_cancelled() ? 1 : 2;
    return 3;
}

TEST(test_shield_left_anyhow)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    kr_shield
        break;
    CHECK(kr_cancelled());
    CHECK_EQ(return_from_shield(), 2);
    CHECK(kr_cancelled());
    kr_shield
        goto out;
    CHECK(false);
out:
    CHECK(kr_cancelled());
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

/* A cancel that arrives while the runner waits inside its shield does not end that wait. */
typedef struct shielded {
    kr_cancel_scope scope;
    kr_event served;
    int inside;
    int after;
    int exit;
} shielded;

static void wait_shielded(void *arg, int index)
{
    shielded *s = arg;

    (void)index;
    CHECK_EQ(kr_cancel_scope_enter(&s->scope, KR_FOREVER), 0);
    kr_shield
        s->inside = kr_event_wait(&s->served, KR_FOREVER);
    kr_event_clear(&s->served);
    s->after = kr_event_wait(&s->served, KR_FOREVER);
    s->exit = kr_cancel_scope_exit(&s->scope);
}

TEST(test_cancel_while_in_shield)
{
    shielded *s;
    party_bunch *bunch;

    party_be(&party_threads);
    s = party_world(sizeof *s);
    bunch = party_start(1, wait_shielded, s);
    PARTY_AWAIT_PARKED(&s->served, 1);
    kr_cancel(&s->scope);
    PARTY_AWAIT_PARKED(&s->served, 1);
    CHECK_EQ(party_finished(bunch), 0);
    kr_event_set(&s->served);
    party_join(bunch);
    CHECK_EQ(s->inside, 0);
    CHECK_EQ(s->after, -ECANCELED);
    CHECK_EQ(s->exit, -ECANCELED);
    party_world_free(s, sizeof *s);
}

/* Runners below a scope of another, as members of a group are: its time cuts all their waits. */
typedef struct family {
    kr_cancel_scope root;
    kr_event never;
    int results[PARTY_MAX];
    int exits[PARTY_MAX];
} family;

static void wait_as_child(void *arg, int index)
{
    family *f = arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    self->scope = &f->root;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    f->results[index] = kr_event_wait(&f->never, KR_FOREVER);
    f->exits[index] = kr_cancel_scope_exit(&scope);
    self->scope = NULL;
}

TEST(test_time_of_a_scope_with_many_threads)
{
    enum { CHILDREN = 10 };

    party_be(&party_threads);
    for (int round = 0; round < 5; round++) {
        family *f = party_world(sizeof *f);

        CHECK_EQ(kr_cancel_scope_enter(&f->root, kr_ms(20)), 0);
        party_join(party_start(CHILDREN, wait_as_child, f));
        for (int i = 0; i < CHILDREN; i++) {
            CHECK_EQ(f->results[i], -ECANCELED);
            CHECK_EQ(f->exits[i], -ECANCELED);
        }
        CHECK_EQ(kr_cancel_scope_exit(&f->root), -ETIMEDOUT);
        party_world_free(f, sizeof *f);
    }
}
