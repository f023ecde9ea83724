/* kr_semaphore with a table of holders: the permits of a process that dies return.
 *
 * Fields.
 *     bound           constant: how many permits there are in all
 *     holders         constant: where the table is, counted from the semaphore; holder_count its
 *                     length
 *     lock            guards the table, and all changes of the number of permits in value
 *     value           as in semaphore.c; WAITERS is set without the lock
 *
 * State.  The permits of the table and the free ones are `bound` together, whenever nobody holds
 * the lock.
 *
 * Protocol.  Acquire and release move a permit between value and the caller's row under the lock;
 * sleeping, waking and the bit WAITERS are those of semaphore.c, and so is what a waiter does that
 * has slept.  A process that dies
 *     with permits    keeps them until somebody has waited for a slice (shared.c) in vain, looks
 *                     whether the holders live, and finds it; or until its time-out, before which
 *                     everybody looks too; or until somebody needs a row
 *     with the lock   may have moved a permit out of value and not into its row, or the other way
 *                     round.  The next to take the lock learns that and counts anew.
 * To count anew is to settle what the dead hold and to make free what the table does not say is
 * held.  So no permit is lost and none is there twice, wherever the process died.
 *
 * Ordering.  The lock orders the table, and gives what a releaser wrote to whoever takes the permit
 * after it; so value may be changed relaxedly where nobody is woken.  Its change in a release is
 * sequentially consistent because kri_wake wants it so.  After a release the lock is released
 * before the wake, which uses the word's address only.
 *
 * Why not without a lock, by a note of what is about to be done in the row?  Two words would change
 * at two moments, and whoever settles would have to know which of them had: the note would have to
 * be right in each of these moments for the dead and for the living.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/holder.h"
#include "sync/semaphore.h"

enum { AT_LEAST = 1000 * 1000 * 1000 }; /* is waited for the lock */

static kri_holders table_of(kr_semaphore *s)
{
    return (kri_holders){(kr_holder *)(void *)((char *)s + s->holders), s->holder_count};
}

int kri_semaphore_init_owned(kr_semaphore *s, const kr_semaphore_options *o)
{
    if (o->bound != 0 && o->bound != (int64_t)kri_load_rlx(&s->value))
        return -EINVAL; /* there are as many as there are */
    s->flags |= KRI_SEMAPHORE_OWNED;
    s->bound = kri_load_rlx(&s->value);
    s->holders = (char *)o->holders - (char *)s;
    s->holder_count = (uint16_t)o->holder_count;
    kri_holders table = table_of(s);
    kri_holders_clear(&table);
    return kr_lock_init(&s->lock, KR_SHARED);
}

/* As the release of semaphore.c; how many to wake once the lock is released. */
static uint32_t add(kr_semaphore *s, uint32_t permits)
{
    uint32_t old = kri_load_rlx(&s->value);
    while (!kri_cas_sc(&s->value, &old, (old & KR_SEMAPHORE_MAX) + permits))
        continue;
    return old & KRI_SEMAPHORE_WAITERS ? permits : 0;
}

/* Make the permits of the dead free; whoever is woken wakes the next, see semaphore.c. */
static void settle(kr_semaphore *s, uint32_t *wake)
{
    kri_holders table = table_of(s);
    uint32_t freed = kri_holders_settle(&table);
    if (freed > 0 && add(s, freed) > 0)
        *wake = freed;
}

/* Whoever held the lock is dead: put right what it has left half done. */
static void repair(kr_semaphore *s)
{
    kri_holders table = table_of(s);
    (void)kri_holders_settle(&table);
    uint32_t free_permits = s->bound - kri_holders_sum(&table);
    uint32_t old = kri_load_rlx(&s->value);
    while (!kri_cas_sc(&s->value, &old, free_permits))
        continue;
}

/* Take the lock.  *wake: how many to wake after it.  Nobody who runs holds it for long; -ETIMEDOUT:
 * one who was stopped does. */
static int enter(kr_semaphore *s, uint32_t *wake, kr_time timeout)
{
    int err = kri_lock_take_within(&s->lock, timeout > AT_LEAST ? timeout : AT_LEAST);
    *wake = 0;
    if (err == KR_OWNER_DIED) {
        repair(s);
        *wake = KRI_ALL;
        err = kr_lock_recover(&s->lock);
    }
    return err;
}

static void leave(kr_semaphore *s, uint32_t wake)
{
    kr_word *value = &s->value;
    kr_lock_release(&s->lock);
    if (wake > 0)
        kri_wake(value, (int)wake, KRI_SHARED);
}

/* Move a permit from value into the caller's row; -EAGAIN: there is none. */
static int take(kr_semaphore *s, uint32_t slept, uint32_t *wake)
{
    kri_holders table = table_of(s);
    uint32_t seen = kri_load_rlx(&s->value);
    if (!(seen & KR_SEMAPHORE_MAX))
        return -EAGAIN;
    if (!kri_holders_have_room(&table)) {
        settle(s, wake);
        if (!kri_holders_have_room(&table))
            return -ENOSPC;
    }
    while (!kri_cas_rlx(&s->value, &seen, (seen - 1) | slept))
        continue;
    kri_holders_add(&table);
    if (slept && (seen & KR_SEMAPHORE_MAX) > 1 && *wake == 0)
        *wake = 1;
    return 0;
}

/* look: whether the holders live. */
static int try_once(kr_semaphore *s, uint32_t slept, bool look, kr_time timeout)
{
    uint32_t wake;
    int err = enter(s, &wake, timeout);
    if (err < 0)
        return err;
    if (look)
        settle(s, &wake);
    err = take(s, slept, &wake);
    leave(s, wake);
    return err;
}

static int sleep_and_try(kr_semaphore *s, kr_time deadline)
{
    uint32_t slept = 0;
    for (;;) {
        int woken = kri_semaphore_sleep(s, deadline);
        if (woken == -ECANCELED)
            return woken;
        if (woken != -EAGAIN)
            slept = KRI_SEMAPHORE_WAITERS;
        int err = try_once(s, slept, woken == -ETIMEDOUT || woken == KRI_SLICE_OVER,
                           kri_left_until(deadline));
        if (err != -EAGAIN || woken == -ETIMEDOUT)
            return err == -EAGAIN ? -ETIMEDOUT : err;
    }
}

int kri_semaphore_acquire_owned(kr_semaphore *s, kr_time timeout)
{
    kr_time began = 0;
    int err = try_once(s, 0, timeout == KR_NOWAIT && kr_semaphore_value(s) == 0, timeout);
    if (timeout == KR_NOWAIT)
        return err == -EAGAIN ? -ETIMEDOUT : err;
    kr_time deadline = kri_deadline(timeout);
    if (err == -EAGAIN && kri_spin_word(&s->value, 0, deadline, &s->hint, &began))
        err = try_once(s, 0, false, kri_left_until(deadline));
    if (err == -EAGAIN)
        err = sleep_and_try(s, deadline);
    kri_spin_word_learn(&s->hint, began);
    return err;
}

int kri_semaphore_release_owned(kr_semaphore *s, uint32_t permits)
{
    uint32_t wake;
    kri_spin_word_note_waker(&s->hint);
    int err = enter(s, &wake, KR_FOREVER);
    if (err < 0)
        return err;
    kri_holders table = table_of(s);
    if (kri_holders_mine(&table) < permits) {
        err = -EPERM;
    } else {
        kri_holders_take_off(&table, permits);
        uint32_t woken = add(s, permits);
        wake = woken > wake ? woken : wake;
    }
    leave(s, wake);
    return err;
}
