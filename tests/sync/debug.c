/* kr_debug_locks: opposite orders and circles of waiters are reported, and nothing else is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "harness/test.h"
#include "sync/debug.h"
#include "wait/wait.h"
#include <krait/krait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static kr_lock a, b, c;
static kr_word reports;
static char last[16384];
static kr_event entered, holds_a;
static kr_event reported;

static void hook(const char *report)
{
    snprintf(last, sizeof last, "%s", report);
    kri_add_sc(&reports, 1);
    kr_event_set(&reported);
}

static void begin(void)
{
    CHECK(kr_set_debug_hook(hook) == NULL);
    CHECK_EQ(kr_debug_locks(true), 0);
}

static int count(void)
{
    return (int)kri_load_sc(&reports);
}

static bool says(const char *format, const void *lock)
{
    char text[128];
    snprintf(text, sizeof text, format, lock);
    return strstr(last, text) != NULL;
}

static void take(kr_lock *lock)
{
    CHECK_EQ(kr_lock_acquire(lock, KR_FOREVER), 0);
}

static void give(kr_lock *lock)
{
    CHECK_EQ(kr_lock_release(lock), 0);
}

__attribute__((noinline)) static void take_in_order(kr_lock *first, kr_lock *second)
{
    take(first);
    take(second);
    give(second);
    give(first);
}

TEST(test_opposite_orders_are_reported)
{
    begin();
    take_in_order(&a, &b);
    CHECK_EQ(count(), 0);
    take_in_order(&b, &a);
    CHECK_EQ(count(), 1);
    CHECK(strncmp(last, "krait: locks are acquired in opposite orders:\n  MainThread holds", 63) ==
          0);
    CHECK(says("MainThread holds a lock at %p, from ", &b));
    CHECK(says("and acquires a lock at %p in ", &a));
    CHECK(says("MainThread has held a lock at %p, from ", &a));
    CHECK(says("and acquired a lock at %p in ", &b));
    CHECK(strstr(last, "debug+0x") != NULL); /* the places, in this program */
}

TEST(test_once)
{
    begin();
    for (int i = 0; i < 10; i++) {
        take_in_order(&a, &b);
        take_in_order(&b, &a);
    }
    CHECK_EQ(count(), 1);
}

TEST(test_circle_of_three)
{
    begin();
    take_in_order(&a, &b);
    take_in_order(&b, &c);
    CHECK_EQ(count(), 0);
    take_in_order(&c, &a);
    CHECK_EQ(count(), 1);
    const char *first = strstr(last, "MainThread has held");
    CHECK(first != NULL && strstr(first + 1, "MainThread has held") != NULL);
    CHECK(says("and acquired a lock at %p in ", &c));
}

TEST(test_same_order_is_no_error)
{
    begin();
    for (int i = 0; i < 3; i++) {
        take_in_order(&a, &b);
        take_in_order(&b, &c);
        take_in_order(&a, &c);
    }
    CHECK_EQ(count(), 0);
}

TEST(test_try_makes_no_order)
{
    begin();
    take_in_order(&a, &b);
    take(&b);
    CHECK_EQ(kr_lock_acquire(&a, KR_NOWAIT), 0);
    give(&a);
    give(&b);
    CHECK_EQ(count(), 0);
    CHECK_EQ(kr_lock_acquire(&b, KR_NOWAIT), 0); /* held all the same */
    take(&a);
    CHECK_EQ(count(), 1);
    give(&a);
    give(&b);
}

TEST(test_released_out_of_order)
{
    begin();
    take(&a);
    CHECK_EQ(kr_lock_acquire(&b, KR_NOWAIT), 0);
    give(&a);
    take(&c); /* behind b only */
    give(&b);
    take(&a); /* behind c only */
    give(&c);
    give(&a);
    CHECK_EQ(count(), 0);
    take_in_order(&a, &c);
    CHECK_EQ(count(), 1);
}

TEST(test_off_is_silent)
{
    begin();
    take_in_order(&a, &b);
    CHECK_EQ(kr_debug_locks(false), 0);
    take_in_order(&b, &a);
    CHECK_EQ(count(), 0);
    CHECK_EQ(kr_debug_locks(true), 0); /* afresh */
    take_in_order(&b, &a);
    CHECK_EQ(count(), 0);
    take_in_order(&a, &b);
    CHECK_EQ(count(), 1);
}

