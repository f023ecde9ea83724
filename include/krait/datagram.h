/* kr_datagram - messages without a connection: UDP and Unix datagram sockets.
 *
 *     kr_datagram *d;
 *     err = kr_datagram_open(&d, NULL, "5353", NULL, KR_FOREVER);
 *     n = kr_datagram_recvfrom(d, bytes, sizeof bytes, &from, kr_sec(5));
 *     err = kr_datagram_sendto(d, answer, size, &from, kr_sec(5));
 *
 * Python's create_datagram_endpoint, without a buffer of its own: a send waits for room in the
 * system's, so nothing piles up.  In a thread the calls block, in a coroutine they suspend it.  Any
 * number of runners may send and receive at a time, each gets whole messages.
 *
 * It is of one process: in a forked child it shares the socket, and is to be released there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_DATAGRAM_H
#define KRAIT_DATAGRAM_H

#include <krait/address.h>
#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_datagram kr_datagram;

typedef struct kr_datagram_options {
    bool broadcast;  /* sending to broadcast addresses is allowed */
    bool reuse_port; /* several sockets may have the port */
    uint64_t reserved[4];
} kr_datagram_options;

/* kr_datagram_open - a UDP socket that is bound.
 *
 *   host      a name or a number: its first address; NULL or "": every interface of IPv4
 *   service   the port, "0": a free one
 *
 * Returns   0
 *           -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, -EMFILE, -ENOMEM ...  the system refuses
 *           -ENOENT, -ETIMEDOUT, -ECANCELED ...  as kr_getaddrinfo
 *           -EINVAL   no service, a negative timeout, or a reserved option is set
 *           On every error *d is NULL
 * Blocks    while the name is looked up
 */
KR_API KR_NODISCARD int kr_datagram_open(kr_datagram **d, const char *host, const char *service,
                                         const kr_datagram_options *options, kr_time timeout);

/* kr_datagram_connect - a UDP socket that sends to one address, and hears that one only.
 *
 *   host   NULL or "": this machine
 *
 * Returns   as kr_datagram_open */
KR_API KR_NODISCARD int kr_datagram_connect(kr_datagram **d, const char *host, const char *service,
                                            const kr_datagram_options *options, kr_time timeout);

/* kr_datagram_open_at - for any pair of addresses: bound to `local`, connected to `remote`, of
 * which each may be NULL, and not both.  Unix sockets, too; the close removes the file that the
 * bind has made.
 *
 * Returns   as kr_datagram_open; -EINVAL: both are NULL, or no addresses; -ENOENT, -ECONNREFUSED:
 *           nobody has that Unix address
 */
KR_API KR_NODISCARD int kr_datagram_open_at(kr_datagram **d, const kr_address *local,
                                            const kr_address *remote,
                                            const kr_datagram_options *options);

/* kr_datagram_send - to the connected address; kr_datagram_sendto - to any.  Whole or not at all.
 *
 * Returns   0
 *           -EMSGSIZE      longer than a message may be
 *           -ECONNREFUSED  (connected) an earlier one found nobody there
 *           -EDESTADDRREQ  nothing is connected; -EISCONN: something is
 *           -ETIMEDOUT, -ECANCELED   nothing was sent
 *           -EBADF         it is closed, or was meanwhile
 *           -EINVAL        a negative timeout, or no address
 *           ...            the system's
 */
KR_API KR_NODISCARD int kr_datagram_send(kr_datagram *d, const void *bytes, size_t size,
                                         kr_time timeout);
KR_API KR_NODISCARD int kr_datagram_sendto(kr_datagram *d, const void *bytes, size_t size,
                                           const kr_address *to, kr_time timeout);

/* kr_datagram_recv - the next message; kr_datagram_recvfrom - and where it came from (from NULL:
 * not wanted; its size is 0 where the sender has no name).
 *
 * Returns   its length, 0 is one
 *           -EMSGSIZE     it was longer than `size`: its first `size` bytes are there, the rest is
 *                         lost; as with every datagram that nobody took whole
 *           else as the sends; nothing was received then
 */
KR_API KR_NODISCARD int64_t kr_datagram_recv(kr_datagram *d, void *bytes, size_t size,
                                             kr_time timeout);
KR_API KR_NODISCARD int64_t kr_datagram_recvfrom(kr_datagram *d, void *bytes, size_t size,
                                                 kr_address *from, kr_time timeout);

/* kr_datagram_local_address, kr_datagram_peer_address - the two ends.
 *
 * Returns   0; -EBADF: it is closed; -ENOTCONN: it has no peer */
KR_API KR_NODISCARD int kr_datagram_local_address(kr_datagram *d, kr_address *address);
KR_API KR_NODISCARD int kr_datagram_peer_address(kr_datagram *d, kr_address *address);

/* kr_datagram_descriptor - the socket, to ask the system about.
 *
 * Returns   the descriptor; -EBADF: it is closed */
KR_API int kr_datagram_descriptor(kr_datagram *d);

/* kr_datagram_close - close the socket; calls that wait end with -EBADF.  Doing it again does
 * nothing.  kr_datagram_release - and give the handle back; NULL is allowed.  Nobody uses it then.
 */
KR_API void kr_datagram_close(kr_datagram *d);
KR_API void kr_datagram_release(kr_datagram *d);
KR_API void kr_datagram_auto(kr_datagram **d); /* for KR_AUTO(kr_datagram) */

KR_EXTERN_END

#endif
