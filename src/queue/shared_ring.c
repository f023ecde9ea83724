/* A fifo in shared memory: a ring of bytes that is whole at every instant.
 *
 * State.  Records stand one behind the other from get.at to put.at, each of some units of 8 bytes:
 * a unit with its length and its number, then its bytes.  A record may go round the end of the
 * ring between any two bytes of it, so no room is ever left over.
 *
 * Fields.
 *     put.at, get.at   low half: how many items this side has handled, ever; high half: the unit
 *                      where its next record begins.  Atomic, changed under the side's lock
 *     put.seen         guarded by put.lock: get.at, as last seen; get.seen the other way round
 *
 * Protocol.  Either side has a lock of its own.  A writer copies its records behind put.at and
 * then stores the new put.at: that store is the put.  A reader copies out and then stores the new
 * get.at: that store is the get.  Whoever dies before its store has changed nothing; who dies
 * after it has finished.  So there is nothing to undo, and the next holder of the lock goes on at
 * once, wherever the kill fell.  What it may not rely on is `seen`, since what the dead one had
 * acquired with it was never released: it looks again.
 *
 * Each side goes by what it has seen of the other's position until that no longer suffices.  In a
 * stream the two then share a line of the cache once in many items.
 *
 * A position that was damaged by a stray write is found before it is used: the unit lies in the
 * ring, the distance of the two fits the count of items, and every record its length and number.
 *
 * Ordering.
 *     [ring-1]  put.at releases the records to whoever gets them
 *     [ring-2]  get.at releases the room to whoever fills it
 *     The release of the lock that follows each orders it with the bells [bell-1].
 *
 * Why not.
 *     Reserve under the lock, copy outside of it, commit each record: it lets several writers copy
 *     at a time.  But records would then have owners that must be proven dead, by a reader that
 *     finds one unfinished and by a writer that finds one half read; a fifo cannot hand out what
 *     comes after an unfinished one anyway.  With a lock on either side one copy in and one copy
 *     out overlap already.
 *     Lock-free rings lose a slot, or hang, when somebody dies between claiming and publishing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared.h"
#include <krait/explore.h>
#include <string.h>

enum { UNIT = 8, LINE = 64 };
enum { FETCH_AHEAD = 72 }; /* units, some lines; measured */

/* The first unit of a record. */
typedef struct record {
    uint32_t length;
    uint32_t mark;
} record;

_Static_assert(sizeof(record) == UNIT, "a record begins on a unit");
_Static_assert(offsetof(record, length) == 0, "part of the layout");
_Static_assert(offsetof(record, mark) == 4, "part of the layout");

static uint32_t items_of(uint64_t at)
{
    return (uint32_t)at;
}

static uint32_t unit_of(uint64_t at)
{
    return (uint32_t)(at >> 32);
}

static uint64_t at_of(uint32_t unit, uint32_t items)
{
    return (uint64_t)unit << 32 | items;
}

/* Each record is marked with its number, so that a position that points elsewhere is found. */
static uint32_t mark_of(uint32_t item)
{
    return item * 0x9e3779b9u ^ 0x6b72u;
}

static uint32_t units_of(size_t length)
{
    return (uint32_t)(1 + (length + UNIT - 1) / UNIT);
}

typedef struct span {
    uint32_t items;
    uint32_t units;
} span;

/* What lies between the two positions; false: no such two positions can be. */
static bool measure(const kri_shared *q, uint64_t put_at, uint64_t get_at, span *between)
{
    uint32_t end = unit_of(put_at);
    uint32_t begin = unit_of(get_at);
    between->items = items_of(put_at) - items_of(get_at);
    if (end >= q->units || begin >= q->units || between->items > q->maxsize)
        return false;
    between->units = end - begin;
    if (between->items == 0)
        return end == begin;
    if (end <= begin)
        between->units += q->units;
    return between->units >= between->items;
}

/* A line of the cache is copied without a call. */
static inline void copy(void *to, const void *from, size_t length)
{
    if (length == LINE)
        memcpy(to, from, LINE);
    else
        memcpy(to, from, length);
}

static inline void copy_in(const kri_shared *q, uint32_t unit, const void *from, size_t length)
{
    size_t at = (size_t)unit * UNIT;
    size_t to_end = (size_t)q->units * UNIT - at;
    size_t first = length < to_end ? length : to_end;
    kr_explore_write(q->bytes + at, first);
    if (first > 0) /* from may be NULL then */
        copy(q->bytes + at, from, first);
    if (first < length)
        memcpy(q->bytes, (const unsigned char *)from + first, length - first);
}

static inline void copy_out(const kri_shared *q, uint32_t unit, void *to, size_t length)
{
    size_t at = (size_t)unit * UNIT;
    size_t to_end = (size_t)q->units * UNIT - at;
    size_t first = length < to_end ? length : to_end;
    kr_explore_read(q->bytes + at, first);
    if (first > 0)
        copy(to, q->bytes + at, first);
    if (first < length)
        memcpy((unsigned char *)to + first, q->bytes, length - first);
}

