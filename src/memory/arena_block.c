/* The blocks of an arena: found by size, divided, united.
 *
 * State.  The truth is the chain of heads: each says how long its block is and whether it is free,
 * in one word; the next one begins where it ends.  Everything else is derived from that: lists of
 * the free blocks (gaps) by size, each block's distance to the one before, the counts.
 *
 * Protocol, all with the lock.  At every instant, so wherever a process may be killed, the chain is
 * whole; each of these is one store:
 *     take     a gap becomes used.  If it is longer than needed, the head of its second half was
 *              written before, where nobody looks yet, and the same store makes it shorter
 *     free     a used block becomes a gap
 *     unite    a gap becomes longer by the one after it
 * What is derived is changed beside that without an order, and made anew (rebuild) by who gets the
 * lock after a death: a walk along the chain, which also unites gaps that were not yet united.  So
 * there is no record of what was under way, and nothing to undo.
 *
 * Ordering.
 *     [arena-1]  a commit is a release, and so is every store that must come after one: a process
 *                may die between any two, and the lock's next holder sees them in this order
 *
 * Others may write into the memory at any time.  So a size that an access depends on is read once,
 * and compared with the arena's end (sound_size); what is read then can be wrong, but leads nowhere
 * outside.
 *
 * Gaps are sorted into four classes for each power of two.  Any gap of a higher class than the
 * wanted size's is long enough.
 *
 * Why not a record of what is to be done, for undo or redo?  It costs its stores in each call, and
 * has its own instants to get wrong; a rebuild costs only after a death: some 10 ns a block.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/arena.h"
#include "sync/internal.h"

enum { CLASSES = 4, FEW = 8, SMALLEST = 2 * KRI_BLOCK_UNIT };

static uint64_t size_of(const kri_block *b)
{
    return kri_block_size(kri_load_rlx64(&b->state));
}

static bool is_kind(const kri_block *b, unsigned kind)
{
    return kri_block_kind(kri_load_rlx64(&b->state)) == kind;
}

/* The size of the block that begins there; 0: what stands there is no head, or of one that does not
 * end inside. */
static uint64_t sound_size(const kr_arena *a, uint64_t offset)
{
    if (!kri_block_is_inside(a, offset))
        return 0;
    uint64_t state = kri_load_rlx64(&kri_block_at(a, offset)->state);
    uint64_t size = kri_block_size(state);
    unsigned kind = kri_block_kind(state);
    bool is = size >= KRI_BLOCK_UNIT && size <= a->end - offset && kind >= KRI_BLOCK_FREE &&
              kind <= KRI_BLOCK_DEFERRED;
    return is ? size : 0;
}

static bool is_sound(const kr_arena *a, uint64_t offset)
{
    return sound_size(a, offset) != 0;
}

kri_block *kri_block_of(const kr_arena *a, const void *memory)
{
    uintptr_t address = (uintptr_t)memory - (uintptr_t)a->state - sizeof(kri_block);
    return is_sound(a, address) ? kri_block_at(a, address) : NULL;
}

static kri_block *after(const kr_arena *a, const kri_block *b)
{
    uint64_t next = kri_block_offset(a, b) + size_of(b);
    return next < a->end ? kri_block_at(a, next) : NULL;
}

/* Bins */

static unsigned bin_of(uint64_t size)
{
    uint64_t units = size / KRI_BLOCK_UNIT;
    unsigned power = 63 - (unsigned)__builtin_clzll(units | 1);
    unsigned part = power >= 2 ? (unsigned)(units >> (power - 2)) % CLASSES : 0;
    unsigned bin = power * CLASSES + part;
    return bin < KRI_ARENA_BINS ? bin : KRI_ARENA_BINS - 1; /* no such size but by damage */
}

