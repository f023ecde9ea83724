/* A manager on a server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_REDIS_MANAGER_H
#define KRI_MANAGER_REDIS_MANAGER_H

#include "manager/containers.h"
#include "manager/redis_object.h"

typedef struct kri_redis_manager {
    kr_manager face; /* first */
    kri_redis *redis;
    kr_time lease; /* of locks; tests set it */
} kri_redis_manager;

static inline kri_redis_manager *kri_redis_manager_of(kr_manager *m)
{
    return (kri_redis_manager *)(void *)m;
}

static inline kri_redis *kri_redis_of(kr_manager *m)
{
    return kri_redis_manager_of(m)->redis;
}

static inline kri_redis_object kri_redis_object_of(const kri_handle *handle)
{
    return (kri_redis_object){kri_redis_of(handle->manager), handle->name};
}

/* kri_redis_name - find an object's name in the register of all, or enter it.
 *
 *   name     NULL: one is made up
 *   made     receives the name
 *   numbers  what an object of its kind is made with; afterwards, what the one that is there was
 *            made with; NULL: nothing
 *   there    only one that is there already
 *
 * KRI_REDIS_MADE: it was not there; 0: it was; -EEXIST: of another kind; -ENOENT: it is not;
 * -EINVAL: a name that is krait's own. */
enum { KRI_REDIS_MADE = 1, KRI_REDIS_NUMBERS = 2 };
int kri_redis_name(kr_manager *m, const char *name, kr_manager_kind kind,
                   int64_t numbers[KRI_REDIS_NUMBERS], bool there, char made[KR_MANAGER_NAME + 1]);

/* The operations of each kind. */
extern const kri_containers kri_redis_containers;
extern const kri_list_ops kri_redis_list_ops;
extern const kri_value_ops kri_redis_value_ops;
extern const kri_array_ops kri_redis_array_ops;

/* Bytes that are there from now on, unless something is; NULL: zero bytes. */
int kri_redis_value_make(const kri_redis_object *o, size_t size, const void *value);
int kri_redis_array_make(const kri_redis_object *o, size_t size, const void *items);

/* redis_locks.c */
int kri_redis_open_lock(kr_managed_lock **l, kr_manager *m, const char *name);
int kri_redis_open_rlock(kr_managed_rlock **l, kr_manager *m, const char *name);
int kri_redis_open_condition(kr_managed_condition **c, kr_manager *m, const char *name);
int kri_redis_open_semaphore(kr_managed_semaphore **s, kr_manager *m, const char *name,
                             int64_t permits, int64_t bound);
int kri_redis_open_event(kr_managed_event **e, kr_manager *m, const char *name);
int kri_redis_open_barrier(kr_managed_barrier **b, kr_manager *m, const char *name,
                           int64_t parties);

#endif
