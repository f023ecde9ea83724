/* Threads: start, names, numbers, join, who is there.
 *
 * Behaviours: sections 8.1, 8.4
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "os/os.h"
#include "wait/wait.h"
#include <krait/krait.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static kr_thread *start(kr_run_fn run, const void *arg, size_t size)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, run, arg, size, NULL), 0);
    return t;
}

static void join(kr_thread *t)
{
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
}

static int wait_for(void *event)
{
    return kr_event_wait(event, KR_FOREVER);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void check_name(kr_thread *t, const char *want)
{
    char name[KR_THREAD_NAME_SIZE];
    CHECK_EQ(kr_thread_name(t, name, sizeof name), strlen(want));
    CHECK_STR(name, want);
}

typedef struct args {
    int left, right;
    double pad[9];
    int *sum;
} args;

static int add(void *arg)
{
    args *a = arg;
    CHECK_EQ((uintptr_t)arg % _Alignof(max_align_t), 0);
    *a->sum = a->left + a->right;
    return a->left;
}

static int is_address(void *arg)
{
    return *(int *)arg;
}

TEST(test_args_argument)
{
    int sum = 0, result = 0;
    args a = {.left = 4, .right = 5, .sum = &sum};
    kr_thread *t = start(add, &a, sizeof a);
    memset(&a, 0, sizeof a); /* the thread has a copy */
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    kr_thread_release(t);
    CHECK_EQ(sum, 9);
    CHECK_EQ(result, 4);
    int direct = 17;
    t = start(is_address, &direct, 0);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    CHECK_EQ(result, 17);
    kr_thread_release(t);
}

enum { TASKS = 10 };

typedef struct ops {
    kr_semaphore places;
    kr_lock lock;
    kr_event go;
    int running, most, started;
    uint64_t idents[TASKS];
    int native_ids[TASKS];
} ops;

static int take_place(void *arg)
{
    ops *o = arg;
    CHECK_EQ(kr_event_wait(&o->go, KR_FOREVER), 0);
    CHECK_EQ(kr_semaphore_acquire(&o->places, KR_FOREVER), 0);
    kr_with (&o->lock) {
        o->idents[o->started] = kr_thread_ident(kr_thread_current());
        o->native_ids[o->started++] = kr_thread_native_id(kr_thread_current());
        o->running++;
        o->most = o->running > o->most ? o->running : o->most;
        CHECK_LE(o->running, 3);
    }
    kri_test_nap();
    kr_with (&o->lock)
        o->running--;
    CHECK_EQ(kr_semaphore_release(&o->places, 1), 0);
    return 0;
}

static bool in_idents(const ops *o, uint64_t ident)
{
    for (int i = 0; i < TASKS; i++)
        if (o->idents[i] == ident)
            return true;
    return false;
}

static void check_distinct(const ops *o)
{
    for (int i = 0; i < TASKS; i++) {
        CHECK_NE(o->native_ids[i], getpid());
        for (int j = 0; j < i; j++) {
            CHECK(o->native_ids[i] != o->native_ids[j]);
            CHECK(o->idents[i] != o->idents[j]);
        }
    }
}

static void various_ops(size_t stack_size)
{
    ops o = {.places = KR_SEMAPHORE_INIT_BOUNDED(3)};
    kr_thread *threads[TASKS];
    uint64_t idents[TASKS];
    for (int i = 0; i < TASKS; i++) {
        kr_thread_options options = {.stack_size = stack_size};
        CHECK_EQ(kr_thread_start(&threads[i], take_place, &o, 0, &options), 0);
        CHECK(kr_thread_alive(threads[i]));
        idents[i] = kr_thread_ident(threads[i]);
        CHECK(idents[i] != 0);
    }
    kr_event_set(&o.go); /* native ids are distinct while all are alive */
    for (int i = 0; i < TASKS; i++) {
        CHECK_EQ(kr_thread_join(threads[i], NULL, KR_FOREVER), 0);
        CHECK(!kr_thread_alive(threads[i]));
        CHECK(kr_thread_ident(threads[i]) == idents[i]);
        CHECK(in_idents(&o, idents[i]));
        kr_thread_release(threads[i]);
    }
    CHECK_EQ(o.started, TASKS);
    CHECK_EQ(o.running, 0);
    CHECK_GE(o.most, 1);
    check_distinct(&o);
}

