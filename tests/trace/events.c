/* Traces: starting and stopping, and what runners do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/help.h"

#include "base/atomic.h"
#include "wait/wait.h"
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static void ignore(const kr_trace_event *event, void *arg)
{
    (void)event;
    (void)arg;
}

TEST(test_start_stop)
{
    kr_trace_totals totals;
    CHECK(!kr_trace_running());
    CHECK_EQ(kr_trace_stop(), -EALREADY);
    CHECK_EQ(kr_trace_visit(ignore, NULL), -ENODATA);
    CHECK_EQ(kr_trace_write("/dev/null"), -ENODATA);
    CHECK_EQ(kr_trace_about(&totals), -ENODATA);
    kr_trace_mark("before");
    CHECK_EQ(kr_trace_start(NULL), 0);
    CHECK(kr_trace_running());
    CHECK_EQ(kr_trace_start(NULL), -EALREADY);
    kr_trace_mark("first");
    events all = gather();
    (void)the_only(&all, KR_TRACE_MARK, "first");
    CHECK_EQ(kr_trace_stop(), 0);
    CHECK(!kr_trace_running());
    CHECK_EQ(kr_trace_stop(), -EALREADY);
    kr_trace_mark("between");
    all = gather();
    CHECK_EQ(count_of(&all, KR_TRACE_MARK, NULL), 1);
    begin_trace(0);
    kr_trace_mark("second");
    all = end_trace();
    (void)the_only(&all, KR_TRACE_MARK, "second");
    CHECK_EQ(count_of(&all, KR_TRACE_MARK, NULL), 1);
    CHECK_EQ(kr_trace_about(&totals), 0);
    CHECK_EQ(totals.events, 1);
    CHECK_EQ(totals.lost, 0);
    CHECK_EQ(totals.threads, 1);
    CHECK_EQ(totals.processes, 1);
    CHECK(totals.stopped >= totals.started);
}

TEST(test_bad_arguments)
{
    char name[32];
    CHECK_EQ(kr_trace_start(&(kr_trace_options){.events = 63}), -EINVAL);
    CHECK_EQ(kr_trace_start(&(kr_trace_options){.events = (1 << 20) + 1}), -EINVAL);
    CHECK_EQ(kr_trace_start(&(kr_trace_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    CHECK_EQ(kr_trace_visit(NULL, NULL), -EINVAL);
    CHECK_EQ(kr_trace_write(NULL), -EINVAL);
    CHECK_EQ(kr_trace_about(NULL), -EINVAL);
    CHECK_EQ(kr_trace_name(1, 1, false, NULL, 5), -EINVAL);
    CHECK_EQ(kr_trace_name(1, 1, false, name, sizeof name), -ENODATA);
    begin_trace(64);
    kr_trace_mark(NULL);
    CHECK_EQ(kr_trace_name(1, 1, false, name, sizeof name), -ENOENT);
    CHECK_EQ(kr_trace_name(getpid(), getpid(), false, name, 3), 0);
    CHECK_EQ(strlen(name), 2);
    CHECK_EQ(kr_trace_name(getpid(), 0, true, name, sizeof name), 0);
    CHECK_STR(name, "events");
}

static void start_inside(const kr_trace_event *event, void *arg)
{
    (void)event;
    CHECK_EQ(kr_trace_start(NULL), -EBUSY);
    CHECK_EQ(kr_trace_write("/dev/null"), -EBUSY);
    CHECK_EQ(kr_trace_visit(ignore, NULL), -EBUSY);
    (void)kr_trace_stop();
    ++*(int *)arg;
}

TEST(test_inside_visit)
{
    int calls = 0;
    begin_trace(0);
    kr_trace_mark("one");
    kr_trace_mark("two");
    CHECK_EQ(kr_trace_visit(start_inside, &calls), 0);
    CHECK_EQ(calls, 2);
    CHECK(!kr_trace_running());
    CHECK_EQ(kr_trace_start(NULL), 0);
}

TEST(test_user_spans)
{
    begin_trace(0);
    kr_trace_end(); /* of nothing */
    kr_trace_begin("outer");
    kr_trace_begin("inner");
    CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    kr_trace_end();
    kr_trace_mark("moment");
    kr_trace_end();
    kr_trace_begin("a name that is longer than what an event has room for");
    events all = end_trace();
    const kr_trace_event *outer = the_only(&all, KR_TRACE_USER, "outer");
    const kr_trace_event *inner = the_only(&all, KR_TRACE_USER, "inner");
    const kr_trace_event *mark = the_only(&all, KR_TRACE_MARK, "moment");
    const kr_trace_event *sleep = the_only(&all, KR_TRACE_WAIT, "sleep");
    CHECK_EQ(count_of(&all, KR_TRACE_USER, NULL), 3);
    CHECK(is_inside(inner, outer) && is_inside(sleep, inner) && is_inside(mark, outer));
    CHECK(mark->at >= end_of(inner));
    CHECK_TIME(end_of(sleep) - inner->at, kr_ms(1));
    CHECK_EQ(outer->process, getpid());
    CHECK_EQ(outer->thread, getpid());
    CHECK_EQ(outer->runner, getpid());
    CHECK(!outer->unfinished && !inner->unfinished);
    const kr_trace_event *open = the_only(&all, KR_TRACE_USER, "a name that is longer than what");
    CHECK(open->unfinished);
}

