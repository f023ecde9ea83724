/* The parties that other tests lean on: what they share, where they sleep, how they end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party.h"

#include <signal.h>
#include <unistd.h>

enum { PARTIES = 5 };

typedef struct party_test_world {
    kr_word word;
    kr_word other;
    kr_word seen;
    int results[PARTY_MAX];
} party_test_world;

static unsigned scope_flag(void)
{
    return party_scope() == KR_SHARED ? KRI_SHARED : 0;
}

/* A shared wait may end for nothing. */
static void sleep_on(kr_word *word)
{
    while (kri_load_acq(word) == 0)
        kri_wait(word, 0, KRI_NEVER, scope_flag());
}

static void wake_all(kr_word *word)
{
    kri_store_sc(word, 1);
    kri_wake(word, KRI_ALL, scope_flag());
}

static void sleep_and_tell(void *arg, int index)
{
    party_test_world *world = arg;
    kri_add_acq_rel(&world->seen, 1);
    sleep_on(index < 2 ? &world->other : &world->word);
    world->results[index] = index + 100;
}

static void check_parties(void)
{
    party_test_world *world = party_world(sizeof *world);
    CHECK_EQ(world->results[0], 0);
    party_bunch *bunch = party_start(PARTIES, sleep_and_tell, world);
    party_await_count(&world->seen, PARTIES);
    party_await_asleep(PARTIES);
    PARTY_AWAIT_PARKED(&world->word, PARTIES - 2);
    PARTY_AWAIT_PARKED(&world->other, 2);
    PARTY_AWAIT_PARKED(world, PARTIES);
    CHECK_EQ(party_parked(world->results, sizeof world->results), 0);
    CHECK_EQ(party_finished(bunch), 0);
    wake_all(&world->other);
    party_await_finished(bunch, 2);
    PARTY_AWAIT_PARKED(world, PARTIES - 2);
    party_await_asleep(PARTIES - 2);
    wake_all(&world->word);
    party_join(bunch);
    CHECK_EQ(party_asleep(), 0);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(world->results[i], i + 100);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test_sleep_and_results)
{
    check_parties();
}

PARTY_CASE(test_sleep_and_results, runners)

PARTY_TEST_OF(test_mixed, mixed)
{
    check_parties();
}

static void who_am_i(void *arg, int index)
{
    party_test_world *world = arg;
    world->results[index] = (int)getpid();
}

PARTY_TEST_OF(test_processes_are_others, processes)
{
    party_test_world *world = party_world(sizeof *world);
    party_join(party_start(2, who_am_i, world));
    CHECK_NE(world->results[0], getpid());
    CHECK_NE(world->results[0], world->results[1]);
    party_world_free(world, sizeof *world);
}

PARTY_TEST_OF(test_kill, processes)
{
    party_test_world *world = party_world(sizeof *world);
    party_bunch *bunch = party_start(PARTIES, sleep_and_tell, world);
    party_await_asleep(PARTIES);
    party_kill(bunch, 0);
    party_kill(bunch, 4);
    party_await_asleep(PARTIES - 2);
    wake_all(&world->word);
    wake_all(&world->other);
    party_join(bunch);
    CHECK_EQ(world->results[0], 0);
    CHECK_EQ(world->results[1], 101);
    party_world_free(world, sizeof *world);
}
