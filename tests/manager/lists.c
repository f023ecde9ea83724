/* Lists: every call, also from both ends and the middle at random; full, and taken away.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/list_help.h"

/* Beside an array that does the same. */

enum { MOST = 4000 };

typedef struct model {
    kr_list *list;
    int64_t values[MOST];
    size_t count;
    uint64_t random;
} model;

static size_t below(model *m, size_t limit)
{
    return (size_t)((kri_test_random(&m->random) >> 33) % limit);
}

static void model_insert(model *m, size_t at, int64_t value)
{
    memmove(&m->values[at + 1], &m->values[at], (m->count - at) * sizeof m->values[0]);
    m->values[at] = value;
    m->count++;
}

static int64_t model_take(model *m, size_t at)
{
    int64_t value = m->values[at];
    m->count--;
    memmove(&m->values[at], &m->values[at + 1], (m->count - at) * sizeof m->values[0]);
    return value;
}

static void grow(model *m, int64_t value)
{
    size_t at = below(m, m->count + 1);
    switch (below(m, 4)) {
    case 0:
        append_int(m->list, value);
        model_insert(m, m->count, value);
        break;
    case 1:
        CHECK_EQ(kr_list_append_left(m->list, &value, sizeof value), 0);
        model_insert(m, 0, value);
        break;
    case 2:
        insert_int(m->list, (int64_t)at, value);
        model_insert(m, at, value);
        break;
    default:
        extend_ints(m->list, 3, (int64_t[]){value, value + 1, value + 2});
        for (int i = 0; i < 3; i++)
            model_insert(m, m->count, value + i);
    }
}

static void shrink(model *m)
{
    size_t at = below(m, m->count);
    switch (below(m, 4)) {
    case 0:
        CHECK_EQ(pop_int(m->list), model_take(m, m->count - 1));
        break;
    case 1:
        CHECK_EQ(pop_left_int(m->list), model_take(m, 0));
        break;
    case 2:
        CHECK_EQ(kr_list_delete(m->list, (int64_t)at - (int64_t)m->count), 0);
        (void)model_take(m, at);
        break;
    default: {
        int64_t value = m->values[at];
        CHECK_EQ(kr_list_index(m->list, &value, sizeof value), at);
        CHECK_EQ(kr_list_remove(m->list, &value, sizeof value), 0);
        (void)model_take(m, at);
    }
    }
}

static void look_and_set(model *m, int64_t value)
{
    size_t at = below(m, m->count);
    CHECK_EQ(get_int(m->list, (int64_t)at), m->values[at]);
    set_int(m->list, (int64_t)at, value);
    m->values[at] = value;
    CHECK_EQ(get_int(m->list, (int64_t)at - (int64_t)m->count), value);
}

static void reverse(model *m)
{
    CHECK_EQ(kr_list_reverse(m->list), 0);
    for (size_t i = 0, j = m->count; i + 1 < j; i++) {
        int64_t value = m->values[i];
        m->values[i] = m->values[--j];
        m->values[j] = value;
    }
}

BACKEND_TEST(random_calls_do_what_they_do_to_an_array)
{
    enum { STEPS = 6000 };
    static model m;
    KR_AUTO(kr_manager) *manager = manager_open();
    m.random = kri_test_seed();
    m.list = new_list(manager);
    for (int64_t step = 0; step < STEPS; step++) {
        bool growing = step / 1000 % 2 == 0;
        size_t what = below(&m, 16);
        if (m.count + 3 < MOST && (m.count == 0 || what < (growing ? 10 : 4)))
            grow(&m, step * 3);
        else if (what < 14)
            shrink(&m);
        else
            look_and_set(&m, step * 3);
        if (step % 500 == 0)
            reverse(&m);
        if (step % 200 == 0)
            check_ints(m.list, m.count, m.values);
    }
    check_ints(m.list, m.count, m.values);
    CHECK_EQ(kr_list_clear(m.list), 0);
    check_ints(m.list, 0, NULL);
    kr_list_release(m.list);
}

/* Edges */

