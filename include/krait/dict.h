/* kr_dict - bytes under keys of bytes, that processes share by a manager.
 *
 *     KR_AUTO(kr_dict) *d = NULL;
 *     err = kr_dict_open(&d, m, "prices");
 *     err = kr_dict_set(d, "tea", 3, &price, sizeof price);
 *     err = kr_dict_get(d, "tea", 3, &price, sizeof price, NULL);
 *
 * Python's Manager().dict().  Each call is one: nobody sees half of it, and it is there whole or
 * not at all when its process is killed.  There is no order of keys.
 *
 * Every call returns, beside what it says itself:
 *
 *   -EINVAL      no dict, no key, an argument out of range
 *   -ESTALE      kr_manager_delete was called for it
 *   -ETIMEDOUT   a process that was stopped inside a call, or the server, held it up for the
 *                manager's .timeout; in shared memory nothing was done
 *   -EDQUOT      the manager's limit; nothing was done.  -ENOSPC: the system has no more memory
 *   KR_ECORRUPT  damaged memory
 *   KR_EUNSURE   server: the connection was lost before the answer came: it may have been done or
 *                not.  -ECANCELED and what connecting returns: it was not
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_DICT_H
#define KRAIT_DICT_H

#include <krait/manager.h>

KR_EXTERN_BEGIN

typedef struct kr_dict kr_dict;

enum { KR_DICT_KEY = 65535 }; /* bytes that a key has at most */

/* kr_dict_open - the dict of that name, which is made if there is none.
 *
 *   name   NULL: a new one; see kr_dict_name
 *
 * Returns   0; -EEXIST: the name is another kind of object's; -ENAMETOOLONG; -ENOMEM */
KR_API KR_NODISCARD int kr_dict_open(kr_dict **d, kr_manager *m, const char *name);

/* kr_dict_release - give the handle back; NULL is allowed.  What is in the dict stays. */
KR_API void kr_dict_release(kr_dict *d);
KR_API void kr_dict_auto(kr_dict **d); /* for KR_AUTO(kr_dict) */

KR_API const char *kr_dict_name(const kr_dict *d);

/* kr_dict_get - copy the value of a key.
 *
 *   value   `room` bytes; NULL with room 0
 *   size    receives how long the value is, also on -ERANGE; NULL: not wanted
 *
 * Returns   0; -ENOENT: no such key; -ERANGE: it is longer than room, nothing was copied */
KR_API KR_NODISCARD int kr_dict_get(kr_dict *d, const void *key, size_t key_size, void *value,
                                    size_t room, size_t *size);

/* kr_dict_get_new - copy the value of a key into memory from malloc, with a zero byte behind it,
 * which the caller frees.
 *
 * Returns   0; -ENOENT: no such key; -ENOMEM */
KR_API KR_NODISCARD int kr_dict_get_new(kr_dict *d, const void *key, size_t key_size, void **value,
                                        size_t *size);

/* kr_dict_set - put a copy of the value under the key, whatever was there.
 *
 * Returns   0, or an error of every call */
KR_API KR_NODISCARD int kr_dict_set(kr_dict *d, const void *key, size_t key_size, const void *value,
                                    size_t size);

/* kr_dict_setdefault - set, if the key is not there.
 *
 * Returns   KR_DICT_NEW: it was not; 0: it was; see kr_dict_get for what is returned of it then */
enum { KR_DICT_NEW = 1 };
KR_API KR_NODISCARD int kr_dict_setdefault(kr_dict *d, const void *key, size_t key_size,
                                           const void *value, size_t size, void *found, size_t room,
                                           size_t *found_size);

/* kr_dict_pop - copy the value out and take it away.
 *
 * Returns   as kr_dict_get; with -ERANGE it stays */
KR_API KR_NODISCARD int kr_dict_pop(kr_dict *d, const void *key, size_t key_size, void *value,
                                    size_t room, size_t *size);

/* One key and its value, in one piece of memory from malloc.  Each has a zero byte behind it. */
typedef struct kr_dict_item {
    const void *key;
    size_t key_size;
    const void *value;
    size_t value_size;
} kr_dict_item;

/* kr_dict_popitem - take any one away.
 *
 *   item   receives what the caller frees by free(item)
 *
 * Returns   0; -ENOENT: it is empty; -ENOMEM, it stays */
KR_API KR_NODISCARD int kr_dict_popitem(kr_dict *d, kr_dict_item **item);

/* kr_dict_delete - take a key away.
 *
 * Returns   0; -ENOENT: no such key */
KR_API KR_NODISCARD int kr_dict_delete(kr_dict *d, const void *key, size_t key_size);

/* kr_dict_contains - is there such a key?
 *
 * Returns   1: it is there; 0: it is not; or an error of every call */
KR_API KR_NODISCARD int kr_dict_contains(kr_dict *d, const void *key, size_t key_size);

/* kr_dict_length - how many keys there are.
 *
 * Returns   the number, or an error of every call */
KR_API KR_NODISCARD int64_t kr_dict_length(kr_dict *d);

/* kr_dict_clear - take all keys away.
 *
 * Returns   0, or an error of every call */
KR_API KR_NODISCARD int kr_dict_clear(kr_dict *d);

/* kr_dict_compare_and_set - set, if the value is what is expected.
 *
 *   expected   NULL: the key is not there
 *   value      NULL: take it away
 *
 * Returns   0; -EAGAIN: it is something else, nothing was done */
