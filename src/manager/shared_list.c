/* Lists in shared memory: what takes one transaction.
 *
 * Protocol.  Each call is a transaction on the object's domain; it begins with a look whether the
 * object is still this list, and whether something is under way that a dead one has left
 * (shared_list_work.c).  A new item, and its place beyond an end, are written where nobody looks;
 * the end that moves is what makes it one.  An item that is taken is copied out before the end
 * moves, and its memory is free with the commit.
 *
 * Ordering.  The domain's lock orders all of it; after a death, see undo.c.
 *
 * Why not.  A lock of its own for each end: an append would still have to share the heap and the
 * record of what is undone with the other end, and one lock is two atomic operations.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/items.h"
#include "manager/shared_list.h"
#include <string.h>

int kri_list_enter(const kri_shared_object *l, kri_tx *tx)
{
    int err = kri_shared_enter(l, tx);
    if (err == 0 && !kri_list_can_be(l->space, kri_list_length(l)))
        return kri_tx_cancel(tx, KR_ECORRUPT);
    if (err == 0 && __builtin_expect(kri_shared_number(l, KRI_LIST_WORK) != KRI_LIST_AT_REST, 0)) {
        err = kri_list_go_on(l, tx);
        if (err != 0)
            return kri_tx_cancel(tx, err);
    }
    return err;
}

static void make(kri_tx *tx, kri_object *o, const void *arg)
{
    (void)tx;
    (void)arg;
    kri_store_rlx64(&o->body, 0);
    for (unsigned i = KRI_LIST_FIRST; i <= KRI_LIST_WORK; i++)
        kri_store_rlx64(&o->words[i], 0);
}

const kri_kind kri_list_kind = {.kind = KR_MANAGER_LIST, .make = make};

/* Adding at the ends */

/* The position is beside an end, and gets the item. */
static void put(const kri_shared_object *l, kri_tx *tx, bool left, uint64_t position,
                const void *item, size_t size)
{
    uint64_t place = kri_list_new_item(l, tx, item, size);
    kri_word64 *word = kri_list_word(l, position);
    if (word == NULL)
        kri_tx_fail(tx, KR_ECORRUPT);
    if (word == NULL || place == 0)
        return;
    kri_store_rlx64(word, place); /* not in the list yet */
    if (left)
        kri_tx_set(tx, kri_shared_word(l, KRI_LIST_FIRST), position);
    else
        kri_tx_set(tx, kri_shared_word(l, KRI_LIST_END), position + 1);
}

int kri_shared_list_append(const kri_shared_object *l, bool left, const void *item, size_t size)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    err = kri_list_make_table(l, &tx);
    uint64_t first = kri_shared_number(l, KRI_LIST_FIRST), end = kri_shared_number(l, KRI_LIST_END);
    uint64_t position = left ? first - 1 : end;
    if (err == 0)
        err = kri_list_make_room(l, &tx, position, first, end);
    if (err != 0)
        return kri_tx_cancel(&tx, err);
    put(l, &tx, left, position, item, size);
    return kri_tx_end(&tx);
}

/* Looking */

/* The word of the item with that index; -ENOENT, KR_ECORRUPT. */
static int find(const kri_shared_object *l, int64_t index, kri_word64 **word)
{
    uint64_t length = kri_list_length(l);
    uint64_t from_first = (uint64_t)index + (index < 0 ? length : 0);
    if (from_first >= length)
        return -ENOENT;
    *word = kri_list_word(l, kri_shared_number(l, KRI_LIST_FIRST) + from_first);
    return *word != NULL ? 0 : KR_ECORRUPT;
}

static int copy_out(const kri_shared_object *l, const kri_word64 *word, void *bytes, size_t room,
                    size_t *size)
{
    const kri_list_item *item = kri_list_item_at(l, kri_load_rlx64(word));
    if (item == NULL)
        return KR_ECORRUPT;
    *size = (size_t)item->size;
    if (item->size > room)
        return -ERANGE;
    if (item->size != 0)
        memcpy(bytes, item->bytes, (size_t)item->size);
    return 0;
}

int kri_shared_list_get(const kri_shared_object *l, int64_t index, void *item, size_t room,
                        size_t *size)
{
    kri_tx tx;
    kri_word64 *word = NULL;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    err = find(l, index, &word);
    if (err == 0)
        err = copy_out(l, word, item, room, size);
    return kri_tx_cancel(&tx, err);
}

int64_t kri_shared_list_length(const kri_shared_object *l)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    uint64_t length = kri_list_length(l);
    err = kri_tx_cancel(&tx, 0);
    return err != 0 ? err : (int64_t)length;
}

/* Taking and replacing */

