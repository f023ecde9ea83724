/* Asking the system about waits that last: is what they wait for registered still?
 *
 * Records of which waits were not asked about yet stand in a list.  While there are some, each
 * KRI_LATE begins a new epoch, and the list is gone through: those with a wait of an older epoch
 * are asked about, once for all their waits, and those that have no other leave the list.  So a
 * wait that is over by then has cost a look at a bit, and a store.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/poller.h"
#include "os/events.h"

static kri_descriptor_wait *wait_at(kri_circle *at)
{
    return (kri_descriptor_wait *)((char *)at - offsetof(kri_descriptor_wait, at_descriptor));
}

static void set_timer(kri_poller *p)
{
    kri_timers_set(&p->loop->timers, &p->ask, kri_deadline(KRI_LATE));
}

void kri_poller_list_young(kri_poller *p, kri_descriptor *known)
{
    known->is_young = true;
    known->next_young = p->young;
    p->young = known;
    if (p->ask.place == 0)
        set_timer(p);
}

static void ask_about(kri_poller *p, kri_descriptor *known, int fd)
{
    int err = os_events_again(p->events, fd);
    if (err == -ENOENT)
        err = os_events_add(p->events, fd);
    if (err != 0)
        kri_poller_begin_anew(known);
}

/* Whether some are too young. */
static bool ask_about_old(kri_poller *p, kri_descriptor *known)
{
    bool ask = false, young = false;
    int fd = -1;
    for (kri_circle *at = known->waits.next; at != &known->waits; at = at->next) {
        kri_descriptor_wait *w = wait_at(at);
        bool old = w->epoch != p->epoch;
        ask |= old && !w->asked;
        young |= !old;
        w->asked |= old;
        fd = w->fd;
    }
    if (ask)
        ask_about(p, known, fd);
    return young;
}

void kri_poller_ask_late(kri_timer *timer)
{
    kri_poller *p = (kri_poller *)((char *)timer - offsetof(kri_poller, ask));
    kri_descriptor *known = p->young;
    p->young = NULL;
    while (known != NULL) {
        kri_descriptor *next = known->next_young;
        known->is_young = ask_about_old(p, known);
        if (known->is_young) {
            known->next_young = p->young;
            p->young = known;
        }
        known = next;
    }
    p->epoch++;
    if (p->young != NULL)
        set_timer(p);
}
