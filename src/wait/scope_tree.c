/* The tree of cancel scopes, down which a cancel goes.
 *
 * State.  scope.state is LIVE or CANCELLED, and never goes back.  A scope is joined to the tree
 * when it is in its parent's list of children; one without a parent is a root, which counts as
 * joined.
 *
 * Fields.
 *     state                     atomic; anyone sets it, once
 *     joined                    atomic; cleared by the owner as it enters, set under the parent's
 *                               lock by whoever stands inside
 *     sleeper                   atomic; see slot.c
 *     lock                      children, and next, previous of each child; FREE, HELD or
 *                               HELD_WITH_SLEEPERS as in mutex.c, above two bits the generation of
 *                               forks in which it was last touched
 *     parent                    constant from enter to exit
 *
 * Protocol.
 *     A waiter stands in its innermost scope only (slot.c).  So that one look is
 *     enough there, a cancel is carried down: kr_cancel marks the scope and all its descendants,
 *     in tree order, holding the locks from the top to where it is.  A scope that joins while that
 *     goes on does so under its parent's lock, and finds the parent marked there, or is found as a
 *     child later.
 *     A scope of the library's own is at first not joined (kri_scope_begin), and most never are.
 *     Before a party sleeps, or enters a joined scope, it joins what is not joined around it, from
 *     the outside to the inside: so around a joined scope all are joined, and below one that is not
 *     nothing has to be marked when it joins.  Jobs of a group stand in one scope on several
 *     threads: whoever takes the parent's lock first joins it.
 *     Who only asks goes outwards as far as the first joined scope, which a cancel reaches; and not
 *     even that while no scope of the process has been cancelled since this one, or the one around
 *     it when it began, was found live: `looked` notes the count of all cancels.
 *     A joined scope unlinks itself under its parent's lock as it is left: a kr_cancel that came to
 *     it from there has let go.  At exit it takes its own once, so that a kr_cancel that began at
 *     it has let go too before the scope's memory may be used for something else; of scopes of the
 *     library's own the caller of kri_scope_end knows who cancels them.  One that is not joined is
 *     known to nobody but those inside.
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
 *     [scope-3]  who sees a scope joined sees the mark that it got from its parent as it joined,
 *                and need not look further out: joined is set after the mark and releases, every
 *                look acquires and comes before the look at the mark.  Reading an old value is
 *                harmless: it means to look further out, or to ask again under the lock.
 *     [scope-4]  who can know that a kr_cancel has returned sees its count, and looks again: the
 *                count rises after the marks and releases, every look at it acquires
 *     The mark is sequentially consistent as kri_wake wants it [wait-1].
 *
 * Why not a flag that waiters look for up the tree?  A waiter would have to queue on every scope
 * above it; trees are as deep as fork-join recursions.
 * Why not join at once?  Entering and leaving would cost eight locked instructions, for every task
 * and every group, and the parent's lock would be wanted by all threads that run jobs of a group.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "wait/internal.h"

enum { FREE, HELD, HELD_WITH_SLEEPERS, LOCK_STATE = 3 };

#ifdef KRI_MODEL
enum { BATCH = 2 };
#else
enum { BATCH = 64 };
#endif

kri_word64 kri_cancels KRI_GLOBAL;

static __attribute__((noinline)) void lock_slow(kr_cancel_scope *scope, uint32_t here,
                                                uint32_t seen)
{
    kr_word *word = &scope->lock;
    for (;;) {
        bool ours = (seen & ~(uint32_t)LOCK_STATE) == here;
        if (!ours && kri_cas_acq(word, &seen, here | HELD)) { /* [scope-2] */
            scope->children = NULL;
            scope->flags = 0;
            kri_slot_forked(scope);
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

void kri_scope_lock(kr_cancel_scope *scope)
{
    uint32_t here = kri_scope_free_lock();
    uint32_t seen = here | FREE;
    if (!kri_cas_acq(&scope->lock, &seen, here | HELD)) /* [scope-2] */
        lock_slow(scope, here, seen);
}

void kri_scope_unlock(kr_cancel_scope *scope)
{
    uint32_t old = kri_swap_rel(&scope->lock, kri_scope_free_lock()); /* [scope-2] */
    if ((old & LOCK_STATE) == HELD_WITH_SLEEPERS)
        os_futex_wake(&scope->lock, 1, false);
}

