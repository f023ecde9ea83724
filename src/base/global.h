/* The only ways to have a variable that outlives a call.
 *
 *   KRI_GLOBAL        marks a writable global; it starts as zero bytes.
 *   KRI_THREAD_LOCAL  a variable of each thread, zero at first, reached by the function `name()`.
 *   KRI_SHARED_THREAD_LOCAL  the same for several files: in a header; one of them says
 *                     KRI_SHARED_THREAD_LOCAL_HERE with the same words.
 *
 * A thread-local is read with one load and no call, in a static library and in a shared one: the
 * initial-exec model.  Its price is room in the block that each thread gets at its start.  A shared
 * library that is loaded later has to fit into the spare room there, about 1.6 KB in glibc for all
 * such libraries together, of which krait takes some 100 bytes: keep it that small.
 *
 * Both are listed by the linker in sections of their own under the model build, so that the
 * explorer can return the whole library to its first state before each run; and both can be
 * found by the lint, which refuses any other writable global.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BASE_GLOBAL_H
#define KRI_BASE_GLOBAL_H

#ifdef KRI_MODEL

/* The explorer's logical threads all run on one thread of the system. */
enum { KRI_MODEL_THREADS = 8 };
unsigned kri_explore_thread(void);

#define KRI_GLOBAL __attribute__((section("kri_globals")))
#define KRI_THREAD_LOCAL(type, name)                                                               \
    static type name##_slots[KRI_MODEL_THREADS] __attribute__((section("kri_globals")));           \
    static inline type *name(void)                                                                 \
    {                                                                                              \
        return &name##_slots[kri_explore_thread()];                                                \
    }
#define KRI_SHARED_THREAD_LOCAL(type, name)                                                        \
    extern type name##_slots[KRI_MODEL_THREADS];                                                   \
    static inline type *name(void)                                                                 \
    {                                                                                              \
        return &name##_slots[kri_explore_thread()];                                                \
    }
#define KRI_SHARED_THREAD_LOCAL_HERE(type, name)                                                   \
    type name##_slots[KRI_MODEL_THREADS] __attribute__((section("kri_globals")));

#else

#define KRI_GLOBAL
#define KRI_THREAD_LOCAL(type, name)                                                               \
    static _Thread_local type name##_slot __attribute__((tls_model("initial-exec")));              \
    static inline type *name(void)                                                                 \
    {                                                                                              \
        return &name##_slot;                                                                       \
    }
#define KRI_SHARED_THREAD_LOCAL(type, name)                                                        \
    extern _Thread_local type name##_slot __attribute__((tls_model("initial-exec")));              \
    static inline type *name(void)                                                                 \
    {                                                                                              \
        return &name##_slot;                                                                       \
    }
#define KRI_SHARED_THREAD_LOCAL_HERE(type, name) _Thread_local type name##_slot;

#endif
#endif
