/* kr_condition: two groups of waiters, counted under the user's lock.
 *
 * State.  There is none beyond the counts: a condition is whole whenever its lock is free.
 *
 * Fields.  All are guarded by the condition's lock, except that the words are also looked at by
 * kri_wait, and owed by who has slept in shared memory.
 *     group     number of the newest group; who begins to wait joins it
 *     newer     members of the newest group
 *     older     members of the group before it who have not returned
 *     permits   how many of these have been notified; never more than older
 *     words     what the members of the even and of the odd groups sleep on
 *     kind      constant: the scope, and which kind of lock
 *     lock      constant: where the lock is
 *     Shared only:
 *     unsent    see condition_lock.c
 *     hint      where the last one ran who notified; see wait/spin_word.c
 *     owed      members who have been notified and have not returned; EDITED while somebody changes
 *               more than one field
 *     returns   how often a notified member has returned
 *     restarted number of the newest group when everybody was let go last
 *
 * Protocol.
 *     A notify gives permits to the older group first.  Once all its members have one, the group
 *     is closed: the numbers move up by one, the newest group becomes the older, and the rest of
 *     the notify goes to it.
 *     A member of group g that looks at the condition again returns notified when group g is
 *     closed, or when it is the older one and has a permit to take.  Else it sleeps again or, timed
 *     out or cancelled, takes itself out of the count.
 *     So a notify is exact: a closed group needs no count any more, newcomers never enter a group
 *     that has permits, and among the members of one group it does not matter who takes a permit.
 *     Nobody starves, because newer groups get nothing before the older is closed.
 *     How those are woken who have been notified: condition_lock.c.
 *
 * Death.  A process may die at any point, and leave behind
 *     - counts half changed: EDITED is still set, which the next who has the lock sees.  It lets
 *       everybody go (restart), as does whoever gets the lock with KR_OWNER_DIED;
 *     - a member that never returns.  While others of its group are there a notify reaches them,
 *       since the kernel has forgotten the dead one.  A notify that is given to the dead alone is
 *       owed for good, and misses one who lives;
 *     - a wake that went to one who died before it could return, or that was never made.
 *     So nobody sleeps longer than a slice without a look.  A look that finds the word changed, a
 *     notify owed, or the lock not at rest (its holder may be the dead one), takes the lock and
 *     tries the above again; and when for two slices something was owed and nobody returned, it
 *     lets everybody go.  All others sleep on, without having touched the lock.
 *     What a dead member costs is thus a notify that comes some slices late, and a return for
 *     nothing of some who live: in shared memory callers look at their predicate again.
 *
 * Ordering.  The lock orders everything; the words are changed sequentially consistently because
 * kri_wake wants it so.
 *     [condition-1]  EDITED is set before and taken away after what lies between, in program order;
 *                    no more is needed, since it is read by who has learned of the death
 *
 * Why not a ticket for each waiter?  Time-outs leave holes.  Why not a bare sequence number?  A
 * notify of one would have to wake all, or could be taken by one who came later.  Why 64 bits?  A
 * waiter that is kept from running must not see its group's number come round again.  Why does the
 * condition not rely on KR_OWNER_DIED alone?  It may be told to the user, who acquired the lock
 * beside the condition, or for another condition over the same lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/options.h"
#include "sync/condition.h"
#include "wait/stall.h"

#define EDITED (UINT32_C(1) << 31)

/* Three slices and some time for the lock are what the header promises: one until the first look
 * that finds something owed, and two in which nobody returns. */
enum { SLICE_MS = 90, SLICES_WITHOUT_RETURN = 2 };
enum { LOOK = 1 }; /* of a sleep: at the end of a slice */

_Static_assert(sizeof(kr_condition) == 64, "one line of the cache");
_Static_assert(offsetof(kr_condition, older) == 8 && offsetof(kr_condition, permits) == 12 &&
                   offsetof(kr_condition, newer) == 16 && offsetof(kr_condition, kind) == 20 &&
                   offsetof(kr_condition, unsent) == 21 && offsetof(kr_condition, words) == 24 &&
                   offsetof(kr_condition, owed) == 32 && offsetof(kr_condition, returns) == 36 &&
                   offsetof(kr_condition, restarted) == 40 && offsetof(kr_condition, hint) == 44 &&
                   offsetof(kr_condition, own) == 48 && offsetof(kr_condition, lock) == 56,
               "the same in every process that maps it");
_Static_assert(offsetof(kr_rlock, lock) == 0, "so that kri_condition_lock need not ask which");

/* One wait. */
typedef struct stay {
    uint64_t group;
    uint32_t returns; /* at the last look */
    int still;        /* looks that found the same since; -1: there was none yet */
} stay;

static kr_word *word_of(kr_condition *c, uint64_t group)
{
    return &c->words[group & 1];
}

/* The counts. */

static void begin_change(kr_condition *c)
{
    if (kri_condition_is_shared(c))
        kri_or_acq(&c->owed, EDITED); /* [condition-1] */
}

