/* Transactions: changes that are there all or none, wherever a process is killed.
 *
 * State.  A domain is
 *     at rest    its record is empty, and it has no leader
 *     changing   its record has entries: what words were, newest last, and pages that were taken
 *     dropping   the changes are committed; entries that name pages to be given up are left
 *     led        its changes are in the record of its leader, which names it in `joint`
 *
 * Protocol.  Who changes words of a domain holds its lock.  Before each store the word's place and
 * what it was are written behind the record, and the record's length is counted up; to commit is to
 * set the length to 0, one store.  Whoever has the lock next and finds the record not empty goes
 * through it backwards, and everything is as before.  So it does not matter whether the one before
 * was killed, or gave up because the central domain was not to be had in time: both leave it so.
 *     What nobody can reach yet needs no undo.  That is so for what is written into a new block,
 *     since blocks become free with the commit only: none that an undone transaction would need is
 *     given out within it.
 *     Pages come from the central domain, whose transaction counts this record up with its own
 *     commit: the entry says that they are to be given back, should this one be undone.  Those that
 *     are to be free are entries that mean nothing until the commit, which sets a mark beside the
 *     length in place of 0; they are then given up one after the other, each counting the length
 *     down with its own commit.
 *     So the central record may speak of the length of this one, or of its pages, when somebody
 *     dies; and who goes through it later would write an old length into a record that is in use
 *     again.  Hence a domain is not at rest as long as that can be: the first entry is never about
 *     pages, and the record's own pages are given back before its length is 0.  Whoever finds it so
 *     has the central record settled first.
 *     A transaction of several domains has one record, that of the first (its leader).  `joint`
 *     there names the others, and each of them names the leader, before the first change.  Who
 *     finds a leader named takes that lock, too, if nobody has it, and goes through that record; if
 *     somebody has it, that one does so before anything else, and takes the name out of `joint`
 *     then.  Nobody waits for a lock there while he holds one of a higher number, so there is no
 *     circle.
 *     What a large object was made of is not taken to pieces at once, see graves.c: whoever comes
 *     by with the lock does a part.
 *
 * Ordering.
 *     [undo-1]  the entry, the length, the change, the commit: each store is a release after all
 *               before it, since a process may be killed between any two.  Who knows of a death
 *               sees all that the dead one did
 *     [undo-2]  `joint` is cleared by a release after the words were put back, and acquired by who
 *               waits for that without the lock
 *     [undo-3]  an entry's words are releases, too: none is seen while the record still has the
 *               length of the transaction before, whose entry stood there.  What goes into new
 *               blocks is plain memory: so a commit after which the lock is kept ends with an
 *               acquire, before which nothing of what follows is seen
 *
 * Why not a copy that is swapped in (as many maps in shared memory have it)?  It is as good for one
 * pointer; an operation that moves two, or a batch, would need a copy of what leads to both.  Why
 * no redo?  Each look within an operation would have to go through the record first.  Why is not
 * each change made so that what is there is right at every instant, and the rest derived, as in
 * arena.c?  A dict of a million keys would be walked through after each death.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/graves.h"
#include "manager/heap.h"
#include "manager/pages.h"
#include "os/os.h"
#include "sync/internal.h"

enum { WORD = 0, PAGES = 1, DROP = 2, NOTHING = 3, KIND = 7 };
#ifdef KRI_MODEL
enum { SPINS = 0 }; /* there is nothing to gain */
#else
enum { SPINS = 100 };
#endif
#define COMMITTED (UINT64_C(1) << 63)

/* Entries */

static uint64_t entries_of_more(int k)
{
    return (uint64_t)(KRI_UNDO_FIRST_PAGES << k) * (KRI_PAGE / sizeof(kri_undo));
}

kri_undo *kri_undo_entry(kri_space *s, kri_domain *d, uint64_t index)
{
    if (index < KRI_UNDO_INSIDE)
        return &d->inside[index];
    index -= KRI_UNDO_INSIDE;
    for (int k = 0; k < KRI_UNDO_MORE; k++) {
        uint64_t entries = entries_of_more(k), place = kri_load_rlx64(&d->more[k]);
        if (index >= entries) {
            index -= entries;
            continue;
        }
        if (!kri_space_has(s, place, entries * sizeof(kri_undo)))
            return NULL;
        return (kri_undo *)kri_space_at(s, place) + index;
    }
    return NULL;
}

kri_word64 *kri_undo_word(kri_space *s, uint64_t where)
{
    bool inside = where >= offsetof(kri_space_state, taken) && where < s->end && where % 8 == 0;
    return inside ? kri_space_at(s, where) : NULL;
}

