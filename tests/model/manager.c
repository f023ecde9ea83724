/* Dicts in shared memory under every schedule, and under the death of a process at every point of
 * each operation: pages taken and given back, blocks, growth, batches.
 *
 * A run ends with everything taken away: no page that was taken is missing then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/dict_shared.h"
#include "manager/heap.h"
#include "manager/pages.h"
#include "manager/space_make.h"
#include "model/scenario.h"

enum { VICTIM = 1, OTHER = 2, SIZE = 96 << 10, LIMIT = 24 << 10 };

static struct {
    kri_space space;
    shared_dict dict;
    kr_word passed;
    _Alignas(65536) unsigned char memory[SIZE];
} s;

static kr_dict *dict(void)
{
    return &s.dict.face;
}

static uint64_t pages_used(void)
{
    kri_pages_picture picture;
    kr_explore_check(kri_pages_look(&s.space, &picture) == 0);
    return picture.used / KRI_PAGE;
}

static int set_key(unsigned char key, uint64_t value, size_t size)
{
    unsigned char bytes[2 * KRI_PAGE] = {0};
    memcpy(bytes, &value, sizeof value);
    memcpy(bytes + size - sizeof value, &value, sizeof value);
    return dict()->ops->set(dict(), &key, 1, bytes, size);
}

/* The same number stands at both ends of a value. */
static int get_key(unsigned char key, uint64_t *value)
{
    unsigned char bytes[2 * KRI_PAGE];
    size_t size = 0;
    int err = dict()->ops->get(dict(), &key, 1, bytes, sizeof bytes, &size);
    if (err == 0) {
        memcpy(value, bytes, sizeof *value);
        kr_explore_check(memcmp(value, bytes + size - sizeof *value, sizeof *value) == 0);
    }
    return err;
}

static bool has(unsigned char key, uint64_t wanted)
{
    uint64_t value = 0;
    int err = get_key(key, &value);
    kr_explore_check(err == 0 || err == -ENOENT);
    return err == 0 && value == wanted;
}

static void fresh_of(int keys, int fd)
{
    static const uint64_t seed[2] = {11, 12};
    kri_space_measures m;
    memset(&s, 0, sizeof s);
    kr_explore_check(kri_space_measure(LIMIT, &m) == 0 && m.size <= SIZE);
    kr_explore_check(kri_space_make(&s.space, s.memory, &m, 0600, fd, kr_sec(1000), seed) == 0);
    kr_explore_check(kri_shared_dict_of(&s.space, "d", &s.dict) == 1);
    for (int k = 0; k < keys; k++)
        kr_explore_check(set_key((unsigned char)k, 100 + (uint64_t)k, 8) == 0);
    kr_explore_name(s.space.state->domains, sizeof s.space.state->domains, "domains");
}

static void fresh(int keys)
{
    fresh_of(keys, 1);
}

/* All pages are known: none is used when nothing is there that would need it. */
static void take_away(void)
{
    kr_explore_check(kri_directory_drop(&s.space, "d") == 0);
    for (unsigned d = 0; d < KRI_DOMAINS; d++) {
        kri_tx tx;
        kr_explore_check(kri_tx_begin(&tx, &s.space, UINT64_C(1) << d) == 0);
        kr_explore_check(kri_load_rlx64(&s.space.state->domains[d].graves) == 0);
        kri_heap_trim(&tx, d);
        kr_explore_check(kri_tx_end(&tx) == 0);
    }
    kr_explore_check(kri_pages_trim(&s.space) == 0);
}

/* What a manager uses that has had a dict, and has it no more: its directory. */
enum { AT_REST = 3, AT_REST_WITH_ANOTHER = 5 };

static void ends(uint64_t at_rest)
{
    take_away();
    kr_explore_check(pages_used() == at_rest);
}

/* What victims do, and what is there before and after. */

static void set_new(void *arg)
{
    (void)arg;
    kr_explore_check(set_key(6, 600, 8) == 0);
    kri_add_rlx(&s.passed, 1);
}

static void set_short(void *arg)
{
    (void)arg;
    kr_explore_check(set_key(1, 600, 8) == 0);
    kri_add_rlx(&s.passed, 1);
}

