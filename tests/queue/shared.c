/* Queues in shared memory, used by several processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared_help.h"
#include <krait/cancel.h>
#include <limits.h>
#include <stdio.h>

static void put_numbers(void *arg)
{
    kr_queue *q = arg;
    for (long i = 0; i < 1000; i++)
        CHECK_EQ(kr_queue_put(q, &i, KR_FOREVER), 0);
}

/* Far more than fit: the writer waits for room, the reader for items. */
TEST(shared_queue_hands_over_in_order)
{
    kr_queue *q = shared_queue(sizeof(long), 4, (kr_queue_options){0});
    pid_t writer = child(put_numbers, q);
    for (long i = 0; i < 1000; i++) {
        long got = -1;
        CHECK_EQ(kr_queue_get(q, &got, KR_FOREVER), 0);
        CHECK_EQ(got, i);
    }
    reap(writer);
    CHECK(kr_queue_empty(q));
    kr_queue_release(q);
}

/* Both ways at once through many lengths, so that records go round the end everywhere. */
static void echo(void *arg)
{
    kr_queue **q = arg;
    char *bytes = malloc(2000);
    size_t size;
    int err;
    while ((err = kr_queue_get_bytes(q[0], bytes, 2000, &size, KR_FOREVER)) == 0)
        CHECK_EQ(kr_queue_put_bytes(q[1], bytes, size, KR_FOREVER), 0);
    CHECK_EQ(err, KR_ESHUTDOWN);
}

TEST(shared_queue_of_any_length)
{
    kr_queue *q[2];
    for (int i = 0; i < 2; i++)
        q[i] = shared_queue(0, 0, (kr_queue_options){.bytes = 4096});
    pid_t other = child(echo, q);
    unsigned char sent[2000], got[2000];
    for (size_t length = 0; length < sizeof sent; length += 1 + length / 50) {
        for (size_t i = 0; i < length; i++)
            sent[i] = (unsigned char)(i * 31 + length);
        CHECK_EQ(kr_queue_put_bytes(q[0], sent, length, KR_FOREVER), 0);
        size_t size = 0;
        CHECK_EQ(kr_queue_get_bytes(q[1], got, sizeof got, &size, KR_FOREVER), 0);
        CHECK_EQ(size, length);
        CHECK_EQ(memcmp(sent, got, length), 0);
    }
    CHECK_EQ(kr_queue_shutdown(q[0], false), 0);
    reap(other);
    kr_queue_release(q[0]);
    kr_queue_release(q[1]);
}

