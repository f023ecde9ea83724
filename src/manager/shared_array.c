/* Arrays in shared memory.
 *
 * State.  The items, and beside them as much room, the stage; nothing is pending, or bytes of the
 * stage are to be copied over some of the items.
 *
 * Protocol.  Each call holds the lock.  A set writes to the stage, where nobody looks; it says what
 * is pending, which is the moment when it has happened; it copies, and says that nothing is pending
 * any more.  Who gets the lock after a death copies what is pending, perhaps once more.
 *
 * Ordering.
 *     [array-1]  the stage is filled, and its place written, before anything is pending: else the
 *                next one copies what a dead one has not written
 *     [array-2]  the copy is whole before nothing is pending
 *
 * Why not.  Saving the old bytes and undoing: as much room and as many copies, and a reader that
 * comes after the death of a writer would have waited for nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/enter.h"
#include "manager/shared_value.h"
#include <string.h>

static size_t stride(size_t whole)
{
    return (whole + 63) & ~(size_t)63;
}

size_t kri_array_state_size(size_t whole)
{
    return sizeof(kri_array_state) + 2 * stride(whole);
}

static unsigned char *items_of(kri_array_state *s)
{
    return (unsigned char *)(s + 1);
}

static unsigned char *stage_of(kri_array_state *s, size_t whole)
{
    return items_of(s) + stride(whole);
}

void kri_array_state_begin(kri_array_state *s, size_t item_size, size_t length, const void *items)
{
    memset(s, 0, kri_array_state_size(item_size * length));
    s->item_size = item_size;
    s->length = length;
    (void)kr_lock_init(&s->lock, KR_SHARED);
    if (items != NULL)
        memcpy(items_of(s), items, item_size * length);
}

/* What is pending becomes so. */
static void settle(kri_array_state *s, size_t whole)
{
    uint64_t count = kri_load_acq64(&s->pending); /* [array-1] */
    uint64_t from = kri_load_rlx64(&s->first);
    if (count != 0 && count <= whole && from <= whole - count)
        memcpy(items_of(s) + from, stage_of(s, whole), (size_t)count);
    kri_store_rel64(&s->pending, 0); /* [array-2] */
}

static int enter(kri_array_state *s, size_t whole)
{
    int err = kri_enter(&s->lock);
    if (err == KR_OWNER_DIED) {
        settle(s, whole);
        (void)kr_lock_recover(&s->lock);
    }
    return err < 0 ? err : 0;
}

int kri_array_state_get(kri_array_state *s, size_t whole, size_t from, size_t count, void *items)
{
    int err = enter(s, whole);
    if (err != 0)
        return err;
    memcpy(items, items_of(s) + from, count);
    kri_leave(&s->lock);
    return 0;
}

int kri_array_state_set(kri_array_state *s, size_t whole, size_t from, size_t count,
                        const void *items)
{
    int err = enter(s, whole);
    if (err != 0)
        return err;
    memcpy(stage_of(s, whole), items, count);
    kri_store_rlx64(&s->first, from);
    kri_store_rel64(&s->pending, count); /* [array-1] */
    settle(s, whole);
    kri_leave(&s->lock);
    return 0;
}
