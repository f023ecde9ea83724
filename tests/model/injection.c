/* A pool's common queue under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include "queue/injection.h"

enum { ITEMS = 8 };

/* Item n stands for data[n], which is written before the push. */
static struct {
    kri_injection queue;
    long data[ITEMS];
    int taken[ITEMS]; /* plain: two takers of one item are a race at least */
    bool pushed[ITEMS];
    kr_word asleep;
    bool found_empty;
    bool saw_sleeper;
    size_t length_at_close;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.queue, sizeof s.queue, "queue");
    kr_explore_name(&s.data, sizeof s.data, "data");
    kr_explore_name(&s.taken, sizeof s.taken, "taken");
    kr_explore_name(&s.asleep, sizeof s.asleep, "asleep");
}

static int push(uint64_t item)
{
    s.data[item] = (long)item + 100;
    int err = kri_injection_push(&s.queue, item);
    s.pushed[item] = err == 0;
    return err;
}

static uint64_t use(uint64_t item)
{
    kr_explore_check(item >= 1 && item < ITEMS);
    kr_explore_check(s.data[item] == (long)item + 100);
    kr_explore_check(s.taken[item]++ == 0);
    return item;
}

static size_t take(size_t most)
{
    uint64_t items[KRI_INJECTION_CHUNK];
    size_t count = kri_injection_take(&s.queue, items, most);
    kr_explore_check(count <= most);
    for (size_t i = 0; i < count; i++)
        use(items[i]);
    return count;
}

static void push_from_1(void *count)
{
    for (uint64_t i = 1; i <= (uintptr_t)count; i++)
        kr_explore_check(push(i) == 0);
}

static void push_from_5(void *count)
{
    for (uint64_t i = 5; i < 5 + (uintptr_t)count; i++)
        kr_explore_check(push(i) == 0);
}

static void take_chunk(void *arg)
{
    (void)arg;
    take(KRI_INJECTION_CHUNK);
}

static void take_one(void *arg)
{
    (void)arg;
    take(1);
}

static void settle(void)
{
    kr_explore_join_all();
    while (take(KRI_INJECTION_CHUNK) > 0)
        continue;
    for (int i = 0; i < ITEMS; i++)
        kr_explore_check(s.taken[i] == s.pushed[i]);
    kr_explore_check(kri_injection_is_empty(&s.queue));
    kri_injection_free(&s.queue);
}

SCENARIO(injection_push_and_take, .preemptions = 3)
{
    fresh();
    kr_explore_spawn(push_from_1, (void *)3);
    take(2);
    take(2);
    settle();
}

SCENARIO(injection_two_pushers, .preemptions = 3)
{
    fresh();
    kr_explore_spawn(push_from_1, (void *)2);
    kr_explore_spawn(push_from_5, (void *)1);
    take(2);
    settle();
}

SCENARIO(injection_two_takers, .preemptions = 3)
{
    fresh();
    push_from_1((void *)3);
    kr_explore_spawn(take_chunk, NULL);
    kr_explore_spawn(take_one, NULL);
    settle();
}

/* A chunk comes back through the spares while it may still be read. */
SCENARIO(injection_chunk_used_again, .preemptions = 3)
{
    fresh();
    push_from_1((void *)2);
    kr_explore_spawn(take_chunk, NULL);
    push_from_5((void *)1);
    settle();
}

SCENARIO(injection_spare_used_again)
{
    fresh();
    push_from_1((void *)4);
    kr_explore_spawn(take_chunk, NULL);
    kr_explore_spawn(take_chunk, NULL);
    push_from_5((void *)2);
    settle();
}

/* In the order of each pusher. */
SCENARIO(injection_keeps_the_order, .preemptions = 3)
{
    fresh();
    kr_explore_spawn(push_from_1, (void *)3);
    uint64_t items[KRI_INJECTION_CHUNK];
    uint64_t next = 1;
    while (next <= 3) {
        size_t count = kri_injection_take(&s.queue, items, 2);
        for (size_t i = 0; i < count; i++)
            kr_explore_check(use(items[i]) == next++);
        if (count == 0)
            kr_explore_yield();
    }
    settle();
}

/* Nothing comes in once close has returned. */
static void close_it(void *arg)
{
    (void)arg;
    kri_injection_close(&s.queue, KR_ESHUTDOWN);
    s.length_at_close = kri_injection_length(&s.queue);
}

static void push_until_closed(void *first)
{
    uint64_t item = (uintptr_t)first;
    int err = push(item);
    kr_explore_check(err == 0 || err == KR_ESHUTDOWN);
    if (err != 0)
        kr_explore_check(push(item + 1) == KR_ESHUTDOWN);
}

SCENARIO(injection_close_against_push)
{
    fresh();
    kr_explore_spawn(close_it, NULL);
    kr_explore_spawn(push_until_closed, (void *)5);
    push_until_closed((void *)1);
    kr_explore_join_all();
    kr_explore_check(kri_injection_length(&s.queue) == s.length_at_close);
    kr_explore_check(push(7) == KR_ESHUTDOWN);
    settle();
}

SCENARIO(injection_close_against_push_and_take)
{
    fresh();
    kr_explore_spawn(close_it, NULL);
    kr_explore_spawn(take_chunk, NULL);
    push_until_closed((void *)1);
    push_until_closed((void *)3);
    settle();
}

/* A push that is refused memory has done nothing. */
static void push_or_not(void *first)
{
    uint64_t item = (uintptr_t)first;
    int err = push(item);
    kr_explore_check(err == 0 || err == -ENOMEM);
    err = push(item + 1);
    kr_explore_check(err == 0 || err == -ENOMEM);
}

SCENARIO(injection_no_memory, .failures = 1)
{
    fresh();
    kr_explore_spawn(push_or_not, (void *)1);
    push_or_not((void *)5);
    kr_explore_join_all();
    int pushed = 0;
    for (int i = 0; i < ITEMS; i++)
        pushed += s.pushed[i];
    kr_explore_check(kri_injection_length(&s.queue) == (size_t)pushed);
    settle();
}

static bool is_odd(uint64_t item, void *context)
{
    if (item % 2 == 0)
        return false;
    use(item);
    ++*(size_t *)context;
    return true;
}

SCENARIO(injection_sweep, .preemptions = 3)
{
    fresh();
    size_t dropped = 0;
    push_from_1((void *)3);
    kr_explore_spawn(push_from_5, (void *)1);
    kr_explore_spawn(take_chunk, NULL);
    kr_explore_check(kri_injection_sweep(&s.queue, is_odd, &dropped) == dropped);
    settle();
}

/* Somebody who wants to sleep says so, and then looks. */
static void look_and_sleep(void *arg)
{
    (void)arg;
    kri_store_sc(&s.asleep, 1);
    s.found_empty = kri_injection_is_empty(&s.queue);
}

SCENARIO(injection_push_or_sleep, .preemptions = 3)
{
    fresh();
    kr_explore_spawn(look_and_sleep, NULL);
    push(1);
    s.saw_sleeper = kri_load_sc(&s.asleep) == 1;
    kr_explore_join_all();
    kr_explore_check(s.saw_sleeper || !s.found_empty);
    settle();
}

/* The same with a history. */
SCENARIO(injection_take_and_push_or_sleep, .preemptions = 3)
{
    fresh();
    push(1);
    take(1);
    kr_explore_spawn(look_and_sleep, NULL);
    push(2);
    s.saw_sleeper = kri_load_sc(&s.asleep) == 1;
    kr_explore_join_all();
    kr_explore_check(s.saw_sleeper || !s.found_empty);
    settle();
}
