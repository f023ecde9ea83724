/* The policy DEADLINE: a queue in order of virtual deadlines, and direct hand-over.
 *
 * State.  While somebody waits the lock is never free: who gives it away names the next holder.
 *     key        of each runner: a point on a virtual clock, which goes on as locks are held.  The
 *                smallest key is next.  It moves on by what the runner has held while others
 *                waited, a slice at a time: who was interrupted in his slice keeps his place
 *     clock      the key of the last one who was due
 *     keeper     the one waiter that has a time limit: at the end of the holder's slice it looks,
 *                and has the first in the queue woken, which asks.  A waiting thread; NULL: the
 *                holder is asked already, or nobody waits
 *     keeper_wakes
 *                when it looks, at the latest.  It sleeps on as long as that is soon enough,
 *                whoever has the lock meanwhile: a visitor a thousand times a second wakes nobody
 *     due        when the holder is to let go
 *     visits     of each runner: it has come from a blocking region and has not been asked since,
 *                so it is likely to go soon
 *     arranges   of each runner: it has been given the lock with no keeper in time, and sees to it
 *                as it wakes up
 *     visitor_cpu
 *                a hint: where the last one was that gave the lock away by itself
 *
 * Protocol.
 *     take.  The runner that comes, from a blocking region or new, stands one slice ahead of the
 *     clock at most.  So one that mostly waits is early: the holder is asked after min_slice.  One
 *     that has had more than its share is not: it is asked when the holder's slice is over.  A
 *     runner that attaches begins where its thread stood when it detached: debt.c.
 *     give.  To the first in the queue, by name.
 *     drop.  The holder's key moves on if its slice is over; it stays holder while that is still
 *     the smallest, else it hands over and queues; in front of its equals if there is something
 *     left of its slice.  Where it drops for a visitor at the end of its slice, it wakes the one
 *     that comes after the visitor, and sleeps.
 *     Coroutines cannot be keepers: their thread may be held up, by the holder even.  Where only
 *     coroutines wait the holder is asked at once, and sees to `due` itself.  So it does for one
 *     that is early and on the holder's own processor: once its time to ask has come the system may
 *     let the holder compute for milliseconds before the other one wakes up.
 *     Who is given the lock finds a keeper for itself, where there is none in time, rather than the
 *     one who gives it: a visitor would wake somebody who computes onto its own processor.
 *     Held time counts from when somebody waits, so who computes alone owes nothing for it.
 *
 * Why a keeper?  If each waiter had a time limit, a thousand would wake every 5 ms.  That the
 * keeper wakes the first one before it asks, and not after, hides the time that a wake-up takes:
 * the holder goes on meanwhile.
 *
 * Processors.  Those that compute need one together; the visitor and whom it talks to run on the
 * others, if the system does not mix them up, for it lets who computes finish a slice of
 * milliseconds before another may run.  Four things keep them apart.  One processor after the
 * other is never idle for a moment only, or somebody would be woken there: who was interrupted
 * spins for the return.  Whoever is to compute next is woken by the one that stops, and is up where
 * that was before the visitor has gone.  And one that finds itself where the visitor was lets
 * others run once, before it goes on.  A visitor wakes nobody but whom it gives the lock to.
 *
 * The idea is from Con Kolivas' BFS scheduler, by way of Nir Aides' patch for CPython.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"
#include "os/os.h"
#include "trace/trace.h"

enum { SOON = 2000 }; /* ns: it is asked by then, and sees to the rest itself */

static const kri_gil_wake nobody = {.word = NULL};

static kr_time slice_of(const kr_gil *g)
{
    return (kr_time)kri_load_rlx64(&g->interval);
}

/* What the holder has held since it was last counted, while others waited. */
static void account(kr_gil *g, kr_gil_thread *t, kr_time now)
{
    if (g->counted_from == 0 || now <= g->counted_from)
        return;
    kr_time held = now - g->counted_from;
    g->counted_from = now;
    t->used += held;
    t->spent += held;
    g->contested += held;
    kri_gil_count(&g->counts.held, (uint64_t)held);
    kri_gil_count(&t->counts.held, (uint64_t)held);
    kr_time slice = slice_of(g);
    if (t->used < slice)
        return;
    t->key += t->used;
    t->used = 0;
    if (t->key > g->clock + KRI_GIL_SLICES_BEHIND * slice)
        t->key = g->clock + KRI_GIL_SLICES_BEHIND * slice;
}

static void note_hold(kr_gil *g, kr_gil_thread *t, kr_time now)
{
    if (g->taken_at == 0)
        return;
    kri_gil_note_time(&g->counts.hold, &t->counts.hold, now - g->taken_at);
}

