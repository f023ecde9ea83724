/* kr_wait_any, and waiting on several words, under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "wait/wait.h"
#include <krait/cancel.h>
#include <krait/queue.h>
#include <krait/wait_any.h>

static struct {
    kr_event event;
    kr_semaphore first;
    kr_semaphore second;
    long value; /* plain: handed over */
    int results[3];
    kr_cancel_scope scope;
    kr_word words[3];
    kr_word served;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.event, sizeof s.event, "event");
    kr_explore_name(&s.first, sizeof s.first, "first");
    kr_explore_name(&s.second, sizeof s.second, "second");
    kr_explore_name(&s.value, sizeof s.value, "value");
    kr_explore_name(s.words, sizeof s.words, "words");
}

static int permits(void)
{
    return (int)(kr_semaphore_value(&s.first) + kr_semaphore_value(&s.second));
}

static int choose_permit(kr_time timeout)
{
    kr_choice any[] = {kr_choose_semaphore(&s.first), kr_choose_semaphore(&s.second)};
    return kr_wait_any(any, 2, timeout);
}

static void take_any(void *arg)
{
    *(int *)arg = choose_permit(KR_FOREVER);
    kr_explore_check(*(int *)arg >= 0);
}

static void give_first(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_release(&s.first, 1) == 0);
}

static void give_second(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_release(&s.second, 1) == 0);
}

/* One of two permits that come at once is taken, the other one stays. */
SCENARIO(any_takes_exactly_one)
{
    fresh();
    kr_explore_spawn(give_first, NULL);
    kr_explore_spawn(give_second, NULL);
    int chosen = choose_permit(KR_FOREVER);
    kr_explore_join_all();
    kr_explore_check(permits() == 1);
    kr_explore_check(kr_semaphore_value(chosen == 0 ? &s.second : &s.first) == 1);
}

/* Whichever this one takes, the other one is served: a wake that it has not used is not lost.  The
 * first word is the one that it queues on before it finds that the second has changed. */
static void take_any_leave(kr_semaphore *wanted)
{
    int chosen = choose_permit(KR_FOREVER);
    kr_semaphore *taken = chosen == 0 ? &s.first : &s.second;
    if (taken == wanted)
        kr_explore_check(kr_semaphore_release(wanted, 1) == 0);
}

static void take_either_leave_first(void *arg)
{
    (void)arg;
    take_any_leave(&s.first);
}

static void take_either_leave_second(void *arg)
{
    (void)arg;
    take_any_leave(&s.second);
}

static void take_first(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_acquire(&s.first, KR_FOREVER) == 0);
}

static void take_second(void *arg)
{
    (void)arg;
    kr_explore_check(kr_semaphore_acquire(&s.second, KR_FOREVER) == 0);
}

SCENARIO(any_beside_taker_of_first, .stale = 1)
{
    fresh();
    kr_explore_spawn(take_either_leave_first, NULL);
    kr_explore_spawn(take_first, NULL);
    give_first(NULL);
    give_second(NULL);
    kr_explore_join_all();
    kr_explore_check(permits() <= 1);
}

SCENARIO(any_beside_taker_of_second, .stale = 1)
{
    fresh();
    kr_explore_spawn(take_either_leave_second, NULL);
    kr_explore_spawn(take_second, NULL);
    give_second(NULL);
    give_first(NULL);
    kr_explore_join_all();
    kr_explore_check(permits() <= 1);
}

/* Two that wait for either, one permit of each: both are served. */
SCENARIO(any_two_takers, .stale = 1)
{
    fresh();
    kr_explore_spawn(take_any, &s.results[0]);
    kr_explore_spawn(take_any, &s.results[1]);
    give_first(NULL);
    give_second(NULL);
    kr_explore_join_all();
    kr_explore_check(permits() == 0);
    kr_explore_check(s.results[0] + s.results[1] == 1);
}

/* No permit is lost with one that gives up; who waits behind it is served. */
static void take_any_timed_and_give(void *arg)
{
    int chosen = choose_permit(kr_ms(1));
    *(int *)arg = chosen;
    if (chosen >= 0)
        kr_explore_check(kr_semaphore_release(&s.second, 1) == 0);
}

SCENARIO(any_time_out_beside_taker, .stale = 1)
{
    fresh();
    kr_explore_spawn(take_any_timed_and_give, &s.results[0]);
    kr_explore_spawn(take_second, NULL);
    give_second(NULL);
    kr_explore_join_all();
    kr_explore_check(permits() == 0);
}

