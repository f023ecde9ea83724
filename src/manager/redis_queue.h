/* A manager's queue on a server; see redis_queue.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_REDIS_QUEUE_H
#define KRI_MANAGER_REDIS_QUEUE_H

#include "manager/manager.h"
#include "manager/redis_object.h"
#include "queue/queue.h"

/* A handle for the queue of that name, which has been made; `m` is held by it.  -ENOMEM */
int kri_redis_queue_open(kr_queue **q, kr_manager *m, kri_redis *redis, const char *name,
                         size_t item_size, size_t maxsize);

#endif