TEST(shared_queue_item_longer_than_the_room)
{
    for (int order = KR_FIFO; order <= KR_PRIORITY; order += KR_PRIORITY) {
        kr_queue *q =
            shared_queue(0, 2, (kr_queue_options){.bytes = 1000, .order = (kr_queue_order)order});
        char bytes[501] = "a";
        size_t size = 0;
        CHECK_EQ(kr_queue_put_bytes(q, bytes, 501, KR_NOWAIT), -EMSGSIZE);
        CHECK_EQ(kr_queue_put_bytes(q, bytes, 500, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_put_bytes(q, bytes, 500, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_get_bytes(q, bytes, 499, &size, KR_NOWAIT), -EMSGSIZE);
        CHECK_EQ(size, 500);
        CHECK_EQ(kr_queue_qsize(q), 2);
        CHECK_EQ(kr_queue_get_bytes(q, bytes, 500, &size, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_put_bytes(q, NULL, 0, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_get_bytes(q, bytes, 500, NULL, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_get_bytes(q, NULL, 0, &size, KR_NOWAIT), 0);
        CHECK_EQ(size, 0);
        kr_queue_release(q);
    }
}

TEST(shared_queue_full_and_empty)
{
    for (int order = KR_FIFO; order <= KR_PRIORITY; order += KR_PRIORITY) {
        kr_queue *q =
            shared_queue(sizeof(int), 2, (kr_queue_options){.order = (kr_queue_order)order});
        int item = 5;
        CHECK_EQ(kr_queue_maxsize(q), 2);
        CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_put(q, &item, KR_NOWAIT), 0);
        CHECK(!kr_queue_full(q));
        CHECK_EQ(kr_queue_put(q, &item, KR_NOWAIT), 0);
        CHECK(kr_queue_full(q));
        CHECK_EQ(kr_queue_put(q, &item, KR_NOWAIT), -ETIMEDOUT);
        kr_time began = kr_now();
        CHECK_EQ(kr_queue_put(q, &item, kr_ms(30)), -ETIMEDOUT);
        CHECK_TIME(kr_now() - began, kr_ms(30));
        CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), 0);
        began = kr_now();
        CHECK_EQ(kr_queue_get(q, &item, kr_ms(130)), -ETIMEDOUT); /* more than a slice */
        CHECK_TIME(kr_now() - began, kr_ms(130));
        kr_queue_release(q);
    }
}

static void put_many_numbers(void *arg)
{
    int numbers[100];
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    CHECK_EQ(kr_queue_put_many(arg, numbers, 100, KR_FOREVER), 100);
}

TEST(shared_queue_many)
{
    for (int order = KR_FIFO; order <= KR_PRIORITY; order += KR_PRIORITY) {
        kr_queue *q =
            shared_queue(sizeof(int), 7, (kr_queue_options){.order = (kr_queue_order)order});
        int numbers[16], next = 0;
        CHECK_EQ(kr_queue_put_many(q, numbers, 0, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_get_many(q, numbers, 16, KR_NOWAIT), -ETIMEDOUT);
        pid_t writer = child(put_many_numbers, q);
        while (next < 100) {
            int count = kr_queue_get_many(q, numbers, 16, KR_FOREVER);
            CHECK(count >= 1 && count <= 7);
            for (int i = 0; i < count; i++)
                CHECK_EQ(numbers[i], next++);
        }
        reap(writer);
        CHECK_EQ(kr_queue_put_many(q, numbers, 9, KR_NOWAIT), 7);
        CHECK_EQ(kr_queue_put_many(q, numbers, 9, KR_NOWAIT), -ETIMEDOUT);
        kr_queue_release(q);
    }
}

TEST(shared_priority_queue_order)
{
    kr_queue *q = shared_queue(sizeof(int), 100, (kr_queue_options){.order = KR_PRIORITY});
    uint64_t random = kri_test_seed();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100; i++) {
            int64_t priority = (int64_t)(kri_test_random(&random) % 10) - 5;
            CHECK_EQ(kr_queue_put_priority(q, &i, priority, KR_NOWAIT), 0);
        }
        int64_t last = INT64_MIN;
        int last_item = -1;
        for (int i = 0; i < 100; i++) {
            int64_t priority;
            int item;
            CHECK_EQ(kr_queue_get_priority(q, &item, &priority, KR_NOWAIT), 0);
            CHECK(priority > last || (priority == last && item > last_item));
            last = priority;
            last_item = item;
        }
    }
    kr_queue_release(q);
}

/* Two addresses of one memory: nothing in it may depend on where it lies. */
TEST(shared_queue_at_two_addresses)
{
    for (int order = KR_FIFO; order <= KR_PRIORITY; order += KR_PRIORITY) {
        kr_queue_options o = {.order = (kr_queue_order)order, .bytes = 4096, .owners = 3};
        size_t size = kr_queue_memory_size(0, 10, &o);
        CHECK_GE(size, 4096);
        int fd = memfd_create("queue", MFD_CLOEXEC);
        CHECK_EQ(ftruncate(fd, (off_t)size), 0);
        void *here = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        void *there = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        kr_queue *a, *b;
        CHECK_EQ(kr_queue_create_at(&a, here, size - 1, 0, 10, &o), -ENOSPC);
        CHECK_EQ(kr_queue_create_at(&a, (char *)here + 8, size, 0, 10, &o), -EINVAL);
        CHECK_EQ(kr_queue_create_at(&a, here, size, 0, 10, &o), 0);
        CHECK_EQ(kr_queue_attach(&b, there, size), 0);
        char got[20];
        for (int i = 0; i < 1000; i++) {
            CHECK_EQ(kr_queue_put_bytes(a, "first", 6, KR_NOWAIT), 0);
            CHECK_EQ(kr_queue_put_bytes(b, "the second", 11, KR_NOWAIT), 0);
            CHECK_EQ(kr_queue_get_bytes(b, got, 20, NULL, KR_NOWAIT), 0);
            CHECK_STR(got, "first");
            CHECK_EQ(kr_queue_get_bytes(a, got, 20, NULL, KR_NOWAIT), 0);
            CHECK_STR(got, "the second");
        }
        CHECK_EQ(kr_queue_maxsize(b), 10);
        CHECK_EQ(kr_queue_item_size(b), 0);
        kr_queue_release(a);
        kr_queue_release(b);
    }
}

static void get_until_shut_down(void *arg)
{
    int item;
    int err;
    while ((err = kr_queue_get(arg, &item, KR_FOREVER)) == 0)
        continue;
    CHECK_EQ(err, KR_ESHUTDOWN);
}

static void put_until_shut_down(void *arg)
{
    int item = 1;
    int err;
    while ((err = kr_queue_put(arg, &item, KR_FOREVER)) == 0)
        continue;
    CHECK_EQ(err, KR_ESHUTDOWN);
}

TEST(shared_shutdown_ends_waits)
{
    kr_queue *empty = shared_queue(sizeof(int), 2, (kr_queue_options){0});
    kr_queue *full = shared_queue(sizeof(int), 2, (kr_queue_options){0});
    pid_t ids[6];
    for (int i = 0; i < 3; i++) {
        ids[i] = child(get_until_shut_down, empty);
        ids[3 + i] = child(put_until_shut_down, full);
    }
    while (!kr_queue_full(full))
        kri_test_nap();
    CHECK_EQ(kr_queue_shutdown(empty, false), 0);
    CHECK_EQ(kr_queue_shutdown(full, false), 0);
    for (int i = 0; i < 6; i++)
        reap(ids[i]);
    int item;
    CHECK_EQ(kr_queue_get(full, &item, KR_NOWAIT), 0); /* what is inside can be taken still */
    CHECK_EQ(kr_queue_get(full, &item, KR_NOWAIT), 0);
    CHECK_EQ(kr_queue_get(full, &item, KR_NOWAIT), KR_ESHUTDOWN);
    CHECK(kr_queue_is_shutdown(full));
    kr_queue_release(empty);
    kr_queue_release(full);
}

TEST(shared_shutdown_immediate)
{
    for (int order = KR_FIFO; order <= KR_PRIORITY; order += KR_PRIORITY) {
        kr_queue *q =
            shared_queue(sizeof(int), 5, (kr_queue_options){.order = (kr_queue_order)order});
        int item = 1;
        for (int i = 0; i < 3; i++)
            CHECK_EQ(kr_queue_put(q, &item, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_shutdown(q, false), 0);
        CHECK_EQ(kr_queue_shutdown(q, true), 0);
        CHECK_EQ(kr_queue_qsize(q), 0);
        CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), KR_ESHUTDOWN);
        CHECK_EQ(kr_queue_join(q, KR_NOWAIT), -ETIMEDOUT); /* the one that was taken is owed */
        CHECK_EQ(kr_queue_task_done(q), 0);
        CHECK_EQ(kr_queue_task_done(q), -EPERM);
        CHECK_EQ(kr_queue_join(q, KR_NOWAIT), 0);
        kr_queue_release(q);
    }
}

