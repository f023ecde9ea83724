/* Spinning before sleeping, as long as it is likely to pay.
 *
 * To wake a sleeping thread costs microseconds, on a virtual machine tens of them; to see a word
 * change from another processor a quarter of one.  But where the waker shares the waiter's
 * processor, it cannot run before the waiter sleeps.  Two hints decide, both kept with the bucket
 * of the word:
 *
 *   - the processor of the last waker.  While it is the waiter's own, spinning is useless.  It is
 *     read again and again, since both may move.
 *   - the length of the last waits, sleep included.  After three long ones in a row the budget
 *     shrinks, after six almost to nothing; one short wait restores it.  Whether the spin itself
 *     was enough says nothing: a sleep costs the other side more than a budget, so success would
 *     shrink budgets on both sides together.
 *
 * Only one waits at a time: where several wait on a bucket, whoever spins takes the processor from
 * someone who could run.  The processor is never yielded: with any other load on the machine that
 * costs a whole time slice.
 *
 * All hints are relaxed: a stale one costs time, never correctness.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "wait/internal.h"

enum { MICROSECOND = 1000 };
enum {
    FULL_BUDGET = 60 * MICROSECOND,
    REDUCED_BUDGET = 6 * MICROSECOND,
    LEAST_BUDGET = MICROSECOND
};
enum { LONG_WAIT = 150 * MICROSECOND };
enum { LONG_WAITS_TO_REDUCE = 3, LONG_WAITS_TO_LEAST = 6 };
enum { LOOKS_PER_CLOCK = 8 };

static kri_word64 processors KRI_GLOBAL; /* that any party so far could use */

void kri_spin_meet(void)
{
    kri_or_rlx64(&processors, os_cpu_mask());
}

/* A thread that is bound to one processor may well wait for one that is bound to another: so all
 * count together. */
bool kri_spin_may_pay(void)
{
    uint64_t all = kri_load_rlx64(&processors);
    if (all == 0) {
        kri_spin_meet();
        all = kri_load_rlx64(&processors);
    }
    return (all & (all - 1)) != 0;
}

bool kri_spin_pays(void)
{
    return !kri_party_shares_thread() && kri_spin_may_pay();
}

static kr_time budget_of(const struct kri_spin *spin)
{
    uint32_t long_waits = kri_load_rlx(&spin->long_waits);
    if (long_waits < LONG_WAITS_TO_REDUCE)
        return FULL_BUDGET;
    return long_waits < LONG_WAITS_TO_LEAST ? REDUCED_BUDGET : LEAST_BUDGET;
}

static bool waker_is_here(const struct kri_spin *spin)
{
    return kri_load_rlx(&spin->waker_cpu) == (uint32_t)os_cpu_current() + 1;
}

bool kri_spin_until_woken(kri_waiter *w, kr_time deadline)
{
    if (w->spin == NULL || !kri_spin_pays() || kri_spin_crowded(w->spin))
        return false;
    kr_time now = os_now();
    if (w->began == 0)
        w->began = now;
    kr_time end = now + budget_of(w->spin);
    if (deadline < end)
        end = deadline;
    while (now < end && !waker_is_here(w->spin)) {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (kri_waiter_woken(w))
                return true;
            os_pause();
        }
        now = os_now();
    }
    return false;
}

void kri_spin_learn(const kri_waiter *w)
{
    if (w->began == 0)
        return;
    uint32_t long_waits = kri_load_rlx(&w->spin->long_waits);
    uint32_t learned = 0;
    if (os_now() - w->began > LONG_WAIT)
        learned = long_waits < LONG_WAITS_TO_LEAST ? long_waits + 1 : long_waits;
    if (learned != long_waits)
        kri_store_rlx(&w->spin->long_waits, learned);
}

void kri_spin_note_waker(struct kri_spin *spin)
{
    uint32_t here = (uint32_t)os_cpu_current() + 1;
    if (kri_load_rlx(&spin->waker_cpu) != here)
        kri_store_rlx(&spin->waker_cpu, here);
}
