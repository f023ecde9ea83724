/* A queue of futures, linked through them: first in, first out, any can be taken out.
 *
 * The owner's lock guards it.  All zero is empty.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_QUEUE_H
#define KRI_EXECUTOR_QUEUE_H

#include "executor/future.h"

typedef struct kri_task_queue {
    kr_future *first;
    kr_future *last;
    size_t length;
} kri_task_queue;

void kri_queue_push(kri_task_queue *queue, kr_future *f);
kr_future *kri_queue_pop(kri_task_queue *queue);            /* NULL when empty */
bool kri_queue_remove(kri_task_queue *queue, kr_future *f); /* false: it is not in the queue */

#endif
