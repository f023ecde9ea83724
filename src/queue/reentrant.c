/* A kind of private queue: none yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/queue.h"

int kri_reentrant_create(kr_queue **q, size_t item_size, const kr_queue_options *o)
{
    (void)q;
    (void)item_size;

    (void)o;
    return -ENOSYS;
}
