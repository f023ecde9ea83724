/* Asking the system about waits that last: is what they wait for registered still?
 *
 * Waits that the system was not asked about stand in a list of their own, in the order of their
 * beginning.  While there are some, each KRI_LATE begins a new epoch, and those of an older one are
 * asked about.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/poller.h"
#include "os/events.h"

static kri_descriptor_wait *oldest(const kri_poller *p)
{
    return (kri_descriptor_wait *)((char *)p->young.next -
                                   offsetof(kri_descriptor_wait, at_poller));
}

static bool none(const kri_poller *p)
{
    return p->young.next == &p->young;
}

static void ask_about(kri_poller *p, kri_descriptor_wait *w)
{
    kri_ring_take(&w->at_poller);
    kri_ring_put(&p->old, &w->at_poller);
    int err = os_events_again(p->events, w->fd);
    if (err == -ENOENT)
        err = os_events_add(p->events, w->fd);
    if (err != 0)
        kri_poller_begin_anew(w->known);
}

void kri_poller_ask_late(kri_timer *timer)
{
    kri_poller *p = (kri_poller *)((char *)timer - offsetof(kri_poller, ask));
    while (!none(p) && oldest(p)->epoch != p->epoch)
        ask_about(p, oldest(p));
    p->epoch++;
    if (!none(p))
        kri_timers_set(&p->loop->timers, &p->ask, kri_deadline(KRI_LATE));
}
