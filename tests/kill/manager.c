/* Processes are killed while they use dicts of one manager, and what is there is compared with what
 * they were told was done.
 *
 * Each has keys of its own, notes in common memory what it is about to do with which, and after the
 * call that it is done.  So after a kill each of its keys is as it was noted last, but for the one
 * that it was at, which may be as it was before or after.  Besides, all move amounts between
 * accounts by batches, of which the sum never changes, and count in one number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kill/kill.h"

enum { VICTIMS = 3, KEYS = 48, ACCOUNTS = 16, BYTES = 4000, EVERY = 64 };

/* What one of them has done; 0: the key is not there, else the number in its value. */
typedef struct record {
    uint64_t states[KEYS];
    kri_word64 key;          /* 1 + the key that it is at; 0: none */
    kri_word64 next;         /* what that is to be */
    kri_word64 begun, added; /* how often it has begun to count, and has counted */
    uint64_t number;
} record;

typedef struct manager_world {
    kr_manager *manager;
    kr_dict *dict;     /* of own keys */
    kr_dict *accounts; /* and of what is common */
    kr_dict *scratch;  /* and of what is cleared */
    kr_word calls, wrong;
    record records[VICTIMS];
} manager_world;

static size_t size_for(uint64_t number)
{
    return sizeof number + (number % 7 == 0 ? BYTES / 2 + number % 1000 : number * 37 % 300);
}

static void fill(unsigned char *value, uint64_t number)
{
    memset(value, (int)(number & 255), size_for(number));
    memcpy(value, &number, sizeof number);
}

static size_t name_key(char *text, int index, uint64_t key)
{
    return (size_t)snprintf(text, 32, "%d key %d", index, (int)key);
}

static void count_wrong(manager_world *w, bool wrong)
{
    kri_add_rlx(&w->wrong, wrong);
    kri_add_rlx(&w->calls, 1);
}

static void change_key(manager_world *w, int index, uint64_t *random)
{
    record *r = &w->records[index];
    unsigned char value[BYTES];
    char text[32];
    uint64_t key = party_random_below(random, KEYS);
    bool away = r->states[key] != 0 && party_random_below(random, 3) == 0;
    uint64_t next = away ? 0 : ++r->number;
    size_t length = name_key(text, index, key);
    kri_store_rel64(&r->next, next);
    kri_store_rel64(&r->key, key + 1);
    fill(value, next);
    int err = away ? kr_dict_delete(w->dict, text, length)
                   : kr_dict_set(w->dict, text, length, value, size_for(next));
    r->states[key] = next;
    kri_store_rel64(&r->key, 0);
    count_wrong(w, err != 0);
}

static void count(manager_world *w, int index)
{
    record *r = &w->records[index];
    kri_add_rel64(&r->begun, 1);
    int err = kr_dict_add(w->accounts, "count", 5, 1, NULL);
    kri_add_rel64(&r->added, 1);
    count_wrong(w, err != 0);
}

static void move(manager_world *w, uint64_t *random)
{
    int64_t amount = (int64_t)party_random_below(random, 100);
    char from = (char)('a' + party_random_below(random, ACCOUNTS));
    char to = (char)('a' + party_random_below(random, ACCOUNTS));
    kr_dict_operation ops[] = {
        {.verb = KR_DICT_ADD, .key = &from, .key_size = 1, .number = -amount},
        {.verb = KR_DICT_ADD, .key = &to, .key_size = 1, .number = amount},
    };
    count_wrong(w, kr_dict_batch(w->accounts, ops, 2) != 0);
}

static void scratch(manager_world *w, uint64_t *random)
{
    unsigned what = party_random_below(random, 40);
    uint32_t key = party_random_below(random, 500);
    kr_dict_item *item = NULL;
    int err = 0;
    if (what == 0) {
        err = kr_dict_clear(w->scratch);
    } else if (what < 4) {
        err = kr_dict_popitem(w->scratch, &item);
        err = err == -ENOENT ? 0 : err;
        free(item);
    } else {
        err = kr_dict_set(w->scratch, &key, sizeof key, &key, sizeof key);
    }
    count_wrong(w, err != 0);
}

static void use_for_ever(void *arg, int index)
{
    manager_world *w = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    struct timespec moment = {0, 20000};
    for (;;) {
        unsigned what = party_random_below(&random, 8);
        if (what < 4)
            change_key(w, index, &random);
        else if (what == 4)
            count(w, index);
        else if (what == 5)
            move(w, &random);
        else
            scratch(w, &random);
        if (party_random_below(&random, 64) == 0)
            nanosleep(&moment, NULL); /* leaves the processor to the killer */
    }
}

