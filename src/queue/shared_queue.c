/* The handle of a queue in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "queue/queue.h"
#include "queue/shared.h"

enum { OWN_USER_ONLY = 0600 };

typedef struct shared_queue {
    kr_queue base;
    kri_shared shared;
    void *mapped; /* of its own; NULL: the caller's */
    size_t mapped_size;
} shared_queue;

static kri_shared *shared_of(kr_queue *q)
{
    return &((shared_queue *)q)->shared;
}

static const kri_shared *const_shared_of(const kr_queue *q)
{
    return &((const shared_queue *)q)->shared;
}

static int put(kr_queue *q, const void *item, size_t size, int64_t priority, kr_time deadline)
{
    kri_put one = {.items = item, .length = size, .count = 1, .priority = priority};
    if (size > shared_of(q)->longest)
        return -EMSGSIZE;
    int done = kri_shared_put(shared_of(q), &one, deadline);
    return done > 0 ? 0 : done;
}

static int get(kr_queue *q, void *item, size_t room, size_t *size, int64_t *priority,
               kr_time deadline)
{
    kri_get one = {.items = item, .room = room, .count = 1};
    int taken = kri_shared_get(shared_of(q), &one, deadline);
    *size = one.length;
    *priority = one.priority;
    return taken > 0 ? 0 : taken;
}

static int put_many(kr_queue *q, const void *items, size_t count, kr_time deadline)
{
    size_t done = 0;
    while (done < count) {
        kri_put some = {.items = (const unsigned char *)items + done * q->item_size,
                        .length = q->item_size,
                        .count = count - done};
        int result = kri_shared_put(shared_of(q), &some, deadline);
        if (result < 0)
            return done > 0 ? (int)done : result;
        done += (size_t)result;
    }
    return (int)done;
}

static int get_many(kr_queue *q, void *items, size_t count, kr_time deadline)
{
    kri_get some = {.items = items, .room = q->item_size, .count = count};
    return kri_shared_get(shared_of(q), &some, deadline);
}

static size_t qsize(const kr_queue *q)
{
    return kri_shared_count(const_shared_of(q));
}

static size_t maxsize(const kr_queue *q)
{
    const kri_shared *shared = const_shared_of(q);
    return shared->limited ? shared->maxsize : 0;
}

static int task_done(kr_queue *q)
{
    return kri_shared_task_done(shared_of(q));
}

static int join(kr_queue *q, kr_time deadline)
{
    return kri_shared_join(shared_of(q), deadline);
}

static int close_queue(kr_queue *q, bool immediate)
{
    return kri_shared_close(shared_of(q), immediate);
}

static bool is_shutdown(const kr_queue *q)
{
    return kri_load_acq(&const_shared_of(q)->state->bells.closed) != KRI_OPEN;
}

static void release(kr_queue *q)
{
    shared_queue *handle = (shared_queue *)q;
    if (handle->mapped != NULL)
        os_shared_unmap(handle->mapped, handle->mapped_size);
    os_free(handle);
}

static kr_word *watch(kr_queue *q, kri_queue_side side)
{
    kri_shared *shared = shared_of(q);
    return side == KRI_ITEMS ? &shared->state->bells.items : &shared->state->bells.space;
}

/* Is there an item, or room? */
static bool has(kr_queue *q, kri_queue_side side)
{
    return side == KRI_ITEMS ? kri_shared_count(shared_of(q)) > 0
                             : kri_shared_has_room(shared_of(q));
}

static bool ready(kr_queue *q, kri_queue_side side, uint32_t *expected)
{
    *expected = kri_bell_arm(watch(q, side));
    return has(q, side) || is_shutdown(q);
}

/* Whether it was woken for something that it leaves is not known, so another one looks. */
static void unwatch(kr_queue *q, kri_queue_side side)
{
    if (has(q, side))
        kri_bell_ring(watch(q, side), 1);
}

static const kri_queue_ops shared_ops = {
    .put = put,
    .get = get,
    .put_many = put_many,
    .get_many = get_many,
    .qsize = qsize,
    .maxsize = maxsize,
    .task_done = task_done,
    .join = join,
    .shutdown = close_queue,
    .is_shutdown = is_shutdown,
    .release = release,
    .watch = watch,
    .ready = ready,
    .unwatch = unwatch,
};

static kri_shared_plan plan_of(size_t item_size, size_t most, const kr_queue_options *o)
{
    return (kri_shared_plan){.priority = o->order == KR_PRIORITY,
                             .item_size = item_size,
                             .maxsize = most,
                             .bytes = o->bytes,
                             .owners = o->owners,
                             .mode = o->mode != 0 ? o->mode : OWN_USER_ONLY};
}

static void begin(shared_queue *handle)
{
    handle->base.ops = &shared_ops;
    handle->base.item_size = handle->shared.item_size;
    handle->base.order = handle->shared.priority ? KR_PRIORITY : KR_FIFO;
    handle->base.scope = KR_SHARED;
    handle->base.wait_flags = KRI_SHARED;
}

size_t kri_ring_size(size_t item_size, size_t most, const kr_queue_options *o)
{
    kri_shared_plan plan = plan_of(item_size, most, o);
    return kri_shared_size(&plan);
}

/* Anonymous memory, or the caller's. */
static int make(shared_queue *handle, void *memory, size_t size, const kri_shared_plan *plan)
{
    if (memory == NULL) {
        size = kri_shared_size(plan);
        if (size == 0)
            return -EINVAL;
        memory = handle->mapped = os_shared_map(size);
        handle->mapped_size = size;
        if (memory == NULL)
            return -ENOMEM;
    }
    int err = kri_shared_make(&handle->shared, memory, size, plan);
    if (err != 0 && handle->mapped != NULL)
        os_shared_unmap(handle->mapped, size);
    return err;
}

int kri_ring_create(kr_queue **q, void *memory, size_t size, size_t item_size, size_t most,
                    const kr_queue_options *o)
{
    kri_shared_plan plan = plan_of(item_size, most, o);
    shared_queue *handle = os_alloc(sizeof *handle);
    if (handle == NULL)
        return -ENOMEM;
    int err = make(handle, memory, size, &plan);
    if (err != 0) {
        os_free(handle);
        return err;
    }
    begin(handle);
    *q = &handle->base;
    return 0;
}

int kri_ring_attach(kr_queue **q, void *memory, size_t size)
{
    shared_queue *handle = os_alloc(sizeof *handle);
    if (handle == NULL)
        return -ENOMEM;
    int err = kri_shared_attach(&handle->shared, memory, size);
    if (err != 0) {
        os_free(handle);
        return err;
    }
    begin(handle);
    *q = &handle->base;
    return 0;
}