static void settle_ten(void *arg)
{
    int item;
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(kr_queue_get(arg, &item, KR_FOREVER), 0);
        kri_test_nap();
        CHECK_EQ(kr_queue_task_done(arg), 0);
    }
}

TEST(shared_join)
{
    kr_queue *q = shared_queue(sizeof(int), 20, (kr_queue_options){0});
    int item = 3;
    CHECK_EQ(kr_queue_join(q, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_task_done(q), -EPERM);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_join(q, kr_ms(20)), -ETIMEDOUT);
    pid_t a = child(settle_ten, q);
    pid_t b = child(settle_ten, q);
    CHECK_EQ(kr_queue_join(q, KR_FOREVER), 0);
    CHECK(kr_queue_empty(q));
    CHECK_EQ(kr_queue_task_done(q), -EPERM);
    reap(a);
    reap(b);
    kr_queue_release(q);
}

/* Takes two items, settles one of them, and waits to be killed. */
static void owe_one(void *arg)
{
    int item;
    CHECK_EQ(kr_queue_get(arg, &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_get(arg, &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_task_done(arg), 0);
    CHECK_EQ(kr_queue_get(arg, &item, KR_FOREVER), KR_ESHUTDOWN); /* there is none */
}

TEST(shared_join_settles_for_the_dead)
{
    for (int order = KR_FIFO; order <= KR_PRIORITY; order += KR_PRIORITY) {
        kr_queue *q = shared_queue(sizeof(int), 4,
                                   (kr_queue_options){.order = (kr_queue_order)order, .owners = 2});
        int item = 3;
        CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), 0);
        pid_t debtor = child(owe_one, q);
        CHECK_EQ(kr_queue_join(q, kr_ms(100)), -ETIMEDOUT);
        while (!kr_queue_empty(q))
            kri_test_nap();
        kill_and_reap(debtor);
        CHECK_EQ(kr_queue_join(q, kr_sec(10)), 0);
        CHECK_EQ(kr_queue_task_done(q), -EPERM);
        kr_queue_release(q);
    }
}

