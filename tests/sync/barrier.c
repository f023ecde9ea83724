/* The barrier as CPython's tests see it.
 *
 * Behaviours: sections 6 and 12.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"
#include <signal.h>

enum { PARTIES = 5, PLACES = 3, ROUNDS = 500 };

typedef struct barrier_world {
    kr_barrier barrier;
    kr_barrier second;
    kr_cancel_scope scope; /* of threads only */
    kr_time timeout;
    int passes;
    kr_word before;
    kr_word after;
    kr_word actions;
    kr_word broken;
    kr_word passed;
    kr_word places[8];
    int results[PARTY_MAX];
} barrier_world;

static barrier_world *world_create(void)
{
    barrier_world *world = party_world(sizeof *world);

    make_barrier(&world->barrier, PARTIES, 0);
    make_barrier(&world->second, PARTIES, 0);
    world->timeout = KR_FOREVER;
    return world;
}

static void world_free(barrier_world *world)
{
    party_world_free(world, sizeof *world);
}

/* All parties of the test but the test's own thread, which does the same. */
static void run(party_body body, barrier_world *world)
{
    party_bunch *bunch = party_start(PARTIES - 1, body, world);

    body(world, PARTIES - 1);
    party_join(bunch);
}

/* behaviour: 13.1 test_barrier_parties */
TEST(test_constructor)
{
    kr_barrier barrier, zero;
    kr_holder holders[2];

    CHECK_EQ(kr_barrier_init(&barrier, 0, NULL), -EINVAL);
    CHECK_EQ(kr_barrier_init(&barrier, -1, NULL), -EINVAL);
    CHECK_EQ(kr_barrier_init(&barrier, INT64_MIN, NULL), -EINVAL);
    CHECK_EQ(kr_barrier_init(&barrier, (int64_t)KR_BARRIER_MAX + 1, NULL), -EINVAL);
    CHECK_EQ(kr_barrier_init(&barrier, 2, &(kr_barrier_options){.timeout = -1}), -EINVAL);
    CHECK_EQ(kr_barrier_init(&barrier, 2, &(kr_barrier_options){.scope = (kr_scope)2}), -EINVAL);
    CHECK_EQ(kr_barrier_init(&barrier, 2, &(kr_barrier_options){.reserved = {0, 0, 0, 1}}),
             -EINVAL);
    CHECK_EQ(
        kr_barrier_init(&barrier, 2, &(kr_barrier_options){.holders = holders, .holder_count = 2}),
        -EINVAL);
    CHECK_EQ(
        kr_barrier_init(&barrier, 2, &(kr_barrier_options){.scope = KR_SHARED, .holders = holders}),
        -EINVAL);
    CHECK_EQ(
        kr_barrier_init(&barrier, 2, &(kr_barrier_options){.scope = KR_SHARED, .holder_count = 2}),
        -EINVAL);
    CHECK_EQ(kr_barrier_init(&barrier, 7, NULL), 0);
    CHECK_EQ(kr_barrier_parties(&barrier), 7);
    CHECK_EQ(kr_barrier_n_waiting(&barrier), 0);
    CHECK(!kr_barrier_broken(&barrier));
    CHECK_EQ(kr_barrier_wait(&barrier, -1), -EINVAL);
    CHECK_EQ(kr_barrier_n_waiting(&barrier), 0);
    memset(&zero, 0, sizeof zero);
    CHECK_EQ(kr_barrier_wait(&zero, KR_FOREVER), -EINVAL);
}

static void pass(void *arg, int index)
{
    barrier_world *world = arg;

    (void)index;
    for (int i = 0; i < world->passes; i++) {
        CHECK_EQ(kri_load_acq(&world->after), i * PARTIES);
        kri_add_acq_rel(&world->before, 1);
        CHECK_GE(kr_barrier_wait(&world->barrier, KR_FOREVER), 0);
        CHECK_EQ(kri_load_acq(&world->before), (i + 1) * PARTIES);
        kri_add_acq_rel(&world->after, 1);
        CHECK_GE(kr_barrier_wait(&world->barrier, KR_FOREVER), 0);
    }
}

