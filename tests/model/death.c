/* The death of a process at every switch point: two toy locks in shared memory.
 *
 * The naive one hangs after its holder's death, and the explorer says so; the other one, whose
 * waiters look now and then whether the holder lives, does not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include "wait/wait.h"

enum { VICTIM = 1, SURVIVOR = 2 };

static struct {
    kr_word lock;
    long counter; /* guarded by lock */
    kr_word survived;
    kr_word semaphore;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.lock, sizeof s.lock, "lock");
    kr_explore_name(&s.counter, sizeof s.counter, "counter");
}

/* 0 free, 1 held, 2 held and somebody sleeps. */
static void naive_acquire(void)
{
    uint32_t seen = 0;

    if (kri_cas_acq(&s.lock, &seen, 1))
        return;
    while (kri_swap_acq(&s.lock, 2) != 0)
        (void)kri_wait(&s.lock, 2, KRI_NEVER, KRI_SHARED);
}

static void naive_release(void)
{
    if (kri_swap_sc(&s.lock, 0) == 2)
        kri_wake(&s.lock, 1, KRI_SHARED);
}

static void use_naive(void *arg)
{
    (void)arg;
    naive_acquire();
    s.counter++;
    naive_release();
}

static void survive_naive(void *arg)
{
    use_naive(arg);
    kri_store_rlx(&s.survived, 1);
}

SCENARIO(naive_lock_without_death)
{
    fresh();
    kr_explore_spawn_in(VICTIM, use_naive, NULL);
    kr_explore_spawn_in(SURVIVOR, survive_naive, NULL);
    kr_explore_join_all();
    kr_explore_check(s.counter == 2);
}

FAULTY(naive_lock, KR_EXPLORE_DEADLOCK, .victim = VICTIM)
{
    fresh();
    kr_explore_spawn_in(VICTIM, use_naive, NULL);
    kr_explore_spawn_in(SURVIVOR, survive_naive, NULL);
    kr_explore_join_all();
    kr_explore_check(kri_load_rlx(&s.survived) == 1);
}

/* The holder's process stands in the word; who waits looks whether it lives. */
static void careful_acquire(unsigned process)
{
    for (;;) {
        uint32_t holder = 0;

        if (kri_cas_acq(&s.lock, &holder, process))
            return;
        if (!kr_explore_alive(holder)) {
            if (kri_cas_acq(&s.lock, &holder, process))
                return;
            continue;
        }
        (void)kri_wait(&s.lock, holder, kri_deadline(kr_ms(1)), KRI_SHARED);
    }
}

static void careful_release(void)
{
    kri_store_sc(&s.lock, 0);
    kri_wake(&s.lock, 1, KRI_SHARED);
}

static void use_careful(void *arg)
{
    (void)arg;
    careful_acquire(VICTIM);
    s.counter++;
    careful_release();
}

static void survive_careful(void *arg)
{
    (void)arg;
    careful_acquire(SURVIVOR);
    s.counter++;
    careful_release();
    kri_store_rlx(&s.survived, 1);
}

SCENARIO(careful_lock, .victim = VICTIM)
{
    fresh();
    kr_explore_spawn_in(VICTIM, use_careful, NULL);
    kr_explore_spawn_in(SURVIVOR, survive_careful, NULL);
    kr_explore_join_all();
    kr_explore_check(kri_load_rlx(&s.survived) == 1);
    kr_explore_check(kr_explore_alive(SURVIVOR));
}

/* A wake that was spent on one who then dies is lost: a permit counted in a word is not enough. */
static void take_permit(void *arg)
{
    (void)arg;
    for (;;) {
        uint32_t seen = kri_load_rlx(&s.semaphore);

        while (seen > 0)
            if (kri_cas_acq(&s.semaphore, &seen, seen - 1))
                return;
        (void)kri_wait(&s.semaphore, 0, KRI_NEVER, KRI_SHARED);
    }
}

static void use_permit(void *arg)
{
    take_permit(arg);
    kri_add_sc(&s.semaphore, 1);
    kri_wake(&s.semaphore, 1, KRI_SHARED);
}

FAULTY(wake_spent_on_the_dead, KR_EXPLORE_DEADLOCK, .victim = VICTIM)
{
    fresh();
    kr_explore_spawn_in(VICTIM, use_permit, NULL);
    kr_explore_spawn_in(SURVIVOR, use_permit, NULL);
    kri_add_sc(&s.semaphore, 1);
    kri_wake(&s.semaphore, 1, KRI_SHARED);
    kr_explore_join_all();
}

/* Death between two plain writes is seen too: a pair that must always be equal. */
static struct {
    int left;
    int right;
} pair;

static void write_pair(void *arg)
{
    (void)arg;
    pair.left++;
    pair.right++;
}

FAULTY(pair_half_written, KR_EXPLORE_CHECK, .victim = VICTIM)
{
    pair.left = pair.right = 0;
    kr_explore_join(kr_explore_spawn_in(VICTIM, write_pair, NULL));
    if (!kr_explore_alive(VICTIM))
        kr_explore_check(pair.left == pair.right);
}