/* Room for one more: with the last entry of what there is, more pages. */
static bool grow(kri_tx *tx)
{
    uint64_t room = KRI_UNDO_INSIDE;
    for (int k = 0; k < KRI_UNDO_MORE; k++) {
        kri_word64 *more = &tx->leader->more[k];
        uint64_t pages = (uint64_t)KRI_UNDO_FIRST_PAGES << k;
        if (kri_load_rlx64(more) == 0) {
            int err = kri_pages_take(tx->space, pages, more, 0, NULL, 0);
            if (err != 0) {
                kri_tx_fail(tx, err);
                return false;
            }
        }
        room += entries_of_more(k);
        if (room > tx->count) {
            tx->room = room;
            return true;
        }
    }
    kri_tx_fail(tx, -EDQUOT);
    return false;
}

/* The next one, not counted yet; NULL: the transaction has failed. */
static kri_undo *next_entry(kri_tx *tx)
{
    if (tx->err != 0)
        return NULL;
    if (tx->count < KRI_UNDO_INSIDE)
        return &tx->leader->inside[tx->count];
    if (tx->count == tx->room && !grow(tx))
        return NULL;
    kri_undo *u = kri_undo_entry(tx->space, tx->leader, tx->count);
    if (u == NULL)
        kri_tx_fail(tx, KR_ECORRUPT);
    return u;
}

void kri_tx_set(kri_tx *tx, kri_word64 *word, uint64_t value)
{
    kri_undo *u = next_entry(tx);
    if (u == NULL)
        return;
    kri_store_rel64(&u->where, kri_space_offset(tx->space, word) | WORD); /* [undo-3] */
    kri_store_rel64(&u->old, kri_load_rlx64(word));                       /* [undo-3] */
    kri_store_rel64(&tx->leader->log, ++tx->count);                       /* [undo-1] */
    kri_store_rel64(word, value);                                         /* [undo-1] */
}

void kri_tx_write(kri_tx *tx, kri_word64 *words, const uint64_t *values, size_t count)
{
    if (tx->err != 0 || tx->count + count > KRI_UNDO_INSIDE) {
        for (size_t i = 0; i < count; i++)
            kri_tx_set(tx, &words[i], values[i]);
        return;
    }
    uint64_t where = kri_space_offset(tx->space, words);
    kri_undo *u = &tx->leader->inside[tx->count];
    for (size_t i = 0; i < count; i++) {
        kri_store_rel64(&u[i].where, (where + i * sizeof *words) | WORD); /* [undo-3] */
        kri_store_rel64(&u[i].old, kri_load_rlx64(&words[i]));            /* [undo-3] */
    }
    tx->count += count;
    kri_store_rel64(&tx->leader->log, tx->count); /* [undo-1] */
    for (size_t i = 0; i < count; i++)
        kri_store_rel64(&words[i], values[i]); /* [undo-1] */
}

/* The next one, for pages: never the first. */
static kri_undo *next_of_pages(kri_tx *tx)
{
    kri_undo *u = next_entry(tx);
    if (u == NULL || tx->count != 0)
        return u;
    kri_store_rel64(&u->where, NOTHING);            /* [undo-3] */
    kri_store_rel64(&tx->leader->log, ++tx->count); /* [undo-1] */
    return next_entry(tx);
}

uint64_t kri_tx_take_pages(kri_tx *tx, uint64_t pages)
{
    kri_undo *u = next_of_pages(tx);
    if (u == NULL)
        return 0;
    int err = kri_pages_take(tx->space, pages, &u->where, PAGES, &tx->leader->log, tx->count + 1);
    if (err != 0) {
        kri_tx_fail(tx, err);
        return 0;
    }
    tx->count++;
    return kri_load_rlx64(&u->where) & ~(uint64_t)KIND;
}

void kri_tx_drop_pages(kri_tx *tx, uint64_t offset)
{
    kri_undo *u = next_of_pages(tx);
    if (u == NULL)
        return;
    kri_store_rel64(&u->where, offset | DROP);      /* [undo-3] */
    kri_store_rel64(&tx->leader->log, ++tx->count); /* [undo-1] */
    tx->drops = true;
}

/* What is left of a record, by who has its domain. */

static int undo_one(kri_space *s, kri_domain *d, uint64_t index)
{
    kri_undo *u = kri_undo_entry(s, d, index);
    if (u == NULL)
        return KR_ECORRUPT;
    uint64_t where = kri_load_rlx64(&u->where), place = where & ~(uint64_t)KIND;
    if ((where & KIND) == PAGES)
        return kri_pages_give(s, place, &d->log, index);
    if ((where & KIND) == WORD) {
        kri_word64 *word = kri_undo_word(s, place);
        if (word == NULL)
            return KR_ECORRUPT;
        kri_store_rel64(word, kri_load_rlx64(&u->old)); /* [undo-1] */
    }
    kri_store_rel64(&d->log, index); /* [undo-1] */
    return 0;
}