TEST(test_reentrant_lock)
{
    static kr_rlock r;
    begin();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_rlock_acquire(&r, KR_FOREVER), 0);
    take(&a);
    CHECK_EQ(kr_rlock_acquire(&r, KR_FOREVER), 0); /* held already: no order */
    CHECK_EQ(count(), 0);
    give(&a);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_rlock_release(&r), 0);
    take(&a);
    kr_with (&r)
        CHECK_EQ(count(), 1);
    give(&a);
    CHECK(says("MainThread holds a lock at %p, from ", &a));
}

/* A wait takes the condition's lock again, behind the lock that was kept. */
TEST(test_condition_takes_its_lock_again)
{
    static kr_condition condition;
    begin();
    take(&a);
    CHECK_EQ(kr_lock_acquire(&condition.own, KR_NOWAIT), 0);
    CHECK_EQ(kr_condition_wait(&condition, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(count(), 0);
    give(&a);
    take(&a);
    CHECK_EQ(count(), 1);
    give(&a);
    CHECK_EQ(kr_condition_release(&condition), 0);
}

static void notify_who_sleeps(void *arg)
{
    kr_condition *condition = arg;
    while (kri_waiting(&condition->words[0]) + kri_waiting(&condition->words[1]) == 0)
        kri_test_nap();
    CHECK_EQ(kr_condition_acquire(condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_notify(condition, 1), 1);
    CHECK_EQ(kr_condition_release(condition), 0);
}

static void wait_until_notified(kr_condition *condition)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, notify_who_sleeps, condition);
    CHECK_EQ(kr_condition_wait(condition, KR_FOREVER), 0);
    kri_bunch_end(&bunch);
}

/* So does one who was notified, and has stood in the lock's queue. */
TEST(test_notified_takes_the_lock_in_the_other_order)
{
    static kr_condition condition;
    begin();
    take_in_order(&condition.own, &a);
    take(&a);
    CHECK_EQ(kr_lock_acquire(&condition.own, KR_NOWAIT), 0);
    CHECK_EQ(count(), 0);
    wait_until_notified(&condition);
    CHECK_EQ(count(), 1);
    CHECK(says("MainThread holds a lock at %p, from ", &a));
    CHECK(says("and acquires a lock at %p in ", &condition.own));
    CHECK_EQ(kr_condition_release(&condition), 0);
    give(&a);
}

/* It may never come to that, when who notifies it then waits for what it holds. */
static void release_once_reported(void *arg)
{
    kr_condition *condition = arg;
    while (kri_waiting(&condition->words[0]) + kri_waiting(&condition->words[1]) == 0)
        kri_test_nap();
    CHECK_EQ(count(), 1);
    CHECK_EQ(kr_condition_acquire(condition, KR_NOWAIT), 0);
    CHECK_EQ(kr_condition_notify(condition, 1), 1);
    CHECK_EQ(kr_condition_release(condition), 0);
}

TEST(test_wait_is_known_to_take_its_lock_again)
{
    static kr_condition condition;
    kri_bunch bunch;
    begin();
    take(&condition.own);
    take(&a);
    CHECK_EQ(count(), 0);
    kri_bunch_start(&bunch, 1, release_once_reported, &condition);
    CHECK_EQ(kr_condition_wait(&condition, KR_FOREVER), 0);
    kri_bunch_end(&bunch);
    CHECK_EQ(count(), 1);
    CHECK(says("MainThread holds a lock at %p, from ", &a));
    CHECK(says("and acquires a lock at %p in ", &condition.own));
    give(&a);
    CHECK_EQ(kr_condition_release(&condition), 0);
}

/* And is known to hold it. */
TEST(test_notified_holds_the_lock)
{
    static kr_condition condition;
    begin();
    take_in_order(&a, &condition.own);
    take(&condition.own);
    wait_until_notified(&condition);
    CHECK_EQ(count(), 0);
    take(&a);
    CHECK_EQ(count(), 1);
    CHECK(says("MainThread holds a lock at %p, from ", &condition.own));
    give(&a);
    CHECK_EQ(kr_condition_release(&condition), 0);
}

TEST(test_forgets_a_lock_that_is_made_anew)
{
    begin();
    take_in_order(&a, &b);
    CHECK_EQ(kr_lock_init(&a, KR_PRIVATE), 0);
    take_in_order(&b, &a);
    CHECK_EQ(count(), 0);
    kr_lock_reinit(&b);
    take_in_order(&a, &b);
    CHECK_EQ(count(), 0);
    take_in_order(&b, &a);
    CHECK_EQ(count(), 1);
}

TEST(test_table_of_orders_is_full)
{
    enum { LOCKS = 5000 };
    kr_lock *many = calloc(LOCKS, sizeof *many);
    CHECK(many != NULL);
    begin();
    take(&a);
    for (int i = 0; i < LOCKS; i++) {
        take(&many[i]);
        give(&many[i]);
    }
    give(&a);
    CHECK_EQ(count(), 1);
    CHECK(strncmp(last, "krait: more than 4096 orders of locks", 37) == 0);
    take_in_order(&many[1], &a); /* not looked at any more */
    CHECK_EQ(count(), 1);
    CHECK_EQ(kr_debug_locks(false), 0);
    free(many);
}

TEST(test_too_many_locks_are_held)
{
    enum { LOCKS = 1030 };
    kr_lock *many = calloc(LOCKS, sizeof *many);
    CHECK(many != NULL);
    begin();
    for (int i = 0; i < LOCKS; i++)
        CHECK_EQ(kr_lock_acquire(&many[i], KR_NOWAIT), 0);
    CHECK_EQ(count(), 1);
    CHECK(strncmp(last, "krait: more than 1024 locks held at a time", 42) == 0);
    for (int i = 0; i < LOCKS; i++)
        give(&many[i]);
    CHECK_EQ(kr_debug_locks(false), 0);
    free(many);
}

TEST(test_forked_child_starts_afresh)
{
    begin();
    take_in_order(&a, &b);
    take(&c);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0) {
        take_in_order(&b, &a); /* not behind c either */
        bool silent = count() == 0;
        take_in_order(&a, &b);
        _exit(silent && count() == 1 ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    give(&c);
}

/* The hook may acquire what is free, and is not called for that. */
static void hook_with_locks(const char *report)
{
    hook(report);
    take_in_order(&c, &b);
    take_in_order(&b, &c);
}

TEST(test_hook_uses_locks)
{
    begin();
    (void)kr_set_debug_hook(hook_with_locks);
    take_in_order(&a, &b);
    take(&b);
    give(&b);
    static kr_lock d;
    take_in_order(&d, &a);
    take(&a);
    take(&d);
    give(&d);
    give(&a);
    CHECK_EQ(count(), 1);
}

/* Circles of those who wait. */

static int second(void *arg)
{
    (void)arg;
    take(&b);
    kr_event_set(&entered);
    CHECK_EQ(kr_event_wait(&holds_a, KR_FOREVER), 0);
    take(&a);
    give(&a);
    give(&b);
    return 0;
}

/* Others go on meanwhile: this thread itself polls. */
static int first(void *arg)
{
    (void)arg;
    take(&a);
    kr_event_set(&holds_a);
    CHECK_EQ(kr_event_wait(&entered, KR_FOREVER), 0);
    take(&b);
    give(&b);
    return 0;
}

TEST(test_two_wait_for_each_other)
{
    kr_thread *threads[2];
    begin();
    for (int i = 0; i < 2; i++) {
        kr_thread_options options = {.name = i == 0 ? "the first" : "the second"};
        CHECK_EQ(kr_thread_start(&threads[i], i == 0 ? first : second, NULL, 0, &options), 0);
    }
    while (count() < 2) /* the orders at once, the circle after a second */
        kri_test_nap();
    CHECK(strncmp(last, "krait: these wait for each other for ever:\n", 43) == 0);
    CHECK(says("  the first waits for a lock at %p in ", &b));
    CHECK(says("  the second waits for a lock at %p in ", &a));
    CHECK(strstr(last, ",\n    which the first holds, from ") != NULL);
    CHECK(strstr(last, ",\n    which the second holds, from ") != NULL);
    give(&a); /* a lock may be released by anybody */
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_thread_join(threads[i], NULL, KR_FOREVER), 0);
    for (int i = 0; i < 2; i++)
        kr_thread_release(threads[i]);
    CHECK_EQ(count(), 2);
}

static void notify_and_take_a(void *arg)
{
    kr_condition *condition = arg;
    while (kri_waiting(&condition->words[0]) + kri_waiting(&condition->words[1]) == 0)
        kri_test_nap();
    take(&condition->own);
    CHECK_EQ(kr_condition_notify(condition, 1), 1);
    CHECK_EQ(kri_wake(&condition->own.word, 1, 0), 1); /* as one who comes too late */
    kri_test_wait_parked(&condition->own.word, 1);
    take(&a);
    give(&a);
    give(&condition->own);
}

static void give_a_after_both_reports(void *arg)
{
    (void)arg;
    while (count() < 2)
        kri_test_nap();
    give(&a);
}

/* One of them has been notified, and waits for the condition's lock again. */
TEST(test_notified_waits_in_a_circle)
{
    static kr_condition condition;
    kri_bunch notifier, helper;
    begin();
    take(&a);
    CHECK_EQ(kr_lock_acquire(&condition.own, KR_NOWAIT), 0);
    kri_bunch_start(&notifier, 1, notify_and_take_a, &condition);
    kri_bunch_start(&helper, 1, give_a_after_both_reports, NULL);
    CHECK_EQ(kr_condition_wait(&condition, KR_FOREVER), 0);
    kri_bunch_end(&notifier);
    kri_bunch_end(&helper);
    CHECK_EQ(count(), 2);
    CHECK(strncmp(last, "krait: these wait for each other for ever:\n", 43) == 0);
    CHECK(says("MainThread waits for a lock at %p in ", &condition.own));
    CHECK_EQ(kr_condition_release(&condition), 0);
}

static int give_a(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_event_wait(&reported, KR_FOREVER), 0);
    give(&a);
    return 0;
}

