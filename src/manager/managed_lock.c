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
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(l, m, name, &kinds);
    if (err == 0)
        err = kinds->lock(l, m, name);
    return KRI_OPEN_END(l, m, err);
}

void kr_managed_lock_close(kr_managed_lock *l)
{
    KRI_CLOSE(l);
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
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(l, m, name, &kinds);
    if (err == 0)
        err = kinds->rlock(l, m, name);
    return KRI_OPEN_END(l, m, err);
}

void kr_managed_rlock_close(kr_managed_rlock *l)
{
    KRI_CLOSE(l);
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
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(c, m, name, &kinds);
    if (err == 0)
        err = kinds->condition(c, m, name);
    return KRI_OPEN_END(c, m, err);
}

void kr_managed_condition_close(kr_managed_condition *c)
{
    KRI_CLOSE(c);
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
