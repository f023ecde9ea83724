/* The explorer itself: what it reports, that a seed repeats, that bounds and modes do what they
 * say.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "harness/test.h"
#include "os/os.h"
#include "wait/wait.h"
#include <krait/explore.h>
#include <krait/lock.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    kr_word a, b, c;
    kr_lock first, second;
    long plain;
    int steps[4];
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
}

static kr_explore_report explore(const kr_explore_options *o, void (*scenario)(void *))
{
    kr_explore_options quiet = o ? *o : (kr_explore_options){0};
    kr_explore_report report;

    quiet.quiet = true;
    int failed = kr_explore(&quiet, scenario, NULL, &report);
    CHECK_EQ(failed, report.result != KR_EXPLORE_PASSED);
    return report;
}

/* A circle of two locks. */
static void first_then_second(void *arg)
{
    (void)arg;
    kr_with (&s.first)
        kr_with (&s.second)
            s.plain++;
}

static void second_then_first(void *arg)
{
    (void)arg;
    kr_with (&s.second)
        kr_with (&s.first)
            s.plain++;
}

static void circle(void *arg)
{
    (void)arg;
    fresh();
    kr_explore_spawn(first_then_second, NULL);
    kr_explore_spawn(second_then_first, NULL);
    kr_explore_join_all();
}

TEST(deadlock_needs_one_preemption)
{
    CHECK_EQ(explore(&(kr_explore_options){.preemptions = KR_EXPLORE_NONE}, circle).result,
             KR_EXPLORE_PASSED);
    kr_explore_report r = explore(NULL, circle);
    CHECK_EQ(r.result, KR_EXPLORE_DEADLOCK);
    CHECK_EQ(r.preemptions, 1);
    CHECK(strstr(r.message, "sleeps on"));
    CHECK(!r.exhausted);
}

TEST(seed_repeats)
{
    kr_explore_report r = explore(NULL, circle);
    kr_explore_report again = explore(&(kr_explore_options){.replay = r.seed}, circle);

    CHECK_EQ(again.result, KR_EXPLORE_DEADLOCK);
    CHECK_EQ(again.schedules, 1);
    CHECK_STR(again.message, r.message);
    CHECK_STR(again.seed, r.seed);
}

TEST(seed_of_nothing)
{
    CHECK_EQ(explore(&(kr_explore_options){.replay = "x"}, circle).result, KR_EXPLORE_CONFUSED);
}

TEST(same_counts_each_time)
{
    kr_explore_report a = explore(NULL, circle);
    kr_explore_report b = explore(NULL, circle);

    CHECK_EQ(a.schedules, b.schedules);
    CHECK_EQ(a.steps, b.steps);
    CHECK_STR(a.seed, b.seed);
}

/* PCT finds a bug of depth 2 with the probability that its paper gives, so in 2,000 runs. */
TEST(pct_finds_the_circle)
{
    uint64_t seed = kri_test_seed();
    kr_explore_report r = explore(
        &(kr_explore_options){
            .mode = KR_EXPLORE_PCT, .depth = 2, .schedules = 2000, .seed = seed | 1},
        circle);

    CHECK_EQ(r.result, KR_EXPLORE_DEADLOCK);
    kri_test_note("found after %llu runs", (unsigned long long)r.schedules);
    CHECK_EQ(explore(&(kr_explore_options){.replay = r.seed}, circle).result, KR_EXPLORE_DEADLOCK);
}

TEST(random_finds_the_circle)
{
    uint64_t seed = kri_test_seed();
    kr_explore_report r = explore(
        &(kr_explore_options){.mode = KR_EXPLORE_RANDOM, .schedules = 5000, .seed = seed | 1},
        circle);

    CHECK_EQ(r.result, KR_EXPLORE_DEADLOCK);
    CHECK_EQ(explore(&(kr_explore_options){.replay = r.seed}, circle).result, KR_EXPLORE_DEADLOCK);
}

/* A loop that polls ends when the other has run, and is a livelock when nobody will. */
static void raise_a(void *arg)
{
    (void)arg;
    kri_store_rel(&s.a, 1);
}