static void end_change(kr_condition *c, uint32_t owed)
{
    if (kri_condition_is_shared(c))
        kri_store_rel(&c->owed, owed); /* [condition-1] */
}

static uint32_t owed_by(const kr_condition *c)
{
    return kri_load_rlx(&c->owed) & ~EDITED;
}

/* Shared: let everybody go, and begin anew. */
static void restart(kr_condition *c)
{
    begin_change(c);
    c->group += 3;
    c->older = c->newer = c->permits = 0;
    c->restarted = (uint32_t)c->group;
    c->returns++;
    kri_condition_send_all(c);
    end_change(c, 0);
}

/* Shared: has one died who was changing the counts? */
static void mend(kr_condition *c)
{
    if (kri_condition_is_shared(c) && (kri_load_rlx(&c->owed) & EDITED))
        restart(c);
}

/* What a restart gave was not owed. */
static uint32_t owed_less(kr_condition *c, uint64_t mine)
{
    uint32_t owed = owed_by(c);
    bool counted = (int32_t)((uint32_t)mine - c->restarted) >= 0;
    return counted && owed > 0 ? owed - 1 : owed;
}

static bool take_notification(kr_condition *c, uint64_t mine)
{
    bool closed = c->group - mine >= 2;
    if (!closed && (c->group == mine || c->permits == 0))
        return false;
    begin_change(c);
    if (!closed) {
        c->permits--;
        c->older--;
    }
    c->returns++;
    end_change(c, owed_less(c, mine));
    return true;
}

static void leave(kr_condition *c, uint64_t mine)
{
    if (c->group == mine)
        c->newer--;
    else
        c->older--;
}

/* Give up to `count` permits to the older group; how many were given. */
static uint32_t grant(kr_condition *c, uint32_t count)
{
    uint32_t unserved = c->older - c->permits;
    uint32_t granted = count < unserved ? count : unserved;
    if (granted == 0)
        return 0;
    c->permits += granted;
    kri_condition_send(c, word_of(c, c->group - 1), granted);
    return granted;
}

static void close_older(kr_condition *c)
{
    c->group++;
    c->older = c->newer;
    c->newer = 0;
    c->permits = 0;
}

static int notify(kr_condition *c, uint32_t count)
{
    if (!kri_condition_held(c))
        return -EPERM;
    mend(c);
    begin_change(c);
    uint32_t granted = grant(c, count);
    if (c->permits == c->older && c->newer > 0 && granted < count) {
        close_older(c);
        granted += grant(c, count - granted);
    }
    end_change(c, owed_by(c) + granted);
    return (int)granted;
}

/* The wait. */

static void describe(kri_text *text, const kr_word *word, size_t at)
{
    kri_text_add(text, "a condition at %p", (const void *)((const char *)word - at));
}

static void describe_even(const kr_word *word, kri_text *text)
{
    describe(text, word, offsetof(kr_condition, words[0]));
}

static void describe_odd(const kr_word *word, kri_text *text)
{
    describe(text, word, offsetof(kr_condition, words[1]));
}

static bool worth_a_look(kr_condition *c)
{
    return kri_load_rlx(&c->owed) != 0 || !kri_lock_at_rest(kri_condition_lock(c));
}

static int sleep_in_slices(kr_condition *c, kr_word *word, uint32_t seen, kr_time deadline)
{
    for (;;) {
        kr_time slice = kri_deadline(kr_ms(SLICE_MS));
        bool last = deadline <= slice;
        int err = kri_wait(word, seen, last ? deadline : slice, KRI_SHARED);
        if (err != -ETIMEDOUT || last)
            return err;
        if (worth_a_look(c))
            return LOOK;
    }
}

static int sleep_shared(kr_condition *c, kr_word *word, uint32_t seen, kr_time deadline, bool alone)
{
    kr_time began = 0;
    bool changed = alone && kri_spin_word(word, seen, deadline, &c->hint, &began);
    int err = changed ? -EAGAIN : sleep_in_slices(c, word, seen, deadline);
    kri_spin_word_learn(&c->hint, began);
    return err;
}

/* *taken: what became of taking the lock again. */
static int sleep_without_lock(kr_condition *c, uint64_t mine, kr_time deadline, int *taken)
{
    kr_word *word = word_of(c, mine);
    uint32_t seen = kri_load_rlx(word);
    bool alone = c->older - c->permits + c->newer == 1; /* of those not notified */
    int64_t depth = kri_condition_let_go(c);
    int err = kri_condition_is_shared(c)
                  ? sleep_shared(c, word, seen, deadline, alone)
                  : kri_wait_for(word, seen, deadline, 0, mine & 1 ? describe_odd : describe_even);
    *taken = kri_condition_take_back(c, word, depth, err);
    return err;
}

/* At a look: is a notify owed to somebody who does not come? */
static bool stands_still(const kr_condition *c, stay *s)
{
    if (owed_by(c) == 0 || s->still < 0 || s->returns != c->returns)
        s->still = owed_by(c) == 0 ? -1 : 0;
    else
        s->still++;
    s->returns = c->returns;
    return s->still >= SLICES_WITHOUT_RETURN;
}

