/* Blocks of a domain.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_HEAP_H
#define KRI_MANAGER_HEAP_H

#include "manager/space.h"

/* The longest block that shares a page with others. */
#ifdef KRI_MODEL
enum { KRI_BLOCK_MOST = 224 };
#else
enum { KRI_BLOCK_MOST = 1984 };
#endif

/* kri_heap_free - the block is free, as a part of the transaction; nothing is allocated in it any
 * more. */
void kri_heap_free(kri_tx *tx, uint64_t block);

/* kri_heap_trim - give up the empty pages of a domain that is locked. */
void kri_heap_trim(kri_tx *tx, unsigned domain);

/* kri_heap_size - how many bytes a block of `size` has in truth. */
size_t kri_heap_size(size_t size);

#endif