static void queue(kr_gil *g, kr_gil_thread *t)
{
    kr_gil_thread *at = g->last;
    while (at != NULL && (at->key > t->key || (t->used > 0 && at->key == t->key)))
        at = at->before;
    kri_gil_insert_before(g, t, at != NULL ? at->behind : g->first);
}

/* When the holder is to let go for the first in the queue. */
static kr_time due_of(const kr_gil *g, const kr_gil_thread *holder)
{
    kr_time shortest = g->slice_from + g->min_slice;
    if (g->first->key < holder->key)
        return shortest;
    kr_time due = g->counted_from + slice_of(g) - holder->used;
    return due > shortest ? due : shortest;
}

static bool is_asked(const kr_gil_thread *holder)
{
    return kri_load_rlx(&holder->asked) & KRI_GIL_DROP;
}

static void ask(kr_gil *g, kr_gil_thread *holder, kr_time due, kr_time now)
{
    if (!is_asked(holder) || due < (kr_time)kri_load_rlx64(&g->due))
        kri_store_rlx64(&g->due, (uint64_t)due);
    if (kri_or_rlx(&holder->asked, KRI_GIL_DROP) & KRI_GIL_DROP)
        return;
    if (g->events != NULL)
        kri_gil_note(g, holder, KR_GIL_ASKED, now);
}

static void forget_asking(kr_gil_thread *t)
{
    if (is_asked(t))
        kri_and_rlx(&t->asked, ~(uint32_t)KRI_GIL_DROP);
}

static void become_keeper(kr_gil *g, kr_gil_thread *t, kr_time wakes)
{
    g->keeper = t;
    g->keeper_wakes = wakes;
}

/* Does somebody wait for a holder whom nobody asks in time?  A keeper looks again, and sleeps on.
 */
static bool is_unkept(const kr_gil *g, const kr_gil_thread *holder)
{
    return g->first != NULL && !is_asked(holder) &&
           (g->keeper == NULL || g->keeper_wakes > due_of(g, holder));
}

/* There is a holder that somebody waits for: see to it that it is asked.  Who is owed a wake-up. */
static kri_gil_wake arrange(kr_gil *g, kr_time now)
{
    enum { FAR = 8 };
    kr_gil_thread *holder = kri_gil_holder(g);
    kr_gil_thread *t = g->first;
    if (!is_unkept(g, holder))
        return nobody;
    kr_time due = due_of(g, holder);
    if (g->keeper != NULL)
        return kri_gil_tell(g->keeper, KRI_TURN_LOOK);
    for (int i = 0; t != NULL && t->by_coroutine; t = t->behind) {
        if (++i == FAR)
            t = g->last; /* the last to be looked at */
    }
    if (t == NULL) {
        ask(g, holder, due, now);
        return nobody;
    }
    become_keeper(g, t, now);
    return kri_gil_tell(t, KRI_TURN_LOOK);
}

/* The first in the queue has the lock from now on. */
static kri_gil_wake hand_over(kr_gil *g, kr_time now, kri_gil_wake *second)
{
    kr_gil_thread *next = g->first;
    kri_gil_take_out(g, next);
    if (g->keeper == next)
        g->keeper = NULL;
    if (next->key > g->clock)
        g->clock = next->key;
    kri_gil_become_holder(g, next, now);
    next->arranges = !next->by_coroutine && is_unkept(g, next);
    if (!next->arranges)
        *second = arrange(g, now);
    uint32_t cpu = next->cpu;
    kri_gil_wake wake = kri_gil_tell(next, KRI_TURN_GIVEN); /* [gil-1] */
    kri_store_rlx(&g->cpu, cpu); /* until it knows better; not before it is told, see wait.c */
    return wake;
}

void kri_gil_deadline_give(kr_gil_thread *t, kr_gil_what why)
{
    kr_gil *g = t->gil;
    kri_gil_wake wake = nobody;
    kri_gil_wake second = nobody;
    kr_time now = os_now();
    kri_mutex_lock(&g->lock);
    account(g, t, now);
    note_hold(g, t, now);
    if (g->events != NULL)
        kri_gil_note(g, t, why, now);
    forget_asking(t);
    kri_store_rlx(&g->visitor_cpu, (uint32_t)os_cpu_current() + 1);
    if (g->first != NULL)
        wake = hand_over(g, now, &second);
    else
        kri_gil_release_word(g);
    kri_mutex_unlock(&g->lock);
    kri_gil_wake_now(wake);
    kri_gil_wake_now(second);
}

/* Waiting. */

