/* Values of each runner: kr_local.
 *
 * State.  A local has a slot number once it was touched.  Each party has a table that leads from
 * slot to value; each local has a list of its values.  A value is in both or in neither.
 *
 * Fields.
 *     local->slot      set once, by the first touch, under the lock; 0 again by kr_local_destroy
 *     local->values    the lock
 *     party->locals    its party
 *     table->count, table->slots   changed by the table's party under the lock, read by it without
 *     table->slots[i]  changed under the lock; read without it by the table's party, for a local
 *                      that is in use
 *     value->next, previous, slot, owner   the lock
 *
 * Protocol.
 *     Get.  The party looks into its own table, without a lock.  It cannot meet a change: another
 *     thread clears a slot only in kr_local_destroy, when nobody may use that local, and the slot
 *     is given to the next local only after it was cleared everywhere.  That is why a new local
 *     never sees the values of an old one: not because of an address, a slot or a number, but
 *     because there are none.
 *
 *     End of a value.  Whoever takes it out of table and list, under the lock, destroys it, without
 *     the lock.  So a party that ends and kr_local_destroy may meet, and each value is destroyed
 *     once.  A value knows its destructor and does not need its local any more.
 *
 *     End of a party.  Destructors may touch locals, so the table is gone through again until it is
 *     empty; after ROUNDS rounds the rest is left to kr_local_destroy.
 *
 *     Fork.  Values of threads that are not in the child stay in the lists until kr_local_destroy.
 *
 * Ordering.
 *     [local-1] the slot is stored with release and loaded with acquire: who sees the number sees
 *               it cleared in his table
 *
 * Why not a C thread_local?  It has no destructor in C, no instance for a coroutine, and cannot be
 * a member of an object.  Why not the address of the local as the key of a hash table?  Every get
 * would pay for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "thread/thread.h"
#include <string.h>

enum { ROUNDS = 64, FIRST_SLOTS = 8 };

typedef struct kri_local_value value;

typedef struct table {
    uint32_t count;
    value **slots;
} table;

struct kri_local_value {
    value *next;
    value *previous;
    kr_local *local;
    table *owner;
    uint32_t slot;
    void (*destroy)(void *value);
    max_align_t bytes[];
};

static kri_mutex lock KRI_GLOBAL;
static uint64_t *used_slots KRI_GLOBAL; /* one bit a slot; guarded by lock */
static uint32_t used_words KRI_GLOBAL;

void kri_locals_lock(void)
{
    kri_mutex_lock(&lock);
}

void kri_locals_unlock(void)
{
    kri_mutex_unlock(&lock);
}

/* Slots; all with the lock held. */

static bool grow_used_slots(void)
{
    uint32_t words = used_words == 0 ? 1 : used_words * 2;
    uint64_t *grown = os_alloc(words * sizeof *grown);
    if (grown == NULL)
        return false;
    if (used_words > 0)
        memcpy(grown, used_slots, used_words * sizeof *grown);
    os_free(used_slots);
    used_slots = grown;
    used_words = words;
    return true;
}

/* The number of a free slot + 1, 0: no memory. */
static uint32_t take_slot(void)
{
    for (uint32_t word = 0; word < used_words || grow_used_slots(); word++) {
        if (used_slots[word] == UINT64_MAX)
            continue;
        uint32_t bit = (uint32_t)__builtin_ctzll(~used_slots[word]);
        used_slots[word] |= (uint64_t)1 << bit;
        return word * 64 + bit + 1;
    }
    return 0;
}

static void give_slot(uint32_t slot)
{
    used_slots[slot / 64] &= ~((uint64_t)1 << (slot % 64));
}

static bool has_slot(kr_local *local)
{
    if (kri_load_rlx(&local->slot) == 0)
        kri_store_rel(&local->slot, take_slot()); /* [local-1] */
    return kri_load_rlx(&local->slot) != 0;
}

/* Tables; all with the lock held. */

static bool grow_table(table *t, uint32_t slot)
{
    uint32_t count = t->count == 0 ? FIRST_SLOTS : t->count;
    while (count <= slot)
        count *= 2;
    value **grown = os_alloc(count * sizeof *grown);
    if (grown == NULL)
        return false;
    if (t->count > 0)
        memcpy(grown, t->slots, t->count * sizeof *grown);
    os_free(t->slots);
    t->slots = grown;
    t->count = count;
    return true;
}

