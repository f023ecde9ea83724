/* The public face of a manager's locks, recursive locks and conditions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/containers.h"
#include "wait/wait.h"
#include <limits.h>

/* Locks */

int kr_managed_lock_open(kr_managed_lock **l, kr_manager *m, const char *name)
{
    if (l == NULL)
        return -EINVAL;
    *l = NULL;
    int err;
    const kri_containers *kinds = kri_containers_check(m, name, &err);
    if (kinds == NULL)
        return err;
    err = kinds->lock != NULL ? kinds->lock(l, m, name) : -EOPNOTSUPP;
    if (err == 0)
        kri_handle_hold(&(*l)->handle, m);
    return err;
}

void kr_managed_lock_close(kr_managed_lock *l)
{
    if (l == NULL)
        return;
    kr_manager *m = l->handle.manager;
    l->ops->end(l);
    kr_manager_release(m);
}

void kr_managed_lock_auto(kr_managed_lock **l)
{
    kr_managed_lock_close(*l);
}

const char *kr_managed_lock_name(const kr_managed_lock *l)
{
    return l != NULL ? l->handle.name : NULL;
}

int kr_managed_lock_acquire(kr_managed_lock *l, kr_time timeout)
{
    return l != NULL && timeout >= 0 ? l->ops->acquire(l, timeout) : -EINVAL;
}

int kr_managed_lock_release(kr_managed_lock *l)
{
    return l != NULL ? l->ops->release(l) : -EINVAL;
}

bool kr_managed_lock_locked(kr_managed_lock *l)
{
    return l != NULL && l->ops->locked(l);
}

int kr_managed_lock_recover(kr_managed_lock *l)
{
    return l != NULL ? l->ops->recover(l) : -EINVAL;
}

int kr_managed_lock_token(kr_managed_lock *l, int64_t *token)
{
    return l != NULL && token != NULL ? l->ops->token(l, token) : -EINVAL;
}

/* Recursive locks */

int kr_managed_rlock_open(kr_managed_rlock **l, kr_manager *m, const char *name)
{
    if (l == NULL)
        return -EINVAL;
    *l = NULL;
    int err;
    const kri_containers *kinds = kri_containers_check(m, name, &err);
    if (kinds == NULL)
        return err;
    err = kinds->rlock != NULL ? kinds->rlock(l, m, name) : -EOPNOTSUPP;
    if (err == 0)
        kri_handle_hold(&(*l)->handle, m);
    return err;
}

void kr_managed_rlock_close(kr_managed_rlock *l)
{
    if (l == NULL)
        return;
    kr_manager *m = l->handle.manager;
    l->ops->end(l);
    kr_manager_release(m);
}

void kr_managed_rlock_auto(kr_managed_rlock **l)
{
    kr_managed_rlock_close(*l);
}

const char *kr_managed_rlock_name(const kr_managed_rlock *l)
{
    return l != NULL ? l->handle.name : NULL;
}

int kr_managed_rlock_acquire(kr_managed_rlock *l, kr_time timeout)
{
    return l != NULL && timeout >= 0 ? l->ops->acquire(l, timeout) : -EINVAL;
}

int kr_managed_rlock_release(kr_managed_rlock *l)
{
    return l != NULL ? l->ops->release(l) : -EINVAL;
}

bool kr_managed_rlock_owned(kr_managed_rlock *l)
{
    return l != NULL && l->ops->owned(l);
}

int kr_managed_rlock_recover(kr_managed_rlock *l)
{
    return l != NULL ? l->ops->recover(l) : -EINVAL;
}

/* Conditions */

int kr_managed_condition_open(kr_managed_condition **c, kr_manager *m, const char *name)
{
    if (c == NULL)
        return -EINVAL;
    *c = NULL;
    int err;
    const kri_containers *kinds = kri_containers_check(m, name, &err);
    if (kinds == NULL)
        return err;
    err = kinds->condition != NULL ? kinds->condition(c, m, name) : -EOPNOTSUPP;
    if (err == 0)
        kri_handle_hold(&(*c)->handle, m);
    return err;
}

void kr_managed_condition_close(kr_managed_condition *c)
{
    if (c == NULL)
        return;
    kr_manager *m = c->handle.manager;
    c->ops->end(c);
    kr_manager_release(m);
}

void kr_managed_condition_auto(kr_managed_condition **c)
{
    kr_managed_condition_close(*c);
}

const char *kr_managed_condition_name(const kr_managed_condition *c)
{
    return c != NULL ? c->handle.name : NULL;
}

int kr_managed_condition_acquire(kr_managed_condition *c, kr_time timeout)
{
    return c != NULL && timeout >= 0 ? c->ops->acquire(c, timeout) : -EINVAL;
}

int kr_managed_condition_release(kr_managed_condition *c)
{
    return c != NULL ? c->ops->release(c) : -EINVAL;
}

int kr_managed_condition_recover(kr_managed_condition *c)
{
    return c != NULL ? c->ops->recover(c) : -EINVAL;
}

int kr_managed_condition_wait(kr_managed_condition *c, kr_time timeout)
{
    return c != NULL && timeout >= 0 ? c->ops->wait(c, timeout) : -EINVAL;
}

/* Until the deadline; then 0, to look once more without a wait. */
static kr_time time_left(kr_time deadline)
{
    kr_time now = kr_now();
    return deadline == KRI_NEVER ? KR_FOREVER : deadline > now ? deadline - now : 0;
}

int kr_managed_condition_wait_for(kr_managed_condition *c, bool (*predicate)(void *arg), void *arg,
                                  kr_time timeout)
{
    if (c == NULL || predicate == NULL || timeout < 0)
        return -EINVAL;
    kr_time deadline = kri_deadline(timeout);
    int err = 0;
    while (!predicate(arg)) {
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
        err = c->ops->wait(c, time_left(deadline));
        if (err != 0 && err != -ETIMEDOUT && err != -ECANCELED)
            return err;
    }
    return 0;
}

int kr_managed_condition_notify(kr_managed_condition *c, int count)
{
    return c != NULL && count >= 0 ? c->ops->notify(c, count) : -EINVAL;
}

int kr_managed_condition_notify_all(kr_managed_condition *c)
{
    return kr_managed_condition_notify(c, INT_MAX);
}
