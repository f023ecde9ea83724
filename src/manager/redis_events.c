/* The handles of a manager's semaphores, events and barriers on a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_manager.h"
#include "manager/redis_sync.h"
#include "os/os.h"

/* Semaphores */

static int acquire(kr_managed_semaphore *s, kr_time timeout)
{
    kri_redis_object o = kri_redis_object_of(&s->handle);
    return kri_redis_semaphore_acquire(&o, timeout);
}

static int release(kr_managed_semaphore *s, int permits)
{
    kri_redis_object o = kri_redis_object_of(&s->handle);
    return kri_redis_semaphore_release(&o, permits);
}

static int64_t value_of(kr_managed_semaphore *s)
{
    kri_redis_object o = kri_redis_object_of(&s->handle);
    return kri_object_number(&o, "value");
}

static void end_semaphore(kr_managed_semaphore *s)
{
    os_free(s);
}

/* A field of the object's that is there from now on. */
static int make_field(const kri_redis_object *o, const char *field, int64_t number)
{
    kri_digits digits;
    int64_t made = kri_object_ask(o,
                                  KRI_WORDS(kri_word("HSETNX"), kri_object_word(o), kri_word(field),
                                            kri_word_integer(&digits, number)),
                                  KRI_REDIS_AGAIN);
    return made < 0 ? (int)made : 0;
}

static int make_semaphore(kr_manager *m, const char *name, const int64_t *numbers)
{
    kri_redis_object o = {kri_redis_of(m), name};
    int err = make_field(&o, "bound", numbers[1]);
    return err < 0 ? err : make_field(&o, "value", numbers[0]);
}

int kri_redis_open_semaphore(kr_managed_semaphore **s, kr_manager *m, const char *name,
                             int64_t permits, int64_t bound)
{
    static const kri_semaphore_ops operations = {acquire, release, value_of, end_semaphore};
    int64_t numbers[KRI_REDIS_NUMBERS] = {permits, bound};
    kr_managed_semaphore *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err =
        kri_redis_name(m, name, KR_MANAGER_SEMAPHORE, numbers, permits < 0, made->handle.name);
    if (err == 0 && permits >= 0 && numbers[1] != bound)
        err = -EEXIST;
    if (err >= 0)
        err = make_semaphore(m, made->handle.name, numbers);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->ops = &operations;
    *s = made;
    return 0;
}

/* Events */

static int set(kr_managed_event *e)
{
    kri_redis_object o = kri_redis_object_of(&e->handle);
    return kri_redis_event_set(&o);
}

static int clear(kr_managed_event *e)
{
    kri_redis_object o = kri_redis_object_of(&e->handle);
    return kri_redis_event_clear(&o);
}

static bool is_set(kr_managed_event *e)
{
    kri_redis_object o = kri_redis_object_of(&e->handle);
    return kri_redis_event_is_set(&o) > 0;
}

static int wait_event(kr_managed_event *e, kr_time timeout)
{
    kri_redis_object o = kri_redis_object_of(&e->handle);
    return kri_redis_event_wait(&o, timeout);
}

static void end_event(kr_managed_event *e)
{
    os_free(e);
}

int kri_redis_open_event(kr_managed_event **e, kr_manager *m, const char *name)
{
    static const kri_event_ops operations = {set, clear, is_set, wait_event, end_event};
    kr_managed_event *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = kri_redis_name(m, name, KR_MANAGER_EVENT, NULL, false, made->handle.name);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->ops = &operations;
    *e = made;
    return 0;
}

/* Barriers */

static int wait_barrier(kr_managed_barrier *b, kr_time timeout)
{
    kri_redis_object o = kri_redis_object_of(&b->handle);
    return kri_redis_barrier_wait(&o, timeout);
}

static int reset(kr_managed_barrier *b)
{
    kri_redis_object o = kri_redis_object_of(&b->handle);
    return kri_redis_barrier_reset(&o);
}

static int abort_barrier(kr_managed_barrier *b)
{
    kri_redis_object o = kri_redis_object_of(&b->handle);
    return kri_redis_barrier_abort(&o);
}

static unsigned n_waiting(kr_managed_barrier *b)
{
    kri_redis_object o = kri_redis_object_of(&b->handle);
    int64_t count = kri_object_number(&o, "waiting");
    return count > 0 ? (unsigned)count : 0;
}

static bool is_broken(kr_managed_barrier *b)
{
    kri_redis_object o = kri_redis_object_of(&b->handle);
    return kri_object_number(&o, "broken") > 0;
}

static void end_barrier(kr_managed_barrier *b)
{
    os_free(b);
}

int kri_redis_open_barrier(kr_managed_barrier **b, kr_manager *m, const char *name, int64_t parties)
{
    static const kri_barrier_ops operations = {wait_barrier, reset,     abort_barrier,
                                               n_waiting,    is_broken, end_barrier};
    int64_t numbers[KRI_REDIS_NUMBERS] = {parties, 0};
    kr_managed_barrier *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = kri_redis_name(m, name, KR_MANAGER_BARRIER, numbers, parties == 0, made->handle.name);
    if (err == 0 && parties != 0 && numbers[0] != parties)
        err = -EEXIST;
    kri_redis_object o = {kri_redis_of(m), made->handle.name};
    if (err >= 0)
        err = make_field(&o, "parties", numbers[0]);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->ops = &operations;
    made->parties = (unsigned)numbers[0];
    *b = made;
    return 0;
}
