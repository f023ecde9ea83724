/* krait's meeting points in shared memory, and its barrier.
 *
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"

#include <krait/krait.h>

#ifdef KRI_HAVE_SHARED_LOCK

static void lock_init(void *lock)
{
    *(kr_lock *)lock = (kr_lock)KR_LOCK_INIT_SHARED;
}

static void lock_acquire(void *lock)
{
    BENCH_MUST(kr_lock_acquire(lock, KR_FOREVER));
}

static void lock_release(void *lock)
{
    BENCH_MUST(kr_lock_release(lock));
}

BENCH_LOCK(bench_krait_lock_shared, lock_init, lock_acquire, lock_release);

#endif

#ifdef KRI_HAVE_SHARED_SEMAPHORE

static void semaphore_init(void *semaphore)
{
    *(kr_semaphore *)semaphore = (kr_semaphore)KR_SEMAPHORE_INIT_SHARED(0);
}

static void semaphore_acquire(void *semaphore)
{
    BENCH_MUST(kr_semaphore_acquire(semaphore, KR_FOREVER));
}

static void semaphore_release(void *semaphore)
{
    BENCH_MUST(kr_semaphore_release(semaphore, 1));
}

const struct bench_semaphore bench_krait_semaphore_shared = {semaphore_init, semaphore_acquire,
                                                             semaphore_release};

#endif

#ifdef KRI_HAVE_SHARED_EVENT

static void event_init(void *event)
{
    *(kr_event *)event = (kr_event)KR_EVENT_INIT_SHARED;
}

static void event_set(void *event)
{
    kr_event_set(event);
}

static void event_wait_and_clear(void *event)
{
    BENCH_MUST(kr_event_wait(event, KR_FOREVER));
    kr_event_clear(event);
}

const struct bench_event bench_krait_event_shared = {event_init, event_set, event_wait_and_clear};

#endif

#ifdef KRI_HAVE_SHARED_CONDITION

struct turn {
    kr_condition condition;
    int whose;
};

static void turn_init(void *arg)
{
    struct turn *turn = arg;
    turn->condition = (kr_condition)KR_CONDITION_INIT_SHARED;
}

static void turn_pass(void *arg, int mine, int next)
{
    struct turn *turn = arg;
    BENCH_MUST(kr_condition_acquire(&turn->condition, KR_FOREVER));
    while (turn->whose != mine)
        BENCH_MUST(kr_condition_wait(&turn->condition, KR_FOREVER));
    turn->whose = next;
    BENCH_MUST(kr_condition_notify(&turn->condition, 1));
    BENCH_MUST(kr_condition_release(&turn->condition));
}

const struct bench_turn bench_krait_turn_shared = {turn_init, turn_pass};

#endif

#ifdef KRI_HAVE_BARRIER

static void barrier_init(void *barrier)
{
    *(kr_barrier *)barrier = (kr_barrier)KR_BARRIER_INIT(2);
}

static void barrier_init_shared(void *barrier)
{
    *(kr_barrier *)barrier = (kr_barrier)KR_BARRIER_INIT_SHARED(2);
}

struct held_barrier {
    kr_barrier barrier;
    kr_holder holders[2];
};

static void barrier_init_held(void *arg)
{
    struct held_barrier *held = arg;
    kr_barrier_options options = {.scope = KR_SHARED, .holders = held->holders, .holder_count = 2};
    BENCH_MUST(kr_barrier_init(&held->barrier, 2, &options));
}

static void barrier_wait(void *barrier)
{
    BENCH_MUST(kr_barrier_wait(barrier, KR_FOREVER));
}

const struct bench_barrier bench_krait_barrier = {barrier_init, barrier_wait};
const struct bench_barrier bench_krait_barrier_shared = {barrier_init_shared, barrier_wait};
const struct bench_barrier bench_krait_barrier_held = {barrier_init_held, barrier_wait};
_Static_assert(sizeof(struct held_barrier) <= BENCH_STORAGE, "it has no room");

#endif
