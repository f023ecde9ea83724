/* kr_list - items in order, that several processes have.
 *
 *     KR_AUTO(kr_list) *l = NULL;
 *     err = kr_list_open(&l, manager, "lines");
 *     err = kr_list_append(l, text, strlen(text));                 // in one process
 *     err = kr_list_pop_left(l, line, sizeof line, &size);         // in another
 *
 * Python's Manager().list(), and its deque: both ends are as cheap as each other, and so is an item
 * in the middle by its index.  An item is any bytes, of which the list has a copy.  Nothing here
 * waits for an item: kr_manager_queue does.
 *
 * Each call is one step for all who have the list: whoever looks sees all of it or nothing, and a
 * process that is killed inside one leaves the list as before it or as after it.
 *
 * Indices count from 0, a negative one from the end: -1 is the last.  A list whose item is the name
 * of another container (kr_list_name, kr_dict_name) has it live: whoever opens that name changes
 * the one container.  It stays until kr_manager_delete, whatever becomes of the item.
 *
 * Blocks   in shared memory each call is short, and waits only while others are inside; on a server
 *          it takes the manager's .timeout at most, and a coroutine is suspended.
 * Errors   of every call, beside those that are named: -EINVAL: no list, or no item; -ETIMEDOUT;
 *          -ECANCELED; -ESTALE: the list was deleted; KR_ECORRUPT; KR_EUNSURE; see kr_dict.
 *          -EDQUOT: the manager's limit, -ENOSPC: the system's memory, of what makes it longer;
 *          then all is as before.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_LIST_H
#define KRAIT_LIST_H

#include <krait/items.h>
#include <krait/manager.h>

KR_EXTERN_BEGIN

typedef struct kr_list kr_list;

/* kr_list_open - a handle for the list of that name, which is made if there is none.
 *
 *   name   NULL: a new list, whose name is made up
 *
 * Returns   0; -EEXIST: the name belongs to another kind of container; -ENOMEM; as kr_dict_open
 */
KR_API KR_NODISCARD int kr_list_open(kr_list **l, kr_manager *m, const char *name);

/* kr_list_release - give the handle back; NULL is allowed.  The list stays. */
KR_API void kr_list_release(kr_list *l);

/* For KR_AUTO(kr_list): releases *l. */
KR_API void kr_list_auto(kr_list **l);

/* kr_list_name - by which others open it, until the release. */
KR_API const char *kr_list_name(const kr_list *l);

/* kr_list_append, kr_list_append_left - add an item at the end, at the beginning.
 *
 * Returns   0, or an error of every call
 */
KR_API KR_NODISCARD int kr_list_append(kr_list *l, const void *item, size_t size);
KR_API KR_NODISCARD int kr_list_append_left(kr_list *l, const void *item, size_t size);

/* kr_list_pop, kr_list_pop_left - take the last item, the first.
 *
 *   item   room for `room` bytes of it
 *   size   receives its length; NULL: not wanted
 *
 * Returns   0; -ENOENT: the list is empty; -ERANGE: the item is longer than room; it stays, and
 *           *size is its length
 */
KR_API KR_NODISCARD int kr_list_pop(kr_list *l, void *item, size_t room, size_t *size);
KR_API KR_NODISCARD int kr_list_pop_left(kr_list *l, void *item, size_t room, size_t *size);

/* kr_list_get - copy an item out; kr_list_set - replace one.
 *
 * Reading index 0, 1, 2 ... until -ENOENT goes through a list that others change meanwhile as
 * Python's iterator does: it sees what is there when it comes there.  kr_list_slice is for one
 * picture of all.
 *
 * Returns   0; -ENOENT: there is none with that index; -ERANGE: as kr_list_pop
 */
KR_API KR_NODISCARD int kr_list_get(kr_list *l, int64_t index, void *item, size_t room,
                                    size_t *size);
KR_API KR_NODISCARD int kr_list_set(kr_list *l, int64_t index, const void *item, size_t size);

/* kr_list_insert - add an item before the one with that index; as in Python an index that is too
 * large or too small means an end.  kr_list_delete - take an item out.  Both move what lies between
 * it and the nearer end.
 *
 * Returns   0; kr_list_delete: -ENOENT
 */
KR_API KR_NODISCARD int kr_list_insert(kr_list *l, int64_t index, const void *item, size_t size);
KR_API KR_NODISCARD int kr_list_delete(kr_list *l, int64_t index);

/* kr_list_index - where the first item lies that is equal; kr_list_count - how many are;
 * kr_list_remove - take the first of them out.
 *
 * Returns   kr_list_index: the index, or -ENOENT; kr_list_count: how many; kr_list_remove: 0 or
 *           -ENOENT
 */
KR_API KR_NODISCARD int64_t kr_list_index(kr_list *l, const void *item, size_t size);
KR_API KR_NODISCARD int64_t kr_list_count(kr_list *l, const void *item, size_t size);
KR_API KR_NODISCARD int kr_list_remove(kr_list *l, const void *item, size_t size);

/* kr_list_length - how many items it has.
 *
 * Returns   the number, or an error of every call
 */
KR_API KR_NODISCARD int64_t kr_list_length(kr_list *l);

/* kr_list_extend - append many, all or none of them.
 *
 * Returns   0, or an error
 */
KR_API KR_NODISCARD int kr_list_extend(kr_list *l, const kr_bytes *items, size_t count);

/* kr_list_clear - take all items out.  kr_list_reverse - the last becomes the first.
 *
 * Returns   0, or an error of every call
 */
KR_API KR_NODISCARD int kr_list_clear(kr_list *l);
KR_API KR_NODISCARD int kr_list_reverse(kr_list *l);

/* kr_list_sort - put the items in order; equal ones keep theirs.
 *
 *   compare   below 0, 0 or above, as strcmp; NULL: by their bytes, a beginning before what goes
 *             on.  It runs while nobody else has the list, maybe more than once: it must not wait,
 *             nor use the manager
 *
 * Returns   0; -ENOMEM: nothing was done
 */
typedef int (*kr_list_compare)(const kr_bytes *a, const kr_bytes *b, void *arg);
KR_API KR_NODISCARD int kr_list_sort(kr_list *l, kr_list_compare compare, void *arg);

/* kr_list_slice - a copy of the items from `first` to before `end`, as they are at one instant.
 *
 *   end     as an index; INT64_MAX: to the end.  Beyond the ends there is nothing, as in Python
 *   items   receives them, for kr_items_release
 *
 * Returns   0; -ENOMEM
 */
KR_API KR_NODISCARD int kr_list_slice(kr_list *l, int64_t first, int64_t end, kr_items **items);

KR_EXTERN_END

#endif
