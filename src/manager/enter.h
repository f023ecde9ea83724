/* The lock of a container in shared memory, for one short section.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_ENTER_H
#define KRI_MANAGER_ENTER_H

#include "sync/internal.h"

/* 0; KR_OWNER_DIED: it is held, what a dead one has left is to be put right, and then
 * kr_lock_recover; -ETIMEDOUT: for a second somebody had it who must have been stopped;
 * KR_ECORRUPT.
 */
static inline int kri_enter_slow(kr_lock *lock)
{
    int err = kri_lock_take_within(lock, kr_sec(1));
    return err >= 0 || err == -ETIMEDOUT ? err : KR_ECORRUPT;
}

static inline int kri_enter(kr_lock *lock)
{
    return __builtin_expect(kri_lock_take_shared(lock), 1) ? 0 : kri_enter_slow(lock);
}

static inline void kri_leave(kr_lock *lock)
{
    if (__builtin_expect(!kri_lock_give_shared(lock), 0))
        (void)kr_lock_release(lock);
}

#endif
