/* What is known of descriptors that coroutines wait for; see poller.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_DESCRIPTOR_H
#define KRI_LOOP_DESCRIPTOR_H

#include "loop/loop.h"
#include "os/os.h"
#include "wait/wait.h"

typedef struct kri_circle { /* a list round a head; who is in it */
    struct kri_circle *next;
    struct kri_circle *previous;
} kri_circle;

/* Of a descriptor's number, in one loop; see the legend in poller.c.  A cache line. */
typedef struct kri_descriptor {
    kri_word64 generation;
    uint64_t seen;
    kri_circle waits;
    uint8_t ready;
    uint8_t drained;
    uint8_t kind;
    bool registered : 1;
    bool special : 1;
    bool was_short : 1;
    bool is_young : 1;
    kr_word heard;
    kr_word told;
    struct kri_descriptor *next_told;
    struct kri_descriptor *next_young;
} kri_descriptor;

/* kri_in_coroutine - is the caller one?  Else it is a thread, which may block. */
static inline bool kri_in_coroutine(void)
{
    return kri_party_shares_thread();
}

/* kri_descriptor_known - for a coroutine, what its loop knows; NULL: nothing yet, or the caller is
 * none.  As long as the loop is there; true of the descriptor until it is closed, which others may
 * do while the caller waits: kri_descriptor_is_same. */
kri_descriptor *kri_descriptor_known(int fd);
static inline bool kri_descriptor_is_same(const kri_descriptor *known)
{
    return kri_load_rlx64(&known->generation) == known->seen;
}

/* kri_descriptor_await - kri_wait_fd for a coroutine that has just tried, in vain: it spares the
 * system call that looks whether the descriptor is ready already. */
int kri_descriptor_await(int fd, unsigned events, kr_time deadline);

/* kri_descriptor_await_known - the same for who has what is known of the descriptor. */
int kri_descriptor_await_known(kri_descriptor *known, int fd, unsigned events, kr_time deadline);

/* kri_descriptor_served - a call has got what it wanted.  A coroutine that never has to wait for it
 * gives way now and then, and has the loop look at what else there is. */
enum { KRI_SERVED_MOST = 64 };
void kri_descriptor_give_way(kri_runner *self);
static inline void kri_descriptor_served(void)
{
    kri_runner *self = kri_runner_self();
    if (self != NULL && ++self->served >= KRI_SERVED_MOST)
        kri_descriptor_give_way(self);
}

/* kri_descriptor_drained - the caller, a coroutine, has just found less than it wanted: until the
 * next event there is nothing (OS_READABLE), or no room (OS_WRITABLE).  Only for stream sockets.
 * kri_descriptor_is_drained - has somebody said so, and no event come since?  Then
 * kri_descriptor_await is the next thing to do.
 *
 * A descriptor of which this is said a second time, with no wait between, is registered for its
 * events: else who is served faster than he asks would never be told to wait for his turn. */
void kri_descriptor_drained_first(kri_descriptor *known, int fd);
static inline void kri_descriptor_drained(kri_descriptor *known, int fd, unsigned events)
{
    if (known->special)
        return;
    if (!known->registered)
        kri_descriptor_drained_first(known, fd);
    if (!known->registered)
        return;
    known->drained |= (uint8_t)events;
    known->ready &= (uint8_t)~events;
}

static inline bool kri_descriptor_is_drained(const kri_descriptor *known, unsigned events)
{
    return (known->drained & events) == events;
}

/* kri_descriptor_is_awaited - does somebody wait for it?  Of several who do the first one takes the
 * event.
 * kri_descriptor_is_doubtful - after a wait of one who waited alone, to its good end: may it be not
 * ready?  The event was for no bytes perhaps, or others have found since that there is nothing, or
 * it is another descriptor's. */
static inline bool kri_descriptor_is_awaited(const kri_descriptor *known)
{
    return known->waits.next != &known->waits;
}
static inline bool kri_descriptor_is_doubtful(const kri_descriptor *known, unsigned events)
{
    return known->special || (known->drained & events) != 0 || !kri_descriptor_is_same(known);
}

/* kri_descriptor_kind, _set_kind - a number that the layer above keeps for a descriptor until it is
 * closed by kr_close or newly made; 0: nothing is known. */
static inline unsigned kri_descriptor_kind(const kri_descriptor *known)
{
    return known != NULL ? known->kind : 0;
}
void kri_descriptor_set_kind(int fd, unsigned kind);

/* kri_descriptor_fresh - this number was just given to a new descriptor: forget what is known. */
void kri_descriptor_fresh(int fd);

/* kri_descriptor_closing - call before close(2): waits for it end with -EBADF.
 * kri_descriptor_closed - call after it: waits that have begun in between try again. */
void kri_descriptor_closing(int fd);
void kri_descriptor_closed(int fd);

/* kri_descriptor_close - all three.  What a coroutine may have waited for is closed so, or the next
 * descriptor of that number is taken for it. */
static inline void kri_descriptor_close(int fd)
{
    kri_descriptor_closing(fd);
    os_close(fd);
    kri_descriptor_closed(fd);
}

#endif
