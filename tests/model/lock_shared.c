/* kr_lock and kr_rlock in shared memory under every schedule, with the death of one process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "sync/internal.h"

enum { VICTIM = 1, SECOND = 2, THIRD = 3 };

static struct {
    kr_lock lock;
    kr_rlock rlock;
    long left; /* these two: guarded by lock, always equal outside */
    long right;
    kr_word passed;
    kr_word died;
    int result;
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    s.lock = (kr_lock)KR_LOCK_INIT_SHARED;
    s.rlock = (kr_rlock)KR_RLOCK_INIT_SHARED;
    kr_explore_name(&s.lock, sizeof s.lock, "lock");
    kr_explore_name(&s.rlock, sizeof s.rlock, "rlock");
}

/* With the lock held, after `err`.  What a dead one left is put right. */
static void section(int err)
{
    kr_explore_check(err == 0 || err == KR_OWNER_DIED);
    if (err == KR_OWNER_DIED) {
        kr_explore_check(!kr_explore_alive(VICTIM));
        kr_explore_check(kr_lock_inconsistent(&s.lock));
        kri_add_rlx(&s.died, 1);
        s.right = s.left;
        kr_explore_check(kr_lock_recover(&s.lock) == 0);
    }
    kr_explore_check(s.left == s.right);
    s.left++;
    s.right++;
}

static void count_once(void *arg)
{
    (void)arg;
    section(kr_lock_acquire(&s.lock, KR_FOREVER));
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    kri_add_rlx(&s.passed, 1);
}

static void settled(unsigned survivors)
{
    kr_explore_join_all();
    kr_explore_check(kri_load_rlx(&s.passed) >= survivors);
    int err = kr_lock_acquire(&s.lock, KR_NOWAIT);
    section(err);
    kr_explore_check(kri_load_rlx(&s.died) <= 1);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    kr_explore_check(!kr_lock_locked(&s.lock));
}

SCENARIO(shared_two)
{
    fresh();
    kr_explore_spawn_in(VICTIM, count_once, NULL);
    kr_explore_spawn_in(SECOND, count_once, NULL);
    settled(2);
    kr_explore_check(s.left == 3);
}

SCENARIO(shared_three, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(VICTIM, count_once, NULL);
    kr_explore_spawn_in(SECOND, count_once, NULL);
    kr_explore_spawn_in(THIRD, count_once, NULL);
    settled(3);
    kr_explore_check(s.left == 4);
}

SCENARIO(shared_death, .victim = VICTIM)
{
    fresh();
    kr_explore_spawn_in(VICTIM, count_once, NULL);
    kr_explore_spawn_in(SECOND, count_once, NULL);
    settled(1);
}

/* Two survivors: the one that inherits owes the other its wake. */
SCENARIO(shared_death_of_three, .victim = VICTIM, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(VICTIM, count_once, NULL);
    kr_explore_spawn_in(SECOND, count_once, NULL);
    kr_explore_spawn_in(THIRD, count_once, NULL);
    settled(2);
}

/* Taken by a try only, which nothing wakes. */
static void try_once(void *arg)
{
    (void)arg;
    int err = kr_lock_acquire(&s.lock, KR_NOWAIT);
    if (err == -ETIMEDOUT)
        return;
    section(err);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
}

SCENARIO(shared_death_and_tries, .victim = VICTIM)
{
    fresh();
    kr_explore_spawn_in(VICTIM, count_once, NULL);
    kr_explore_spawn_in(SECOND, try_once, NULL);
    settled(0);
}

/* Two who look at once: one of them inherits. */
SCENARIO(shared_death_and_two_tries, .victim = VICTIM, .stale = 1)
{
    fresh();
    kr_explore_spawn_in(VICTIM, count_once, NULL);
    kr_explore_spawn_in(SECOND, try_once, NULL);
    kr_explore_spawn_in(THIRD, try_once, NULL);
    settled(0);
}

/* Released by the survivor without having been recovered: nobody else ever gets it. */
static void give_it_up(void *arg)
{
    (void)arg;
    int err = kr_lock_acquire(&s.lock, KR_FOREVER);
    if (err == KR_OWNER_DIED)
        kri_add_rlx(&s.died, 1);
    if (err >= 0)
        kr_explore_check(kr_lock_release(&s.lock) == 0);
    else
        kr_explore_check(err == -ENOTRECOVERABLE);
}

