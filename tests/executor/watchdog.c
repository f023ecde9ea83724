/* Workers that are stuck in a task: who is named, how often, and who is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/sanitizers.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Reports, as copies, for what they point to need not outlive the call. */

enum { MOST = 64 };

static struct {
    char pool[64];
    char worker[KR_THREAD_NAME_SIZE];
    kr_task_fn task;
    kr_time since;
} reports[MOST];
static kr_word reported;
static kr_semaphore heard; /* one permit a report */

static void note(const kr_stuck_report *report)
{
    uint32_t i = kri_load_rlx(&reported);
    if (i < MOST) {
        snprintf(reports[i].pool, sizeof reports[i].pool, "%s", report->pool);
        snprintf(reports[i].worker, sizeof reports[i].worker, "%s", report->worker);
        reports[i].task = report->task;
        reports[i].since = report->since;
    }
    kri_store_sc(&reported, i + 1);
    CHECK_EQ(kr_semaphore_release(&heard, 1), 0);
}

static void hear(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(kr_semaphore_acquire(&heard, KR_FOREVER), 0);
}

static kr_executor *watched(const char *name, int workers, kr_time stuck_after)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = workers, .name = name, .stuck_after = stuck_after};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    return pool;
}

/* Gates by other names, so that a report tells which task it is about. */
static int second_gate(const void *arg, void *result)
{
    return pass_gate(arg, result);
}

static kr_future *submit_second(kr_executor *pool, struct gate *gate)
{
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, second_gate, &gate, sizeof gate, 0), 0);
    return f;
}

