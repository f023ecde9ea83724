/* How often a program asks for memory: the C library's functions are counted as they pass by; under
 * a sanitizer, which has its own, by its hooks.  For one file of a program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_ALLOCATIONS_H
#define KRI_HARNESS_ALLOCATIONS_H

#include "base/atomic.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <dlfcn.h>
#include <stdlib.h>

static kr_word allocations_counting;
static kr_word allocations;

static void allocations_count_one(void)
{
    if (kri_load_rlx(&allocations_counting) != 0)
        kri_add_rlx(&allocations, 1);
}

#if KRI_SANITIZED

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void allocations_on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    (void)size;
    allocations_count_one();
}

static void allocations_on_free(const volatile void *memory)
{
    (void)memory;
}

__attribute__((constructor)) static void allocations_watch(void)
{
    __sanitizer_install_malloc_and_free_hooks(allocations_on_malloc, allocations_on_free);
}

#else

#ifdef __GLIBC__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
#else
#define ALLOCATIONS_NEXT(name, values, ...)                                                        \
    static void *__libc_##name values                                                              \
    {                                                                                              \
        void *(*next)values;                                                                       \
        *(void **)(void *)&next = dlsym(RTLD_NEXT, #name);                                         \
        return next(__VA_ARGS__);                                                                  \
    }
ALLOCATIONS_NEXT(malloc, (size_t size), size)
ALLOCATIONS_NEXT(calloc, (size_t count, size_t size), count, size)
ALLOCATIONS_NEXT(realloc, (void *memory, size_t size), memory, size)
ALLOCATIONS_NEXT(memalign, (size_t alignment, size_t size), alignment, size)
#endif

void *malloc(size_t size)
{
    allocations_count_one();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations_count_one();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocations_count_one();
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    allocations_count_one();
    return __libc_memalign(alignment, size);
}

#endif

static void allocations_begin(void)
{
    kri_store_rlx(&allocations, 0);
    kri_store_rel(&allocations_counting, 1);
}

static uint32_t allocations_end(void)
{
    kri_store_rel(&allocations_counting, 0);
    return kri_load_rlx(&allocations);
}

TEST(test_the_count_itself)
{
    allocations_begin();
    void *volatile memory = malloc(10);
    CHECK_EQ(allocations_end(), 1);
    free(memory);
}

#endif
