/* Waiting on several words at once.
 *
 * Protocol.
 *     In private memory one waiter stands in the queue of each word (park.c), and in that of its
 *     cancel scope.  The first wake takes it; the others pass it by.  So at most one wake is spent
 *     on the party, through the place that is found in `through`, and the party is told which.
 *     It queues on one word after the other, so it may be taken before it stands in all queues.
 *     When it then finds a word changed, it takes itself back; if that fails because a wake came
 *     first, that wake is the answer.
 *
 *     For words in shared memory it sleeps in the kernel, on all of them and on the state of its
 *     own waiter, which stands for the private ones and the scope.  The kernel names the last of
 *     the words that were woken; a wake may have been spent on each of those before it.  These
 *     are woken once more, in case it was meant for one only; so is the named one, where a private
 *     wake or a cancel is the answer.
 *
 * Ordering.  As in park.c, at each of the words.
 *     [wait-1]  A wake in the kernel orders nothing.  Who changes a shared word and wakes does so
 *               sequentially consistently, and who was woken looks at the word likewise: so what
 *               the caller then reads of it is not older than what the wake was for.  Else it
 *               could find nothing there, take something else, and leave a sleeper beside it.
 *
 * Why pass wakes on at once, and not after the caller has tried what it waits for?  It would have
 * to try all of them, and a taken permit cannot be untaken without being seen.  A wake for nothing
 * is allowed in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

/* Kernels before 5.16 cannot sleep on several words: shared ones are then looked at this often. */
enum { SLICE_MS = 20 };

/* One wait. */
struct wait {
    kri_waiter waiter;
    kri_place on_scope;
    kr_cancel_scope *scope; /* NULL: not cancellable */
    kri_spot *first;
    unsigned shared; /* how many of the spots are */
};

static unsigned count_shared(const kri_spot *spot)
{
    unsigned count = 0;
    for (; spot != NULL; spot = spot->next)
        count += spot->shared;
    return count;
}

static kri_spot *first_private(kri_spot *spot)
{
    while (spot != NULL && spot->shared)
        spot = spot->next;
    return spot;
}

/* The spot whose word has changed; NULL: the waiter stands everywhere. */
static kri_spot *enter_all(struct wait *wait)
{
    for (kri_spot *spot = wait->first; spot != NULL; spot = spot->next) {
        bool unchanged =
            spot->shared ? kri_load_acq(spot->word) == spot->expected
                         : kri_place_enter(&spot->place, &wait->waiter, spot->word, spot->expected);
        if (!unchanged)
            return spot;
    }
    return NULL;
}

/* Those before `end`. */
static void leave_all(struct wait *wait, const kri_spot *end)
{
    for (kri_spot *spot = wait->first; spot != end; spot = spot->next)
        if (!spot->shared && wait->waiter.through != &spot->place)
            kri_place_leave(&spot->place);
}

/* The spot through which the waiter was taken; NULL: the scope. */
static kri_spot *taken_through(const struct wait *wait)
{
    kri_spot *spot = wait->first;
    while (spot != NULL && (spot->shared || wait->waiter.through != &spot->place))
        spot = spot->next;
    return spot;
}

/* The shared spot with this number, from 1. */
static kri_spot *nth_shared(struct wait *wait, unsigned number)
{
    kri_spot *spot = wait->first;
    for (;; spot = spot->next)
        if (spot->shared && --number == 0)
            return spot;
}

static kri_spot *changed_shared(struct wait *wait)
{
    for (kri_spot *spot = wait->first; spot != NULL; spot = spot->next)
        if (spot->shared && kri_load_acq(spot->word) != spot->expected)
            return spot;
    return NULL;
}

static void pass_on(struct wait *wait, unsigned count)
{
    for (kri_spot *spot = wait->first; count > 0; spot = spot->next) {
        if (!spot->shared)
            continue;
        os_futex_wake(spot->word, 1, true);
        count--;
    }
}

/* What ended a sleep on shared words, beside the waiter's own state. */
struct end {
    unsigned woken; /* the number of the last of them that was woken, from 1; 0: none */
    kri_spot *changed;
};

