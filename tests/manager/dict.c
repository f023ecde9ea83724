/* Dicts: what each call does, and returns.
 *
 * Behaviours: section 12.9
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/backends.h"
#include "manager/help.h"
#include <stdlib.h>

static kr_manager *manager_of_column(void)
{
    return backend_now->shared ? manager_new() : manager_open();
}

BACKEND_TEST(test_dict_set_and_get)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    char text[16];
    size_t size = 0;
    CHECK_EQ(kr_dict_get(d, "tea", 3, text, sizeof text, NULL), -ENOENT);
    CHECK_EQ(kr_dict_set(d, "tea", 3, "green", 5), 0);
    CHECK_EQ(kr_dict_get(d, "tea", 3, text, sizeof text, &size), 0);
    CHECK_EQ(size, 5);
    CHECK(memcmp(text, "green", 5) == 0);
    CHECK_EQ(kr_dict_set(d, "tea", 3, "black tea", 9), 0);
    CHECK_EQ(kr_dict_get(d, "tea", 3, text, 4, &size), -ERANGE);
    CHECK_EQ(size, 9);
    CHECK_EQ(kr_dict_length(d), 1);
    CHECK_EQ(kr_dict_contains(d, "tea", 3), 1);
    CHECK_EQ(kr_dict_contains(d, "tea ", 4), 0);
    CHECK_EQ(kr_dict_delete(d, "tea", 3), 0);
    CHECK_EQ(kr_dict_delete(d, "tea", 3), -ENOENT);
    CHECK_EQ(kr_dict_length(d), 0);
}

BACKEND_TEST(test_dict_keys_and_values_of_any_length)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, NULL);
    enum { MOST = 3000 };
    static unsigned char key[MOST], value[70000], found[70000];
    for (size_t i = 0; i < MOST; i++)
        key[i] = (unsigned char)(i * 7);
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (unsigned char)(i * 13);
    for (size_t size = 0; size < MOST; size += 37)
        CHECK_EQ(kr_dict_set(d, key, size, value, size * 23), 0);
    for (size_t size = 0; size < MOST; size += 37) {
        size_t got = 0;
        CHECK_EQ(kr_dict_get(d, key, size, found, sizeof found, &got), 0);
        CHECK_EQ(got, size * 23);
        CHECK(memcmp(found, value, got) == 0);
    }
    CHECK_EQ(kr_dict_set(d, NULL, 0, NULL, 0), 0);
    CHECK_EQ(kr_dict_get(d, "", 0, NULL, 0, NULL), 0);
    CHECK_EQ(kr_dict_set(d, key, KR_DICT_KEY + 1, "", 0), -EINVAL);
    CHECK_EQ(kr_dict_clear(d), 0);
    CHECK_EQ(kr_dict_length(d), 0);
    check_empty(m, d);
}

/* Ten thousand come and go, in an order of chance. */
BACKEND_TEST(test_dict_grows_and_shrinks)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    enum { KEYS = 10000 };
    static uint64_t values[KEYS]; /* 0: not there */
    uint64_t random = kri_test_seed();
    int64_t length = 0;
    int rounds = backend_now->shared ? 20 : 2; /* a server's take longer */
    for (int i = 0; i < rounds * KEYS; i++) {
        uint64_t number = kri_test_random(&random), key = number >> 8;
        bool take = (number & 255) < (i < rounds / 2 * KEYS ? 100u : 200u);
        key %= KEYS;
        if (take) {
            CHECK_EQ(kr_dict_delete(d, &key, sizeof key), values[key] != 0 ? 0 : -ENOENT);
            length -= values[key] != 0;
            values[key] = 0;
        } else {
            length += values[key] == 0;
            values[key] = number | 1;
            CHECK_EQ(kr_dict_set(d, &key, sizeof key, &values[key], 1 + number % 8), 0);
        }
    }
    CHECK_EQ(kr_dict_length(d), length);
    for (uint64_t key = 0; key < KEYS; key++) {
        uint64_t found = 0;
        size_t size = 0;
        int err = kr_dict_get(d, &key, sizeof key, &found, sizeof found, &size);
        CHECK_EQ(err, values[key] != 0 ? 0 : -ENOENT);
        CHECK(err != 0 || memcmp(&found, &values[key], size) == 0);
    }
    for (uint64_t key = 0; key < KEYS; key++)
        CHECK_EQ(kr_dict_delete(d, &key, sizeof key), values[key] != 0 ? 0 : -ENOENT);
    check_empty(m, d);
}

