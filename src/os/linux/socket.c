/* Stream sockets.
 *
 * Sockets are in blocking mode, as others with whom they may be shared expect, and each call says
 * for itself whether it may wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/socket.h"
#include "os/child.h"
#include "os/io.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The result of a system call: itself or its error; errno is put back. */
static int settle(int result, int saved)
{
    int error = result < 0 ? -errno : result;
    errno = saved;
    return error;
}

static void close_quietly(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}

static const struct sockaddr *system_form(const os_address *address)
{
    return (const struct sockaddr *)(const void *)address->bytes;
}

/* The descriptor, or the error. */
static int new_socket(const os_address *address, int flags)
{
    int saved = errno;
    int type = SOCK_STREAM | SOCK_CLOEXEC | flags;
    return os_above_standard(settle(socket(system_form(address)->sa_family, type, 0), saved));
}

static void note_family(os_address *address, socklen_t size)
{
    sa_family_t family = system_form(address)->sa_family;
    address->size = (uint32_t)size;
    address->family = family == AF_UNIX ? OS_UNIX : family == AF_INET6 ? OS_IPV6 : OS_IPV4;
}

/* Small messages shall not wait for the answer to those before them. */
static void set_up_stream(int fd, const os_address *address)
{
    static const int yes = 1;
    if (address->family != OS_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

/* Listening */

static int bind_and_listen(int fd, const os_address *address, int backlog, bool owner_only)
{
    static const int yes = 1;
    if (address->family != OS_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes))
        return -1;
    if (owner_only && fchmod(fd, S_IRUSR | S_IWUSR)) /* bind gives the file the socket's mode */
        return -1;
    if (bind(fd, system_form(address), address->size))
        return -1;
    return listen(fd, backlog);
}

int os_socket_listen(const os_address *address, int backlog, bool owner_only, os_address *bound)
{
    int saved = errno;
    int fd = new_socket(address, SOCK_NONBLOCK);
    if (fd < 0)
        return fd;
    *bound = (os_address){.size = 0};
    socklen_t size = sizeof bound->bytes;
    if (bind_and_listen(fd, address, backlog, owner_only) ||
        getsockname(fd, (struct sockaddr *)(void *)bound->bytes, &size)) {
        close_quietly(fd);
        return settle(-1, saved);
    }
    note_family(bound, size);
    return settle(fd, saved);
}

/* An error of one connection, which has already gone. */
static bool client_gave_up(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO;
}

int os_socket_accept(int listener, os_address *peer)
{
    int saved = errno;
    int fd;
    socklen_t size;
    do {
        *peer = (os_address){.size = 0};
        size = sizeof peer->bytes;
        fd = accept4(listener, (struct sockaddr *)(void *)peer->bytes, &size, SOCK_CLOEXEC);
    } while (fd < 0 && client_gave_up(errno));
    if (fd >= 0) {
        note_family(peer, size);
        set_up_stream(fd, peer);
    }
    return os_above_standard(settle(fd, saved));
}

/* Connecting */

static int begin_connect(int fd, const os_address *address)
{
    return connect(fd, system_form(address), address->size) == 0 ? 0 : -errno;
}

int os_socket_connect(const os_address *address, int *fd)
{
    int saved = errno;
    *fd = -1;
    int made = new_socket(address, SOCK_NONBLOCK);
    if (made < 0)
        return made;
    int error = begin_connect(made, address);
    if (error == -EINTR)
        error = -EINPROGRESS;
    if (error == 0 || error == -EINPROGRESS) {
        set_up_stream(made, address);
        (void)os_make_blocking(made);
        *fd = made;
    } else {
        close(made);
    }
    errno = saved;
    return error;
}

int os_socket_connected(int fd)
{
    int saved = errno;
    int error = 0;
    socklen_t size = sizeof error;
    int got = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return got < 0 ? settle(got, saved) : -error;
}

int os_socket_pair(int fds[2])
{
    int saved = errno;
    int error = settle(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), saved);
    return error == 0 ? os_both_above_standard(fds) : error;
}

