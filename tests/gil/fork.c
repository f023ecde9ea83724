/* Forks of processes with an interpreter lock, by who holds it and who does not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"

#include "harness/children.h"
#include "harness/sanitizers.h"

static kr_gil *gil;
static kr_event stop;
static kr_word stays;

static int take_turns(void *arg)
{
    (void)arg;
    kr_gil_thread *self = gil_attach(gil);
    kri_add_rlx(&stays, 1);
    while (!kr_event_is_set(&stop)) {
        for (int i = 0; i < 20; i++)
            CHECK_EQ(kr_gil_check(self), 0);
        kr_allow_threads (self)
            kri_test_nap();
    }
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

#if !KRI_TSAN /* which knows no threads in such a child */
static int attach_there(void *arg)
{
    (void)arg;
    kr_gil_thread *self = gil_attach(gil);
    CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}
#endif

/* In the child: nobody else is attached, counts begin anew, the lock works. */
static void use_it_all(void *arg)
{
    kr_gil_thread *self = arg;
    kr_gil_metrics m;
    bool held = self != NULL && kr_gil_held(self);
    kr_gil_measure(gil, &m);
    CHECK_EQ(m.attached, self != NULL);
    CHECK_EQ(m.waiting, 0);
    CHECK_EQ(m.waits, 0);
    CHECK_EQ(m.hold.count, 0);
    if (self == NULL)
        self = gil_attach(gil);
    else if (!held)
        CHECK_EQ(kr_gil_acquire(self), 0);
    CHECK(kr_gil_held(self));
    CHECK(kr_gil_current(gil) == self);
    CHECK_EQ(kr_gil_check(self), 0);
#if !KRI_TSAN
    CHECK_EQ(join(start(attach_there, NULL)), 0);
#endif
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

static void fork_among(kr_gil_policy policy, bool attached, bool holds)
{
    kr_thread *threads[3];
    gil = gil_create(policy);
    kri_store_rlx(&stays, 0);
    kr_event_clear(&stop);
    CHECK_EQ(kr_gil_set_switch_interval(gil, kr_us(50)), 0);
    for (int i = 0; i < 3; i++)
        threads[i] = start(take_turns, NULL);
    while (kri_load_rlx(&stays) < 3)
        kri_test_nap();
    for (int i = 0; i < 20; i++) {
        kr_gil_thread *self = attached ? gil_attach(gil) : NULL;
        if (attached && !holds)
            CHECK_EQ(kr_gil_release(self), 0);
        pid_t id = child(use_it_all, self);
        reap(id);
        if (attached)
            CHECK_EQ(kr_gil_detach(self), 0);
    }
    kr_event_set(&stop);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

TEST(test_fork_by_holder)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    for (int i = 0; i < POLICIES; i++)
        fork_among(policies[i], true, true);
}

TEST(test_fork_by_one_who_has_released_it)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    for (int i = 0; i < POLICIES; i++)
        fork_among(policies[i], true, false);
}

TEST(test_fork_by_a_stranger)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    for (int i = 0; i < POLICIES; i++)
        fork_among(policies[i], false, false);
}

/* The coroutine that forks goes on in the child as a thread, and has what it had. */
static int fork_here(void *arg)
{
    (void)arg;
    kr_gil_thread *self = gil_attach(gil);
    pid_t id = fork();
    CHECK_GE(id, 0);
    if (id == 0) {
        CHECK(kr_gil_held(self));
        use_it_all(self);
        _exit(0);
    }
    reap(id);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

TEST(test_fork_by_coroutine)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    gil = gil_create(KR_GIL_DEADLINE);
    CHECK_EQ(kr_run(fork_here, NULL), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* An event in the log, pending calls, a shutdown: they stand in the child, too. */
static int count_call(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static void be_told(void *arg)
{
    kr_gil_thread *self = arg;
    CHECK_EQ(kr_gil_check(self), -EIO);
    CHECK_EQ(kr_gil_shutdown(gil), 0);
    CHECK_EQ(kr_gil_release(self), 0);
    CHECK_EQ(kr_gil_acquire(self), KR_ESHUTDOWN);
}

TEST(test_fork_with_something_pending)
{
    int calls = 0;
    gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    CHECK_EQ(kr_gil_add_pending_call(gil, NULL, count_call, &calls), 0);
    CHECK_EQ(kr_gil_interrupt(self, -EIO), 0);
    reap(child(be_told, self));
    CHECK_EQ(calls, 0);
    CHECK_EQ(kr_gil_check(self), -EIO);
    CHECK_EQ(calls, 1);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}
