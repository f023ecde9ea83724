/* Many use one dict at once: threads, coroutines, processes.
 *
 * Behaviours: section 12.9
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party.h"
#include "harness/sanitizers.h"
#include <stdio.h>

enum { PARTIES = 4, SHARED_KEYS = 8 };
#define ROUNDS (KRI_SLOWED ? 300 : 3000)

typedef struct dict_world {
    kr_manager *manager;
    kr_dict *dict;
    kr_word popped;
} dict_world;

static dict_world *world_create(void)
{
    dict_world *w = party_world(sizeof *w);
    CHECK_EQ(kr_manager_open(&w->manager, NULL, NULL), 0);
    CHECK_EQ(kr_dict_open(&w->dict, w->manager, "d"), 0);
    return w;
}

static void world_end(dict_world *w)
{
    kr_dict_release(w->dict);
    kr_manager_release(w->manager);
    party_world_free(w, sizeof *w);
}

static int64_t number_of(dict_world *w, const char *key)
{
    int64_t number = 0;
    CHECK_EQ(kr_dict_get_int(w->dict, key, &number), 0);
    return number;
}

static int add_one(kr_dict_value *now, void *arg)
{
    char *text = arg;
    int64_t number = now->value != NULL ? strtoll(now->value, NULL, 10) : 0;
    int size = snprintf(text, 32, "%lld", (long long)number + 1);
    *now = (kr_dict_value){text, (size_t)size};
    return 0;
}

static void count(void *arg, int index)
{
    dict_world *w = arg;
    char own[16], text[32];
    snprintf(own, sizeof own, "own %d", index);
    for (int i = 1; i <= ROUNDS; i++) {
        CHECK_EQ(kr_dict_set_int(w->dict, own, i), 0);
        CHECK_EQ(kr_dict_add(w->dict, "sum", 3, 1, NULL), 0);
        CHECK_EQ(kr_dict_update(w->dict, "updated", 7, add_one, text), 0);
        CHECK_EQ(number_of(w, own), i);
        if (i % 64 == 0)
            CHECK_GE(kr_dict_length(w->dict), 3);
    }
}

/* test_dict of the shared types: each in its own place, and all in one. */
PARTY_TEST(test_dict_counted_by_many)
{
    dict_world *w = world_create();
    party_join(party_start(PARTIES, count, w));
    CHECK_EQ(number_of(w, "sum"), PARTIES * ROUNDS);
    CHECK_EQ(number_of(w, "updated"), PARTIES * ROUNDS);
    CHECK_EQ(kr_dict_length(w->dict), PARTIES + 2);
    world_end(w);
}

/* Every other one brings keys, the rest take whatever is there. */
static void bring_or_take(void *arg, int index)
{
    dict_world *w = arg;
    if (index % 2 == 0) {
        for (int i = 0; i < ROUNDS; i++) {
            static const char value[200];
            int key[2] = {index, i};
            CHECK_EQ(kr_dict_set(w->dict, key, sizeof key, value, (size_t)(i % 200)), 0);
        }
        return;
    }
    while (kri_load_acq(&w->popped) < PARTIES / 2 * ROUNDS) {
        kr_dict_item *item = NULL;
        int err = kr_dict_popitem(w->dict, &item);
        CHECK(err == 0 || err == -ENOENT);
        if (err == 0)
            kri_add_sc(&w->popped, 1);
        else
            party_nap();
        free(item);
    }
}

PARTY_TEST(test_dict_popped_by_many)
{
    dict_world *w = world_create();
    party_join(party_start(PARTIES, bring_or_take, w));
    CHECK_EQ(kri_load_acq(&w->popped), PARTIES / 2 * ROUNDS);
    CHECK_EQ(kr_dict_length(w->dict), 0);
    world_end(w);
}

/* The sum over all keys never changes: batches and snapshots are of one instant. */
static void move(void *arg, int index)
{
    dict_world *w = arg;
    uint64_t random = (uint64_t)index * 7919 + 1;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        char from = (char)('a' + (random >> 33) % SHARED_KEYS);
        char to = (char)('a' + (random >> 43) % SHARED_KEYS);
        kr_dict_operation ops[] = {
            {.verb = KR_DICT_ADD, .key = &from, .key_size = 1, .number = -i},
            {.verb = KR_DICT_ADD, .key = &to, .key_size = 1, .number = i},
        };
        CHECK_EQ(kr_dict_batch(w->dict, ops, 2), 0);
        CHECK_EQ(ops[0].result | ops[1].result, 0);
    }
}

static void check_sum(dict_world *w)
{
    KR_AUTO(kr_dict_items) *items = NULL;
    int64_t sum = 0;
    CHECK_EQ(kr_dict_snapshot(w->dict, &items), 0);
    for (size_t i = 0; i < kr_dict_items_count(items); i++)
        sum += strtoll(kr_dict_items_at(items, i)->value, NULL, 10);
    CHECK_EQ(sum, 0);
}

PARTY_TEST(test_dict_batches_by_many)
{
    dict_world *w = world_create();
    party_bunch *bunch = party_start(PARTIES, move, w);
    while (party_finished(bunch) < PARTIES) {
        check_sum(w);
        party_nap();
    }
    party_join(bunch);
    check_sum(w);
    world_end(w);
}

/* Cleared, opened and taken away meanwhile. */
static void open_and_delete(void *arg, int index)
{
    dict_world *w = arg;
    for (int i = 0; i < ROUNDS / 10; i++) {
        kr_dict *d = NULL;
        int key = i;
        CHECK_EQ(kr_dict_open(&d, w->manager, index % 2 == 0 ? "even" : "odd"), 0);
        int err = kr_dict_set(d, &key, sizeof key, &key, sizeof key);
        CHECK(err == 0 || err == -ESTALE);
        if (i % 3 == 0) {
            err = kr_manager_delete(w->manager, kr_dict_name(d));
            CHECK(err == 0 || err == -ENOENT);
        } else if (i % 3 == 1) {
            err = kr_dict_clear(d);
            CHECK(err == 0 || err == -ESTALE);
        }
        kr_dict_release(d);
    }
}

PARTY_TEST(test_dict_opened_and_deleted_by_many)
{
    dict_world *w = world_create();
    party_join(party_start(PARTIES, open_and_delete, w));
    (void)kr_manager_delete(w->manager, "even");
    (void)kr_manager_delete(w->manager, "odd");
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_trim(w->manager), 0);
    CHECK_EQ(kr_manager_read_statistics(w->manager, &s), 0);
    CHECK_EQ(s.objects, 1);
    CHECK_EQ(s.deaths, 0);
    CHECK_LE(s.used, 16 * 4096);
    world_end(w);
}
