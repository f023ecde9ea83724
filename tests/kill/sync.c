/* Processes are killed at semaphores, events and barriers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kill/kill.h"
#include "sync/objects.h"

enum { VICTIMS = 4, PERMITS = 2, ROUNDS_BETWEEN = 50 };

typedef struct sync_world {
    kr_semaphore semaphore;
    kr_event events[2];
    kr_barrier barrier;
    kr_holder holders[16];
    kr_word rounds;
    kr_word refused;
    kr_word wrong;
    kr_word broken;
    kr_word turn;
    kr_word seen[VICTIMS]; /* the last turn of each */
} sync_world;

static uint64_t begin_random(int index)
{
    return party_random_start(index) ^ (uint64_t)kr_now();
}

/* Semaphores: the permits of the dead return. */

static void borrow_for_ever(void *arg, int index)
{
    sync_world *world = arg;
    for (uint64_t random = begin_random(index);;) {
        kr_time limit = party_random_below(&random, 4) ? KR_FOREVER : kr_us(50);
        int err = kr_semaphore_acquire(&world->semaphore, limit);
        if (err == -ETIMEDOUT) {
            kri_add_rlx(&world->refused, 1);
            continue;
        }
        if (party_random_below(&random, 4) == 0)
            kri_test_nap();
        if (err != 0 || kr_semaphore_release(&world->semaphore, 1) != 0)
            kri_add_rlx(&world->wrong, 1);
        kri_add_rlx(&world->rounds, 1);
        if (party_random_below(&random, 2) == 0)
            kri_test_nap();
    }
}

/* With nobody else left all permits are there. */
static void check_permits(sync_world *world, kill_run *run)
{
    for (int i = 0; i < VICTIMS; i++)
        party_kill(run->bunch, i);
    run->kills += VICTIMS;
    for (int i = 0; i < PERMITS; i++)
        CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KILL_PATIENCE), 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, PERMITS), 0);
    for (int i = 0; i < VICTIMS; i++)
        party_restart(run->bunch, i);
}

PARTY_TEST_OF(test_kill_semaphore_holders_and_waiters, processes)
{
    sync_world *world = party_world(sizeof *world);
    kr_semaphore_options options = {
        .scope = KR_SHARED, .holders = world->holders, .holder_count = 16};
    CHECK_EQ(kr_semaphore_init(&world->semaphore, PERMITS, &options), 0);
    kill_run run = kill_begin(VICTIMS, borrow_for_ever, world);
    while (kill_goes_on(&run)) {
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        kr_time start = kr_now();
        CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KILL_PATIENCE), 0);
        CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), 0);
        kill_took(&run, start);
        uint32_t before = kri_load_acq(&world->rounds);
        kill_replace(&run, victim);
        kill_await_progress(&world->rounds, before, "the semaphore");
        if (run.kills % ROUNDS_BETWEEN == 0)
            check_permits(world, &run);
    }
    check_permits(world, &run);
    kill_end(&run);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    if (kill_was_often(&run))
        CHECK_GE(kri_load_acq(&world->refused), 1);
    kri_test_note("%d kills, %u rounds, %u refused, the next had a permit after %.1f ms at most",
                  run.kills, kri_load_rlx(&world->rounds), kri_load_rlx(&world->refused),
                  (double)run.slowest / 1e6);
    party_world_free(world, sizeof *world);
}

/* Events: who is left is woken by a set, whoever died beside it. */

static void wait_turns(void *arg, int index)
{
    sync_world *world = arg;
    for (uint32_t turn = kri_load_acq(&world->turn) + 1;; turn++) {
        if (kr_event_wait(&world->events[turn % 2], KR_FOREVER) != 0)
            kri_add_rlx(&world->wrong, 1);
        kri_store_rel(&world->seen[index], turn);
    }
}

