/* Who is attached to an interpreter lock.
 *
 * State.  Each runner that is attached has a record, with a blocking hook in its party: that is
 * where it is found again, too.  Of one that has detached there is what its thread owes: debt.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"
#include "os/os.h"
#include <krait/thread.h>

static kr_gil_thread *behind(kri_block_hook *hook)
{
    return (kr_gil_thread *)(void *)((char *)hook - offsetof(kr_gil_thread, hook));
}

static void give_up(kri_block_hook *hook)
{
    kr_gil_thread *t = behind(hook);
    if (!kri_gil_has(t))
        return;
    t->gave = true;
    kri_gil_give(t, KR_GIL_BLOCKS);
}

/* After a shutdown it is not held, and the next check says so. */
static void take_again(kri_block_hook *hook)
{
    kr_gil_thread *t = behind(hook);
    if (!t->gave)
        return;
    t->gave = false;
    (void)kri_gil_take(t);
}

static kr_gil_thread *find(const kri_party *party, const kr_gil *gil)
{
    for (kri_block_hook *hook = party->hooks; hook != NULL; hook = hook->next) {
        if (hook->before == give_up && behind(hook)->gil == gil)
            return behind(hook);
    }
    return NULL;
}

kr_gil_thread *kr_gil_current(kr_gil *gil)
{
    return find(kri_party_self(), gil);
}

/* Whoever acts for a thread that holds the lock would wait for itself. */
static bool is_held_by_thread(const kri_party *self, const kr_gil *gil)
{
    for (self = self->outer; self != NULL; self = self->outer) {
        const kr_gil_thread *t = find(self, gil);
        if (t != NULL && kri_gil_has(t))
            return true;
    }
    return false;
}

/* Under the explorer there are no names to ask for. */
static void name_it(kr_gil_thread *t)
{
#ifdef KRI_MODEL
    (void)t;
#else
    (void)kr_thread_name(kr_thread_current(), t->name, sizeof t->name);
#endif
}

static kr_gil_thread *new_record(kr_gil *gil, kri_party *self)
{
    kr_gil_thread *t = os_alloc(sizeof *t);
    if (t == NULL)
        return NULL;
    t->gil = gil;
    t->party = self;
    t->hook.before = give_up;
    t->hook.after = take_again;
    t->depth = 1;
    t->ticks = gil->check_interval;
    t->calls = (kri_gil_calls){.room = KRI_GIL_CALLS_OF_ONE, .ring = t->call_ring};
    name_it(t);
    return t;
}

/* With the lock held. */
static void enlist(kr_gil *g, kr_gil_thread *t)
{
    t->number = ++g->numbers;
    kri_gil_begin_share(g, t);
    kri_store_rlx(&t->asked, (g->policy == KR_GIL_TICKS ? KRI_GIL_COUNTS : 0) |
                                 (g->calls.count != 0 ? KRI_GIL_CALLS : 0));
    t->older = g->newest;
    if (g->newest != NULL)
        g->newest->newer = t;
    g->newest = t;
    g->attached++;
}

static void unlist(kr_gil *g, kr_gil_thread *t)
{
    *(t->newer != NULL ? &t->newer->older : &g->newest) = t->older;
    if (t->older != NULL)
        t->older->newer = t->newer;
    if (g->last_holder == t)
        g->last_holder = NULL;
    if (g->caller == t)
        g->caller = NULL;
    g->attached--;
}

static void leave(kr_gil *g, kr_gil_thread *t, bool noted)
{
    kri_mutex_lock(&g->lock);
    if (g->events != NULL && !noted)
        kri_gil_note(g, t, KR_GIL_LEAVES, os_now());
    kri_gil_end_share(g, t);
    unlist(g, t);
    kri_mutex_unlock(&g->lock);
    os_free(t);
}

static int attach_first(kr_gil *gil, kri_party *self, kr_gil_thread **thread)
{
    kr_gil_thread *t = new_record(gil, self);
    if (t == NULL)
        return -ENOMEM;
    kri_mutex_lock(&gil->lock);
    enlist(gil, t);
    kri_mutex_unlock(&gil->lock);
    kri_block_hook_add(&t->hook);
    int err = kri_gil_take(t);
    if (err != 0) {
        kri_block_hook_remove(&t->hook);
        leave(gil, t, false);
        return err;
    }
    *thread = t;
    return 0;
}

static int attach_again(kr_gil_thread *t)
{
    if (t->depth == UINT32_MAX)
        return -EOVERFLOW;
    if (!kri_gil_has(t)) {
        if (t->levels == KRI_GIL_LEVELS)
            return -EOVERFLOW;
        int err = kri_gil_take(t);
        if (err != 0)
            return err;
        t->taken[t->levels++] = t->depth + 1;
    }
    t->depth++;
    return 0;
}

int kr_gil_attach(kr_gil *gil, kr_gil_thread **thread)
{
    kri_party *self = kri_party_self();
    kr_gil_thread *t = find(self, gil);
    if (t == NULL)
        return is_held_by_thread(self, gil) ? -EDEADLK : attach_first(gil, self, thread);
    int err = attach_again(t);
    if (err == 0)
        *thread = t;
    return err;
}

int kr_gil_detach(kr_gil_thread *thread)
{
    if (!kri_gil_is_mine(thread))
        return -EPERM;
    bool last = thread->depth == 1;
    bool taken_here = thread->levels > 0 && thread->taken[thread->levels - 1] == thread->depth;
    bool gives = (last || taken_here) && kri_gil_has(thread);
    if (gives)
        kri_gil_give(thread, last ? KR_GIL_LEAVES : KR_GIL_BLOCKS);
    if (!last) {
        thread->depth--;
        thread->levels -= taken_here;
        return 0;
    }
    kri_block_hook_remove(&thread->hook);
    leave(thread->gil, thread, gives);
    return 0;
}
