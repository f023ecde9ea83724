/* Damaged memory: whatever stands there, each call answers in time, and nobody follows it out of
 * the segment.
 *
 * Each round changes one word, or some, and then makes each kind of call.  The answers do not
 * matter: a process that runs away, or is killed by a touch, does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "manager/help.h"
#include "sync/internal.h"
#include <krait/krait.h>
#include <stdlib.h>

enum { LIMIT = 2 << 20, KEYS = 40, ITEMS = 300, ARRAY = 50, HEAD = 128, BUFFER = 4096 };
#define ROUNDS (KRI_SLOWED ? 300 : 1500)

typedef struct things {
    kr_manager *manager;
    kr_dict *dict;
    kr_list *list;
    kr_set *set;
    kr_managed_value *value, *number;
    kr_managed_array *array;
    kr_queue *queue;
    kr_managed_lock *lock;
    kr_managed_rlock *rlock;
    kr_managed_condition *condition;
    kr_managed_semaphore *semaphore;
    kr_managed_event *event;
    kr_managed_barrier *barrier;
} things;

static void open_all(things *t)
{
    kr_manager *m = t->manager;
    CHECK_EQ(kr_dict_open(&t->dict, m, "dict"), 0);
    CHECK_EQ(kr_list_open(&t->list, m, "list"), 0);
    CHECK_EQ(kr_set_open(&t->set, m, "set"), 0);
    CHECK_EQ(kr_managed_value_open(&t->value, m, "value", 24, NULL), 0);
    CHECK_EQ(kr_managed_value_open(&t->number, m, "number", 8, NULL), 0);
    CHECK_EQ(kr_managed_array_open(&t->array, m, "array", 8, ARRAY, NULL), 0);
    CHECK_EQ(kr_manager_queue(&t->queue, m, "queue", 8, 10, NULL), 0);
    CHECK_EQ(kr_managed_lock_open(&t->lock, m, "lock"), 0);
    CHECK_EQ(kr_managed_rlock_open(&t->rlock, m, "rlock"), 0);
    CHECK_EQ(kr_managed_condition_open(&t->condition, m, "condition"), 0);
    CHECK_EQ(kr_managed_semaphore_open(&t->semaphore, m, "semaphore", 1, 2), 0);
    CHECK_EQ(kr_managed_event_open(&t->event, m, "event"), 0);
    CHECK_EQ(kr_managed_barrier_open(&t->barrier, m, "barrier", 2), 0);
}

static void release_all(things *t)
{
    kr_dict_release(t->dict);
    kr_list_release(t->list);
    kr_set_release(t->set);
    kr_managed_value_release(t->value);
    kr_managed_value_release(t->number);
    kr_managed_array_release(t->array);
    kr_queue_release(t->queue);
    kr_managed_lock_close(t->lock);
    kr_managed_rlock_close(t->rlock);
    kr_managed_condition_close(t->condition);
    kr_managed_semaphore_close(t->semaphore);
    kr_managed_event_close(t->event);
    kr_managed_barrier_close(t->barrier);
    kr_manager_release(t->manager);
}

static void fill(things *t)
{
    static const char bytes[3000];
    for (uint32_t k = 0; k < KEYS; k++)
        CHECK_EQ(kr_dict_set(t->dict, &k, sizeof k, bytes, k == 7 ? sizeof bytes : k), 0);
    for (uint32_t i = 0; i < ITEMS; i++)
        CHECK_EQ(kr_list_append(t->list, bytes, i == 70 ? sizeof bytes : i % 20), 0);
    CHECK_EQ(kr_set_add(t->set, "member", 6), 1);
}

static int look_at(const kr_dict_item *item, void *arg)
{
    (void)arg;
    return item->key == NULL;
}

/* Calls */

