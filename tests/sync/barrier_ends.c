/* How waits at a barrier end that are not met by enough others.
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

static void meet(void *arg, int index)
{
    barrier_world *world = arg;

    world->results[index] = kr_barrier_wait(&world->barrier, world->timeout);
    kri_add_acq_rel(world->results[index] < 0 ? &world->broken : &world->passed, 1);
}

static void check_broken(const barrier_world *world, unsigned broken, unsigned passed)
{
    CHECK_EQ(kri_load_acq(&world->broken), broken);
    CHECK_EQ(kri_load_acq(&world->passed), passed);
}

static void await_waiting(kr_barrier *barrier, unsigned count)
{
    while (kr_barrier_n_waiting(barrier) != count)
        party_nap();
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
