/* Where the items of a list in shared memory lie.
 *
 * State.  The chunks that there are have numbers from one before that of `first` to one after that
 * of `end`: each end may have one more, so that a list whose end goes to and fro over the border of
 * a chunk does not give it back each time.
 *
 * Protocol.  An end that grows needs a chunk for the next position; an end that comes back gives up
 * the chunk behind its own once it is in the middle of that.  The table has room for all numbers
 * that there can be, or is replaced by one of twice the length.  That is looked at where a chunk is
 * added only.  Until the next one the ends may have moved on by two chunks that were there and one
 * that was not: hence MARGIN, without which one place of the table would be that of two
 * numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_list.h"
#include <string.h>

enum { MARGIN = 4 };

static size_t table_size(uint64_t length)
{
    return sizeof(kri_list_table) + (size_t)length * sizeof(kri_word64);
}

static uint64_t chunk_of(uint64_t position)
{
    return position / KRI_LIST_CHUNK;
}

/* NULL: damaged. */
static kri_list_table *table_at(const kri_space *s, uint64_t place)
{
    if (!kri_space_has(s, place, table_size(KRI_LIST_LEAST)))
        return NULL;
    kri_list_table *table = kri_space_at(s, place);
    uint64_t length = kri_load_rlx64(&table->length);
    bool sound = length >= KRI_LIST_LEAST && (length & (length - 1)) == 0 &&
                 length < s->end / sizeof(kri_word64) &&
                 kri_space_has(s, place, table_size(length));
    return sound ? table : NULL;
}

kri_list_table *kri_list_table_of(const kri_shared_object *l)
{
    return table_at(l->space, kri_load_rlx64(&l->ref.object->body));
}

static kri_word64 *place_of(kri_list_table *table, uint64_t chunk)
{
    return &table->places[chunk & (kri_load_rlx64(&table->length) - 1)];
}

static kri_word64 *word_in(const kri_space *s, kri_list_table *table, uint64_t position)
{
    uint64_t place = kri_load_rlx64(place_of(table, chunk_of(position)));
    if (!kri_space_has(s, place, sizeof(kri_list_chunk)))
        return NULL;
    kri_list_chunk *chunk = kri_space_at(s, place);
    return &chunk->places[position % KRI_LIST_CHUNK];
}

kri_word64 *kri_list_word(const kri_shared_object *l, uint64_t position)
{
    kri_list_table *table = kri_list_table_of(l);
    return table != NULL ? word_in(l->space, table, position) : NULL;
}

kri_list_item *kri_list_item_at(const kri_shared_object *l, uint64_t place)
{
    if (!kri_space_has(l->space, place, sizeof(kri_list_item)))
        return NULL;
    kri_list_item *item = kri_space_at(l->space, place);
    uint64_t room = l->space->end - place - sizeof *item;
    return item->size <= room ? item : NULL;
}

uint64_t kri_list_new_item(const kri_shared_object *l, kri_tx *tx, const void *bytes, size_t size)
{
    size_t whole = sizeof(kri_list_item) + size;
    uint64_t place = kri_tx_alloc(tx, l->domain, whole);
    if (place == 0)
        return 0;
    kri_list_item *item = kri_space_at(l->space, place);
    item->size = size;
    if (size != 0)
        memcpy(item->bytes, bytes, size);
    return place;
}

/* One of another length, with the same chunks; its own transaction. */
static int replace_table(const kri_shared_object *l, kri_tx *tx, uint64_t length, uint64_t low,
                         uint64_t high)
{
    kri_list_table *old = kri_list_table_of(l);
    uint64_t place = kri_tx_alloc(tx, l->domain, table_size(length));
    if (place == 0)
        return kri_tx_commit(tx);
    kri_list_table *table = kri_space_at(l->space, place);
    memset(table, 0, table_size(length));
    kri_store_rlx64(&table->length, length);
    kri_store_rlx64(&table->grave.kind, KRI_GRAVE_LIST);
    for (uint64_t chunk = low; old != NULL && chunk <= high; chunk++)
        kri_store_rlx64(place_of(table, chunk), kri_load_rlx64(place_of(old, chunk)));
    if (old != NULL) {
        kri_store_rlx64(&table->at, kri_load_rlx64(&old->at)); /* of an extend */
        kri_tx_free(tx, kri_space_offset(l->space, old));
    } else {
        kri_tx_set(tx, kri_shared_word(l, KRI_LIST_FIRST), KRI_LIST_MIDDLE);
        kri_tx_set(tx, kri_shared_word(l, KRI_LIST_END), KRI_LIST_MIDDLE);
    }
    kri_tx_set(tx, &l->ref.object->body, place);
    return kri_tx_commit(tx);
}

