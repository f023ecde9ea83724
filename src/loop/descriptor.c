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
    kri_runner_give_way(self);
}

/* Closing. */

static void wake_closed(kri_descriptor *known)
{
    for (kri_circle *at = known->waits.next; at != &known->waits; at = at->next) {
        const kri_descriptor_wait *w = (kri_descriptor_wait *)at;
        if (kri_load_sc64(&known->generation) != w->generation) /* [poller-1] [poller-2] */
            (void)kri_wake_direct(*w->sleeper);
    }
}

void kri_poller_closed(kri_posted *posted)
{
    kri_poller *p = (kri_poller *)((char *)posted - offsetof(kri_poller, closed));
    kri_descriptor *known = kri_swap_acq_rel_ptr(&p->told, NULL); /* [poller-3] */
    while (known != NULL) {
        kri_descriptor *next = known->next_told;
        (void)kri_swap_sc(&known->told, 0); /* [poller-2] */
        if (known->registered && kri_descriptor_is_same(known))
            kri_store_sc(&known->heard, 1); /* [poller-1] */
        wake_closed(known);
        known = next;
    }
}

/* In another thread than the loop's. */
static void tell_loop(kri_poller *p, kri_descriptor *known)
{
    void *first = kri_load_rlx_ptr(&p->told);
    do {
        known->next_told = first;
    } while (!kri_cas_acq_rel_ptr(&p->told, &first, known)); /* [poller-3] */
    if (first == NULL)
        (void)kri_loop_post(p->loop, &p->closed);
}

static void tell_of_end(kri_poller *p, kri_descriptor *known, uint64_t step)
{
    (void)kri_add_sc64(&known->generation, step);                       /* [poller-1] [poller-2] */
    if (kri_swap_sc(&known->heard, 0) && !kri_swap_sc(&known->told, 1)) /* [poller-1] [poller-2] */
        tell_loop(p, known);
}

static kri_descriptor *known_to(const kri_loop *loop, const int *fd)
{
    return loop->poller != NULL ? kri_poller_look_up(loop->poller, *fd) : NULL;
}

static void forget(kri_loop *loop, void *arg)
{
    kri_descriptor *known = known_to(loop, arg);
    if (known == NULL)
        return;
    if (loop == kri_loop_here())
        kri_poller_begin_anew(known);
    else
        tell_of_end(loop->poller, known, KRI_A_CLOSING);
}

/* In the loop's own thread nothing has begun meanwhile. */
static void forget_what_came(kri_loop *loop, void *arg)
{
    kri_descriptor *known = loop != kri_loop_here() ? known_to(loop, arg) : NULL;
    if (known != NULL)
        tell_of_end(loop->poller, known, KRI_AN_END);
}

void kri_descriptor_closing(int fd)
{
    if (fd >= 0)
        kri_loops_each(forget, &fd);
}

void kri_descriptor_closed(int fd)
{
    if (fd >= 0)
        kri_loops_each(forget_what_came, &fd);
}

void kri_descriptor_fresh(int fd)
{
    const kri_descriptor *known = kri_descriptor_known(fd);
    if (known != NULL && (known->registered || known->kind != 0))
        kri_descriptor_closing(fd);
}
