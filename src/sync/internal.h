/* What krait's own code may do with the primitives beyond their public face.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SYNC_INTERNAL_H
#define KRI_SYNC_INTERNAL_H

#include "sync/debug.h"
#include "wait/wait.h"
#include <krait/barrier.h>
#include <krait/condition.h>
#include <krait/event.h>
#include <krait/lock.h>
#include <krait/rlock.h>
#include <krait/semaphore.h>

/* For kr_wait_any: has the event gone up since its word was `first`, or is it up?  false: sleep
 * while the word is as expected. */
bool kri_event_look(kr_event *event, uint32_t first, uint32_t *expected);
static inline bool kri_event_is_shared(uint32_t word)
{
    return word & 1;
}

/* Processes as owners of something in shared memory. */

/* kri_owner - the identity of a process: its pid in the low half, when it started, in ticks, in the
 * high half (0: not known).  Never 0; 0 is nobody. */
typedef uint64_t kri_owner;

/* kri_process_dead - is that process over?  Some microseconds; false when the system does not tell,
 * so that who asks must be ready to ask again.  A zombie is dead, a stopped process is not.
 * pre: same pid and time namespace */
bool kri_process_dead(kri_owner owner);

/* kri_process_self - the calling process: a load.  Renewed in a forked child; changes once more if
 * the start time could not be read at first. */
kri_owner kri_process_begin(void);
extern kri_word64 kri_process_known __attribute__((visibility("hidden")));

/* The same without a call; 0: not known yet. */
static inline kri_owner kri_process_if_known(void)
{
#ifdef KRI_MODEL /* several processes share what is global */
    return kri_process_begin();
#else
    return kri_load_rlx64(&kri_process_known);
#endif
}

static inline kri_owner kri_process_self(void)
{
    kri_owner self = kri_process_if_known();
    return __builtin_expect(self != 0, 1) ? self : kri_process_begin();
}

/* kri_process_is_self - is that the calling process, by the name that it has or has had? */
bool kri_process_was(kri_owner owner);
static inline bool kri_process_is_self(kri_owner owner)
{
    return owner == kri_process_self() ||
           (owner != 0 && owner >> 32 == 0 && kri_process_was(owner));
}

/* Is it a shared one that leads nowhere else: with no lock but its own, and no table of holders?
 * For who has only such, in memory that may be damaged.  condition.c, semaphore.c, barrier.c. */
bool kri_condition_is_plain(const kr_condition *c);
bool kri_semaphore_is_plain(const kr_semaphore *s);
bool kri_barrier_is_plain(const kr_barrier *b);

/* Locks. */

#define KRI_LOCK_SHARED (UINT64_C(1) << 22) /* in the word of a shared one, always */

/* kri_lock_take - acquire without time limit, not ended by a cancel.
 *
 * 0; in shared scope also KR_OWNER_DIED (held), -ENOTRECOVERABLE, KR_ECORRUPT (not held). */
int kri_lock_take(kr_lock *lock);

/* kri_lock_take_brief - the same for the library's own short sections: looks for a dead holder
 * after 5 ms at most, since nobody alive keeps it that long. */
int kri_lock_take_brief(kr_lock *lock);

/* kri_lock_take_within - the same with a time limit, for who must not hang on a holder that was
 * stopped: also -ETIMEDOUT (not held).  No diagnosis of locks looks at it, so with KR_NOWAIT a
 * signal handler may call it. */
int kri_lock_take_within(kr_lock *lock, kr_time timeout);

/* kri_lock_is_shared - its scope. */
static inline bool kri_lock_is_shared(const kr_lock *lock)
{
    return kri_load_rlx64((kri_word64 *)(uintptr_t)lock) & KRI_LOCK_SHARED;
}

/* kri_lock_take_shared - acquire a shared lock that is free, with nobody asleep;
 * kri_lock_give_shared
 * - release one that nobody waits for.  false: nothing was done, the function of that name does it.
 * The release is sequentially consistent, as every change of the lock is one of what stood there:
 * see kri_lock_look. */
static inline bool kri_lock_take_shared(kr_lock *lock)
{
    uint64_t seen = KRI_LOCK_SHARED;
    kri_owner self = kri_process_if_known();
    return self != 0 && !kri_debug_on() &&
           kri_cas_acq64((kri_word64 *)lock, &seen, self | KRI_LOCK_SHARED); /* [lock-1] */
}

static inline bool kri_lock_give_shared(kr_lock *lock)
{
    uint64_t seen = kri_process_if_known() | KRI_LOCK_SHARED;
    return !kri_debug_on() &&
           kri_cas_sc64((kri_word64 *)lock, &seen, KRI_LOCK_SHARED); /* [lock-1] */
}

/* kri_lock_look - what was done before a release that comes before this in the one order of all
 * that is sequentially consistent is visible after it. */
static inline void kri_lock_look(const kr_lock *lock)
{
    (void)kri_load_sc64((kri_word64 *)(uintptr_t)lock);
}

/* kri_lock_holder - the process that holds a shared lock now; 0: none. */
kri_owner kri_lock_holder(const kr_lock *lock);

/* kri_lock_at_rest - is it a shared lock that is free, with nobody asleep?  Else something goes on,
 * or somebody has died. */
static inline bool kri_lock_at_rest(const kr_lock *lock)
{
    return (uint32_t)kri_load_rlx64((kri_word64 *)(uintptr_t)lock) == KRI_LOCK_SHARED;
}

/* kri_lock_adopt - let up to `count` of those who wait on `word` wait for the lock instead, so that
 * its release wakes them, one release one of them.
 *
 * pre: the caller holds the lock.  `word` has the lock's scope.  Who finds kri_wait to be 0 takes
 * the lock with kri_lock_retake. */
void kri_lock_adopt(kr_lock *lock, kr_word *word, int count);

/* kri_lock_retake - kri_lock_take for one who has slept in the lock's queue: others may stand in it
 * behind him. */
int kri_lock_retake(kr_lock *lock);

/* kri_rlock_take - as kri_lock_take, once more for the caller if it holds it already. */
int kri_rlock_take(kr_rlock *rlock);

/* kri_rlock_release_all - give up all of the caller's acquires; how many they were, or -EPERM.
 * kri_rlock_restore - take the lock again, as kri_lock_take, and be `count` deep. */
int64_t kri_rlock_release_all(kr_rlock *rlock);
int kri_rlock_restore(kr_rlock *rlock, int64_t count);

/* kri_rlock_become - the rest of kri_rlock_restore, for one who has taken rlock->lock itself. */
void kri_rlock_become(kr_rlock *rlock, int64_t count);

/* Conditions. */

/* kri_wait_slice - kri_wait_for on a shared word, but not for long: see shared.c.
 *
 * KRI_SLICE_OVER: neither woken nor timed out, look again; else as kri_wait_for. */
#define KRI_SLICE ((kr_time)40 * 1000 * 1000)
enum { KRI_SLICE_OVER = 1 };
int kri_wait_slice(kr_word *word, uint32_t expected, kr_time deadline, kri_describe describe);

/* kri_condition_wait_until - kr_condition_wait with a deadline. */
int kri_condition_wait_until(kr_condition *condition, kr_time deadline);

#endif
