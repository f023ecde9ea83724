/* Queues for the tests of what CPython asserts: of numbers, of each order, in the scope of the kind
 * of party.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_QUEUE_PARTIES_H
#define TESTS_QUEUE_PARTIES_H

#include "harness/party.h"
#include "queue/queue.h"

/* What "no limit" is where a queue must have one. */
enum { QUEUE_PLENTY = 512 };

/* The kinds of queue that the tests of all orders go through; there is no lifo in shared memory. */
static inline kr_queue_order next_order(kr_queue_order order)
{
    return order == KR_FIFO && party_scope() == KR_SHARED ? KR_PRIORITY : order + 1;
}

#define FOR_EACH_ORDER(order)                                                                      \
    for (kr_queue_order order = KR_FIFO; order <= KR_PRIORITY; order = next_order(order))

/* The handle is inherited by processes. */
static inline kr_queue *make_queue(kr_queue_order order, size_t maxsize)
{
    kr_queue *q;
    kr_queue_options options = {.order = order, .scope = party_scope()};
    if (party_scope() == KR_SHARED) {
        options.owners = 16;
        maxsize = maxsize ? maxsize : QUEUE_PLENTY;
    }
    int err = kr_queue_create(&q, sizeof(int64_t), maxsize, &options);
    if (err == -ENOSYS)
        SKIP("not in shared memory yet");
    CHECK_EQ(err, 0);
    return q;
}

/* In a priority queue the item is its own priority. */
static inline int put(kr_queue *q, int64_t item, kr_time timeout)
{
    return q->order == KR_PRIORITY ? kr_queue_put_priority(q, &item, item, timeout)
                                   : kr_queue_put(q, &item, timeout);
}

/* The item, none of which is negative, or the error. */
static inline int64_t get(kr_queue *q, kr_time timeout)
{
    int64_t item = -1;
    int err = kr_queue_get(q, &item, timeout);
    return err ? err : item;
}

#endif
