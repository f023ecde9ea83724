/* An object in a manager's shared memory that one domain guards, as a handle knows it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_SHARED_OBJECT_H
#define KRI_MANAGER_SHARED_OBJECT_H

#include "manager/directory.h"
#include "manager/space.h"

/* Constant. */
typedef struct kri_shared_object {
    kri_space *space;
    kri_object_ref ref;
    unsigned domain;
} kri_shared_object;

static inline kri_word64 *kri_shared_word(const kri_shared_object *o, unsigned which)
{
    return &o->ref.object->words[which];
}

static inline uint64_t kri_shared_number(const kri_shared_object *o, unsigned which)
{
    return kri_load_rlx64(kri_shared_word(o, which));
}

/* kri_shared_enter - begin a transaction on the object's domain, in which it is there.
 *
 * 0; -ESTALE; what kri_tx_begin returns.  Then nothing is held. */
static inline int kri_shared_enter(const kri_shared_object *o, kri_tx *tx)
{
    int err = kri_tx_begin(tx, o->space, UINT64_C(1) << o->domain);
    if (__builtin_expect(err == 0 && !kri_object_is(&o->ref), 0))
        return kri_tx_cancel(tx, -ESTALE);
    return err;
}

/* Values; shared_value.c.  `size` is that of the value. */
extern const kri_kind kri_value_kind; /* arg: kri_value_made */
typedef struct kri_value_made {
    size_t size;
    const void *value; /* NULL: zero bytes */
} kri_value_made;

size_t kri_shared_value_size(const kri_shared_object *o);
int kri_shared_value_get(const kri_shared_object *o, size_t size, void *value);
int kri_shared_value_set(const kri_shared_object *o, size_t size, const void *value);
int kri_shared_value_compare_and_set(const kri_shared_object *o, size_t size, const void *expected,
                                     const void *value);
int kri_shared_value_add(const kri_shared_object *o, int64_t amount, int64_t *sum);

/* Arrays; shared_array.c.  From and count are in bytes, as `whole`, which is that of all items. */
extern const kri_kind kri_array_kind; /* arg: kri_array_made */
typedef struct kri_array_made {
    size_t item_size, length;
    const void *items; /* NULL: zero bytes */
} kri_array_made;

size_t kri_shared_array_item_size(const kri_shared_object *o);
size_t kri_shared_array_length(const kri_shared_object *o);
int kri_shared_array_get(const kri_shared_object *o, size_t whole, size_t from, size_t count,
                         void *items);
int kri_shared_array_set(const kri_shared_object *o, size_t whole, size_t from, size_t count,
                         const void *items);

#endif
