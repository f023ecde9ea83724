/* A private queue, first in, first out: a latch at each end.
 *
 * State.  The items lie in a list of chunks.  Each end has a position: how many items were ever
 * put, and taken.  The item of position n lies in chunk number n / room of a chunk.
 *
 * Fields.
 *     end.latch     guards the other fields of its end
 *     end.position  atomic; changed under the latch, read by everybody
 *     end.seen      what the position of the other end was when this end last looked
 *     end.chunk     the tail's: where the last item was put; the head's: where the last was taken
 *     spares        empty chunks, pushed under the head's latch, taken all at once under the tail's
 *     kept          spares that the tail has taken
 *     chunks        atomic: how many there are in all
 *     closed, maxsize  changed under the tail's latch
 *
 * Protocol.
 *     put   Under the tail's latch: is there room, as far as is known; if not, look at the head.
 *           Copy, with a new chunk where the last is full, then publish the position, give the
 *           latch, and call a getter if any waits.
 *     get   The same at the other end.  It leaves a chunk only when it wants the first item of the
 *           next, so that the tail's chunk is never given away.
 *     So in the ordinary case putters and getters touch no line of each other but the items'.
 *     The latches are taken one at a time, never both.
 *
 * Ordering.
 *     [fifo-1]  a getter that reads the tail's position sees the items before it, and the chunks
 *     [fifo-2]  a putter that reads the head's position sees that the items before it were copied
 *               out
 *     [fifo-3]  who takes spares writes to them after they were emptied
 *     [fifo-4]  a getter that sees `closed` sees all that was put before
 *     [latch-2] orders the positions with the gates.
 *
 * Why not.  Without latches, with a sequence number for each slot?  Two putters on two processors
 * would pass the line of the tail to and fro at each item; at a latch one of them waits while the
 * other goes through many rounds.  Closing, changing maxsize and taking many at once come for
 * nothing.  The two ends cost what the fastest of those rings cost: two locked instructions an
 * item.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/private.h"

#include "os/os.h"

#ifdef KRI_MODEL
enum { CHUNK_BYTES = 16, LEAST = 1, SPARES = 1 };
#else
enum { CHUNK_BYTES = 2048, LEAST = 1, SPARES = 4 };
#endif

struct chunk {
    struct chunk *next;
    uint64_t unused; /* items are aligned as memory from malloc is */
    unsigned char items[];
};

struct end {
    _Alignas(KRI_LINE) kr_word latch;
    kri_word64 position;
    uint64_t seen;
    struct chunk *chunk;
};

struct fifo {
    kri_private private; /* first */
    uint64_t room;       /* const: items of a chunk, a power of two */
    size_t reserve;      /* const: chunks that are always kept */
    struct end tail;
    struct chunk *kept; /* guarded by the tail's latch */
    struct end head;
    _Alignas(KRI_LINE) kri_pointer spares;
    kri_word64 chunks;
};

static struct fifo *fifo_of(const void *p)
{
    return (struct fifo *)(uintptr_t)p;
}

/* Chunks. */

static struct chunk *make_chunk(struct fifo *f)
{
    struct chunk *chunk = os_alloc(sizeof *chunk + f->room * f->private.slot_size);
    if (chunk)
        kri_add_rlx64(&f->chunks, 1);
    return chunk;
}

static struct chunk *take_spare(struct fifo *f)
{
    if (!f->kept && kri_load_rlx_ptr(&f->spares))
        f->kept = kri_swap_acq_rel_ptr(&f->spares, NULL); /* [fifo-3] */
    struct chunk *chunk = f->kept;
    if (chunk)
        f->kept = chunk->next;
    return chunk;
}

static void push_spare(struct fifo *f, struct chunk *chunk)
{
    void *first = kri_load_rlx_ptr(&f->spares);
    do {
        chunk->next = first;
    } while (!kri_cas_acq_rel_ptr(&f->spares, &first, chunk)); /* [fifo-3] */
}

/* Under the head's latch; `held` items are still inside. */
static void give_spare(struct fifo *f, struct chunk *chunk, uint64_t held)
{
    uint64_t needed = held / f->room + 2 + SPARES + f->reserve;
    if (kri_load_rlx64(&f->chunks) <= needed) {
        push_spare(f, chunk);
    } else {
        kri_sub_rlx64(&f->chunks, 1);
        os_free(chunk);
    }
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;
        os_free(chunk);
        chunk = next;
    }
}