SCENARIO(shared_not_recovered, .victim = VICTIM, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(VICTIM, give_it_up, NULL);
    kr_explore_spawn_in(SECOND, give_it_up, NULL);
    kr_explore_spawn_in(THIRD, give_it_up, NULL);
    kr_explore_join_all();
    int err = kr_lock_acquire(&s.lock, KR_NOWAIT);
    if (kri_load_rlx(&s.died) > 0)
        kr_explore_check(err == -ENOTRECOVERABLE);
    else
        kr_explore_check(err >= 0);
    kr_explore_check(kri_load_rlx(&s.died) <= 1);
}

/* Time limit and cancel: gone without a trace, and the other one gets it. */
static void count_timed(void *arg)
{
    (void)arg;
    int err = kr_lock_acquire(&s.lock, kr_us(100));
    if (err == -ETIMEDOUT)
        return;
    section(err);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
}

SCENARIO(shared_timed_beside_waiter, .stale = 1)
{
    fresh();
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    kr_explore_spawn_in(VICTIM, count_timed, NULL);
    kr_explore_spawn_in(SECOND, count_once, NULL);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    settled(1);
}

static void count_in_scope(void *arg)
{
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    int err = kr_lock_acquire(&s.lock, KR_FOREVER);
    kr_explore_check(err == 0 || err == -ECANCELED);
    if (err == 0) {
        section(err);
        kr_explore_check(kr_lock_release(&s.lock) == 0);
    }
    kr_cancel_scope_exit(&s.scope);
}

SCENARIO(shared_cancelled_beside_waiter, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    kr_explore_spawn(count_in_scope, NULL);
    kr_explore_spawn_in(SECOND, count_once, NULL);
    kr_cancel(&s.scope);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    settled(1);
}

/* Recursive: the runner's own, in this process and no other. */
static void count_deep(void *arg)
{
    (void)arg;
    int err = kr_rlock_acquire(&s.rlock, KR_FOREVER);
    kr_explore_check(err == 0 || err == KR_OWNER_DIED);
    if (err == KR_OWNER_DIED) {
        kr_explore_check(!kr_explore_alive(VICTIM));
        s.right = s.left;
        kr_explore_check(kr_rlock_recover(&s.rlock) == 0);
    }
    kr_explore_check(kr_rlock_count(&s.rlock) == 1);
    kr_explore_check(kr_rlock_acquire(&s.rlock, KR_NOWAIT) == 0);
    kr_explore_check(s.left == s.right);
    s.left++;
    s.right++;
    kr_explore_check(kr_rlock_release(&s.rlock) == 0);
    kr_explore_check(kr_rlock_owned(&s.rlock));
    kr_explore_check(kr_rlock_release(&s.rlock) == 0);
    kr_explore_check(!kr_rlock_owned(&s.rlock));
    kri_add_rlx(&s.passed, 1);
}

SCENARIO(shared_rlock_death, .victim = VICTIM, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(VICTIM, count_deep, NULL);
    kr_explore_spawn_in(SECOND, count_deep, NULL);
    kr_explore_join_all();
    kr_explore_check(kri_load_rlx(&s.passed) >= 1);
}

/* Runners have numbers of their own in each process: here the same ones. */
static void hold_as(uint64_t number)
{
    kri_party_self()->id = number;
    int err = kr_rlock_acquire(&s.rlock, KR_FOREVER);
    kr_explore_check(err == 0 || err == KR_OWNER_DIED);
    if (err == KR_OWNER_DIED)
        kr_explore_check(kr_rlock_recover(&s.rlock) == 0);
    kr_explore_check(kr_rlock_release(&s.rlock) == 0);
}

static void hold_as_first(void *arg)
{
    (void)arg;
    hold_as(1);
}

static void hold_as_second(void *arg)
{
    (void)arg;
    hold_as(2);
}

static void is_it_mine(void *arg)
{
    (void)arg;
    kri_party_self()->id = 1;
    kr_explore_check(!kr_rlock_owned(&s.rlock));
}

SCENARIO(shared_rlock_asked_by_another, .victim = VICTIM, .preemptions = 1,
         .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn_in(VICTIM, hold_as_first, NULL);
    kr_explore_spawn_in(SECOND, hold_as_second, NULL);
    kr_explore_spawn_in(SECOND, is_it_mine, NULL);
    kr_explore_join_all();
}
