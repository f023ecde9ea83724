/* Arenas: pieces of every size, from any process.
 *
 * Behaviours: section 12.5.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party.h"
#include "harness/sanitizers.h"
#include "memory/arena_help.h"
#include <sys/stat.h>
#include <sys/time.h>

enum { SIZE = 1 << 20 };

TEST(alloc_and_free)
{
    kr_arena *a = create(SIZE);
    check_empty(a);
    char *one = alloc(a, 100), *two = alloc(a, 1);
    CHECK_EQ((uintptr_t)one % 32, 0);
    CHECK_EQ(kr_arena_size(a, one), 100);
    CHECK_EQ(kr_arena_size(a, two), 1);
    CHECK_EQ(kr_arena_size(a, one + 32), 0);
    CHECK(two >= one + 100 || two < one);
    CHECK_EQ(statistics(a).pieces, 2);
    CHECK(kr_arena_at(a, kr_arena_offset(a, one)) == one);
    CHECK(kr_arena_at(a, kr_arena_offset(a, one + 50)) == one + 50);
    CHECK_EQ(kr_arena_free(a, one), 0);
    CHECK_EQ(kr_arena_free(a, one), -EINVAL);
    CHECK_EQ(kr_arena_free(a, two), 0);
    CHECK_EQ(kr_arena_free(a, NULL), 0);
    check_empty(a);
    kr_arena_release(a);
    kr_arena_release(NULL);
}

TEST(bad_arguments_are_refused)
{
    kr_arena *a = create(SIZE);
    void *memory = NULL;
    char outside[64];
    CHECK_EQ(kr_arena_alloc(a, 0, &memory), -EINVAL);
    CHECK_EQ(kr_arena_alloc(NULL, 1, &memory), -EINVAL);
    CHECK_EQ(kr_arena_alloc(a, 1, NULL), -EINVAL);
    CHECK_EQ(kr_arena_alloc(a, SIZE_MAX, &memory), -ENOSPC);
    CHECK_EQ(kr_arena_alloc(a, SIZE, &memory), -ENOSPC);
    CHECK_EQ(kr_arena_free(a, outside), -EINVAL);
    CHECK_EQ(kr_arena_offset(a, outside), 0);
    CHECK(kr_arena_at(a, 0) == NULL);
    CHECK(kr_arena_at(a, SIZE) == NULL);
    char *piece = alloc(a, 500);
    memset(piece, 0, 500);
    CHECK_EQ(kr_arena_free(a, piece + 1), -EINVAL);
    CHECK_EQ(kr_arena_free(a, piece + 64), -EINVAL);
    CHECK_EQ(kr_arena_adopt(a, piece + 64), -EINVAL);
    CHECK_EQ(kr_arena_free(a, piece), 0);
    CHECK_EQ(kr_arena_adopt(a, piece), -EINVAL);
    CHECK_EQ(kr_arena_read_statistics(a, NULL), -EINVAL);
    kr_arena *none = NULL;
    CHECK_EQ(kr_arena_create(&none, 0, NULL), -EINVAL);
    CHECK_EQ(kr_arena_create(&none, 64, NULL), -ENOSPC);
    CHECK_EQ(kr_arena_create(&none, SIZE_MAX, NULL), -EINVAL);
    CHECK_EQ(kr_arena_create(&none, SIZE, &(kr_arena_options){.reserved = {0, 1}}), -EINVAL);
    CHECK_EQ(kr_arena_create(NULL, SIZE, NULL), -EINVAL);
    kr_arena_release(a);
}

/* Full is -ENOSPC, and all of it can be had again. */
TEST(all_of_it_can_be_used_again)
{
    kr_arena *a = create(SIZE);
    for (int round = 0; round < 3; round++) {
        void *pieces[2048];
        int count = 0;
        while (kr_arena_alloc(a, 992, &pieces[count]) == 0)
            count++;
        CHECK_GE(count, SIZE / 1024 - 4);
        CHECK_EQ(kr_arena_alloc(a, 992, &pieces[count]), -ENOSPC);
        for (int i = round % 2; i < count; i += 2)
            CHECK_EQ(kr_arena_free(a, pieces[i]), 0);
        check_chain(a);
        for (int i = !(round % 2); i < count; i += 2)
            CHECK_EQ(kr_arena_free(a, pieces[i]), 0);
        check_empty(a);
        CHECK_EQ(kr_arena_free(a, alloc(a, statistics(a).largest)), 0);
    }
    kr_arena_release(a);
}

