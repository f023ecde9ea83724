/* krait's own meeting points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"

#include <krait/krait.h>

static void leave_zero(void *storage)
{
    (void)storage;
}

static void lock_acquire(void *lock)
{
    BENCH_MUST(kr_lock_acquire(lock, KR_FOREVER));
}

static void lock_release(void *lock)
{
    BENCH_MUST(kr_lock_release(lock));
}

BENCH_LOCK(bench_krait_lock, leave_zero, lock_acquire, lock_release);

static void semaphore_acquire(void *semaphore)
{
    BENCH_MUST(kr_semaphore_acquire(semaphore, KR_FOREVER));
}

static void semaphore_release(void *semaphore)
{
    BENCH_MUST(kr_semaphore_release(semaphore, 1));
}

const struct bench_semaphore bench_krait_semaphore = {leave_zero, semaphore_acquire,
                                                      semaphore_release};

static void event_set(void *event)
{
    kr_event_set(event);
}

static void event_wait_and_clear(void *event)
{
    BENCH_MUST(kr_event_wait(event, KR_FOREVER));
    kr_event_clear(event);
}

const struct bench_event bench_krait_event = {leave_zero, event_set, event_wait_and_clear};

struct turn {
    kr_condition condition;
    int whose;
};

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

const struct bench_turn bench_krait_turn = {leave_zero, turn_pass};
