/* MessagePack, by msgpack-c where it was there at build time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/msgpack.h>
#include <stdlib.h>

#ifdef KRI_HAVE_MSGPACK

#include <msgpack.h>

int kr_msgpack_encode(const struct msgpack_object *object, void **bytes, size_t *size)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    if (object == NULL || bytes == NULL || size == NULL)
        return -EINVAL;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    if (msgpack_pack_object(&packer, *object) != 0) {
        msgpack_sbuffer_destroy(&buffer);
        return -ENOMEM;
    }
    *size = buffer.size;
    *bytes = msgpack_sbuffer_release(&buffer);
    return 0;
}

int kr_msgpack_decode(const void *bytes, size_t size, struct msgpack_unpacked *unpacked)
{
    size_t used = 0;
    if (bytes == NULL || unpacked == NULL)
        return -EINVAL;
    switch (msgpack_unpack_next(unpacked, bytes, size, &used)) {
    case MSGPACK_UNPACK_SUCCESS:
        return used == size ? 0 : -EBADMSG;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        return -ENOMEM;
    default:
        return -EBADMSG;
    }
}

#else

int kr_msgpack_encode(const struct msgpack_object *object, void **bytes, size_t *size)
{
    (void)bytes, (void)size;
    return object == NULL ? -EINVAL : -ENOSYS;
}

int kr_msgpack_decode(const void *bytes, size_t size, struct msgpack_unpacked *unpacked)
{
    (void)size, (void)unpacked;
    return bytes == NULL ? -EINVAL : -ENOSYS;
}

#endif
