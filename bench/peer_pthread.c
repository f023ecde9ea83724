/* The C library's meeting points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"

#include <pthread.h>
#include <semaphore.h>

static void lock_init(void *lock)
{
    BENCH_MUST(-pthread_mutex_init(lock, NULL));
}

static void lock_acquire(void *lock)
{
    BENCH_MUST(-pthread_mutex_lock(lock));
}

static void lock_release(void *lock)
{
    BENCH_MUST(-pthread_mutex_unlock(lock));
}

const struct bench_lock bench_pthread_lock = {lock_init, lock_acquire, lock_release};

static void semaphore_init(void *semaphore)
{
    BENCH_MUST(sem_init(semaphore, 0, 0));
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

/* It has no event: a flag, a mutex and a condition variable. */
struct event {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int value;
};

static void event_init(void *arg)
{
    struct event *event = arg;
    BENCH_MUST(-pthread_mutex_init(&event->mutex, NULL));
    BENCH_MUST(-pthread_cond_init(&event->changed, NULL));
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