BACKEND_TEST(indices)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *l = new_list(m);
    int64_t value;
    CHECK_EQ(try_get_int(l, 0, &value), -ENOENT);
    CHECK_EQ(try_get_int(l, -1, &value), -ENOENT);
    CHECK_EQ(kr_list_delete(l, 0), -ENOENT);
    CHECK_EQ(kr_list_pop(l, &value, sizeof value, NULL), -ENOENT);
    CHECK_EQ(kr_list_pop_left(l, &value, sizeof value, NULL), -ENOENT);
    insert_int(l, 100, 2); /* too large and too small are the ends */
    insert_int(l, -100, 1);
    insert_int(l, 2, 3);
    insert_int(l, -1, 9);
    check_ints(l, 4, (int64_t[]){1, 2, 9, 3});
    CHECK_EQ(get_int(l, -4), 1);
    CHECK_EQ(try_get_int(l, -5, &value), -ENOENT);
    CHECK_EQ(try_get_int(l, 4, &value), -ENOENT);
    CHECK_EQ(try_get_int(l, INT64_MIN, &value), -ENOENT);
    CHECK_EQ(try_get_int(l, INT64_MAX, &value), -ENOENT);
    check_slice(l, 1, 3, 2, (int64_t[]){2, 9});
    check_slice(l, -2, INT64_MAX, 2, (int64_t[]){9, 3});
    check_slice(l, -100, 1, 1, (int64_t[]){1});
    check_slice(l, 3, 1, 0, NULL);
    check_slice(l, INT64_MIN, INT64_MAX, 4, (int64_t[]){1, 2, 9, 3});
}

BACKEND_TEST(items_of_any_length)
{
    enum { LONGEST = 100000 };
    static unsigned char bytes[LONGEST], back[LONGEST];
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *l = new_list(m);
    size_t size = 7;
    for (size_t i = 0; i < LONGEST; i++)
        bytes[i] = (unsigned char)(i * 7);
    CHECK_EQ(kr_list_append(l, NULL, 0), 0);
    CHECK_EQ(kr_list_append(l, bytes, 1), 0);
    CHECK_EQ(kr_list_append(l, bytes, LONGEST), 0);
    CHECK_EQ(kr_list_get(l, 0, NULL, 0, &size), 0);
    CHECK_EQ(size, 0);
    CHECK_EQ(kr_list_pop(l, back, LONGEST - 1, &size), -ERANGE);
    CHECK_EQ(size, LONGEST);
    CHECK_EQ(kr_list_length(l), 3); /* it stays */
    CHECK_EQ(kr_list_pop(l, back, LONGEST, &size), 0);
    CHECK_EQ(size, LONGEST);
    CHECK(memcmp(back, bytes, LONGEST) == 0);
    CHECK_EQ(kr_list_set(l, 1, bytes, 5000), 0); /* another length */
    CHECK_EQ(kr_list_get(l, 1, back, LONGEST, &size), 0);
    CHECK_EQ(size, 5000);
    CHECK_EQ(kr_list_index(l, "", 0), 0);
    CHECK_EQ(kr_list_count(l, bytes, 5000), 1);
    CHECK_EQ(kr_list_count(l, bytes, 4999), 0);
    CHECK_EQ(kr_list_index(l, "x", 1), -ENOENT);
    CHECK_EQ(kr_list_remove(l, "x", 1), -ENOENT);
}

static int by_last_digit(const kr_bytes *a, const kr_bytes *b, void *arg)
{
    int64_t first, second;
    int *calls = arg;
    memcpy(&first, a->data, sizeof first);
    memcpy(&second, b->data, sizeof second);
    ++*calls;
    return (int)(first % 10 - second % 10);
}

