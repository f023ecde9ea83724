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
    kri_descriptor *young; /* where a wait was that the system was not asked about; late.c */
    kri_timer ask;
    kri_loop *loop;
    kri_posted closed; /* others have closed something */
    kri_pointer told;  /* of the records of which that is so; not NULL: `closed` is posted, and has
                          not begun to run */
} kri_poller;

/* A wait for one descriptor, or for one of several, in the frame of who waits. */
typedef struct kri_descriptor_wait {
    kri_circle at_descriptor;
    kri_descriptor *known;
    struct kri_waiter **sleeper; /* the same for all of several */
    uint64_t generation;
    int fd;
    uint32_t epoch;
    uint8_t events;
    bool asked;
} kri_descriptor_wait;

/* kri_poller_look_up - the record of a number; NULL: not there. */
static inline kri_descriptor *kri_poller_look_up(const kri_poller *p, int fd)
{
    size_t chunk = (size_t)fd / KRI_CHUNK;
    if (fd < 0 || chunk >= p->chunk_count || p->chunks[chunk] == NULL)
        return NULL;
    return &p->chunks[chunk][(size_t)fd % KRI_CHUNK];
}

/* In a generation the upper half counts the closings, the lower half those that are over. */
#define KRI_AN_END    UINT64_C(1)
#define KRI_A_CLOSING (UINT64_C(1) << 32)
static inline bool kri_closing_since(uint64_t now, uint64_t then)
{
    return (now ^ then) >= KRI_A_CLOSING;
}

static inline void kri_circle_begin(kri_circle *head)
{
    head->next = head->previous = head;
}

static inline void kri_circle_put(kri_circle *head, kri_circle *last)
{
    last->next = head;
    last->previous = head->previous;
    head->previous->next = last;
    head->previous = last;
}

static inline void kri_circle_take(kri_circle *one)
{
    one->previous->next = one->next;
    one->next->previous = one->previous;
}

/* poller.c */
int kri_poller_make(kri_loop *loop);                          /* 0 if it is there already */
kri_descriptor *kri_poller_descriptor(kri_poller *p, int fd); /* up to date; NULL: no memory */
void kri_poller_refresh(kri_descriptor *known); /* what was known of another generation goes */
/* 0, or what the system says; -EBADF: it is being closed; -EAGAIN: something was closed meanwhile,
 * perhaps what had this number before. */
int kri_poller_register(const kri_poller *p, kri_descriptor *known, int fd);
void kri_poller_begin_anew(kri_descriptor *known); /* in the loop's thread: as kr_close */

/* kri_poller_enter - the wait's known, sleeper, fd and events are set; then kri_wait_direct with
 * its sleeper, and _leave.  Where its generation is not the record's then, the descriptor was
 * closed, or (kri_closing_since) may be another one: what it is waited for is to be tried again. */
void kri_poller_enter(kri_poller *p, kri_descriptor_wait *w);
void kri_poller_leave(kri_poller *p, kri_descriptor_wait *w);

/* late.c: a wait begins, and the poller's timer. */
void kri_poller_list_young(kri_poller *p, kri_descriptor *known);
void kri_poller_ask_late(kri_timer *timer);
static inline void kri_poller_note_young(kri_poller *p, kri_descriptor *known)
{
    if (!known->is_young)
        kri_poller_list_young(p, known);
}

/* descriptor.c: some of what is waited for was closed by others. */
void kri_poller_closed(kri_posted *posted);

#endif
