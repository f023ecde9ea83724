/* What lies on the stack of a context that has not begun: as the switch of arch leaves it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/image.h"
#include <string.h>

#ifndef KRI_UCONTEXT

void kri_context_begin(void); /* of arch */

#if defined(__x86_64__)

typedef struct kri_image {
    uint32_t mxcsr;
    uint32_t x87;
    uintptr_t r15;
    uintptr_t r14;
    uintptr_t arg;      /* r13 */
    uintptr_t function; /* r12 */
    uintptr_t rbx;
    uintptr_t rbp;
    uintptr_t go_on;
    uintptr_t end_of_stack[2]; /* two, so that the stack is aligned for a call */
} kri_image;

static void put_modes(kri_image *image)
{
    uint16_t x87;
    __asm__("stmxcsr %0" : "=m"(image->mxcsr));
    __asm__("fnstcw %0" : "=m"(x87));
    image->x87 = x87;
}

#else

typedef struct kri_image {
    uint64_t fpcr;
    uint64_t unused;
    uintptr_t function; /* x19 */
    uintptr_t arg;      /* x20 */
    uintptr_t x21_to_x28[8];
    uintptr_t x29;
    uintptr_t go_on; /* x30 */
    uint64_t d8_to_d15[8];
} kri_image;

static void put_modes(kri_image *image)
{
    __asm__("mrs %0, fpcr" : "=r"(image->fpcr));
}

#endif

void *kri_image_put(char *top, kri_context_entry entry, void *arg)
{
    kri_image *image = (void *)(top - sizeof *image);
    memset(image, 0, sizeof *image);
    put_modes(image);
    image->function = (uintptr_t)entry;
    image->arg = (uintptr_t)arg;
    image->go_on = (uintptr_t)kri_context_begin;
    return image;
}

#endif
