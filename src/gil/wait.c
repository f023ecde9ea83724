/* How a runner waits for its turn at an interpreter lock.
 *
 * Fields.
 *     turn         the waiter's own word.  It sets WAITS before it queues, and SLEEPS before it
 *                  sleeps in the kernel; others, under the lock, set LOOK, GIVEN or REFUSED
 *     cpu, idle_spins
 *                  hints, relaxed
 *
 * Protocol.
 *     A thread spins where that is likely to pay, and then sleeps in the kernel on `turn`.  It does
 *     not wait in the parking table: a hand-over is to cost what two calls of the system cost, and
 *     nobody but the one who gives it the turn has to find it.  A coroutine waits as ever.
 *
 *     Spinning.  It pays in three cases, for at most 70 us each: who is next after one that is
 *     likely to be back in a blocking region within microseconds; who has just asked the holder,
 *     which lets go at its next check; and who must ask in less than that.  Not where the holder
 *     was last seen on the waiter's own processor, or slept there: so who hands over tells the
 *     next holder first, and then where that is, or the next one would take itself for a holder
 *     that is in its way.  When the first two were in vain a few times they are left out, but for
 *     every eighth, which is as long as ever: to see that it pays again.
 *
 * Ordering.
 *     [gil-1]  who gives the turn releases, who has got it acquires: what was done under the lock
 *              before is visible.  The wake, without the lock, uses the address only, for the
 *              waiter may be gone
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"
#include "os/os.h"

enum { MICROSECOND = 1000 };
enum { LOOKS_PER_CLOCK = 8 };
enum { BUDGET = 50 * MICROSECOND };
/* A usual least slice, as to sleep in the kernel for less than its timers' slack takes twice that.
 */
enum { BUDGET_TO_ASK = 70 * MICROSECOND };
enum { FEW = 3, MANY = 8 };

kri_gil_wake kri_gil_tell(kr_gil_thread *t, uint32_t turn)
{
    bool coroutine = t->by_coroutine;
    kr_word *word = &t->turn;
    bool asleep = kri_swap_sc(word, turn) == KRI_TURN_SLEEPS; /* [gil-1] */
    return (kri_gil_wake){.word = coroutine || asleep ? word : NULL, .coroutine = coroutine};
}

void kri_gil_wake_now(kri_gil_wake wake)
{
    if (wake.word == NULL)
        return;
    if (wake.coroutine)
        kri_wake(wake.word, 1, 0);
    else
        os_futex_wake(wake.word, 1, false);
}

bool kri_gil_holder_is_here(const kr_gil *g)
{
    return kri_load_rlx(&g->cpu) == (uint32_t)os_cpu_current() + 1;
}

/* How long, by how often it was in vain lately. */
static kr_time budget_of(const kr_word *in_vain)
{
    uint32_t count = kri_load_rlx(in_vain);
    return count < FEW || count % MANY == 0 ? BUDGET : 0;
}

static bool spin_until(kr_gil_thread *t, kr_time now, kr_time end)
{
    while (now < end && !kri_gil_holder_is_here(t->gil)) {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (kri_load_rlx(&t->turn) != KRI_TURN_WAITS)
                return true;
            os_pause();
        }
        now = os_now();
    }
    return kri_load_rlx(&t->turn) != KRI_TURN_WAITS;
}

/* True: the turn has changed, or it is time to ask. */
static bool spin(kr_gil_thread *t, enum kri_gil_spin kind, kr_time until)
{
    if (kind == KRI_SPIN_NOT || !kri_spin_pays())
        return false;
    if (kind != KRI_SPIN_TO_ASK && kri_gil_holder_is_here(t->gil))
        return false;
    kr_time now = os_now();
    if (kind == KRI_SPIN_TO_ASK)
        return until - now <= BUDGET_TO_ASK && (spin_until(t, now, until) || os_now() >= until);
    kr_word *in_vain = &t->gil->idle_spins[kind];
    kr_time budget = budget_of(in_vain);
    bool told = budget != 0 && spin_until(t, now, now + budget);
    if (!told && budget != 0 && kri_gil_holder_is_here(t->gil))
        return false; /* it has come here, which says nothing of the spin */
    uint32_t count = kri_load_rlx(in_vain);
    uint32_t learned = told ? 0 : count + 1;
    if (learned != count)
        kri_store_rlx(in_vain, learned);
    return told;
}

static uint32_t sleep_in_kernel(kr_gil_thread *t, kr_time deadline)
{
    uint32_t seen = KRI_TURN_WAITS;
    if (!kri_cas_acq(&t->turn, &seen, KRI_TURN_SLEEPS)) /* [gil-1] */
        return seen;
    while ((seen = kri_load_acq(&t->turn)) == KRI_TURN_SLEEPS) { /* [gil-1] */
        if (os_futex_wait(&t->turn, KRI_TURN_SLEEPS, deadline, false) != -ETIMEDOUT)
            continue;
        if (kri_cas_acq(&t->turn, &seen, KRI_TURN_WAITS)) /* [gil-1] */
            return KRI_TURN_WAITS;
        return seen;
    }
    return seen;
}

uint32_t kri_gil_await(kr_gil_thread *t, kr_time deadline, enum kri_gil_spin kind, kr_time until)
{
    if (t->by_coroutine) {
        (void)kri_wait(&t->turn, KRI_TURN_WAITS, deadline, KRI_UNCANCELLABLE | KRI_NO_SPIN);
        return kri_load_acq(&t->turn); /* [gil-1] */
    }
    if (spin(t, kind, until))
        return kri_load_acq(&t->turn); /* [gil-1] */
    return sleep_in_kernel(t, deadline);
}

/* The runner's hooks are off until take_later_ones, as a coroutine that waits for its turn must not
 * run them: those below this one's lock stay as they are. */
kri_block_hook *kri_gil_give_later_ones(kr_gil_thread *t)
{
    kri_party *self = kri_party_self();
    kri_block_hook *hooks = self->hooks;
    self->hooks = NULL;
    for (kri_block_hook *hook = hooks; hook != NULL && hook != &t->hook; hook = hook->next)
        hook->before(hook);
    return hooks;
}

static void take_until(kri_block_hook *hook, const kri_block_hook *end)
{
    if (hook == NULL || hook == end)
        return;
    take_until(hook->next, end);
    hook->after(hook);
}

void kri_gil_take_later_ones(kr_gil_thread *t, kri_block_hook *hooks)
{
    take_until(hooks, &t->hook);
    kri_party_self()->hooks = hooks;
}
