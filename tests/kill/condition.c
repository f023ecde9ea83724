/* Processes are killed while they wait at a condition, notify it, or hold its lock.
 *
 * A broadcast wakes all who are left, whoever died beside it and wherever; with the C library's own
 * condition the death of a waiter can make every later broadcast hang.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kill/kill.h"
#include "sync/objects.h"

enum { VICTIMS = 4 };

typedef struct condition_world {
    kr_condition condition;
    uint32_t turn;  /* guarded by the condition's lock */
    kr_word holder; /* its index + 1, while it has the lock and is awake */
    kr_word begun;  /* the turn that a new one begins with */
    kr_word deaths;
    kr_word wrong;
    kr_word seen[VICTIMS]; /* the last turn of each */
} condition_world;

/* The lock is held after these results, and what it guards is never half done for long. */
static void held(condition_world *world, int result)
{
    if (result == KR_OWNER_DIED) {
        kri_add_rlx(&world->deaths, 1);
        result = kr_condition_recover(&world->condition);
    }
    kri_add_rlx(&world->wrong, result != 0);
}

static void wait_and_notify(void *arg, int index)
{
    condition_world *world = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    uint32_t last = kri_load_acq(&world->begun);
    held(world, kr_condition_acquire(&world->condition, KR_FOREVER));
    for (;;) {
        while (world->turn == last) {
            int err = kr_condition_wait(&world->condition,
                                        party_random_below(&random, 4) ? KR_FOREVER : kr_us(300));
            held(world, err == -ETIMEDOUT ? 0 : err);
        }
        last = world->turn;
        kri_store_rel(&world->seen[index], last);
        if (party_random_below(&random, 2)) /* one who sleeps again for nothing */
            kri_add_rlx(&world->wrong, kr_condition_notify(&world->condition, 1) < 0);
        kri_store_rlx(&world->holder, (uint32_t)index + 1);
        if (party_random_below(&random, 2) == 0)
            kri_test_nap();
        kri_store_rlx(&world->holder, 0);
        kri_add_rlx(&world->wrong, kr_condition_release(&world->condition) != 0);
        held(world, kr_condition_acquire(&world->condition, KR_FOREVER));
    }
}

static void begin_turn(condition_world *world)
{
    held(world, kr_condition_acquire(&world->condition, KILL_PATIENCE));
    world->turn++;
    CHECK_GE(kr_condition_notify_all(&world->condition), 0);
    CHECK_EQ(kr_condition_release(&world->condition), 0);
}

static void await_turn(condition_world *world, uint32_t turn, int dead)
{
    kr_time limit = kr_now() + KILL_PATIENCE;
    for (int i = 0; i < VICTIMS; i++)
        while (i != dead && kri_load_acq(&world->seen[i]) != turn) {
            CHECK_LE(kr_now(), limit);
            party_nap();
        }
}

PARTY_TEST_OF(test_kill_at_condition, processes)
{
    condition_world *world = party_world(sizeof *world);
    make_condition(&world->condition, NULL);
    kill_run run = kill_begin(VICTIMS, wait_and_notify, world);
    for (uint32_t turn = 1; kill_goes_on(&run); turn++) {
        bool early = party_random_below(&run.random, 2);
        kill_pause(&run);
        if (early)
            begin_turn(world);
        int victim = kill_one(&run, early ? (int)kri_load_rlx(&world->holder) - 1 : -1);
        kr_time start = kr_now();
        if (!early)
            begin_turn(world);
        await_turn(world, turn, victim);
        kill_took(&run, start);
        kri_store_rel(&world->begun, turn);
        kill_replace(&run, victim);
    }
    kill_end(&run);
    CHECK_EQ(kri_load_rlx(&world->wrong), 0);
    kri_test_note("%d kills, %u of holders, all others woken after %.1f ms at most", run.kills,
                  kri_load_rlx(&world->deaths), (double)run.slowest / 1e6);
    if (kill_was_often(&run))
        CHECK_GE(kri_load_rlx(&world->deaths), 1);
    party_world_free(world, sizeof *world);
}
