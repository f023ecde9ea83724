/* Connections over sockets.
 *
 * Two locks, one for whoever sends and one for whoever receives, keep the messages of several
 * threads apart; each is held as long as the message takes.  In a forked child both are free: what
 * another thread was doing with the socket it does in the parent alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/socket.h"
#include "os/os.h"
#include "os/socket.h"
#include <krait/lock.h>

typedef struct socket_connection {
    kr_connection base; /* first */
    kr_lock sending;
    kr_lock receiving;
    kri_stream stream; /* the halves guarded by the locks */
} socket_connection;

static socket_connection *socket_of(const kr_connection *c)
{
    return (socket_connection *)(uintptr_t)c;
}

static void release(kr_lock *lock)
{
    int err = kr_lock_release(lock);
    (void)err; /* it is held */
}

static int send_message(kr_connection *c, const void *bytes, size_t size, kr_time deadline)
{
    socket_connection *s = socket_of(c);
    int err = kr_lock_acquire(&s->sending, kri_left_until(deadline));
    if (err < 0)
        return err;
    err = kri_stream_send(&s->stream, bytes, size, deadline);
    release(&s->sending);
    return err;
}

static int receive_held(kri_stream *stream, kri_delivery *d, kr_time deadline)
{
    uint64_t size;
    int err = kri_stream_begin(stream, &size, deadline);
    if (err < 0)
        return err;
    err = kri_delivery_room(d, (size_t)size);
    if (err < 0)
        return err;
    err = kri_stream_take(stream, d->room, deadline);
    if (err < 0)
        kri_delivery_drop(d);
    return err;
}

static int receive_message(kr_connection *c, kri_delivery *d, kr_time deadline)
{
    socket_connection *s = socket_of(c);
    int err = kr_lock_acquire(&s->receiving, kri_left_until(deadline));
    if (err < 0)
        return err;
    err = receive_held(&s->stream, d, deadline);
    release(&s->receiving);
    return err;
}

/* Whoever receives at the moment will have what comes. */
static int ready(kr_connection *c)
{
    socket_connection *s = socket_of(c);
    if (kr_lock_acquire(&s->receiving, KR_NOWAIT) < 0)
        return 0;
    int is = kri_stream_ready(&s->stream);
    release(&s->receiving);
    return is;
}

static int descriptor(const kr_connection *c)
{
    return socket_of(c)->stream.fd;
}

/* What was read ahead cannot travel. */
static int pack(kr_connection *c, kri_packed_connection *out)
{
    socket_connection *s = socket_of(c);
    int err = kr_lock_acquire(&s->receiving, KR_NOWAIT);
    if (err < 0)
        return -EBUSY;
    bool pending = kri_stream_pending(&s->stream);
    release(&s->receiving);
    if (pending)
        return -EBUSY;
    *out = (kri_packed_connection){.kind = KRI_CONNECTION_SOCKET,
                                   .flags = c->flags,
                                   .fd_count = 1,
                                   .max_message = s->stream.max_message};
    for (int i = 1; i < KRI_PACKED_DESCRIPTORS; i++)
        out->fds[i] = -1;
    out->fds[0] = s->stream.fd;
    return 0;
}

static void forked(kr_connection *c)
{
    socket_connection *s = socket_of(c);
    kr_lock_reinit(&s->sending);
    kr_lock_reinit(&s->receiving);
}

static void close_socket(kr_connection *c)
{
    kri_stream_close(&socket_of(c)->stream);
}

static void free_socket(kr_connection *c)
{
    os_free(socket_of(c));
}

static const kri_connection_ops operations = {
    .send = send_message,
    .recv = receive_message,
    .ready = ready,
    .descriptor = descriptor,
    .pack = pack,
    .close = close_socket,
    .forked = forked,
    .free = free_socket,
};

int kri_socket_create(int fd, uint64_t max_message, kr_connection **c)
{
    socket_connection *s = os_alloc(sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    kri_stream_open(&s->stream, fd, max_message);
    *c = &s->base;
    return 0;
}

kri_stream *kri_socket_stream(kr_connection *c)
{
    return &socket_of(c)->stream;
}

void kri_socket_begin(kr_connection *c)
{
    kri_connection_begin(c, &operations, KRI_CONNECTION_READS | KRI_CONNECTION_WRITES);
}

void kri_socket_discard(kr_connection *c)
{
    kri_stream_close(&socket_of(c)->stream);
    free_socket(c);
}

int kri_socket_unpack(const kri_packed_connection *in, kr_connection **c)
{
    if (in->fd_count != 1 || in->max_message == 0 || !os_socket_is_stream(in->fds[0]))
        return KR_ECORRUPT;
    int err = kri_socket_create(in->fds[0], in->max_message, c);
    if (err == 0)
        kri_socket_begin(*c);
    return err;
}
