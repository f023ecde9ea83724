/* krait's queue: of pointers in one process, and of messages between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "queue.h"

#include <krait/queue.h>

static kr_queue *queue;

/* Pointers */

static void open_queue(size_t capacity)
{
    BENCH_MUST(kr_queue_create(&queue, sizeof(void *), capacity, NULL));
}

static void put(void *item)
{
    BENCH_MUST(kr_queue_put(queue, &item, KR_FOREVER));
}

static void *get(void)
{
    void *item;
    BENCH_MUST(kr_queue_get(queue, &item, KR_FOREVER));
    return item;
}

static void put_many(void **items, size_t count)
{
    for (size_t done = 0; done < count;) {
        int put = kr_queue_put_many(queue, items + done, count - done, KR_FOREVER);
        BENCH_MUST(put);
        done += (size_t)put;
    }
}

static size_t get_many(void **items, size_t most)
{
    int got = kr_queue_get_many(queue, items, most, KR_FOREVER);
    BENCH_MUST(got);
    return (size_t)got;
}

const struct bench_queue bench_krait_queue = {open_queue, put, get, put_many, get_many};

/* Messages of one length, and of any */

#ifdef KRI_HAVE_SHARED_QUEUE

static void open_stream(size_t size, size_t depth)
{
    kr_queue_options options = {.scope = KR_SHARED};
    BENCH_MUST(kr_queue_create(&queue, size, depth, &options));
}

static void put_message(const void *message, size_t size)
{
    (void)size;
    BENCH_MUST(kr_queue_put(queue, message, KR_FOREVER));
}

static void get_message(void *message, size_t size)
{
    (void)size;
    BENCH_MUST(kr_queue_get(queue, message, KR_FOREVER));
}

const struct bench_stream bench_krait_stream = {
    .open = open_stream, .put = put_message, .get = get_message};

/* What an item takes beside its bytes is the library's affair: 64 are more than enough. */
static void open_bytes(size_t size, size_t depth)
{
    kr_queue_options options = {.scope = KR_SHARED, .bytes = depth * (size + 64)};
    BENCH_MUST(kr_queue_create(&queue, 0, depth, &options));
}

static void put_bytes(const void *message, size_t size)
{
    BENCH_MUST(kr_queue_put_bytes(queue, message, size, KR_FOREVER));
}

static void get_bytes(void *message, size_t size)
{
    size_t got;
    BENCH_MUST(kr_queue_get_bytes(queue, message, size, &got, KR_FOREVER));
    if (got != size)
        bench_fail("the length of a message");
}

const struct bench_stream bench_krait_stream_bytes = {
    .open = open_bytes, .put = put_bytes, .get = get_bytes};

#endif
