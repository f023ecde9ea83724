/* Waiting for somebody of the same thread, who knows whom to wake.
 *
 * Protocol.  The waiter stands in no queue of the parking table: a pointer to it lies where its
 * waker looks, which is a party of the same thread or what runs between them (a loop and its
 * coroutines).  So between the two nothing is shared with others, but for a cancel, which comes
 * from anywhere: the waiter queues on its scope as ever (park.c), and waker, cancel and passed
 * deadline contend for it by the same compare-and-swap.  The waker takes it as its own party would
 * take it back, and ends that wait at once: in this thread nobody sees the state between.
 *
 * Fields.
 *     *place   plain: the thread of both
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

static const kri_place direct; /* through which who was woken directly was taken */

/* Member by member, as in wait.c. */
static inline void begin(kri_waiter *w, kri_party *party)
{
    w->state.bits = 0;
    w->bell = 0;
    w->party = party;
    w->through = NULL;
    w->spin = NULL;
    w->began = 0;
    w->take = NULL;
    w->main = NULL;
    w->taken = false;
    w->waits_for = NULL;
    w->shown = NULL;
}

static int sleep_until(kri_party *self, kri_waiter **place, kr_time deadline,
                       kr_cancel_scope *scope)
{
    kri_waiter w;
    kri_place on_scope;
    begin(&w, self);
    if (scope != NULL && !kri_place_enter(&on_scope, &w, &scope->state, KRI_SCOPE_LIVE))
        return -ECANCELED;
    bool hooked = self->hooks != NULL || kri_load_rlx(&kri_relied) != 0;
    *place = &w;
    if (hooked)
        kri_block_begin(self);
    bool woken = kri_waiter_sleep(&w, deadline);
    *place = NULL;
    if (scope != NULL && w.through != &on_scope)
        kri_place_leave(&on_scope);
    if (hooked)
        kri_block_end(self);
    if (woken)
        return w.through == &direct ? 0 : -ECANCELED;
    return -ETIMEDOUT;
}

int kri_wait_direct(kri_waiter **place, kr_time deadline)
{
    if (deadline == 0)
        return -ETIMEDOUT;
    kri_party *self = kri_party_self();
    kr_cancel_scope *scope = self->scope;
    kr_time until = deadline;
    if (scope != NULL) {
        kri_scope_join(scope);
        if (kri_scope_cancelled(scope))
            return -ECANCELED;
        if (scope->deadline < deadline)
            until = scope->deadline;
    }
    int err = sleep_until(self, place, until, scope);
    if (err != -ETIMEDOUT || until == deadline)
        return err;
    kri_scope_cut(scope);
    return -ECANCELED;
}

bool kri_wake_direct(kri_waiter *w)
{
    if (w == NULL || !kri_waiter_leave(w))
        return false;
    w->through = &direct;
    w->party->ops->unpark(w);
    return true;
}
