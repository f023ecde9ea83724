/* Queues whose memory is refused: the k-th allocation fails, for k = 1, 2, ...
 *
 * Behaviours: section 10
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/help.h"
#include "harness/sanitizers.h"
#include <stdlib.h>

/* The sanitizers bring allocators of their own. */
#if !KRI_SANITIZED

static kr_word on;
static kr_word left; /* allocations until one fails */
static kr_word failed;
static kr_word live;

void *__libc_calloc(size_t count, size_t size);
void __libc_free(void *memory);

void *calloc(size_t count, size_t size)
{
    if (kri_load_rlx(&on) == 0)
        return __libc_calloc(count, size);
    if (kri_sub_rlx(&left, 1) == 1) {
        kri_add_rlx(&failed, 1);
        return NULL;
    }
    kri_add_rlx(&live, 1);
    return __libc_calloc(count, size);
}

void free(void *memory)
{
    if (memory && kri_load_rlx(&on))
        kri_sub_rlx(&live, 1);
    __libc_free(memory);
}

static void begin(uint32_t k)
{
    kri_store_rlx(&left, k);
    kri_store_rlx(&failed, 0);
    kri_store_rlx(&live, 0);
    kri_store_rlx(&on, 1);
}

/* Whether an allocation failed. */
static bool end(void)
{
    kri_store_rlx(&on, 0);
    CHECK_EQ(kri_load_rlx(&live), 0);
    return kri_load_rlx(&failed) != 0;
}

static int put_number(kr_queue *q, int64_t number)
{
    return q->item_size == 0 ? kr_queue_put_bytes(q, &number, sizeof number, KR_NOWAIT)
                             : kr_queue_put(q, &number, KR_NOWAIT);
}

static int get_number(kr_queue *q, int64_t *number)
{
    return q->item_size == 0 ? kr_queue_get_bytes(q, number, sizeof *number, NULL, KR_NOWAIT)
                             : kr_queue_get(q, number, KR_NOWAIT);
}

/* Whoever was put comes out, and is owed a task_done, and nobody else. */
static void empty_it(kr_queue *q, int64_t sum, int count)
{
    int64_t number;
    CHECK_EQ(kr_queue_qsize(q), count);
    for (int i = 0; i < count; i++) {
        CHECK_EQ(get_number(q, &number), 0);
        sum -= number;
        CHECK_EQ(kr_queue_task_done(q), 0);
    }
    CHECK_EQ(sum, 0);
    CHECK_EQ(get_number(q, &number), -ETIMEDOUT);
    CHECK_EQ(kr_queue_task_done(q), -EPERM);
    CHECK_EQ(kr_queue_join(q, KR_NOWAIT), 0);
}

static void fill_and_empty(size_t item_size, kr_queue_options o)
{
    enum { PUTS = 1500 };
    kr_queue *q;
    int err = kr_queue_create(&q, item_size, 0, &o);
    if (err) {
        CHECK_EQ(err, -ENOMEM);
        CHECK(q == NULL);
        return;
    }
    for (int round = 0; round < 2; round++) {
        int64_t sum = 0;
        int count = 0;
        for (int64_t i = 1; i <= PUTS; i++) {
            err = put_number(q, i);
            CHECK(err == 0 || err == -ENOMEM);
            sum += err == 0 ? i : 0;
            count += err == 0;
        }
        CHECK_GE(count, PUTS - 1);
        empty_it(q, sum, count);
    }
    CHECK_EQ(put_number(q, 1), 0);
    kr_queue_release(q);
}

TEST(test_failing_queue)
{
    for (int n = 0; n < 2 * QUEUE_ORDERS; n++) {
        size_t item_size = n < QUEUE_ORDERS ? sizeof(int64_t) : 0;
        kr_queue_options o = {.order = queue_orders[n % QUEUE_ORDERS]};
        uint32_t k = 1;
        for (;; k += k < 12 ? 1 : 97) {
            begin(k);
            fill_and_empty(item_size, o);
            if (!end())
                break;
        }
        CHECK_GE(k, 3);
    }
}

TEST(reserved_puts_cannot_fail)
{
    enum { RESERVED = 1000 };
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue_options o = {.order = queue_orders[n], .reserve = RESERVED};
        kr_queue *q;
        int64_t number;
        CHECK_EQ(kr_queue_create(&q, sizeof(int64_t), 0, &o), 0);
        kri_store_rlx(&left, 1);
        kri_store_rlx(&failed, 0);
        kri_store_rlx(&on, 1);
        for (int round = 0; round < 5; round++) {
            for (int i = 0; i < RESERVED; i++)
                CHECK_EQ(put_number(q, i), 0);
            for (int i = 0; i < RESERVED - round; i++)
                CHECK_EQ(get_number(q, &number), 0);
            while (get_number(q, &number) == 0)
                ;
        }
        kri_store_rlx(&on, 0);
        CHECK_EQ(kri_load_rlx(&failed), 0);
        kr_queue_release(q);
    }
}

#else

TEST(test_failing_queue)
{
    SKIP("the sanitizers bring their own allocator");
}

#endif