static void poll_a(void *arg)
{
    (void)arg;
    fresh();
    kr_explore_spawn(raise_a, NULL);
    while (kri_load_acq(&s.a) == 0)
        kr_explore_yield();
    kr_explore_join_all();
}

static void poll_b(void *arg)
{
    (void)arg;
    fresh();
    kr_explore_spawn(raise_a, NULL);
    while (kri_load_acq(&s.b) == 0)
        kr_explore_yield();
}

static void spin_for_ever(void *arg)
{
    (void)arg;
    fresh();
    while (kri_load_acq(&s.b) == 0)
        continue;
}

static void hang(void *arg)
{
    (void)arg;
    for (volatile int i = 0; i < 1; i = 0)
        continue;
}

TEST(hang_without_a_step)
{
    kr_explore_report r = explore(NULL, hang);

    CHECK_EQ(r.result, KR_EXPLORE_LIVELOCK);
    CHECK(strstr(r.message, "hang"));
}

TEST(polling_loops)
{
    CHECK_EQ(explore(NULL, poll_a).result, KR_EXPLORE_PASSED);
    CHECK_EQ(explore(NULL, poll_b).result, KR_EXPLORE_LIVELOCK);
    CHECK_EQ(explore(NULL, spin_for_ever).result, KR_EXPLORE_LIVELOCK);
}

/* Memory */
static void leak(void *arg)
{
    (void)arg;
    kr_explore_alloc(24);
}

static void use_after_free(void *arg)
{
    (void)arg;
    kr_word *w = kr_explore_alloc(sizeof *w);
    kr_explore_free(w);
    kri_load_rlx(w);
}

static void free_twice(void *arg)
{
    (void)arg;
    void *p = kr_explore_alloc(8);
    kr_explore_free(p);
    kr_explore_free(p);
}

static void beyond_the_end(void *arg)
{
    (void)arg;
    char *p = kr_explore_alloc(16);
    kr_explore_write(p + 16, 1);
}

static void wild(void *arg)
{
    (void)arg;
    *(volatile int *)arg = 1;
}

TEST(memory_errors)
{
    CHECK_EQ(explore(NULL, leak).result, KR_EXPLORE_LEAK);
    CHECK_EQ(explore(&(kr_explore_options){.keeps_memory = true}, leak).result, KR_EXPLORE_PASSED);
    CHECK_EQ(explore(NULL, use_after_free).result, KR_EXPLORE_FREED);
    CHECK_EQ(explore(NULL, free_twice).result, KR_EXPLORE_FREED);
    CHECK_EQ(explore(NULL, beyond_the_end).result, KR_EXPLORE_FREED);
    CHECK_EQ(explore(NULL, wild).result, KR_EXPLORE_CHECK);
}

/* A refusal of the system is a choice, when asked for. */
static void allocate_twice(void *arg)
{
    (void)arg;
    void *p = os_alloc(8);
    void *q = os_alloc(8);
    kr_explore_check(p || q);
    os_free(p);
    os_free(q);
}

TEST(refusals)
{
    CHECK_EQ(explore(NULL, allocate_twice).result, KR_EXPLORE_PASSED);
    CHECK_EQ(explore(&(kr_explore_options){.failures = 1}, allocate_twice).result,
             KR_EXPLORE_PASSED);
    CHECK_EQ(explore(&(kr_explore_options){.failures = 2}, allocate_twice).result,
             KR_EXPLORE_CHECK);
}

/* So is a failure of C11's weak compare-and-swap, once at each place. */
static _Atomic int number;

static void swap_strongly(void *arg)
{
    int seen = 0;
    (void)arg;
    atomic_init(&number, 0);
    kr_explore_check(atomic_compare_exchange_strong(&number, &seen, 1));
}

static void swap_weakly(void *arg)
{
    int seen = 0;
    (void)arg;
    atomic_init(&number, 0);
    bool done = atomic_compare_exchange_weak(&number, &seen, 1);
    kr_explore_check(seen == 0 && atomic_load(&number) == done);
    kr_explore_check(done);
}

