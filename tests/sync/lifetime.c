/* Who was let through may free the object at once, while the call that let it through still runs.
 *
 * Half of the rounds free the memory, which the address sanitizer watches; the other half fill it
 * with a pattern that must still be there when the other call has returned.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"

enum { PATTERN = 0x5a, SIZE = 64 };

typedef struct lifetime_world {
    kri_pointer object;  /* the round's object, from the one who frees it */
    kri_pointer pattern; /* given back for a look */
    kr_word stop;
    kr_word rounds;
    kr_word wrong;
    bool poison;
    bool hand_over; /* the first to hold the lock releases it to one who sleeps */
} lifetime_world;

static void *object_new(lifetime_world *world, int round)
{
    world->poison = round & 1;
    world->hand_over = round & 2;
    return party_world(SIZE);
}

/* What the one who was let through does with the object. */
static void object_done(lifetime_world *world, void *object)
{
    memset(object, PATTERN, SIZE);
    if (world->poison)
        kri_store_rel_ptr(&world->pattern, object);
    else
        free(object);
}

/* Called when the other call has returned. */
static void check_pattern(lifetime_world *world)
{
    unsigned char *object;

    if (!world->poison)
        return;
    while ((object = kri_swap_acq_rel_ptr(&world->pattern, NULL)) == NULL)
        sched_yield();
    for (int i = 0; i < SIZE; i++)
        if (object[i] != PATTERN)
            kri_add_acq_rel(&world->wrong, 1);
    free(object);
}

static void *take_object(lifetime_world *world)
{
    void *object;

    while ((object = kri_swap_acq_rel_ptr(&world->object, NULL)) == NULL &&
           kri_load_acq(&world->stop) == 0)
        sched_yield();
    return object;
}

static void release_semaphores(void *arg, int index)
{
    lifetime_world *world = arg;
    kr_semaphore *semaphore;

    (void)index;
    while ((semaphore = take_object(world)) != NULL) {
        if (kr_semaphore_release(semaphore, 1) != 0)
            kri_add_acq_rel(&world->wrong, 1);
        check_pattern(world);
        kri_add_acq_rel(&world->rounds, 1);
    }
}

static void set_events(void *arg, int index)
{
    lifetime_world *world = arg;
    kr_event *event;

    (void)index;
    while ((event = take_object(world)) != NULL) {
        kr_event_set(event);
        check_pattern(world);
        kri_add_acq_rel(&world->rounds, 1);
    }
}

static int acquire_semaphore(void *object)
{
    return kr_semaphore_acquire(object, KR_FOREVER);
}

static int wait_event(void *object)
{
    return kr_event_wait(object, KR_FOREVER);
}

static void run_rounds(party_body other, int (*wait)(void *object))
{
    lifetime_world *world = party_world(sizeof *world);
    party_bunch *bunch = party_start(1, other, world);
    kr_time end = kr_now() + party_budget() / 2;
    unsigned round = 0;

    while (kr_now() < end) {
        void *object = object_new(world, (int)round);

        kri_store_rel_ptr(&world->object, object);
        CHECK_EQ(wait(object), 0);
        object_done(world, object);
        round++;
        while (kri_load_acq(&world->rounds) < round)
            sched_yield();
    }
    kri_store_rel(&world->stop, 1);
    party_join(bunch);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    kri_test_note("%u rounds", round);
    party_world_free(world, sizeof *world);
}

PARTY_TEST_OF(test_semaphore_freed_by_acquirer, threads)
{
    run_rounds(release_semaphores, acquire_semaphore);
}

PARTY_TEST_OF(test_event_freed_by_waiter, threads)
{
    run_rounds(set_events, wait_event);
}

typedef struct shared_object {
    kr_lock lock;
    int references; /* guarded by lock */
} shared_object;

static void drop_reference(lifetime_world *world, shared_object *object)
{
    int left;

    if (kr_lock_acquire(&object->lock, KR_FOREVER) != 0)
        kri_add_acq_rel(&world->wrong, 1);
    left = --object->references;
    while (left == 1 && world->hand_over && kri_waiting(&object->lock.word) == 0)
        sched_yield();
    if (kr_lock_release(&object->lock) != 0)
        kri_add_acq_rel(&world->wrong, 1);
    if (left == 0)
        object_done(world, object);
}

static void drop_references(void *arg, int index)
{
    lifetime_world *world = arg;
    shared_object *object;

    (void)index;
    while ((object = take_object(world)) != NULL) {
        drop_reference(world, object);
        kri_add_acq_rel(&world->rounds, 1);
    }
}

/* A lock that guards the count of its own object's references: the last one frees it while the one
 * before may still be inside its release. */
PARTY_TEST_OF(test_lock_freed_by_last_holder, threads)
{
    lifetime_world *world = party_world(sizeof *world);
    party_bunch *bunch = party_start(1, drop_references, world);
    kr_time end = kr_now() + party_budget() / 2;
    unsigned round = 0;

    while (kr_now() < end) {
        shared_object *object = object_new(world, (int)round);

        object->references = 2;
        kri_store_rel_ptr(&world->object, object);
        drop_reference(world, object);
        round++;
        while (kri_load_acq(&world->rounds) < round)
            sched_yield();
        check_pattern(world);
    }
    kri_store_rel(&world->stop, 1);
    party_join(bunch);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    kri_test_note("%u rounds", round);
    party_world_free(world, sizeof *world);
}
