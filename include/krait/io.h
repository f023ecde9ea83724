/* Input and output without a colour: in a thread these calls block, in a coroutine they suspend it.
 *
 *     n = kr_read(fd, bytes, sizeof bytes, kr_sec(5));
 *
 * Any descriptor will do, blocking or not, and its mode is left as it is.  Regular files are read
 * and written by a pool's thread where the caller is a coroutine.
 *
 * A descriptor that a coroutine has waited for is to be closed by kr_close.  Others' close(2) is
 * noticed too, but late: within 100 ms of a wait's beginning, and not at all after that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_IO_H
#define KRAIT_IO_H

#include <krait/base.h>
#include <sys/socket.h>
#include <sys/types.h>

struct addrinfo;

KR_EXTERN_BEGIN

/* kr_read, kr_write - as read(2) and write(2): as much as there is, or as there is room for, at
 * least one byte; kr_read: 0 at the end.
 *
 * Returns   how many bytes
 *           -ETIMEDOUT  nothing was read or written within the timeout
 *           -ECANCELED  nothing was read or written: the caller's scope is cancelled
 *           -EBADF      no descriptor, or closed by kr_close meanwhile
 *           else        -errno of the system's call; never -EINTR, never -EAGAIN.  SIGPIPE is not
 *                       raised by sockets: -EPIPE
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int64_t kr_read(int fd, void *bytes, size_t size, kr_time timeout);
KR_API KR_NODISCARD int64_t kr_write(int fd, const void *bytes, size_t size, kr_time timeout);

/* kr_write_all - write until all is written.
 *
 * *written, unless NULL, says how much was, in any case; the errors are kr_write's.  0: all.
 */
KR_API KR_NODISCARD int kr_write_all(int fd, const void *bytes, size_t size, size_t *written,
                                     kr_time timeout);

/* kr_recv, kr_send - the same with recv(2)'s flags; kr_recvfrom, kr_sendto - with addresses. */
KR_API KR_NODISCARD int64_t kr_recv(int fd, void *bytes, size_t size, int flags, kr_time timeout);
KR_API KR_NODISCARD int64_t kr_send(int fd, const void *bytes, size_t size, int flags,
                                    kr_time timeout);
KR_API KR_NODISCARD int64_t kr_recvfrom(int fd, void *bytes, size_t size, int flags,
                                        struct sockaddr *from, socklen_t *from_size,
                                        kr_time timeout);
KR_API KR_NODISCARD int64_t kr_sendto(int fd, const void *bytes, size_t size, int flags,
                                      const struct sockaddr *to, socklen_t to_size,
                                      kr_time timeout);

/* kr_accept - the next connection of a listening socket: a descriptor, close-on-exec and
 * non-blocking.  Where the process has no descriptor left (-EMFILE, -ENFILE) it says so at once;
 * servers back off, see kr_server.  A connection that broke off before is passed over. */
KR_API KR_NODISCARD int kr_accept(int fd, struct sockaddr *from, socklen_t *from_size,
                                  kr_time timeout);

/* kr_connect - connect a socket; after -ETIMEDOUT or -ECANCELED it is of no use any more. */
KR_API KR_NODISCARD int kr_connect(int fd, const struct sockaddr *to, socklen_t to_size,
                                   kr_time timeout);

enum { KR_READABLE = 1, KR_WRITABLE = 2 };

/* kr_poll - wait until the descriptor is ready; which of `events` it is, errors and hang-ups count
 * as all of them.  It may be ready no more when the caller comes to it. */
KR_API KR_NODISCARD int kr_poll(int fd, unsigned events, kr_time timeout);

/* kr_close - close the descriptor, and end all krait waits for it with -EBADF; whose process-wide
 * number is then free.  0, or -EBADF and the errors of close(2) (it is closed all the same). */
KR_API int kr_close(int fd);

/* kr_getaddrinfo - getaddrinfo(3) in a thread of the library's own, so that it can be cancelled and
 * timed.  *list is freed by freeaddrinfo(3).
 *
 * Returns   0; -ETIMEDOUT, -ECANCELED: it may go on for a while, its result is dropped; -ENOENT: no
 *           such host; -EAGAIN: try again later; -ENOMEM, -EINVAL, -EIO: as its EAI_ numbers
 */
KR_API KR_NODISCARD int kr_getaddrinfo(const char *host, const char *service,
                                       const struct addrinfo *hints, struct addrinfo **list,
                                       kr_time timeout);

/* Files: each call is done by a thread of the library's own where the caller is a coroutine, else
 * in place.  A call that is under way cannot be cancelled: -ECANCELED and -ETIMEDOUT say that it
 * had not begun. */
KR_API KR_NODISCARD int kr_open(const char *path, int flags, mode_t mode, kr_time timeout);
KR_API KR_NODISCARD int64_t kr_pread(int fd, void *bytes, size_t size, int64_t offset,
                                     kr_time timeout);
KR_API KR_NODISCARD int64_t kr_pwrite(int fd, const void *bytes, size_t size, int64_t offset,
                                      kr_time timeout);
KR_API KR_NODISCARD int kr_fsync(int fd, kr_time timeout);

KR_EXTERN_END

#endif
