/* The event as CPython's tests see it.
 *
 * Behaviours: sections 4 and 12.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"
#include <sys/wait.h>
#include <unistd.h>

enum { PARTIES = 5 };

typedef struct event_world {
    kr_event event;
    kr_time timeout;
    int first[PARTY_MAX];
    int second[PARTY_MAX];
    kr_time took[PARTY_MAX];
} event_world;

static event_world *world_create(void)
{
    event_world *world = party_world(sizeof *world);

    make_event(&world->event);
    return world;
}

static void world_free(event_world *world)
{
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test_is_set)
{
    event_world *world = world_create();

    CHECK(!kr_event_is_set(&world->event));
    for (int i = 0; i < 2; i++) {
        kr_event_set(&world->event);
        CHECK(kr_event_is_set(&world->event));
    }
    for (int i = 0; i < 2; i++) {
        kr_event_clear(&world->event);
        CHECK(!kr_event_is_set(&world->event));
    }
    world_free(world);
}

static void wait_twice(void *arg, int index)
{
    event_world *world = arg;

    world->first[index] = kr_event_wait(&world->event, KR_FOREVER);
    world->second[index] = kr_event_wait(&world->event, KR_FOREVER);
}

static void check_notify(event_world *world)
{
    party_bunch *bunch;

    memset(world->first, 0xff, sizeof world->first);
    memset(world->second, 0xff, sizeof world->second);
    bunch = party_start(PARTIES, wait_twice, world);
    PARTY_AWAIT_PARKED(&world->event, PARTIES);
    CHECK_EQ(party_finished(bunch), 0);
    kr_event_set(&world->event);
    party_join(bunch);
    for (int i = 0; i < PARTIES; i++) {
        CHECK_EQ(world->first[i], 0);
        CHECK_EQ(world->second[i], 0);
    }
}

PARTY_TEST(test_notify)
{
    event_world *world = world_create();

    check_notify(world);
    kr_event_set(&world->event);
    kr_event_clear(&world->event);
    check_notify(world);
    world_free(world);
}

PARTY_CASE(test_notify, runners)

static void wait_timed(void *arg, int index)
{
    event_world *world = arg;
    kr_time start;

    world->first[index] = kr_event_wait(&world->event, KR_NOWAIT);
    start = kr_now();
    world->second[index] = kr_event_wait(&world->event, world->timeout);
    world->took[index] = kr_now() - start;
}

PARTY_TEST(test_timeout)
{
    event_world *world = world_create();

    world->timeout = kr_ms(500);
    party_join(party_start(PARTIES, wait_timed, world));
    for (int i = 0; i < PARTIES; i++) {
        CHECK_EQ(world->first[i], -ETIMEDOUT);
        CHECK_EQ(world->second[i], -ETIMEDOUT);
        CHECK_GE(world->took[i], kr_ms(300));
        CHECK_LE(world->took[i], kr_sec(10));
    }
    world->timeout = kr_sec(100);
    kr_event_set(&world->event);
    party_join(party_start(PARTIES, wait_timed, world));
    for (int i = 0; i < PARTIES; i++) {
        CHECK_EQ(world->first[i], 0);
        CHECK_EQ(world->second[i], 0);
        CHECK_LE(world->took[i], kr_sec(10));
    }
    world_free(world);
}

static void wait_once(void *arg, int index)
{
    event_world *world = arg;

    world->first[index] = kr_event_wait(&world->event, world->timeout);
}

/* A flag that is read again after the wake-up would be found cleared. */
PARTY_TEST(test_set_and_clear)
{
    event_world *world = world_create();
    party_bunch *bunch;

    world->timeout = kr_sec(300);
    for (int round = 0; round < 20; round++) {
        memset(world->first, 0xff, sizeof world->first);
        bunch = party_start(PARTIES, wait_once, world);
        PARTY_AWAIT_PARKED(&world->event, PARTIES);
        kr_event_set(&world->event);
        kr_event_clear(&world->event);
        party_join(bunch);
        for (int i = 0; i < PARTIES; i++)
            CHECK_EQ(world->first[i], 0);
        CHECK(!kr_event_is_set(&world->event));
    }
    world_free(world);
}

