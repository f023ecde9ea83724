/* A process is killed after every single instruction of calls on dicts; in a short run after every
 * eighth, about, by chance.
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
#include <stdio.h>

enum { STEPS = 60000, MANY_SECONDS = 10, KEYS = 24 };

typedef struct step_case {
    void (*prepare)(void); /* may be NULL */
    int (*victim)(void);
    unsigned apart; /* so many times fewer kills, for a long call */
} step_case;

static kr_manager *manager;
static kr_dict *dict;

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

static int view_name(const char *name, kr_manager_kind kind, void *arg)
{
    view *v = arg;
    CHECK_EQ(kind, KR_MANAGER_DICT);
    KR_AUTO(kr_dict) *d = dict_new(manager, name);
    int64_t before = v->length;
    CHECK_EQ(kr_dict_each(d, view_item, v), 0);
    CHECK_EQ(kr_dict_length(d), v->length - before);
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
    manager = manager_new();
    kr_dict_release(dict_new(manager, "d"));
    kr_dict_release(dict_new(manager, "another"));
    uint64_t used = take_all_away();
    dict = dict_new(manager, "d");
    if (c->prepare != NULL)
        c->prepare();
    return used;
}

static void end(void)
{
    kr_dict_release(dict);
    kr_manager_release(manager);
}

static void kill_after_each(step_case c)
{
    if (KRI_SANITIZED)
        SKIP("a sanitizer multiplies the steps");
    kr_word *done = shared_pages(sizeof *done);
    step_victim victim = {c.victim, done};
    uint64_t used = make(&c);
    view before = look();
    CHECK(c.victim() >= 0);
    view after = look();
    CHECK_EQ(take_all_away(), used);
    end();
    uint64_t random = kri_test_seed();
    bool all = kri_test_budget() > MANY_SECONDS; /* long runs: every step, or nearly */
    unsigned stride = all ? 1 + c.apart / 8 : 16 * (1 + c.apart);
    int steps = 0;
    long kills = 0, undone = 0;
    bool killed = true;
    while (killed && steps < STEPS) {
        used = make(&c);
        steps += 1 + (int)(kri_test_random(&random) % stride);
        killed = step_and_kill(&victim, steps);
        view is = look();
        CHECK(is_same(is, before) || is_same(is, after));
        CHECK(killed || is_same(is, after));
        undone += (long)statistics(manager).undone;
        CHECK_EQ(take_all_away(), used);
        end();
        kills += killed;
    }
    CHECK_GE(kills, 20);
    CHECK_LE(steps, STEPS - 1);
    kri_test_note("%ld kills within %d steps, %ld undone", kills, steps, undone);
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

/* Victims */

static int set_first(void)
{
    return kr_dict_set(dict, "key 1", 5, "changed", 7);
}

static int set_long(void)
{
    static const char value[2500] = "more than what shares a page with others";
    return kr_dict_set(dict, "key 2", 5, value, sizeof value);
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
    kill_after_each((step_case){.prepare = put_some, .victim = set_long, .apart = 1});
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
    kill_after_each((step_case){.prepare = put_some, .victim = clear, .apart = 12});
}

TEST(dict_killed_in_a_batch)
{
    kill_after_each((step_case){.prepare = put_some, .victim = batch, .apart = 4});
}

TEST(dict_killed_in_open)
{
    kill_after_each((step_case){.prepare = put_some, .victim = open_another, .apart = 2});
}

TEST(dict_killed_while_deleted)
{
    kill_after_each((step_case){.prepare = put_some, .victim = delete_it, .apart = 12});
}
