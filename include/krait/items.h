/* kr_bytes, kr_items - items that are handed in, or copied out, many at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_ITEMS_H
#define KRAIT_ITEMS_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_bytes {
    const void *data; /* NULL: only with size 0 */
    size_t size;
} kr_bytes;

/* kr_items - copies, in one piece of memory; each has a zero byte behind it.  Opaque, read by
 * kr_items_count and kr_items_at. */
typedef struct kr_items kr_items;

KR_API size_t kr_items_count(const kr_items *items); /* of NULL: 0 */

/* kr_items_at - one of them; NULL: there are not so many. */
KR_API const kr_bytes *kr_items_at(const kr_items *items, size_t index);

KR_API void kr_items_release(kr_items *items); /* NULL is allowed */
KR_API void kr_items_auto(kr_items **items);   /* for KR_AUTO(kr_items) */

KR_EXTERN_END

#endif
