/* What a lock tells the diagnosis of locks; nothing of it is called while that is off.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SYNC_DEBUG_H
#define KRI_SYNC_DEBUG_H

#include "base/atomic.h"
#include "wait/wait.h"
#include <krait/debug.h>
#include <krait/lock.h>

extern kr_word kri_debugging __attribute__((visibility("hidden"))); /* atomic */

static inline bool kri_debug_on(void)
{
#ifdef KRI_MODEL /* else each lock of each scenario would have one more place to switch */
    return kri_debugging.bits != 0;
#else
    return __builtin_expect(kri_load_rlx(&kri_debugging) != 0, 0);
#endif
}

/* `caller` is the return address of the public function.
 *
 * In this order: kri_debug_order before an acquire that may wait; if it must, kri_debug_wait,
 * whether there is a circle of those who wait, and kri_debug_wait_end after it; kri_debug_acquired
 * with the lock held.  kri_debug_stuck, in between, after KRI_DEBUG_PATIENCE of a wait in such a
 * circle: report it, if it is still the same. */
void kri_debug_order(const kr_lock *lock, const void *caller);
bool kri_debug_wait(const kr_lock *lock, const void *caller);
void kri_debug_stuck(void);
void kri_debug_wait_end(void);
void kri_debug_acquired(const kr_lock *lock, const void *caller);
#define KRI_DEBUG_PATIENCE ((kr_time)1000 * 1000 * 1000)

void kri_debug_released(const kr_lock *lock); /* before it is free */
void kri_debug_forget(const kr_lock *lock);   /* another lock comes to lie there */

/* Of the diagnosis itself. */

enum { KRI_DEBUG_FRAMES = 5, KRI_DEBUG_CYCLE = 16 };

typedef struct kri_debug_place {
    const void *frames[KRI_DEBUG_FRAMES]; /* return addresses, innermost first; NULL: no more */
} kri_debug_place;

/* One edge of a circle as it is reported: who holds one lock and acquires, or waits for, another.
 */
typedef struct kri_debug_line {
    int thread; /* the kernel's number */
    const kr_lock *held;
    const kr_lock *wanted;
    kri_debug_place held_at;
    kri_debug_place wanted_at;
} kri_debug_line;

/* debug_report.c */
void kri_debug_report_order(const kri_debug_line *lines, int count);
void kri_debug_report_cycle(const kri_debug_line *lines, int count);
void kri_debug_report_full(const char *what, unsigned most);
bool kri_debug_is_reporting(void); /* the calling thread is inside the hook */

#endif
