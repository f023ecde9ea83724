/* A private queue, last in, first out, or by priority: under one latch.
 *
 * State.  The items lie in slots of one array, which grows by doubling.  Last in, first out: the
 * array is a stack.  By priority: a binary heap of nodes, each with its slot; the slots that no
 * node has are a stack behind the nodes, so that nodes and free slots are one array.
 *
 * Fields.
 *     latch         guards all that follows
 *     count         of items; atomic, read without the latch
 *     total         atomic: how many were ever put; the number of the next by age
 *     room          of both arrays
 *     slots         items or records
 *     nodes         NULL for last in, first out.  Each slot stands in exactly one node
 *
 * Protocol.  Everything is done under the latch, memory included: who asks for it has to look anew
 * if others may come between, and a queue grows a few times in its life.
 *
 * Ordering.  The latch orders all but the looks, see [latch-2] in private.c, and
 *     [ordered-1]  a task_done that reads total sees the puts before it
 *
 * Why not.  A heap of the items themselves: they may be large, and with nodes each is moved only
 * once in and once out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/private.h"

#include <string.h>

#include "os/os.h"

#ifdef KRI_MODEL
enum { FIRST_ROOM = 1 };
#else
enum { FIRST_ROOM = 16 };
#endif

struct node {
    int64_t priority;
    uint64_t age; /* smaller is older */
    size_t slot;
};

struct ordered {
    kri_private private; /* first */
    _Alignas(KRI_LINE) kr_word latch;
    kri_word64 count;
    kri_word64 total;
    size_t room;
    unsigned char *slots;
    struct node *nodes;
};

static struct ordered *ordered_of(const void *p)
{
    return (struct ordered *)(uintptr_t)p;
}

static void *slot(const struct ordered *s, size_t index)
{
    return s->slots + index * s->private.slot_size;
}

/* Memory. */

static void number_slots(struct node *nodes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        nodes[i].slot = i;
}

/* On failure nothing has changed. */
static bool grow(struct ordered *s, size_t room)
{
    size_t size = s->private.slot_size;
    if (room > SIZE_MAX / 2 / (size + sizeof(struct node)))
        return false;
    unsigned char *slots = os_alloc(room * size);
    bool heap = s->private.queue.order == KR_PRIORITY;
    struct node *nodes = slots && heap ? os_alloc(room * sizeof *nodes) : NULL;
    if (!slots || (heap && !nodes)) {
        os_free(slots);
        return false;
    }
    void *old_slots = s->slots;
    void *old_nodes = s->nodes;
    if (s->room)
        memcpy(slots, s->slots, s->room * size);
    if (nodes && s->room)
        memcpy(nodes, s->nodes, s->room * sizeof *nodes);
    if (nodes)
        number_slots(nodes, s->room, room);
    s->slots = slots;
    s->nodes = nodes;
    s->room = room;
    os_free(old_slots);
    os_free(old_nodes);
    return true;
}

/* The heap: a node is not below another that is before it. */

static bool is_before(const struct node *a, const struct node *b)
{
    return a->priority != b->priority ? a->priority < b->priority : a->age < b->age;
}