/* Longer than most: in another block. */
static void set_known(void *arg)
{
    (void)arg;
    kr_explore_check(set_key(1, 600, 24) == 0);
    kri_add_rlx(&s.passed, 1);
}

/* With pages of its own. */
static void set_long(void *arg)
{
    (void)arg;
    kr_explore_check(set_key(1, 600, KRI_PAGE + 100) == 0);
    kri_add_rlx(&s.passed, 1);
}

static void drop_key(void *arg)
{
    unsigned char key = 1;
    (void)arg;
    kr_explore_check(dict()->ops->drop(dict(), &key, 1) == 0);
    kri_add_rlx(&s.passed, 1);
}

/* Of both domains. */
static void do_batch(void *arg)
{
    static const unsigned char keys[] = {1, 2, 5, 6};
    kr_dict_operation ops[4];
    uint64_t value = 600;
    (void)arg;
    memset(ops, 0, sizeof ops);
    for (int i = 0; i < 4; i++)
        ops[i] = (kr_dict_operation){.verb = i == 1 ? KR_DICT_DELETE : KR_DICT_SET,
                                     .key = &keys[i],
                                     .key_size = 1,
                                     .value = &value,
                                     .size = 8};
    kr_explore_check(dict()->ops->batch(dict(), ops, 4) == 0);
    kri_add_rlx(&s.passed, 1);
}

static void do_small_batch(void *arg)
{
    static const unsigned char keys[] = {1, 2};
    uint64_t value = 600;
    kr_dict_operation ops[2];
    (void)arg;
    memset(ops, 0, sizeof ops);
    for (int i = 0; i < 2; i++)
        ops[i] = (kr_dict_operation){
            .verb = KR_DICT_SET, .key = &keys[i], .key_size = 1, .value = &value, .size = 8};
    kr_explore_check(dict()->ops->batch(dict(), ops, 2) == 0);
    kri_add_rlx(&s.passed, 1);
}

static void clear(void *arg)
{
    (void)arg;
    kr_explore_check(dict()->ops->clear(dict()) == 0);
    kri_add_rlx(&s.passed, 1);
}

static void open_another(void *arg)
{
    shared_dict other;
    (void)arg;
    kr_explore_check(kri_shared_dict_of(&s.space, "other", &other) == 1);
    kri_add_rlx(&s.passed, 1);
}

static void drop_dict(void *arg)
{
    (void)arg;
    kr_explore_check(kri_directory_drop(&s.space, "d") == 0);
    kri_add_rlx(&s.passed, 1);
}

static bool is_done(void)
{
    return kri_load_acq(&s.passed) != 0;
}

/* All keys but `but` and the new ones are as they were. */
static void check_others(int keys, unsigned char but)
{
    for (int k = 0; k < keys; k++)
        kr_explore_check(k == but || has((unsigned char)k, 100 + (uint64_t)k));
}

static void check_length(int64_t least, int64_t most)
{
    int64_t length = dict()->ops->length(dict());
    kr_explore_check(length >= least && length <= most);
}

/* One dies, and nobody else is there meanwhile. */

static void alone(void (*victim)(void *arg))
{
    kr_explore_spawn_in(VICTIM, victim, NULL);
    kr_explore_join_all();
}

#define ALONE .preemptions = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE

SCENARIO(manager_first_set_dies, .victim = VICTIM, ALONE)
{
    fresh(0);
    alone(set_new);
    bool there = has(6, 600);
    kr_explore_check(there || !is_done());
    check_length(there, there);
    ends(AT_REST);
}

SCENARIO(manager_set_dies, .victim = VICTIM, ALONE)
{
    fresh(4);
    alone(set_known);
    kr_explore_check(has(1, 600) || (has(1, 101) && !is_done()));
    check_others(4, 1);
    check_length(4, 4);
    ends(AT_REST);
}

/* In the old one's place, word by word. */
SCENARIO(manager_overwrite_dies, .victim = VICTIM, ALONE)
{
    fresh(4);
    kr_explore_check(set_key(1, 500, 24) == 0);
    alone(set_known);
    kr_explore_check(has(1, 600) || (has(1, 500) && !is_done()));
    check_others(4, 1);
    check_length(4, 4);
    ends(AT_REST);
}

