/* Atomic operations, with the memory order in the name.
 *
 *   kri_load_{rlx,acq,sc}      kri_store_{rlx,rel,sc}
 *   kri_swap_{rlx,acq,rel,acq_rel,sc}, kri_add_.., kri_sub_.., kri_or_.., kri_and_..
 *                              return the old value
 *   kri_cas_{rlx,acq,rel,acq_rel,sc}(word, &expected, desired)
 *                              true when done; on failure `expected` is what stands there, read
 *                              relaxed (rlx, rel), acquire (acq, acq_rel) or sc
 *
 * on kr_word (32 bits), the same with the suffix 64 on kri_word64, and with _ptr on kri_pointer
 * (load, store, swap, cas only).  There is no default order, no volatile and no stand-alone fence:
 * thread sanitizers do not understand fences.
 *
 * Under KRI_MODEL every one of them is a switch point of the explorer, which also decides what a
 * load may see.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BASE_ATOMIC_H
#define KRI_BASE_ATOMIC_H

#include <krait/base.h>

typedef struct kri_word64 {
    uint64_t bits;
} kri_word64;

typedef struct kri_pointer {
    void *bits;
} kri_pointer;

#ifdef KRI_MODEL

/* Implemented by src/explore.  `order` is a __ATOMIC_ constant; values travel as 64 bits. */
enum kri_explore_rmw { KRI_SWAP, KRI_ADD, KRI_SUB, KRI_OR, KRI_AND };
uint64_t kri_explore_load(const void *at, unsigned size, int order);
void kri_explore_store(void *at, unsigned size, uint64_t value, int order);
uint64_t kri_explore_change(void *at, unsigned size, enum kri_explore_rmw what, uint64_t operand,
                            int order);
bool kri_explore_cas(void *at, unsigned size, uint64_t *expected, uint64_t desired, int order,
                     int order_of_failure);

#define KRI_LOAD(at, order) kri_explore_load((at), sizeof *(at), (order))
#define KRI_STORE(at, value, order)                                                                \
    kri_explore_store((at), sizeof *(at), (uint64_t)(value), (order))
#define KRI_CHANGE(at, what, builtin, operand, order)                                              \
    kri_explore_change((at), sizeof *(at), (what), (uint64_t)(operand), (order))

#else

#define KRI_LOAD(at, order)                           __atomic_load_n((at), (order))
#define KRI_STORE(at, value, order)                   __atomic_store_n((at), (value), (order))
#define KRI_CHANGE(at, what, builtin, operand, order) builtin((at), (operand), (order))

#endif

#define KRI_ATOMIC_INLINE static inline __attribute__((always_inline, unused))

#define KRI_DEFINE_LOAD(suffix, word, type, name, order)                                           \
    KRI_ATOMIC_INLINE type kri_load_##name##suffix(const word *w)                                  \
    {                                                                                              \
        return (type)KRI_LOAD(&w->bits, order);                                                    \
    }

#define KRI_DEFINE_STORE(suffix, word, type, name, order)                                          \
    KRI_ATOMIC_INLINE void kri_store_##name##suffix(word *w, type value)                           \
    {                                                                                              \
        KRI_STORE(&w->bits, value, order);                                                         \
    }

#define KRI_DEFINE_CHANGE(suffix, word, type, verb, what, builtin, name, order)                    \
    KRI_ATOMIC_INLINE type kri_##verb##_##name##suffix(word *w, type operand)                      \
    {                                                                                              \
        return (type)KRI_CHANGE(&w->bits, what, builtin, operand, order);                          \
    }

#ifdef KRI_MODEL
#define KRI_DEFINE_CAS(suffix, word, type, name, order, order_of_failure)                          \
    KRI_ATOMIC_INLINE bool kri_cas_##name##suffix(word *w, type *expected, type desired)           \
    {                                                                                              \
        uint64_t seen = (uint64_t)*expected;                                                       \
        bool done = kri_explore_cas(&w->bits, sizeof w->bits, &seen, (uint64_t)desired, order,     \
                                    order_of_failure);                                             \
        *expected = (type)seen;                                                                    \
        return done;                                                                               \
    }
#else
#define KRI_DEFINE_CAS(suffix, word, type, name, order, order_of_failure)                          \
    KRI_ATOMIC_INLINE bool kri_cas_##name##suffix(word *w, type *expected, type desired)           \
    {                                                                                              \
        return __atomic_compare_exchange_n(&w->bits, expected, desired, false, order,              \
                                           order_of_failure);                                      \
    }
#endif

