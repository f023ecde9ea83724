/* Traces of several processes: children in all three ways, killed ones, pools.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include "trace/help.h"

#include <fcntl.h>
#include <sys/wait.h>

static int note_and_end(void *arg)
{
    (void)arg;
    CHECK(kr_trace_running());
    kr_trace_begin("in the child");
    kr_trace_mark("child's mark");
    kr_trace_end();
    return 3;
}
KR_TASK(note_and_end);

METHOD_TEST(test_child_is_in_the_trace)
{
    char name[32];
    begin_trace(0);
    kr_process *p = start_with(note_and_end, NULL, 0, (kr_process_options){.name = "the child"});
    int pid = kr_process_pid(p);
    CHECK_EQ(end(p), 3);
    events all = end_trace();
    const kr_trace_event *process = the_only(&all, KR_TRACE_PROCESS, "the child");
    const kr_trace_event *begun = the_only(&all, KR_TRACE_START, NULL);
    const kr_trace_event *span = the_only(&all, KR_TRACE_USER, "in the child");
    const kr_trace_event *mark = the_only(&all, KR_TRACE_MARK, "child's mark");
    CHECK_EQ(process->process, pid);
    CHECK_EQ(process->thread, pid);
    CHECK_EQ(begun->process, getpid());
    CHECK_EQ(begun->object, process->object);
    CHECK(process->shared && begun->shared);
    CHECK(begun->at <= process->at);
    CHECK(is_inside(span, process) && is_inside(mark, span));
    CHECK_EQ(mark->process, pid);
    CHECK_EQ(kr_trace_name(pid, 0, true, name, sizeof name), 0);
    CHECK_STR(name, "the child");
    kr_trace_totals totals;
    CHECK_EQ(kr_trace_about(&totals), 0);
    CHECK_GE(totals.processes, 2);
}

static int note_and_stay(void *arg)
{
    kr_trace_begin("until it is killed");
    kr_trace_mark("last");
    child_say("r", 1);
    return stay(arg);
}
KR_TASK(note_and_stay);

/* What it has noted is there, and its spans end with the last of that. */
METHOD_TEST(test_killed_child)
{
    channel c;
    char byte;
    begin_trace(0);
    channel_open(&c);
    kr_process *p = start_with(note_and_stay, NULL, 0, c.options);
    int pid = kr_process_pid(p);
    channel_read(&c, &byte, 1);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
    CHECK_EQ(kr_sleep(kr_ms(5)), 0);
    events all = end_trace();
    const kr_trace_event *span = the_only(&all, KR_TRACE_USER, "until it is killed");
    const kr_trace_event *mark = the_only(&all, KR_TRACE_MARK, "last");
    CHECK_EQ(span->process, pid);
    CHECK(span->unfinished);
    CHECK(end_of(span) <= mark->at + 1);
    CHECK(next_of(&all, NULL, KR_TRACE_PROCESS, NULL)->unfinished);
}

static int note_for_ever(void *arg)
{
    (void)arg;
    kr_trace_mark("first");
    child_say("r", 1);
    for (;;)
        kr_trace_mark("more");
    return 0;
}
KR_TASK(note_for_ever);

static uint64_t events_now(void)
{
    kr_trace_totals totals;
    CHECK_EQ(kr_trace_about(&totals), 0);
    return totals.events;
}

/* What the first process stops is stopped for all, and starts again for all. */
METHOD_TEST(test_stop_and_start_reach_the_child)
{
    channel c;
    char byte;
    begin_trace(64);
    channel_open(&c);
    kr_process *p = start_with(note_for_ever, NULL, 0, c.options);
    channel_read(&c, &byte, 1);
    CHECK_EQ(kr_trace_stop(), 0);
    uint64_t before = events_now();
    kri_test_linger();
    CHECK_LE(events_now(), before + 1); /* one may have begun before the stop */
    begin_trace(64);
    while (events_now() < 1000)
        kri_test_nap();
    events all = end_trace();
    CHECK_EQ(count_of(&all, KR_TRACE_MARK, "first"), 0);
    CHECK_GE(count_of(&all, KR_TRACE_MARK, "more"), 1);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
}

/* A child that was there before the program's first trace knows nothing of it. */
TEST(test_older_child_is_not_in_the_trace)
{
    channel c;
    char byte;
    channel_open(&c);
    kr_process *p = start_with(
        note_and_stay, NULL, 0,
        (kr_process_options){.start = KR_FORK, .descriptors = &c.ends[1], .descriptor_count = 1});
    channel_read(&c, &byte, 1);
    begin_trace(0);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
    events all = end_trace();
    CHECK_EQ(count_of(&all, KR_TRACE_USER, NULL), 0);
}

