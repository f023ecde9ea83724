/* A coroutine that waits for one of many descriptors.
 *
 * It asks the system which are ready, and where none is waits for an event of any of them, and asks
 * again.  What became ready before it was asked is told of by the answer; no event is taken in
 * between the answer and the wait, since both are the coroutine's.
 *
 * Once one of them is not what it was when the wait began, the wait is over: who closes it
 * elsewhere says so before the system is told, and asking again would find it open.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "loop/poller.h"
#include "os/message.h"
#include "os/os.h"

enum { FEW = 16 };

/* What is known of a descriptor.  *known, not NULL: it was waited for before, and is the same.
 *
 * 0; -EBADF: it was closed, or is being closed; -ENOMEM: there is nothing to wait for, after an
 * error, at a descriptor that is always ready, or for lack of memory. */
static int know(kri_poller *p, int fd, kri_descriptor **known, uint64_t generation)
{
    if (fd < 0)
        return -ENOMEM;
    if (*known != NULL && kri_closing_since(kri_load_rlx64(&(*known)->generation), generation))
        return -EBADF;
    int err;
    do {
        *known = kri_poller_descriptor(p, fd);
        if (*known == NULL)
            return -ENOMEM;
        err = (*known)->registered ? 0 : kri_poller_register(p, *known, fd);
    } while (err == -EAGAIN);
    return err == 0 || err == -EBADF ? err : -ENOMEM;
}

static int prepare(kri_poller *p, const os_polled *list, size_t count, kri_descriptor_wait *waits,
                   struct kri_waiter **sleeper)
{
    for (size_t i = 0; i < count; i++) {
        int err = know(p, list[i].fd, &waits[i].known, waits[i].generation);
        if (err != 0)
            return err;
        waits[i].sleeper = sleeper;
        waits[i].fd = list[i].fd;
        waits[i].events = OS_READABLE;
    }
    return 0;
}

static int sleep_for_any(kri_poller *p, kri_descriptor_wait *waits, size_t count,
                         struct kri_waiter **sleeper, kr_time deadline)
{
    for (size_t i = 0; i < count; i++)
        kri_poller_enter(p, &waits[i]);
    int err = kri_wait_direct(sleeper, deadline);
    for (size_t i = 0; i < count; i++)
        kri_poller_leave(p, &waits[i]);
    return err;
}

static int wait_for_any(os_polled *list, size_t count, kri_descriptor_wait *waits, kr_time deadline)
{
    kri_poller *p = kri_loop_here()->poller;
    struct kri_waiter *sleeper = NULL;
    for (size_t i = 0; i < count; i++) {
        waits[i].known = NULL;
        waits[i].generation = 0;
    }
    for (;;) {
        int prepared = prepare(p, list, count, waits, &sleeper);
        int ready = os_poll_many(list, count, 0);
        if (ready != -ETIMEDOUT && ready != -EINTR)
            return ready;
        int err = prepared != 0 ? prepared : sleep_for_any(p, waits, count, &sleeper, deadline);
        if (err != 0)
            return err;
    }
}

int kri_poller_wait_many(os_polled *list, size_t count, kr_time deadline)
{
    kri_descriptor_wait few[FEW];
    if (count == 0)
        return kr_sleep(kri_left_until(deadline)) != 0 ? -ECANCELED : -ETIMEDOUT;
    if (deadline == 0)
        return os_poll_many(list, count, 0);
    int err = kri_poller_make(kri_loop_here());
    if (err != 0)
        return err;
    kri_descriptor_wait *waits = count <= FEW ? few : os_alloc(count * sizeof *waits);
    if (waits == NULL)
        return -ENOMEM;
    int ready = wait_for_any(list, count, waits, deadline);
    if (waits != few)
        os_free(waits);
    return ready;
}
