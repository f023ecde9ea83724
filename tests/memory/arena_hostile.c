/* A participant that writes into an arena what it likes, while others use it: nobody's access leads
 * outside, and every call ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party.h"
#include "harness/sanitizers.h"
#include "memory/arena_help.h"
#include <pthread.h>
#include <sys/mman.h>

enum { PAGE = 4096, ALL = 4 * PAGE };

/* Between two pages that nobody may touch. */
static unsigned char *fenced_pages(void)
{
    unsigned char *all = mmap(NULL, ALL + 2 * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED);
    CHECK_EQ(mprotect(all + PAGE, ALL, PROT_READ | PROT_WRITE), 0);
    return all + PAGE;
}

typedef struct scribbler {
    unsigned char *memory;
    uint64_t random;
    kr_word stop;
} scribbler;

/* Heads of gaps that look whole, and of any size, for moments. */
static void *scribble(void *arg)
{
    scribbler *s = arg;
    while (!kri_load_acq(&s->stop)) {
        const kri_arena_state *arena = (kri_arena_state *)(void *)s->memory;
        uint64_t place = ((volatile uint64_t *)arena->bins)[kri_test_random(&s->random) % 44];
        if (place < sizeof *arena || place >= ALL || place % KRI_BLOCK_UNIT != 0)
            continue;
        kri_word64 *state = (kri_word64 *)(void *)(s->memory + place);
        uint64_t before = kri_load_rlx64(state);
        for (int i = 0; i < 100; i++) {
            kri_store_rlx64(state, (kri_test_random(&s->random) % 65536 & ~(uint64_t)31) | 1);
            kri_store_rlx64(state, before);
        }
    }
    return NULL;
}

TEST(sizes_that_change_under_ones_eyes)
{
    if (KRI_TSAN)
        SKIP("it races on purpose");
    unsigned char *memory = fenced_pages();
    scribbler s = {.memory = memory, .random = kri_test_seed()};
    uint64_t random = s.random + 1;
    kr_time end = kr_now() + party_budget() / 2;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, scribble, &s), 0);
    while (kr_now() < end) {
        kr_arena *a;
        void *pieces[30] = {NULL};
        if (kr_arena_create_at(&a, memory, ALL, NULL) != 0)
            continue; /* damaged before it was made */
        for (int i = 0; i < 300; i++) {
            void **piece = &pieces[kri_test_random(&random) % 30];
            size_t size = 1 + kri_test_random(&random) % 3000;
            (void)kr_arena_free(a, *piece);
            *piece = NULL;
            (void)!kr_arena_alloc(a, size, piece);
            if (*piece != NULL) {
                CHECK_LE(kr_arena_offset(a, *piece) + size, ALL);
                CHECK_LE(kr_arena_offset(a, *piece) + kr_arena_size(a, *piece), ALL);
            }
        }
        (void)kr_arena_trim(a);
        kr_arena_release(a);
    }
    kri_store_rel(&s.stop, 1);
    pthread_join(thread, NULL);
}

/* A list of gaps that leads back to itself, and a count of them that never ends. */
TEST(a_ring_of_gaps)
{
    kr_arena *a;
    void *gap, *rest;
    unsigned char *memory = fenced_pages();
    CHECK_EQ(kr_arena_create_at(&a, memory, ALL, NULL), 0);
    CHECK_EQ(kr_arena_alloc(a, 8 * KRI_BLOCK_UNIT - sizeof(kri_block), &gap), 0);
    while (kr_arena_alloc(a, 1, &rest) == 0)
        continue;
    CHECK_EQ(kr_arena_free(a, gap), 0);
    uint64_t own = kr_arena_offset(a, gap) - sizeof(kri_block);
    kri_store_rlx64(&kri_block_at(a, own)->owner, own);
    a->state->gaps = UINT64_MAX;
    CHECK_EQ(kr_arena_alloc(a, 9 * KRI_BLOCK_UNIT - sizeof(kri_block), &rest), -ENOSPC);
    kr_arena_release(a);
}

/* Two free the same piece at once: one has done it, the other is told, and nothing is damaged. */
typedef struct twice {
    kr_arena *arena;
    _Alignas(64) kr_word round;
    _Alignas(64) kr_word ready, done;
    void *piece;
    kr_word freed, refused;
} twice;

static void free_it(twice *t)
{
    int err = kr_arena_free(t->arena, t->piece);
    kri_add_rlx(err == 0 ? &t->freed : &t->refused, 1);
}

static void *free_too(void *arg)
{
    twice *t = arg;
    for (uint32_t round = 1;; round++) {
        kri_store_rel(&t->ready, round);
        uint32_t now;
        while ((now = kri_load_acq(&t->round)) < round)
            continue;
        if (now == UINT32_MAX)
            return NULL;
        free_it(t);
        kri_store_rel(&t->done, round);
    }
}

TEST(two_free_the_same_at_once)
{
    twice t = {.arena = create(100000)};
    kr_time end = kr_now() + party_budget() / 2;
    uint32_t round = 0;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, free_too, &t), 0);
    while (kr_now() < end) {
        void *beside[3];
        beside[0] = alloc(t.arena, 100);
        t.piece = alloc(t.arena, 100);
        beside[1] = alloc(t.arena, 100);
        round++;
        while (kri_load_acq(&t.ready) < round)
            continue;
        kri_store_rel(&t.round, round);
        free_it(&t);
        while (kri_load_acq(&t.done) < round)
            continue;
        beside[2] = alloc(t.arena, 50);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(kr_arena_free(t.arena, beside[i]), 0);
    }
    kri_store_rel(&t.round, UINT32_MAX);
    pthread_join(thread, NULL);
    CHECK_EQ(kri_load_acq(&t.freed), round);
    CHECK_EQ(kri_load_acq(&t.refused), round);
    check_empty(t.arena);
    kr_arena_release(t.arena);
}
