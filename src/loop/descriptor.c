/* What the layer above knows of descriptors, and their end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/descriptor.h"
#include "base/atomic.h"
#include "loop/poller.h"

kri_descriptor *kri_descriptor_known(int fd)
{
    const kri_loop *loop = kri_loop_here();
    if (loop == NULL || loop->running == NULL || loop->poller == NULL)
        return NULL;
    kri_descriptor *known = kri_poller_look_up(loop->poller, fd);
    if (known != NULL && !kri_descriptor_is_same(known))
        kri_poller_refresh(known);
    return known;
}

/* The same, made where it was not there; NULL: no memory. */
static kri_descriptor *descriptor_of(int fd)
{
    kri_loop *loop = kri_loop_here();
    if (fd < 0 || !kri_in_coroutine() || kri_poller_make(loop) != 0)
        return NULL;
    return kri_poller_descriptor(loop->poller, fd);
}

void kri_descriptor_set_kind(int fd, unsigned kind)
{
    kri_descriptor *known = descriptor_of(fd);
    if (known != NULL)
        known->kind = (uint8_t)kind;
}

void kri_descriptor_drained_first(kri_descriptor *known, int fd)
{
    if (known->was_short)
        (void)kri_poller_register(kri_loop_here()->poller, known, fd);
    known->was_short = true;
}

void kri_descriptor_give_way(kri_runner *self)
{
    self->served = 0;
    self->loop->budget = 0;
    kri_runner_yield(self);
}

/* Closing. */

static kri_descriptor_wait *wait_at(kri_ring *at)
{
    return (kri_descriptor_wait *)((char *)at - offsetof(kri_descriptor_wait, at_poller));
}

static void wake_closed(kri_ring *waits)
{
    for (kri_ring *at = waits->next; at != waits; at = at->next) {
        const kri_descriptor_wait *w = wait_at(at);
        if (kri_load_sc(&w->known->generation) != w->generation) /* [poller-2] */
            (void)kri_wake_direct(*w->sleeper);
    }
}

void kri_poller_closed(kri_posted *posted)
{
    kri_poller *p = (kri_poller *)((char *)posted - offsetof(kri_poller, closed));
    (void)kri_swap_sc(&p->told, 0); /* [poller-2] */
    wake_closed(&p->young);
    wake_closed(&p->old);
}

/* In another thread than the loop's. */
static void tell_of_end(kri_poller *p, kri_descriptor *known)
{
    (void)kri_add_sc(&known->generation, 1);                        /* [poller-1] [poller-2] */
    if (kri_swap_sc(&known->heard, 0) && !kri_swap_sc(&p->told, 1)) /* [poller-1] [poller-2] */
        (void)kri_loop_post(p->loop, &p->closed);
}

static void forget(kri_loop *loop, void *arg)
{
    const int *fd = arg;
    kri_descriptor *known = loop->poller != NULL ? kri_poller_look_up(loop->poller, *fd) : NULL;
    if (known == NULL)
        return;
    if (loop == kri_loop_here())
        kri_poller_begin_anew(known);
    else
        tell_of_end(loop->poller, known);
}

void kri_descriptor_closing(int fd)
{
    if (fd >= 0)
        kri_loops_each(forget, &fd);
}

void kri_descriptor_fresh(int fd)
{
    const kri_descriptor *known = kri_descriptor_known(fd);
    if (known != NULL && (known->registered || known->kind != 0))
        kri_descriptor_closing(fd);
}
