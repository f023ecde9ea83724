/* What krait's own code may do with the primitives beyond their public face.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SYNC_INTERNAL_H
#define KRI_SYNC_INTERNAL_H

#include "wait/wait.h"
#include <krait/condition.h>
#include <krait/event.h>
#include <krait/lock.h>
#include <krait/semaphore.h>

/* For kr_wait_any, with the word and what to sleep on it for while the answer is false.
 *
 * kri_event_look: has it gone up since its word was `first`, or is it up?
 * kri_semaphore_look: has the caller taken a permit, or (*result) failed for good?  slept: the
 * caller may have slept on the word. */
bool kri_event_look(kr_event *event, uint32_t first, uint32_t *expected);
bool kri_semaphore_look(kr_semaphore *semaphore, bool slept, uint32_t *expected, int *result);
static inline bool kri_event_is_shared(uint32_t word)
{
    return word & 1;
}

/* kri_lock_take - acquire without time limit, not ended by a cancel; so it cannot fail. */
void kri_lock_take(kr_lock *lock);

/* kri_wait_slice - kri_wait_for on a shared word, but not for long: see shared.c.
 *
 * KRI_SLICE_OVER: neither woken nor timed out, look again; else as kri_wait_for. */
#define KRI_SLICE ((kr_time)40 * 1000 * 1000)
enum { KRI_SLICE_OVER = 1 };
int kri_wait_slice(kr_word *word, uint32_t expected, kr_time deadline, kri_describe describe);

/* kri_condition_wait_until - kr_condition_wait with a deadline. */
int kri_condition_wait_until(kr_condition *condition, kr_time deadline);

#endif
