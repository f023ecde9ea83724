/* The recursive lock as CPython's tests see it.
 *
 * Behaviours: section 2
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/internal.h"
#include "sync/party.h"

typedef struct rlock_world {
    kr_rlock lock;
    kr_word held;
    kr_word may_end;
    int results[PARTY_MAX];
    uint64_t count; /* guarded by the lock */
} rlock_world;

static void only_release(void *arg, int index)
{
    rlock_world *world = arg;

    world->results[index] = kr_rlock_release(&world->lock);
}

static void ask(void *arg, int index)
{
    rlock_world *world = arg;

    world->results[index] = kr_rlock_owned(&world->lock) + (int)kr_rlock_count(&world->lock) +
                            2 * kr_rlock_locked(&world->lock);
}

static void try_it(void *arg, int index)
{
    rlock_world *world = arg;

    world->results[index] = kr_rlock_acquire(&world->lock, KR_NOWAIT);
    if (world->results[index] == 0)
        CHECK_EQ(kr_rlock_release(&world->lock), 0);
}

static void hold(void *arg, int index)
{
    rlock_world *world = arg;

    world->results[index] = kr_rlock_acquire(&world->lock, KR_FOREVER);
    kri_store_rel(&world->held, 1);
    party_await_count(&world->may_end, 1);
    (void)kr_rlock_release(&world->lock);
}

/* What another party makes of the lock now. */
static int elsewhere(rlock_world *world, party_body body)
{
    party_join(party_start(1, body, world));
    return world->results[0];
}

TEST(test_constructor)
{
    kr_rlock lock = KR_RLOCK_INIT;
    kr_rlock shared = KR_RLOCK_INIT_SHARED;
    kr_rlock made;

    CHECK_EQ(kr_rlock_init(&made, KR_PRIVATE), 0);
    CHECK(memcmp(&made, &lock, sizeof made) == 0);
    CHECK_EQ(kr_rlock_init(&made, KR_SHARED), 0);
    CHECK(memcmp(&made, &shared, sizeof made) == 0);
    CHECK_EQ(kr_rlock_init(&made, (kr_scope)2), -EINVAL);
    CHECK_EQ(sizeof lock, 32);
    CHECK(!kr_rlock_locked(&lock));
}

PARTY_TEST(test_reacquire)
{
    rlock_world *world = party_world(sizeof *world);

    CHECK_EQ(kr_rlock_acquire(&world->lock, KR_FOREVER), 0);
    CHECK_EQ(kr_rlock_acquire(&world->lock, KR_FOREVER), 0);
    CHECK_EQ(kr_rlock_release(&world->lock), 0);
    CHECK_EQ(kr_rlock_acquire(&world->lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_rlock_release(&world->lock), 0);
    CHECK_EQ(elsewhere(world, try_it), -ETIMEDOUT);
    CHECK_EQ(kr_rlock_release(&world->lock), 0);
    CHECK_EQ(elsewhere(world, try_it), 0);
    party_world_free(world, sizeof *world);
}

TEST(test_release_unacquired)
{
    kr_rlock lock = KR_RLOCK_INIT;

    CHECK_EQ(kr_rlock_release(&lock), -EPERM);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_rlock_acquire(&lock, KR_FOREVER), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_rlock_release(&lock), 0);
    CHECK_EQ(kr_rlock_release(&lock), -EPERM);
}

TEST(test_release_save_unacquired)
{
    kr_rlock lock = KR_RLOCK_INIT;

    CHECK_EQ(kri_rlock_release_all(&lock), -EPERM);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_rlock_acquire(&lock, KR_FOREVER), 0);
    CHECK_EQ(kri_rlock_release_all(&lock), 3);
    CHECK_EQ(kri_rlock_release_all(&lock), -EPERM);
    CHECK(!kr_rlock_locked(&lock));
    CHECK_EQ(kri_rlock_restore(&lock, 3), 0);
    CHECK_EQ(kr_rlock_count(&lock), 3);
    CHECK_EQ(kri_rlock_release_all(&lock), 3);
}

