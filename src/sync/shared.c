/* Sleeping in shared memory, where anybody may die.
 *
 * A wake may be spent on one who dies before it has passed it on, or be owed by one who died
 * between its change of the word and the wake.  No word says so afterwards.  So nobody sleeps
 * longer than a slice without looking again.  Where all live, nothing waits for the end of a slice.
 *
 * Why 40 ms?  It is the longest that leaves room for a busy machine within 100 ms, and a sleeper
 * costs 25 looks a second.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/internal.h"

int kri_wait_slice(kr_word *word, uint32_t expected, kr_time deadline, kri_describe describe)
{
    kr_time slice = kri_deadline(KRI_SLICE);
    if (deadline <= slice)
        return kri_wait_for(word, expected, deadline, KRI_SHARED, describe);
    int err = kri_wait_for(word, expected, slice, KRI_SHARED, describe);
    return err == -ETIMEDOUT ? KRI_SLICE_OVER : err;
}
