/* How much of the C library's memory a program has in use: where the library does not tell, it is
 * counted as it passes by.  Sanitizers and valgrind have allocators of their own.  For one file of
 * a program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_IN_USE_H
#define KRI_HARNESS_IN_USE_H

#include "base/atomic.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <malloc.h>
#include <stddef.h>

#ifdef __GLIBC__

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

#else

#include <dlfcn.h>
#include <stdlib.h>

static kri_word64 in_use_now;

static size_t in_use(void)
{
    return kri_load_rlx64(&in_use_now);
}

static void *in_use_begin(void *memory)
{
    if (memory != NULL)
        kri_add_rlx64(&in_use_now, malloc_usable_size(memory));
    return memory;
}

/* The C library's own calls, in whose places those below are. */
#define IN_USE_NEXT(type, name, ...)                                                               \
    static type (*name)(__VA_ARGS__);                                                              \
    if (name == NULL)                                                                              \
    *(void **)(void *)&name = dlsym(RTLD_NEXT, #name)

static void *in_use_take(size_t size)
{
    IN_USE_NEXT(void *, malloc, size_t size);
    return in_use_begin(malloc(size));
}

static void in_use_drop(void *memory)
{
    IN_USE_NEXT(void, free, void *memory);
    if (memory != NULL)
        kri_sub_rlx64(&in_use_now, malloc_usable_size(memory));
    free(memory);
}

void *malloc(size_t size)
{
    return in_use_take(size);
}

void free(void *memory)
{
    in_use_drop(memory);
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *memory = in_use_take(bytes);
    return memory == NULL ? NULL : memset(memory, 0, bytes);
}

void *realloc(void *memory, size_t size)
{
    void *other = in_use_take(size);
    if (other == NULL || memory == NULL)
        return other;
    size_t kept = malloc_usable_size(memory);
    memcpy(other, memory, kept < size ? kept : size);
    in_use_drop(memory);
    return other;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    IN_USE_NEXT(void *, aligned_alloc, size_t alignment, size_t size);
    return in_use_begin(aligned_alloc(alignment, size));
}

#endif

#endif
