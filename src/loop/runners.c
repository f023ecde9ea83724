/* The runners of a loop: making them, keeping those that are idle, and telling who has a task.
 *
 * Of the idle ones so many are kept as had a task at once a moment ago: stacks that come and go
 * cost more than what most tasks do.  The loop looks now and then, and does not sleep past that
 * while there may be too many.
 *
 * A new task gets the idle runner of the first place, in the order in which they were made, and not
 * that which was idle last.  Where few tasks are there at once, both mean the same few stacks.
 * Where thousands begin at once, none of their stacks is in a cache, and stacks of neighbours lie
 * at equal distances, which processors notice and fetch ahead, addresses and all: that is worth
 * some hundred nanoseconds each.
 *
 * All runners of a loop, idle or not, stand in a list that changes only as they are made and
 * destroyed.  Those with a task are told by its number, and put in order when somebody asks: a list
 * of these alone would be changed at the end of each task, in the memory of two others, which are
 * in no cache.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/runners.h"

#include "os/os.h"

enum { IDLE_LEAST = 1024, AT_ONCE = 1024, LEAST_ROOM = 64 };

static const kr_time idle_look = 250 * 1000000; /* nanoseconds */

/* At the top of its own stack. */
static kri_runner *place_in(const kri_stack *stack)
{
    uintptr_t top = (uintptr_t)stack->low + stack->size - sizeof(kri_runner);
    return (kri_runner *)(top & ~(uintptr_t)63);
}

/* Room for one more: 0, -ENOMEM. */
static int make_place(kri_roster *roster, size_t count)
{
    if (count < roster->room)
        return 0;
    size_t room = roster->room > 0 ? roster->room * 2 : LEAST_ROOM;
    size_t words[KRI_ROSTER_LEVELS], all = 0;
    for (int level = 0; level < KRI_ROSTER_LEVELS; level++)
        all += words[level] = (room >> level * KRI_ROSTER_BITS) / 64 + 1;
    kri_runner **runners = os_alloc(room * sizeof(kri_runner *) + all * sizeof(uint64_t));
    if (runners == NULL)
        return -ENOMEM;
    uint64_t *idle = (uint64_t *)(void *)(runners + room);
    for (size_t i = 0; i < count; i++)
        runners[i] = roster->runners[i];
    for (int level = 0; level < KRI_ROSTER_LEVELS; idle += words[level++]) {
        size_t used = roster->room > 0 ? (roster->room >> level * KRI_ROSTER_BITS) / 64 + 1 : 0;
        for (size_t i = 0; i < used; i++)
            idle[i] = roster->idle[level][i];
        roster->idle[level] = idle;
    }
    os_free(roster->runners);
    roster->runners = runners;
    roster->room = room;
    return 0;
}

static void take_place(kri_runner *runner, kri_roster *roster, size_t place)
{
    runner->place = (uint32_t)place;
    roster->runners[place] = runner;
}

/* It is not idle; the last of all takes its place. */
static void leave_place(const kri_runner *runner, kri_roster *roster, size_t count)
{
    kri_runner *last = roster->runners[count - 1];
    if (last == runner)
        return;
    bool idle = roster->idle[0][last->place / 64] >> last->place % 64 & 1;
    if (idle)
        kri_runner_leave_idle(roster, last->place);
    take_place(last, roster, runner->place);
    if (idle)
        kri_runner_be_idle(last);
}

/* That of the last place: so those that stay lie together. */
static kri_runner *take_last_idle(kri_roster *roster)
{
    size_t at = (roster->room >> (KRI_ROSTER_LEVELS - 1) * KRI_ROSTER_BITS) / 64;
    while (roster->idle[KRI_ROSTER_LEVELS - 1][at] == 0)
        at--;
    for (int level = KRI_ROSTER_LEVELS - 1; level >= 0; level--)
        at = at * 64 + 63 - (size_t)__builtin_clzll(roster->idle[level][at]);
    kri_runner_leave_idle(roster, at);
    return roster->runners[at];
}

static void enlist(kri_runner *runner, kri_loop *loop)
{
    take_place(runner, &loop->roster, loop->runner_count);
    runner->next_of_all = loop->runners;
    if (loop->runners != NULL)
        loop->runners->previous_of_all = runner;
    loop->runners = runner;
    loop->runner_count++;
}

