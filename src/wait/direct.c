/* Waiting for somebody of the same thread, who knows whom to wake.
 *
 * Protocol.  The waiter stands in no queue of the parking table: a pointer to it lies where its
 * waker looks, which is a party of the same thread or what runs between them (a loop and its
 * coroutines).  So between the two nothing is shared with others, but for a cancel, which comes
 * from anywhere and finds the waiter in its scope as ever (slot.c).
 *     Where it has the scope's slot, the waker takes it from there: who empties the slot of it,
 *     waker or cancel, has it, so that nobody contends for its state, and it need not leave the
 *     slot when its wait is over.  Where it stands in the queue of the scope's state, waker and
 *     cancel contend for its state; where it has no scope, nobody does.  A passed deadline is
 *     noticed by the waiter itself, which runs when its waker does not.
 *     A pause is the same with no place, for threads, too.
 *
 * Fields.
 *     *place, waiter.slotted, waiter.through   plain: the thread of both
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

static const kri_place direct; /* through which who was woken directly was taken */

/* As kri_waiter_sleep. */
static bool sleep_until_woken(kri_waiter *w, kr_time deadline)
{
    const kri_party_ops *ops = w->party->ops;
    for (;;) {
        ops->park(w, deadline);
        if (w->through == &direct || kri_waiter_woken(w))
            break;
        if (deadline == KRI_NEVER || (!ops->exact && os_now() < deadline))
            continue;
        if (kri_waiter_leave(w))
            return false;
        deadline = KRI_NEVER;
    }
    if (ops->settle != NULL)
        ops->settle(w);
    return true;
}

static int sleep_until(kri_party *self, kri_waiter **place, kr_time deadline,
                       kr_cancel_scope *scope)
{
    kri_waiter w;
    kri_stand in_scope;
    kri_waiter_begin(&w, self);
    if (scope != NULL) {
        if (!kri_stand_enter(&in_scope, &w, scope))
            return -ECANCELED;
        w.slotted = in_scope.in_slot ? scope : NULL;
    }
    bool hooked = self->hooks != NULL || kri_load_rlx(&kri_relied) != 0;
    if (place != NULL)
        *place = &w;
    kri_wait_begins(place, NULL, place != NULL ? "wait" : "sleep");
    if (hooked)
        kri_block_begin(self);
    bool woken = sleep_until_woken(&w, deadline);
    if (place != NULL)
        *place = NULL;
    bool directly = w.through == &direct;
    if (scope != NULL && (!directly || w.slotted == NULL))
        kri_stand_leave(&in_scope, &w, scope);
    if (hooked)
        kri_block_end(self);
    kri_wait_is_over(place, woken);
    if (woken)
        return directly ? 0 : -ECANCELED;
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
        if (kri_scope_marked(scope) || (scope->deadline != KRI_NEVER && kri_scope_cancelled(scope)))
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

static bool take(kri_waiter *w)
{
    return w->slotted != NULL ? kri_slot_take(w->slotted, w) : kri_waiter_leave(w);
}

bool kri_wake_direct(kri_waiter *w)
{
    if (w == NULL || !take(w))
        return false;
    w->through = &direct;
    KRI_TRACE_HAPPENS(wake, WAKE, 0, kri_party_runner(w->party));
    w->party->ops->resume(w);
    return true;
}

int kri_pause(kr_time deadline)
{
    return kri_wait_direct(NULL, deadline);
}
