/* Lists, values and arrays of a manager, under the death of a process at every point.
 *
 * The victim makes one call.  What is found after it is as before the call, or as after it, and
 * once everything is taken away no memory is missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/heap.h"
#include "manager/pages.h"
#include "manager/shared_list.h"
#include "manager/space_make.h"
#include "model/scenario.h"

enum { VICTIM = 1, OTHER = 2, LIMIT = 48 << 10, SIZE = 160 << 10 };

static struct {
    kri_space space;
    kri_shared_object list;
    uint64_t empty; /* what is used, see used() */
    uint64_t got;
    _Alignas(4096) unsigned char memory[SIZE];
} s;

static kri_shared_object open_object(const char *name, const kri_kind *kind, const void *arg)
{
    kri_shared_object o = {.space = &s.space};
    kr_explore_check(kri_directory_open(&s.space, name, kind, arg, &o.ref) >= 0);
    o.domain = kri_object_domain(&o.ref);
    return o;
}

/* How many blocks a page of a heap has given out; see heap.c for its head. */
static uint64_t blocks_of(uint64_t offset)
{
    const kri_word64 *head = kri_space_at(&s.space, offset);
    bool heap = kri_load_rlx64(&head[3]) >> 16 == UINT64_C(0x6b7270616765);
    return heap ? kri_load_rlx64(&head[0]) >> 16 & 0xffff : 1;
}

/* Blocks and pages. */
static uint64_t used(void)
{
    uint64_t count = 0;
    kr_explore_check(kri_graves_empty(&s.space, KRI_ALL_DOMAINS) == 0);
    for (unsigned d = 0; d < KRI_DOMAINS; d++) {
        kri_tx tx;
        kr_explore_check(kri_tx_begin(&tx, &s.space, UINT64_C(1) << d) == 0);
        kri_heap_trim(&tx, d);
        kr_explore_check(kri_tx_end(&tx) == 0);
    }
    for (uint64_t page = 0; page < s.space.chunks * KRI_CHUNK_PAGES; page++) {
        const kri_chunk *chunk = &s.space.table[page / KRI_CHUNK_PAGES];
        if (kri_load_rlx64(&chunk->used) >> page % KRI_CHUNK_PAGES & 1)
            count += 1000 + blocks_of(s.space.first + page * KRI_PAGE);
    }
    return count;
}

static void begin(void)
{
    kri_space_measures m;
    kr_explore_check(kri_space_measure(LIMIT, &m) == 0 && m.size <= sizeof s.memory);
    memset(&s, 0, offsetof(__typeof__(s), memory) + (size_t)m.size);
    kr_explore_check(
        kri_space_make(&s.space, s.memory, &m, 0600, -1, kr_sec(5), (uint64_t[]){1, 2}) == 0);
    (void)open_object("x", &kri_list_kind, NULL); /* the directory takes what it needs */
    kr_explore_check(kri_directory_drop(&s.space, "x") == 0);
    s.empty = used();
}

static void append(uint64_t value)
{
    kr_explore_check(kri_shared_list_append(&s.list, false, &value, sizeof value) == 0);
}

/* A list of 1 to count. */
static void fresh(int count)
{
    begin();
    s.list = open_object("x", &kri_list_kind, NULL);
    for (int i = 1; i <= count; i++)
        append((uint64_t)i);
}

static bool is(int count, const uint64_t *values)
{
    if (kri_shared_list_length(&s.list) != count)
        return false;
    for (int i = 0; i < count; i++) {
        uint64_t value = 0;
        size_t size;
        kr_explore_check(kri_shared_list_get(&s.list, i, &value, sizeof value, &size) == 0);
        if (size != sizeof value || value != values[i])
            return false;
    }
    return true;
}

static void end(void)
{
    kr_explore_check(kri_directory_drop(&s.space, "x") == 0);
    kr_explore_check(used() == s.empty);
}

