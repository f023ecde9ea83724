/* Stacks of coroutines, and the memory that they come from.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_STACK_H
#define KRI_COROUTINE_STACK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct kri_stack {
    char *low;   /* the first usable byte */
    size_t size; /* up to the top */
    unsigned valgrind;
    unsigned kind; /* how an overflow is noticed, see stack.c */
} kri_stack;

enum { KRI_STACK_DEFAULT = 256 * 1024, KRI_STACK_LEAST = 16 * 1024 };

/* kri_stack_take - a stack of at least `size` bytes (0: the default), as it was left by its last
 * user.  0, -ENOMEM.  kri_stack_give - back; not by somebody who stands on it.  From any thread. */
int kri_stack_take(kri_stack *stack, size_t size);
void kri_stack_give(kri_stack *stack);

/* kri_stack_intact - has nothing been written over its low end?  Where a guard page watches that,
 * always. */
bool kri_stack_intact(const kri_stack *stack);

/* kri_stack_trim - give the pages that lie unused below `used_from` back to the system. */
void kri_stack_trim(const kri_stack *stack, const char *used_from);

/* kri_stack_guard - how overflows are noticed: "lightweight guards", "guard pages", "guard pages
 * and canaries". */
const char *kri_stack_guard(void);

/* kri_stack_watch_overflow - from now on a coroutine of the calling thread that runs over its stack
 * ends the program with a sentence that names it; the thread gets an alternate signal stack.
 * kri_stack_unwatch_overflow - gives that up. */
int kri_stack_watch_overflow(void);
void kri_stack_unwatch_overflow(void);

#endif