BACKEND_TEST(sorting_keeps_the_order_of_equals)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *l = new_list(m), *words = new_list(m);
    int calls = 0;
    extend_ints(l, 7, (int64_t[]){33, 12, 23, 1, 2, 13, 11});
    CHECK_EQ(kr_list_sort(l, by_last_digit, &calls), 0);
    check_ints(l, 7, (int64_t[]){1, 11, 12, 2, 33, 23, 13});
    CHECK_GE(calls, 6);
    const char *const some[] = {"pear", "apple", "", "peach", "pea", "app"};
    const char *const sorted[] = {"", "app", "apple", "pea", "peach", "pear"};
    for (int i = 0; i < 6; i++)
        append_name(words, some[i]);
    CHECK_EQ(kr_list_sort(words, NULL, NULL), 0);
    KR_AUTO(kr_items) *items = NULL;
    CHECK_EQ(kr_list_slice(words, 0, INT64_MAX, &items), 0);
    for (size_t i = 0; i < 6; i++)
        CHECK_STR(kr_items_at(items, i)->data, sorted[i]); /* a zero byte is behind each */
}

BACKEND_TEST(bad_arguments_are_refused)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *l = new_list(m);
    kr_list *none = NULL;
    kr_items *items = NULL;
    char c;
    char name[KR_MANAGER_NAME + 2];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    CHECK_EQ(kr_list_open(NULL, m, "x"), -EINVAL);
    CHECK_EQ(kr_list_open(&none, NULL, "x"), -EINVAL);
    CHECK_EQ(kr_list_open(&none, m, ""), -EINVAL);
    CHECK_EQ(kr_list_open(&none, m, name), -ENAMETOOLONG);
    CHECK_EQ(kr_list_append(NULL, &c, 1), -EINVAL);
    CHECK_EQ(kr_list_append(l, NULL, 1), -EINVAL);
    CHECK_EQ(kr_list_pop(l, NULL, 1, NULL), -EINVAL);
    CHECK_EQ(kr_list_get(NULL, 0, &c, 1, NULL), -EINVAL);
    CHECK_EQ(kr_list_extend(l, NULL, 1), -EINVAL);
    CHECK_EQ(kr_list_extend(l, &(kr_bytes){NULL, 1}, 1), -EINVAL);
    CHECK_EQ(kr_list_extend(l, NULL, 0), 0);
    CHECK_EQ(kr_list_slice(l, 0, 1, NULL), -EINVAL);
    CHECK_EQ(kr_list_slice(NULL, 0, 1, &items), -EINVAL);
    CHECK_EQ(kr_list_length(NULL), -EINVAL);
    CHECK_EQ(kr_list_clear(NULL), -EINVAL);
    CHECK(kr_list_name(NULL) == NULL);
    kr_list_release(NULL);
    kr_items_release(NULL);
    CHECK_EQ(kr_items_count(NULL), 0);
    CHECK(kr_items_at(NULL, 0) == NULL);
}

/* Taken away */

BACKEND_TEST(a_deleted_list_is_stale_and_its_name_free)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *l = NULL, *again = NULL;
    int64_t value;
    CHECK_EQ(kr_list_open(&l, m, "short-lived"), 0);
    for (int i = 0; i < 1000; i++)
        append_int(l, i);
    CHECK_EQ(kr_manager_delete(m, "short-lived"), 0);
    CHECK_EQ(kr_manager_delete(m, "short-lived"), -ENOENT);
    CHECK_EQ(kr_list_open(&again, m, "short-lived"), 0);
    CHECK_EQ(kr_list_length(again), 0);
    if (!backend_now->shared) /* a server knows names only */
        return;
    CHECK_EQ(kr_list_append(l, "x", 1), -ESTALE);
    CHECK_EQ(try_get_int(l, 0, &value), -ESTALE);
    CHECK_EQ(kr_list_length(l), -ESTALE);
}

/* Memory: in shared memory only. */

static kr_manager *small_manager(size_t limit)
{
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, NULL, &(kr_manager_options){.limit = limit}), 0);
    return m;
}

static uint64_t used(kr_manager *m)
{
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_trim(m), 0);
    CHECK_EQ(kr_manager_read_statistics(m, &s), 0);
    CHECK_LE(s.taken, s.limit);
    return s.used;
}

static int fill(kr_list *l, int64_t *count)
{
    unsigned char item[100] = {0};
    int err;
    while ((err = kr_list_append(l, item, sizeof item)) == 0)
        ++*count;
    return err;
}