/* The victim is over: the list is 1 to `before`, or what the call leaves; and goes on. */
static void check_dead(int before, int after, const uint64_t *values)
{
    uint64_t now[16] = {0}, value = 0;
    size_t size;
    for (int i = 0; i < before; i++)
        now[i] = (uint64_t)i + 1;
    kr_explore_join_all();
    if (!is(before, now)) {
        before = after;
        for (int i = 0; i < after; i++)
            now[i] = values[i];
        kr_explore_check(is(after, now));
    } else {
        kr_explore_check(!kr_explore_alive(VICTIM));
    }
    now[before] = 99;
    append(99);
    kr_explore_check(is(before + 1, now));
    kr_explore_check(kri_shared_list_pop(&s.list, false, &value, sizeof value, &size) == 0);
    kr_explore_check(value == 99);
    end();
}

/* One call of the victim's */

static void append_77(void *arg)
{
    (void)arg;
    append(77);
}

static void append_left_77(void *arg)
{
    uint64_t value = 77;
    (void)arg;
    kr_explore_check(kri_shared_list_append(&s.list, true, &value, sizeof value) == 0);
}

static void pop(void *arg)
{
    size_t size;
    kr_explore_check(kri_shared_list_pop(&s.list, arg != NULL, &s.got, sizeof s.got, &size) == 0);
}

static void set_77(void *arg)
{
    uint64_t value = 77;
    (void)arg;
    kr_explore_check(kri_shared_list_set(&s.list, 1, &value, sizeof value) == 0);
}

static void insert_77(void *arg)
{
    uint64_t value = 77;
    kr_explore_check(kri_shared_list_insert(&s.list, *(int *)arg, &value, sizeof value) == 0);
}

static void take_out(void *arg)
{
    kr_explore_check(kri_shared_list_take_out(&s.list, *(int *)arg) == 0);
}

static void extend_two(void *arg)
{
    uint64_t values[] = {77, 78};
    const kr_bytes items[] = {{&values[0], sizeof values[0]}, {&values[1], sizeof values[1]}};
    (void)arg;
    kr_explore_check(kri_shared_list_extend(&s.list, items, 2) == 0);
}

static void reverse(void *arg)
{
    (void)arg;
    kr_explore_check(kri_shared_list_reverse(&s.list) == 0);
}

static void clear(void *arg)
{
    (void)arg;
    kr_explore_check(kri_shared_list_clear(&s.list) == 0);
}

/* Whoever comes after it comes after its end. */
#define DIES .victim = VICTIM, .preemptions = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE

SCENARIO(list_first_append_dies, DIES)
{
    fresh(0);
    kr_explore_spawn_in(VICTIM, append_77, NULL);
    check_dead(0, 1, (uint64_t[]){77});
}

SCENARIO(list_append_dies, DIES)
{
    fresh(2);
    kr_explore_spawn_in(VICTIM, append_77, NULL);
    check_dead(2, 3, (uint64_t[]){1, 2, 77});
}

/* One chunk more. */
SCENARIO(list_append_to_new_chunk_dies, DIES)
{
    fresh(KRI_LIST_CHUNK);
    kr_explore_spawn_in(VICTIM, append_77, NULL);
    check_dead(4, 5, (uint64_t[]){1, 2, 3, 4, 77});
}

/* A longer table, too. */
SCENARIO(list_append_to_new_table_dies, DIES)
{
    fresh(8);
    kr_explore_spawn_in(VICTIM, append_77, NULL);
    check_dead(8, 9, (uint64_t[]){1, 2, 3, 4, 5, 6, 7, 8, 77});
}

SCENARIO(list_append_left_dies, DIES)
{
    fresh(1);
    kr_explore_spawn_in(VICTIM, append_left_77, NULL);
    check_dead(1, 2, (uint64_t[]){77, 1});
}

SCENARIO(list_pop_dies, DIES)
{
    fresh(2);
    kr_explore_spawn_in(VICTIM, pop, NULL);
    check_dead(2, 1, (uint64_t[]){1});
}