int kri_list_make_table(const kri_shared_object *l, kri_tx *tx)
{
    if (kri_load_rlx64(&l->ref.object->body) == 0)
        return replace_table(l, tx, KRI_LIST_LEAST, 0, 0);
    return kri_list_table_of(l) != NULL ? 0 : KR_ECORRUPT;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

int kri_list_make_room(const kri_shared_object *l, kri_tx *tx, uint64_t position, uint64_t first,
                       uint64_t end)
{
    kri_list_table *table = kri_list_table_of(l);
    if (table == NULL)
        return KR_ECORRUPT;
    if (kri_load_rlx64(place_of(table, chunk_of(position))) != 0)
        return 0;
    uint64_t low = chunk_of(least(first, position)) - 1, high = chunk_of(most(end, position)) + 1;
    uint64_t length = kri_load_rlx64(&table->length);
    if (high - low + 1 + MARGIN > length) {
        int err = replace_table(l, tx, length * 2, chunk_of(first) - 1, chunk_of(end) + 1);
        table = err == 0 ? kri_list_table_of(l) : NULL;
        if (table == NULL)
            return err != 0 ? err : KR_ECORRUPT;
    }
    uint64_t chunk = kri_tx_alloc(tx, l->domain, sizeof(kri_list_chunk));
    if (chunk != 0)
        kri_tx_set(tx, place_of(table, chunk_of(position)), chunk);
    return kri_tx_commit(tx);
}

void kri_list_left_behind(const kri_shared_object *l, kri_tx *tx, uint64_t edge, bool left)
{
    if (edge % KRI_LIST_CHUNK != KRI_LIST_HALF)
        return;
    kri_list_table *table = kri_list_table_of(l);
    if (table == NULL) {
        kri_tx_fail(tx, KR_ECORRUPT);
        return;
    }
    kri_word64 *place = place_of(table, left ? chunk_of(edge) - 1 : chunk_of(edge) + 1);
    uint64_t chunk = kri_load_rlx64(place);
    if (chunk == 0)
        return;
    kri_tx_set(tx, place, 0);
    kri_tx_free(tx, chunk);
}

/* Burying: first the items go, then the chunks; so few at a time that the record needs no pages of
 * its own, which a manager that is full has not got, nor the transaction private memory: whoever
 * comes by does it, for others. */

enum { ENTRIES_A_BLOCK = 6, BLOCKS_AT_ONCE = (KRI_UNDO_INSIDE - 6) / ENTRIES_A_BLOCK };

_Static_assert((int)BLOCKS_AT_ONCE < (int)KRI_TX_FREED, "and the grave");

/* An extend that a dead one has left is buried with what it has staged. */
static uint64_t end_of_all(const kri_shared_object *l, kri_tx *tx, kri_list_table *table)
{
    if (kri_shared_number(l, KRI_LIST_WORK) == KRI_LIST_EXTEND) {
        kri_tx_set(tx, kri_shared_word(l, KRI_LIST_WORK), KRI_LIST_AT_REST);
        return kri_load_rlx64(&table->at);
    }
    int err = kri_list_finish(l, tx);
    if (err != 0)
        kri_tx_fail(tx, err);
    return kri_shared_number(l, KRI_LIST_END);
}

void kri_list_bury(const kri_shared_object *l, kri_tx *tx)
{
    kri_list_table *table = kri_list_table_of(l);
    if (table == NULL) /* it has never had one, or it is damaged */
        return;
    uint64_t end = end_of_all(l, tx, table);
    kri_tx_set(tx, &table->at, kri_shared_number(l, KRI_LIST_FIRST));
    kri_tx_set(tx, &table->to, end);
    kri_tx_set(tx, &table->item, 0);
    kri_bury(tx, l->domain, kri_space_offset(l->space, table));
    kri_tx_set(tx, &l->ref.object->body, 0);
    kri_tx_set(tx, kri_shared_word(l, KRI_LIST_FIRST), 0);
    kri_tx_set(tx, kri_shared_word(l, KRI_LIST_END), 0);
}

void kri_list_end(kri_tx *tx, kri_object *o)
{
    kri_shared_object l = {.space = tx->space, .ref = {o, kri_load_rlx64(&o->id)}};
    l.domain = kri_object_domain(&l.ref);
    kri_list_bury(&l, tx);
}

static void free_sound(kri_tx *tx, const kri_word64 *place, size_t size)
{
    uint64_t block = place != NULL ? kri_load_rlx64(place) : 0;
    if (block != 0 && kri_space_has(tx->space, block, size))
        kri_tx_free(tx, block);
}

bool kri_list_dig(kri_tx *tx, uint64_t grave)
{
    kri_list_table *table = table_at(tx->space, grave);
    if (table == NULL)
        return true;
    uint64_t at = kri_load_rlx64(&table->at), to = kri_load_rlx64(&table->to), freed = 0;
    if (!kri_list_can_be(tx->space, to - at)) /* damaged: no item can be found by these */
        at = to;
    for (; at != to && freed < BLOCKS_AT_ONCE; at++, freed++)
        free_sound(tx, word_in(tx->space, table, at), sizeof(kri_list_item));
    kri_tx_set(tx, &table->at, at);
    uint64_t next = kri_load_rlx64(&table->item), length = kri_load_rlx64(&table->length);
    for (; at == to && next < length && freed < BLOCKS_AT_ONCE; next++, freed++)
        free_sound(tx, &table->places[next], sizeof(kri_list_chunk));
    kri_tx_set(tx, &table->item, next);
    return next == length;
}