BACKEND_TEST(test_dict_setdefault)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    char text[8];
    size_t size;
    CHECK_EQ(kr_dict_setdefault(d, "a", 1, "first", 5, text, sizeof text, &size), KR_DICT_NEW);
    CHECK_EQ(kr_dict_setdefault(d, "a", 1, "second", 6, text, sizeof text, &size), 0);
    CHECK_EQ(size, 5);
    CHECK(memcmp(text, "first", 5) == 0);
    CHECK_EQ(kr_dict_setdefault(d, "a", 1, "third", 5, text, 2, &size), -ERANGE);
}

BACKEND_TEST(test_dict_pop)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    char text[8];
    size_t size;
    kr_dict_item *item = NULL;
    CHECK_EQ(kr_dict_pop(d, "a", 1, text, sizeof text, &size), -ENOENT);
    CHECK_EQ(kr_dict_set(d, "a", 1, "first", 5), 0);
    CHECK_EQ(kr_dict_pop(d, "a", 1, text, 4, &size), -ERANGE);
    CHECK_EQ(kr_dict_length(d), 1);
    CHECK_EQ(kr_dict_pop(d, "a", 1, text, sizeof text, &size), 0);
    CHECK_EQ(size, 5);
    CHECK_EQ(kr_dict_length(d), 0);
    CHECK_EQ(kr_dict_popitem(d, &item), -ENOENT);
    CHECK_EQ(kr_dict_set(d, "key", 3, "value", 5), 0);
    CHECK_EQ(kr_dict_popitem(d, &item), 0);
    CHECK_STR(item->key, "key");
    CHECK_STR(item->value, "value");
    CHECK_EQ(item->key_size, 3);
    CHECK_EQ(item->value_size, 5);
    free(item);
    CHECK_EQ(kr_dict_length(d), 0);
}

BACKEND_TEST(test_dict_compare_and_set)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    CHECK_EQ(kr_dict_compare_and_set(d, "a", 1, "x", 1, "y", 1), -EAGAIN);
    CHECK_EQ(kr_dict_compare_and_set(d, "a", 1, NULL, 0, "x", 1), 0);
    CHECK_EQ(kr_dict_compare_and_set(d, "a", 1, NULL, 0, "y", 1), -EAGAIN);
    CHECK_EQ(kr_dict_compare_and_set(d, "a", 1, "xx", 2, "y", 1), -EAGAIN);
    CHECK_EQ(kr_dict_compare_and_set(d, "a", 1, "x", 1, "y", 1), 0);
    CHECK_EQ(kr_dict_compare_and_set(d, "a", 1, "y", 1, NULL, 0), 0);
    CHECK_EQ(kr_dict_length(d), 0);
    CHECK_EQ(kr_dict_compare_and_set(d, "a", 1, NULL, 0, NULL, 0), 0);
}

BACKEND_TEST(test_dict_add)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    int64_t sum = 0;
    char text[32];
    CHECK_EQ(kr_dict_add(d, "n", 1, 5, &sum), 0);
    CHECK_EQ(sum, 5);
    CHECK_EQ(kr_dict_add(d, "n", 1, -12, &sum), 0);
    CHECK_EQ(sum, -7);
    CHECK_EQ(kr_dict_get_string(d, "n", text, sizeof text), 0);
    CHECK_STR(text, "-7");
    CHECK_EQ(kr_dict_set_int(d, "n", INT64_MAX), 0);
    CHECK_EQ(kr_dict_add(d, "n", 1, 1, NULL), -EOVERFLOW);
    CHECK_EQ(kr_dict_set_int(d, "n", INT64_MIN), 0);
    CHECK_EQ(kr_dict_get_int(d, "n", &sum), 0);
    CHECK(sum == INT64_MIN);
    CHECK_EQ(kr_dict_add(d, "n", 1, -1, NULL), -EOVERFLOW);
    CHECK_EQ(kr_dict_set_string(d, "n", "twelve"), 0);
    CHECK_EQ(kr_dict_add(d, "n", 1, 1, NULL), -EBADMSG);
}

