/* Lists in shared memory: calls that begin what takes several transactions (shared_list_work.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_list.h"
#include "os/os.h"
#include <string.h>

/* What the transaction says is under way is done, now; with its commit it has happened, and what
 * cannot be carried out in time is left to the next who has the list. */
static int carry_out(const kri_shared_object *l, kri_tx *tx)
{
    int err = kri_tx_commit(tx);
    if (err != 0)
        return kri_tx_cancel(tx, err);
    err = kri_tx_cancel(tx, kri_list_go_on(l, tx));
    return err == -ETIMEDOUT ? 0 : err;
}

/* Into the middle and out of it */

int kri_list_close(const kri_shared_object *l, kri_tx *tx, uint64_t index)
{
    uint64_t first = kri_shared_number(l, KRI_LIST_FIRST), end = kri_shared_number(l, KRI_LIST_END);
    const kri_word64 *word = kri_list_word(l, first + index);
    bool left = index < (end - first) / 2;
    if (word == NULL)
        return kri_tx_cancel(tx, KR_ECORRUPT);
    kri_tx_free(tx, kri_load_rlx64(word));
    kri_list_set_work(l, tx, left ? KRI_LIST_CLOSE_LEFT : KRI_LIST_CLOSE_RIGHT, first + index,
                      left ? first : end - 1, 0);
    return carry_out(l, tx);
}

int kri_shared_list_take_out(const kri_shared_object *l, int64_t index)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    uint64_t length = kri_list_length(l), from_first = (uint64_t)index + (index < 0 ? length : 0);
    return from_first < length ? kri_list_close(l, &tx, from_first) : kri_tx_cancel(&tx, -ENOENT);
}

/* The hole that the item is to fill comes from the nearer end, which moves out by one. */
static int open_at(const kri_shared_object *l, kri_tx *tx, uint64_t index, const void *item,
                   size_t size)
{
    uint64_t first = kri_shared_number(l, KRI_LIST_FIRST), end = kri_shared_number(l, KRI_LIST_END);
    bool left = index < (end - first) / 2;
    int err = kri_list_make_room(l, tx, left ? first - 1 : end, first, end);
    if (err != 0)
        return kri_tx_cancel(tx, err);
    uint64_t place = kri_list_new_item(l, tx, item, size);
    if (place == 0)
        return kri_tx_end(tx);
    if (left) {
        kri_tx_set(tx, kri_shared_word(l, KRI_LIST_FIRST), first - 1);
        kri_list_set_work(l, tx, KRI_LIST_OPEN_LEFT, first - 1, first + index - 1, place);
    } else {
        kri_tx_set(tx, kri_shared_word(l, KRI_LIST_END), end + 1);
        kri_list_set_work(l, tx, KRI_LIST_OPEN_RIGHT, end, first + index, place);
    }
    return carry_out(l, tx);
}

int kri_shared_list_insert(const kri_shared_object *l, int64_t index, const void *item, size_t size)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    err = kri_list_make_table(l, &tx);
    if (err != 0)
        return kri_tx_cancel(&tx, err);
    return open_at(l, &tx, kri_list_clamp(index, kri_list_length(l)), item, size);
}

/* Many at the end */

int kri_shared_list_extend(const kri_shared_object *l, const kr_bytes *items, size_t count)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    err = kri_list_make_table(l, &tx);
    if (err == 0) {
        kri_list_set_work(l, &tx, KRI_LIST_EXTEND, kri_shared_number(l, KRI_LIST_END), 0, 0);
        err = kri_tx_commit(&tx);
    }
    if (err != 0)
        return kri_tx_cancel(&tx, err);
    for (size_t i = 0; i < count && err == 0; i++)
        err = kri_list_stage(l, &tx, items[i].data, items[i].size);
    if (err != 0) {
        int worse = kri_list_go_on(l, &tx); /* they go again */
        return kri_tx_cancel(&tx, worse != 0 ? worse : err);
    }
    kri_tx_set(&tx, kri_shared_word(l, KRI_LIST_END), kri_shared_number(l, KRI_LIST_END) + count);
    kri_tx_set(&tx, kri_shared_word(l, KRI_LIST_WORK), KRI_LIST_AT_REST);
    return kri_tx_end(&tx);
}

int kri_shared_list_clear(const kri_shared_object *l)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    kri_list_bury(l, &tx);
    return kri_tx_end(&tx);
}

/* Another order */

typedef struct entry {
    kr_bytes bytes;
    uint64_t place;
} entry;

static int read_all(const kri_shared_object *l, entry *entries, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const kri_word64 *word = kri_list_word(l, kri_shared_number(l, KRI_LIST_FIRST) + i);
        uint64_t place = word != NULL ? kri_load_rlx64(word) : 0;
        const kri_list_item *item = kri_list_item_at(l, place);
        if (item == NULL)
            return KR_ECORRUPT;
        entries[i] = (entry){{item->bytes, (size_t)item->size}, place};
    }
    return 0;
}

/* Merges of longer and longer runs, to and fro between two arrays; where the result is. */
static entry *sorted(entry *from, entry *to, size_t count, kr_list_compare compare, void *arg)
{
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t a = at, middle = at + run < count ? at + run : count;
            size_t b = middle, end = middle + run < count ? middle + run : count;
            for (size_t i = at; i < end; i++) {
                bool first =
                    b == end || (a < middle && compare(&from[a].bytes, &from[b].bytes, arg) <= 0);
                to[i] = from[first ? a++ : b++];
            }
        }
        entry *other = from;
        from = to;
        to = other;
    }
    return from;
}

/* In that order, which is reversed if `backwards`. */
static int rewrite(const kri_shared_object *l, kri_tx *tx, const entry *entries, size_t count,
                   bool backwards)
{
    uint64_t block = kri_tx_alloc(tx, l->domain, count * sizeof(kri_word64));
    if (block == 0)
        return kri_tx_end(tx);
    kri_word64 *order = kri_space_at(l->space, block);
    for (size_t i = 0; i < count; i++)
        kri_store_rlx64(&order[i], entries[backwards ? count - 1 - i : i].place);
    kri_list_set_work(l, tx, KRI_LIST_REWRITE, 0, 0, block);
    return carry_out(l, tx);
}

/* compare NULL: as it is, but backwards */
static int reorder(const kri_shared_object *l, kr_list_compare compare, void *arg)
{
    kri_tx tx;
    int err = kri_list_enter(l, &tx);
    if (err != 0)
        return err;
    size_t count = (size_t)kri_list_length(l);
    if (count < 2)
        return kri_tx_cancel(&tx, 0);
    entry *entries =
        count < PTRDIFF_MAX / 2 / sizeof *entries ? os_alloc(2 * count * sizeof *entries) : NULL;
    if (entries == NULL)
        return kri_tx_cancel(&tx, -ENOMEM);
    err = read_all(l, entries, count);
    entry *result = entries;
    if (err == 0 && compare != NULL)
        result = sorted(entries, entries + count, count, compare, arg);
    err = err == 0 ? rewrite(l, &tx, result, count, compare == NULL) : kri_tx_cancel(&tx, err);
    os_free(entries);
    return err;
}

int kri_shared_list_reverse(const kri_shared_object *l)
{
    return reorder(l, NULL, NULL);
}

int kri_shared_list_sort(const kri_shared_object *l, kr_list_compare compare, void *arg)
{
    return reorder(l, compare, arg);
}
