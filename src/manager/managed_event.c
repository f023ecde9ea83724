/* The public face of a manager's semaphores, events and barriers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/containers.h"
#include <krait/barrier.h>
#include <krait/semaphore.h>

/* Semaphores */

static bool are_permits(int64_t permits, int64_t bound)
{
    if (permits < -1 || permits > KR_SEMAPHORE_MAX || bound < 0 || bound > KR_SEMAPHORE_MAX)
        return false;
    return bound == 0 || permits <= bound;
}

int kr_managed_semaphore_open(kr_managed_semaphore **s, kr_manager *m, const char *name,
                              int64_t permits, int64_t bound)
{
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(s, m, name, &kinds);
    if (err == 0 && (!are_permits(permits, bound) || (permits < 0 && name == NULL)))
        err = -EINVAL;
    if (err == 0)
        err = kinds->semaphore(s, m, name, permits, bound);
    return KRI_OPEN_END(s, m, err);
}

void kr_managed_semaphore_close(kr_managed_semaphore *s)
{
    KRI_CLOSE(s);
}

void kr_managed_semaphore_auto(kr_managed_semaphore **s)
{
    kr_managed_semaphore_close(*s);
}

const char *kr_managed_semaphore_name(const kr_managed_semaphore *s)
{
    return s != NULL ? s->handle.name : NULL;
}

int kr_managed_semaphore_acquire(kr_managed_semaphore *s, kr_time timeout)
{
    return s != NULL && timeout >= 0 ? s->ops->acquire(s, timeout) : -EINVAL;
}

int kr_managed_semaphore_release(kr_managed_semaphore *s, int permits)
{
    return s != NULL && permits > 0 ? s->ops->release(s, permits) : -EINVAL;
}

int64_t kr_managed_semaphore_value(kr_managed_semaphore *s)
{
    return s != NULL ? s->ops->value(s) : -EINVAL;
}

/* Events */

int kr_managed_event_open(kr_managed_event **e, kr_manager *m, const char *name)
{
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(e, m, name, &kinds);
    if (err == 0)
        err = kinds->event(e, m, name);
    return KRI_OPEN_END(e, m, err);
}

void kr_managed_event_close(kr_managed_event *e)
{
    KRI_CLOSE(e);
}

void kr_managed_event_auto(kr_managed_event **e)
{
    kr_managed_event_close(*e);
}

const char *kr_managed_event_name(const kr_managed_event *e)
{
    return e != NULL ? e->handle.name : NULL;
}

int kr_managed_event_set(kr_managed_event *e)
{
    return e != NULL ? e->ops->set(e) : -EINVAL;
}

int kr_managed_event_clear(kr_managed_event *e)
{
    return e != NULL ? e->ops->clear(e) : -EINVAL;
}

bool kr_managed_event_is_set(kr_managed_event *e)
{
    return e != NULL && e->ops->is_set(e);
}

int kr_managed_event_wait(kr_managed_event *e, kr_time timeout)
{
    return e != NULL && timeout >= 0 ? e->ops->wait(e, timeout) : -EINVAL;
}

/* Barriers */

int kr_managed_barrier_open(kr_managed_barrier **b, kr_manager *m, const char *name,
                            int64_t parties)
{
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(b, m, name, &kinds);
    if (err == 0 && (parties < 0 || parties > KR_BARRIER_MAX || (parties == 0 && name == NULL)))
        err = -EINVAL;
    if (err == 0)
        err = kinds->barrier(b, m, name, parties);
    return KRI_OPEN_END(b, m, err);
}

void kr_managed_barrier_close(kr_managed_barrier *b)
{
    KRI_CLOSE(b);
}

void kr_managed_barrier_auto(kr_managed_barrier **b)
{
    kr_managed_barrier_close(*b);
}

const char *kr_managed_barrier_name(const kr_managed_barrier *b)
{
    return b != NULL ? b->handle.name : NULL;
}

int kr_managed_barrier_wait(kr_managed_barrier *b, kr_time timeout)
{
    return b != NULL && timeout >= 0 ? b->ops->wait(b, timeout) : -EINVAL;
}

int kr_managed_barrier_reset(kr_managed_barrier *b)
{
    return b != NULL ? b->ops->reset(b) : -EINVAL;
}

int kr_managed_barrier_abort(kr_managed_barrier *b)
{
    return b != NULL ? b->ops->abort(b) : -EINVAL;
}

unsigned kr_managed_barrier_parties(const kr_managed_barrier *b)
{
    return b != NULL ? b->parties : 0;
}

unsigned kr_managed_barrier_n_waiting(kr_managed_barrier *b)
{
    return b != NULL ? b->ops->n_waiting(b) : 0;
}

bool kr_managed_barrier_broken(kr_managed_barrier *b)
{
    return b != NULL && b->ops->broken(b);
}
