/* Processes are killed while they use a manager's list, values and array.
 *
 * What is in the list are tokens, of which each victim has some of its own, and a common table says
 * for each whether it is in the list, as far as the calls have returned.  Now and then all victims
 * are killed, and the list is compared with that: a token whose call had returned is where it
 * belongs, one whose call had not is there or not, and nothing is there twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kill/kill.h"
#include <krait/list.h>
#include <krait/managed.h>

enum { VICTIMS = 3, OWN = 64, TOKENS = VICTIMS * OWN, BETWEEN_CHECKS = 8, TRIPLE = 3, LENGTH = 40 };

enum token_state { OUT, GOING_IN, IN, GOING_OUT };

typedef struct list_world {
    kr_manager *manager;
    kr_list *list;
    kr_managed_value *count, *triple;
    kr_managed_array *array;
    kr_word tokens[TOKENS];    /* token_state */
    kr_word popping[VICTIMS];  /* it is in a pop: one token may be gone with it */
    kri_word64 begun[VICTIMS]; /* additions to the count */
    kri_word64 done[VICTIMS];  /* and those that have returned */
    kr_word calls, wrong, checks;
    uint64_t empty;
} list_world;

static void wrong_if(list_world *w, bool wrong)
{
    if (wrong)
        kri_add_rlx(&w->wrong, 1);
}

/* Tokens */

/* One of the victim's own in that state; TOKENS: none. */
static uint32_t own_token(list_world *w, int index, uint64_t *random, uint32_t state)
{
    uint32_t from = party_random_below(random, OWN);
    for (uint32_t i = 0; i < OWN; i++) {
        uint32_t token = (uint32_t)index * OWN + (from + i) % OWN;
        if (kri_load_acq(&w->tokens[token]) == state)
            return token;
    }
    return TOKENS;
}

/* Unless somebody has taken it out again already. */
static void is_in(list_world *w, uint32_t token)
{
    uint32_t seen = GOING_IN;
    (void)kri_cas_acq_rel(&w->tokens[token], &seen, IN);
}

static void put_in(list_world *w, int index, uint64_t *random)
{
    uint32_t token = own_token(w, index, random, OUT);
    if (token == TOKENS)
        return;
    kri_store_rel(&w->tokens[token], GOING_IN);
    int err;
    switch (party_random_below(random, 3)) {
    case 0:
        err = kr_list_append(w->list, &token, sizeof token);
        break;
    case 1:
        err = kr_list_append_left(w->list, &token, sizeof token);
        break;
    default:
        err = kr_list_insert(w->list, party_random_below(random, TOKENS), &token, sizeof token);
    }
    wrong_if(w, err != 0);
    is_in(w, token);
}

static void put_two_in(list_world *w, int index, uint64_t *random)
{
    uint32_t tokens[2];
    kr_bytes items[2];
    for (int i = 0; i < 2; i++) {
        tokens[i] = own_token(w, index, random, OUT);
        if (tokens[i] == TOKENS)
            return; /* the other one is told by the next check */
        kri_store_rel(&w->tokens[tokens[i]], GOING_IN);
        items[i] = (kr_bytes){&tokens[i], sizeof tokens[i]};
    }
    wrong_if(w, kr_list_extend(w->list, items, 2) != 0);
    is_in(w, tokens[0]);
    is_in(w, tokens[1]);
}

static void pop_one(list_world *w, int index, uint64_t *random)
{
    uint32_t token = TOKENS;
    size_t size = 0;
    kri_store_rel(&w->popping[index], 1);
    int err = party_random_below(random, 2) == 0
                  ? kr_list_pop(w->list, &token, sizeof token, &size)
                  : kr_list_pop_left(w->list, &token, sizeof token, &size);
    wrong_if(w, err != 0 && err != -ENOENT);
    if (err == 0 && (size != sizeof token || token >= TOKENS))
        wrong_if(w, true);
    else if (err == 0)
        wrong_if(w, kri_swap_acq_rel(&w->tokens[token], OUT) == OUT);
    kri_store_rel(&w->popping[index], 0);
}