/* -1: it is no socket. */
static int option_of(int fd, int option)
{
    int saved = errno;
    int value = 0;
    socklen_t size = sizeof value;
    int got = getsockopt(fd, SOL_SOCKET, option, &value, &size);
    errno = saved;
    return got == 0 ? value : -1;
}

bool os_socket_is_stream(int fd)
{
    int domain = option_of(fd, SO_DOMAIN);
    return (domain == AF_UNIX || domain == AF_INET || domain == AF_INET6) &&
           option_of(fd, SO_TYPE) == SOCK_STREAM;
}

bool os_socket_is_local(int fd)
{
    return option_of(fd, SO_DOMAIN) == AF_UNIX;
}

/* Of a connection to ourselves, where the other end sent them. */
int os_socket_cpu(int fd)
{
    return option_of(fd, SO_INCOMING_CPU);
}

int os_socket_shutdown(int fd)
{
    int saved = errno;
    return settle(shutdown(fd, SHUT_WR), saved);
}

/* Bytes */

_Static_assert(sizeof(os_part) == sizeof(struct iovec) &&
                   offsetof(os_part, size) == offsetof(struct iovec, iov_len),
               "parts are handed to the system as they are");

int64_t os_socket_send(int fd, const os_part *parts, int count, bool wait)
{
    int saved = errno;
    int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = (size_t)count};
    ssize_t sent;
    do {
        sent =
            count == 1 ? send(fd, parts->bytes, parts->size, flags) : sendmsg(fd, &message, flags);
    } while (sent < 0 && errno == EINTR);
    int64_t result = sent < 0 ? -errno : sent;
    errno = saved;
    return result;
}

int64_t os_socket_receive(int fd, const os_part *parts, int count, bool wait)
{
    int saved = errno;
    int flags = wait ? 0 : MSG_DONTWAIT;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = (size_t)count};
    ssize_t got;
    do {
        got =
            count == 1 ? recv(fd, parts->bytes, parts->size, flags) : recvmsg(fd, &message, flags);
    } while (got < 0 && errno == EINTR);
    int64_t result = got < 0 ? -errno : got;
    errno = saved;
    return result;
}

int os_socket_set_patience(int fd, kr_time most)
{
    enum { SECOND = 1000000000, MICROSECOND = 1000 };
    int saved = errno;
    kr_time rounded = most < OS_NEVER - MICROSECOND ? most + MICROSECOND - 1 : most;
    struct timeval limit = {.tv_sec = rounded / SECOND, .tv_usec = rounded % SECOND / MICROSECOND};
    if (most == OS_NEVER)
        limit = (struct timeval){0, 0};
    int err = settle(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), saved);
    return err == 0 ? os_make_blocking(fd) : err;
}

int64_t os_socket_receive_patiently(int fd, void *bytes, size_t size)
{
    int saved = errno;
    ssize_t got = recv(fd, bytes, size, 0);
    int64_t result = got < 0 ? -errno : got;
    errno = saved;
    return result;
}

/* Watching many */

int os_watch_create(void)
{
    int saved = errno;
    return os_above_standard(settle(epoll_create1(EPOLL_CLOEXEC), saved));
}

int os_watch_add(int watch, int fd, uint64_t key)
{
    int saved = errno;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
    return settle(epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event), saved);
}

int os_watch_add_for(int watch, int fd, unsigned events)
{
    int saved = errno;
    struct epoll_event event = {.events = events == OS_WRITABLE ? EPOLLOUT : EPOLLIN};
    return settle(epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event), saved);
}

void os_watch_remove(int watch, int fd)
{
    int saved = errno;
    (void)epoll_ctl(watch, EPOLL_CTL_DEL, fd, NULL);
    errno = saved;
}

int os_watch_next(int watch, uint64_t *key)
{
    int saved = errno;
    struct epoll_event event;
    int ready = epoll_wait(watch, &event, 1, 0);
    errno = saved;
    if (ready <= 0)
        return 0;
    *key = event.data.u64;
    return 1;
}