#define KRI_DEFINE_CHANGES(suffix, word, type, verb, what, builtin)                                \
    KRI_DEFINE_CHANGE(suffix, word, type, verb, what, builtin, rlx, __ATOMIC_RELAXED)              \
    KRI_DEFINE_CHANGE(suffix, word, type, verb, what, builtin, acq, __ATOMIC_ACQUIRE)              \
    KRI_DEFINE_CHANGE(suffix, word, type, verb, what, builtin, rel, __ATOMIC_RELEASE)              \
    KRI_DEFINE_CHANGE(suffix, word, type, verb, what, builtin, acq_rel, __ATOMIC_ACQ_REL)          \
    KRI_DEFINE_CHANGE(suffix, word, type, verb, what, builtin, sc, __ATOMIC_SEQ_CST)

#define KRI_DEFINE_BASIC(suffix, word, type)                                                       \
    KRI_DEFINE_LOAD(suffix, word, type, rlx, __ATOMIC_RELAXED)                                     \
    KRI_DEFINE_LOAD(suffix, word, type, acq, __ATOMIC_ACQUIRE)                                     \
    KRI_DEFINE_LOAD(suffix, word, type, sc, __ATOMIC_SEQ_CST)                                      \
    KRI_DEFINE_STORE(suffix, word, type, rlx, __ATOMIC_RELAXED)                                    \
    KRI_DEFINE_STORE(suffix, word, type, rel, __ATOMIC_RELEASE)                                    \
    KRI_DEFINE_STORE(suffix, word, type, sc, __ATOMIC_SEQ_CST)                                     \
    KRI_DEFINE_CHANGES(suffix, word, type, swap, KRI_SWAP, __atomic_exchange_n)                    \
    KRI_DEFINE_CAS(suffix, word, type, rlx, __ATOMIC_RELAXED, __ATOMIC_RELAXED)                    \
    KRI_DEFINE_CAS(suffix, word, type, acq, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)                    \
    KRI_DEFINE_CAS(suffix, word, type, rel, __ATOMIC_RELEASE, __ATOMIC_RELAXED)                    \
    KRI_DEFINE_CAS(suffix, word, type, acq_rel, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)                \
    KRI_DEFINE_CAS(suffix, word, type, sc, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

#define KRI_DEFINE_ARITHMETIC(suffix, word, type)                                                  \
    KRI_DEFINE_CHANGES(suffix, word, type, add, KRI_ADD, __atomic_fetch_add)                       \
    KRI_DEFINE_CHANGES(suffix, word, type, sub, KRI_SUB, __atomic_fetch_sub)                       \
    KRI_DEFINE_CHANGES(suffix, word, type, or, KRI_OR, __atomic_fetch_or)                          \
    KRI_DEFINE_CHANGES(suffix, word, type, and, KRI_AND, __atomic_fetch_and)

KRI_DEFINE_BASIC(, kr_word, uint32_t)
KRI_DEFINE_ARITHMETIC(, kr_word, uint32_t)
KRI_DEFINE_BASIC(64, kri_word64, uint64_t)
KRI_DEFINE_ARITHMETIC(64, kri_word64, uint64_t)

#ifdef KRI_MODEL
typedef uintptr_t kri_pointer_bits;
#define KRI_AS_BITS(p) ((uintptr_t)(p))
#else
#define KRI_AS_BITS(p) (p)
#endif

KRI_ATOMIC_INLINE void *kri_load_rlx_ptr(const kri_pointer *p)
{
    return (void *)KRI_LOAD(&p->bits, __ATOMIC_RELAXED);
}

KRI_ATOMIC_INLINE void *kri_load_acq_ptr(const kri_pointer *p)
{
    return (void *)KRI_LOAD(&p->bits, __ATOMIC_ACQUIRE);
}

KRI_ATOMIC_INLINE void kri_store_rlx_ptr(kri_pointer *p, void *value)
{
    KRI_STORE(&p->bits, KRI_AS_BITS(value), __ATOMIC_RELAXED);
}

KRI_ATOMIC_INLINE void kri_store_rel_ptr(kri_pointer *p, void *value)
{
    KRI_STORE(&p->bits, KRI_AS_BITS(value), __ATOMIC_RELEASE);
}

KRI_ATOMIC_INLINE void *kri_swap_acq_rel_ptr(kri_pointer *p, void *value)
{
    return (void *)KRI_CHANGE(&p->bits, KRI_SWAP, __atomic_exchange_n, KRI_AS_BITS(value),
                              __ATOMIC_ACQ_REL);
}

KRI_ATOMIC_INLINE bool kri_cas_acq_rel_ptr(kri_pointer *p, void **expected, void *desired)
{
#ifdef KRI_MODEL
    uint64_t seen = (uintptr_t)*expected;
    bool done = kri_explore_cas(&p->bits, sizeof p->bits, &seen, (uintptr_t)desired,
                                __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    *expected = (void *)(uintptr_t)seen;
    return done;
#else
    return __atomic_compare_exchange_n(&p->bits, expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
#endif
}

#endif
