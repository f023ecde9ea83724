/* kr_with: acquire and release of whatever it is given.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/internal.h"

/* Outside of every scope, no cancel reaches the runner. */
static int acquire_outside(const kr_with_guard *guard)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope *scope = self->scope;
    self->scope = NULL;
    int err = guard->kind == KR_WITH_CONDITION ? kr_condition_acquire(guard->object, KR_FOREVER)
                                               : kr_semaphore_acquire(guard->object, KR_FOREVER);
    self->scope = scope;
    return err;
}

static int acquire(const kr_with_guard *guard)
{
    switch (guard->kind) {
    case KR_WITH_LOCK:
        return kri_lock_take(guard->object);
    case KR_WITH_RLOCK:
        return kri_rlock_take(guard->object);
    default:
        return acquire_outside(guard);
    }
}

static void release(const kr_with_guard *guard)
{
    switch (guard->kind) {
    case KR_WITH_LOCK:
        kr_lock_release(guard->object);
        break;
    case KR_WITH_RLOCK:
        kr_rlock_release(guard->object);
        break;
    case KR_WITH_CONDITION:
        kr_condition_release(guard->object);
        break;
    case KR_WITH_SEMAPHORE:
        kr_semaphore_release(guard->object, 1);
        break;
    }
}

bool kr_with_next(kr_with_guard *guard)
{
    if (guard->held)
        return false;
    guard->held = acquire(guard) >= 0;
    return guard->held;
}

void kr_with_end(kr_with_guard *guard)
{
    if (guard->held)
        release(guard);
}