/* In a block that was used before, and others after it. */
SCENARIO(manager_second_set_dies, .victim = VICTIM, ALONE)
{
    enum { FEW = 6, MANY = 30 };
    fresh(FEW);
    for (unsigned char k = 0; k < FEW; k++) /* the blocks of the first are free again */
        kr_explore_check(set_key(k, 500, 100) == 0);
    alone(set_short);
    bool done = has(1, 600);
    kr_explore_check(done || !is_done());
    for (unsigned char k = FEW; k < MANY; k++)
        kr_explore_check(set_key(k, 700, 8) == 0);
    for (unsigned char k = 0; k < MANY; k++)
        kr_explore_check(has(k, k >= FEW ? 700 : k == 1 && done ? 600 : 500));
    check_length(MANY, MANY);
    ends(AT_REST);
}

/* In place of one that has pages of its own, too. */
SCENARIO(manager_long_set_again_dies, .victim = VICTIM, ALONE)
{
    fresh(2);
    kr_explore_check(set_key(1, 500, 2 * KRI_PAGE) == 0);
    alone(set_long);
    kr_explore_check(has(1, 600) || (has(1, 500) && !is_done()));
    check_length(2, 2);
    ends(AT_REST);
}

/* With a bucket more. */
SCENARIO(manager_growth_dies, .victim = VICTIM, ALONE)
{
    fresh(6);
    alone(set_new);
    bool there = has(6, 600);
    kr_explore_check(there || !is_done());
    check_others(6, 6);
    check_length(6 + there, 6 + there);
    ends(AT_REST);
}

SCENARIO(manager_long_set_dies, .victim = VICTIM, ALONE)
{
    fresh(2);
    alone(set_long);
    kr_explore_check(has(1, 600) || (has(1, 101) && !is_done()));
    set_long(NULL); /* the one that was there goes */
    kr_explore_check(has(1, 600));
    check_length(2, 2);
    ends(AT_REST);
}

static unsigned domain_of(unsigned char key)
{
    kri_key k = kri_key_make(&s.space, &key, 1);
    return kri_key_domain(&k);
}

/* The next key in the same domain. */
static unsigned char neighbour(unsigned char key)
{
    unsigned char next = key + 1;
    while (domain_of(next) != domain_of(key))
        next++;
    return next;
}

/* All of it or nothing, also where the second is refused pages. */
static int try_batch_beyond_the_limit(unsigned char first)
{
    static const unsigned char large[LIMIT], one = 1;
    uint64_t value = 700;
    kr_dict_operation ops[2];
    memset(ops, 0, sizeof ops);
    ops[0] = (kr_dict_operation){
        .verb = KR_DICT_SET, .key = &first, .key_size = 1, .value = &value, .size = 8};
    ops[1] = (kr_dict_operation){
        .verb = KR_DICT_SET, .key = &one, .key_size = 1, .value = large, .size = sizeof large};
    return dict()->ops->batch(dict(), ops, 2);
}

/* The next one in the domain is in the middle of something when it comes to the pages, where the
 * dead one was as well. */
SCENARIO(manager_refused_after_a_death, .victim = VICTIM, ALONE)
{
    unsigned char other;
    fresh(0);
    other = neighbour(1);
    kr_explore_check(set_key(1, 101, 8) == 0 && set_key(other, 500, 8) == 0);
    alone(set_long);
    kr_explore_check(try_batch_beyond_the_limit(other) == -EDQUOT);
    kr_explore_check(has(other, 500));
    kr_explore_check(has(1, 600) || (has(1, 101) && !is_done()));
    ends(AT_REST);
}

/* More than a record holds inside, all in one domain and each in the old one's place. */
enum { LARGE = KRI_UNDO_INSIDE + 2 };

static void set_large_batch(uint64_t value)
{
    unsigned char keys[LARGE] = {1};
    kr_dict_operation ops[LARGE];
    memset(ops, 0, sizeof ops);
    for (int i = 0; i < LARGE; i++) {
        keys[i] = i > 0 ? neighbour(keys[i - 1]) : 1;
        ops[i] = (kr_dict_operation){
            .verb = KR_DICT_SET, .key = &keys[i], .key_size = 1, .value = &value, .size = 8};
    }
    kr_explore_check(dict()->ops->batch(dict(), ops, LARGE) == 0);
}