static unsigned list_words(struct wait *wait, uint32_t state, os_sleep *list)
{
    unsigned count = 1;
    list[0] = (os_sleep){&wait->waiter.state, state, false};
    for (const kri_spot *spot = wait->first; spot != NULL; spot = spot->next)
        if (spot->shared)
            list[count++] = (os_sleep){spot->word, spot->expected, true};
    return count;
}

static int sleep_in_slice(struct wait *wait, uint32_t state, kr_time deadline)
{
    kr_time slice = kri_deadline(kr_ms(SLICE_MS));
    int err = os_futex_wait(&wait->waiter.state, state, slice < deadline ? slice : deadline, false);
    return err == -ETIMEDOUT && slice < deadline ? -EAGAIN : err;
}

/* Until the waiter is woken, a shared word woken or changed, or the time is up. */
static struct end sleep_beside(struct wait *wait, kr_time deadline)
{
    os_sleep list[OS_SLEEPS];
    struct end end = {0, NULL};
    uint32_t state;
    while (end.changed == NULL && kri_waiter_doze(&wait->waiter, &state)) {
        int err = os_futex_wait_any(list, list_words(wait, state, list), deadline);
        if (err == -ENOSYS)
            err = sleep_in_slice(wait, state, deadline);
        if (err > 0)
            end.woken = (unsigned)err;
        if (err > 0 || err == -ETIMEDOUT)
            break;
        end.changed = changed_shared(wait);
    }
    return end;
}

/* Sleep until one of the spots is to be looked at: 0 and the spot, -EAGAIN and the spot; or
 * -ETIMEDOUT or -ECANCELED. */
static int sleep_on_all(struct wait *wait, kr_time deadline, kri_spot **which)
{
    struct end end = {0, NULL};
    bool woken;
    if (wait->shared == 0) {
        woken = kri_waiter_sleep(&wait->waiter, deadline);
    } else {
        end = sleep_beside(wait, deadline);
        woken = !kri_waiter_leave(&wait->waiter) && kri_waiter_sleep(&wait->waiter, KRI_NEVER);
    }
    if (end.woken != 0)
        pass_on(wait, woken ? end.woken : end.woken - 1);
    if (woken) {
        *which = taken_through(wait);
        return *which != NULL ? 0 : -ECANCELED;
    }
    *which = end.woken != 0 ? nth_shared(wait, end.woken) : end.changed;
    if (*which == NULL)
        return -ETIMEDOUT;
    (void)kri_load_sc((*which)->word); /* [wait-1] */
    return end.woken != 0 ? 0 : -EAGAIN;
}

/* Not everywhere in a queue, because `changed` has changed, or for a cancel (NULL). */
static int turn_back(struct wait *wait, kri_spot *changed, kri_spot **which)
{
    bool woken = !kri_waiter_leave(&wait->waiter) && kri_waiter_sleep(&wait->waiter, KRI_NEVER);
    *which = woken ? taken_through(wait) : changed;
    if (woken)
        return 0;
    return changed != NULL ? -EAGAIN : -ECANCELED;
}

/* What a trace, or a report of a stall, names. */
static const kr_word *object_of(const struct wait *wait)
{
    return wait->waiter.waits_for != NULL ? wait->waiter.waits_for : wait->first->word;
}

static int wait_on_all(struct wait *wait, kr_time deadline, kri_spot **which)
{
    kri_spot *changed = enter_all(wait);
    bool on_scope =
        changed == NULL && wait->scope != NULL &&
        kri_place_enter(&wait->on_scope, &wait->waiter, &wait->scope->state, KRI_SCOPE_LIVE);
    bool ready = changed == NULL && (on_scope || wait->scope == NULL);
    kri_party *self = wait->waiter.party;
    if (ready) {
        kri_wait_begins(object_of(wait), wait->waiter.describe, "several");
        kri_block_begin(self);
    }
    int err = ready ? sleep_on_all(wait, deadline, which) : turn_back(wait, changed, which);
    leave_all(wait, changed);
    if (on_scope && wait->waiter.through != &wait->on_scope)
        kri_place_leave(&wait->on_scope);
    if (ready) {
        kri_block_end(self);
        kri_wait_is_over(object_of(wait), err);
    }
    return err;
}

