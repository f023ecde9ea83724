/* A priority queue in shared memory, of which one store decides what is in it.
 *
 * State.  A slot is full or free, and the full slots are the queue.  Everything else is derived
 * from them and can be made again: the heap, the list of free chunks, both positions.
 *
 * Fields.  All guarded by put.lock, which is the only lock of such a queue.
 *     slots[].state   atomic; the rest of a slot is constant while it is full
 *     order[]         a permutation of the slots: first those that are full, as a heap by priority
 *                     and serial, then the free ones
 *     links[]         of each chunk the next of the same item, or of the free list
 *     put.at, get.at  how many items were ever put, and taken; atomic, for who only looks
 *     marks[]         used by the repair only
 *
 * Protocol.  A put fills a free slot and free chunks and then says that the slot is full: that
 * store is the put.  A get copies out and then says that it is free: that store is the get.  What
 * follows either is bookkeeping.  When a process dies while it holds the lock, the next holder
 * makes the derived things again from the states of the slots, in time proportional to their
 * number. When that one dies too, the next begins anew, since a repair changes no state.
 *
 * The serial of an item is the number of puts before it.  So a slot that is full with the serial
 * put.at is one whose put was finished but not counted.
 *
 * All numbers are compared with the size of what they index before they are used: a stray write
 * gives KR_ECORRUPT.  A length is read once, so that one that changes after the look, at the hand
 * of a foreign program, cannot make a get write past the room of its caller.
 *
 * Ordering.  The lock orders all of it.  put.at and get.at are stored sequentially consistent for
 * the bells' sake [bell-1].
 *
 * Why not.  An undo record of the heap's moves: each move would have to be written twice, always,
 * for what happens once in the life of a process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared.h"
#include <krait/explore.h>
#include <string.h>

#define END UINT32_MAX

static uint32_t chunks_of(const kri_shared *q, size_t length)
{
    return length == 0 ? 1 : (uint32_t)((length + q->chunk - 1) / q->chunk);
}

static bool is_full(const kri_slot *slot)
{
    return kri_load_rlx(&slot->state) == KRI_SLOT_FULL;
}

/* NULL: the order was damaged. */
static kri_slot *slot_at(const kri_shared *q, uint32_t place)
{
    uint32_t index = q->order[place];
    return index < q->maxsize ? &q->slots[index] : NULL;
}

/* Does the item at place a come before the one at b?  A damaged place comes last. */
static bool is_before(const kri_shared *q, uint32_t a, uint32_t b)
{
    const kri_slot *left = slot_at(q, a);
    const kri_slot *right = slot_at(q, b);
    if (left == NULL || right == NULL)
        return left != NULL;
    if (left->priority != right->priority)
        return left->priority < right->priority;
    return left->serial < right->serial;
}

static void exchange(const kri_shared *q, uint32_t a, uint32_t b)
{
    uint32_t index = q->order[a];
    q->order[a] = q->order[b];
    q->order[b] = index;
}

