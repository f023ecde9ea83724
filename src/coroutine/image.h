/* What lies on the stack of a context that has not begun.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_IMAGE_H
#define KRI_COROUTINE_IMAGE_H

#include "coroutine/context.h"

/* Processors that we have a switch for; elsewhere, or by wish, the C library's. */
#if !defined(KRI_UCONTEXT) && !(defined(__x86_64__) && !defined(__ILP32__)) && !defined(__aarch64__)
#define KRI_UCONTEXT 1
#endif

typedef void (*kri_context_entry)(void *arg, kri_context *left);

/* kri_image_put - below `top`, which is aligned to 16, what a first jump takes up to call
 * entry(arg, who has jumped).  Returns kri_context.sp. */
void *kri_image_put(char *top, kri_context_entry entry, void *arg);

#endif
