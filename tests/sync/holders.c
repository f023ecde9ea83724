/* Semaphores, events and barriers in shared memory when processes are killed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"
#include "sync/shared.h"

enum { ROWS = 16, SETTLED_MS = 100 };

typedef struct holder_world {
    kr_semaphore semaphore;
    kr_semaphore plain;
    kr_event event;
    kr_event never; /* set */
    kr_barrier barrier;
    kr_holder rows[ROWS];
    kr_holder more_rows[ROWS];
    kr_word ready;
    int results[PARTY_MAX];
    kr_time end;
    kr_word borrowed[PARTY_MAX];
    kr_word inside;
} holder_world;

static holder_world *world_create(int permits, size_t rows, int parties)
{
    holder_world *world = party_world(sizeof *world);

    CHECK_EQ(kr_semaphore_init(&world->semaphore, permits,
                               &(kr_semaphore_options){.scope = KR_SHARED,
                                                       .holders = world->rows,
                                                       .holder_count = rows}),
             0);
    CHECK_EQ(kr_barrier_init(&world->barrier, parties,
                             &(kr_barrier_options){.scope = KR_SHARED,
                                                   .holders = world->more_rows,
                                                   .holder_count = ROWS}),
             0);
    CHECK_EQ(kr_semaphore_init(&world->plain, 0, &(kr_semaphore_options){.scope = KR_SHARED}), 0);
    CHECK_EQ(kr_event_init(&world->event, KR_SHARED), 0);
    CHECK_EQ(kr_event_init(&world->never, KR_SHARED), 0);
    return world;
}

static void world_free(holder_world *world)
{
    party_world_free(world, sizeof *world);
}

static void take_two_and_stay(void *arg, int index)
{
    holder_world *world = arg;

    (void)index;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_FOREVER), 0);
    kri_add_acq_rel(&world->ready, 1);
    CHECK_EQ(kr_event_wait(&world->never, KR_FOREVER), 0);
}

static void take_one(void *arg, int index)
{
    holder_world *world = arg;

    world->results[index] = kr_semaphore_acquire(&world->semaphore, KR_FOREVER);
}

/* The busy machine's share apart: a test of the promise of 100 ms. */
static void check_settled_since(kr_time start)
{
    CHECK_LE(kr_now() - start, kr_ms(SETTLED_MS) * 10);
}

PARTY_TEST_OF(permits_of_a_killed_holder_return, processes)
{
    holder_world *world = world_create(3, ROWS, 1);
    party_bunch *holder = party_start(1, take_two_and_stay, world);

    party_await_count(&world->ready, 1);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, kr_ms(60)), -ETIMEDOUT);
    party_bunch *waiters = party_start(2, take_one, world);
    PARTY_AWAIT_PARKED(&world->semaphore, 2);
    kr_time start = kr_now();
    party_kill(holder, 0);
    party_join(waiters);
    check_settled_since(start);
    CHECK_EQ(world->results[0], 0);
    CHECK_EQ(world->results[1], 0);
    /* They have ended with a permit each, too. */
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 4), -EPERM);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 3), 0);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), -EPERM);
    CHECK_EQ(kr_semaphore_value(&world->semaphore), 3);
    party_join(holder);
    world_free(world);
}

static void stop_inside(void *arg, int index)
{
    holder_world *world = arg;

    (void)index;
    CHECK_EQ(kr_lock_acquire(&world->semaphore.lock, KR_FOREVER), 0);
    kri_store_rel(&world->ready, (uint32_t)getpid());
    CHECK_EQ(raise(SIGSTOP), 0);
    CHECK_EQ(kr_lock_release(&world->semaphore.lock), 0);
}

static pid_t await_stop(holder_world *world)
{
    party_await_count(&world->ready, 1);
    pid_t id = (pid_t)kri_load_acq(&world->ready);
    while (shared_state(id) != 'T')
        kri_test_nap();
    return id;
}

/* Every acquire ends in time all the same, having taken nothing. */
PARTY_TEST_OF(a_stopped_user, processes)
{
    holder_world *world = world_create(1, ROWS, 1);
    party_bunch *stopped = party_start(1, stop_inside, world);

    pid_t id = await_stop(world);
    kr_time start = kr_now();
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), -ETIMEDOUT);
    CHECK_TIME(kr_now() - start, kr_sec(1));
    start = kr_now();
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, kr_ms(1200)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - start, kr_ms(1200));
    CHECK_EQ(kill(id, SIGCONT), 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_FOREVER), 0);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), 0);
    CHECK_EQ(kr_semaphore_value(&world->semaphore), 1);
    party_join(stopped);
    world_free(world);
}

