/* Stacks that a thread has for itself; see stack.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_CACHE_H
#define KRI_COROUTINE_CACHE_H

#include "coroutine/slab.h"

typedef struct kri_free_stack kri_free_stack;

typedef struct kri_stack_rack {
    kri_free_stack *first;
    kri_free_stack *magazine;
    unsigned room;
} kri_stack_rack;

typedef struct kri_stack_cache {
    kri_stack_rack of[KRI_STACK_ANY];
} kri_stack_cache;

kri_stack_cache *kri_stack_cache_own(void); /* of the calling thread; NULL: it has none */
void kri_stack_cache_begin(kri_stack_cache *cache);
void kri_stack_cache_end(kri_stack_cache *cache);

#endif
