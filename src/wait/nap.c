/* Naps: short sleeps of somebody on whom others rely.
 *
 * Who looks for work now and then need not be woken for each piece of it, but should come at once
 * when the others have nothing else to do.  So a nap ends by its time, or as soon as a party that
 * relies on a napper goes to sleep itself: the processor is free then, and what that party waits
 * for may be what it has left to the napper.
 *
 * Fields.
 *     relied   atomic: 1 if somebody has left something to a napper since the last call
 *     calls    atomic: counts the calls; nappers sleep on it
 *
 * Ordering.  None: both are hints.  A call that is missed makes the nap as long as its time limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "wait/internal.h"

kr_word kri_relied KRI_GLOBAL;
static kr_word calls KRI_GLOBAL;

uint32_t kri_nap_calls(void)
{
    return kri_load_rlx(&calls);
}

void kri_nap(uint32_t seen, kr_time deadline)
{
    (void)kri_wait(&calls, seen, deadline, KRI_UNCANCELLABLE | KRI_IDLE | KRI_NO_SPIN);
}

void kri_nap_call(void)
{
    kri_store_rlx(&kri_relied, 0);
    kri_add_sc(&calls, 1);
    kri_wake(&calls, KRI_ALL, 0);
}

void kri_nap_forked(void)
{
    kri_store_rlx(&kri_relied, 0);
}