static void check_passes(int passes)
{
    barrier_world *world = world_create();

    world->passes = passes;
    run(pass, world);
    CHECK_EQ(kri_load_acq(&world->after), passes * PARTIES);
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 0);
    CHECK(!kr_barrier_broken(&world->barrier));
    world_free(world);
}

/* behaviour: 13.1 test_barrier */
PARTY_TEST(test_barrier)
{
    check_passes(1);
}

/* behaviour: 12.4 test_10 */
PARTY_TEST(test_barrier_10)
{
    check_passes(10);
}

PARTY_CASE(test_barrier_10, runners)

PARTY_TEST(test_thousand)
{
    check_passes(1000);
}

/* Processes, and threads of one of them. */
PARTY_CASE(test_barrier_10, mixed)

static void meet(void *arg, int index)
{
    barrier_world *world = arg;

    world->results[index] = kr_barrier_wait(&world->barrier, world->timeout);
    kri_add_acq_rel(world->results[index] < 0 ? &world->broken : &world->passed, 1);
}

/* behaviour: 13.1 test_filling_tasks_check_return_value */
PARTY_TEST(test_wait_return)
{
    barrier_world *world = world_create();

    for (int round = 0; round < 20; round++) {
        unsigned seen = 0;

        run(meet, world);
        for (int i = 0; i < PARTIES; i++) {
            CHECK_GE(world->results[i], 0);
            seen |= 1u << world->results[i];
        }
        CHECK_EQ(seen, (1u << PARTIES) - 1);
    }
    world_free(world);
}

static int act(void *arg)
{
    barrier_world *world = arg;

    CHECK_EQ(kri_load_acq(&world->passed), 0);
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), PARTIES);
    kri_add_acq_rel(&world->actions, 1);
    return 7; /* no failure, and no result of the wait */
}

static void meet_and_act(void *arg, int index)
{
    barrier_world *world = arg;

    world->results[index] = kr_barrier_wait_action(&world->barrier, act, world, KR_FOREVER);
    kri_add_acq_rel(&world->passed, 1);
    CHECK_EQ(kri_load_acq(&world->actions), 1);
}

PARTY_TEST(test_action)
{
    barrier_world *world = world_create();

    run(meet_and_act, world);
    CHECK_EQ(kri_load_acq(&world->actions), 1);
    for (int i = 0; i < PARTIES; i++) {
        CHECK_GE(world->results[i], 0);
        CHECK_LE(world->results[i], PARTIES - 1);
    }
    world_free(world);
}

static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

static void meet_and_fail(void *arg, int index)
{
    barrier_world *world = arg;

    world->results[index] = kr_barrier_wait_action(&world->barrier, fail, NULL, KR_FOREVER);
}

/* Documented, not tested there: a failing action breaks the barrier. */
PARTY_TEST(test_action_fails)
{
    barrier_world *world = world_create();
    int failed = 0;

    run(meet_and_fail, world);
    for (int i = 0; i < PARTIES; i++) {
        CHECK(world->results[i] == -EIO || world->results[i] == KR_EBROKEN);
        failed += world->results[i] == -EIO;
    }
    CHECK_EQ(failed, 1);
    CHECK(kr_barrier_broken(&world->barrier));
    world_free(world);
}

static void check_broken(const barrier_world *world, unsigned broken, unsigned passed)
{
    CHECK_EQ(kri_load_acq(&world->broken), broken);
    CHECK_EQ(kri_load_acq(&world->passed), passed);
}

static void abort_or_meet(void *arg, int index)
{
    barrier_world *world = arg;

    if (index == PARTIES - 1)
        CHECK_EQ(kr_barrier_abort(&world->barrier), 0);
    else
        meet(arg, index);
}

