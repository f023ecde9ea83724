/* Entries that are far away, by time, roughly: what a heap of timers need not hold yet.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_WHEEL_H
#define KRI_LOOP_WHEEL_H

#include <krait/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kri_timer_entry {
    kr_time key;
    uint32_t slot;
    uint32_t order;
} kri_timer_entry;

typedef struct kri_wheel kri_wheel;

/* kri_wheel_size - of the memory for one with so many entries at most: zero bytes, on a boundary of
 * 64.  kri_wheel_copy - into a larger one, that was never used. */
size_t kri_wheel_size(size_t entries);
void kri_wheel_copy(kri_wheel *to, const kri_wheel *from);

/* kri_wheel_near - what is not after this must not be put, while there is something in it.
 * kri_wheel_open - what is not before the answer can be put now, all of which has been taken; an
 * empty wheel is to begin with `first`, or with 0. */
kr_time kri_wheel_near(const kri_wheel *wheel);
kr_time kri_wheel_open(kri_wheel *wheel, kr_time first);

/* kri_wheel_put - pre: there is room.
 * kri_wheel_take_back - if it was the last that was put among its neighbours; false: it is left. */
void kri_wheel_put(kri_wheel *wheel, kri_timer_entry e);
bool kri_wheel_take_back(kri_wheel *wheel, kri_timer_entry e);

/* kri_wheel_take - the first entries, in any order, of one that is not empty.  How many: all that
 * are not after kri_wheel_near, which has moved on. */
size_t kri_wheel_take(kri_wheel *wheel, kri_timer_entry *to);

/* kri_wheel_sweep - throw some out.  How many are left. */
size_t kri_wheel_sweep(kri_wheel *wheel, bool (*out)(const void *arg, const kri_timer_entry *e),
                       const void *arg);
void kri_wheel_clear(kri_wheel *wheel);

#endif
