/* kr_pool_read_metrics: what a pool says of itself in states that are known.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/sanitizers.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static kr_pool_metrics read_metrics(kr_executor *pool)
{
    kr_pool_metrics metrics;
    memset(&metrics, 0xa5, sizeof metrics);
    CHECK_EQ(kr_pool_read_metrics(pool, &metrics), 0);
    return metrics;
}

/* Until a number is what it will be; the case's time limit ends it otherwise. */
#define AWAIT(pool, member, want)                                                                  \
    while (read_metrics(pool).member != (want))                                                    \
    kri_test_nap()

static void check_counts(kr_executor *pool, unsigned queued, unsigned running, unsigned done,
                         unsigned cancelled)
{
    kr_pool_metrics metrics = read_metrics(pool);
    CHECK_EQ(metrics.queued, queued);
    CHECK_EQ(metrics.running, running);
    CHECK_EQ(metrics.done, done);
    CHECK_EQ(metrics.cancelled, cancelled);
}

TEST(a_new_pool)
{
    kr_executor *pool = pool_of(3);
    kr_pool_metrics metrics = read_metrics(pool);
    check_counts(pool, 0, 0, 0, 0);
    CHECK_EQ(metrics.helped, 0);
    CHECK_EQ(metrics.steals, 0);
    CHECK_EQ(metrics.wakeups, 0);
    CHECK_EQ(metrics.workers, 0);
    CHECK_EQ(metrics.sleeping, 0);
    CHECK_EQ(metrics.waiting, 0);
    end(pool);
}

TEST(each_state_is_counted)
{
    kr_executor *pool = pool_of(2);
    struct gate gate = {0};
    kr_future *futures[7];
    for (int i = 0; i < 7; i++)
        futures[i] = submit_gate(pool, &gate);
    wait_entered(&gate, 2);
    check_counts(pool, 5, 2, 0, 0);
    kr_pool_metrics metrics = read_metrics(pool);
    CHECK_EQ(metrics.workers, 2);
    CHECK_EQ(metrics.sleeping, 0);
    CHECK_EQ(metrics.waiting, 0); /* for an event is not for a task */
    CHECK_EQ(kr_future_cancel(futures[6]), 0);
    CHECK_EQ(kr_future_cancel(futures[5]), 0);
    check_counts(pool, 3, 2, 0, 2);
    CHECK_EQ(kr_future_cancel(futures[0]), KR_ASKED); /* which has begun, and so will be done */
    kr_event_set(&gate.open);
    for (int i = 0; i < 7; i++)
        (void)error_of(futures[i]);
    AWAIT(pool, done, 5);
    AWAIT(pool, sleeping, 2);
    check_counts(pool, 0, 0, 5, 2);
    CHECK_EQ(read_metrics(pool).workers, 2);
    end(pool);
}

TEST(counts_are_exact_after_the_end)
{
    kr_executor *pool = pool_of(3);
    kr_future *futures[500];
    unsigned cancelled = 0;
    for (int i = 0; i < 500; i++) {
        CHECK_EQ(kr_submit(pool, &futures[i], count_one, NULL, 0, 0), 0);
        if (i % 3 == 0)
            (void)kr_future_cancel(futures[i]);
    }
    for (int i = 0; i < 500; i++)
        cancelled += error_of(futures[i]) == -ECANCELED;
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    check_counts(pool, 0, 0, 500 - cancelled, cancelled);
    kr_pool_metrics metrics = read_metrics(pool);
    CHECK_LE(metrics.helped, metrics.done);
    CHECK_LE(metrics.steals, metrics.done);
    CHECK_EQ(metrics.workers, 0);
    CHECK_EQ(metrics.sleeping, 0);
    CHECK_EQ(metrics.waiting, 0);
    kr_executor_release(pool);
}

TEST(a_shutdown_that_cancels_counts_the_cancelled)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    for (int i = 0; i < 10; i++)
        kr_future_release(submit_gate(pool, &gate));
    wait_entered(&gate, 1);
    kr_shutdown_options options = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &options, KR_NOWAIT), -ETIMEDOUT);
    check_counts(pool, 0, 1, 0, 9);
    kr_event_set(&gate.open);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    check_counts(pool, 0, 0, 1, 9);
    kr_executor_release(pool);
}

/* Who waits for a task */

struct waiting {
    kr_executor *pool;
    struct gate gate;
};

