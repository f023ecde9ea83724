/* The primitives when the system's sleep ends for nothing, when it moves nobody, when it lacks a
 * call, and when it does not tell what has become of a process.
 *
 * Everybody hands everything over in small rounds; the results must be those of a system without
 * faults.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "harness/sanitizers.h"
#include "sync/internal.h"
#include "sync/objects.h"
#include <unistd.h>

enum { PARTIES = 3, ROUNDS = 40, MOST = 12 };

typedef struct wait_world {
    kr_lock lock;
    kr_rlock rlock;
    kr_condition condition;
    kr_semaphore semaphore;
    kr_event event;
    kr_barrier barrier;
    kr_queue *queue;
    kr_semaphore any[2];
    kr_event no_more;
    uint64_t count; /* guarded by lock and rlock */
    uint64_t turn;  /* guarded by the condition's lock */
    kr_word wrong;
    kr_word sum;
    kr_word taken;
    kr_word taken_of_any;
} wait_world;

static void expect(wait_world *world, bool right)
{
    kri_add_acq_rel(&world->wrong, !right);
}

static void use_locks(wait_world *world)
{
    for (int i = 0; i < ROUNDS; i++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        expect(world, kr_lock_acquire(&world->lock, kr_sec(100)) == 0);
        world->count++;
        (void)kr_yield();
        expect(world, kr_lock_release(&world->lock) == 0);
        expect(world, kr_cancel_scope_enter(&scope, KR_FOREVER) == 0);
        expect(world, kr_rlock_acquire(&world->rlock, KR_FOREVER) == 0);
        expect(world, kr_rlock_acquire(&world->rlock, KR_FOREVER) == 0);
        world->turn++;
        (void)kr_yield();
        expect(world, kr_rlock_release(&world->rlock) == 0);
        expect(world, kr_rlock_release(&world->rlock) == 0);
        expect(world, kr_cancel_scope_exit(&scope) == 0);
    }
}

static void use_condition(wait_world *world, int index)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        expect(world, kr_condition_acquire(&world->condition, KR_FOREVER) == 0);
        while (world->count != i * PARTIES + (uint64_t)index)
            expect(world, kr_condition_wait(&world->condition, KR_FOREVER) == 0);
        world->count++;
        expect(world, kr_condition_notify_all(&world->condition) >= 0);
        expect(world, kr_condition_release(&world->condition) == 0);
    }
}

/* Two permits for three, each of whom holds one at a time. */
static void use_semaphore(wait_world *world)
{
    for (int i = 0; i < ROUNDS; i++) {
        expect(world, kr_semaphore_acquire(&world->semaphore, KR_FOREVER) == 0);
        (void)kr_yield();
        expect(world, kr_semaphore_release(&world->semaphore, 1) == 0);
    }
}

static void use_barrier(wait_world *world)
{
    for (int i = 0; i < ROUNDS; i++) {
        int place = kr_barrier_wait(&world->barrier, KR_FOREVER);
        expect(world, place >= 0 && place < PARTIES);
        if (place == 0)
            kr_event_set(&world->event);
        expect(world, kr_event_wait(&world->event, KR_FOREVER) == 0);
        place = kr_barrier_wait(&world->barrier, kr_sec(100));
        expect(world, place >= 0);
        if (place == 0)
            kr_event_clear(&world->event);
        expect(world, kr_barrier_wait(&world->barrier, KR_FOREVER) >= 0);
    }
}

static void use_queue(wait_world *world, int index)
{
    for (int64_t i = 0; i < ROUNDS; i++) {
        int64_t item = i;
        if (index == 0)
            for (int other = 1; other < PARTIES; other++)
                expect(world, kr_queue_put(world->queue, &item, KR_FOREVER) == 0);
        else if (kr_queue_get(world->queue, &item, KR_FOREVER) == 0)
            kri_add_acq_rel(&world->sum, (uint32_t)item);
    }
}

/* The first gives permits of two semaphores in turn, and the others take whichever comes; who takes
 * the last says so, since every sleep here is to end by a wake, and a coroutine's nap would not. */
static void use_any(wait_world *world, int index)
{
    kr_choice any[] = {kr_choose_semaphore(&world->any[0]), kr_choose_semaphore(&world->any[1]),
                       kr_choose_event(&world->no_more)};
    for (int i = 0; index == 0 && i < ROUNDS; i++) {
        expect(world, kr_semaphore_release(&world->any[i % 2], 1) == 0);
        (void)kr_yield();
    }
    if (index == 0)
        return;
    for (int chosen; (chosen = kr_wait_any(any, 3, KR_FOREVER)) != 2;) {
        expect(world, chosen == 0 || chosen == 1);
        if (kri_add_acq_rel(&world->taken_of_any, 1) == ROUNDS - 1)
            kr_event_set(&world->no_more);
    }
}

