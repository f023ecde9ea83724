/* Input and output without a colour: in a thread these calls block, in a coroutine they suspend it.
 *
 *     n = kr_read(fd, bytes, sizeof bytes, kr_sec(5));
 *
 * Any descriptor will do, blocking or not, and its mode is left as it is.  Each call tries first,
 * and waits only when there was nothing: so what can be had at once is had with KR_NOWAIT too, and
 * inside a cancelled scope.  A coroutine whose calls never have to wait gives way to others after
 * some dozens of them, but for those with KR_NOWAIT.  A time limit and a cancel end the wait and
 * nothing else: what they end has moved no byte.
 *
 * Any number of threads and coroutines may use the same descriptor at once.  Each byte goes to one
 * of them; several of them that write more than the system takes at once mix what they write.
 *
 * A descriptor that a coroutine has waited for is to be closed by kr_close.  Others' close(2) is
 * noticed too, but late: within 100 ms of a wait's beginning, and not at all after that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_IO_H
#define KRAIT_IO_H

#include <krait/base.h>

struct addrinfo;
struct sockaddr;

KR_EXTERN_BEGIN

/* kr_read, kr_write - as read(2) and write(2): as much as there is, or as there is room for, at
 * least one byte; kr_read: 0 at the end.  How many is all that is told: kr_write_all goes on until
 * the last one.
 *
 * Files are read and written in place by a thread, with any timeout.  A coroutine gets what lies in
 * memory in place too; the rest is done by a thread of the library's own (see below).
 *
 * Returns   how many bytes
 *           -ETIMEDOUT  nothing was read or written within the timeout
 *           -ECANCELED  nothing was read or written: the caller's scope is cancelled
 *           -EBADF      no descriptor, not open for this, or closed by kr_close meanwhile
 *           -EINVAL     a negative timeout, and what the system's call says so of
 *           -EMFILE     the caller would have to wait inside a cancel scope, and there is no
 *                       descriptor left for being cancelled by
 *           -EPIPE      nobody can read it any more, a socket or a pipe.  SIGPIPE is never raised
 *           else        -errno of the system's call; never -EINTR, never -EAGAIN
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int64_t kr_read(int fd, void *bytes, size_t size, kr_time timeout);
KR_API KR_NODISCARD int64_t kr_write(int fd, const void *bytes, size_t size, kr_time timeout);

/* kr_write_all - write until all is written.
 *
 *   written   unless NULL: how much was, in any case: after an error the rest was not
 *   timeout   for all of it
 *
 * Returns   0: all is written; errors as kr_write
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_write_all(int fd, const void *bytes, size_t size, size_t *written,
                                     kr_time timeout);

/* kr_recv, kr_send - as kr_read and kr_write, with recv(2)'s flags; kr_recvfrom, kr_sendto - with
 * addresses, which are told of by *from_size as by recvfrom(2); NULL: not wanted.
 *
 * MSG_DONTWAIT and MSG_WAITALL have no effect: KR_NOWAIT is for the one, and nothing for the other.
 * A datagram that was cut is told as by recv(2): not at all, or with MSG_TRUNC by its length.
 *
 * Returns   as kr_read and kr_write; -ENOTSOCK: the descriptor is no socket; -EINVAL: also `from`
 *           without `from_size`
 * Blocks    a thread sleeps, a coroutine is suspended */
KR_API KR_NODISCARD int64_t kr_recv(int fd, void *bytes, size_t size, int flags, kr_time timeout);
KR_API KR_NODISCARD int64_t kr_send(int fd, const void *bytes, size_t size, int flags,
                                    kr_time timeout);
KR_API KR_NODISCARD int64_t kr_recvfrom(int fd, void *bytes, size_t size, int flags,
                                        struct sockaddr *from, uint32_t *from_size,
                                        kr_time timeout);
KR_API KR_NODISCARD int64_t kr_sendto(int fd, const void *bytes, size_t size, int flags,
                                      const struct sockaddr *to, uint32_t to_size, kr_time timeout);

