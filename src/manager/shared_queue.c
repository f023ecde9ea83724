/* A manager's queues in shared memory: a queue as any in shared memory, in the body of an object,
 * behind a handle that holds the manager.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_containers.h"
#include "os/os.h"
#include "queue/queue.h"

typedef struct managed_queue {
    kr_queue base;
    kr_queue *inner;
    kr_manager *manager;
    kri_object_ref ref;
} managed_queue;

/* NULL: it was taken away. */
static kr_queue *inner_of(const kr_queue *q)
{
    const managed_queue *managed = (const managed_queue *)q;
    return __builtin_expect(kri_object_is(&managed->ref), 1) ? managed->inner : NULL;
}

static int put(kr_queue *q, const void *item, size_t size, int64_t priority, kr_time deadline)
{
    kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->put(inner, item, size, priority, deadline) : -ESTALE;
}

static int get(kr_queue *q, void *item, size_t room, size_t *size, int64_t *priority,
               kr_time deadline)
{
    kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->get(inner, item, room, size, priority, deadline) : -ESTALE;
}

static int put_many(kr_queue *q, const void *items, size_t count, kr_time deadline)
{
    kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->put_many(inner, items, count, deadline) : -ESTALE;
}

static int get_many(kr_queue *q, void *items, size_t count, kr_time deadline)
{
    kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->get_many(inner, items, count, deadline) : -ESTALE;
}

static size_t qsize(const kr_queue *q)
{
    const kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->qsize(inner) : 0;
}

static size_t maxsize(const kr_queue *q)
{
    const kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->maxsize(inner) : 0;
}

static int task_done(kr_queue *q)
{
    kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->task_done(inner) : -ESTALE;
}

static int join(kr_queue *q, kr_time deadline)
{
    kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->join(inner, deadline) : -ESTALE;
}

static int close_queue(kr_queue *q, bool immediate)
{
    kr_queue *inner = inner_of(q);
    return inner != NULL ? inner->ops->shutdown(inner, immediate) : -ESTALE;
}

static bool is_shutdown(const kr_queue *q)
{
    const kr_queue *inner = inner_of(q);
    return inner == NULL || inner->ops->is_shutdown(inner);
}

static void release(kr_queue *q)
{
    managed_queue *managed = (managed_queue *)q;
    kr_manager *m = managed->manager;
    kr_queue_release(managed->inner);
    os_free(managed);
    kr_manager_release(m);
}

/* These three go by the memory, which stays as long as the manager does. */

static kr_word *watch(kr_queue *q, kri_queue_side side)
{
    kr_queue *inner = ((managed_queue *)q)->inner;
    return inner->ops->watch(inner, side);
}

static bool ready(kr_queue *q, kri_queue_side side, uint32_t *expected)
{
    kr_queue *inner = ((managed_queue *)q)->inner;
    return inner->ops->ready(inner, side, expected);
}

static void unwatch(kr_queue *q, kri_queue_side side)
{
    kr_queue *inner = ((managed_queue *)q)->inner;
    inner->ops->unwatch(inner, side);
}

static const kri_queue_ops queue_ops = {
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

/* The numbers are the item size and the size of the body. */
static int queue_init(void *body, const kri_body_plan *plan)
{
    kr_queue *q = NULL;
    int err = kr_queue_create_at(&q, body, plan->size, (size_t)plan->numbers[0], plan->maxsize,
                                 plan->options);
    kr_queue_release(q);
    return err;
}

static const kri_kind queue_kind = {.kind = KR_MANAGER_QUEUE, .make = kri_body_make};

static int attach(managed_queue *made, const kri_shared_object *o, size_t item_size)
{
    uint64_t size = kri_shared_number(o, 1);
    void *body = kri_body_of(o, (size_t)size);
    if (body == NULL)
        return kri_object_is(&o->ref) ? KR_ECORRUPT : -ESTALE;
    if ((int64_t)item_size != kri_body_number(o, 0))
        return -EEXIST;
    int err = kr_queue_attach(&made->inner, body, (size_t)size);
    if (err != 0)
        return err;
    made->base = *made->inner;
    made->base.ops = &queue_ops;
    made->ref = o->ref;
    return 0;
}

int kri_shared_manager_queue(kr_queue **q, kr_manager *m, const char *name, size_t item_size,
                             size_t maxsize, const kr_queue_options *options)
{
    kri_shared_object o;
    kr_queue_options chosen = *options;
    char made_name[KR_MANAGER_NAME + 1];
    if (chosen.mode == 0)
        chosen.mode = kri_shared_manager_of(m)->space.state->segment.mode;
    size_t size = kr_queue_memory_size(item_size, maxsize, &chosen);
    if (size == 0)
        return -EINVAL;
    kri_body_plan plan = {.size = size,
                          .init = queue_init,
                          .numbers = {(int64_t)item_size, (int64_t)size},
                          .maxsize = maxsize,
                          .options = &chosen};
    managed_queue *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = kri_body_open(&o, m, name, &queue_kind, &plan, made_name);
    if (err == 0)
        err = attach(made, &o, item_size);
    if (err != 0) {
        os_free(made);
        return err;
    }
    kri_manager_retain(m);
    made->manager = m;
    *q = &made->base;
    return 0;
}
