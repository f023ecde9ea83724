/* Receiving and sending, as kr_read, kr_recv and their like begin with it.
 *
 * Mostly that is one call of the system, with a wait before it.  It is inline, so that a coroutine
 * sleeps in fewer frames: where there are many of them, each has to come into the cache again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_IO_SOCKET_H
#define KRI_IO_SOCKET_H

#include "io/io.h"

/* kri_recv_last - what there is without waiting, which a wait that has failed leaves to be had.
 * kri_recv_was_short - by a coroutine: less than it wanted came from what it knows nothing of.
 * kri_recv_again, kri_send_again - after a try in vain; deadline 0: not looked at the clock yet. */
int64_t kri_recv_last(int fd, void *bytes, size_t size, int64_t error);
void kri_recv_was_short(int fd);
int64_t kri_recv_again(int fd, void *bytes, size_t size, int flags, kr_time timeout,
                       kr_time deadline);
int64_t kri_send_again(int fd, const void *bytes, size_t size, int flags, kr_time timeout);

static inline void kri_recv_note_short(int fd, kri_descriptor *known)
{
    if (known == NULL || known->kind == OS_UNKNOWN || !kri_descriptor_is_same(known))
        kri_recv_was_short(fd);
    else if (known->kind == OS_TCP)
        kri_descriptor_drained(known, fd, OS_READABLE);
}

/* Where a coroutine has found nothing more before, trying first is a waste. */
static inline bool kri_recv_is_waste(const kri_descriptor *known, int flags, kr_time timeout)
{
    return known != NULL && flags == 0 && timeout != KR_NOWAIT &&
           kri_descriptor_is_drained(known, OS_READABLE);
}

/* kri_recv - kr_recv with a timeout that is not negative, for who has what kri_descriptor_known
 * says of the descriptor. */
static inline int64_t kri_recv(kri_descriptor *known, int fd, void *bytes, size_t size, int flags,
                               kr_time timeout)
{
    kr_time deadline = 0;
    if (kri_recv_is_waste(known, flags, timeout)) {
        deadline = timeout == KR_FOREVER ? KRI_NEVER : kri_deadline(timeout);
        int ready = kri_descriptor_await_known(known, fd, OS_READABLE, deadline);
        if (ready < 0)
            return kri_recv_last(fd, bytes, size, ready);
    }
    int64_t got = os_recv(fd, bytes, size, flags);
    if (got == -EAGAIN)
        got = kri_recv_again(fd, bytes, size, flags, timeout, deadline);
    if (got > 0 && (size_t)got < size && flags == 0 && (known != NULL || kri_in_coroutine()))
        kri_recv_note_short(fd, known);
    return kri_got(got, timeout);
}

/* kri_send - kr_send with a timeout that is not negative. */
static inline int64_t kri_send(int fd, const void *bytes, size_t size, int flags, kr_time timeout)
{
    int64_t sent = os_send(fd, bytes, size, flags);
    if (sent == -EAGAIN)
        sent = kri_send_again(fd, bytes, size, flags, timeout);
    return kri_got(sent, timeout);
}

#endif
