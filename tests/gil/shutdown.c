/* The end of an interpreter lock, with some who hold it, wait for it, or come.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"

enum { WAITERS = 5 };

typedef struct shared {
    kr_gil *gil;
    kr_word attached;
    kr_word refused;
    kr_event go;
} shared;

/* Attached, and waiting for it when it is shut down. */
static int wait_for_it(void *arg)
{
    shared *s = arg;
    kr_gil_thread *self = gil_attach(s->gil);
    CHECK_EQ(kr_gil_release(self), 0);
    kri_add_rlx(&s->attached, 1);
    CHECK_EQ(kr_event_wait(&s->go, KR_FOREVER), 0);
    CHECK_EQ(kr_gil_acquire(self), KR_ESHUTDOWN);
    CHECK(!kr_gil_held(self));
    CHECK_EQ(kr_gil_check(self), KR_ESHUTDOWN);
    CHECK_EQ(kr_gil_acquire(self), KR_ESHUTDOWN);
    CHECK_EQ(kr_gil_release(self), -EPERM);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

static int come_anew(void *arg)
{
    shared *s = arg;
    kr_gil_thread *self;
    CHECK_EQ(kr_gil_attach(s->gil, &self), KR_ESHUTDOWN);
    CHECK(kr_gil_current(s->gil) == NULL);
    return 0;
}

static void shut_down_with_waiters(kr_gil_policy policy)
{
    shared s = {.gil = gil_create(policy)};
    kr_thread *threads[2 * WAITERS];
    for (int i = 0; i < WAITERS; i++)
        threads[i] = start(wait_for_it, &s);
    while (kri_load_rlx(&s.attached) < WAITERS)
        kri_test_nap();
    kr_gil_thread *self = gil_attach(s.gil);
    kr_event_set(&s.go);
    for (int i = WAITERS; i < 2 * WAITERS; i++)
        threads[i] = start(come_anew, &s);
    gil_await_waiting(s.gil, 2 * WAITERS);
    CHECK_EQ(kr_gil_shutdown(s.gil), 0);
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_check(self), 0); /* he himself has asked for it, and finalizes */
    CHECK_EQ(kr_gil_shutdown(s.gil), 0);
    for (int i = 0; i < 2 * WAITERS; i++) /* each a wait, which gives it up for good */
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(kr_gil_destroy(s.gil), -EBUSY);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(s.gil), 0);
}

TEST(test_shutdown_with_waiters)
{
    for (int i = 0; i < POLICIES; i++)
        shut_down_with_waiters(policies[i]);
}

static int shut_down(void *arg)
{
    CHECK_EQ(kr_gil_shutdown(arg), 0);
    return 0;
}

/* Another than the holder has asked: the holder keeps it, and is told. */
TEST(test_shutdown_by_another)
{
    for (int i = 0; i < POLICIES; i++) {
        kr_gil *gil = gil_create(policies[i]);
        kr_gil_thread *self = gil_attach(gil);
        kr_thread *other = start(shut_down, gil);
        int err;
        while ((err = kr_gil_check(self)) == 0)
            ;
        CHECK_EQ(err, KR_ESHUTDOWN);
        if (policies[i] != KR_GIL_TICKS) /* that one gives it away by itself */
            CHECK(kr_gil_held(self));
        if (kr_gil_held(self))
            CHECK_EQ(kr_gil_release(self), 0);
        CHECK_EQ(kr_gil_acquire(self), KR_ESHUTDOWN);
        CHECK_EQ(join(other), 0);
        CHECK_EQ(kr_gil_detach(self), 0);
        CHECK_EQ(kr_gil_destroy(gil), 0);
    }
}

static int shut_down_meanwhile(void *arg)
{
    void **given = arg;
    while (kr_gil_held(given[1]))
        kri_test_nap();
    CHECK_EQ(kr_gil_shutdown(given[0]), 0);
    return 0;
}

/* A wait after a shutdown comes back without it, and says so at the next check. */
TEST(test_shutdown_during_wait)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    CHECK_EQ(join(start(shut_down_meanwhile, (void *[]){gil, self})), 0);
    CHECK(!kr_gil_held(self));
    CHECK_EQ(kr_gil_check(self), KR_ESHUTDOWN);
    kr_allow_threads (self)
        CHECK(!kr_gil_held(self));
    CHECK_EQ(kr_sleep(kr_us(1)), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* One who yields to another under INTERVAL, which never comes. */
typedef struct forced {
    kr_gil *gil;
    kr_event begun;
} forced;

static int work_until_refused(void *arg)
{
    forced *f = arg;
    kr_gil_thread *self;
    int err = kr_gil_attach(f->gil, &self);
    if (err != 0) {
        CHECK_EQ(err, KR_ESHUTDOWN);
        return 0;
    }
    kr_event_set(&f->begun);
    while ((err = kr_gil_check(self)) == 0)
        ;
    CHECK_EQ(err, KR_ESHUTDOWN);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

TEST(test_shutdown_under_load)
{
    uint64_t state = kri_test_seed();
    for (int i = 0; i < 60; i++) {
        forced f = {.gil = gil_create(policies[i % POLICIES])};
        kr_thread *threads[WAITERS];
        CHECK_EQ(kr_gil_set_switch_interval(f.gil, kr_us(20)), 0);
        for (int j = 0; j < WAITERS; j++)
            threads[j] = start(work_until_refused, &f);
        CHECK_EQ(kr_event_wait(&f.begun, KR_FOREVER), 0);
        CHECK_EQ(kr_sleep(kr_us((int64_t)(kri_test_random(&state) % 500))), 0);
        CHECK_EQ(kr_gil_shutdown(f.gil), 0);
        for (int j = 0; j < WAITERS; j++)
            CHECK_EQ(join(threads[j]), 0);
        CHECK_EQ(kr_gil_destroy(f.gil), 0);
    }
}
