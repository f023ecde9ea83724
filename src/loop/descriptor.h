/* What is known of descriptors that coroutines wait for; see descriptor.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_DESCRIPTOR_H
#define KRI_LOOP_DESCRIPTOR_H

#include "os/os.h"
#include "wait/wait.h"

/* kri_in_coroutine - is the caller one?  Else it is a thread, which may block. */
static inline bool kri_in_coroutine(void)
{
    return kri_party_shares_thread();
}

/* kri_descriptor_await - kri_wait_fd for a coroutine that has just tried, in vain: it spares the
 * system call that looks whether the descriptor is ready already. */
int kri_descriptor_await(int fd, unsigned events, kr_time deadline);

/* kri_descriptor_served - a call has got what it wanted.  A coroutine that never has to wait for it
 * gives way now and then, and has the loop look at what else there is. */
void kri_descriptor_served(void);

/* kri_descriptor_drained - the caller, a coroutine, has just found less than it wanted: until the
 * next event there is nothing (OS_READABLE), or no room (OS_WRITABLE).  Only for stream sockets and
 * pipes: false, and nothing is noted, if it is not known to be of this kind (kri_descriptor_kind).
 * kri_descriptor_is_drained - has somebody said so, and no event come since?  Then
 * kri_wait_fd is the next thing to do.  Both are hints that cost a few loads. */
bool kri_descriptor_drained(int fd, unsigned events, unsigned kind);
bool kri_descriptor_is_drained(int fd, unsigned events);

/* kri_descriptor_kind, _set_kind - a number that the layer above keeps for a descriptor until it is
 * closed by kr_close or newly made; 0: nothing is known. */
unsigned kri_descriptor_kind(int fd);
void kri_descriptor_set_kind(int fd, unsigned kind);

/* kri_descriptor_fresh - this number was just given to a new descriptor: forget what is known. */
void kri_descriptor_fresh(int fd);

/* kri_descriptor_closing - call before close(2): waits for it end with -EBADF. */
void kri_descriptor_closing(int fd);

/* kri_descriptor_close - both.  What a coroutine may have waited for is closed so, or the next
 * descriptor of that number is taken for it. */
static inline void kri_descriptor_close(int fd)
{
    kri_descriptor_closing(fd);
    os_close(fd);
}

#endif