PARTY_TEST(test_abort)
{
    barrier_world *world = world_create();

    run(abort_or_meet, world);
    check_broken(world, PARTIES - 1, 0);
    CHECK(kr_barrier_broken(&world->barrier));
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 0);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_FOREVER), KR_EBROKEN);
    world_free(world);
}

PARTY_CASE(test_abort, runners)

static void await_waiting(kr_barrier *barrier, unsigned count)
{
    while (kr_barrier_n_waiting(barrier) != count)
        party_nap();
}

/* behaviour: 13.1 test_reset_barrier */
PARTY_TEST(test_reset)
{
    barrier_world *world = world_create();
    party_bunch *bunch = party_start(PARTIES - 1, meet, world);

    await_waiting(&world->barrier, PARTIES - 1);
    CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
    party_join(bunch);
    check_broken(world, PARTIES - 1, 0);
    CHECK(!kr_barrier_broken(&world->barrier));
    run(meet, world);
    check_broken(world, PARTIES - 1, PARTIES);
    world_free(world);
}

PARTY_CASE(test_reset, runners)

/* Broken, and made whole by one of them while all others stand at another barrier. */
static void break_mend_meet(void *arg, int index)
{
    barrier_world *world = arg;

    abort_or_meet(arg, index);
    int place = kr_barrier_wait(&world->second, KR_FOREVER);
    CHECK_GE(place, 0);
    if (place == PARTIES / 2)
        CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
    CHECK_GE(kr_barrier_wait(&world->second, KR_FOREVER), 0);
    CHECK_GE(kr_barrier_wait(&world->barrier, KR_FOREVER), 0);
    kri_add_acq_rel(&world->after, 1);
}

PARTY_TEST(test_abort_and_reset)
{
    barrier_world *world = world_create();

    run(break_mend_meet, world);
    check_broken(world, PARTIES - 1, 0);
    CHECK_EQ(kri_load_acq(&world->after), PARTIES);
    world_free(world);
}

PARTY_CASE(test_abort_and_reset, runners)

/* One comes later than the others' time-out. */
static void come_late(void *arg, int index)
{
    barrier_world *world = arg;

    while (index == PARTIES - 1 && !kr_barrier_broken(&world->barrier))
        party_nap();
    meet(arg, index);
    CHECK_EQ(world->results[index], KR_EBROKEN);
}

PARTY_TEST(test_timeout)
{
    barrier_world *world = world_create();
    kr_time start = kr_now();

    world->timeout = kr_ms(500);
    run(come_late, world);
    CHECK_TIME(kr_now() - start, kr_ms(500));
    check_broken(world, PARTIES, 0);
    world_free(world);
}

PARTY_TEST(test_default_timeout)
{
    barrier_world *world = world_create();
    kr_time start = kr_now();

    make_barrier(&world->barrier, PARTIES, kr_ms(300));
    run(come_late, world);
    CHECK_TIME(kr_now() - start, kr_ms(300));
    check_broken(world, PARTIES, 0);
    world_free(world);
}

/* A time-out of the wait's own goes before that of the barrier. */
PARTY_TEST(test_own_timeout)
{
    barrier_world *world = world_create();

    make_barrier(&world->barrier, PARTIES, kr_ms(1));
    world->timeout = kr_sec(300);
    run(meet, world);
    check_broken(world, 0, PARTIES);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_NOWAIT), KR_EBROKEN);
    CHECK(kr_barrier_broken(&world->barrier));
    world_free(world);
}

/* behaviours: 13.1 test_filling_one_task, test_filling_one_task_twice */
PARTY_TEST(test_single_thread)
{
    barrier_world *world = party_world(sizeof *world);

    make_barrier(&world->barrier, 1, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_barrier_wait(&world->barrier, KR_FOREVER), 0);
        CHECK_EQ(kr_barrier_wait(&world->barrier, KR_NOWAIT), 0);
    }
    world_free(world);
}

