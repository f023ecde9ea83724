/* Descriptors and connections as messages, and connections on their way to another process.
 *
 * Both are attachments: descriptors, and for a connection a few plain bytes, which say what the
 * descriptors make.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/connection.h"
#include "os/message.h"
#include "os/os.h"

/* A connection in a message, beside its descriptors. */
typedef struct travel {
    uint32_t magic;
    uint32_t kind;
    uint32_t flags;
    uint32_t fd_count;
    uint64_t max_message;
} travel;

enum { TRAVEL_MAGIC = 0x6b72636e };

_Static_assert(sizeof(travel) <= KRI_ATTACHMENT_BYTES, "an attachment");

static int check(const kr_connection *c, uint32_t flags, kr_time timeout)
{
    if (c == NULL || timeout < 0)
        return -EINVAL;
    return c->closed || (c->flags & flags) != flags ? -EBADF : 0;
}

int kri_connection_pack(kr_connection *c, kri_packed_connection *out)
{
    if (c->closed)
        return -EBADF;
    return c->ops->pack != NULL ? c->ops->pack(c, out) : -EOPNOTSUPP;
}

int kri_connection_unpack(const kri_packed_connection *in, kr_connection **c)
{
    *c = NULL;
    if (in->fd_count < 1 || in->fd_count > KRI_PACKED_DESCRIPTORS)
        return KR_ECORRUPT;
    if (in->kind == KRI_CONNECTION_RING)
        return kri_ring_unpack(in, c);
    if (in->kind == KRI_CONNECTION_SOCKET)
        return kri_socket_unpack(in, c);
    return KR_ECORRUPT;
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        os_close(fds[i]);
}

static int duplicate_all(kri_packed_connection *packed)
{
    for (int i = 0; i < packed->fd_count; i++) {
        int copy = os_duplicate(packed->fds[i]);
        if (copy < 0) {
            close_all(packed->fds, i);
            return copy;
        }
        packed->fds[i] = copy;
    }
    return 0;
}

int kr_connection_duplicate(kr_connection *c, kr_connection **copy)
{
    if (copy == NULL)
        return -EINVAL;
    *copy = NULL;
    kri_packed_connection packed;
    int err = c != NULL ? kri_connection_pack(c, &packed) : -EINVAL;
    if (err == 0)
        err = duplicate_all(&packed);
    if (err != 0)
        return err;
    err = kri_connection_unpack(&packed, copy);
    if (err != 0)
        close_all(packed.fds, packed.fd_count);
    return err;
}

int kr_connection_send_descriptor(kr_connection *c, int fd, kr_time timeout)
{
    int err = check(c, KRI_CONNECTION_WRITES, timeout);
    if (err != 0)
        return err;
    if (fd < 0)
        return -EBADF;
    if (c->ops->send_attachment == NULL)
        return -EOPNOTSUPP;
    return c->ops->send_attachment(c, &fd, 1, NULL, 0, kri_deadline(timeout));
}

int kr_connection_recv_descriptor(kr_connection *c, int *fd, kr_time timeout)
{
    if (fd == NULL)
        return -EINVAL;
    *fd = -1;
    int err = check(c, KRI_CONNECTION_READS, timeout);
    if (err != 0)
        return err;
    if (c->ops->recv_attachment == NULL)
        return -EOPNOTSUPP;
    int count = 1;
    int got = -1;
    err = c->ops->recv_attachment(c, &got, &count, NULL, 0, kri_deadline(timeout));
    if (err == 0)
        *fd = got;
    return err;
}

int kr_connection_send_connection(kr_connection *c, kr_connection *end, kr_time timeout)
{
    int err = check(c, KRI_CONNECTION_WRITES, timeout);
    if (err != 0)
        return err;
    if (end == NULL || end == c)
        return -EINVAL;
    if (c->ops->send_attachment == NULL)
        return -EOPNOTSUPP;
    kri_packed_connection packed;
    err = kri_connection_pack(end, &packed);
    if (err != 0)
        return err;
    travel bytes = {.magic = TRAVEL_MAGIC,
                    .kind = packed.kind,
                    .flags = packed.flags,
                    .fd_count = (uint32_t)packed.fd_count,
                    .max_message = packed.max_message};
    err = c->ops->send_attachment(c, packed.fds, packed.fd_count, &bytes, sizeof bytes,
                                  kri_deadline(timeout));
    if (err == 0)
        kr_connection_close(end);
    return err;
}

static int unpack_travel(const travel *bytes, const int *fds, int count, kr_connection **end)
{
    kri_packed_connection packed = {.kind = bytes->kind,
                                    .flags = bytes->flags,
                                    .fd_count = count,
                                    .max_message = bytes->max_message};
    if (bytes->magic != TRAVEL_MAGIC || bytes->fd_count != (uint32_t)count)
        return KR_ECORRUPT;
    for (int i = 0; i < count; i++)
        packed.fds[i] = fds[i];
    return kri_connection_unpack(&packed, end);
}

int kr_connection_recv_connection(kr_connection *c, kr_connection **end, kr_time timeout)
{
    if (end == NULL)
        return -EINVAL;
    *end = NULL;
    int err = check(c, KRI_CONNECTION_READS, timeout);
    if (err != 0)
        return err;
    if (c->ops->recv_attachment == NULL)
        return -EOPNOTSUPP;
    travel bytes;
    int fds[KRI_PACKED_DESCRIPTORS];
    int count = KRI_PACKED_DESCRIPTORS;
    err = c->ops->recv_attachment(c, fds, &count, &bytes, sizeof bytes, kri_deadline(timeout));
    if (err != 0)
        return err;
    err = unpack_travel(&bytes, fds, count, end);
    if (err != 0)
        close_all(fds, count);
    return err;
}
