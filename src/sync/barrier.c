/* kr_barrier: rounds, counted in a word that the parties sleep on.
 *
 * State of word.
 *     bit 0          SHARED, constant
 *     bit 1          WAITERS, in shared memory only: somebody may sleep in the kernel
 *     bit 2          BROKEN
 *     bit 3          FAILED: the last round that ended did so without success
 *     bits 4 to 31   how many rounds have ended
 *
 * Fields.
 *     word           as above; changed under the lock, but for WAITERS and a BROKEN that is added
 *     hint           whether to spin; see wait/spin_word.c
 *     cpus           guarded by the lock: bit n % 64 for each processor n on which a party of this
 *                    round has arrived
 *     arrived        how many there are in this round; changed under the lock, read by anybody
 *     failed         guarded by the lock: bit n % 64 says whether round n failed, of the last 64
 *     has_failed     guarded by the lock: has any round failed?
 *     lock           inner lock; in shared memory its holder may die
 *     the table of holders is guarded by the lock: the parties of this round, by process
 *     all others     constant
 *
 * Protocol.
 *     A party counts itself under the lock.  The last one ends the round: nobody has arrived in the
 *     next one, and the word shows a round more.  Whoever breaks or resets the barrier ends the
 *     round as failed.
 *     A party has been let go when the word shows a later round than the one it arrived in.  Mostly
 *     that is the next, and FAILED tells how it went.  One that was kept from running meanwhile
 *     looks into `failed`; and one that has slept through 64 rounds is told that its own failed, if
 *     any has.
 *     Whoever waits spins a while before it sleeps, if in the last round each party came from a
 *     processor of its own.  Then nobody who is waited for needs the spinner's.
 *     A party that gives up ends the round as failed, unless it has ended before.
 *     Nobody who runs keeps the lock for long, but a process that is stopped may.  Who has given up
 *     and does not get it adds BROKEN to the word of his round.  That lets go all who are in it, as
 *     its end does, and nobody joins it.  Whoever has the lock next, be it the one who was stopped,
 *     finds it: that round cannot end with success.  What it leaves in the other fields its end,
 *     which is a reset's then, takes away.
 *     While an action runs all parties have arrived and the lock is free.  Those who come then wait
 *     for the end of that round before they arrive in the next.  They are no parties of it, so one
 *     that gives up leaves no trace.
 *
 *     In shared memory WAITERS is as in event.c.  When the lock's holder has died the round fails
 *     and the barrier is broken: each step of the end of a round can be done twice, and so the next
 *     to take the lock does all of them.  With a table, whoever has slept for a slice (shared.c)
 *     looks whether all who have arrived live.
 *
 * Ordering.
 *     [barrier-1]  what a party did before its wait is visible to all whom that round lets go
 *     To the last one by the lock, and from there by the change of the word, which is sequentially
 *     consistent because kri_wake wants it so.
 *
 * Why not keep newcomers out until all of a round have left, as CPython does?  One that dies on its
 * way out, or is stopped, would keep them out for good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/options.h"
#include "os/os.h"
#include "sync/holder.h"
#include "wait/stall.h"
#include <krait/barrier.h>

enum { SHARED = 1, WAITERS = 2, BROKEN = 4, FAILED = 8, ONE_ROUND = 16, KNOWN_ROUNDS = 64 };
enum { AT_LEAST = 1000 * 1000 * 1000 }; /* is waited for the lock */

_Static_assert(sizeof(kr_barrier) == 64, "part of the layout in shared memory");
_Static_assert(offsetof(kr_barrier, arrived) == 8, "part of the layout in shared memory");
_Static_assert(offsetof(kr_barrier, failed) == 16, "part of the layout in shared memory");
_Static_assert(offsetof(kr_barrier, timeout) == 24, "part of the layout in shared memory");
_Static_assert(offsetof(kr_barrier, holders) == 32, "part of the layout in shared memory");
_Static_assert(offsetof(kr_barrier, holder_count) == 40, "part of the layout in shared memory");
_Static_assert(offsetof(kr_barrier, cpus) == 48, "part of the layout in shared memory");
_Static_assert(offsetof(kr_barrier, lock) == 56, "part of the layout in shared memory");

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "the parties of a barrier at %p", (const void *)word);
}

static uint32_t round_of(uint32_t word)
{
    return word / ONE_ROUND;
}

static uint32_t rounds_since(uint32_t mine, uint32_t word)
{
    return (round_of(word) - round_of(mine)) & round_of(UINT32_MAX);
}

