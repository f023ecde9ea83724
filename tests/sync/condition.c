/* The condition as CPython's tests see it.
 *
 * Behaviours: sections 3 and 12.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"

enum { PARTIES = 5 };

typedef struct condition_world {
    kr_condition condition;
    kr_condition other;
    kr_lock lock;
    kr_rlock rlock;
    kr_word looks;  /* at the state */
    kr_word first;  /* have returned from their first wait */
    kr_word second; /* from their second */
    kr_word bad;    /* a call failed that must not */
    int state;      /* guarded by the condition's lock */
    kr_time timeout;
    int results[PARTY_MAX];
    kr_time took[PARTY_MAX];
} condition_world;

static condition_world *world_create(void)
{
    condition_world *world = party_world(sizeof *world);

    make_lock(&world->lock);
    make_condition(&world->condition, NULL);
    return world;
}

static void world_free(condition_world *world)
{
    CHECK_EQ(kri_load_acq(&world->bad), 0);
    CHECK_EQ(party_parked(&world->condition, sizeof world->condition), 0);
    CHECK(!kr_condition_locked(&world->condition));
    party_world_free(world, sizeof *world);
}

static void acquire(condition_world *world)
{
    if (kr_condition_acquire(&world->condition, KR_FOREVER) != 0)
        kri_add_acq_rel(&world->bad, 1);
}

static void release(condition_world *world)
{
    if (kr_condition_release(&world->condition) != 0)
        kri_add_acq_rel(&world->bad, 1);
}

