/* Making contexts, and telling sanitizers of switches.
 *
 * The address sanitizer has to know on which stack the thread is; the stack of the thread itself it
 * tells us at the first switch away from it, which is why a jump answers where it came from.  The
 * thread sanitizer has an account (a fiber) for each context; a switch orders what was before it
 * and what comes after.
 *
 * Nothing here reads a variable of the thread after a switch that it has read before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/image.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>

/* The sanitizers' own interfaces, which not every compiler brings headers for. */
#if KRI_CONTEXT_ASAN
void __sanitizer_start_switch_fiber(void **fake, const void *low, size_t size);
void __sanitizer_finish_switch_fiber(void *fake, const void **low, size_t *size);
void __asan_unpoison_memory_region(const volatile void *low, size_t size);
#define KRI_UNWATCHED __attribute__((no_sanitize_address))
#else
#define KRI_UNWATCHED
#endif
#if KRI_CONTEXT_TSAN
#include "base/atomic.h"
#include "base/global.h"

void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

#if KRI_CONTEXT_ASAN

/* The beginning of a context lies on its stack above its first frame. */
typedef struct kri_beginning {
    void (*entry)(void *arg);
    void *arg;
} kri_beginning;

/* `context` has just been left; now another stack is in use, whose second one is `fake`. */
KRI_UNWATCHED static void arrive(void *fake, kri_context *left)
{
    const void *low;
    size_t size;
    __sanitizer_finish_switch_fiber(fake, &low, &size);
    if (left->low == NULL) {
        left->low = (char *)(uintptr_t)low;
        left->size = size;
    }
}

KRI_UNWATCHED static void begin(void *arg, kri_context *left)
{
    kri_beginning *beginning = arg;
    arrive(NULL, left);
    beginning->entry(beginning->arg);
}

/* Only a thread that is on a stack can give up its second one: be there for a moment. */
KRI_UNWATCHED static void give_up_fake(kri_context *context)
{
    void *own;
    const void *low;
    size_t size;
    if (context->fake == NULL)
        return;
    __sanitizer_start_switch_fiber(&own, context->low, context->size);
    __sanitizer_finish_switch_fiber(context->fake, &low, &size);
    __sanitizer_start_switch_fiber(NULL, low, size);
    __sanitizer_finish_switch_fiber(own, NULL, NULL);
    context->fake = NULL;
}

#endif

#if KRI_CONTEXT_TSAN

/* gcc's ends the program at 8,128 of them and threads. */
enum { MOST_FIBERS = 8000 };

static kr_word fibers KRI_GLOBAL;

static void *new_fiber(void)
{
    if (kri_add_rlx(&fibers, 1) < MOST_FIBERS)
        return __tsan_create_fiber(0);
    kri_sub_rlx(&fibers, 1);
    return NULL;
}

#endif

void kri_context_of_thread(kri_context *context)
{
    memset(context, 0, sizeof *context);
#if KRI_CONTEXT_TSAN
    context->fiber = __tsan_get_current_fiber();
#endif
}

void kri_context_end_thread(kri_context *context)
{
#if KRI_CONTEXT_TSAN
    context->fiber = NULL;
#else
    (void)context;
#endif
}

KRI_UNWATCHED int kri_context_make(kri_context *context, const kri_stack *stack, char *top,
                                   void (*entry)(void *arg), void *arg)
{
    memset(context, 0, sizeof *context);
    char *at = top - (uintptr_t)top % 16;
    /* A function that knows nothing of a second argument ignores it, on these processors. */
    kri_context_entry first = (kri_context_entry)(void (*)(void))entry;
#if KRI_CONTEXT_ASAN
    /* Of those who were here before and have not returned. */
    __asan_unpoison_memory_region(stack->low, (size_t)(top - stack->low));
    context->low = stack->low;
    context->size = stack->size;
    at -= sizeof(kri_beginning);
    *(kri_beginning *)(void *)at = (kri_beginning){entry, arg};
    first = begin;
    arg = at;
#else
    (void)stack;
#endif
#if KRI_CONTEXT_TSAN
    context->fiber = new_fiber();
    if (context->fiber == NULL)
        return -ENOMEM;
#endif
    context->sp = kri_image_put(at, first, arg);
    return 0;
}

void kri_context_end(kri_context *context)
{
#if KRI_CONTEXT_ASAN
    give_up_fake(context);
#endif
#if KRI_CONTEXT_TSAN
    if (context->fiber != NULL) {
        __tsan_destroy_fiber(context->fiber);
        kri_sub_rlx(&fibers, 1);
    }
    context->fiber = NULL;
#endif
    context->sp = NULL;
}

#if KRI_CONTEXT_ASAN || KRI_CONTEXT_TSAN

KRI_UNWATCHED void kri_context_switch(kri_context *from, kri_context *to)
{
#if KRI_CONTEXT_ASAN
    __sanitizer_start_switch_fiber(&from->fake, to->low, to->size);
#endif
#if KRI_CONTEXT_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    kri_context *left = kri_context_jump(from, to);
    (void)left;
#if KRI_CONTEXT_ASAN
    arrive(from->fake, left);
#endif
}

#endif
