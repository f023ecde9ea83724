/* A manager's semaphores, events and barriers on a server; see redis_sync.c, redis_barrier.c.
 *
 * Results and arguments are those of the public calls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_REDIS_SYNC_H
#define KRI_MANAGER_REDIS_SYNC_H

#include "manager/redis_wait.h"

int kri_redis_semaphore_acquire(const kri_redis_object *o, kr_time timeout);
int kri_redis_semaphore_release(const kri_redis_object *o, int permits);

int kri_redis_event_set(const kri_redis_object *o);
int kri_redis_event_clear(const kri_redis_object *o);
int64_t kri_redis_event_is_set(const kri_redis_object *o);
int kri_redis_event_wait(const kri_redis_object *o, kr_time timeout);

int kri_redis_barrier_wait(const kri_redis_object *o, kr_time timeout);
int kri_redis_barrier_reset(const kri_redis_object *o);
int kri_redis_barrier_abort(const kri_redis_object *o);

/* Try, and sleep while it is in vain: the script has the keys name, room and the arguments id,
 * whether to wait, more.  1: done; 0: wait.  Until the timeout is over. */
int kri_redis_try_and_wait(const kri_redis_object *o, const kri_redis_script *script,
                           bool rung_is_done, kr_time timeout);

#endif
