/* How long tasks wait: a histogram of durations, from which percentiles are read.
 *
 * Sixteen steps to each doubling, so that a duration is known to a sixteenth.  Any thread may note,
 * any may read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_WAITING_TIMES_H
#define KRI_EXECUTOR_WAITING_TIMES_H

#include "base/atomic.h"

enum { KRI_TIME_STEPS = 16, KRI_TIME_DOUBLINGS = 44 };

typedef struct kri_waiting_times {
    kri_word64 counts[KRI_TIME_DOUBLINGS * KRI_TIME_STEPS];
    kri_word64 longest;
} kri_waiting_times;

void kri_waiting_times_note(kri_waiting_times *times, kr_time duration);

/* For each of `count` percentages the duration that so many of those noted do not exceed, rounded
 * up by less than a 16th; all of the same moment. */
void kri_waiting_times_read(const kri_waiting_times *times, const unsigned *percents, size_t count,
                            kr_time *durations);

#endif