/* A fork of the program's own. */
TEST(test_plain_fork)
{
    int status;
    begin_trace(0);
    kr_trace_mark("parent");
    pid_t pid = fork();
    if (pid == 0) {
        kr_trace_mark("child");
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    events all = end_trace();
    CHECK_EQ(the_only(&all, KR_TRACE_MARK, "parent")->process, getpid());
    CHECK_EQ(the_only(&all, KR_TRACE_MARK, "child")->process, pid);
}

/* Between two traces: the child is in the second, as those started in other ways are. */
TEST(test_fork_while_stopped)
{
    int status, ends[2];
    char byte;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    begin_trace(0);
    CHECK_EQ(kr_trace_stop(), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        (void)!read(ends[0], &byte, 1); /* until the parent has closed it */
        kr_trace_mark("child");
        _exit(0);
    }
    begin_trace(0);
    close(ends[1]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    events all = end_trace();
    CHECK_EQ(the_only(&all, KR_TRACE_MARK, "child")->process, pid);
}

/* In the middle of a visit, of which the child has a copy. */
static void fork_once(const kr_trace_event *event, void *arg)
{
    pid_t *pid = arg;
    (void)event;
    if (*pid != 0)
        return;
    *pid = fork();
    if (*pid == 0) {
        int status = kr_trace_stop();
        _exit(status != 0 || kr_trace_write("/dev/null") != 0 || kr_trace_start(NULL) != 0);
    }
}

TEST(test_fork_while_reading)
{
    pid_t pid = 0;
    int status;
    begin_trace(0);
    kr_trace_mark("one");
    kr_trace_mark("two");
    CHECK_EQ(kr_trace_visit(fork_once, &pid), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK(kr_trace_running()); /* the child has started one for all */
    CHECK_EQ(kr_trace_stop(), 0);
    CHECK_EQ(kr_trace_write("/dev/null"), 0);
}

static int note_task(const void *arg, void *result)
{
    kr_trace_begin("work");
    *(int *)result = *(const int *)arg;
    kr_trace_end();
    return 0;
}
KR_TASK(note_task);

METHOD_TEST(test_process_pool)
{
    NEED_PROCESSES;
    enum { TASKS = 20 };
    kr_executor *pool;
    kr_future *f[TASKS];
    begin_trace(0);
    CHECK_EQ(kr_process_pool_with(&pool, &(kr_pool_options){.workers = 2},
                                  &(kr_process_pool_options){.start = method}),
             0);
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(kr_submit(pool, &f[i], note_task, &i, sizeof i, sizeof i), 0);
    for (int i = 0; i < TASKS; i++) {
        int result;
        CHECK_EQ(kr_future_result(f[i], &result, sizeof result, NULL, KR_FOREVER), 0);
        kr_future_release(f[i]);
    }
    kr_executor_release(pool);
    events all = end_trace();
    CHECK_EQ(count_of(&all, KR_TRACE_SUBMIT, NULL), TASKS);
    CHECK_EQ(count_of(&all, KR_TRACE_TASK, NULL), TASKS);
    CHECK_EQ(count_of(&all, KR_TRACE_USER, "work"), TASKS);
    const kr_trace_event *submit = NULL;
    while ((submit = next_of(&all, submit, KR_TRACE_SUBMIT, NULL)) != NULL) {
        CHECK(submit->shared);
        CHECK_EQ(submit->process, getpid());
        const kr_trace_event *task = next_of(&all, submit, KR_TRACE_TASK, NULL);
        while (task->object != submit->object)
            task = next_of(&all, task, KR_TRACE_TASK, NULL);
        CHECK_NE(task->process, getpid());
        CHECK(!task->unfinished);
    }
}

static int kill_itself(const void *arg, void *result)
{
    (void)arg, (void)result;
    kr_trace_mark("the last of it");
    raise(SIGKILL);
    return 0;
}
KR_TASK(kill_itself);

METHOD_TEST(test_killed_worker)
{
    NEED_PROCESSES;
    kr_executor *pool;
    kr_future *f;
    begin_trace(0);
    CHECK_EQ(kr_process_pool_with(&pool, &(kr_pool_options){.workers = 1},
                                  &(kr_process_pool_options){.start = method}),
             0);
    CHECK_EQ(kr_submit(pool, &f, kill_itself, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, kr_sec(60)), KR_ECRASHED);
    kr_future_release(f);
    kr_executor_release(pool);
    events all = end_trace();
    const kr_trace_event *task = the_only(&all, KR_TRACE_TASK, NULL);
    const kr_trace_event *mark = the_only(&all, KR_TRACE_MARK, "the last of it");
    CHECK(task->unfinished);
    CHECK_EQ(task->process, mark->process);
    CHECK(end_of(task) <= mark->at + 1);
}
