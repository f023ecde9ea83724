/* The status page's count of writings, and the table of waits for locks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "status/page.h"
#include "sync/contention.h"

enum { WORDS = 2 };

static struct {
    kri_word64 sequence;
    kri_word64 words[WORDS];
    kr_lock lock;
    kr_lock other;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.sequence, sizeof s.sequence, "sequence");
    kr_explore_name(&s.words, sizeof s.words, "words");
    kr_explore_name(&s.lock, sizeof s.lock, "lock");
    kr_explore_name(&s.other, sizeof s.other, "other");
}

static void write_once(uint64_t value)
{
    uint64_t from[WORDS];
    for (int i = 0; i < WORDS; i++)
        from[i] = value;
    kri_words_write(&s.sequence, s.words, from, WORDS);
}

static void write_twice(void *arg)
{
    (void)arg;
    write_once(1);
    write_once(2);
}

/* What it gets is of one writing, and no older than what it got before. */
static void read_twice(void *arg)
{
    uint64_t to[WORDS] = {0}, last = 0;
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (!kri_words_read(&s.sequence, s.words, to, WORDS))
            continue;
        kr_explore_check(to[0] == to[1]);
        kr_explore_check(to[0] >= last);
        last = to[0];
    }
}

SCENARIO(page_read_beside_writing)
{
    fresh();
    kr_explore_spawn(write_twice, NULL);
    kr_explore_spawn(read_twice, NULL);
    kr_explore_join_all();
    uint64_t to[WORDS];
    kr_explore_check(kri_words_read(&s.sequence, s.words, to, WORDS));
    kr_explore_check(to[0] == 2 && to[1] == 2);
}

/* Waits. */

static void wait_once(void *lock)
{
    kri_contended wait;
    kri_contention_begin(&wait, lock, lock);
    kri_contention_end(&wait);
}

static struct sum {
    uint64_t waits, waiting;
    kr_time begun;
} sum;

static void add(const kri_contention_count *count, void *arg)
{
    struct sum *all = arg;
    all->waits += count->waits;
    all->waiting += count->waiting;
    all->begun += count->begun;
}

static struct sum sum_up(void)
{
    bool missed = false;
    sum = (struct sum){0};
    (void)kri_contention_visit(add, &sum, &missed);
    kr_explore_check(!missed);
    return sum;
}

SCENARIO(contention_two_waits)
{
    fresh();
    kr_explore_check(kri_contention_start() == 0);
    kr_explore_spawn(wait_once, &s.lock);
    kr_explore_spawn(wait_once, &s.lock);
    kr_explore_join_all();
    struct sum all = sum_up();
    kr_explore_check(all.waits == 2 && all.waiting == 0 && all.begun == 0);
}

/* Whatever is switched meanwhile, nobody is left in the table, nor taken out twice. */
static void switch_again(void *arg)
{
    (void)arg;
    kri_contention_stop();
    kr_explore_check(kri_contention_start() == 0);
}

SCENARIO(contention_switched_beside_waits)
{
    fresh();
    kr_explore_check(kri_contention_start() == 0);
    kr_explore_spawn(wait_once, &s.lock);
    kr_explore_spawn(wait_once, &s.lock);
    kr_explore_spawn(switch_again, NULL);
    kr_explore_join_all();
    struct sum all = sum_up();
    kr_explore_check(all.waits <= 2 && all.waiting == 0 && all.begun == 0);
}
