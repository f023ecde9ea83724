/* How long is waited for which lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SYNC_CONTENTION_H
#define KRI_SYNC_CONTENTION_H

#include "base/atomic.h"
#include "wait/wait.h"
#include <krait/lock.h>

extern kr_word kri_contention __attribute__((visibility("hidden"))); /* see contention.c */

/* Is anybody interested? */
static inline bool kri_contention_on(void)
{
#ifdef KRI_MODEL /* else each lock of each scenario would have one more place to switch */
    return kri_contention.bits != 0;
#else
    return __builtin_expect(kri_load_rlx(&kri_contention) != 0, 0);
#endif
}

/* Around a wait, by who waits.  `caller` is an address in whoever wanted the lock. */
typedef struct kri_contended {
    const kr_lock *lock;
    kr_time since;
    uint32_t epoch;
} kri_contended;
void kri_contention_begin(kri_contended *wait, const kr_lock *lock, const void *caller);
void kri_contention_end(const kri_contended *wait);

int kri_contention_start(void); /* from 0; -ENOMEM */
void kri_contention_stop(void);

/* kri_contention_name - NULL: none.  0, -ENOMEM. */
int kri_contention_name(const void *lock, const char *name);

enum { KRI_CONTENTION_FRAMES = 5, KRI_CONTENTION_NAME = 32 };
typedef struct kri_contention_count {
    const void *lock;
    uint64_t waits; /* that are over */
    kr_time waited; /* in these */
    kr_time longest;
    kr_time begun; /* the sum of when those began who wait now */
    uint32_t waiting;
    bool shared;
    char name[KRI_CONTENTION_NAME];
    const void *frames[KRI_CONTENTION_FRAMES]; /* where it was first waited for; NULL: no more */
} kri_contention_count;

/* kri_contention_visit - told of each lock for which there was waiting; some may be left out.
 * Returns how many were forgotten for want of room; *missed: not everything could be looked at. */
uint64_t kri_contention_visit(void (*visit)(const kri_contention_count *count, void *arg),
                              void *arg, bool *missed);

#endif