static void insert(const kr_arena *a, kri_block *b)
{
    kri_arena_state *s = a->state;
    unsigned bin = bin_of(size_of(b));
    uint64_t first = s->bins[bin], own = kri_block_offset(a, b);
    kri_store_rel64(&b->owner, first); /* [arena-1] */
    kri_store_rel64(&b->more, 0);      /* [arena-1] */
    if (kri_block_is_inside(a, first))
        kri_store_rlx64(&kri_block_at(a, first)->more, own);
    s->bins[bin] = own;
    s->filled[bin / 64] |= UINT64_C(1) << bin % 64;
    s->gaps++;
}

/* False: its links lead to nowhere. */
static bool take_out(const kr_arena *a, const kri_block *b)
{
    kri_arena_state *s = a->state;
    unsigned bin = bin_of(size_of(b));
    uint64_t next = kri_load_rlx64(&b->owner), last = kri_load_rlx64(&b->more);
    if ((next != 0 && !is_sound(a, next)) || (last != 0 && !is_sound(a, last)))
        return false;
    if (next != 0)
        kri_store_rlx64(&kri_block_at(a, next)->more, last);
    if (last != 0)
        kri_store_rlx64(&kri_block_at(a, last)->owner, next);
    else
        s->bins[bin] = next;
    if (s->bins[bin] == 0)
        s->filled[bin / 64] &= ~(UINT64_C(1) << bin % 64);
    s->gaps--;
    return true;
}

static bool is_gap(const kr_arena *a, uint64_t offset)
{
    return is_sound(a, offset) && is_kind(kri_block_at(a, offset), KRI_BLOCK_FREE);
}

/* Looks at so many gaps of one bin. */
static kri_block *first_fit(const kr_arena *a, unsigned bin, uint64_t size, uint64_t looks)
{
    uint64_t at = a->state->bins[bin];
    for (; looks > 0 && is_gap(a, at); looks--) {
        kri_block *b = kri_block_at(a, at);
        if (size_of(b) >= size)
            return b;
        at = kri_load_rlx64(&b->owner);
    }
    return NULL;
}

static kri_block *first_above(const kr_arena *a, unsigned bin)
{
    unsigned next = bin + 1;
    while (next < KRI_ARENA_BINS) {
        uint64_t rest = a->state->filled[next / 64] >> next % 64;
        if (rest != 0) {
            next += (unsigned)__builtin_ctzll(rest);
            uint64_t at = a->state->bins[next];
            return is_gap(a, at) ? kri_block_at(a, at) : NULL;
        }
        next = (next / 64 + 1) * 64;
    }
    return NULL;
}

/* The whole list of the size's own class only when nothing else is left. */
static kri_block *find(const kr_arena *a, uint64_t size)
{
    unsigned bin = bin_of(size);
    kri_block *found = first_fit(a, bin, size, FEW);
    if (found == NULL)
        found = first_above(a, bin);
    if (found == NULL)
        found = first_fit(a, bin, size, (a->end - a->first) / KRI_BLOCK_UNIT);
    return found;
}

/* Take and free */

/* Its second half; b is `whole` bytes. */
static kri_block *divide(const kr_arena *a, kri_block *b, uint64_t whole, uint64_t size)
{
    uint64_t offset = kri_block_offset(a, b);
    kri_block *rest = kri_block_at(a, offset + size);
    uint64_t left = whole - size;
    kri_store_rlx64(&rest->before, size);
    kri_store_rlx64(&rest->state, left | KRI_BLOCK_FREE);
    if (offset + whole < a->end)
        kri_store_rlx64(&kri_block_at(a, offset + whole)->before, left);
    return rest;
}