static kri_holders table_of(kr_barrier *b)
{
    return (kri_holders){(kr_holder *)(void *)((char *)b + b->holders), b->holder_count};
}

static bool are_valid(int64_t parties, const kr_barrier_options *o)
{
    if (parties < 1 || parties > KR_BARRIER_MAX || o->timeout < 0)
        return false;
    if (o->scope != KR_PRIVATE && o->scope != KR_SHARED)
        return false;
    if ((o->holders == NULL) != (o->holder_count == 0) || o->holder_count > UINT16_MAX)
        return false;
    if (o->holders != NULL && o->scope != KR_SHARED)
        return false;
    return kri_reserved_is_clear(o->reserved);
}

int kr_barrier_init(kr_barrier *barrier, int64_t parties, const kr_barrier_options *options)
{
    static const kr_barrier_options defaults;
    const kr_barrier_options *o = options != NULL ? options : &defaults;
    if (!are_valid(parties, o))
        return -EINVAL;
    *barrier = (kr_barrier){.parties = (uint32_t)parties,
                            .timeout = o->timeout,
                            .holder_count = (uint32_t)o->holder_count};
    if (o->holders != NULL)
        barrier->holders = (char *)o->holders - (char *)barrier;
    kri_holders table = table_of(barrier);
    kri_holders_clear(&table);
    kri_store_rlx(&barrier->word, o->scope == KR_SHARED ? SHARED : 0);
    return kr_lock_init(&barrier->lock, o->scope);
}

/* The round of this word is to end so: it does, or as broken, which it may be already. */
static uint32_t note_end(kr_barrier *b, uint32_t word, uint32_t how)
{
    uint64_t bit = (uint64_t)1 << round_of(word) % KNOWN_ROUNDS;
    if (how == 0 && (word & BROKEN))
        how = FAILED | BROKEN;
    b->failed = how != 0 ? b->failed | bit : b->failed & ~bit;
    b->has_failed |= how != 0;
    return how;
}

/* With the lock held; what the word was.  how: 0, FAILED or FAILED | BROKEN. */
static uint32_t end_round(kr_barrier *b, uint32_t how)
{
    kri_holders table = table_of(b);
    uint32_t old = kri_load_rlx(&b->word);
    kri_holders_clear(&table);
    b->cpus = 0;
    kri_store_rlx(&b->arrived, 0);
    uint32_t ends = note_end(b, old, how);
    while (!kri_cas_sc(&b->word, &old, /* [barrier-1] */
                       ((old & SHARED) | (old - old % ONE_ROUND)) + ONE_ROUND + ends))
        ends = note_end(b, old, how);
    return old;
}

static void wake(kr_barrier *b, uint32_t ended)
{
    if (!(ended & SHARED))
        kri_wake(&b->word, KRI_ALL, 0);
    else if (ended & WAITERS)
        kri_wake(&b->word, KRI_ALL, KRI_SHARED);
}

static int take_lock(kr_barrier *b, kr_time timeout)
{
    bool shared = kri_load_rlx(&b->word) & SHARED;
    if (shared != kri_lock_is_shared(&b->lock))
        return KR_ECORRUPT;
    return shared ? kri_lock_take_within(&b->lock, timeout) : kri_lock_take_brief(&b->lock);
}

/* -ETIMEDOUT: one who was stopped has the lock. */
static int enter(kr_barrier *b, kr_time timeout)
{
    int err = take_lock(b, timeout);
    if (err == KR_OWNER_DIED) {
        wake(b, end_round(b, FAILED | BROKEN));
        err = kr_lock_recover(&b->lock);
    }
    return err;
}

static kr_time patience(kr_time deadline)
{
    kr_time left = kri_left_until(deadline);
    return left > AT_LEAST ? left : AT_LEAST;
}

static void leave(kr_barrier *b)
{
    kr_lock_release(&b->lock);
}

static int end(kr_barrier *b, uint32_t how)
{
    uint32_t ended = end_round(b, how);
    leave(b);
    wake(b, ended);
    return how != 0 || (ended & BROKEN) ? KR_EBROKEN : 0;
}

/* Without the lock: break the round in which the word was `mine`.  false: it has ended. */
static bool break_round(kr_barrier *b, uint32_t mine)
{
    uint32_t seen = kri_load_rlx(&b->word);
    do {
        if (round_of(seen) != round_of(mine) || (seen & BROKEN))
            return false;
    } while (!kri_cas_sc(&b->word, &seen, (seen & ~(uint32_t)WAITERS) | BROKEN));
    wake(b, seen);
    return true;
}

