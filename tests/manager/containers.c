/* Containers of a manager, nested and alone, as CPython tests its proxies.
 *
 * Behaviours: section 12.9.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/list_help.h"

BACKEND_TEST(test_list)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *a = new_list(m), *b = new_list(m);
    for (int64_t i = 0; i < 10; i++)
        append_int(a, i);
    check_ints(a, 10, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    check_ints(b, 0, NULL);
    extend_ints(b, 5, (int64_t[]){0, 1, 2, 3, 4});
    check_ints(b, 5, (int64_t[]){0, 1, 2, 3, 4});
    CHECK_EQ(get_int(b, 2), 2);
    check_slice(b, 2, 10, 3, (int64_t[]){2, 3, 4});
    extend_ints(b, 5, (int64_t[]){0, 1, 2, 3, 4});
    check_ints(b, 10, (int64_t[]){0, 1, 2, 3, 4, 0, 1, 2, 3, 4});
    check_ints(a, 10, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9});

    /* a list of lists has them live */
    KR_AUTO(kr_list) *outer = new_list(m);
    append_name(outer, kr_list_name(a));
    append_name(outer, kr_list_name(b));
    append_int(a, 77);
    KR_AUTO(kr_list) *inner = open_nested(m, outer, 0);
    check_ints(inner, 11, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 77});
    KR_AUTO(kr_list) *other = open_nested(m, outer, 1);
    CHECK_EQ(kr_list_length(other), 10);
}

BACKEND_TEST(test_list_iter)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *a = new_list(m);
    int64_t i = 0, value;
    for (; i < 10; i++)
        append_int(a, i);
    for (i = 0; try_get_int(a, i, &value) == 0; i++)
        CHECK_EQ(value, i);
    CHECK_EQ(i, 10);
    CHECK_EQ(try_get_int(a, i, &value), -ENOENT); /* and stays at its end */

    /* changed meanwhile: it sees what is there when it comes there */
    set_int(a, 0, 100);
    CHECK_EQ(get_int(a, 0), 100);
    append_int(a, 10);
    CHECK_EQ(get_int(a, 10), 10);
    CHECK_EQ(kr_list_delete(a, 0), 0);
    CHECK_EQ(get_int(a, 1), 2);
    CHECK_EQ(try_get_int(a, 10, &value), -ENOENT);
}

BACKEND_TEST(test_list_proxy_in_list)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *a = new_list(m);
    for (int i = 0; i < 3; i++) {
        KR_AUTO(kr_list) *inner = new_list(m);
        extend_ints(inner, 3, (int64_t[]){0, 1, 2});
        append_name(a, kr_list_name(inner));
    }
    KR_AUTO(kr_list) *first = open_nested(m, a, 0);
    set_int(first, -1, 55);
    check_ints(first, 3, (int64_t[]){0, 1, 55});
    KR_AUTO(kr_list) *again = open_nested(m, a, 0);
    check_ints(again, 3, (int64_t[]){0, 1, 55});
    KR_AUTO(kr_list) *second = open_nested(m, a, 1);
    check_ints(second, 3, (int64_t[]){0, 1, 2});
    CHECK_EQ(pop_int(second), 2);
    CHECK_EQ(kr_list_length(second), 2);
    KR_AUTO(kr_list) *third = open_nested(m, a, 2);
    CHECK_EQ(kr_list_length(third), 3);

    /* one that has itself */
    KR_AUTO(kr_list) *b = new_list(m);
    append_name(b, kr_list_name(b));
    KR_AUTO(kr_list) *itself = open_nested(m, b, 0);
    CHECK_EQ(kr_list_clear(itself), 0);
    CHECK_EQ(kr_list_length(b), 0);
}

static int add_up(const kr_dict_item *item, void *arg)
{
    int64_t *sum = arg;
    *sum += strtoll(item->value, NULL, 10);
    return 0;
}

