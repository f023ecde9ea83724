/* The report of a stall: that it comes, once, and what it says.
 *
 * The hook may do what nobody else can do any more, so most cases end by it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wait/stall.h"
#include "wait/stalls.h"
#include <signal.h>

/* There is one. */

TEST(test_lone_main_on_an_event)
{
    kr_time begun = kr_now();
    expect_stall(set_event);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_GE(kr_now() - begun, kr_ms(900));
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK(strncmp(last_report, "krait: every thread waits for ever:\n", 36) == 0);
    CHECK(says("  MainThread waits for an event at %p", (void *)&event));
    CHECK_EQ(lines(), 2);
}

static kr_lock locks[2];
static kr_future *futures[2];

static int take_both(void *arg)
{
    int first = *(int *)arg;
    CHECK_EQ(kr_lock_acquire(&locks[first], KR_FOREVER), 0);
    meet();
    CHECK_EQ(kr_lock_acquire(&locks[1 - first], KR_FOREVER), 0);
    kr_lock_release(&locks[1 - first]);
    if (first == 1)
        kr_lock_release(&locks[1]);
    return 0;
}

static void release_the_first(void)
{
    CHECK_EQ(kr_lock_release(&locks[0]), 0);
}

TEST(test_two_threads_with_two_locks)
{
    static int numbers[] = {0, 1};
    kr_thread *threads[2];
    expect_stall(release_the_first);
    for (int i = 0; i < 2; i++) {
        kr_thread_options options = {.name = i == 0 ? "the first" : "the second"};
        CHECK_EQ(kr_thread_start(&threads[i], take_both, &numbers[i], 0, &options), 0);
        CHECK_EQ(kr_semaphore_acquire(&entered, KR_FOREVER), 0);
    }
    CHECK_EQ(kr_semaphore_release(&go, 2), 0);
    for (int i = 0; i < 2; i++)
        join_well(threads[i]);
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK(says("  MainThread waits for the thread the first to end"));
    CHECK(says("  the first waits for a lock at %p", (void *)&locks[1]));
    CHECK(says("  the second waits for a lock at %p", (void *)&locks[0]));
    CHECK_EQ(lines(), 4);
}

static int wait_for_the_other(const void *arg, void *result)
{
    int mine = *(const int *)arg;
    (void)result;
    meet();
    int error;
    int err = kr_future_exception(futures[1 - mine], &error, KR_FOREVER);
    return err ? err : error;
}

static void cancel_the_first(void)
{
    CHECK_EQ(kr_future_cancel(futures[0]), KR_ASKED);
}

TEST(test_workers_wait_for_each_other)
{
    kr_executor *pool;
    expect_stall(cancel_the_first);
    CHECK_EQ(kr_thread_pool(
                 &pool, &(kr_pool_options){.workers = 2, .name = "club", .no_outside_help = true}),
             0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kr_submit(pool, &futures[i], wait_for_the_other, &i, sizeof i, 0), 0);
        CHECK_EQ(kr_semaphore_acquire(&entered, KR_FOREVER), 0);
    }
    CHECK_EQ(kr_semaphore_release(&go, 2), 0);
    for (int i = 0; i < 2; i++) {
        int error;
        CHECK_EQ(kr_future_exception(futures[i], &error, KR_FOREVER), 0);
        CHECK_EQ(error, -ECANCELED);
    }
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK(says("  MainThread waits for a task of club, which runs in club_0"));
    CHECK(says("  club_0 waits for a task of club, which runs in club_1"));
    CHECK(says("  club_1 waits for a task of club, which runs in club_0"));
    CHECK_EQ(lines(), 4);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
    kr_future_release(futures[0]);
    kr_future_release(futures[1]);
}

static int wait_until_set(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_event_wait(&event, KR_FOREVER);
}