static int wait_for_gate(const void *arg, void *result)
{
    struct waiting *waiting = (struct waiting *)(uintptr_t)arg;
    (void)result;
    kr_future *f = submit_gate(waiting->pool, &waiting->gate);
    wait_entered(&waiting->gate, 1);
    return error_of(f);
}

TEST(a_task_that_waits_for_another)
{
    struct waiting waiting = {.pool = pool_of(2)};
    kr_future *f;
    CHECK_EQ(kr_submit(waiting.pool, &f, wait_for_gate, &waiting, 0, 0), 0);
    AWAIT(waiting.pool, waiting, 1);
    check_counts(waiting.pool, 0, 2, 0, 0);
    kr_event_set(&waiting.gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    AWAIT(waiting.pool, waiting, 0);
    AWAIT(waiting.pool, done, 2);
    CHECK_EQ(read_metrics(waiting.pool).helped, 0);
    end(waiting.pool);
}

static int help_children(const void *arg, void *result)
{
    kr_executor *pool = (kr_executor *)(uintptr_t)arg;
    (void)result;
    for (int i = 0; i < 5; i++) {
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), 0);
        CHECK_EQ(error_of(f), 0);
    }
    return 0;
}

TEST(helped_tasks_are_counted)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_in_worker(pool, help_children, pool), 0);
    AWAIT(pool, done, 6);
    CHECK_EQ(read_metrics(pool).helped, 5);
    end(pool);
}

TEST(tasks_that_an_outside_thread_runs_are_counted)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *blocker = submit_gate(pool, &gate), *f;
    wait_entered(&gate, 1);
    CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), 0);
    CHECK_EQ(error_of(f), 0);
    AWAIT(pool, done, 1);
    CHECK_EQ(read_metrics(pool).helped, 1);
    CHECK_EQ(read_metrics(pool).running, 1);
    kr_event_set(&gate.open);
    CHECK_EQ(error_from_worker(blocker), 0);
    end(pool);
}

/* A task that holds a worker until another worker has run what it submitted. */
static int child_elsewhere(const void *arg, void *result)
{
    struct waiting *waiting = (struct waiting *)(uintptr_t)arg;
    (void)result;
    kr_future *f = submit_gate(waiting->pool, &waiting->gate);
    kr_event_set(&waiting->gate.open);
    while (!kr_future_done(f))
        kri_test_nap();
    return error_of(f);
}

TEST(wakeups_of_sleeping_workers_are_counted)
{
    struct waiting waiting = {.pool = pool_of(2)};
    CHECK_EQ(run_in_worker(waiting.pool, child_elsewhere, &waiting), 0);
    AWAIT(waiting.pool, sleeping, 2);
    uint64_t before = read_metrics(waiting.pool).wakeups;
    CHECK_EQ(run_in_worker(waiting.pool, child_elsewhere, &waiting), 0);
    CHECK_GE(read_metrics(waiting.pool).wakeups, before + 1);
    end(waiting.pool);
}

/* A task calls one sleeper at most, and nobody is called when there is no other task. */
TEST(there_are_no_more_wakeups_than_tasks)
{
    kr_executor *pool = pool_of(4);
    struct gate gate = {0};
    kr_future *futures[50];
    for (int i = 0; i < 4; i++)
        futures[i] = submit_gate(pool, &gate);
    wait_entered(&gate, 4);
    kr_event_set(&gate.open);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    for (int round = 0; round < 20; round++) {
        AWAIT(pool, sleeping, 4);
        uint64_t before = read_metrics(pool).wakeups;
        CHECK_EQ(run_in_worker(pool, count_one, NULL), 0);
        AWAIT(pool, sleeping, 4);
        CHECK_EQ(read_metrics(pool).wakeups, before + 1);
        for (int i = 0; i < 50; i++)
            CHECK_EQ(kr_submit(pool, &futures[i], count_one, NULL, 0, 0), 0);
        for (int i = 0; i < 50; i++)
            CHECK_EQ(error_from_worker(futures[i]), 0);
        AWAIT(pool, sleeping, 4);
        CHECK_LE(read_metrics(pool).wakeups, before + 51);
    }
    end(pool);
}

/* While it works */

struct reader {
    kr_executor *pool;
    kr_word stop;
    int rounds;
};

