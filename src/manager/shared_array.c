/* Arrays in shared memory.
 *
 * State.  The items, and beside them as much room, the stage; nothing is pending, or bytes of the
 * stage are to be copied over some of the items.
 *
 * Fields.  Of the object:
 *     words[ITEM_SIZE], words[LENGTH], body   constant
 *     words[FROM]     guarded by its domain: where the staged bytes belong
 *     words[PENDING]  guarded by its domain: how many of them are to be copied there; 0: nothing is
 *
 * Protocol.  Each call holds the domain's lock.  A set writes to the stage, where nobody looks; it
 * says what is pending, which is the moment when it has happened; it copies, and says that nothing
 * is pending any more.  Whoever comes next after a death copies what is pending, perhaps once more.
 *
 * Ordering.
 *     [array-1]  the stage is filled, and its place written, before anything is pending: else the
 *                next one copies what a dead one has not written; and the copy is whole before
 *                nothing is pending
 *
 * Why not.  Words by kri_tx_set: two words of the record for each, and a record has an end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_object.h"
#include <string.h>

enum { ITEM_SIZE, LENGTH, FROM, PENDING };
enum { LINE = 64 };

static size_t stride(size_t whole)
{
    return (whole + LINE - 1) & ~(size_t)(LINE - 1);
}

static void make(kri_tx *tx, kri_object *o, const void *arg)
{
    const kri_array_made *a = arg;
    size_t whole = a->item_size * a->length;
    if (whole == 0) {
        kri_tx_fail(tx, -ENOENT);
        return;
    }
    uint64_t body = kri_tx_alloc(tx, 0, 2 * stride(whole));
    kri_store_rlx64(&o->body, body);
    kri_store_rlx64(&o->words[ITEM_SIZE], a->item_size);
    kri_store_rlx64(&o->words[LENGTH], a->length);
    kri_store_rlx64(&o->words[FROM], 0);
    kri_store_rlx64(&o->words[PENDING], 0);
    if (body != 0 && a->items != NULL)
        memcpy(kri_space_at(tx->space, body), a->items, whole);
    else if (body != 0)
        memset(kri_space_at(tx->space, body), 0, whole);
}

const kri_kind kri_array_kind = {.kind = KR_MANAGER_ARRAY, .make = make};

size_t kri_shared_array_item_size(const kri_shared_object *o)
{
    return (size_t)kri_shared_number(o, ITEM_SIZE);
}

size_t kri_shared_array_length(const kri_shared_object *o)
{
    return (size_t)kri_shared_number(o, LENGTH);
}

/* NULL: damaged. */
static unsigned char *items_of(const kri_shared_object *o, size_t whole)
{
    uint64_t body = kri_load_rlx64(&o->ref.object->body);
    return kri_space_has(o->space, body, 2 * stride(whole)) ? kri_space_at(o->space, body) : NULL;
}

/* What is pending becomes so. */
static void settle(const kri_shared_object *o, unsigned char *items, size_t whole)
{
    uint64_t count = kri_load_acq64(kri_shared_word(o, PENDING)); /* [array-1] */
    uint64_t from = kri_shared_number(o, FROM);
    if (count != 0 && count <= whole && from <= whole - count)
        memcpy(items + from, items + stride(whole), (size_t)count);
    kri_store_rel64(kri_shared_word(o, PENDING), 0); /* [array-1] */
}

static int enter(const kri_shared_object *o, kri_tx *tx, size_t whole, unsigned char **items)
{
    int err = kri_shared_enter(o, tx);
    if (err != 0)
        return err;
    *items = items_of(o, whole);
    if (*items == NULL)
        return kri_tx_cancel(tx, KR_ECORRUPT);
    if (__builtin_expect(kri_shared_number(o, PENDING) != 0, 0))
        settle(o, *items, whole);
    return 0;
}

int kri_shared_array_get(const kri_shared_object *o, size_t whole, size_t from, size_t count,
                         void *items)
{
    kri_tx tx;
    unsigned char *all;
    int err = enter(o, &tx, whole, &all);
    if (err != 0)
        return err;
    memcpy(items, all + from, count);
    return kri_tx_cancel(&tx, 0);
}

int kri_shared_array_set(const kri_shared_object *o, size_t whole, size_t from, size_t count,
                         const void *items)
{
    kri_tx tx;
    unsigned char *all;
    int err = enter(o, &tx, whole, &all);
    if (err != 0)
        return err;
    memcpy(all + stride(whole), items, count);
    kri_store_rlx64(kri_shared_word(o, FROM), from);
    kri_store_rel64(kri_shared_word(o, PENDING), count); /* [array-1] */
    settle(o, all, whole);
    return kri_tx_end(&tx);
}
