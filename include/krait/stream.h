/* kr_stream - bytes in both directions, buffered: over sockets, pipes, TLS.
 *
 *     kr_stream *s;
 *     err = kr_stream_connect(&s, "example.org", "80", NULL, kr_sec(5));
 *     err = kr_stream_write(s, request, sizeof request - 1, NULL, kr_sec(5));
 *     while ((err = kr_stream_read_line(s, &line, &size, kr_sec(5))) == 0 && size > 2) ...
 *     kr_stream_close(s, kr_sec(5));
 *     kr_stream_release(s);
 *
 * Python's StreamReader and StreamWriter in one.  In a thread the calls block, in a coroutine they
 * suspend it.  One runner may read while another writes; two that read at once are -EBUSY, two that
 * write take turns, each for all that it has given to its call.
 *
 * A call whose time is over, or that is cancelled, loses no bytes: what it had read meanwhile is
 * what the next one reads.  Of a write *written says how many bytes went.
 *
 * Where another runner closes the stream, or aborts it, calls that wait end with -EBADF, and so do
 * all calls that read or write after it.
 *
 * All calls that read return, beside what they say: -ETIMEDOUT, -ECANCELED: nothing is consumed;
 * -EBUSY: another runner is reading; -EBADF: the stream is closed; -ENOMEM, -EMFILE: as kr_read,
 * and it goes on after that; -EINVAL: a negative timeout; and the error of the system, such as
 * -ECONNRESET, once what came before it has been read.
 *
 * A stream is used by any threads and coroutines of one process.  In a forked child it is a copy
 * that shares the descriptor: it is to be released there, or left alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_STREAM_H
#define KRAIT_STREAM_H

#include <krait/address.h>
#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_stream kr_stream;

typedef struct kr_stream_options {
    size_t limit;       /* how much read_until and read_line look through; 0: 64 KiB */
    size_t read_buffer; /* how much is read ahead; 0: 16 KiB */
    size_t high_water;  /* bytes that a write may leave to be sent later; 0: 64 KiB */
    size_t low_water;   /* how few kr_stream_drain waits for; 0: a quarter of high_water */
    uint64_t reserved[4];
} kr_stream_options;

/* Making one */

/* kr_stream_open - a stream over a descriptor: a connected stream socket, or an end of a pipe.  It
 * belongs to the stream from then on.
 *
 * Returns   0
 *           -EINVAL   low_water above high_water, a size that no memory has, a reserved option that
 *                     is set, or no descriptor
 *           -ENOMEM
 *           On every error *s is NULL and the descriptor is still the caller's
 */
KR_API KR_NODISCARD int kr_stream_open(kr_stream **s, int fd, const kr_stream_options *options);

/* kr_stream_connect - connect to a TCP server.
 *
 *   host      a name or a number; NULL or "": this machine
 *   service   a port as a number, or the name of a service
 *   timeout   for all of it, looking up the name included
 *
 * Where the host has several addresses, they are tried in turns of IPv6 and IPv4, in the system's
 * order: each gets 250 ms before the next one is tried beside it, and the first to answer is taken
 * (RFC 8305).
 *
 * Returns   0
 *           -ECONNREFUSED, -EHOSTUNREACH ...  no address answers; the error of the first
 *           -ENOENT, -EAGAIN, -EIO ...        as kr_getaddrinfo
 *           -ETIMEDOUT, -ECANCELED            nothing is left open
 *           -EMFILE, -ENOMEM
 *           -EINVAL   a negative timeout, or as kr_stream_open
 *           On every error *s is NULL
 */
KR_API KR_NODISCARD int kr_stream_connect(kr_stream **s, const char *host, const char *service,
                                          const kr_stream_options *options, kr_time timeout);

/* kr_stream_connect_unix - connect to a Unix socket: a path, or "@name" in the abstract name space.
 *
 * Returns   as kr_stream_connect; -ENOENT: there is no such file; -ENAMETOOLONG
 */
KR_API KR_NODISCARD int kr_stream_connect_unix(kr_stream **s, const char *path,
                                               const kr_stream_options *options, kr_time timeout);

/* Reading */

/* kr_stream_read - what there is, at most `size` bytes, at least one.
 *
 * Returns   how many; 0: the end, or size is 0; or an error of all that read
 */
KR_API KR_NODISCARD int64_t kr_stream_read(kr_stream *s, void *bytes, size_t size, kr_time timeout);

/* kr_stream_read_exactly - all of `size` bytes.
 *
 * Returns   0; KR_EOF: the end came before; *got, unless NULL, says how many bytes were read until
 *           then.  It is 0 after -ETIMEDOUT and -ECANCELED, where the bytes stay in the stream
 */
KR_API KR_NODISCARD int kr_stream_read_exactly(kr_stream *s, void *bytes, size_t size, size_t *got,
                                               kr_time timeout);

/* kr_stream_read_until - up to and with a separator.
 *
 *   data, size   the bytes, in the stream's buffer: good until the next call that reads
 *
 * Returns   0
 *           KR_EOF     the end came before; *data and *size are what there was until then, consumed
 *           -EMSGSIZE  the separator is not within the first .limit bytes.  Nothing is consumed;
 *                      *size is how many bytes certainly stand before a separator, at least, for
 *                      kr_stream_read or kr_stream_skip.
 *           -EINVAL    an empty separator
 */
