/* Concurrency Kit's spinlock and barrier, which never sleep.
 *
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"

#include <ck_barrier.h>
#include <ck_spinlock.h>

static void lock_init(void *lock)
{
    ck_spinlock_fas_init(lock);
}

static void lock_acquire(void *lock)
{
    ck_spinlock_fas_lock(lock);
}

static void lock_release(void *lock)
{
    ck_spinlock_fas_unlock(lock);
}

BENCH_LOCK(bench_ck_lock, lock_init, lock_acquire, lock_release);

static void barrier_init(void *arg)
{
    ck_barrier_centralized_t *barrier = arg;
    *barrier = (ck_barrier_centralized_t)CK_BARRIER_CENTRALIZED_INITIALIZER;
}

static void barrier_wait(void *barrier)
{
    static _Thread_local ck_barrier_centralized_state_t state;
    ck_barrier_centralized(barrier, &state, 2);
}

const struct bench_barrier bench_ck_barrier = {barrier_init, barrier_wait};
