/* Every wait of krait's gives the interpreter lock up.
 *
 * In each case one who holds the lock waits for something that comes only when another one has had
 * the lock: it would never come if the wait kept it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct scene {
    kr_gil *gil;
    void (*end)(struct scene *scene); /* what ends the wait */
    kr_lock lock;
    kr_event event;
    kr_event had; /* the other one has had the lock */
    kr_semaphore semaphore;
    kr_condition condition;
    kr_barrier barrier;
    kr_queue *queue;
    kr_future *future;
    int fds[2];
    kr_cancel_scope scope;
} scene;

static int have_it(void *arg)
{
    scene *s = arg;
    kr_gil_thread *self = gil_attach(s->gil);
    kr_event_set(&s->had);
    CHECK_EQ(kr_gil_detach(self), 0);
    if (s->end != NULL)
        s->end(s);
    return 0;
}

static scene *begin(void (*end)(scene *s))
{
    static scene s;
    memset(&s, 0, sizeof s);
    s.end = end;
    s.gil = gil_create(KR_GIL_DEADLINE);
    return &s;
}

static void finish(scene *s, kr_gil_thread *self, kr_thread *other)
{
    CHECK(kr_gil_held(self));
    CHECK(kr_event_is_set(&s->had));
    CHECK_EQ(join(other), 0);
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_check(self), 0);
    CHECK_EQ(kr_gil_detach(self), 0);
    CHECK_EQ(kr_gil_destroy(s->gil), 0);
}

#define WAIT_TEST(name, ending, before, wait)                                                      \
    TEST(name)                                                                                     \
    {                                                                                              \
        scene *s = begin(ending);                                                                  \
        before;                                                                                    \
        kr_gil_thread *self = gil_attach(s->gil);                                                  \
        kr_thread *other = start(have_it, s);                                                      \
        wait;                                                                                      \
        finish(s, self, other);                                                                    \
    }

static void set_event(scene *s)
{
    kr_event_set(&s->event);
}

static void release_lock(scene *s)
{
    CHECK_EQ(kr_lock_release(&s->lock), 0);
}

static void post(scene *s)
{
    CHECK_EQ(kr_semaphore_release(&s->semaphore, 1), 0);
}

static void notify(scene *s)
{
    int told = 0;
    while (told == 0) {
        CHECK_EQ(kr_condition_acquire(&s->condition, KR_FOREVER), 0);
        told = kr_condition_notify(&s->condition, 1);
        CHECK_EQ(kr_condition_release(&s->condition), 0);
    }
}

static void arrive(scene *s)
{
    CHECK_GE(kr_barrier_wait(&s->barrier, KR_FOREVER), 0);
}

static void put(scene *s)
{
    CHECK_EQ(kr_queue_put(s->queue, &(int){1}, KR_FOREVER), 0);
}

static void get(scene *s)
{
    int item;
    CHECK_EQ(kr_queue_get(s->queue, &item, KR_FOREVER), 0);
}

static void write_byte(scene *s)
{
    CHECK_EQ(write(s->fds[1], "x", 1), 1);
}

static void set_result(scene *s)
{
    CHECK_EQ(kr_future_set_result(s->future, NULL, 0), 0);
}

static void make_queue(scene *s, size_t bound)
{
    CHECK_EQ(kr_queue_create(&s->queue, sizeof(int), bound, NULL), 0);
}

static void wait_for_item(scene *s)
{
    int item;
    CHECK_EQ(kr_queue_get(s->queue, &item, KR_FOREVER), 0);
    kr_queue_release(s->queue);
}

static void wait_for_room(scene *s)
{
    CHECK_EQ(kr_queue_put(s->queue, &(int){2}, KR_FOREVER), 0);
    kr_queue_release(s->queue);
}

