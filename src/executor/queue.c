/* The queue of a pool.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/queue.h"

void kri_queue_push(kri_task_queue *queue, kr_future *f)
{
    f->next = NULL;
    f->previous = queue->last;
    f->queued = true;
    if (queue->last)
        queue->last->next = f;
    else
        queue->first = f;
    queue->last = f;
    queue->length++;
}

bool kri_queue_remove(kri_task_queue *queue, kr_future *f)
{
    if (!f->queued)
        return false;
    if (f->previous)
        f->previous->next = f->next;
    else
        queue->first = f->next;
    if (f->next)
        f->next->previous = f->previous;
    else
        queue->last = f->previous;
    f->next = NULL;
    f->previous = NULL;
    f->queued = false;
    queue->length--;
    return true;
}

kr_future *kri_queue_pop(kri_task_queue *queue)
{
    kr_future *f = queue->first;
    if (f)
        kri_queue_remove(queue, f);
    return f;
}