static int drop_one(kri_space *s, kri_domain *d, uint64_t index)
{
    kri_undo *u = kri_undo_entry(s, d, index);
    if (u == NULL)
        return KR_ECORRUPT;
    uint64_t where = kri_load_rlx64(&u->where), left = index != 0 ? index | COMMITTED : 0;
    if ((where & KIND) == DROP)
        return kri_pages_give(s, where & ~(uint64_t)KIND, &d->log, left);
    kri_store_rel64(&d->log, left); /* [undo-1] */
    return 0;
}

static int give_more_back(kri_space *s, kri_domain *d)
{
    int err = 0;
    for (int k = KRI_UNDO_MORE - 1; k >= 0 && err == 0; k--) {
        uint64_t place = kri_load_rlx64(&d->more[k]);
        if (place != 0)
            err = kri_pages_give(s, place, &d->more[k], 0);
    }
    return err;
}

/* With the first entry goes the record's last sign. */
static int empty(kri_space *s, kri_domain *d)
{
    uint64_t log = kri_load_rlx64(&d->log);
    int err = 0;
    for (uint64_t count = log & ~COMMITTED; count > 0 && err == 0; count--) {
        if (count == 1)
            err = give_more_back(s, d);
        if (err == 0)
            err = log & COMMITTED ? drop_one(s, d, count - 1) : undo_one(s, d, count - 1);
    }
    return err;
}

/* Its record, of which the owner is dead or has given up.  The central domain may be in the middle
 * of counting it up. */
static int settle_record(kri_space *s, kri_domain *d)
{
    int err = kri_pages_visit(s);
    uint64_t log = kri_load_rlx64(&d->log);
    if (err == 0 && log != 0 && !(log & COMMITTED))
        kri_add_rlx64(&s->state->undone, 1);
    if (err == 0)
        err = empty(s, d);
    if (err == 0)
        kri_store_rel64(&d->joint, 0); /* [undo-2] */
    return err;
}

static bool is_joint(const kri_domain *leader, uint64_t bit)
{
    return kri_load_acq64(&leader->joint) & bit; /* [undo-2] */
}

/* Its changes stand in another's record. */
static int settle_led(kri_space *s, kri_domain *d)
{
    uint64_t number = kri_load_rlx64(&d->leader) - 1;
    uint64_t bit = UINT64_C(1) << (d - s->state->domains);
    if (number >= KRI_DOMAINS)
        return KR_ECORRUPT;
    kri_domain *leader = &s->state->domains[number];
    kr_time deadline = kri_deadline(s->timeout);
    while (is_joint(leader, bit)) {
        int err = kri_lock_take_within(&leader->lock, KR_NOWAIT);
        if (err >= 0) {
            (void)kr_lock_recover(&leader->lock);
            err = is_joint(leader, bit) ? settle_record(s, leader) : 0;
            kri_domain_give(leader);
        } else if (err == -ETIMEDOUT) {
            err = kri_pause(kri_deadline(kr_us(50))) == -ETIMEDOUT && kri_left_until(deadline) > 0
                      ? 0
                      : -ETIMEDOUT;
        }
        if (err != 0)
            return err == -ETIMEDOUT ? err : KR_ECORRUPT;
    }
    kri_store_rel64(&d->leader, 0); /* [undo-1] */
    return 0;
}

/* Locks */

int kri_domain_take(kri_space *s, kri_domain *d)
{
    if (kri_lock_take_shared(&d->lock))
        return 0;
    /* Who holds it is through in less than a sleep takes, and may well be another process, on a
     * processor of which this one knows nothing. */
    for (int i = 0; i < SPINS; i++) {
        os_pause();
        if (kri_lock_at_rest(&d->lock) && kri_lock_take_shared(&d->lock))
            return 0;
    }
    int err = kri_lock_take_within(&d->lock, s->timeout);
    if (err == KR_OWNER_DIED) {
        kri_add_rlx64(&s->state->deaths, 1);
        (void)kr_lock_recover(&d->lock); /* the record says what is to be put right */
        err = 0;
    }
    return err == 0 || err == -ETIMEDOUT ? err : KR_ECORRUPT;
}

static int settle(kri_space *s, kri_domain *d)
{
    int err = 0;
    if (kri_load_rlx64(&d->leader) != 0)
        err = settle_led(s, d);
    if (err == 0 && (kri_load_rlx64(&d->log) | kri_load_rlx64(&d->joint)) != 0)
        err = settle_record(s, d);
    if (err == 0 && kri_load_rlx64(&d->graves) != 0)
        err = kri_graves_dig(s, (unsigned)(d - s->state->domains));
    return err;
}

static int enter(kri_space *s, kri_domain *d)
{
    int err = kri_domain_take(s, d);
    if (err != 0)
        return err;
    if (!kri_domain_is_settled(d))
        err = settle(s, d);
    if (err != 0)
        kri_domain_give(d);
    return err;
}