BACKEND_TEST(test_dict)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_dict) *d = NULL;
    int64_t sum = 0;
    CHECK_EQ(kr_dict_open(&d, m, NULL), 0);
    for (int i = 65; i < 70; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        CHECK_EQ(kr_dict_set_int(d, key, i), 0);
    }
    CHECK_EQ(kr_dict_length(d), 5);
    CHECK_EQ(kr_dict_each(d, add_up, &sum), 0);
    CHECK_EQ(sum, 65 + 66 + 67 + 68 + 69);
    KR_AUTO(kr_dict_items) *items = NULL;
    CHECK_EQ(kr_dict_snapshot(d, &items), 0);
    CHECK_EQ(kr_dict_items_count(items), 5);
    for (size_t i = 0; i < 5; i++) {
        const kr_dict_item *item = kr_dict_items_at(items, i);
        CHECK_EQ(item->key_size, 2);
        CHECK_STR(item->key, item->value);
    }
}

/* Python's iterator fails when the dict changes meanwhile; here the picture is of one instant, or
 * each key that is there all the time comes once. */
typedef struct changing {
    kr_dict *dict;
    int seen;
    bool wrong;
} changing;

static int add_another(const kr_dict_item *item, void *arg)
{
    changing *c = arg;
    char key[32];
    c->seen += strcmp(item->key, "stays") == 0;
    snprintf(key, sizeof key, "new %d", c->seen);
    c->wrong |= kr_dict_set_int(c->dict, key, 1) != 0;
    return 0;
}

BACKEND_TEST(test_dict_iter)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_dict) *d = NULL;
    KR_AUTO(kr_dict_items) *items = NULL;
    CHECK_EQ(kr_dict_open(&d, m, NULL), 0);
    CHECK_EQ(kr_dict_set_int(d, "stays", 1), 0);
    changing c = {.dict = d};
    CHECK_EQ(kr_dict_each(d, add_another, &c), 0);
    CHECK_EQ(c.seen, 1);
    CHECK(!c.wrong);
    CHECK_EQ(kr_dict_snapshot(d, &items), 0);
    size_t count = kr_dict_items_count(items);
    CHECK_EQ(kr_dict_set_int(d, "late", 1), 0);
    CHECK_EQ(kr_dict_items_count(items), count);
    CHECK_EQ(kr_dict_length(d), count + 1);
}

static kr_dict *open_nested_dict(kr_manager *m, kr_dict *outer, const char *key)
{
    char name[KR_MANAGER_NAME + 1];
    kr_dict *d = NULL;
    CHECK_EQ(kr_dict_get_string(outer, key, name, sizeof name), 0);
    CHECK_EQ(kr_dict_open(&d, m, name), 0);
    return d;
}

BACKEND_TEST(test_dict_proxy_nested)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_dict) *d = NULL;
    kr_dict *pets = NULL, *supplies = NULL;
    int64_t value;
    CHECK_EQ(kr_dict_open(&d, m, NULL), 0);
    CHECK_EQ(kr_dict_open(&pets, m, NULL), 0);
    CHECK_EQ(kr_dict_open(&supplies, m, NULL), 0);
    CHECK_EQ(kr_dict_set_int(pets, "ferrets", 2), 0);
    CHECK_EQ(kr_dict_set_int(supplies, "water", 10), 0);
    CHECK_EQ(kr_dict_set_string(d, "pets", kr_dict_name(pets)), 0);
    CHECK_EQ(kr_dict_set_string(d, "supplies", kr_dict_name(supplies)), 0);
    KR_AUTO(kr_dict) *same = open_nested_dict(m, d, "supplies");
    CHECK_EQ(kr_dict_set_int(same, "blankets", 5), 0);
    CHECK_EQ(kr_dict_get_int(supplies, "blankets", &value), 0);
    CHECK_EQ(value, 5);
    CHECK_EQ(kr_dict_set_int(supplies, "water", 7), 0);
    CHECK_EQ(kr_dict_get_int(same, "water", &value), 0);
    CHECK_EQ(value, 7);

    /* without the handles they were made by */
    kr_dict_release(pets);
    kr_dict_release(supplies);
    KR_AUTO(kr_dict) *zoo = open_nested_dict(m, d, "pets");
    CHECK_EQ(kr_dict_get_int(zoo, "ferrets", &value), 0);
    CHECK_EQ(value, 2);

    /* the inner ones outlive what was in the outer one */
    CHECK_EQ(kr_dict_clear(d), 0);
    CHECK_EQ(kr_dict_get_int(same, "water", &value), 0);
    CHECK_EQ(value, 7);
    CHECK_EQ(kr_dict_length(d), 0);
}