static void do_large_batch(void *arg)
{
    (void)arg;
    set_large_batch(600);
    kri_add_rlx(&s.passed, 1);
}

SCENARIO(manager_large_batch_after_a_death, .victim = VICTIM, ALONE)
{
    unsigned char key = 1;
    fresh(0);
    set_large_batch(500);
    alone(do_large_batch);
    kr_explore_check(has(1, 600) || (has(1, 500) && !is_done()));
    set_large_batch(700);
    for (int i = 0; i < LARGE; i++, key = neighbour(key))
        kr_explore_check(has(key, 700));
    ends(AT_REST);
}

/* Whoever puts right what a dead one has left dies at every point of that, too. */

static void put_in(kri_tx *tx, unsigned char key, const void *value, size_t size)
{
    kri_key_place p;
    kri_key k = kri_key_make(&s.space, &key, 1);
    kr_explore_check(kri_table_find(&s.space, s.dict.ref.object, &k, &p) == 0);
    kri_table_put(tx, &k, &p, value, size);
}

/* As of one who died before the commit: words, blocks and pages of both domains. */
static void leave_half_done(void)
{
    static const unsigned char large[KRI_PAGE + 100];
    kri_tx tx;
    kr_explore_check(kri_tx_begin(&tx, &s.space, KRI_ALL_DOMAINS) == 0);
    put_in(&tx, 1, large, sizeof large);
    put_in(&tx, 2, large, 100);
    put_in(&tx, 7, large, 8);
    for (unsigned d = 0; d < KRI_DOMAINS; d++)
        kri_domain_give(&s.space.state->domains[d]);
}

SCENARIO(manager_undoing_dies, .victim = VICTIM, ALONE)
{
    fresh(4);
    leave_half_done();
    alone(do_small_batch);
    bool done = has(1, 600);
    kr_explore_check(done ? has(2, 600) : has(1, 101) && has(2, 102) && !is_done());
    check_length(4, 4);
    ends(AT_REST);
}

static void set_second(void *arg)
{
    (void)arg;
    kr_explore_check(set_key(2, 600, 24) == 0);
    kri_add_rlx(&s.passed, 1);
}

/* Who finds a domain that was led, and takes neither the leader nor all. */
SCENARIO(manager_undoing_for_one_dies, .victim = VICTIM, ALONE)
{
    fresh(4);
    leave_half_done();
    kr_explore_check(domain_of(1) == 0 && domain_of(2) == 1);
    alone(set_second);
    kr_explore_check(has(2, 600) || (has(2, 102) && !is_done()));
    kr_explore_check(has(1, 101));
    check_length(4, 4);
    ends(AT_REST);
}

/* As of one who died after the commit, with pages to be given up. */
SCENARIO(manager_giving_up_pages_dies, .victim = VICTIM, ALONE)
{
    fresh(4);
    kri_domain *central = &s.space.state->domains[KRI_DOMAINS];
    kr_explore_check(set_key(1, 500, 2 * KRI_PAGE) == 0 && set_key(2, 500, 2 * KRI_PAGE) == 0);
    kr_explore_check(kri_domain_take(&s.space, central) == 0);
    s.space.timeout = kr_ms(1);
    kr_explore_check(set_key(1, 400, 8) == 0 && set_key(2, 400, 8) == 0);
    s.space.timeout = kr_sec(1000);
    kri_domain_give(central);
    alone(do_small_batch);
    bool done = has(1, 600);
    kr_explore_check(done ? has(2, 600) : has(1, 400) && has(2, 400) && !is_done());
    check_length(4, 4);
    ends(AT_REST);
}

SCENARIO(manager_delete_dies, .victim = VICTIM, ALONE)
{
    fresh(6);
    alone(drop_key);
    bool there = has(1, 101);
    kr_explore_check(!there || !is_done());
    check_others(6, 1);
    check_length(5 + there, 5 + there);
    ends(AT_REST);
}

