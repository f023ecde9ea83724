/* A bounded work-stealing deque, after Chase and Lev, with the corrections and orders that Le, Pop,
 * Cohen and Zappa Nardelli have proved for C11; here without fences.
 *
 * State.  Places are numbered without end, 64 bits wide, so that none comes twice; the item of
 * place n is in slot n % ROOM.  Items lie in the places from top to bottom - 1.
 *
 * Fields.
 *     top       rises only, by compare-and-swap: of a thief for any item, of the owner for the last
 *     bottom    the owner's; one less while it pops, even below top when there was nothing
 *     top_seen  owner, plain: a top of the past, so never too large.  A push reads the shared top
 *               only when the deque looks full by it, a pop needs nothing when it is bottom.
 *     slots     written by the owner in push; a thief may read one that is already overwritten, and
 *               then its compare-and-swap fails
 *
 * Protocol.
 *     push   writes the slot, then raises bottom.
 *     steal  reads top, bottom, the slot, and owns the item once it has raised top.
 *     pop    lowers bottom, then reads top.  If more than the item at bottom is left, no thief gets
 *            as far as to it; if just that one is, whoever raises top has it; then, or when there
 *            was none, bottom is put back.
 *
 * Ordering.
 *     [deque-1]  push's store of bottom releases the slot and what the item points to; the thief's
 *                load acquires it.  pop's lowering store releases too: it takes the place of the
 *                pushes before it.
 *     [deque-2]  pop stores bottom, then loads top; a thief loads top, then bottom.  All four, and
 *                a thief's change of top, are in the one order of sc.  A pop that does not see the
 *                item below its own stolen comes before that change; so whoever has seen the
 *                change, and is after the popped item, sees the bottom that was lowered before.
 *     [deque-3]  push stores bottom, then its caller loads who sleeps; a sleeper stores that, then
 *                loads bottom in is_empty: all sc.
 *     [deque-4]  A thief reads the slot before it raises top (its change releases), and the owner
 *                writes the slot again only after it has seen that: in push, or in the pop that
 *                lost the last item (both acquire).
 *     In is_empty and length top is read first (acquire), so an outdated one means "not empty".
 *     The rest is relaxed.  Of the owner's change of top nobody learns anything: it only contends
 *     with other changes.  bottom put back equals top, so whoever takes it for an item has an
 *     outdated top, and its change fails.
 *
 *     The explorer runs the loads of a thread in their order and lets none see a later store, so
 *     it passes with less in five places, which stand on the proof alone: the loads of top in
 *     steal, is_empty and length, and the two acquires of [deque-4].
 *
 * Why not a growing ring?  A full deque hands over to the pool's common queue, where others look
 * anyway; a bound needs no reclamation of rings that a thief may still read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/deque.h"

static inline size_t slot_of(uint64_t place)
{
    return place % KRI_DEQUE_ROOM;
}

/* How many items lie between the two; less than none during a pop of nothing. */
static inline int64_t between(uint64_t top, uint64_t bottom)
{
    return (int64_t)(bottom - top);
}

bool kri_deque_push(kri_deque *d, uint64_t item)
{
    uint64_t bottom = kri_load_rlx64(&d->bottom);
    if (between(d->top_seen, bottom) >= KRI_DEQUE_ROOM) {
        d->top_seen = kri_load_acq64(&d->top); /* [deque-4] */
        if (between(d->top_seen, bottom) >= KRI_DEQUE_ROOM)
            return false;
    }
    kri_store_rlx64(&d->slots[slot_of(bottom)], item);
    kri_store_sc64(&d->bottom, bottom + 1); /* [deque-1] [deque-3] */
    return true;
}

/* The only item is left, at the place of `bottom`, which is lowered already. */
static uint64_t pop_last(kri_deque *d, uint64_t bottom, uint64_t item)
{
    uint64_t top = bottom;
    bool won = kri_cas_acq64(&d->top, &top, bottom + 1); /* [deque-4] */
    d->top_seen = bottom + 1;                            /* raised by us or by a thief */
    kri_store_rlx64(&d->bottom, bottom + 1);
    return won ? item : 0;
}

uint64_t kri_deque_pop(kri_deque *d)
{
    uint64_t bottom = kri_load_rlx64(&d->bottom);
    if (bottom == d->top_seen)
        return 0;
    bottom--;
    uint64_t item = kri_load_rlx64(&d->slots[slot_of(bottom)]);
    kri_store_sc64(&d->bottom, bottom);   /* [deque-1] [deque-2] */
    d->top_seen = kri_load_sc64(&d->top); /* [deque-2] */
    int64_t below = between(d->top_seen, bottom);
    if (below > 0)
        return item;
    if (below == 0)
        return pop_last(d, bottom, item);
    kri_store_rlx64(&d->bottom, bottom + 1);
    return 0;
}

uint64_t kri_deque_steal_unless(kri_deque *d, uint64_t tag)
{
    uint64_t top = kri_load_sc64(&d->top); /* [deque-2] */
    for (;;) {
        uint64_t bottom = kri_load_sc64(&d->bottom); /* [deque-1] [deque-2] */
        if (between(top, bottom) <= 0)
            return 0;
        uint64_t item = kri_load_rlx64(&d->slots[slot_of(top)]);
        if (item & tag)
            return 0;
        if (kri_cas_sc64(&d->top, &top, top + 1)) /* [deque-2] [deque-4] */
            return item;
    }
}

uint64_t kri_deque_steal(kri_deque *d)
{
    return kri_deque_steal_unless(d, 0);
}

uint64_t kri_deque_newest(const kri_deque *d)
{
    uint64_t bottom = kri_load_rlx64(&d->bottom);
    if (between(kri_load_rlx64(&d->top), bottom) <= 0)
        return 0;
    return kri_load_rlx64(&d->slots[slot_of(bottom - 1)]);
}

uint64_t kri_deque_mark(const kri_deque *d)
{
    return kri_load_rlx64(&d->bottom);
}

bool kri_deque_is_empty(const kri_deque *d)
{
    uint64_t top = kri_load_acq64(&d->top);
    return between(top, kri_load_sc64(&d->bottom)) <= 0; /* [deque-3] */
}

size_t kri_deque_length(const kri_deque *d)
{
    uint64_t top = kri_load_acq64(&d->top);
    int64_t length = between(top, kri_load_rlx64(&d->bottom));
    if (length <= 0)
        return 0;
    return length < KRI_DEQUE_ROOM ? (size_t)length : KRI_DEQUE_ROOM;
}
