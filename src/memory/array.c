/* Shared arrays: a head, a recursive lock, the items.
 *
 *     segment   who made it, and the numbers that never change (queue/segment.h)
 *     lock      its own; unused where there is none, or another
 *     then      the items
 *
 * Protocol.  A get or a set is one copy with the lock held.  After the death of a holder there is
 * nothing to put right that the array knows of, so the lock is recovered at once, and the caller
 * told; unless the caller holds the lock already, from outside: then what to do is his decision.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "os/os.h"
#include "queue/segment.h"
#include "sync/internal.h"
#include <krait/value.h>
#include <string.h>

enum { MODES = 0666, OWNER_MAY = 0600, ALIGNMENT = 32 };

/* The numbers of the segment. */
enum { ITEM_SIZE, LENGTH, LOCKING };
enum { RAW, OWN_LOCK, GIVEN_LOCK };

typedef struct state {
    kri_segment segment;
    kr_rlock lock;
    unsigned char rest[64 - sizeof(kr_rlock)];
} state;

_Static_assert(sizeof(state) == 192, "part of the layout");

/* Constant. */
struct kr_array {
    state *state;
    size_t item_size, length;
    kr_rlock *lock; /* NULL: raw */
    size_t mapping; /* 0: the memory is the caller's */
};

static const kr_array_options defaults;

static bool are_sound(const kr_array_options *o)
{
    if (o->lock != NULL && (o->raw || !kri_lock_is_shared(&o->lock->lock)))
        return false;
    return kri_reserved_is_clear(o->reserved) && (o->mode & ~(unsigned)MODES) == 0;
}

static uint64_t locking_of(const kr_array_options *o)
{
    return o->raw ? RAW : o->lock != NULL ? GIVEN_LOCK : OWN_LOCK;
}

size_t kr_array_memory_size(size_t item_size, size_t length)
{
    size_t items;
    if (item_size == 0 || length == 0 || __builtin_mul_overflow(item_size, length, &items) ||
        items > PTRDIFF_MAX - sizeof(state))
        return 0;
    return sizeof(state) + items;
}

static int hand_out(kr_array **a, state *s, const uint64_t *numbers, kr_rlock *given)
{
    kr_array *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    *made = (kr_array){.state = s,
                       .item_size = (size_t)numbers[ITEM_SIZE],
                       .length = (size_t)numbers[LENGTH],
                       .lock = numbers[LOCKING] == RAW        ? NULL
                               : numbers[LOCKING] == OWN_LOCK ? &s->lock
                                                              : given};
    *a = made;
    return 0;
}

static int lay_out(const kr_array *a, size_t size, const void *items, const kr_array_options *o)
{
    state *s = a->state;
    memset(s, 0, sizeof *s);
    int err = kr_rlock_init(&s->lock, KR_SHARED);
    if (items != NULL)
        memcpy(s + 1, items, size - sizeof *s);
    else
        memset(s + 1, 0, size - sizeof *s);
    s->segment.kind = KRI_SEGMENT_ARRAY;
    s->segment.size = size;
    s->segment.mode = o->mode != 0 ? o->mode : OWNER_MAY;
    s->segment.parameters[ITEM_SIZE] = a->item_size;
    s->segment.parameters[LENGTH] = a->length;
    s->segment.parameters[LOCKING] = locking_of(o);
    kri_segment_make(&s->segment);
    kri_segment_open(&s->segment);
    return err;
}

int kr_array_create_at(kr_array **a, void *memory, size_t size, size_t item_size, size_t length,
                       const void *items, const kr_array_options *options)
{
    const kr_array_options *o = options != NULL ? options : &defaults;
    size_t needed = kr_array_memory_size(item_size, length);
    if (a == NULL || memory == NULL || (uintptr_t)memory % ALIGNMENT != 0 || needed == 0 ||
        !are_sound(o))
        return -EINVAL;
    if (needed > size)
        return -ENOSPC;
    uint64_t numbers[] = {item_size, length, locking_of(o)};
    kr_array *made = NULL;
    int err = hand_out(&made, memory, numbers, o->lock);
    if (err == 0)
        err = lay_out(made, needed, items, o);
    if (err == 0)
        *a = made;
    else
        kr_array_release(made);
    return err;
}

