/* Attach, acquire, release and check, under each policy.  Behaviours: section 14.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"

#include <errno.h>

enum { THREADS = 4 };

typedef struct shared {
    kr_gil *gil;
    long counter; /* plain: the lock guards it between two checks */
    int rounds;
    kr_barrier all;
} shared;

static int count_up(void *arg)
{
    shared *s = arg;
    kr_gil_thread *self = gil_attach(s->gil);
    CHECK_GE(kr_barrier_wait(&s->all, KR_FOREVER), 0); /* gives it up meanwhile */
    for (int i = 0; i < s->rounds; i++) {
        if (i % 64 == 0)
            CHECK(kr_gil_held(self));
        if (i % 4096 == 0) {
            CHECK_EQ(kr_gil_release(self), 0);
            CHECK_EQ(kr_gil_acquire(self), 0);
        }
        long seen = s->counter;
        s->counter = seen + 1;
        CHECK_EQ(kr_gil_check(self), 0);
    }
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

static void count_together(kr_gil_policy policy)
{
    shared s = {.gil = gil_create(policy), .rounds = 300000};
    kr_thread *threads[THREADS];
    CHECK_EQ(kr_barrier_init(&s.all, THREADS, NULL), 0);
    CHECK_EQ(kr_gil_set_switch_interval(s.gil, kr_us(100)), 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = start(count_up, &s);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(s.counter, (long)THREADS * s.rounds);
    kr_gil_metrics m;
    kr_gil_measure(s.gil, &m);
    CHECK_EQ(m.attached, 0);
    CHECK_EQ(m.waiting, 0);
    CHECK_LE(m.wait.p50, m.wait.p99);
    CHECK_LE(m.wait.p99, m.wait.max);
    CHECK_EQ(m.wait.count, m.waits);
    CHECK_EQ(kr_gil_destroy(s.gil), 0);
}

TEST(test_counts_deadline)
{
    count_together(KR_GIL_DEADLINE);
}

TEST(test_counts_interval)
{
    count_together(KR_GIL_INTERVAL);
}

TEST(test_counts_ticks)
{
    count_together(KR_GIL_TICKS);
}

TEST(test_switchinterval)
{
    kr_gil *gil = gil_create(KR_GIL_INTERVAL);
    CHECK_EQ(kr_gil_switch_interval(gil), kr_ms(5));
    CHECK_EQ(kr_gil_set_switch_interval(gil, kr_us(10)), 0);
    CHECK_EQ(kr_gil_switch_interval(gil), kr_us(10));
    CHECK_EQ(kr_gil_set_switch_interval(gil, 0), -EINVAL);
    CHECK_EQ(kr_gil_set_switch_interval(gil, -1), -EINVAL);
    CHECK_EQ(kr_gil_switch_interval(gil), kr_us(10));
    CHECK_EQ(kr_gil_destroy(gil), 0);
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.switch_interval = kr_ms(1)}), 0);
    CHECK_EQ(kr_gil_switch_interval(gil), kr_ms(1));
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

TEST(test_bad_options)
{
    kr_gil *gil;
    CHECK_EQ(kr_gil_create(NULL, NULL), -EINVAL);
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.policy = (kr_gil_policy)3}), -EINVAL);
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.switch_interval = -1}), -EINVAL);
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.min_slice = -1}), -EINVAL);
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.log = SIZE_MAX}), -EINVAL);
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    CHECK_EQ(kr_gil_shutdown(NULL), -EINVAL);
    CHECK_EQ(kr_gil_destroy(NULL), 0);
}

/* behaviour: 14 test_capi.test_misc */
TEST(test_gilstate_matches_current)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil *other = gil_create(KR_GIL_DEADLINE);
    CHECK(kr_gil_current(gil) == NULL);
    kr_gil_thread *self = gil_attach(gil);
    CHECK(kr_gil_current(gil) == self);
    CHECK(kr_gil_current(other) == NULL);
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_release(self), 0);
    CHECK(kr_gil_current(gil) == self);
    CHECK(!kr_gil_held(self));
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK(kr_gil_current(gil) == NULL);
    CHECK_EQ(kr_gil_destroy(gil), 0);
    CHECK_EQ(kr_gil_destroy(other), 0);
}

/* Ensure and release nest, in and out of regions without the lock: each detach leaves it as its
 * attach found it. */