BACKEND_TEST(test_dict_text)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    static const double numbers[] = {0, -0.1, 1.0 / 3, 1e300, -5e-324};
    char text[8];
    int64_t number;
    double found;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CHECK_EQ(kr_dict_set_double(d, "x", numbers[i]), 0);
        CHECK_EQ(kr_dict_get_double(d, "x", &found), 0);
        CHECK(memcmp(&found, &numbers[i], sizeof found) == 0);
    }
    CHECK_EQ(kr_dict_set_string(d, "s", "seven.."), 0);
    CHECK_EQ(kr_dict_get_string(d, "s", text, sizeof text), 0);
    CHECK_EQ(kr_dict_get_string(d, "s", text, 7), -ERANGE);
    CHECK_EQ(kr_dict_get_int(d, "s", &number), -EBADMSG);
    CHECK_EQ(kr_dict_get_double(d, "s", &found), -EBADMSG);
    CHECK_EQ(kr_dict_set_string(d, "s", "9223372036854775808"), 0);
    CHECK_EQ(kr_dict_get_int(d, "s", &number), -EOVERFLOW);
    CHECK_EQ(kr_dict_set_string(d, "s", "-9223372036854775808"), 0);
    CHECK_EQ(kr_dict_get_int(d, "s", &number), 0);
    CHECK_EQ(kr_dict_get_int(d, "none", &number), -ENOENT);
}

static int twice(kr_dict_value *now, void *arg)
{
    char *room = arg;
    if (now->value == NULL)
        return -ENODATA;
    if (now->size > 4)
        return KR_DICT_KEEP;
    memcpy(room, now->value, now->size);
    memcpy(room + now->size, now->value, now->size);
    *now = (kr_dict_value){room, 2 * now->size};
    return 0;
}

static int refuse(kr_dict_value *now, void *arg)
{
    (void)now;
    return ++*(int *)arg < 3 ? -EAGAIN : -EDOM;
}

static int nothing(kr_dict_value *now, void *arg)
{
    (void)arg;
    now->value = NULL;
    return 0;
}

BACKEND_TEST(test_dict_update)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    char room[16], text[16];
    int runs = 0;
    CHECK_EQ(kr_dict_update(d, "a", 1, twice, room), -ENODATA);
    CHECK_EQ(kr_dict_set_string(d, "a", "xyz"), 0);
    CHECK_EQ(kr_dict_update(d, "a", 1, twice, room), 0);
    CHECK_EQ(kr_dict_get_string(d, "a", text, sizeof text), 0);
    CHECK_STR(text, "xyzxyz");
    CHECK_EQ(kr_dict_update(d, "a", 1, twice, room), KR_DICT_KEEP);
    CHECK_EQ(kr_dict_update(d, "a", 1, refuse, &runs), -EAGAIN); /* its own, and no other's */
    CHECK_EQ(runs, 1);
    CHECK_EQ(kr_dict_update(d, "a", 1, nothing, NULL), 0);
    CHECK_EQ(kr_dict_length(d), 0);
}

/* As it is between the read and the write of another's update. */
typedef struct meddler {
    kr_dict *d;
    int runs;
    char text[8];
} meddler;

static int meddle(kr_dict_value *now, void *arg)
{
    meddler *w = arg;
    if (w->runs++ == 0)
        CHECK_EQ(kr_dict_set_string(w->d, "a", "2"), 0);
    CHECK_EQ(now->size, 1);
    w->text[0] = (char)(*(const char *)now->value + 1);
    *now = (kr_dict_value){w->text, 1};
    return 0;
}

BACKEND_TEST(test_dict_update_runs_again_on_what_is_there)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    meddler w = {.d = d};
    int64_t number = 0;
    CHECK_EQ(kr_dict_set_string(d, "a", "7"), 0);
    CHECK_EQ(kr_dict_update(d, "a", 1, meddle, &w), 0);
    CHECK_EQ(w.runs, 2);
    CHECK_EQ(kr_dict_get_int(d, "a", &number), 0);
    CHECK_EQ(number, 3);
}