int kr_array_create(kr_array **a, size_t item_size, size_t length, const void *items,
                    const kr_array_options *options)
{
    size_t size = kr_array_memory_size(item_size, length);
    if (size == 0)
        return -EINVAL;
    void *memory = os_shared_map(size);
    if (memory == NULL)
        return -ENOMEM;
    int err = kr_array_create_at(a, memory, size, item_size, length, items, options);
    if (err == 0)
        (*a)->mapping = size;
    else
        os_shared_unmap(memory, size);
    return err;
}

int kr_array_attach(kr_array **a, void *memory, size_t size, const kr_array_options *options)
{
    const kr_array_options *o = options != NULL ? options : &defaults;
    kri_segment copy;
    if (a == NULL || memory == NULL || (uintptr_t)memory % ALIGNMENT != 0 || !are_sound(o))
        return -EINVAL;
    int err = kri_segment_read(memory, size, &copy);
    if (err != 0)
        return err;
    const uint64_t *numbers = copy.parameters;
    if (copy.kind != KRI_SEGMENT_ARRAY || numbers[LOCKING] > GIVEN_LOCK || copy.size == 0 ||
        kr_array_memory_size((size_t)numbers[ITEM_SIZE], (size_t)numbers[LENGTH]) != copy.size)
        return KR_ECORRUPT;
    if ((numbers[LOCKING] == GIVEN_LOCK) != (o->lock != NULL))
        return -EINVAL;
    return hand_out(a, memory, numbers, o->lock);
}

void kr_array_release(kr_array *a)
{
    if (a == NULL)
        return;
    if (a->mapping != 0)
        os_shared_unmap(a->state, a->mapping);
    os_free(a);
}

void kr_array_auto(kr_array **a)
{
    kr_array_release(*a);
}

size_t kr_array_length(const kr_array *a)
{
    return a->length;
}

size_t kr_array_item_size(const kr_array *a)
{
    return a->item_size;
}

void *kr_array_items(const kr_array *a)
{
    return a->state + 1;
}

kr_rlock *kr_array_lock(const kr_array *a)
{
    return a->lock;
}

/* Gets and sets */

/* 0 or KR_OWNER_DIED: it is ours, and whole as far as the array is concerned. */
static int enter(const kr_array *a, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    if (a->lock == NULL)
        return 0;
    int err = kr_rlock_acquire(a->lock, timeout);
    if (err == KR_OWNER_DIED)
        (void)kr_rlock_recover(a->lock);
    return err;
}

static void leave(const kr_array *a)
{
    if (a->lock != NULL)
        (void)kr_rlock_release(a->lock);
}

static bool are_inside(const kr_array *a, size_t first, size_t count)
{
    return first <= a->length && count <= a->length - first;
}

static unsigned char *item_at(const kr_array *a, size_t index)
{
    return (unsigned char *)(a->state + 1) + index * a->item_size;
}

int kr_array_get_slice(kr_array *a, size_t first, size_t count, void *items, kr_time timeout)
{
    if (a == NULL || (items == NULL && count != 0))
        return -EINVAL;
    if (!are_inside(a, first, count))
        return -ERANGE;
    int err = enter(a, timeout);
    if (err < 0)
        return err;
    if (count != 0)
        memcpy(items, item_at(a, first), count * a->item_size);
    leave(a);
    return err;
}

int kr_array_set_slice(kr_array *a, size_t first, size_t count, const void *items, kr_time timeout)
{
    if (a == NULL || (items == NULL && count != 0))
        return -EINVAL;
    if (!are_inside(a, first, count))
        return -ERANGE;
    int err = enter(a, timeout);
    if (err < 0)
        return err;
    if (count != 0)
        memcpy(item_at(a, first), items, count * a->item_size);
    leave(a);
    return err;
}

int kr_array_get(kr_array *a, size_t index, void *item, kr_time timeout)
{
    return kr_array_get_slice(a, index, 1, item, timeout);
}

int kr_array_set(kr_array *a, size_t index, const void *item, kr_time timeout)
{
    return kr_array_set_slice(a, index, 1, item, timeout);
}