static void take_any_in_scope_and_give(void *arg)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    int chosen = choose_permit(KR_FOREVER);
    kr_cancel_scope_exit(&s.scope);
    *(int *)arg = chosen;
    if (chosen >= 0)
        kr_explore_check(kr_semaphore_release(&s.second, 1) == 0);
    else
        kr_explore_check(chosen == -ECANCELED);
}

SCENARIO(any_cancel_beside_taker, .stale = 1)
{
    fresh();
    kr_explore_spawn(take_any_in_scope_and_give, &s.results[0]);
    kr_explore_spawn(take_second, NULL);
    kr_cancel(&s.scope);
    give_second(NULL);
    kr_explore_join_all();
    kr_explore_check(permits() == 0);
}

static void take_any_until_cancelled(void *arg)
{
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    for (int taken = 0; choose_permit(KR_FOREVER) >= 0; taken++)
        kr_explore_check(taken < 2);
    kr_cancel_scope_exit(&s.scope);
}

SCENARIO(any_until_cancelled)
{
    fresh();
    kr_explore_spawn(take_any_until_cancelled, NULL);
    give_first(NULL);
    give_second(NULL);
    kr_cancel(&s.scope);
    kr_explore_join_all();
}

/* What was done before the set is there, and a set that is cleared at once is not missed. */
static void set_then_clear(void *arg)
{
    (void)arg;
    s.value = 7;
    kr_event_set(&s.event);
    kr_event_clear(&s.event);
}

SCENARIO(any_sees_what_the_setter_did)
{
    fresh();
    kr_choice any[] = {kr_choose_semaphore(&s.first), kr_choose_event(&s.event)};
    kr_explore_spawn(set_then_clear, NULL);
    int chosen = kr_wait_any(any, 2, kr_ms(1));
    if (chosen == 1)
        kr_explore_check(s.value == 7);
    else
        kr_explore_check(chosen == -ETIMEDOUT);
    kr_explore_join_all();
}

static void wait_for_event_or_permit(void *arg)
{
    kr_choice any[] = {kr_choose_semaphore(&s.first), kr_choose_event(&s.event)};
    *(int *)arg = kr_wait_any(any, 2, KR_FOREVER);
}

static void set_for_a_sleeper(void *arg)
{
    bool was_asleep = kr_explore_asleep(*(int *)arg);
    kr_event_set(&s.event);
    kr_event_clear(&s.event);
    if (!was_asleep) /* it may have come too late for the first */
        kr_event_set(&s.event);
}

SCENARIO(any_set_then_clear)
{
    fresh();
    int waiter = kr_explore_spawn(wait_for_event_or_permit, &s.results[0]);
    kr_explore_spawn(set_for_a_sleeper, &waiter);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 1);
}

/* An object twice in the array counts once. */
SCENARIO(any_object_twice)
{
    fresh();
    kr_choice any[] = {kr_choose_semaphore(&s.first), kr_choose_semaphore(&s.first)};
    kr_explore_spawn(give_first, NULL);
    kr_explore_spawn(give_first, NULL);
    int chosen = kr_wait_any(any, 2, KR_FOREVER);
    kr_explore_check(chosen == 0 || chosen == 1);
    kr_explore_join_all();
    kr_explore_check(permits() == 1);
}

static void give_boxed(void *arg)
{
    kr_explore_check(kr_semaphore_release(arg, 1) == 0);
}

/* Who has the permit may free the semaphore while the releaser is not back yet. */
SCENARIO(any_freed_by_taker)
{
    fresh();
    kr_semaphore *boxed = kr_explore_alloc(sizeof *boxed);
    kr_explore_check(kr_semaphore_init(boxed, 0, NULL) == 0);
    kr_explore_spawn(give_boxed, boxed);
    kr_choice any[] = {kr_choose_event(&s.event), kr_choose_semaphore(boxed)};
    kr_explore_check(kr_wait_any(any, 2, KR_FOREVER) == 1);
    kr_explore_free(boxed);
    kr_explore_join_all();
}

/* In shared memory. */

static void wait_for_shared_event(void *arg)
{
    kr_choice any[] = {kr_choose_event(&s.event), kr_choose_semaphore(&s.first)};
    *(int *)arg = kr_wait_any(any, 2, KR_FOREVER);
}

