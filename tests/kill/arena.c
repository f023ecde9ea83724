/* Processes are killed while they allocate and free in one arena.
 *
 * Each piece is filled with a pattern that its place in a common table tells; some are freed by
 * others than who allocated them.  After each kill what the dead one had is reclaimed, and whoever
 * is left goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kill/kill.h"
#include "memory/arena_help.h"

enum { VICTIMS = 3, HANDED = 64, MOST_OWN = 32, LONGEST = 3000, ARENA = 128 << 10 };

typedef struct arena_world {
    kr_arena *arena;
    kri_word64 handed[HANDED]; /* pieces that anybody may take and free; 0: none */
    kr_word calls, wrong, full;
} arena_world;

typedef struct head {
    uint64_t size;
    uint64_t sum;
} head;

static void fill(arena_world *w, unsigned char *piece, size_t size)
{
    head h = {size, size * 31 + kr_arena_offset(w->arena, piece)};
    memcpy(piece, &h, sizeof h);
    memset(piece + sizeof h, (int)(h.sum & 255), size - sizeof h);
}

static bool is_whole(arena_world *w, const unsigned char *piece)
{
    head h;
    memcpy(&h, piece, sizeof h);
    if (h.sum != h.size * 31 + kr_arena_offset(w->arena, piece) ||
        h.size != kr_arena_size(w->arena, piece))
        return false;
    for (size_t i = sizeof h; i < h.size; i++) {
        if (piece[i] != (unsigned char)h.sum)
            return false;
    }
    return true;
}

static void free_checked(arena_world *w, unsigned char *piece)
{
    kri_add_rlx(&w->wrong, !is_whole(w, piece));
    memset(piece, 0, sizeof(head));
    kri_add_rlx(&w->wrong, kr_arena_free(w->arena, piece) != 0);
    kri_add_rlx(&w->calls, 1);
}

static unsigned char *alloc_filled(arena_world *w, uint64_t *random)
{
    void *piece = NULL;
    size_t size = sizeof(head) + party_random_below(random, LONGEST);
    int err = kr_arena_alloc(w->arena, size, &piece);
    kri_add_rlx(&w->calls, 1);
    kri_add_rlx(&w->full, err == -ENOSPC);
    kri_add_rlx(&w->wrong, err != 0 && err != -ENOSPC);
    if (err == 0)
        fill(w, piece, size);
    return err == 0 ? piece : NULL;
}

/* Put a piece where others find it, and free what was there, whoever has put it there. */
static void hand_over(arena_world *w, uint64_t *random, unsigned char *piece)
{
    kri_word64 *place = &w->handed[party_random_below(random, HANDED)];
    uint64_t old = kri_swap_acq_rel64(place, kr_arena_offset(w->arena, piece));
    unsigned char *taken = kr_arena_at(w->arena, old);
    if (taken != NULL)
        free_checked(w, taken);
}

/* Leaves the processor to the killer. */
static void rest(uint64_t *random)
{
    struct timespec moment = {0, 20000};
    if (party_random_below(random, 32) == 0)
        nanosleep(&moment, NULL);
}

static void use_for_ever(void *arg, int index)
{
    arena_world *w = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    unsigned char *own[MOST_OWN] = {NULL};
    for (;; rest(&random)) {
        unsigned i = party_random_below(&random, MOST_OWN);
        if (own[i] == NULL)
            own[i] = alloc_filled(w, &random);
        else
            free_checked(w, own[i]), own[i] = NULL;
    }
}

static void hand_for_ever(void *arg, int index)
{
    arena_world *w = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    for (;; rest(&random)) {
        unsigned char *piece = alloc_filled(w, &random);
        if (piece != NULL)
            hand_over(w, &random, piece);
    }
}

static arena_world *world_create(void)
{
    arena_world *w = party_world(sizeof *w);
    CHECK_EQ(kr_arena_create(&w->arena, ARENA, NULL), 0);
    return w;
}

static void world_end(arena_world *w, const kill_run *run)
{
    while (kr_arena_reclaim(w->arena) > 0)
        continue;
    check_empty(w->arena);
    CHECK_EQ(kri_load_acq(&w->wrong), 0);
    kri_test_note("%d kills, %u calls, %u times full, the next call after %.1f ms at most",
                  run->kills, kri_load_rlx(&w->calls), kri_load_rlx(&w->full),
                  (double)run->slowest / 1e6);
    kr_arena_release(w->arena);
    party_world_free(w, sizeof *w);
}

/* Each frees what it has allocated; the dead one's is reclaimed after each kill. */
PARTY_TEST_OF(test_kill_arena_users, processes)
{
    arena_world *w = world_create();
    kill_run run = kill_begin(VICTIMS, use_for_ever, w);
    while (kill_goes_on(&run)) {
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        kr_time start = kr_now();
        void *piece = NULL;
        CHECK_EQ(kr_arena_alloc(w->arena, 100, &piece), 0);
        kill_took(&run, start);
        CHECK_GE(kr_arena_reclaim(w->arena), 0);
        CHECK_EQ(kr_arena_free(w->arena, piece), 0);
        (void)statistics(w->arena);
        kill_await_progress(&w->calls, kri_load_acq(&w->calls), "the others");
        kill_replace(&run, victim);
        CHECK_EQ(kri_load_acq(&w->wrong), 0);
    }
    kill_end(&run);
    world_end(w, &run);
}

/* Pieces are freed by others; reclaimed only at the end, when all are dead. */
PARTY_TEST_OF(test_kill_arena_others_free, processes)
{
    arena_world *w = world_create();
    kill_run run = kill_begin(VICTIMS, hand_for_ever, w);
    while (kill_goes_on(&run)) {
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        kr_time start = kr_now();
        (void)statistics(w->arena);
        kill_took(&run, start);
        kill_await_progress(&w->calls, kri_load_acq(&w->calls), "the others");
        kill_replace(&run, victim);
        CHECK_EQ(kri_load_acq(&w->wrong), 0);
    }
    kill_end(&run);
    for (int i = 0; i < HANDED; i++) {
        unsigned char *piece = kr_arena_at(w->arena, kri_load_acq64(&w->handed[i]));
        if (piece != NULL)
            free_checked(w, piece);
    }
    world_end(w, &run);
}
