/* Sockets: bytes and datagrams.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/io.h"
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

/* What there is without waiting, which a wait that has failed leaves to be had. */
static int64_t last_try(int fd, void *bytes, size_t size, int64_t error)
{
    int64_t got = error != -EBADF ? os_recv(fd, bytes, size, 0) : error;
    return got != -EAGAIN ? got : error;
}

/* By a coroutine: of other kinds than TCP, a short one tells nothing. */
static __attribute__((noinline)) void note_kind(int fd)
{
    if (kri_kind(fd) != OS_TCP)
        return;
    kri_descriptor *known = kri_descriptor_known(fd);
    if (known != NULL)
        kri_descriptor_drained(known, fd, OS_READABLE);
}

static inline void note_short(int fd, kri_descriptor *known)
{
    if (known == NULL || known->kind == OS_UNKNOWN || !kri_descriptor_is_same(known))
        note_kind(fd);
    else if (known->kind == OS_TCP)
        kri_descriptor_drained(known, fd, OS_READABLE);
}

static __attribute__((noinline)) int64_t recv_again(int fd, void *bytes, size_t size, int flags,
                                                    kr_time timeout, kr_time deadline)
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

/* Where a coroutine has found nothing more before, trying first is a waste. */
static inline bool is_waste(const kri_descriptor *known, int flags, kr_time timeout)
{
    return known != NULL && flags == 0 && timeout != KR_NOWAIT &&
           kri_descriptor_is_drained(known, OS_READABLE);
}

int64_t kri_recv(kri_descriptor *known, int fd, void *bytes, size_t size, int flags,
                 kr_time timeout)
{
    kr_time deadline = 0;
    if (is_waste(known, flags, timeout)) {
        deadline = timeout == KR_FOREVER ? KRI_NEVER : kri_deadline(timeout);
        int ready = kri_descriptor_await_known(known, fd, OS_READABLE, deadline);
        if (ready < 0)
            return last_try(fd, bytes, size, ready);
    }
    int64_t got = os_recv(fd, bytes, size, flags);
    if (got == -EAGAIN)
        got = recv_again(fd, bytes, size, flags, timeout, deadline);
    if (got > 0 && (size_t)got < size && flags == 0 && (known != NULL || kri_in_coroutine()))
        note_short(fd, known);
    return kri_got(got, timeout);
}

int64_t kr_recv(int fd, void *bytes, size_t size, int flags, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    return kri_recv(kri_descriptor_known(fd), fd, bytes, size, flags, timeout);
}

static __attribute__((noinline)) int64_t send_again(int fd, const void *bytes, size_t size,
                                                    int flags, kr_time timeout)
{
    kri_tries tries = {.fd = fd, .events = OS_WRITABLE, .timeout = timeout};
    int64_t sent = -EAGAIN;
    while (sent == -EAGAIN && kri_try_again(&tries, &sent))
        sent = os_send(fd, bytes, size, flags);
    return sent;
}

int64_t kri_send(int fd, const void *bytes, size_t size, int flags, kr_time timeout)
{
    int64_t sent = os_send(fd, bytes, size, flags);
    if (sent == -EAGAIN)
        sent = send_again(fd, bytes, size, flags, timeout);
    return kri_got(sent, timeout);
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
