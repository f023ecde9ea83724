/* Concurrency Kit's ring, which does not wait, between two semaphores that do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "queue.h"

#include <ck_ring.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

static ck_ring_t ring;
static ck_ring_buffer_t *buffer;
static sem_t items, rooms;

/* The ring has room for one less than its size, which is a power of two. */
static void open_ring(size_t capacity)
{
    buffer = calloc(2 * capacity, sizeof *buffer);
    if (!buffer)
        bench_fail("calloc");
    ck_ring_init(&ring, (unsigned)(2 * capacity));
    BENCH_MUST(sem_init(&items, 0, 0));
    BENCH_MUST(sem_init(&rooms, 0, (unsigned)capacity));
}

/* A permit says that there is room or an item, though perhaps behind one that is not finished; the
 * ring's own functions spin for that, too, which takes long when who is to finish is not running.
 */
static void put(void *item)
{
    BENCH_MUST(sem_wait(&rooms));
    while (!ck_ring_enqueue_mpmc(&ring, buffer, item))
        sched_yield();
    BENCH_MUST(sem_post(&items));
}

static void *get(void)
{
    void *item;
    BENCH_MUST(sem_wait(&items));
    while (!ck_ring_dequeue_mpmc(&ring, buffer, &item))
        sched_yield();
    BENCH_MUST(sem_post(&rooms));
    return item;
}

const struct bench_queue bench_ck_queue = {open_ring, put, get, NULL, NULL};