BACKEND_TEST(test_dict_batch)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    char one[8], two[8];
    CHECK_EQ(kr_dict_set_string(d, "old", "1"), 0);
    kr_dict_operation ops[] = {
        {.verb = KR_DICT_SET, .key = "a", .key_size = 1, .value = "x", .size = 1},
        {.verb = KR_DICT_GET, .key = "a", .key_size = 1, .found = one, .room = 8},
        {.verb = KR_DICT_POP, .key = "old", .key_size = 3, .found = two, .room = 8},
        {.verb = KR_DICT_DELETE, .key = "old", .key_size = 3},
        {.verb = KR_DICT_CONTAINS, .key = "a", .key_size = 1},
        {.verb = KR_DICT_ADD, .key = "n", .key_size = 1, .number = 4},
        {.verb = KR_DICT_ADD, .key = "n", .key_size = 1, .number = 5},
        {.verb = KR_DICT_DEFAULT, .key = "b", .key_size = 1, .value = "y", .size = 1},
        {.verb = KR_DICT_DEFAULT, .key = "b", .key_size = 1, .value = "z", .size = 1},
        {.verb = KR_DICT_ADD, .key = "a", .key_size = 1, .number = 5},
        {.verb = KR_DICT_SET, .key = "a", .key_size = 1, .value = "w", .size = 1},
    };
    static const int results[] = {0, 0, 0, -ENOENT, 1, 0, 0, KR_DICT_NEW, -ERANGE, -EBADMSG, 0};
    enum { COUNT = sizeof ops / sizeof ops[0] };
    CHECK_EQ(kr_dict_batch(d, ops, COUNT), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(ops[i].result, results[i]);
    CHECK_EQ(one[0], 'x');
    CHECK_EQ(two[0], '1');
    CHECK_EQ(ops[6].number, 9);
    CHECK_EQ(kr_dict_length(d), 3);
    CHECK_EQ(kr_dict_batch(d, ops, 0), 0);
}

/* What was not done leaves the addends as they were, to be tried again. */
TEST(test_dict_batch_keeps_the_addends)
{
    enum { LIMIT = 2 << 20 };
    static const char large[LIMIT];
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, NULL, &(kr_manager_options){.limit = LIMIT}), 0);
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    kr_dict_operation ops[] = {
        {.verb = KR_DICT_ADD, .key = "n", .key_size = 1, .number = 4},
        {.verb = KR_DICT_ADD, .key = "n", .key_size = 1, .number = 5},
        {.verb = KR_DICT_ADD, .key = "most", .key_size = 4, .number = 1},
        {.verb = KR_DICT_SET, .key = "a", .key_size = 1, .value = large, .size = sizeof large},
    };
    CHECK_EQ(kr_dict_set_int(d, "most", INT64_MAX), 0);
    CHECK_EQ(kr_dict_batch(d, ops, 4), -EDQUOT);
    CHECK_EQ(ops[0].number, 4);
    CHECK_EQ(ops[1].number, 5);
    CHECK_EQ(ops[2].number, 1);
    CHECK_EQ(ops[2].result, -EOVERFLOW);
    CHECK_EQ(kr_dict_contains(d, "n", 1), 0);
    CHECK_EQ(kr_dict_batch(d, ops, 3), 0);
    CHECK_EQ(ops[1].number, 9);
    CHECK_EQ(ops[2].number, 1);
    kr_manager_release(m);
}

/* More changes than a record holds at first, and more than one. */
BACKEND_TEST(test_dict_batch_of_many)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    enum { COUNT = 5000 };
    static kr_dict_operation ops[COUNT];
    static int keys[COUNT];
    for (int i = 0; i < COUNT; i++) {
        keys[i] = i;
        ops[i] = (kr_dict_operation){.verb = KR_DICT_SET,
                                     .key = &keys[i],
                                     .key_size = sizeof(int),
                                     .value = &keys[i],
                                     .size = sizeof(int)};
    }
    CHECK_EQ(kr_dict_batch(d, ops, COUNT), 0);
    CHECK_EQ(kr_dict_length(d), COUNT);
    CHECK_EQ(kr_dict_batch(d, ops, COUNT), 0);
    for (int i = 0; i < COUNT; i++)
        ops[i].verb = KR_DICT_DELETE;
    CHECK_EQ(kr_dict_batch(d, ops, COUNT), 0);
    check_empty(m, d);
}

