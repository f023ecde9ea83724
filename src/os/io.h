/* The contract with the system, bytes in and out of any descriptor.
 *
 * As os.h: errors are negative errno, descriptors are closed by exec.  Unless it says otherwise a
 * function neither blocks, whatever the descriptor's mode is, nor is interrupted by a signal, nor
 * raises SIGPIPE.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_IO_H
#define KRI_OS_IO_H

#include "os/os.h"
#include <sys/socket.h>

struct addrinfo;

/* What a descriptor is, as far as it matters here; or -EBADF. */
enum os_kind {
    OS_UNKNOWN,
    OS_TCP,    /* a receive of less than asked for leaves nothing behind */
    OS_SOCKET, /* any other */
    OS_FILE,   /* always ready, and may take long all the same: files, directories, disks */
    OS_OTHER,  /* pipes, terminals, eventfds ... */
};
int os_kind_of(int fd);

/* Sockets.  -ENOTSOCK; -EAGAIN: there is nothing, or no room. */
int64_t os_recv(int fd, void *bytes, size_t size, int flags);
int64_t os_send(int fd, const void *bytes, size_t size, int flags);
int64_t os_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                    socklen_t *from_size);
int64_t os_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
                  socklen_t to_size);

/* Is readiness to write no promise, nor is it told when there is room at that address?  So it is
 * for datagrams to the names of Unix sockets. */
bool os_room_is_secret(int fd);

/* Connections.  pre of accept: the descriptor is non-blocking, or a connection waits that nobody
 * else will take meanwhile.  A new descriptor, non-blocking; -EAGAIN. */
int os_accept(int fd, struct sockaddr *from, socklen_t *from_size);
bool os_blocks(int fd); /* is it in blocking mode? */
int os_make_blocking(int fd);
int os_accepts(int fd); /* 0; -ENOTSOCK, -EINVAL: it does not listen, -EBADF */

/* 0; -EINPROGRESS: it becomes writable when it is decided, os_socket_connected says how; -EAGAIN:
 * ask again later.  A blocking descriptor is a non-blocking one for the time of the call. */
int os_connect(int fd, const struct sockaddr *to, socklen_t to_size);

/* Others.  -EAGAIN; -EOPNOTSUPP: this one can do it only by the next two. */
int64_t os_read_now(int fd, void *bytes, size_t size);
int64_t os_write_now(int fd, const void *bytes, size_t size);

/* The same after a look whether it is ready.  Blocks where somebody else comes between. */
int64_t os_read_ready(int fd, void *bytes, size_t size);
int64_t os_write_ready(int fd, const void *bytes, size_t size);

/* Files.  All may block, and raise SIGPIPE for what is a pipe. */
int64_t os_read(int fd, void *bytes, size_t size);
int64_t os_write(int fd, const void *bytes, size_t size);
int64_t os_pread(int fd, void *bytes, size_t size, int64_t offset);
int64_t os_pread_now(int fd, void *bytes, size_t size, int64_t offset); /* as os_read_now */
int64_t os_pwrite(int fd, const void *bytes, size_t size, int64_t offset);
int os_fsync(int fd);
int os_open(const char *path, int flags, unsigned mode);
int os_create(const char *path); /* for writing, empty; the umask says for whom */

/* Named pipes.  Would os_open wait there for somebody who opens the other end?  0, or as which end:
 * OS_READABLE, OS_WRITABLE.  os_open_now does not wait: -ENXIO, where nobody reads; of who opens it
 * for reading os_fifo_is_met says whether a writer has been there.  0; -EAGAIN: not yet; -EMFILE,
 * -ENFILE: that cannot be told. */
unsigned os_open_waits(const char *path, int flags);
int os_open_now(const char *path, int flags, unsigned mode);
int os_fifo_is_met(int fd);

/* 0 or an error, and free it is in either case.  May block where closing writes. */
int os_close_for(int fd);

/* May block.  0; -ENOENT, -EAGAIN, -ENOMEM, -EINVAL, -EIO. */
int os_addresses(const char *host, const char *service, const struct addrinfo *hints,
                 struct addrinfo **list);
void os_addresses_free(struct addrinfo *list);

#endif