/* Fetch the line where a later record will begin, before the locked instructions of the next calls
 * would have to wait for it; as far as the other side will not touch it meanwhile. */
static inline void fetch(const kri_shared *q, uint32_t unit, uint64_t ours, bool to_write)
{
    if (ours < FETCH_AHEAD)
        return;
    size_t at = (size_t)unit + FETCH_AHEAD;
    const unsigned char *line = q->bytes + (at < q->units ? at : at - q->units) * UNIT;
    if (to_write)
        __builtin_prefetch(line, 1);
    else
        __builtin_prefetch(line, 0);
}

static uint32_t advance(const kri_shared *q, uint32_t unit, uint32_t by)
{
    uint32_t left = q->units - unit;
    return by < left ? unit + by : by - left;
}

/* How many records of `need` units fit, of `count`. */
static size_t room_in(const kri_shared *q, const span *used, uint32_t need, size_t count)
{
    uint32_t units = q->units - used->units;
    uint32_t by_items = q->maxsize - used->items;
    if (__builtin_expect(count == 1, 1)) /* a division takes longer than the rest */
        return units >= need && by_items > 0;
    uint32_t by_units = units / need;
    uint32_t fit = by_units < by_items ? by_units : by_items;
    return fit < count ? fit : count;
}

int kri_ring_put(const kri_shared *q, const kri_put *put)
{
    kri_side *side = &q->state->put;
    uint64_t at = kri_load_rlx64(&side->at);
    uint32_t need = units_of(put->length);
    span used;
    bool sound = measure(q, at, kri_load_rlx64(&side->seen), &used);
    if (!sound || room_in(q, &used, need, put->count) < put->count) {
        uint64_t seen = kri_side_look(&q->state->get); /* [ring-2] [bell-1] */
        kri_store_rlx64(&side->seen, seen);
        sound = measure(q, at, seen, &used);
    }
    if (!sound)
        return KR_ECORRUPT;
    size_t count = room_in(q, &used, need, put->count);
    if (count == 0)
        return -EAGAIN;
    fetch(q, unit_of(at), q->units - used.units, true);
    uint32_t unit = unit_of(at);
    uint32_t item = items_of(at);
    for (size_t i = 0; i < count; i++, item++) {
        *(record *)(void *)(q->bytes + (size_t)unit * UNIT) =
            (record){.length = (uint32_t)put->length, .mark = mark_of(item)};
        if (put->length > 0) /* else there may be no address, either */
            copy_in(q, advance(q, unit, 1), put->items + i * put->length, put->length);
        unit = advance(q, unit, need);
    }
    kri_store_rel64(&side->at, at_of(unit, item)); /* [ring-1] */
    return (int)count;
}

/* Copies one item out and says how many units it took; KR_ECORRUPT, -EMSGSIZE. */
static int64_t take_one(const kri_shared *q, uint32_t unit, uint32_t item, uint32_t units,
                        kri_get *get, size_t index)
{
    record r = *(const record *)(void *)(q->bytes + (size_t)unit * UNIT);
    if (r.mark != mark_of(item) || r.length > q->longest || units_of(r.length) > units ||
        (q->item_size != 0 && r.length != q->item_size))
        return KR_ECORRUPT;
    get->length = r.length;
    if (r.length > get->room)
        return -EMSGSIZE;
    if (r.length > 0)
        copy_out(q, advance(q, unit, 1), get->items + index * get->room, r.length);
    return units_of(r.length);
}

int kri_ring_get(const kri_shared *q, kri_get *get)
{
    kri_side *side = &q->state->get;
    uint64_t at = kri_load_rlx64(&side->at);
    span full;
    bool sound = measure(q, kri_load_rlx64(&side->seen), at, &full);
    if (!sound || full.items < get->count) {
        uint64_t seen = kri_side_look(&q->state->put); /* [ring-1] [bell-1] */
        kri_store_rlx64(&side->seen, seen);
        sound = measure(q, seen, at, &full);
    }
    if (!sound)
        return KR_ECORRUPT;
    if (full.items == 0)
        return -EAGAIN;
    fetch(q, unit_of(at), full.units, false);
    size_t count = get->count < full.items ? get->count : full.items;
    uint32_t unit = unit_of(at);
    uint32_t item = items_of(at);
    size_t taken = 0;
    int64_t used = 0;
    for (; taken < count; taken++, item++) {
        used = take_one(q, unit, item, full.units, get, taken);
        if (used < 0)
            break;
        full.units -= (uint32_t)used;
        unit = advance(q, unit, (uint32_t)used);
    }
    if (taken == 0)
        return (int)used;
    kri_store_rel64(&side->at, at_of(unit, item)); /* [ring-2] */
    return (int)taken;
}

bool kri_ring_has_room(const kri_shared *q)
{
    span used;
    uint64_t put_at = kri_side_look(&q->state->put);
    return measure(q, put_at, kri_side_look(&q->state->get), &used) &&
           room_in(q, &used, units_of(q->item_size), 1) > 0;
}