/* Of a coroutine others sleep on the shared words: `told` stands for all of these. */

static bool unwatch_until(struct wait *wait, const kri_spot *end, kri_spot **spent)
{
    for (kri_spot *spot = wait->first; spot != end; spot = spot->next) {
        if (!spot->shared || !wait->waiter.party->ops->unwatch(&spot->watch))
            continue;
        if (*spent != NULL)
            os_futex_wake((*spent)->word, 1, true);
        *spent = spot;
    }
    return *spent != NULL;
}

/* The spot that cannot be watched, with its error; NULL: all are. */
static kri_spot *watch_all(struct wait *wait, kr_word *told, int *err)
{
    *err = 0;
    for (kri_spot *spot = wait->first; spot != NULL; spot = spot->next) {
        if (!spot->shared)
            continue;
        spot->watch = (kri_sentry){.word = spot->word, .expected = spot->expected, .told = told};
        if ((*err = wait->waiter.party->ops->watch(&spot->watch)) != 0)
            return spot;
    }
    return NULL;
}

static int wait_by_watches(struct wait *wait, kr_time deadline, kri_spot **which)
{
    kr_word told = {0};
    kri_spot *spent = NULL;
    int err;
    kri_spot *failed = watch_all(wait, &told, &err);
    if (failed != NULL) {
        (void)unwatch_until(wait, failed, &spent);
        if (err == -ENOMEM && spent == NULL) /* nobody can sleep there: look at them now and then */
            (void)kri_wait(&told, 0, kri_deadline(kr_ms(1)), KRI_UNCANCELLABLE);
        *which = spent != NULL ? spent : failed;
        return spent != NULL ? 0 : -EAGAIN;
    }
    kri_spot in_front = {.next = wait->first, .word = &told};
    struct wait beside = *wait;
    beside.first = &in_front;
    beside.shared = 0;
    err = wait_on_all(&beside, deadline, which);
    bool some = unwatch_until(wait, NULL, &spent);
    bool here = *which == &in_front || (some && err != 0);
    if (some && !here)
        os_futex_wake(spent->word, 1, true);
    if (!here)
        return err;
    *which = spent != NULL ? spent : changed_shared(wait);
    return *which != NULL ? 0 : -EAGAIN;
}

int kri_wait_any(kri_spot *first, kr_time deadline, unsigned flags, const kri_told *told,
                 kri_spot **which)
{
    *which = NULL;
    if (deadline == 0)
        return -ETIMEDOUT;
    kri_party *self = kri_party_self();
    kr_cancel_scope *scope = flags & KRI_UNCANCELLABLE ? NULL : self->scope;
    struct wait wait;
    kri_waiter_begin(&wait.waiter, self);
    wait.scope = scope;
    wait.first = first;
    wait.shared = count_shared(first);
    kr_time until = deadline;
    if (scope != NULL) {
        kri_scope_join(scope);
        if (kri_scope_cancelled(scope))
            return -ECANCELED;
        if (scope->deadline < deadline)
            until = scope->deadline;
    }
    kri_spot *shown = first_private(first);
    wait.waiter.spin = kri_spin_of(shown != NULL ? shown->word : &wait.waiter.state);
    if (shown != NULL && until == KRI_NEVER && wait.shared == 0 && !(flags & KRI_IDLE)) {
        wait.waiter.shown = &shown->place;
        wait.waiter.waits_for = told->word;
        wait.waiter.describe = told->describe;
    }
    int err = wait.shared != 0 && self->ops->watch != NULL ? wait_by_watches(&wait, until, which)
                                                           : wait_on_all(&wait, until, which);
    if (err != -ETIMEDOUT || until == deadline)
        return err;
    kri_scope_cut(scope);
    return -ECANCELED;
}
