/* The public face of queues: checks what it is given and calls the kind of queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "queue/queue.h"

#include <limits.h>

static const kr_queue_options defaults;

static int check_options(size_t item_size, size_t maxsize, const kr_queue_options *o)
{
    if (!kri_reserved_is_clear(o->reserved) || o->order > KR_PRIORITY || o->scope > KR_SHARED)
        return -EINVAL;
    if (item_size > SIZE_MAX / 64 || o->reserve > SIZE_MAX / 64 / (item_size + 64))
        return -EINVAL;
    if (o->scope == KR_PRIVATE) {
        bool plain = o->order == KR_FIFO && maxsize == 0 && item_size != 0;
        bool shared = o->bytes != 0 || o->owners != 0 || o->mode != 0;
        return shared || (o->reentrant && !plain) ? -EINVAL : 0;
    }
    if (o->order == KR_LIFO || o->reentrant || o->reserve != 0)
        return -EINVAL;
    return item_size == 0 ? 0 : maxsize == 0 || o->bytes != 0 ? -EINVAL : 0;
}

int kr_queue_create(kr_queue **q, size_t item_size, size_t maxsize, const kr_queue_options *options)
{
    if (!q)
        return -EINVAL;
    *q = NULL;
    const kr_queue_options *o = options ? options : &defaults;
    int err = check_options(item_size, maxsize, o);
    if (err)
        return err;
    if (o->scope == KR_SHARED)
        return kri_ring_create(q, NULL, 0, item_size, maxsize, o);
    if (o->reentrant)
        return kri_reentrant_create(q, item_size, o);
    if (o->order == KR_FIFO)
        return kri_fifo_create(q, item_size, maxsize, o);
    return kri_ordered_create(q, item_size, maxsize, o);
}

static int check_shared(size_t item_size, size_t maxsize, const kr_queue_options *options,
                        kr_queue_options *o)
{
    *o = options ? *options : defaults;
    o->scope = KR_SHARED;
    return check_options(item_size, maxsize, o);
}

size_t kr_queue_memory_size(size_t item_size, size_t maxsize, const kr_queue_options *options)
{
    kr_queue_options o;
    int err = check_shared(item_size, maxsize, options, &o);
    return err ? 0 : kri_ring_size(item_size, maxsize, &o);
}

static bool is_memory(const void *memory)
{
    enum { ALIGNMENT = 64 };
    return memory && (uintptr_t)memory % ALIGNMENT == 0;
}

int kr_queue_create_at(kr_queue **q, void *memory, size_t size, size_t item_size, size_t maxsize,
                       const kr_queue_options *options)
{
    if (!q)
        return -EINVAL;
    *q = NULL;
    kr_queue_options o;
    int err = is_memory(memory) ? check_shared(item_size, maxsize, options, &o) : -EINVAL;
    return err ? err : kri_ring_create(q, memory, size, item_size, maxsize, &o);
}

int kr_queue_attach(kr_queue **q, void *memory, size_t size)
{
    if (!q)
        return -EINVAL;
    *q = NULL;
    return is_memory(memory) ? kri_ring_attach(q, memory, size) : -EINVAL;
}

void kr_queue_release(kr_queue *q)
{
    if (q)
        q->ops->release(q);
}

void kr_queue_auto(kr_queue **q)
{
    kr_queue_release(*q);
}

static bool is_forked(const kr_queue *q)
{
    return q->scope == KR_PRIVATE && kri_forked_since(q->generation);
}

static int check(const kr_queue *q)
{
    return !q ? -EINVAL : __builtin_expect(is_forked(q), 0) ? KR_EFORKED : 0;
}

static int check_item(const kr_queue *q, const void *item, kr_time timeout)
{
    if (!q || !item || timeout < 0 || q->item_size == 0)
        return -EINVAL;
    return check(q);
}

static int check_bytes(const kr_queue *q, const void *bytes, size_t size, kr_time timeout)
{
    if (!q || (!bytes && size != 0) || timeout < 0 || q->item_size != 0)
        return -EINVAL;
    return check(q);
}

/* Mostly without a call. */
static inline kr_time deadline_of(kr_time timeout)
{
    return timeout == KR_FOREVER ? KRI_NEVER : kri_deadline(timeout);
}

