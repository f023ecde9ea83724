/* Blocks of the segment behind the slots: arguments and results that are not small.
 *
 * Only the parent makes and frees them, and what it knows of them lies in its own memory: so no
 * worker can damage it, whenever it dies.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_PROCESS_POOL_ARENA_H
#define KRI_PROCESS_POOL_ARENA_H

#include <krait/base.h>

enum { KRI_ARENA_KINDS = 160 };

typedef struct kri_block {
    struct kri_block *next; /* among those that are free */
    uint64_t at;            /* from the segment's begin */
    uint64_t size;
    uint32_t kind;
    bool cold; /* it has no memory at present */
    bool zero; /* all its bytes are */
} kri_block;

typedef struct kri_arena {
    unsigned char *base; /* of the segment */
    int memory;          /* its descriptor */
    uint64_t end;        /* from here on nobody has had anything */
    uint64_t size;       /* of the whole segment */
    uint64_t warm;       /* bytes of free blocks that have memory */
    kri_block *free[KRI_ARENA_KINDS];
} kri_arena;

void kri_arena_begin(kri_arena *arena, void *base, int memory, uint64_t from, uint64_t size);
void kri_arena_end(kri_arena *arena);

/* kri_arena_alloc - at least `size` bytes that have memory; NULL: there is no more. */
kri_block *kri_arena_alloc(kri_arena *arena, uint64_t size);
void kri_arena_free(kri_arena *arena, kri_block *block); /* NULL is allowed */

static inline void *kri_block_bytes(const kri_arena *arena, const kri_block *block)
{
    return arena->base + block->at;
}

#endif
