/* The handles of a manager's locks and their kin on a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_lock.h"
#include "manager/redis_manager.h"
#include "manager/redis_sync.h"
#include "os/os.h"

/* `made` begins with the handle, and is freed where that cannot have the name. */
static int name_or_free(void *made, kri_handle *handle, kr_manager_kind kind, kr_manager *m,
                        const char *name)
{
    int err = kri_redis_name(m, name, kind, NULL, false, handle->name);
    if (err < 0)
        os_free(made);
    return err < 0 ? err : 0;
}

/* Locks */

typedef struct redis_lock {
    kr_managed_lock face; /* first */
    kri_redis_lock lock;
} redis_lock;

static kri_redis_lock *lock_of(kr_managed_lock *l)
{
    return &((redis_lock *)(void *)l)->lock;
}

static int acquire_lock(kr_managed_lock *l, kr_time timeout)
{
    kri_redis_object o = kri_redis_object_of(&l->handle);
    return kri_redis_lock_acquire(&o, lock_of(l), timeout);
}

static int release_lock(kr_managed_lock *l)
{
    kri_redis_object o = kri_redis_object_of(&l->handle);
    return kri_redis_lock_release(&o, lock_of(l));
}

static bool is_locked(kr_managed_lock *l)
{
    kri_redis_object o = kri_redis_object_of(&l->handle);
    return kri_redis_lock_locked(&o) > 0;
}

/* What a lease that ran out leaves is nothing of the lock's own. */
static int recover_lock(kr_managed_lock *l)
{
    return is_locked(l) ? 0 : -EPERM;
}

static int token_of(kr_managed_lock *l, int64_t *token)
{
    char text[KRI_REDIS_OWNER];
    return kri_redis_lease_look(&lock_of(l)->lease, text, token) ? 0 : -EPERM;
}

static void end_lock(kr_managed_lock *l)
{
    kri_redis_lease_end(&lock_of(l)->lease, l);
}

int kri_redis_open_lock(kr_managed_lock **l, kr_manager *m, const char *name)
{
    static const kri_lock_ops operations = {
        .acquire = acquire_lock,
        .release = release_lock,
        .locked = is_locked,
        .recover = recover_lock,
        .token = token_of,
        .end = end_lock,
    };
    redis_lock *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &operations;
    made->lock.time = kri_redis_manager_of(m)->lease;
    int err = name_or_free(made, &made->face.handle, KR_MANAGER_LOCK, m, name);
    if (err == 0)
        *l = &made->face;
    return err;
}

/* Recursive locks */

typedef struct redis_rlock {
    kr_managed_rlock face; /* first */
    kri_redis_lock lock;
} redis_rlock;

static kri_redis_lock *rlock_of(kr_managed_rlock *l)
{
    return &((redis_rlock *)(void *)l)->lock;
}

static int acquire_rlock(kr_managed_rlock *l, kr_time timeout)
{
    kri_redis_object o = kri_redis_object_of(&l->handle);
    return kri_redis_rlock_acquire(&o, rlock_of(l), timeout);
}

static int release_rlock(kr_managed_rlock *l)
{
    kri_redis_object o = kri_redis_object_of(&l->handle);
    return kri_redis_rlock_release(&o, rlock_of(l));
}

static bool is_owned(kr_managed_rlock *l)
{
    kri_redis_object o = kri_redis_object_of(&l->handle);
    return kri_redis_rlock_owned(&o) > 0;
}

static int recover_rlock(kr_managed_rlock *l)
{
    return is_owned(l) ? 0 : -EPERM;
}

static void end_rlock(kr_managed_rlock *l)
{
    kri_redis_lease_end(&rlock_of(l)->lease, l);
}

int kri_redis_open_rlock(kr_managed_rlock **l, kr_manager *m, const char *name)
{
    static const kri_rlock_ops operations = {
        .acquire = acquire_rlock,
        .release = release_rlock,
        .owned = is_owned,
        .recover = recover_rlock,
        .end = end_rlock,
    };
    redis_rlock *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &operations;
    made->lock.time = kri_redis_manager_of(m)->lease;
    int err = name_or_free(made, &made->face.handle, KR_MANAGER_RLOCK, m, name);
    if (err == 0)
        *l = &made->face;
    return err;
}

/* Conditions */

typedef struct redis_condition {
    kr_managed_condition face; /* first */
    kri_redis_lock lock;
} redis_condition;

static kri_redis_lock *own_lock(kr_managed_condition *c)
{
    return &((redis_condition *)(void *)c)->lock;
}

static int acquire_condition(kr_managed_condition *c, kr_time timeout)
{
    kri_redis_object o = kri_redis_object_of(&c->handle);
    return kri_redis_lock_acquire(&o, own_lock(c), timeout);
}

static int release_condition(kr_managed_condition *c)
{
    kri_redis_object o = kri_redis_object_of(&c->handle);
    return kri_redis_lock_release(&o, own_lock(c));
}

static int recover_condition(kr_managed_condition *c)
{
    kri_redis_object o = kri_redis_object_of(&c->handle);
    return kri_redis_lock_locked(&o) > 0 ? 0 : -EPERM;
}

static int wait_condition(kr_managed_condition *c, kr_time timeout)
{
    kri_redis_object o = kri_redis_object_of(&c->handle);
    return kri_redis_condition_wait(&o, own_lock(c), timeout);
}

static int notify_condition(kr_managed_condition *c, int count)
{
    kri_redis_object o = kri_redis_object_of(&c->handle);
    return kri_redis_condition_notify(&o, own_lock(c), count);
}

static void end_condition(kr_managed_condition *c)
{
    kri_redis_lease_end(&own_lock(c)->lease, c);
}

int kri_redis_open_condition(kr_managed_condition **c, kr_manager *m, const char *name)
{
    static const kri_condition_ops operations = {
        .acquire = acquire_condition,
        .release = release_condition,
        .recover = recover_condition,
        .wait = wait_condition,
        .notify = notify_condition,
        .end = end_condition,
    };
    redis_condition *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &operations;
    made->lock.time = kri_redis_manager_of(m)->lease;
    int err = name_or_free(made, &made->face.handle, KR_MANAGER_CONDITION, m, name);
    if (err == 0)
        *c = &made->face;
    return err;
}
