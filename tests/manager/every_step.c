/* A process is killed after every single instruction of calls on containers; in a short run after
 * every eighth, about, by chance, and again where the call is so short that these are few.
 *
 * The victim is a child that is single-stepped through one call, killed after so many steps, and
 * then another one after more, until one gets through.  After each kill all that is in the manager
 * is as before the call or as after it, and when everything is taken away no memory is missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "manager/help.h"
#include "memory/step.h"
#include <krait/list.h>
#include <krait/managed.h>
#include <krait/managed_sync.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 60000, MANY_SECONDS = 10, KEYS = 24 };

typedef struct step_case {
    void (*prepare)(void); /* may be NULL */
    int (*victim)(void);
    unsigned apart; /* so many times fewer kills, for a long call */
} step_case;

static kr_manager *manager;
static kr_dict *dict;
static kr_list *list;
static kr_managed_value *value;
static kr_managed_array *array;

/* What can be seen. */
typedef struct view {
    uint64_t sum;
    int64_t length;
    int names;
} view;

static uint64_t mix(uint64_t sum, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ at[i]) * UINT64_C(1099511628211);
    return (sum ^ size) * UINT64_C(1099511628211);
}

static int view_item(const kr_dict_item *item, void *arg)
{
    view *v = arg;
    uint64_t key = mix(UINT64_C(14695981039346656037), item->key, item->key_size);
    v->sum += mix(key, item->value, item->value_size);
    v->length++;
    return 0;
}

static void view_dict(const char *name, view *v)
{
    KR_AUTO(kr_dict) *d = dict_new(manager, name);
    int64_t before = v->length;
    CHECK_EQ(kr_dict_each(d, view_item, v), 0);
    CHECK_EQ(kr_dict_length(d), v->length - before);
}

static void view_list(const char *name, view *v)
{
    KR_AUTO(kr_list) *l = NULL;
    KR_AUTO(kr_items) *items = NULL;
    CHECK_EQ(kr_list_open(&l, manager, name), 0);
    CHECK_EQ(kr_list_slice(l, 0, INT64_MAX, &items), 0);
    CHECK_EQ(kr_list_length(l), (int64_t)kr_items_count(items));
    for (size_t i = 0; i < kr_items_count(items); i++)
        v->sum += mix(i + 1, kr_items_at(items, i)->data, kr_items_at(items, i)->size);
    v->length += (int64_t)kr_items_count(items);
}

static void view_bytes(const char *name, bool is_array, view *v)
{
    KR_AUTO(kr_managed_value) *one = NULL;
    KR_AUTO(kr_managed_array) *many = NULL;
    unsigned char bytes[sizeof(int64_t) * KEYS];
    if (is_array) {
        CHECK_EQ(kr_managed_array_open(&many, manager, name, sizeof(int64_t), KEYS, NULL), 0);
        CHECK_EQ(kr_managed_array_get(many, 0, KEYS, bytes), 0);
    } else {
        CHECK_EQ(kr_managed_value_open(&one, manager, name, sizeof bytes, NULL), 0);
        CHECK_EQ(kr_managed_value_get(one, bytes), 0);
    }
    v->sum += mix(1, bytes, sizeof bytes);
}

static int view_name(const char *name, kr_manager_kind kind, void *arg)
{
    view *v = arg;
    if (kind == KR_MANAGER_DICT)
        view_dict(name, v);
    else if (kind == KR_MANAGER_LIST)
        view_list(name, v);
    else if (kind == KR_MANAGER_VALUE || kind == KR_MANAGER_ARRAY)
        view_bytes(name, kind == KR_MANAGER_ARRAY, v);
    v->sum += mix((uint64_t)kind, name, strlen(name));
    v->names++;
    return 0;
}

static view look(void)
{
    view v = {0, 0, 0};
    CHECK_EQ(kr_manager_each(manager, view_name, &v), 0);
    return v;
}

static bool is_same(view a, view b)
{
    return a.sum == b.sum && a.length == b.length && a.names == b.names;
}

static int delete_name(const char *name, kr_manager_kind kind, void *arg)
{
    (void)kind, (void)arg;
    return kr_manager_delete(manager, name);
}

/* How many bytes are in use when everything is taken away. */
static uint64_t take_all_away(void)
{
    CHECK_EQ(kr_manager_each(manager, delete_name, NULL), 0);
    kr_manager_statistics s = statistics(manager);
    CHECK_EQ(s.objects, 0);
    return s.used;
}

