/* Values and arrays in a manager's shared memory: their layout, and the steps on it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_SHARED_VALUE_H
#define KRI_MANAGER_SHARED_VALUE_H

#include "base/atomic.h"
#include <krait/lock.h>
#include <limits.h>

typedef struct kri_value_state {
    uint64_t size; /* constant */
    kr_lock lock;
    kri_word64 word; /* of 8 bytes: the value.  Else which of the two copies counts, 0 or 1 */
    uint64_t reserved[5];
} kri_value_state; /* and the two copies */

_Static_assert(offsetof(kri_value_state, size) == 0, "part of the layout");
_Static_assert(offsetof(kri_value_state, lock) == 8, "part of the layout");
_Static_assert(offsetof(kri_value_state, word) == 16, "part of the layout");
_Static_assert(sizeof(kri_value_state) == 64, "part of the layout");

size_t kri_value_state_size(size_t size);
void kri_value_state_begin(kri_value_state *s, size_t size, const void *value);
int kri_value_state_get(kri_value_state *s, size_t size, void *value);
int kri_value_state_set(kri_value_state *s, size_t size, const void *value);
int kri_value_state_compare_and_set(kri_value_state *s, size_t size, const void *expected,
                                    const void *value);
int kri_value_state_add(kri_value_state *s, int64_t amount, int64_t *sum);

typedef struct kri_array_state {
    uint64_t item_size; /* constant */
    uint64_t length;    /* constant */
    kr_lock lock;
    kri_word64 first;   /* guarded by lock: where the staged bytes belong */
    kri_word64 pending; /* guarded by lock: how many of them are to be copied there; 0: none */
    uint64_t reserved[3];
} kri_array_state; /* and the items, and as much room to stage what is to replace them */

_Static_assert(offsetof(kri_array_state, item_size) == 0, "part of the layout");
_Static_assert(offsetof(kri_array_state, length) == 8, "part of the layout");
_Static_assert(offsetof(kri_array_state, lock) == 16, "part of the layout");
_Static_assert(offsetof(kri_array_state, first) == 24, "part of the layout");
_Static_assert(offsetof(kri_array_state, pending) == 32, "part of the layout");
_Static_assert(sizeof(kri_array_state) == 64, "part of the layout");

/* All in bytes: `whole` of all items, from and count of those that are meant. */
size_t kri_array_state_size(size_t whole);
void kri_array_state_begin(kri_array_state *s, size_t item_size, size_t length, const void *items);
int kri_array_state_get(kri_array_state *s, size_t whole, size_t from, size_t count, void *items);
int kri_array_state_set(kri_array_state *s, size_t whole, size_t from, size_t count,
                        const void *items);

#endif