/* The number in the value; 0: it is not there. */
static uint64_t state_of(manager_world *w, int index, uint64_t key)
{
    unsigned char value[BYTES], wanted[BYTES];
    char text[32];
    size_t size = 0;
    uint64_t number = 0;
    int err = kr_dict_get(w->dict, text, name_key(text, index, key), value, sizeof value, &size);
    if (err == -ENOENT)
        return 0;
    CHECK_EQ(err, 0);
    CHECK_GE(size, sizeof number);
    memcpy(&number, value, sizeof number);
    CHECK_EQ(size, size_for(number));
    fill(wanted, number);
    CHECK(memcmp(value, wanted, size) == 0);
    return number;
}

/* Of one who is dead.  True: it was in the middle of a call on a key. */
static bool check_record(manager_world *w, int index)
{
    record *r = &w->records[index];
    uint64_t at = kri_load_acq64(&r->key), next = kri_load_acq64(&r->next);
    for (uint64_t key = 0; key < KEYS; key++) {
        uint64_t is = state_of(w, index, key);
        bool right = is == r->states[key] || (at == key + 1 && is == next);
        if (!right)
            kri_test_fail(__FILE__, __LINE__, "key %d of %d is %ju, not %ju or %ju (at %ju)",
                          (int)key, index, (uintmax_t)is, (uintmax_t)r->states[key],
                          (uintmax_t)next, (uintmax_t)at);
        r->states[key] = is;
    }
    r->number = r->number > next ? r->number : next;
    kri_store_rel64(&r->key, 0);
    return at != 0;
}

static void check_accounts(manager_world *w)
{
    KR_AUTO(kr_dict_items) *items = NULL;
    int64_t sum = 0;
    uint64_t begun = 0, added = 0;
    for (int i = 0; i < VICTIMS; i++)
        added += kri_load_acq64(&w->records[i].added);
    CHECK_EQ(kr_dict_snapshot(w->accounts, &items), 0);
    for (int i = 0; i < VICTIMS; i++)
        begun += kri_load_acq64(&w->records[i].begun);
    for (size_t i = 0; i < kr_dict_items_count(items); i++) {
        const kr_dict_item *item = kr_dict_items_at(items, i);
        int64_t number = strtoll(item->value, NULL, 10);
        if (item->key_size == 1) {
            sum += number;
        } else {
            CHECK_GE(number, added);
            CHECK_LE(number, begun);
        }
    }
    CHECK_EQ(sum, 0);
}

static manager_world *world_create(void)
{
    manager_world *w = party_world(sizeof *w);
    CHECK_EQ(kr_manager_open(&w->manager, NULL, NULL), 0);
    CHECK_EQ(kr_dict_open(&w->dict, w->manager, "keys"), 0);
    CHECK_EQ(kr_dict_open(&w->accounts, w->manager, "accounts"), 0);
    CHECK_EQ(kr_dict_open(&w->scratch, w->manager, "scratch"), 0);
    return w;
}

static kr_manager_statistics statistics_of(manager_world *w)
{
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_trim(w->manager), 0);
    CHECK_EQ(kr_manager_read_statistics(w->manager, &s), 0);
    return s;
}

static void world_end(manager_world *w, const kill_run *run, long inside, uint64_t empty)
{
    check_accounts(w);
    CHECK_EQ(kr_dict_clear(w->dict), 0);
    CHECK_EQ(kr_dict_clear(w->accounts), 0);
    CHECK_EQ(kr_dict_clear(w->scratch), 0);
    kr_manager_statistics s = statistics_of(w);
    CHECK_EQ(s.used, empty);
    CHECK_EQ(kri_load_acq(&w->wrong), 0);
    kri_test_note("%d kills, %ld inside a call on a key, %ju with a lock, %ju undone; %u calls, "
                  "the next after %.1f ms at most",
                  run->kills, inside, (uintmax_t)s.deaths, (uintmax_t)s.undone,
                  kri_load_rlx(&w->calls), (double)run->slowest / 1e6);
    kr_dict_release(w->dict);
    kr_dict_release(w->accounts);
    kr_dict_release(w->scratch);
    kr_manager_release(w->manager);
    party_world_free(w, sizeof *w);
}

PARTY_TEST_OF(test_kill_manager_users, processes)
{
    manager_world *w = world_create();
    uint64_t empty = statistics_of(w).used;
    kill_run run = kill_begin(VICTIMS, use_for_ever, w);
    long inside = 0;
    while (kill_goes_on(&run)) {
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        kr_time start = kr_now();
        inside += check_record(w, victim);
        kill_took(&run, start);
        if (run.kills % EVERY == 0)
            check_accounts(w);
        kill_await_progress(&w->calls, kri_load_acq(&w->calls), "the others");
        kill_replace(&run, victim);
        CHECK_EQ(kri_load_acq(&w->wrong), 0);
    }
    kill_end(&run);
    for (int i = 0; i < VICTIMS; i++)
        (void)check_record(w, i);
    world_end(w, &run, inside, empty);
}