static unsigned char *slot(const struct fifo *f, struct chunk *chunk, uint64_t position)
{
    return chunk->items + (position & (f->room - 1)) * f->private.slot_size;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many positions from this one on lie in its chunk. */
static uint64_t rest(const struct fifo *f, uint64_t position)
{
    return f->room - (position & (f->room - 1));
}

static bool begins_chunk(const struct fifo *f, uint64_t position)
{
    return position != 0 && (position & (f->room - 1)) == 0;
}

/* The tail. */

static uint64_t room_at(struct fifo *f, uint64_t position)
{
    uint64_t most = kri_load_rlx64(&f->private.maxsize);
    if (most == 0)
        return UINT64_MAX;
    if (position - f->tail.seen >= most)
        f->tail.seen = kri_load_acq64(&f->head.position); /* [fifo-2] */
    uint64_t held = position - f->tail.seen;
    return held < most ? most - held : 0;
}

static bool next_tail_chunk(struct fifo *f)
{
    struct chunk *chunk = take_spare(f);
    if (!chunk)
        chunk = make_chunk(f);
    if (!chunk)
        return false;
    chunk->next = NULL;
    f->tail.chunk->next = chunk;
    f->tail.chunk = chunk;
    return true;
}

/* How many could be put: fewer than count when there is no memory. */
static uint64_t copy_in(struct fifo *f, uint64_t position, const char *items, uint64_t count)
{
    size_t size = f->private.slot_size;
    uint64_t done = 0;
    while (done < count) {
        uint64_t at = position + done;
        if (begins_chunk(f, at) && !next_tail_chunk(f))
            break;
        uint64_t now = least(count - done, rest(f, at));
        kri_copy(slot(f, f->tail.chunk, at), items + done * size, now * size);
        done += now;
    }
    return done;
}

static int try_put(kri_private *p, const void *items, size_t count, int64_t priority)
{
    struct fifo *f = fifo_of(p);
    (void)priority;
    int result = KR_ESHUTDOWN;
    kri_latch_take(&f->tail.latch);
    if (kri_load_rlx64(&p->closed) == 0) {
        uint64_t position = kri_load_rlx64(&f->tail.position);
        uint64_t room = least(room_at(f, position), count);
        uint64_t done = 0;
        if (__builtin_expect(room == 1 && !begins_chunk(f, position), 1)) {
            kri_copy(slot(f, f->tail.chunk, position), items, p->slot_size);
            done = 1;
        } else if (room != 0) {
            done = copy_in(f, position, items, room);
        }
        if (done)
            kri_store_rel64(&f->tail.position, position + done); /* [fifo-1] */
        result = done ? (int)done : room ? -ENOMEM : -EAGAIN;
    }
    kri_latch_give(&f->tail.latch); /* [latch-2] */
    if (result > 0)
        kri_gate_call(&p->items, 0);
    return result;
}

/* The head. */

static uint64_t held_at(struct fifo *f, uint64_t position, bool more)
{
    if (f->head.seen == position || more)
        f->head.seen = kri_load_acq64(&f->tail.position); /* [fifo-1] */
    return f->head.seen - position;
}

/* The chunk of this position, which was put. */
static struct chunk *head_chunk(struct fifo *f, uint64_t position)
{
    struct chunk *chunk = f->head.chunk;
    if (begins_chunk(f, position)) {
        f->head.chunk = chunk->next;
        give_spare(f, chunk, f->head.seen - position);
    }
    return f->head.chunk;
}

static void copy_out(struct fifo *f, uint64_t position, char *items, uint64_t count)
{
    size_t size = f->private.slot_size;
    uint64_t done = 0;
    while (done < count) {
        uint64_t at = position + done;
        struct chunk *chunk = head_chunk(f, at);
        uint64_t now = least(count - done, rest(f, at));
        kri_copy(items + done * size, slot(f, chunk, at), now * size);
        done += now;
    }
}

/* 1, or 0 and an error. */
static uint64_t copy_record_out(struct fifo *f, uint64_t position, kri_take *take, int *error)
{
    struct chunk *chunk = f->head.chunk;
    if (begins_chunk(f, position))
        chunk = chunk->next;
    kri_record record = *(const kri_record *)(const void *)slot(f, chunk, position);
    *error = kri_private_take_record(take, &record) ? 0 : -EMSGSIZE;
    if (*error)
        return 0;
    (void)head_chunk(f, position);
    return 1;
}

static uint64_t take_out(struct fifo *f, uint64_t position, uint64_t held, kri_take *take,
                         int *error)
{
    if (__builtin_expect(f->private.queue.item_size == 0, 0))
        return copy_record_out(f, position, take, error);
    uint64_t count = least(held, take->count);
    if (__builtin_expect(count == 1 && !begins_chunk(f, position), 1))
        kri_copy(take->items, slot(f, f->head.chunk, position), f->private.slot_size);
    else
        copy_out(f, position, take->items, count);
    return count;
}

static int try_get(kri_private *p, kri_take *take)
{
    struct fifo *f = fifo_of(p);
    int result = -EAGAIN;
    uint64_t done = 0;
    kri_latch_take(&f->head.latch);
    uint64_t position = kri_load_rlx64(&f->head.position);
    uint64_t held = held_at(f, position, take->count > 1);
    if (held == 0 && kri_load_acq64(&p->closed) != 0) { /* [fifo-4] */
        held = held_at(f, position, true);
        result = KR_ESHUTDOWN;
    }
    if (held != 0)
        done = take_out(f, position, held, take, &result);
    if (done)
        kri_store_rel64(&f->head.position, position + done); /* [fifo-2] */
    kri_latch_give(&f->head.latch);                          /* [latch-2] */
    if (done)
        kri_gate_call(&p->room, 0);
    return done ? (int)done : result;
}

/* Looks. */

static bool has_room(void *p)
{
    struct fifo *f = fifo_of(p);
    kri_latch_look(&f->head.latch); /* [latch-2] */
    kri_latch_look(&f->tail.latch); /* [latch-2] */
    uint64_t taken = kri_load_rlx64(&f->head.position);
    uint64_t held = kri_load_rlx64(&f->tail.position) - taken;
    uint64_t most = kri_load_rlx64(&f->private.maxsize);
    return held < most || most == 0 || kri_load_rlx64(&f->private.closed) != 0;
}

static bool has_items(void *p)
{
    struct fifo *f = fifo_of(p);
    kri_latch_look(&f->tail.latch); /* [latch-2] */
    uint64_t put = kri_load_rlx64(&f->tail.position);
    return (int64_t)(put - kri_load_rlx64(&f->head.position)) > 0 ||
           kri_load_rlx64(&f->private.closed) != 0;
}

static uint64_t count_puts(const kri_private *p)
{
    return kri_load_acq64(&fifo_of(p)->tail.position);
}

static size_t qsize(const kr_queue *q)
{
    struct fifo *f = fifo_of(q);
    uint64_t taken = kri_load_acq64(&f->head.position);
    return (size_t)(kri_load_acq64(&f->tail.position) - taken);
}

static int set_maxsize(kr_queue *q, size_t maxsize)
{
    struct fifo *f = fifo_of(q);
    kri_latch_take(&f->tail.latch);
    kri_store_rlx64(&f->private.maxsize, maxsize);
    kri_latch_give(&f->tail.latch);
    kri_private_call_all(&f->private);
    return 0;
}

/* The end. */

/* Under the head's latch. */
static uint64_t drop_all(struct fifo *f)
{
    uint64_t position = kri_load_rlx64(&f->head.position);
    uint64_t held = held_at(f, position, true);
    for (uint64_t i = 0; i < held; i++) {
        struct chunk *chunk = head_chunk(f, position + i);
        kri_private_drop(&f->private, slot(f, chunk, position + i));
    }
    kri_store_rel64(&f->head.position, position + held); /* [fifo-2] */
    return held;
}

static int shutdown(kr_queue *q, bool immediate)
{
    struct fifo *f = fifo_of(q);
    uint64_t dropped = 0;
    kri_latch_take(&f->tail.latch);
    kri_store_rel64(&f->private.closed, 1); /* [fifo-4] */
    kri_latch_give(&f->tail.latch);
    if (immediate) {
        kri_latch_take(&f->head.latch);
        dropped = drop_all(f);
        kri_latch_give(&f->head.latch);
    }
    kri_private_settle(&f->private, dropped);
    kri_private_call_all(&f->private);
    return 0;
}

static void release(kr_queue *q)
{
    struct fifo *f = fifo_of(q);
    drop_all(f);
    free_chunks(f->head.chunk);
    free_chunks(f->kept);
    free_chunks(kri_load_acq_ptr(&f->spares));
    kri_private_free(&f->private);
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

static uint64_t room_of_chunk(size_t slot_size)
{
    uint64_t room = LEAST;
    while (room * 2 * slot_size <= CHUNK_BYTES)
        room *= 2;
    return room;
}

static bool make_first_chunks(struct fifo *f, size_t reserve)
{
    f->head.chunk = f->tail.chunk = make_chunk(f);
    f->reserve = reserve ? (reserve - 1) / f->room + 2 : 0;
    for (size_t i = 0; f->head.chunk && i < f->reserve; i++) {
        struct chunk *chunk = make_chunk(f);
        if (!chunk)
            return false;
        push_spare(f, chunk);
    }
    return f->head.chunk;
}

int kri_fifo_create(kr_queue **q, size_t item_size, size_t maxsize, const kr_queue_options *o)
{
    struct fifo *f = kri_private_new(sizeof *f);
    if (!f)
        return -ENOMEM;
    kri_private_begin(&f->private, &queue_ops, &private_ops, item_size, maxsize, o);
    f->room = room_of_chunk(f->private.slot_size);
    if (!make_first_chunks(f, o->reserve)) {
        release(&f->private.queue);
        return -ENOMEM;
    }
    *q = &f->private.queue;
    return 0;
}
