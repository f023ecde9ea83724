/* Telling those who check memory which of a stack's may be touched.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_CHECKED_H
#define KRI_COROUTINE_CHECKED_H

#include "coroutine/context.h"

#if KRI_CONTEXT_ASAN
void __asan_poison_memory_region(const volatile void *low, size_t size);
void __asan_unpoison_memory_region(const volatile void *low, size_t size);
#else
#define __asan_poison_memory_region(low, size)   ((void)0)
#define __asan_unpoison_memory_region(low, size) ((void)0)
#endif

#ifdef KRI_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#else
#define VALGRIND_STACK_REGISTER(low, top)      0u
#define VALGRIND_STACK_DEREGISTER(id)          ((void)(id))
#define VALGRIND_MAKE_MEM_NOACCESS(low, size)  ((void)0)
#define VALGRIND_MAKE_MEM_UNDEFINED(low, size) ((void)0)
#define VALGRIND_MAKE_MEM_DEFINED(low, size)   ((void)0)
#endif

/* Nobody has business there. */
static inline void kri_stack_hide(const char *low, size_t size)
{
    (void)low;
    (void)size;
    __asan_poison_memory_region(low, size);
    (void)VALGRIND_MAKE_MEM_NOACCESS(low, size);
}

/* It is somebody's, and holds nothing. */
static inline void kri_stack_show(const char *low, size_t size)
{
    (void)low;
    (void)size;
    __asan_unpoison_memory_region(low, size);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(low, size);
}

#endif
