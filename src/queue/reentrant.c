/* A private queue, first in, first out, without a bound, whose put may interrupt anything.
 *
 * State.  Items lie in nodes, which are known by their number, from 1 on.  A node is free, or being
 * filled by a putter, or in the inbox (newest first), or in the outbox (oldest first), or being
 * emptied by a getter.
 *
 * Fields.
 *     inbox    atomic: number of the newest node, 0: none; how many items were ever put, modulo
 *              2^31; and whether the queue is shut down.  One word, so that all three change as one
 *     free     atomic: number of the first free node, and how often nodes were set free
 *     next     of a node, atomic: the node behind it in whichever list it is
 *     blocks   atomic: the nodes' memory; block k has FIRST << k of them.  It is given back only
 *              with the queue, so that a node can be read whoever has it
 *     latch    getters': guards the outbox and
 *     taken    how many items were ever taken; atomic, since task_done reads it
 *
 * Protocol.
 *     put       Take a free node, fill it, and put it before the others of the inbox.  No step
 *               waits for another party: who is interrupted in the middle holds nobody up.  Where
 *               no node is free, a block is asked of the system and its nodes set free.
 *     get       Under the latch: when the outbox is empty take the whole inbox and turn it round.
 *     shutdown  is a bit of the inbox, so a put either comes before it or sees it.
 *     The words of the gates lie in private memory, but are slept on as shared ones are: a wake is
 *     then a bare system call, which a signal handler may make.
 *
 * Ordering.
 *     [reentrant-1]  who takes a node out of the inbox sees its item; the change of the inbox is
 *                    sequentially consistent, for the gate
 *     [reentrant-2]  who takes a free node writes to it after it was emptied; sees the block, too
 *     [reentrant-3]  who reads `taken` before the inbox finds a difference that is not negative
 *     The count in `free` keeps a putter from taking a node that was used and set free while it
 *     looked, unless nodes are set free exactly 2^32 times meanwhile.
 *
 * Why not.  The latched queue, with signals blocked: two system calls for each put, in all threads.
 * This one for all unbounded queues: a node an item is a line an item, and two more locked
 * instructions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/private.h"

#include "os/os.h"

#ifdef KRI_MODEL
enum { FIRST = 2, BLOCKS = 3 };
#else
enum { FIRST = 64, BLOCKS = 25 };
#endif

#define NUMBER   UINT64_C(0xffffffff)
#define ONE_PUT  (UINT64_C(1) << 32) /* in the inbox */
#define ONE_TURN (UINT64_C(1) << 32) /* in free */
#define CLOSED   (UINT64_C(1) << 63)
#define PUTS     UINT64_C(0x7fffffff)

struct node {
    kr_word next;
    uint32_t unused; /* items are aligned to 8 bytes */
    unsigned char item[];
};

struct reentrant {
    kri_private private; /* first */
    size_t node_size;    /* const */
    kri_pointer blocks[BLOCKS];
    _Alignas(KRI_LINE) kri_word64 inbox;
    _Alignas(KRI_LINE) kri_word64 free;
    _Alignas(KRI_LINE) kr_word latch;
    uint32_t outbox; /* number of the oldest; guarded by latch */
    kri_word64 taken;
};

static struct reentrant *reentrant_of(const void *p)
{
    return (struct reentrant *)(uintptr_t)p;
}

/* Nodes. */

static uint32_t block_room(unsigned block)
{
    return (uint32_t)FIRST << block;
}

/* Blocks 0 to k - 1 have FIRST * (2^k - 1) nodes. */
static struct node *node_of(const struct reentrant *r, uint32_t number)
{
    uint32_t index = number - 1;
    unsigned block = 31u - (unsigned)__builtin_clz(index / FIRST + 1);
    uint32_t before = FIRST * ((1u << block) - 1);
    char *nodes = kri_load_acq_ptr(&r->blocks[block]); /* [reentrant-2] */
    return (struct node *)(void *)(nodes + (size_t)(index - before) * r->node_size);
}

