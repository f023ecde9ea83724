/* Sockets: bytes and datagrams.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/socket.h"
#include <krait/io.h>

/* What is a file is asked anew each time: were it closed by somebody else and the number another's
 * now, a thread would be blocked for nothing. */
int kri_kind(int fd)
{
    if (!kri_in_coroutine())
        return os_kind_of(fd);
    int kind = (int)kri_descriptor_kind(kri_descriptor_known(fd));
    if (kind != OS_UNKNOWN)
        return kind;
    kind = os_kind_of(fd);
    if (kind > 0 && kind != OS_FILE)
        kri_descriptor_set_kind(fd, (unsigned)kind);
    return kind;
}

int64_t kri_recv_last(int fd, void *bytes, size_t size, int64_t error)
{
    int64_t got = error != -EBADF ? os_recv(fd, bytes, size, 0) : error;
    return got != -EAGAIN ? got : error;
}

/* Of other kinds than TCP, a short one tells nothing. */
void kri_recv_was_short(int fd)
{
    if (kri_kind(fd) != OS_TCP)
        return;
    kri_descriptor *known = kri_descriptor_known(fd);
    if (known != NULL)
        kri_descriptor_drained(known, fd, OS_READABLE);
}

int64_t kri_recv_again(int fd, void *bytes, size_t size, int flags, kr_time timeout,
                       kr_time deadline)
{
    kri_tries tries = {.fd = fd,
                       .events = OS_READABLE,
                       .timeout = timeout,
                       .deadline = deadline,
                       .vain = deadline != 0};
    int64_t got = -EAGAIN;
    while (got == -EAGAIN && kri_try_again(&tries, &got))
        got = os_recv(fd, bytes, size, flags);
    return got;
}

int64_t kr_recv(int fd, void *bytes, size_t size, int flags, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    return kri_recv(kri_descriptor_known(fd), fd, bytes, size, flags, timeout);
}

int64_t kri_send_again(int fd, const void *bytes, size_t size, int flags, kr_time timeout)
{
    kri_tries tries = {.fd = fd, .events = OS_WRITABLE, .timeout = timeout};
    int64_t sent = -EAGAIN;
    while (sent == -EAGAIN && kri_try_again(&tries, &sent))
        sent = os_send(fd, bytes, size, flags);
    return sent;
}

int64_t kr_send(int fd, const void *bytes, size_t size, int flags, kr_time timeout)
{
    return timeout < 0 ? -EINVAL : kri_send(fd, bytes, size, flags, timeout);
}

int64_t kr_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                    uint32_t *from_size, kr_time timeout)
{
    if (timeout < 0 || (from != NULL && from_size == NULL))
        return -EINVAL;
    kri_tries tries = {.fd = fd, .events = OS_READABLE, .timeout = timeout};
    int64_t got;
    do {
        got = os_recvfrom(fd, bytes, size, flags, from, from_size);
    } while (got == -EAGAIN && kri_try_again(&tries, &got));
    return kri_got(got, timeout);
}

int64_t kr_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
                  uint32_t to_size, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    kri_tries tries = {.fd = fd, .events = OS_WRITABLE, .timeout = timeout};
    int64_t sent;
    bool again;
    do {
        sent = os_sendto(fd, bytes, size, flags, to, to_size);
        if (sent != -EAGAIN)
            return kri_got(sent, timeout);
        again = to != NULL && os_room_is_secret(fd) ? kri_try_later(&tries, &sent)
                                                    : kri_try_again(&tries, &sent);
    } while (again);
    return sent;
}
