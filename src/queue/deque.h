/* A worker's own queue: it works at one end, thieves take from the other.
 *
 * Items are 64 bits and never 0.  One thread at a time is the owner; whoever passes that role on
 * orders the two itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_QUEUE_DEQUE_H
#define KRI_QUEUE_DEQUE_H

#include "base/atomic.h"

#ifdef KRI_MODEL
enum { KRI_DEQUE_ROOM = 4 };
#else
enum { KRI_DEQUE_ROOM = 256 }; /* a power of two */
#endif

enum { KRI_DEQUE_LINE = 64 }; /* bytes that travel between processors together */

/* All zero is empty.  The fields are told at the top of deque.c.  They are kept apart by padding
 * and not by alignment, which memory from os_alloc would not have. */
typedef struct kri_deque {
    kri_word64 top;
    unsigned char apart_from_bottom[KRI_DEQUE_LINE - sizeof(kri_word64)];
    kri_word64 bottom;
    uint64_t top_seen;
    unsigned char apart_from_slots[KRI_DEQUE_LINE - sizeof(kri_word64) - sizeof(uint64_t)];
    kri_word64 slots[KRI_DEQUE_ROOM];
} kri_deque;

/* kri_deque_push - owner: add the newest item; false: full, nothing changed.
 *
 * Whoever gets the item sees what was written before the push.  The push is sequentially
 * consistent with kri_deque_is_empty: a pusher that then loads (sc) whether somebody sleeps, and a
 * sleeper that stores (sc) that it does and then finds the deque empty, cannot miss each other. */
bool kri_deque_push(kri_deque *d, uint64_t item);

/* kri_deque_pop - owner: take the newest item; 0: empty. */
uint64_t kri_deque_pop(kri_deque *d);

/* kri_deque_steal - any thread: take the oldest item.  0: it was empty at some moment of the call.
 */
uint64_t kri_deque_steal(kri_deque *d);

/* kri_deque_steal_unless - the same, but 0 also where the oldest has a bit of `tag` set. */
uint64_t kri_deque_steal_unless(kri_deque *d, uint64_t tag);

/* kri_deque_newest - owner: what a pop would give, 0: it looks empty.  It may be stolen the next
 * moment. */
uint64_t kri_deque_newest(const kri_deque *d);

/* kri_deque_mark - owner: the place of the next push.  Places are counted without end: an item that
 * was pushed before has a smaller one, a later item this one or a larger.  So while the deque is
 * not empty and its mark is above an old mark, what a pop would give was pushed since.  In an empty
 * deque the mark says nothing: a pop of the last item does not lower it. */
uint64_t kri_deque_mark(const kri_deque *d);

/* kri_deque_is_empty - any thread: was it empty at some moment of the call?  false may be outdated.
 * An item that its owner is about to take counts as gone. */
bool kri_deque_is_empty(const kri_deque *d);

/* kri_deque_length - any thread: how many items it held, about; at most KRI_DEQUE_ROOM. */
size_t kri_deque_length(const kri_deque *d);

#endif
