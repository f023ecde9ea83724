/* Semaphores and barriers with a table of holders, and the death of a process at every point.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/barrier.h>
#include <krait/event.h>
#include <krait/semaphore.h>

enum { VICTIM = 1, SURVIVOR = 2, ROWS = 3 };

static struct {
    kr_semaphore semaphore;
    kr_barrier barrier;
    kr_holder holders[ROWS];
    kr_event end;
    int results[3];
} s;

static void fresh(int permits, size_t rows)
{
    memset(&s, 0, sizeof s);
    s.end = (kr_event)KR_EVENT_INIT_SHARED;
    kr_explore_check(kr_semaphore_init(&s.semaphore, permits,
                                       &(kr_semaphore_options){.scope = KR_SHARED,
                                                               .holders = s.holders,
                                                               .holder_count = rows}) == 0);
    kr_explore_name(&s.semaphore, sizeof s.semaphore, "semaphore");
    kr_explore_name(s.holders, sizeof s.holders, "holders");
}

/* When all are gone: exactly so many permits are there. */
static void check_permits(int permits)
{
    kr_explore_join_all();
    for (int i = 0; i < permits; i++)
        kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_NOWAIT) == 0);
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_NOWAIT) == -ETIMEDOUT);
    kr_explore_check(kr_semaphore_release(&s.semaphore, permits) == 0);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == -EPERM);
}

static void borrow(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

SCENARIO(owned_without_death, .early = KR_EXPLORE_NONE)
{
    kr_time began = kr_now();

    fresh(1, ROWS);
    kr_explore_spawn_in(1, borrow, NULL);
    kr_explore_spawn_in(2, borrow, NULL);
    check_permits(1);
    kr_explore_check(kr_now() - began < kr_ms(1));
}

SCENARIO(owned_borrower_dies, .victim = VICTIM, .stale = KR_EXPLORE_NONE)
{
    fresh(1, ROWS);
    kr_explore_spawn_in(VICTIM, borrow, NULL);
    kr_explore_spawn_in(SURVIVOR, borrow, NULL);
    check_permits(1);
}

static void take_two_and_give_both(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 2) == 0);
}

SCENARIO(owned_borrower_of_two_dies, .victim = VICTIM, .stale = KR_EXPLORE_NONE,
         .early = KR_EXPLORE_NONE)
{
    fresh(2, ROWS);
    kr_explore_spawn_in(VICTIM, take_two_and_give_both, NULL);
    kr_explore_spawn_in(SURVIVOR, borrow, NULL);
    check_permits(2);
}

/* It dies holding it, and one waits for it already. */
static void take(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
}

SCENARIO(owned_waiter_dies, .victim = VICTIM, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE)
{
    fresh(1, ROWS);
    take(NULL);
    kr_explore_spawn_in(VICTIM, borrow, NULL);
    kr_explore_spawn_in(SURVIVOR, borrow, NULL);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    check_permits(1);
}

/* One that waits for long looks whether the holders live. */
SCENARIO(owned_holder_is_looked_at, .stale = KR_EXPLORE_NONE)
{
    fresh(1, ROWS);
    take(NULL);
    kr_explore_spawn_in(SURVIVOR, borrow, NULL);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    check_permits(1);
}

SCENARIO(owned_two_releases, .early = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE)
{
    kr_time began = kr_now();

    fresh(2, ROWS);
    take(NULL);
    take(NULL);
    kr_explore_spawn_in(1, take, NULL);
    kr_explore_spawn_in(2, take, NULL);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    kr_explore_join_all();
    kr_explore_check(kr_now() - began < kr_ms(1));
}