static void remove_one(list_world *w, int index, uint64_t *random)
{
    uint32_t token = own_token(w, index, random, IN), seen = IN;
    if (token == TOKENS || !kri_cas_acq_rel(&w->tokens[token], &seen, GOING_OUT))
        return;
    int err = kr_list_remove(w->list, &token, sizeof token);
    wrong_if(w, err != 0 && err != -ENOENT);
    if (err == 0) /* else somebody has popped it, and says so */
        kri_store_rel(&w->tokens[token], OUT);
}

/* Numbers */

static void add_one(list_world *w, int index)
{
    kri_store_rel64(&w->begun[index], kri_load_rlx64(&w->begun[index]) + 1);
    wrong_if(w, kr_managed_value_add(w->count, 1, NULL) != 0);
    kri_store_rel64(&w->done[index], kri_load_rlx64(&w->done[index]) + 1);
}

static void use_triple(list_world *w, uint64_t *random)
{
    int64_t triple[TRIPLE];
    wrong_if(w, kr_managed_value_get(w->triple, triple) != 0);
    wrong_if(w, triple[0] + triple[1] != triple[2]);
    triple[0] = party_random_below(random, 1000);
    triple[1] = party_random_below(random, 1000);
    triple[2] = triple[0] + triple[1];
    wrong_if(w, kr_managed_value_set(w->triple, triple) != 0);
}

/* All items of it are the same. */
static void use_array(list_world *w, uint64_t *random)
{
    int64_t items[LENGTH];
    wrong_if(w, kr_managed_array_get(w->array, 0, LENGTH, items) != 0);
    for (int i = 1; i < LENGTH; i++)
        wrong_if(w, items[i] != items[0]);
    for (int i = 0; i < LENGTH; i++)
        items[i] = i == 0 ? party_random_below(random, 1000) : items[0];
    wrong_if(w, kr_managed_array_set(w->array, 0, LENGTH, items) != 0);
}

static void use_for_ever(void *arg, int index)
{
    list_world *w = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    for (;; kri_add_rlx(&w->calls, 1)) {
        unsigned what = party_random_below(&random, 16);
        if (what < 5)
            put_in(w, index, &random);
        else if (what < 6)
            put_two_in(w, index, &random);
        else if (what < 9)
            pop_one(w, index, &random);
        else if (what < 11)
            remove_one(w, index, &random);
        else if (what < 12)
            wrong_if(w, party_random_below(&random, 2) == 0
                            ? kr_list_reverse(w->list) != 0
                            : kr_list_sort(w->list, NULL, NULL) != 0);
        else if (what < 14)
            add_one(w, index);
        else if (what < 15)
            use_triple(w, &random);
        else
            use_array(w, &random);
    }
}

/* Checks: all are dead */

static void count_tokens(list_world *w, int found[TOKENS])
{
    KR_AUTO(kr_items) *items = NULL;
    CHECK_EQ(kr_list_slice(w->list, 0, INT64_MAX, &items), 0);
    CHECK_EQ(kr_items_count(items), kr_list_length(w->list));
    for (size_t i = 0; i < kr_items_count(items); i++) {
        uint32_t token;
        CHECK_EQ(kr_items_at(items, i)->size, sizeof token);
        memcpy(&token, kr_items_at(items, i)->data, sizeof token);
        CHECK_LE(token, TOKENS - 1);
        found[token]++;
    }
}

static void check_tokens(list_world *w, int *may_be_gone)
{
    int found[TOKENS] = {0};
    count_tokens(w, found);
    for (int i = 0; i < TOKENS; i++) {
        uint32_t state = kri_load_acq(&w->tokens[i]);
        CHECK_LE(found[i], 1);
        if (state == OUT)
            CHECK_EQ(found[i], 0);
        if (state == IN && found[i] == 0)
            --*may_be_gone;
        kri_store_rel(&w->tokens[i], found[i] != 0 ? IN : OUT);
    }
    CHECK_GE(*may_be_gone, 0);
    *may_be_gone = 0;
}

