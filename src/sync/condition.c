/* kr_condition: two groups of waiters, counted under the user's lock.
 *
 * Fields.  All are guarded by the condition's lock, except that the words are also looked at by
 * kri_wait.
 *     group     number of the newest group; who begins to wait joins it
 *     newer     members of the newest group
 *     older     members of the group before it who have not returned
 *     permits   how many of these have been notified; never more than older
 *     words     what the members of the even and of the odd groups sleep on
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
 *     Each grant changes the word before it takes anybody, so that a member on its way to sleep
 *     stays awake.
 *     A notify wakes nobody: it moves the notified to the queue of the lock, whose release wakes
 *     one of them at a time.  Woken at once they would only meet the lock held, and sleep again.
 *
 * Ordering.  The lock orders everything; the words are changed sequentially consistently because
 * kri_wake wants it so.
 *
 * Why not a ticket for each waiter?  Time-outs leave holes.  Why not a bare sequence number?  A
 * notify of one would have to wake all, or could be taken by one who came later.  Why 64 bits?  A
 * waiter that is kept from running must not see its group's number come round again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/internal.h"
#include "wait/stall.h"

static kr_lock *lock_of(kr_condition *c)
{
    return c->lock == 0 ? &c->own : (kr_lock *)((char *)c + c->lock);
}

static kr_word *word_of(kr_condition *c, uint64_t group)
{
    return &c->words[group & 1];
}

void kr_condition_init(kr_condition *condition, kr_lock *lock)
{
    *condition = (kr_condition)KR_CONDITION_INIT;
    if (lock != NULL)
        condition->lock = (char *)lock - (char *)condition;
}

int kr_condition_acquire(kr_condition *condition, kr_time timeout)
{
    return kr_lock_acquire(lock_of(condition), timeout);
}

int kr_condition_release(kr_condition *condition)
{
    return kr_lock_release(lock_of(condition));
}

bool kr_condition_locked(const kr_condition *condition)
{
    return kr_lock_locked(lock_of((kr_condition *)(uintptr_t)condition));
}

static bool take_notification(kr_condition *c, uint64_t mine)
{
    if (c->group - mine >= 2)
        return true;
    if (c->group == mine || c->permits == 0)
        return false;
    c->permits--;
    c->older--;
    return true;
}

static void leave(kr_condition *c, uint64_t mine)
{
    if (c->group == mine)
        c->newer--;
    else
        c->older--;
}

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

int kri_condition_wait_until(kr_condition *c, kr_time deadline)
{
    kr_lock *lock = lock_of(c);
    if (!kr_lock_locked(lock))
        return -EPERM;
    uint64_t mine = c->group;
    c->newer++;
    for (;;) {
        uint32_t seen = kri_load_rlx(word_of(c, mine));
        kr_lock_release(lock);
        int err = kri_wait_for(word_of(c, mine), seen, deadline, 0,
                               mine & 1 ? describe_odd : describe_even);
        (err == 0 ? kri_lock_retake : kri_lock_take)(lock);
        if (take_notification(c, mine))
            return 0;
        if (err == -ETIMEDOUT || err == -ECANCELED) {
            leave(c, mine);
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
    if (!kr_condition_locked(condition))
        return -EPERM;
    kr_time deadline = kri_deadline(timeout);
    int err = 0;
    while (!predicate(arg)) {
        if (err != 0)
            return err;
        err = kri_condition_wait_until(condition, deadline);
    }
    return 0;
}

/* Give up to `count` permits to the older group; how many were given. */
static uint32_t grant(kr_condition *c, uint32_t count)
{
    uint32_t unserved = c->older - c->permits;
    uint32_t granted = count < unserved ? count : unserved;
    if (granted == 0)
        return 0;
    c->permits += granted;
    kr_word *word = word_of(c, c->group - 1);
    kri_add_sc(word, 1);
    kri_lock_adopt(lock_of(c), word, (int)granted);
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
    if (!kr_condition_locked(c))
        return -EPERM;
    uint32_t granted = grant(c, count);
    if (c->permits == c->older && c->newer > 0 && granted < count) {
        close_older(c);
        granted += grant(c, count - granted);
    }
    return (int)granted;
}

int kr_condition_notify(kr_condition *condition, int count)
{
    return count < 0 ? -EINVAL : notify(condition, (uint32_t)count);
}

int kr_condition_notify_all(kr_condition *condition)
{
    return notify(condition, INT32_MAX);
}

void kr_condition_reinit(kr_condition *condition)
{
    ptrdiff_t lock = condition->lock;
    *condition = (kr_condition)KR_CONDITION_INIT;
    condition->lock = lock;
}