static void put_and_get(kr_manager *m, const char *name, int item)
{
    KR_AUTO(kr_queue) *q = NULL;
    int got = 0;
    CHECK_EQ(kr_manager_queue(&q, m, name, sizeof(int), 4, NULL), 0);
    CHECK_EQ(kr_queue_put(q, &item, kr_sec(10)), 0);
    CHECK_EQ(kr_queue_get(q, &got, kr_sec(10)), 0);
    CHECK_EQ(got, item);
}

BACKEND_TEST(test_nested_queue)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *a = new_list(m);
    KR_AUTO(kr_dict) *b = NULL;
    char name[KR_MANAGER_NAME + 1];
    append_name(a, "a queue");
    get_name(a, 0, name);
    put_and_get(m, name, 123);
    CHECK_EQ(kr_dict_open(&b, m, NULL), 0);
    CHECK_EQ(kr_dict_set_string(b, "0", "another queue"), 0);
    CHECK_EQ(kr_dict_get_string(b, "0", name, sizeof name), 0);
    put_and_get(m, name, 456);
}

BACKEND_TEST(test_namespace)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_namespace) *n = NULL;
    char text[16];
    int64_t number;
    double real;
    CHECK_EQ(kr_namespace_open(&n, m, NULL), 0);
    CHECK_EQ(kr_namespace_set_string(n, "name", "Bob"), 0);
    CHECK_EQ(kr_namespace_set_string(n, "job", "Builder"), 0);
    CHECK_EQ(kr_namespace_set_string(n, "_hidden", "hidden"), 0);
    CHECK_EQ(kr_namespace_set_double(n, "ratio", 0.1), 0);
    CHECK_EQ(kr_namespace_set_int(n, "age", INT64_MIN), 0);
    CHECK_EQ(kr_namespace_set(n, NULL, "x", 1), -EINVAL);
    CHECK_EQ(kr_namespace_has(n, NULL), -EINVAL);
    CHECK_EQ(kr_namespace_delete(n, NULL), -EINVAL);
    CHECK_EQ(kr_namespace_has(n, "name"), 1);
    CHECK_EQ(kr_namespace_has(n, "job"), 1);
    CHECK_EQ(kr_namespace_delete(n, "job"), 0);
    CHECK_EQ(kr_namespace_delete(n, "job"), -ENOENT);
    CHECK_EQ(kr_namespace_has(n, "job"), 0);
    CHECK_EQ(kr_namespace_get_string(n, "job", text, sizeof text), -ENOENT);
    CHECK_EQ(kr_namespace_get_string(n, "name", text, sizeof text), 0);
    CHECK_STR(text, "Bob");
    CHECK_EQ(kr_namespace_get_string(n, "name", text, 3), -ERANGE);
    CHECK_EQ(kr_namespace_get_int(n, "age", &number), 0);
    CHECK_EQ(number, INT64_MIN);
    CHECK_EQ(kr_namespace_get_int(n, "name", &number), -EBADMSG);
    CHECK_EQ(kr_namespace_get_double(n, "ratio", &real), 0);
    CHECK(real == 0.1);
}