static void wait_notified(scene *s)
{
    CHECK_EQ(kr_condition_acquire(&s->condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_wait(&s->condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_release(&s->condition), 0);
}

static void read_byte(scene *s)
{
    char byte;
    CHECK_EQ(kr_read(s->fds[0], &byte, 1, KR_FOREVER), 1);
    CHECK_EQ(kr_close(s->fds[0]) | kr_close(s->fds[1]), 0);
}

static void sleep_until_had(scene *s)
{
    while (!kr_event_is_set(&s->had))
        CHECK_EQ(kr_sleep(kr_us(50)), 0);
}

static void wait_for_result(scene *s)
{
    CHECK_EQ(kr_future_result(s->future, NULL, 0, NULL, KR_FOREVER), 0);
    kr_future_release(s->future);
}

static void wait_with(scene *s)
{
    kr_with (&s->lock)
        CHECK(kr_event_is_set(&s->had));
}

WAIT_TEST(test_lock, release_lock, CHECK_EQ(kr_lock_acquire(&s->lock, KR_NOWAIT), 0),
          CHECK_EQ(kr_lock_acquire(&s->lock, KR_FOREVER), 0))
WAIT_TEST(test_uncancellable, release_lock, CHECK_EQ(kr_lock_acquire(&s->lock, KR_NOWAIT), 0),
          wait_with(s))
WAIT_TEST(test_event, set_event, (void)0, CHECK_EQ(kr_event_wait(&s->event, KR_FOREVER), 0))
WAIT_TEST(test_timed, set_event, (void)0, CHECK_EQ(kr_event_wait(&s->event, kr_sec(1000)), 0))
WAIT_TEST(test_semaphore, post, (void)0,
          CHECK_EQ(kr_semaphore_acquire(&s->semaphore, KR_FOREVER), 0))
WAIT_TEST(test_condition, notify, (void)0, wait_notified(s))
WAIT_TEST(test_barrier, arrive, CHECK_EQ(kr_barrier_init(&s->barrier, 2, NULL), 0),
          CHECK_GE(kr_barrier_wait(&s->barrier, KR_FOREVER), 0))
WAIT_TEST(test_queue_get, put, make_queue(s, 0), wait_for_item(s))
WAIT_TEST(test_queue_put, get, (make_queue(s, 1), put(s)), wait_for_room(s))
WAIT_TEST(test_read, write_byte, CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s->fds), 0),
          read_byte(s))
WAIT_TEST(test_future, set_result, CHECK_EQ(kr_future_create(&s->future, 0), 0), wait_for_result(s))
WAIT_TEST(test_sleep, NULL, (void)0, sleep_until_had(s))
WAIT_TEST(test_join, NULL, (void)0, CHECK_EQ(kr_thread_join(other, NULL, KR_FOREVER), 0))

/* In memory that processes share, where threads sleep in the kernel on the word itself. */
TEST(test_shared_wait)
{
    scene *s = begin(set_event);
    kr_event *event = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(event != MAP_FAILED);
    *event = (kr_event)KR_EVENT_INIT_SHARED;
    kr_gil_thread *self = gil_attach(s->gil);
    kr_thread *other = start(have_it, s);
    while (!kr_event_is_set(&s->had))
        CHECK_EQ(kr_event_wait(event, kr_us(100)), -ETIMEDOUT);
    finish(s, self, other);
    CHECK_EQ(munmap(event, 4096), 0);
}

/* A wait that a cancel ends takes it again all the same, inside the cancelled scope. */
static int cancel_when_had(void *arg)
{
    scene *s = arg;
    CHECK_EQ(have_it(s), 0);
    kr_cancel(&s->scope);
    return 0;
}

TEST(test_cancelled_wait)
{
    scene *s = begin(NULL);
    kr_gil_thread *self = gil_attach(s->gil);
    CHECK_EQ(kr_cancel_scope_enter(&s->scope, KR_FOREVER), 0);
    kr_thread *other = start(cancel_when_had, s);
    CHECK_EQ(kr_event_wait(&s->event, KR_FOREVER), -ECANCELED);
    CHECK(kr_gil_held(self));
    kr_allow_threads (self)
        CHECK(!kr_gil_held(self));
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_release(self), 0);
    CHECK_EQ(kr_gil_acquire(self), 0);
    while (kr_thread_alive(other)) /* it may be in the call that cancels */
        CHECK_EQ(kr_gil_check(self), 0);
    kr_cancel_scope_exit(&s->scope);
    finish(s, self, other);
}

static int task_that_has_it(const void *arg, void *result)
{
    (void)result;
    scene *s = *(scene *const *)arg;
    s->end = NULL;
    return have_it(s);
}