TEST(a_full_manager_says_so_and_all_is_as_before)
{
    KR_AUTO(kr_manager) *m = small_manager(2 << 20);
    KR_AUTO(kr_list) *l = new_list(m);
    int64_t count = 0;
    unsigned char many[2000] = {0}, item[100];
    uint64_t empty = used(m);
    CHECK_EQ(fill(l, &count), -EDQUOT);
    CHECK_GE(count, 5000);
    CHECK_EQ(kr_list_length(l), count);
    CHECK_EQ(kr_list_insert(l, 1, many, sizeof many), -EDQUOT);
    CHECK_EQ(kr_list_set(l, 1, many, sizeof many), -EDQUOT);
    CHECK_EQ(kr_list_reverse(l), -EDQUOT);
    kr_bytes items[1000];
    for (int i = 0; i < 1000; i++)
        items[i] = (kr_bytes){many, sizeof many};
    CHECK_EQ(kr_list_extend(l, items, 1000), -EDQUOT);
    CHECK_EQ(kr_list_length(l), count);
    CHECK_EQ(kr_list_pop(l, item, sizeof item, NULL), 0); /* room again */
    CHECK_EQ(kr_list_append(l, item, sizeof item), 0);
    CHECK_EQ(kr_list_clear(l), 0);
    CHECK_LE(used(m), empty + 16384);
    int64_t again = 0;
    CHECK_EQ(fill(l, &again), -EDQUOT);
    CHECK_GE(again, count - 100);
}

TEST(a_queue_of_items_that_come_and_go_does_not_grow)
{
    KR_AUTO(kr_manager) *m = small_manager(4 << 20);
    KR_AUTO(kr_list) *l = new_list(m);
    for (int i = 0; i < 500; i++)
        append_int(l, i);
    uint64_t before = used(m);
    for (int i = 0; i < 100000; i++) {
        append_int(l, i);
        (void)pop_left_int(l);
    }
    CHECK_LE(used(m), before + 16384);
    for (int i = 0; i < 100000; i++) {
        CHECK_EQ(kr_list_append_left(l, &i, sizeof i), 0);
        CHECK_EQ(kr_list_pop(l, &(int64_t){0}, sizeof(int64_t), NULL), 0);
    }
    CHECK_LE(used(m), before + 16384);
}

/* Processes */

enum { EACH = 2000, PRODUCERS = 3 };

static void produce(kr_manager *m)
{
    KR_AUTO(kr_list) *l = NULL;
    CHECK_EQ(kr_list_open(&l, m, "line"), 0);
    for (int64_t i = 0; i < EACH; i++) {
        int64_t item = (int64_t)getpid() << 32 | i;
        CHECK_EQ(kr_list_append(l, &item, sizeof item), 0);
    }
}
WORKER(produce);

BACKEND_TEST(items_of_several_processes_keep_their_order)
{
    NEED_PROCESSES;
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *l = NULL;
    pid_t children[PRODUCERS];
    int64_t producers[PRODUCERS + 1] = {0}, last[PRODUCERS + 1];
    int known = 0;
    CHECK_EQ(kr_list_open(&l, m, "line"), 0);
    for (int i = 0; i < PRODUCERS; i++)
        children[i] = worker_start_child(m, produce);
    kr_process *p = worker_start_elsewhere(produce);
    for (int got = 0; got < (PRODUCERS + 1) * EACH;) {
        int64_t item;
        int err = kr_list_pop_left(l, &item, sizeof item, NULL);
        if (err == -ENOENT) {
            kri_test_nap();
            continue;
        }
        CHECK_EQ(err, 0);
        int who = 0;
        while (who < known && producers[who] != item >> 32)
            who++;
        CHECK_LE(who, PRODUCERS);
        if (who == known) {
            producers[known++] = item >> 32;
            last[who] = -1;
        }
        CHECK_EQ(item & UINT32_MAX, last[who] + 1);
        last[who]++;
        got++;
    }
    for (int i = 0; i < PRODUCERS; i++)
        reap(children[i]);
    worker_end_elsewhere(p);
    CHECK_EQ(kr_list_length(l), 0);
}
