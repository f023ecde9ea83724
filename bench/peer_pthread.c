/* The C library's meeting points: POSIX's, in one process and shared, and C11's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>

static void make_mutex(pthread_mutex_t *mutex, int shared, int robust)
{
    pthread_mutexattr_t attributes;
    BENCH_MUST(-pthread_mutexattr_init(&attributes));
    BENCH_MUST(-pthread_mutexattr_setpshared(&attributes, shared));
    BENCH_MUST(-pthread_mutexattr_setrobust(&attributes, robust));
    BENCH_MUST(-pthread_mutex_init(mutex, &attributes));
}

static void make_condition(pthread_cond_t *condition, int shared)
{
    pthread_condattr_t attributes;
    BENCH_MUST(-pthread_condattr_init(&attributes));
    BENCH_MUST(-pthread_condattr_setpshared(&attributes, shared));
    BENCH_MUST(-pthread_cond_init(condition, &attributes));
}

/* Locks */

static void lock_init(void *lock)
{
    BENCH_MUST(-pthread_mutex_init(lock, NULL));
}

static void lock_init_shared(void *lock)
{
    make_mutex(lock, PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_STALLED);
}

static void lock_init_robust(void *lock)
{
    make_mutex(lock, PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST);
}

static void lock_acquire(void *lock)
{
    BENCH_MUST(-pthread_mutex_lock(lock));
}

static void lock_acquire_robust(void *lock)
{
    int error = pthread_mutex_lock(lock);
    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(lock);
    BENCH_MUST(-error);
}

static void lock_release(void *lock)
{
    BENCH_MUST(-pthread_mutex_unlock(lock));
}

BENCH_LOCK(bench_pthread_lock, lock_init, lock_acquire, lock_release);
BENCH_LOCK(bench_pthread_lock_shared, lock_init_shared, lock_acquire, lock_release);
BENCH_LOCK(bench_pthread_lock_robust, lock_init_robust, lock_acquire_robust, lock_release);

/* Semaphores */

static void semaphore_init(void *semaphore)
{
    BENCH_MUST(sem_init(semaphore, 0, 0));
}

static void semaphore_init_shared(void *semaphore)
{
    BENCH_MUST(sem_init(semaphore, 1, 0));
}

static void semaphore_acquire(void *semaphore)
{
    BENCH_MUST(sem_wait(semaphore));
}

static void semaphore_release(void *semaphore)
{
    BENCH_MUST(sem_post(semaphore));
}

const struct bench_semaphore bench_pthread_semaphore = {semaphore_init, semaphore_acquire,
                                                        semaphore_release};
const struct bench_semaphore bench_pthread_semaphore_shared = {
    semaphore_init_shared, semaphore_acquire, semaphore_release};

/* Events: it has none; a flag, a mutex and a condition variable. */

struct event {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int value;
};

static void event_init(void *arg)
{
    struct event *event = arg;
    make_mutex(&event->mutex, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_STALLED);
    make_condition(&event->changed, PTHREAD_PROCESS_PRIVATE);
}

static void event_init_shared(void *arg)
{
    struct event *event = arg;
    make_mutex(&event->mutex, PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_STALLED);
    make_condition(&event->changed, PTHREAD_PROCESS_SHARED);
}

static void event_set(void *arg)
{
    struct event *event = arg;
    BENCH_MUST(-pthread_mutex_lock(&event->mutex));
    event->value = 1;
    BENCH_MUST(-pthread_cond_broadcast(&event->changed));
    BENCH_MUST(-pthread_mutex_unlock(&event->mutex));
}

static void event_wait_and_clear(void *arg)
{
    struct event *event = arg;
    BENCH_MUST(-pthread_mutex_lock(&event->mutex));
    while (!event->value)
        BENCH_MUST(-pthread_cond_wait(&event->changed, &event->mutex));
    event->value = 0;
    BENCH_MUST(-pthread_mutex_unlock(&event->mutex));
}

const struct bench_event bench_pthread_event = {event_init, event_set, event_wait_and_clear};
const struct bench_event bench_pthread_event_shared = {event_init_shared, event_set,
                                                       event_wait_and_clear};

/* Conditions */

static void turn_pass(void *arg, int mine, int next)
{
    struct event *turn = arg;
    BENCH_MUST(-pthread_mutex_lock(&turn->mutex));
    while (turn->value != mine)
        BENCH_MUST(-pthread_cond_wait(&turn->changed, &turn->mutex));
    turn->value = next;
    BENCH_MUST(-pthread_cond_signal(&turn->changed));
    BENCH_MUST(-pthread_mutex_unlock(&turn->mutex));
}

const struct bench_turn bench_pthread_turn = {event_init, turn_pass};
const struct bench_turn bench_pthread_turn_shared = {event_init_shared, turn_pass};

/* Barriers */

static void barrier_init(void *barrier)
{
    BENCH_MUST(-pthread_barrier_init(barrier, NULL, 2));
}

static void barrier_init_shared(void *barrier)
{
    pthread_barrierattr_t attributes;
    BENCH_MUST(-pthread_barrierattr_init(&attributes));
    BENCH_MUST(-pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED));
    BENCH_MUST(-pthread_barrier_init(barrier, &attributes, 2));
}

static void barrier_wait(void *barrier)
{
    int error = pthread_barrier_wait(barrier);
    BENCH_MUST(error == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : -error);
}

const struct bench_barrier bench_pthread_barrier = {barrier_init, barrier_wait};
const struct bench_barrier bench_pthread_barrier_shared = {barrier_init_shared, barrier_wait};

/* C11 */

static void must_c11(int result)
{
    if (result != thrd_success)
        bench_fail("a function of threads.h");
}

static void c11_init(void *lock)
{
    must_c11(mtx_init(lock, mtx_plain));
}

static void c11_acquire(void *lock)
{
    must_c11(mtx_lock(lock));
}

static void c11_release(void *lock)
{
    must_c11(mtx_unlock(lock));
}

BENCH_LOCK(bench_c11_lock, c11_init, c11_acquire, c11_release);

struct c11_turn {
    mtx_t mutex;
    cnd_t changed;
    int whose;
};

static void c11_turn_init(void *arg)
{
    struct c11_turn *turn = arg;
    must_c11(mtx_init(&turn->mutex, mtx_plain));
    must_c11(cnd_init(&turn->changed));
}

static void c11_turn_pass(void *arg, int mine, int next)
{
    struct c11_turn *turn = arg;
    must_c11(mtx_lock(&turn->mutex));
    while (turn->whose != mine)
        must_c11(cnd_wait(&turn->changed, &turn->mutex));
    turn->whose = next;
    must_c11(cnd_signal(&turn->changed));
    must_c11(mtx_unlock(&turn->mutex));
}

const struct bench_turn bench_c11_turn = {c11_turn_init, c11_turn_pass};
