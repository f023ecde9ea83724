/* kr_listener, kr_client - connections between programs, over Unix and TCP sockets.
 *
 *     kr_listener *l;
 *     kr_listener_options options = {.authkey = "secret", .authkey_size = 6};
 *     err = kr_listener_create(&l, "/run/my.socket", &options);
 *     while ((err = kr_listener_accept(l, &c, KR_FOREVER)) == 0 || err == KR_EAUTH) ...
 *
 *     err = kr_client(&c, "/run/my.socket", &(kr_client_options){.authkey = "secret", ...},
 *                     kr_sec(5));                     // in the other program
 *
 * Python's multiprocessing.connection.Listener and Client, in which the other end may well be
 * written: the bytes on the wire are the same (send_bytes and recv_bytes there; pickled objects are
 * for Python alone).
 *
 * With an authkey each end proves to the other that it has the same key, without sending it; what
 * follows is neither encrypted nor signed.  The digest is SHA-256 (HMAC).  Python up to 3.11 knows
 * nothing but MD5, which .allow_md5 permits, in both roles.  Before the proof the other end may
 * send 256 bytes a message, and has .handshake_timeout for all of it.  Other than in Python an
 * empty key is no key but an error.  Without an authkey whoever can connect is let in.  As in
 * Python the proof says nothing of who is proved to: a program that clients take for the listener,
 * and connect to, can have them answer the true one's questions.  So where others may take the
 * listener's place, use a Unix socket in a folder of one's own, or a tunnel.
 *
 * Addresses:
 *     "/path", "path"        a Unix socket in the file system
 *     "@name"                a Unix socket in the abstract name space (Python's "\0name")
 *     "tcp:host:port"        IPv4 or IPv6; "tcp:[::1]:80" for numbers with colons in them
 *     "tcp4:...", "tcp6:..." only that.  A listener takes IPv4 where "tcp:" leaves it the choice
 * An empty host is every interface to a listener, and this machine to a client.  Port 0 is a free
 * one.  Names of hosts are looked up by the system (getaddrinfo), which may take long, and which
 * neither a timeout nor a cancel ends; numbers are not looked up.
 *
 * A connection over a socket is used as a pipe's end is, and differs in this:
 * - A send whose time is over, or that is cancelled, may have sent a part.  Then the next one is
 *   -EPIPE, and the other end is told that no more will come; it still can be heard.
 * - A message longer than .max_message is -EMSGSIZE, bytes that are no message, or the end within
 *   one, -EPROTO.  Nothing more can be received then, and nothing was allocated for it.
 * - Messages are read ahead.  So of the processes that have a copy of it, by fork, by duplicate or
 *   through kr_connection_send_connection, only one may receive; and giving it to another one is
 *   -EBUSY while something that was read ahead is not received.  After the accept nothing is.
 * - Descriptors do not travel: -EOPNOTSUPP.
 *
 * Scope    the process.  A forked child may use its copy of a listener, and shares the clients with
 *          its parent; closing it there leaves the parent's open and its socket's file in place.
 *          Children that krait starts have none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_LISTENER_H
#define KRAIT_LISTENER_H

#include <krait/base.h>
#include <krait/connection.h>

KR_EXTERN_BEGIN

typedef struct kr_listener kr_listener;

typedef struct kr_listener_options {
    const void *authkey; /* copied; NULL: none */
    size_t authkey_size;
    bool allow_md5;            /* so that Python up to 3.11 can connect */
    int backlog;               /* clients that may wait to be accepted; 0: 128 */
    uint64_t max_message;      /* the longest message that connections take; 0: 64 MiB */
    kr_time handshake_timeout; /* for each client; 0: 20 s */
    uint64_t reserved[4];
} kr_listener_options;

/* kr_listener_create - take clients at an address.
 *
 *   address   NULL or "": a Unix socket with a name that is made up, for this user alone; see
 *             kr_listener_address
 *   options   NULL: defaults
 *
 * Returns   0
 *           -EADDRINUSE   somebody has the address; also a file that a dead listener left
 *           -EINVAL       the address cannot be read, the key is empty, a number is negative, or a
 *                         reserved option is set
 *           -ENAMETOOLONG a path of more than 107 bytes
 *           -ENXIO        there is no such host
 *           -ENOSYS       an authkey, and the library was built without OpenSSL
 *           -EACCES, -ENOENT, -EADDRNOTAVAIL, -EMFILE, -ENOMEM ...  the system refuses
 *           On every error *l is NULL
 */
