/* A queue under a lock that is held for a few instructions.
 *
 * State.  Items lie in a list of chunks: the first may be emptied in part, the last filled in part,
 * those between are full.
 *
 * Fields.
 *     lock          guards all but the spares
 *     error         what a push returns; 0: open
 *     first, last   the list of chunks; both NULL: none.  Only a sole chunk can be without items.
 *     length        of items; changes under the lock, is read without
 *     spares        empty chunks for reuse, changed by swaps only, with the lock or without
 *
 * Protocol.
 *     push   puts the item behind the last, in a spare chunk when the last chunk is filled.  Memory
 *            is asked for without the lock, so after that it looks anew.
 *     take   A chunk that is filled to its end is written no more: when its rest is wanted as a
 *            whole it is unlinked under the lock and copied without.  From others few items are
 *            copied under the lock.
 *     remove looks at the two ends only, where whoever waits for his own item mostly finds it.
 *     sweep  moves the items that stay to the front, chunk by chunk.
 *     Chunks that are through become spares, and are given back when there are enough of those.
 *
 * Ordering.
 *     [injection-1]  A push stores length, then its caller loads who sleeps; a sleeper stores that,
 *                    then loads length: all sc.  The stores that lower it may come late.
 *     [injection-2]  Whoever puts a spare has copied its items before (release), whoever takes it
 *                    writes after (acquire).
 *
 * Why not without a lock?  Chunks are then freed under the feet of others, which needs reclamation;
 * and closing, sweeping and the order of all pushes come for free here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/injection.h"
#include "os/os.h"

enum { MOST_UNDER_LOCK = 8 };

struct kri_injection_chunk {
    kri_injection_chunk *next;
    uint32_t begin; /* of the items inside */
    uint32_t end;
    uint64_t items[KRI_INJECTION_CHUNK];
};

#ifdef KRI_MODEL
enum { LOOKS = 0 }; /* there is nothing to gain in a model */
#else
enum { LOOKS = 50 };
#endif

/* Whoever holds it leaves it in less time than a sleep would take. */
static void lock(kri_injection *q)
{
    if (LOOKS > 0 && kri_load_rlx(&q->lock) != 0 && kri_spin_pays())
        for (int i = 0; i < LOOKS && kri_load_rlx(&q->lock) != 0; i++)
            os_pause();
    kri_mutex_lock(&q->lock);
}

static void unlock(kri_injection *q)
{
    kri_mutex_unlock(&q->lock);
}

static kri_injection_chunk *take_spare(kri_injection *q)
{
    kri_injection_chunk *chunk = NULL;
    for (int i = 0; i < KRI_INJECTION_SPARES && !chunk; i++)
        if (kri_load_rlx_ptr(&q->spares[i]))
            chunk = kri_swap_acq_rel_ptr(&q->spares[i], NULL); /* [injection-2] */
    return chunk;
}

/* Takes NULL too. */
static void give_spare(kri_injection *q, kri_injection_chunk *chunk)
{
    for (int i = 0; i < KRI_INJECTION_SPARES && chunk; i++)
        chunk = kri_swap_acq_rel_ptr(&q->spares[i], chunk); /* [injection-2] */
    os_free(chunk);
}

static bool is_filled(const kri_injection_chunk *chunk)
{
    return chunk->end == KRI_INJECTION_CHUNK;
}

static bool has_room(const kri_injection *q)
{
    return q->last && !is_filled(q->last);
}

static void append_chunk(kri_injection *q, kri_injection_chunk *chunk)
{
    chunk->next = NULL;
    chunk->begin = 0;
    chunk->end = 0;
    if (q->last)
        q->last->next = chunk;
    else
        q->first = chunk;
    q->last = chunk;
}

/* Under the lock: make room if a chunk can be had without asking for memory. */
static bool make_room(kri_injection *q, kri_injection_chunk **fresh)
{
    if (has_room(q))
        return true;
    kri_injection_chunk *chunk = *fresh;
    *fresh = NULL;
    if (!chunk)
        chunk = take_spare(q);
    if (!chunk)
        return false;
    append_chunk(q, chunk);
    return true;
}

static void put(kri_injection *q, uint64_t item)
{
    q->last->items[q->last->end++] = item;
    kri_store_sc64(&q->length, kri_load_rlx64(&q->length) + 1); /* [injection-1] */
}

int kri_injection_push_then(kri_injection *q, uint64_t item, void (*then)(void *context),
                            void *context)
{
    kri_injection_chunk *fresh = NULL;
    lock(q);
    if (q->error == 0 && !make_room(q, &fresh)) {
        unlock(q);
        fresh = os_alloc(sizeof *fresh);
        lock(q);
    }
    int err = q->error;
    if (err == 0 && !make_room(q, &fresh))
        err = -ENOMEM;
    if (err == 0) {
        put(q, item);
        then(context);
    }
    unlock(q);
    os_free(fresh);
    return err;
}

static void nothing(void *context)
{
    (void)context;
}

