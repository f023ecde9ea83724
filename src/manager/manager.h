/* Managers and the handles of their objects: what every back end fills in.
 *
 * A back end has a struct of its own that begins with the one here, for the manager and for each
 * kind of object, and a table of operations.  The public functions check their arguments and call
 * the table; what can be made of other calls is made here, once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_MANAGER_H
#define KRI_MANAGER_MANAGER_H

#include "base/atomic.h"
#include <krait/dict.h>
#include <krait/manager.h>

/* What stands behind a manager.  Those that are NULL answer -EOPNOTSUPP. */
typedef struct kri_manager_ops {
    void (*end)(kr_manager *m); /* nobody has it any more: free it */
    int (*descriptor)(const kr_manager *m);
    int (*drop)(kr_manager *m, const char *name); /* kr_manager_delete */
    int (*each)(kr_manager *m, int (*each)(const char *name, kr_manager_kind kind, void *arg),
                void *arg);
    int (*statistics)(kr_manager *m, kr_manager_statistics *statistics);
    int (*trim)(kr_manager *m);

    /* One for each kind of object.  name: of a sound length, or NULL: make one up. */
    int (*dict)(kr_manager *m, const char *name, kr_dict **d);
    /* A dict that goes by another kind: a set, a namespace.  NULL: the server knows no kinds. */
    int (*dict_as)(kr_manager *m, const char *name, kr_manager_kind kind, kr_dict **d);
    const struct kri_containers *containers; /* all others; see containers.h */
} kri_manager_ops;

struct kr_manager {
    const kri_manager_ops *ops;
    kr_word references; /* handles of the manager and of its objects */
    kr_time timeout;
};

#define KRI_MANAGER_TIMEOUT ((kr_time)5 * 1000 * 1000 * 1000)

void kri_manager_retain(kr_manager *m);

/* kri_manager_name_check - 0; -EINVAL, -ENAMETOOLONG: no object can be called so. */
int kri_manager_name_check(const char *name);

/* kri_manager_name_make - one that no object has, most likely. */
void kri_manager_name_make(char name[KR_MANAGER_NAME + 1]);

/* Back ends: each makes a manager of a checked place, with references 1. */
int kri_shared_manager_open(kr_manager **m, const char *name, const kr_manager_options *o);
int kri_shared_manager_attach(kr_manager **m, int fd, const kr_manager_options *o);
int kri_redis_manager_open(kr_manager **m, const char *url, const kr_manager_options *o);

/* Dicts. */

/* kri_dict_open_as - kr_dict_open of one that goes by that kind. */
int kri_dict_open_as(kr_dict **d, kr_manager *m, const char *name, kr_manager_kind kind);

/* Where a key is to be copied to. */
typedef struct kri_key_room {
    void *bytes;
    size_t room, size; /* size: of the key, also where it does not fit */
} kri_key_room;

/* Arguments are sound: keys have 0 to KR_DICT_KEY bytes, `found_size` and the like are never NULL
 * here.  What each does and returns: krait/dict.h. */
typedef struct kri_dict_ops {
    void (*end)(kr_dict *d); /* free the handle; its hold on the manager is given up after it */
    int (*get)(kr_dict *d, const void *key, size_t key_size, void *value, size_t room,
               size_t *size);
    int (*set)(kr_dict *d, const void *key, size_t key_size, const void *value, size_t size);
    int (*setdefault)(kr_dict *d, const void *key, size_t key_size, const void *value, size_t size,
                      void *found, size_t room, size_t *found_size);
    int (*pop)(kr_dict *d, const void *key, size_t key_size, void *value, size_t room,
               size_t *size);
    int (*popitem)(kr_dict *d, kr_dict_item **item);
    int (*drop)(kr_dict *d, const void *key, size_t key_size); /* kr_dict_delete */
    int (*contains)(kr_dict *d, const void *key, size_t key_size);
    int64_t (*length)(kr_dict *d);
    int (*clear)(kr_dict *d);
    int (*compare_and_set)(kr_dict *d, const void *key, size_t key_size, const void *expected,
                           size_t expected_size, const void *value, size_t size);
    int (*add)(kr_dict *d, const void *key, size_t key_size, int64_t addend, int64_t *result);
    int (*batch)(kr_dict *d, kr_dict_operation *operations, size_t count);
    int (*snapshot)(kr_dict *d, kr_dict_items **items);
    int (*each)(kr_dict *d, int (*each)(const kr_dict_item *item, void *arg), void *arg);
    /* Take any one away if its key fits; -ENOENT, -ERANGE.  NULL: by each and drop */
    int (*pop_key)(kr_dict *d, kri_key_room *key);
    /* NULL: by get with more and more room */
    int (*get_new)(kr_dict *d, const void *key, size_t key_size, void **value, size_t *size);
} kri_dict_ops;

struct kr_dict {
    const kri_dict_ops *ops;
    kr_manager *manager; /* held */
    char name[KR_MANAGER_NAME + 1];
};

/* kri_dict_item_make - one in memory from malloc, of which the bytes are to be copied in; NULL. */
kr_dict_item *kri_dict_item_make(size_t key_size, size_t value_size, unsigned char **key,
                                 unsigned char **value);

/* Items of a snapshot: a list of kri_dict_item_make's, ended by kr_dict_items_release. */
kr_dict_items *kri_dict_items_make(void);                         /* NULL: -ENOMEM */
int kri_dict_items_add(kr_dict_items *items, kr_dict_item *item); /* -ENOMEM; takes the item */

#endif