struct plan {
    kr_time deadline;
    enum kri_gil_spin spin;
    kr_time until;
    kri_gil_wake wake;
};

static const struct plan just_wait = {.deadline = KRI_NEVER, .spin = KRI_SPIN_NOT};

/* Its thread may be held up: it cannot see to a time limit. */
static struct plan plan_of_coroutine(kr_gil *g, kr_gil_thread *t, kr_time now)
{
    struct plan plan = just_wait;
    kr_gil_thread *holder = kri_gil_holder(g);
    if (g->first == t && t->key < holder->key)
        ask(g, holder, due_of(g, holder), now);
    else
        plan.wake = arrange(g, now);
    return plan;
}

/* It is time for the holder to let go. */
static struct plan plan_when_due(kr_gil *g, kr_gil_thread *t, kr_time due, kr_time now)
{
    struct plan plan = just_wait;
    if (g->keeper == t)
        g->keeper = NULL;
    if (g->first == t || g->first->by_coroutine) {
        ask(g, kri_gil_holder(g), due, now);
        if (g->first == t)
            plan.spin = KRI_SPIN_FOR_DROP;
    } else if (g->keeper == NULL) {
        become_keeper(g, g->first, now);
        plan.wake = kri_gil_tell(g->first, KRI_TURN_LOOK);
    }
    return plan;
}

/* Is it early, and the holder where it would have to wake up to ask?  There the system may let the
 * holder compute for milliseconds first; so that is asked now, and looks at the clock until due. */
static bool shares_processor(const kr_gil *g, const kr_gil_thread *t, const kr_gil_thread *holder)
{
    return g->first == t && t->key < holder->key && kri_gil_holder_is_here(g);
}

/* What a queued thread does next. */
static struct plan plan_of_thread(kr_gil *g, kr_gil_thread *t, kr_time now, bool returns)
{
    struct plan plan = just_wait;
    kr_gil_thread *holder = kri_gil_holder(g);
    kr_time due = due_of(g, holder);
    if (due - now <= SOON)
        return plan_when_due(g, t, due, now);
    if (is_asked(holder) || shares_processor(g, t, holder)) {
        ask(g, holder, due, now);
        if (g->keeper == t)
            g->keeper = NULL;
        return plan;
    }
    if (g->keeper == NULL || g->keeper == t)
        become_keeper(g, t, due);
    if (g->keeper == t || g->first == t) {
        plan.deadline = due;
        plan.until = due;
        plan.spin = KRI_SPIN_TO_ASK;
    }
    if (returns || (g->first == t && holder->visits))
        plan.spin = KRI_SPIN_FOR_RETURN;
    return plan;
}

static void note_wait(kr_gil *g, kr_gil_thread *t)
{
    kr_time waited = os_now() - t->waits_since;
    kri_store_rlx(&g->cpu, (uint32_t)os_cpu_current() + 1);
    kri_gil_count(&g->counts.waits, 1);
    kri_gil_count(&t->counts.waits, 1);
    kri_gil_note_time(&g->counts.wait, &t->counts.wait, waited);
}

/* What who gave it the lock has left to it. */
static void arrange_as_holder(kr_gil *g, kr_gil_thread *t)
{
    kri_mutex_lock(&g->lock);
    t->arranges = false;
    kri_gil_wake wake = arrange(g, os_now());
    kri_mutex_unlock(&g->lock);
    kri_gil_wake_now(wake);
}

/* With the lock held, which it gives up: until the queued runner has the interpreter lock.  `owed`
 * are two wake-ups. */
static int wait_queued(kr_gil *g, kr_gil_thread *t, kr_time now, bool returns,
                       const kri_gil_wake *owed)
{
    uint32_t turn = KRI_TURN_WAITS;
    while (turn != KRI_TURN_GIVEN && turn != KRI_TURN_REFUSED) {
        kri_store_rlx(&t->turn, KRI_TURN_WAITS);
        struct plan plan =
            t->by_coroutine ? plan_of_coroutine(g, t, now) : plan_of_thread(g, t, now, returns);
        kri_mutex_unlock(&g->lock);
        if (owed != NULL) {
            kri_gil_wake_now(owed[0]);
            kri_gil_wake_now(owed[1]);
        }
        kri_gil_wake_now(plan.wake);
        turn = kri_gil_await(t, plan.deadline, plan.spin, plan.until); /* [gil-1] */
        if (turn == KRI_TURN_GIVEN || turn == KRI_TURN_REFUSED)
            break;
        owed = NULL;
        returns = false;
        now = os_now();
        kri_mutex_lock(&g->lock);
        turn = kri_load_rlx(&t->turn);
        if (turn == KRI_TURN_GIVEN || turn == KRI_TURN_REFUSED)
            kri_mutex_unlock(&g->lock);
    }
    if (turn == KRI_TURN_REFUSED)
        return KR_ESHUTDOWN;
    note_wait(g, t);
    if (t->arranges)
        arrange_as_holder(g, t);
    return 0;
}