SCENARIO(manager_batch_dies, .victim = VICTIM, ALONE)
{
    fresh(4);
    alone(do_batch);
    bool done = has(1, 600);
    kr_explore_check(done || !is_done());
    kr_explore_check(done ? has(5, 600) && has(6, 600) && !has(2, 102)
                          : has(1, 101) && has(2, 102) && !has(5, 600) && !has(6, 600));
    check_length(done ? 5 : 4, done ? 5 : 4);
    kr_explore_check(has(0, 100) && has(3, 103));
    ends(AT_REST);
}

SCENARIO(manager_clear_dies, .victim = VICTIM, ALONE)
{
    fresh(3);
    alone(clear);
    bool there = has(1, 101);
    kr_explore_check(!there || !is_done());
    check_length(there ? 3 : 0, there ? 3 : 0);
    kr_explore_check(has(0, 100) == there && has(2, 102) == there);
    ends(AT_REST);
}

SCENARIO(manager_open_dies, .victim = VICTIM, ALONE)
{
    shared_dict other;
    fresh(1);
    alone(open_another);
    int made = kri_shared_dict_of(&s.space, "other", &other);
    kr_explore_check(made == 0 || (made == 1 && !is_done()));
    kr_explore_check(kri_directory_drop(&s.space, "other") == 0);
    kr_explore_check(kri_load_rlx64(&s.space.state->objects) == 1);
    check_others(1, 1);
    ends(AT_REST_WITH_ANOTHER);
}

SCENARIO(manager_drop_dies, .victim = VICTIM, ALONE)
{
    fresh(3);
    alone(drop_dict);
    int made = kri_shared_dict_of(&s.space, "d", &s.dict);
    kr_explore_check(made == 1 || (made == 0 && !is_done()));
    check_length(made == 1 ? 0 : 3, made == 1 ? 0 : 3);
    ends(AT_REST);
}

/* Another works beside the one who dies, and comes upon what it has left. */

static void set_other(void *arg)
{
    (void)arg;
    kr_explore_check(set_key(2, 700, 8) == 0);
}

SCENARIO(manager_two_sets, .stale = 1)
{
    fresh(3);
    kr_explore_spawn_in(OTHER, set_other, NULL);
    set_known(NULL);
    kr_explore_join_all();
    kr_explore_check(has(1, 600) && has(2, 700) && has(0, 100));
    check_length(3, 3);
    ends(AT_REST);
}

SCENARIO(manager_set_dies_beside_another, .victim = VICTIM, .preemptions = 1, .stale = 1,
         .early = KR_EXPLORE_NONE)
{
    fresh(3);
    kr_explore_spawn_in(VICTIM, set_known, NULL);
    kr_explore_spawn_in(OTHER, set_other, NULL);
    kr_explore_join_all();
    kr_explore_check(has(1, 600) || (has(1, 101) && !is_done()));
    kr_explore_check(has(2, 700) && has(0, 100));
    ends(AT_REST);
}

/* Who finds that its domain was led by another, and who finds the leader, at once. */
SCENARIO(manager_batch_dies_beside_another, .victim = VICTIM, .preemptions = 1,
         .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE)
{
    fresh(3);
    kr_explore_spawn_in(VICTIM, do_small_batch, NULL);
    kr_explore_spawn_in(OTHER, set_other, NULL);
    kr_explore_join_all();
    bool done = has(1, 600);
    kr_explore_check(done || (has(1, 101) && !is_done()));
    kr_explore_check(has(2, 700) || (done && has(2, 600)));
    kr_explore_check(has(0, 100));
    ends(AT_REST);
}

/* The system refuses memory: nothing was done. */
static int try_long(void)
{
    return set_key(1, 600, KRI_PAGE + 100);
}

SCENARIO(manager_refused_memory, .failures = 1, .preemptions = KR_EXPLORE_NONE)
{
    fresh_of(0, -1);
    s.space.fd = 1;
    for (unsigned char k = 0; k < 4; k++) {
        int err = set_key(k, 100, 8);
        kr_explore_check(err == 0 || err == -ENOSPC);
        kr_explore_check(has(k, 100) == (err == 0));
    }
    int err = try_long();
    kr_explore_check(err == 0 || err == -ENOSPC);
    kr_explore_check(has(1, 600) == (err == 0));
    ends(AT_REST);
}
