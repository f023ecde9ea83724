/* A ring of records in shared memory that is whole at every instant.
 *
 * State.  Records stand one behind the other from get.at to put.at, each of some units of 8 bytes:
 * a unit that says its length, kind and place, then its bytes.  A record may go round the end of
 * the ring between any two bytes of it.
 *
 * Fields.
 *     put.at, get.at   how many units each side has come past, ever; atomic, changed under the
 *                      side's lock.  The place in the ring is what is left when divided by its size
 *     put.seen         guarded by put.lock: get.at, as last seen; get.seen the other way round
 *
 * Protocol.  A sender copies a record behind put.at and then stores the new put.at: that store is
 * the put.  A receiver copies out and then stores the new get.at.  Whoever dies before its store
 * has changed nothing, so the next holder of the lock just goes on.  Each side goes by what it has
 * seen of the other until that no longer suffices: in a stream the two share a line of the cache
 * once in many records.
 *
 * Whoever has the memory may write anything into it, at any time.  So a position is used only after
 * it was read once, into a variable, and compared with the other: they lie at most the size of the
 * ring apart.  A record's first unit is copied before it is judged: it must be marked with its
 * place, and end before put.at.  What is read can be wrong then, but is never outside the ring.
 *
 * Ordering.
 *     [pipe-1]  put.at releases the record to whoever takes it
 *     [pipe-2]  get.at releases the room to whoever fills it
 *     Both are stored, and before somebody sleeps loaded, sequentially consistent for the calls'
 *     sake [pipe-call].
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/ring.h"
#include <string.h>

enum { FETCH_AHEAD = 72 }; /* units, some lines; measured */

static uint16_t mark_of(uint64_t at)
{
    return (uint16_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 48 ^ 0x6b72u);
}

/* Where a unit lies. */
static size_t place_of(const kri_ring *ring, uint64_t at)
{
    return (size_t)(at & (ring->units - 1)) * KRI_RING_UNIT;
}

/* Fetch the line where a later record will begin, before the locked instructions of the next calls
 * would have to wait for it; as far as the other side will not touch it meanwhile. */
static inline void fetch(const kri_ring *ring, uint64_t at, int64_t ours, bool to_write)
{
    if (ours <= FETCH_AHEAD)
        return;
    const unsigned char *line = ring->bytes + place_of(ring, at + FETCH_AHEAD);
    if (to_write)
        __builtin_prefetch(line, 1);
    else
        __builtin_prefetch(line, 0);
}

static void copy_in(const kri_ring *ring, size_t place, const void *from, size_t size)
{
    size_t ring_size = (size_t)ring->units * KRI_RING_UNIT;
    size_t to_end = ring_size - place;
    size_t first = size < to_end ? size : to_end;
    if (size == 0)
        return;
    memcpy(ring->bytes + place, from, first);
    if (first < size)
        memcpy(ring->bytes, (const unsigned char *)from + first, size - first);
}

static void copy_out(const kri_ring *ring, size_t place, void *to, size_t size)
{
    size_t ring_size = (size_t)ring->units * KRI_RING_UNIT;
    size_t to_end = ring_size - place;
    size_t first = size < to_end ? size : to_end;
    if (size == 0)
        return;
    memcpy(to, ring->bytes + place, first);
    if (first < size)
        memcpy((unsigned char *)to + first, ring->bytes, size - first);
}

/* Units between the two; KR_ECORRUPT: no such two can be. */
static int64_t used(const kri_ring *ring, uint64_t put_at, uint64_t get_at)
{
    uint64_t units = put_at - get_at;
    return units <= ring->units ? (int64_t)units : KR_ECORRUPT;
}

int64_t kri_ring_room(const kri_ring *ring)
{
    uint64_t get_at = kri_load_sc64(&ring->state->get.at); /* [pipe-2] [pipe-call] */
    int64_t units = used(ring, kri_load_sc64(&ring->state->put.at), get_at);
    return units < 0 ? units : (int64_t)ring->units - units;
}

int kri_ring_put_record(const kri_ring *ring, const kri_ring_part *part)
{
    kri_ring_side *side = &ring->state->put;
    uint64_t at = kri_load_rlx64(&side->at);
    size_t length = part->head_size + part->size;
    int64_t need = (int64_t)kri_ring_units(length);
    int64_t units = used(ring, at, kri_load_rlx64(&side->seen));
    if (units < 0 || (int64_t)ring->units - units < need) {
        uint64_t seen = kri_load_sc64(&ring->state->get.at); /* [pipe-2] [pipe-call] */
        kri_store_rlx64(&side->seen, seen);
        units = used(ring, at, seen);
    }
    if (units < 0)
        return KR_ECORRUPT;
    if ((int64_t)ring->units - units < need)
        return -EAGAIN;
    fetch(ring, at, (int64_t)ring->units - units, true);
    size_t place = place_of(ring, at);
    kri_record record = {
        .length = (uint32_t)length, .kind = (uint16_t)part->kind, .mark = mark_of(at)};
    memcpy(ring->bytes + place, &record, sizeof record);
    place = place_of(ring, at + 1);
    copy_in(ring, place, part->head, part->head_size);
    copy_in(ring, place_of(ring, at + 1 + part->head_size / KRI_RING_UNIT), part->bytes,
            part->size);
    kri_store_sc64(&side->at, at + (uint64_t)need); /* [pipe-1] [pipe-call] */
    return 0;
}

bool kri_ring_has(const kri_ring *ring)
{
    uint64_t get_at = kri_load_sc64(&ring->state->get.at);
    return kri_load_sc64(&ring->state->put.at) != get_at; /* [pipe-1] [pipe-call] */
}

int kri_ring_look(const kri_ring *ring, kri_record *record)
{
    kri_ring_side *side = &ring->state->get;
    uint64_t at = kri_load_rlx64(&side->at);
    uint64_t seen = kri_load_rlx64(&side->seen);
    if (seen == at) {
        seen = kri_load_sc64(&ring->state->put.at); /* [pipe-1] [pipe-call] */
        kri_store_rlx64(&side->seen, seen);
    }
    int64_t units = used(ring, seen, at);
    if (units <= 0)
        return units < 0 ? KR_ECORRUPT : -EAGAIN;
    fetch(ring, at, units, false);
    memcpy(record, ring->bytes + place_of(ring, at), sizeof *record);
    bool whole = record->mark == mark_of(at) && record->kind >= KRI_RECORD_WHOLE &&
                 record->kind <= KRI_RECORD_ATTACHMENT &&
                 kri_ring_units(record->length) <= (uint64_t)units;
    return whole ? 0 : KR_ECORRUPT;
}

void kri_ring_copy(const kri_ring *ring, size_t from, void *to, size_t size)
{
    uint64_t at = kri_load_rlx64(&ring->state->get.at) + 1;
    size_t ring_size = (size_t)ring->units * KRI_RING_UNIT;
    copy_out(ring, (place_of(ring, at) + from) & (ring_size - 1), to, size);
}

void kri_ring_pass(const kri_ring *ring, const kri_record *record)
{
    kri_ring_side *side = &ring->state->get;
    uint64_t at = kri_load_rlx64(&side->at);
    kri_store_sc64(&side->at, at + kri_ring_units(record->length)); /* [pipe-2] [pipe-call] */
}
