/* The runners of a loop: making them, keeping those that are idle, and telling who has a task.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_RUNNERS_H
#define KRI_LOOP_RUNNERS_H

#include <stdio.h>

#include "loop/loop.h"

/* kri_runner_create - without a task; NULL: no memory.
 * kri_runner_destroy - not the one that runs. */
kri_runner *kri_runner_create(kri_loop *loop, size_t stack_size);
void kri_runner_destroy(kri_runner *runner);

/* What its context begins with, and what its timer does; in runner.c. */
void kri_runner_run(void *runner);
void kri_runner_time_is_up(kri_timer *timer);

/* The bit of a place, or of the word that it is in, one level up, and so on. */
static inline void kri_runner_be_idle(kri_runner *runner)
{
    kri_roster *roster = &runner->loop->roster;
    size_t at = runner->place;
    roster->count++;
    for (int level = 0; level < KRI_ROSTER_LEVELS; level++, at >>= KRI_ROSTER_BITS)
        roster->idle[level][at / 64] |= UINT64_C(1) << at % 64;
}

static inline void kri_runner_leave_idle(kri_roster *roster, size_t at)
{
    roster->count--;
    for (int level = 0; level < KRI_ROSTER_LEVELS; level++, at >>= KRI_ROSTER_BITS) {
        uint64_t *word = &roster->idle[level][at / 64];
        *word &= ~(UINT64_C(1) << at % 64);
        if (*word != 0)
            return;
    }
}

/* kri_runner_first_idle - that of the first place; pre: there is one. */
static inline kri_runner *kri_runner_first_idle(const kri_roster *roster)
{
    size_t at = 0;
    while (roster->idle[KRI_ROSTER_LEVELS - 1][at] == 0)
        at++;
    for (int level = KRI_ROSTER_LEVELS - 1; level >= 0; level--)
        at = at * 64 + (size_t)__builtin_ctzll(roster->idle[level][at]);
    return roster->runners[at];
}

static inline kri_runner *kri_runner_take_idle(kri_loop *loop)
{
    kri_runner *runner = kri_runner_first_idle(&loop->roster);
    kri_runner_leave_idle(&loop->roster, runner->place);
    return runner;
}

/* kri_runner_be_spent - to be destroyed by the loop itself, for it stands on its own stack still.
 */
static inline void kri_runner_be_spent(kri_runner *runner)
{
    kri_loop *loop = runner->loop;
    runner->next = (kri_item)loop->spent;
    loop->spent = runner;
}

void kri_runners_trim(kri_loop *loop); /* by the loop itself, once a turn */

/* kri_runner_begins - it has a task from now on; kri_runner_has_ended - no more. */
static inline void kri_runner_begins(kri_runner *runner)
{
    kri_loop *loop = runner->loop;
    runner->number = ++loop->begun;
    if (++loop->alive > loop->most_alive)
        loop->most_alive = loop->alive;
}

static inline void kri_runner_has_ended(kri_runner *runner)
{
    runner->number = 0;
    runner->loop->alive--;
}

/* kri_runner_set_name - as much as there is room for; "": none.  Its line of memory is not touched
 * by those that have none. */
static inline void kri_runner_set_name(kri_runner *runner, const char *name)
{
    snprintf(runner->name, sizeof runner->name, "%s", name);
    runner->named = name[0] != 0;
}

/* kri_runners_in_order - the first of all, by `next_of_all`: those that have a task come in the
 * order in which those began.  kri_runner_task - the task of one of them; NULL: none. */
kri_runner *kri_runners_in_order(kri_loop *loop);
static inline kr_future *kri_runner_task(const kri_runner *runner)
{
    return runner->number != 0 ? runner->future : NULL;
}

#endif
