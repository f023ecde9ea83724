/* Queues in shared memory: none yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/queue.h"

size_t kri_ring_size(size_t item_size, size_t maxsize, const kr_queue_options *o)
{
    (void)item_size;
    (void)maxsize;
    (void)o;
    return 0;
}

int kri_ring_create(kr_queue **q, void *memory, size_t size, size_t item_size, size_t maxsize,
                    const kr_queue_options *o)
{
    (void)q;
    (void)memory;
    (void)size;
    (void)item_size;
    (void)maxsize;
    (void)o;
    return -ENOSYS;
}

int kri_ring_attach(kr_queue **q, void *memory, size_t size)
{
    (void)q;
    (void)memory;
    (void)size;
    return -ENOSYS;
}
