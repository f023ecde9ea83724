/* The lock as CPython's tests see it.
 *
 * Behaviours: sections 1 and 12.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARTIES = 5 };

typedef struct lock_world {
    kr_lock lock;
    kr_lock second;
    kr_word passed;
    int results[PARTY_MAX];
} lock_world;

static lock_world *world_create(void)
{
    lock_world *world = party_world(sizeof *world);

    make_lock(&world->lock);
    make_lock(&world->second);
    return world;
}

static void world_free(lock_world *world)
{
    party_world_free(world, sizeof *world);
}

TEST(test_constructor)
{
    kr_lock lock = KR_LOCK_INIT;
    kr_lock zero;

    memset(&zero, 0, sizeof zero);
    CHECK(memcmp(&lock, &zero, sizeof lock) == 0);
    CHECK_EQ(sizeof lock, 8);
    CHECK(!kr_lock_locked(&lock));
}

PARTY_TEST(test_acquire_destroy)
{
    lock_world *world = world_create();

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
    world_free(world);
}

PARTY_TEST(test_acquire_release)
{
    lock_world *world = world_create();

    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
        CHECK(kr_lock_locked(&world->lock));
        CHECK_EQ(kr_lock_release(&world->lock), 0);
        CHECK(!kr_lock_locked(&world->lock));
    }
    world_free(world);
}

PARTY_TEST(test_try_acquire)
{
    lock_world *world = world_create();

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    world_free(world);
}

static void try_it(void *arg, int index)
{
    lock_world *world = arg;

    world->results[index] = kr_lock_acquire(&world->lock, KR_NOWAIT);
}

PARTY_TEST(test_try_acquire_contended)
{
    lock_world *world = world_create();
    party_bunch *bunch;

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
    bunch = party_start(1, try_it, world);
    party_join(bunch);
    CHECK_EQ(world->results[0], -ETIMEDOUT);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    world_free(world);
}

static void acquire_and_release(void *arg, int index)
{
    lock_world *world = arg;

    world->results[index] = kr_lock_acquire(&world->lock, KR_FOREVER);
    if (world->results[index] == 0)
        world->results[index] = kr_lock_release(&world->lock);
}

PARTY_TEST(test_acquire_contended)
{
    lock_world *world = world_create();
    party_bunch *bunch;

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
    bunch = party_start(PARTIES, acquire_and_release, world);
    PARTY_AWAIT_PARKED(&world->lock, PARTIES);
    CHECK_EQ(party_finished(bunch), 0);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    party_join(bunch);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(world->results[i], 0);
    CHECK(!kr_lock_locked(&world->lock));
    world_free(world);
}

PARTY_CASE(test_acquire_contended, runners)

/* Fails with the lock held, as a body that raises does. */
static int fail_inside(kr_lock *lock)
{
    kr_with (lock) {
        if (kr_lock_locked(lock))
            return -EIO;
    }
    return 0;
}

/* behaviour: 12.4 test_lock_context */
PARTY_TEST(test_with)
{
    lock_world *world = world_create();
    kr_lock *lock = &world->lock;
    int rounds = 0;

    kr_with (lock) {
        CHECK(kr_lock_locked(lock));
        CHECK_EQ(kr_lock_acquire(lock, KR_NOWAIT), -ETIMEDOUT);
        rounds++;
    }
    CHECK_EQ(rounds, 1);
    CHECK(!kr_lock_locked(lock));
    CHECK_EQ(fail_inside(lock), -EIO);
    CHECK(!kr_lock_locked(lock));
    world_free(world);
}

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void acquire_twice_and_release(void *arg, int index)
{
    acquire_and_release(arg, index);
    acquire_and_release(arg, index);
}

/* What a thread's record could keep is its memory, which the address sanitizer's leak check sees,
 * and a descriptor. */
PARTY_TEST(test_thread_leak)
{
    lock_world *world = world_create();
    int descriptors = count_entries("/proc/self/fd");

    for (int round = 0; round < 3; round++)
        party_join(party_start(15, acquire_twice_and_release, world));
    for (int i = 0; i < 15; i++)
        CHECK_EQ(world->results[i], 0);
    CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
    world_free(world);
}

static void time_out(void *arg, int index)
{
    lock_world *world = arg;
    kr_time start = kr_now();
    kr_time took;

    world->results[index] = kr_lock_acquire(&world->lock, kr_ms(500));
    took = kr_now() - start;
    if (took < kr_ms(300) || took > kr_sec(10))
        world->results[index] = -ERANGE;
}

PARTY_TEST(test_timeout)
{
    lock_world *world = world_create();
    kr_time start = kr_now();

    CHECK_EQ(kr_lock_acquire(&world->lock, -1), -EINVAL);
    CHECK_EQ(kr_lock_acquire(&world->lock, kr_sec(-100)), -EINVAL);
    CHECK_EQ(kr_lock_acquire(&world->lock, INT64_MIN), -EINVAL);
    CHECK(!kr_lock_locked(&world->lock));
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER - 1), 0);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    CHECK_EQ(kr_lock_acquire(&world->lock, kr_sec(100)), 0);
    CHECK_LE(kr_now() - start, kr_sec(10));
    party_join(party_start(1, time_out, world));
    CHECK_EQ(world->results[0], -ETIMEDOUT);
    world_free(world);
}

