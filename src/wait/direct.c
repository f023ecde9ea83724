/* Waiting for somebody of the same thread, who knows whom to wake.
 *
 * Protocol.  The waiter stands in no queue of the parking table: a pointer to it lies where its
 * waker looks, which is a party of the same thread or what runs between them (a loop and its
 * coroutines).  So between the two nothing is shared with others, but for a cancel, which comes
 * from anywhere: the waiter stands in its scope as ever (slot.c), and waker, cancel and passed
 * deadline contend for it by the same compare-and-swap.  The waker takes it as its own party would
 * take it back, and ends that wait at once: in this thread nobody sees the state between.
 *
 *     A pause is the same with no place, for threads, too.
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

static int sleep_until(kri_party *self, kri_waiter **place, kr_time deadline,
                       kr_cancel_scope *scope)
{
    kri_waiter w;
    kri_stand in_scope;
    kri_waiter_begin(&w, self);
    if (scope != NULL && !kri_stand_enter(&in_scope, &w, scope))
        return -ECANCELED;
    bool hooked = self->hooks != NULL || kri_load_rlx(&kri_relied) != 0;
    if (place != NULL)
        *place = &w;
    if (hooked)
        kri_block_begin(self);
    bool woken = kri_waiter_sleep(&w, deadline);
    if (place != NULL)
        *place = NULL;
    if (scope != NULL)
        kri_stand_leave(&in_scope, &w, scope);
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

int kri_pause(kr_time deadline)
{
    return kri_wait_direct(NULL, deadline);
}
