/* The least that threads can do: a ring under one word that is spun on and then slept on, two more
 * words to wait at, and nothing else.  What it takes is what the kernel and the processors take.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "queue.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOKS = 100, YIELDS = 2 };

/* One side: who waits there sleeps on the number of the calls. */
struct side {
    _Alignas(128) atomic_uint calls;
    unsigned waiting; /* guarded by the lock */
};

static struct {
    _Alignas(128) atomic_uint lock; /* 0 free, 1 held, 2 held and perhaps slept on */
    size_t capacity, first, count;
    void **items;
    struct side room, some;
} ring;

static void sleep_on(atomic_uint *word, unsigned expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void wake_one(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool try_lock(void)
{
    unsigned seen = 0;
    return atomic_load_explicit(&ring.lock, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong(&ring.lock, &seen, 1);
}

static void lock(void)
{
    for (int i = 0; i < LOOKS; i++) {
        if (try_lock())
            return;
        __builtin_ia32_pause();
    }
    while (atomic_exchange(&ring.lock, 2) != 0)
        sleep_on(&ring.lock, 2);
}

static void unlock(void)
{
    if (atomic_exchange(&ring.lock, 0) == 2)
        wake_one(&ring.lock);
}

/* With the lock, which is given up meanwhile. */
static void wait_at(struct side *side, const size_t *count, size_t until_not)
{
    for (int i = 0; i < YIELDS && *count == until_not; i++) {
        unlock();
        sched_yield();
        lock();
    }
    while (*count == until_not) {
        unsigned seen = atomic_load(&side->calls);
        side->waiting++;
        unlock();
        sleep_on(&side->calls, seen);
        lock();
        side->waiting--;
    }
}

/* With the lock, which is given up. */
static void call(struct side *side)
{
    bool some = side->waiting > 0;
    if (some)
        atomic_fetch_add(&side->calls, 1);
    unlock();
    if (some)
        wake_one(&side->calls);
}

static void open_ring(size_t capacity)
{
    ring.capacity = capacity;
    ring.items = calloc(capacity, sizeof *ring.items);
    if (!ring.items)
        bench_fail("calloc");
}

static void put(void *item)
{
    lock();
    wait_at(&ring.room, &ring.count, ring.capacity);
    ring.items[(ring.first + ring.count++) % ring.capacity] = item;
    call(&ring.some);
}

static void *get(void)
{
    lock();
    wait_at(&ring.some, &ring.count, 0);
    void *item = ring.items[ring.first];
    ring.first = (ring.first + 1) % ring.capacity;
    ring.count--;
    call(&ring.room);
    return item;
}

const struct bench_queue bench_futex_queue = {.open = open_ring, .put = put, .get = get};