KR_API KR_NODISCARD int kr_stream_read_until(kr_stream *s, const void *separator, size_t length,
                                             const char **data, size_t *size, kr_time timeout);

/* kr_stream_read_until_any - up to and with one of several separators: whichever ends first.
 *
 * Returns   as kr_stream_read_until */
typedef struct kr_separator {
    const void *bytes;
    size_t length;
} kr_separator;

KR_API KR_NODISCARD int kr_stream_read_until_any(kr_stream *s, const kr_separator *separators,
                                                 int count, const char **data, size_t *size,
                                                 kr_time timeout);

/* kr_stream_read_line - up to and with "\n".  A last line may end without one.
 *
 * Returns   as kr_stream_read_until; KR_EOF: there is no line any more */
KR_API KR_NODISCARD int kr_stream_read_line(kr_stream *s, const char **line, size_t *size,
                                            kr_time timeout);

/* kr_stream_peek - what would be read next, at least one byte, without consuming it.  *data is good
 * until the next call that reads.
 *
 * Returns   0; KR_EOF: there is no more; or an error of all that read */
KR_API KR_NODISCARD int kr_stream_peek(kr_stream *s, const char **data, size_t *size,
                                       kr_time timeout);

/* kr_stream_skip - read `size` bytes and drop them.
 *
 * Returns   as kr_stream_read_exactly, but what was dropped stays so in any case, and *got says how
 *           many */
KR_API KR_NODISCARD int kr_stream_skip(kr_stream *s, size_t size, size_t *got, kr_time timeout);

/* kr_stream_at_eof - the end has come, and all that was before it is read. */
KR_API bool kr_stream_at_eof(kr_stream *s);

/* Writing */

/* kr_stream_write - send bytes, as far as possible at once.
 *
 *   written   unless NULL: how many were taken, in any case
 *
 * It returns once all bytes are taken: the system has them, or up to .high_water of them are left
 * to a coroutine of the stream's, which sends them on.  So a slow reader of the other end holds up
 * nobody until there is that much, and then everybody; Python's write never waits, and what nobody
 * drains piles up in memory.  A caller that is no coroutine has nobody to leave bytes to, and waits
 * until the system has them.
 *
 * Returns   0
 *           -ETIMEDOUT, -ECANCELED   *written bytes were taken, and are not taken back
 *           -EPIPE, -ECONNRESET ...  the connection is lost, possibly with bytes that were taken
 *                      before; the same from then on.  -EPIPE: after kr_stream_write_eof
 *           -EBADF     the stream is closed
 *           -ENOMEM, -EMFILE   as kr_write; as with -ETIMEDOUT
 *           -EINVAL    a negative timeout
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_stream_write(kr_stream *s, const void *bytes, size_t size,
                                        size_t *written, kr_time timeout);

/* kr_stream_drain - wait until no more than .low_water bytes are left to be sent; kr_stream_flush -
 * until none is.  Any number of runners may wait.
 *
 * Returns   0; else as kr_stream_write; also when the connection was found lost by a read
 */
KR_API KR_NODISCARD int kr_stream_drain(kr_stream *s, kr_time timeout);
KR_API KR_NODISCARD int kr_stream_flush(kr_stream *s, kr_time timeout);

/* kr_stream_unsent - how many bytes are left to be sent. */
KR_API size_t kr_stream_unsent(kr_stream *s);

/* kr_stream_write_eof - flush, and tell the other end that nothing more will come; it still can be
 * read from.  Doing it again does nothing.
 *
 * Returns   0; -EOPNOTSUPP: not a thing that a pipe can do, close it; else as kr_stream_flush
 */
KR_API KR_NODISCARD int kr_stream_write_eof(kr_stream *s, kr_time timeout);

/* The end */

/* kr_stream_close - flush, within the timeout and the caller's not being cancelled, and close.
 *
 * It is closed in any case but -EINVAL.  The handle stays good, and is to be released.
 *
 * Returns   0; else as kr_stream_flush: not all bytes were sent; -EBADF: it was closed before;
 *           -EINVAL: a negative timeout, nothing was done
 */
KR_API int kr_stream_close(kr_stream *s, kr_time timeout);

/* kr_stream_abort - close at once; unsent bytes are lost. */
KR_API void kr_stream_abort(kr_stream *s);

/* kr_stream_retain - one more handle; kr_stream_release - give one back; NULL is allowed.  The last
 * one aborts it if nobody has closed it. */
KR_API kr_stream *kr_stream_retain(kr_stream *s);
KR_API void kr_stream_release(kr_stream *s);
KR_API void kr_stream_auto(kr_stream **s); /* for KR_AUTO(kr_stream) */

/* About it */

/* kr_stream_descriptor - the stream's own, to ask the system about.
 *
 * Returns   the descriptor; -EBADF: it is closed */
KR_API int kr_stream_descriptor(kr_stream *s);

/* kr_stream_peer_address, kr_stream_local_address - the two ends, of a socket.
 *
 * Returns   0; -EBADF: closed; -ENOTSOCK; -ENOTCONN
 */
KR_API KR_NODISCARD int kr_stream_peer_address(kr_stream *s, kr_address *address);
KR_API KR_NODISCARD int kr_stream_local_address(kr_stream *s, kr_address *address);

KR_EXTERN_END

#endif