TEST(test_who_waits_for_himself)
{
    kr_thread *helper;
    begin();
    CHECK_EQ(kr_thread_start(&helper, give_a, NULL, 0, NULL), 0);
    take(&a);
    take(&a);
    CHECK_EQ(count(), 1);
    CHECK(says("MainThread waits for a lock at %p in ", &a));
    CHECK(strstr(last, "which MainThread holds") != NULL);
    give(&a);
    CHECK_EQ(kr_thread_join(helper, NULL, KR_FOREVER), 0);
    kr_thread_release(helper);
}

/* A lock that another one gives back is no deadlock. */
static int give_a_at_once(void *arg)
{
    (void)arg;
    kri_test_wait_parked(&a.word, 1);
    give(&a);
    return 0;
}

TEST(test_lock_as_a_signal)
{
    kr_thread *helper;
    begin();
    take(&a);
    CHECK_EQ(kr_thread_start(&helper, give_a_at_once, NULL, 0, NULL), 0);
    take(&a);
    give(&a);
    CHECK_EQ(kr_thread_join(helper, NULL, KR_FOREVER), 0);
    kr_thread_release(helper);
    CHECK_EQ(count(), 0);
}

/* Threads that take locks in one order, and sometimes try in the other. */
enum { WORKERS = 4, ROUNDS = 3000 };
static kr_lock row[6];

static int work(void *arg)
{
    uint64_t state = kri_test_seed() + (uint64_t) * (int *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned low = (unsigned)(kri_test_random(&state) % 5);
        unsigned high = low + 1 + (unsigned)(kri_test_random(&state) % (5 - low));
        if (kri_test_random(&state) % 4 == 0) {
            take(&row[high]);
            if (kr_lock_acquire(&row[low], KR_NOWAIT) == 0)
                give(&row[low]);
            give(&row[high]);
        } else {
            take_in_order(&row[low], &row[high]);
        }
    }
    return 0;
}

TEST(test_many_threads_in_order)
{
    kr_thread *threads[WORKERS];
    static int numbers[WORKERS] = {1, 2, 3, 4};
    begin();
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(kr_thread_start(&threads[i], work, &numbers[i], 0, NULL), 0);
    for (int i = 0; i < WORKERS; i++) {
        CHECK_EQ(kr_thread_join(threads[i], NULL, KR_FOREVER), 0);
        kr_thread_release(threads[i]);
    }
    CHECK_EQ(count(), 0);
    take_in_order(&row[3], &row[1]);
    CHECK_EQ(count(), 1);
}