BACKEND_TEST(test_set)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_set) *s = NULL;
    char member[8];
    size_t size = 0;
    CHECK_EQ(kr_set_open(&s, m, NULL), 0);
    CHECK_EQ(kr_set_add(s, "a", 1), 1);
    CHECK_EQ(kr_set_add(s, "a", 1), 0);
    CHECK_EQ(kr_set_add(s, "long one", 8), 1);
    CHECK_EQ(kr_set_length(s), 2);
    CHECK_EQ(kr_set_contains(s, "a", 1), 1);
    CHECK_EQ(kr_set_contains(s, "b", 1), 0);
    CHECK_EQ(kr_set_discard(s, "a", 1), 1);
    CHECK_EQ(kr_set_discard(s, "a", 1), 0);
    CHECK_EQ(kr_set_pop(s, member, 7, &size), -ERANGE);
    CHECK_EQ(size, 8);
    CHECK_EQ(kr_set_length(s), 1);
    CHECK_EQ(kr_set_pop(s, member, sizeof member, &size), 0);
    CHECK_EQ(size, 8);
    CHECK(memcmp(member, "long one", 8) == 0);
    CHECK_EQ(kr_set_pop(s, member, sizeof member, &size), -ENOENT);
    CHECK_EQ(kr_set_add(s, "c", 1), 1);
    CHECK_EQ(kr_set_clear(s), 0);
    CHECK_EQ(kr_set_length(s), 0);
}

BACKEND_TEST(test_set_init)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_set) *s = NULL;
    KR_AUTO(kr_items) *items = NULL;
    const kr_bytes some[] = {{"x", 1}, {"y", 1}, {"x", 1}, {NULL, 0}};
    bool seen[3] = {false, false, false};
    CHECK_EQ(kr_set_open(&s, m, NULL), 0);
    CHECK_EQ(kr_set_update(s, some, 4), 3);
    CHECK_EQ(kr_set_length(s), 3);
    CHECK_EQ(kr_set_items(s, &items), 0);
    CHECK_EQ(kr_items_count(items), 3);
    for (size_t i = 0; i < 3; i++) {
        const kr_bytes *item = kr_items_at(items, i);
        const char *text = item->data;
        int which = item->size == 0 ? 2 : text[0] == 'x' ? 0 : 1;
        CHECK(!seen[which]);
        seen[which] = true;
    }
    CHECK(kr_items_at(items, 3) == NULL);
}

/* The kinds cannot be mistaken for each other: what Python asks isinstance for.
 *
 * behaviours: 12.9 test_list_isinstance test_dict_isinstance */
BACKEND_TEST(a_name_belongs_to_one_kind)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_list) *l = NULL;
    KR_AUTO(kr_dict) *d = NULL;
    KR_AUTO(kr_set) *s = NULL;
    CHECK_EQ(kr_list_open(&l, m, "list"), 0);
    CHECK_EQ(kr_dict_open(&d, m, "dict"), 0);
    kr_list *no_list = NULL;
    kr_dict *no_dict = NULL;
    kr_managed_lock *no_lock = NULL;
    CHECK_EQ(kr_list_open(&no_list, m, "dict"), -EEXIST);
    CHECK_EQ(kr_dict_open(&no_dict, m, "list"), -EEXIST);
    CHECK_EQ(kr_set_open(&s, m, "dict"), -EEXIST);
    CHECK_EQ(kr_managed_lock_open(&no_lock, m, "dict"), -EEXIST);
    CHECK(no_list == NULL && no_dict == NULL && s == NULL && no_lock == NULL);
}

/* As fast with many as with few: each takes one, and copies no more. */
TEST(a_large_set_is_emptied_one_by_one)
{
    enum { MOST = 200000 };
    const uint32_t members = KRI_SLOWED ? 3000 : MOST;
    KR_AUTO(kr_manager) *m = NULL;
    KR_AUTO(kr_set) *s = NULL;
    static bool seen[MOST];
    uint32_t member = 0;
    size_t size = 0;
    CHECK_EQ(kr_manager_open(&m, NULL, NULL), 0);
    CHECK_EQ(kr_set_open(&s, m, "s"), 0);
    for (; member < members; member++)
        CHECK_EQ(kr_set_add(s, &member, sizeof member), 1);
    for (uint32_t i = 0; i < members; i++) {
        CHECK_EQ(kr_set_pop(s, &member, sizeof member, &size), 0);
        CHECK(size == sizeof member && member < members && !seen[member]);
        seen[member] = true;
    }
    CHECK_EQ(kr_set_pop(s, &member, sizeof member, &size), -ENOENT);
}