TEST(a_stuck_worker_is_named)
{
    CHECK(kr_set_stuck_hook(note) == NULL);
    kr_executor *pool = watched("slow", 1, kr_ms(20));
    struct gate gate = {0};
    kr_future *f = submit_gate(pool, &gate);
    hear(1);
    CHECK_STR(reports[0].pool, "slow");
    CHECK_STR(reports[0].worker, "slow_0");
    CHECK(reports[0].task == pass_gate);
    CHECK_GE(reports[0].since, kr_ms(20));
    kr_event_set(&gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    end(pool);
    CHECK(kr_set_stuck_hook(NULL) == note);
    CHECK(kr_set_stuck_hook(NULL) == NULL);
}

static int count_task(kr_task_fn task)
{
    int count = 0;
    for (uint32_t i = 0; i < kri_load_sc(&reported); i++)
        count += reports[i].task == task;
    return count;
}

/* The first stays stuck while five others get stuck, one after the other: the watch goes round. */
TEST(each_stuck_task_is_named_once)
{
    (void)kr_set_stuck_hook(note);
    kr_executor *pool = watched("slow", 2, kr_ms(20));
    struct gate first = {0};
    kr_future *f = submit_gate(pool, &first);
    hear(1);
    for (int i = 0; i < 5; i++) {
        struct gate second = {0};
        kr_future *g = submit_second(pool, &second);
        hear(1);
        kr_event_set(&second.open);
        CHECK_EQ(error_from_worker(g), 0);
    }
    CHECK_EQ(count_task(pass_gate), 1);
    CHECK_EQ(count_task(second_gate), 5);
    kr_event_set(&first.open);
    CHECK_EQ(error_from_worker(f), 0);
    end(pool);
    CHECK_EQ(kri_load_sc(&reported), 6);
}

TEST(quick_tasks_are_not_named)
{
    (void)kr_set_stuck_hook(note);
    kr_executor *pool = watched("quick", 2, kr_sec(20)), *slow = watched("slow", 1, kr_ms(20));
    for (int i = 0; i < 5000; i++)
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    struct gate quick = {0}, gate = {0};
    kr_future *f = submit_gate(pool, &quick), *g = submit_second(slow, &gate);
    hear(1); /* somebody has looked */
    kr_event_set(&gate.open);
    kr_event_set(&quick.open);
    CHECK_EQ(error_from_worker(f), 0);
    CHECK_EQ(error_from_worker(g), 0);
    end(pool);
    end(slow);
    CHECK_EQ(kri_load_sc(&reported), 1);
    CHECK_EQ(count_task(second_gate), 1);
}

TEST(pools_that_did_not_ask_are_not_watched)
{
    (void)kr_set_stuck_hook(note);
    kr_executor *pool = watched("unwatched", 1, 0), *slow = watched("slow", 1, kr_ms(20));
    struct gate gate = {0}, other = {0};
    kr_future *f = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    kr_future *g = submit_second(slow, &other);
    hear(1);
    kr_event_set(&gate.open);
    kr_event_set(&other.open);
    CHECK_EQ(error_from_worker(f), 0);
    CHECK_EQ(error_from_worker(g), 0);
    end(pool);
    end(slow);
    CHECK_EQ(kri_load_sc(&reported), 1);
    CHECK_STR(reports[0].pool, "slow");
}

/* A task that waits for another one is not stuck, however long; the other one is. */

struct waiting {
    kr_executor *pool;
    struct gate gate;
    kr_time timeout;
    int way;
};

static int wait_for_gate(const void *arg, void *result)
{
    struct waiting *waiting = (struct waiting *)(uintptr_t)arg;
    (void)result;
    kr_future *f = submit_second(waiting->pool, &waiting->gate), *got;
    kr_completed *it;
    /* With another worker idle it begins there, so that nobody is helped here. */
    while (!kr_future_running(f))
        kri_test_nap();
    if (waiting->way == 0) {
        CHECK_EQ(kr_future_exception(f, NULL, waiting->timeout), 0);
    } else if (waiting->way == 1) {
        CHECK_EQ(kr_wait(&f, 1, KR_ALL_COMPLETED, NULL, waiting->timeout), 1);
    } else {
        CHECK_EQ(kr_as_completed(&it, &f, 1), 0);
        CHECK_EQ(kr_completed_next(it, &got, waiting->timeout), 1);
        kr_completed_release(it);
    }
    kr_future_release(f);
    return 0;
}

static void check_waiter(int way, kr_time timeout)
{
    kri_store_sc(&reported, 0);
    struct waiting waiting = {
        .pool = watched("slow", 2, kr_ms(300)), .timeout = timeout, .way = way};
    kr_future *f;
    CHECK_EQ(kr_submit(waiting.pool, &f, wait_for_gate, &waiting, 0, 0), 0);
    hear(1); /* of the child, which began later than the waiter */
    kr_event_set(&waiting.gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    end(waiting.pool);
    CHECK_EQ(count_task(wait_for_gate), 0);
    CHECK_EQ(count_task(second_gate), 1);
    CHECK_EQ(kri_load_sc(&reported), 1);
}

TEST(a_task_that_waits_for_another_is_not_stuck)
{
    (void)kr_set_stuck_hook(note);
    for (int way = 0; way < 3; way++) {
        check_waiter(way, KR_FOREVER);
        check_waiter(way, kr_sec(20));
    }
}

static kr_word noted_elsewhere;

static void note_elsewhere(const kr_stuck_report *report)
{
    (void)report;
    kri_add_sc(&noted_elsewhere, 1);
    CHECK_EQ(kr_semaphore_release(&heard, 1), 0);
}

TEST(the_hook_can_be_replaced)
{
    CHECK(kr_set_stuck_hook(note) == NULL);
    kr_executor *pool = watched("slow", 2, kr_ms(20));
    struct gate gate = {0}, second = {0};
    kr_future *f = submit_gate(pool, &gate);
    hear(1);
    CHECK(kr_set_stuck_hook(note_elsewhere) == note);
    kr_future *g = submit_second(pool, &second);
    hear(1);
    CHECK_EQ(kri_load_sc(&reported), 1);
    CHECK_EQ(kri_load_sc(&noted_elsewhere), 1);
    kr_event_set(&gate.open);
    kr_event_set(&second.open);
    CHECK_EQ(error_from_worker(f), 0);
    CHECK_EQ(error_from_worker(g), 0);
    end(pool);
}

TEST(the_default_is_one_line_on_standard_error)
{
    int pipes[2];
    char text[512];
    size_t length = 0;
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(dup2(pipes[1], STDERR_FILENO), STDERR_FILENO);
    kr_executor *pool = watched("slow", 1, kr_ms(20));
    struct gate gate = {0};
    kr_future *f = submit_gate(pool, &gate);
    do {
        ssize_t got = read(pipes[0], text + length, sizeof text - 1 - length);
        CHECK_GE(got, 1);
        length += (size_t)got;
        text[length] = '\0';
    } while (!strchr(text, '\n'));
    CHECK(strchr(text, '\n') == text + length - 1);
    CHECK(strstr(text, "slow_0") != NULL);
    CHECK(strstr(text, " in the task pass_gate for ") != NULL);
    kr_event_set(&gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    end(pool);
}

/* A pool may go, and its threads end, while it is watched. */
TEST(pools_come_and_go_under_watch)
{
    (void)kr_set_stuck_hook(note_elsewhere);
    for (int i = 0; i < 100; i++) {
        kr_executor *pool = watched(NULL, 2, kr_us(50));
        for (int j = 0; j < 20; j++)
            CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
        if (i % 2)
            end(pool);
        else
            kr_executor_release(pool);
    }
    CHECK_EQ(kri_load_rlx(&ran), 2000);
}

/* What a task helps is part of it, and goes by its own name; there is one report for both. */

struct helping {
    kr_executor *of; /* whose task it helps */
    struct gate inner, outer;
};

static int help_and_stay(const void *arg, void *result)
{
    struct helping *helping = (struct helping *)(uintptr_t)arg;
    (void)result;
    kr_future *f = submit_second(helping->of, &helping->inner);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    CHECK_EQ(kr_semaphore_release(&helping->outer.entered, 1), 0);
    return kr_event_wait(&helping->outer.open, KR_FOREVER);
}

/* Two looks that report somebody else have gone by since the caller came here. */
static void wait_looked(kr_executor *other)
{
    for (int i = 0; i < 2; i++) {
        struct gate gate = {0};
        kr_future *f = submit_gate(other, &gate);
        hear(1);
        kr_event_set(&gate.open);
        CHECK_EQ(error_from_worker(f), 0);
    }
}

static void check_helper(kr_executor *pool, kr_executor *other, struct helping *helping)
{
    kr_future *f;
    kri_store_sc(&reported, 0);
    CHECK_EQ(kr_submit(pool, &f, help_and_stay, helping, 0, 0), 0);
    hear(1);
    CHECK(reports[0].task == second_gate);
    CHECK_STR(reports[0].pool, "slow");
    kr_event_set(&helping->inner.open);
    wait_entered(&helping->outer, 1);
    wait_looked(other);
    CHECK_EQ(count_task(help_and_stay), 0);
    CHECK_EQ(count_task(second_gate), 1);
    kr_event_set(&helping->outer.open);
    CHECK_EQ(error_from_worker(f), 0);
}

TEST(a_helped_task_is_named_and_counts_as_its_helper)
{
    (void)kr_set_stuck_hook(note);
    kr_executor *pool = watched("slow", 1, kr_ms(40)), *other = watched("other", 1, kr_ms(40));
    struct helping helping = {.of = pool};
    check_helper(pool, other, &helping);
    end(other);
    end(pool);
}

/* The same for the task of a pool that could not begin it itself, and is not watched. */
TEST(a_helped_task_of_another_pool_is_named)
{
    (void)kr_set_stuck_hook(note);
    kr_executor *pool = watched("slow", 1, kr_ms(40)), *other = watched("other", 1, kr_ms(40));
    struct helping helping = {.of = pool_of(1)};
    struct gate busy = {0};
    kr_future *f = submit_gate(helping.of, &busy);
    wait_entered(&busy, 1);
    check_helper(pool, other, &helping);
    kr_event_set(&busy.open);
    CHECK_EQ(error_from_worker(f), 0);
    end(helping.of);
    end(other);
    end(pool);
}

/* The time begins anew when a wait for another task ends, though nobody looked meanwhile. */

static int wait_then_stay(const void *arg, void *result)
{
    struct waiting *waiting = (struct waiting *)(uintptr_t)arg;
    (void)result;
    kr_future *f = submit_gate(waiting->pool, &waiting->gate);
    while (!kr_future_running(f))
        kri_test_nap();
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    hear(1);
    return 0;
}

TEST(time_spent_waiting_does_not_count)
{
    (void)kr_set_stuck_hook(note);
    kr_executor *pool = watched("slow", 1, kr_ms(200));
    struct waiting waiting = {.pool = pool_of(1)};
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, wait_then_stay, &waiting, 0, 0), 0);
    wait_entered(&waiting.gate, 1);
    kr_event never = KR_EVENT_INIT;
    CHECK_EQ(kr_event_wait(&never, kr_ms(500)), -ETIMEDOUT);
    CHECK_EQ(kri_load_sc(&reported), 0);
    kr_time before = kr_now();
    kr_event_set(&waiting.gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    CHECK_GE(kr_now() - before, kr_ms(200));
    CHECK_EQ(count_task(wait_then_stay), 1);
    end(waiting.pool);
    end(pool);
}

/* A pool that wants to be looked at often is not kept waiting by one that does not. */
TEST(the_busy_pool_with_the_shortest_time_sets_the_pace)
{
    (void)kr_set_stuck_hook(note);
    kr_executor *lazy = watched("lazy", 1, kr_sec(4000)), *slow = watched("slow", 1, kr_ms(20));
    struct gate gate = {0};
    kr_future *f = submit_gate(lazy, &gate);
    wait_entered(&gate, 1);
    wait_looked(slow);
    CHECK_EQ(run_in_worker(slow, count_one, NULL), 0);
    wait_looked(slow);
    kr_event_set(&gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    end(slow);
    end(lazy);
}

/* The hook may use the library, and end what it is told about. */

static kr_executor *doomed;
static struct gate doomed_gate;

static void let_go(const kr_stuck_report *report)
{
    kr_executor *mine = watched("mine", 1, kr_ms(20));
    CHECK_STR(report->pool, "doomed");
    kr_event_set(&doomed_gate.open);
    end(doomed);
    CHECK_EQ(run_in_worker(mine, count_one, NULL), 0);
    end(mine);
    CHECK_STR(report->pool, "doomed");
    CHECK_STR(report->worker, "doomed_0");
    CHECK_EQ(kr_semaphore_release(&heard, 1), 0);
}

TEST(the_hook_may_end_the_pool)
{
    (void)kr_set_stuck_hook(let_go);
    doomed = watched("doomed", 1, kr_ms(20));
    kr_future_release(submit_gate(doomed, &doomed_gate));
    hear(1);
}

/* A forked child has no watch of its parent's, and may have its own. */

static int watch_in_child(void)
{
    (void)kr_set_stuck_hook(note);
    kri_store_sc(&reported, 0);
    kr_executor *pool = watched("child", 1, kr_ms(20));
    wait_looked(pool);
    end(pool);
    return strcmp(reports[0].pool, "child") == 0 ? 7 : 8;
}

TEST(a_forked_child_has_its_own_watch)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the child may start no threads");
    (void)kr_set_stuck_hook(note);
    kr_executor *pool = watched("parent", 1, kr_ms(20));
    for (int i = 0; i < 10; i++) {
        int status;
        struct gate gate = {0};
        kr_future *f = submit_gate(pool, &gate);
        hear(1);
        pid_t child = fork();
        if (child == 0)
            _exit(watch_in_child());
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), 7);
        kr_event_set(&gate.open);
        CHECK_EQ(error_from_worker(f), 0);
    }
    end(pool);
}

