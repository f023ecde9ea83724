/* kr_with: acquire and release of whatever it is given.
 *
 * Who does not ask for the result is taken to care for none: he gets in where all is as ever, and
 * not where he would have to put something right.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "sync/internal.h"

#include <stdio.h>

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

static void say_left_out(const kr_with_guard *guard, int result)
{
    static const char *const kinds[] = {"lock", "rlock", "condition", "semaphore"};
    char line[192];
    snprintf(line, sizeof line, "krait: the block of a kr_with at the %s %p was left out: %s (%s)",
             kinds[guard->kind], guard->object, kr_errname(result), kr_strerror(result));
    os_print_error(line);
}

bool kr_with_next(kr_with_guard *guard)
{
    if (guard->held)
        return false;
    int result = acquire(guard);
    guard->held = result >= 0;
    if (guard->result != NULL) {
        *guard->result = result;
    } else if (result != 0) {
        kr_with_end(guard);
        guard->held = false;
        say_left_out(guard, result);
    }
    return guard->held;
}

void kr_with_end(kr_with_guard *guard)
{
    if (guard->held)
        release(guard);
}