static void stop_inside_the_barrier(void *arg, int index)
{
    holder_world *world = arg;

    (void)index;
    CHECK_EQ(kr_lock_acquire(&world->barrier.lock, KR_FOREVER), 0);
    kri_store_rel(&world->ready, (uint32_t)getpid());
    CHECK_EQ(raise(SIGSTOP), 0);
    CHECK_EQ(kr_lock_release(&world->barrier.lock), 0);
}

static void meet_at_last(void *arg, int index)
{
    holder_world *world = arg;

    world->results[index] = kr_barrier_wait(&world->barrier, index == 0 ? kr_sec(2) : KR_FOREVER);
}

/* Whose time is up breaks the barrier all the same. */
PARTY_TEST_OF(a_stopped_user_of_a_barrier, processes)
{
    holder_world *world = world_create(1, ROWS, 1);
    party_bunch *stopped = party_start(1, stop_inside_the_barrier, world);
    pid_t id = await_stop(world);
    kr_time start = kr_now();
    CHECK_EQ(kr_barrier_wait(&world->barrier, kr_ms(1200)), KR_EBROKEN);
    CHECK_TIME(kr_now() - start, kr_ms(1200));
    CHECK(kr_barrier_broken(&world->barrier));
    start = kr_now();
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_NOWAIT), KR_EBROKEN);
    CHECK_TIME(kr_now() - start, kr_sec(1));
    CHECK_EQ(kill(id, SIGCONT), 0);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_FOREVER), KR_EBROKEN);
    CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_FOREVER), 0);
    party_join(stopped);
    world_free(world);
}

/* Who is there already breaks the round, for the one without a time-out, too. */
PARTY_TEST_OF(a_stopped_user_of_a_barrier_with_parties, processes)
{
    holder_world *world = world_create(1, ROWS, 3);
    party_bunch *parties = party_start(2, meet_at_last, world);
    PARTY_AWAIT_PARKED(&world->barrier, 2);
    party_bunch *stopped = party_start(1, stop_inside_the_barrier, world);
    pid_t id = await_stop(world);
    party_join(parties);
    CHECK_EQ(world->results[0], KR_EBROKEN);
    CHECK_EQ(world->results[1], KR_EBROKEN);
    CHECK(kr_barrier_broken(&world->barrier));
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 0);
    CHECK_EQ(kr_barrier_abort(&world->barrier), 0);
    CHECK_EQ(kill(id, SIGCONT), 0);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_FOREVER), KR_EBROKEN);
    CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 0);
    CHECK_EQ(kr_barrier_wait(&world->barrier, KR_NOWAIT), KR_EBROKEN); /* alone, and broken by it */
    party_join(stopped);
    world_free(world);
}

PARTY_TEST_OF(a_table_without_room, processes)
{
    holder_world *world = world_create(5, 1, 1);
    party_bunch *holder = party_start(1, take_two_and_stay, world);

    party_await_count(&world->ready, 1);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_FOREVER), -ENOSPC);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), -EPERM);
    party_kill(holder, 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_value(&world->semaphore), 4);
    party_join(holder);
    world_free(world);
}

static void borrow_and_count(void *arg, int index)
{
    holder_world *world = arg;

    while (kr_now() < world->end) {
        CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_FOREVER), 0);
        kri_add_acq_rel(&world->borrowed[index], 1);
        CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), 0);
    }
}

/* Borrowers are killed at random instants, and new ones come; two stay and must go on. */
PARTY_TEST_OF(random_kills_lose_no_permit, processes)
{
    enum { STAY = 2, PERMITS = 2 };
    holder_world *world = world_create(PERMITS, ROWS, 1);
    uint64_t random = party_random_start(0);
    unsigned seen[STAY] = {0};
    int kills = 0;

    world->end = kr_now() + party_budget();
    party_bunch *stay = party_start(STAY, borrow_and_count, world);
    for (; kills == 0 || kr_now() < world->end; kills++) {
        party_bunch *victim = party_start(1, borrow_and_count, world);
        kr_time until = kr_now() + kr_us(party_random_below(&random, 3000));
        while (kr_now() < until)
            sched_yield();
        party_kill(victim, 0);
        party_join(victim);
        kr_time start = kr_now();
        for (int i = 0; i < STAY && kr_now() < world->end; i++) {
            while (kri_load_acq(&world->borrowed[i]) == seen[i] && kr_now() < world->end) {
                CHECK_LE(kr_now() - start, kr_sec(5));
                party_nap();
            }
            seen[i] = kri_load_acq(&world->borrowed[i]);
        }
    }
    party_join(stay);
    for (int i = 0; i < PERMITS; i++)
        CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), -ETIMEDOUT);
    kri_test_note("%d kills, %u acquired", kills, seen[0] + seen[1]);
    world_free(world);
}