/* Set free the nodes first .. last, which are linked. */
static void set_free(struct reentrant *r, uint32_t first, uint32_t last)
{
    uint64_t seen = kri_load_rlx64(&r->free);
    uint64_t next;
    do {
        kri_store_rlx(&node_of(r, last)->next, (uint32_t)(seen & NUMBER));
        next = ((seen & ~NUMBER) + ONE_TURN) | first;
    } while (!kri_cas_acq_rel64(&r->free, &seen, next)); /* [reentrant-2] */
}

/* 0: none is free. */
static uint32_t take_free(struct reentrant *r)
{
    uint64_t seen = kri_load_acq64(&r->free); /* [reentrant-2] */
    for (;;) {
        uint32_t number = (uint32_t)(seen & NUMBER);
        if (number == 0)
            return 0;
        uint64_t next = (seen & ~NUMBER) | kri_load_rlx(&node_of(r, number)->next);
        if (kri_cas_acq_rel64(&r->free, &seen, next)) /* [reentrant-2] */
            return number;
    }
}

static void link_block(struct reentrant *r, unsigned block)
{
    uint32_t first = FIRST * ((1u << block) - 1) + 1;
    uint32_t last = first + block_room(block) - 1;
    for (uint32_t number = first; number < last; number++)
        kri_store_rlx(&node_of(r, number)->next, number + 1);
    set_free(r, first, last);
}

/* Somebody else may have grown the queue meanwhile: that will do, too. */
static bool grow(struct reentrant *r)
{
    unsigned block = 0;
    while (block < BLOCKS && kri_load_rlx_ptr(&r->blocks[block]))
        block++;
    if (block == BLOCKS || r->node_size > SIZE_MAX / 2 / block_room(block))
        return false;
    size_t size = r->node_size * block_room(block);
    void *nodes = os_pages(size);
    void *none = NULL;
    if (!nodes)
        return false;
    if (kri_cas_acq_rel_ptr(&r->blocks[block], &none, nodes)) /* [reentrant-2] */
        link_block(r, block);
    else
        os_pages_free(nodes, size);
    return true;
}

static uint32_t make_node(struct reentrant *r)
{
    uint32_t number;
    do {
        number = take_free(r);
    } while (number == 0 && grow(r));
    return number;
}

/* Putting. */

static int put_one(struct reentrant *r, const void *item)
{
    uint64_t seen = kri_load_rlx64(&r->inbox);
    if (seen & CLOSED)
        return KR_ESHUTDOWN;
    uint32_t number = make_node(r);
    if (number == 0)
        return -ENOMEM;
    struct node *node = node_of(r, number);
    kri_copy(node->item, item, r->private.slot_size);
    uint64_t next;
    do {
        if (seen & CLOSED) {
            set_free(r, number, number);
            return KR_ESHUTDOWN;
        }
        kri_store_rlx(&node->next, (uint32_t)(seen & NUMBER));
        next = (((seen & ~NUMBER) + ONE_PUT) & ~CLOSED) | number;
    } while (!kri_cas_sc64(&r->inbox, &seen, next)); /* [reentrant-1] */
    kri_gate_call(&r->private.items, KRI_SHARED);
    return 1;
}

static int try_put(kri_private *p, const void *items, size_t count, int64_t priority)
{
    struct reentrant *r = reentrant_of(p);
    (void)priority;
    (void)count;
    return put_one(r, items);
}

/* Getting; all under the latch. */

static uint32_t turn_round(struct reentrant *r, uint32_t newest)
{
    uint32_t before = 0;
    for (uint32_t number = newest; number != 0;) {
        struct node *node = node_of(r, number);
        uint32_t older = kri_load_rlx(&node->next);
        kri_store_rlx(&node->next, before);
        before = number;
        number = older;
    }
    return before;
}

static void fetch(struct reentrant *r)
{
    uint64_t seen = kri_load_rlx64(&r->inbox);
    while ((seen & NUMBER) != 0) {
        if (kri_cas_acq_rel64(&r->inbox, &seen, seen & ~NUMBER)) { /* [reentrant-1] */
            r->outbox = turn_round(r, (uint32_t)(seen & NUMBER));
            return;
        }
    }
}

