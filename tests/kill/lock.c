/* Processes are killed while they hold, take, release or wait for a lock.
 *
 * What the lock guards are two numbers that are equal whenever it is free, unless the next to take
 * it is told that its owner died.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kill/kill.h"
#include "sync/objects.h"

enum { VICTIMS = 4 };

typedef struct lock_world {
    kr_lock lock;
    kr_rlock rlock;
    bool recursive;
    uint64_t first, second; /* guarded by the lock */
    kr_word holder;         /* its index + 1, between taking the lock and giving it back */
    kr_word rounds;
    kr_word deaths; /* acquires that told of one */
    kr_word torn;   /* of these, with the numbers apart */
    kr_word refused;
    kr_word wrong;
} lock_world;

static int take(lock_world *world, kr_time timeout)
{
    return world->recursive ? kr_rlock_acquire(&world->rlock, timeout)
                            : kr_lock_acquire(&world->lock, timeout);
}

static int give(lock_world *world)
{
    return world->recursive ? kr_rlock_release(&world->rlock) : kr_lock_release(&world->lock);
}

static int recover(lock_world *world)
{
    return world->recursive ? kr_rlock_recover(&world->rlock) : kr_lock_recover(&world->lock);
}

/* false: something is wrong. */
static bool look_inside(lock_world *world, int result)
{
    bool torn = world->first != world->second;
    if (result == 0)
        return !torn;
    if (result != KR_OWNER_DIED)
        return false;
    kri_add_rlx(&world->deaths, 1);
    kri_add_rlx(&world->torn, torn);
    world->second = world->first;
    return recover(world) == 0;
}

/* A moment in which it may be hit, with the lock held or without. */
static void dawdle(uint64_t *random)
{
    for (unsigned i = party_random_below(random, 40000); i > 0; i--)
        __asm__ volatile("" ::: "memory");
    if (party_random_below(random, 8) == 0)
        kri_test_nap();
}

static kr_time some_time(uint64_t *random)
{
    unsigned kind = party_random_below(random, 8);
    return kind == 0 ? KR_NOWAIT : kind == 1 ? kr_us(50) : KR_FOREVER;
}

static void hold_once(lock_world *world, int index, uint64_t *random)
{
    int err = take(world, some_time(random));
    if (err == -ETIMEDOUT) {
        kri_add_rlx(&world->refused, 1);
        return;
    }
    bool fine = look_inside(world, err);
    bool twice = world->recursive && party_random_below(random, 2);
    if (twice)
        fine &= take(world, KR_NOWAIT) == 0;
    kri_store_rlx(&world->holder, (uint32_t)index + 1);
    world->first++;
    dawdle(random);
    world->second++;
    kri_store_rlx(&world->holder, 0);
    if (twice)
        fine &= give(world) == 0;
    fine &= give(world) == 0;
    kri_add_rlx(&world->wrong, !fine);
    kri_add_rlx(&world->rounds, 1);
}

static void victim(void *arg, int index)
{
    lock_world *world = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    for (;;) {
        hold_once(world, index, &random);
        if (party_random_below(&random, 4) == 0)
            kri_test_nap();
    }
}

/* Take the lock as one who waits or, mostly, as one who tries again and again: such a one looks
 * each time whether the holder lives, where a waiter sleeps first. */
static int take_in_the_end(lock_world *world, uint64_t *random)
{
    kr_time limit = kr_now() + KILL_PATIENCE;
    int err = -ETIMEDOUT;
    if (party_random_below(random, 16) == 0)
        return take(world, KILL_PATIENCE);
    while (err == -ETIMEDOUT && kr_now() < limit)
        err = take(world, KR_NOWAIT);
    return err;
}

/* The test takes the lock itself, which it must get; now and then it has it while it kills, so that
 * those it hits are waiting. */
static void kill_and_check(lock_world *world, kill_run *run)
{
    bool holding = party_random_below(&run->random, 2);
    if (holding) {
        CHECK(look_inside(world, take_in_the_end(world, &run->random)));
        kri_store_rlx(&world->holder, 0);
        kill_pause(run);
    }
    bool aimed = party_random_below(&run->random, 2);
    int victim_index = kill_one(run, aimed ? (int)kri_load_rlx(&world->holder) - 1 : -1);
    if (holding)
        CHECK_EQ(give(world), 0);
    kr_time start = kr_now();
    CHECK(look_inside(world, take_in_the_end(world, &run->random)));
    kill_took(run, start);
    CHECK_EQ(give(world), 0);
    uint32_t before = kri_load_acq(&world->rounds);
    kill_replace(run, victim_index);
    kill_await_progress(&world->rounds, before, "the lock");
    CHECK_EQ(kri_load_rlx(&world->wrong), 0);
}

static void soak(bool recursive)
{
    lock_world *world = party_world(sizeof *world);
    make_lock(&world->lock);
    make_rlock(&world->rlock);
    world->recursive = recursive;
    kill_run run = kill_begin(VICTIMS, victim, world);
    while (kill_goes_on(&run)) {
        kill_pause(&run);
        kill_and_check(world, &run);
    }
    kill_end(&run);
    CHECK(look_inside(world, take(world, KILL_PATIENCE)));
    CHECK_EQ(give(world), 0);
    kri_test_note("%d kills, %u of holders (%u in the middle), %u rounds, %u refused, the next had "
                  "it after %.1f ms at most",
                  run.kills, kri_load_rlx(&world->deaths), kri_load_rlx(&world->torn),
                  kri_load_rlx(&world->rounds), kri_load_rlx(&world->refused),
                  (double)run.slowest / 1e6);
    if (kill_was_often(&run))
        CHECK_GE(kri_load_rlx(&world->deaths), 1);
    if (kill_was_often(&run))
        CHECK_GE(kri_load_rlx(&world->refused), 1);
    party_world_free(world, sizeof *world);
}

PARTY_TEST_OF(test_kill_lock_holders_and_waiters, processes)
{
    soak(false);
}

PARTY_TEST_OF(test_kill_rlock_holders_and_waiters, processes)
{
    soak(true);
}
