/* kr_rlock: a lock, and who has it how often.
 *
 * State.  Guarded by the lock, but that anybody may read the names at any time:
 *     free      owner and process 0
 *     taken     the lock is held, the names are not written yet, or taken back already: nobody's
 *     held      both name the holder; in private scope owner does alone; count is how deep it is
 *     left      a holder has died: its names stand until the next one writes its own
 *
 * Fields.
 *     lock      what the runners wait for
 *     owner     atomic: the runner that holds it (kri_party_id), in shared scope with its process'
 *               pid in the upper bits; 0: none.  Written by the holder
 *     process   atomic, shared scope only: the holder's process, 0: none.  Written by the holder
 *     count     the holder's; means nothing while nobody holds it
 *
 * Protocol.  Whoever has taken the lock writes first its runner's number, then its process; who is
 * about to release it takes them back, the process first.  A runner that asks "is it me?" looks at
 * the process, then at the number.  If it holds the lock it finds its own names, since nobody else
 * writes.  If not: having found its own process, it sees a number at least as new as one that a
 * runner of its process has written.  That is not its own, which it has taken back itself, and that
 * of another process has another pid.  A holder that has died leaves its names behind, which are no
 * others': its process is not that of anybody alive, though its pid may be.
 *
 * Ordering.
 *     [rlock-1]  who sees a process's name sees the number that was written before it, or a later
 *     What the lock guards is handed on by the lock.
 *
 * Why not the process in the lock's word?  The word names it before the number is written: for that
 * moment a number that a dead holder left would be taken for the caller's own, if it is equal.
 * Why the pid in the number too?  Numbers of runners are unique in one process only: another's
 * equal number may stand between two holders of this process, and be read with the name of the
 * second.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/internal.h"

_Static_assert(sizeof(kr_rlock) == 32 && _Alignof(kr_rlock) == 8, "the same for all processes");
_Static_assert(offsetof(kr_rlock, lock) == 0 && offsetof(kr_rlock, count) == 8, "in this order");
_Static_assert(offsetof(kr_rlock, owner) == 16 && offsetof(kr_rlock, process) == 24, "and this");

enum { PROCESS = 0x3fffff, PROCESS_SHIFT = 42 }; /* the pid */

static kri_word64 *owner_of(const kr_rlock *r)
{
    return (kri_word64 *)(uintptr_t)&r->owner;
}

static kri_word64 *process_of(const kr_rlock *r)
{
    return (kri_word64 *)(uintptr_t)&r->process;
}

static inline uint64_t self(void)
{
    kri_party *party = kri_party_self();
    return __builtin_expect(party->id != 0, 1) ? party->id : kri_party_id(party);
}

/* The lock's scope does not change, so any look at it will do. */
static inline bool is_shared(const kr_rlock *r)
{
    return kri_lock_is_shared(&r->lock);
}

/* Runners of two processes that live have different ones. */
static inline uint64_t number_here(uint64_t me)
{
    return (kri_process_self() & PROCESS) << PROCESS_SHIFT | me;
}

static inline bool is_mine(const kr_rlock *r, uint64_t me)
{
    if (!is_shared(r))
        return kri_load_rlx64(owner_of(r)) == me;
    return kri_process_is_self(kri_load_acq64(process_of(r))) && /* [rlock-1] */
           kri_load_rlx64(owner_of(r)) == number_here(me);
}

static inline void become_owner(kr_rlock *r, uint64_t me, uint32_t count)
{
    kri_store_rlx64(owner_of(r), is_shared(r) ? number_here(me) : me);
    if (is_shared(r))
        kri_store_rel64(process_of(r), kri_process_self()); /* [rlock-1] */
    r->count = count;
}

static inline void give_up(kr_rlock *r)
{
    if (is_shared(r))
        kri_store_rlx64(process_of(r), 0);
    kri_store_rlx64(owner_of(r), 0);
    kr_lock_release(&r->lock);
}

static int acquire_again(kr_rlock *r)
{
    if (r->count == UINT32_MAX)
        return -EOVERFLOW;
    r->count++;
    return 0;
}

int kr_rlock_acquire(kr_rlock *rlock, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    uint64_t me = self();
    if (is_mine(rlock, me))
        return acquire_again(rlock);
    int err = kr_lock_acquire(&rlock->lock, timeout);
    if (err >= 0)
        become_owner(rlock, me, 1);
    return err;
}

int kri_rlock_take(kr_rlock *rlock)
{
    return is_mine(rlock, self()) ? acquire_again(rlock) : kri_rlock_restore(rlock, 1);
}

int kr_rlock_release(kr_rlock *rlock)
{
    if (!is_mine(rlock, self()))
        return -EPERM;
    if (rlock->count > 1)
        rlock->count--;
    else
        give_up(rlock);
    return 0;
}

int64_t kri_rlock_release_all(kr_rlock *rlock)
{
    if (!is_mine(rlock, self()))
        return -EPERM;
    int64_t count = rlock->count;
    give_up(rlock);
    return count;
}

void kri_rlock_become(kr_rlock *rlock, int64_t count)
{
    become_owner(rlock, self(), (uint32_t)count);
}

int kri_rlock_restore(kr_rlock *rlock, int64_t count)
{
    int err = kri_lock_take(&rlock->lock);
    if (err >= 0)
        become_owner(rlock, self(), (uint32_t)count);
    return err;
}

bool kr_rlock_locked(const kr_rlock *rlock)
{
    return kr_lock_locked(&rlock->lock);
}

bool kr_rlock_owned(const kr_rlock *rlock)
{
    return is_mine(rlock, self());
}

unsigned kr_rlock_count(const kr_rlock *rlock)
{
    return is_mine(rlock, self()) ? rlock->count : 0;
}

int kr_rlock_recover(kr_rlock *rlock)
{
    return is_mine(rlock, self()) ? kr_lock_recover(&rlock->lock) : -EPERM;
}

bool kr_rlock_inconsistent(const kr_rlock *rlock)
{
    return kr_lock_inconsistent(&rlock->lock);
}

int kr_rlock_init(kr_rlock *rlock, kr_scope scope)
{
    int err = kr_lock_init(&rlock->lock, scope);
    if (err == 0)
        kr_rlock_reinit(rlock);
    return err;
}

void kr_rlock_reinit(kr_rlock *rlock)
{
    kri_store_rlx64(process_of(rlock), 0);
    kri_store_rlx64(owner_of(rlock), 0);
    rlock->count = 0;
    rlock->reserved = 0;
    kr_lock_reinit(&rlock->lock);
}
