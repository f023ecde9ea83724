/* What a compiler calls in sources compiled with -fsanitize=thread.
 *
 * The program is linked without the sanitizer's own library; these take its place.  So plain
 * accesses are checked for races and C11 atomics are explored without a change of the source.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/memory.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wmissing-declarations"

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void)
{
}

#define ACCESS(size)                                                                               \
    void __tsan_read##size(void *at)                                                               \
    {                                                                                              \
        kri_ex_access(at, size, false, __builtin_return_address(0));                               \
    }                                                                                              \
    void __tsan_write##size(void *at)                                                              \
    {                                                                                              \
        kri_ex_access(at, size, true, __builtin_return_address(0));                                \
    }                                                                                              \
    void __tsan_unaligned_read##size(void *at)                                                     \
    {                                                                                              \
        kri_ex_access(at, size, false, __builtin_return_address(0));                               \
    }                                                                                              \
    void __tsan_unaligned_write##size(void *at)                                                    \
    {                                                                                              \
        kri_ex_access(at, size, true, __builtin_return_address(0));                                \
    }                                                                                              \
    void __tsan_volatile_read##size(void *at)                                                      \
    {                                                                                              \
        kri_ex_access(at, size, false, __builtin_return_address(0));                               \
    }                                                                                              \
    void __tsan_volatile_write##size(void *at)                                                     \
    {                                                                                              \
        kri_ex_access(at, size, true, __builtin_return_address(0));                                \
    }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_read_range(void *at, unsigned long size)
{
    kri_ex_access(at, size, false, __builtin_return_address(0));
}

void __tsan_write_range(void *at, unsigned long size)
{
    kri_ex_access(at, size, true, __builtin_return_address(0));
}

#define ATOMIC(bits, type)                                                                         \
    type __tsan_atomic##bits##_load(const volatile type *at, int order)                            \
    {                                                                                              \
        return (type)kri_explore_load((const void *)at, sizeof(type), order);                      \
    }                                                                                              \
    void __tsan_atomic##bits##_store(volatile type *at, type value, int order)                     \
    {                                                                                              \
        kri_explore_store((void *)at, sizeof(type), value, order);                                 \
    }                                                                                              \
    type __tsan_atomic##bits##_exchange(volatile type *at, type value, int order)                  \
    {                                                                                              \
        return (type)kri_explore_change((void *)at, sizeof(type), KRI_SWAP, value, order);         \
    }                                                                                              \
    type __tsan_atomic##bits##_fetch_add(volatile type *at, type value, int order)                 \
    {                                                                                              \
        return (type)kri_explore_change((void *)at, sizeof(type), KRI_ADD, value, order);          \
    }                                                                                              \
    type __tsan_atomic##bits##_fetch_sub(volatile type *at, type value, int order)                 \
    {                                                                                              \
        return (type)kri_explore_change((void *)at, sizeof(type), KRI_SUB, value, order);          \
    }                                                                                              \
    type __tsan_atomic##bits##_fetch_or(volatile type *at, type value, int order)                  \
    {                                                                                              \
        return (type)kri_explore_change((void *)at, sizeof(type), KRI_OR, value, order);           \
    }                                                                                              \
    type __tsan_atomic##bits##_fetch_and(volatile type *at, type value, int order)                 \
    {                                                                                              \
        return (type)kri_explore_change((void *)at, sizeof(type), KRI_AND, value, order);          \
    }                                                                                              \
    type __tsan_atomic##bits##_fetch_xor(volatile type *at, type value, int order)                 \
    {                                                                                              \
        uint64_t seen = kri_explore_load((const void *)at, sizeof(type), __ATOMIC_RELAXED);        \
        while (!kri_explore_cas((void *)at, sizeof(type), &seen, (type)(seen ^ value), order,      \
                                __ATOMIC_RELAXED))                                                 \
            ;                                                                                      \
        return (type)seen;                                                                         \
    }                                                                                              \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *expected,           \
                                                      type value, int order, int failing)          \
    {                                                                                              \
        uint64_t seen = *expected;                                                                 \
        bool done = kri_explore_cas((void *)at, sizeof(type), &seen, value, order, failing);       \
        *expected = (type)seen;                                                                    \
        return done;                                                                               \
    }                                                                                              \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile type *at, type *expected, type value, \
                                                    int order, int failing)                        \
    {                                                                                              \
        uint64_t seen = *expected;                                                                 \
        bool done = kri_ex_weak_cas((void *)at, sizeof(type), &seen, value, order, failing,        \
                                    __builtin_return_address(0));                                  \
        *expected = (type)seen;                                                                    \
        return done;                                                                               \
    }
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    if (kri_ex.active)
        kri_ex_fail(KR_EXPLORE_CHECK, "stand-alone fences are not modelled");
}

void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}