PARTY_CASE(test_set_and_clear, runners)

/* The same with time-outs that are about to pass: whoever was counted in by the set returns 0, and
 * a late one waits for its own time. */
PARTY_TEST(test_set_and_clear_beside_timeouts)
{
    event_world *world = world_create();
    party_bunch *bunch;

    world->timeout = kr_us(300);
    for (int round = 0; round < 50; round++) {
        bunch = party_start(PARTIES, wait_once, world);
        while (party_finished(bunch) < PARTIES) {
            kr_event_set(&world->event);
            kr_event_clear(&world->event);
        }
        party_join(bunch);
        for (int i = 0; i < PARTIES; i++)
            CHECK(world->first[i] == 0 || world->first[i] == -ETIMEDOUT);
        CHECK(!kr_event_is_set(&world->event));
    }
    world_free(world);
}

PARTY_CASE(test_set_and_clear_beside_timeouts, runners)

static bool works_after_reinit(kr_event *event)
{
    kr_event_reinit(event);
    if (kr_event_is_set(event) || kr_event_wait(event, KR_NOWAIT) != -ETIMEDOUT)
        return false;
    kr_event_set(event);
    return kr_event_wait(event, KR_FOREVER) == 0;
}

/* In the child of a process whose threads wait, nobody waits. */
PARTY_TEST_OF(test_at_fork_reinit, threads)
{
    event_world *world = world_create();
    party_bunch *bunch;
    int status;
    pid_t child;

    world->timeout = KR_FOREVER;
    bunch = party_start(PARTIES, wait_once, world);
    PARTY_AWAIT_PARKED(&world->event, PARTIES);
    child = fork();
    CHECK_GE(child, 0);
    if (child == 0)
        _exit(works_after_reinit(&world->event) ? 0 : 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(party_finished(bunch), 0);
    kr_event_set(&world->event);
    party_join(bunch);
    world_free(world);
}

PARTY_TEST(test_set_wakes_a_hundred)
{
    event_world *world = world_create();
    party_bunch *bunch;

    world->timeout = KR_FOREVER;
    bunch = party_start(100, wait_once, world);
    PARTY_AWAIT_PARKED(&world->event, 100);
    kr_event_set(&world->event);
    party_join(bunch);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(world->first[i], 0);
    CHECK_EQ(party_parked(&world->event, sizeof world->event), 0);
    world_free(world);
}

PARTY_CASE(test_set_wakes_a_hundred, runners)

PARTY_TEST(test_errors)
{
    event_world *world = world_create();

    CHECK_EQ(sizeof world->event, 8);
    CHECK_EQ(kr_event_wait(&world->event, -1), -EINVAL);
    CHECK_EQ(kr_event_wait(&world->event, INT64_MIN), -EINVAL);
    kr_event_set(&world->event);
    CHECK_EQ(kr_event_wait(&world->event, -1), -EINVAL);
    CHECK_EQ(kr_event_wait(&world->event, KR_NOWAIT), 0);
    world_free(world);
}

static void set_only(void *arg, int index)
{
    event_world *world = arg;

    (void)index;
    kr_event_set(&world->event);
}

/* CPython's test of processes: set by another, seen here, with every kind of time-out. */
PARTY_TEST(test_event)
{
    event_world *world = world_create();
    kr_time start = kr_now();

    CHECK_EQ(kr_event_wait(&world->event, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_event_wait(&world->event, kr_ms(100)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - start, kr_ms(100));
    kr_event_set(&world->event);
    CHECK_EQ(kr_event_wait(&world->event, kr_ms(100)), 0);
    CHECK_EQ(kr_event_wait(&world->event, KR_FOREVER), 0);
    kr_event_clear(&world->event);
    CHECK_EQ(kr_event_wait(&world->event, KR_NOWAIT), -ETIMEDOUT);
    party_bunch *bunch = party_start(1, set_only, world);
    CHECK_EQ(kr_event_wait(&world->event, KR_FOREVER), 0);
    CHECK(kr_event_is_set(&world->event));
    party_join(bunch);
    world_free(world);
}
