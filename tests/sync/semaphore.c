/* Semaphore and bounded semaphore as CPython's tests see them.
 *
 * Behaviours: sections 5 and 12.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"

typedef struct semaphore_world {
    kr_semaphore semaphore;
    kr_word passed;
    kr_word refused;
    kr_word failed;
    int results[PARTY_MAX];
} semaphore_world;

static semaphore_world *bounded_world_create(unsigned permits, unsigned bound)
{
    semaphore_world *world = party_world(sizeof *world);

    make_semaphore(&world->semaphore, permits, bound);
    return world;
}

static semaphore_world *world_create(unsigned permits)
{
    return bounded_world_create(permits, 0);
}

static void world_free(semaphore_world *world)
{
    party_world_free(world, sizeof *world);
}

TEST(test_constructor)
{
    kr_semaphore semaphore = KR_SEMAPHORE_INIT(3);
    kr_semaphore zero;

    CHECK_EQ(kr_semaphore_value(&semaphore), 3);
    memset(&zero, 0, sizeof zero);
    CHECK_EQ(kr_semaphore_value(&zero), 0);
    CHECK_EQ(kr_semaphore_acquire(&zero, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_init(&semaphore, -1, NULL), -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, INT64_MIN, NULL), -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, (int64_t)KR_SEMAPHORE_MAX + 1, NULL), -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, (int64_t)UINT32_MAX + 2, NULL), -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, 3, &(kr_semaphore_options){.bound = 2}), -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, 0, NULL), 0);
    CHECK_EQ(kr_semaphore_value(&semaphore), 0);
    CHECK_EQ(kr_semaphore_init(&semaphore, KR_SEMAPHORE_MAX,
                               &(kr_semaphore_options){.bound = KR_SEMAPHORE_MAX}),
             0);
    CHECK_EQ(kr_semaphore_value(&semaphore), KR_SEMAPHORE_MAX);
}

PARTY_TEST(test_acquire)
{
    for (int permits = 1; permits <= 2; permits++) {
        semaphore_world *world = world_create((unsigned)permits);
        kr_semaphore *semaphore = &world->semaphore;

        for (int i = 0; i < permits; i++)
            CHECK_EQ(kr_semaphore_acquire(semaphore, KR_FOREVER), 0);
        CHECK_EQ(kr_semaphore_value(semaphore), 0);
        for (int i = 0; i < permits; i++)
            CHECK_EQ(kr_semaphore_release(semaphore, 1), 0);
        CHECK_EQ(kr_semaphore_value(semaphore), permits);
        world_free(world);
    }
}

PARTY_TEST(test_acquire_destroy)
{
    semaphore_world *world = world_create(1);

    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_FOREVER), 0);
    world_free(world);
}

static void acquire_twice(void *arg, int index)
{
    semaphore_world *world = arg;

    (void)index;
    for (int i = 0; i < 2; i++) {
        if (kr_semaphore_acquire(&world->semaphore, KR_FOREVER) == 0)
            kri_add_acq_rel(&world->passed, 1);
        else
            kri_add_acq_rel(&world->failed, 1);
    }
}

/* `passed` have a permit and all others that are left sleep: nobody is still on the way. */
static void await_phase(semaphore_world *world, party_bunch *bunch, int passed)
{
    party_await_count(&world->passed, passed);
    while (party_parked(&world->semaphore, sizeof world->semaphore) + party_finished(bunch) !=
           bunch->count)
        kri_test_nap();
    CHECK_EQ(kri_load_acq(&world->passed), passed);
    CHECK_EQ(kri_load_acq(&world->failed), 0);
}

static void release(semaphore_world *world, int permits, bool at_once)
{
    if (at_once)
        CHECK_EQ(kr_semaphore_release(&world->semaphore, permits), 0);
    for (int i = 0; !at_once && i < permits; i++)
        CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), 0);
}

