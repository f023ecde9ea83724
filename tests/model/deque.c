/* A worker's queue with its thieves under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "queue/deque.h"

enum { ITEMS = 12 };

/* Item n + 1 stands for data[n], which is written before the push. */
static struct {
    kri_deque deque;
    long data[ITEMS];
    int taken[ITEMS]; /* plain: two takers of one item are a race at least */
    int pushed;
    kr_word asleep;
    bool found_empty;
    bool saw_sleeper;
    uint64_t results[2];
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.deque.top, sizeof s.deque.top, "top");
    kr_explore_name(&s.deque.bottom, sizeof s.deque.bottom, "bottom");
    kr_explore_name(&s.deque.slots, sizeof s.deque.slots, "slots");
    kr_explore_name(&s.data, sizeof s.data, "data");
    kr_explore_name(&s.taken, sizeof s.taken, "taken");
    kr_explore_name(&s.asleep, sizeof s.asleep, "asleep");
}

static bool push(void)
{
    s.data[s.pushed] = s.pushed + 100;
    if (!kri_deque_push(&s.deque, (uint64_t)s.pushed + 1))
        return false;
    s.pushed++;
    return true;
}

static uint64_t use(uint64_t item)
{
    if (item == 0)
        return 0;
    kr_explore_check(item <= ITEMS);
    kr_explore_check(s.data[item - 1] == (long)item + 99);
    kr_explore_check(s.taken[item - 1]++ == 0);
    return item;
}

static uint64_t pop(void)
{
    return use(kri_deque_pop(&s.deque));
}

static uint64_t steal(void)
{
    return use(kri_deque_steal(&s.deque));
}

static void steal_once(void *result)
{
    uint64_t item = steal();
    if (result)
        *(uint64_t *)result = item;
}

static void steal_twice(void *arg)
{
    (void)arg;
    uint64_t first = steal();
    uint64_t second = steal();
    kr_explore_check(first == 0 || second == 0 || second > first);
}

/* All thieves are gone: what is left comes newest first, and then all have been taken. */
static void settle(void)
{
    kr_explore_join_all();
    uint64_t before = ITEMS + 1;
    for (uint64_t item = pop(); item != 0; item = pop()) {
        kr_explore_check(item < before);
        before = item;
    }
    for (int i = 0; i < s.pushed; i++)
        kr_explore_check(s.taken[i] == 1);
    kr_explore_check(kri_deque_is_empty(&s.deque));
    kr_explore_check(kri_deque_length(&s.deque) == 0);
}

/* The contents of an item go with it, also when the bottom that a thief sees is that of a pop. */
SCENARIO(deque_push_and_steal, .preemptions = 4)
{
    fresh();
    kr_explore_spawn(steal_once, NULL);
    push();
    push();
    pop();
    settle();
}

SCENARIO(deque_last_item, .preemptions = 4)
{
    fresh();
    push();
    kr_explore_spawn(steal_once, &s.results[0]);
    uint64_t mine = pop();
    kr_explore_join_all();
    kr_explore_check((mine == 1) + (s.results[0] == 1) == 1);
    settle();
}

SCENARIO(deque_last_item_two_thieves, .preemptions = 4)
{
    fresh();
    push();
    kr_explore_spawn(steal_once, &s.results[0]);
    kr_explore_spawn(steal_once, &s.results[1]);
    uint64_t mine = pop();
    kr_explore_join_all();
    kr_explore_check((mine == 1) + (s.results[0] == 1) + (s.results[1] == 1) == 1);
    settle();
}

/* A thief comes as far as to the item that is being popped. */
SCENARIO(deque_thief_comes_down, .preemptions = 4)
{
    fresh();
    push();
    push();
    kr_explore_spawn(steal_twice, NULL);
    pop();
    pop();
    settle();
}

SCENARIO(deque_two_thieves_come_down, .preemptions = 4)
{
    fresh();
    push();
    push();
    kr_explore_spawn(steal_once, NULL);
    kr_explore_spawn(steal_once, NULL);
    pop();
    settle();
}