int kri_injection_push(kri_injection *q, uint64_t item)
{
    return kri_injection_push_then(q, item, nothing, NULL);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Copy from the front of a chunk that nobody else uses, or whose lock is held. */
static void copy_out(kri_injection_chunk *chunk, uint64_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        items[i] = chunk->items[chunk->begin + i];
    chunk->begin += (uint32_t)count;
}

static kri_injection_chunk *unlink_first(kri_injection *q)
{
    kri_injection_chunk *chunk = q->first;
    q->first = chunk->next;
    if (!q->first)
        q->last = NULL;
    return chunk;
}

static void restart_if_empty(kri_injection_chunk *chunk)
{
    if (chunk->begin == chunk->end)
        chunk->begin = chunk->end = 0;
}

static void shorten(kri_injection *q, size_t count)
{
    kri_store_rlx64(&q->length, kri_load_rlx64(&q->length) - count);
}

size_t kri_injection_take(kri_injection *q, uint64_t *items, size_t most)
{
    if (kri_injection_is_empty(q))
        return 0;
    kri_injection_chunk *whole = NULL;
    size_t count = 0;
    lock(q);
    kri_injection_chunk *first = q->first;
    if (first) {
        size_t held = first->end - first->begin;
        if (is_filled(first) && held <= most) {
            whole = unlink_first(q);
            count = held;
        } else {
            count = least(held, least(most, MOST_UNDER_LOCK));
            copy_out(first, items, count);
            restart_if_empty(first);
        }
        shorten(q, count);
    }
    unlock(q);
    if (whole)
        copy_out(whole, items, count);
    give_spare(q, whole);
    return count;
}

/* Under the lock: whether the item was the oldest; a chunk that is through. */
static bool remove_oldest(kri_injection *q, uint64_t item, kri_injection_chunk **through)
{
    kri_injection_chunk *first = q->first;
    if (first->begin == first->end || first->items[first->begin] != item)
        return false;
    first->begin++;
    if (first->begin == first->end && (first->next || is_filled(first)))
        *through = unlink_first(q);
    else
        restart_if_empty(first);
    return true;
}

/* The last of several chunks keeps an item, since the one before is not known. */
static bool remove_newest(kri_injection *q, uint64_t item)
{
    kri_injection_chunk *last = q->last;
    uint32_t keep = last == q->first ? 0 : 1;
    if (last->end - last->begin <= keep || last->items[last->end - 1] != item)
        return false;
    last->end--;
    restart_if_empty(last);
    return true;
}

bool kri_injection_remove(kri_injection *q, uint64_t item)
{
    kri_injection_chunk *through = NULL;
    lock(q);
    bool removed = q->first && (remove_newest(q, item) || remove_oldest(q, item, &through));
    if (removed)
        shorten(q, 1);
    unlock(q);
    if (through)
        give_spare(q, through);
    return removed;
}

bool kri_injection_is_empty(const kri_injection *q)
{
    return kri_load_sc64(&q->length) == 0; /* [injection-1] */
}

size_t kri_injection_length(const kri_injection *q)
{
    return (size_t)kri_load_rlx64(&q->length);
}

void kri_injection_close(kri_injection *q, int error)
{
    lock(q);
    q->error = error;
    unlock(q);
}

/* Under the lock, in a queue with chunks: how many are dropped, and the chunks that are left over.
 */
static size_t compact(kri_injection *q, bool (*is_stale)(uint64_t item, void *context),
                      void *context, kri_injection_chunk **left_over)
{
    size_t dropped = 0;
    kri_injection_chunk *to = q->first;
    uint32_t at = to->begin;
    for (kri_injection_chunk *from = q->first; from; from = from->next) {
        for (uint32_t i = from->begin; i < from->end; i++) {
            uint64_t item = from->items[i];
            if (is_stale(item, context)) {
                dropped++;
                continue;
            }
            if (at == KRI_INJECTION_CHUNK) {
                to = to->next;
                at = 0;
            }
            to->items[at++] = item;
        }
    }
    *left_over = to->next;
    to->next = NULL;
    to->end = at;
    restart_if_empty(to);
    q->last = to;
    return dropped;
}

static void give_chunks(kri_injection *q, kri_injection_chunk *chunk)
{
    while (chunk) {
        kri_injection_chunk *next = chunk->next;
        give_spare(q, chunk);
        chunk = next;
    }
}

size_t kri_injection_sweep(kri_injection *q, bool (*is_stale)(uint64_t item, void *context),
                           void *context)
{
    size_t dropped = 0;
    kri_injection_chunk *left_over = NULL;
    lock(q);
    if (q->first) {
        dropped = compact(q, is_stale, context, &left_over);
        shorten(q, dropped);
    }
    unlock(q);
    give_chunks(q, left_over);
    return dropped;
}

void kri_injection_free(kri_injection *q)
{
    kri_injection_chunk *chunk = q->first;
    q->first = q->last = NULL;
    give_chunks(q, chunk);
    while ((chunk = take_spare(q)))
        os_free(chunk);
}
