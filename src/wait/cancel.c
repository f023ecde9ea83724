/* Cancel scopes: entering, leaving, and asking.
 *
 * A time limit is no state: a scope counts as cancelled while the clock is past its deadline, which
 * holds the outer scopes' limits too.  The tree of scopes that a cancel goes down is in
 * scope_tree.c.
 *
 * Fields.
 *     outer                     changed by the runner inside, under lock; it reads it as it is, and
 *                               so does who acts inside the scope beside it, until it has left
 *     flags                     changed and read under lock, by whoever acts inside
 *     deadline                  the runner inside changes it atomically, for those who ask from
 *                               outside, and reads it as it is; 0 while the scope is not entered
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

enum { ENTERED = 1, HAS_OWN_DEADLINE = 2, CUT = 4 };
enum { LONG_AGO = 1 }; /* a deadline that has always passed */

static bool expired(const kr_cancel_scope *scope)
{
    return scope->deadline != KRI_NEVER && os_now() >= scope->deadline;
}

void kri_scope_cut(kr_cancel_scope *scope)
{
    for (; scope != NULL && expired(scope); scope = scope->outer) {
        kri_scope_lock(scope);
        scope->flags |= CUT;
        kri_scope_unlock(scope);
    }
}

bool kri_scope_cancelled(kr_cancel_scope *scope)
{
    if (kri_scope_marked(scope))
        return true;
    if (!expired(scope))
        return false;
    kri_scope_cut(scope);
    return true;
}

static kri_word64 *deadline_of(kr_cancel_scope *scope)
{
    return (kri_word64 *)&scope->deadline;
}

static void set_deadline(kr_cancel_scope *scope, kr_time timeout)
{
    kr_time deadline = timeout == KR_NOWAIT ? LONG_AGO : kri_deadline(timeout);
    scope->flags = ENTERED;
    if (scope->outer != NULL && scope->outer->deadline < deadline)
        deadline = scope->outer->deadline;
    else if (timeout != KR_FOREVER)
        scope->flags |= HAS_OWN_DEADLINE;
    kri_store_rlx64(deadline_of(scope), (uint64_t)deadline);
}

int kr_cancel_scope_enter(kr_cancel_scope *scope, kr_time timeout)
{
    kri_party *self = kri_party_self();
    if (timeout < 0)
        return -EINVAL;
    kri_scope_lock(scope);
    bool entered = scope->flags & ENTERED;
    if (!entered) {
        scope->outer = self->scope;
        scope->parent = self->scope;
        kri_store_rlx(&scope->joined, 0);
        set_deadline(scope, timeout);
    }
    kri_scope_unlock(scope);
    if (entered)
        return -EINVAL;
    kri_scope_join(scope);
    self->scope = scope;
    return 0;
}

static int outcome(const kr_cancel_scope *scope)
{
    if (kri_scope_reached(scope))
        return -ECANCELED;
    if (!(scope->flags & CUT))
        return 0;
    bool outer_too = scope->outer != NULL && expired(scope->outer);
    return outer_too || !(scope->flags & HAS_OWN_DEADLINE) ? -ECANCELED : -ETIMEDOUT;
}

int kr_cancel_scope_exit(kr_cancel_scope *scope)
{
    kri_party *self = kri_party_self();
    if (self->scope != scope)
        return -EINVAL;
    kri_scope_unlink(scope);
    kri_scope_lock(scope);
    int result = outcome(scope);
    scope->flags = 0;
    kri_scope_unlock(scope);
    kri_store_rlx64(deadline_of(scope), 0);
    self->scope = scope->outer;
    return result;
}

bool kr_cancelled(void)
{
    kr_cancel_scope *scope = kri_party_self()->scope;
    return scope != NULL && kri_scope_cancelled(scope);
}

bool kr_cancel_scope_cancelled(const kr_cancel_scope *asked)
{
    if (kri_scope_reached(asked))
        return true;
    kr_time deadline = (kr_time)kri_load_rlx64((const kri_word64 *)&asked->deadline);
    return deadline != 0 && deadline != KRI_NEVER && os_now() >= deadline;
}

bool kr_shield_next(kr_shield_guard *guard)
{
    if (guard->begun)
        return false;
    kri_party *self = kri_party_self();
    guard->begun = true;
    guard->scope.outer = self->scope;
    guard->scope.deadline = KRI_NEVER;
    guard->scope.flags = ENTERED;
    self->scope = &guard->scope;
    return true;
}

void kr_shield_end(kr_shield_guard *guard)
{
    if (guard->begun)
        kri_party_self()->scope = guard->scope.outer;
}
