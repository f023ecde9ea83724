/* Calls, and descriptors that travel.
 *
 * A call is a byte in a pipe: of all that one can sleep on and that tells when the other side is
 * gone, a pipe wakes fastest; a pair of sockets takes nearly twice the time.  Who calls holds the
 * pipe open for reading as well, so that no call ever raises SIGPIPE; opening it once more through
 * /proc is the only way to have both in one descriptor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/message.h"
#include "os/child.h"
#include "os/linux/libc.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(os_polled) == sizeof(struct pollfd), "they are cast");
_Static_assert(offsetof(os_polled, fd) == offsetof(struct pollfd, fd), "they are cast");
_Static_assert(offsetof(os_polled, wanted) == offsetof(struct pollfd, events), "they are cast");
_Static_assert(offsetof(os_polled, ready) == offsetof(struct pollfd, revents), "they are cast");

int os_call_pair(int *hears, int *calls)
{
    int saved = errno;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        int error = -errno;
        errno = saved;
        return error;
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[1]);
    int both[2] = {fds[0], open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    both[1] = both[1] < 0 ? -errno : both[1];
    close(fds[1]);
    errno = saved;
    int error = os_both_above_standard(both);
    *hears = both[0];
    *calls = both[1];
    return error;
}

bool os_call_is(int fd)
{
    int saved = errno;
    struct stat s;
    bool is = fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode);
    errno = saved;
    return is;
}

void os_call(int calls, int count)
{
    static const char bytes[OS_CALLS];
    int saved = errno;
    ssize_t written;
    do {
        written = write(calls, bytes, (size_t)count);
    } while (written < 0 && errno == EINTR);
    errno = saved;
}

int os_call_hear(int hears)
{
    int saved = errno;
    char byte;
    ssize_t got = read(hears, &byte, 1);
    int result = got < 0 ? -errno : (int)got;
    errno = saved;
    return result;
}

int os_call_take(int hears)
{
    int saved = errno;
    char byte;
    ssize_t got = preadv2(hears, &(struct iovec){&byte, 1}, 1, -1, RWF_NOWAIT);
    int result = got < 0 ? -errno : (int)got;
    errno = saved;
    if (result != -EOPNOTSUPP && result != -ENOSYS)
        return result;
    return os_call_look(hears) == 0 ? -EAGAIN : os_call_hear(hears);
}

unsigned os_call_look(int hears)
{
    int saved = errno;
    struct pollfd p = {hears, POLLIN, 0};
    int ready = poll(&p, 1, 0);
    errno = saved;
    if (ready <= 0)
        return 0;
    return (p.revents & POLLIN ? OS_CALLS_WAIT : 0) |
           (p.revents & (POLLHUP | POLLERR | POLLNVAL) ? OS_CALLS_OVER : 0);
}

int os_rights_pair(int fds[2])
{
    int saved = errno;
    int error = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
    errno = saved;
    return error == 0 ? os_both_above_standard(fds) : error;
}

typedef union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * OS_RIGHTS)];
} control;

int os_rights_send(int socket, unsigned char tag, const int *fds, int count)
{
    int saved = errno;
    control room;
    struct iovec part = {&tag, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&room, 0, sizeof room);
        message.msg_control = &room;
        message.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    int error = sent < 0 ? -errno : 0;
    errno = saved;
    return error == -ECONNRESET ? -EPIPE : error;
}

/* At least one byte, or the error. */
static ssize_t receive(int socket, struct msghdr *message, int flags)
{
    ssize_t got;
    do {
        got = recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        return got;
    return got == 0 || errno == ECONNRESET ? -EPIPE : -errno;
}

/* What a list of descriptors that was cut off means: there was no room for the rest. */
static int too_many(void)
{
    int probe = open("/", O_PATH | O_CLOEXEC);
    int error = probe < 0 ? -errno : -EMFILE;
    if (probe >= 0)
        close(probe);
    return error;
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* All or none: how many, or the error. */
static int all_above_standard(int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        int fd = os_above_standard(fds[i]);
        if (fd < 0) {
            close_all(fds, i);
            close_all(fds + i + 1, count - i - 1);
            return fd;
        }
        fds[i] = fd;
    }
    return count;
}

int os_rights_peek(int socket, unsigned char *tag, int fds[OS_RIGHTS])
{
    int saved = errno;
    control room;
    struct iovec part = {tag, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room};
    ssize_t got = receive(socket, &message, MSG_PEEK);
    int count = 0;
    struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(header), sizeof(int) * (size_t)count);
    }
    int result = got < 0 ? (int)got : all_above_standard(fds, count);
    if (result >= 0 && (message.msg_flags & MSG_CTRUNC)) {
        close_all(fds, count);
        result = count == OS_RIGHTS ? -E2BIG : too_many();
    }
    errno = saved;
    return result;
}

int os_rights_look(int socket, unsigned char *tag)
{
    int saved = errno;
    struct iovec part = {tag, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = receive(socket, &message, MSG_PEEK);
    errno = saved;
    return got < 0 ? (int)got : 0;
}

void os_rights_drop(int socket)
{
    int saved = errno;
    unsigned char tag;
    struct iovec part = {&tag, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = receive(socket, &message, 0);
    (void)got;
    errno = saved;
}

bool os_hung_up(int socket)
{
    int saved = errno;
    struct pollfd p = {socket, 0, 0};
    int ready = poll(&p, 1, 0);
    errno = saved;
    return ready > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

int os_duplicate(int fd)
{
    return os_duplicate_above(fd);
}

int os_poll_many(os_polled *list, size_t count, kr_time deadline)
{
    int saved = errno;
    struct timespec left;
    struct timespec *timeout = NULL;
    if (deadline != OS_NEVER) {
        kr_time rest = deadline - os_now();
        rest = rest < 0 ? 0 : rest;
        left = (struct timespec){rest / 1000000000, rest % 1000000000};
        timeout = &left;
    }
    for (size_t i = 0; i < count; i++)
        list[i].wanted = POLLIN;
    int ready = ppoll((struct pollfd *)(void *)list, count, timeout, NULL);
    int result = ready > 0 ? ready : ready == 0 ? -ETIMEDOUT : -errno;
    for (size_t i = 0; i < count && result > 0; i++) {
        if (list[i].ready & POLLNVAL)
            result = -EBADF;
    }
    errno = saved;
    return result;
}

uint64_t os_count(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    /* As fast as others' do: its own is anything from a million to a billion a second. */
    enum { A_SECOND = 2000000000 };
    uint64_t count, frequency;
    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(count));
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    if (frequency == 0)
        return (uint64_t)os_now();
    return frequency < A_SECOND ? count * (A_SECOND / frequency) : count;
#else
    return (uint64_t)os_now();
#endif
}