TEST(the_limit_has_an_error_of_its_own)
{
    kr_arena *a = NULL;
    void *memory = NULL;
    CHECK_EQ(kr_arena_create(&a, SIZE, &(kr_arena_options){.limit = 4096}), 0);
    void *first = alloc(a, 4096 - 32);
    CHECK_EQ(kr_arena_alloc(a, 1, &memory), -EDQUOT);
    CHECK_EQ(kr_arena_free(a, first), 0);
    CHECK_EQ(kr_arena_alloc(a, 4096, &memory), -EDQUOT);
    CHECK_EQ(kr_arena_alloc(a, 1, &memory), 0);
    CHECK_EQ(statistics(a).limit, 4096);
    kr_arena_release(a);
}

/* 5000 random calls, with free and occupied memory always the whole. */
TEST(test_heap)
{
    enum { CALLS = 5000, MOST = 500 };
    kr_arena *a = create(4 << 20);
    uint64_t random = kri_test_seed();
    unsigned char *pieces[MOST];
    size_t sizes[MOST];
    int count = 0;
    for (int i = 0; i < CALLS; i++) {
        uint64_t choice = kri_test_random(&random) >> 16;
        if (count == MOST || (count > 0 && choice % 5 < 2)) {
            int which = (int)(kri_test_random(&random) >> 16) % count;
            which = which < 0 ? -which : which;
            for (size_t k = 0; k < sizes[which]; k++)
                CHECK_EQ(pieces[which][k], (unsigned char)sizes[which]);
            CHECK_EQ(kr_arena_free(a, pieces[which]), 0);
            pieces[which] = pieces[--count];
            sizes[which] = sizes[count];
        } else {
            sizes[count] = 1 + choice / 8 % (choice % 7 == 0 ? 20000 : 300);
            pieces[count] = alloc(a, sizes[count]);
            memset(pieces[count], (int)(sizes[count] & 255), sizes[count]);
            count++;
        }
        if (i % 50 == 0)
            check_chain(a);
    }
    check_chain(a);
    CHECK_EQ(statistics(a).pieces, count);
    while (count > 0)
        CHECK_EQ(kr_arena_free(a, pieces[--count]), 0);
    check_empty(a);
    kr_arena_release(a);
}

/* A signal handler frees while the interrupted call is inside the arena, with its lock. */
static kr_arena *handler_arena;
static void *handler_pieces[1 << 16];
static volatile sig_atomic_t handler_first, handler_last;
static kr_word handler_errors;

static void free_in_handler(int signo)
{
    (void)signo;
    if (handler_first < handler_last) {
        int err = kr_arena_free(handler_arena, handler_pieces[handler_first]);
        handler_first = handler_first + 1;
        kri_add_rlx(&handler_errors, err != 0);
    }
}