SCENARIO(any_shared_event, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_check(kr_event_init(&s.event, KR_SHARED) == 0);
    kr_explore_spawn(wait_for_shared_event, &s.results[0]);
    kr_explore_spawn(wait_for_shared_event, &s.results[1]);
    kr_time begun = kr_now();
    kr_event_set(&s.event);
    kr_explore_join_all();
    kr_explore_check(s.results[0] == 0 && s.results[1] == 0);
    kr_explore_check(kr_now() - begun < kr_ms(30)); /* nobody had to look again */
}

static void begin_shared_semaphores(void)
{
    const kr_semaphore_options shared = {.scope = KR_SHARED};
    fresh();
    kr_explore_check(kr_semaphore_init(&s.first, 0, &shared) == 0);
    kr_explore_check(kr_semaphore_init(&s.second, 0, &shared) == 0);
}

SCENARIO(any_shared_semaphores, .early = KR_EXPLORE_NONE, .stale = 1)
{
    begin_shared_semaphores();
    kr_time begun = kr_now();
    kr_explore_spawn(take_either_leave_first, NULL);
    kr_explore_spawn(take_first, NULL);
    give_first(NULL);
    give_second(NULL);
    kr_explore_join_all();
    kr_explore_check(permits() <= 1);
    kr_explore_check(kr_now() - begun < kr_ms(30));
}

/* Words in shared memory: counts of permits by hand. */

static bool take_word(kr_word *word)
{
    uint32_t seen = kri_load_rlx(word);
    while (seen > 0)
        if (kri_cas_acq(word, &seen, seen - 1))
            return true;
    return false;
}

static void give_word(kr_word *word)
{
    kri_add_sc(word, 1);
    kri_wake(word, 1, KRI_SHARED);
}

/* Take one of the first `count` words; the third is private. */
static int take_any_word(int count, kr_time deadline)
{
    kri_spot spots[3];
    for (int i = 0; i < count; i++)
        spots[i] = (kri_spot){
            .next = i + 1 < count ? &spots[i + 1] : NULL, .word = &s.words[i], .shared = i < 2};
    for (;;) {
        kri_spot *which;
        for (int i = 0; i < count; i++)
            if (take_word(&s.words[i]))
                return i;
        int err = kri_wait_any(spots, deadline, 0, NULL, &which);
        if (which != NULL && take_word(which->word))
            return (int)(which - spots);
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
    }
}

static void take_word_plain(kr_word *word)
{
    while (!take_word(word))
        (void)kri_wait(word, 0, KRI_NEVER, KRI_SHARED);
}

/* Who finds another one than the `wanted` gives that back where it is wanted. */
static void take_any_and_return(int wanted, int count, kr_time deadline)
{
    int taken = take_any_word(count, deadline);
    if (taken == wanted)
        give_word(&s.words[wanted]);
}

static void take_any_leave_first(void *arg)
{
    (void)arg;
    take_any_and_return(0, 2, KRI_NEVER);
}

static void take_any_leave_second(void *arg)
{
    (void)arg;
    take_any_and_return(1, 2, KRI_NEVER);
}

static void take_first_word(void *arg)
{
    (void)arg;
    take_word_plain(&s.words[0]);
}

static void take_second_word(void *arg)
{
    (void)arg;
    take_word_plain(&s.words[1]);
}

/* Wakes of both words may be spent on the one that waits for either; the one that it does not use
 * reaches the other. */
SCENARIO(any_shared_beside_first)
{
    fresh();
    kr_explore_spawn(take_any_leave_first, NULL);
    kr_explore_spawn(take_first_word, NULL);
    give_word(&s.words[0]);
    give_word(&s.words[1]);
    kr_explore_join_all();
    kr_explore_check(kri_load_rlx(&s.words[0]) + kri_load_rlx(&s.words[1]) <= 1);
}

SCENARIO(any_shared_beside_second)
{
    fresh();
    kr_explore_spawn(take_any_leave_second, NULL);
    kr_explore_spawn(take_second_word, NULL);
    give_word(&s.words[1]);
    give_word(&s.words[0]);
    kr_explore_join_all();
}

/* The same where the private one of the words has woken it, ... */
static void take_any_of_three(void *arg)
{
    (void)arg;
    take_any_and_return(1, 3, KRI_NEVER);
}

static void give_private(kr_word *word)
{
    kri_add_sc(word, 1);
    kri_wake(word, 1, 0);
}