static void rise(struct node *nodes, size_t at)
{
    struct node moved = nodes[at];
    while (at > 0 && is_before(&moved, &nodes[(at - 1) / 2])) {
        nodes[at] = nodes[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    nodes[at] = moved;
}

static void sink(struct node *nodes, size_t at, size_t count)
{
    struct node moved = nodes[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < count && is_before(&nodes[child + 1], &nodes[child]))
            child++;
        if (child >= count || !is_before(&nodes[child], &moved))
            break;
        nodes[at] = nodes[child];
        at = child;
    }
    nodes[at] = moved;
}

/* Under the latch: where the item of the next get lies. */
static void *next_slot(const struct ordered *s, size_t count)
{
    return slot(s, s->nodes ? s->nodes[0].slot : count - 1);
}

/* Under the latch: take the next item out of `count`; its slot keeps its bytes until the next put.
 */
static void remove_next(struct ordered *s, size_t count)
{
    if (!s->nodes)
        return;
    struct node first = s->nodes[0];
    s->nodes[0] = s->nodes[count - 1];
    s->nodes[count - 1] = first;
    sink(s->nodes, 0, count - 1);
}

static void insert(struct ordered *s, size_t count, uint64_t age, const void *item,
                   int64_t priority)
{
    size_t to = count;
    if (s->nodes) {
        to = s->nodes[count].slot;
        s->nodes[count].priority = priority;
        s->nodes[count].age = age;
    }
    kri_copy(slot(s, to), item, s->private.slot_size);
    if (s->nodes)
        rise(s->nodes, count);
}

/* Trying. */

static int put_under_latch(struct ordered *s, const char *items, size_t count, int64_t priority)
{
    if (kri_load_rlx64(&s->private.closed) != 0)
        return KR_ESHUTDOWN;
    size_t held = (size_t)kri_load_rlx64(&s->count);
    uint64_t total = kri_load_rlx64(&s->total);
    size_t most = (size_t)kri_load_rlx64(&s->private.maxsize);
    size_t done = 0;
    while (done < count && (most == 0 || held + done < most)) {
        if (held + done == s->room && !grow(s, s->room ? s->room * 2 : FIRST_ROOM))
            break;
        insert(s, held + done, total + done, items + done * s->private.slot_size, priority);
        done++;
    }
    if (done == 0)
        return most != 0 && held >= most ? -EAGAIN : -ENOMEM;
    kri_store_rlx64(&s->count, held + done);
    kri_store_rel64(&s->total, total + done); /* [ordered-1] */
    return (int)done;
}

static int try_put(kri_private *p, const void *items, size_t count, int64_t priority)
{
    struct ordered *s = ordered_of(p);
    kri_latch_take(&s->latch);
    int done = put_under_latch(s, items, count, priority);
    kri_latch_give(&s->latch); /* [latch-2] */
    if (done > 0)
        kri_gate_call(&p->items, 0);
    return done;
}

static int get_record(struct ordered *s, size_t held, kri_take *take)
{
    kri_record record = *(kri_record *)next_slot(s, held);
    if (!kri_private_take_record(take, &record))
        return -EMSGSIZE;
    remove_next(s, held);
    return 1;
}

static int get_items(struct ordered *s, size_t held, kri_take *take)
{
    size_t size = s->private.slot_size;
    size_t count = held < take->count ? held : take->count;
    for (size_t i = 0; i < count; i++) {
        kri_copy((char *)take->items + i * size, next_slot(s, held - i), size);
        remove_next(s, held - i);
    }
    return (int)count;
}

static int get_under_latch(struct ordered *s, kri_take *take)
{
    size_t held = (size_t)kri_load_rlx64(&s->count);
    if (held == 0)
        return kri_load_rlx64(&s->private.closed) != 0 ? KR_ESHUTDOWN : -EAGAIN;
    take->priority = s->nodes ? s->nodes[0].priority : 0;
    int done =
        s->private.queue.item_size == 0 ? get_record(s, held, take) : get_items(s, held, take);
    if (done > 0)
        kri_store_rlx64(&s->count, held - (size_t)done);
    return done;
}

static int try_get(kri_private *p, kri_take *take)
{
    struct ordered *s = ordered_of(p);
    kri_latch_take(&s->latch);
    int done = get_under_latch(s, take);
    kri_latch_give(&s->latch); /* [latch-2] */
    if (done > 0)
        kri_gate_call(&p->room, 0);
    return done;
}

/* Looks. */

static bool has_room(void *p)
{
    struct ordered *s = ordered_of(p);
    kri_latch_look(&s->latch); /* [latch-2] */
    uint64_t most = kri_load_rlx64(&s->private.maxsize);
    return most == 0 || kri_load_rlx64(&s->count) < most || kri_load_rlx64(&s->private.closed) != 0;
}

static bool has_items(void *p)
{
    struct ordered *s = ordered_of(p);
    kri_latch_look(&s->latch); /* [latch-2] */
    return kri_load_rlx64(&s->count) != 0 || kri_load_rlx64(&s->private.closed) != 0;
}

static uint64_t count_puts(const kri_private *p)
{
    return kri_load_acq64(&ordered_of(p)->total); /* [ordered-1] */
}

static size_t qsize(const kr_queue *q)
{
    return (size_t)kri_load_acq64(&ordered_of(q)->count);
}

static int set_maxsize(kr_queue *q, size_t maxsize)
{
    struct ordered *s = ordered_of(q);
    kri_latch_take(&s->latch);
    kri_store_rlx64(&s->private.maxsize, maxsize);
    kri_latch_give(&s->latch); /* [latch-2] */
    kri_private_call_all(&s->private);
    return 0;
}

/* The end. */

/* Under the latch. */
static size_t drop_all(struct ordered *s)
{
    size_t held = (size_t)kri_load_rlx64(&s->count);
    for (size_t i = 0; i < held; i++)
        kri_private_drop(&s->private, slot(s, s->nodes ? s->nodes[i].slot : i));
    kri_store_rlx64(&s->count, 0);
    return held;
}

static int shutdown(kr_queue *q, bool immediate)
{
    struct ordered *s = ordered_of(q);
    kri_latch_take(&s->latch);
    kri_store_rel64(&s->private.closed, 1);
    size_t dropped = immediate ? drop_all(s) : 0;
    kri_latch_give(&s->latch); /* [latch-2] */
    kri_private_settle(&s->private, dropped);
    kri_private_call_all(&s->private);
    return 0;
}

static void release(kr_queue *q)
{
    struct ordered *s = ordered_of(q);
    drop_all(s);
    os_free(s->slots);
    os_free(s->nodes);
    kri_private_free(&s->private);
}

static const kri_private_ops private_ops = {try_put, try_get, has_room, has_items, count_puts};
static const kri_queue_ops queue_ops = {
    KRI_PRIVATE_OPS,
    .qsize = qsize,
    .set_maxsize = set_maxsize,
    .shutdown = shutdown,
    .is_shutdown = kri_private_is_shutdown,
    .release = release,
};

int kri_ordered_create(kr_queue **q, size_t item_size, size_t maxsize, const kr_queue_options *o)
{
    struct ordered *s = kri_private_new(sizeof *s);
    if (!s)
        return -ENOMEM;
    kri_private_begin(&s->private, &queue_ops, &private_ops, item_size, maxsize, o);
    if (!grow(s, o->reserve ? o->reserve : FIRST_ROOM)) {
        kri_private_free(&s->private);
        return -ENOMEM;
    }
    *q = &s->private.queue;
    return 0;
}
