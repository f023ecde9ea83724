/* The barrier as CPython's tests see it.
 *
 * Behaviours: sections 6 and 12.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"

enum { PARTIES = 5, ROUNDS = 10, THOUSAND = 1000 };

typedef struct barrier_world {
    kr_barrier barrier;
    kr_barrier second;
    int rounds;
    kr_time timeout;
    kr_word before[THOUSAND]; /* how many have come to the wait of each round */
    kr_word actions;
    kr_word wrong;
    kr_word broken; /* waits that returned KR_EBROKEN */
    kr_word passed;
    kr_word go;
    int results[PARTY_MAX];
} barrier_world;

static barrier_world *world_create(int64_t parties, kr_time timeout)
{
    barrier_world *world = party_world(sizeof *world);

    make_barrier(&world->barrier, parties, timeout);
    make_barrier(&world->second, parties, 0);
    world->timeout = KR_FOREVER;
    return world;
}

static void world_free(barrier_world *world)
{
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    party_world_free(world, sizeof *world);
}

static void count_wrong(barrier_world *world, bool wrong)
{
    kri_add_acq_rel(&world->wrong, wrong);
}

/* The world's parties and the test's own thread together. */
static void with_all(barrier_world *world, party_body body)
{
    party_bunch *bunch = party_start(PARTIES - 1, body, world);

    body(world, PARTIES - 1);
    party_join(bunch);
}

static void check_whole(barrier_world *world)
{
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 0);
    CHECK(!kr_barrier_broken(&world->barrier));
}

PARTY_TEST(test_constructor)
{
    barrier_world *world = world_create(PARTIES, 0);
    kr_barrier *b = &world->barrier;
    kr_barrier_options options = {.scope = party_scope()};

    CHECK_EQ(kr_barrier_parties(b), PARTIES);
    check_whole(world);
    CHECK_EQ(kr_barrier_init(b, 0, &options), -EINVAL);
    CHECK_EQ(kr_barrier_init(b, -1, &options), -EINVAL);
    CHECK_EQ(kr_barrier_init(b, INT64_MAX, &options), -EINVAL);
    CHECK_EQ(kr_barrier_init(b, (int64_t)UINT32_MAX + 2, &options), -EINVAL);
    options.timeout = -1;
    CHECK_EQ(kr_barrier_init(b, 1, &options), -EINVAL);
    options = (kr_barrier_options){.scope = party_scope(), .reserved = {0, 0, 0, 1}};
    CHECK_EQ(kr_barrier_init(b, 1, &options), -EINVAL);
    CHECK_EQ(kr_barrier_wait(&world->second, -1), -EINVAL);
    CHECK_EQ(kr_barrier_n_waiting(&world->second), 0);
    world_free(world);
}

/* Lock-step: who passes a wait finds that all have come to it, and none to the one after the next.
 */
static void step_together(void *arg, int index)
{
    barrier_world *world = arg;

    (void)index;
    for (int round = 0; round < world->rounds; round++) {
        kri_add_acq_rel(&world->before[round], 1);
        int place = kr_barrier_wait(&world->barrier, KR_FOREVER);
        count_wrong(world, place < 0 || place >= PARTIES);
        count_wrong(world, kri_load_acq(&world->before[round]) != PARTIES);
        if (round + 2 < world->rounds)
            count_wrong(world, kri_load_acq(&world->before[round + 2]) != 0);
        kri_add_acq_rel(&world->passed, place == 0);
    }
}

static void check_steps(int rounds)
{
    barrier_world *world = world_create(PARTIES, 0);

    world->rounds = rounds;
    with_all(world, step_together);
    CHECK_EQ(kri_load_acq(&world->passed), rounds); /* exactly one 0 in each */
    check_whole(world);
    world_free(world);
}

PARTY_TEST(test_barrier)
{
    check_steps(1);
}

/* behaviour: 12.4 test_10 */
PARTY_TEST(test_barrier_10)
{
    check_steps(ROUNDS);
}

PARTY_TEST(test_thousand)
{
    check_steps(THOUSAND);
}

static void note_place(void *arg, int index)
{
    barrier_world *world = arg;
    int place = kr_barrier_wait(&world->barrier, KR_FOREVER);

    count_wrong(world, place < 0 || place >= PARTIES);
    world->results[index] = place;
}

PARTY_TEST(test_wait_return)
{
    barrier_world *world = world_create(PARTIES, 0);

    for (int round = 0; round < 20; round++) {
        unsigned places = 0;

        with_all(world, note_place);
        for (int i = 0; i < PARTIES; i++)
            places |= 1u << world->results[i];
        CHECK_EQ(places, (1u << PARTIES) - 1);
    }
    check_whole(world);
    world_free(world);
}

static int count_action(void *arg)
{
    barrier_world *world = arg;

    kri_add_acq_rel(&world->actions, 1);
    return 0;
}

static void run_actions(void *arg, int index)
{
    barrier_world *world = arg;

    (void)index;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        int place = kr_barrier_wait_action(&world->barrier, count_action, world, KR_FOREVER);
        count_wrong(world, place < 0 || kri_load_acq(&world->actions) != round);
        count_wrong(world, kr_barrier_wait(&world->second, KR_FOREVER) < 0);
    }
}

