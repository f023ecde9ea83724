/* Histories of locks, recursive locks and semaphores, each held against a sequential one.
 *
 * Rounds of a few dozen calls by parties that start together; most of the calls do not wait, since
 * a history in which everybody waits tells little.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/linear_objects.h"
#include "sync/objects.h"

enum { PARTIES = 3, CALLS = 40 };

typedef struct linear_world {
    kr_lock lock;
    kr_rlock rlock;
    kr_semaphore semaphore;
    kr_word round; /* the parties begin it together */
    kr_word done;
    kr_word stop;
    kr_word refused;
    linear_history history;
} linear_world;

static kr_time some_time(uint64_t *random)
{
    return party_random_below(random, 2) ? KR_NOWAIT : kr_us(1 + party_random_below(random, 20));
}

/* A holder releases before long, so nobody who waits without a limit hangs. */
static void call_lock(linear_world *world, int party, uint64_t *random, int *held)
{
    unsigned what = party_random_below(random, 8);
    linear_call *call;
    if (*held || what == 0) {
        call = linear_begin(&world->history, party, LINEAR_RELEASE, 0);
        linear_end(&world->history, call, kr_lock_release(&world->lock));
        *held = 0;
    } else if (what == 1) {
        call = linear_begin(&world->history, party, LINEAR_LOCKED, 0);
        linear_end(&world->history, call, kr_lock_locked(&world->lock));
    } else {
        call = linear_begin(&world->history, party, LINEAR_ACQUIRE, 0);
        int err = kr_lock_acquire(&world->lock, some_time(random));
        linear_end(&world->history, call, err);
        kri_add_rlx(&world->refused, err < 0);
        *held = err >= 0;
    }
}

/* Up to three times, and a release now and then by who has it not. */
static void call_rlock(linear_world *world, int party, uint64_t *random, int *held)
{
    unsigned what = party_random_below(random, 8);
    linear_call *call;
    if (what == 0) {
        call = linear_begin(&world->history, party, LINEAR_LOCKED, 0);
        linear_end(&world->history, call, kr_rlock_locked(&world->rlock));
    } else if (what == 1) {
        call = linear_begin(&world->history, party, LINEAR_COUNT, 0);
        linear_end(&world->history, call, kr_rlock_count(&world->rlock));
    } else if (what == 2 || *held == 3 || (*held > 0 && what < 6)) {
        call = linear_begin(&world->history, party, LINEAR_RELEASE, 0);
        linear_end(&world->history, call, kr_rlock_release(&world->rlock));
        *held -= *held > 0;
    } else {
        call = linear_begin(&world->history, party, LINEAR_ACQUIRE, 0);
        int err = kr_rlock_acquire(&world->rlock, some_time(random));
        linear_end(&world->history, call, err);
        kri_add_rlx(&world->refused, err < 0);
        *held += err >= 0;
    }
}

static void call_semaphore(linear_world *world, int party, uint64_t *random, int *held)
{
    bool give = *held > 0 && party_random_below(random, 2);
    int what = give ? LINEAR_RELEASE : LINEAR_ACQUIRE;
    linear_call *call = linear_begin(&world->history, party, what, give ? *held : 0);
    if (give) {
        linear_end(&world->history, call, kr_semaphore_release(&world->semaphore, *held));
        *held = 0;
        return;
    }
    int err = kr_semaphore_acquire(&world->semaphore, some_time(random));
    linear_end(&world->history, call, err);
    kri_add_rlx(&world->refused, err < 0);
    *held += err == 0;
}

/* What it still holds after a round's calls goes with the objects, which are made anew. */
static void play(linear_world *world, int index,
                 void (*call)(linear_world *world, int party, uint64_t *random, int *held))
{
    uint64_t random = party_random_start(index);
    for (int round = 1;; round++) {
        int held = 0;
        while ((int)kri_load_acq(&world->round) < round && kri_load_acq(&world->stop) == 0)
            (void)kr_yield();
        if (kri_load_acq(&world->stop))
            return;
        for (int i = 0; i < CALLS; i++)
            call(world, index, &random, &held);
        kri_add_acq_rel(&world->done, 1);
    }
}

static void play_lock(void *world, int index)
{
    play(world, index, call_lock);
}

static void play_rlock(void *world, int index)
{
    play(world, index, call_rlock);
}

static void play_semaphore(void *world, int index)
{
    play(world, index, call_semaphore);
}

static linear_world *world_create(void)
{
    linear_world *world = party_world(sizeof *world);
    make_lock(&world->lock);
    make_rlock(&world->rlock);
    make_semaphore(&world->semaphore, LINEAR_PERMITS, 0);
    return world;
}

static void check_rounds(const linear_object *object, party_body body)
{
    linear_world *world = world_create();
    party_bunch *bunch = party_start(PARTIES, body, world);
    kr_time end = kr_now() + party_budget();
    uint64_t steps = 0;
    int rounds = 0;
    while (kr_now() < end || kri_load_rlx(&world->refused) == 0) {
        linear_clear(&world->history);
        make_lock(&world->lock);
        make_rlock(&world->rlock);
        make_semaphore(&world->semaphore, LINEAR_PERMITS, 0);
        kri_store_rel(&world->round, (uint32_t)++rounds);
        party_await_count(&world->done, rounds * PARTIES);
        steps += linear_expect(object, &world->history);
    }
    kri_store_rel(&world->stop, 1);
    party_join(bunch);
    kri_test_note("%d histories of %d calls, %u refused, %ju places", rounds, PARTIES * CALLS,
                  kri_load_rlx(&world->refused), (uintmax_t)steps);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test_lock_is_linearizable)
{
    check_rounds(&linear_lock, play_lock);
}

PARTY_CASE(test_lock_is_linearizable, runners)

PARTY_TEST(test_rlock_is_linearizable)
{
    check_rounds(&linear_rlock, play_rlock);
}

PARTY_CASE(test_rlock_is_linearizable, runners)

PARTY_TEST(test_semaphore_is_linearizable)
{
    check_rounds(&linear_semaphore, play_semaphore);
}

PARTY_CASE(test_semaphore_is_linearizable, runners)
