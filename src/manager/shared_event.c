/* A manager's semaphores, events and barriers in shared memory; see shared_lock.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_containers.h"
#include "os/os.h"
#include <krait/barrier.h>
#include <krait/event.h>
#include <krait/semaphore.h>

/* Semaphores: the numbers are the permits and the bound. */

KRI_SHARED_HANDLE(semaphore);

static int semaphore_init(void *body, const kri_body_plan *plan)
{
    kr_semaphore_options o = {.bound = plan->numbers[1], .scope = KR_SHARED};
    return kr_semaphore_init(body, plan->numbers[0], &o);
}

static int semaphore_acquire(kr_managed_semaphore *h, kr_time timeout)
{
    kr_semaphore *semaphore = semaphore_of(h);
    return KRI_PLAIN_BODY(semaphore, semaphore, kr_semaphore_acquire(semaphore, timeout));
}

static int semaphore_release(kr_managed_semaphore *h, int permits)
{
    kr_semaphore *semaphore = semaphore_of(h);
    return KRI_PLAIN_BODY(semaphore, semaphore, kr_semaphore_release(semaphore, permits));
}

static int64_t semaphore_value(kr_managed_semaphore *h)
{
    const kr_semaphore *semaphore = semaphore_of(h);
    return KRI_PLAIN_BODY(semaphore, semaphore, (int64_t)kr_semaphore_value(semaphore));
}

static const kri_semaphore_ops semaphore_ops = {
    .acquire = semaphore_acquire,
    .release = semaphore_release,
    .value = semaphore_value,
    .end = semaphore_end,
};

static const kri_kind semaphore_kind = {.kind = KR_MANAGER_SEMAPHORE, .make = kri_body_make};

int kri_shared_semaphore(kr_managed_semaphore **h, kr_manager *m, const char *name, int64_t permits,
                         int64_t bound)
{
    const kri_body_plan plan = {.size = permits >= 0 ? sizeof(kr_semaphore) : 0,
                                .init = semaphore_init,
                                .numbers = {permits, bound}};
    shared_semaphore *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &semaphore_ops;
    int err = kri_body_open(&made->object, m, name, &semaphore_kind, &plan, made->face.handle.name);
    if (err == 0 && bound != 0 && bound != kri_body_number(&made->object, 1))
        err = -EEXIST;
    return KRI_SHARED_OPENED(h, made, err);
}

/* Events */

KRI_SHARED_HANDLE(event);

static int event_init(void *body, const kri_body_plan *plan)
{
    (void)plan;
    return kr_event_init(body, KR_SHARED);
}

static int event_set(kr_managed_event *h)
{
    kr_event *event = event_of(h);
    if (event == NULL)
        return -ESTALE;
    kr_event_set(event);
    return 0;
}

static int event_clear(kr_managed_event *h)
{
    kr_event *event = event_of(h);
    if (event == NULL)
        return -ESTALE;
    kr_event_clear(event);
    return 0;
}

static bool event_is_set(kr_managed_event *h)
{
    const kr_event *event = event_of(h);
    return event != NULL && kr_event_is_set(event);
}

static int event_wait(kr_managed_event *h, kr_time timeout)
{
    kr_event *event = event_of(h);
    return event != NULL ? kr_event_wait(event, timeout) : -ESTALE;
}

static const kri_event_ops event_ops = {
    .set = event_set,
    .clear = event_clear,
    .is_set = event_is_set,
    .wait = event_wait,
    .end = event_end,
};

static const kri_kind event_kind = {.kind = KR_MANAGER_EVENT, .make = kri_body_make};

int kri_shared_event(kr_managed_event **h, kr_manager *m, const char *name)
{
    const kri_body_plan plan = {.size = sizeof(kr_event), .init = event_init};
    shared_event *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &event_ops;
    int err = kri_body_open(&made->object, m, name, &event_kind, &plan, made->face.handle.name);
    return KRI_SHARED_OPENED(h, made, err);
}

/* Barriers: the number is that of the parties. */

KRI_SHARED_HANDLE(barrier);

static int barrier_init(void *body, const kri_body_plan *plan)
{
    return kr_barrier_init(body, plan->numbers[0], &(kr_barrier_options){.scope = KR_SHARED});
}

static int barrier_wait(kr_managed_barrier *h, kr_time timeout)
{
    kr_barrier *barrier = barrier_of(h);
    return KRI_PLAIN_BODY(barrier, barrier, kr_barrier_wait(barrier, timeout));
}

static int barrier_reset(kr_managed_barrier *h)
{
    kr_barrier *barrier = barrier_of(h);
    return KRI_PLAIN_BODY(barrier, barrier, kr_barrier_reset(barrier));
}

static int barrier_abort(kr_managed_barrier *h)
{
    kr_barrier *barrier = barrier_of(h);
    return KRI_PLAIN_BODY(barrier, barrier, kr_barrier_abort(barrier));
}

static unsigned barrier_n_waiting(kr_managed_barrier *h)
{
    kr_barrier *barrier = barrier_of(h);
    return barrier != NULL ? kr_barrier_n_waiting(barrier) : 0;
}

static bool barrier_broken(kr_managed_barrier *h)
{
    const kr_barrier *barrier = barrier_of(h);
    return barrier != NULL && kr_barrier_broken(barrier);
}

static const kri_barrier_ops barrier_ops = {
    .wait = barrier_wait,
    .reset = barrier_reset,
    .abort = barrier_abort,
    .n_waiting = barrier_n_waiting,
    .broken = barrier_broken,
    .end = barrier_end,
};

static const kri_kind barrier_kind = {.kind = KR_MANAGER_BARRIER, .make = kri_body_make};

int kri_shared_barrier(kr_managed_barrier **h, kr_manager *m, const char *name, int64_t parties)
{
    const kri_body_plan plan = {.size = parties != 0 ? sizeof(kr_barrier) : 0,
                                .init = barrier_init,
                                .numbers = {parties, 0}};
    shared_barrier *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->face.ops = &barrier_ops;
    int err = kri_body_open(&made->object, m, name, &barrier_kind, &plan, made->face.handle.name);
    if (err == 0) {
        int64_t found = kri_body_number(&made->object, 0);
        made->face.parties = (unsigned)found;
        err = parties == 0 || parties == found ? 0 : -EEXIST;
    }
    return KRI_SHARED_OPENED(h, made, err);
}