static void begin_to_wait(kr_gil *g, kr_gil_thread *t, kr_time now)
{
    t->by_coroutine = kri_party_shares_thread();
    t->waits_since = now;
    t->cpu = (uint32_t)os_cpu_current() + 1;
    if (g->counted_from == 0)
        g->counted_from = now;
    if (g->taken_at == 0)
        g->slice_from = g->taken_at = now;
    queue(g, t);
    if (g->events != NULL)
        kri_gil_note(g, t, KR_GIL_WAITS, now);
}

int kri_gil_deadline_take(kr_gil_thread *t)
{
    kr_gil *g = t->gil;
    kr_time now = os_now();
    kri_mutex_lock(&g->lock);
    if (g->closed) {
        kri_mutex_unlock(&g->lock);
        return KR_ESHUTDOWN;
    }
    kr_time slice = slice_of(g);
    if (t->key < g->clock - slice) {
        t->key = g->clock - slice;
        t->used = 0;
    }
    if (kri_gil_holder_in(kri_or_acq64(&g->holder, KRI_GIL_SLOW)) == NULL) { /* [gil-2] */
        kri_gil_become_holder(g, t, now);
        kri_mutex_unlock(&g->lock);
        return 0;
    }
    t->visits = true;
    begin_to_wait(g, t, now);
    return wait_queued(g, t, now, false, NULL);
}

/* With the lock held: does the holder go on, which was asked? */
static bool goes_on(kr_gil *g, kr_gil_thread *t, kr_time now, kri_gil_wake *wake)
{
    forget_asking(t);
    if (g->first == NULL)
        return true;
    account(g, t, now);
    if (t->key > g->first->key || (t->key == g->first->key && t->used == 0))
        return false;
    g->slice_from = now;
    *wake = arrange(g, now);
    return true;
}

/* Whose turn it is once the visitor has gone. */
static kri_gil_wake call_next(kr_gil *g, const kr_gil_thread *t)
{
    kr_gil_thread *next = g->first;
    if (next == t || next->by_coroutine || !kri_gil_holder(g)->visits)
        return nobody;
    return kri_gil_tell(next, KRI_TURN_LOOK);
}

/* The visitor or whom it talks to may be on this processor, ready to run; there are others. */
static void let_visitor_pass(kr_gil *g)
{
    if (kri_load_rlx(&g->visitor_cpu) != (uint32_t)os_cpu_current() + 1 || !kri_spin_pays())
        return;
    kri_store_rlx(&g->visitor_cpu, 0);
    os_yield();
}

/* With the lock held, which it gives up. */
static int drop_and_wait(kr_gil *g, kr_gil_thread *t, kr_time now)
{
    kri_gil_wake wakes[2] = {nobody, nobody};
    bool interrupted = t->used > 0;
    const kr_gil_thread *next = g->first;
    t->visits = false;
    KRI_TRACE_BEGINS(gil__wait, GIL_WAIT, (uintptr_t)g, 0);
    begin_to_wait(g, t, now);
    if (!t->by_coroutine && (g->keeper == NULL || g->keeper == next || !interrupted))
        become_keeper(g, t, now); /* it is awake */
    wakes[0] = hand_over(g, now, &wakes[1]);
    if (!interrupted && wakes[1].word == NULL)
        wakes[1] = call_next(g, t);
    int err = wait_queued(g, t, now, interrupted, wakes);
    KRI_TRACE_ENDS(gil__waited, GIL_WAIT, (uintptr_t)g, err);
    if (err == 0)
        let_visitor_pass(g);
    return err;
}

int kri_gil_deadline_drop(kr_gil_thread *t)
{
    kr_gil *g = t->gil;
    kri_gil_wake wake = nobody;
    kr_time now = os_now();
    if (now < (kr_time)kri_load_rlx64(&g->due))
        return 0;
    kri_mutex_lock(&g->lock);
    if (goes_on(g, t, now, &wake)) {
        kri_mutex_unlock(&g->lock);
        kri_gil_wake_now(wake);
        return 0;
    }
    note_hold(g, t, now);
    kri_gil_count(&g->counts.forced_drops, 1);
    kri_gil_count(&t->counts.forced_drops, 1);
    if (g->events != NULL)
        kri_gil_note(g, t, KR_GIL_DROPS, now);
    return drop_and_wait(g, t, now);
}