static bool is_joined(const kr_cancel_scope *scope)
{
    return scope->parent == NULL || kri_load_acq(&scope->joined) != 0; /* [scope-3] */
}

bool kri_scope_look(const kr_cancel_scope *innermost)
{
    uint64_t count = kri_load_acq64(&kri_cancels); /* [scope-4] */
    bool joined = false;
    for (const kr_cancel_scope *scope = innermost; !joined; scope = scope->parent) {
        joined = is_joined(scope); /* [scope-3] */
        if (kri_scope_reached(scope))
            return true;
    }
    kri_store_rlx64(kri_scope_looked(innermost), count);
    return false;
}

static void mark(kr_cancel_scope *scope)
{
    if (kri_swap_sc(&scope->state, KRI_SCOPE_CANCELLED) != KRI_SCOPE_LIVE) /* [scope-1] */
        return;
    kri_slot_close(scope);
    kri_wake(&scope->state, KRI_ALL, 0);
    os_futex_wake(&scope->state, KRI_ALL, false); /* those who sleep on it and on a shared word */
}

static void link_under(kr_cancel_scope *parent, kr_cancel_scope *scope)
{
    kri_scope_lock(parent);
    if (kri_load_rlx(&scope->joined) == 0) {
        scope->previous = NULL;
        scope->next = parent->children;
        if (scope->next != NULL)
            scope->next->previous = scope;
        parent->children = scope;
        if (kri_scope_reached(parent))
            mark(scope);
        kri_store_rel(&scope->joined, 1); /* [scope-3] */
    }
    kri_scope_unlock(parent);
}

/* The outermost of those that are not joined come last on the way out, and join first. */
static __attribute__((noinline)) void join_batch(kr_cancel_scope *innermost)
{
    kr_cancel_scope *batch[BATCH];
    unsigned count = 0;
    for (kr_cancel_scope *scope = innermost; !is_joined(scope); scope = scope->parent)
        batch[count++ % BATCH] = scope;
    for (unsigned i = 0; i < BATCH && i < count; i++) {
        kr_cancel_scope *scope = batch[(count - 1 - i) % BATCH];
        link_under(scope->parent, scope);
    }
}

/* A chain is walked once for each batch, since it may be too deep for recursion. */
void kri_scope_join(kr_cancel_scope *innermost)
{
    while (!is_joined(innermost)) {
        join_batch(innermost);
    }
}

void kri_scope_unlink(kr_cancel_scope *scope)
{
    kr_cancel_scope *parent = scope->parent;
    if (parent == NULL)
        return;
    kri_scope_lock(parent);
    *(scope->previous != NULL ? &scope->previous->next : &parent->children) = scope->next;
    if (scope->next != NULL)
        scope->next->previous = scope->previous;
    kri_scope_unlock(parent);
}

/* The next in tree order below `top`, locked and marked; what is finished is unlocked. */
static kr_cancel_scope *next_in_tree(kr_cancel_scope *top, kr_cancel_scope *scope)
{
    kr_cancel_scope *next = scope->children;
    while (next == NULL && scope != top) {
        kr_cancel_scope *parent = scope->parent;
        next = scope->next;
        kri_scope_unlock(scope);
        scope = parent;
    }
    return next;
}

void kr_cancel(kr_cancel_scope *top)
{
    kr_cancel_scope *scope = top;
    do {
        kri_scope_lock(scope);
        mark(scope);
        scope = next_in_tree(top, scope);
    } while (scope != NULL);
    kri_add_rel64(&kri_cancels, 1); /* [scope-4] */
    kri_scope_unlock(top);
}

/* In a forked child only the scopes of the calling thread's parties have a runner.  Called for the
 * outermost party first: where one stands inside a scope of the next, the link to it is set last.
 */
void kri_scope_forked(kr_cancel_scope *innermost)
{
    kr_cancel_scope *inner = NULL;
    for (kr_cancel_scope *scope = innermost; scope != NULL; scope = scope->outer) {
        kri_store_rlx(&scope->lock, kri_scope_free_lock());
        kri_slot_forked(scope);
        bool child = inner != NULL && inner->parent == scope && is_joined(inner);
        scope->children = child ? inner : NULL;
        scope->next = NULL;
        scope->previous = NULL;
        inner = scope;
    }
}
