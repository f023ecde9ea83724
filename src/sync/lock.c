/* kr_lock: one word of 64 bits, of which the low half is slept on.
 *
 * State.  The low half:
 *     holder         22 bits: 0 free; private: 1; shared: the pid of the holder's process
 *     SHARED         in the low half from init on
 *     WAITERS        its releaser wakes one of those who wait
 *     STARVING       private: its releaser hands the lock over
 *     INCONSISTENT   shared: held after the death of a holder, and not recovered
 *     GONE           shared: free for good; nobody can have it
 * The high half:
 *     private        how often a handing over was tried; those who are to be handed the lock sleep
 *                    on this half
 *     shared         while held, when the holder's process started, in ticks
 *
 * Fields.
 *     word     the low half, the first in memory; slept on by those who wait
 *     more     the high half; slept on, in private scope, by those who are to be handed the lock
 *     Changed together, by compare-and-swap and by or; only src/wait and the kernel look at one
 *     half alone.
 *
 * Protocol, both scopes.  Who has waited, or is about to, takes the lock with WAITERS, because
 * others may wait beside it; release clears the bit and wakes one.  So a debt is never lost, and at
 * worst one wake finds nobody.  A waiter that leaves, timed out or cancelled, leaves WAITERS behind
 * for the same reason.  A woken waiter competes with whoever comes by: to hand the lock over would
 * make the time until the woken one runs a time in which nobody may have it.
 * The holder may put those who wait for something else into the queue, with WAITERS: a condition's
 * notify does.
 *
 * Private, handing over.  A waiter that has lost that race for PATIENCE sets STARVING and sleeps on
 * the high half.  A releaser that finds the bit stays the holder, takes the bit away and counts the
 * high half up, in one step, and wakes one there.  If there was one, that is now the holder, and it
 * sets the bit again for others like itself.  If there was none, the lock is released as ever.  Who
 * set the bit before that step and did not sleep yet finds the half changed and tries again; who
 * sets it after that makes the release fail and be tried anew.
 *
 * Shared, death.  The word names the holder's process (owner.c).  Waiters sleep for short, random
 * times (in step they would all look at once), and one whose time is up looks whether that process
 * is over.  If so it takes the lock by a compare-and-swap of all 64 bits that it has seen, with
 * INCONSISTENT: one of those who look gets it, and none if it has changed hands meanwhile.
 * Whatever wake-up a death swallows (of the woken, or of the releaser before its wake) is made up
 * for by the same time-outs: nobody sleeps longer than they are.
 * Who releases with INCONSISTENT leaves GONE, for all to see, and wakes all.
 *
 * Ordering.
 *     [lock-1]  release gives what its holder wrote to the next acquirer.  It is sequentially
 *               consistent because kri_wake wants it so, and is the last touch of the word: the
 *               next holder may free the lock at once
 *     [lock-2]  the holder that hands over gives it by the wake itself, which says so: one that was
 *               meant for what lay there before hands nothing over; see [wait-2]
 *
 * Private, two processors.  Who finds the lock held looks at it a few times before it queues, each
 * time after twice as long: meanwhile the holder goes through several sections without losing the
 * cache line.  Without that two threads take 65 ns a section, with looks in quick succession 48,
 * and so 33 (./run bench lock).
 *
 * Why not the kernel's robust list?  It is glibc's: its layout wants 40 bytes and the addresses of
 * one process, so that no other could release.  And a waiter that dies between its wake-up and the
 * next look leaves the others asleep there for ever, since nothing else would ever wake them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "sync/contention.h"
#include "sync/debug.h"
#include "sync/internal.h"
#include "trace/trace.h"
#include "wait/stall.h"

#define HOLDER       UINT64_C(0x3fffff)
#define HELD         UINT64_C(1)
#define SHARED       KRI_LOCK_SHARED
#define INCONSISTENT (UINT64_C(1) << 23)
#define GONE         (UINT64_C(1) << 24)
#define STARVING     (UINT64_C(1) << 25)
#define WAITERS      (UINT64_C(1) << 31)
#define LOW          UINT64_C(0xffffffff)
#define ONE_TURN     (UINT64_C(1) << 32)
#define SHARED_BITS  (HOLDER | SHARED | INCONSISTENT | GONE | WAITERS)

#ifdef KRI_MODEL
enum { PATIENCE = 0 };                      /* so that a short run comes to it */
enum { FIRST_PAUSES = 1, LAST_PAUSES = 0 }; /* none: there is nothing to gain */
#else
enum { FIRST_PAUSES = 16, LAST_PAUSES = 256 };
enum { PATIENCE = 5 * 1000 * 1000 }; /* each hand-over costs the time of a wake-up */
#endif
enum { FIRST_LOOK = 1000 * 1000, LOOKS = 13 * 1000 * 1000, LOOKS_BRIEF = 3 * 1000 * 1000 };

