/* krait's queue: of pointers in one process, and of messages between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "party.h"
#include "peers.h"
#include "queue.h"

#include <krait/coroutine.h>
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

const struct bench_queue bench_krait_queue = {
    .open = open_queue, .put = put, .get = get, .put_many = put_many, .get_many = get_many};

/* The same by coroutines on two loops.  A task goes to the loop that has the fewest, so each loop
 * has as many who put as who get, but where there is one of each. */

enum { LOOPS = 2, MOST = 16 };

struct member {
    const struct bench_party *party;
    int index;
};

static int run_member(const void *arg, void *result)
{
    const struct member *member = arg;
    (void)result;
    member->party->body(member->party->arg, member->index);
    return 0;
}

static double run_coroutines(const struct bench_party *party)
{
    static kr_executor *loops;
    kr_pool_options options = {.workers = LOOPS};
    kr_future *futures[MOST];
    if (!loops)
        BENCH_MUST(kr_loop_pool(&loops, &options));
    double begun = bench_now();
    for (int i = 0; i < party->count; i++) {
        struct member member = {party, i};
        BENCH_MUST(kr_submit(loops, &futures[i], run_member, &member, sizeof member, 0));
    }
    for (int i = 0; i < party->count; i++) {
        BENCH_MUST(kr_future_result(futures[i], NULL, 0, NULL, KR_FOREVER));
        kr_future_release(futures[i]);
    }
    return bench_now() - begun;
}

const struct bench_queue bench_krait_coroutines_queue = {
    .open = open_queue, .put = put, .get = get, .run = run_coroutines};

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
