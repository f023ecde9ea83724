/* kr_with - kr_with (&lock) { ... }: the block runs with the lock held.
 *
 *     kr_with (&lock) {
 *         counter++;                      // released however the block is left
 *     }
 *
 * Python's `with`, for a kr_lock, a kr_rlock, a kr_condition (its lock) and a kr_semaphore (one
 * permit); another type does not compile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_WITH_H
#define KRAIT_WITH_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* Each is in its own header, which includes this one. */
typedef struct kr_lock kr_lock;
typedef struct kr_rlock kr_rlock;
typedef struct kr_condition kr_condition;
typedef struct kr_semaphore kr_semaphore;

/* kr_with - the block runs with the object acquired.
 *
 * Waits without a time limit and is not ended by a cancel.  Released when the block is left, by its
 * end, break, continue (both belong to the kr_with), return or goto; in C++ by an exception too.
 * Not by longjmp.
 *
 * In shared memory: after the death of a holder the block runs all the same; kr_lock_inconsistent
 * says so there, and kr_lock_recover belongs into the block, or the lock is of no use afterwards.
 *
 * What cannot be acquired at all leaves the block out, and nothing says so: memory that holds no
 * such object or was given up (KR_ECORRUPT, -ENOTRECOVERABLE), a recursive lock that is 2^32 - 1
 * deep (-EOVERFLOW), a semaphore whose table of holders is full (-ENOSPC).  Where that can happen,
 * call acquire.
 */
#define kr_with(object) KR_WITH_NAMED(KR_UNIQUE(kr_with_guard_), object)
#define KR_WITH_NAMED(guard, object)                                                               \
    for (kr_with_guard guard KR_CLEANUP(kr_with_end) = {(object), KR_WITH_KIND(object), false};    \
         kr_with_next(&guard);)

/* Of the macro's own. */
typedef enum kr_with_kind {
    KR_WITH_LOCK,
    KR_WITH_RLOCK,
    KR_WITH_CONDITION,
    KR_WITH_SEMAPHORE,
} kr_with_kind;

typedef struct kr_with_guard {
    void *object;
    kr_with_kind kind;
    bool held;
} kr_with_guard;

KR_API bool kr_with_next(kr_with_guard *guard);
KR_API void kr_with_end(kr_with_guard *guard);

KR_EXTERN_END

#ifdef __cplusplus
#define KR_WITH_KIND(object) kr_with_kind_of(object)
extern "C++" { /* the header may be included inside an extern "C" */
static inline kr_with_kind kr_with_kind_of(const kr_lock *)
{
    return KR_WITH_LOCK;
}
static inline kr_with_kind kr_with_kind_of(const kr_rlock *)
{
    return KR_WITH_RLOCK;
}
static inline kr_with_kind kr_with_kind_of(const kr_condition *)
{
    return KR_WITH_CONDITION;
}
static inline kr_with_kind kr_with_kind_of(const kr_semaphore *)
{
    return KR_WITH_SEMAPHORE;
}
}
#else
#define KR_WITH_KIND(object)                                                                       \
    _Generic((object), kr_lock *                                                                   \
             : KR_WITH_LOCK, kr_rlock *                                                            \
             : KR_WITH_RLOCK, kr_condition *                                                       \
             : KR_WITH_CONDITION, kr_semaphore *                                                   \
             : KR_WITH_SEMAPHORE)
#endif

#endif