PARTY_CASE(test_timeout, runners)

static void wait_for_long(void *arg, int index)
{
    lock_world *world = arg;

    world->results[index] = kr_lock_acquire(&world->lock, KR_FOREVER - 1 - index);
    if (world->results[index] == 0)
        world->results[index] = kr_lock_release(&world->lock);
}

/* The largest time-outs do not wrap round into the past. */
PARTY_TEST(test_timeout_maximum)
{
    lock_world *world = world_create();
    party_bunch *bunch;

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
    bunch = party_start(3, wait_for_long, world);
    PARTY_AWAIT_PARKED(&world->lock, 3);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    party_join(bunch);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(world->results[i], 0);
    world_free(world);
}

static void acquire_twice(void *arg, int index)
{
    lock_world *world = arg;

    (void)index;
    world->results[0] = kr_lock_acquire(&world->lock, KR_FOREVER);
    kri_add_acq_rel(&world->passed, 1);
    world->results[1] = kr_lock_acquire(&world->lock, KR_FOREVER);
    kri_add_acq_rel(&world->passed, 1);
}

PARTY_TEST(test_reacquire)
{
    lock_world *world = world_create();
    party_bunch *bunch = party_start(1, acquire_twice, world);

    PARTY_AWAIT_PARKED(&world->lock, 1);
    CHECK_EQ(kri_load_acq(&world->passed), 1);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    party_join(bunch);
    CHECK_EQ(world->results[0], 0);
    CHECK_EQ(world->results[1], 0);
    CHECK(kr_lock_locked(&world->lock));
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    world_free(world);
}

static void only_release(void *arg, int index)
{
    lock_world *world = arg;

    world->results[index] = kr_lock_release(&world->lock);
}

PARTY_TEST(test_different_thread)
{
    lock_world *world = world_create();

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
    party_join(party_start(1, only_release, world));
    CHECK_EQ(world->results[0], 0);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    world_free(world);
}

PARTY_CASE(test_different_thread, runners)

static void time_out_soon(void *arg, int index)
{
    lock_world *world = arg;

    world->results[index] = kr_lock_acquire(&world->lock, kr_ms(10));
}

PARTY_TEST(test_state_after_timeout)
{
    lock_world *world = world_create();

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
    party_join(party_start(3, time_out_soon, world));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(world->results[i], -ETIMEDOUT);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    CHECK(!kr_lock_locked(&world->lock));
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    world_free(world);
}

static bool free_after_reinit(kr_lock *lock)
{
    kr_lock_reinit(lock);
    return !kr_lock_locked(lock) && kr_lock_acquire(lock, KR_NOWAIT) == 0 &&
           kr_lock_acquire(lock, KR_NOWAIT) == -ETIMEDOUT && kr_lock_release(lock) == 0;
}

TEST(test_at_fork_reinit)
{
    kr_lock untouched = KR_LOCK_INIT;
    kr_lock held = KR_LOCK_INIT;
    int status;
    pid_t child;

    CHECK_EQ(kr_lock_acquire(&held, KR_FOREVER), 0);
    child = fork();
    CHECK_GE(child, 0);
    if (child == 0)
        _exit(free_after_reinit(&untouched) && free_after_reinit(&held) ? 0 : 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(kr_lock_locked(&held));
    CHECK(free_after_reinit(&held));
}

/* CPython's test_lock of processes: a second try fails, a release too many is an error.
 * behaviour: 12.4 test_lock */
PARTY_TEST(test_releasing_unacquired_lock)
{
    lock_world *world = world_create();

    CHECK_EQ(kr_lock_release(&world->lock), -EPERM);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    CHECK_EQ(kr_lock_release(&world->lock), -EPERM);
    CHECK(!kr_lock_locked(&world->lock));
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    world_free(world);
}

static void look_if_locked(void *arg, int index)
{
    lock_world *world = arg;

    world->results[index] = kr_lock_locked(&world->lock);
}

static void acquire_only(void *arg, int index)
{
    lock_world *world = arg;

    world->results[index] = kr_lock_acquire(&world->lock, KR_FOREVER);
    kri_add_acq_rel(&world->passed, 1);
    party_await_count(&world->passed, 2);
}

/* Whether it is held is seen by whoever looks, whoever holds it. */
PARTY_TEST(test_lock_locked_2processes)
{
    lock_world *world = world_create();
    party_bunch *bunch;

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    party_join(party_start(1, look_if_locked, world));
    CHECK_EQ(world->results[0], 1);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    party_join(party_start(1, look_if_locked, world));
    CHECK_EQ(world->results[0], 0);
    bunch = party_start(1, acquire_only, world);
    party_await_count(&world->passed, 1);
    CHECK(kr_lock_locked(&world->lock));
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    CHECK(!kr_lock_locked(&world->lock));
    kri_add_acq_rel(&world->passed, 1);
    party_join(bunch);
    CHECK_EQ(world->results[0], 0);
    world_free(world);
}
