/* Sockets: making, binding, naming.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/net.h"
#include "os/child.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const int yes = 1;

static int settle(int result, int saved)
{
    int error = result < 0 ? -errno : result;
    errno = saved;
    return error;
}

static const struct sockaddr *system_form(const os_address *address)
{
    return (const struct sockaddr *)(const void *)address->bytes;
}

int os_net_address(os_address *address, const struct sockaddr *name, uint32_t size)
{
    *address = (os_address){.size = 0};
    if (size > sizeof address->bytes || size < sizeof(sa_family_t))
        return -EINVAL;
    memcpy(address->bytes, name, size);
    address->size = size;
    switch (name->sa_family) {
    case AF_UNIX:
        address->family = OS_UNIX;
        if (size > sizeof(struct sockaddr_un)) /* told so by the system, which does not take it */
            address->size = sizeof(struct sockaddr_un);
        return 0;
    case AF_INET:
        address->family = OS_IPV4;
        return size >= sizeof(struct sockaddr_in) ? 0 : -EINVAL;
    case AF_INET6:
        address->family = OS_IPV6;
        return size >= sizeof(struct sockaddr_in6) ? 0 : -EINVAL;
    default:
        return -EAFNOSUPPORT;
    }
}

int os_net_socket(unsigned family, bool datagram)
{
    int saved = errno;
    int domain = family == OS_UNIX ? AF_UNIX : family == OS_IPV6 ? AF_INET6 : AF_INET;
    int type = (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
    return os_above_standard(settle(socket(domain, type, 0), saved));
}

/* Binding */

static int set(int fd, int level, int option)
{
    return setsockopt(fd, level, option, &yes, sizeof yes);
}

static int set_options(int fd, const os_address *address, const os_net_options *options)
{
    bool local = address->family == OS_UNIX;
    if (!local && !options->datagram && set(fd, SOL_SOCKET, SO_REUSEADDR))
        return -1;
    if (!local && options->reuse_port && set(fd, SOL_SOCKET, SO_REUSEPORT))
        return -1;
    if (address->family == OS_IPV6 && options->ipv6_only && set(fd, IPPROTO_IPV6, IPV6_V6ONLY))
        return -1;
    if (options->broadcast && set(fd, SOL_SOCKET, SO_BROADCAST))
        return -1;
    if (local && options->mode != 0) /* bind gives the file the socket's mode */
        return fchmod(fd, (mode_t)options->mode);
    return 0;
}

static int bind_and_listen(int fd, const os_address *address, const os_net_options *options)
{
    if (set_options(fd, address, options) || bind(fd, system_form(address), address->size))
        return -1;
    return options->backlog > 0 ? listen(fd, options->backlog) : 0;
}

int os_net_bind(const os_address *address, const os_net_options *options, os_address *bound)
{
    int saved = errno;
    int fd = os_net_socket(address->family, options->datagram);
    if (fd < 0)
        return fd;
    int err = settle(bind_and_listen(fd, address, options), saved);
    if (err == 0)
        err = os_net_name(fd, false, bound);
    if (err == 0)
        return fd;
    close(fd);
    errno = saved;
    return err;
}

int os_net_connect(const os_address *address, int *fd)
{
    int saved = errno;
    *fd = -1;
    int made = os_net_socket(address->family, false);
    if (made < 0)
        return made;
    if (address->family != OS_UNIX)
        os_net_no_delay(made);
    int err = settle(connect(made, system_form(address), address->size), saved);
    if (err == -EINTR)
        err = -EINPROGRESS;
    if (err == 0 || err == -EINPROGRESS)
        *fd = made;
    else
        close(made);
    errno = saved;
    return err;
}

void os_net_stop(int fd)
{
    int saved = errno;
    (void)shutdown(fd, SHUT_RDWR);
    errno = saved;
}

int os_net_broadcast(int fd)
{
    int saved = errno;
    return settle(set(fd, SOL_SOCKET, SO_BROADCAST), saved);
}

void os_net_no_delay(int fd)
{
    int saved = errno;
    (void)set(fd, IPPROTO_TCP, TCP_NODELAY);
    errno = saved;
}

/* Naming */

int os_net_name(int fd, bool peer, os_address *address)
{
    int saved = errno;
    struct sockaddr_storage name = {.ss_family = 0};
    socklen_t size = sizeof name;
    struct sockaddr *where = (struct sockaddr *)&name;
    int err = settle(peer ? getpeername(fd, where, &size) : getsockname(fd, where, &size), saved);
    return err < 0 ? err : os_net_address(address, where, (uint32_t)size);
}

int os_net_whole_length(void)
{
    return MSG_TRUNC;
}

unsigned os_net_port(const os_address *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (address->family == OS_IPV4) {
        memcpy(&in, address->bytes, sizeof in);
        return ntohs(in.sin_port);
    }
    if (address->family == OS_IPV6) {
        memcpy(&in6, address->bytes, sizeof in6);
        return ntohs(in6.sin6_port);
    }
    return 0;
}

void os_net_set_port(os_address *address, unsigned port)
{
    in_port_t number = htons((uint16_t)port);
    if (address->family == OS_IPV4)
        memcpy(address->bytes + offsetof(struct sockaddr_in, sin_port), &number, sizeof number);
    else if (address->family == OS_IPV6)
        memcpy(address->bytes + offsetof(struct sockaddr_in6, sin6_port), &number, sizeof number);
}

int os_net_is_socket_file(const os_address *address)
{
    int saved = errno;
    struct stat about;
    struct sockaddr_un un = {.sun_family = 0};
    char path[sizeof un.sun_path + 1];
    memcpy(&un, address->bytes, address->size < sizeof un ? address->size : sizeof un);
    snprintf(path, sizeof path, "%.*s", (int)sizeof un.sun_path, un.sun_path);
    int err = settle(lstat(path, &about), saved);
    return err < 0 ? err : S_ISSOCK(about.st_mode) != 0;
}

int os_net_watch_connect(int watch, int fd, uint64_t key)
{
    int saved = errno;
    struct epoll_event event = {.events = EPOLLOUT, .data.u64 = key};
    return settle(epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event), saved);
}
