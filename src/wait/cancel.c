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
 *                               outside, and reads it as it is; 0 while the scope is not entered.
 *                               Nobody else stands inside while it is moved
 *     limit                     the runner inside
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

enum { ENTERED = 1, CUT = 2 };
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

static kr_time limit_of(kr_time timeout)
{
    return timeout == KR_NOWAIT ? LONG_AGO : kri_deadline(timeout);
}

/* A shield has no parent. */
static void set_deadline(kr_cancel_scope *scope)
{
    kr_time deadline = scope->limit != 0 ? scope->limit : KRI_NEVER;
    if (scope->parent != NULL && scope->parent->deadline < deadline)
        deadline = scope->parent->deadline;
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
        scope->limit = limit_of(timeout);
        scope->flags = ENTERED;
        kri_store_rlx(&scope->joined, 0);
        set_deadline(scope);
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
    return outer_too || scope->limit != scope->deadline ? -ECANCELED : -ETIMEDOUT;
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
    scope->limit = 0;
    kri_store_rlx64(deadline_of(scope), 0);
    self->scope = scope->outer;
    return result;
}

/* Moving a time limit. */

static uint32_t flags_of(kr_cancel_scope *scope)
{
    kri_scope_lock(scope);
    uint32_t flags = scope->flags;
    kri_scope_unlock(scope);
    return flags;
}

/* From the innermost scope out to this one there must be none but the caller's own: entered, or
 * shields. */
static int check_inside(kr_cancel_scope *innermost, kr_cancel_scope *scope)
{
    bool shared = false;
    kr_cancel_scope *at = innermost;
    for (; at != NULL && at != scope; at = at->outer)
        shared |= at->parent != NULL && !(flags_of(at) & ENTERED);
    if (at == NULL || !(flags_of(at) & ENTERED))
        return -EINVAL;
    return shared ? -EBUSY : 0;
}

/* The outermost first, as each looks at the one around it. */
static void set_deadlines(kr_cancel_scope *innermost, kr_cancel_scope *scope)
{
    set_deadline(scope);
    while (scope != innermost) {
        kr_cancel_scope *next = innermost;
        while (next->outer != scope)
            next = next->outer;
        set_deadline(next);
        scope = next;
    }
}

int kr_cancel_scope_reschedule(kr_cancel_scope *scope, kr_time timeout)
{
    kr_cancel_scope *innermost = kri_party_self()->scope;
    int err = timeout < 0 ? -EINVAL : check_inside(innermost, scope);
    if (err != 0)
        return err;
    if (flags_of(scope) & CUT)
        return -EALREADY;
    scope->limit = limit_of(timeout);
    set_deadlines(innermost, scope);
    return 0;
}

kr_time kr_cancel_scope_deadline(const kr_cancel_scope *scope)
{
    return scope->limit != 0 ? scope->limit : KR_FOREVER;
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
    kri_store_rlx(&guard->scope.lock, kri_scope_free_lock());
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