/* One row: there is a permit but no room for a second process, unless the first is dead. */
static void take_in_full_table(void *arg)
{
    *(int *)arg = kr_semaphore_acquire(&s.semaphore, KR_FOREVER);
    if (*(int *)arg == 0)
        kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

static void take_and_stay(void *arg)
{
    take(arg);
    kr_explore_check(kr_event_wait(&s.end, KR_FOREVER) == 0);
}

SCENARIO(owned_table_is_full, .victim = VICTIM, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE)
{
    fresh(2, 1);
    kr_explore_spawn_in(VICTIM, take_and_stay, NULL);
    while (kr_explore_alive(VICTIM) && kr_semaphore_value(&s.semaphore) == 2)
        kr_explore_yield();
    bool dead = !kr_explore_alive(VICTIM);
    kr_explore_join(kr_explore_spawn_in(SURVIVOR, take_in_full_table, &s.results[0]));
    if (dead)
        kr_explore_check(s.results[0] == 0);
    else if (kr_explore_alive(VICTIM))
        kr_explore_check(s.results[0] == -ENOSPC);
    kr_event_set(&s.end);
    kr_explore_join_all();
}

/* Barriers. */

static void fresh_barrier(int parties)
{
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_barrier_init(&s.barrier, parties,
                                     &(kr_barrier_options){.scope = KR_SHARED,
                                                           .holders = s.holders,
                                                           .holder_count = ROWS}) == 0);
    kr_explore_name(&s.barrier, sizeof s.barrier, "barrier");
    kr_explore_name(s.holders, sizeof s.holders, "holders");
}

static void meet(void *arg)
{
    *(int *)arg = kr_barrier_wait(&s.barrier, KR_FOREVER);
}

SCENARIO(owned_barrier_without_death, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh_barrier(2);
    kr_explore_spawn_in(1, meet, &s.results[0]);
    kr_explore_spawn_in(2, meet, &s.results[1]);
    kr_explore_join_all();
    kr_explore_check(s.results[0] + s.results[1] == 1);
    for (int i = 0; i < ROWS; i++)
        kr_explore_check(s.holders[i].process == 0);
}

/* Three parties.  The first dies after it has come, perhaps before the third comes. */
SCENARIO(owned_barrier_party_dies, .victim = VICTIM, .stale = KR_EXPLORE_NONE,
         .early = KR_EXPLORE_NONE)
{
    fresh_barrier(3);
    kr_explore_spawn_in(VICTIM, meet, &s.results[0]);
    while (kr_explore_alive(VICTIM) && kr_barrier_n_waiting(&s.barrier) == 0)
        kr_explore_yield();
    if (kr_barrier_n_waiting(&s.barrier) == 0)
        return;
    kr_explore_spawn_in(SURVIVOR, meet, &s.results[1]);
    if (kr_explore_alive(VICTIM))
        meet(&s.results[2]);
    else
        s.results[2] = KR_EBROKEN;
    kr_explore_join_all();
    if (s.results[1] < 0)
        kr_explore_check(s.results[1] == KR_EBROKEN && s.results[2] == KR_EBROKEN);
    else
        kr_explore_check(s.results[2] >= 0);
}

/* The last to come dies: the other one is let go, or the barrier breaks, or nothing happened. */
SCENARIO(owned_barrier_last_dies, .victim = VICTIM, .stale = KR_EXPLORE_NONE)
{
    fresh_barrier(2);
    kr_explore_spawn_in(SURVIVOR, meet, &s.results[1]);
    kr_explore_join(kr_explore_spawn_in(VICTIM, meet, &s.results[0]));
    if (!kr_explore_alive(VICTIM))
        kr_explore_check(kr_barrier_abort(&s.barrier) == 0);
    kr_explore_join_all();
    kr_explore_check(s.results[1] >= 0 || s.results[1] == KR_EBROKEN);
    if (kr_explore_alive(VICTIM))
        kr_explore_check(s.results[0] + s.results[1] == 1);
    kr_explore_check(kr_barrier_reset(&s.barrier) == 0);
    kr_explore_check(kr_barrier_n_waiting(&s.barrier) == 0 && !kr_barrier_broken(&s.barrier));
}

static void abort_it(void *arg)
{
    (void)arg;
    kr_explore_check(kr_barrier_abort(&s.barrier) == 0);
}

/* One that breaks it dies meanwhile: the next to look does it again, and who waits is told. */
SCENARIO(owned_barrier_aborter_dies, .victim = VICTIM, .stale = KR_EXPLORE_NONE)
{
    fresh_barrier(2);
    kr_explore_spawn_in(SURVIVOR, meet, &s.results[1]);
    kr_explore_join(kr_explore_spawn_in(VICTIM, abort_it, NULL));
    if (!kr_explore_alive(VICTIM) && !kr_barrier_broken(&s.barrier))
        abort_it(NULL);
    kr_explore_join_all();
    kr_explore_check(s.results[1] == KR_EBROKEN);
}