PARTY_TEST(test_recursion_count)
{
    rlock_world *world = party_world(sizeof *world);
    static const unsigned deep[] = {1, 2, 3};

    CHECK_EQ(kr_rlock_count(&world->lock), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_rlock_acquire(&world->lock, KR_FOREVER), 0);
        CHECK_EQ(kr_rlock_count(&world->lock), deep[i]);
    }
    CHECK_EQ(elsewhere(world, ask), 2);
    CHECK_EQ(kr_rlock_release(&world->lock), 0);
    CHECK_EQ(kr_rlock_count(&world->lock), 2);
    CHECK_EQ(kri_rlock_release_all(&world->lock), 2);
    CHECK_EQ(kr_rlock_count(&world->lock), 0);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test_different_thread)
{
    rlock_world *world = party_world(sizeof *world);

    CHECK_EQ(kr_rlock_acquire(&world->lock, KR_FOREVER), 0);
    CHECK_EQ(elsewhere(world, only_release), -EPERM);
    CHECK(kr_rlock_owned(&world->lock));
    CHECK_EQ(kr_rlock_release(&world->lock), 0);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test__is_owned)
{
    rlock_world *world = party_world(sizeof *world);

    CHECK(!kr_rlock_owned(&world->lock));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kr_rlock_acquire(&world->lock, KR_FOREVER), 0);
        CHECK(kr_rlock_owned(&world->lock));
    }
    CHECK_EQ(elsewhere(world, ask), 2);
    CHECK_EQ(kr_rlock_release(&world->lock), 0);
    CHECK(kr_rlock_owned(&world->lock));
    CHECK_EQ(kr_rlock_release(&world->lock), 0);
    CHECK(!kr_rlock_owned(&world->lock));
    party_world_free(world, sizeof *world);
}

TEST(test_locked)
{
    kr_rlock lock = KR_RLOCK_INIT;

    CHECK(!kr_rlock_locked(&lock));
    CHECK_EQ(kr_rlock_acquire(&lock, KR_FOREVER), 0);
    CHECK_EQ(kr_rlock_acquire(&lock, KR_FOREVER), 0);
    CHECK(kr_rlock_locked(&lock));
    CHECK_EQ(kr_rlock_release(&lock), 0);
    CHECK(kr_rlock_locked(&lock));
    CHECK_EQ(kr_rlock_release(&lock), 0);
    CHECK(!kr_rlock_locked(&lock));
}

PARTY_TEST(test_locked_with_2threads)
{
    rlock_world *world = party_world(sizeof *world);
    party_bunch *bunch = party_start(1, hold, world);

    party_await_count(&world->held, 1);
    CHECK(kr_rlock_locked(&world->lock));
    CHECK(!kr_rlock_owned(&world->lock));
    CHECK_EQ(kr_rlock_count(&world->lock), 0);
    CHECK_EQ(kr_rlock_acquire(&world->lock, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_rlock_acquire(&world->lock, -1), -EINVAL);
    kri_store_rel(&world->may_end, 1);
    party_join(bunch);
    CHECK(!kr_rlock_locked(&world->lock));
    party_world_free(world, sizeof *world);
}

TEST(test_count_overflow)
{
    kr_rlock lock = KR_RLOCK_INIT;

    CHECK_EQ(kr_rlock_acquire(&lock, KR_FOREVER), 0);
    lock.count = UINT32_MAX;
    CHECK_EQ(kr_rlock_acquire(&lock, KR_FOREVER), -EOVERFLOW);
    CHECK_EQ(kr_rlock_count(&lock), UINT32_MAX);
}

static void count_deep(void *arg, int index)
{
    rlock_world *world = arg;
    kr_time end = kr_now() + party_budget();

    while (kr_now() < end) {
        for (int i = 0; i <= index; i++)
            world->results[index] |= kr_rlock_acquire(&world->lock, KR_FOREVER);
        world->count += 1;
        for (int i = 0; i <= index; i++)
            world->results[index] |= kr_rlock_release(&world->lock);
        kri_add_rlx(&world->held, 1);
    }
}

PARTY_TEST(test_counter)
{
    rlock_world *world = party_world(sizeof *world);

    party_join(party_start(4, count_deep, world));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(world->results[i], 0);
    CHECK_EQ(world->count, kri_load_rlx(&world->held));
    CHECK(!kr_rlock_locked(&world->lock));
    kri_test_note("%llu sections", (unsigned long long)world->count);
    party_world_free(world, sizeof *world);
}

TEST(test_reinit)
{
    kr_rlock lock = KR_RLOCK_INIT_SHARED;
    kr_rlock fresh = KR_RLOCK_INIT_SHARED;

    CHECK_EQ(kr_rlock_acquire(&lock, KR_FOREVER), 0);
    CHECK_EQ(kr_rlock_acquire(&lock, KR_FOREVER), 0);
    kr_rlock_reinit(&lock);
    CHECK(!kr_rlock_locked(&lock));
    CHECK(!kr_rlock_owned(&lock));
    CHECK(memcmp(&lock, &fresh, sizeof lock) == 0);
    CHECK_EQ(kr_rlock_release(&lock), -EPERM);
}