int kri_shared_list_pop(const kri_shared_object *l, bool left, void *item, size_t room,
                        size_t *size)
{
    kri_tx tx;
    kri_word64 *word = NULL;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    err = find(l, left ? 0 : -1, &word);
    if (err == 0)
        err = copy_out(l, word, item, room, size);
    if (err != 0)
        return kri_tx_cancel(&tx, err);
    unsigned which = left ? KRI_LIST_FIRST : KRI_LIST_END;
    uint64_t edge = kri_shared_number(l, which) + (left ? 1 : UINT64_MAX);
    kri_tx_free(&tx, kri_load_rlx64(word));
    kri_tx_set(&tx, kri_shared_word(l, which), edge);
    kri_list_left_behind(l, &tx, edge, left);
    return kri_tx_end(&tx);
}

int kri_shared_list_set(const kri_shared_object *l, int64_t index, const void *item, size_t size)
{
    kri_tx tx;
    kri_word64 *word = NULL;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    err = find(l, index, &word);
    if (err != 0)
        return kri_tx_cancel(&tx, err);
    uint64_t place = kri_list_new_item(l, &tx, item, size);
    if (place != 0) {
        kri_tx_free(&tx, kri_load_rlx64(word));
        kri_tx_set(&tx, word, place);
    }
    return kri_tx_end(&tx);
}

/* Looking at many */

typedef struct search {
    const void *item;
    size_t size;
    int64_t first; /* -ENOENT: not found */
    int64_t count;
} search;

/* All of them, or to the first. */
static int look(const kri_shared_object *l, search *s, bool all)
{
    uint64_t from = kri_shared_number(l, KRI_LIST_FIRST), length = kri_list_length(l);
    for (uint64_t i = 0; i < length; i++) {
        const kri_word64 *word = kri_list_word(l, from + i);
        const kri_list_item *item = word != NULL ? kri_list_item_at(l, kri_load_rlx64(word)) : NULL;
        if (item == NULL)
            return KR_ECORRUPT;
        if (item->size != s->size || (s->size != 0 && memcmp(item->bytes, s->item, s->size) != 0))
            continue;
        if (s->count++ == 0)
            s->first = (int64_t)i;
        if (!all)
            break;
    }
    return 0;
}

static int look_alone(const kri_shared_object *l, search *s, bool all)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    return err == 0 ? kri_tx_cancel(&tx, look(l, s, all)) : err;
}

int64_t kri_shared_list_index(const kri_shared_object *l, const void *item, size_t size)
{
    search s = {.item = item, .size = size, .first = -ENOENT};
    int err = look_alone(l, &s, false);
    return err != 0 ? err : s.first;
}

int64_t kri_shared_list_count(const kri_shared_object *l, const void *item, size_t size)
{
    search s = {.item = item, .size = size, .first = -ENOENT};
    int err = look_alone(l, &s, true);
    return err != 0 ? err : s.count;
}

int kri_shared_list_remove(const kri_shared_object *l, const void *item, size_t size)
{
    kri_tx tx;
    search s = {.item = item, .size = size, .first = -ENOENT};
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    err = look(l, &s, false);
    if (err == 0 && s.first < 0)
        err = -ENOENT;
    return err == 0 ? kri_list_close(l, &tx, (uint64_t)s.first) : kri_tx_cancel(&tx, err);
}

/* A slice */

static int copy_range(const kri_shared_object *l, uint64_t from, uint64_t count, kr_items **items)
{
    size_t bytes = 0;
    for (uint64_t i = 0; i < 2 * count; i++) { /* measure, then copy */
        const kri_word64 *word = kri_list_word(l, from + i % count);
        const kri_list_item *item = word != NULL ? kri_list_item_at(l, kri_load_rlx64(word)) : NULL;
        if (item == NULL)
            return KR_ECORRUPT;
        if (i < count)
            bytes += (size_t)item->size;
        else
            kri_items_add(*items, item->bytes, (size_t)item->size);
        if (i + 1 == count)
            *items = kri_items_new((size_t)count, bytes);
        if (i + 1 == count && *items == NULL)
            return -ENOMEM;
    }
    if (count == 0)
        *items = kri_items_new(0, 0);
    return *items != NULL ? 0 : -ENOMEM;
}

int kri_shared_list_slice(const kri_shared_object *l, int64_t first, int64_t end, kr_items **items)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    uint64_t length = kri_list_length(l), from = kri_list_clamp(first, length);
    uint64_t to = kri_list_clamp(end, length);
    uint64_t count = from < to ? to - from : 0;
    err = copy_range(l, kri_shared_number(l, KRI_LIST_FIRST) + from, count, items);
    if (err != 0) {
        kr_items_release(*items);
        *items = NULL;
    }
    return kri_tx_cancel(&tx, err);
}
