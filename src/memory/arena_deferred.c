/* Frees that could not have the lock.
 *
 * State.  A list of blocks, newest first, whose heads say that they are deferred; `taken`, what is
 * left to do of a list that somebody has taken from there, and `rest`, what follows its first.
 *
 * Protocol.  Who frees and cannot have the lock at once marks the block (used becomes deferred, by
 * compare-and-swap, so that of two only one does it), and puts it before the list.  Neither waits.
 * Who has the lock takes the whole list and frees one after the other.  Each step is one store, in
 * this order, so that whoever comes after a death knows where it stopped:
 *     taken = the list's first     reachable from the list too: nothing was taken yet
 *     the list = empty
 *     rest = what follows it       and then, until nothing is left:
 *     the block = free             taken leads to a free block: `rest` is what is left
 *     taken = rest
 * Only then is the block united with others, which may put an end to its head.
 *
 * A process that dies after it has marked a block and before it has put it into the list leaves it
 * deferred; it is the dead one's then (marking makes it so), and kr_arena_reclaim finds it.
 *
 * Ordering.
 *     [deferred-1]  putting a block into the list releases what it says of itself
 *     [arena-1]     see arena_block.c
 *
 * Why not one by one?  Taking the first from a list that others put things before can be fooled: it
 * is gone, and there again, between the look and the swap.  The whole list cannot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/arena.h"
#include "sync/internal.h"

static bool is_deferred(const kr_arena *a, uint64_t offset)
{
    return kri_block_is_inside(a, offset) &&
           kri_block_kind(kri_load_rlx64(&kri_block_at(a, offset)->state)) == KRI_BLOCK_DEFERRED;
}

void kri_deferred_push(const kr_arena *a, kri_block *b)
{
    kri_arena_state *s = a->state;
    uint64_t first = kri_load_rlx64(&s->deferred), own = kri_block_offset(a, b);
    do
        kri_store_rlx64(&b->more, first);
    while (!kri_cas_rel64(&s->deferred, &first, own)); /* [deferred-1] */
}

static void take(kri_arena_state *s)
{
    uint64_t first = kri_load_acq64(&s->deferred); /* [deferred-1] */
    do
        kri_store_rel64(&s->taken, first);               /* [arena-1] */
    while (!kri_cas_acq_rel64(&s->deferred, &first, 0)); /* [deferred-1] */
}

/* Frees the first of those that were taken; NULL: the memory is damaged. */
static kri_block *free_first(const kr_arena *a)
{
    kri_arena_state *s = a->state;
    uint64_t first = kri_load_rlx64(&s->taken);
    if (!is_deferred(a, first))
        return NULL;
    kri_block *b = kri_block_at(a, first);
    uint64_t rest = kri_load_rlx64(&b->more);
    kri_store_rel64(&s->rest, rest); /* [arena-1] */
    if (!kri_block_commit_free(b, KRI_BLOCK_DEFERRED))
        return NULL;
    kri_store_rel64(&s->taken, rest); /* [arena-1] */
    return b;
}

int kri_deferred_drain(const kr_arena *a)
{
    kri_arena_state *s = a->state;
    if (kri_load_rlx64(&s->deferred) == 0)
        return 0;
    take(s);
    while (kri_load_rlx64(&s->taken) != 0) {
        kri_block *b = free_first(a);
        int err = b == NULL ? KR_ECORRUPT : kri_block_settle(a, b);
        if (err != 0)
            return err;
    }
    return 0;
}

/* Still in the list, so not taken?  Others may put blocks before it meanwhile. */
static bool is_listed(const kr_arena *a, uint64_t wanted)
{
    uint64_t at = kri_load_acq64(&a->state->deferred); /* [deferred-1] */
    uint64_t most = (a->end - a->first) / KRI_BLOCK_UNIT;
    for (; most > 0 && at != wanted && is_deferred(a, at); most--)
        at = kri_load_rlx64(&kri_block_at(a, at)->more);
    return at == wanted;
}

int kri_deferred_repair(const kr_arena *a)
{
    kri_arena_state *s = a->state;
    uint64_t first = kri_load_rlx64(&s->taken);
    if (first == 0)
        return 0;
    if (is_listed(a, first))
        kri_store_rel64(&s->taken, 0);
    else if (kri_block_is_inside(a, first) && !is_deferred(a, first))
        kri_store_rel64(&s->taken, kri_load_rlx64(&s->rest));
    while (kri_load_rlx64(&s->taken) != 0) {
        if (free_first(a) == NULL)
            return KR_ECORRUPT;
    }
    return 0;
}
