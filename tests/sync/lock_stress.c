/* The lock under stress, and that nobody starves for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "sync/objects.h"

#define HOLD    kr_us(200)
#define PROMISE kr_ms(5)

typedef struct stress_world {
    kr_lock lock;
    kr_word stop;
    uint64_t count; /* guarded by the lock, on purpose not atomic, as the next two */
    int last;       /* who had it before */
    uint64_t hand_overs;
    uint64_t work;  /* acquires of each party in a round */
    kr_word rounds; /* of those who hold it long */
    uint64_t mine[PARTY_MAX];
    uint64_t refused[PARTY_MAX];
    uint64_t timed_out[PARTY_MAX];
    uint64_t wrong[PARTY_MAX];
} stress_world;

static stress_world *world_create(void)
{
    stress_world *world = party_world(sizeof *world);

    make_lock(&world->lock);
    return world;
}

static int acquire_somehow(stress_world *world, int index, uint64_t *random)
{
    int err;

    switch (party_random_below(random, 4)) {
    case 0:
        err = kr_lock_acquire(&world->lock, KR_NOWAIT);
        world->refused[index] += err == -ETIMEDOUT;
        return err;
    case 1:
        err = kr_lock_acquire(&world->lock, kr_us(1 + party_random_below(random, 100)));
        world->timed_out[index] += err == -ETIMEDOUT;
        return err;
    default:
        return kr_lock_acquire(&world->lock, KR_FOREVER);
    }
}

/* Now and then the holder gives its processor away, so that others find the lock held whatever the
 * machine is like; and now and then for longer than a timed one waits. */
static void hold(stress_world *world, int index, uint64_t *random)
{
    world->count++;
    world->mine[index]++;
    world->hand_overs += world->last != index;
    world->last = index;
    if (party_random_below(random, 64) == 0)
        (void)kr_yield();
    if (party_random_below(random, 512) == 0)
        party_nap();
}

static void count_round(void *arg, int index)
{
    stress_world *world = arg;
    uint64_t random = party_random_start(index) + world->work;

    for (uint64_t i = 0; i < world->work; i++) {
        int err = acquire_somehow(world, index, &random);

        if (err == 0) {
            hold(world, index, &random);
            err = kr_lock_release(&world->lock);
        }
        world->wrong[index] += err != 0 && err != -ETIMEDOUT;
    }
}

enum { PARTIES = 4 };

/* Has each had it, and has everything been seen that can happen? */
static bool seen_all(const stress_world *world)
{
    bool refused = party_kind_now() == &party_coroutines; /* those take turns */
    bool timed_out = false, all = world->hand_overs >= PARTIES;
    for (int i = 0; i < PARTIES; i++) {
        all = all && world->mine[i] > 0;
        refused = refused || world->refused[i] > 0;
        timed_out = timed_out || world->timed_out[i] > 0;
    }
    return all && refused && timed_out;
}

/* Work that doubles, by parties that are new each time, until the time is over: a machine that is
 * slow, or a sanitizer, gets less far, and ends in time. */
PARTY_TEST(test_counter)
{
    stress_world *world = world_create();
    kr_time end = kr_now() + party_budget() / 2;
    uint64_t sum = 0, refused = 0, timed_out = 0;

    for (world->work = 64; kr_now() < end || !seen_all(world); world->work *= 2)
        party_join(party_start(PARTIES, count_round, world));
    for (int i = 0; i < PARTIES; i++) {
        CHECK_EQ(world->wrong[i], 0);
        sum += world->mine[i];
        refused += world->refused[i];
        timed_out += world->timed_out[i];
    }
    CHECK_EQ(world->count, sum);
    CHECK(!kr_lock_locked(&world->lock));
    CHECK_EQ(party_parked(&world->lock, sizeof world->lock), 0);
    kri_test_note("%ju acquired, %ju refused, %ju timed out, %ju hand-overs", (uintmax_t)sum,
                  (uintmax_t)refused, (uintmax_t)timed_out, (uintmax_t)world->hand_overs);
    party_world_free(world, sizeof *world);
}

PARTY_CASE(test_counter, runners)

/* Holds the lock nearly all the time: a moment after the release it has it again. */
static void hold_long(void *arg, int index)
{
    stress_world *world = arg;

    while (kri_load_acq(&world->stop) == 0) {
        kr_time until;

        if (kr_lock_acquire(&world->lock, KR_FOREVER) != 0)
            world->wrong[index]++;
        kri_add_acq_rel(&world->rounds, 1);
        until = kr_now() + HOLD;
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

/* A latecomer against two who hold it long and come back at once.  kr_lock_acquire promises that
 * who is still too late PROMISE after it was woken first is handed the lock by the next release; it
 * was woken within a few of the holders' rounds.  Time is counted in these rounds, each of which
 * lasts HOLD of a processor's time, because a machine that does not run the holders either owes
 * nothing.  The factor is for machines that run them, but leave the latecomer standing in the line
 * for a processor; valgrind has one line for all three.  In shared scope nothing is promised. */
PARTY_TEST_OF(test_latecomer_is_not_starved, threads)
{
    enum { FOR_SCHEDULING = 10 };
    uint32_t bound = (uint32_t)(PROMISE / HOLD) * FOR_SCHEDULING * (KRI_VALGRIND ? 10 : 1);
    stress_world *world = world_create();
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
    CHECK_LE(most, bound);
    party_world_free(world, sizeof *world);
}
