/* A ring of messages in shared memory under pthread's robust mutex with two conditions: what one
 * writes by hand to survive a killed process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "party.h"
#include "peers.h"
#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    size_t depth, first, count;
    int putting, taking; /* who sleeps */
    _Alignas(64) unsigned char places[];
};

static struct ring *ring;

static void open_ring(size_t size, size_t depth)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    ring = bench_shared_memory(sizeof *ring + size * depth);
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
    BENCH_MUST(-pthread_mutex_init(&ring->mutex, &mutex));
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    BENCH_MUST(-pthread_cond_init(&ring->not_empty, &condition));
    BENCH_MUST(-pthread_cond_init(&ring->not_full, &condition));
    ring->depth = depth;
}

static void must_hold(int error)
{
    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(&ring->mutex);
    BENCH_MUST(-error);
}

static void put(const void *message, size_t size)
{
    must_hold(pthread_mutex_lock(&ring->mutex));
    while (ring->count == ring->depth) {
        ring->putting++;
        must_hold(pthread_cond_wait(&ring->not_full, &ring->mutex));
        ring->putting--;
    }
    memcpy(ring->places + (ring->first + ring->count) % ring->depth * size, message, size);
    ring->count++;
    if (ring->taking > 0)
        pthread_cond_signal(&ring->not_empty);
    BENCH_MUST(-pthread_mutex_unlock(&ring->mutex));
}

static void get(void *message, size_t size)
{
    must_hold(pthread_mutex_lock(&ring->mutex));
    while (ring->count == 0) {
        ring->taking++;
        must_hold(pthread_cond_wait(&ring->not_empty, &ring->mutex));
        ring->taking--;
    }
    memcpy(message, ring->places + ring->first * size, size);
    ring->first = (ring->first + 1) % ring->depth;
    ring->count--;
    if (ring->putting > 0)
        pthread_cond_signal(&ring->not_full);
    BENCH_MUST(-pthread_mutex_unlock(&ring->mutex));
}

const struct bench_stream bench_robust_stream = {.open = open_ring, .put = put, .get = get};
