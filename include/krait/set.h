/* kr_set - members, each once, that several processes have.
 *
 *     KR_AUTO(kr_set) *s = NULL;
 *     err = kr_set_open(&s, manager, "seen");
 *     if (kr_set_add(s, address, strlen(address)) == 1)
 *         visit(address);                              // nobody else does
 *
 * Python's Manager().set().  A member is any bytes.  Each call is one step for all who have the
 * set, and survives the death of a process inside it, as those of kr_dict; so are waits and errors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_SET_H
#define KRAIT_SET_H

#include <krait/items.h>
#include <krait/manager.h>

KR_EXTERN_BEGIN

typedef struct kr_set kr_set;

/* kr_set_open, kr_set_release, kr_set_auto, kr_set_name - a handle, and its end, as of
 * kr_dict.
 *
 * Returns   as kr_dict_open
 */
KR_API KR_NODISCARD int kr_set_open(kr_set **s, kr_manager *m, const char *name);
KR_API void kr_set_release(kr_set *s);
KR_API void kr_set_auto(kr_set **s);
KR_API const char *kr_set_name(const kr_set *s);

/* kr_set_add - make it a member.  kr_set_discard - make it none.
 *
 * Returns   1: that changed something; 0: it was so already; or an error
 */
KR_API KR_NODISCARD int kr_set_add(kr_set *s, const void *member, size_t size);
KR_API KR_NODISCARD int kr_set_discard(kr_set *s, const void *member, size_t size);

/* kr_set_contains - is it a member?
 *
 * Returns   1 or 0, or an error
 */
KR_API KR_NODISCARD int kr_set_contains(kr_set *s, const void *member, size_t size);

/* kr_set_pop - take any member out.
 *
 * Returns   0; -ENOENT: there is none; -ERANGE: the one that was found is longer than room; it
 *           stays, and *size is its length
 */
KR_API KR_NODISCARD int kr_set_pop(kr_set *s, void *member, size_t room, size_t *size);

/* kr_set_length - how many members there are.  kr_set_clear - none any more.
 *
 * Returns   the number and 0, or an error
 */
KR_API KR_NODISCARD int64_t kr_set_length(kr_set *s);
KR_API KR_NODISCARD int kr_set_clear(kr_set *s);

/* kr_set_update - add many, one after the other.
 *
 * Returns   how many were new, or an error: then those before it are members
 */
KR_API KR_NODISCARD int64_t kr_set_update(kr_set *s, const kr_bytes *members, size_t count);

/* kr_set_items - a copy of all, as of one instant; for kr_items_release.
 *
 * Returns   0; -ENOMEM; or an error
 */
KR_API KR_NODISCARD int kr_set_items(kr_set *s, kr_items **members);

KR_EXTERN_END

#endif
