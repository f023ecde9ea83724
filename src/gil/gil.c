/* Interpreter locks: their beginning and their end, and forks.
 *
 * Fork.  The inner locks of all interpreter locks are held across it, so that the child finds their
 * lists whole.  In the child the forking runner keeps what it holds.  All others are gone: their
 * records are freed, the queue is empty, a lock that one of them held is free, and nobody owes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"

#include "base/global.h"
#include "base/options.h"
#include "os/os.h"

static KRI_GLOBAL kri_mutex gils_lock; /* guards the list */
static KRI_GLOBAL kr_gil *first_gil;
static KRI_GLOBAL kr_word gils_watched; /* atomic: forks are */

enum { INTERVAL_US = 5000, MIN_SLICE_US = 65, CHECKS = 100, LOG_MOST = 1 << 24 };

/* Forks. */

void kri_gil_before_fork(void)
{
    kri_mutex_lock(&gils_lock);
    for (kr_gil *g = first_gil; g != NULL; g = g->next)
        kri_mutex_lock(&g->lock);
}

void kri_gil_after_fork(void)
{
    for (kr_gil *g = first_gil; g != NULL; g = g->next)
        kri_mutex_unlock(&g->lock);
    kri_mutex_unlock(&gils_lock);
}

static bool is_here(const kri_party *party)
{
    const kri_party *self = kri_party_self();
    while (self != NULL && self != party)
        self = self->outer;
    return self != NULL;
}

/* Of one who is here: nobody asks, nobody waits. */
static void keep(kr_gil *g, kr_gil_thread *t)
{
    t->newer = NULL;
    t->older = g->newest;
    if (g->newest != NULL)
        g->newest->newer = t;
    g->newest = t;
    g->attached++;
    kri_gil_forget_counts(&t->counts);
    kri_and_rlx(&t->asked, ~(uint32_t)KRI_GIL_DROP);
}

static void begin_anew(kr_gil *g)
{
    kr_gil_thread *holder = kri_gil_holder(g);
    kr_gil_thread *all = g->newest;
    bool held = false;
    bool in_call = false;
    g->first = g->last = g->newest = NULL;
    g->keeper = g->yielder = g->last_holder = NULL;
    g->waiting = g->attached = 0;
    for (kr_gil_thread *t = all, *next; t != NULL; t = next) {
        next = t->older;
        if (!is_here(t->party)) {
            os_free(t);
            continue;
        }
        held = held || t == holder;
        in_call = in_call || t == g->caller;
        keep(g, t);
    }
    if (!in_call)
        g->caller = NULL;
    g->event_count = 0;
    kri_gil_forget_debts(g);
    g->taken_at = g->counted_from = 0;
    kri_gil_forget_counts(&g->counts);
    uint64_t slow = kri_gil_is_watched(g) ? KRI_GIL_SLOW : 0;
    kri_store_rlx64(&g->holder, (held ? (uint64_t)(uintptr_t)holder : 0) | slow);
}

static void in_child(void)
{
    kri_store_rlx(&gils_lock, 0);
    for (kr_gil *g = first_gil; g != NULL; g = g->next) {
        kri_store_rlx(&g->lock, 0);
        begin_anew(g);
    }
}

static void watch_forks(void)
{
    uint32_t seen = kri_load_rlx(&gils_watched);
    if (seen == 0 && kri_cas_rlx(&gils_watched, &seen, 1))
        os_at_fork(kri_gil_before_fork, kri_gil_after_fork, in_child);
}

/* The list. */

static void list(kr_gil *g)
{
    kri_mutex_lock(&gils_lock);
    g->next = first_gil;
    if (first_gil != NULL)
        first_gil->previous = g;
    first_gil = g;
    kri_mutex_unlock(&gils_lock);
}

