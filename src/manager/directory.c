/* The names of objects in a space.
 *
 * The directory is a dict, whose values say where each object is.  An object is 64 bytes that are
 * used again, but for nothing else, when it has been taken away: so a handle can always look there
 * whether it is the one that it knows, by a number that no two ever have.
 *     Domain 0 guards the objects that are free, and all that makes one.  Whoever takes one away
 *     holds all domains.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/directory.h"
#include "os/os.h"
#include <string.h>

enum { KIND_BITS = 8, KIND_MASK = 255 };

/* What the directory has under a name. */
typedef struct entry {
    uint64_t place;
    uint64_t kind;
} entry;

static void end_dict(kri_tx *tx, kri_object *o)
{
    kri_table_end(tx, o);
}

static kri_object_end *const ends[] = {
    [KR_MANAGER_DICT] = end_dict,
    [KR_MANAGER_LIST] = kri_list_end,
    [KR_MANAGER_SET] = end_dict,
    [KR_MANAGER_NAMESPACE] = end_dict,
    [KR_MANAGER_VALUE] = kri_body_end,
    [KR_MANAGER_ARRAY] = kri_body_end,
    [KR_MANAGER_QUEUE] = kri_body_end,
    [KR_MANAGER_LOCK] = kri_lock_end,
    [KR_MANAGER_RLOCK] = kri_rlock_end,
    [KR_MANAGER_CONDITION] = kri_condition_end,
    [KR_MANAGER_SEMAPHORE] = kri_body_end,
    [KR_MANAGER_EVENT] = kri_body_end,
    [KR_MANAGER_BARRIER] = kri_barrier_end,
};

static kri_object *root(kri_space *s)
{
    return &s->state->root;
}

/* KR_ECORRUPT; 0 and *e.place 0: no such name. */
static int look_up(kri_space *s, const kri_key *key, kri_key_place *p, entry *e)
{
    *e = (entry){0, 0};
    int err = kri_table_find(s, root(s), key, p);
    if (err != 0 || p->found.item == NULL)
        return err;
    if (p->found.item->value_size != sizeof *e)
        return KR_ECORRUPT;
    memcpy(e, kri_item_value(p->found.item), sizeof *e);
    return kri_space_has(s, e->place, sizeof(kri_object)) ? 0 : KR_ECORRUPT;
}

static uint64_t new_object(kri_tx *tx)
{
    kri_space_state *state = tx->space->state;
    uint64_t place = kri_load_rlx64(&state->free);
    if (place == 0) {
        place = kri_tx_alloc(tx, 0, sizeof(kri_object));
    } else if (kri_space_has(tx->space, place, sizeof(kri_object))) {
        const kri_object *o = kri_space_at(tx->space, place);
        kri_tx_set(tx, &state->free, kri_load_rlx64(&o->next));
    } else {
        kri_tx_fail(tx, KR_ECORRUPT);
    }
    return tx->err == 0 ? place : 0;
}

/* The id is noted, so that an undone one is known to nobody; the rest is nobody's. */
static void make(kri_tx *tx, const kri_key *key, kri_key_place *p, const kri_kind *kind,
                 const void *arg, kri_object_ref *found)
{
    kri_space_state *state = tx->space->state;
    uint64_t place = new_object(tx);
    if (place == 0)
        return;
    kri_object *o = kri_space_at(tx->space, place);
    uint64_t number = kri_load_rlx64(&state->last_id) + 1;
    entry e = {place, (uint64_t)kind->kind};
    kind->make(tx, o, arg);
    kri_tx_set(tx, &o->id, number << KIND_BITS | e.kind);
    kri_tx_set(tx, &state->last_id, number);
    kri_tx_set(tx, &state->objects, kri_load_rlx64(&state->objects) + 1);
    kri_table_put(tx, key, p, &e, sizeof e);
    *found = (kri_object_ref){o, number << KIND_BITS | e.kind};
}

int kri_directory_open(kri_space *s, const char *name, const kri_kind *kind, const void *arg,
                       kri_object_ref *found)
{
    kri_tx tx;
    kri_key_place p;
    entry e;
    kri_key key = kri_key_make(s, name, strlen(name));
    int err = kri_tx_begin(&tx, s, UINT64_C(1) << kri_key_domain(&key) | 1);
    if (err != 0)
        return err;
    err = look_up(s, &key, &p, &e);
    if (err == 0 && e.place == 0) {
        make(&tx, &key, &p, kind, arg, found);
        err = kri_tx_end(&tx);
        return err != 0 ? err : 1;
    }
    if (err == 0 && e.kind != (uint64_t)kind->kind)
        err = -EEXIST;
    if (err == 0) {
        kri_object *o = kri_space_at(s, e.place);
        *found = (kri_object_ref){o, kri_load_rlx64(&o->id)};
    }
    return kri_tx_cancel(&tx, err);
}

static void drop(kri_tx *tx, kri_key_place *p, const entry *e)
{
    kri_space_state *state = tx->space->state;
    kri_object *o = kri_space_at(tx->space, e->place);
    if (e->kind >= sizeof ends / sizeof ends[0] || ends[e->kind] == NULL) {
        kri_tx_fail(tx, KR_ECORRUPT);
        return;
    }
    ends[e->kind](tx, o);
    kri_tx_set(tx, &o->id, 0);
    kri_tx_set(tx, &o->next, kri_load_rlx64(&state->free));
    kri_tx_set(tx, &state->free, e->place);
    kri_tx_set(tx, &state->objects, kri_load_rlx64(&state->objects) - 1);
    kri_table_remove(tx, p);
}

int kri_directory_drop(kri_space *s, const char *name)
{
    kri_tx tx;
    kri_key_place p;
    entry e;
    kri_key key = kri_key_make(s, name, strlen(name));
    int err = kri_tx_begin(&tx, s, KRI_ALL_DOMAINS);
    if (err != 0)
        return err;
    err = look_up(s, &key, &p, &e);
    if (err != 0 || e.place == 0)
        return kri_tx_cancel(&tx, err != 0 ? err : -ENOENT);
    drop(&tx, &p, &e);
    err = kri_tx_end(&tx);
    if (err == 0)
        (void)kri_graves_empty(s, KRI_ALL_DOMAINS); /* what is left others do */
    return err;
}

/* A list of them */

typedef struct listed {
    struct listed *next;
    kr_manager_kind kind;
    char name[];
} listed;

static int list_one(const kri_item *item, void *arg)
{
    listed **last = arg;
    entry e;
    listed *l = os_alloc(sizeof *l + item->key_size + 1);
    if (l == NULL)
        return -ENOMEM;
    if (item->value_size == sizeof e)
        memcpy(&e, kri_item_value(item), sizeof e);
    else
        e.kind = 0;
    memcpy(l->name, item->bytes, item->key_size);
    l->kind = (kr_manager_kind)e.kind;
    l->next = *last;
    *last = l;
    return 0;
}

int kri_directory_each(kri_space *s, int (*each)(const char *name, kr_manager_kind kind, void *arg),
                       void *arg)
{
    kri_tx tx;
    listed *all = NULL;
    int err = kri_tx_begin(&tx, s, KRI_ALL_DOMAINS);
    if (err != 0)
        return err;
    err = kri_table_each(s, root(s), KRI_ALL_DOMAINS, list_one, &all);
    (void)kri_tx_end(&tx);
    while (all != NULL) {
        listed *l = all;
        all = l->next;
        if (err == 0)
            err = each(l->name, l->kind, arg);
        os_free(l);
    }
    return err;
}
