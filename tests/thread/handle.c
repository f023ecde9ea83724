/* Handles and stacks: what CPython asserts of its low-level threads.
 *
 * Behaviours: section 8.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "thread/child.h"
#include <krait/krait.h>
#include <pthread.h>
#include <sys/resource.h>

static kr_thread *start(kr_run_fn run, const void *arg)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, run, arg, 0, NULL), 0);
    return t;
}

static int join(kr_thread *t)
{
    int result = -1;
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    kr_thread_release(t);
    return result;
}

static int wait_for(void *event)
{
    return kr_event_wait(event, KR_FOREVER);
}

static int release_one(void *semaphore)
{
    return kr_semaphore_release(semaphore, 1);
}

TEST(test_starting_threads)
{
    kr_semaphore done = KR_SEMAPHORE_INIT(0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(kr_thread_start(NULL, release_one, &done, 0, NULL), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(kr_semaphore_acquire(&done, KR_FOREVER), 0);
}

static int stack_kib(void *arg)
{
    pthread_attr_t attr;
    size_t size = 0;
    (void)arg;
    CHECK_EQ(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_EQ(pthread_attr_getstacksize(&attr, &size), 0);
    pthread_attr_destroy(&attr);
    return (int)(size / 1024);
}

static int started_stack_kib(size_t bytes)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, stack_kib, NULL, 0, &(kr_thread_options){.stack_size = bytes}), 0);
    return join(t);
}

TEST(test_stack_size)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
    if (limit.rlim_cur != RLIM_INFINITY)
        CHECK_GE(started_stack_kib(0), (int)(limit.rlim_cur / 1024) - 64);
    CHECK_GE(started_stack_kib(0), 1024);
}

/* A size that is no multiple of a page is rounded up; the guard page may count as stack. */
TEST(test_nt_and_posix_stack_size)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, stack_kib, NULL, 0, &(kr_thread_options){.stack_size = 4096}),
             -EINVAL);
    CHECK_GE(started_stack_kib(256 * 1024), 252);
    if (!KRI_TSAN) /* it adds its own */
        CHECK_LE(started_stack_kib(256 * 1024), 320);
    CHECK_GE(started_stack_kib(1024 * 1024), 1020);
    if (!KRI_TSAN)
        CHECK_LE(started_stack_kib(1024 * 1024), 1100);
    CHECK_GE(started_stack_kib(1024 * 1024 - 1), 1020);
    CHECK_EQ(started_stack_kib(0), started_stack_kib(0));
}

TEST(test__count)
{
    kr_event go = KR_EVENT_INIT;
    int before = kr_thread_active_count();
    kr_thread *t = start(wait_for, &go);
    CHECK_EQ(kr_thread_active_count(), before + 1);
    kr_event_set(&go);
    CHECK_EQ(join(t), 0);
    CHECK_EQ(kr_thread_active_count(), before);
}

static int fail(void *arg)
{
    (void)arg;
    return -EDOM;
}

static void fail_in_a_thread(void)
{
    kr_thread *t = start(fail, NULL);
    CHECK_EQ(join(t), -EDOM);
}

TEST(test_unraisable_exception)
{
    char wanted[200];
    snprintf(wanted, sizeof wanted, "krait: thread \"Thread-1\" failed: EDOM (%s)\n",
             strerror(EDOM));
    child_expect(fail_in_a_thread, wanted);
}

TEST(test_join_thread)
{
    kr_semaphore done = KR_SEMAPHORE_INIT(0);
    CHECK_EQ(join(start(release_one, &done)), 0);
    CHECK_EQ(kr_semaphore_value(&done), 1);
}

TEST(test_join_thread_already_exited)
{
    kr_semaphore done = KR_SEMAPHORE_INIT(0);
    kr_thread *t = start(release_one, &done);
    while (kr_thread_alive(t))
        kri_test_nap();
    CHECK_EQ(join(t), 0);
}

TEST(test_join_several_times)
{
    kr_semaphore done = KR_SEMAPHORE_INIT(0);
    kr_thread *t = start(release_one, &done);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    CHECK_EQ(join(t), 0);
}

