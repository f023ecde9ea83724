/* What the tests of arenas have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MEMORY_ARENA_HELP_H
#define KRI_MEMORY_ARENA_HELP_H

#include "memory/arena.h"
#include "memory/help.h"

static inline kr_arena *create(size_t size)
{
    kr_arena *a = NULL;
    CHECK_EQ(kr_arena_create(&a, size, NULL), 0);
    return a;
}

static inline void *alloc(kr_arena *a, size_t size)
{
    void *memory = NULL;
    CHECK_EQ(kr_arena_alloc(a, size, &memory), 0);
    return memory;
}

static inline kr_arena_statistics statistics(kr_arena *a)
{
    kr_arena_statistics s;
    CHECK_EQ(kr_arena_read_statistics(a, &s), 0);
    CHECK_EQ(s.free + s.occupied, s.size);
    return s;
}

/* The chain of blocks, walked by the test itself: adjacent, no two gaps side by side, the sums as
 * the statistics have them.  In a quiet arena only. */
static inline void check_chain(kr_arena *a)
{
    kr_arena_statistics s = statistics(a);
    uint64_t before = 0, free_bytes = 0, pieces = 0, gaps = 0;
    bool was_gap = false;
    for (uint64_t at = a->first; at != a->end; at += before) {
        CHECK(at < a->end);
        kri_block *b = kri_block_at(a, at);
        uint64_t state = kri_load_rlx64(&b->state);
        bool gap = kri_block_kind(state) == KRI_BLOCK_FREE;
        CHECK(gap || kri_block_kind(state) == KRI_BLOCK_USED);
        CHECK(!gap || !was_gap);
        CHECK_EQ(kri_load_rlx64(&b->before), before);
        before = kri_block_size(state);
        free_bytes += gap ? before : 0;
        gaps += gap;
        pieces += !gap;
        was_gap = gap;
    }
    CHECK_EQ(free_bytes, s.free);
    CHECK_EQ(pieces, s.pieces);
    CHECK_EQ(gaps, s.gaps);
}

static inline void check_empty(kr_arena *a)
{
    check_chain(a);
    kr_arena_statistics s = statistics(a);
    CHECK_EQ(s.occupied, 0);
    CHECK_EQ(s.pieces, 0);
    CHECK_EQ(s.gaps, 1);
    CHECK_EQ(s.largest, s.size - 32);
}

#endif
