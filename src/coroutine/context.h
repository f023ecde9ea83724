/* A place in the code to come back to: registers, stack, and what sanitizers want to know.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_CONTEXT_H
#define KRI_COROUTINE_CONTEXT_H

#include "coroutine/stack.h"

#ifdef __has_feature
#define KRI_CONTEXT_HAS(name) __has_feature(name)
#else
#define KRI_CONTEXT_HAS(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || KRI_CONTEXT_HAS(address_sanitizer)
#define KRI_CONTEXT_ASAN 1
#else
#define KRI_CONTEXT_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || KRI_CONTEXT_HAS(thread_sanitizer)
#define KRI_CONTEXT_TSAN 1
#else
#define KRI_CONTEXT_TSAN 0
#endif

typedef struct kri_context {
    void *sp; /* while it does not run; elsewhere a ucontext_t * */
#if KRI_CONTEXT_ASAN
    char *low; /* of its stack */
    size_t size;
    void *fake; /* its second stack, of frames that are watched after their return */
#endif
#if KRI_CONTEXT_TSAN
    void *fiber; /* its account */
#endif
} kri_context;

/* kri_context_of_thread - the calling thread itself, as it runs. */
void kri_context_of_thread(kri_context *context);
void kri_context_end_thread(kri_context *context);

/* kri_context_make - entry(arg), which must not return, on the stack below `top`, to be begun by
 * the first switch.  0, -ENOMEM. */
int kri_context_make(kri_context *context, const kri_stack *stack, char *top,
                     void (*entry)(void *arg), void *arg);
void kri_context_end(kri_context *context); /* it is never switched to again, and does not run */

/* The processor's part of a switch: arch.  Answers, in `to`, who has switched to it last. */
kri_context *kri_context_jump(kri_context *from, kri_context *to);

/* kri_context_switch - leave `from`, which runs, and go on in `to`; returns when somebody switches
 * to `from`.  All callee-saved registers are kept, and the rounding modes; not errno, which the
 * caller sees to, nor the signal mask. */
#if KRI_CONTEXT_ASAN || KRI_CONTEXT_TSAN
void kri_context_switch(kri_context *from, kri_context *to);
#else
static inline void kri_context_switch(kri_context *from, kri_context *to)
{
    (void)kri_context_jump(from, to);
}
#endif

#endif