KR_API KR_NODISCARD int kr_dict_compare_and_set(kr_dict *d, const void *key, size_t key_size,
                                                const void *expected, size_t expected_size,
                                                const void *value, size_t size);

/* kr_dict_add - add to a value that is an integer, in decimal digits as kr_dict_set_int writes it.
 * A key that is not there counts as 0.
 *
 *   result   receives the sum; NULL: not wanted
 *
 * Returns   0; -EBADMSG: it is no such integer; -EOVERFLOW */
KR_API KR_NODISCARD int kr_dict_add(kr_dict *d, const void *key, size_t key_size, int64_t addend,
                                    int64_t *result);

/* kr_dict_update - replace a value by what a function makes of it, at once.
 *
 * The function may run more than once, each time on the value that is there then: it is run on a
 * copy, with nothing locked, and its result put in the place if the value is still the same.  So
 * it has no effects but its result, and does not wait for others.
 *
 *   change(now, arg)   now->value: what is there, NULL: nothing; the function sets it to what is to
 *                      be there, NULL: nothing, in memory that stays until it is called again or
 *                      the update returns.  0; KR_DICT_KEEP: leave it as it is; a negative number:
 *                      leave it, and return that
 *
 * Returns   0; KR_DICT_KEEP; what change returned; -ENOMEM */
typedef struct kr_dict_value {
    const void *value;
    size_t size;
} kr_dict_value;
enum { KR_DICT_KEEP = 1 };
KR_API KR_NODISCARD int kr_dict_update(kr_dict *d, const void *key, size_t key_size,
                                       int (*change)(kr_dict_value *now, void *arg), void *arg);

/* kr_dict_batch - several operations as one: no other comes between them, and a kill leaves all
 * or nothing.  (On a server: one script or pipeline, see docs/manager.md.)
 *
 * .result of each is what the single call would have returned.  The batch goes on after one that
 * has failed by -ENOENT, -ERANGE, -EAGAIN, -EBADMSG or -EOVERFLOW.
 *
 * Returns   0; -ENOMEM, -EDQUOT, -ENOSPC and the errors of all calls: nothing was done */
typedef enum kr_dict_verb {
    KR_DICT_GET = 1, /* found, room, found_size */
    KR_DICT_SET,     /* value, size */
    KR_DICT_DEFAULT, /* value, size, found, room, found_size */
    KR_DICT_POP,     /* found, room, found_size */
    KR_DICT_DELETE,
    KR_DICT_CONTAINS,
    KR_DICT_ADD, /* number: the addend, and if it was done the sum */
} kr_dict_verb;
typedef struct kr_dict_operation {
    kr_dict_verb verb;
    int result;
    const void *key;
    size_t key_size;
    const void *value;
    size_t size;
    void *found;
    size_t room;
    size_t found_size;
    int64_t number;
} kr_dict_operation;
KR_API KR_NODISCARD int kr_dict_batch(kr_dict *d, kr_dict_operation *operations, size_t count);

/* kr_dict_snapshot - a copy of all that is in the dict at one instant, in private memory.
 *
 * Returns   0; -ENOMEM */
typedef struct kr_dict_items kr_dict_items;
KR_API KR_NODISCARD int kr_dict_snapshot(kr_dict *d, kr_dict_items **items);
KR_API size_t kr_dict_items_count(const kr_dict_items *items);
KR_API const kr_dict_item *kr_dict_items_at(const kr_dict_items *items, size_t index);
KR_API void kr_dict_items_release(kr_dict_items *items); /* NULL is allowed */
KR_API void kr_dict_items_auto(kr_dict_items **items);   /* for KR_AUTO(kr_dict_items) */

/* kr_dict_each - call each(item, arg) for what is in the dict, until it returns other than 0, which
 * is the result.
 *
 * A part of the keys is copied at a time, and nothing is locked while each runs: it may call
 * whatever it likes.  A key that is there all the time comes once, with a value that it had
 * meanwhile; one that comes or goes meanwhile may come or not.  One instant: kr_dict_snapshot.
 *
 * Returns   what each returned last, 0 where there was nothing; or an error of every call */
KR_API KR_NODISCARD int kr_dict_each(kr_dict *d, int (*each)(const kr_dict_item *item, void *arg),
                                     void *arg);

/* For keys that are C strings.  Integers and doubles are kept as text that any language reads; a
 * double survives to the last bit.
 *
 *   text   receives the value and a zero byte
 *
 * Returns   as kr_dict_set and kr_dict_get; -ERANGE: no room for the text and a zero byte;
 *           -EBADMSG: it is no number; -EOVERFLOW: no int64_t holds it */
KR_API KR_NODISCARD int kr_dict_set_string(kr_dict *d, const char *key, const char *value);
KR_API KR_NODISCARD int kr_dict_get_string(kr_dict *d, const char *key, char *text, size_t room);
KR_API KR_NODISCARD int kr_dict_set_int(kr_dict *d, const char *key, int64_t value);
KR_API KR_NODISCARD int kr_dict_get_int(kr_dict *d, const char *key, int64_t *value);
KR_API KR_NODISCARD int kr_dict_set_double(kr_dict *d, const char *key, double value);
KR_API KR_NODISCARD int kr_dict_get_double(kr_dict *d, const char *key, double *value);

KR_EXTERN_END

#endif
