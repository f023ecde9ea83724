/* The recursive lock as CPython's tests see it.
 *
 * Behaviours: sections 2 and 12.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/internal.h"
#include "sync/objects.h"

enum { PARTIES = 5 };

typedef struct rlock_world {
    kr_rlock lock;
    kr_word step;
    kr_word passed;
    int results[PARTY_MAX];
    int again[PARTY_MAX];
} rlock_world;

static rlock_world *world_create(void)
{
    rlock_world *world = party_world(sizeof *world);

    make_rlock(&world->lock);
    return world;
}

static void world_free(rlock_world *world)
{
    party_world_free(world, sizeof *world);
}

static void acquire(kr_rlock *lock)
{
    CHECK_EQ(kr_rlock_acquire(lock, KR_FOREVER), 0);
}

static void release(kr_rlock *lock)
{
    CHECK_EQ(kr_rlock_release(lock), 0);
}

PARTY_TEST(test_constructor)
{
    rlock_world *world = world_create();

    CHECK(!kr_rlock_locked(&world->lock));
    CHECK(!kr_rlock_owned(&world->lock));
    CHECK_EQ(kr_rlock_init(&world->lock, (kr_scope)7), -EINVAL);
    world_free(world);
}

PARTY_TEST(test_acquire_destroy)
{
    rlock_world *world = world_create();

    acquire(&world->lock);
    acquire(&world->lock);
    world_free(world);
}

PARTY_TEST(test_reacquire)
{
    rlock_world *world = world_create();

    acquire(&world->lock);
    CHECK_EQ(kr_rlock_acquire(&world->lock, KR_NOWAIT), 0);
    release(&world->lock);
    acquire(&world->lock);
    release(&world->lock);
    CHECK(kr_rlock_locked(&world->lock));
    release(&world->lock);
    CHECK(!kr_rlock_locked(&world->lock));
    world_free(world);
}

/* CPython's test_rlock of processes: three deep, and a fourth release is an error.
 * behaviour: 12.4 test_rlock */
PARTY_TEST(test_release_unacquired)
{
    rlock_world *world = world_create();

    CHECK_EQ(kr_rlock_release(&world->lock), -EPERM);
    for (int depth = 1; depth <= 3; depth++) {
        for (int i = 0; i < depth; i++)
            acquire(&world->lock);
        for (int i = 0; i < depth; i++)
            release(&world->lock);
        CHECK_EQ(kr_rlock_release(&world->lock), -EPERM);
    }
    world_free(world);
}

PARTY_TEST(test_release_save_unacquired)
{
    rlock_world *world = world_create();

    CHECK_EQ(kri_rlock_release_all(&world->lock), -EPERM);
    for (int i = 0; i < 3; i++)
        acquire(&world->lock);
    CHECK_EQ(kri_rlock_release_all(&world->lock), 3);
    CHECK(!kr_rlock_locked(&world->lock));
    CHECK_EQ(kri_rlock_release_all(&world->lock), -EPERM);
    CHECK_EQ(kri_rlock_restore(&world->lock, 3), 0);
    CHECK_EQ(kr_rlock_count(&world->lock), 3);
    world_free(world);
}

/* Every question that one may ask about a lock. */
static int look(const kr_rlock *lock)
{
    return (int)kr_rlock_count(lock) * 100 + kr_rlock_owned(lock) * 10 + kr_rlock_locked(lock);
}

static void look_and_release(void *arg, int index)
{
    rlock_world *world = arg;

    world->results[index] = look(&world->lock);
    world->again[index] = kr_rlock_release(&world->lock);
}

static void ask_another(rlock_world *world, int answer)
{
    party_join(party_start(1, look_and_release, world));
    CHECK_EQ(world->results[0], answer);
    CHECK_EQ(world->again[0], -EPERM);
}

/* The count is that of the caller's acquires, and others see only that it is held.
 * behaviours: 2 test_different_thread, test__is_owned, test_locked, test_locked_with_2threads */
PARTY_TEST(test_recursion_count)
{
    rlock_world *world = world_create();

    CHECK_EQ(look(&world->lock), 0);
    ask_another(world, 0);
    acquire(&world->lock);
    CHECK_EQ(look(&world->lock), 111);
    acquire(&world->lock);
    acquire(&world->lock);
    CHECK_EQ(look(&world->lock), 311);
    ask_another(world, 1);
    CHECK_EQ(look(&world->lock), 311);
    release(&world->lock);
    release(&world->lock);
    ask_another(world, 1);
    CHECK_EQ(look(&world->lock), 111);
    release(&world->lock);
    CHECK_EQ(look(&world->lock), 0);
    ask_another(world, 0);
    world_free(world);
}

static void hold_three(void *arg, int index)
{
    rlock_world *world = arg;

    for (int i = 0; i < 3; i++)
        world->results[index] |= kr_rlock_acquire(&world->lock, KR_FOREVER);
    kri_add_acq_rel(&world->passed, 1);
    party_await_count(&world->step, 1);
    for (int i = 0; i < 3; i++)
        world->results[index] |= kr_rlock_release(&world->lock);
}

/* The other way round: another holds it, and what the test's own thread sees.
 * behaviour: 12.4 test_rlock_locked_2processes */
