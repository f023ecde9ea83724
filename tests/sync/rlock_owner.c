/* Who owns a recursive lock, and how often.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/internal.h"
#include "sync/objects.h"

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

PARTY_TEST(test_different_thread)
{
    rlock_world *world = party_world(sizeof *world);
    make_rlock(&world->lock);

    CHECK_EQ(kr_rlock_acquire(&world->lock, KR_FOREVER), 0);
    CHECK_EQ(elsewhere(world, only_release), -EPERM);
    CHECK(kr_rlock_owned(&world->lock));
    CHECK_EQ(kr_rlock_release(&world->lock), 0);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test__is_owned)
{
    rlock_world *world = party_world(sizeof *world);
    make_rlock(&world->lock);

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
    make_rlock(&world->lock);
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
    make_rlock(&world->lock);

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