static void add_weakly(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int seen = atomic_load(&number);
        while (!atomic_compare_exchange_weak(&number, &seen, seen + 1))
            continue;
    }
}

static void add_weakly_twice(void *arg)
{
    (void)arg;
    atomic_init(&number, 0);
    kr_explore_spawn(add_weakly, NULL);
    kr_explore_spawn(add_weakly, NULL);
    kr_explore_join_all();
    kr_explore_check(atomic_load(&number) == 4);
}

TEST(weak_swaps)
{
    CHECK_EQ(explore(NULL, swap_strongly).result, KR_EXPLORE_PASSED);
    kr_explore_report r = explore(NULL, swap_weakly);
    CHECK_EQ(r.result, KR_EXPLORE_CHECK);
    CHECK_EQ(explore(&(kr_explore_options){.replay = r.seed}, swap_weakly).result,
             KR_EXPLORE_CHECK);
    r = explore(NULL, add_weakly_twice);
    CHECK_EQ(r.result, KR_EXPLORE_PASSED);
    CHECK(r.exhausted);
}

/* So is a sleep that ends for nothing. */
static void sleep_first(void *arg)
{
    (void)arg;
    kri_store_rlx(&s.b, 1);
    (void)os_futex_wait(&s.a, 0, OS_NEVER, false);
    kr_explore_check(kri_load_sc(&s.a) == 1);
}

static void spurious(void *arg)
{
    (void)arg;
    fresh();
    kr_explore_spawn(sleep_first, NULL);
    kri_store_sc(&s.a, 1);
    os_futex_wake(&s.a, 1, false);
    kr_explore_join_all();
}

TEST(spurious_wakes)
{
    CHECK_EQ(explore(NULL, spurious).result, KR_EXPLORE_PASSED);
    CHECK_EQ(explore(&(kr_explore_options){.spurious = 1}, spurious).result, KR_EXPLORE_CHECK);
}

/* A word that one thread stores and another only sleeps on has two who touch it: only a switch
 * right before the store that nobody is woken for lets the other fall asleep. */
static void look_and_sleep(void *arg)
{
    (void)arg;
    if (kri_load_acq(&s.b) == 1)
        s.steps[1] = os_futex_wait(&s.a, 0, OS_NEVER, false);
}

static void store_without_wake(void *arg)
{
    (void)arg;
    fresh();
    kr_explore_spawn(look_and_sleep, NULL);
    kri_store_sc(&s.b, 1);
    kri_store_sc(&s.a, 1);
    kr_explore_join_all();
}

TEST(a_sleep_touches_its_word)
{
    kr_explore_report r = explore(NULL, store_without_wake);

    CHECK_EQ(r.result, KR_EXPLORE_DEADLOCK);
    CHECK_EQ(r.preemptions, 1); /* so the search found it, not one of the random runs before it */
}

/* A time-out may fire though others could go on. */
static void sleep_a_second(void *arg)
{
    (void)arg;
    s.steps[1] = os_futex_wait(&s.a, 0, os_now() + 1000000000, false);
}

static void timed(void *arg)
{
    (void)arg;
    fresh();
    kr_explore_spawn(sleep_a_second, NULL);
    kri_store_sc(&s.a, 1);
    os_futex_wake(&s.a, 1, false);
    kr_explore_join_all();
    kr_explore_check(s.steps[1] != -ETIMEDOUT);
}

TEST(early_time_outs)
{
    CHECK_EQ(explore(&(kr_explore_options){.early = KR_EXPLORE_NONE}, timed).result,
             KR_EXPLORE_PASSED);
    CHECK_EQ(explore(NULL, timed).result, KR_EXPLORE_CHECK);
}

/* A scenario that depends on something outside is said to. */
static int outside;

static void restless(void *arg)
{
    (void)arg;
    fresh();
    kr_explore_spawn(raise_a, NULL);
    for (int i = outside++ % 3; i > 0; i--)
        kri_load_acq(&s.c);
    kri_load_acq(&s.a);
    kr_explore_join_all();
}

