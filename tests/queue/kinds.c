/* Queues beyond what CPython's Queue tests see: items of any length, many at once, priorities,
 * cancels, signals, fork, refusals.
 *
 * Behaviours: section 10
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/help.h"
#include <krait/cancel.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static kr_queue *make_reentrant(void)
{
    kr_queue *q;
    CHECK_EQ(kr_queue_create(&q, sizeof(int64_t), 0, &(kr_queue_options){.reentrant = true}), 0);
    return q;
}

/* A put of a signal handler wakes who waits in the kernel. */

static kr_queue *signalled;

static void put_in_signal(int signo)
{
    int64_t item = -1;
    (void)signo;
    CHECK_EQ(kr_queue_put(signalled, &item, KR_NOWAIT), 0);
}

static void wait_for_minus_one(void *arg)
{
    int64_t item = 0;
    CHECK_EQ(kr_queue_get(arg, &item, KR_FOREVER), 0);
    CHECK_EQ(item, -1);
}

TEST(signal_wakes_a_sleeper)
{
    struct sigaction action = {.sa_handler = put_in_signal};
    kri_bunch bunch;
    signalled = make_reentrant();
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    kri_bunch_start(&bunch, 1, wait_for_minus_one, signalled);
    queue_await_getters(signalled, 1);
    CHECK_EQ(raise(SIGUSR1), 0);
    kri_bunch_end(&bunch);
    kr_queue_release(signalled);
}

/* Python drops its reference to an item that leaves; here the queue frees what it holds of one. */
TEST(test_references)
{
    static const size_t sizes[] = {0, 1, 8, 1000, 100000};
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue_options o = {.order = queue_orders[n]};
        kr_queue *q;
        char *bytes = malloc(100000), *back = malloc(100000);
        CHECK_EQ(kr_queue_create(&q, 0, 0, &o), 0);
        memset(bytes, 'x', 100000);
        for (int i = 0; i < 5; i++) {
            size_t size = 1;
            CHECK_EQ(kr_queue_put_bytes(q, bytes, sizes[i], KR_NOWAIT), 0);
            if (sizes[i] > 0) {
                CHECK_EQ(kr_queue_get_bytes(q, back, sizes[i] - 1, &size, KR_NOWAIT), -EMSGSIZE);
                CHECK_EQ(size, sizes[i]);
                CHECK_EQ(kr_queue_qsize(q), 1);
            }
            memset(back, 0, 100000);
            CHECK_EQ(kr_queue_get_bytes(q, back, 100000, &size, KR_NOWAIT), 0);
            CHECK_EQ(size, sizes[i]);
            CHECK_EQ(memcmp(bytes, back, size), 0);
        }
        for (int i = 0; i < 5; i++) /* the shutdown and the release free, too: address sanitizer */
            CHECK_EQ(kr_queue_put_bytes(q, bytes, sizes[i], KR_NOWAIT), 0);
        if (n == 0)
            CHECK_EQ(kr_queue_shutdown(q, true), 0);
        kr_queue_release(q);
        free(bytes);
        free(back);
    }
}

/* Many at once. */

TEST(many_at_once)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 100);
        int64_t items[300];
        for (int64_t i = 0; i < 300; i++)
            items[i] = i;
        CHECK_EQ(kr_queue_put_many(q, items, 0, KR_NOWAIT), 0);
        CHECK_EQ(kr_queue_put_many(q, items, (size_t)INT32_MAX + 1, KR_NOWAIT), -EINVAL);
        CHECK_EQ(kr_queue_put_many(q, items, 60, KR_NOWAIT), 60);
        CHECK_EQ(kr_queue_put_many(q, items + 60, 240, kr_ms(5)), 40);
        CHECK_EQ(kr_queue_put_many(q, items, 1, KR_NOWAIT), -ETIMEDOUT);
        memset(items, 0xff, sizeof items);
        CHECK_EQ(kr_queue_get_many(q, items, 30, KR_NOWAIT), 30);
        CHECK_EQ(kr_queue_get_many(q, items + 30, 270, KR_FOREVER), 70);
        for (int64_t i = 0; i < 100; i++)
            CHECK_EQ(items[i], q->order == KR_LIFO ? 99 - i : i);
        CHECK_EQ(kr_queue_get_many(q, items, 1, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_shutdown(q, false), 0);
        CHECK_EQ(kr_queue_get_many(q, items, 1, KR_FOREVER), KR_ESHUTDOWN);
        CHECK_EQ(kr_queue_put_many(q, items, 1, KR_FOREVER), KR_ESHUTDOWN);
        kr_queue_release(q);
    }
}

