/* A manager's locks, recursive locks and conditions in shared memory: those of krait/lock.h and its
 * like, each in the body of an object.
 *
 * A handle whose object was taken away finds that out by the object's number, without a lock: who
 * takes one away sees to it that nobody is inside a call.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_containers.h"
#include "os/os.h"
#include <krait/condition.h>
#include <krait/rlock.h>
#include <limits.h>

/* Locks */

KRI_SHARED_HANDLE(lock);

static int lock_init(void *body, const kri_body_plan *plan)
{
    (void)plan;
    return kr_lock_init(body, KR_SHARED);
}

static int lock_acquire(kr_managed_lock *h, kr_time timeout)
{
    kr_lock *lock = lock_of(h);
    return lock != NULL ? kr_lock_acquire(lock, timeout) : -ESTALE;
}

static int lock_release(kr_managed_lock *h)
{
    kr_lock *lock = lock_of(h);
    return lock != NULL ? kr_lock_release(lock) : -ESTALE;
}

static bool lock_locked(kr_managed_lock *h)
{
    const kr_lock *lock = lock_of(h);
    return lock != NULL && kr_lock_locked(lock);
}

static int lock_recover(kr_managed_lock *h)
{
    kr_lock *lock = lock_of(h);
    return lock != NULL ? kr_lock_recover(lock) : -ESTALE;
}

static int lock_token(kr_managed_lock *h, int64_t *token)
{
    (void)h;
    (void)token;
    return -EOPNOTSUPP;
}

static const kri_lock_ops lock_ops = {
    .acquire = lock_acquire,
    .release = lock_release,
    .locked = lock_locked,
    .recover = lock_recover,
    .token = lock_token,
    .end = lock_end,
};

static const kri_kind lock_kind = {.kind = KR_MANAGER_LOCK, .make = kri_body_make};

int kri_shared_lock(kr_managed_lock **h, kr_manager *m, const char *name)
{
    const kri_body_plan plan = {.size = sizeof(kr_lock), .init = lock_init};
    shared_lock *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &lock_ops;
    int err = kri_body_open(&made->object, m, name, &lock_kind, &plan, made->face.handle.name);
    return KRI_SHARED_OPENED(h, made, err);
}

/* Recursive locks */

KRI_SHARED_HANDLE(rlock);

static int rlock_init(void *body, const kri_body_plan *plan)
{
    (void)plan;
    return kr_rlock_init(body, KR_SHARED);
}

static int rlock_acquire(kr_managed_rlock *h, kr_time timeout)
{
    kr_rlock *rlock = rlock_of(h);
    return rlock != NULL ? kr_rlock_acquire(rlock, timeout) : -ESTALE;
}

static int rlock_release(kr_managed_rlock *h)
{
    kr_rlock *rlock = rlock_of(h);
    return rlock != NULL ? kr_rlock_release(rlock) : -ESTALE;
}

static bool rlock_owned(kr_managed_rlock *h)
{
    const kr_rlock *rlock = rlock_of(h);
    return rlock != NULL && kr_rlock_owned(rlock);
}

static int rlock_recover(kr_managed_rlock *h)
{
    kr_rlock *rlock = rlock_of(h);
    return rlock != NULL ? kr_rlock_recover(rlock) : -ESTALE;
}

static const kri_rlock_ops rlock_ops = {
    .acquire = rlock_acquire,
    .release = rlock_release,
    .owned = rlock_owned,
    .recover = rlock_recover,
    .end = rlock_end,
};

static const kri_kind rlock_kind = {.kind = KR_MANAGER_RLOCK, .make = kri_body_make};

int kri_shared_rlock(kr_managed_rlock **h, kr_manager *m, const char *name)
{
    const kri_body_plan plan = {.size = sizeof(kr_rlock), .init = rlock_init};
    shared_rlock *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &rlock_ops;
    int err = kri_body_open(&made->object, m, name, &rlock_kind, &plan, made->face.handle.name);
    return KRI_SHARED_OPENED(h, made, err);
}

/* Conditions */

KRI_SHARED_HANDLE(condition);

static int condition_init(void *body, const kri_body_plan *plan)
{
    (void)plan;
    return kr_condition_init(body, &(kr_condition_options){.scope = KR_SHARED});
}

static int condition_acquire(kr_managed_condition *h, kr_time timeout)
{
    kr_condition *condition = condition_of(h);
    return KRI_PLAIN_BODY(condition, condition, kr_condition_acquire(condition, timeout));
}

static int condition_release(kr_managed_condition *h)
{
    kr_condition *condition = condition_of(h);
    return KRI_PLAIN_BODY(condition, condition, kr_condition_release(condition));
}

static int condition_recover(kr_managed_condition *h)
{
    kr_condition *condition = condition_of(h);
    return KRI_PLAIN_BODY(condition, condition, kr_condition_recover(condition));
}

static int condition_wait(kr_managed_condition *h, kr_time timeout)
{
    kr_condition *condition = condition_of(h);
    return KRI_PLAIN_BODY(condition, condition, kr_condition_wait(condition, timeout));
}

static int condition_notify(kr_managed_condition *h, int count)
{
    kr_condition *condition = condition_of(h);
    if (count == INT_MAX)
        return KRI_PLAIN_BODY(condition, condition, kr_condition_notify_all(condition));
    return KRI_PLAIN_BODY(condition, condition, kr_condition_notify(condition, count));
}

static const kri_condition_ops condition_ops = {
    .acquire = condition_acquire,
    .release = condition_release,
    .recover = condition_recover,
    .wait = condition_wait,
    .notify = condition_notify,
    .end = condition_end,
};

static const kri_kind condition_kind = {.kind = KR_MANAGER_CONDITION, .make = kri_body_make};

int kri_shared_condition(kr_managed_condition **h, kr_manager *m, const char *name)
{
    const kri_body_plan plan = {.size = sizeof(kr_condition), .init = condition_init};
    shared_condition *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &condition_ops;
    int err = kri_body_open(&made->object, m, name, &condition_kind, &plan, made->face.handle.name);
    return KRI_SHARED_OPENED(h, made, err);
}