static void with_any(void *world, int index)
{
    use_any(world, index);
}

static void with_locks(void *world, int index)
{
    (void)index;
    use_locks(world);
    use_semaphore(world);
}

static void with_condition(void *world, int index)
{
    use_condition(world, index);
}

static void with_barrier(void *world, int index)
{
    (void)index;
    use_barrier(world);
}

static void with_queue(void *world, int index)
{
    use_queue(world, index);
}

static wait_world *world_create(void)
{
    wait_world *world = party_world(sizeof *world);
    kr_queue_options options = {.scope = party_scope()};
    make_lock(&world->lock);
    make_rlock(&world->rlock);
    make_condition(&world->condition, NULL);
    make_semaphore(&world->semaphore, 2, 0);
    make_event(&world->event);
    make_semaphore(&world->any[0], 0, 0);
    make_semaphore(&world->any[1], 0, 0);
    make_event(&world->no_more);
    make_barrier(&world->barrier, PARTIES, 0);
    CHECK_EQ(kr_queue_create(&world->queue, sizeof(int64_t), 1, &options), 0);
    return world;
}

static void world_free(wait_world *world)
{
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    kr_queue_release(world->queue);
    party_world_free(world, sizeof *world);
}

static void run_all(wait_world *world)
{
    party_join(party_start(PARTIES, with_locks, world));
    CHECK_EQ(world->count, PARTIES * ROUNDS);
    CHECK_EQ(world->turn, PARTIES * ROUNDS);
    world->count = 0;
    party_join(party_start(PARTIES, with_condition, world));
    CHECK_EQ(world->count, PARTIES * ROUNDS);
    party_join(party_start(PARTIES, with_barrier, world));
    party_join(party_start(PARTIES, with_queue, world));
    party_join(party_start(PARTIES, with_any, world));
    CHECK_EQ(kri_load_acq(&world->taken_of_any), ROUNDS);
    CHECK_EQ(kri_load_acq(&world->sum), (PARTIES - 1) * ROUNDS * (ROUNDS - 1) / 2);
}

/* The k-th call fails, or every other one from there on: how many did. */
static uint32_t sweep_once(faulty_group group)
{
    uint32_t failed = 0;
    for (uint32_t k = 1; k <= MOST; k++) {
        wait_world *world = world_create();
        faulty_begin(group, k, k % 3 == 1);
        run_all(world);
        faulty_end();
        failed += faulty_failed();
        world_free(world);
    }
    return failed;
}

/* Parties of which each is soon there for the next one may never have slept. */
enum { SWEEPS = 50 };

static void sweep(faulty_group group, bool must_happen)
{
    uint32_t failed = 0;
    for (int i = 0; failed == 0 && i < (must_happen ? SWEEPS : 1); i++)
        failed = sweep_once(group);
    kri_test_note("%u calls failed", failed);
    if (must_happen)
        CHECK_GE(failed, 1);
}

PARTY_TEST(test_sleep_ends_for_nothing)
{
    sweep(FAULTY_SLEEP, true);
}

PARTY_TEST(test_sleep_is_interrupted)
{
    sweep(FAULTY_SIGNAL, true);
}

/* Nobody dies here, so nobody needs to look again after a while: every sleep ends by a wake.  In
 * shared memory a wake that is missing shows in nothing else but in that all takes longer. */
PARTY_TEST(test_wakes_are_enough)
{
    uint32_t failed = 0;
    if (KRI_QEMU && party_scope() == KR_SHARED)
        SKIP("qemu has no futex_waitv: a wait for any of several naps, and no nap ends here");
    for (int round = 0; round < MOST || (failed == 0 && round < SWEEPS * MOST); round++) {
        wait_world *world = world_create();
        faulty_begin(FAULTY_ENDLESS, 1, true);
        run_all(world);
        faulty_end();
        failed += faulty_failed();
        world_free(world);
    }
    kri_test_note("%u sleeps", failed);
    CHECK_GE(failed, 1);
}

/* Before Linux 5.16.  In shared memory every wait for any of several sleeps without the kernel's
 * help, and so does one in a cancel scope. */
PARTY_TEST(test_no_sleep_on_either_of_two)
{
    sweep(FAULTY_EITHER, party_scope() == KR_SHARED);
}