KR_API KR_NODISCARD int kr_listener_create(kr_listener **l, const char *address,
                                           const kr_listener_options *options);

/* kr_listener_accept - the next client that is let in.
 *
 * With an authkey the handshakes of up to 64 clients go on side by side, inside this call, of
 * whichever thread: one that is slow does not hold up the others.  The 65th client costs the one
 * that is at it longest its place.  With KR_NOWAIT the call does what can be done without waiting.
 *
 * Returns   0
 *           KR_EAUTH      a client was turned away: it has another key, is no krait or Python, did
 *                         not finish in time, or left.  Others may wait: call again
 *           -ETIMEDOUT, -ECANCELED
 *           KR_ESHUTDOWN  the listener is closed, or was meanwhile
 *           -EMFILE, -ENFILE ... the system refuses; the listener goes on, and the client waits
 *           -ENOMEM       the same, but the client may have been dropped
 *           -EINVAL       negative timeout
 *           On every error *c is NULL
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_listener_accept(kr_listener *l, kr_connection **c, kr_time timeout);

/* kr_listener_address - where it listens, with the port that was chosen, as a client gives it.
 * kr_listener_last_accepted - where the last client that was let in came from; "" before, and for
 * Unix sockets, which have no name.
 *
 * Both copy the text, closed by a zero byte, into `text` of `size` bytes, of which
 * KR_ADDRESS_SIZE are always enough, and return the length of the whole text.
 */
#define KR_ADDRESS_SIZE 128
KR_API size_t kr_listener_address(kr_listener *l, char *text, size_t size);
KR_API size_t kr_listener_last_accepted(kr_listener *l, char *text, size_t size);

/* kr_listener_descriptor - for pollers: readable when an accept has something to do, which with an
 * authkey may be a part of a handshake.  To be polled and nothing else.
 *
 * Returns   the descriptor; -EBADF: it is closed
 */
KR_API int kr_listener_descriptor(kr_listener *l);

/* kr_listener_close - take no more clients, at once, and remove the socket's file.
 *
 * Clients in their handshake are dropped, an accept that waits ends with KR_ESHUTDOWN.  Connections
 * live on.  Doing it again does nothing. */
KR_API void kr_listener_close(kr_listener *l);

/* kr_listener_retain - one more handle; kr_listener_release - give one back; NULL is allowed.  The
 * last one closes it. */
KR_API kr_listener *kr_listener_retain(kr_listener *l);
KR_API void kr_listener_release(kr_listener *l);
KR_API void kr_listener_auto(kr_listener **l); /* for KR_AUTO(kr_listener) */

typedef struct kr_client_options {
    const void *authkey; /* NULL: none */
    size_t authkey_size;
    bool allow_md5;            /* so that a listener of Python up to 3.11 can be reached */
    uint64_t max_message;      /* the longest message that the connection takes; 0: 64 MiB */
    kr_time handshake_timeout; /* 0: 20 s */
    uint64_t reserved[4];
} kr_client_options;

/* kr_client - connect to a listener.
 *
 * Where a host has several addresses they are tried in order.
 *
 * Returns   0
 *           -ECONNREFUSED nobody listens there; -ENOENT: there is no such socket
 *           KR_EAUTH      the keys differ, or the other end is no krait or Python
 *           KR_EOF        the other end left during the handshake
 *           -ETIMEDOUT    not within the timeout, or not within .handshake_timeout
 *           -ECANCELED
 *           -EINVAL       as kr_listener_create; no address; or a negative timeout
 *           -ENXIO, -ENOSYS, -ENAMETOOLONG, -EACCES, -EMFILE, -ENOMEM ... as kr_listener_create
 *           On every error *c is NULL
 * Blocks    a thread sleeps, a coroutine is suspended; but see what is said of names of hosts
 */
KR_API KR_NODISCARD int kr_client(kr_connection **c, const char *address,
                                  const kr_client_options *options, kr_time timeout);

KR_EXTERN_END

#endif
