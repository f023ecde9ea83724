/* Calls on the containers of a manager, each refused the k-th of what it asks the system for, or
 * all from there on: the error says so, and all is as it was before; else all is as if nothing had
 * been refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "harness/test.h"
#include <krait/krait.h>

enum { ITEMS = 200, LARGE = 300000, NUMBERS = 40, GRAVES = 9 };

static struct {
    kr_manager *manager;
    kr_list *list;
    kr_set *set;
    kr_namespace *names;
    kr_managed_value *value;
    kr_managed_array *array;
    kr_queue *queue;
    kr_managed_lock *lock;
} w;

static const char large[LARGE];

static void world_new(void)
{
    int64_t numbers[NUMBERS] = {1, 2, 3};
    CHECK_EQ(kr_manager_open(&w.manager, NULL, NULL), 0);
    CHECK_EQ(kr_list_open(&w.list, w.manager, "list"), 0);
    CHECK_EQ(kr_set_open(&w.set, w.manager, "set"), 0);
    CHECK_EQ(kr_namespace_open(&w.names, w.manager, "names"), 0);
    CHECK_EQ(kr_managed_value_open(&w.value, w.manager, "value", sizeof numbers, numbers), 0);
    CHECK_EQ(kr_managed_array_open(&w.array, w.manager, "array", 8, NUMBERS, numbers), 0);
    CHECK_EQ(kr_manager_queue(&w.queue, w.manager, "queue", 8, 4, NULL), 0);
    CHECK_EQ(kr_managed_lock_open(&w.lock, w.manager, "lock"), 0);
    for (int i = 0; i < ITEMS; i++)
        CHECK_EQ(kr_list_append(w.list, &i, sizeof i), 0);
    CHECK_EQ(kr_set_add(w.set, "one", 3), 1);
    CHECK_EQ(kr_namespace_set_int(w.names, "one", 1), 0);
}

static void world_end(void)
{
    kr_list_release(w.list);
    kr_set_release(w.set);
    kr_namespace_release(w.names);
    kr_managed_value_release(w.value);
    kr_managed_array_release(w.array);
    kr_queue_release(w.queue);
    kr_managed_lock_close(w.lock);
    kr_manager_release(w.manager);
}

/* What can be seen of it. */

static uint64_t mix(uint64_t sum, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ at[i]) * UINT64_C(1099511628211);
    return (sum ^ size) * UINT64_C(1099511628211);
}

/* The members of a set have no order. */
static uint64_t mix_items(uint64_t sum, const kr_items *items, bool ordered)
{
    uint64_t added = 0;
    for (size_t i = 0; i < kr_items_count(items); i++)
        added += mix(ordered ? i : 0, kr_items_at(items, i)->data, kr_items_at(items, i)->size);
    return mix(sum, &added, sizeof added);
}

static int count_name(const char *name, kr_manager_kind kind, void *arg)
{
    *(uint64_t *)arg += mix((uint64_t)kind, name, strlen(name));
    return 0;
}

static uint64_t look(void)
{
    KR_AUTO(kr_items) *items = NULL;
    KR_AUTO(kr_items) *members = NULL;
    int64_t numbers[NUMBERS], number = 0;
    uint64_t names = 0;
    CHECK_EQ(kr_list_slice(w.list, 0, INT64_MAX, &items), 0);
    CHECK_EQ(kr_list_length(w.list), (int64_t)kr_items_count(items));
    CHECK_EQ(kr_set_items(w.set, &members), 0);
    uint64_t sum = mix_items(mix_items(1, items, true), members, false);
    int err = kr_namespace_get_int(w.names, "one", &number);
    CHECK(err == 0 || err == -ENOENT || err == -EBADMSG);
    sum = mix(mix(sum, &number, sizeof number), &err, sizeof err);
    CHECK_EQ(kr_managed_value_get(w.value, numbers), 0);
    sum = mix(sum, numbers, sizeof numbers);
    CHECK_EQ(kr_managed_array_get(w.array, 0, NUMBERS, numbers), 0);
    sum = mix(sum, numbers, sizeof numbers);
    CHECK_EQ(kr_manager_each(w.manager, count_name, &names), 0);
    size_t queued = kr_queue_qsize(w.queue);
    bool locked = kr_managed_lock_locked(w.lock);
    return mix(mix(mix(sum, &names, sizeof names), &queued, sizeof queued), &locked, 1);
}

