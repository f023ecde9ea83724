/* The switch where we have none of our own: the C library's, which asks the system for the signal
 * mask each time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/image.h"

#ifdef KRI_UCONTEXT

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

/* It lies in the frame that has jumped, or at the top of a stack where nobody has been yet. */
typedef struct kri_place_to_go {
    ucontext_t context;
    kri_context *left; /* by who comes here */
    kri_context_entry entry;
    void *arg;
} place_to_go;

kri_context *kri_context_jump(kri_context *from, kri_context *to)
{
    place_to_go here, *there = to->sp;
    from->sp = &here;
    there->left = from;
    swapcontext(&here.context, &there->context);
    return here.left;
}

/* An argument is an int. */
static void begin(unsigned high, unsigned low)
{
    place_to_go *place = (void *)((uintptr_t)high << 16 << 16 | low);
    place->entry(place->arg, place->left);
    abort();
}

void *kri_image_put(char *top, kri_context_entry entry, void *arg)
{
    enum { LEAST = 1024 };
    uintptr_t at = ((uintptr_t)top - sizeof(place_to_go)) / 64 * 64;
    place_to_go *place = (void *)at;
    memset(place, 0, sizeof *place);
    getcontext(&place->context);
    place->entry = entry;
    place->arg = arg;
    /* Only the upper end matters: the true lower one is not known here. */
    place->context.uc_stack.ss_sp = (void *)(at - LEAST);
    place->context.uc_stack.ss_size = LEAST;
    makecontext(&place->context, (void (*)(void))begin, 2, (unsigned)(at >> 16 >> 16),
                (unsigned)at);
    return place;
}

#else
typedef int kri_has_its_own_switch; /* a file is not empty */
#endif