PARTY_TEST(test_acquire)
{
    condition_world *world = world_create();
    kr_condition *condition = &world->condition;
    kr_lock *lock = &world->lock;

    CHECK_EQ(kr_condition_acquire(condition, KR_FOREVER), 0);
    CHECK(kr_condition_locked(condition));
    CHECK_EQ(kr_condition_acquire(condition, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_condition_release(condition), 0);
    CHECK(!kr_condition_locked(condition));
    CHECK_EQ(kr_condition_release(condition), -EPERM);

    make_condition(condition, lock);
    CHECK_EQ(kr_condition_acquire(condition, KR_FOREVER), 0);
    CHECK(kr_lock_locked(lock));
    CHECK_EQ(kr_lock_acquire(lock, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_lock_release(lock), 0);
    CHECK(!kr_condition_locked(condition));
    kr_with (lock) {
        CHECK(kr_condition_locked(condition));
        CHECK_EQ(kr_condition_acquire(condition, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_condition_wait(condition, kr_ms(1)), -ETIMEDOUT);
        CHECK(kr_lock_locked(lock));
    }
    CHECK(!kr_condition_locked(condition));

    make_condition(condition, NULL);
    CHECK_EQ(kr_condition_acquire(condition, KR_NOWAIT), 0);
    CHECK(!kr_lock_locked(lock));
    CHECK_EQ(kr_condition_release(condition), 0);
    world_free(world);
}

PARTY_TEST(test_unacquired_wait)
{
    condition_world *world = world_create();
    kr_condition *condition = &world->condition;

    CHECK_EQ(kr_condition_wait(condition, KR_FOREVER), -EPERM);
    CHECK_EQ(kr_condition_wait(condition, kr_ms(1)), -EPERM);
    CHECK(!kr_condition_locked(condition));
    world_free(world);
}

PARTY_TEST(test_unacquired_notify)
{
    condition_world *world = world_create();
    kr_condition *condition = &world->condition;

    CHECK_EQ(kr_condition_notify(condition, 1), -EPERM);
    CHECK_EQ(kr_condition_notify_all(condition), -EPERM);
    CHECK(!kr_condition_locked(condition));
    world_free(world);
}

static void wait_twice(void *arg, int index)
{
    condition_world *world = arg;

    (void)index;
    acquire(world);
    if (kr_condition_wait(&world->condition, KR_FOREVER) != 0)
        kri_add_acq_rel(&world->bad, 1);
    kri_add_acq_rel(&world->first, 1);
    if (kr_condition_wait(&world->condition, KR_FOREVER) != 0)
        kri_add_acq_rel(&world->bad, 1);
    kri_add_acq_rel(&world->second, 1);
    release(world);
}

/* All who are not finished sleep in a wait: nobody is still on the way. */
static void await_phase(condition_world *world, int first, int second)
{
    party_await_count(&world->first, first);
    party_await_count(&world->second, second);
    await_parked_at_condition(&world->condition, PARTIES - second);
    CHECK_EQ(kri_load_acq(&world->first), first);
    CHECK_EQ(kri_load_acq(&world->second), second);
}

/* Notify with the lock held long enough to see that nobody has come back before the release. */
static void notify(condition_world *world, int count, int woken)
{
    int first = (int)kri_load_acq(&world->first);
    int second = (int)kri_load_acq(&world->second);

    acquire(world);
    CHECK_EQ(kr_condition_notify(&world->condition, count), woken);
    for (int i = 0; i < 20; i++) {
        kri_test_nap();
        CHECK_EQ(kri_load_acq(&world->first), first);
        CHECK_EQ(kri_load_acq(&world->second), second);
    }
    release(world);
}

static void check_notify(condition_world *world)
{
    party_bunch *bunch;

    kri_store_rel(&world->first, 0);
    kri_store_rel(&world->second, 0);
    acquire(world);
    CHECK_EQ(kr_condition_notify(&world->condition, 3), 0);
    release(world);
    bunch = party_start(PARTIES, wait_twice, world);
    await_phase(world, 0, 0);
    notify(world, 3, 3);
    await_phase(world, 3, 0);
    notify(world, 5, 5);
    await_phase(world, PARTIES, 3);
    acquire(world);
    CHECK_EQ(kr_condition_notify_all(&world->condition), 2);
    release(world);
    party_join(bunch);
    CHECK_EQ(kri_load_acq(&world->second), PARTIES);
    acquire(world);
    CHECK_EQ(kr_condition_notify_all(&world->condition), 0);
    release(world);
}

PARTY_TEST(test_notify)
{
    condition_world *world = world_create();

    check_notify(world);
    check_notify(world);
    world_free(world);
}

PARTY_CASE(test_notify, runners)

PARTY_CASE(test_notify, mixed)

/* The same over a lock of the user's. */
/* behaviour: 13.1 test_explicit_lock */
PARTY_TEST(test_notify_with_lock)
{
    condition_world *world = world_create();

    make_condition(&world->condition, &world->lock);
    check_notify(world);
    check_notify(world);
    world_free(world);
}

static void wait_timed(void *arg, int index)
{
    condition_world *world = arg;
    kr_time start;

    acquire(world);
    start = kr_now();
    world->results[index] = kr_condition_wait(&world->condition, world->timeout);
    world->took[index] = kr_now() - start;
    release(world);
}

PARTY_TEST(test_timeout)
{
    condition_world *world = world_create();

    world->timeout = kr_ms(500);
    party_join(party_start(PARTIES, wait_timed, world));
    for (int i = 0; i < PARTIES; i++) {
        CHECK_EQ(world->results[i], -ETIMEDOUT);
        CHECK_GE(world->took[i], kr_ms(300));
        CHECK_LE(world->took[i], kr_sec(10));
    }
    acquire(world);
    CHECK_EQ(kr_condition_notify_all(&world->condition), 0);
    release(world);
    world_free(world);
}

PARTY_CASE(test_timeout, mixed)

static bool state_is_four(void *arg)
{
    condition_world *world = arg;

    kri_add_acq_rel(&world->looks, 1);
    return world->state == 4;
}

static void wait_for_four(void *arg, int index)
{
    condition_world *world = arg;
    kr_time start = kr_now();

    acquire(world);
    world->results[index] =
        kr_condition_wait_for(&world->condition, state_is_four, world, world->timeout);
    world->took[index] = kr_now() - start;
    if (world->results[index] == 0 && world->state != 4)
        world->results[index] = -ERANGE;
    release(world);
}

/* Step the state up `steps` times, each when the waiter sleeps again. */
static void step_and_notify(condition_world *world, int steps)
{
    for (int i = 0; i < steps; i++) {
        /* Moved to the lock's queue, a process seems to sleep at the condition still. */
        party_await_count(&world->looks, i + 1);
        await_parked_at_condition(&world->condition, 1);
        acquire(world);
        world->state++;
        CHECK_EQ(kr_condition_notify(&world->condition, 1), 1);
        release(world);
    }
}

/* behaviour: 13.1 test_wait_for */
PARTY_TEST(test_waitfor)
{
    condition_world *world = world_create();
    party_bunch *bunch;

    world->timeout = KR_FOREVER;
    bunch = party_start(1, wait_for_four, world);
    step_and_notify(world, 4);
    party_join(bunch);
    CHECK_EQ(world->results[0], 0);
    acquire(world);
    CHECK_EQ(kr_condition_wait_for(&world->condition, state_is_four, world, KR_NOWAIT), 0);
    CHECK_EQ(kr_condition_wait_for(&world->condition, state_is_four, world, -1), -EINVAL);
    release(world);
    world_free(world);
}

PARTY_CASE(test_waitfor, mixed)

/* Wake-ups that do not make it true do not start the time anew. */
PARTY_TEST(test_waitfor_timeout)
{
    condition_world *world = world_create();
    party_bunch *bunch;

    world->timeout = kr_ms(500);
    bunch = party_start(1, wait_for_four, world);
    while (party_finished(bunch) == 0) {
        acquire(world);
        kr_condition_notify(&world->condition, 1);
        release(world);
        kri_test_nap();
    }
    party_join(bunch);
    CHECK_EQ(world->results[0], -ETIMEDOUT);
    CHECK_GE(world->took[0], kr_ms(300));
    CHECK_LE(world->took[0], kr_sec(10));
    world_free(world);
}

/* CPython's tests of processes: six waiters of both kinds, whose first waits time out; then one
 * notify_all wakes them all. */
static void time_out_then_wait(void *arg, int index)
{
    condition_world *world = arg;

    acquire(world);
    world->results[index] = kr_condition_wait(&world->condition, kr_ms(50));
    kri_add_acq_rel(&world->first, world->results[index] == -ETIMEDOUT);
    world->results[index] = kr_condition_wait(&world->condition, KR_FOREVER);
    kri_add_acq_rel(&world->second, 1);
    release(world);
}

PARTY_TEST(test_notify_all)
{
    enum { WAITERS = 6 };
    condition_world *world = world_create();
    party_bunch *bunch = party_start(WAITERS, time_out_then_wait, world);

    party_await_count(&world->first, WAITERS);
    await_parked_at_condition(&world->condition, WAITERS);
    CHECK_EQ(kri_load_acq(&world->second), 0);
    acquire(world);
    CHECK_EQ(kr_condition_notify_all(&world->condition), WAITERS);
    release(world);
    party_join(bunch);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(world->results[i], 0);
    world_free(world);
}

PARTY_CASE(test_notify_all, mixed)

/* Two of six, then the rest, then nobody is left to be woken. */
PARTY_TEST(test_notify_n)
{
    enum { WAITERS = 6 };
    condition_world *world = world_create();
    party_bunch *bunch = party_start(WAITERS, time_out_then_wait, world);

    party_await_count(&world->first, WAITERS);
    await_parked_at_condition(&world->condition, WAITERS);
    acquire(world);
    CHECK_EQ(kr_condition_notify(&world->condition, 2), 2);
    release(world);
    party_await_count(&world->second, 2);
    await_parked_at_condition(&world->condition, WAITERS - 2);
    CHECK_EQ(kri_load_acq(&world->second), 2);
    acquire(world);
    CHECK_EQ(kr_condition_notify(&world->condition, 4), 4);
    release(world);
    party_join(bunch);
    acquire(world);
    CHECK_EQ(kr_condition_notify(&world->condition, 3), 0);
    release(world);
    CHECK_EQ(kri_load_acq(&world->second), WAITERS);
    world_free(world);
}

PARTY_CASE(test_notify_n, runners)

PARTY_CASE(test_notify_n, mixed)

static void wait_in_three_ways(void *arg, int index)
{
    condition_world *world = arg;

    (void)index;
    acquire(world);
    world->results[0] = kr_condition_wait(&world->condition, KR_NOWAIT);
    world->results[1] = kr_condition_wait(&world->condition, kr_ms(100));
    world->results[2] = kr_condition_wait(&world->condition, KR_FOREVER);
    kri_add_acq_rel(&world->first, 1);
    release(world);
}

/* A time-out of none, a short one, a notify; a signal ends no wait: see tests/deviations. */
PARTY_TEST(test_wait_result)
{
    condition_world *world = world_create();
    party_bunch *bunch = party_start(1, wait_in_three_ways, world);
    int woken = 0;

    while (woken == 0) {
        party_nap();
        acquire(world);
        if (world->results[1] == -ETIMEDOUT)
            woken = kr_condition_notify(&world->condition, 1);
        release(world);
    }
    party_join(bunch);
    CHECK_EQ(world->results[0], -ETIMEDOUT);
    CHECK_EQ(world->results[1], -ETIMEDOUT);
    CHECK_EQ(world->results[2], 0);
    world_free(world);
}

PARTY_TEST(test_errors)
{
    condition_world *world = world_create();
    kr_condition *condition = &world->condition;

    CHECK_EQ(kr_condition_acquire(condition, -1), -EINVAL);
    CHECK(!kr_condition_locked(condition));
    CHECK_EQ(kr_condition_acquire(condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_acquire(condition, -1), -EINVAL);
    CHECK_EQ(kr_condition_wait(condition, -1), -EINVAL);
    CHECK_EQ(kr_condition_wait(condition, INT64_MIN), -EINVAL);
    CHECK(kr_condition_locked(condition));
    CHECK_EQ(kr_condition_notify(condition, -1), -EINVAL);
    CHECK_EQ(kr_condition_notify(condition, INT32_MIN), -EINVAL);
    CHECK_EQ(kr_condition_notify(condition, 0), 0);
    CHECK_EQ(kr_condition_notify(condition, INT32_MAX), 0);
    CHECK_EQ(kr_condition_wait(condition, KR_NOWAIT), -ETIMEDOUT);
    CHECK(kr_condition_locked(condition));
    CHECK_EQ(kr_condition_release(condition), 0);
    world_free(world);
}

/* A notify is for those who waited when it was made: one who comes later, here the notifier itself
 * before any of the woken has run, takes nothing away from them and is not woken. */
PARTY_TEST(test_notify_is_not_for_latecomers)
{
    condition_world *world = world_create();
    party_bunch *bunch;

    world->timeout = KR_FOREVER;
    for (int round = 0; round < 20; round++) {
        memset(world->results, 0xff, sizeof world->results);
        bunch = party_start(PARTIES, wait_timed, world);
        await_parked_at_condition(&world->condition, PARTIES);
        acquire(world);
        CHECK_EQ(kr_condition_notify(&world->condition, 3), 3);
        CHECK_EQ(kr_condition_wait(&world->condition, kr_ms(5)), -ETIMEDOUT);
        release(world);
        party_await_finished(bunch, 3);
        await_parked_at_condition(&world->condition, PARTIES - 3);
        CHECK_EQ(party_finished(bunch), 3);
        acquire(world);
        CHECK_EQ(kr_condition_notify_all(&world->condition), PARTIES - 3);
        CHECK_EQ(kr_condition_wait(&world->condition, KR_NOWAIT), -ETIMEDOUT);
        release(world);
        party_join(bunch);
        for (int i = 0; i < PARTIES; i++)
            CHECK_EQ(world->results[i], 0);
    }
    world_free(world);
}

PARTY_CASE(test_notify_is_not_for_latecomers, runners)

static void wait_once(void *arg, int index)
{
    condition_world *world = arg;

    (void)index;
    acquire(world);
    if (kr_condition_wait(&world->condition, KR_FOREVER) != 0)
        kri_add_acq_rel(&world->bad, 1);
    kri_add_acq_rel(&world->first, 1);
    release(world);
}

/* Waiters come while others have waited through several notifies: each notify(1) wakes one. */
PARTY_TEST(test_notify_one_by_one)
{
    enum { LATER = 8 };
    condition_world *world = world_create();
    party_bunch *first = party_start(PARTIES, wait_once, world);
    party_bunch *later[LATER];

    await_parked_at_condition(&world->condition, PARTIES);
    for (int i = 0; i < LATER; i++) {
        notify(world, 1, 1);
        party_await_count(&world->first, i + 1);
        later[i] = party_start(1, wait_once, world);
        await_parked_at_condition(&world->condition, PARTIES);
        CHECK_EQ(kri_load_acq(&world->first), i + 1);
    }
    notify(world, PARTIES - 1, PARTIES - 1);
    party_await_count(&world->first, LATER + PARTIES - 1);
    notify(world, PARTIES, 1);
    party_join(first);
    for (int i = 0; i < LATER; i++)
        party_join(later[i]);
    world_free(world);
}

PARTY_CASE(test_notify_one_by_one, runners)

PARTY_TEST(test_notify_all_wakes_a_hundred)
{
    condition_world *world = world_create();
    party_bunch *bunch;

    world->timeout = KR_FOREVER;
    bunch = party_start(100, wait_timed, world);
    await_parked_at_condition(&world->condition, 100);
    acquire(world);
    CHECK_EQ(kr_condition_notify_all(&world->condition), 100);
    release(world);
    party_join(bunch);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(world->results[i], 0);
    world_free(world);
}

PARTY_CASE(test_notify_all_wakes_a_hundred, runners)

/* Two conditions over one lock do not take each other's wake-ups. */
PARTY_TEST(test_two_conditions_of_one_lock)
{
    condition_world *world = world_create();
    party_bunch *bunch;

    world->timeout = KR_FOREVER;
    make_condition(&world->condition, &world->lock);
    make_condition(&world->other, &world->lock);
    bunch = party_start(2, wait_timed, world);
    await_parked_at_condition(&world->condition, 2);
    kr_with (&world->lock) {
        CHECK_EQ(kr_condition_notify_all(&world->other), 0);
        CHECK_EQ(kr_condition_wait(&world->other, kr_ms(5)), -ETIMEDOUT);
        CHECK_EQ(party_finished(bunch), 0);
        CHECK_EQ(kr_condition_notify_all(&world->condition), 2);
    }
    party_join(bunch);
    world_free(world);
}

/* Over a recursive lock, as Python's by default: a wait gives up every level, and has them all
 * again afterwards. */
static void wait_deep(void *arg, int index)
{
    condition_world *world = arg;
    int depth = index + 1;

    for (int i = 0; i < depth; i++)
        acquire(world);
    world->results[index] = kr_condition_wait(&world->condition, world->timeout);
    if ((int)kr_rlock_count(&world->rlock) != depth)
        world->results[index] = -ERANGE;
    kri_add_acq_rel(&world->first, 1);
    for (int i = 0; i < depth; i++)
        release(world);
    if (kr_condition_release(&world->condition) != -EPERM)
        world->results[index] = -EPERM;
}

static condition_world *recursive_world(void)
{
    condition_world *world = world_create();

    make_rlock(&world->rlock);
    make_rcondition(&world->condition, &world->rlock);
    return world;
}

/* behaviour: 3 ConditionAsRLockTests */
PARTY_TEST(test_recursive_lock)
{
    condition_world *world = recursive_world();
    party_bunch *bunch;

    world->timeout = KR_FOREVER;
    bunch = party_start(PARTIES, wait_deep, world);
    await_parked_at_condition(&world->condition, PARTIES);
    acquire(world);
    acquire(world);
    CHECK_EQ(kr_condition_notify(&world->condition, 2), 2);
    CHECK_EQ(kr_condition_wait(&world->condition, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_rlock_count(&world->rlock), 2);
    release(world);
    CHECK_EQ(kr_condition_notify_all(&world->condition), PARTIES - 2);
    release(world);
    party_join(bunch);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(world->results[i], 0);
    world->timeout = kr_ms(5);
    party_join(party_start(PARTIES, wait_deep, world));
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(world->results[i], -ETIMEDOUT);
    world_free(world);
}

static void call_without(void *arg, int index)
{
    condition_world *world = arg;

    (void)index;
    world->results[0] = kr_condition_wait(&world->condition, KR_FOREVER);
    world->results[1] = kr_condition_notify(&world->condition, 1);
    world->results[2] = kr_condition_notify_all(&world->condition);
    world->results[3] = kr_condition_release(&world->condition);
}

/* That another holds it is not enough for a recursive lock. */
PARTY_TEST(test_recursive_lock_of_another)
{
    condition_world *world = recursive_world();

    acquire(world);
    party_join(party_start(1, call_without, world));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(world->results[i], -EPERM);
    CHECK(kr_condition_locked(&world->condition));
    release(world);
    world_free(world);
}

TEST(test_options)
{
    kr_condition condition;
    kr_lock lock = KR_LOCK_INIT;
    kr_lock shared_lock = KR_LOCK_INIT_SHARED;
    kr_rlock rlock = KR_RLOCK_INIT;
    kr_condition_options both = {.lock = &lock, .rlock = &rlock};
    kr_condition_options scope = {.scope = (kr_scope)2};
    kr_condition_options reserved = {.reserved = {0, 0, 0, 1}};
    kr_condition_options private_of_shared = {.lock = &shared_lock};
    kr_condition_options shared_of_private = {.rlock = &rlock, .scope = KR_SHARED};
    kr_condition_options shared = {.lock = &shared_lock, .scope = KR_SHARED};
    kr_condition_options own = {.scope = KR_SHARED};

    CHECK_EQ(kr_condition_init(&condition, &both), -EINVAL);
    CHECK_EQ(kr_condition_init(&condition, &scope), -EINVAL);
    CHECK_EQ(kr_condition_init(&condition, &reserved), -EINVAL);
    CHECK_EQ(kr_condition_init(&condition, &private_of_shared), -EINVAL);
    CHECK_EQ(kr_condition_init(&condition, &shared_of_private), -EINVAL);
    CHECK_EQ(kr_condition_init(&condition, &shared), 0);
    CHECK_EQ(kr_lock_acquire(&shared_lock, KR_NOWAIT), 0);
    CHECK(kr_condition_locked(&condition));
    CHECK_EQ(kr_condition_release(&condition), 0);

    static const kr_condition shared_init = KR_CONDITION_INIT_SHARED;
    static const kr_condition private_init = KR_CONDITION_INIT;
    CHECK_EQ(kr_condition_init(&condition, &own), 0);
    CHECK(memcmp(&condition, &shared_init, sizeof condition) == 0);
    CHECK_EQ(kr_condition_init(&condition, NULL), 0);
    CHECK(memcmp(&condition, &private_init, sizeof condition) == 0);
}

TEST(test_reinit)
{
    kr_condition condition = KR_CONDITION_INIT_SHARED;

    CHECK_EQ(kr_condition_acquire(&condition, KR_NOWAIT), 0);
    condition.newer = 3;
    kr_condition_reinit(&condition);
    CHECK(!kr_condition_locked(&condition));
    CHECK_EQ(kr_condition_acquire(&condition, KR_NOWAIT), 0);
    CHECK_EQ(kr_condition_notify_all(&condition), 0);
    CHECK_EQ(kr_condition_recover(&condition), 0);
    CHECK_EQ(kr_condition_release(&condition), 0);
}