static void put_300(void *arg)
{
    int64_t items[300];
    for (int64_t i = 0; i < 300; i++)
        items[i] = i;
    CHECK_EQ(kr_queue_put_many(arg, items, 300, KR_FOREVER), 300);
}

TEST(many_wait_for_room)
{
    kr_queue *q = queue_make(KR_FIFO, 7);
    kri_bunch bunch;
    int64_t next = 0, items[5];
    kri_bunch_start(&bunch, 1, put_300, q);
    while (next < 300) {
        int count = kr_queue_get_many(q, items, 5, KR_FOREVER);
        CHECK_GE(count, 1);
        for (int i = 0; i < count; i++)
            CHECK_EQ(items[i], next++);
    }
    kri_bunch_end(&bunch);
    kr_queue_release(q);
}

/* By priority: the lowest number, and the oldest of equals; beside a list that is searched. */
TEST(heap_against_a_list)
{
    enum { ROUNDS = 20000, MOST = 200 };
    struct {
        int64_t priority, number;
    } list[MOST];
    int held = 0;
    int64_t number = 0;
    uint64_t state = kri_test_seed();
    kr_queue *q = queue_make(KR_PRIORITY, 0);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t item, priority = (int64_t)(kri_test_random(&state) % 8) - 4;
        if (held < MOST && (held == 0 || kri_test_random(&state) % 2)) {
            CHECK_EQ(kr_queue_put_priority(q, &number, priority, KR_NOWAIT), 0);
            list[held].priority = priority;
            list[held++].number = number++;
            continue;
        }
        int best = 0;
        for (int i = 1; i < held; i++)
            if (list[i].priority < list[best].priority)
                best = i;
        CHECK_EQ(kr_queue_get_priority(q, &item, &priority, KR_NOWAIT), 0);
        CHECK_EQ(item, list[best].number);
        CHECK_EQ(priority, list[best].priority);
        memmove(&list[best], &list[best + 1], (size_t)(--held - best) * sizeof list[0]);
    }
    kr_queue_release(q);
}

/* A time-out or a cancel loses no item and no call. */

struct racers {
    kr_queue *q;
    kri_word64 got;
    kri_word64 put;
    kr_word cut;
    kr_word stop;
};

static void get_in_haste(void *arg)
{
    struct racers *r = arg;
    uint64_t state = kri_test_seed() ^ (uintptr_t)&state;
    while (!kri_load_acq(&r->stop)) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        int64_t item;
        kr_time soon = (kr_time)(kri_test_random(&state) % 30000) + 1;
        bool by_scope = kri_test_random(&state) % 2;
        CHECK_EQ(kr_cancel_scope_enter(&scope, by_scope ? soon : KR_FOREVER), 0);
        int err = kr_queue_get(r->q, &item, by_scope ? KR_FOREVER : soon);
        (void)kr_cancel_scope_exit(&scope);
        if (err == 0)
            kri_add_rlx64(&r->got, (uint64_t)item);
        else
            kri_add_rlx(&r->cut, 1);
    }
}

static void get_patiently(void *arg)
{
    struct racers *r = arg;
    int64_t item;
    while (kr_queue_get(r->q, &item, KR_FOREVER) == 0)
        kri_add_rlx64(&r->got, (uint64_t)item);
}

static void put_in_haste(void *arg)
{
    struct racers *r = arg;
    uint64_t state = kri_test_seed() ^ (uintptr_t)&state;
    for (int64_t i = 1; !kri_load_acq(&r->stop); i++) {
        int err = kr_queue_put(r->q, &i, (kr_time)(kri_test_random(&state) % 20000));
        CHECK(err == 0 || err == -ETIMEDOUT);
        if (err == 0)
            kri_add_rlx64(&r->put, (uint64_t)i);
        if (i % 16 == 0)
            kri_test_nap();
    }
}

static void check_racers(kr_queue *q)
{
    struct racers r = {.q = q};
    kri_bunch hasty, patient, putters;
    kr_time end = kr_now() + kr_ms(300) * kri_test_budget();
    kri_bunch_start(&hasty, 3, get_in_haste, &r);
    kri_bunch_start(&patient, 2, get_patiently, &r);
    kri_bunch_start(&putters, 2, put_in_haste, &r);
    while (kr_now() < end || kri_load_rlx(&r.cut) == 0)
        kri_test_nap();
    kri_store_rel(&r.stop, 1);
    kri_bunch_end(&hasty);
    kri_bunch_end(&putters);
    CHECK_EQ(kr_queue_shutdown(q, false), 0);
    kri_bunch_end(&patient);
    CHECK_EQ(kri_load_rlx64(&r.got), kri_load_rlx64(&r.put));
    kri_test_note("%u gets cut short", kri_load_rlx(&r.cut));
    kr_queue_release(q);
}