/* A place is popped and used anew while a thief looks at it. */
SCENARIO(deque_place_used_again, .preemptions = 4)
{
    fresh();
    push();
    push();
    kr_explore_spawn(steal_twice, NULL);
    pop();
    push();
    pop();
    settle();
}

/* The last item is gone, to one or the other, and the owner goes on. */
SCENARIO(deque_goes_on_after_the_last, .preemptions = 4)
{
    fresh();
    push();
    kr_explore_spawn(steal_twice, NULL);
    pop();
    push();
    push();
    pop();
    settle();
}

/* As many thieves as items, and nobody else: each gets one, though they race. */
SCENARIO(deque_no_thief_goes_away_empty, .preemptions = 4)
{
    fresh();
    push();
    push();
    kr_explore_spawn(steal_once, &s.results[0]);
    kr_explore_spawn(steal_once, &s.results[1]);
    kr_explore_join_all();
    kr_explore_check(s.results[0] + s.results[1] == 3);
    settle();
}

/* A slot is written again as soon as its item is gone, and no sooner. */
SCENARIO(deque_full, .preemptions = 4)
{
    fresh();
    for (int i = 0; i < KRI_DEQUE_ROOM; i++)
        kr_explore_check(push());
    kr_explore_spawn(steal_once, &s.results[0]);
    kr_explore_spawn(steal_once, &s.results[1]);
    push();
    push();
    kr_explore_check(s.pushed <= KRI_DEQUE_ROOM + 2);
    kr_explore_join_all();
    kr_explore_check(s.results[0] + s.results[1] == 3);
    settle();
}

/* Once round the ring, with a thief who has read a slot of the round before. */
SCENARIO(deque_round_the_ring, .preemptions = 4)
{
    fresh();
    push();
    kr_explore_spawn(steal_once, NULL);
    push();
    pop();
    pop();
    for (int i = 0; i < KRI_DEQUE_ROOM; i++)
        push();
    settle();
}

/* A pop of nothing harms nobody. */
SCENARIO(deque_pop_of_nothing, .preemptions = 4)
{
    fresh();
    push();
    kr_explore_spawn(steal_once, NULL);
    kr_explore_spawn(steal_once, NULL);
    pop();
    pop();
    push();
    settle();
}

/* What the owner sees of its own end. */
SCENARIO(deque_newest_and_mark, .preemptions = 4)
{
    fresh();
    push();
    kr_explore_spawn(steal_twice, NULL);
    uint64_t mark = kri_deque_mark(&s.deque);
    push();
    uint64_t newest = kri_deque_newest(&s.deque);
    kr_explore_check(newest == 0 || newest == 2);
    uint64_t item = pop();
    kr_explore_check(item == 0 || item == newest);
    kr_explore_check(kri_deque_mark(&s.deque) >= mark);
    newest = kri_deque_newest(&s.deque);
    kr_explore_check(newest == 0 || kri_deque_mark(&s.deque) == mark);
    settle();
}

/* Somebody who wants to sleep says so, and then looks. */
static void look_and_sleep(void *arg)
{
    (void)arg;
    kri_store_sc(&s.asleep, 1);
    s.found_empty = kri_deque_is_empty(&s.deque);
}

SCENARIO(deque_push_or_sleep, .preemptions = 4)
{
    fresh();
    kr_explore_spawn(look_and_sleep, NULL);
    push();
    s.saw_sleeper = kri_load_sc(&s.asleep) == 1;
    kr_explore_join_all();
    kr_explore_check(s.saw_sleeper || !s.found_empty);
    settle();
}

/* The same with a history: an item that went through before. */
SCENARIO(deque_pop_and_push_or_sleep, .preemptions = 4)
{
    fresh();
    push();
    kr_explore_spawn(look_and_sleep, NULL);
    kr_explore_spawn(steal_once, NULL);
    pop();
    push();
    s.saw_sleeper = kri_load_sc(&s.asleep) == 1;
    kr_explore_join_all();
    kr_explore_check(s.saw_sleeper || !s.found_empty || s.taken[1] == 1);
    settle();
}