TEST(test_joinable_not_joined)
{
    kr_event go = KR_EVENT_INIT;
    kr_thread *t = start(wait_for, &go);
    kr_thread_release(t); /* before its end */
    kr_event_set(&go);
    while (kr_thread_active_count() > 1)
        kri_test_nap();
    kr_semaphore done = KR_SEMAPHORE_INIT(0);
    t = start(release_one, &done);
    while (kr_thread_alive(t))
        kri_test_nap();
    kr_thread_release(t); /* after it */
}

typedef struct pair {
    kr_event known, go;
    kr_thread *self, *other;
} pair;

static int join_myself(void *arg)
{
    pair *p = arg;
    CHECK_EQ(kr_event_wait(&p->known, KR_FOREVER), 0);
    CHECK_EQ(kr_thread_join(p->self, NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_thread_join(p->self, NULL, KR_NOWAIT), -EDEADLK);
    return 7;
}

TEST(test_join_from_self)
{
    pair p = {.known = KR_EVENT_INIT};
    p.self = start(join_myself, &p);
    kr_event_set(&p.known);
    CHECK_EQ(join(p.self), 7); /* others still can */
}

static int join_the_other(void *arg)
{
    pair *p = arg;
    return kr_thread_join(p->other, NULL, KR_FOREVER);
}

static int join_myself_late(void *arg)
{
    pair *p = arg;
    CHECK_EQ(kr_event_wait(&p->go, KR_FOREVER), 0);
    return kr_thread_join(p->other, NULL, KR_FOREVER);
}

TEST(test_join_then_self_join)
{
    pair p = {.known = KR_EVENT_INIT, .go = KR_EVENT_INIT};
    p.other = start(join_myself_late, &p);
    p.self = start(join_the_other, &p);
    kri_test_wait_parked((kr_word *)p.other, 1);
    kr_event_set(&p.go);
    CHECK_EQ(join(p.self), 0);
    CHECK_EQ(kr_thread_join(p.other, NULL, KR_FOREVER), 0);
    int result;
    CHECK_EQ(kr_thread_join(p.other, &result, KR_FOREVER), 0);
    CHECK_EQ(result, -EDEADLK);
    kr_thread_release(p.other);
}

TEST(test_join_with_timeout)
{
    kr_event go = KR_EVENT_INIT;
    kr_thread *t = start(wait_for, &go);
    kr_time began = kr_now();
    CHECK_EQ(kr_thread_join(t, NULL, kr_ms(100)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(100));
    kr_event_set(&go);
    CHECK_EQ(join(t), 0);
}

enum { PARTIES = 10, ROUNDS = 3 };

/* A barrier made of two locks, as in CPython's test. */
typedef struct barrier {
    kr_lock in, out;
    int waiting, passed[ROUNDS];
} barrier;

static void enter(barrier *b)
{
    CHECK_EQ(kr_lock_acquire(&b->in, KR_FOREVER), 0);
    b->waiting++;
    CHECK_EQ(kr_lock_release(b->waiting < PARTIES ? &b->in : &b->out), 0);
    CHECK_EQ(kr_lock_acquire(&b->out, KR_FOREVER), 0);
    b->waiting--;
    CHECK_EQ(kr_lock_release(b->waiting > 0 ? &b->out : &b->in), 0);
}

static int go_through(void *arg)
{
    barrier *b = arg;
    for (int round = 0; round < ROUNDS; round++) {
        for (int earlier = 0; earlier < round; earlier++)
            CHECK_EQ(kri_load_acq((kr_word *)&b->passed[earlier]), PARTIES);
        kri_add_sc((kr_word *)&b->passed[round], 1);
        enter(b);
    }
    return 0;
}

/* behaviour: 8.7 BarrierTest.test_barrier */
TEST(test_barrier)
{
    barrier b = {.in = KR_LOCK_INIT};
    kr_thread *threads[PARTIES];
    CHECK_EQ(kr_lock_acquire(&b.out, KR_FOREVER), 0);
    for (int i = 0; i < PARTIES; i++)
        threads[i] = start(go_through, &b);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(join(threads[i]), 0);
}

static int fork_here(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0)
        exit(0);
    child_wait(pid);
    return 0;
}

/* behaviour: 8.7 TestForkInThread.test_forkinthread */
TEST(test_forkinthread)
{
    CHECK_EQ(join(start(fork_here, NULL)), 0);
}