static void meet_in_scope(void *arg, int index)
{
    barrier_world *world = arg;

    if (index != 0) {
        meet(arg, index);
        return;
    }
    CHECK_EQ(kr_cancel_scope_enter(&world->scope, KR_FOREVER), 0);
    meet(arg, index);
    CHECK_EQ(kr_cancel_scope_exit(&world->scope), -ECANCELED);
}

/* A cancelled party breaks it for the others. */
PARTY_TEST_OF(test_cancel, threads)
{
    barrier_world *world = world_create();
    party_bunch *bunch = party_start(PARTIES - 1, meet_in_scope, world);

    await_waiting(&world->barrier, PARTIES - 1);
    kr_cancel(&world->scope);
    party_join(bunch);
    CHECK_EQ(world->results[0], -ECANCELED);
    for (int i = 1; i < PARTIES - 1; i++)
        CHECK_EQ(world->results[i], KR_EBROKEN);
    CHECK(kr_barrier_broken(&world->barrier));
    world_free(world);
}

PARTY_CASE(test_cancel, coroutines)
PARTY_CASE(test_cancel, runners)

static void ignore(int signo)
{
    (void)signo;
}

/* Signals neither end nor lengthen a wait. */
PARTY_TEST(test_deadline_across_signals)
{
    barrier_world *world = world_create();
    kr_time start = kr_now();

    CHECK_EQ(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = ignore}, NULL), 0);
    world->timeout = kr_ms(500);
    party_bunch *bunch = party_start(1, meet, world);
    await_waiting(&world->barrier, 1);
    while (party_finished(bunch) == 0) {
        party_interrupt(bunch, 0, SIGUSR1);
        party_nap();
    }
    party_join(bunch);
    CHECK_TIME(kr_now() - start, kr_ms(500));
    check_broken(world, 1, 0);
    world_free(world);
}

/* More parties than the barrier has places: whoever is late to leave a round finds others gone by.
 * Each round has each place once. */
static void meet_often(void *arg, int index)
{
    barrier_world *world = arg;

    (void)index;
    while (kri_add_acq_rel(&world->before, 1) < PLACES * ROUNDS) {
        int place = kr_barrier_wait(&world->barrier, KR_FOREVER);
        CHECK_GE(place, 0);
        kri_add_acq_rel(&world->places[place], 1);
    }
}

PARTY_TEST(test_more_than_its_parties)
{
    barrier_world *world = world_create();

    make_barrier(&world->barrier, PLACES, 0);
    party_join(party_start(PLACES * 2, meet_often, world));
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(kri_load_acq(&world->places[i]), ROUNDS);
    CHECK(!kr_barrier_broken(&world->barrier));
    world_free(world);
}

/* A surplus party comes while the action of a full round runs, and has no more time or is
 * cancelled: it has not arrived, and that round is not its own to break. */
static int act_until_told(void *arg)
{
    barrier_world *world = arg;

    kri_store_rel(&world->actions, 1);
    party_await_count(&world->after, 1);
    return 0;
}

static void meet_and_act_until_told(void *arg, int index)
{
    barrier_world *world = arg;

    world->results[index] =
        kr_barrier_wait_action(&world->barrier, act_until_told, world, KR_FOREVER);
}

PARTY_TEST(test_surplus_gives_up_alone)
{
    barrier_world *world = world_create();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    make_barrier(&world->barrier, 2, 0);
    party_bunch *bunch = party_start(2, meet_and_act_until_told, world);
    party_await_count(&world->actions, 1);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_barrier_wait(&world->barrier, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK(!kr_barrier_broken(&world->barrier));
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 2);
    kri_store_rel(&world->after, 1);
    party_join(bunch);
    CHECK_EQ(world->results[0] + world->results[1], 1);
    CHECK(!kr_barrier_broken(&world->barrier));
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 0);
    world_free(world);
}