static void enter(value *v, kr_local *local, table *t, uint32_t slot)
{
    v->local = local;
    v->owner = t;
    v->slot = slot;
    v->next = local->values;
    if (v->next != NULL)
        v->next->previous = v;
    local->values = v;
    t->slots[slot] = v;
}

static void leave(value *v)
{
    *(v->previous != NULL ? &v->previous->next : &v->local->values) = v->next;
    if (v->next != NULL)
        v->next->previous = v->previous;
    v->owner->slots[v->slot] = NULL;
}

/* Without the lock; the value is in no table and no list. */
static void destroy(value *v)
{
    if (v->destroy != NULL)
        v->destroy(v->bytes);
    os_free(v);
}

/* The calling party. */

static table *own_table(void)
{
    kri_party *self = kri_party_self();
    if (self->locals == NULL) {
        self->locals = os_alloc(sizeof(table));
        if (self->locals != NULL)
            os_at_thread_end(kri_thread_ending);
    }
    return self->locals;
}

static value *find(kr_local *local)
{
    table *t = kri_party_self()->locals;
    uint32_t slot = kri_load_acq(&local->slot); /* [local-1] */
    return t != NULL && slot != 0 && slot <= t->count ? t->slots[slot - 1] : NULL;
}

static bool add(value *v, kr_local *local, table *t)
{
    kri_mutex_lock(&lock);
    bool done = has_slot(local);
    uint32_t slot = kri_load_rlx(&local->slot) - 1;
    if (done && slot >= t->count)
        done = grow_table(t, slot);
    if (done)
        enter(v, local, t, slot);
    kri_mutex_unlock(&lock);
    return done;
}

static void take_out(value *v)
{
    kri_mutex_lock(&lock);
    leave(v);
    kri_mutex_unlock(&lock);
}

/* The value can be found while it is initialised, so that init may itself come through get. */
static void *make(kr_local *local)
{
    table *t = own_table();
    if (t == NULL || local->size > SIZE_MAX / 2)
        return NULL;
    value *v = os_alloc(sizeof *v + local->size);
    if (v == NULL)
        return NULL;
    v->destroy = local->destroy;
    if (!add(v, local, t)) {
        os_free(v);
        return NULL;
    }
    if (local->init == NULL || local->init(v->bytes) >= 0)
        return v->bytes;
    take_out(v);
    os_free(v);
    return NULL;
}

void kr_local_init(kr_local *local, size_t bytes, int (*init)(void *),
                   void (*destroy_value)(void *))
{
    *local = (kr_local)KR_LOCAL_INIT(bytes, init, destroy_value);
}

void *kr_local_get(kr_local *local)
{
    value *v = find(local);
    return v != NULL ? v->bytes : make(local);
}

void *kr_local_peek(kr_local *local)
{
    value *v = find(local);
    return v != NULL ? v->bytes : NULL;
}

void kr_local_clear(kr_local *local)
{
    value *v = find(local);
    if (v == NULL)
        return;
    take_out(v);
    destroy(v);
}

/* Ends. */

static value *take_first(kr_local *local)
{
    kri_mutex_lock(&lock);
    value *v = local->values;
    if (v != NULL) {
        leave(v);
    } else if (kri_load_rlx(&local->slot) != 0) {
        give_slot(kri_load_rlx(&local->slot) - 1);
        kri_store_rlx(&local->slot, 0);
    }
    kri_mutex_unlock(&lock);
    return v;
}

void kr_local_destroy(kr_local *local)
{
    for (value *v = take_first(local); v != NULL; v = take_first(local))
        destroy(v);
}

static value *take_slot_value(table *t, uint32_t i)
{
    kri_mutex_lock(&lock);
    value *v = t->slots[i];
    if (v != NULL)
        leave(v);
    kri_mutex_unlock(&lock);
    return v;
}

static bool destroy_all(table *t)
{
    bool any = false;
    for (uint32_t i = 0; i < t->count; i++) {
        value *v = take_slot_value(t, i);
        if (v == NULL)
            continue;
        any = true;
        destroy(v);
    }
    return any;
}

void kri_locals_end(kri_party *party)
{
    table *t = party->locals;
    if (t == NULL)
        return;
    int rounds = 0;
    while (destroy_all(t) && ++rounds < ROUNDS)
        ;
    party->locals = NULL;
    if (rounds == ROUNDS)
        return;
    os_free(t->slots);
    os_free(t);
}