PARTY_TEST(test_action)
{
    barrier_world *world = world_create(PARTIES, 0);

    with_all(world, run_actions);
    CHECK_EQ(kri_load_acq(&world->actions), ROUNDS);
    check_whole(world);
    world_free(world);
}

static int fail_action(void *arg)
{
    (void)arg;
    return -EIO;
}

static void wait_failing(void *arg, int index)
{
    barrier_world *world = arg;

    world->results[index] = kr_barrier_wait_action(&world->barrier, fail_action, NULL, KR_FOREVER);
}

/* Whoever ran the action has its error, and the others a broken barrier. */
PARTY_TEST(test_failing_action)
{
    barrier_world *world = world_create(PARTIES, 0);
    int failed = 0, broken = 0;

    with_all(world, wait_failing);
    for (int i = 0; i < PARTIES; i++) {
        failed += world->results[i] == -EIO;
        broken += world->results[i] == KR_EBROKEN;
    }
    CHECK_EQ(failed, 1);
    CHECK_EQ(broken, PARTIES - 1);
    CHECK(kr_barrier_broken(&world->barrier));
    world_free(world);
}

static void wait_once(void *arg, int index)
{
    barrier_world *world = arg;

    world->results[index] = kr_barrier_wait(&world->barrier, world->timeout);
    kri_add_acq_rel(world->results[index] == KR_EBROKEN ? &world->broken : &world->passed, 1);
}

PARTY_TEST(test_abort)
{
    barrier_world *world = world_create(PARTIES, 0);
    party_bunch *bunch = party_start(PARTIES - 1, wait_once, world);

    party_await_asleep(PARTIES - 1);
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), PARTIES - 1);
    CHECK_EQ(kr_barrier_abort(&world->barrier), 0);
    party_join(bunch);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_FOREVER), KR_EBROKEN);
    CHECK_EQ(kri_load_acq(&world->broken), PARTIES - 1);
    CHECK_EQ(kri_load_acq(&world->passed), 0);
    CHECK(kr_barrier_broken(&world->barrier));
    world_free(world);
}

PARTY_TEST(test_reset)
{
    barrier_world *world = world_create(PARTIES, 0);

    for (int round = 1; round <= 3; round++) {
        party_bunch *bunch = party_start(PARTIES - 1, wait_once, world);

        party_await_asleep(PARTIES - 1);
        CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
        party_join(bunch);
        CHECK_EQ(kri_load_acq(&world->broken), round * (PARTIES - 1));
        check_whole(world);
    }
    with_all(world, wait_once);
    CHECK_EQ(kri_load_acq(&world->passed), PARTIES);
    world_free(world);
}

PARTY_TEST(test_abort_and_reset)
{
    barrier_world *world = world_create(PARTIES, 0);
    party_bunch *bunch = party_start(PARTIES - 1, wait_once, world);

    party_await_asleep(PARTIES - 1);
    CHECK_EQ(kr_barrier_abort(&world->barrier), 0);
    party_join(bunch);
    CHECK(kr_barrier_broken(&world->barrier));
    CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
    CHECK(!kr_barrier_broken(&world->barrier));
    with_all(world, wait_once);
    CHECK_EQ(kri_load_acq(&world->broken), PARTIES - 1);
    CHECK_EQ(kri_load_acq(&world->passed), PARTIES);
    check_whole(world);
    world_free(world);
}

/* One whose time is over breaks it for all, also for the late one. */
static void wait_or_be_late(void *arg, int index)
{
    barrier_world *world = arg;

    if (index == 0)
        party_await_count(&world->broken, PARTIES - 1);
    world->results[index] =
        kr_barrier_wait(&world->barrier, index == 1 ? kr_ms(100) : world->timeout);
    kri_add_acq_rel(world->results[index] == KR_EBROKEN ? &world->broken : &world->passed, 1);
}

PARTY_TEST(test_timeout)
{
    barrier_world *world = world_create(PARTIES, 0);
    kr_time start = kr_now();

    with_all(world, wait_or_be_late);
    CHECK_EQ(kri_load_acq(&world->broken), PARTIES);
    CHECK_TIME(kr_now() - start, kr_ms(100));
    CHECK(kr_barrier_broken(&world->barrier));
    world_free(world);
}

static void wait_or_come_never(void *arg, int index)
{
    barrier_world *world = arg;

    if (index == 0)
        party_await_count(&world->broken, PARTIES - 1);
    wait_once(world, index);
}

/* The barrier's own time-out is for waits that have none. */
PARTY_TEST(test_default_timeout)
{
    barrier_world *world = world_create(PARTIES, kr_ms(200));
    kr_time start = kr_now();

    with_all(world, wait_or_come_never);
    CHECK_EQ(kri_load_acq(&world->broken), PARTIES);
    CHECK_TIME(kr_now() - start, kr_ms(200));
    CHECK(kr_barrier_broken(&world->barrier));
    world_free(world);
}

PARTY_TEST(test_single_thread)
{
    barrier_world *world = world_create(1, 0);

    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_barrier_wait(&world->barrier, KR_FOREVER), 0);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_NOWAIT), 0);
    check_whole(world);
    world_free(world);
}

/* Processes and threads of one of them at one barrier. */
PARTY_TEST_OF(test_steps_of_both_kinds, mixed)
{
    check_steps(200);
}