static void meet(void *arg, int index)
{
    holder_world *world = arg;

    world->results[index] = kr_barrier_wait(&world->barrier, KR_FOREVER);
}

PARTY_TEST_OF(barrier_breaks_with_a_killed_party, processes)
{
    holder_world *world = world_create(1, ROWS, 4);
    party_bunch *bunch = party_start(3, meet, world);

    PARTY_AWAIT_PARKED(&world->barrier, 3);
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 3);
    kr_time start = kr_now();
    party_kill(bunch, 1);
    party_join(bunch);
    check_settled_since(start);
    CHECK_EQ(world->results[0], KR_EBROKEN);
    CHECK_EQ(world->results[2], KR_EBROKEN);
    CHECK(kr_barrier_broken(&world->barrier));
    CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
    bunch = party_start(3, meet, world);
    meet(world, 3);
    party_join(bunch);
    for (int i = 0; i < 4; i++)
        CHECK_GE(world->results[i], 0);
    world_free(world);
}

static void wait_for_event(void *arg, int index)
{
    holder_world *world = arg;

    world->results[index] = kr_event_wait(&world->event, KR_FOREVER);
}

static void take_plain(void *arg, int index)
{
    holder_world *world = arg;

    world->results[index] = kr_semaphore_acquire(&world->plain, KR_FOREVER);
}

/* Waiters killed asleep are in nobody's way. */
PARTY_TEST_OF(killed_waiters_are_forgotten, processes)
{
    enum { ALL = 6, KILLED = 3 };
    holder_world *world = world_create(1, ROWS, 1);
    party_bunch *bunch = party_start(ALL, wait_for_event, world);

    PARTY_AWAIT_PARKED(&world->event, ALL);
    for (int i = 0; i < KILLED; i++)
        party_kill(bunch, i);
    kr_event_set(&world->event);
    kr_event_clear(&world->event);
    party_join(bunch);

    bunch = party_start(ALL, take_plain, world);
    PARTY_AWAIT_PARKED(&world->plain, ALL);
    for (int i = 0; i < KILLED; i++)
        party_kill(bunch, i);
    for (int i = KILLED; i < ALL; i++)
        CHECK_EQ(kr_semaphore_release(&world->plain, 1), 0);
    party_join(bunch);
    CHECK_EQ(kr_semaphore_value(&world->plain), 0);
    world_free(world);
}

/* With nobody asleep on the word the bit for sleepers is gone: a release is no system call. */
PARTY_TEST_OF(nobody_asleep_leaves_no_bit, processes)
{
    holder_world *world = world_create(1, ROWS, 1);
    party_bunch *bunch = party_start(1, take_plain, world);

    PARTY_AWAIT_PARKED(&world->plain, 1);
    CHECK_EQ(kr_semaphore_release(&world->plain, 1), 0);
    party_join(bunch);
    CHECK_EQ(kr_semaphore_release(&world->plain, 1), 0);
    CHECK_EQ(kri_load_acq(&world->plain.value), 1);

    bunch = party_start(1, wait_for_event, world);
    PARTY_AWAIT_PARKED(&world->event, 1);
    kr_event_set(&world->event);
    party_join(bunch);
    uint32_t set = kri_load_acq(&world->event.word);
    kr_event_clear(&world->event);
    kr_event_set(&world->event);
    CHECK_EQ((kri_load_acq(&world->event.word) ^ set) & 7, 0);
    world_free(world);
}

TEST(options)
{
    kr_semaphore semaphore;
    kr_event event;
    kr_holder rows[1];

    CHECK_EQ(kr_semaphore_init(&semaphore, 1, &(kr_semaphore_options){.scope = (kr_scope)2}),
             -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, 1, &(kr_semaphore_options){.reserved = {1}}), -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, 1,
                               &(kr_semaphore_options){.holders = rows, .holder_count = 1}),
             -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, 1,
                               &(kr_semaphore_options){.scope = KR_SHARED, .holders = rows}),
             -EINVAL);
    CHECK_EQ(kr_semaphore_init(&semaphore, 1,
                               &(kr_semaphore_options){.scope = KR_SHARED, .holder_count = 1}),
             -EINVAL);
    for (int64_t bound = 0; bound <= 3; bound++)
        CHECK_EQ(kr_semaphore_init(
                     &semaphore, 2,
                     &(kr_semaphore_options){
                         .scope = KR_SHARED, .bound = bound, .holders = rows, .holder_count = 1}),
                 bound == 0 || bound == 2 ? 0 : -EINVAL);
    CHECK_EQ(kr_event_init(&event, (kr_scope)2), -EINVAL);
    CHECK_EQ(sizeof(kr_semaphore), 32);
    CHECK_EQ(sizeof(kr_holder), 16);
    CHECK_EQ(sizeof(kr_barrier), 64);
}