/* Who waits for a task that he runs himself is waiting. */
TEST(test_helped_task)
{
    scene *s = begin(NULL);
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    kr_gil_thread *self = gil_attach(s->gil);
    for (int i = 0; i < 100; i++) {
        kr_future *future;
        CHECK_EQ(kr_submit(pool, &future, task_that_has_it, &s, sizeof s, 0), 0);
        CHECK_EQ(kr_future_exception(future, NULL, KR_FOREVER), 0);
        kr_future_release(future);
        CHECK(kr_gil_held(self));
    }
    CHECK_EQ(kr_gil_detach(self), 0);
    kr_executor_release(pool);
    CHECK_EQ(kr_gil_destroy(s->gil), 0);
}

static int attached_task(const void *arg, void *result)
{
    (void)result;
    kr_gil *gil = *(kr_gil *const *)arg;
    kr_gil_thread *self = gil_attach(gil);
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

/* A group's tasks, which its opener runs in place, and a group within one that is attached. */
TEST(test_group)
{
    kr_gil *gil = gil_create(KR_GIL_DEADLINE);
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    kr_gil_thread *self = gil_attach(gil);
    kr_group group;
    CHECK_EQ(kr_group_open(&group, pool), 0);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(kr_group_submit(&group, pool, NULL, attached_task, &gil, sizeof gil, 0), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK(kr_gil_held(self));
    CHECK_EQ(kr_gil_detach(self), 0);
    kr_executor_release(pool);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

/* Two locks: both are given up, and taken again. */
static int have_both(void *arg)
{
    kr_gil **gils = arg;
    kr_gil_thread *first = gil_attach(gils[0]);
    kr_gil_thread *second = gil_attach(gils[1]);
    CHECK_EQ(kr_gil_detach(second), 0);
    CHECK_EQ(kr_gil_detach(first), 0);
    return 0;
}

TEST(test_two_locks)
{
    kr_gil *gils[2] = {gil_create(KR_GIL_DEADLINE), gil_create(KR_GIL_INTERVAL)};
    kr_gil_thread *first = gil_attach(gils[0]);
    kr_gil_thread *second = gil_attach(gils[1]);
    CHECK_EQ(join(start(have_both, gils)), 0);
    CHECK(kr_gil_held(first) && kr_gil_held(second));
    CHECK_EQ(kr_gil_release(first), 0); /* what is not held stays so */
    CHECK_EQ(join(start(have_both, gils)), 0);
    CHECK(!kr_gil_held(first) && kr_gil_held(second));
    CHECK_EQ(kr_gil_acquire(first), 0);
    CHECK_EQ(kr_gil_detach(first), 0); /* in any order */
    CHECK(kr_gil_held(second));
    CHECK_EQ(kr_gil_detach(second), 0);
    CHECK_EQ(kr_gil_destroy(gils[0]) | kr_gil_destroy(gils[1]), 0);
}

/* A thread that is asked for its first lock gives up the second as well, or two that have one each
 * would wait for each other. */
static int take_turns_at_two(void *arg)
{
    kr_gil **gils = arg;
    kr_gil_thread *first = gil_attach(gils[0]);
    kr_gil_thread *second = gil_attach(gils[1]);
    for (int i = 0; i < 20000; i++) {
        CHECK_EQ(kr_gil_check(first), 0);
        CHECK_EQ(kr_gil_check(second), 0);
        if (i % 100 == 0) {
            CHECK_EQ(kr_gil_release(first), 0);
            CHECK_EQ(kr_gil_acquire(first), 0);
        }
        CHECK(kr_gil_held(first) && kr_gil_held(second));
    }
    CHECK_EQ(kr_gil_detach(second), 0);
    CHECK_EQ(kr_gil_detach(first), 0);
    return 0;
}

TEST(test_turns_at_two_locks)
{
    kr_gil *gils[2];
    kr_thread *threads[3];
    for (int i = 0; i < 2; i++) {
        gils[i] = gil_create(i == 0 ? KR_GIL_DEADLINE : KR_GIL_TICKS);
        CHECK_EQ(kr_gil_set_switch_interval(gils[i], kr_us(30)), 0);
    }
    for (int i = 0; i < 3; i++)
        threads[i] = start(take_turns_at_two, gils);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(join(threads[i]), 0);
    CHECK_EQ(kr_gil_destroy(gils[0]) | kr_gil_destroy(gils[1]), 0);
}
