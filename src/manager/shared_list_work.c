/* What takes a list in shared memory more than one transaction.
 *
 * State.  The list is at rest, or something is under way, of a kind and with up to three numbers.
 * With the lock given up it is at rest, unless its holder has died.
 *
 * Fields.  Of the object, guarded by its domain:
 *     words[KRI_LIST_WORK]  the kind, 0: at rest
 *   Of the table, constant while at rest:
 *     at     how far it has come
 *     to     where it ends
 *     item   the place of an item, or of many places
 *
 * Protocol.  A transaction says what is under way, and with that it has happened, but for an
 * extend.  Then steps follow, each of which may be done twice, and a last transaction with which
 * the list is at rest:
 *     CLOSE, OPEN  `at` is a hole.  Its neighbour's place is copied there; then the hole is where
 *                  the neighbour was.  When it has come to `to`, it goes with an end of the list,
 *                  or the item is put there
 *     REWRITE      all places are copied from the block `item`, which is freed then
 *     EXTEND       `at` is the position after the last one that is staged.  They count as soon as
 *                  the end is there, by the transaction that ends the work.  Who finds this under
 *                  way gives the staged ones back: the list is as before
 *     Whoever begins a call finds out whether something is under way, and goes on with it first
 *     (kri_list_go_on).
 *
 * Ordering.
 *     [list-1]  a place is in the hole before the hole moves, and the hole has moved before the
 *               next place is copied: whoever goes on after a death would copy a place twice, and
 *               lose another
 *
 * Why not.  One transaction for all of it: to undo the move of a million places takes a record of a
 * million entries.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_list.h"

void kri_list_set_work(const kri_shared_object *l, kri_tx *tx, kri_list_work work, uint64_t at,
                       uint64_t to, uint64_t item)
{
    kri_list_table *table = kri_list_table_of(l);
    if (table == NULL) {
        kri_tx_fail(tx, KR_ECORRUPT);
        return;
    }
    kri_tx_set(tx, &table->at, at);
    kri_tx_set(tx, &table->to, to);
    kri_tx_set(tx, &table->item, item);
    kri_tx_set(tx, kri_shared_word(l, KRI_LIST_WORK), (uint64_t)work);
}

static void rest(const kri_shared_object *l, kri_tx *tx)
{
    kri_tx_set(tx, kri_shared_word(l, KRI_LIST_WORK), KRI_LIST_AT_REST);
}

/* The hole goes to `to`, one place after the other. */
static int move_hole(const kri_shared_object *l, kri_list_table *table)
{
    uint64_t at = kri_load_acq64(&table->at), to = kri_load_rlx64(&table->to);
    while (at != to) {
        uint64_t next = at < to ? at + 1 : at - 1;
        kri_word64 *hole = kri_list_word(l, at), *neighbour = kri_list_word(l, next);
        if (hole == NULL || neighbour == NULL)
            return KR_ECORRUPT;
        kri_store_rel64(hole, kri_load_acq64(neighbour)); /* [list-1] */
        kri_store_rel64(&table->at, next);                /* [list-1] */
        at = next;
    }
    return 0;
}

static int close_hole(const kri_shared_object *l, kri_tx *tx, kri_list_table *table, bool left)
{
    int err = move_hole(l, table);
    if (err != 0)
        return err;
    uint64_t hole = kri_load_rlx64(&table->to), edge = left ? hole + 1 : hole;
    kri_tx_set(tx, kri_shared_word(l, left ? KRI_LIST_FIRST : KRI_LIST_END), edge);
    kri_list_left_behind(l, tx, edge, left);
    rest(l, tx);
    return 0;
}

static int fill_hole(const kri_shared_object *l, kri_tx *tx, kri_list_table *table)
{
    int err = move_hole(l, table);
    kri_word64 *hole = err == 0 ? kri_list_word(l, kri_load_rlx64(&table->to)) : NULL;
    if (hole == NULL)
        return KR_ECORRUPT;
    kri_store_rel64(hole, kri_load_rlx64(&table->item));
    rest(l, tx);
    return 0;
}