_Static_assert(sizeof(kr_lock) == 8 && _Alignof(kr_lock) == 8, "one word of 64 bits");
_Static_assert(offsetof(kr_lock, word) == 0 && offsetof(kr_lock, more) == 4, "in this order");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half comes first");

/* Always as a whole, but by the kernel and in src/wait, which look at a half. */
static kri_word64 *whole(const kr_lock *lock)
{
    return (kri_word64 *)(uintptr_t)lock;
}

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "a lock at %p", (const void *)word);
}

static void describe_more(const kr_word *word, kri_text *text)
{
    describe(word - 1, text);
}

/* Private. */

/* A few looks, each after twice the time of the one before: in that time the holder goes through
 * several sections without losing the word's cache line. */
static bool take_soon(kr_lock *lock)
{
    for (int pauses = FIRST_PAUSES; pauses <= LAST_PAUSES; pauses *= 2) {
        for (int i = 0; i < pauses; i++)
            os_pause();
        uint64_t seen = kri_load_rlx64(whole(lock));
        if (seen & STARVING)
            return false;
        if (!(seen & HOLDER) && kri_cas_acq64(whole(lock), &seen, seen | HELD)) /* [lock-1] */
            return true;
    }
    return false;
}

/* For a waiter that was just woken, by the releaser. */
static bool take_for_waiter(kr_word *word)
{
    kri_word64 *whole_word = whole((const kr_lock *)(const void *)word);
    uint64_t seen = kri_load_rlx64(whole_word);
    while (!(seen & HOLDER))
        if (kri_cas_acq64(whole_word, &seen, seen | HELD | WAITERS)) /* [lock-1] */
            return true;
    return false;
}

static int wait_private(kr_lock *lock, kr_time deadline, unsigned flags)
{
    kri_word64 *word = whole(lock);
    uint64_t marks = HELD | WAITERS;
    kr_time lost = 0; /* since when */
    for (;;) {
        uint64_t seen = kri_or_acq64(word, marks); /* [lock-1] */
        if (!(seen & HOLDER))
            return 0;
        seen |= marks;
        bool starving = marks & STARVING;
        int err = starving ? kri_wait_for(&lock->more, (uint32_t)(seen >> 32), deadline, flags,
                                          describe_more) /* [lock-2] */
                           : kri_wait_to_take(&lock->word, (uint32_t)seen, deadline, flags,
                                              describe, take_for_waiter);
        if (err == KRI_TAKEN) {
            if (starving)
                kri_or_rlx64(word, STARVING);
            return 0;
        }
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
        if (lost == 0)
            lost = os_now();
        else if (!starving && os_now() - lost >= PATIENCE)
            marks |= STARVING;
    }
}

/* By its address only: it may be gone. */
static inline int note_handed_over(const kr_lock *lock)
{
    KRI_TRACE_HAPPENS(hand__over, HAND_OVER, (uintptr_t)lock, 0);
    return 0;
}

