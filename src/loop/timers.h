/* The timers of a loop: a heap of deadlines, for one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_TIMERS_H
#define KRI_LOOP_TIMERS_H

#include <krait/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kri_timer {
    kr_time deadline; /* when it is to fire; of one that is set */
    uint32_t place;   /* + 1 in the heap; 0: not set */
    uint32_t order;   /* of those with the same deadline the first set fires first */
    void (*fire)(struct kri_timer *timer);
} kri_timer;

typedef struct kri_timers {
    struct kri_timer_entry *heap;
    size_t count;
    size_t room;
    size_t reserved;
    uint32_t orders;
} kri_timers;

/* kri_timers_reserve - room for so many timers more that may be set at once, so that setting cannot
 * fail: 0, -ENOMEM.  kri_timers_unreserve - the other way. */
int kri_timers_reserve(kri_timers *timers, size_t count);
void kri_timers_unreserve(kri_timers *timers, size_t count);

/* kri_timers_set - set it, or move one that is set; cheap when moved later.  pre: room is reserved.
 * kri_timers_cancel - does nothing for one that is not set. */
void kri_timers_set(kri_timers *timers, kri_timer *timer, kr_time deadline);
void kri_timers_cancel(kri_timers *timers, kri_timer *timer);

/* kri_timers_next - a moment before which none fires; KRI_NEVER: there is none. */
kr_time kri_timers_next(kri_timers *timers);

/* kri_timers_fire - take out those whose deadline is not after `now`, in the order of deadlines,
 * calling `fire` of each, which may set and cancel any; those that it sets do not fire in this
 * call.  How many. */
size_t kri_timers_fire(kri_timers *timers, kr_time now);

void kri_timers_end(kri_timers *timers); /* free the heap; the timers are not touched */

#endif