int kri_look_begin_slowly(kri_space *s, kri_domain *d)
{
    return enter(s, d);
}

static kri_domain *first_of(kri_space *s, uint64_t set)
{
    return &s->state->domains[__builtin_ctzll(set)];
}

static void give_all(kri_space *s, uint64_t set)
{
    for (; set != 0; set &= set - 1)
        kri_domain_give(first_of(s, set));
}

/* Begin and end */

static void name_leader(kri_space *s, uint64_t set)
{
    kri_domain *leader = first_of(s, set);
    uint64_t others = set & (set - 1), number = 1 + (uint64_t)__builtin_ctzll(set);
    kri_store_rel64(&leader->joint, others); /* [undo-1] */
    for (uint64_t left = others; left != 0; left &= left - 1)
        kri_store_rel64(&first_of(s, left)->leader, number); /* [undo-1] */
}

static void forget_leader(kri_space *s, uint64_t set)
{
    kri_store_rel64(&first_of(s, set)->joint, 0); /* [undo-2] */
    for (uint64_t left = set & (set - 1); left != 0; left &= left - 1)
        kri_store_rel64(&first_of(s, left)->leader, 0); /* [undo-1] */
}

void kri_tx_adopt(kri_tx *tx, kri_space *s, uint64_t domains)
{
    tx->space = s;
    tx->leader = first_of(s, domains);
    tx->domains = domains;
    tx->count = 0;
    tx->room = KRI_UNDO_INSIDE;
    tx->err = 0;
    tx->drops = false;
    tx->freed_count = 0;
    tx->freed_room = KRI_TX_FREED;
    tx->freed = tx->freed_inside;
}

int kri_tx_begin(kri_tx *tx, kri_space *s, uint64_t domains)
{
    uint64_t held = 0;
    for (uint64_t left = domains; left != 0; left &= left - 1) {
        int err = enter(s, first_of(s, left));
        if (err != 0) {
            give_all(s, held);
            return err;
        }
        held |= left & -left;
    }
    if ((domains & (domains - 1)) != 0)
        name_leader(s, domains);
    kri_tx_adopt(tx, s, domains);
    return 0;
}

void kri_tx_free(kri_tx *tx, uint64_t block)
{
    if (tx->freed_count == tx->freed_room) {
        uint64_t *more = os_alloc(2 * tx->freed_room * sizeof *more);
        if (more == NULL) {
            kri_tx_fail(tx, -ENOMEM);
            return;
        }
        for (uint32_t i = 0; i < tx->freed_count; i++)
            more[i] = tx->freed[i];
        if (tx->freed != tx->freed_inside)
            os_free(tx->freed);
        tx->freed = more;
        tx->freed_room *= 2;
    }
    tx->freed[tx->freed_count++] = block;
}

/* Empty the record; what cannot be done now is left to the next who has the lock.  True: done. */
static bool close_record(kri_tx *tx)
{
    kri_domain *d = tx->leader;
    bool more = kri_load_rlx64(&d->more[0]) != 0;
    if (tx->count == 0)
        return kri_load_rlx64(&d->log) == 0;
    if (tx->err == 0 && !tx->drops && !more) {
        kri_store_rel64(&d->log, 0); /* [undo-1] */
        return true;
    }
    if (tx->err == 0)
        kri_store_rel64(&d->log, (tx->drops ? tx->count : 1) | COMMITTED); /* [undo-1] */
    return empty(tx->space, d) == 0;
}

static bool finish(kri_tx *tx)
{
    for (uint32_t i = 0; i < tx->freed_count && tx->err == 0; i++)
        kri_heap_free(tx, tx->freed[i]);
    if (tx->freed != tx->freed_inside)
        os_free(tx->freed);
    return close_record(tx);
}

int kri_tx_commit(kri_tx *tx)
{
    bool done = finish(tx);
    int err = tx->err;
    (void)kri_or_acq_rel64(&tx->leader->log, 0); /* [undo-3] */
    kri_tx_adopt(tx, tx->space, tx->domains);
    if (!done) /* nothing can be changed before that record is settled */
        kri_tx_fail(tx, -ETIMEDOUT);
    return err;
}

int kri_tx_end(kri_tx *tx)
{
    bool done = finish(tx);
    if (done && (tx->domains & (tx->domains - 1)) != 0)
        forget_leader(tx->space, tx->domains);
    for (uint64_t left = tx->domains; left != 0; left &= left - 1) {
        kri_domain *d = first_of(tx->space, left);
        if (!kri_lock_give_shared(&d->lock))
            kri_domain_give(d);
    }
    return tx->err;
}

int kri_tx_cancel(kri_tx *tx, int err)
{
    kri_tx_fail(tx, err);
    return kri_tx_end(tx);
}
