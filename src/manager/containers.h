/* What a back end of a manager implements beside dicts: containers.c and its like check arguments,
 * and call these.
 *
 * Each handle begins with its table of operations; the back end fills in all of it but the manager.
 * Arguments have been checked: no NULL but where the public function allows it, timeouts not
 * negative, sizes that fit the handle.  Results are those of the public functions.  `end` frees the
 * handle; its hold on the manager is given up after it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_CONTAINERS_H
#define KRI_MANAGER_CONTAINERS_H

#include "manager/manager.h"
#include <krait/list.h>
#include <krait/managed.h>
#include <krait/managed_sync.h>

/* What every handle has, constant; a back end's own follows the struct of the kind. */
typedef struct kri_handle {
    kr_manager *manager; /* held; the public function fills it in */
    char name[KR_MANAGER_NAME + 1];
} kri_handle;

typedef struct kri_containers kri_containers; /* below */

typedef struct kri_list_ops {
    int (*append)(kr_list *l, bool left, const void *item, size_t size);
    int (*extend)(kr_list *l, const kr_bytes *items, size_t count); /* at least one */
    int (*pop)(kr_list *l, bool left, void *item, size_t room, size_t *size);
    int (*get)(kr_list *l, int64_t index, void *item, size_t room, size_t *size);
    int (*set)(kr_list *l, int64_t index, const void *item, size_t size);
    int (*insert)(kr_list *l, int64_t index, const void *item, size_t size);
    int (*take_out)(kr_list *l, int64_t index);
    int64_t (*index)(kr_list *l, const void *item, size_t size);
    int64_t (*count)(kr_list *l, const void *item, size_t size);
    int (*remove)(kr_list *l, const void *item, size_t size);
    int64_t (*length)(kr_list *l);
    int (*clear)(kr_list *l);
    int (*reverse)(kr_list *l);
    int (*sort)(kr_list *l, kr_list_compare compare, void *arg); /* compare is not NULL */
    int (*slice)(kr_list *l, int64_t first, int64_t end, kr_items **items);
    void (*end)(kr_list *l);
} kri_list_ops; /* size is never NULL */

struct kr_list {
    const kri_list_ops *ops;
    kri_handle handle;
};

typedef struct kri_value_ops {
    int (*get)(kr_managed_value *v, void *value);
    int (*set)(kr_managed_value *v, const void *value);
    int (*compare_and_set)(kr_managed_value *v, const void *expected, const void *value);
    int (*add)(kr_managed_value *v, int64_t amount, int64_t *sum); /* sum is not NULL */
    void (*end)(kr_managed_value *v);
} kri_value_ops;

struct kr_managed_value {
    const kri_value_ops *ops;
    kri_handle handle;
    size_t size;
};

typedef struct kri_array_ops {
    int (*get)(kr_managed_array *a, size_t first, size_t count, void *items);
    int (*set)(kr_managed_array *a, size_t first, size_t count, const void *items);
    void (*end)(kr_managed_array *a);
} kri_array_ops;

struct kr_managed_array {
    const kri_array_ops *ops;
    kri_handle handle;
    size_t item_size, length;
};

typedef struct kri_lock_ops {
    int (*acquire)(kr_managed_lock *l, kr_time timeout);
    int (*release)(kr_managed_lock *l);
    bool (*locked)(kr_managed_lock *l);
    int (*recover)(kr_managed_lock *l);
    int (*token)(kr_managed_lock *l, int64_t *token);
    void (*end)(kr_managed_lock *l);
} kri_lock_ops;

struct kr_managed_lock {
    const kri_lock_ops *ops;
    kri_handle handle;
};

typedef struct kri_rlock_ops {
    int (*acquire)(kr_managed_rlock *l, kr_time timeout);
    int (*release)(kr_managed_rlock *l);
    bool (*owned)(kr_managed_rlock *l);
    int (*recover)(kr_managed_rlock *l);
    void (*end)(kr_managed_rlock *l);
} kri_rlock_ops;

struct kr_managed_rlock {
    const kri_rlock_ops *ops;
    kri_handle handle;
};