/* What the directory needs for the names is there before. */
static uint64_t make(const step_case *c)
{
    static const char *const names[] = {"d", "another", "list", "value", "array"};
    manager = manager_new();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        kr_dict_release(dict_new(manager, names[i]));
    uint64_t used = take_all_away();
    dict = dict_new(manager, "d");
    if (c->prepare != NULL)
        c->prepare();
    return used;
}

static void end(void)
{
    kr_dict_release(dict);
    kr_list_release(list);
    kr_managed_value_release(value);
    kr_managed_array_release(array);
    kr_manager_release(manager);
    list = NULL;
    value = NULL;
    array = NULL;
}

typedef struct killing {
    const step_case *c;
    step_victim victim;
    view before, after;
    uint64_t random;
    unsigned stride; /* as many steps more than the last one at most */
    long kills, undone;
} killing;

/* Kill one after so many steps; false: it got through. */
static bool kill_after(killing *k, int steps)
{
    uint64_t used = make(k->c);
    bool killed = step_and_kill(&k->victim, steps);
    view is = look();
    CHECK(is_same(is, k->before) || is_same(is, k->after));
    CHECK(killed || is_same(is, k->after));
    k->undone += (long)statistics(manager).undone;
    CHECK_EQ(take_all_away(), used);
    end();
    k->kills += killed;
    return killed;
}

/* Later and later, until one gets through: after how many steps. */
static int kill_all_the_way(killing *k)
{
    int steps = 0;
    do {
        steps += 1 + (int)(kri_test_random(&k->random) % k->stride);
    } while (kill_after(k, steps) && steps < STEPS);
    CHECK_LE(steps, STEPS - 1);
    return steps;
}

static void kill_after_each(step_case c)
{
    enum { ENOUGH = 20, SHORTEST_CALL = 100 };
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind multiply the steps");
    kr_word *done = shared_pages(sizeof *done);
    uint64_t used = make(&c);
    killing k = {.c = &c, .victim = {c.victim, done}, .before = look()};
    CHECK(c.victim() >= 0);
    k.after = look();
    CHECK_EQ(take_all_away(), used);
    end();
    k.random = kri_test_seed();
    bool all = kri_test_budget() > MANY_SECONDS; /* long runs: every step, or nearly */
    k.stride = all ? 1 + c.apart / 4 : 16 * (1 + c.apart);
    int steps = 0;
    while (k.kills < ENOUGH) {
        steps = kill_all_the_way(&k);
        CHECK_GE(steps, SHORTEST_CALL); /* else it is none, or none that is stepped through */
    }
    kri_test_note("%ld kills within %d steps, %ld undone", k.kills, steps, k.undone);
}

/* Before */

static void put_some(void)
{
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %d", i);
        CHECK_EQ(kr_dict_set(dict, key, strlen(key), "as it was before", 16), 0);
    }
}

static void put_two(void)
{
    CHECK_EQ(kr_dict_set(dict, "key 1", 5, "one", 3), 0);
    CHECK_EQ(kr_dict_set(dict, "key 2", 5, "two", 3), 0);
}

static void put_list(void)
{
    static const char large[2500];
    CHECK_EQ(kr_list_open(&list, manager, "list"), 0);
    for (int i = 0; i < KEYS; i++) {
        CHECK_EQ(kr_list_append(list, i == 9 ? large : "item", i == 9 ? sizeof large : 4), 0);
        CHECK_EQ(kr_list_append(list, &i, sizeof i), 0);
    }
}

static void put_numbers(void)
{
    int64_t numbers[KEYS] = {1, 2, 3};
    CHECK_EQ(kr_managed_value_open(&value, manager, "value", sizeof numbers, numbers), 0);
    CHECK_EQ(kr_managed_array_open(&array, manager, "array", sizeof(int64_t), KEYS, numbers), 0);
}

/* Victims */

static int set_first(void)
{
    return kr_dict_set(dict, "key 1", 5, "changed", 7);
}

static int set_long(void)
{
    static const char large[2500] = "more than what shares a page with others";
    return kr_dict_set(dict, "key 2", 5, large, sizeof large);
}

static int take_away(void)
{
    return kr_dict_delete(dict, "key 3", 5);
}

static int add(void)
{
    return kr_dict_add(dict, "number", 6, 12, NULL);
}

static int clear(void)
{
    return kr_dict_clear(dict);
}

