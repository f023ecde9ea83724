/* The loop's poller, for the files that it is made of; see poller.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_POLLER_H
#define KRI_LOOP_POLLER_H

#include "loop/descriptor.h"

enum { KRI_CHUNK = 256, KRI_LATE = 50 * 1000000 /* nanoseconds */ };

typedef struct kri_poller {
    int events;
    uint32_t epoch;
    size_t waiting;
    kri_descriptor **chunks;
    size_t chunk_count;
    kri_ring young; /* waits that the system was not asked about, oldest first */
    kri_ring old;   /* the others */
    kri_timer ask;
    kri_loop *loop;
    kri_posted closed; /* others have closed something */
    kr_word told;      /* atomic: 1: `closed` is posted, and has not begun to run */
} kri_poller;

/* A wait for one descriptor, or for one of several, in the frame of who waits. */
typedef struct kri_descriptor_wait {
    kri_ring at_descriptor;
    kri_ring at_poller;
    kri_descriptor *known;
    struct kri_waiter **sleeper; /* the same for all of several */
    int fd;
    unsigned events;
    uint32_t generation;
    uint32_t epoch;
} kri_descriptor_wait;

static inline void kri_ring_begin(kri_ring *head)
{
    head->next = head->previous = head;
}

static inline void kri_ring_put(kri_ring *head, kri_ring *last)
{
    last->next = head;
    last->previous = head->previous;
    head->previous->next = last;
    head->previous = last;
}

static inline void kri_ring_take(kri_ring *one)
{
    one->previous->next = one->next;
    one->next->previous = one->previous;
}

/* poller.c */
int kri_poller_make(kri_loop *loop);                             /* 0 if it is there already */
kri_descriptor *kri_poller_look_up(const kri_poller *p, int fd); /* NULL: not there */
kri_descriptor *kri_poller_descriptor(kri_poller *p, int fd);    /* up to date; NULL: no memory */
void kri_poller_refresh(kri_descriptor *known); /* what was known of another generation goes */
int kri_poller_register(const kri_poller *p, kri_descriptor *known, int fd);
void kri_poller_begin_anew(kri_descriptor *known); /* in the loop's thread: as kr_close */

/* kri_poller_enter - the wait's known, sleeper, fd and events are set; then kri_wait_direct with
 * its sleeper, and _leave. */
void kri_poller_enter(kri_poller *p, kri_descriptor_wait *w);
void kri_poller_leave(kri_poller *p, kri_descriptor_wait *w);

/* late.c: the poller's timer. */
void kri_poller_ask_late(kri_timer *timer);

/* descriptor.c: some of what is waited for was closed by others. */
void kri_poller_closed(kri_posted *posted);

#endif
