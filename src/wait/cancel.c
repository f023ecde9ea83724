/* Cancel scopes: a tree of flags.
 *
 * State.  scope.state is LIVE or CANCELLED, and never goes back.  A time limit is no state: the
 * scope counts as cancelled while the clock is past its deadline, which holds the outer scopes'
 * limits too.
 *
 * Fields.
 *     state                     atomic; anyone sets it, once
 *     lock                      children, and next, previous of each child; FREE, HELD or
 *                               HELD_WITH_SLEEPERS as in mutex.c, above two bits the generation of
 *                               forks in which it was last touched
 *     outer                     changed by the runner inside, under lock; it reads it as it is, and
 *                               so does who acts inside the scope beside it, until it has left
 *     flags                     changed and read under lock, by whoever acts inside
 *     deadline                  the runner inside changes it atomically, for those who ask from
 *                               outside, and reads it as it is; 0 while the scope is not entered
 *     parent                    constant from enter to exit
 *
 * Protocol.
 *     A waiter queues on the state of its innermost scope only (park.c).  So that one look is
 *     enough there, a cancel is carried down: kr_cancel marks the scope and all its descendants,
 *     in tree order, holding the locks from the top to where it is.  A scope that is entered while
 *     that goes on links itself under its parent's lock, and finds the parent marked there, or is
 *     found as a child later.
 *     At exit a scope unlinks itself under its parent's lock, and takes its own once, so that a
 *     kr_cancel that is at it has let go before the scope's memory may be used for something else.
 *
 *     In a forked child a scope may be the copy of one whose lock was held, or whose children were
 *     entered, by threads that are not there. The generation in the lock tells: whoever takes it
 *     first in the child takes it as it is, held or not, and empties the scope [scope-2]. The
 *     scopes around the forking thread live on and are put right at the fork.
 *
 * Ordering.
 *     [scope-1]  what was done before kr_cancel is visible to a runner that sees the scope
 *                cancelled: the mark releases, every look acquires
 *     [scope-2]  unlock releases, every way of taking the lock acquires; the unlock's swap is its
 *                last touch of the scope
 *     The mark is sequentially consistent as kri_wake wants it [wait-1].
 *
 * Why not a flag that waiters look for up the tree?  A waiter would have to queue on every scope
 * above it; trees are as deep as fork-join recursions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

enum { ENTERED = 1, HAS_OWN_DEADLINE = 2, CUT = 4 };
enum { LONG_AGO = 1 }; /* a deadline that has always passed */
enum { FREE, HELD, HELD_WITH_SLEEPERS, LOCK_STATE = 3, GENERATION_SHIFT = 2 };

static uint32_t generation_bits(void)
{
    return kri_fork_generation() << GENERATION_SHIFT;
}

static __attribute__((noinline)) void lock_slow(kr_cancel_scope *scope, uint32_t here,
                                                uint32_t seen)
{
    kr_word *word = &scope->lock;
    for (;;) {
        bool ours = (seen & ~(uint32_t)LOCK_STATE) == here;
        if (!ours && kri_cas_acq(word, &seen, here | HELD)) { /* [scope-2] */
            scope->children = NULL;
            scope->flags = 0;
            return;
        }
        if (!ours)
            continue;
        if (seen == (here | FREE)) {
            if (kri_cas_acq(word, &seen, here | HELD_WITH_SLEEPERS)) /* [scope-2] */
                return;
            continue;
        }
        if (seen == (here | HELD) && !kri_cas_rlx(word, &seen, here | HELD_WITH_SLEEPERS))
            continue;
        os_futex_wait(word, here | HELD_WITH_SLEEPERS, OS_NEVER, false);
        seen = kri_load_rlx(word);
    }
}

static void lock_scope(kr_cancel_scope *scope)
{
    uint32_t here = generation_bits();
    uint32_t seen = here | FREE;
    if (!kri_cas_acq(&scope->lock, &seen, here | HELD)) /* [scope-2] */
        lock_slow(scope, here, seen);
}

static void unlock_scope(kr_cancel_scope *scope)
{
    uint32_t old = kri_swap_rel(&scope->lock, generation_bits() | FREE); /* [scope-2] */
    if ((old & LOCK_STATE) == HELD_WITH_SLEEPERS)
        os_futex_wake(&scope->lock, 1, false);
}