SCENARIO(any_mixed_beside_second)
{
    fresh();
    kr_explore_spawn(take_any_of_three, NULL);
    kr_explore_spawn(take_second_word, NULL);
    give_word(&s.words[1]);
    give_private(&s.words[2]);
    kr_explore_join_all();
}

/* ... or a cancel. */
static void take_any_shared_in_scope(void *arg)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    take_any_leave_second(arg);
    kr_cancel_scope_exit(&s.scope);
}

SCENARIO(any_shared_cancel)
{
    fresh();
    kr_explore_spawn(take_any_shared_in_scope, NULL);
    kr_explore_spawn(take_second_word, NULL);
    give_word(&s.words[1]);
    kr_cancel(&s.scope);
    kr_explore_join_all();
}

static void take_any_shared_timed(void *arg)
{
    (void)arg;
    take_any_and_return(1, 2, kri_deadline(kr_ms(1)));
}

SCENARIO(any_shared_time_out)
{
    fresh();
    kr_explore_spawn(take_any_shared_timed, NULL);
    kr_explore_spawn(take_second_word, NULL);
    give_word(&s.words[1]);
    kr_explore_join_all();
}

/* A private wake against the time-out of one that sleeps on shared words too. */
static void take_any_of_three_timed(void *arg)
{
    (void)arg;
    int taken = take_any_word(3, kri_deadline(kr_ms(1)));
    if (taken == 2)
        give_private(&s.words[2]);
}

static void take_private(void *arg)
{
    (void)arg;
    while (!take_word(&s.words[2]))
        (void)kri_wait(&s.words[2], 0, KRI_NEVER, 0);
}

SCENARIO(any_shared_time_out_of_three)
{
    fresh();
    kr_explore_spawn(take_any_of_three_timed, NULL);
    kr_explore_spawn(take_private, NULL);
    give_private(&s.words[2]);
    kr_explore_join_all();
    kr_explore_check(kri_load_rlx(&s.words[2]) == 0);
}

/* Queues: one that waits at two gates leaves the call at the gate that it does not use to another.
 */

static kr_queue *queues[2] KR_EXPLORE_GLOBAL;

static void make_queues(size_t maxsize)
{
    fresh();
    for (int i = 0; i < 2; i++)
        kr_explore_check(kr_queue_create(&queues[i], sizeof(int), maxsize, NULL) == 0);
}

static void release_queues(void)
{
    kr_explore_join_all();
    for (int i = 0; i < 2; i++)
        kr_queue_release(queues[i]);
}

static void put_item(kr_queue *q)
{
    int item = 7;
    kr_explore_check(kr_queue_put(q, &item, KR_FOREVER) == 0);
}

static void get_either_leave_first(void *arg)
{
    int item = 0;
    kr_choice any[] = {kr_choose_get(queues[0], &item), kr_choose_get(queues[1], &item)};
    (void)arg;
    int chosen = kr_wait_any(any, 2, KR_FOREVER);
    kr_explore_check(any[chosen].result == 0 && item == 7);
    if (chosen == 0)
        put_item(queues[0]);
}

static void get_first(void *arg)
{
    int item = 0;
    (void)arg;
    kr_explore_check(kr_queue_get(queues[0], &item, KR_FOREVER) == 0);
}

SCENARIO(any_queues_beside_getter, .stale = 1, .preemptions = 1)
{
    make_queues(0);
    kr_explore_spawn(get_either_leave_first, NULL);
    kr_explore_spawn(get_first, NULL);
    put_item(queues[0]);
    put_item(queues[1]);
    release_queues();
}

static void put_either(void *arg)
{
    int item = 7;
    kr_choice any[] = {kr_choose_put(queues[0], &item), kr_choose_put(queues[1], &item)};
    (void)arg;
    int chosen = kr_wait_any(any, 2, KR_FOREVER);
    kr_explore_check(any[chosen].result == 0);
    if (chosen == 0)
        get_first(NULL);
}

static void put_first(void *arg)
{
    (void)arg;
    put_item(queues[0]);
}

SCENARIO(any_queues_beside_putter, .stale = 1, .preemptions = 1)
{
    int item;
    make_queues(1);
    put_item(queues[0]);
    put_item(queues[1]);
    kr_explore_spawn(put_either, NULL);
    kr_explore_spawn(put_first, NULL);
    kr_explore_check(kr_queue_get(queues[0], &item, KR_FOREVER) == 0);
    kr_explore_check(kr_queue_get(queues[1], &item, KR_FOREVER) == 0);
    release_queues();
}
