/* MessagePack: structured values as bytes that any language can read, by msgpack-c.
 *
 *     #include <msgpack.h>
 *     err = kr_msgpack_encode(&object, &bytes, &size);             // a struct msgpack_object
 *     err = kr_dict_set(d, "order", 5, bytes, size);
 *
 *     msgpack_unpacked order;
 *     msgpack_unpacked_init(&order);           // ended by msgpack_unpacked_destroy
 *     err = kr_msgpack_decode(bytes, size, &order);                // use order.data
 *
 * For values of dicts, items of lists and queues: whatever is bytes.  msgpack-c's own packers write
 * bytes as well; this is for whoever has an object.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_MSGPACK_H
#define KRAIT_MSGPACK_H

#include <krait/base.h>

KR_EXTERN_BEGIN

struct msgpack_object;   /* msgpack-c's */
struct msgpack_unpacked; /* the same */

/* kr_msgpack_encode - the bytes of an object.
 *
 *   bytes   receives memory from malloc, which the caller frees
 *
 * Returns   0; -ENOMEM; -EINVAL; -ENOSYS: built without msgpack-c (package libmsgpack-dev) */
KR_API KR_NODISCARD int kr_msgpack_encode(const struct msgpack_object *object, void **bytes,
                                          size_t *size);

/* kr_msgpack_decode - the object of bytes, all of them.  Its memory is the unpacked's own.
 *
 *   unpacked   was initialized
 *
 * Returns   0; -EBADMSG: no object, or more than one; -ENOMEM; -EINVAL; -ENOSYS */
KR_API KR_NODISCARD int kr_msgpack_decode(const void *bytes, size_t size,
                                          struct msgpack_unpacked *unpacked);

KR_EXTERN_END

#endif