static void use_dict(kr_dict *d)
{
    unsigned char found[BUFFER];
    size_t size;
    for (uint32_t k = 0; k < KEYS; k += 3) {
        (void)!kr_dict_get(d, &k, sizeof k, found, sizeof found, &size);
        (void)!kr_dict_set(d, &k, sizeof k, found, k * 3);
        (void)!kr_dict_delete(d, &k, sizeof k);
        (void)!kr_dict_setdefault(d, &k, sizeof k, "x", 1, found, sizeof found, &size);
    }
    KR_AUTO(kr_dict_items) *items = NULL;
    kr_dict_item *item = NULL;
    (void)!kr_dict_snapshot(d, &items);
    (void)!kr_dict_each(d, look_at, NULL);
    if (kr_dict_popitem(d, &item) == 0)
        free(item);
    (void)!kr_dict_length(d);
    (void)!kr_dict_clear(d);
}

static void use_list(kr_list *l)
{
    unsigned char found[BUFFER];
    size_t size;
    KR_AUTO(kr_items) *items = NULL;
    (void)!kr_list_length(l);
    (void)!kr_list_append(l, "one", 3);
    (void)!kr_list_append_left(l, "two", 3);
    (void)!kr_list_get(l, 70, found, sizeof found, &size);
    (void)!kr_list_set(l, 71, "three", 5);
    (void)!kr_list_insert(l, 30, "four", 4);
    (void)!kr_list_insert(l, -30, "five", 4);
    (void)!kr_list_delete(l, 40);
    (void)!kr_list_count(l, "one", 3);
    (void)!kr_list_remove(l, "one", 3);
    (void)!kr_list_slice(l, 0, INT64_MAX, &items);
    (void)!kr_list_extend(l, (kr_bytes[]){{"six", 3}, {"seven", 5}}, 2);
    (void)!kr_list_reverse(l);
    (void)!kr_list_sort(l, NULL, NULL);
    for (int i = 0; i < 100; i++) {
        (void)!kr_list_pop(l, found, sizeof found, &size);
        (void)!kr_list_pop_left(l, found, sizeof found, &size);
    }
    (void)!kr_list_clear(l);
    (void)!kr_list_append(l, "one", 3);
}

static void use_values(things *t)
{
    unsigned char bytes[24] = {0};
    uint64_t items[ARRAY];
    KR_AUTO(kr_managed_value) *again = NULL;
    KR_AUTO(kr_managed_array) *array = NULL;
    (void)!kr_managed_value_get(t->value, bytes);
    (void)!kr_managed_value_set(t->value, bytes);
    (void)!kr_managed_value_compare_and_set(t->value, bytes, bytes);
    (void)!kr_managed_value_add(t->number, 3, NULL);
    (void)!kr_managed_array_get(t->array, 0, ARRAY, items);
    (void)!kr_managed_array_set(t->array, 0, ARRAY, items);
    if (kr_managed_value_open(&again, t->manager, "value", 0, NULL) == 0) {
        CHECK_LE(kr_managed_value_size(again), 4 * LIMIT);
        void *all = malloc(kr_managed_value_size(again) + 1);
        (void)!kr_managed_value_get(again, all);
        (void)!kr_managed_value_set(again, all);
        free(all);
    }
    if (kr_managed_array_open(&array, t->manager, "array", 0, 0, NULL) == 0) {
        size_t length = kr_managed_array_length(array), size = kr_managed_array_item_size(array);
        CHECK(size == 0 || length <= 4 * LIMIT / size);
        void *all = malloc(length * size + 1);
        (void)!kr_managed_array_get(array, 0, length, all);
        (void)!kr_managed_array_set(array, 0, length, all);
        free(all);
    }
}

