/* Pending calls and interrupts.  Behaviours: section 14.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"

#include <pthread.h>

static int calls_run;
static pthread_t caller;

static int note_call(void *arg)
{
    caller = pthread_self();
    calls_run++;
    return arg != NULL ? *(int *)arg : 0;
}

TEST(test_main_pendingcalls_non_threaded)
{
    for (int i = 0; i < POLICIES; i++) {
        kr_gil *gil = gil_create(policies[i]);
        kr_gil_thread *self = gil_attach(gil);
        calls_run = 0;
        CHECK_EQ(kr_gil_check(self), 0);
        for (int j = 0; j < 20; j++)
            CHECK_EQ(kr_gil_add_pending_call(gil, self, note_call, NULL), 0);
        CHECK_EQ(calls_run, 0);
        CHECK_EQ(kr_gil_check(self), 0);
        CHECK_EQ(calls_run, 20);
        CHECK_EQ(kr_gil_check(self), 0);
        CHECK_EQ(calls_run, 20);
        CHECK_EQ(kr_gil_add_pending_call(gil, self, NULL, NULL), -EINVAL);
        kr_gil *other = gil_create(policies[i]);
        CHECK_EQ(kr_gil_add_pending_call(other, self, note_call, NULL), -EINVAL);
        CHECK_EQ(kr_gil_destroy(other), 0);
        CHECK_EQ(kr_gil_detach(self), 0);
        CHECK_EQ(kr_gil_destroy(gil), 0);
    }
}

typedef struct adding {
    kr_gil *gil;
    kr_gil_thread *whose;
    kr_word added;
} adding;

static int add_some(void *arg)
{
    adding *a = arg;
    for (int i = 0; i < 50;) {
        int err = kr_gil_add_pending_call(a->gil, a->whose, note_call, NULL);
        if (err == 0)
            i++;
        else {
            CHECK_EQ(err, -ENOBUFS);
            kri_test_nap();
        }
    }
    kri_add_rlx(&a->added, 50);
    return 0;
}

/* Threads without the lock add them, one thread runs them all. */
TEST(test_main_pendingcalls_threaded)
{
    adding a = {.gil = gil_create(KR_GIL_DEADLINE)};
    kr_thread *threads[4];
    a.whose = gil_attach(a.gil);
    for (int i = 0; i < 4; i++)
        threads[i] = start(add_some, &a);
    while (calls_run < 200) {
        CHECK_EQ(kr_gil_check(a.whose), 0);
        if (calls_run > 0)
            CHECK(pthread_equal(caller, pthread_self()));
    }
    for (int i = 0; i < 4; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(kr_gil_check(a.whose), 0);
    CHECK_EQ(calls_run, 200);
    CHECK_EQ(kr_gil_detach(a.whose), 0);
    CHECK_EQ(kr_gil_destroy(a.gil), 0);
}

TEST(test_max_pending)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    int put = 0;
    while (kr_gil_add_pending_call(gil, self, note_call, NULL) == 0)
        put++;
    CHECK_EQ(put, 32);
    CHECK_EQ(kr_gil_add_pending_call(gil, self, note_call, NULL), -ENOBUFS);
    while (kr_gil_add_pending_call(gil, NULL, note_call, NULL) == 0)
        put++;
    CHECK_EQ(put, 332);
    while (calls_run < put)
        CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(calls_run, 332);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* Anyone's: whoever checks.  behaviour: 14 test_capi.test_misc.TestPendingCalls */
static int check_until(void *arg)
{
    kr_gil *gil = arg;
    kr_gil_thread *self = gil_attach(gil);
    while (calls_run < 100) /* guarded by the lock */
        CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

TEST(test_subthreads_can_handle_pending_calls)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_thread *thread = start(check_until, gil);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(kr_gil_add_pending_call(gil, NULL, note_call, NULL), 0);
    CHECK_EQ(join(thread), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

TEST(test_many_subthreads_can_handle_pending_calls)
{
    for (int i = 0; i < POLICIES; i++) {
        kr_gil *gil = gil_create(policies[i]);
        kr_thread *threads[8];
        CHECK_EQ(kr_gil_set_switch_interval(gil, kr_us(50)), 0);
        calls_run = 0;
        for (int j = 0; j < 8; j++)
            threads[j] = start(check_until, gil);
        for (int j = 0; j < 100; j++)
            CHECK_EQ(kr_gil_add_pending_call(gil, NULL, note_call, NULL), 0);
        for (int j = 0; j < 8; j++)
            CHECK_EQ(join(threads[j]), 0);
        CHECK_EQ(calls_run, 100);
        CHECK_EQ(kr_gil_destroy(gil), 0);
    }
}

/* An error goes to the check, and the rest is run at a later one. */
TEST(test_call_that_fails)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    int error = -EIO;
    CHECK_EQ(kr_gil_add_pending_call(gil, NULL, note_call, NULL), 0);
    CHECK_EQ(kr_gil_add_pending_call(gil, NULL, note_call, &error), 0);
    CHECK_EQ(kr_gil_add_pending_call(gil, NULL, note_call, NULL), 0);
    CHECK_EQ(kr_gil_check(self), -EIO);
    CHECK_EQ(calls_run, 2);
    CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(calls_run, 3);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

static int deepest;

static int call_that_checks(void *arg)
{
    static int depth;
    kr_gil_thread *self = arg;
    calls_run++;
    if (++depth > deepest)
        deepest = depth;
    CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(kr_sleep(kr_us(1)), 0);
    depth--;
    return 0;
}

/* None inside another, and one that adds itself again does not hold the check up for ever. */
static int call_again(void *arg)
{
    calls_run++;
    return kr_gil_add_pending_call(arg, NULL, call_again, arg);
}

TEST(test_calls_do_not_nest)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_gil_add_pending_call(gil, self, call_that_checks, self), 0);
    CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(calls_run, 3);
    CHECK_EQ(deepest, 1);
    CHECK_EQ(kr_gil_add_pending_call(gil, NULL, call_again, gil), 0);
    CHECK_EQ(kr_gil_check(self), 0);
    CHECK(calls_run > 3);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

static int spin_until_interrupted(void *arg)
{
    _Atomic(kr_gil_thread *) *place = arg;
    kr_gil_thread *self = gil_attach((kr_gil *)place[0]);
    place[1] = self;
    int err;
    while ((err = kr_gil_check(self)) == 0)
        ;
    CHECK_EQ(err, -EINTR);
    CHECK_EQ(kr_gil_check(self), 0); /* once */
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

/* A loop that does nothing but compute. */
TEST(test_can_interrupt_tight_loops)
{
    for (int i = 0; i < POLICIES; i++) {
        _Atomic(kr_gil_thread *) place[2] = {(kr_gil_thread *)gil_create(policies[i]), NULL};
        kr_thread *thread = start(spin_until_interrupted, place);
        while (place[1] == NULL)
            kri_test_nap();
        CHECK_EQ(kr_gil_interrupt(place[1], 1), -EINVAL);
        CHECK_EQ(kr_gil_interrupt(place[1], -EINTR), 0);
        CHECK_EQ(join(thread), 0);
        CHECK_EQ(kr_gil_destroy((kr_gil *)place[0]), 0);
    }
}

TEST(test_interrupt_taken_back)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    CHECK_EQ(kr_gil_interrupt(self, -EINTR), 0);
    CHECK_EQ(kr_gil_interrupt(self, 0), 0);
    CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(kr_gil_interrupt(self, -EINTR), 0);
    CHECK_EQ(kr_gil_interrupt(self, -EIO), 0); /* the last one counts */
    CHECK_EQ(kr_gil_check(self), -EIO);
    CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}
