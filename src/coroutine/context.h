/* A place in the code to come back to: registers, stack, and what sanitizers want to know.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_CONTEXT_H
#define KRI_COROUTINE_CONTEXT_H

#include "coroutine/stack.h"

typedef struct kri_context {
    void *sp;        /* while it does not run; elsewhere a ucontext_t * */
    char *low;       /* of its stack, for the address sanitizer */
    size_t size;
    void *fake;      /* of the address sanitizer */
    void *fiber;     /* of the thread sanitizer */
} kri_context;

/* kri_context_of_thread - the calling thread itself, as it runs. */
void kri_context_of_thread(kri_context *context);
void kri_context_end_thread(kri_context *context);

/* kri_context_make - entry(arg), which must not return, on the stack below `top`, to be begun by
 * the first switch.  0, -ENOMEM. */
int kri_context_make(kri_context *context, const kri_stack *stack, char *top,
                     void (*entry)(void *arg), void *arg);
void kri_context_end(kri_context *context); /* it is never switched to again, and does not run */

/* kri_context_switch - leave `from`, which runs, and go on in `to`; returns when somebody switches
 * to `from`.  All callee-saved registers are kept, and the rounding modes; not errno, which the
 * caller sees to, nor the signal mask. */
void kri_context_switch(kri_context *from, kri_context *to);

#endif