static bool expired(const kr_cancel_scope *scope)
{
    return scope->deadline != KRI_NEVER && os_now() >= scope->deadline;
}

void kri_scope_cut(kr_cancel_scope *scope)
{
    for (; scope != NULL && expired(scope); scope = scope->outer) {
        lock_scope(scope);
        scope->flags |= CUT;
        unlock_scope(scope);
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

static void mark(kr_cancel_scope *scope)
{
    if (kri_swap_sc(&scope->state, KRI_SCOPE_CANCELLED) != KRI_SCOPE_LIVE) /* [scope-1] */
        return;
    kri_wake(&scope->state, KRI_ALL, 0);
    os_futex_wake(&scope->state, KRI_ALL, false); /* those who sleep on it and on a shared word */
}

static void link_under(kr_cancel_scope *parent, kr_cancel_scope *scope)
{
    lock_scope(parent);
    scope->previous = NULL;
    scope->next = parent->children;
    if (scope->next != NULL)
        scope->next->previous = scope;
    parent->children = scope;
    if (kri_scope_marked(parent))
        mark(scope);
    unlock_scope(parent);
}

static void unlink_from(kr_cancel_scope *parent, kr_cancel_scope *scope)
{
    lock_scope(parent);
    *(scope->previous != NULL ? &scope->previous->next : &parent->children) = scope->next;
    if (scope->next != NULL)
        scope->next->previous = scope->previous;
    unlock_scope(parent);
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
    lock_scope(scope);
    bool entered = scope->flags & ENTERED;
    if (!entered) {
        scope->outer = self->scope;
        scope->parent = self->scope;
        set_deadline(scope, timeout);
    }
    unlock_scope(scope);
    if (entered)
        return -EINVAL;
    if (scope->parent != NULL)
        link_under(scope->parent, scope);
    self->scope = scope;
    return 0;
}

static int outcome(const kr_cancel_scope *scope)
{
    if (kri_scope_marked(scope))
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
    if (scope->parent != NULL)
        unlink_from(scope->parent, scope);
    lock_scope(scope);
    int result = outcome(scope);
    scope->flags = 0;
    unlock_scope(scope);
    kri_store_rlx64(deadline_of(scope), 0);
    self->scope = scope->outer;
    return result;
}

/* The next in tree order below `top`, locked and marked; what is finished is unlocked. */
static kr_cancel_scope *next_in_tree(kr_cancel_scope *top, kr_cancel_scope *scope)
{
    kr_cancel_scope *next = scope->children;
    while (next == NULL && scope != top) {
        kr_cancel_scope *parent = scope->parent;
        next = scope->next;
        unlock_scope(scope);
        scope = parent;
    }
    return next;
}

void kr_cancel(kr_cancel_scope *top)
{
    kr_cancel_scope *scope = top;
    do {
        lock_scope(scope);
        mark(scope);
        scope = next_in_tree(top, scope);
    } while (scope != NULL);
    unlock_scope(top);
}

bool kr_cancelled(void)
{
    kr_cancel_scope *scope = kri_party_self()->scope;
    return scope != NULL && kri_scope_cancelled(scope);
}

bool kr_cancel_scope_cancelled(const kr_cancel_scope *asked)
{
    if (kri_scope_marked(asked))
        return true;
    kr_time deadline = (kr_time)kri_load_rlx64((const kri_word64 *)&asked->deadline);
    return deadline != 0 && deadline != KRI_NEVER && os_now() >= deadline;
}

/* In a forked child only the scopes of the calling thread's parties have a runner.  Called for the
 * outermost party first: where one stands inside a scope of the next, the link to it is set last.
 */
void kri_scope_forked(kr_cancel_scope *innermost)
{
    kr_cancel_scope *inner = NULL;
    for (kr_cancel_scope *scope = innermost; scope != NULL; scope = scope->outer) {
        kri_store_rlx(&scope->lock, generation_bits() | FREE);
        scope->children = inner != NULL && inner->parent == scope ? inner : NULL;
        scope->next = NULL;
        scope->previous = NULL;
        inner = scope;
    }
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