static int submit_and_wait(const void *pool, void *result)
{
    kr_executor *executor = *(kr_executor *const *)pool;
    kr_future *f;
    int error;
    (void)result;
    CHECK_EQ(kr_submit(executor, &f, wait_until_set, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    kr_future_release(f);
    return error;
}

/* A task that runs another below it still runs. */
TEST(test_worker_that_helps)
{
    kr_executor *pool;
    int error;
    expect_stall(set_event);
    CHECK_EQ(kr_thread_pool(
                 &pool, &(kr_pool_options){.workers = 1, .name = "club", .no_outside_help = true}),
             0);
    CHECK_EQ(kr_submit(pool, &futures[0], submit_and_wait, &pool, sizeof pool, 0), 0);
    CHECK_EQ(kr_future_exception(futures[0], &error, KR_FOREVER), 0);
    CHECK_EQ(error, 0);
    CHECK(says("  MainThread waits for a task of club, which runs in club_0"));
    CHECK(says("  club_0 waits for an event at %p", (void *)&event));
    CHECK_EQ(lines(), 3);
    kr_future_release(futures[0]);
    kr_executor_release(pool);
}

static void finish_the_first(void)
{
    CHECK_EQ(kr_future_set_result(futures[0], NULL, 0), 0);
}

/* The workers have nothing to do, and so have nothing to do with it. */
TEST(test_beside_an_idle_pool)
{
    kr_executor *pool;
    kr_future *f;
    expect_stall(set_event);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    CHECK_EQ(kr_semaphore_release(&go, 1), 0);
    CHECK_EQ(kr_future_create(&futures[1], 0), 0);
    CHECK_EQ(kr_future_set_result(futures[1], NULL, 0), 0);
    CHECK_EQ(kr_submit(pool, &f, wait_for_the_other, &(int){0}, sizeof(int), 0), 0);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK(says("  MainThread waits for an event at %p", (void *)&event));
    CHECK_EQ(lines(), 2);
    CHECK_EQ(kri_load_sc(&reports), 1);
    kr_future_release(f);
    kr_future_release(futures[1]);
    kr_executor_release(pool);
}

TEST(test_future_that_nobody_finishes)
{
    expect_stall(finish_the_first);
    CHECK_EQ(kr_future_create(&futures[0], 0), 0);
    CHECK_EQ(kr_future_exception(futures[0], NULL, KR_FOREVER), 0);
    CHECK(says("  MainThread waits for a future that nobody has begun"));
    kr_future_release(futures[0]);
}

/* Room, the end of a pool, a queued task and several futures. */
static int ask_for_room(void *pool)
{
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, wait_until_set, NULL, 0, 0), 0);
    kr_future_release(f);
    return 0;
}

static int wait_for_both(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_wait(futures, 2, KR_ALL_COMPLETED, NULL, KR_FOREVER), 2);
    return 0;
}

static int wait_for_the_next(void *arg)
{
    kr_completed *completed;
    kr_future *f;
    (void)arg;
    CHECK_EQ(kr_as_completed(&completed, &futures[1], 1), 0);
    CHECK_EQ(kr_completed_next(completed, &f, KR_FOREVER), 1);
    kr_completed_release(completed);
    return 0;
}

static int wait_for_the_second(void *arg)
{
    (void)arg;
    return kr_future_exception(futures[1], NULL, KR_FOREVER);
}

