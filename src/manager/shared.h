/* The back end in shared memory: its manager, and what the handles of its objects have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_SHARED_H
#define KRI_MANAGER_SHARED_H

#include "manager/directory.h"
#include "manager/manager.h"
#include <krait/shared_memory.h>

typedef struct kri_shared_manager {
    kr_manager face;
    kri_space space;
    kr_shared_memory *memory;
} kri_shared_manager;

static inline kri_shared_manager *kri_shared_manager_of(kr_manager *m)
{
    return (kri_shared_manager *)(void *)m;
}

/* kri_shared_open - kri_directory_open with a handle's name, which is made up if it is NULL.
 *
 *   made    receives the name */
int kri_shared_open(kr_manager *m, const char *name, const kri_kind *kind, const void *arg,
                    kri_object_ref *found, char made[KR_MANAGER_NAME + 1]);

/* The operations of each kind. */
int kri_shared_dict(kr_manager *m, const char *name, kr_dict **d);
int kri_shared_dict_as(kr_manager *m, const char *name, kr_manager_kind kind, kr_dict **d);
extern const struct kri_containers kri_shared_containers;

#endif
