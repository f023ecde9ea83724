/* The lock under stress, and that nobody starves for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/party.h"

typedef struct stress_world {
    kr_lock lock;
    kr_word stop;
    kr_time end;
    uint64_t count; /* guarded by the lock, on purpose not atomic */
    kr_word rounds; /* of those who hold it long */
    uint64_t mine[PARTY_MAX];
    uint64_t refused[PARTY_MAX];
    uint64_t wrong[PARTY_MAX];
} stress_world;

static int acquire_somehow(kr_lock *lock, uint64_t *random)
{
    switch (party_random_below(random, 4)) {
    case 0:
        return kr_lock_acquire(lock, KR_NOWAIT);
    case 1:
        return kr_lock_acquire(lock, kr_us(party_random_below(random, 200)));
    default:
        return kr_lock_acquire(lock, KR_FOREVER);
    }
}

static void count_for_a_while(void *arg, int index)
{
    stress_world *world = arg;
    uint64_t random = party_random_start(index);

    while (kr_now() < world->end) {
        int err = acquire_somehow(&world->lock, &random);

        if (err == 0) {
            world->count++;
            world->mine[index]++;
            if (kr_lock_release(&world->lock) != 0)
                world->wrong[index]++;
        } else if (err == -ETIMEDOUT) {
            world->refused[index]++;
        } else {
            world->wrong[index]++;
        }
    }
}

PARTY_TEST(test_counter)
{
    enum { PARTIES = 4 };
    stress_world *world = party_world(sizeof *world);
    uint64_t sum = 0;
    uint64_t refused = 0;

    world->end = kr_now() + party_budget();
    party_join(party_start(PARTIES, count_for_a_while, world));
    for (int i = 0; i < PARTIES; i++) {
        CHECK_EQ(world->wrong[i], 0);
        CHECK_GE(world->mine[i], 1);
        sum += world->mine[i];
        refused += world->refused[i];
    }
    CHECK_EQ(world->count, sum);
    CHECK(!kr_lock_locked(&world->lock));
    CHECK_EQ(kri_waiting(&world->lock.word), 0);
    kri_test_note("%llu acquired, %llu refused", (unsigned long long)sum,
                  (unsigned long long)refused);
    party_world_free(world, sizeof *world);
}

/* Holds the lock nearly all the time: a moment after the release it has it again. */
static void hold_long(void *arg, int index)
{
    stress_world *world = arg;

    while (kri_load_acq(&world->stop) == 0) {
        kr_time until;

        if (kr_lock_acquire(&world->lock, KR_FOREVER) != 0)
            world->wrong[index]++;
        kri_add_acq_rel(&world->rounds, 1);
        until = kr_now() + kr_us(200);
        while (kr_now() < until)
            continue;
        if (kr_lock_release(&world->lock) != 0)
            world->wrong[index]++;
    }
}

static uint32_t await_rounds(stress_world *world, uint32_t more)
{
    uint32_t start = kri_load_acq(&world->rounds);

    while (kri_load_acq(&world->rounds) - start < more)
        kri_test_nap();
    return kri_load_acq(&world->rounds);
}

/* A latecomer against two who hold it long and come back at once.  What is promised: once woken, it
 * is handed the lock after five milliseconds and one more section; that is some 30 rounds of these.
 * The bound leaves room for a machine that does not run the woken one for half a second; the note
 * tells what it was. */
PARTY_TEST(test_latecomer_is_not_starved)
{
    enum { BOUND = 2500 };
    stress_world *world = party_world(sizeof *world);
    party_bunch *holders = party_start(2, hold_long, world);
    kr_time end = kr_now() + party_budget();
    uint32_t most = 0;
    uint32_t sum = 0;
    uint32_t times = 0;

    while (kr_now() < end) {
        uint32_t before = await_rounds(world, 4);
        uint32_t waited;

        CHECK_EQ(kr_lock_acquire(&world->lock, kr_sec(20)), 0);
        waited = kri_load_acq(&world->rounds) - before;
        CHECK_EQ(kr_lock_release(&world->lock), 0);
        most = waited > most ? waited : most;
        sum += waited;
        times++;
    }
    kri_store_rel(&world->stop, 1);
    party_join(holders);
    kri_test_note("%u times, after %u rounds of the holders, at most %u", times, sum / times, most);
    CHECK_EQ(world->wrong[0] + world->wrong[1], 0);
    CHECK_LE(most, BOUND);
    party_world_free(world, sizeof *world);
}
