/* The names of objects in a space.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_DIRECTORY_H
#define KRI_MANAGER_DIRECTORY_H

#include "manager/table.h"
#include <krait/manager.h>

/* What a kind of object is made by. */
typedef struct kri_kind {
    kr_manager_kind kind;
    /* Fill in an object that nobody knows yet: body and words; blocks are of domain 0. */
    void (*make)(kri_tx *tx, kri_object *o, const void *arg);
} kri_kind;

/* An object that was found, as a handle keeps it. */
typedef struct kri_object_ref {
    kri_object *object;
    uint64_t id;
} kri_object_ref;

/* kri_directory_open - the object of that name, which is made if there is none.
 *
 * 1: it was made; 0; -EEXIST: it is of another kind; what `make` failed with; -EDQUOT, -ENOSPC,
 * -ETIMEDOUT, KR_ECORRUPT */
int kri_directory_open(kri_space *s, const char *name, const kri_kind *kind, const void *arg,
                       kri_object_ref *found);

/* kri_object_is - is the object still the one that was found?  With any domain locked: who takes
 * one away has them all. */
static inline bool kri_object_is(const kri_object_ref *ref)
{
    return kri_load_rlx64(&ref->object->id) == ref->id;
}

/* kri_object_domain - the one that guards an object that is not spread over all. */
static inline unsigned kri_object_domain(const kri_object_ref *ref)
{
    return (unsigned)(ref->id >> 8) % KRI_DOMAINS;
}

/* kri_directory_drop - see kr_manager_delete. */
int kri_directory_drop(kri_space *s, const char *name);

/* kri_directory_each - see kr_manager_each. */
int kri_directory_each(kri_space *s, int (*each)(const char *name, kr_manager_kind kind, void *arg),
                       void *arg);

/* One for each kind: with all domains locked, free or bury what belongs to an object, which nobody
 * will find; or fail, by kri_tx_fail(-EBUSY). */
typedef void kri_object_end(kri_tx *tx, kri_object *o);
kri_object_end kri_list_end, kri_body_end, kri_lock_end, kri_rlock_end, kri_condition_end,
    kri_barrier_end;

#endif