TEST(test_waits_for_a_pool)
{
    static kr_run_fn const functions[] = {ask_for_room, wait_for_both, wait_for_the_next,
                                          wait_for_the_second};
    static const char *const names[] = {"room", "both", "next", "second"};
    kr_thread *threads[4];
    kr_executor *pool;
    expect_stall(set_event);
    kr_pool_options options = {
        .workers = 1, .max_queued = 1, .name = "club", .no_outside_help = true};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    CHECK_EQ(kr_submit(pool, &futures[0], wait_until_set, NULL, 0, 0), 0);
    CHECK_EQ(kr_submit(pool, &futures[1], wait_until_set, NULL, 0, 0), 0);
    for (int i = 0; i < 4; i++) {
        kr_thread_options named = {.name = names[i]};
        CHECK_EQ(kr_thread_start(&threads[i], functions[i], pool, 0, &named), 0);
    }
    join_well(threads[0]);
    CHECK(says("  club_0 waits for an event at %p", (void *)&event));
    CHECK(says("  MainThread waits for the thread room to end"));
    CHECK(says("  room waits for room in the queue of club"));
    CHECK(says("  both waits for several futures, the first of them a task of club, "
               "which runs in club_0"));
    CHECK(says("  next waits for several futures, the first of them a task of club that is "
               "queued"));
    CHECK(says("  second waits for a task of club that is queued"));
    CHECK_EQ(lines(), 7);
    for (int i = 1; i < 4; i++)
        join_well(threads[i]);
    kr_event_clear(&event);
    CHECK_EQ(kr_submit(pool, NULL, wait_until_set, NULL, 0, 0), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK(says("  MainThread waits for the workers of club to end"));
    CHECK_EQ(kri_load_sc(&reports), 2);
    kr_executor_release(pool);
    kr_future_release(futures[0]);
    kr_future_release(futures[1]);
}

static kr_condition condition;
static bool ready;

static void notify(void)
{
    if (kri_load_sc(&reports) == 1)
        CHECK_EQ(kr_semaphore_release(&go, 1), 0);
    if (kri_load_sc(&reports) != 2)
        return;
    CHECK_EQ(kr_condition_acquire(&condition, KR_NOWAIT), 0);
    ready = true;
    CHECK_EQ(kr_condition_notify(&condition, 1), 1);
    CHECK_EQ(kr_condition_release(&condition), 0);
}

TEST(test_semaphore_and_condition)
{
    expect_stall(notify);
    CHECK_EQ(kr_semaphore_acquire(&go, KR_FOREVER), 0);
    CHECK(says("  MainThread waits for a permit of a semaphore at %p", (void *)&go));
    CHECK_EQ(kr_condition_acquire(&condition, KR_FOREVER), 0);
    while (!ready)
        CHECK_EQ(kr_condition_wait(&condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_release(&condition), 0);
    CHECK(says("  MainThread waits for a condition at %p", (void *)&condition));
    CHECK_EQ(kri_load_sc(&reports), 2);
}

static int wait_for_notify(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_condition_acquire(&condition, KR_FOREVER), 0);
    CHECK_EQ(kr_semaphore_release(&entered, 1), 0);
    CHECK_EQ(kr_condition_wait(&condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_release(&condition), 0);
    return 0;
}

/* Who has been notified waits for the lock from then on. */
TEST(test_notified_by_one_who_keeps_the_lock)
{
    kr_thread *thread;
    kr_thread_options options = {.name = "notified"};
    expect_stall(set_event);
    CHECK_EQ(kr_thread_start(&thread, wait_for_notify, NULL, 0, &options), 0);
    CHECK_EQ(kr_semaphore_acquire(&entered, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_acquire(&condition, KR_FOREVER), 0);
    CHECK_EQ(kr_condition_notify(&condition, 1), 1);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK(says("  notified waits for a lock at %p", (void *)&condition.own));
    CHECK(says("  MainThread waits for an event at %p", (void *)&event));
    CHECK_EQ(lines(), 3);
    CHECK_EQ(kr_condition_release(&condition), 0);
    join_well(thread);
}

static void wake_word(void)
{
    kri_store_sc(&word, 1);
    CHECK_EQ(kri_wake(&word, 1, 0), 1);
}

/* In a scope a waiter stands in two queues; it is told of once. */
TEST(test_something_inside_a_scope)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    expect_stall(wake_word);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kri_wait(&word, 0, KRI_NEVER, 0), 0);
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    CHECK(says("  MainThread waits for something at %p", (void *)&word));
    CHECK_EQ(lines(), 2);
}

/* The last that could act does not sleep, but ends. */
TEST(test_last_one_ends)
{
    expect_stall(set_event);
    kr_thread *t = start(be_short, NULL);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(lines(), 2);
    join_well(t);
}

TEST(test_last_one_ends_outside)
{
    kri_bunch bunch = {0};
    expect_stall(set_event);
    kri_bunch_start(&bunch, 3, be_short_outside, NULL);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(lines(), 2);
    kri_bunch_end(&bunch);
}

static int serve(void *arg)
{
    (void)arg;
    kri_stall_serve();
    while (kri_wait(&word, 0, kri_deadline(kr_ms(20)), 0) == -ETIMEDOUT)
        continue;
    return 0;
}

/* A thread of the library's own does not count, whatever it does. */
TEST(test_beside_a_service)
{
    expect_stall(set_event);
    kr_thread *t = start(serve, NULL);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK_EQ(lines(), 2);
    kri_store_sc(&word, 1);
    (void)kri_wake(&word, 1, 0);
    join(t);
}

/* One that could not be started is not waited for. */
TEST(test_after_a_start_that_failed)
{
    kr_thread *t;
    expect_stall(set_event);
    kr_thread_options options = {.stack_size = (size_t)1 << 50};
    CHECK_NE(kr_thread_start(&t, be_short, NULL, 0, &options), 0);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&reports), 1);
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

