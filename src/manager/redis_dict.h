/* A manager's dicts and sets on a server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_REDIS_DICT_H
#define KRI_MANAGER_REDIS_DICT_H

#include "manager/redis_manager.h"

extern const kri_dict_ops kri_redis_dict_ops; /* a HASH */
extern const kri_dict_ops kri_redis_set_ops;  /* a SET, as a dict whose values are empty */

static inline kri_redis_object kri_redis_object_of_dict(const kr_dict *d)
{
    return (kri_redis_object){kri_redis_of(d->manager), d->name};
}

extern const kri_redis_script kri_redis_set_default;
extern const kri_redis_script kri_redis_pop_key;

void kri_redis_dict_end(kr_dict *d);
int kri_redis_dict_batch(kr_dict *d, kr_dict_operation *operations, size_t count);

/* Out of answers: a copy of an item, value NULL: it has none; copies of all, each `step` further
 * on; a call with one. */
int kri_redis_item_of(const kri_reply *key, const kri_reply *value, kr_dict_item **item);
int kri_redis_items_of(const kri_reply *reply, size_t step, kr_dict_items **items);
int kri_redis_each(const kri_reply *key, const kri_reply *value,
                   int (*each)(const kr_dict_item *item, void *arg), void *arg);

#endif
