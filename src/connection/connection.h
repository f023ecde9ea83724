/* What every kind of connection implements, and what the other folders may do with one.
 *
 * The public calls (connection.c) check their arguments, and that the end is open and may be used
 * that way; so no operation has to.  A kind embeds kr_connection as its first member.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_CONNECTION_CONNECTION_H
#define KRI_CONNECTION_CONNECTION_H

#include "wait/wait.h"
#include <krait/connection.h>

/* Where a message goes; see kri_delivery_room. */
typedef struct kri_delivery {
    void *room;       /* of the caller's; or, with allocate, what was allocated */
    size_t room_size; /* without allocate */
    size_t size;      /* out: of the message, also with -EMSGSIZE */
    bool allocate;
} kri_delivery;

/* kri_delivery_room - the size is known: where are the bytes to go?
 *
 * 0: d->room has place for them; -EMSGSIZE (d->size is set), -ENOMEM: the message must stay.  An
 * operation that fails later calls kri_delivery_drop. */
int kri_delivery_room(kri_delivery *d, size_t size);
void kri_delivery_drop(kri_delivery *d);

/* kri_delivery_give - the same for bytes from malloc that are complete: they become d->room, or are
 * copied there and freed.  On an error they stay the caller's. */
int kri_delivery_give(kri_delivery *d, void *bytes, size_t size);

enum { KRI_PACKED_DESCRIPTORS = 4 };
enum kri_connection_kind { KRI_CONNECTION_RING = 1, KRI_CONNECTION_SOCKET = 2 };
enum { KRI_CONNECTION_READS = 1, KRI_CONNECTION_WRITES = 2 };

/* A connection on its way to another process: plain bytes, and descriptors. */
typedef struct kri_packed_connection {
    uint32_t kind;  /* enum kri_connection_kind */
    uint32_t flags; /* KRI_CONNECTION_READS, _WRITES, and from bit 8 on the kind's own */
    int fds[KRI_PACKED_DESCRIPTORS];
    int fd_count;
    uint64_t max_message;
} kri_packed_connection;

/* All deadlines are as kri_deadline has them: 0 is one try, which answers -ETIMEDOUT.  -ECANCELED
 * comes from kri_wait_fd. */
typedef struct kri_connection_ops {
    int (*send)(kr_connection *c, const void *bytes, size_t size, kr_time deadline);
    int (*recv)(kr_connection *c, kri_delivery *d, kr_time deadline);

    /* 1: a recv would not wait (a message, the end, an error); 0: no, and from now on the
     * descriptor becomes readable when that changes, perhaps for nothing. Never sleeps. */
    int (*ready)(kr_connection *c);
    int (*descriptor)(const kr_connection *c); /* of an end that reads */

    /* count (1 to KRI_PACKED_DESCRIPTORS) descriptors and some plain bytes (at most
     * KRI_ATTACHMENT_BYTES), in order with the messages.  NULL: -EOPNOTSUPP.  The receiver gets
     * new descriptors: *count is how many it takes, and then how many came.  -EBADMSG, with
     * everything left as it was: the next message is none of these, has more descriptors, or has
     * another size.  -EMFILE, -ENFILE: it stays, too. */
    int (*send_attachment)(kr_connection *c, const int *fds, int count, const void *bytes,
                           size_t size, kr_time deadline);
    int (*recv_attachment)(kr_connection *c, int *fds, int *count, void *bytes, size_t size,
                           kr_time deadline);

    int (*pack)(kr_connection *c, kri_packed_connection *out); /* NULL: -EOPNOTSUPP */
    void (*close)(kr_connection *c);  /* descriptors and memory; once.  Also in a forked child */
    void (*forked)(kr_connection *c); /* in a forked child, which has a copy now; may be NULL */
    void (*free)(kr_connection *c);   /* after close: the struct itself */
} kri_connection_ops;

enum { KRI_ATTACHMENT_BYTES = 64 };

struct kr_connection {
    const kri_connection_ops *ops; /* const */
    uint32_t flags;                /* const: KRI_CONNECTION_READS, _WRITES */
    bool closed;                   /* changed with no other call under way */
    kr_connection *next;           /* guarded by the registry's mutex: of all of this process */
};

/* kri_connection_begin - the common part of a new connection, which is whole otherwise; from here
 * on kri_connections_close_all_but and a fork find it.  pre: zero bytes but for the kind's own. */
void kri_connection_begin(kr_connection *c, const kri_connection_ops *ops, uint32_t flags);

/* kri_connection_pack - what unpack makes the same end of, in this or another process.  The
 * descriptors in it stay c's.  0; -EBADF: closed; -EOPNOTSUPP */
int kri_connection_pack(kr_connection *c, kri_packed_connection *out);

/* kri_connection_unpack - on success the descriptors are the connection's; on an error, the
 * caller's.  0; KR_ECORRUPT: that is no connection; -ENOMEM, -EBADF */
int kri_connection_unpack(const kri_packed_connection *in, kr_connection **c);
int kri_ring_unpack(const kri_packed_connection *in, kr_connection **c);
int kri_socket_unpack(const kri_packed_connection *in, kr_connection **c); /* of socket.c */

/* kri_connections_close_all_but - in a forked child of ours: close what is not to be kept.  Nothing
 * is freed: the handles may lie anywhere in the copied program.  No other thread may run. */
void kri_connections_close_all_but(kr_connection *const *keep, int count);

#endif