static void delist(kri_runner *runner, kri_loop *loop)
{
    kri_runner *next = runner->next_of_all, *previous = runner->previous_of_all;
    leave_place(runner, &loop->roster, loop->runner_count);
    *(previous != NULL ? &previous->next_of_all : &loop->runners) = next;
    if (next != NULL)
        next->previous_of_all = previous;
    loop->runner_count--;
}

kri_runner *kri_runner_create(kri_loop *loop, size_t stack_size)
{
    kri_stack stack;
    if (make_place(&loop->roster, loop->runner_count) != 0 ||
        kri_timers_reserve(&loop->timers, 1) != 0)
        return NULL;
    if (kri_stack_take(&stack, stack_size) != 0) {
        kri_timers_unreserve(&loop->timers, 1);
        return NULL;
    }
    kri_runner *runner = place_in(&stack);
    *runner = (kri_runner){.stack = stack, .loop = loop, .timer = {.fire = kri_runner_time_is_up}};
    runner->home = loop;
    runner->canary = stack.canary;
    if (kri_context_make(&runner->context, &stack, (char *)runner, kri_runner_run, runner) == 0) {
        enlist(runner, loop);
        return runner;
    }
    kri_timers_unreserve(&loop->timers, 1);
    kri_stack_give(&stack);
    return NULL;
}

void kri_runner_destroy(kri_runner *runner)
{
    kri_stack stack = runner->stack;
    delist(runner, runner->loop);
    kri_timers_unreserve(&runner->loop->timers, 1);
    kri_context_end(&runner->context);
    kri_stack_give(&stack);
}

static void give_spent_back(kri_loop *loop)
{
    while (loop->spent != NULL) {
        kri_runner *runner = loop->spent;
        loop->spent = (kri_runner *)runner->next;
        kri_runner_destroy(runner);
    }
}

/* Those that were not needed since the last look, some in each turn. */
static void trim_idle(kri_loop *loop)
{
    kr_time now = os_now();
    if (loop->trim_at == 0)
        loop->trim_at = now + idle_look;
    if (now < loop->trim_at)
        return;
    size_t needed = loop->most_alive > loop->alive ? loop->most_alive - loop->alive : 0;
    size_t kept = needed > IDLE_LEAST ? needed : IDLE_LEAST;
    for (int i = 0; i < AT_ONCE && loop->roster.count > kept; i++)
        kri_runner_destroy(take_last_idle(&loop->roster));
    if (loop->roster.count > kept)
        return;
    loop->most_alive = loop->alive;
    loop->trim_at = kept > IDLE_LEAST ? now + idle_look : 0;
}

void kri_runners_trim(kri_loop *loop)
{
    give_spent_back(loop);
    if (__builtin_expect(loop->roster.count > IDLE_LEAST, 0))
        trim_idle(loop);
    else
        loop->trim_at = 0;
}

void kri_runners_end(kri_loop *loop)
{
    give_spent_back(loop);
    while (loop->roster.count > 0)
        kri_runner_destroy(take_last_idle(&loop->roster));
    os_free(loop->roster.runners);
    loop->roster = (kri_roster){0};
}

/* Order. */

static kri_runner *merge(kri_runner *a, kri_runner *b)
{
    kri_runner *first = NULL;
    kri_runner **end = &first;
    while (a != NULL && b != NULL) {
        kri_runner **sooner = a->number <= b->number ? &a : &b;
        *end = *sooner;
        end = &(*sooner)->next_of_all;
        *sooner = *end;
    }
    *end = a != NULL ? a : b;
    return first;
}

/* The first `count` of the rest, which ends behind them then. */
static kri_runner *sort(kri_runner **rest, size_t count)
{
    if (count <= 1) {
        kri_runner *only = *rest;
        if (only != NULL) {
            *rest = only->next_of_all;
            only->next_of_all = NULL;
        }
        return only;
    }
    kri_runner *half = sort(rest, count / 2);
    return merge(half, sort(rest, count - count / 2));
}

kri_runner *kri_runners_in_order(kri_loop *loop)
{
    kri_runner *rest = loop->runners, *previous = NULL;
    loop->runners = sort(&rest, loop->runner_count);
    for (kri_runner *r = loop->runners; r != NULL; r = r->next_of_all) {
        r->previous_of_all = previous;
        previous = r;
    }
    return loop->runners;
}
