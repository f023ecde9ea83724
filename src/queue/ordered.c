/* A kind of private queue: none yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/queue.h"

int kri_ordered_create(kr_queue **q, size_t item_size, size_t maxsize, const kr_queue_options *o)
{
    (void)q;
    (void)item_size;
    (void)maxsize;
    (void)o;
    return -ENOSYS;
}