TEST(test_after_many_threads)
{
    expect_stall(set_event);
    for (int i = 0; i < 100; i++)
        join_well(start(end_at_once, NULL));
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK_EQ(lines(), 2);
}

/* A report has an end. */
static int wait_in_the_crowd(void *arg)
{
    (void)arg;
    return kr_event_wait(&event, KR_FOREVER);
}

TEST(test_more_than_fit)
{
    enum { CROWD = 200 };
    kr_thread *threads[CROWD];
    char name[KR_THREAD_NAME_SIZE];
    int more = 0;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    expect_stall(set_event);
    kr_thread_options options = {.name = name};
    for (int i = 0; i < CROWD; i++)
        CHECK_EQ(kr_thread_start(&threads[i], wait_in_the_crowd, NULL, 0, &options), 0);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    for (int i = 0; i < CROWD; i++)
        join_well(threads[i]);
    CHECK_EQ(sscanf(strrchr(last_report, '\n'), "\n  and %d more", &more), 1);
    CHECK_EQ(lines() - 2 + more, CROWD + 1);
}

/* How many there are. */

static pthread_mutex_t reported_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t reported_changed = PTHREAD_COND_INITIALIZER;

static void tell_outsider(void)
{
    pthread_mutex_lock(&reported_mutex);
    pthread_cond_signal(&reported_changed);
    pthread_mutex_unlock(&reported_mutex);
}

static void *resolve_from_outside(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&reported_mutex);
        while (i == 0 && kri_load_sc(&reports) == 0)
            pthread_cond_wait(&reported_changed, &reported_mutex);
        pthread_mutex_unlock(&reported_mutex);
        nap_long();
        set_event();
    }
    return NULL;
}

/* Once, however long it lasts; and whoever has resolved one is known from then on. */
TEST(test_once_and_resolved_by_an_outsider)
{
    pthread_t outsider;
    expect_stall(tell_outsider);
    CHECK_EQ(pthread_create(&outsider, NULL, resolve_from_outside, NULL), 0);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&reports), 1);
    kr_event_clear(&event);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK_EQ(pthread_join(outsider, NULL), 0);
    kr_event_clear(&event);
    resolve = set_event;
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&reports), 2);
}

/* The hook itself hangs, which is no stall of its own. */
static void wait_in_the_hook(void)
{
    pthread_t outsider = start_outsider(set_event);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(pthread_join(outsider, NULL), 0);
}

TEST(test_hook_that_waits)
{
    expect_stall(wait_in_the_hook);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&reports), 1);
}

TEST(test_hook_before)
{
    CHECK(kr_set_stall_hook(on_stall) == NULL);
    CHECK(kr_set_stall_hook(NULL) == on_stall);
    CHECK(kr_set_stall_hook(NULL) == NULL);
}

/* In other processes. */

static void leave_well(void)
{
    nap_long();
    _exit(0);
}

static void stall_and_be_ended(void)
{
    (void)start_outsider(leave_well);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
}

TEST(test_default_prints)
{
    static child c;
    child_run(&c, stall_and_be_ended);
    CHECK(WIFEXITED(c.status));
    CHECK_EQ(WEXITSTATUS(c.status), 0);
    snprintf(last_report, sizeof last_report, "%s", c.out);
    CHECK(strncmp(c.out, "krait: every thread waits for ever:\n", 36) == 0);
    CHECK(says("  MainThread waits for an event at %p", (void *)&event));
    CHECK_EQ(lines(), 3);
}

static int stall_in_child(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        resolve = set_event;
        CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
        CHECK_EQ(kri_load_sc(&reports), 1);
        CHECK_EQ(lines(), 2);
        _exit(0);
    }
    child_wait(pid);
    set_event();
    return 0;
}

/* Of the threads of the parent none is there to act or to wait. */
TEST(test_in_a_forked_child)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    expect_none();
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, &scope), 0);
    kr_thread *t = start(stall_in_child, NULL);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    join_well(t);
    none_came();
}
