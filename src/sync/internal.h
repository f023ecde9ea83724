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

/* kri_condition_wait_until - kr_condition_wait with a deadline. */
int kri_condition_wait_until(kr_condition *condition, kr_time deadline);

#endif
