/* Blocks behind the slots, see arena.h.
 *
 * State.  A block's size is one of some 150 kinds, four between one power of two and the next, from
 * a page upwards.  What is freed goes to the list of its kind, and what was freed last is used
 * first, so its memory is warm.  The segment is much longer than it ever gets: pages take memory
 * when a block is made of them, and are asked for then, so that a task never dies of a page that
 * is not to be had.  Of free blocks so much keeps its memory as KEEP says; others give it back.
 *
 * Why no splitting and joining?  A pool's arguments and results are of few sizes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/arena.h"

#include "os/os.h"
#include "os/segment.h"

enum { LOG_PAGE = 12 };
#define PAGE ((uint64_t)1 << LOG_PAGE)
#define KEEP ((uint64_t)256 << 20)

/* Kinds 4n .. 4n + 3 are 4/4 .. 7/4 of the n-th power of two times a page, in whole pages. */
static uint64_t size_of(uint32_t kind)
{
    uint64_t quarters = (uint64_t)(4 + kind % 4) << (kind / 4 + LOG_PAGE);
    return (quarters / 4 + PAGE - 1) & ~(PAGE - 1);
}

static uint32_t kind_of(uint64_t size)
{
    uint32_t kind = 0;
    if (size > PAGE)
        kind = 4 * (63 - LOG_PAGE - (uint32_t)__builtin_clzll(size));
    while (kind < KRI_ARENA_KINDS && size_of(kind) < size)
        kind++;
    return kind;
}

void kri_arena_begin(kri_arena *arena, void *base, int memory, uint64_t from, uint64_t size)
{
    *arena = (kri_arena){.base = base, .memory = memory, .end = from, .size = size};
}

void kri_arena_end(kri_arena *arena)
{
    for (uint32_t kind = 0; kind < KRI_ARENA_KINDS; kind++) {
        while (arena->free[kind] != NULL) {
            kri_block *block = arena->free[kind];
            arena->free[kind] = block->next;
            os_free(block);
        }
    }
}

static bool warm_up(const kri_arena *arena, kri_block *block)
{
    if (!block->cold)
        return true;
    block->cold = os_segment_reserve_part(arena->memory, block->at, block->size) != 0;
    block->zero = true;
    return !block->cold;
}

static kri_block *new_block(kri_arena *arena, uint32_t kind)
{
    uint64_t size = size_of(kind);
    if (arena->size - arena->end < size)
        return NULL;
    kri_block *block = os_alloc(sizeof *block);
    if (block == NULL)
        return NULL;
    *block = (kri_block){.at = arena->end, .size = size, .kind = kind, .cold = true};
    arena->end += size;
    return block;
}

kri_block *kri_arena_alloc(kri_arena *arena, uint64_t size)
{
    uint32_t kind = size < arena->size ? kind_of(size) : KRI_ARENA_KINDS;
    if (kind == KRI_ARENA_KINDS)
        return NULL;
    kri_block *block = arena->free[kind];
    if (block == NULL) {
        block = new_block(arena, kind);
    } else {
        arena->free[kind] = block->next;
        arena->warm -= block->cold ? 0 : block->size;
    }
    if (block != NULL && !warm_up(arena, block)) {
        kri_arena_free(arena, block);
        return NULL;
    }
    return block;
}

void kri_arena_free(kri_arena *arena, kri_block *block)
{
    if (block == NULL)
        return;
    if (!block->cold && arena->warm + block->size > KEEP)
        block->cold = os_segment_discard(arena->base + block->at, block->size) == 0;
    arena->warm += block->cold ? 0 : block->size;
    block->zero = false;
    block->next = arena->free[block->kind];
    arena->free[block->kind] = block;
}