int kri_condition_wait_until(kr_condition *c, kr_time deadline)
{
    if (!kri_condition_held(c))
        return -EPERM;
    mend(c);
    if (kri_condition_is_shared(c) && c->older + c->newer == 0 && owed_by(c) == 0 &&
        c->restarted == 0)
        kri_condition_forget_moves(c);
    stay s = {.group = c->group, .still = -1};
    c->newer++;
    for (;;) {
        int taken;
        int err = sleep_without_lock(c, s.group, deadline, &taken);
        if (taken == KR_OWNER_DIED)
            restart(c);
        if (taken != 0)
            return taken;
        mend(c);
        if (err == LOOK && stands_still(c, &s))
            restart(c);
        if (take_notification(c, s.group))
            return 0;
        if (err == -ETIMEDOUT || err == -ECANCELED) {
            leave(c, s.group);
            return err;
        }
    }
}

int kr_condition_wait(kr_condition *condition, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    return kri_condition_wait_until(condition, kri_deadline(timeout));
}

int kr_condition_wait_for(kr_condition *condition, bool (*predicate)(void *arg), void *arg,
                          kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    if (!kri_condition_held(condition))
        return -EPERM;
    kr_time deadline = kri_deadline(timeout);
    int err = 0;
    while (!predicate(arg)) {
        if (err != 0)
            return err;
        err = kri_condition_wait_until(condition, deadline);
        if (err != 0 && err != -ETIMEDOUT && err != -ECANCELED)
            return err; /* what the predicate looks at is half done, or not ours */
    }
    return 0;
}

int kr_condition_notify(kr_condition *condition, int count)
{
    return count < 0 ? -EINVAL : notify(condition, (uint32_t)count);
}

int kr_condition_notify_all(kr_condition *condition)
{
    return notify(condition, INT32_MAX);
}

/* The lock, for callers. */

int kr_condition_acquire(kr_condition *condition, kr_time timeout)
{
    kr_rlock *rlock = kri_condition_rlock(condition);
    int err = rlock != NULL ? kr_rlock_acquire(rlock, timeout)
                            : kr_lock_acquire(kri_condition_lock(condition), timeout);
    if (err == KR_OWNER_DIED)
        restart(condition);
    return err;
}

int kr_condition_release(kr_condition *condition)
{
    kr_rlock *rlock = kri_condition_rlock(condition);
    return rlock != NULL ? kr_rlock_release(rlock) : kri_condition_release(condition);
}

bool kr_condition_locked(const kr_condition *condition)
{
    return kr_lock_locked(kri_condition_lock((kr_condition *)(uintptr_t)condition));
}

int kr_condition_recover(kr_condition *condition)
{
    kr_rlock *rlock = kri_condition_rlock(condition);
    return rlock != NULL ? kr_rlock_recover(rlock) : kr_lock_recover(kri_condition_lock(condition));
}

bool kr_condition_inconsistent(const kr_condition *condition)
{
    return kr_lock_inconsistent(kri_condition_lock((kr_condition *)(uintptr_t)condition));
}

static void begin(kr_condition *c, uint8_t kind, int64_t lock)
{
    *c = (kr_condition)KR_CONDITION_INIT;
    c->kind = kind;
    c->lock = lock;
    (void)kr_lock_init(&c->own, kind & KRI_CONDITION_SHARED ? KR_SHARED : KR_PRIVATE);
}

static bool are_valid(const kr_condition_options *o)
{
    if (!kri_reserved_is_clear(o->reserved))
        return false;
    if ((o->scope != KR_PRIVATE && o->scope != KR_SHARED) || (o->lock != NULL && o->rlock != NULL))
        return false;
    const kr_lock *lock = o->rlock != NULL ? &o->rlock->lock : o->lock;
    return lock == NULL || kri_lock_is_shared(lock) == (o->scope == KR_SHARED);
}

int kr_condition_init(kr_condition *condition, const kr_condition_options *options)
{
    static const kr_condition_options defaults;
    const kr_condition_options *o = options != NULL ? options : &defaults;
    if (!are_valid(o))
        return -EINVAL;
    const void *lock = o->rlock != NULL ? (const void *)o->rlock : o->lock;
    int kind = (o->scope == KR_SHARED ? KRI_CONDITION_SHARED : 0) |
               (o->rlock != NULL ? KRI_CONDITION_OVER_RLOCK : 0);
    begin(condition, (uint8_t)kind,
          lock != NULL ? (const char *)lock - (const char *)condition : 0);
    return 0;
}

void kr_condition_reinit(kr_condition *condition)
{
    begin(condition, condition->kind, condition->lock);
}

bool kri_condition_is_plain(const kr_condition *c)
{
    return c->kind == KRI_CONDITION_SHARED && c->lock == 0 && kri_lock_is_shared(&c->own);
}