static int release_private(kr_lock *lock, uint64_t seen)
{
    kri_word64 *word = whole(lock);
    while (seen & HOLDER) {
        uint64_t next = seen & STARVING ? (seen & ~STARVING) + ONE_TURN : seen & ~LOW;
        if (!kri_cas_sc64(word, &seen, next)) /* [lock-1] */
            continue;
        if (seen & STARVING) {
            if (kri_wake(&lock->more, 1, KRI_HANDS) > 0) /* [lock-2] */
                return note_handed_over(lock);
            seen = next;
            continue;
        }
        if (seen & WAITERS)
            kri_wake(&lock->word, 1, 0);
        return 0;
    }
    return -EPERM;
}

/* Shared. */

static kr_time random_around(kr_time period, const void *salt)
{
    uint64_t now = (uint64_t)os_now();
    uint64_t mixed = (now ^ (uint64_t)(uintptr_t)salt) * 0x9e3779b97f4a7c15u;
    return (kr_time)now + period / 2 + (kr_time)((mixed >> 32) % (uint64_t)period);
}

static kri_owner holder_in(uint64_t seen)
{
    return seen & HOLDER ? (seen & ~LOW) | (seen & HOLDER) : 0;
}

/* Take the lock away from a process that is over; of those who try, one succeeds. */
static bool inherit(kr_lock *lock, uint64_t seen)
{
    return kri_process_dead(holder_in(seen)) &&
           kri_cas_acq64(whole(lock), &seen, /* [lock-1] */
                         kri_process_self() | SHARED | WAITERS | INCONSISTENT);
}

/* Take it if it is free, with `marks`.  -EAGAIN: it is not, or not any more. */
static int try_shared(kr_lock *lock, uint64_t *seen, uint64_t marks)
{
    if ((*seen & LOW & ~SHARED_BITS) || !(*seen & SHARED))
        return KR_ECORRUPT;
    if (*seen & GONE)
        return -ENOTRECOVERABLE;
    if (*seen & HOLDER)
        return -EAGAIN;
    uint64_t mine = kri_process_self() | SHARED | (*seen & WAITERS) | marks;
    return kri_cas_acq64(whole(lock), seen, mine) ? 0 : -EAGAIN; /* [lock-1] */
}

static int wait_shared(kr_lock *lock, kr_time deadline, unsigned flags, kr_time longest,
                       uint64_t marks)
{
    kri_word64 *word = whole(lock);
    kr_time period = FIRST_LOOK;
    uint64_t seen = kri_load_rlx64(word);
    for (;;) {
        int err = try_shared(lock, &seen, marks);
        if (err != -EAGAIN)
            return err;
        if (!(seen & HOLDER))
            continue;
        marks = WAITERS;
        if (!(seen & WAITERS) && !kri_cas_rlx64(word, &seen, seen | WAITERS))
            continue;
        seen |= WAITERS;
        kr_time look = random_around(period, &marks);
        bool last = deadline <= look;
        err = kri_wait_for(&lock->word, (uint32_t)seen, last ? deadline : look, flags | KRI_SHARED,
                           describe);
        if (err == -ECANCELED)
            return err;
        if (err == -ETIMEDOUT) {
            if (inherit(lock, seen))
                return KR_OWNER_DIED;
            if (last)
                return err;
            period = 2 * period < longest ? 2 * period : longest;
        }
        seen = kri_load_rlx64(word);
    }
}

static int try_shared_now(kr_lock *lock)
{
    uint64_t seen = kri_load_rlx64(whole(lock));
    int err;
    do {
        err = try_shared(lock, &seen, 0);
    } while (err == -EAGAIN && !(seen & HOLDER));
    if (err != -EAGAIN)
        return err;
    return inherit(lock, seen) ? KR_OWNER_DIED : -ETIMEDOUT;
}

static int release_shared(kr_lock *lock, uint64_t seen)
{
    while (seen & HOLDER) {
        bool gone = seen & INCONSISTENT;
        if (!kri_cas_sc64(whole(lock), &seen, SHARED | (gone ? GONE : 0))) /* [lock-1] */
            continue;
        if (seen & WAITERS)
            kri_wake(&lock->word, gone ? KRI_ALL : 1, KRI_SHARED);
        return 0;
    }
    return -EPERM;
}

