/* A process is killed after every single instruction of each call of an arena; in a short run after
 * every third, about, by chance.
 *
 * The victim is a child that is single-stepped (ptrace) through one call, and killed after step 1,
 * another one after step 2, and so on until one gets through; a system call is one step.  After
 * each kill the chain of blocks is whole, what others have is untouched, and when what the dead one
 * had is reclaimed nothing is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/arena_help.h"
#include "memory/step.h"

enum { ALL = 32768, PIECES = 7, STEPS = 30000, MANY_SECONDS = 10 };

typedef struct step_world {
    kr_word done;
    uint64_t pieces[PIECES];
} step_world;

typedef struct step_case {
    void (*prepare)(void); /* may be NULL */
    int (*victim)(void);
    void (*after)(bool through); /* may be NULL */
    unsigned apart;              /* so many times fewer kills, for a long call */
} step_case;

static step_case now;
static kr_arena *arena; /* in memory that children share */
static step_world *world;

static void *piece(int i)
{
    return kr_arena_at(arena, world->pieces[i]);
}

static size_t size_of_piece(int i)
{
    return 100 + 150 * (size_t)i;
}

/* Seven in a row, of which the odd ones are freed again: gaps between all. */
static void make(void *memory)
{
    CHECK_EQ(kr_arena_create_at(&arena, memory, ALL, NULL), 0);
    for (int i = 0; i < PIECES; i++) {
        void *p = alloc(arena, size_of_piece(i));
        memset(p, i + 1, size_of_piece(i));
        world->pieces[i] = kr_arena_offset(arena, p);
    }
    for (int i = 1; i < PIECES; i += 2)
        CHECK_EQ(kr_arena_free(arena, piece(i)), 0);
    if (now.prepare != NULL)
        now.prepare();
}

static bool is_whole(int i)
{
    const unsigned char *p = piece(i);
    for (size_t k = 0; k < size_of_piece(i); k++) {
        if (p[k] != i + 1)
            return false;
    }
    return true;
}

/* Victims.  Piece 2 is theirs to free; 0, 4 and 6 nobody touches. */

static int alloc_dividing(void)
{
    void *p = NULL;
    return kr_arena_alloc(arena, 64, &p);
}

static int alloc_exactly(void)
{
    void *p = NULL;
    return kr_arena_alloc(arena, size_of_piece(3), &p);
}

static int alloc_large(void)
{
    void *p = NULL;
    return kr_arena_alloc(arena, 20000, &p);
}

static int free_between_gaps(void)
{
    return kr_arena_free(arena, piece(2));
}

static int free_all(void)
{
    int err = 0;
    for (int i = 0; i < PIECES && err == 0; i += 2)
        err = kr_arena_free(arena, piece(i));
    return err;
}

static int reclaim(void)
{
    return kr_arena_reclaim(arena);
}

static void hold_the_lock(void)
{
    CHECK_EQ(kri_arena_enter(arena), 0);
}

static void give_up_the_lock(bool through)
{
    (void)through;
    kri_arena_leave(arena);
}

/* Three that wait to be freed. */
static void defer_three(void)
{
    hold_the_lock();
    for (int i = 2; i < PIECES; i += 2)
        CHECK_EQ(kr_arena_free(arena, piece(i)), 0);
    give_up_the_lock(true);
}

static void alloc_as_another(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        (void)alloc(arena, 100);
}

static void leave_three(void)
{
    reap(child(alloc_as_another, NULL));
}

static void check_after(bool through)
{
    if (now.after != NULL)
        now.after(through);
    (void)statistics(arena);
    CHECK_GE(kr_arena_reclaim(arena), 0);
    check_chain(arena);
    for (int i = 0; i < PIECES; i += 2) {
        if (kr_arena_size(arena, piece(i)) != size_of_piece(i))
            continue;
        CHECK(is_whole(i));
        CHECK_EQ(kr_arena_free(arena, piece(i)), 0);
    }
    check_empty(arena);
    CHECK_EQ(kr_arena_free(arena, alloc(arena, ALL / 2)), 0);
}

static void kill_after_each(step_case what)
{
    now = what;
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind multiply the steps");
    void *memory = shared_pages(ALL);
    world = shared_pages(sizeof *world);
    step_victim victim = {what.victim, &world->done};
    uint64_t random = kri_test_seed();
    bool all = kri_test_budget() > MANY_SECONDS; /* long runs: every step, or nearly */
    unsigned stride = all ? 1 + what.apart / 8 : 5 * (1 + what.apart);
    int steps = 0;
    long kills = 0;
    bool killed = true;
    while (killed && steps < STEPS) {
        make(memory);
        steps += 1 + (int)(kri_test_random(&random) % stride);
        killed = step_and_kill(&victim, steps);
        check_after(!killed);
        kr_arena_release(arena);
        kills += killed;
    }
    CHECK_GE(kills, 20);
    CHECK_LE(steps, STEPS - 1);
    kri_test_note("%ld kills within %d steps", kills, steps);
}

TEST(arena_killed_in_alloc_from_the_middle_of_a_gap)
{
    kill_after_each((step_case){.victim = alloc_dividing});
}

TEST(arena_killed_in_alloc_of_a_whole_gap)
{
    kill_after_each((step_case){.victim = alloc_exactly});
}

TEST(arena_killed_in_alloc_from_the_last_gap)
{
    kill_after_each((step_case){.victim = alloc_large});
}

TEST(arena_killed_in_free_between_gaps)
{
    kill_after_each((step_case){.victim = free_between_gaps});
}

TEST(arena_killed_in_free_of_all)
{
    kill_after_each((step_case){.victim = free_all, .apart = 5});
}

TEST(arena_killed_in_deferring)
{
    kill_after_each((step_case){
        .prepare = hold_the_lock, .victim = free_between_gaps, .after = give_up_the_lock});
}

TEST(arena_killed_in_freeing_the_deferred)
{
    kill_after_each((step_case){.prepare = defer_three, .victim = alloc_dividing, .apart = 2});
}

TEST(arena_killed_in_reclaim)
{
    kill_after_each((step_case){.prepare = leave_three, .victim = reclaim, .apart = 20});
}