static int count_item(const kr_dict_item *item, void *arg)
{
    uint64_t key;
    CHECK_EQ(item->key_size, sizeof key);
    memcpy(&key, item->key, sizeof key);
    CHECK_EQ(item->value_size, key);
    ((int *)arg)[key]++;
    return 0;
}

static int stop(const kr_dict_item *item, void *arg)
{
    (void)item;
    return ++*(int *)arg == 3 ? 77 : 0;
}

static int delete_all(const kr_dict_item *item, void *arg)
{
    return kr_dict_delete(arg, item->key, item->key_size);
}

BACKEND_TEST(test_dict_iter)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    KR_AUTO(kr_dict_items) *items = NULL;
    enum { COUNT = 300 };
    static char bytes[COUNT];
    int seen[COUNT] = {0}, calls = 0;
    for (uint64_t i = 0; i < COUNT; i++)
        CHECK_EQ(kr_dict_set(d, &i, sizeof i, bytes, i), 0);
    CHECK_EQ(kr_dict_each(d, count_item, seen), 0);
    CHECK_EQ(kr_dict_snapshot(d, &items), 0);
    CHECK_EQ(kr_dict_items_count(items), COUNT);
    CHECK_EQ(kr_dict_each(d, stop, &calls), 77);
    CHECK_EQ(kr_dict_each(d, delete_all, d), 0); /* changed meanwhile: no error */
    CHECK_EQ(kr_dict_length(d), 0);
    for (size_t i = 0; i < COUNT; i++)
        (void)count_item(kr_dict_items_at(items, i), seen);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(seen[i], 2);
    CHECK(kr_dict_items_at(items, COUNT) == NULL);
    check_empty(m, d);
}

BACKEND_TEST(test_dict_get_new)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    void *value = NULL;
    size_t size;
    CHECK_EQ(kr_dict_get_new(d, "a", 1, &value, &size), -ENOENT);
    CHECK_EQ(kr_dict_set_string(d, "a", "some text"), 0);
    CHECK_EQ(kr_dict_get_new(d, "a", 1, &value, &size), 0);
    CHECK_EQ(size, 9);
    CHECK_STR(value, "some text");
    free(value);
}

BACKEND_TEST(test_dict_arguments)
{
    KR_AUTO(kr_manager) *m = manager_of_column();
    KR_AUTO(kr_dict) *d = dict_new(m, "d");
    kr_dict *other = d;
    kr_dict_operation op = {.verb = 99, .key = "a", .key_size = 1};
    CHECK_EQ(kr_dict_open(NULL, m, "x"), -EINVAL);
    CHECK_EQ(kr_dict_open(&other, NULL, "x"), -EINVAL);
    CHECK_EQ(kr_dict_open(&other, m, ""), -EINVAL);
    CHECK(other == NULL);
    CHECK(kr_dict_name(NULL) == NULL);
    CHECK_EQ(kr_dict_get(NULL, "a", 1, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(kr_dict_get(d, NULL, 1, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(kr_dict_get(d, "a", 1, NULL, 1, NULL), -EINVAL);
    CHECK_EQ(kr_dict_set(d, "a", 1, NULL, 1), -EINVAL);
    CHECK_EQ(kr_dict_batch(d, &op, 1), -EINVAL);
    CHECK_EQ(kr_dict_batch(d, NULL, 1), -EINVAL);
    CHECK_EQ(kr_dict_update(d, "a", 1, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_dict_each(d, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_dict_snapshot(d, NULL), -EINVAL);
    CHECK_EQ(kr_dict_popitem(d, NULL), -EINVAL);
    CHECK_EQ(kr_dict_compare_and_set(d, "a", 1, NULL, 1, "b", 1), -EINVAL);
}
