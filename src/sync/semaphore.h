/* What the files of kr_semaphore share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SYNC_SEMAPHORE_H
#define KRI_SYNC_SEMAPHORE_H

#include "sync/internal.h"

enum { KRI_SEMAPHORE_SHARED = 1, KRI_SEMAPHORE_OWNED = 2 }; /* flags */
#define KRI_SEMAPHORE_WAITERS 0x80000000u                   /* of the value */

/* kri_semaphore_take - take a permit if one is free.  slept: KRI_SEMAPHORE_WAITERS of one who has
 * slept in shared memory, else 0. */
bool kri_semaphore_take(kr_word *value, uint32_t slept);

/* kri_semaphore_sleep - in shared memory, while there is no permit; results of kri_wait_slice. */
int kri_semaphore_sleep(kr_semaphore *semaphore, kr_time deadline);

/* Of semaphores with holders: owned.c. */
int kri_semaphore_init_owned(kr_semaphore *semaphore, const kr_semaphore_options *o);
int kri_semaphore_acquire_owned(kr_semaphore *semaphore, kr_time timeout);
int kri_semaphore_release_owned(kr_semaphore *semaphore, uint32_t permits);

#endif