static void read_on(void *arg)
{
    struct reader *reader = arg;
    kr_pool_metrics before = {0};
    for (; !kri_load_rlx(&reader->stop); reader->rounds++) {
        kr_pool_metrics now = read_metrics(reader->pool);
        CHECK(now.done >= before.done && now.cancelled >= before.cancelled);
        CHECK(now.helped >= before.helped && now.steals >= before.steals);
        CHECK(now.wakeups >= before.wakeups);
        CHECK_LE(now.done + now.cancelled, 20000);
        CHECK_LE(now.queued, 20000);
        CHECK_LE(now.sleeping, 3);
        CHECK_GE(now.sleeping, 0);
        CHECK_GE(now.waiting, 0);
        CHECK(now.wait_p50 <= now.wait_p90 && now.wait_p90 <= now.wait_p99);
        before = now;
    }
}

TEST(counts_never_fall_while_others_work)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 3, .timing = true}), 0);
    struct reader reader = {.pool = pool};
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, read_on, &reader);
    for (int i = 0; i < 20000; i++)
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kri_store_rlx(&reader.stop, 1);
    kri_bunch_end(&bunch);
    check_counts(pool, 0, 0, 20000, 0);
    kri_test_note("read %d times", reader.rounds);
    kr_executor_release(pool);
}

/* How long tasks wait */

static void make_wait(kr_executor *pool, int tasks)
{
    kr_event never = KR_EVENT_INIT;
    struct gate gate = {0};
    kr_future *blocker = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    for (int i = 0; i < tasks; i++)
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_event_wait(&never, kr_ms(30)), -ETIMEDOUT);
    kr_event_set(&gate.open);
    CHECK_EQ(error_from_worker(blocker), 0);
    AWAIT(pool, done, (unsigned)tasks + 1);
}

TEST(waits_are_measured)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .timing = true}), 0);
    kr_pool_metrics metrics = read_metrics(pool);
    CHECK_EQ(metrics.wait_p50, 0);
    CHECK_EQ(metrics.wait_max, 0);
    kr_time began = kr_now();
    make_wait(pool, 200); /* 200 of 201 */
    kr_time most = kr_now() - began;
    metrics = read_metrics(pool);
    CHECK_GE(metrics.wait_p50, kr_ms(30));
    CHECK_GE(metrics.wait_p90, metrics.wait_p50);
    CHECK_GE(metrics.wait_p99, metrics.wait_p90);
    CHECK_GE(metrics.wait_max, kr_ms(30));
    CHECK_LE(metrics.wait_p99, most + most / 16 + 1);
    CHECK_LE(metrics.wait_max, most + most / 16 + 1);
    end(pool);
}

/* One that waits among a hundred that do not: it is the maximum, and not the median. */
TEST(percentiles_tell_many_from_few)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .timing = true}), 0);
    make_wait(pool, 1);
    kr_time longest = read_metrics(pool).wait_max;
    CHECK_GE(longest, kr_ms(30));
    kr_time began = kr_now();
    for (int i = 0; i < 200; i++)
        CHECK_EQ(run_in_worker(pool, count_one, NULL), 0);
    kr_time all = kr_now() - began;
    AWAIT(pool, done, 202);
    kr_pool_metrics metrics = read_metrics(pool);
    CHECK_GE(metrics.wait_max, kr_ms(30));
    /* Less than half of the 200 took more than a hundredth of the time of all. */
    CHECK_LE(metrics.wait_p50, all / 50 + kr_ms(1));
    end(pool);
}

TEST(waits_are_not_measured_unless_asked_for)
{
    kr_executor *pool = pool_of(1);
    make_wait(pool, 10);
    kr_pool_metrics metrics = read_metrics(pool);
    CHECK_EQ(metrics.wait_p50, 0);
    CHECK_EQ(metrics.wait_p90, 0);
    CHECK_EQ(metrics.wait_p99, 0);
    CHECK_EQ(metrics.wait_max, 0);
    end(pool);
}

TEST(wrong_reads_are_refused)
{
    kr_executor *pool = pool_of(1);
    kr_pool_metrics metrics;
    CHECK_EQ(kr_pool_read_metrics(NULL, &metrics), -EINVAL);
    CHECK_EQ(kr_pool_read_metrics(pool, NULL), -EINVAL);
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(kr_pool_read_metrics(pool, &metrics), KR_EFORKED);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    end(pool);
}
