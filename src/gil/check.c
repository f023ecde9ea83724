/* What a check does when somebody asks: pending calls, the drop, interrupts.
 *
 * Fields, beside those of take.c.
 *     asked      set by others, under the inner lock but for nobody's sake: kr_gil_check looks at
 *                it without.  A bit that comes late is seen at a later check
 *     calls      rings; a bit in `asked` of whoever is to look at them
 *     caller     who is in a pending call: nobody else begins one, and he no other
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"

static bool take_call(kri_gil_calls *calls, kri_gil_call *call)
{
    if (calls->count == 0)
        return false;
    *call = calls->ring[calls->first];
    calls->first = (calls->first + 1) % calls->room;
    calls->count--;
    return true;
}

static bool put_call(kri_gil_calls *calls, kri_gil_call call)
{
    if (calls->count == calls->room)
        return false;
    calls->ring[(calls->first + calls->count) % calls->room] = call;
    calls->count++;
    return true;
}

/* With the lock held. */
bool kri_gil_some_calls(const kr_gil_thread *t)
{
    return t->calls.count != 0 || t->gil->calls.count != 0;
}

/* With the lock held: the next call, which makes t the caller; false: none for him now. */
static bool begin_call(kr_gil_thread *t, kri_gil_call *call)
{
    kr_gil *g = t->gil;
    if (g->caller != NULL)
        return false;
    if (!take_call(&t->calls, call) && !take_call(&g->calls, call)) {
        kri_and_rlx(&t->asked, ~(uint32_t)KRI_GIL_CALLS);
        return false;
    }
    g->caller = t;
    return true;
}

static int run_calls(kr_gil_thread *t)
{
    kr_gil *g = t->gil;
    kri_gil_call call;
    int err = 0;
    kri_mutex_lock(&g->lock);
    /* No more than there can be at once, or one that adds itself again would go on for ever. */
    for (int i = 0; err == 0 && i < KRI_GIL_CALLS_OF_ANY && begin_call(t, &call); i++) {
        kri_mutex_unlock(&g->lock);
        err = call.call(call.arg);
        kri_mutex_lock(&g->lock);
        g->caller = NULL;
    }
    kri_mutex_unlock(&g->lock);
    return err;
}

static int take_interrupt(kr_gil_thread *t)
{
    kri_mutex_lock(&t->gil->lock);
    int err = t->interrupt;
    t->interrupt = 0;
    kri_and_rlx(&t->asked, ~(uint32_t)KRI_GIL_INTERRUPT);
    kri_mutex_unlock(&t->gil->lock);
    return err;
}

/* TICKS: is this the check at which the lock is given away? */
static bool ticks_out(kr_gil_thread *t)
{
    if (--t->ticks != 0)
        return false;
    t->ticks = t->gil->check_interval;
    return true;
}

static int drop_if_asked(kr_gil_thread *t, uint32_t asked)
{
    kr_gil *g = t->gil;
    bool wanted = asked & KRI_GIL_COUNTS ? ticks_out(t) : asked & KRI_GIL_DROP;
    if (!wanted)
        return 0;
    if (asked & KRI_GIL_COUNTS) {
        kri_gil_give(t, KR_GIL_DROPS);
        return kri_gil_take(t);
    }
    kri_block_hook *hooks = kri_gil_give_later_ones(t);
    int err = g->policy == KR_GIL_DEADLINE ? kri_gil_deadline_drop(t) : kri_gil_barging_drop(t);
    kri_gil_take_later_ones(t, hooks);
    return err;
}

static int check_asked(kr_gil_thread *t, uint32_t asked)
{
    int err = 0;
    if (asked & KRI_GIL_CLOSED && !t->finalizer)
        return KR_ESHUTDOWN;
    if (asked & KRI_GIL_CALLS)
        err = run_calls(t);
    if (err == 0 && !kri_gil_has(t))
        err = -EPERM;              /* a call has given it up */
    if (err == 0 && !t->finalizer) /* who could not take it again */
        err = drop_if_asked(t, kri_load_rlx(&t->asked));
    if (err == 0 && kri_load_rlx(&t->asked) & KRI_GIL_INTERRUPT)
        err = take_interrupt(t);
    return err;
}

int kr_gil_checkpoint(kr_gil_thread *thread)
{
    if (!kri_gil_is_mine(thread))
        return -EPERM;
    uint32_t asked = kri_load_rlx(&thread->asked);
    if (!kri_gil_has(thread))
        return asked & KRI_GIL_CLOSED ? KR_ESHUTDOWN : -EPERM;
    if ((asked & ~(uint32_t)KRI_GIL_COUNTS) == 0 && !(asked != 0 && thread->ticks == 1)) {
        thread->ticks -= asked != 0;
        return 0;
    }
    int saved = errno;
    int err = check_asked(thread, asked);
    errno = saved;
    return err;
}

static void tell_of_calls(kr_gil *g, kr_gil_thread *whose)
{
    if (whose != NULL)
        kri_or_rlx(&whose->asked, KRI_GIL_CALLS);
    for (kr_gil_thread *t = whose == NULL ? g->newest : NULL; t != NULL; t = t->older)
        kri_or_rlx(&t->asked, KRI_GIL_CALLS);
}

int kr_gil_add_pending_call(kr_gil *gil, kr_gil_thread *whose, int (*call)(void *arg), void *arg)
{
    if (call == NULL || (whose != NULL && whose->gil != gil))
        return -EINVAL;
    kri_mutex_lock(&gil->lock);
    bool put = put_call(whose != NULL ? &whose->calls : &gil->calls,
                        (kri_gil_call){.call = call, .arg = arg});
    if (put)
        tell_of_calls(gil, whose);
    kri_mutex_unlock(&gil->lock);
    return put ? 0 : -ENOBUFS;
}

int kr_gil_interrupt(kr_gil_thread *thread, int err)
{
    if (err > 0)
        return -EINVAL;
    kri_mutex_lock(&thread->gil->lock);
    thread->interrupt = err;
    if (err != 0)
        kri_or_rlx(&thread->asked, KRI_GIL_INTERRUPT);
    else
        kri_and_rlx(&thread->asked, ~(uint32_t)KRI_GIL_INTERRUPT);
    kri_mutex_unlock(&thread->gil->lock);
    return 0;
}
