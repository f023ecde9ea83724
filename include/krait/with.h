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

/* kr_with - kr_with (&lock) or kr_with (&lock, &err): the block runs with the object acquired.
 *
 * Waits without a time limit and is not ended by a cancel.  Released when the block is left, by its
 * end, break, continue (both belong to the kr_with), return or goto; in C++ by an exception too.
 * Not by longjmp.
 *
 * kr_with (&lock) runs the block if what the lock guards is whole.  Otherwise it leaves the block
 * out and says so on standard error: what cannot be acquired at all, see below; and in shared
 * memory a lock whose holder died.  That one is released without kr_lock_recover, so all who come
 * later get -ENOTRECOVERABLE.
 *
 * kr_with (&lock, &err) says nothing and puts what acquire returned into the int err, before the
 * block: it runs with 0, and with KR_OWNER_DIED, where kr_lock_recover belongs into it.
 *
 *     int err;
 *     kr_with (&lock, &err) {
 *         if (err == KR_OWNER_DIED)
 *             err = kr_lock_recover(&lock);   // once what it guards is put right
 *     }
 *
 * What cannot be acquired at all is memory that holds no such object (KR_ECORRUPT) or was given up
 * (-ENOTRECOVERABLE), a recursive lock that is 2^32 - 1 deep (-EOVERFLOW), a semaphore whose table
 * of holders is full (-ENOSPC).  Of a private lock there is none of it.
 */
#define kr_with(...) KR_WITH_NAMED(KR_UNIQUE(kr_with_guard_), __VA_ARGS__, NULL, 0)
#define KR_WITH_NAMED(guard, object, result, ...)                                                  \
    for (kr_with_guard guard KR_CLEANUP(kr_with_end) = {(object), KR_WITH_KIND(object), false,     \
                                                        (result)};                                 \
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
    int *result; /* NULL: nobody asks */
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