/* Waits. */

static kr_lock lock;
static kr_event event;

static int take_lock(void *arg)
{
    kr_with (&lock)
        *(pid_t *)arg = gettid();
    return 0;
}

/* A wait begins once it stands in its queue, so its wake may come before that is written down. */
static const kr_trace_event *wake_of(const events *all, const void *object)
{
    const kr_trace_event *wake = next_of(all, NULL, KR_TRACE_WAKE, NULL);
    while (wake != NULL && wake->object != (uintptr_t)object)
        wake = next_of(all, wake, KR_TRACE_WAKE, NULL);
    return wake;
}

TEST(test_lock_wait_and_waker)
{
    kr_thread *t;
    pid_t waiter = 0;
    begin_trace(0);
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    CHECK_EQ(kr_thread_start(&t, take_lock, &waiter, 0, &(kr_thread_options){.name = "the waiter"}),
             0);
    kri_test_wait_parked(&lock.word, 1);
    CHECK_EQ(kr_lock_release(&lock), 0);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
    events all = end_trace();
    const kr_trace_event *wait = the_only(&all, KR_TRACE_WAIT, "lock");
    CHECK_EQ(wait->object, (uintptr_t)&lock);
    CHECK_EQ(wait->thread, waiter);
    CHECK_EQ(wait->other, getpid());
    CHECK(!wait->unfinished);
    const kr_trace_event *wake = wake_of(&all, &lock);
    CHECK(wake != NULL);
    CHECK_EQ(wake->other, waiter);
    CHECK_EQ(wake->runner, getpid());
    CHECK(wake->at <= end_of(wait));
    const kr_trace_event *thread = the_only(&all, KR_TRACE_THREAD, "the waiter");
    const kr_trace_event *start = the_only(&all, KR_TRACE_START, NULL);
    CHECK_EQ(thread->thread, waiter);
    CHECK_EQ(thread->object, (uintptr_t)t);
    CHECK_EQ(start->object, (uintptr_t)t);
    CHECK(start->at <= thread->at && is_inside(wait, thread));
    char name[32];
    CHECK_EQ(kr_trace_name(getpid(), waiter, false, name, sizeof name), 0);
    CHECK_STR(name, "the waiter");
}

/* What finds nothing to wait for is not in the trace. */
TEST(test_free_lock_is_silent)
{
    kr_trace_totals totals;
    begin_trace(0);
    for (int i = 0; i < 100; i++) {
        kr_with (&lock)
            CHECK_EQ(kr_event_wait(&event, KR_NOWAIT), -ETIMEDOUT);
    }
    kr_trace_mark("end");
    CHECK_EQ(kr_trace_stop(), 0);
    CHECK_EQ(kr_trace_about(&totals), 0);
    CHECK_EQ(totals.events, 1);
}

TEST(test_wait_ends_by_time)
{
    begin_trace(0);
    kr_time before = kr_now();
    CHECK_EQ(kr_event_wait(&event, kr_ms(2)), -ETIMEDOUT);
    events all = end_trace();
    const kr_trace_event *wait = the_only(&all, KR_TRACE_WAIT, "event");
    CHECK_EQ(wait->other, 0);
    CHECK(wait->at >= before);
    CHECK_TIME(end_of(wait) - before, kr_ms(2));
}

static int wait_for_event(void *arg)
{
    (void)arg;
    return kr_event_wait(&event, KR_FOREVER);
}

/* Who still waits is there, too. */
TEST(test_unfinished_wait)
{
    kr_thread *t;
    begin_trace(0);
    CHECK_EQ(kr_thread_start(&t, wait_for_event, NULL, 0, NULL), 0);
    while (kri_waiting(&event.word) == 0)
        kri_test_nap();
    events all;
    do
        all = gather();
    while (count_of(&all, KR_TRACE_WAIT, "event") == 0);
    CHECK(the_only(&all, KR_TRACE_WAIT, "event")->unfinished);
    CHECK_EQ(kr_trace_stop(), 0);
    kr_event_set(&event);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
}

/* A holder that comes back at once, on the only processor: the waiter starves until it is given. */
static kr_word has_it;

/* Its wake-ups take the processor from nobody, so the holder is back first. */
static int starve(void *arg)
{
    (void)arg;
    CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &(struct sched_param){0}), 0);
    kr_with (&lock)
        kri_store_rel(&has_it, 1);
    return 0;
}