TEST(test_free_from_gc)
{
    kr_arena *a = handler_arena = create(8 << 20);
    struct sigaction action = {.sa_handler = free_in_handler, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
    kr_time end = kr_now() + kr_sec(1);
    int freed = 0;
    while ((kr_now() < end || handler_first < 100) && handler_last < (1 << 16)) {
        handler_pieces[handler_last] = alloc(a, 100);
        handler_last = handler_last + 1;
        for (int i = 0; i < 20; i++, freed++)
            CHECK_EQ(kr_arena_free(a, alloc(a, 1 + (size_t)i * 50)), 0);
        while (handler_last - handler_first > 1000)
            kri_test_nap();
    }
    CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK_EQ(kri_load_rlx(&handler_errors), 0);
    kri_test_note("%d freed by the handler, beside %d", (int)handler_first, freed);
    CHECK_GE(handler_first, 100);
    while (handler_first < handler_last)
        free_in_handler(0);
    check_empty(a);
    kr_arena_release(a);
}

/* While another has the lock, a free does not wait; what it gave is there for the next. */
TEST(a_free_does_not_wait_for_the_lock)
{
    kr_arena *a = create(SIZE);
    void *one = alloc(a, 100), *two = alloc(a, 100), *three = alloc(a, 100);
    CHECK_EQ(kri_arena_enter(a), 0);
    CHECK_EQ(kr_arena_free(a, two), 0);
    CHECK_EQ(kr_arena_free(a, one), 0);
    CHECK_EQ(kr_arena_free(a, two), -EINVAL);
    CHECK_EQ(kr_arena_size(a, two), 0);
    kri_arena_leave(a);
    CHECK_EQ(statistics(a).pieces, 1);
    check_chain(a);
    CHECK_EQ(kr_arena_free(a, three), 0);
    check_empty(a);
    kr_arena_release(a);
}

/* Other processes */

typedef struct other {
    kr_arena *arena;
    uint64_t *offset; /* shared */
    int fd;
} other;

static void alloc_there(void *arg)
{
    other *o = arg;
    kr_arena *mine = NULL;
    CHECK_EQ(kr_arena_attach_descriptor(&mine, o->fd), 0);
    char *memory = alloc(mine, 50);
    strcpy(memory, "from the child");
    *o->offset = kr_arena_offset(mine, memory);
    CHECK(memory != kr_arena_at(o->arena, *o->offset)); /* it is mapped elsewhere */
    kr_arena_release(mine);
}

TEST(one_process_allocates_another_frees)
{
    other o = {create(SIZE), shared_pages(8), -1};
    o.fd = kr_arena_descriptor(o.arena);
    reap(child(alloc_there, &o));
    char *memory = kr_arena_at(o.arena, *o.offset);
    CHECK_STR(memory, "from the child");
    CHECK_EQ(kr_arena_free(o.arena, memory), 0);
    check_empty(o.arena);
    kr_arena_release(o.arena);
}

static void alloc_three(void *arg)
{
    other *o = arg;
    for (int i = 0; i < 3; i++)
        o->offset[i] = kr_arena_offset(o->arena, alloc(o->arena, 100));
}

TEST(what_the_dead_had_is_reclaimed)
{
    other o = {create(SIZE), shared_pages(64), -1};
    void *own = alloc(o.arena, 100);
    CHECK_EQ(kr_arena_reclaim(o.arena), 0);
    reap(child(alloc_three, &o));
    CHECK_EQ(statistics(o.arena).pieces, 4);
    CHECK_EQ(kr_arena_adopt(o.arena, kr_arena_at(o.arena, o.offset[1])), 0);
    CHECK_EQ(kr_arena_reclaim(o.arena), 2);
    check_chain(o.arena);
    CHECK_EQ(kr_arena_free(o.arena, kr_arena_at(o.arena, o.offset[1])), 0);
    CHECK_EQ(kr_arena_free(o.arena, own), 0);
    check_empty(o.arena);
    for (int i = 0; i < 40; i++)
        reap(child(alloc_three, &o));
    CHECK_EQ(kr_arena_reclaim(o.arena), 120);
    check_empty(o.arena);
    kr_arena_release(o.arena);
}

static void defer_and_die(void *arg)
{
    other *o = arg;
    CHECK_EQ(kr_arena_free(o->arena, kr_arena_at(o->arena, *o->offset)), 0);
}

/* Reclaiming has the lock when somebody defers a free, and dies: that one is freed once. */
TEST(reclaim_frees_nothing_twice)
{
    other o = {create(SIZE), shared_pages(8), -1};
    *o.offset = kr_arena_offset(o.arena, alloc(o.arena, 100));
    CHECK_EQ(kri_arena_enter(o.arena), 0);
    reap(child(defer_and_die, &o));
    CHECK_EQ(kri_arena_reclaim_held(o.arena), 0);
    kri_arena_leave(o.arena);
    check_empty(o.arena);
    kr_arena_release(o.arena);
}

/* Many at once, threads and processes: what one has no other gets, and at the end all is free. */
typedef struct crowd {
    kr_arena *arena;
    kri_word64 handed[16]; /* pieces that anybody may take and free; 0: none */
    kr_word wrong, calls;
} crowd;

static void mark(void *piece, size_t size, uint64_t number)
{
    memset(piece, (int)(number & 255), size);
}

static void check_and_free(crowd *c, unsigned char *piece)
{
    size_t size = kr_arena_size(c->arena, piece);
    bool same = size > 0;
    for (size_t i = 1; i < size; i++)
        same = same && piece[i] == piece[0];
    kri_add_rlx(&c->wrong, !same || kr_arena_free(c->arena, piece) != 0);
    kri_add_rlx(&c->calls, 1);
}

static void crowd_body(void *arg, int index)
{
    crowd *c = arg;
    uint64_t random = party_random_start(index);
    kr_time end = kr_now() + party_budget();
    while (kr_now() < end || kri_load_rlx(&c->calls) < 1000) {
        void *piece = NULL;
        size_t size = 1 + party_random_below(&random, 2000);
        int err = kr_arena_alloc(c->arena, size, &piece);
        kri_add_rlx(&c->wrong, err != 0 && err != -ENOSPC);
        if (err != 0)
            continue;
        mark(piece, size, (uint64_t)index * 31 + size);
        kri_word64 *place = &c->handed[party_random_below(&random, 16)];
        uint64_t old = kri_swap_acq_rel64(place, kr_arena_offset(c->arena, piece));
        if (old != 0)
            check_and_free(c, kr_arena_at(c->arena, old));
    }
}

PARTY_TEST(many_at_once)
{
    crowd *c = party_world(sizeof *c);
    c->arena = create(32 << 10);
    party_join(party_start(4, crowd_body, c));
    for (int i = 0; i < 16; i++) {
        uint64_t left = kri_load_acq64(&c->handed[i]);
        if (left != 0)
            check_and_free(c, kr_arena_at(c->arena, left));
    }
    CHECK_EQ(kri_load_rlx(&c->wrong), 0);
    kri_test_note("%u freed", kri_load_rlx(&c->calls));
    check_empty(c->arena);
    kr_arena_release(c->arena);
    party_world_free(c, sizeof *c);
}

/* The caller's memory, and what is no arena */

TEST(in_memory_of_the_callers)
{
    kr_arena *a = NULL, *again = NULL;
    char *memory = kr_shared_alloc(SIZE);
    memset(memory, 0xa5, SIZE);
    CHECK_EQ(kr_arena_create_at(&a, memory, SIZE, NULL), 0);
    CHECK_EQ(kr_arena_descriptor(a), -1);
    void *piece = alloc(a, 1000);
    CHECK_EQ(kr_arena_attach(&again, memory, SIZE), 0);
    CHECK_EQ(kr_arena_free(again, piece), 0);
    check_empty(a);
    kr_arena_release(a);
    kr_arena_release(again);
    CHECK_EQ(kr_arena_attach(&a, memory, SIZE / 2), KR_ECORRUPT);
    CHECK_EQ(kr_arena_attach(&a, memory + 8, SIZE - 8), -EINVAL);
    CHECK_EQ(kr_arena_create_at(&a, memory + 8, SIZE - 8, NULL), -EINVAL);
    CHECK_EQ(kr_arena_create_at(&a, memory, 1000, NULL), -ENOSPC);
    kr_queue *q = NULL;
    CHECK_EQ(kr_queue_create_at(&q, memory, SIZE, 8, 10, NULL), 0);
    CHECK_EQ(kr_arena_attach(&a, memory, SIZE), KR_ECORRUPT);
    kr_queue_release(q);
    memset(memory, 0, SIZE);
    CHECK_EQ(kr_arena_attach(&a, memory, SIZE), KR_ECORRUPT);
    kr_shared_free(memory);
}

static int64_t blocks_of(kr_arena *a)
{
    struct stat s;
    CHECK_EQ(fstat(kr_arena_descriptor(a), &s), 0);
    return (int64_t)s.st_blocks * 512;
}

TEST(trim_gives_memory_back)
{
    if (KRI_QEMU)
        SKIP("qemu says yes to MADV_REMOVE, and does nothing");
    kr_arena *a = create(4 << 20);
    int64_t before = blocks_of(a);
    char *kept = alloc(a, 100), *large = alloc(a, 3 << 20);
    memset(kept, 'k', 100);
    memset(large, 'l', 3 << 20);
    CHECK_GE(blocks_of(a), 3 << 20);
    CHECK_EQ(kr_arena_trim(a), 0);
    CHECK_EQ(large[(3 << 20) - 1], 'l');
    CHECK_EQ(kr_arena_free(a, large), 0);
    CHECK_EQ(kr_arena_trim(a), 0);
    CHECK_LE(blocks_of(a), before + (64 << 10));
    CHECK_EQ(kept[99], 'k');
    check_chain(a);
    large = alloc(a, 3 << 20);
    memset(large, 'm', 3 << 20);
    CHECK_EQ(kr_arena_free(a, large), 0);
    CHECK_EQ(kr_arena_free(a, kept), 0);
    check_empty(a);
    kr_arena_release(a);
}

/* Noise in the chain or beside it never leads out of the arena; the lock is as if a dead process
 * held it, every other time. */
TEST(noise_does_not_crash)
{
    enum { ALL = 16384, SIDE = 4096 };
    unsigned char *memory = shared_pages(ALL + 2 * SIDE);
    unsigned char *base = memory + SIDE;
    uint64_t random = kri_test_seed();
    for (int round = 0; round < 600; round++) {
        kr_arena *a = NULL;
        CHECK_EQ(kr_arena_create_at(&a, base, ALL, NULL), 0);
        void *pieces[20];
        for (int i = 0; i < 20; i++)
            pieces[i] = alloc(a, 1 + (size_t)(kri_test_random(&random) % 500));
        for (int i = 0; i < 20; i += 3)
            CHECK_EQ(kr_arena_free(a, pieces[i]), 0);
        for (size_t i = offsetof(kri_arena_state, deferred); i < ALL; i++) {
            if (kri_test_random(&random) % (round % 3 == 0 ? 16 : 500) == 0)
                base[i] = (unsigned char)kri_test_random(&random);
        }
        /* No process has this number: the kernel's stop at 2^22. */
        uint64_t dead = (UINT64_C(7) << 32) | UINT32_C(0x3fffff) | (UINT64_C(1) << 22);
        if (round % 2 == 0)
            memcpy(&a->state->lock, &dead, sizeof dead);
        for (int i = 0; i < 20; i++) {
            void *got = NULL;
            (void)kr_arena_free(a, pieces[i]);
            if (kr_arena_alloc(a, 1 + (size_t)i * 30, &got) == 0)
                CHECK(got > (void *)base && got < (void *)(base + ALL));
        }
        (void)kr_arena_reclaim(a);
        kr_arena_statistics s;
        (void)!kr_arena_read_statistics(a, &s);
        kr_arena_release(a);
        for (size_t i = 0; i < SIDE; i++)
            CHECK(memory[i] == 0 && base[ALL + i] == 0);
    }
}