typedef struct kri_condition_ops {
    int (*acquire)(kr_managed_condition *c, kr_time timeout);
    int (*release)(kr_managed_condition *c);
    int (*recover)(kr_managed_condition *c);
    int (*wait)(kr_managed_condition *c, kr_time timeout);
    int (*notify)(kr_managed_condition *c, int count); /* INT_MAX: all */
    void (*end)(kr_managed_condition *c);
} kri_condition_ops;

struct kr_managed_condition {
    const kri_condition_ops *ops;
    kri_handle handle;
};

typedef struct kri_semaphore_ops {
    int (*acquire)(kr_managed_semaphore *s, kr_time timeout);
    int (*release)(kr_managed_semaphore *s, int permits); /* at least 1 */
    int64_t (*value)(kr_managed_semaphore *s);
    void (*end)(kr_managed_semaphore *s);
} kri_semaphore_ops;

struct kr_managed_semaphore {
    const kri_semaphore_ops *ops;
    kri_handle handle;
};

typedef struct kri_event_ops {
    int (*set)(kr_managed_event *e);
    int (*clear)(kr_managed_event *e);
    bool (*is_set)(kr_managed_event *e);
    int (*wait)(kr_managed_event *e, kr_time timeout);
    void (*end)(kr_managed_event *e);
} kri_event_ops;

struct kr_managed_event {
    const kri_event_ops *ops;
    kri_handle handle;
};

typedef struct kri_barrier_ops {
    int (*wait)(kr_managed_barrier *b, kr_time timeout);
    int (*reset)(kr_managed_barrier *b);
    int (*abort)(kr_managed_barrier *b);
    unsigned (*n_waiting)(kr_managed_barrier *b);
    bool (*broken)(kr_managed_barrier *b);
    void (*end)(kr_managed_barrier *b);
} kri_barrier_ops;

struct kr_managed_barrier {
    const kri_barrier_ops *ops;
    kri_handle handle;
    unsigned parties;
};

/* Finding or making one; name NULL: one is made up, but for a queue, which holds the manager itself
 * (kri_manager_retain) until its release.  None is NULL. */
struct kri_containers {
    int (*list)(kr_list **l, kr_manager *m, const char *name);
    int (*value)(kr_managed_value **v, kr_manager *m, const char *name, size_t size,
                 const void *value);
    int (*array)(kr_managed_array **a, kr_manager *m, const char *name, size_t item_size,
                 size_t length, const void *items);
    int (*queue)(kr_queue **q, kr_manager *m, const char *name, size_t item_size, size_t maxsize,
                 const kr_queue_options *options); /* not NULL */
    int (*lock)(kr_managed_lock **l, kr_manager *m, const char *name);
    int (*rlock)(kr_managed_rlock **l, kr_manager *m, const char *name);
    int (*condition)(kr_managed_condition **c, kr_manager *m, const char *name);
    int (*semaphore)(kr_managed_semaphore **s, kr_manager *m, const char *name, int64_t permits,
                     int64_t bound);
    int (*event)(kr_managed_event **e, kr_manager *m, const char *name);
    int (*barrier)(kr_managed_barrier **b, kr_manager *m, const char *name, int64_t parties);
};

/* What every open and close of a container begins and ends with: a handle `*h` is NULL unless it
 * was opened, and holds its manager as long as it is open.
 *
 *     int err = KRI_OPEN_BEGIN(h, m, name, &kinds);
 *     if (err == 0)
 *         err = kinds->list(h, m, name);
 *     return KRI_OPEN_END(h, m, err);
 */
#define KRI_OPEN_BEGIN(h, m, name, kinds)                                                          \
    ((h) != NULL ? (*(h) = NULL, kri_containers_of(m, name, kinds)) : -EINVAL)

#define KRI_OPEN_END(h, m, err)                                                                    \
    ((err) == 0 ? (kri_manager_retain(m), (*(h))->handle.manager = (m), 0) : (err))

#define KRI_CLOSE(h)                                                                               \
    do {                                                                                           \
        if ((h) != NULL) {                                                                         \
            kr_manager *held = (h)->handle.manager;                                                \
            (h)->ops->end(h);                                                                      \
            kr_manager_release(held);                                                              \
        }                                                                                          \
    } while (0)

/* kri_containers_of - the manager's table, when both are sound: names of 1 to KR_MANAGER_NAME
 * bytes, or NULL. */
int kri_containers_of(const kr_manager *m, const char *name, const kri_containers **kinds);

#endif
