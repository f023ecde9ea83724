/* Futures that are done, but for their callbacks, in the order in which they are to be announced.
 * They hang together by `next`, for they are in no queue any more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_DUE_H
#define KRI_EXECUTOR_DUE_H

#include "executor/future.h"

typedef struct kri_due {
    kr_future *first;
    kr_future *last;
} kri_due;

/* kri_due_append - with the reference that kri_future_conclude has left. */
static inline void kri_due_append(kri_due *due, kr_future *f)
{
    f->next = NULL;
    *(due->last ? &due->last->next : &due->first) = f;
    due->last = f;
}

/* kri_due_join - the second is empty then. */
static inline void kri_due_join(kri_due *due, kri_due *more)
{
    if (!more->first)
        return;
    *(due->last ? &due->last->next : &due->first) = more->first;
    due->last = more->last;
    *more = (kri_due){NULL, NULL};
}

/* kri_due_announce - calls the program, so with no mutex held; the list is empty then. */
static inline void kri_due_announce(kri_due *due)
{
    kr_future *f;
    while ((f = due->first) != NULL) {
        due->first = f->next;
        kri_future_announce(f);
        kr_future_release(f);
    }
    due->last = NULL;
}

#endif
