/* Handles of the containers of a manager in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_SHARED_CONTAINERS_H
#define KRI_MANAGER_SHARED_CONTAINERS_H

#include "manager/containers.h"
#include "manager/shared.h"
#include "manager/shared_object.h"
#include "os/os.h"

/* An object whose body is laid out by somebody else: `init`, in a block that nobody knows yet. */
typedef struct kri_body_plan {
    size_t size; /* 0: there must be one already, else -ENOENT */
    int (*init)(void *body, const struct kri_body_plan *plan);
    int64_t numbers[2]; /* kept, so that who finds the object can compare */
    size_t maxsize;     /* these two: of a queue */
    const kr_queue_options *options;
} kri_body_plan;

/* kri_body_make - for a kri_kind whose arg is such a plan. */
void kri_body_make(kri_tx *tx, kri_object *o, const void *arg);

/* kri_body_open - find or make it.  What kri_shared_open returns. */
int kri_body_open(kri_shared_object *o, kr_manager *m, const char *name, const kri_kind *kind,
                  const kri_body_plan *plan, char made[KR_MANAGER_NAME + 1]);

/* kri_body_of - where its `size` bytes lie; NULL: it was taken away. */
static inline void *kri_body_of(const kri_shared_object *o, size_t size)
{
    uint64_t body = kri_load_rlx64(&o->ref.object->body);
    bool there = kri_object_is(&o->ref) && kri_space_has(o->space, body, size);
    return there ? kri_space_at(o->space, body) : NULL;
}

static inline int64_t kri_body_number(const kri_shared_object *o, unsigned which)
{
    return (int64_t)kri_shared_number(o, which);
}

/* The handle of an object whose body is a kr_KIND: its struct, shared_KIND; KIND_of, which finds
 * the body, or NULL: it was taken away; KIND_end. */
#define KRI_SHARED_HANDLE(kind)                                                                    \
    typedef struct shared_##kind {                                                                 \
        kr_managed_##kind face;                                                                    \
        kri_shared_object object;                                                                  \
    } shared_##kind;                                                                               \
    static kr_##kind *kind##_of(kr_managed_##kind *h)                                              \
    {                                                                                              \
        return kri_body_of(&((shared_##kind *)(void *)h)->object, sizeof(kr_##kind));              \
    }                                                                                              \
    static void kind##_end(kr_managed_##kind *h)                                                   \
    {                                                                                              \
        os_free(h);                                                                                \
    }                                                                                              \
    typedef int kind##_semicolon

/* The same call of a body of that KIND, unless it was taken away or is damaged. */
#define KRI_PLAIN_BODY(kind, body, call)                                                           \
    ((body) == NULL ? -ESTALE : !kri_##kind##_is_plain(body) ? KR_ECORRUPT : (call))

/* The end of opening one: *h receives it, or what was made of it is freed. */
#define KRI_SHARED_OPENED(h, made, err)                                                            \
    ((err) == 0 ? (*(h) = &(made)->face, 0) : (os_free(made), (err)))

/* Those of locks and their kin; shared_lock.c, shared_event.c. */
int kri_shared_lock(kr_managed_lock **l, kr_manager *m, const char *name);
int kri_shared_rlock(kr_managed_rlock **l, kr_manager *m, const char *name);
int kri_shared_condition(kr_managed_condition **c, kr_manager *m, const char *name);
int kri_shared_semaphore(kr_managed_semaphore **s, kr_manager *m, const char *name, int64_t permits,
                         int64_t bound);
int kri_shared_event(kr_managed_event **e, kr_manager *m, const char *name);
int kri_shared_barrier(kr_managed_barrier **b, kr_manager *m, const char *name, int64_t parties);
int kri_shared_manager_queue(kr_queue **q, kr_manager *m, const char *name, size_t item_size,
                             size_t maxsize, const kr_queue_options *options);

#endif
