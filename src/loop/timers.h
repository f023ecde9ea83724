/* The timers of a loop, by deadline, for one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_TIMERS_H
#define KRI_LOOP_TIMERS_H

#include <krait/call_later.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A kri_timer of all zeros is one that is not set; `fire` is the owner's to fill in. */

/* All-zero is empty. */
typedef struct kri_timers {
    struct kri_timer_entry *heap;
    struct kri_wheel *wheel; /* NULL: there is no room for so many as would need one */
    struct kri_timer_slot *slots;
    uint32_t *free;  /* slots, the one freed last at the end */
    void *memory;    /* where heap and wheel lie */
    size_t count;    /* entries, dead ones too */
    size_t near;     /* of those, how many stand in the heap */
    size_t most;     /* so many may */
    size_t live;     /* timers that are set */
    size_t room;     /* slots; twice as many entries */
    size_t reserved; /* never more than room */
    uint32_t used;   /* slots that were ever taken */
    uint32_t freed;  /* of those, not taken now: so many stand in `free` */
    uint32_t fresh;  /* + 1, the slot of what was set last while timers fire; 0: none */
    uint32_t orders; /* the next order */
    bool firing;
} kri_timers;

/* kri_timers_reserve - room for so many timers more that may be set at once, so that setting cannot
 * fail: 0, -ENOMEM.  kri_timers_unreserve - the other way. */
int kri_timers_reserve(kri_timers *timers, size_t count);
void kri_timers_unreserve(kri_timers *timers, size_t count);

/* kri_timers_set - set it, or move one that is set; cheap when moved later.  pre: room is reserved.
 * kri_timers_cancel - does nothing for one that is not set. */
void kri_timers_set(kri_timers *timers, kri_timer *timer, kr_time deadline);
void kri_timers_cancel(kri_timers *timers, kri_timer *timer);

static inline bool kri_timer_is_set(const kri_timer *timer)
{
    return timer->place != 0;
}

/* kri_timers_next - a moment before which none fires; KRI_NEVER: there is none.  Not from `fire`.
 */
kr_time kri_timers_next(kri_timers *timers);

/* kri_timers_fire - take out those whose deadline is not after `now`, in the order of deadlines, at
 * most so many, calling `fire` of each, which may set and cancel any; those that it sets do not
 * fire in this call.  How many.  Not from `fire`. */
size_t kri_timers_fire(kri_timers *timers, kr_time now, size_t most);

/* kri_timers_each - visit those that are set; they may be cancelled there. */
void kri_timers_each(kri_timers *timers, void (*visit)(kri_timer *timer, void *arg), void *arg);

void kri_timers_end(kri_timers *timers); /* free all memory; the timers are not touched */

#endif
