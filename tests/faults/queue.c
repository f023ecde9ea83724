/* Queues when memory runs out: the k-th request is refused, for k = 1, 2, ... until there are not
 * so many; once only that one, once every one after it too.
 *
 * Behaviours: section 10
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "queue/parties.h"

enum { ITEMS = 700, LONGEST = 300 };

typedef struct shape {
    const char *name;
    size_t item_size, maxsize;
    kr_queue_options options;
} shape;

static const shape shapes[] = {
    {"fifo", 8, 0, {.order = KR_FIFO}},
    {"bounded fifo", 8, ITEMS, {.order = KR_FIFO}},
    {"reserved fifo", 8, 0, {.order = KR_FIFO, .reserve = 100}},
    {"fifo of bytes", 0, 0, {.order = KR_FIFO}},
    {"lifo", 8, 0, {.order = KR_LIFO}},
    {"lifo of bytes", 0, ITEMS, {.order = KR_LIFO}},
    {"priority", 8, 0, {.order = KR_PRIORITY}},
    {"priority of bytes", 0, 0, {.order = KR_PRIORITY}},
    {"reentrant", 8, 0, {.reentrant = true}},
    {"shared fifo", 8, ITEMS, {.scope = KR_SHARED}},
    {"shared fifo of bytes", 0, ITEMS, {.scope = KR_SHARED, .bytes = 1 << 20, .owners = 4}},
    {"shared priority", 8, ITEMS, {.scope = KR_SHARED, .order = KR_PRIORITY}},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* Number n as an item of the queue's kind: of 8 bytes, or of 8 and some more. */
static int put_number(kr_queue *q, int64_t n)
{
    char bytes[LONGEST] = {0};
    size_t size = q->item_size ? q->item_size : 8 + (size_t)(n * 7919 % (LONGEST - 8));
    memcpy(bytes, &n, sizeof n);
    if (q->order == KR_PRIORITY)
        return q->item_size ? kr_queue_put_priority(q, &n, n, KR_NOWAIT)
                            : kr_queue_put_bytes_priority(q, bytes, size, n, KR_NOWAIT);
    return q->item_size ? kr_queue_put(q, &n, KR_NOWAIT)
                        : kr_queue_put_bytes(q, bytes, size, KR_NOWAIT);
}

static int64_t get_number(kr_queue *q)
{
    char bytes[LONGEST];
    int64_t n = -1;
    size_t size = 0;
    if (q->item_size)
        return get(q, KR_NOWAIT);
    int err = kr_queue_get_bytes(q, bytes, sizeof bytes, &size, KR_NOWAIT);
    memcpy(&n, bytes, sizeof n);
    CHECK(err != 0 || size == 8 + (size_t)(n * 7919 % (LONGEST - 8)));
    return err ? err : n;
}

/* All that was put comes out, in order; what was refused had no effect. */
static void take_back(kr_queue *q, int64_t count)
{
    CHECK_EQ(kr_queue_qsize(q), count);
    for (int64_t i = 0; i < count; i++)
        CHECK_EQ(get_number(q), q->order == KR_LIFO ? count - 1 - i : i);
    CHECK_EQ(get_number(q), -ETIMEDOUT);
    CHECK(kr_queue_empty(q));
    for (int64_t i = 0; i < count; i++)
        CHECK_EQ(kr_queue_task_done(q), 0);
    CHECK_EQ(kr_queue_task_done(q), -EPERM);
    CHECK_EQ(kr_queue_join(q, KR_NOWAIT), 0);
}

/* With the k-th request refused; how many there were. */
static uint32_t fill_and_empty(const shape *s, uint32_t k, bool all_after)
{
    kr_queue *q = NULL;
    int64_t live = faulty_live(), put = 0;
    faulty_begin(FAULTY_MEMORY, k, all_after);
    int err = kr_queue_create(&q, s->item_size, s->maxsize, &s->options);
    if (faulty_failed() == 0 || err != -ENOMEM)
        CHECK_EQ(err, 0);
    for (int tries = 0; err == 0 && put < ITEMS && tries < 2 * ITEMS; tries++) {
        uint32_t failed = faulty_failed();
        int refused = put_number(q, put);
        CHECK(refused == 0 || (refused == -ENOMEM && faulty_failed() > failed));
        put += refused == 0;
    }
    uint32_t requests = faulty_end();
    if (err == 0) {
        CHECK(all_after || put == ITEMS);
        take_back(q, put);
        CHECK_EQ(put_number(q, 0), 0);
        kr_queue_release(q);
    }
    CHECK_EQ(faulty_live(), live);
    return requests;
}

TEST(test_failing_queue)
{
    for (int i = 0; i < SHAPES; i++) {
        uint32_t k = 1;
        (void)fill_and_empty(&shapes[i], UINT32_MAX, false); /* what is taken once for all */
        while (fill_and_empty(&shapes[i], k, false) >= k && fill_and_empty(&shapes[i], k, true) > 0)
            k++;
        kri_test_note("%s: %u requests, each refused once", shapes[i].name, k - 1);
        CHECK_GE(k, 2);
    }
}

/* Puts and gets within the reserve ask for nothing at all. */
TEST(reserved_puts_cannot_fail)
{
    enum { RESERVED = 1000 };
    static const kr_queue_options reserved[] = {
        {.order = KR_FIFO, .reserve = RESERVED},
        {.order = KR_LIFO, .reserve = RESERVED},
        {.order = KR_PRIORITY, .reserve = RESERVED},
        {.reentrant = true, .reserve = RESERVED},
    };
    for (size_t n = 0; n < sizeof reserved / sizeof reserved[0]; n++) {
        kr_queue *q;
        CHECK_EQ(kr_queue_create(&q, sizeof(int64_t), 0, &reserved[n]), 0);
        faulty_begin(FAULTY_MEMORY, 1, true);
        for (int round = 0; round < 5; round++) {
            for (int i = 0; i < RESERVED; i++)
                CHECK_EQ(put(q, i, KR_NOWAIT), 0);
            for (int i = 0; i < RESERVED; i++)
                CHECK_GE(get(q, KR_NOWAIT), 0);
        }
        CHECK_EQ(faulty_end(), 0);
        kr_queue_release(q);
    }
}

/* A handle on a queue that is there. */
static uint32_t attach(void *memory, size_t size, uint32_t k)
{
    kr_queue *q = NULL;
    int64_t live = faulty_live();
    faulty_begin(FAULTY_MEMORY, k, true);
    int err = kr_queue_attach(&q, memory, size);
    uint32_t requests = faulty_end();
    CHECK_EQ(err, requests >= k ? -ENOMEM : 0);
    if (err == 0)
        kr_queue_release(q);
    CHECK_EQ(faulty_live(), live);
    return requests;
}

TEST(test_attach_without_memory)
{
    party_be(&party_processes);
    size_t size = kr_queue_memory_size(8, 4, &(kr_queue_options){.scope = KR_SHARED});
    void *memory = party_world(size);
    kr_queue *q;
    uint32_t k = 1;
    CHECK_EQ(kr_queue_create_at(&q, memory, size, 8, 4, NULL), 0);
    while (attach(memory, size, k) >= k)
        k++;
    CHECK_GE(k, 2);
    kr_queue_release(q);
    party_world_free(memory, size);
}