/* Both. */

static inline bool acquire_fast(kr_lock *lock)
{
    uint64_t seen = kri_load_rlx64(whole(lock));
    uint64_t mine = seen | HELD;
    if ((seen & LOW) != 0) {
        kri_owner self = kri_process_if_known();
        if (seen != SHARED || self == 0)
            return false;
        mine = self | SHARED;
    }
    return kri_cas_acq64(whole(lock), &seen, mine); /* [lock-1] */
}

static inline int wait_for(kr_lock *lock, bool shared, kr_time deadline, unsigned flags,
                           kr_time longest, uint64_t marks)
{
    return shared ? wait_shared(lock, deadline, flags, longest, marks)
                  : wait_private(lock, deadline, flags);
}

/* The same, while somebody is interested in who waits how long. */
static __attribute__((noinline)) int wait_counted(kr_lock *lock, kr_time deadline, unsigned flags,
                                                  kr_time longest, uint64_t marks,
                                                  const void *caller)
{
    kri_contended wait;
    kri_contention_begin(&wait, lock, caller);
    int err = wait_for(lock, kri_lock_is_shared(lock), deadline, flags, longest, marks);
    kri_contention_end(&wait);
    return err;
}

static __attribute__((noinline)) int acquire_slow(kr_lock *lock, kr_time timeout, unsigned flags,
                                                  kr_time longest)
{
    bool shared = kri_lock_is_shared(lock);
    if (timeout == KR_NOWAIT)
        return shared ? try_shared_now(lock) : -ETIMEDOUT;
    if (!shared && kri_spin_pays() && take_soon(lock))
        return 0;
    kr_time deadline = kri_deadline(timeout);
    if (kri_contention_on())
        return wait_counted(lock, deadline, flags, longest, 0, __builtin_return_address(0));
    return wait_for(lock, shared, deadline, flags, longest, 0);
}

/* As acquire, while kr_debug_locks is on. */
static __attribute__((noinline)) int acquire_watched(kr_lock *lock, kr_time timeout, unsigned flags,
                                                     const void *caller)
{
    int err = 0;
    if (timeout != KR_NOWAIT)
        kri_debug_order(lock, caller);
    if (!acquire_fast(lock)) {
        bool stuck = timeout == KR_FOREVER && kri_debug_wait(lock, caller);
        err = acquire_slow(lock, stuck ? KRI_DEBUG_PATIENCE : timeout, flags, LOOKS);
        if (stuck && err == -ETIMEDOUT) {
            kri_debug_stuck();
            err = acquire_slow(lock, timeout, flags, LOOKS);
        }
        if (timeout == KR_FOREVER)
            kri_debug_wait_end();
    }
    if (err >= 0)
        kri_debug_acquired(lock, caller);
    return err;
}

int kr_lock_acquire(kr_lock *lock, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    if (kri_debug_on())
        return acquire_watched(lock, timeout, 0, __builtin_return_address(0));
    return acquire_fast(lock) ? 0 : acquire_slow(lock, timeout, 0, LOOKS);
}

int kri_lock_take(kr_lock *lock)
{
    if (kri_debug_on())
        return acquire_watched(lock, KR_FOREVER, KRI_UNCANCELLABLE, __builtin_return_address(0));
    return acquire_fast(lock) ? 0 : acquire_slow(lock, KR_FOREVER, KRI_UNCANCELLABLE, LOOKS);
}

int kri_lock_take_within(kr_lock *lock, kr_time timeout)
{
    return acquire_fast(lock) ? 0 : acquire_slow(lock, timeout, KRI_UNCANCELLABLE, LOOKS_BRIEF);
}

int kri_lock_take_brief(kr_lock *lock)
{
    return kri_lock_take_within(lock, KR_FOREVER);
}

