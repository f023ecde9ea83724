/* Dicts in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_DICT_SHARED_H
#define KRI_MANAGER_DICT_SHARED_H

#include "manager/directory.h"
#include "manager/manager.h"

typedef struct shared_dict {
    kr_dict face;
    kri_space *space;
    kri_object_ref ref;
} shared_dict;

/* kri_shared_dict_of - begin a handle, but for the manager and the name.  As kri_directory_open.
 * kri_shared_dict_of_kind - of a dict that goes by another kind. */
int kri_shared_dict_of(kri_space *s, const char *name, shared_dict *d);
int kri_shared_dict_of_kind(kri_space *s, const char *name, kr_manager_kind kind, shared_dict *d);

/* Those that are about all keys. */
int kri_shared_popitem(kr_dict *d, kr_dict_item **item);
int kri_shared_pop_key(kr_dict *d, kri_key_room *key);
int64_t kri_shared_length(kr_dict *d);
int kri_shared_clear(kr_dict *d);
int kri_shared_snapshot(kr_dict *d, kr_dict_items **items);
int kri_shared_each(kr_dict *d, int (*each)(const kr_dict_item *item, void *arg), void *arg);

#endif