PARTY_TEST(test_held_by_another)
{
    rlock_world *world = world_create();
    party_bunch *bunch = party_start(1, hold_three, world);

    party_await_count(&world->passed, 1);
    CHECK_EQ(look(&world->lock), 1);
    CHECK_EQ(kr_rlock_release(&world->lock), -EPERM);
    CHECK_EQ(kri_rlock_release_all(&world->lock), -EPERM);
    CHECK_EQ(kr_rlock_recover(&world->lock), -EPERM);
    CHECK_EQ(kr_rlock_acquire(&world->lock, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_rlock_acquire(&world->lock, kr_ms(5)), -ETIMEDOUT);
    kri_store_rel(&world->step, 1);
    acquire(&world->lock);
    party_join(bunch);
    CHECK_EQ(world->results[0], 0);
    CHECK_EQ(look(&world->lock), 111);
    world_free(world);
}

static void try_it(void *arg, int index)
{
    rlock_world *world = arg;

    world->results[index] = kr_rlock_acquire(&world->lock, KR_NOWAIT);
}

PARTY_TEST(test_try_acquire_contended)
{
    rlock_world *world = world_create();

    acquire(&world->lock);
    party_join(party_start(1, try_it, world));
    CHECK_EQ(world->results[0], -ETIMEDOUT);
    release(&world->lock);
    world_free(world);
}

static void acquire_and_release(void *arg, int index)
{
    rlock_world *world = arg;

    world->results[index] = kr_rlock_acquire(&world->lock, KR_FOREVER);
    world->results[index] |= kr_rlock_acquire(&world->lock, KR_FOREVER);
    world->results[index] |= kr_rlock_release(&world->lock);
    world->results[index] |= kr_rlock_release(&world->lock);
}

PARTY_TEST(test_acquire_contended)
{
    rlock_world *world = world_create();
    party_bunch *bunch;

    acquire(&world->lock);
    acquire(&world->lock);
    bunch = party_start(PARTIES, acquire_and_release, world);
    party_await_asleep(PARTIES);
    release(&world->lock);
    CHECK_EQ(party_finished(bunch), 0);
    party_await_asleep(PARTIES);
    release(&world->lock);
    party_join(bunch);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(world->results[i], 0);
    CHECK(!kr_rlock_locked(&world->lock));
    world_free(world);
}

PARTY_CASE(test_acquire_contended, runners)

static int fail_inside(kr_rlock *lock)
{
    kr_with (lock) {
        kr_with (lock)
            if (kr_rlock_count(lock) == 2)
                return -EIO;
    }
    return 0;
}

/* behaviour: 12.4 test_rlock_context */
PARTY_TEST(test_with)
{
    rlock_world *world = world_create();
    kr_rlock *lock = &world->lock;

    kr_with (lock) {
        CHECK_EQ(look(lock), 111);
        kr_with (lock)
            CHECK_EQ(look(lock), 211);
        CHECK_EQ(look(lock), 111);
    }
    CHECK_EQ(look(lock), 0);
    CHECK_EQ(fail_inside(lock), -EIO);
    CHECK_EQ(look(lock), 0);
    world_free(world);
}

static void time_out(void *arg, int index)
{
    rlock_world *world = arg;
    kr_time start = kr_now(), took;

    world->results[index] = kr_rlock_acquire(&world->lock, kr_ms(300));
    took = kr_now() - start;
    if (took < kr_ms(180) || took > kr_sec(10))
        world->results[index] = -ERANGE;
}

PARTY_TEST(test_timeout)
{
    rlock_world *world = world_create();

    CHECK_EQ(kr_rlock_acquire(&world->lock, -1), -EINVAL);
    CHECK_EQ(kr_rlock_acquire(&world->lock, INT64_MIN), -EINVAL);
    CHECK_EQ(kr_rlock_acquire(&world->lock, KR_FOREVER - 1), 0);
    CHECK_EQ(kr_rlock_acquire(&world->lock, -1), -EINVAL);
    CHECK_EQ(kr_rlock_count(&world->lock), 1);
    party_join(party_start(1, time_out, world));
    CHECK_EQ(world->results[0], -ETIMEDOUT);
    release(&world->lock);
    CHECK_EQ(look(&world->lock), 0);
    world_free(world);
}

PARTY_TEST_OF(test_at_fork_reinit, threads)
{
    rlock_world *world = world_create();

    acquire(&world->lock);
    acquire(&world->lock);
    kr_rlock_reinit(&world->lock);
    CHECK_EQ(look(&world->lock), 0);
    acquire(&world->lock);
    release(&world->lock);
    world_free(world);
}

/* Rounds of nested sections in which a plain counter is changed. */
static void count_nested(void *arg, int index)
{
    rlock_world *world = arg;

    (void)index;
    for (int i = 0; i < 2000; i++)
        kr_with (&world->lock)
            kr_with (&world->lock)
                world->again[0]++;
}

PARTY_TEST(test_excludes)
{
    rlock_world *world = world_create();

    party_join(party_start(4, count_nested, world));
    CHECK_EQ(world->again[0], 8000);
    CHECK(!kr_rlock_locked(&world->lock));
    world_free(world);
}

PARTY_CASE(test_excludes, runners)