/* Once with each k until there are not so many.  How often it was refused. */
static uint32_t refuse_each_k(int (*call)(void), faulty_group group, bool all_after)
{
    uint32_t refused = 0;
    world_new();
    CHECK_GE(call(), 0);
    uint64_t after = look();
    world_end();
    for (uint32_t k = 1, failed = 1; failed != 0; k++) {
        int64_t live = faulty_live();
        world_new();
        uint64_t before = look();
        faulty_begin(group, k, all_after);
        int err = call();
        failed = faulty_failed();
        (void)faulty_end();
        CHECK(err >= 0 || (failed > 0 && (err == -ENOMEM || err == -ENOSPC)));
        CHECK_EQ(look(), err >= 0 ? after : before);
        CHECK_GE(call(), 0);
        CHECK_EQ(kr_manager_trim(w.manager), 0);
        world_end();
        CHECK_EQ(faulty_live(), live);
        refused += err < 0;
    }
    return refused;
}

static void refuse_all_of(int (*call)(void), uint32_t memory, uint32_t segment)
{
    uint32_t m = refuse_each_k(call, FAULTY_MEMORY, false);
    m += refuse_each_k(call, FAULTY_MEMORY, true);
    uint32_t s = refuse_each_k(call, FAULTY_SEGMENT, false);
    s += refuse_each_k(call, FAULTY_SEGMENT, true);
    kri_test_note("told of memory %u times, of the segment %u times", m, s);
    CHECK_GE(m, memory);
    CHECK_GE(s, segment);
}