static inline int retake(kr_lock *lock, kr_time timeout, const void *caller)
{
    kr_time deadline = kri_deadline(timeout);
    if (kri_contention_on())
        return wait_counted(lock, deadline, KRI_UNCANCELLABLE, LOOKS, WAITERS, caller);
    bool shared = kri_lock_is_shared(lock);
    return wait_for(lock, shared, deadline, KRI_UNCANCELLABLE, LOOKS, WAITERS);
}

static __attribute__((noinline)) int retake_watched(kr_lock *lock, const void *caller)
{
    kri_debug_order(lock, caller);
    bool stuck = kri_debug_wait(lock, caller);
    int err = retake(lock, stuck ? KRI_DEBUG_PATIENCE : KR_FOREVER, caller);
    if (stuck && err == -ETIMEDOUT) {
        kri_debug_stuck();
        err = retake(lock, KR_FOREVER, caller);
    }
    kri_debug_wait_end();
    if (err >= 0)
        kri_debug_acquired(lock, caller);
    return err;
}

int kri_lock_retake(kr_lock *lock)
{
    return kri_debug_on() ? retake_watched(lock, __builtin_return_address(0))
                          : retake(lock, KR_FOREVER, __builtin_return_address(0));
}

void kri_lock_adopt(kr_lock *lock, kr_word *word, int count)
{
    unsigned scope = kri_lock_is_shared(lock) ? KRI_SHARED : 0;
    if (kri_requeue(word, count, &lock->word, scope, describe) == 0)
        return;
    if (!(kri_or_sc64(whole(lock), WAITERS) & HOLDER)) /* released by another, against the rules */
        kri_wake(&lock->word, KRI_ALL, scope);
}

static __attribute__((noinline)) int release_slow(kr_lock *lock, uint64_t seen)
{
    return seen & SHARED ? release_shared(lock, seen) : release_private(lock, seen);
}

static __attribute__((noinline)) int release_watched(kr_lock *lock)
{
    kri_debug_released(lock);
    return release_slow(lock, kri_load_rlx64(whole(lock)));
}

int kr_lock_release(kr_lock *lock)
{
    if (kri_debug_on())
        return release_watched(lock);
    uint64_t seen = kri_load_rlx64(whole(lock));
    uint64_t others = seen & LOW & ~HOLDER;
    if ((seen & LOW) == HELD) {
        if (kri_cas_sc64(whole(lock), &seen, seen & ~LOW)) /* [lock-1] */
            return 0;
    } else if (others == SHARED && (seen & HOLDER)) {
        if (kri_cas_sc64(whole(lock), &seen, SHARED)) /* [lock-1] */
            return 0;
    }
    return release_slow(lock, seen);
}

bool kr_lock_locked(const kr_lock *lock)
{
    return kri_load_rlx64(whole(lock)) & HOLDER;
}

kri_owner kri_lock_holder(const kr_lock *lock)
{
    return holder_in(kri_load_rlx64(whole(lock)));
}

bool kr_lock_inconsistent(const kr_lock *lock)
{
    return kri_load_rlx64(whole(lock)) & INCONSISTENT;
}

int kr_lock_recover(kr_lock *lock)
{
    uint64_t seen = kri_load_rlx64(whole(lock));
    while (seen & HOLDER) {
        if (!(seen & INCONSISTENT) || kri_cas_rlx64(whole(lock), &seen, seen & ~INCONSISTENT))
            return 0;
    }
    return -EPERM;
}

int kr_lock_init(kr_lock *lock, kr_scope scope)
{
    if (scope != KR_PRIVATE && scope != KR_SHARED)
        return -EINVAL;
    if (kri_debug_on())
        kri_debug_forget(lock);
    kri_store_rlx64(whole(lock), scope == KR_SHARED ? SHARED : 0);
    return 0;
}

void kr_lock_reinit(kr_lock *lock)
{
    if (kri_debug_on())
        kri_debug_forget(lock);
    kri_store_rlx64(whole(lock), kri_load_rlx64(whole(lock)) & SHARED);
}