TEST(confused)
{
    CHECK_EQ(explore(NULL, restless).result, KR_EXPLORE_CONFUSED);
}

/* The cut at locations of one thread loses no outcome: the same sets with it and without. */
static unsigned outcomes;

static void three_words_1(void *arg)
{
    (void)arg;
    kri_store_rlx(&s.c, 1); /* its own */
    kri_store_sc(&s.a, 1);
    s.steps[0] = (int)kri_load_sc(&s.b);
    s.steps[2] = (int)kri_load_rlx(&s.c);
}

static void three_words_2(void *arg)
{
    (void)arg;
    kri_store_rel(&s.b, 1);
    s.steps[1] = (int)kri_load_sc(&s.a);
    s.steps[3] = (int)kri_add_rlx(&s.b, 1);
}

static void three_words(void *arg)
{
    (void)arg;
    fresh();
    kr_explore_spawn(three_words_1, NULL);
    kr_explore_spawn(three_words_2, NULL);
    kr_explore_join_all();
    outcomes |= 1u << (s.steps[0] * 2 + s.steps[1]);
    kr_explore_check(s.steps[2] == 1);
}

TEST(unshared_words_need_no_points)
{
    outcomes = 0;
    kr_explore_report with = explore(NULL, three_words);
    unsigned seen = outcomes;
    outcomes = 0;
    kr_explore_report without = explore(&(kr_explore_options){.every_point = true}, three_words);

    CHECK(with.exhausted && without.exhausted);
    CHECK_EQ(seen, outcomes);
    CHECK_LE(with.schedules, without.schedules);
}

/* All interleavings are made, each once: two threads of three steps have 20. */
static unsigned char order[8];
static unsigned order_count;
static bool seen_order[64];

/* Outside the explorer's sight, for it would be a race. */
__attribute__((noinline, no_sanitize("thread"))) static void note_step(unsigned char who)
{
    order[order_count++] = who;
}

static void three_steps(void *arg)
{
    for (int i = 0; i < 3; i++) {
        kri_add_rlx(&s.a, 1);
        note_step(*(unsigned char *)arg);
    }
}

static void interleaved(void *arg)
{
    static unsigned char zero = 0, one = 1;
    unsigned code = 0;

    (void)arg;
    fresh();
    order_count = 0;
    kr_explore_spawn(three_steps, &zero);
    kr_explore_spawn(three_steps, &one);
    kr_explore_join_all();
    for (unsigned i = 0; i < 6; i++)
        code = code * 2 + order[i];
    seen_order[code] = true;
}

static int interleavings(unsigned preemptions)
{
    int count = 0;

    memset(seen_order, 0, sizeof seen_order);
    CHECK(explore(&(kr_explore_options){.preemptions = preemptions}, interleaved).exhausted);
    for (int i = 0; i < 64; i++)
        count += seen_order[i];
    return count;
}

TEST(all_interleavings)
{
    CHECK_EQ(interleavings(KR_EXPLORE_NONE), 2);
    CHECK_EQ(interleavings(1), 2 + 2 * 2); /* one is left once, the other then runs to its end */
    CHECK_EQ(interleavings(9), 20);
}

/* C11 atomics of a program are explored as they stand, when its source is compiled for it. */
static atomic_int own_flag;
static int own_data;

static void own_send(void *arg)
{
    (void)arg;
    own_data = 42;
    atomic_store_explicit(&own_flag, 1, memory_order_release);
}

static void own_send_relaxed(void *arg)
{
    (void)arg;
    own_data = 42;
    atomic_store_explicit(&own_flag, 1, memory_order_relaxed);
}

static void own_receive(void)
{
    if (atomic_load_explicit(&own_flag, memory_order_acquire))
        kr_explore_check(own_data == 42);
    kr_explore_join_all();
}

static void own_good(void *arg)
{
    (void)arg;
    own_data = 0;
    atomic_store(&own_flag, 0);
    kr_explore_spawn(own_send, NULL);
    own_receive();
}

