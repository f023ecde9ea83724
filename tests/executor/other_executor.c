/* An executor that is no thread pool: groups, waits and loops over any executor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"

#include "executor/executor.h"
#include "wait/wait.h"

enum { ROOM = 64, COUNT = 20 };

/* One thread that runs what is queued, in order. */
struct line {
    kr_executor executor; /* first */
    kr_condition changed;
    kr_future *queue[ROOM];
    int begin;
    int end;
    bool over;
    kr_word helped; /* tasks that others ran */
    kr_thread *thread;
};

static int line_submit(kr_executor *executor, kr_future *f, kr_time deadline)
{
    struct line *line = (struct line *)executor;
    (void)deadline;
    f->outside_help = true;
    CHECK_EQ(kr_condition_acquire(&line->changed, KR_FOREVER), 0);
    int err = line->over ? KR_ESHUTDOWN : 0;
    if (!err) {
        CHECK(line->end < ROOM);
        line->queue[line->end++] = f;
        (void)kr_condition_notify(&line->changed, 1);
    }
    CHECK_EQ(kr_condition_release(&line->changed), 0);
    return err;
}

static bool line_claimed(kr_executor *executor, kr_future *f, bool run)
{
    (void)f;
    kri_add_rlx(&((struct line *)executor)->helped, run);
    return false;
}

static void line_ran(kr_executor *executor)
{
    (void)executor;
}

static int line_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline,
                         unsigned flags)
{
    struct line *line = (struct line *)executor;
    (void)cancel_pending;
    (void)deadline;
    (void)flags;
    kri_store_rel(&executor->shut, 1);
    CHECK_EQ(kr_condition_acquire(&line->changed, KR_FOREVER), 0);
    line->over = true;
    (void)kr_condition_notify(&line->changed, 1);
    CHECK_EQ(kr_condition_release(&line->changed), 0);
    return kr_thread_join(line->thread, NULL, KR_FOREVER);
}

static void line_release(kr_executor *executor)
{
    kr_thread_release(((struct line *)executor)->thread);
}

static kr_future *next_of(struct line *line)
{
    kr_future *f = NULL;
    CHECK_EQ(kr_condition_acquire(&line->changed, KR_FOREVER), 0);
    while (line->begin == line->end && !line->over)
        CHECK_EQ(kr_condition_wait(&line->changed, KR_FOREVER), 0);
    if (line->begin < line->end)
        f = line->queue[line->begin++];
    if (line->begin == line->end)
        line->begin = line->end = 0;
    CHECK_EQ(kr_condition_release(&line->changed), 0);
    return f;
}

static void run_or_drop(struct line *line, kr_future *f)
{
    kr_cancel_scope scope;
    kri_frame frame = {
        .future = f, .executor = &line->executor, .limit = kri_frame_limit_outside()};
    kri_scope_begin(kri_party_self(), &scope);
    if (!kri_future_claim(f, (uintptr_t)&scope)) {
        kri_scope_end(kri_party_self(), &scope);
        kri_future_pass(f);
        kr_future_release(f);
        return;
    }
    *kri_frame_current() = &frame;
    CHECK(kri_run(f, &scope));
    *kri_frame_current() = NULL;
}

static int serve(void *arg)
{
    struct line *line = arg;
    kr_future *f;
    while ((f = next_of(line)) != NULL)
        run_or_drop(line, f);
    return 0;
}

static const kri_executor_ops line_ops = {
    .submit = line_submit,
    .claimed = line_claimed,
    .ran = line_ran,
    .shutdown = line_shutdown,
    .release = line_release,
};

static kr_executor *start_line(struct line *line)
{
    *line = (struct line){.executor = {.ops = &line_ops, .workers = 1, .name = "line"}};
    line->executor.generation = kri_fork_generation();
    CHECK_EQ(kr_thread_start(&line->thread, serve, line, 0, NULL), 0);
    return &line->executor;
}

static int count_up(const void *arg, void *result)
{
    kri_add_rlx((kr_word *)(uintptr_t)arg, 1);
    (void)result;
    return 0;
}