/* kr_accept - the next connection of a listening socket: a descriptor, close-on-exec and
 * non-blocking.  Where the process has no descriptor left (-EMFILE, -ENFILE) it says so at once,
 * and the connection still waits; servers back off, see kr_server.  A connection that broke off
 * before is passed over.  Several may accept from one listener; where other processes do as well it
 * must be non-blocking.
 *
 * Returns   the descriptor, the caller's to close; errors as kr_read; -EMFILE, -ENFILE; -EINVAL: it
 *           does not listen
 * Blocks    a thread sleeps, a coroutine is suspended */
KR_API KR_NODISCARD int kr_accept(int fd, struct sockaddr *from, uint32_t *from_size,
                                  kr_time timeout);

/* kr_connect - connect a socket, which is of no use any more after an error.  A blocking one is
 * non-blocking while the connection begins, and no longer.
 *
 * Returns   0; -ETIMEDOUT: the time is up, or the system's own; -ECANCELED; -EBADF; -EINVAL: a
 *           negative timeout, no address; else as connect(2), such as -ECONNREFUSED or -EISCONN
 * Blocks    a thread sleeps, a coroutine is suspended */
KR_API KR_NODISCARD int kr_connect(int fd, const struct sockaddr *to, uint32_t to_size,
                                   kr_time timeout);

enum { KR_READABLE = 1, KR_WRITABLE = 2 };

/* kr_poll - wait until the descriptor is ready.  It may be ready no more when the caller comes to
 * it.  Files are always ready.  For calls of other libraries, on descriptors of theirs.
 *
 *   events   KR_READABLE, KR_WRITABLE, or both
 *
 * Returns   which of them it is ready for: errors and hang-ups count as all; -ETIMEDOUT,
 *           -ECANCELED, -EBADF, -EMFILE: as kr_read; -EINVAL: no event, or others, or a negative
 *           timeout
 * Blocks    a thread sleeps, a coroutine is suspended */
KR_API KR_NODISCARD int kr_poll(int fd, unsigned events, kr_time timeout);

/* kr_close - close the descriptor, and end all krait waits for it with -EBADF, those of threads
 * too; its number is free then.  A signal does not keep it open.
 *
 * Returns   0, or -EBADF, or an error of close(2): it is closed all the same */
KR_API int kr_close(int fd);

/* kr_getaddrinfo - getaddrinfo(3) in a thread of the library's own, so that it can be cancelled and
 * timed; at most 16 are asked for at a time.  Numbers ("127.0.0.1", "80") are read in place.  *list
 * is freed by freeaddrinfo(3), and NULL on an error.
 *
 * Returns   0; -ETIMEDOUT, -ECANCELED: it may go on for a while, its result is dropped; -ENOENT: no
 *           such host; -EAGAIN: try again later; -ENOMEM, -EINVAL, -EIO: as its EAI_ numbers;
 *           -EINVAL: also a port above 65535
 */
KR_API KR_NODISCARD int kr_getaddrinfo(const char *host, const char *service,
                                       const struct addrinfo *hints, struct addrinfo **list,
                                       kr_time timeout);

/* Files: each call is done by a thread of the library's own, one of at most 16, where the caller is
 * a coroutine and the timeout is not KR_NOWAIT; else in place, whatever the timeout is.  A call
 * that is under way cannot be cancelled, nor does its time run out: -ECANCELED and -ETIMEDOUT say
 * that it had not begun.  kr_open's descriptors are close-on-exec.
 *
 * A named pipe (FIFO) is the exception: where open(2) would wait for somebody who opens the other
 * end, kr_open does so without a thread, in threads and coroutines, for its timeout, and a cancel
 * ends it.  It looks again every few milliseconds, 13 at most.
 *
 * Returns   as open(2), pread(2), pwrite(2) and fsync(2), errors negative, never -EINTR;
 *           -ETIMEDOUT, -ECANCELED: it had not begun, or the pipe's other end has not come */
KR_API KR_NODISCARD int kr_open(const char *path, int flags, unsigned mode, kr_time timeout);
KR_API KR_NODISCARD int64_t kr_pread(int fd, void *bytes, size_t size, int64_t offset,
                                     kr_time timeout);
KR_API KR_NODISCARD int64_t kr_pwrite(int fd, const void *bytes, size_t size, int64_t offset,
                                      kr_time timeout);
KR_API KR_NODISCARD int kr_fsync(int fd, kr_time timeout);

KR_EXTERN_END

#endif