static void check_contended(bool at_once)
{
    semaphore_world *world = world_create(7);
    party_bunch *bunch;

    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_FOREVER), 0);
    bunch = party_start(10, acquire_twice, world);
    await_phase(world, bunch, 6);
    release(world, 7, at_once);
    await_phase(world, bunch, 13);
    release(world, 6, at_once);
    await_phase(world, bunch, 19);
    CHECK_EQ(party_finished(bunch), 9);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), -ETIMEDOUT);
    release(world, 1, at_once);
    party_join(bunch);
    CHECK_EQ(kri_load_acq(&world->passed), 20);
    CHECK_EQ(kr_semaphore_value(&world->semaphore), 0);
    world_free(world);
}

PARTY_TEST(test_acquire_contended)
{
    check_contended(false);
}

PARTY_CASE(test_acquire_contended, runners)

PARTY_TEST(test_multirelease)
{
    check_contended(true);
}

PARTY_CASE(test_multirelease, runners)

PARTY_TEST(test_try_acquire)
{
    semaphore_world *world = world_create(2);
    kr_semaphore *semaphore = &world->semaphore;

    CHECK_EQ(kr_semaphore_acquire(semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(semaphore, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_release(semaphore, 1), 0);
    CHECK_EQ(kr_semaphore_acquire(semaphore, KR_NOWAIT), 0);
    world_free(world);
}

static void try_twice(void *arg, int index)
{
    semaphore_world *world = arg;

    (void)index;
    for (int i = 0; i < 2; i++) {
        int err = kr_semaphore_acquire(&world->semaphore, KR_NOWAIT);

        kri_add_acq_rel(err == 0 ? &world->passed : &world->refused, 1);
        if (err != 0 && err != -ETIMEDOUT)
            kri_add_acq_rel(&world->failed, 1);
    }
}

PARTY_TEST(test_try_acquire_contended)
{
    semaphore_world *world = world_create(4);

    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_FOREVER), 0);
    party_join(party_start(5, try_twice, world));
    CHECK_EQ(kri_load_acq(&world->passed), 3);
    CHECK_EQ(kri_load_acq(&world->refused), 7);
    CHECK_EQ(kri_load_acq(&world->failed), 0);
    world_free(world);
}

/* behaviour: 12.4 test_timeout */
PARTY_TEST(test_acquire_timeout)
{
    semaphore_world *world = world_create(2);
    kr_semaphore *semaphore = &world->semaphore;
    kr_time start;

    CHECK_EQ(kr_semaphore_acquire(semaphore, -1), -EINVAL);
    CHECK_EQ(kr_semaphore_value(semaphore), 2);
    CHECK_EQ(kr_semaphore_acquire(semaphore, kr_ms(5)), 0);
    CHECK_EQ(kr_semaphore_acquire(semaphore, kr_ms(5)), 0);
    CHECK_EQ(kr_semaphore_acquire(semaphore, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_release(semaphore, 1), 0);
    CHECK_EQ(kr_semaphore_acquire(semaphore, kr_ms(5)), 0);
    start = kr_now();
    CHECK_EQ(kr_semaphore_acquire(semaphore, kr_ms(500)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - start, kr_ms(500));
    CHECK_EQ(kr_semaphore_acquire(semaphore, -1), -EINVAL);
    world_free(world);
}

static void acquire_once(void *arg, int index)
{
    semaphore_world *world = arg;

    world->results[index] = kr_semaphore_acquire(&world->semaphore, KR_FOREVER);
}

/* Python's default, one permit, is written out here. */
PARTY_TEST(test_default_value)
{
    semaphore_world *world = world_create(1);
    party_bunch *bunch;

    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_FOREVER), 0);
    bunch = party_start(1, acquire_once, world);
    PARTY_AWAIT_PARKED(&world->semaphore, 1);
    CHECK_EQ(party_finished(bunch), 0);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), 0);
    party_join(bunch);
    CHECK_EQ(world->results[0], 0);
    world_free(world);
}

static int fail_inside(kr_semaphore *semaphore)
{
    kr_with (semaphore)
        if (kr_semaphore_value(semaphore) == 1)
            return -EIO;
    return 0;
}