static void hold_for(kr_time time)
{
    for (kr_time end = kr_now() + time; kr_now() < end;)
        continue;
}

TEST(test_hand_over)
{
    kr_cpu_set one;
    enum { ATTEMPTS = 200 };
    CHECK_EQ(kr_thread_get_affinity(kr_thread_current(), &one), 0);
    int cpu = 0;
    while (!(one.words[cpu / 64] >> cpu % 64 & 1))
        cpu++;
    memset(&one, 0, sizeof one);
    one.words[cpu / 64] = (uint64_t)1 << cpu % 64;
    CHECK_EQ(kr_thread_set_affinity(kr_thread_current(), &one), 0);
    begin_trace(1 << 16);
    const kr_trace_event *given = NULL;
    for (int i = 0; i < ATTEMPTS && given == NULL; i++) {
        kr_thread *t;
        kri_store_rlx(&has_it, 0);
        CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
        CHECK_EQ(kr_thread_start(&t, starve, NULL, 0, NULL), 0);
        kri_test_wait_parked(&lock.word, 1);
        while (!kri_load_acq(&has_it)) {
            CHECK_EQ(kr_lock_release(&lock), 0);
            CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
            hold_for(kr_us(50));
        }
        CHECK_EQ(kr_lock_release(&lock), 0);
        CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
        kr_thread_release(t);
        events all = gather();
        given = next_of(&all, NULL, KR_TRACE_HAND_OVER, NULL);
    }
    CHECK(given != NULL);
    CHECK_EQ(given->object, (uintptr_t)&lock);
}

/* Tasks. */

static int add_one(const void *arg, void *result)
{
    *(int *)result = *(const int *)arg + 1;
    return 0;
}

TEST(test_tasks)
{
    enum { TASKS = 50 };
    kr_executor *pool;
    kr_future *f[TASKS];
    begin_trace(0);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2, .name = "pool"}), 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(kr_submit(pool, &f[i], add_one, &i, sizeof i, sizeof i), 0);
    for (int i = 0; i < TASKS; i++) {
        int result;
        CHECK_EQ(kr_future_result(f[i], &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, i + 1);
    }
    kr_executor_release(pool);
    events all = end_trace();
    CHECK_EQ(count_of(&all, KR_TRACE_SUBMIT, NULL), TASKS);
    CHECK_EQ(count_of(&all, KR_TRACE_TASK, NULL), TASKS);
    const kr_trace_event *submit = NULL;
    for (int i = 0; i < TASKS; i++) {
        submit = next_of(&all, submit, KR_TRACE_SUBMIT, NULL);
        CHECK_EQ(submit->object, (uintptr_t)f[i]);
        CHECK_EQ(submit->other, (uintptr_t)add_one);
        const kr_trace_event *task = next_of(&all, NULL, KR_TRACE_TASK, NULL);
        while (task->object != submit->object)
            task = next_of(&all, task, KR_TRACE_TASK, NULL);
        CHECK(submit->at <= task->at);
        CHECK_EQ(task->other, (uintptr_t)add_one);
        CHECK_STR(task->name, "add_one");
        CHECK(!task->unfinished && !task->shared);
        kr_future_release(f[i]);
    }
    CHECK_GE(count_of(&all, KR_TRACE_THREAD, "pool_0"), 1);
}

static kr_event stolen;

static int be_stolen(const void *arg, void *result)
{
    (void)arg, (void)result;
    kr_event_set(&stolen);
    return 0;
}

/* It does not return before another worker has taken what it has submitted. */
static int submit_and_stay(const void *arg, void *result)
{
    (void)result;
    kr_executor *pool = *(kr_executor *const *)arg;
    CHECK_EQ(kr_submit(pool, NULL, be_stolen, NULL, 0, 0), 0);
    return kr_event_wait(&stolen, KR_FOREVER);
}

TEST(test_steals)
{
    kr_executor *pool;
    kr_future *f;
    begin_trace(0);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    CHECK_EQ(kr_submit(pool, &f, submit_and_stay, &pool, sizeof(void *), 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, kr_sec(60)), 0);
    kr_future_release(f);
    kr_executor_release(pool);
    events all = end_trace();
    const kr_trace_event *steal = the_only(&all, KR_TRACE_STEAL, NULL);
    const kr_trace_event *task = next_of(&all, steal, KR_TRACE_TASK, NULL);
    CHECK(task != NULL);
    CHECK_EQ(task->object, steal->object);
    CHECK_EQ(task->runner, steal->runner);
}

/* Tasks of a group, which have no future. */
static int open_group(const void *arg, void *result)
{
    (void)arg, (void)result;
    kr_group group;
    kr_group_task tasks[4];
    int numbers[4] = {1, 2, 3, 4}, results[4];
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], add_one, &numbers[i], &results[i]), 0);
    return kr_group_close(&group);
}