/* A negative time is refused. */
TEST(wrong_options_are_refused)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.stuck_after = -1}), -EINVAL);
    CHECK(pool == NULL);
}

/* How often all threads but this one have gone to sleep. */
static unsigned long sleeps(void)
{
    unsigned long sum = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char path[300], line[128];
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "re");
        while (status && fgets(line, sizeof line, status))
            if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
                sum += strtoul(line + 24, NULL, 10);
        if (status)
            fclose(status);
    }
    closedir(tasks);
    return sum;
}

/* Whether in some span of 100 ms nobody woke; with a watch of 1 ms somebody would every time. */
TEST(nobody_wakes_while_the_pool_is_idle)
{
    if (KRI_TSAN)
        SKIP("the sanitizer has a thread of its own, which wakes all the time");
    (void)kr_set_stuck_hook(note_elsewhere);
    kr_executor *pool = watched("idle", 2, kr_ms(1));
    kr_event never = KR_EVENT_INIT;
    for (int i = 0; i < 200; i++)
        CHECK_EQ(run_in_worker(pool, count_one, NULL), 0);
    unsigned long before, after = sleeps();
    do {
        before = after;
        CHECK_EQ(kr_event_wait(&never, kr_ms(100)), -ETIMEDOUT);
        after = sleeps();
    } while (after != before);
    /* And it is there again when there is something to watch. */
    struct gate gate = {0};
    while (kr_semaphore_acquire(&heard, KR_NOWAIT) == 0)
        continue;
    kr_future *f = submit_gate(pool, &gate);
    hear(1);
    kr_event_set(&gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    end(pool);
}