/* A lock's own words are its own affair: see docs/manager.md. */
static void use_locks(things *t)
{
    if (kr_managed_lock_acquire(t->lock, KR_NOWAIT) >= 0)
        (void)kr_managed_lock_release(t->lock);
    (void)kr_managed_lock_locked(t->lock);
    if (kr_managed_rlock_acquire(t->rlock, KR_NOWAIT) >= 0)
        (void)kr_managed_rlock_release(t->rlock);
    if (kr_managed_condition_acquire(t->condition, KR_NOWAIT) >= 0) {
        (void)!kr_managed_condition_notify_all(t->condition);
        (void)kr_managed_condition_release(t->condition);
    }
    (void)kr_managed_semaphore_value(t->semaphore);
    (void)!kr_managed_event_set(t->event);
    (void)!kr_managed_event_wait(t->event, KR_NOWAIT);
    (void)kr_managed_barrier_broken(t->barrier);
}

static void use_queue(kr_queue *q)
{
    uint64_t item = 0;
    (void)kr_queue_qsize(q);
    (void)!kr_queue_put(q, &item, KR_NOWAIT);
    (void)!kr_queue_get(q, &item, KR_NOWAIT);
}

static int note_name(const char *name, kr_manager_kind kind, void *arg)
{
    (void)kind, (void)arg;
    return name == NULL;
}

static void use_all(things *t)
{
    static const char *const names[] = {"dict", "list", "set", "value", "array", "queue", "lock"};
    kr_manager_statistics s;
    use_dict(t->dict);
    use_list(t->list);
    use_values(t);
    use_locks(t);
    use_queue(t->queue);
    (void)!kr_set_add(t->set, "other", 5);
    (void)!kr_manager_each(t->manager, note_name, NULL);
    (void)!kr_manager_read_statistics(t->manager, &s);
    (void)kr_manager_trim(t->manager);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)kr_manager_delete(t->manager, names[i]);
    (void)kr_manager_trim(t->manager);
}

/* Damage */

static uint64_t bad_word(uint64_t old, uint64_t *random)
{
    uint64_t number = kri_test_random(random);
    switch (number % 8) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return old + 1;
    case 3:
        return old ^ UINT64_C(1) << (number >> 8) % 64;
    case 4:
        return (number >> 8) % (3 * LIMIT);
    case 5:
        return (number >> 8) % (3 * LIMIT) & ~UINT64_C(15);
    default:
        return kri_test_random(random) >> (number >> 8) % 64;
    }
}

/* Most words are 0 and nobody looks there. */
static void damage(uint64_t *words, uint64_t bytes, uint64_t *random)
{
    uint64_t at;
    do
        at = (HEAD + kri_test_random(random) % (bytes - HEAD)) / 8;
    while (words[at] == 0 && kri_test_random(random) % 64 != 0);
    words[at] = bad_word(words[at], random);
}

static void one_round(uint64_t *random)
{
    const kr_manager_options options = {.timeout = kr_us(200), .limit = LIMIT};
    KR_AUTO(kr_shared_memory) *memory = NULL;
    things t = {.manager = NULL};
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_open(&t.manager, NULL, &options), 0);
    open_all(&t);
    fill(&t);
    CHECK_EQ(kr_manager_read_statistics(t.manager, &s), 0);
    CHECK_EQ(kr_shared_memory_attach_descriptor(&memory, kr_manager_descriptor(t.manager)), 0);
    for (uint64_t i = kri_test_random(random) % 4; i < 4; i++)
        damage(kr_shared_memory_data(memory), s.fixed + s.used, random);
    use_all(&t);
    release_all(&t);
}

TEST(managers_of_damaged_memory_answer)
{
    uint64_t random = kri_test_seed();
    for (int round = 0; round < ROUNDS; round++)
        one_round(&random);
}

/* Conditions, semaphores and barriers, each word of which is damaged in turn.  All that is theirs:
 * what has changed as they were made, and is no administration. */

enum { LINE = 64, BODY_LINES = 32 };

typedef struct bodies {
    uint64_t *words;
    size_t lines[BODY_LINES]; /* numbers of words */
    size_t count;
} bodies;