static bool take_one(struct reentrant *r, void *item)
{
    if (r->outbox == 0)
        fetch(r);
    uint32_t number = r->outbox;
    if (number == 0)
        return false;
    struct node *node = node_of(r, number);
    r->outbox = kri_load_rlx(&node->next);
    if (item)
        kri_copy(item, node->item, r->private.slot_size);
    kri_store_rel64(&r->taken, kri_load_rlx64(&r->taken) + 1); /* [reentrant-3] */
    set_free(r, number, number);
    return true;
}

static int try_get(kri_private *p, kri_take *take)
{
    struct reentrant *r = reentrant_of(p);
    size_t done = 0;
    kri_latch_take(&r->latch);
    bool closed = kri_load_acq64(&r->inbox) & CLOSED;
    while (done < take->count && take_one(r, (char *)take->items + done * p->slot_size))
        done++;
    kri_latch_give(&r->latch); /* [latch-2] */
    return done ? (int)done : closed ? KR_ESHUTDOWN : -EAGAIN;
}

/* Looks. */

static size_t held(const struct reentrant *r)
{
    uint64_t taken = kri_load_acq64(&r->taken); /* [reentrant-3] */
    uint64_t inbox = kri_load_sc64(&r->inbox);  /* [reentrant-1] */
    return (size_t)(((inbox >> 32) - taken) & PUTS);
}

static bool has_room(void *p)
{
    (void)p;
    return true;
}

static bool has_items(void *p)
{
    struct reentrant *r = reentrant_of(p);
    return held(r) != 0 || (kri_load_sc64(&r->inbox) & CLOSED) != 0;
}

static uint64_t count_puts(const kri_private *p)
{
    const struct reentrant *r = reentrant_of(p);
    uint64_t taken = kri_load_acq64(&r->taken); /* [reentrant-3] */
    uint64_t inbox = kri_load_sc64(&r->inbox);
    return taken + (((inbox >> 32) - taken) & PUTS);
}

static size_t qsize(const kr_queue *q)
{
    return held(reentrant_of(q));
}

static bool is_shutdown(const kr_queue *q)
{
    return (kri_load_acq64(&reentrant_of(q)->inbox) & CLOSED) != 0;
}

/* The end. */

static int shutdown(kr_queue *q, bool immediate)
{
    struct reentrant *r = reentrant_of(q);
    uint64_t dropped = 0;
    kri_or_sc64(&r->inbox, CLOSED);
    if (immediate) {
        kri_latch_take(&r->latch);
        while (take_one(r, NULL))
            dropped++;
        kri_latch_give(&r->latch);
    }
    kri_private_settle(&r->private, dropped);
    kri_gate_call(&r->private.items, KRI_SHARED);
    return 0;
}

static void release(kr_queue *q)
{
    struct reentrant *r = reentrant_of(q);
    for (unsigned i = 0; i < BLOCKS; i++)
        os_pages_free(kri_load_acq_ptr(&r->blocks[i]), r->node_size * block_room(i));
    kri_private_free(&r->private);
}

static const kri_private_ops private_ops = {try_put, try_get, has_room, has_items, count_puts};
static const kri_queue_ops queue_ops = {
    KRI_PRIVATE_OPS,    .qsize = qsize, .shutdown = shutdown, .is_shutdown = is_shutdown,
    .release = release,
};

int kri_reentrant_create(kr_queue **q, size_t item_size, const kr_queue_options *o)
{
    enum { ALIGNMENT = 8 };
    struct reentrant *r = kri_private_new(sizeof *r);
    if (!r)
        return -ENOMEM;
    kri_private_begin(&r->private, &queue_ops, &private_ops, item_size, 0, o);
    r->node_size = (sizeof(struct node) + item_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t room = 0;
    for (unsigned block = 0; room == 0 || room < o->reserve; block++) {
        if (!grow(r)) {
            release(&r->private.queue);
            return -ENOMEM;
        }
        room += block_room(block);
    }
    *q = &r->private.queue;
    return 0;
}
