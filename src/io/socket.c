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
    int kind = (int)kri_descriptor_kind(fd);
    if (kind != OS_UNKNOWN)
        return kind;
    kind = os_kind_of(fd);
    if (kind > 0 && kind != OS_FILE)
        kri_descriptor_set_kind(fd, (unsigned)kind);
    return kind;
}

/* Where a coroutine has found nothing more before, trying is a waste. */
static bool is_empty(int fd, int flags, kr_time timeout)
{
    return flags == 0 && timeout != KR_NOWAIT && kri_in_coroutine() &&
           kri_descriptor_is_drained(fd, OS_READABLE);
}

static void note_short(int fd, int flags)
{
    if (flags != 0 || !kri_in_coroutine() || kri_descriptor_drained(fd, OS_READABLE, OS_TCP))
        return;
    if (kri_kind(fd) == OS_TCP)
        (void)kri_descriptor_drained(fd, OS_READABLE, OS_TCP);
}

int64_t kr_recv(int fd, void *bytes, size_t size, int flags, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    kri_tries tries = {.fd = fd, .events = OS_READABLE, .timeout = timeout};
    int64_t got = -EAGAIN;
    if (is_empty(fd, flags, timeout) && !kri_try_again(&tries, &got))
        return got;
    do {
        got = os_recv(fd, bytes, size, flags);
    } while (got == -EAGAIN && kri_try_again(&tries, &got));
    if (got > 0 && (size_t)got < size)
        note_short(fd, flags);
    return kri_got(got, timeout);
}

int64_t kr_send(int fd, const void *bytes, size_t size, int flags, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    kri_tries tries = {.fd = fd, .events = OS_WRITABLE, .timeout = timeout};
    int64_t sent;
    do {
        sent = os_send(fd, bytes, size, flags);
    } while (sent == -EAGAIN && kri_try_again(&tries, &sent));
    return kri_got(sent, timeout);
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
