/* A coroutine that waits for one of many descriptors.
 *
 * It asks the system which are ready, and where none is waits for an event of any of them, and asks
 * again.  An event that comes meanwhile has changed a word before the wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "loop/loop.h"
#include "os/message.h"
#include "os/os.h"

enum { FEW = 16 };

/* NULL: there is nothing to wait on, for an error, a descriptor that is always ready, or the lack
 * of memory. */
static kri_spot *prepare(const os_polled *list, size_t count, kri_spot *spots)
{
    for (size_t i = 0; i < count; i++) {
        kr_word *word = kri_poller_word(list[i].fd);
        if (word == NULL)
            return NULL;
        kri_store_sc(word, 0);
        spots[i] = (kri_spot){.next = i + 1 < count ? &spots[i + 1] : NULL, .word = word};
    }
    return spots;
}

static int wait_for_any(os_polled *list, size_t count, kri_spot *spots, kr_time deadline)
{
    for (;;) {
        kri_spot *which;
        kri_spot *first = prepare(list, count, spots);
        int ready = os_poll_many(list, count, 0);
        if (ready != -ETIMEDOUT && ready != -EINTR)
            return ready;
        if (first == NULL)
            return -ENOMEM;
        kri_poller_await(1);
        int err = kri_wait_any(first, deadline, KRI_IDLE, NULL, &which);
        kri_poller_await(-1);
        if (err != 0 && err != -EAGAIN)
            return err;
    }
}

int kri_poller_wait_many(os_polled *list, size_t count, kr_time deadline)
{
    kri_spot few[FEW];
    if (count == 0)
        return kr_sleep(kri_left_until(deadline)) != 0 ? -ECANCELED : -ETIMEDOUT;
    if (deadline == 0)
        return os_poll_many(list, count, 0);
    int events = kri_poller_events(kri_loop_here());
    if (events < 0)
        return events;
    kri_spot *spots = count <= FEW ? few : os_alloc(count * sizeof *spots);
    if (spots == NULL)
        return -ENOMEM;
    int ready = wait_for_any(list, count, spots, deadline);
    if (spots != few)
        os_free(spots);
    return ready;
}