int kr_queue_put(kr_queue *q, const void *item, kr_time timeout)
{
    int err = check_item(q, item, timeout);
    return err ? err : q->ops->put(q, item, q->item_size, 0, deadline_of(timeout));
}

int kr_queue_put_priority(kr_queue *q, const void *item, int64_t priority, kr_time timeout)
{
    int err = check_item(q, item, timeout);
    if (!err && q->order != KR_PRIORITY)
        err = -EINVAL;
    return err ? err : q->ops->put(q, item, q->item_size, priority, deadline_of(timeout));
}

int kr_queue_get_priority(kr_queue *q, void *item, int64_t *priority, kr_time timeout)
{
    size_t size;
    int err = check_item(q, item, timeout);
    if (!err && (q->order != KR_PRIORITY || !priority))
        err = -EINVAL;
    return err ? err : q->ops->get(q, item, q->item_size, &size, priority, deadline_of(timeout));
}

int kr_queue_get(kr_queue *q, void *item, kr_time timeout)
{
    size_t size;
    int64_t priority;
    int err = check_item(q, item, timeout);
    return err ? err : q->ops->get(q, item, q->item_size, &size, &priority, deadline_of(timeout));
}

static int check_many(const kr_queue *q, const void *items, size_t count, kr_time timeout)
{
    return count > INT_MAX ? -EINVAL : check_item(q, items, timeout);
}

int kr_queue_put_many(kr_queue *q, const void *items, size_t count, kr_time timeout)
{
    int err = check_many(q, items, count, timeout);
    return err || count == 0 ? err : q->ops->put_many(q, items, count, deadline_of(timeout));
}

int kr_queue_get_many(kr_queue *q, void *items, size_t count, kr_time timeout)
{
    int err = check_many(q, items, count, timeout);
    return err || count == 0 ? err : q->ops->get_many(q, items, count, deadline_of(timeout));
}

int kr_queue_put_bytes(kr_queue *q, const void *bytes, size_t size, kr_time timeout)
{
    int err = check_bytes(q, bytes, size, timeout);
    return err ? err : q->ops->put(q, bytes, size, 0, deadline_of(timeout));
}

int kr_queue_put_bytes_priority(kr_queue *q, const void *bytes, size_t size, int64_t priority,
                                kr_time timeout)
{
    int err = check_bytes(q, bytes, size, timeout);
    if (!err && q->order != KR_PRIORITY)
        err = -EINVAL;
    return err ? err : q->ops->put(q, bytes, size, priority, deadline_of(timeout));
}

int kr_queue_get_bytes(kr_queue *q, void *bytes, size_t room, size_t *size, kr_time timeout)
{
    size_t length = 0;
    int64_t priority;
    int err = check_bytes(q, bytes, room, timeout);
    if (err)
        return err;
    err = q->ops->get(q, bytes, room, &length, &priority, deadline_of(timeout));
    if (size)
        *size = length;
    return err;
}

size_t kr_queue_qsize(const kr_queue *q)
{
    return check(q) ? 0 : q->ops->qsize(q);
}

bool kr_queue_empty(const kr_queue *q)
{
    return kr_queue_qsize(q) == 0;
}

bool kr_queue_full(const kr_queue *q)
{
    size_t most = kr_queue_maxsize(q);
    return most != 0 && kr_queue_qsize(q) >= most;
}

size_t kr_queue_item_size(const kr_queue *q)
{
    return q ? q->item_size : 0;
}

size_t kr_queue_maxsize(const kr_queue *q)
{
    return check(q) ? 0 : q->ops->maxsize(q);
}

int kr_queue_set_maxsize(kr_queue *q, size_t maxsize)
{
    int err = check(q);
    if (!err && !q->ops->set_maxsize)
        err = -EINVAL;
    return err ? err : q->ops->set_maxsize(q, maxsize);
}

int kr_queue_task_done(kr_queue *q)
{
    int err = check(q);
    return err ? err : q->ops->task_done(q);
}

int kr_queue_join(kr_queue *q, kr_time timeout)
{
    int err = timeout < 0 ? -EINVAL : check(q);
    return err ? err : q->ops->join(q, deadline_of(timeout));
}

int kr_queue_shutdown(kr_queue *q, bool immediate)
{
    int err = check(q);
    return err ? err : q->ops->shutdown(q, immediate);
}

bool kr_queue_is_shutdown(const kr_queue *q)
{
    return !check(q) && q->ops->is_shutdown(q);
}
