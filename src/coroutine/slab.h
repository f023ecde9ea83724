/* Many stacks from one mapping; see slab.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_SLAB_H
#define KRI_COROUTINE_SLAB_H

#include "base/atomic.h"
#include "coroutine/stack.h"
#include "wait/wait.h"

/* Sizes of stacks: KRI_STACK_LEAST, twice that ... 8 MiB; the last kind: any larger one. */
enum { KRI_STACK_KINDS = 11, KRI_STACK_ANY = KRI_STACK_KINDS - 1 };

/* kri_stack_kind - the kind of those that have at least `size` bytes. */
unsigned kri_stack_kind(size_t size);

/* kri_slab_take - a stack of the kind; `size` is for the last kind.  0, -ENOMEM.  kri_slab_give -
 * back, and its pages to the system before long. */
int kri_slab_take(kri_stack *stack, unsigned kind, size_t size);
void kri_slab_give(kri_stack *stack);

/* kri_slab_find - whose guard is it?  false: nobody's.  For signal handlers too. */
bool kri_slab_find(uintptr_t address, kri_stack *stack);

/* In a forked child: what another thread was in the middle of is given up. */
void kri_slab_forked(void);

/* Tests: the best kind of guard that is used from now on. */
void kri_stack_allow_guard(kri_stack_guard_kind best);
size_t kri_slab_mapped(void); /* how many bytes all slabs have */

#endif