static void note_changes(bodies *b, const uint64_t *before, uint64_t first, uint64_t end)
{
    for (uint64_t at = first; at < end && b->count < BODY_LINES; at += LINE)
        if (memcmp((const char *)before + at, (const char *)b->words + at, LINE) != 0)
            b->lines[b->count++] = at / sizeof *b->words;
}

static void use_bodies(things *t)
{
    kr_time little = kr_us(50);
    if (kr_managed_condition_acquire(t->condition, little) >= 0) {
        (void)!kr_managed_condition_wait(t->condition, little);
        (void)!kr_managed_condition_notify(t->condition, 1);
        (void)!kr_managed_condition_notify_all(t->condition);
        (void)kr_managed_condition_release(t->condition);
    }
    for (int i = 0; i < 3; i++)
        (void)!kr_managed_semaphore_acquire(t->semaphore, i == 0 ? KR_NOWAIT : little);
    (void)kr_managed_semaphore_release(t->semaphore, 1);
    (void)kr_managed_semaphore_value(t->semaphore);
    (void)!kr_managed_barrier_wait(t->barrier, little);
    (void)kr_managed_barrier_reset(t->barrier);
    (void)!kr_managed_barrier_wait(t->barrier, KR_NOWAIT);
    (void)kr_managed_barrier_abort(t->barrier);
    (void)kr_managed_barrier_n_waiting(t->barrier);
    (void)kr_manager_delete(t->manager, "condition");
    (void)kr_manager_delete(t->manager, "semaphore");
    (void)kr_manager_delete(t->manager, "barrier");
}

static void open_bodies(things *t)
{
    CHECK_EQ(kr_managed_condition_open(&t->condition, t->manager, "condition"), 0);
    CHECK_EQ(kr_managed_semaphore_open(&t->semaphore, t->manager, "semaphore", 1, 2), 0);
    CHECK_EQ(kr_managed_barrier_open(&t->barrier, t->manager, "barrier", 2), 0);
}

/* A lock that a living process seems to have is held, for as long as it likes. */
static bool is_lock_held(uint64_t word)
{
    return (word & KRI_LOCK_SHARED) && (word & (KRI_LOCK_SHARED - 1));
}

/* Damages the n-th word of theirs; false: there is none. */
static bool damage_body(size_t n, uint64_t *random)
{
    const kr_manager_options options = {.timeout = kr_us(200), .limit = LIMIT};
    KR_AUTO(kr_shared_memory) *memory = NULL;
    things t = {.manager = NULL};
    kr_manager_statistics s;
    CHECK_EQ(kr_manager_open(&t.manager, NULL, &options), 0);
    CHECK_EQ(kr_managed_event_open(&t.event, t.manager, "event"), 0);
    CHECK_EQ(kr_manager_read_statistics(t.manager, &s), 0);
    CHECK_EQ(kr_shared_memory_attach_descriptor(&memory, kr_manager_descriptor(t.manager)), 0);
    bodies b = {.words = kr_shared_memory_data(memory)};
    uint64_t first = (s.fixed + LINE - 1) / LINE * LINE, end = s.fixed + s.used;
    uint64_t *before = malloc(end);
    memcpy(before, b.words, end);
    open_bodies(&t);
    note_changes(&b, before, first, end);
    free(before);
    CHECK_GE(b.count, 3);
    bool there = n / (LINE / 8) < b.count;
    if (there) {
        uint64_t *word = &b.words[b.lines[n / (LINE / 8)] + n % (LINE / 8)];
        uint64_t bad = bad_word(*word, random);
        if (!is_lock_held(bad))
            *word = bad;
        use_bodies(&t);
    }
    release_all(&t);
    return there;
}

TEST(damaged_conditions_semaphores_and_barriers_answer)
{
    enum { TURNS = KRI_SANITIZED ? 3 : 12 };
    uint64_t random = kri_test_seed();
    for (int turn = 0; turn < TURNS; turn++)
        for (size_t n = 0; damage_body(n, &random); n++)
            continue;
}