PARTY_TEST(test_nobody_is_moved)
{
    sweep(FAULTY_REQUEUE, false);
}

PARTY_TEST_OF(test_no_word_of_processes, processes)
{
    sweep(FAULTY_PROCESSES, false);
}

static void hold_for_ever(void *arg, int index)
{
    wait_world *world = arg;
    (void)index;
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
    kri_add_acq_rel(&world->taken, 1);
    for (;;)
        party_nap();
}

/* Whoever asks later, or waits, hears of it in the end. */
PARTY_TEST_OF(test_death_is_not_told_at_once, processes)
{
    for (uint32_t k = 1; k <= MOST; k++) {
        wait_world *world = world_create();
        faulty_begin(FAULTY_PROCESSES, k, false);
        party_bunch *bunch = party_start(1, hold_for_ever, world);
        party_await_count(&world->taken, 1);
        party_kill(bunch, 0);
        CHECK_EQ(kr_lock_acquire(&world->lock, kr_sec(20)), KR_OWNER_DIED);
        faulty_end();
        CHECK_EQ(kr_lock_recover(&world->lock), 0);
        CHECK_EQ(kr_lock_release(&world->lock), 0);
        party_join(bunch);
        world_free(world);
    }
}

typedef struct named_world {
    kr_lock lock;
    kr_rlock rlock;
    kr_semaphore semaphore;
    kr_holder holders[2];
    kr_queue *queue;
} named_world;

static void take_all(named_world *world)
{
    int64_t item;
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_rlock_acquire(&world->rlock, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_queue_get(world->queue, &item, KR_NOWAIT), 0);
}

static void give_all(named_world *world)
{
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    CHECK(kr_rlock_owned(&world->rlock));
    CHECK_EQ(kr_rlock_release(&world->rlock), 0);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), 0);
    CHECK_EQ(kr_semaphore_release(&world->semaphore, 1), -EPERM);
    CHECK_EQ(kr_queue_task_done(world->queue), 0);
}

static void take_under_two_names(void *arg, int index)
{
    named_world *world = arg;
    (void)index;
    faulty_begin(FAULTY_PROCESSES, 1, false);
    take_all(world);
    CHECK_EQ(faulty_end(), 1);
    CHECK_EQ(kri_lock_holder(&world->lock), (kri_owner)getpid());
    while (kri_process_self() >> 32 == 0)
        party_nap();
    CHECK(!kri_process_dead(kri_lock_holder(&world->lock)));
    CHECK_EQ(kr_rlock_acquire(&world->rlock, KR_NOWAIT), 0);
    CHECK_EQ(kr_rlock_release(&world->rlock), 0);
    give_all(world);
    take_all(world);
    CHECK_EQ(kri_lock_holder(&world->lock), kri_process_self());
    CHECK(!kri_process_is_self((uint32_t)getpid() + 1));
    give_all(world);
}

/* The start time could not be read at first: what was taken then is still the process' own when it
 * can be. */
PARTY_TEST_OF(test_start_time_is_told_later, processes)
{
    named_world *world = party_world(sizeof *world);
    kr_semaphore_options options = {
        .scope = KR_SHARED, .holders = world->holders, .holder_count = 2};
    make_lock(&world->lock);
    make_rlock(&world->rlock);
    CHECK_EQ(kr_semaphore_init(&world->semaphore, 1, &options), 0);
    CHECK_EQ(
        kr_queue_create(&world->queue, sizeof(int64_t), 4, &(kr_queue_options){.scope = KR_SHARED}),
        0);
    for (int64_t i = 0; i < 2; i++)
        CHECK_EQ(kr_queue_put(world->queue, &i, KR_NOWAIT), 0);
    party_join(party_start(1, take_under_two_names, world));
    CHECK_EQ(kr_queue_join(world->queue, KR_NOWAIT), 0);
    kr_queue_release(world->queue);
    party_world_free(world, sizeof *world);
}

static void ask_for_its_name(void *arg, int index)
{
    (void)arg;
    (void)index;
    CHECK_NE(kri_process_self() >> 32, 0);
    CHECK(!kri_process_is_self((uint32_t)getpid()));
}

/* Who has never gone by its pid alone is not the one that has left that name behind. */
PARTY_TEST_OF(test_name_of_a_predecessor, processes)
{
    named_world *world = party_world(sizeof *world);
    party_join(party_start(1, ask_for_its_name, world));
    party_world_free(world, sizeof *world);
}
