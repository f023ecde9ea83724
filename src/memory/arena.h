/* Arenas: their layout, and the view of them that one process has.
 *
 *     segment   who made it, and the numbers that never change (queue/segment.h)
 *     lock      and what it guards: the gaps by size, the counts
 *     then      the blocks, one after the other without a space between, to the end
 *
 * Places are offsets from the beginning of the segment; 0 is none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MEMORY_ARENA_H
#define KRI_MEMORY_ARENA_H

#include "queue/segment.h"
#include <krait/arena.h>
#include <krait/lock.h>

enum { KRI_BLOCK_UNIT = 32, KRI_ARENA_BINS = 192, KRI_BIN_WORDS = KRI_ARENA_BINS / 64 };

/* What begins every block. */
typedef struct kri_block {
    kri_word64 state;  /* its size, and in the lowest bits what it is: one store commits */
    kri_word64 before; /* derived: the size of the block before it; 0: it is the first */
    kri_word64 owner;  /* used: a kri_owner; free: the next of its size */
    kri_word64 more;   /* used: how many bytes were asked for; deferred: the next; free: the one
                          before it of its size */
} kri_block;

enum { KRI_BLOCK_FREE = 1, KRI_BLOCK_USED = 2, KRI_BLOCK_DEFERRED = 3, KRI_BLOCK_KIND = 31 };

_Static_assert(sizeof(kri_block) == KRI_BLOCK_UNIT, "part of the layout");

typedef struct kri_arena_state {
    kri_segment segment;
    kr_lock lock;
    kri_word64 deferred; /* the list of blocks that wait to be freed */
    kri_word64 taken;    /* guarded by lock: what is left of a list that was taken from there */
    kri_word64 rest;     /* guarded by lock: what comes after it */
    uint64_t occupied;   /* guarded by lock, derived, as all that follows */
    uint64_t pieces;
    uint64_t gaps;
    uint64_t reserved;
    uint64_t filled[KRI_BIN_WORDS]; /* which bins are not empty */
    uint64_t unused[5];
    uint64_t bins[KRI_ARENA_BINS]; /* the first gap of each class of sizes */
} kri_arena_state;

_Static_assert(offsetof(kri_arena_state, lock) == 128, "part of the layout");
_Static_assert(offsetof(kri_arena_state, filled) == 192, "part of the layout");
_Static_assert(offsetof(kri_arena_state, bins) == 256, "part of the layout");
_Static_assert(sizeof(kri_arena_state) % KRI_BLOCK_UNIT == 0, "blocks are aligned");

/* The numbers of the segment. */
enum { KRI_ARENA_FIRST, KRI_ARENA_END, KRI_ARENA_LIMIT };

/* The view: private memory, so its numbers can be trusted.  Constant after attaching. */
struct kr_arena {
    kri_arena_state *state;
    uint64_t first; /* block */
    uint64_t end;   /* of the last */
    uint64_t limit;
    int fd;              /* -1: none */
    size_t mapping_size; /* 0: the memory is the caller's */
};

static inline kri_block *kri_block_at(const kr_arena *a, uint64_t offset)
{
    return (kri_block *)(void *)((unsigned char *)a->state + offset);
}

static inline uint64_t kri_block_offset(const kr_arena *a, const kri_block *b)
{
    return (uint64_t)((const unsigned char *)b - (const unsigned char *)a->state);
}

static inline uint64_t kri_block_size(uint64_t state)
{
    return state & ~(uint64_t)KRI_BLOCK_KIND;
}

static inline unsigned kri_block_kind(uint64_t state)
{
    return (unsigned)(state & KRI_BLOCK_KIND);
}

/* May a block begin there? */
static inline bool kri_block_is_inside(const kr_arena *a, uint64_t offset)
{
    return offset >= a->first && offset < a->end && offset % KRI_BLOCK_UNIT == 0;
}

/* kri_block_of - the block whose bytes begin at `memory`, as far as one can see; NULL: none. */
kri_block *kri_block_of(const kr_arena *a, const void *memory);

/* Blocks; arena_block.c.  The lock is held. */

/* kri_block_take - one of at least `size` bytes, with its head; -ENOSPC, KR_ECORRUPT. */
int kri_block_take(const kr_arena *a, uint64_t size, uint64_t asked, kri_block **taken);

/* kri_block_commit_free - from now on it is free, if it was of this kind; nothing is derived yet.
 */
bool kri_block_commit_free(kri_block *b, unsigned kind);

/* kri_block_settle - after that: unite it with its neighbours, and count it.  KR_ECORRUPT. */
int kri_block_settle(const kr_arena *a, kri_block *b);

/* kri_blocks_rebuild - everything that is derived; KR_ECORRUPT. */
int kri_blocks_rebuild(const kr_arena *a);

/* kri_blocks_each - call each(block, arg) for all; KR_ECORRUPT.  It may not change sizes. */
int kri_blocks_each(const kr_arena *a, void (*each)(const kr_arena *a, kri_block *b, void *arg),
                    void *arg);

/* Deferred frees; arena_deferred.c. */

void kri_deferred_push(const kr_arena *a,
                       kri_block *b); /* needs no lock; b is KRI_BLOCK_DEFERRED */
int kri_deferred_drain(const kr_arena *a);
int kri_deferred_repair(const kr_arena *a); /* after a death; kri_blocks_rebuild follows */

/* The lock, and whatever a dead holder has left; arena.c. */
int kri_arena_enter(const kr_arena *a);
bool kri_arena_try_enter(const kr_arena *a);
void kri_arena_leave(const kr_arena *a);
int kri_arena_reclaim_held(const kr_arena *a); /* kr_arena_reclaim, with the lock */

#endif
