/* Bytes in and out of sockets, and connections.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/io.h"
#include "os/linux/direct.h"
#include "os/linux/sanitized.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

int os_kind_of(int fd)
{
    int saved = errno;
    struct stat about;
    int kind = OS_OTHER;
    if (fstat(fd, &about) < 0)
        kind = -errno;
    else if (S_ISSOCK(about.st_mode))
        kind = option_of(fd, SO_PROTOCOL) == IPPROTO_TCP ? OS_TCP : OS_SOCKET;
    else if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) || S_ISBLK(about.st_mode))
        kind = OS_FILE;
    errno = saved;
    return kind;
}

/* Sockets */

static int64_t result_of(ssize_t done, int saved)
{
    int64_t result = done < 0 ? -errno : done;
    errno = saved;
    return result;
}

static inline int64_t recv_now(int fd, void *bytes, size_t size, int flags)
{
    flags |= MSG_DONTWAIT;
    if (KRI_SANITIZED) {
        int saved = errno;
        return result_of(recv(fd, bytes, size, flags), saved);
    }
    return kri_call_directly(SYS_recvfrom, fd, (long)(uintptr_t)bytes, (long)size, flags, 0, 0);
}

static inline int64_t send_now(int fd, const void *bytes, size_t size, int flags)
{
    flags |= MSG_DONTWAIT | MSG_NOSIGNAL;
    if (KRI_SANITIZED) {
        int saved = errno;
        return result_of(send(fd, bytes, size, flags), saved);
    }
    return kri_call_directly(SYS_sendto, fd, (long)(uintptr_t)bytes, (long)size, flags, 0, 0);
}

int64_t os_recv(int fd, void *bytes, size_t size, int flags)
{
    int64_t got;
    do {
        got = recv_now(fd, bytes, size, flags);
    } while (got == -EINTR);
    return got;
}

int64_t os_send(int fd, const void *bytes, size_t size, int flags)
{
    int64_t sent;
    do {
        sent = send_now(fd, bytes, size, flags);
    } while (sent == -EINTR);
    return sent;
}

int64_t os_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                    socklen_t *from_size)
{
    int saved = errno;
    ssize_t got;
    do {
        got = recvfrom(fd, bytes, size, flags | MSG_DONTWAIT, from, from_size);
    } while (got < 0 && errno == EINTR);
    int64_t result = got < 0 ? -errno : got;
    errno = saved;
    return result;
}

int64_t os_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
                  socklen_t to_size)
{
    int saved = errno;
    ssize_t sent;
    do {
        sent = sendto(fd, bytes, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL, to, to_size);
    } while (sent < 0 && errno == EINTR);
    int64_t result = sent < 0 ? -errno : sent;
    errno = saved;
    return result;
}

bool os_room_is_secret(int fd)
{
    int saved = errno;
    bool secret = option_of(fd, SO_DOMAIN) == AF_UNIX && option_of(fd, SO_TYPE) == SOCK_DGRAM;
    errno = saved;
    return secret;
}

/* Connections */

/* Errors of one connection that has already gone, or of the network on its way here. */
static bool concerns_one(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

int os_accept(int fd, struct sockaddr *from, socklen_t *from_size)
{
    int saved = errno;
    socklen_t room = from_size != NULL ? *from_size : 0;
    int made;
    do {
        if (from_size != NULL)
            *from_size = room;
        made = accept4(fd, from, from_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (made < 0 && concerns_one(errno));
    int result = made < 0 ? -errno : made;
    errno = saved;
    return result;
}

bool os_blocks(int fd)
{
    int saved = errno;
    int mode = fcntl(fd, F_GETFL);
    errno = saved;
    return mode >= 0 && !(mode & O_NONBLOCK);
}

int os_make_blocking(int fd)
{
    int saved = errno;
    int mode = fcntl(fd, F_GETFL);
    int error = mode < 0 || fcntl(fd, F_SETFL, mode & ~O_NONBLOCK) < 0 ? -errno : 0;
    errno = saved;
    return error;
}

int os_accepts(int fd)
{
    int saved = errno;
    int listens = option_of(fd, SO_ACCEPTCONN);
    int error = listens < 0 ? -errno : listens > 0 ? 0 : -EINVAL;
    errno = saved;
    return error;
}

int os_connect(int fd, const struct sockaddr *to, socklen_t to_size)
{
    int saved = errno;
    int mode = fcntl(fd, F_GETFL);
    bool blocks = mode >= 0 && !(mode & O_NONBLOCK);
    if (blocks)
        (void)fcntl(fd, F_SETFL, mode | O_NONBLOCK);
    int error = connect(fd, to, to_size) == 0 ? 0 : -errno;
    if (blocks)
        (void)fcntl(fd, F_SETFL, mode);
    errno = saved;
    return error == -EINTR || error == -EALREADY ? -EINPROGRESS : error;
}