static void check_numbers(list_world *w)
{
    int64_t count = 0, begun = 0, done = 0, triple[TRIPLE], items[LENGTH];
    CHECK_EQ(kr_managed_value_get(w->count, &count), 0);
    for (int i = 0; i < VICTIMS; i++) {
        begun += (int64_t)kri_load_acq64(&w->begun[i]);
        done += (int64_t)kri_load_acq64(&w->done[i]);
    }
    CHECK_LE(done, count);
    CHECK_LE(count, begun);
    for (int i = 0; i < VICTIMS; i++) { /* from here on it is known */
        kri_store_rel64(&w->begun[i], i == 0 ? (uint64_t)count : 0);
        kri_store_rel64(&w->done[i], i == 0 ? (uint64_t)count : 0);
    }
    CHECK_EQ(kr_managed_value_get(w->triple, triple), 0);
    CHECK_EQ(triple[0] + triple[1], triple[2]);
    CHECK_EQ(kr_managed_array_get(w->array, 0, LENGTH, items), 0);
    for (int i = 1; i < LENGTH; i++)
        CHECK_EQ(items[i], items[0]);
}

static void note_dead(list_world *w, int victim, int *may_be_gone)
{
    *may_be_gone += kri_load_acq(&w->popping[victim]) != 0;
    kri_store_rel(&w->popping[victim], 0);
}

static void check_all(list_world *w, kill_run *run, int *may_be_gone)
{
    for (int i = 0; i < VICTIMS; i++) {
        party_kill(run->bunch, i);
        run->kills++;
        note_dead(w, i, may_be_gone);
    }
    check_tokens(w, may_be_gone);
    check_numbers(w);
    kri_add_rlx(&w->checks, 1);
    for (int i = 0; i < VICTIMS; i++)
        kill_replace(run, i);
}

static void make_objects(list_world *w)
{
    CHECK_EQ(kr_list_open(&w->list, w->manager, "list"), 0);
    CHECK_EQ(kr_managed_value_open(&w->count, w->manager, "count", 8, NULL), 0);
    CHECK_EQ(kr_managed_value_open(&w->triple, w->manager, "triple", 8 * TRIPLE, NULL), 0);
    CHECK_EQ(kr_managed_array_open(&w->array, w->manager, "array", 8, LENGTH, NULL), 0);
}

/* Bytes that are used without the objects. */
static uint64_t delete_objects(list_world *w)
{
    kr_manager_statistics s;
    const char *const names[] = {"list", "count", "triple", "array"};
    kr_list_release(w->list);
    kr_managed_value_release(w->count);
    kr_managed_value_release(w->triple);
    kr_managed_array_release(w->array);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_manager_delete(w->manager, names[i]), 0);
    CHECK_EQ(kr_manager_trim(w->manager), 0);
    CHECK_EQ(kr_manager_read_statistics(w->manager, &s), 0);
    CHECK_EQ(s.objects, 0);
    return s.used;
}

static list_world *world_create(void)
{
    list_world *w = party_world(sizeof *w);
    CHECK_EQ(kr_manager_open(&w->manager, NULL, NULL), 0);
    make_objects(w);
    w->empty = delete_objects(w);
    make_objects(w);
    return w;
}

static void world_end(list_world *w, const kill_run *run)
{
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_read_statistics(w->manager, &s), 0);
    CHECK_EQ(kri_load_acq(&w->wrong), 0);
    kri_test_note("%d kills, %ju of them inside a call, %ju calls undone, %u calls, %u checks, the "
                  "next call after %.1f ms at most",
                  run->kills, (uintmax_t)s.deaths, (uintmax_t)s.undone, kri_load_rlx(&w->calls),
                  kri_load_rlx(&w->checks), (double)run->slowest / 1e6);
    if (kill_was_often(run))
        CHECK_GE(s.deaths, 1);
    CHECK_LE(delete_objects(w), w->empty);
    kr_manager_release(w->manager);
    party_world_free(w, sizeof *w);
}

PARTY_TEST_OF(test_kill_manager_list_users, processes)
{
    list_world *w = world_create();
    kill_run run = kill_begin(VICTIMS, use_for_ever, w);
    int may_be_gone = 0;
    for (int i = 1; kill_goes_on(&run); i++) {
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        note_dead(w, victim, &may_be_gone);
        kr_time start = kr_now();
        CHECK_GE(kr_list_length(w->list), 0);
        kill_took(&run, start);
        kill_await_progress(&w->calls, kri_load_acq(&w->calls), "the others");
        kill_replace(&run, victim);
        if (i % BETWEEN_CHECKS == 0)
            check_all(w, &run, &may_be_gone);
        CHECK_EQ(kri_load_acq(&w->wrong), 0);
    }
    check_all(w, &run, &may_be_gone);
    kill_end(&run);
    world_end(w, &run);
}
