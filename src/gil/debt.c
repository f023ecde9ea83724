/* What threads owe that have detached: a share lasts longer than an attachment.
 *
 * State.  A runner's place on the virtual clock (deadline.c) is its key and what it has used of its
 * slice.  As it detaches, what it has used is put down to its thread, for as long as that has had
 * more than somebody who has just come: a debt.  As it attaches again it begins there.
 *
 * Fields, all under the inner lock.
 *     debts        a table by threads' numbers, open addressing; NULL until somebody owes
 *     thread       0: no entry
 *     end          the place on the virtual clock, as of `since`
 *     contested    how long the lock had been held while others waited, as of `since`
 *     lock.contested
 *                  the same, as of when it was last counted
 *     runner.spent what it has held while others waited, since it attached
 *
 * Protocol.
 *     leave.  No debt: nothing is touched, the clock is not looked at.  Else what the runner has
 *     spent is added to its thread's entry, but not more than it owes itself: one that has been
 *     attached for an hour has paid most of that.
 *     come.  Without an entry it stands a slice ahead of the virtual clock; else where the entry
 *     says, no earlier than that.
 *     age.  The virtual clock goes on while several want the lock, and passes the entry.  While
 *     nobody has to wait it stands still; but then the others have what they want: time in which
 *     nobody waited is taken off each debt.  So who was away for longer than he owes comes back as
 *     one who is new, whether the others were many or one that computed alone.
 *     A full table is made anew without what is paid.  It has MOST entries at most: once half of
 *     those owe at the same time only a few of them are kept.  Without memory nothing is put down.
 *     Entries of threads that have ended are paid like others; numbers are not given twice.
 *
 * Why by thread, and not by runner?  A task of a pool is a runner of its own, and so is a coroutine
 * that is started for one request: each would be new each time.  Runners of one thread that are
 * attached at the same time have a place each, and add to the same entry when they leave.
 *
 * Why not keep the record of the runner?  It is 3 KB, it would have to end with its thread, and the
 * lock may be gone before.  Why not in the party?  The lock would have to find all parties when it
 * is destroyed.  Here all ends with the lock.
 *
 * Why not forget a debt after a slice of real time?  Guests enough, each of them away for a little
 * longer than that, would have the lock one after the other and leave nothing to one that stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"
#include "os/os.h"

#ifdef KRI_MODEL
enum { LEAST = 4, MOST = 4 };
#else
enum { LEAST = 16, MOST = 2048 };
#endif

/* The party of the calling thread itself, whatever it acts as. */
static kri_party *thread_party(void)
{
    kri_party *party = kri_party_self();
    while (party->outer != NULL)
        party = party->outer;
    return party;
}

/* Where one stands that is new. */
static kr_time fresh(const kr_gil *g)
{
    return g->clock - (kr_time)kri_load_rlx64(&g->interval);
}

static kr_time contested(const kr_gil *g, kr_time now)
{
    kr_time going_on = g->counted_from != 0 && now > g->counted_from ? now - g->counted_from : 0;
    return g->contested + going_on;
}

/* The entry's end, now. */
static kr_time age(const kr_gil *g, kri_gil_debt *d, kr_time now)
{
    kr_time all = contested(g, now);
    kr_time calm = (now - d->since) - (all - d->contested);
    if (calm > 0)
        d->end -= calm;
    d->since = now;
    d->contested = all;
    return d->end;
}

/* The thread's entry, or the free one where it belongs.  pre: there is a table, not full */
static kri_gil_debt *find(const kri_gil_debts *debts, uint64_t thread)
{
    size_t at = (size_t)thread;
    while (debts->all[at % debts->room].thread != 0 &&
           debts->all[at % debts->room].thread != thread)
        at++;
    return &debts->all[at % debts->room];
}

void kri_gil_forget_debts(kr_gil *g)
{
    os_free(g->debts.all);
    g->debts = (kri_gil_debts){.all = NULL};
}

static bool is_full(const kri_gil_debts *debts)
{
    return debts->used >= debts->room - debts->room / 4;
}

/* How large a table is to be that is half empty at least with all that still owe. */
static size_t room_for(const kr_gil *g, kr_time now)
{
    const kri_gil_debts *debts = &g->debts;
    size_t owing = 0;
    size_t room = LEAST;
    for (size_t i = 0; i < debts->room; i++)
        owing += debts->all[i].thread != 0 && age(g, &debts->all[i], now) > fresh(g);
    while (room < 2 * (owing + 1))
        room *= 2;
    return room <= MOST ? room : LEAST;
}

/* Those that still owe, if there is room for them. */
static void move_into(kr_gil *g, kri_gil_debts *debts)
{
    const kri_gil_debts *old = &g->debts;
    for (size_t i = 0; i < old->room && debts->used < debts->room / 2; i++) {
        if (old->all[i].thread == 0 || old->all[i].end <= fresh(g))
            continue;
        *find(debts, old->all[i].thread) = old->all[i];
        debts->used++;
    }
}

/* The lock is not held meanwhile: where malloc has locks of its own across a fork, whoever forks
 * may have them and wait for this one. */
static void make_anew(kr_gil *g, kr_time now)
{
    kri_gil_debts debts = {.room = room_for(g, now)};
    kri_mutex_unlock(&g->lock);
    debts.all = os_alloc(debts.room * sizeof *debts.all);
    kri_mutex_lock(&g->lock);
    kri_gil_debt *unused = debts.all;
    if (debts.all != NULL && is_full(&g->debts)) {
        unused = g->debts.all;
        move_into(g, &debts);
        g->debts = debts;
    }
    kri_mutex_unlock(&g->lock);
    os_free(unused);
    kri_mutex_lock(&g->lock);
}

/* The thread's entry, which may be a new one; NULL: there is no room. */
static kri_gil_debt *entry_of(kr_gil *g, uint64_t thread, kr_time now)
{
    if (is_full(&g->debts))
        make_anew(g, now);
    if (is_full(&g->debts))
        return NULL;
    kri_gil_debt *d = find(&g->debts, thread);
    if (d->thread == 0) {
        *d = (kri_gil_debt){
            .thread = thread, .end = fresh(g), .since = now, .contested = contested(g, now)};
        g->debts.used++;
    }
    return d;
}

void kri_gil_begin_share(kr_gil *g, kr_gil_thread *t)
{
    t->key = fresh(g);
    t->used = 0;
    uint64_t thread = g->debts.all != NULL ? thread_party()->id : 0;
    if (thread == 0)
        return;
    kri_gil_debt *d = find(&g->debts, thread);
    if (d->thread == 0 || d->end <= t->key || age(g, d, os_now()) <= t->key)
        return;
    kr_time slice = (kr_time)kri_load_rlx64(&g->interval);
    kr_time debt = d->end - t->key;
    t->used = debt % slice;
    t->key += debt - t->used;
}

void kri_gil_end_share(kr_gil *g, const kr_gil_thread *t)
{
    if (t->spent == 0 || t->key + t->used <= fresh(g))
        return;
    kri_gil_debt *d = entry_of(g, kri_party_id(thread_party()), os_now());
    kr_time debt = t->key + t->used - fresh(g); /* not before: the clock may have gone on */
    if (d == NULL || debt <= 0)
        return;
    if (age(g, d, os_now()) < fresh(g))
        d->end = fresh(g);
    d->end += t->spent < debt ? t->spent : debt;
    kr_time most = g->clock + KRI_GIL_SLICES_BEHIND * (kr_time)kri_load_rlx64(&g->interval);
    if (d->end > most)
        d->end = most;
}