static int open_another(void)
{
    KR_AUTO(kr_dict) *other = NULL;
    return kr_dict_open(&other, manager, "another");
}

static int delete_it(void)
{
    return kr_manager_delete(manager, "d");
}

static int batch(void)
{
    kr_dict_operation ops[] = {
        {.verb = KR_DICT_SET, .key = "key 1", .key_size = 5, .value = "changed", .size = 7},
        {.verb = KR_DICT_DELETE, .key = "key 2", .key_size = 5},
        {.verb = KR_DICT_SET, .key = "new", .key_size = 3, .value = "one", .size = 3},
        {.verb = KR_DICT_SET, .key = "newer", .key_size = 5, .value = "one", .size = 3},
        {.verb = KR_DICT_DELETE, .key = "key 7", .key_size = 5},
    };
    return kr_dict_batch(dict, ops, 5);
}

TEST(dict_killed_in_the_first_set)
{
    kill_after_each((step_case){.victim = set_first, .apart = 1});
}

TEST(dict_killed_in_a_set_of_a_known_key)
{
    kill_after_each((step_case){.prepare = put_some, .victim = set_first});
}

TEST(dict_killed_in_a_long_set)
{
    kill_after_each((step_case){.prepare = put_some, .victim = set_long, .apart = 4});
}

TEST(dict_killed_in_delete)
{
    kill_after_each((step_case){.prepare = put_some, .victim = take_away});
}

TEST(dict_killed_in_add)
{
    kill_after_each((step_case){.prepare = put_some, .victim = add});
}

TEST(dict_killed_in_clear)
{
    kill_after_each((step_case){.prepare = put_two, .victim = clear, .apart = 60});
}

TEST(dict_killed_in_a_batch)
{
    kill_after_each((step_case){.prepare = put_some, .victim = batch, .apart = 7});
}

TEST(dict_killed_in_open)
{
    kill_after_each((step_case){.prepare = put_some, .victim = open_another, .apart = 2});
}

TEST(dict_killed_while_deleted)
{
    kill_after_each((step_case){.prepare = put_two, .victim = delete_it, .apart = 60});
}

/* Lists */

static int list_append(void)
{
    static const char large[5000];
    return kr_list_append(list, large, sizeof large);
}

static int list_insert(void)
{
    return kr_list_insert(list, 17, "in the middle", 13);
}

static int list_delete(void)
{
    return kr_list_delete(list, 18); /* with pages of its own */
}

static int list_extend(void)
{
    return kr_list_extend(list, (kr_bytes[]){{"a", 1}, {"long", 4}, {"row", 3}}, 3);
}

static int list_clear(void)
{
    return kr_list_clear(list);
}

static int delete_list(void)
{
    return kr_manager_delete(manager, "list");
}

TEST(list_killed_in_append)
{
    kill_after_each((step_case){.prepare = put_list, .victim = list_append, .apart = 12});
}

TEST(list_killed_in_insert)
{
    kill_after_each((step_case){.prepare = put_list, .victim = list_insert, .apart = 10});
}

TEST(list_killed_in_delete)
{
    kill_after_each((step_case){.prepare = put_list, .victim = list_delete, .apart = 8});
}

TEST(list_killed_in_extend)
{
    kill_after_each((step_case){.prepare = put_list, .victim = list_extend, .apart = 12});
}

TEST(list_killed_in_clear)
{
    kill_after_each((step_case){.prepare = put_list, .victim = list_clear});
}

TEST(list_killed_while_deleted)
{
    kill_after_each((step_case){.prepare = put_list, .victim = delete_list, .apart = 60});
}

/* Values and arrays, and what has a body that is laid out by others */

static int value_set(void)
{
    int64_t numbers[KEYS] = {4, 5, 6};
    return kr_managed_value_set(value, numbers);
}

static int array_set(void)
{
    int64_t numbers[KEYS] = {4, 5, 6};
    return kr_managed_array_set(array, 1, KEYS - 1, numbers);
}

static int open_lock(void)
{
    KR_AUTO(kr_managed_lock) *l = NULL;
    return kr_managed_lock_open(&l, manager, "another");
}

TEST(value_killed_in_set)
{
    kill_after_each((step_case){.prepare = put_numbers, .victim = value_set});
}

TEST(array_killed_in_set)
{
    kill_after_each((step_case){.prepare = put_numbers, .victim = array_set});
}

TEST(lock_killed_in_open)
{
    kill_after_each((step_case){.prepare = put_some, .victim = open_lock, .apart = 4});
}