TEST(test_group_tasks)
{
    kr_executor *pool;
    kr_future *f;
    begin_trace(0);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    CHECK_EQ(kr_submit(pool, &f, open_group, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    kr_executor_release(pool);
    events all = end_trace();
    CHECK_EQ(count_of(&all, KR_TRACE_TASK, NULL), 5);
    CHECK_EQ(count_of(&all, KR_TRACE_SUBMIT, NULL), 5);
}

/* Coroutines. */

static int step(const void *arg, void *result)
{
    (void)arg, (void)result;
    for (int i = 0; i < 3; i++) {
        kr_trace_begin("step");
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
        kr_trace_end();
    }
    return 0;
}

static int run_steps(void *arg)
{
    kr_future *f[4];
    (void)arg;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_spawn(&f[i], step, NULL, 0, 0, NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(kr_future_exception(f[i], NULL, KR_FOREVER), 0);
        kr_future_release(f[i]);
    }
    return 0;
}

/* One after the other on the thread; each on its own line. */
TEST(test_coroutines)
{
    begin_trace(0);
    CHECK_EQ(kr_run(run_steps, NULL), 0);
    kr_trace_mark("after");
    events all = end_trace();
    kr_time end = 0;
    const kr_trace_event *run = NULL;
    while ((run = next_of(&all, run, KR_TRACE_RUN, NULL)) != NULL) {
        CHECK(run->at >= end);
        CHECK(run->runner > UINT32_MAX);
        CHECK_EQ(run->thread, getpid());
        CHECK(!run->unfinished);
        end = end_of(run);
    }
    CHECK_GE(count_of(&all, KR_TRACE_RUN, NULL), 13);
    CHECK_EQ(count_of(&all, KR_TRACE_USER, "step"), 12);
    CHECK_EQ(count_of(&all, KR_TRACE_TASK, NULL), 5);
    for (const kr_trace_event *e = NULL; (e = next_of(&all, e, KR_TRACE_USER, "step")) != NULL;) {
        CHECK(e->runner > UINT32_MAX);
        const kr_trace_event *task = next_of(&all, NULL, KR_TRACE_TASK, NULL);
        while (task->runner != e->runner)
            task = next_of(&all, task, KR_TRACE_TASK, NULL);
        CHECK(is_inside(e, task));
        const kr_trace_event *sleep = next_of(&all, e, KR_TRACE_WAIT, "sleep");
        while (sleep->runner != e->runner)
            sleep = next_of(&all, sleep, KR_TRACE_WAIT, "sleep");
        CHECK(is_inside(sleep, e));
    }
    CHECK_EQ(the_only(&all, KR_TRACE_MARK, "after")->runner, getpid());
}

/* The interpreter lock. */

static kr_gil *gil;

static int take_turns(void *arg)
{
    kr_gil_thread *self;
    (void)arg;
    CHECK_EQ(kr_gil_attach(gil, &self), 0);
    for (int i = 0; i < 20; i++) {
        hold_for(kr_us(100));
        CHECK_EQ(kr_gil_release(self), 0);
        CHECK_EQ(kr_gil_acquire(self), 0);
    }
    return kr_gil_detach(self);
}

TEST(test_gil)
{
    kr_thread *threads[2];
    kr_gil_thread *self;
    CHECK_EQ(kr_gil_create(&gil, NULL), 0);
    begin_trace(0);
    CHECK_EQ(kr_gil_attach(gil, &self), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_thread_start(&threads[i], take_turns, NULL, 0, NULL), 0);
    kr_gil_metrics metrics;
    do
        kr_gil_measure(gil, &metrics);
    while (metrics.waiting < 2);
    CHECK_EQ(kr_gil_detach(self), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kr_thread_join(threads[i], NULL, KR_FOREVER), 0);
        kr_thread_release(threads[i]);
    }
    events all = end_trace();
    kr_time end = 0;
    const kr_trace_event *held = NULL;
    while ((held = next_of(&all, held, KR_TRACE_GIL_HELD, NULL)) != NULL) {
        CHECK(held->at >= end);
        CHECK_EQ(held->object, (uintptr_t)gil);
        CHECK(!held->unfinished);
        end = end_of(held);
    }
    CHECK_EQ(next_of(&all, NULL, KR_TRACE_GIL_HELD, NULL)->runner, getpid());
    CHECK_GE(count_of(&all, KR_TRACE_GIL_HELD, NULL), 3);
    CHECK_GE(count_of(&all, KR_TRACE_GIL_WAIT, NULL), 2);
    CHECK_EQ(next_of(&all, NULL, KR_TRACE_GIL_WAIT, NULL)->object, (uintptr_t)gil);
}
