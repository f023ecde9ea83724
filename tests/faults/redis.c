/* A server's users where the system refuses them something: see refuse.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults/refuse.h"

#include "harness/redis.h"
#include "manager/redis_manager.h"

static redis_server server;

static void begin_server(void)
{
    kr_manager *m;
    redis_start(&server);
    int err = kr_manager_open(&m, redis_url(&server), NULL);
    if (err == -ENOSYS)
        SKIP("built without hiredis");
    CHECK_EQ(err, 0);
    kr_manager_release(m);
}

static int open_manager(kr_manager **m)
{
    return kr_manager_open(m, redis_url(&server), NULL);
}

/* The calls that ask for memory: batches, many items, new orders. */
static int use_dict(kr_manager *m)
{
    kr_dict *d = NULL;
    kr_dict_items *items = NULL;
    char found[8];
    kr_dict_operation ops[] = {
        {.verb = KR_DICT_SET, .key = "a", .key_size = 1, .value = "b", .size = 1},
        {.verb = KR_DICT_GET, .key = "a", .key_size = 1, .found = found, .room = sizeof found}};
    int err = kr_dict_open(&d, m, "dict");
    if (err == 0)
        err = kr_dict_batch(d, ops, 2);
    if (err == 0)
        err = kr_dict_snapshot(d, &items);
    kr_dict_items_release(items);
    kr_dict_release(d);
    return err;
}

static int compare_items(const kr_bytes *a, const kr_bytes *b, void *arg)
{
    (void)arg;
    return memcmp(a->data, b->data, 1);
}

static int use_list(kr_manager *m)
{
    kr_list *l = NULL;
    kr_items *items = NULL;
    kr_bytes some[] = {{"3", 1}, {"1", 1}, {"2", 1}};
    int err = kr_list_open(&l, m, "list");
    if (err == 0)
        err = kr_list_clear(l);
    if (err == 0)
        err = kr_list_extend(l, some, 3);
    if (err == 0)
        err = kr_list_sort(l, compare_items, NULL);
    if (err == 0)
        err = kr_list_slice(l, 0, INT64_MAX, &items);
    kr_items_release(items);
    kr_list_release(l);
    return err;
}

static int redis_containers(void)
{
    kr_manager *m = NULL;
    int err = open_manager(&m);
    if (err == 0)
        err = use_dict(m);
    if (err == 0)
        err = use_list(m);
    kr_manager_release(m);
    return err;
}

static int use_queue(kr_manager *m)
{
    kr_queue *q = NULL;
    int64_t item = 5, got = 0;
    int err = kr_manager_queue(&q, m, "queue", sizeof item, 2, NULL);
    if (err == 0)
        err = kr_queue_put(q, &item, kr_sec(5));
    if (err == 0) {
        err = kr_queue_get(q, &got, kr_sec(5));
        CHECK(err != 0 || got == 5);
    }
    if (q != NULL)
        kr_queue_release(q);
    return err;
}

/* Who is told that he has not got a lock has given it back; where he cannot even do that its lease
 * runs out, which is short here. */
static int not_died(int err)
{
    return err == KR_OWNER_DIED ? 0 : err;
}

static int use_lock(kr_manager *m)
{
    kr_managed_lock *lock = NULL;
    int err = kr_managed_lock_open(&lock, m, "lock");
    if (err == 0)
        err = not_died(kr_managed_lock_acquire(lock, kr_sec(20)));
    if (err == 0)
        CHECK_EQ(kr_managed_lock_release(lock), 0);
    kr_managed_lock_close(lock);
    return err;
}

static int use_rlock(kr_manager *m)
{
    kr_managed_rlock *lock = NULL;
    int err = kr_managed_rlock_open(&lock, m, "rlock");
    if (err == 0)
        err = not_died(kr_managed_rlock_acquire(lock, kr_sec(20)));
    if (err == 0)
        CHECK_EQ(kr_managed_rlock_release(lock), 0);
    kr_managed_rlock_close(lock);
    return err;
}

static int redis_locks(void)
{
    kr_manager *m = NULL;
    int err = open_manager(&m);
    if (err == 0)
        kri_redis_manager_of(m)->lease = kr_sec(1);
    if (err == 0)
        err = use_queue(m);
    if (err == 0)
        err = use_lock(m);
    if (err == 0)
        err = use_rlock(m);
    kr_manager_release(m);
    return err;
}

#define SERVER_REFUSES(op)                                                                         \
    TEST(op##_refused)                                                                             \
    {                                                                                              \
        begin_server();                                                                            \
        refuse_each(op, FAULTY_SYSTEM, false);                                                     \
    }                                                                                              \
    TEST(op##_without_memory)                                                                      \
    {                                                                                              \
        begin_server();                                                                            \
        refuse_each(op, FAULTY_MEMORY, false);                                                     \
    }                                                                                              \
    TEST(op##_in_a_loop_without_memory)                                                            \
    {                                                                                              \
        begin_server();                                                                            \
        refuse_each(op, FAULTY_MEMORY, true);                                                      \
    }
SERVER_REFUSES(redis_containers)
SERVER_REFUSES(redis_locks)