TEST(test_various_ops)
{
    various_ops(0);
}

TEST(test_various_ops_small_stack)
{
    various_ops(256 * 1024);
}

TEST(test_various_ops_large_stack)
{
    various_ops(1024 * 1024);
}

static void look_at_myself(void *arg)
{
    uint64_t *ident = arg;
    *ident = kr_thread_ident(kr_thread_current());
    CHECK(*ident == kr_thread_ident(kr_thread_current()));
    CHECK_EQ(kr_thread_native_id(kr_thread_current()), gettid());
    CHECK(kr_thread_current() != kr_thread_main());
}

TEST(test_ident_of_no_threading_threads)
{
    uint64_t ident = 0;
    kri_bunch bunch;
    CHECK(kr_thread_ident(kr_thread_current()) != 0);
    CHECK_EQ(kr_thread_native_id(kr_thread_current()), getpid());
    kri_bunch_start(&bunch, 1, look_at_myself, &ident);
    kri_bunch_end(&bunch);
    CHECK(ident != 0);
    CHECK(ident != kr_thread_ident(kr_thread_current()));
}

static kr_thread *foreign;

static void become_known(void *arg)
{
    (void)arg;
    foreign = kr_thread_retain(kr_thread_current());
}

TEST(test_foreign_thread)
{
    kri_bunch bunch;
    kri_bunch_hold(&bunch, 1, become_known, NULL);
    kri_bunch_wait_finished(&bunch, 1);
    CHECK(kr_thread_alive(foreign));
    CHECK_EQ(kr_thread_join(foreign, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_thread_active_count(), 2);
    CHECK(kr_thread_daemon(foreign));
    check_name(foreign, "Dummy-1");
    kri_bunch_end(&bunch);
    CHECK(!kr_thread_alive(foreign));
    CHECK_EQ(kr_thread_active_count(), 1);
    CHECK_EQ(kr_thread_join(foreign, NULL, KR_NOWAIT), 0);
    kr_thread_release(foreign);
}

static int wait_in_scope(void *arg)
{
    kr_cancel_scope *scope = arg;
    kr_event never = KR_EVENT_INIT;
    CHECK_EQ(kr_cancel_scope_enter(scope, KR_FOREVER), 0);
    int err = kr_event_wait(&never, KR_FOREVER);
    CHECK_EQ(kr_cancel_scope_exit(scope), -ECANCELED);
    return err;
}

/* What C has instead: a request that the other's waits answer. */
TEST(test_PyThreadState_SetAsyncExc)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int result = 0;
    kr_thread *t = start(wait_in_scope, &scope, 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    CHECK_EQ(result, -ECANCELED);
    kr_thread_release(t);
}

TEST(test_limbo_cleanup)
{
    kr_thread *t = (kr_thread *)&t;
    size_t huge = (size_t)1 << 60;
    CHECK_LE(kr_thread_start(&t, nothing, NULL, 0, &(kr_thread_options){.stack_size = huge}), -1);
    CHECK(t == NULL);
    CHECK_EQ(kr_thread_active_count(), 1);
    CHECK_EQ(kr_thread_start(&t, nothing, &huge, SIZE_MAX, NULL), -ENOMEM);
    CHECK_EQ(kr_thread_active_count(), 1);
    join(start(nothing, NULL, 0));
}

TEST(options_are_checked)
{
    kr_thread *t;
    kr_thread_options reserved = {.reserved = {0, 0, 0, 1}};
    kr_cpu_set empty = {{0}};
    CHECK_EQ(kr_thread_start(&t, NULL, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(kr_thread_start(&t, nothing, NULL, 0, &reserved), -EINVAL);
    CHECK_EQ(kr_thread_start(&t, nothing, NULL, 0, &(kr_thread_options){.daemon = 2}), -EINVAL);
    CHECK_EQ(kr_thread_start(&t, nothing, NULL, 0, &(kr_thread_options){.stack_size = 1}), -EINVAL);
    CHECK_EQ(kr_thread_start(&t, nothing, NULL, 0, &(kr_thread_options){.affinity = &empty}),
             -EINVAL);
    CHECK(t == NULL);
    CHECK_EQ(kr_thread_active_count(), 1);
}

static int list_myself(void *arg)
{
    (void)arg;
    kr_thread *threads[8];
    int count = kr_thread_enumerate(threads, 8), mine = 0;
    for (int i = 0; i < count; i++) {
        mine += threads[i] == kr_thread_current();
        kr_thread_release(threads[i]);
    }
    CHECK_EQ(mine, 1);
    return 0;
}

TEST(test_enumerate_after_join)
{
    for (int i = 0; i < 100; i++) {
        kr_thread *threads[4];
        kr_thread *t = start(list_myself, NULL, 0);
        CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
        CHECK_EQ(kr_thread_enumerate(threads, 4), 1);
        CHECK(threads[0] == kr_thread_main());
        kr_thread_release(threads[0]);
        kr_thread_release(t);
    }
}

TEST(enumerate_counts_more_than_fit)
{
    kr_event go = KR_EVENT_INIT;
    kr_thread *a = start(wait_for, &go, 0), *b = start(wait_for, &go, 0), *listed[2];
    CHECK_EQ(kr_thread_enumerate(listed, 2), 3);
    CHECK(listed[0] == kr_thread_main());
    CHECK(listed[1] == a);
    kr_thread_release(listed[0]);
    kr_thread_release(listed[1]);
    kr_event_set(&go);
    join(a);
    join(b);
}

static int join_other(void *arg)
{
    int result = 0;
    CHECK_EQ(kr_thread_join(arg, &result, KR_FOREVER), 0);
    CHECK_EQ(result, 5);
    return 0;
}

static int wait_then_5(void *event)
{
    return wait_for(event) < 0 ? -1 : 5;
}

TEST(test_join_from_multiple_threads)
{
    enum { JOINERS = 20 };
    kr_event go = KR_EVENT_INIT;
    kr_thread *joiners[JOINERS];
    kr_thread *t = start(wait_then_5, &go, 0);
    for (int i = 0; i < JOINERS; i++)
        joiners[i] = start(join_other, t, 0);
    kri_test_wait_parked((kr_word *)t, JOINERS); /* the state is its first member */
    kr_event_set(&go);
    for (int i = 0; i < JOINERS; i++)
        join(joiners[i]);
    join(t);
}

TEST(test_join_with_timeout)
{
    kr_event go = KR_EVENT_INIT;
    kr_thread *t = start(wait_for, &go, 0);
    kr_time began = kr_now();
    CHECK_EQ(kr_thread_join(t, NULL, kr_ms(10)), -ETIMEDOUT);
    CHECK_GE(kr_now() - began, kr_ms(6));
    CHECK_EQ(kr_thread_join(t, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_thread_join(t, NULL, -1), -EINVAL);
    CHECK_EQ(kr_thread_join(NULL, NULL, KR_NOWAIT), -EINVAL);
    CHECK(kr_thread_alive(t));
    kr_event_set(&go);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    CHECK(!kr_thread_alive(t));
    CHECK_EQ(kr_thread_join(t, NULL, KR_NOWAIT), 0);
    kr_thread_release(t);
}

TEST(a_cancelled_join_leaves_the_thread)
{
    kr_event go = KR_EVENT_INIT;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_thread *t = start(wait_for, &go, 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK(kr_thread_alive(t));
    kr_event_set(&go);
    join(t);
}

static int daemon_of_child(void *arg)
{
    (void)arg;
    kr_thread *t = start(nothing, NULL, 0);
    int is = kr_thread_daemon(t);
    join(t);
    return is;
}

static int started_with(int daemon)
{
    kr_thread *t;
    int result;
    CHECK_EQ(kr_thread_start(&t, daemon_of_child, NULL, 0, &(kr_thread_options){.daemon = daemon}),
             0);
    CHECK_EQ(kr_thread_daemon(t), daemon == KR_DAEMON_YES);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    kr_thread_release(t);
    return result;
}

/* behaviours: 8.1 test_repr_daemon */
TEST(test_daemon_param)
{
    CHECK_EQ(started_with(KR_DAEMON_INHERIT), 0);
    CHECK_EQ(started_with(KR_DAEMON_NO), 0);
    CHECK_EQ(started_with(KR_DAEMON_YES), 1);
    CHECK(!kr_thread_daemon(kr_thread_main()));
}

static int not_main(void *arg)
{
    (void)arg;
    return kr_thread_current() != kr_thread_main();
}

TEST(test_main_thread)
{
    int result;
    CHECK(kr_thread_main() == kr_thread_current());
    check_name(kr_thread_main(), "MainThread");
    kr_thread *t = start(not_main, NULL, 0);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    CHECK_EQ(result, 1);
    kr_thread_release(t);
}

/* Its state turns by itself, without a join. */
TEST(test_repr_stopped)
{
    kr_event go = KR_EVENT_INIT;
    kr_thread *t = start(wait_for, &go, 0);
    CHECK(kr_thread_alive(t));
    kr_event_set(&go);
    while (kr_thread_alive(t))
        kri_test_nap();
    CHECK_EQ(kr_thread_active_count(), 1);
    kr_thread_release(t);
}

static int release_one(void *arg)
{
    return kr_semaphore_release(arg, 1);
}

TEST(test_BoundedSemaphore_limit)
{
    for (int limit = 1; limit < 10; limit++) {
        kr_semaphore s;
        kr_thread *threads[10];
        int done = 0;
        CHECK_EQ(kr_semaphore_init(&s, limit, &(kr_semaphore_options){.bound = limit}), 0);
        for (int i = 0; i < limit; i++)
            CHECK_EQ(kr_semaphore_acquire(&s, KR_NOWAIT), 0);
        for (int i = 0; i < limit; i++)
            threads[i] = start(release_one, &s, 0);
        for (int i = 0; i < limit; i++) {
            int result;
            CHECK_EQ(kr_thread_join(threads[i], &result, KR_FOREVER), 0);
            done += result == 0;
            kr_thread_release(threads[i]);
        }
        CHECK_EQ(done, limit);
        CHECK_EQ(kr_semaphore_release(&s, 1), -EOVERFLOW);
    }
}

static int leave(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

TEST(a_thread_may_leave_by_pthread_exit)
{
    int result = 0;
    kr_thread *t = start(leave, NULL, 0);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    CHECK_EQ(result, -ECANCELED);
    CHECK_EQ(kr_thread_active_count(), 1);
    kr_thread_release(t);
}

/* behaviour: 8.4 test_releasing_unacquired_lock */
TEST(test_releasing_unacquired_lock)
{
    kr_lock lock = KR_LOCK_INIT;
    CHECK_EQ(kr_lock_release(&lock), -EPERM);
}

TEST(test_joining_current_thread)
{
    CHECK_EQ(kr_thread_join(kr_thread_current(), NULL, KR_FOREVER), -EDEADLK);
    CHECK_EQ(kr_thread_join(kr_thread_current(), NULL, KR_NOWAIT), -EDEADLK);
}

static int run_auto(void *arg)
{
    KR_AUTO(kr_thread) *t = start(nothing, NULL, 0);
    (void)arg;
    return kr_thread_join(t, NULL, KR_FOREVER);
}

TEST(a_handle_is_released_at_the_end_of_its_block)
{
    int result = -1;
    kr_thread *t = start(run_auto, NULL, 0);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    CHECK_EQ(result, 0);
    kr_thread_release(t);
    kr_thread_release(NULL);
    CHECK(kr_thread_retain(NULL) == NULL);
}