static void own_bad(void *arg)
{
    (void)arg;
    own_data = 0;
    atomic_store(&own_flag, 0);
    kr_explore_spawn(own_send_relaxed, NULL);
    own_receive();
}

TEST(own_atomics)
{
    CHECK_EQ(explore(NULL, own_good).result, KR_EXPLORE_PASSED);
    CHECK_EQ(explore(NULL, own_bad).result, KR_EXPLORE_RACE);
}

TEST(bad_options)
{
    kr_explore_options o = {.reserved = {1, 0, 0, 0}};

    CHECK_EQ(kr_explore(&o, circle, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_explore(NULL, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_explore(&(kr_explore_options){.mode = (kr_explore_mode)9}, circle, NULL, NULL),
             -EINVAL);
    CHECK_EQ(kr_explore(&(kr_explore_options){.time = -1}, circle, NULL, NULL), -EINVAL);
}

TEST(limits)
{
    kr_explore_report r = explore(&(kr_explore_options){.schedules = 10}, poll_a);

    CHECK_EQ(r.result, KR_EXPLORE_PASSED);
    CHECK_EQ(r.schedules, 10);
    CHECK(!r.exhausted);
}

/* More schedules than anybody waits for. */
static void add_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        kri_add_sc(&s.a, 1);
}

static void add_without_end(void *arg)
{
    (void)arg;
    fresh();
    for (int i = 0; i < 3; i++)
        kr_explore_spawn(add_some, NULL);
    kr_explore_join_all();
}

/* What an exploration prints on both outputs; its report. */
static kr_explore_report listen(const kr_explore_options *o, char *text, size_t size)
{
    kr_explore_report report;
    int outputs[2] = {dup(1), dup(2)}, file = memfd_create("said", 0);

    CHECK(file >= 0 && outputs[0] >= 0 && outputs[1] >= 0);
    fflush(NULL);
    dup2(file, 1);
    dup2(file, 2);
    int failed = kr_explore(o, add_without_end, NULL, &report);
    fflush(NULL);
    dup2(outputs[0], 1);
    dup2(outputs[1], 2);
    CHECK_EQ(failed, 0);
    ssize_t length = pread(file, text, size - 1, 0);
    CHECK(length > 0);
    text[length] = '\0';
    return report;
}

TEST(time_limit)
{
    char said[4096];
    kr_explore_options o = {.name = "adds", .preemptions = 30, .time = kr_ms(200)};
    kr_explore_report r = listen(&o, said, sizeof said);

    CHECK_EQ(r.result, KR_EXPLORE_PASSED);
    CHECK(!r.exhausted);
    CHECK_GE(r.elapsed, kr_ms(200));
    CHECK(strncmp(said, "explore adds: the time was up after ", 36) == 0);
    CHECK(strstr(said, " preemptions, and some with ") != NULL);
    CHECK(strstr(said, " of 30; more by KR_EXPLORE_TIME=SECONDS\nexplore name=adds ") != NULL);
    o.mode = KR_EXPLORE_PCT;
    o.schedules = UINT64_MAX;
    r = listen(&o, said, sizeof said);
    CHECK(strstr(said, " schedules: of 18446744073709551615; more by ") != NULL);
}

TEST(progress_and_the_time_of_the_environment)
{
    char said[4096];
    kr_explore_options o = {.name = "adds", .preemptions = 30, .progress = true};
    o.time = KR_FOREVER;
    CHECK_EQ(setenv("KR_EXPLORE_TIME", "3", 1), 0);
    kr_explore_report r = listen(&o, said, sizeof said);
    CHECK(!r.exhausted);
    CHECK_GE(r.elapsed, kr_sec(3));
    CHECK(strstr(said, " schedules in 1 s, now those with ") != NULL);
    o.progress = false;
    CHECK_EQ(setenv("KR_EXPLORE_TIME", "1", 1), 0);
    r = listen(&o, said, sizeof said);
    CHECK(strstr(said, " schedules in ") == NULL);
}
