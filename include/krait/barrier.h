/* kr_barrier - so many runners wait for each other, again and again.
 *
 *     kr_barrier step = KR_BARRIER_INIT(4);
 *
 *     for (int i = 0; i < steps; i++) {
 *         compute(part, i);
 *         if (kr_barrier_wait(&step, KR_FOREVER) < 0)    // nobody begins the next step before
 *             break;                                     // all have finished this one
 *     }
 *
 * Python's threading.Barrier, multiprocessing.Barrier and asyncio.Barrier.
 *
 * A round is what happens from the first arrival until all are let go.  When one of those who wait
 * gives up, the round cannot succeed: the barrier is broken, and all waits of the round and all
 * later ones return KR_EBROKEN until somebody calls kr_barrier_reset.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_BARRIER_H
#define KRAIT_BARRIER_H

#include <krait/holder.h>
#include <krait/lock.h>

KR_EXTERN_BEGIN

#define KR_BARRIER_MAX 0x7fffffff /* parties */

/* Needs no destroy, never allocates; must stay until all its calls have returned.  All zero is a
 * barrier for nobody, whose waits are -EINVAL.  Private members. */
typedef struct kr_barrier {
    kr_word word;
    kr_word hint;
    kr_word arrived;
    uint32_t parties;
    uint64_t failed;
    kr_time timeout; /* 0: none */
    int64_t holders; /* where the table is, counted from here */
    uint32_t holder_count;
    uint32_t has_failed;
    uint64_t cpus;
    kr_lock lock;
} kr_barrier;

/* clang-format off */
#define KR_BARRIER_INIT(parties) \
    { { 0 }, { 0 }, { 0 }, (parties), 0, 0, 0, 0, 0, 0, KR_LOCK_INIT }
#define KR_BARRIER_INIT_SHARED(parties) \
    { { 1 }, { 0 }, { 0 }, (parties), 0, 0, 0, 0, 0, 0, KR_LOCK_INIT_SHARED }
/* clang-format on */

/* kr_barrier_options - NULL or zero: the defaults.
 *
 * With `holders` a shared barrier breaks within 100 ms when a process dies that waits at it.
 * Without, such a one is let go with the others if it was the last that was missing, or not missed
 * until a time-out; and a process that dies before it arrives is found by a time-out only.
 * One that is stopped (SIGSTOP) inside a call, not asleep, holds up the others: a wait until its
 * timeout, but for a second at least, an abort for a second, a reset until it goes on.  A cancel
 * ends a wait that has arrived, within that second, no other.
 */
typedef struct kr_barrier_options {
    kr_time timeout;     /* of the waits that are called with KR_FOREVER; 0: none */
    kr_scope scope;      /* KR_SHARED: for all processes that have the memory in which it lies */
    kr_holder *holders;  /* of a shared barrier: a table in the same memory; it is cleared */
    size_t holder_count; /* of the table: as many processes may wait at once, up to 65535 */
    uint64_t reserved[4];
} kr_barrier_options;

/* kr_barrier_init - a barrier for `parties` runners.
 *
 *   parties   how many let each other go, 1 to KR_BARRIER_MAX
 *
 * Returns   0; -EINVAL: parties, a negative timeout, no such scope, holders without KR_SHARED or
 *           without a number, or reserved not 0
 */
KR_API int kr_barrier_init(kr_barrier *barrier, int64_t parties, const kr_barrier_options *options);

/* kr_barrier_wait - wait until `parties` runners are here.
 *
 * What each did before its wait is visible to all after it.  Who comes while the action of a full
 * round runs arrives once that round is over.
 *
 *   timeout   when it passes, the barrier breaks; so with KR_NOWAIT for all but the last
 *
 * Returns   0 to parties - 1: let go, and in which order they arrived
 *           KR_EBROKEN   it is broken, or broke or was reset meanwhile; also when this call's time
 *                        is up
 *           -ECANCELED   the caller's scope is cancelled, and the barrier is broken by that if the
 *                        call had arrived; not of one that was let go already
 *           -ETIMEDOUT   the time was up while the action of others ran; it has not arrived, and
 *                        nothing is broken.  Also, with a process that is stopped inside a call, of
 *                        one that was let go, has slept through a later round and cannot be told
 *                        how its own went
 *           -ENOSPC      the table of holders has no room for this process; it has not arrived
 *           KR_ECORRUPT  shared memory that holds no barrier
 *           -EINVAL      negative timeout, or no parties
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_barrier_wait(kr_barrier *barrier, kr_time timeout);

/* kr_barrier_wait_action - kr_barrier_wait; if the caller is the last to arrive, it calls
 * action(arg) before anybody is let go.
 *
 * The action is given here and not to the barrier, because a function's address means nothing in
 * another process.  Whoever is to be able to run it gives it.  It may call all functions of the
 * barrier but wait.  A time-out or cancel of one of the parties, an abort or a reset does not end
 * the action, but the round.
 *
 * Returns   as kr_barrier_wait; the action's own result where that is negative, for who called it,
 *           and the barrier is broken by that
 */
KR_API KR_NODISCARD int kr_barrier_wait_action(kr_barrier *barrier, int (*action)(void *arg),
                                               void *arg, kr_time timeout);

/* kr_barrier_reset - make it as new; those who wait now return KR_EBROKEN.
 * kr_barrier_abort - break it.
 *
 * Returns   0; KR_ECORRUPT: shared memory that holds no barrier
 */
KR_API int kr_barrier_reset(kr_barrier *barrier);
KR_API int kr_barrier_abort(kr_barrier *barrier);

/* kr_barrier_parties, kr_barrier_n_waiting, kr_barrier_broken - how many there must be, how many
 * have arrived in this round, is it broken.  The latter two are guesses by the time they are
 * read. */
KR_API unsigned kr_barrier_parties(const kr_barrier *barrier);
KR_API unsigned kr_barrier_n_waiting(const kr_barrier *barrier);
KR_API bool kr_barrier_broken(const kr_barrier *barrier);

KR_EXTERN_END

#endif