static void rise(const kri_shared *q, uint32_t place)
{
    while (place > 0 && is_before(q, place, (place - 1) / 2)) {
        exchange(q, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

static void sink(const kri_shared *q, uint32_t place, uint32_t count)
{
    while (place < count / 2) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < count && is_before(q, child + 1, child))
            child++;
        if (!is_before(q, child, place))
            return;
        exchange(q, place, child);
        place = child;
    }
}

/* How many items there are; -1: damaged. */
static int64_t count_of(const kri_shared *q)
{
    uint64_t count = kri_load_rlx64(&q->state->put.at) - kri_load_rlx64(&q->state->get.at);
    return count <= q->maxsize ? (int64_t)count : -1;
}

/* Copies the item into the first free chunks and cuts them off the free list; false: damaged. */
static bool fill(const kri_shared *q, kri_slot *slot, const unsigned char *item, size_t length)
{
    kri_ledger *ledger = &q->state->ledger;
    uint32_t chunks = chunks_of(q, length);
    uint32_t chunk = ledger->first_free;
    slot->first = chunk;
    kri_store_rlx(&slot->length, (uint32_t)length);
    for (uint32_t i = 0; i < chunks; i++) {
        if (chunk >= q->units)
            return false;
        size_t piece = length < q->chunk ? length : q->chunk;
        kr_explore_write(q->bytes + (size_t)chunk * q->chunk, piece);
        if (piece > 0) { /* else there may be no address, either */
            memcpy(q->bytes + (size_t)chunk * q->chunk, item, piece);
            item += piece;
        }
        length -= piece;
        uint32_t next = q->links[chunk];
        if (i + 1 == chunks)
            q->links[chunk] = END;
        chunk = next;
    }
    ledger->first_free = chunk;
    ledger->free_chunks -= chunks;
    return true;
}

static int put_one(const kri_shared *q, const kri_put *put, const unsigned char *item)
{
    int64_t count = count_of(q);
    if (count < 0)
        return KR_ECORRUPT;
    if (count == q->maxsize || chunks_of(q, put->length) > q->state->ledger.free_chunks)
        return -EAGAIN;
    kri_slot *slot = slot_at(q, (uint32_t)count);
    if (slot == NULL || is_full(slot) || !fill(q, slot, item, put->length))
        return KR_ECORRUPT;
    slot->priority = put->priority;
    slot->serial = kri_load_rlx64(&q->state->put.at);
    kri_store_rel(&slot->state, KRI_SLOT_FULL);
    kri_store_sc64(&q->state->put.at, slot->serial + 1); /* [bell-1] */
    rise(q, (uint32_t)count);
    return 1;
}

int kri_heap_put(const kri_shared *q, const kri_put *put)
{
    size_t done = 0;
    int result = 1;
    for (; done < put->count && result > 0; done++) {
        result = put_one(q, put, done == 0 ? put->items : put->items + done * put->length);
        if (result < 0)
            break;
    }
    return done > 0 ? (int)done : result;
}

/* Copies the item out and finds its last chunk; false: damaged. */
static bool empty_out(const kri_shared *q, uint32_t chunk, size_t length, unsigned char *to,
                      uint32_t *last)
{
    for (uint32_t left = chunks_of(q, length); left > 0; left--) {
        if (chunk >= q->units)
            return false;
        size_t piece = length < q->chunk ? length : q->chunk;
        kr_explore_read(q->bytes + (size_t)chunk * q->chunk, piece);
        if (piece > 0) {
            memcpy(to, q->bytes + (size_t)chunk * q->chunk, piece);
            to += piece;
        }
        length -= piece;
        *last = chunk;
        chunk = q->links[chunk];
    }
    return true;
}

static int get_one(const kri_shared *q, kri_get *get, unsigned char *to)
{
    kri_ledger *ledger = &q->state->ledger;
    int64_t count = count_of(q);
    if (count <= 0)
        return count < 0 ? KR_ECORRUPT : -EAGAIN;
    kri_slot *slot = slot_at(q, 0);
    if (slot == NULL || !is_full(slot))
        return KR_ECORRUPT;
    uint32_t length = kri_load_rlx(&slot->length); /* once: it may change */
    if (length > q->longest || (q->item_size != 0 && length != q->item_size))
        return KR_ECORRUPT;
    get->length = length;
    get->priority = slot->priority;
    if (length > get->room)
        return -EMSGSIZE;
    uint32_t last = 0;
    if (!empty_out(q, slot->first, length, to, &last))
        return KR_ECORRUPT;
    kri_store_rel(&slot->state, KRI_SLOT_FREE);
    kri_store_sc64(&q->state->get.at, kri_load_rlx64(&q->state->get.at) + 1); /* [bell-1] */
    exchange(q, 0, (uint32_t)count - 1);
    sink(q, 0, (uint32_t)count - 1);
    q->links[last] = ledger->first_free;
    ledger->first_free = slot->first;
    ledger->free_chunks += chunks_of(q, length);
    return 1;
}

int kri_heap_get(const kri_shared *q, kri_get *get)
{
    size_t done = 0;
    int result = 1;
    for (; done < get->count; done++) {
        result = get_one(q, get, done == 0 ? get->items : get->items + done * get->room);
        if (result < 0)
            break;
    }
    return done > 0 ? (int)done : result;
}

/* Marks the chunks of a full slot; false: damaged. */
static bool mark_chunks(const kri_shared *q, const kri_slot *slot)
{
    uint32_t length = kri_load_rlx(&slot->length);
    if (length > q->longest)
        return false;
    uint32_t chunk = slot->first;
    for (uint32_t left = chunks_of(q, length); left > 0; left--) {
        if (chunk >= q->units || q->marks[chunk] != 0)
            return false;
        q->marks[chunk] = 1;
        chunk = q->links[chunk];
    }
    return true;
}

static void free_unmarked(const kri_shared *q)
{
    kri_ledger *ledger = &q->state->ledger;
    ledger->first_free = END;
    ledger->free_chunks = 0;
    for (uint32_t i = q->units; i-- > 0;) {
        if (q->marks[i] != 0)
            continue;
        q->links[i] = ledger->first_free;
        ledger->first_free = i;
        ledger->free_chunks++;
    }
}

int kri_heap_repair(const kri_shared *q)
{
    uint64_t puts = kri_load_rlx64(&q->state->put.at);
    uint64_t counted = puts;
    uint32_t full = 0;
    uint32_t free_from = q->maxsize;
    memset(q->marks, 0, q->units);
    for (uint32_t i = 0; i < q->maxsize; i++) {
        const kri_slot *slot = &q->slots[i];
        if (!is_full(slot)) {
            q->order[--free_from] = i;
            continue;
        }
        q->order[full++] = i;
        if (!mark_chunks(q, slot))
            return KR_ECORRUPT;
        if (slot->serial == puts)
            counted = puts + 1;
    }
    free_unmarked(q);
    for (uint32_t place = full / 2; place-- > 0;)
        sink(q, place, full);
    kri_store_sc64(&q->state->get.at, counted - full);
    kri_store_sc64(&q->state->put.at, counted);
    return 0;
}
