/* Channels between a process and its children, and life lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/child.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int os_above_standard(int descriptor)
{
    if (descriptor < 0 || descriptor > STDERR_FILENO)
        return descriptor;
    int saved = errno;
    int fd = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    fd = fd < 0 ? -errno : fd;
    close(descriptor);
    errno = saved;
    return fd;
}

int os_duplicate_above(int descriptor)
{
    int saved = errno;
    int fd = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    fd = fd < 0 ? -errno : fd;
    errno = saved;
    return fd;
}

int os_both_above_standard(int ends[2])
{
    for (int i = 0; i < 2; i++)
        ends[i] = os_above_standard(ends[i]);
    if (ends[0] >= 0 && ends[1] >= 0)
        return 0;
    int error = ends[0] < 0 ? ends[0] : ends[1];
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            os_close(ends[i]);
    return error;
}

int os_channel_create(int ends[2])
{
    int saved = errno;
    int error = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
    errno = saved;
    return error < 0 ? error : os_both_above_standard(ends);
}

bool os_channel_is(int descriptor)
{
    int saved = errno;
    int domain = 0;
    socklen_t size = sizeof domain;
    int error = getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    errno = saved;
    return error == 0 && domain == AF_UNIX;
}

typedef union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(OS_HANDED * sizeof(int))];
} control;

static ssize_t send_some(int channel, const void *bytes, size_t size, const int *descriptors,
                         int count)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    control c;
    if (count > 0) {
        size_t length = (size_t)count * sizeof *descriptors;
        memset(&c, 0, sizeof c);
        message.msg_control = &c;
        message.msg_controllen = (socklen_t)CMSG_SPACE(length);
        c.head.cmsg_level = SOL_SOCKET;
        c.head.cmsg_type = SCM_RIGHTS;
        c.head.cmsg_len = (socklen_t)CMSG_LEN(length);
        memcpy(CMSG_DATA(&c.head), descriptors, length);
    }
    ssize_t sent;
    do {
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int os_channel_send(int channel, const void *bytes, size_t size, const int *descriptors, int count)
{
    int saved = errno;
    const char *at = bytes;
    ssize_t sent = 0;
    while (size > 0 && sent >= 0) {
        sent = send_some(channel, at, size, descriptors, count);
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
            count = 0;
        }
    }
    errno = saved;
    return sent < 0 ? (int)sent : 0;
}

#ifndef __GLIBC__
#pragma GCC diagnostic ignored "-Wsign-conversion" /* musl's CMSG_NXTHDR */
#endif

/* What came with the bytes; -EMFILE when not all of it could be taken. */
static int take(struct msghdr *message, int *descriptors, int *count, int most)
{
    bool lost = (message->msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        int got = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + (size_t)i * sizeof fd, sizeof fd);
            fd = os_above_standard(fd);
            if (fd >= 0 && *count < most) {
                descriptors[(*count)++] = fd;
                continue;
            }
            if (fd >= 0)
                close(fd);
            lost = true;
        }
    }
    return lost ? -EMFILE : 0;
}

static ssize_t receive_some(int channel, void *bytes, size_t size, int *descriptors, int *count,
                            int most)
{
    struct iovec part = {bytes, size};
    control c;
    memset(&c, 0, sizeof c);
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
    ssize_t got;
    do {
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == ECONNRESET ? KR_EOF : -errno;
    int err = take(&message, descriptors, count, most);
    return err < 0 ? err : got == 0 ? KR_EOF : got;
}

static int wait_readable(int channel, kr_time deadline)
{
    if (deadline == OS_NEVER)
        return 0;
    int ready;
    do {
        ready = os_poll(channel, OS_READABLE, -1, deadline);
    } while (ready == -EINTR);
    return ready < 0 ? ready : 0;
}

int os_channel_receive(int channel, void *bytes, size_t size, int *descriptors, int *count,
                       kr_time deadline)
{
    int saved = errno;
    int most = count != NULL ? *count : 0, taken = 0;
    char *at = bytes;
    ssize_t got = 0;
    while (size > 0 && got >= 0) {
        got = wait_readable(channel, deadline);
        if (got == 0)
            got = receive_some(channel, at, size, descriptors, &taken, most);
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
    if (count != NULL)
        *count = taken;
    errno = saved;
    return got < 0 ? (int)got : 0;
}

bool os_descriptor_valid(int descriptor)
{
    int saved = errno;
    bool valid = fcntl(descriptor, F_GETFD) >= 0;
    errno = saved;
    return valid;
}

int os_keep_over_exec(int descriptor, bool keep)
{
    int saved = errno;
    int error = fcntl(descriptor, F_SETFD, keep ? 0 : FD_CLOEXEC) < 0 ? -errno : 0;
    errno = saved;
    return error;
}

/* Life lines. */

int os_life_create(int ends[2])
{
    int saved = errno;
    int error = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
    errno = saved;
    return error < 0 ? error : os_both_above_standard(ends);
}

bool os_life_over(int line)
{
    struct pollfd fd = {.fd = line, .events = POLLIN};
    int saved = errno;
    int ready = poll(&fd, 1, 0);
    errno = saved;
    return ready == 1;
}

static int arm(int line)
{
    if (fcntl(line, F_SETOWN, getpid()) < 0 || fcntl(line, F_SETSIG, SIGKILL) < 0 ||
        fcntl(line, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

/* Who is told belongs to what was opened, which forks share.  So it is opened once more. */
int os_life_depend(int line)
{
    char path[64];
    int saved = errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", line);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    fd = fd < 0 ? -errno : os_above_standard(fd);
    int error = fd < 0 ? fd : arm(fd);
    if (error == 0 && os_life_over(fd))
        kill(getpid(), SIGKILL);
    if (error < 0 && fd >= 0)
        close(fd);
    errno = saved;
    return error < 0 ? error : fd;
}

bool os_life_depends(int bond)
{
    int saved = errno;
    bool depends = fcntl(bond, F_GETSIG) == SIGKILL;
    errno = saved;
    return depends;
}