static int rewrite(const kri_shared_object *l, kri_tx *tx, kri_list_table *table)
{
    uint64_t first = kri_shared_number(l, KRI_LIST_FIRST);
    uint64_t count = kri_shared_number(l, KRI_LIST_END) - first;
    uint64_t block = kri_load_rlx64(&table->item);
    if (!kri_space_has(l->space, block, count * sizeof(kri_word64)))
        return KR_ECORRUPT;
    const kri_word64 *order = kri_space_at(l->space, block);
    for (uint64_t i = 0; i < count; i++) {
        kri_word64 *word = kri_list_word(l, first + i);
        if (word == NULL)
            return KR_ECORRUPT;
        kri_store_rel64(word, kri_load_rlx64(&order[i]));
    }
    kri_tx_free(tx, block);
    rest(l, tx);
    return 0;
}

/* Those that are staged were never in the list. */
static int unstage(const kri_shared_object *l, kri_tx *tx, kri_list_table *table)
{
    uint64_t end = kri_shared_number(l, KRI_LIST_END), at = kri_load_rlx64(&table->at);
    while (at != end) {
        const kri_word64 *word = kri_list_word(l, --at);
        if (word == NULL)
            return KR_ECORRUPT;
        kri_tx_free(tx, kri_load_rlx64(word));
        kri_tx_set(tx, &table->at, at);
        kri_list_left_behind(l, tx, at, false);
        int err = kri_tx_commit(tx);
        if (err != 0)
            return err;
    }
    rest(l, tx);
    return 0;
}

int kri_list_stage(const kri_shared_object *l, kri_tx *tx, const void *bytes, size_t size)
{
    kri_list_table *table = kri_list_table_of(l);
    uint64_t at = table != NULL ? kri_load_rlx64(&table->at) : 0;
    int err = table == NULL
                  ? KR_ECORRUPT
                  : kri_list_make_room(l, tx, at, kri_shared_number(l, KRI_LIST_FIRST), at);
    if (err != 0)
        return err;
    uint64_t item = kri_list_new_item(l, tx, bytes, size);
    table = kri_list_table_of(l); /* which may be another now */
    kri_word64 *word = kri_list_word(l, at);
    if (table == NULL || word == NULL) {
        kri_tx_fail(tx, KR_ECORRUPT);
    } else if (item != 0) {
        kri_store_rlx64(word, item); /* beyond `at`: nobody looks there */
        kri_tx_set(tx, &table->at, at + 1);
    }
    return kri_tx_commit(tx);
}

int kri_list_finish(const kri_shared_object *l, kri_tx *tx)
{
    kri_list_table *table = kri_list_table_of(l);
    if (table == NULL)
        return KR_ECORRUPT;
    switch (kri_shared_number(l, KRI_LIST_WORK)) {
    case KRI_LIST_AT_REST:
        return 0;
    case KRI_LIST_CLOSE_LEFT:
        return close_hole(l, tx, table, true);
    case KRI_LIST_CLOSE_RIGHT:
        return close_hole(l, tx, table, false);
    case KRI_LIST_OPEN_LEFT:
    case KRI_LIST_OPEN_RIGHT:
        return fill_hole(l, tx, table);
    case KRI_LIST_REWRITE:
        return rewrite(l, tx, table);
    default:
        return KR_ECORRUPT;
    }
}

int kri_list_go_on(const kri_shared_object *l, kri_tx *tx)
{
    kri_list_table *table = kri_list_table_of(l);
    bool staged = kri_shared_number(l, KRI_LIST_WORK) == KRI_LIST_EXTEND;
    if (table == NULL)
        return KR_ECORRUPT;
    int err = staged ? unstage(l, tx, table) : kri_list_finish(l, tx);
    return err == 0 ? kri_tx_commit(tx) : err;
}
