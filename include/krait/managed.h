/* kr_managed_value, kr_managed_array, kr_manager_queue - a manager's values, arrays and queues.
 *
 *     KR_AUTO(kr_managed_value) *hits = NULL;
 *     err = kr_managed_value_open(&hits, manager, "hits", sizeof(int64_t), NULL);
 *     err = kr_managed_value_add(hits, 1, NULL);              // from any process
 *
 * Python's Manager().Value(), Array() and Queue(), found by their names.  Where several processes
 * of one machine have the memory anyway, kr_value and kr_array do without a manager.
 *
 * Each call is one step for all, and a process that is killed inside one leaves what was before it,
 * or what is after it.
 *
 *   open     by NULL a new one, whose name is made up.  A size or length of 0 opens what is there
 *            only: -ENOENT if nothing is.  -EEXIST: the name belongs to another kind of container,
 *            or to one of another size.  Else as kr_dict_open
 *   release  gives the handle back; NULL is allowed.  The container stays
 *
 * Waits and errors are those of kr_list; sizes that do not fit are -EINVAL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_MANAGED_H
#define KRAIT_MANAGED_H

#include <krait/manager.h>
#include <krait/queue.h>

KR_EXTERN_BEGIN

/* A value: so many bytes, which change as a whole. */

typedef struct kr_managed_value kr_managed_value;

/* kr_managed_value_open - a value of some bytes, by its name.
 *
 *   size    of the value
 *   value   what it is at first, when it is made here; NULL: zero bytes
 *
 * Returns   0; of open what is said of it; errors as those of kr_list
 */
KR_API KR_NODISCARD int kr_managed_value_open(kr_managed_value **v, kr_manager *m, const char *name,
                                              size_t size, const void *value);
KR_API void kr_managed_value_release(kr_managed_value *v);
KR_API void kr_managed_value_auto(kr_managed_value **v);
KR_API const char *kr_managed_value_name(const kr_managed_value *v);
KR_API size_t kr_managed_value_size(const kr_managed_value *v);

/* kr_managed_value_get, kr_managed_value_set - copy all of it out, or in.
 *
 * Returns   0; of open what is said of it; errors as those of kr_list
 */
KR_API KR_NODISCARD int kr_managed_value_get(kr_managed_value *v, void *value);
KR_API KR_NODISCARD int kr_managed_value_set(kr_managed_value *v, const void *value);

/* kr_managed_value_compare_and_set - set it if it is `expected`.
 *
 * Returns   0; -EAGAIN: it is something else, nothing was done
 */
KR_API KR_NODISCARD int kr_managed_value_compare_and_set(kr_managed_value *v, const void *expected,
                                                         const void *value);

/* kr_managed_value_add - add to a value that is an int64_t, so of 8 bytes.
 *
 *   sum   receives what it is after that; NULL: not wanted
 *
 * Returns   0; -EINVAL: a value of another size; -EOVERFLOW: the sum does not fit, nothing was done
 */
KR_API KR_NODISCARD int kr_managed_value_add(kr_managed_value *v, int64_t amount, int64_t *sum);

/* An array: `length` items of `item_size` bytes. */

typedef struct kr_managed_array kr_managed_array;

/* kr_managed_array_open - an array of items of one size, by its name.
 *
 *   items   what they are at first, when it is made here; NULL: zero bytes
 *
 * Returns   0; of open what is said of it; errors as those of kr_list
 */
KR_API KR_NODISCARD int kr_managed_array_open(kr_managed_array **a, kr_manager *m, const char *name,
                                              size_t item_size, size_t length, const void *items);
KR_API void kr_managed_array_release(kr_managed_array *a);
KR_API void kr_managed_array_auto(kr_managed_array **a);
KR_API const char *kr_managed_array_name(const kr_managed_array *a);
KR_API size_t kr_managed_array_item_size(const kr_managed_array *a);
KR_API size_t kr_managed_array_length(const kr_managed_array *a);

/* kr_managed_array_get, kr_managed_array_set - copy `count` items from `first` on out, or in.
 *
 * Returns   0; -ENOENT: there are not so many; nothing was copied
 */
KR_API KR_NODISCARD int kr_managed_array_get(kr_managed_array *a, size_t first, size_t count,
                                             void *items);
KR_API KR_NODISCARD int kr_managed_array_set(kr_managed_array *a, size_t first, size_t count,
                                             const void *items);

/* kr_manager_queue - a handle for the manager's queue of that name, with which all of kr_queue_...
 * works, but for kr_choose_get and kr_choose_put of one on a server: -EINVAL.
 *
 *   name    not NULL: nobody could ask a kr_queue for it
 *   item_size, maxsize, options   as of a shared queue, see kr_queue_create: when it is made here;
 *           for one that is there already item_size must be the same, and the rest counts for
 *           nothing.  On a server only .order KR_FIFO, and no limit on the bytes.
 *           In shared memory its room is taken at once; deleting it is as that of a lock, see
 *           krait/managed_sync.h
 *
 * Returns   0; -EEXIST: the name is no queue's, or that of one of another item_size; -EINVAL; as
 *           kr_dict_open
 */
KR_API KR_NODISCARD int kr_manager_queue(kr_queue **q, kr_manager *m, const char *name,
                                         size_t item_size, size_t maxsize,
                                         const kr_queue_options *options);

KR_EXTERN_END

#endif
