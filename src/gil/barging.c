/* The policies INTERVAL and TICKS: the lock is set free, and whoever comes first has it.
 *
 * State.  The lock is free, also while others wait, from a give until somebody takes it.
 *     queue      those who wait; a give takes out the first and has it try again
 *     yielder    INTERVAL: who has dropped it because it was asked, and does not come back before
 *                another runner has had it; the lock is watched meanwhile
 *
 * Protocol, INTERVAL, as CPython has it since 3.2.
 *     take.  A waiter sleeps for an interval.  If nobody else has got the lock meanwhile, it asks
 *     the holder, and sleeps again.  With the lock, it tells the yielder.
 *     give.  Free it, and wake one waiter.  It may well be taken again before that one runs.
 *     drop.  Give it, and, if there was somebody to give it to, be the yielder: from before it is
 *     free, so that nobody takes it the fast way, who would tell nobody, and could become the
 *     yielder in the place of this one.  A shutdown ends that, too, so nobody waits for one who
 *     does not come.
 *
 * Protocol, TICKS, as before 3.2.  A waiter sleeps until it is woken.  Each so many checks the
 * holder gives the lock and takes it again.
 *
 * Why keep these?  To show what they do, beside the same interpreter under DEADLINE.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"
#include "os/os.h"

static const kri_gil_wake nobody = {.word = NULL};

static void note_wait(kr_gil *g, kr_gil_thread *t)
{
    kr_time waited = os_now() - t->waits_since;
    kri_gil_count(&g->counts.waits, 1);
    kri_gil_count(&t->counts.waits, 1);
    kri_gil_note_time(&g->counts.wait, &t->counts.wait, waited);
}

/* Sleep once, in the queue; the lock is held before and after, not meanwhile. */
static uint32_t sleep_once(kr_gil *g, kr_gil_thread *t, kr_time deadline)
{
    kri_store_rlx(&t->turn, KRI_TURN_WAITS);
    kri_gil_append(g, t);
    kri_mutex_unlock(&g->lock);
    (void)kri_gil_await(t, deadline, KRI_SPIN_NOT, 0); /* [gil-1] */
    kri_mutex_lock(&g->lock);
    uint32_t turn = kri_load_rlx(&t->turn);
    if (t->queued)
        kri_gil_take_out(g, t);
    return turn;
}

static void ask_holder(kr_gil *g)
{
    kr_gil_thread *holder = kri_gil_holder(g);
    if (holder == NULL || kri_or_rlx(&holder->asked, KRI_GIL_DROP) & KRI_GIL_DROP)
        return;
    if (g->events != NULL)
        kri_gil_note(g, holder, KR_GIL_ASKED, os_now());
}

/* One sleep, and what follows from it.  False: the lock is shut down. */
static bool wait_a_while(kr_gil *g, kr_gil_thread *t)
{
    kr_time deadline = KRI_NEVER;
    uint64_t seen = g->turns;
    if (g->policy == KR_GIL_INTERVAL)
        deadline = os_now() + (kr_time)kri_load_rlx64(&g->interval);
    if (g->counted_from == 0)
        g->counted_from = t->waits_since;
    if (g->taken_at == 0)
        g->taken_at = t->waits_since;
    uint32_t turn = sleep_once(g, t, deadline);
    if (g->closed)
        return false;
    if (turn == KRI_TURN_WAITS && deadline != KRI_NEVER && seen == g->turns)
        ask_holder(g);
    return true;
}

static kri_gil_wake take_free(kr_gil *g, kr_gil_thread *t, bool timed)
{
    kri_gil_wake wake = nobody;
    if (g->yielder != NULL && g->yielder != t) {
        wake = kri_gil_tell(g->yielder, KRI_TURN_GIVEN);
        g->yielder = NULL;
    }
    if (kri_load_rlx(&t->asked) & KRI_GIL_DROP)
        kri_and_rlx(&t->asked, ~(uint32_t)KRI_GIL_DROP);
    kri_gil_become_holder(g, t, timed || g->events != NULL ? os_now() : 0);
    return wake;
}