int kri_block_take(const kr_arena *a, uint64_t size, uint64_t asked, kri_block **taken)
{
    kri_block *b = find(a, size);
    if (b == NULL)
        return -ENOSPC;
    uint64_t whole = sound_size(a, kri_block_offset(a, b));
    if (whole < size || !take_out(a, b))
        return KR_ECORRUPT;
    kri_block *rest = whole - size >= SMALLEST ? divide(a, b, whole, size) : NULL;
    whole = rest != NULL ? size : whole;
    kri_store_rlx64(&b->owner, kri_process_self());
    kri_store_rlx64(&b->more, asked);
    kri_store_rel64(&b->state, whole | KRI_BLOCK_USED); /* [arena-1] */
    if (rest != NULL)
        insert(a, rest);
    a->state->occupied += whole;
    a->state->pieces++;
    *taken = b;
    return 0;
}

bool kri_block_commit_free(kri_block *b, unsigned kind)
{
    uint64_t state = kri_load_rlx64(&b->state);
    return kri_block_kind(state) == kind &&
           kri_cas_rel64(&b->state, &state, kri_block_size(state) | KRI_BLOCK_FREE); /* [arena-1] */
}

/* b grows by the one after it. */
static void unite(const kr_arena *a, kri_block *b, const kri_block *next)
{
    uint64_t size = size_of(b) + size_of(next);
    kri_store_rel64(&b->state, size | KRI_BLOCK_FREE); /* [arena-1] */
    kri_block *last = after(a, b);
    if (last != NULL)
        kri_store_rel64(&last->before, size); /* [arena-1] */
}

static kri_block *gap_before(const kr_arena *a, const kri_block *b)
{
    uint64_t distance = kri_load_rlx64(&b->before), offset = kri_block_offset(a, b);
    if (distance == 0 || distance > offset - a->first || !is_gap(a, offset - distance))
        return NULL;
    kri_block *last = kri_block_at(a, offset - distance);
    return size_of(last) == distance ? last : NULL;
}

int kri_block_settle(const kr_arena *a, kri_block *b)
{
    a->state->occupied -= size_of(b);
    a->state->pieces--;
    kri_block *next = after(a, b), *last = gap_before(a, b);
    if (next != NULL && is_gap(a, kri_block_offset(a, next))) {
        if (!take_out(a, next))
            return KR_ECORRUPT;
        unite(a, b, next);
    }
    if (last != NULL) {
        if (!take_out(a, last))
            return KR_ECORRUPT;
        unite(a, last, b);
        b = last;
    }
    insert(a, b);
    return 0;
}

/* All of them */

int kri_blocks_each(const kr_arena *a, void (*each)(const kr_arena *a, kri_block *b, void *arg),
                    void *arg)
{
    for (uint64_t at = a->first; at != a->end;) {
        kri_block *b = kri_block_at(a, at);
        uint64_t size = sound_size(a, at);
        if (size == 0)
            return KR_ECORRUPT;
        at += size;
        each(a, b, arg);
    }
    return 0;
}

static void unite_run(const kr_arena *a, kri_block *b)
{
    for (kri_block *next = after(a, b); next != NULL && is_gap(a, kri_block_offset(a, next));
         next = after(a, b))
        unite(a, b, next);
}

static void forget(kri_arena_state *s)
{
    s->occupied = s->pieces = s->gaps = 0;
    for (int i = 0; i < KRI_BIN_WORDS; i++)
        s->filled[i] = 0;
    for (int i = 0; i < KRI_ARENA_BINS; i++)
        s->bins[i] = 0;
}

int kri_blocks_rebuild(const kr_arena *a)
{
    uint64_t before = 0;
    forget(a->state);
    for (uint64_t at = a->first; at != a->end; at += before) {
        if (!is_sound(a, at))
            return KR_ECORRUPT;
        kri_block *b = kri_block_at(a, at);
        bool gap = is_kind(b, KRI_BLOCK_FREE);
        if (gap)
            unite_run(a, b);
        kri_store_rel64(&b->before, before); /* [arena-1] */
        before = sound_size(a, at);
        if (before == 0)
            return KR_ECORRUPT;
        if (gap) {
            insert(a, b);
        } else {
            a->state->occupied += before;
            a->state->pieces++;
        }
    }
    return 0;
}