/* Calls that are refused at least so often, by memory and by the segment. */
#define REFUSED(call, memory, segment)                                                             \
    TEST(call##_refused)                                                                           \
    {                                                                                              \
        refuse_all_of(call, memory, segment);                                                      \
    }

static int list_append(void)
{
    return kr_list_append(w.list, large, sizeof large);
}
REFUSED(list_append, 0, 1)

static int list_insert(void)
{
    return kr_list_insert(w.list, 50, large, sizeof large);
}
REFUSED(list_insert, 0, 1)

static int list_set(void)
{
    return kr_list_set(w.list, 7, large, sizeof large);
}
REFUSED(list_set, 0, 1)

static int list_extend(void)
{
    return kr_list_extend(w.list, (kr_bytes[]){{"a", 1}, {large, sizeof large}, {"b", 1}}, 3);
}
REFUSED(list_extend, 0, 1)

static int list_reverse(void)
{
    return kr_list_reverse(w.list);
}
REFUSED(list_reverse, 1, 0)

static int list_sort(void)
{
    return kr_list_sort(w.list, NULL, NULL);
}
REFUSED(list_sort, 1, 0)

static int list_slice(void)
{
    KR_AUTO(kr_items) *items = NULL;
    return kr_list_slice(w.list, 0, INT64_MAX, &items);
}
REFUSED(list_slice, 1, 0)

/* What takes away needs nothing. */
static int list_clear(void)
{
    return kr_list_clear(w.list);
}
REFUSED(list_clear, 0, 0)

static int list_delete(void)
{
    return kr_list_delete(w.list, 77);
}
REFUSED(list_delete, 0, 0)

static int set_update(void)
{
    char first = 'x';
    return (int)kr_set_update(w.set, (kr_bytes[]){{&first, 1}}, 1);
}
REFUSED(set_update, 0, 0)

static int set_add_long(void)
{
    return kr_set_add(w.set, large, KR_DICT_KEY);
}
REFUSED(set_add_long, 0, 0)

static int namespace_set(void)
{
    return kr_namespace_set(w.names, "one", large, sizeof large);
}
REFUSED(namespace_set, 0, 1)

static int value_set(void)
{
    int64_t numbers[NUMBERS] = {4, 5, 6};
    return kr_managed_value_set(w.value, numbers);
}
REFUSED(value_set, 0, 0)

static int array_set(void)
{
    return kr_managed_array_set(w.array, 1, 2, (int64_t[]){7, 8});
}
REFUSED(array_set, 0, 0)

static int queue_put(void)
{
    return kr_queue_put(w.queue, &(int64_t){3}, KR_NOWAIT);
}
REFUSED(queue_put, 0, 0)

static int lock_acquire(void)
{
    int err = kr_managed_lock_acquire(w.lock, KR_NOWAIT);
    return err == -ETIMEDOUT ? 0 : err; /* it was acquired before */
}
REFUSED(lock_acquire, 0, 0)

/* A new one of each kind; what was made stays, and is found again. */

static int open_list(void)
{
    KR_AUTO(kr_list) *l = NULL;
    return kr_list_open(&l, w.manager, "new");
}
REFUSED(open_list, 1, 0)

static int open_set(void)
{
    KR_AUTO(kr_set) *s = NULL;
    return kr_set_open(&s, w.manager, "new");
}
REFUSED(open_set, 1, 0)

static int open_namespace(void)
{
    KR_AUTO(kr_namespace) *n = NULL;
    return kr_namespace_open(&n, w.manager, "new");
}
REFUSED(open_namespace, 1, 0)

static int open_value(void)
{
    KR_AUTO(kr_managed_value) *v = NULL;
    return kr_managed_value_open(&v, w.manager, "new", LARGE, large);
}
REFUSED(open_value, 1, 1)

static int open_array(void)
{
    KR_AUTO(kr_managed_array) *a = NULL;
    return kr_managed_array_open(&a, w.manager, "new", 8, LARGE / 8, NULL);
}
REFUSED(open_array, 1, 1)

/* The last thing is a handle of the queue, which may be there without one. */
static int open_queue(void)
{
    KR_AUTO(kr_queue) *q = NULL;
    int err = kr_manager_queue(&q, w.manager, "new", 8, LARGE / 8, NULL);
    if (err == -ENOMEM)
        (void)kr_manager_delete(w.manager, "new");
    return err;
}
REFUSED(open_queue, 1, 1)

static int open_lock(void)
{
    KR_AUTO(kr_managed_lock) *l = NULL;
    return kr_managed_lock_open(&l, w.manager, "new");
}
REFUSED(open_lock, 1, 0)

static int open_rlock(void)
{
    KR_AUTO(kr_managed_rlock) *l = NULL;
    return kr_managed_rlock_open(&l, w.manager, "new");
}
REFUSED(open_rlock, 1, 0)

static int open_condition(void)
{
    KR_AUTO(kr_managed_condition) *c = NULL;
    return kr_managed_condition_open(&c, w.manager, "new");
}
REFUSED(open_condition, 1, 0)

static int open_semaphore(void)
{
    KR_AUTO(kr_managed_semaphore) *s = NULL;
    return kr_managed_semaphore_open(&s, w.manager, "new", 1, 1);
}
REFUSED(open_semaphore, 1, 0)

static int open_event(void)
{
    KR_AUTO(kr_managed_event) *e = NULL;
    return kr_managed_event_open(&e, w.manager, "new");
}
REFUSED(open_event, 1, 0)

static int open_barrier(void)
{
    KR_AUTO(kr_managed_barrier) *b = NULL;
    return kr_managed_barrier_open(&b, w.manager, "new", 3);
}
REFUSED(open_barrier, 1, 0)

/* Others clear away what was taken away, and that is nobody's error. */
TEST(clearing_away_needs_no_memory)
{
    for (uint32_t k = 1; k <= GRAVES; k++) {
        world_new();
        CHECK_EQ(kr_list_clear(w.list), 0);
        faulty_begin(FAULTY_MEMORY, 1, true);
        for (uint32_t i = 0; i < k; i++)
            CHECK_EQ(kr_list_length(w.list), 0);
        CHECK_EQ(kr_manager_trim(w.manager), 0);
        (void)faulty_end();
        world_end();
    }
}