/* Back to the middle of a chunk: the one behind it goes. */
SCENARIO(list_pop_that_leaves_a_chunk_dies, DIES)
{
    uint64_t value;
    size_t size;
    fresh(KRI_LIST_CHUNK + 1);
    for (int i = 0; i < 2; i++)
        kr_explore_check(kri_shared_list_pop(&s.list, false, &value, sizeof value, &size) == 0);
    kr_explore_spawn_in(VICTIM, pop, NULL);
    check_dead(3, 2, (uint64_t[]){1, 2});
}

SCENARIO(list_pop_left_dies, DIES)
{
    fresh(3);
    kr_explore_spawn_in(VICTIM, pop, &s);
    check_dead(3, 2, (uint64_t[]){2, 3});
}

SCENARIO(list_set_dies, DIES)
{
    fresh(3);
    kr_explore_spawn_in(VICTIM, set_77, NULL);
    check_dead(3, 3, (uint64_t[]){1, 77, 3});
}

SCENARIO(list_insert_near_the_end_dies, DIES)
{
    fresh(5);
    kr_explore_spawn_in(VICTIM, insert_77, &(int){3});
    check_dead(5, 6, (uint64_t[]){1, 2, 3, 77, 4, 5});
}

SCENARIO(list_insert_near_the_beginning_dies, DIES)
{
    fresh(5);
    kr_explore_spawn_in(VICTIM, insert_77, &(int){1});
    check_dead(5, 6, (uint64_t[]){1, 77, 2, 3, 4, 5});
}

SCENARIO(list_delete_near_the_end_dies, DIES)
{
    fresh(5);
    kr_explore_spawn_in(VICTIM, take_out, &(int){2});
    check_dead(5, 4, (uint64_t[]){1, 2, 4, 5});
}

SCENARIO(list_delete_near_the_beginning_dies, DIES)
{
    fresh(6);
    kr_explore_spawn_in(VICTIM, take_out, &(int){2});
    check_dead(6, 5, (uint64_t[]){1, 2, 4, 5, 6});
}

SCENARIO(list_extend_dies, DIES)
{
    fresh(3);
    kr_explore_spawn_in(VICTIM, extend_two, NULL);
    check_dead(3, 5, (uint64_t[]){1, 2, 3, 77, 78});
}

SCENARIO(list_reverse_dies, DIES)
{
    fresh(3);
    kr_explore_spawn_in(VICTIM, reverse, NULL);
    check_dead(3, 3, (uint64_t[]){3, 2, 1});
}

SCENARIO(list_clear_dies, DIES)
{
    fresh(6);
    kr_explore_spawn_in(VICTIM, clear, NULL);
    check_dead(6, 0, NULL);
}

/* Whoever takes the list away finds what the dead one has left. */
static void check_dropped(void)
{
    kr_explore_join_all();
    end();
    kr_explore_check(kri_shared_list_length(&s.list) == -ESTALE);
}

SCENARIO(list_dropped_after_an_extend_died, DIES)
{
    fresh(3);
    kr_explore_spawn_in(VICTIM, extend_two, NULL);
    check_dropped();
}

SCENARIO(list_dropped_after_an_insert_died, DIES)
{
    fresh(5);
    kr_explore_spawn_in(VICTIM, insert_77, &(int){1});
    check_dropped();
}

SCENARIO(list_dropped_after_a_reverse_died, DIES)
{
    fresh(3);
    kr_explore_spawn_in(VICTIM, reverse, NULL);
    check_dropped();
}

/* Somebody is stopped while he takes pages: whatever is said, that is what has happened. */
SCENARIO(list_delete_beside_a_stopped_one, DIES)
{
    static const unsigned char large[KRI_PAGE];
    fresh(1);
    kr_explore_check(kri_shared_list_append(&s.list, false, large, sizeof large) == 0);
    append(3);
    kri_domain *central = &s.space.state->domains[KRI_DOMAINS];
    s.space.timeout = kr_ms(1);
    kr_explore_check(kri_domain_take(&s.space, central) == 0);
    int err = kri_shared_list_take_out(&s.list, 1);
    kri_domain_give(central);
    kr_explore_check(err == 0 || err == -ETIMEDOUT);
    kr_explore_check(kri_shared_list_length(&s.list) == (err == 0 ? 2 : 3));
    end();
}

