/* What the tests of queues share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_QUEUE_HELP_H
#define KRI_TESTS_QUEUE_HELP_H

#include "harness/test.h"
#include "queue/private.h"
#include <krait/queue.h>

static const kr_queue_order queue_orders[] = {KR_FIFO, KR_LIFO, KR_PRIORITY};
enum { QUEUE_ORDERS = 3 };

/* For each of the three: for (int n = 0; n < QUEUE_ORDERS; n++) { ... queue_make(n, 2) ... } */
static inline kr_queue *queue_make(int order, size_t maxsize)
{
    kr_queue *q;
    kr_queue_options o = {.order = queue_orders[order]};
    CHECK_EQ(kr_queue_create(&q, sizeof(int64_t), maxsize, &o), 0);
    return q;
}

/* In a queue by priority the value is the priority. */
static inline int queue_put(kr_queue *q, int64_t value, kr_time timeout)
{
    return q->order == KR_PRIORITY ? kr_queue_put_priority(q, &value, value, timeout)
                                   : kr_queue_put(q, &value, timeout);
}

static inline int queue_get(kr_queue *q, int64_t *value, kr_time timeout)
{
    return kr_queue_get(q, value, timeout);
}

/* Wait until so many wait in a get, in a put, in a join. */
static inline void queue_await(const kr_word *count, uint32_t wanted)
{
    while (kri_load_acq(count) < wanted)
        kri_test_nap();
}

static inline void queue_await_getters(const kr_queue *q, uint32_t wanted)
{
    queue_await(&kri_private_of(q)->items.waiting, wanted);
}

static inline void queue_await_putters(const kr_queue *q, uint32_t wanted)
{
    queue_await(&kri_private_of(q)->room.waiting, wanted);
}

static inline void queue_await_joiners(const kr_queue *q, uint32_t wanted)
{
    queue_await(&kri_private_of(q)->joining, wanted);
}

#endif
