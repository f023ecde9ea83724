/* A ring under a lock with two conditions, as one writes it by hand; and a pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "queue.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* The ring: without a limit it grows when it is full. */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    void **items;
    size_t size, first, count; /* size: a power of two */
    size_t capacity;
    int putting, taking; /* who sleeps */
} ring = {.mutex = PTHREAD_MUTEX_INITIALIZER,
          .not_empty = PTHREAD_COND_INITIALIZER,
          .not_full = PTHREAD_COND_INITIALIZER};

static void open_ring(size_t capacity)
{
    ring.capacity = capacity ? capacity : SIZE_MAX;
    ring.size = 1024;
    ring.items = calloc(ring.size, sizeof *ring.items);
    if (!ring.items)
        bench_fail("calloc");
}

static void grow(void)
{
    void **items = calloc(2 * ring.size, sizeof *items);
    if (!items)
        bench_fail("calloc");
    for (size_t i = 0; i < ring.count; i++)
        items[i] = ring.items[(ring.first + i) % ring.size];
    free(ring.items);
    ring.items = items;
    ring.first = 0;
    ring.size *= 2;
}

static void put_many_in_ring(void **items, size_t count)
{
    pthread_mutex_lock(&ring.mutex);
    for (size_t i = 0; i < count;) {
        while (ring.count == ring.capacity) {
            ring.putting++;
            pthread_cond_wait(&ring.not_full, &ring.mutex);
            ring.putting--;
        }
        for (; i < count && ring.count < ring.capacity; ring.count++) {
            if (ring.count == ring.size)
                grow();
            ring.items[(ring.first + ring.count) & (ring.size - 1)] = items[i++];
        }
        if (ring.taking > 0)
            pthread_cond_signal(&ring.not_empty);
    }
    pthread_mutex_unlock(&ring.mutex);
}

/* Who leaves something behind passes the signal on. */
static size_t get_many_from_ring(void **items, size_t most)
{
    pthread_mutex_lock(&ring.mutex);
    while (ring.count == 0) {
        ring.taking++;
        pthread_cond_wait(&ring.not_empty, &ring.mutex);
        ring.taking--;
    }
    size_t got = 0;
    for (; got < most && ring.count > 0; ring.count--) {
        items[got++] = ring.items[ring.first];
        ring.first = (ring.first + 1) & (ring.size - 1);
    }
    if (ring.putting > 0)
        pthread_cond_signal(&ring.not_full);
    if (ring.taking > 0 && ring.count > 0)
        pthread_cond_signal(&ring.not_empty);
    pthread_mutex_unlock(&ring.mutex);
    return got;
}

static void put_in_ring(void *item)
{
    put_many_in_ring(&item, 1);
}

static void *get_from_ring(void)
{
    void *item;
    get_many_from_ring(&item, 1);
    return item;
}

const struct bench_queue bench_naive_queue = {.open = open_ring,
                                              .put = put_in_ring,
                                              .get = get_from_ring,
                                              .put_many = put_many_in_ring,
                                              .get_many = get_many_from_ring};

/* The pipe, which holds 65,536 bytes unless it is told otherwise. */

static int ends[2];

static void open_pipe(size_t capacity)
{
    BENCH_MUST(pipe(ends));
    BENCH_MUST(fcntl(ends[0], F_SETPIPE_SZ, (int)(capacity * sizeof(void *))));
}

static void put_in_pipe(void *item)
{
    BENCH_MUST(write(ends[1], &item, sizeof item));
}

static void *get_from_pipe(void)
{
    void *item;
    BENCH_MUST(read(ends[0], &item, sizeof item));
    return item;
}

const struct bench_queue bench_pipe_queue = {
    .open = open_pipe, .put = put_in_pipe, .get = get_from_pipe};