/* Two at once, nobody dies. */

SCENARIO(list_two_ends, .early = KR_EXPLORE_NONE, .stale = 1)
{
    uint64_t first = 0, second = 0;
    size_t size;
    fresh(1);
    kr_explore_spawn_in(OTHER, append_77, NULL);
    kr_explore_check(kri_shared_list_pop(&s.list, true, &first, sizeof first, &size) == 0);
    kr_explore_check(first == 1);
    int err = kri_shared_list_pop(&s.list, true, &second, sizeof second, &size);
    kr_explore_check(err == -ENOENT || (err == 0 && second == 77));
    kr_explore_join_all();
    kr_explore_check(kri_shared_list_length(&s.list) == (err == 0 ? 0 : 1));
    end();
}

/* Values and arrays */

static void add_5(void *arg)
{
    int64_t sum;
    (void)arg;
    kr_explore_check(kri_shared_value_add(&s.list, 5, &sum) == 0);
    kr_explore_check(sum == 5 || sum == 10);
}

SCENARIO(value_add_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE)
{
    int64_t value = 0;
    begin();
    s.list = open_object("x", &kri_value_kind, &(kri_value_made){.size = sizeof value});
    kr_explore_spawn_in(VICTIM, add_5, NULL);
    kr_explore_spawn_in(OTHER, add_5, NULL);
    kr_explore_join_all();
    kr_explore_check(kri_shared_value_get(&s.list, sizeof value, &value) == 0);
    kr_explore_check(value == 10 || (value == 5 && !kr_explore_alive(VICTIM)));
    end();
}

static const uint64_t old_value[] = {1, 2, 3}, new_value[] = {4, 5, 6};

static void set_new(void *arg)
{
    (void)arg;
    kr_explore_check(kri_shared_value_set(&s.list, sizeof new_value, new_value) == 0);
}

SCENARIO(value_set_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE)
{
    uint64_t value[3];
    begin();
    s.list = open_object("x", &kri_value_kind, &(kri_value_made){sizeof old_value, old_value});
    kr_explore_spawn_in(VICTIM, set_new, NULL);
    kr_explore_check(kri_shared_value_get(&s.list, sizeof value, value) == 0);
    kr_explore_check(value[0] == 1 ? value[1] == 2 && value[2] == 3
                                   : value[0] == 4 && value[1] == 5 && value[2] == 6);
    kr_explore_join_all();
    kr_explore_check(kri_shared_value_get(&s.list, sizeof value, value) == 0);
    bool done = value[0] == 4 && value[1] == 5 && value[2] == 6;
    bool not_done = value[0] == 1 && value[1] == 2 && value[2] == 3;
    kr_explore_check(done || (not_done && !kr_explore_alive(VICTIM)));
    end();
}

static void set_array(void *arg)
{
    (void)arg;
    kr_explore_check(kri_shared_array_set(&s.list, sizeof old_value, 8, 16, new_value) == 0);
}

SCENARIO(array_set_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE)
{
    uint64_t items[3];
    begin();
    s.list = open_object("x", &kri_array_kind, &(kri_array_made){8, 3, old_value});
    kr_explore_spawn_in(VICTIM, set_array, NULL);
    kr_explore_check(kri_shared_array_get(&s.list, sizeof items, 0, sizeof items, items) == 0);
    kr_explore_check(items[0] == 1 && items[1] + 1 == items[2]);
    kr_explore_join_all();
    kr_explore_check(kri_shared_array_get(&s.list, sizeof items, 0, sizeof items, items) == 0);
    kr_explore_check(items[0] == 1 && items[1] + 1 == items[2]);
    kr_explore_check(items[1] == 4 || (items[1] == 2 && !kr_explore_alive(VICTIM)));
    kr_explore_check(kri_shared_number(&s.list, 3) == 0); /* nothing is pending */
    end();
}