static void await_turn(sync_world *world, uint32_t turn, int dead)
{
    kr_time limit = kr_now() + KILL_PATIENCE;
    for (int i = 0; i < VICTIMS; i++)
        while (i != dead && kri_load_acq(&world->seen[i]) != turn) {
            CHECK_LE(kr_now(), limit);
            sched_yield();
        }
}

PARTY_TEST_OF(test_kill_event_waiters, processes)
{
    sync_world *world = party_world(sizeof *world);
    make_event(&world->events[0]);
    make_event(&world->events[1]);
    kill_run run = kill_begin(VICTIMS, wait_turns, world);
    for (uint32_t turn = 1; kill_goes_on(&run); turn++) {
        kill_pause(&run);
        bool at_once = party_random_below(&run.random, 2);
        kr_event_clear(&world->events[(turn + 1) % 2]);
        if (at_once)
            kr_event_set(&world->events[turn % 2]);
        int victim = kill_one(&run, -1);
        kr_time start = kr_now();
        kr_event_set(&world->events[turn % 2]);
        await_turn(world, turn, victim);
        kill_took(&run, start);
        kri_store_rel(&world->turn, turn);
        kill_replace(&run, victim);
    }
    kill_end(&run);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    kri_test_note("%d kills, all others woken after %.1f ms at most", run.kills,
                  (double)run.slowest / 1e6);
    party_world_free(world, sizeof *world);
}

/* Barriers: the death of one who waits breaks them, and after a reset they work again. */

static void meet_for_ever(void *arg, int index)
{
    sync_world *world = arg;
    (void)index;
    for (;;) {
        int place = kr_barrier_wait(&world->barrier, KR_FOREVER);
        if (place == KR_EBROKEN) {
            kri_add_rlx(&world->broken, 1);
            kri_test_nap();
        } else if (place < 0) {
            kri_add_rlx(&world->wrong, 1);
        }
    }
}

static void meet(sync_world *world)
{
    kr_time limit = kr_now() + KILL_PATIENCE;
    for (int met = 0; met < 3;) {
        int place = kr_barrier_wait(&world->barrier, KILL_PATIENCE);
        CHECK(place >= 0 || place == KR_EBROKEN);
        CHECK_LE(kr_now(), limit);
        if (place >= 0)
            met++;
        else
            CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
    }
    kri_add_rlx(&world->rounds, 3);
}

/* All victims wait, one is killed, and before anybody can come in its place the others are told. */
static void break_by_death(sync_world *world, kill_run *run)
{
    kr_time limit = kr_now() + KILL_PATIENCE;
    while (kr_barrier_n_waiting(&world->barrier) != VICTIMS) {
        CHECK_LE(kr_now(), limit);
        party_nap();
    }
    uint32_t before = kri_load_acq(&world->broken);
    int victim = kill_one(run, -1);
    kr_time start = kr_now();
    kill_await_progress(&world->broken, before, "the barrier");
    kill_took(run, start);
    kill_replace(run, victim);
}

PARTY_TEST_OF(test_kill_at_barrier, processes)
{
    sync_world *world = party_world(sizeof *world);
    kr_barrier_options options = {
        .scope = KR_SHARED, .holders = world->holders, .holder_count = 16};
    CHECK_EQ(kr_barrier_init(&world->barrier, VICTIMS + 1, &options), 0);
    kill_run run = kill_begin(VICTIMS, meet_for_ever, world);
    while (kill_goes_on(&run)) {
        meet(world);
        kill_pause(&run);
        if (run.kills % ROUNDS_BETWEEN == 0)
            break_by_death(world, &run);
        else
            kill_replace(&run, kill_one(&run, -1));
        meet(world);
    }
    kill_end(&run);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    CHECK_GE(kri_load_acq(&world->broken), 1);
    kri_test_note("%d kills, %u rounds, %u broken waits, noticed after %.1f ms at most", run.kills,
                  kri_load_rlx(&world->rounds), kri_load_rlx(&world->broken),
                  (double)run.slowest / 1e6);
    party_world_free(world, sizeof *world);
}