static void get_and_wait(void *arg)
{
    kr_queue **q = arg;
    int item;
    CHECK_EQ(kr_queue_get(q[0], &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_put(q[1], &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_get(q[2], &item, KR_FOREVER), KR_ESHUTDOWN); /* never */
}

/* The entry is the other's, until it is dead. */
TEST(shared_queue_has_no_entry_for_one_more_owner)
{
    kr_queue *q[3];
    for (int i = 0; i < 3; i++)
        q[i] = shared_queue(sizeof(int), 4, (kr_queue_options){.owners = i == 0 ? 1 : 0});
    int item = 3;
    CHECK_EQ(kr_queue_put(q[0], &item, KR_FOREVER), 0);
    pid_t other = child(get_and_wait, q);
    CHECK_EQ(kr_queue_get(q[1], &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_put(q[0], &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_get(q[0], &item, KR_NOWAIT), -ENOSPC);
    CHECK_EQ(kr_queue_qsize(q[0]), 1);
    kill_and_reap(other);
    CHECK_EQ(kr_queue_get(q[0], &item, KR_NOWAIT), 0);
    CHECK_EQ(kr_queue_task_done(q[0]), 0);
    CHECK_EQ(kr_queue_join(q[0], KR_NOWAIT), 0);
    for (int i = 0; i < 3; i++)
        kr_queue_release(q[i]);
}

TEST(shared_queue_bad_arguments)
{
    kr_queue *q = NULL;
    kr_queue_options o = {.scope = KR_SHARED};
    CHECK_EQ(kr_queue_create(&q, 8, 0, &o), -EINVAL);
    CHECK_EQ(kr_queue_create(&q, (size_t)INT_MAX + 1, 1, &o), -EINVAL);
    CHECK_EQ(kr_queue_create(&q, 8, (size_t)INT_MAX, &o), -EINVAL);
    o.order = KR_LIFO;
    CHECK_EQ(kr_queue_create(&q, 8, 4, &o), -EINVAL);
    CHECK_EQ(kr_queue_memory_size(8, 4, &o), 0);
    CHECK(q == NULL);
    q = shared_queue(8, 4, (kr_queue_options){0});
    CHECK_EQ(kr_queue_set_maxsize(q, 5), -EINVAL);
    CHECK_EQ(kr_queue_put_priority(q, "12345678", 1, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_put_bytes(q, "1234", 4, KR_NOWAIT), -EINVAL);
    kr_queue_release(q);
}

/* A wait inside a cancelled scope ends, and takes nothing with it. */
TEST(shared_queue_wait_is_cancelled)
{
    kr_queue *q = shared_queue(sizeof(int), 1, (kr_queue_options){0});
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int item = 9;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
    CHECK_EQ(kr_queue_get(q, &item, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), -ECANCELED);
    kr_cancel_scope_exit(&scope);
    CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), 0);
    kr_queue_release(q);
}