/* How did the round end in which the word was `mine`?  It has, or is broken. */
static int outcome(kr_barrier *b, uint32_t mine, int index, kr_time deadline)
{
    uint32_t word = kri_load_acq(&b->word); /* [barrier-1] */
    if (rounds_since(mine, word) == 0)
        return KR_EBROKEN;
    if (rounds_since(mine, word) == 1)
        return word & FAILED ? KR_EBROKEN : index;
    int err = enter(b, patience(deadline));
    if (err < 0)
        return err;
    uint32_t rounds = rounds_since(mine, kri_load_rlx(&b->word));
    bool failed =
        rounds > KNOWN_ROUNDS ? b->has_failed : b->failed >> round_of(mine) % KNOWN_ROUNDS & 1;
    leave(b);
    return failed ? KR_EBROKEN : index;
}

/* Or is broken, so that nobody is let go otherwise. */
static bool has_ended(const kr_barrier *b, uint32_t mine)
{
    uint32_t word = kri_load_acq(&b->word); /* [barrier-1] */
    return round_of(word) != round_of(mine) || (word & BROKEN);
}

/* Timed out or cancelled: nobody can be let go any more, unless they have been. */
static int give_up(kr_barrier *b, uint32_t mine, int index, int why)
{
    int err = enter(b, AT_LEAST);
    if (err < 0 && err != -ETIMEDOUT)
        return err;
    if (err == -ETIMEDOUT && !break_round(b, mine))
        return outcome(b, mine, index, 0);
    if (err >= 0 && has_ended(b, mine)) {
        leave(b);
        return outcome(b, mine, index, 0);
    }
    if (err >= 0)
        (void)end(b, FAILED | BROKEN);
    return why == -ETIMEDOUT ? KR_EBROKEN : why;
}

/* Do those live who have arrived?  Their barrier is broken if one does not. */
static int look(kr_barrier *b, uint32_t mine)
{
    kri_holders table = table_of(b);
    if (table.length == 0)
        return 0;
    int err = enter(b, KR_NOWAIT);
    if (err < 0)
        return err == -ETIMEDOUT ? 0 : err; /* whoever has it, may look: or the next slice does */
    if (!has_ended(b, mine) && kri_holders_settle(&table) > 0)
        (void)end(b, FAILED | BROKEN);
    else
        leave(b);
    return 0;
}

static int sleep_in(kr_barrier *b, uint32_t mine, kr_time deadline)
{
    uint32_t seen = mine;
    if (!(mine & SHARED))
        return kri_wait_for(&b->word, mine, deadline, 0, describe);
    if (!kri_cas_rlx(&b->word, &seen, mine | WAITERS) && seen != (mine | WAITERS))
        return -EAGAIN;
    return kri_wait_slice(&b->word, mine | WAITERS, deadline, describe);
}

/* Until the round has ended in which the word was `mine`. */
static int await(kr_barrier *b, uint32_t mine, kr_time deadline)
{
    kr_time began = 0;
    if (!(mine & WAITERS))
        (void)kri_spin_word(&b->word, mine, deadline, &b->hint, &began);
    mine &= ~(uint32_t)WAITERS;
    while (!has_ended(b, mine)) {
        int err = sleep_in(b, mine, deadline);
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
        if (err == KRI_SLICE_OVER && (err = look(b, mine)) < 0)
            return err;
    }
    kri_spin_word_learn(&b->hint, began);
    return 0;
}

static int await_as_party(kr_barrier *b, uint32_t mine, int index, kr_time deadline)
{
    int err = await(b, mine, deadline);
    if (err == -ETIMEDOUT || err == -ECANCELED)
        return give_up(b, mine, index, err);
    return err < 0 ? err : outcome(b, mine, index, deadline);
}

/* An action runs in a round of others, which is not the caller's to break. */
static int await_as_surplus(kr_barrier *b, uint32_t mine, kr_time deadline)
{
    int err = await(b, mine, deadline);
    return err < 0 ? err : outcome(b, mine, 0, deadline);
}

/* With the lock held, which is released when this fails. */
static int find_room(kr_barrier *b)
{
    kri_holders table = table_of(b);
    if (table.length == 0 || kri_holders_have_room(&table))
        return 0;
    if (kri_holders_settle(&table) > 0)
        return end(b, FAILED | BROKEN);
    leave(b);
    return -ENOSPC;
}

static void break_now(kr_barrier *b)
{
    uint32_t now;
    do {
        now = kri_load_rlx(&b->word);
    } while (!(now & BROKEN) && !break_round(b, now));
}