TEST(test_gilstate_nests)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    CHECK(gil_attach(gil) == self);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_release(self), 0);
    CHECK(gil_attach(gil) == self);
    CHECK(kr_gil_held(self));
    CHECK(gil_attach(gil) == self);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK(!kr_gil_held(self));
    CHECK_EQ(kr_gil_acquire(self), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* It alternates with releases 16 times at most. */
TEST(test_gilstate_nests_too_deep)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    kr_gil_thread *again;
    int deep = 0;
    int err;
    for (;;) {
        CHECK_EQ(kr_gil_release(self), 0);
        err = kr_gil_attach(gil, &again);
        if (err != 0)
            break;
        deep++;
    }
    CHECK_EQ(err, -EOVERFLOW);
    CHECK_EQ(deep, 16);
    for (; deep > 0; deep--) {
        if (!kr_gil_held(self))
            CHECK_EQ(kr_gil_acquire(self), 0);
        CHECK_EQ(kr_gil_detach(self), 0);
        CHECK(!kr_gil_held(self));
    }
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

static int attach_and_detach(void *arg)
{
    kr_gil *gil = arg;
    kr_gil_thread *self = gil_attach(gil);
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

/* As one thread waits, with a plain join that knows of the lock, others come and go. */
TEST(test_gilstate_ensure_no_deadlock)
{
    for (int i = 0; i < POLICIES; i++) {
        kr_gil *gil = gil_create(policies[i]);
        kr_gil_thread *self = gil_attach(gil);
        CHECK_EQ(join(start(attach_and_detach, gil)), 0);
        CHECK(kr_gil_held(self));
        CHECK_EQ(kr_gil_detach(self), 0);
        CHECK_EQ(kr_gil_destroy(gil), 0);
    }
}

static void attach_late(void *value)
{
    CHECK_EQ(attach_and_detach(*(kr_gil **)value), 0);
}

static kr_local late = KR_LOCAL_INIT(sizeof(kr_gil *), NULL, attach_late);

static int leave_local(void *arg)
{
    *(kr_gil **)kr_local_get(&late) = arg;
    return 0;
}

/* From the destructor of a thread's local value, as the thread ends. */
TEST(test_thread_gilstate_in_clear)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    CHECK_EQ(join(start(leave_local, gil)), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

static int misuse_of_others(void *arg)
{
    kr_gil_thread *main = arg;
    CHECK_EQ(kr_gil_acquire(main), -EPERM);
    CHECK_EQ(kr_gil_release(main), -EPERM);
    CHECK_EQ(kr_gil_detach(main), -EPERM);
    CHECK_EQ(kr_gil_checkpoint(main), -EPERM);
    return 0;
}

TEST(test_misuse)
{
    for (int i = 0; i < POLICIES; i++) {
        kr_gil *gil = gil_create(policies[i]);
        kr_gil_thread *self = gil_attach(gil);
        CHECK_EQ(kr_gil_destroy(gil), -EBUSY);
        CHECK_EQ(kr_gil_acquire(self), -EDEADLK);
        CHECK_EQ(join(start(misuse_of_others, self)), 0);
        CHECK_EQ(kr_gil_release(self), 0);
        CHECK_EQ(kr_gil_release(self), -EPERM);
        CHECK_EQ(kr_gil_checkpoint(self), -EPERM);
        CHECK_EQ(join(start(misuse_of_others, self)), 0);
        CHECK_EQ(kr_gil_destroy(gil), -EBUSY);
        CHECK_EQ(kr_gil_detach(self), 0);
        CHECK_EQ(kr_gil_destroy(gil), 0);
    }
}

static int return_from_block(kr_gil_thread *self)
{
    kr_allow_threads (self) {
        CHECK(!kr_gil_held(self));
        return 7;
    }
    return 0;
}

TEST(test_allow_threads)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_gil_thread *self = gil_attach(gil);
    int runs = 0;
    kr_allow_threads (self) {
        CHECK(!kr_gil_held(self));
        kr_allow_threads (self) /* inside another it just runs */
            runs++;
        CHECK(!kr_gil_held(self));
        runs++;
    }
    CHECK_EQ(runs, 2);
    CHECK(kr_gil_held(self));
    kr_allow_threads (self)
        break;
    CHECK(kr_gil_held(self));
    CHECK_EQ(return_from_block(self), 7);
    CHECK(kr_gil_held(self));
    kr_allow_threads (self)
        goto out;
out:
    CHECK(kr_gil_held(self));
    kr_allow_threads (self)
        CHECK_EQ(kr_gil_acquire(self), 0); /* taken in between: it is held behind it */
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

static int keep_errno(void *arg)
{
    kr_gil *gil = arg;
    errno = E2BIG;
    kr_gil_thread *self = gil_attach(gil);
    for (int i = 0; i < 300; i++) {
        errno = ERANGE + i % 2;
        CHECK_EQ(kr_gil_release(self), 0);
        CHECK_EQ(errno, ERANGE + i % 2);
        CHECK_EQ(kr_gil_acquire(self), 0);
        CHECK_EQ(errno, ERANGE + i % 2);
        for (int j = 0; j < 100; j++)
            CHECK_EQ(kr_gil_check(self), 0);
        CHECK_EQ(errno, ERANGE + i % 2);
        kr_allow_threads (self)
            errno = EDOM;
        CHECK_EQ(errno, EDOM);
    }
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

TEST(test_errno_is_kept)
{
    for (int i = 0; i < POLICIES; i++) {
        kr_gil *gil;
        kr_gil_options options = {
            .policy = policies[i], .switch_interval = kr_us(5), .min_slice = 1};
        CHECK_EQ(kr_gil_create(&gil, &options), 0);
        kr_thread *threads[THREADS];
        for (int j = 0; j < THREADS; j++)
            threads[j] = start(keep_errno, gil);
        for (int j = 0; j < THREADS; j++)
            CHECK_EQ(join(threads[j]), 0);
        CHECK_EQ(kr_gil_destroy(gil), 0);
    }
}

static int hold_until_asked(void *arg)
{
    void **given = arg;
    kr_gil_thread *self = gil_attach(given[0]);
    kr_event_set(given[1]);
    gil_await_waiting(given[0], 1);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

/* What was waits for shows in the log and in the counts. */
TEST(test_log)
{
    kr_gil *gil;
    kr_gil_event events[16];
    kr_event held = KR_EVENT_INIT;
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.log = 8}), 0);
    CHECK_EQ(kr_gil_log(gil, events, 16), 0);
    void *given[] = {gil, &held};
    kr_thread *holder = start(hold_until_asked, given);
    CHECK_EQ(kr_event_wait(&held, KR_FOREVER), 0);
    kr_gil_thread *self = gil_attach(gil);
    kr_gil_set_name(self, "the one who waits for long");
    CHECK_EQ(kr_gil_release(self), 0);
    CHECK_EQ(join(holder), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    size_t count = kr_gil_log(gil, events, 16);
    bool waited = false, took = false, blocked = false;
    for (size_t i = 0; i < count; i++) {
        bool mine = events[i].thread == 2;
        waited = waited || (mine && events[i].what == KR_GIL_WAITS);
        took = took || (mine && waited && events[i].what == KR_GIL_TAKES);
        blocked = blocked || (mine && took && events[i].what == KR_GIL_BLOCKS);
        if (mine && events[i].what == KR_GIL_BLOCKS)
            CHECK_STR(events[i].name, "the one who wai");
    }
    CHECK(waited && took && blocked);
    CHECK_EQ(events[count - 1].what, KR_GIL_LEAVES);
    CHECK_EQ(kr_gil_log(gil, events, 1), 1);
    CHECK_EQ(events[0].what, KR_GIL_LEAVES);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_gil_detach(gil_attach(gil)), 0);
    CHECK_EQ(kr_gil_log(gil, events, 16), 8);
    for (int i = 0; i < 8; i++) /* and each is told once */
        CHECK_EQ(events[i].what, i % 2 ? KR_GIL_LEAVES : KR_GIL_TAKES);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

TEST(test_metrics)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_event held = KR_EVENT_INIT;
    kr_gil_metrics m;
    void *given[] = {gil, &held};
    kr_thread *holder = start(hold_until_asked, given);
    CHECK_EQ(kr_event_wait(&held, KR_FOREVER), 0);
    kr_gil_thread *self = gil_attach(gil);
    CHECK_EQ(join(holder), 0);
    kr_gil_measure_thread(self, &m);
    CHECK_EQ(m.waits, 1);
    CHECK_EQ(m.wait.count, 1);
    CHECK(m.wait.max > 0);
    CHECK_LE(m.wait.p50, m.wait.max);
    CHECK_EQ(m.waiting, 0);
    kr_gil_measure(gil, &m);
    CHECK_EQ(m.attached, 1);
    CHECK_EQ(m.waits, 1);
    CHECK_EQ(m.hold.count, 1);
    CHECK(m.held > 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}