TEST(nothing_is_lost_by_those_who_give_up)
{
    for (int n = 0; n < QUEUE_ORDERS; n++)
        check_racers(queue_make(n, 4));
    check_racers(make_reentrant());
}

TEST(cancelled_waits_end)
{
    for (int n = 0; n < QUEUE_ORDERS; n++) {
        kr_queue *q = queue_make(n, 1);
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        int64_t item = 1;
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        kr_cancel(&scope);
        CHECK_EQ(kr_queue_get(q, &item, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), 0); /* what need not wait succeeds */
        CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_queue_join(q, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_queue_join(q, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_qsize(q), 1);
        (void)kr_cancel_scope_exit(&scope);
        kr_queue_release(q);
    }
}

TEST(forked_copies_say_so)
{
    kr_queue *q = queue_make(KR_FIFO, 1);
    int64_t item = 1;
    int status;
    CHECK_EQ(kr_queue_put(q, &item, KR_NOWAIT), 0);
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), KR_EFORKED);
        CHECK_EQ(kr_queue_get(q, &item, KR_FOREVER), KR_EFORKED);
        CHECK_EQ(kr_queue_put_many(q, &item, 1, KR_FOREVER), KR_EFORKED);
        CHECK_EQ(kr_queue_get_many(q, &item, 1, KR_FOREVER), KR_EFORKED);
        CHECK_EQ(kr_queue_join(q, KR_FOREVER), KR_EFORKED);
        CHECK_EQ(kr_queue_task_done(q), KR_EFORKED);
        CHECK_EQ(kr_queue_shutdown(q, true), KR_EFORKED);
        CHECK_EQ(kr_queue_set_maxsize(q, 1), KR_EFORKED);
        kr_queue_release(q);
        q = queue_make(KR_FIFO, 1);
        CHECK_EQ(kr_queue_put(q, &item, KR_FOREVER), 0);
        kr_queue_release(q);
        exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(kr_queue_get(q, &item, KR_NOWAIT), 0);
    kr_queue_release(q);
}

static int create(size_t item_size, size_t maxsize, kr_queue_options o)
{
    kr_queue *q;
    int err = kr_queue_create(&q, item_size, maxsize, &o);
    CHECK_EQ(q == NULL, err != 0);
    kr_queue_release(q);
    return err;
}

TEST(bad_input)
{
    int64_t item = 0;
    kr_queue *q = queue_make(KR_FIFO, 1);
    CHECK_EQ(create(8, 0, (kr_queue_options){.reserved = {1}}), -EINVAL);
    CHECK_EQ(create(8, 0, (kr_queue_options){.order = (kr_queue_order)3}), -EINVAL);
    CHECK_EQ(create(8, 0, (kr_queue_options){.scope = (kr_scope)2}), -EINVAL);
    CHECK_EQ(create(8, 0, (kr_queue_options){.owners = 1}), -EINVAL);
    CHECK_EQ(create(8, 0, (kr_queue_options){.bytes = 1}), -EINVAL);
    CHECK_EQ(create(8, 1, (kr_queue_options){.reentrant = true}), -EINVAL);
    CHECK_EQ(create(0, 0, (kr_queue_options){.reentrant = true}), -EINVAL);
    CHECK_EQ(create(8, 0, (kr_queue_options){.reentrant = true, .order = KR_LIFO}), -EINVAL);
    CHECK_EQ(create(8, 1, (kr_queue_options){.scope = KR_SHARED, .order = KR_LIFO}), -EINVAL);
    CHECK_EQ(create(8, 0, (kr_queue_options){.scope = KR_SHARED}), -EINVAL);
    CHECK_EQ(create(SIZE_MAX, 0, (kr_queue_options){.order = KR_FIFO}), -EINVAL);
    CHECK_EQ(create(8, 0, (kr_queue_options){.reserve = SIZE_MAX}), -EINVAL);
    CHECK_EQ(kr_queue_create(NULL, 8, 0, NULL), -EINVAL);
    CHECK_EQ(kr_queue_put(NULL, &item, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_put(q, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_get(q, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_put_priority(q, &item, 1, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_get_priority(q, &item, &item, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_put_bytes(q, &item, 8, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_get_bytes(q, &item, 8, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_task_done(NULL), -EINVAL);
    CHECK_EQ(kr_queue_item_size(q), 8);
    kr_queue_release(NULL);
    kr_queue_release(q);
}