PARTY_TEST(test_with)
{
    semaphore_world *world = world_create(2);
    kr_semaphore *semaphore = &world->semaphore;

    kr_with (semaphore) {
        CHECK_EQ(kr_semaphore_value(semaphore), 1);
        kr_with (semaphore) {
            CHECK_EQ(kr_semaphore_value(semaphore), 0);
            CHECK_EQ(kr_semaphore_acquire(semaphore, KR_NOWAIT), -ETIMEDOUT);
        }
        CHECK_EQ(kr_semaphore_value(semaphore), 1);
    }
    CHECK_EQ(kr_semaphore_value(semaphore), 2);
    CHECK_EQ(fail_inside(semaphore), -EIO);
    CHECK_EQ(kr_semaphore_value(semaphore), 2);
    world_free(world);
}

/* SemaphoreTests.test_release_unacquired, and BoundedSemaphoreTests' below it.
 * behaviours: 12.4 test_semaphore, test_bounded_semaphore */
PARTY_TEST(test_release_unacquired)
{
    semaphore_world *world = world_create(1);
    semaphore_world *bounded_world = bounded_world_create(1, 1);
    kr_semaphore *semaphore = &world->semaphore, *bounded = &bounded_world->semaphore;

    CHECK_EQ(kr_semaphore_release(semaphore, 1), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_semaphore_acquire(semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(semaphore, KR_NOWAIT), -ETIMEDOUT);

    CHECK_EQ(kr_semaphore_release(bounded, 1), -EOVERFLOW);
    CHECK_EQ(kr_semaphore_acquire(bounded, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_release(bounded, 2), -EOVERFLOW);
    CHECK_EQ(kr_semaphore_value(bounded), 0);
    CHECK_EQ(kr_semaphore_release(bounded, 1), 0);
    CHECK_EQ(kr_semaphore_release(bounded, 1), -EOVERFLOW);
    CHECK_EQ(kr_semaphore_value(bounded), 1);
    world_free(world);
    world_free(bounded_world);
}

static void only_release(void *arg, int index)
{
    semaphore_world *world = arg;

    world->results[index] = kr_semaphore_release(&world->semaphore, 1);
}

PARTY_TEST(test_BoundedSemaphore_limit)
{
    for (int limit = 1; limit < 10; limit++) {
        semaphore_world *world = bounded_world_create((unsigned)limit, (unsigned)limit);

        party_join(party_start(limit, acquire_once, world));
        for (int i = 0; i < limit; i++)
            CHECK_EQ(world->results[i], 0);
        party_join(party_start(limit, only_release, world));
        for (int i = 0; i < limit; i++)
            CHECK_EQ(world->results[i], 0);
        CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), -EOVERFLOW);
        world_free(world);
    }
}

PARTY_TEST(test_release_errors)
{
    semaphore_world *world = world_create(5);
    kr_semaphore *semaphore = &world->semaphore;
    int most = (int)KR_SEMAPHORE_MAX;

    CHECK_EQ(kr_semaphore_release(semaphore, 0), -EINVAL);
    CHECK_EQ(kr_semaphore_release(semaphore, -1), -EINVAL);
    CHECK_EQ(kr_semaphore_release(semaphore, INT32_MIN), -EINVAL);
    CHECK_EQ(kr_semaphore_release(semaphore, INT32_MAX), -EOVERFLOW);
    CHECK_EQ(kr_semaphore_value(semaphore), 5);
    CHECK_EQ(kr_semaphore_release(semaphore, most - 5), 0);
    CHECK_EQ(kr_semaphore_value(semaphore), most);
    CHECK_EQ(kr_semaphore_release(semaphore, 1), -EOVERFLOW);
    CHECK_EQ(kr_semaphore_acquire(semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_value(semaphore), most - 1);
    world_free(world);
}

/* One release of many permits wakes as many. */
PARTY_TEST(test_release_wakes_a_hundred)
{
    semaphore_world *world = world_create(0);
    party_bunch *bunch = party_start(100, acquire_once, world);

    PARTY_AWAIT_PARKED(&world->semaphore, 100);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 40), 0);
    party_await_finished(bunch, 40);
    PARTY_AWAIT_PARKED(&world->semaphore, 60);
    CHECK_EQ(party_finished(bunch), 40);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 61), 0);
    party_join(bunch);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(world->results[i], 0);
    CHECK_EQ(kr_semaphore_value(&world->semaphore), 1);
    world_free(world);
}

PARTY_CASE(test_release_wakes_a_hundred, runners)