/* Without the lock: the time is up before the arrival.  As if it had come right before. */
static int miss(kr_barrier *b)
{
    if (kri_load_rlx(&b->arrived) >= b->parties && !kr_barrier_broken(b))
        return -ETIMEDOUT;
    break_now(b);
    return KR_EBROKEN;
}

/* Take the lock in a round that can still be joined; *mine is its word. */
static int join(kr_barrier *b, uint32_t *mine, kr_time deadline)
{
    for (;;) {
        int err = enter(b, patience(deadline));
        if (err == -ETIMEDOUT)
            return miss(b);
        if (err < 0)
            return err;
        *mine = kri_load_rlx(&b->word);
        if (*mine & BROKEN) {
            leave(b);
            return KR_EBROKEN;
        }
        if (kri_load_rlx(&b->arrived) < b->parties)
            return find_room(b);
        leave(b);
        err = await_as_surplus(b, *mine, deadline);
        if (err < 0)
            return err;
    }
}

static int run(kr_barrier *b, uint32_t mine, int (*action)(void *arg), void *arg, kr_time deadline)
{
    int result = action(arg);
    int err = enter(b, patience(deadline));
    if (err == -ETIMEDOUT) {
        (void)break_round(b, mine);
        return result < 0 ? result : KR_EBROKEN;
    }
    if (err < 0)
        return err;
    if (!has_ended(b, mine)) {
        err = end(b, result < 0 ? FAILED | BROKEN : 0);
    } else {
        leave(b);
        err = KR_EBROKEN;
    }
    return result < 0 ? result : err;
}

/* With the lock held, by one who has arrived. */
static void note_processor(kr_barrier *b, bool last)
{
    int cpu = os_cpu_current();
    if (cpu < 0)
        return;
    b->cpus |= (uint64_t)1 << cpu % 64;
    if (last)
        kri_spin_word_note(&b->hint, (uint32_t)__builtin_popcountll(b->cpus) == b->parties
                                         ? KRI_WAKER_ELSEWHERE
                                         : KRI_WAKER_UNKNOWN);
}

int kr_barrier_wait_action(kr_barrier *barrier, int (*action)(void *arg), void *arg,
                           kr_time timeout)
{
    uint32_t mine;
    if (timeout < 0 || barrier->parties == 0)
        return -EINVAL;
    if (timeout == KR_FOREVER && barrier->timeout != 0)
        timeout = barrier->timeout;
    kr_time deadline = kri_deadline(timeout);
    int err = join(barrier, &mine, deadline);
    if (err < 0)
        return err;
    kri_holders table = table_of(barrier);
    int index = (int)kri_load_rlx(&barrier->arrived);
    bool last = (uint32_t)index + 1 == barrier->parties;
    kri_store_rlx(&barrier->arrived, (uint32_t)index + 1);
    if (table.length > 0)
        kri_holders_add(&table);
    note_processor(barrier, last);
    if (last && action == NULL) {
        err = end(barrier, 0);
        return err < 0 ? err : index;
    }
    leave(barrier);
    if (!last)
        return await_as_party(barrier, mine, index, deadline);
    err = run(barrier, mine, action, arg, deadline);
    return err < 0 ? err : index;
}

int kr_barrier_wait(kr_barrier *barrier, kr_time timeout)
{
    return kr_barrier_wait_action(barrier, NULL, NULL, timeout);
}

int kr_barrier_reset(kr_barrier *barrier)
{
    int err = enter(barrier, KR_FOREVER);
    if (err < 0)
        return err;
    (void)end(barrier, FAILED);
    return 0;
}

int kr_barrier_abort(kr_barrier *barrier)
{
    int err = enter(barrier, AT_LEAST);
    if (err >= 0)
        (void)end(barrier, FAILED | BROKEN);
    if (err == -ETIMEDOUT)
        break_now(barrier);
    return err < 0 && err != -ETIMEDOUT ? err : 0;
}

unsigned kr_barrier_parties(const kr_barrier *barrier)
{
    return barrier->parties;
}

unsigned kr_barrier_n_waiting(const kr_barrier *barrier)
{
    return kr_barrier_broken(barrier) ? 0 : kri_load_rlx(&barrier->arrived);
}

bool kr_barrier_broken(const kr_barrier *barrier)
{
    return kri_load_rlx(&barrier->word) & BROKEN;
}

bool kri_barrier_is_plain(const kr_barrier *b)
{
    return (kri_load_rlx(&b->word) & SHARED) && b->holder_count == 0 && b->holders == 0 &&
           kri_lock_is_shared(&b->lock);
}