TEST(a_group_runs_there)
{
    struct line line;
    kr_executor *executor = start_line(&line);
    kr_group group;
    kr_group_task tasks[COUNT];
    kr_word count = {0};
    CHECK_EQ(kr_group_open(&group, executor), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(kr_group_start(&group, &tasks[i], count_up, &count, NULL), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(kri_load_acq(&count), COUNT);
    end(executor);
}

static int wait_for_ever(const void *arg, void *result)
{
    (void)result;
    return kr_event_wait((kr_event *)(uintptr_t)arg, KR_FOREVER);
}

static int fail(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -EIO;
}

TEST(a_failure_there_cancels_the_siblings_in_a_pool)
{
    struct line line;
    kr_executor *executor = start_line(&line), *pool = pool_of(2);
    kr_event never = KR_EVENT_INIT;
    kr_group group;
    kr_group_task tasks[3];
    CHECK_EQ(kr_group_open(&group, executor), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_group_start_on(&group, &tasks[i], pool, wait_for_ever, &never, NULL), 0);
    CHECK_EQ(kr_group_start(&group, &tasks[2], fail, NULL, NULL), 0);
    CHECK_EQ(kr_group_close(&group), -EIO);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_group_task_error(&tasks[i]), -ECANCELED);
    CHECK_EQ(kr_group_task_error(&tasks[2]), -EIO);
    end(pool);
    end(executor);
}

static int open_here(const void *arg, void *result)
{
    kr_group group;
    kr_group_task tasks[2];
    (void)result;
    int err = kr_group_open(&group, NULL);
    for (int i = 0; i < 2 && !err; i++)
        err = kr_group_start(&group, &tasks[i], count_up, arg, NULL);
    return kr_group_close(&group);
}

/* Its only thread is in the group's task, so the close runs what it has queued. */
TEST(a_task_there_opens_a_group)
{
    struct line line;
    kr_executor *executor = start_line(&line);
    kr_word count = {0};
    CHECK_EQ(run_in_worker(executor, open_here, &count), 0);
    CHECK_EQ(kri_load_acq(&count), 2);
    CHECK_EQ(kri_load_rlx(&line.helped), 2);
    end(executor);
}

static kr_future *submit_event(kr_executor *executor, kr_event *event)
{
    kr_future *f;
    CHECK_EQ(kr_submit(executor, &f, wait_for_ever, event, 0, 0), 0);
    return f;
}

TEST(waits_for_futures_of_several_executors)
{
    struct line line;
    kr_executor *executor = start_line(&line), *pool = pool_of(1);
    kr_event events[2] = {KR_EVENT_INIT, KR_EVENT_INIT};
    kr_future *f[3] = {submit_event(pool, &events[0]), submit_event(executor, &events[1])};
    kr_completed *completed;
    kr_future *first;
    bool done[3];
    CHECK_EQ(kr_future_create(&f[2], 0), 0);
    CHECK_EQ(kr_as_completed(&completed, f, 3), 0);
    CHECK_EQ(kr_wait(f, 3, KR_FIRST_COMPLETED, done, KR_NOWAIT), 0);
    kr_event_set(&events[1]);
    CHECK_EQ(kr_wait(f, 3, KR_FIRST_COMPLETED, done, kr_sec(3600)), 1);
    CHECK(!done[0] && done[1] && !done[2]);
    CHECK_EQ(kr_future_set_error(f[2], -EIO), 0);
    CHECK_EQ(kr_wait(f, 3, KR_FIRST_EXCEPTION, done, kr_sec(3600)), 2);
    kr_event_set(&events[0]);
    CHECK_EQ(kr_wait(f, 3, KR_ALL_COMPLETED, done, kr_sec(3600)), 3);
    const int order[3] = {1, 2, 0};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_completed_next(completed, &first, KR_FOREVER), 1);
        CHECK(first == f[order[i]]);
    }
    CHECK_EQ(kr_completed_next(completed, &first, KR_FOREVER), 0);
    kr_completed_release(completed);
    const int errors[3] = {0, 0, -EIO};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(error_of(f[i]), errors[i]);
    end(pool);
    end(executor);
}

TEST(cancelling_has_its_three_answers_there)
{
    struct line line;
    kr_executor *executor = start_line(&line);
    struct gate gate = {0};
    kr_future *running = submit_gate(executor, &gate), *pending = submit_gate(executor, &gate);
    wait_entered(&gate, 1);
    CHECK_EQ(kr_future_cancel(pending), 0);
    CHECK_EQ(kr_future_cancel(running), KR_ASKED);
    CHECK_EQ(error_of(pending), -ECANCELED);
    kr_future *over = kr_future_retain(running);
    CHECK_EQ(error_of(running), -ECANCELED);
    kr_future_release(over);
    CHECK_EQ(kr_submit(executor, &over, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(over, &(int){0}, kr_sec(3600)), 0);
    CHECK_EQ(kr_future_cancel(over), -EALREADY);
    kr_future_release(over);
    end(executor);
}

static int square(const void *arg, void *result)
{
    *(long *)result = *(const long *)arg * *(const long *)arg;
    return 0;
}

static int add_indices(size_t first, size_t last, void *arg)
{
    for (size_t i = first; i < last; i++)
        kri_add_rlx((kr_word *)arg, (uint32_t)i);
    return 0;
}

TEST(maps_and_loops_run_there)
{
    struct line line;
    kr_executor *executor = start_line(&line);
    long args[COUNT], results[COUNT];
    kr_word sum = {0};
    for (int i = 0; i < COUNT; i++)
        args[i] = i;
    CHECK_EQ(
        kr_map(executor, square, args, sizeof args[0], COUNT, results, sizeof results[0], NULL), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(results[i], (long)i * i);
    CHECK_EQ(kr_parallel_for(executor, 0, 1000, add_indices, &sum, NULL), 0);
    CHECK_EQ(kri_load_acq(&sum), 499500);
    end(executor);
}
