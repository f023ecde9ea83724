/* kr_server - take connections, and have a function called for each.
 *
 *     static int greet(kr_stream *s, void *arg)
 *     {
 *         return kr_stream_write(s, "hello\n", 6, NULL, kr_sec(5));
 *     }
 *
 *     kr_server *server;
 *     err = kr_server_open(&server, NULL, 8080, greet, NULL, NULL);
 *     err = kr_server_serve_forever(server);          // until somebody closes it, or a cancel
 *     kr_server_release(server);
 *
 * Python's asyncio.start_server, and socketserver's.  Opened by a coroutine, the server lives in
 * that one's loop: a coroutine accepts, and each connection is a coroutine.  Opened by a thread,
 * threads do both.  With .executor connections are tasks there, of a loop pool for instance.
 *
 * A handler owns the connection until it returns; then the stream is closed, with up to
 * .close_timeout for bytes that are not sent yet.  (kr_stream_retain keeps the handle only.)  An
 * error that it returns goes to the task hook, as does every other that nobody could be told of.
 *
 * A forked child has no acceptors, and no connections' handlers; releasing its copy leaves the
 * parent's server as it is.
 *
 * Where the process has no descriptor left, that is reported once, and connections wait in the
 * system's queue: the server looks again each second.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_SERVER_H
#define KRAIT_SERVER_H

#include <krait/executor.h>
#include <krait/stream.h>

KR_EXTERN_BEGIN

typedef struct kr_server kr_server;

/* kr_serve_fn - called for each connection.  0, or a negative error. */
typedef int (*kr_serve_fn)(kr_stream *s, void *arg);

typedef struct kr_server_options {
    int backlog;           /* clients that may wait to be accepted; 0: 128 */
    kr_executor *executor; /* where handlers run; must stay until they are over; NULL: see above */
    int max_connections;   /* at a time; others wait in the system's queue; 0: no limit */
    bool reuse_port;       /* several servers may have the port, and share its clients */
    bool ipv6_only;        /* no IPv4 */
    unsigned mode;         /* of a Unix socket's file; 0: 0600, for this user alone */
    bool keep_file;        /* the close leaves the Unix socket's file */
    kr_time close_timeout; /* 0: 30 s */
    kr_stream_options stream; /* of each connection */
    uint64_t reserved[4];
} kr_server_options;

/* kr_server_open - listen on a TCP port, and begin to accept.
 *
 *   host      a name or a number: all its addresses, up to 8; NULL or "": every interface
 *   port      0: a free one, the same for all addresses
 *   handler, arg   what is called for each connection
 *
 * Returns   0
 *           -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, -EMFILE ...  the system refuses
 *           -ENOENT, ...  as kr_getaddrinfo
 *           -EINVAL       no handler, no such port, a number is negative, .mode has more than the
 *                         nine bits of permissions, or a reserved option is set
 *           -ENOMEM, -EAGAIN, KR_ESHUTDOWN  no runner could be had
 *           -ECANCELED
 *           On every error *server is NULL
 * Blocks    while the name is looked up
 */
KR_API KR_NODISCARD int kr_server_open(kr_server **server, const char *host, int port,
                                       kr_serve_fn handler, void *arg,
                                       const kr_server_options *options);

/* kr_server_open_unix - listen on a Unix socket, and begin to accept.
 *
 *   path   in the file system, or "@name" in the abstract name space; else as kr_server_open
 *
 * A socket that a dead server left at the path is replaced.  The close removes the file, if it is
 * still the one that was made here.
 *
 * Returns   as kr_server_open; -EADDRINUSE: somebody listens there, or what is there is no socket;
 *           -ENAMETOOLONG; -EINVAL: an empty path, too
 */
KR_API KR_NODISCARD int kr_server_open_unix(kr_server **server, const char *path,
                                            kr_serve_fn handler, void *arg,
                                            const kr_server_options *options);

/* kr_server_port - its TCP port.
 *
 * Returns   the port; -EINVAL: it has none */
KR_API int kr_server_port(const kr_server *server);

/* kr_server_address - the number'th address that it listens on, from 0.
 *
 * Returns   0; -ENOENT: no more; -EINVAL: a negative number */
KR_API KR_NODISCARD int kr_server_address(const kr_server *server, int number, kr_address *address);

/* kr_server_serve_forever - wait until the server is closed; where the caller is cancelled, close
 * it.  Handlers may still run.
 *
 * Returns   0: closed by another runner; -ECANCELED: by the cancel
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API int kr_server_serve_forever(kr_server *server);

/* kr_server_close - accept no more, at once.  Connections go on.  Doing it again does nothing. */
KR_API void kr_server_close(kr_server *server);

/* kr_server_close_clients - have all connections closed once what is unsent is sent: their
 * handlers' calls answer -EBADF.  kr_server_abort_clients - have them closed at once. */
KR_API void kr_server_close_clients(kr_server *server);
KR_API void kr_server_abort_clients(kr_server *server);

/* kr_server_wait_closed - wait until the server is closed and all handlers have returned.
 *
 * Returns   0; -ETIMEDOUT, -ECANCELED: not yet; -EINVAL: a negative timeout
 * Blocks    a thread sleeps, a coroutine is suspended; not from a handler of its own, for ever
 */
KR_API KR_NODISCARD int kr_server_wait_closed(kr_server *server, kr_time timeout);

/* kr_server_connections - how many handlers run; kr_server_is_serving - it is not closed.
 *
 * Returns   the number, never an error */
KR_API int kr_server_connections(kr_server *server);
KR_API bool kr_server_is_serving(kr_server *server);

/* kr_server_release - give the handle back; NULL is allowed.  It closes the server; handlers go on.
 */
KR_API void kr_server_release(kr_server *server);
KR_API void kr_server_auto(kr_server **server); /* for KR_AUTO(kr_server) */

KR_EXTERN_END

#endif