int kri_gil_barging_take(kr_gil_thread *t)
{
    kr_gil *g = t->gil;
    bool waited = false;
    t->by_coroutine = kri_party_shares_thread();
    kri_mutex_lock(&g->lock);
    while (!g->closed &&
           kri_gil_holder_in(kri_or_acq64(&g->holder, KRI_GIL_SLOW)) != NULL) { /* [gil-2] */
        if (!waited) {
            t->waits_since = os_now();
            if (g->events != NULL)
                kri_gil_note(g, t, KR_GIL_WAITS, t->waits_since);
        }
        waited = true;
        if (!wait_a_while(g, t))
            break;
    }
    if (g->closed) {
        kri_mutex_unlock(&g->lock);
        return KR_ESHUTDOWN;
    }
    kri_gil_wake wake = take_free(g, t, g->first != NULL);
    kri_mutex_unlock(&g->lock);
    kri_gil_wake_now(wake);
    if (waited)
        note_wait(g, t);
    return 0;
}

static void note_hold(kr_gil *g, kr_gil_thread *t, kr_time now)
{
    if (g->taken_at != 0) {
        kri_gil_note_time(&g->counts.hold, &t->counts.hold, now - g->taken_at);
    }
    if (g->counted_from == 0 || now <= g->counted_from)
        return;
    kri_gil_count(&g->counts.held, (uint64_t)(now - g->counted_from));
    kri_gil_count(&t->counts.held, (uint64_t)(now - g->counted_from));
}

/* With the lock held: who is to try now. */
static kri_gil_wake set_free(kr_gil *g, kr_gil_thread *t, kr_gil_what why)
{
    kri_gil_wake wake = nobody;
    kr_gil_thread *next = g->first;
    if (next != NULL || g->events != NULL)
        note_hold(g, t, os_now());
    if (g->events != NULL)
        kri_gil_note(g, t, why, os_now());
    if (next != NULL) {
        kri_gil_take_out(g, next);
        wake = kri_gil_tell(next, KRI_TURN_GIVEN);
    }
    g->last_holder = t;
    kri_gil_release_word(g);
    return wake;
}

void kri_gil_barging_give(kr_gil_thread *t, kr_gil_what why)
{
    kr_gil *g = t->gil;
    kri_mutex_lock(&g->lock);
    kri_gil_wake wake = set_free(g, t, why);
    kri_mutex_unlock(&g->lock);
    kri_gil_wake_now(wake);
}

/* With the lock held, and before it is set free: whoever takes it then has to tell. */
static void become_yielder(kr_gil *g, kr_gil_thread *t)
{
    t->by_coroutine = kri_party_shares_thread();
    kri_store_rlx(&t->turn, KRI_TURN_WAITS);
    g->yielder = t;
}

static void await_another(kr_gil_thread *t)
{
    uint32_t turn;
    do {
        turn = kri_gil_await(t, KRI_NEVER, KRI_SPIN_NOT, 0); /* [gil-1] */
    } while (turn != KRI_TURN_GIVEN && turn != KRI_TURN_REFUSED);
}

int kri_gil_barging_drop(kr_gil_thread *t)
{
    kr_gil *g = t->gil;
    kri_mutex_lock(&g->lock);
    bool asked = kri_load_rlx(&t->asked) & KRI_GIL_DROP;
    if (asked) {
        kri_and_rlx(&t->asked, ~(uint32_t)KRI_GIL_DROP);
        kri_gil_count(&g->counts.forced_drops, 1);
        kri_gil_count(&t->counts.forced_drops, 1);
    }
    bool yields = asked && g->first != NULL && !g->closed;
    if (yields)
        become_yielder(g, t);
    kri_gil_wake wake = set_free(g, t, KR_GIL_DROPS);
    kri_mutex_unlock(&g->lock);
    kri_gil_wake_now(wake);
    if (yields)
        await_another(t);
    return kri_gil_take(t);
}
