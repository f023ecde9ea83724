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

/* kri_lock_take - acquire without time limit, not ended by a cancel; so it cannot fail. */
void kri_lock_take(kr_lock *lock);

/* kri_lock_adopt - let up to `count` of those who wait on `word` wait for the lock instead, so that
 * its release wakes them, one release one of them.
 *
 * pre: the caller holds the lock.  `word` has the lock's scope.  Who finds kri_wait to be 0 takes
 * the lock with kri_lock_retake. */
void kri_lock_adopt(kr_lock *lock, kr_word *word, int count);

/* kri_lock_retake - kri_lock_take for one who has slept in the lock's queue: others may stand in it
 * behind him. */
void kri_lock_retake(kr_lock *lock);

/* kri_condition_wait_until - kr_condition_wait with a deadline. */
int kri_condition_wait_until(kr_condition *condition, kr_time deadline);

#endif