static void unlist(kr_gil *g)
{
    kri_mutex_lock(&gils_lock);
    *(g->previous != NULL ? &g->previous->next : &first_gil) = g->next;
    if (g->next != NULL)
        g->next->previous = g->previous;
    kri_mutex_unlock(&gils_lock);
}

/* Creation. */

static bool is_valid(const kr_gil_options *o)
{
    return o->policy >= KR_GIL_DEADLINE && o->policy <= KR_GIL_TICKS && o->switch_interval >= 0 &&
           o->min_slice >= 0 && o->log <= LOG_MOST && kri_reserved_is_clear(o->reserved);
}

static void set_up(kr_gil *g, const kr_gil_options *o)
{
    kr_time interval = o->switch_interval != 0 ? o->switch_interval : kr_us(INTERVAL_US);
    g->policy = o->policy;
    g->min_slice = o->min_slice != 0 ? o->min_slice : kr_us(MIN_SLICE_US);
    g->check_interval = o->check_interval != 0 ? o->check_interval : CHECKS;
    g->log_size = o->log;
    g->calls = (kri_gil_calls){.room = KRI_GIL_CALLS_OF_ANY, .ring = g->call_ring};
    kri_store_rlx64(&g->interval, (uint64_t)interval);
    kri_store_rlx64(&g->holder, kri_gil_is_watched(g) ? KRI_GIL_SLOW : 0);
}

int kr_gil_create(kr_gil **gil, const kr_gil_options *options)
{
    static const kr_gil_options defaults;
    const kr_gil_options *o = options != NULL ? options : &defaults;
    if (gil == NULL || !is_valid(o))
        return -EINVAL;
    watch_forks();
    kr_gil *g = os_alloc(sizeof *g);
    if (g == NULL)
        return -ENOMEM;
    if (o->log != 0 && (g->events = os_alloc(o->log * sizeof *g->events)) == NULL) {
        os_free(g);
        return -ENOMEM;
    }
    set_up(g, o);
    list(g);
    *gil = g;
    return 0;
}

/* The end. */

static void refuse_all(kr_gil *g)
{
    g->keeper = NULL;
    while (g->first != NULL) {
        kr_gil_thread *t = g->first;
        kri_gil_take_out(g, t);
        kri_gil_wake_now(kri_gil_tell(t, KRI_TURN_REFUSED));
    }
    if (g->yielder != NULL)
        kri_gil_wake_now(kri_gil_tell(g->yielder, KRI_TURN_REFUSED));
    g->yielder = NULL;
}

int kr_gil_shutdown(kr_gil *gil)
{
    if (gil == NULL)
        return -EINVAL;
    kri_mutex_lock(&gil->lock);
    if (!gil->closed) {
        gil->closed = true;
        kr_gil_thread *holder = kri_gil_holder_in(kri_or_rlx64(&gil->holder, KRI_GIL_SLOW));
        if (holder != NULL && kri_gil_is_mine(holder))
            holder->finalizer = true;
        for (kr_gil_thread *t = gil->newest; t != NULL; t = t->older)
            kri_or_rlx(&t->asked, KRI_GIL_CLOSED);
        refuse_all(gil);
    }
    kri_mutex_unlock(&gil->lock);
    return 0;
}

int kr_gil_destroy(kr_gil *gil)
{
    if (gil == NULL)
        return 0;
    kri_mutex_lock(&gil->lock);
    bool busy = gil->attached != 0;
    kri_mutex_unlock(&gil->lock);
    if (busy)
        return -EBUSY;
    unlist(gil);
    kri_gil_forget_debts(gil);
    os_free(gil->events);
    os_free(gil);
    return 0;
}

kr_time kr_gil_switch_interval(const kr_gil *gil)
{
    return (kr_time)kri_load_rlx64(&gil->interval);
}

int kr_gil_set_switch_interval(kr_gil *gil, kr_time interval)
{
    if (interval <= 0)
        return -EINVAL;
    kri_store_rlx64(&gil->interval, (uint64_t)interval);
    return 0;
}
