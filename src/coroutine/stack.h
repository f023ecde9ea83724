/* Stacks of coroutines, and the memory that they come from.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_STACK_H
#define KRI_COROUTINE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kri_stack {
    char *low;   /* the first usable byte */
    size_t size; /* up to the top */
    void *slab;  /* where it comes from */
    unsigned valgrind;
    uint8_t kind; /* see slab.h */
    bool canary;  /* no guard watches its low end, but zeros below that */
} kri_stack;

enum { KRI_STACK_DEFAULT = 256 * 1024, KRI_STACK_LEAST = 16 * 1024 };

/* kri_stack_take - a stack of at least `size` bytes (0: the default), as it was left by its last
 * user.  0, -ENOMEM.  kri_stack_give - back; not by somebody who stands on it.  From any thread.
 *
 * A thread that watches for overflows, see below, has some for itself. */
int kri_stack_take(kri_stack *stack, size_t size);
void kri_stack_give(kri_stack *stack);

/* kri_stack_intact - has nothing been written over its low end?  Where a guard page watches that,
 * always. */
bool kri_stack_canary_intact(const kri_stack *stack);
static inline bool kri_stack_intact(const kri_stack *stack)
{
    return __builtin_expect(!stack->canary, 1) || kri_stack_canary_intact(stack);
}

/* kri_stack_trim - give the pages that lie unused below `used_from` back to the system, but for a
 * few. */
void kri_stack_trim(const kri_stack *stack, const char *used_from);

typedef enum kri_stack_guard_kind {
    KRI_GUARD_LIGHT,
    KRI_GUARD_MAPPED,
    KRI_GUARD_CANARY
} kri_stack_guard_kind;

/* kri_stack_guard - how overflows are noticed: "lightweight guards", "guard pages", "guard pages
 * and canaries". */
const char *kri_stack_guard(void);

/* kri_stack_watch_overflow - from now on a coroutine of the calling thread that runs over its stack
 * ends the program with a sentence that names it; the thread gets an alternate signal stack, and
 * stacks for itself.  0, -ENOMEM.  Calls may be nested.
 * kri_stack_unwatch_overflow - gives that up. */
int kri_stack_watch_overflow(void);
void kri_stack_unwatch_overflow(void);

/* kri_stack_ask_name - `running` says who runs in the calling thread, NULL: nobody known; it is
 * called in a signal handler. */
void kri_stack_ask_name(const char *(*running)(void));

/* kri_stack_abort - that sentence and the end, for a stack that is not intact. */
_Noreturn void kri_stack_abort(const kri_stack *stack, const char *name);

#endif
