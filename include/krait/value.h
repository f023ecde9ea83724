/* kr_value, kr_array - a value, or many of one size, that several processes have, with a lock.
 *
 *     KR_AUTO(kr_value) *v = NULL;
 *     err = kr_value_create(&v, sizeof(int), &(int){7}, NULL);    // forked children inherit it
 *     err = kr_value_get(v, &n, KR_FOREVER);                      // one copy, whole
 *     kr_with (kr_value_lock(v))                                  // more than one access
 *         ++*(int *)kr_value_data(v);
 *
 * Python's multiprocessing.Value and Array, with .raw its RawValue and RawArray.  The lock is a
 * recursive one, as there; each get and set takes it, so that no value is seen half written.
 *
 * A holder that dies may have written half of what it meant to.  The next get or set says so by
 * KR_OWNER_DIED, once, and has done what it was asked to do; whoever has rules about several values
 * takes the lock itself (see kr_rlock_acquire and kr_rlock_recover).
 *
 * What lies in anonymous memory is for forked children.  Others have it in a segment or a piece of
 * an arena: kr_array_create_at, kr_array_attach.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_VALUE_H
#define KRAIT_VALUE_H

#include <krait/base.h>
#include <krait/rlock.h>

KR_EXTERN_BEGIN

typedef struct kr_array kr_array;
typedef struct kr_value kr_value;

/* kr_array_options - NULL or zero: the defaults.  They are those of a value too.
 *
 *   .raw     no lock: gets and sets copy without one, and there is none to take
 *   .lock    this one in place of its own: a shared one, in memory that all have.  Every process
 *            that attaches says it, too
 *   .mode    who may attach, as of a file: 0600, 0660, 0666; 0: 0600
 */
typedef struct kr_array_options {
    bool raw;
    kr_rlock *lock;
    unsigned mode;
    uint64_t reserved[4];
} kr_array_options;

/* kr_array_create - make an array of `length` items of `item_size` bytes.
 *
 *   items     what they are at first; NULL: zero bytes
 *
 * Returns   0; -ENOMEM; -EINVAL: a size of 0, a private lock, options that do not go together
 */
KR_API KR_NODISCARD int kr_array_create(kr_array **a, size_t item_size, size_t length,
                                        const void *items, const kr_array_options *options);

/* kr_array_memory_size - how many bytes kr_array_create_at needs; 0: there is no such array. */
KR_API size_t kr_array_memory_size(size_t item_size, size_t length);

/* kr_array_create_at - make one in memory of the caller's, whatever it held before.
 *
 *   memory    aligned to 32, in every process that is to use it; stays until the last of them has
 *             released its handle
 *
 * Returns   0; -ENOMEM; -EINVAL; -ENOSPC: size is too small
 */
KR_API KR_NODISCARD int kr_array_create_at(kr_array **a, void *memory, size_t size,
                                           size_t item_size, size_t length, const void *items,
                                           const kr_array_options *options);

/* kr_array_attach - a handle for the array, or the value, that another process has made there.
 *
 *   options   .lock, if it was made with one
 *
 * Returns   0; -ENOMEM; -EINVAL: no lock, or one too much; -EPERM: another user's, whose mode
 *           leaves the caller out; -EXDEV: made in another pid or time namespace; KR_ECORRUPT: no
 *           array lies there, or a damaged or longer one
 */
KR_API KR_NODISCARD int kr_array_attach(kr_array **a, void *memory, size_t size,
                                        const kr_array_options *options);

/* kr_array_release - give the handle back, and anonymous memory with it; NULL is allowed. */
KR_API void kr_array_release(kr_array *a);

/* For KR_AUTO(kr_array): releases *a. */
KR_API void kr_array_auto(kr_array **a);

/* kr_array_length, kr_array_item_size - how many items it has, of how many bytes each. */
KR_API size_t kr_array_length(const kr_array *a);
KR_API size_t kr_array_item_size(const kr_array *a);

/* kr_array_items - all of them, for whoever holds the lock, or needs none.  Python's get_obj. */
KR_API void *kr_array_items(const kr_array *a);

/* kr_array_lock - the lock; NULL: it is raw.  Python's get_lock. */
KR_API kr_rlock *kr_array_lock(const kr_array *a);

/* kr_array_get, kr_array_set - copy the item out, or in.
 * kr_array_get_slice, kr_array_set_slice - the same with `count` of them from `first` on, at once.
 *
 * Returns   0
 *           KR_OWNER_DIED     the same, and a process died that held the lock
 *           -ERANGE           there are not so many; nothing was copied
 *           -ETIMEDOUT        the lock was not free within the timeout
 *           -ECANCELED        the caller's scope is cancelled
 *           -ENOTRECOVERABLE  somebody has given the lock up as damaged
 *           KR_ECORRUPT, -EINVAL
 * Blocks    while another has the lock; with .raw never
 */
KR_API KR_NODISCARD int kr_array_get(kr_array *a, size_t index, void *item, kr_time timeout);
KR_API KR_NODISCARD int kr_array_set(kr_array *a, size_t index, const void *item, kr_time timeout);
KR_API KR_NODISCARD int kr_array_get_slice(kr_array *a, size_t first, size_t count, void *items,
                                           kr_time timeout);
KR_API KR_NODISCARD int kr_array_set_slice(kr_array *a, size_t first, size_t count,
                                           const void *items, kr_time timeout);

/* A value: an array of one.  Each call as the one of arrays.
 *
 * Returns   as kr_array_create, kr_array_create_at, kr_array_attach, kr_array_get, kr_array_set
 * Blocks    as those
 */

KR_API KR_NODISCARD int kr_value_create(kr_value **v, size_t size, const void *value,
                                        const kr_array_options *options);
KR_API size_t kr_value_memory_size(size_t size);
KR_API KR_NODISCARD int kr_value_create_at(kr_value **v, void *memory, size_t memory_size,
                                           size_t size, const void *value,
                                           const kr_array_options *options);
KR_API KR_NODISCARD int kr_value_attach(kr_value **v, void *memory, size_t memory_size,
                                        const kr_array_options *options);
KR_API void kr_value_release(kr_value *v);
KR_API void kr_value_auto(kr_value **v);
KR_API size_t kr_value_size(const kr_value *v);
KR_API void *kr_value_data(const kr_value *v);
KR_API kr_rlock *kr_value_lock(const kr_value *v);
KR_API KR_NODISCARD int kr_value_get(kr_value *v, void *value, kr_time timeout);
KR_API KR_NODISCARD int kr_value_set(kr_value *v, const void *value, kr_time timeout);

KR_EXTERN_END

#endif
