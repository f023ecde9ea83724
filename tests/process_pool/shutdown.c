/* The end of process pools: shutdown, release, exit, and the end of the parent.
 *
 * Behaviours: sections 11.4, 11.5, 11.8, 11.10
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"

#include "os/child.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static bool is_alive(int pid)
{
    return kill(pid, 0) == 0;
}

TEST(test_run_after_shutdown)
{
    kr_executor *pool = pool_of(2);
    kr_future *f;
    long n = 1;
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), KR_ESHUTDOWN);
    CHECK(f == NULL);
    CHECK_EQ(kr_map(pool, square, &n, sizeof n, 1, &n, sizeof n, NULL), KR_ESHUTDOWN);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), 0);
    kr_executor_release(pool);
}

TEST(test_hang_issue12364)
{
    kr_executor *pool = pool_of(3);
    kr_future *futures[50];
    for (long i = 0; i < 50; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], square, &i, sizeof i, sizeof i), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    for (long i = 0; i < 50; i++) {
        long result = -1;
        CHECK(kr_future_done(futures[i]));
        CHECK_EQ(kr_future_result(futures[i], &result, sizeof result, NULL, KR_NOWAIT), 0);
        CHECK_EQ(result, i * i);
        kr_future_release(futures[i]);
    }
    kr_executor_release(pool);
}

TEST(test_cancel_futures)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(2);
    kr_future *futures[50];
    for (int i = 0; i < 50; i++)
        futures[i] = submit_gate(pool, gate);
    wait_entered(gate, 2);
    kr_shutdown_options options = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &options, KR_NOWAIT), -ETIMEDOUT);
    kr_event_set(&gate->open);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    int cancelled = 0;
    for (int i = 0; i < 50; i++) {
        CHECK(kr_future_done(futures[i]));
        bool was = kr_future_cancelled(futures[i]);
        cancelled += was;
        CHECK_EQ(error_of(futures[i]), was ? -ECANCELED : 0);
    }
    CHECK_EQ(cancelled, 48);
    kr_executor_release(pool);
}

TEST(test_hang_gh94440)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *first = submit_gate(pool, gate), *second = submit_gate(pool, gate);
    wait_entered(gate, 1);
    CHECK(kr_future_running(first) && !kr_future_running(second));
    CHECK_EQ(kr_future_cancel(second), 0);
    CHECK_EQ(kr_future_cancel(second), 0);
    CHECK_EQ(kr_future_cancel(first), -EALREADY);
    CHECK(kr_future_cancelled(second));
    kr_event_set(&gate->open);
    end(pool);
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(error_of(second), -ECANCELED);
}

static void workers_of(kr_executor *pool, int *pids, int count)
{
    while (kr_process_pool_workers(pool, pids, count) < count)
        kri_test_nap();
}

TEST(test_processes_terminate)
{
    int pids[3];
    kr_executor *pool = pool_of(3);
    CHECK_EQ(kr_process_pool_workers(pool, pids, 3), 3);
    for (int i = 0; i < 3; i++)
        CHECK(is_alive(pids[i]));
    CHECK_EQ(square_of(pool, 5), 25);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_process_pool_workers(pool, pids, 0), 0);
    kr_executor_release(pool);
    for (int i = 0; i < 3; i++)
        CHECK(!is_alive(pids[i]));
}

TEST(test_context_manager_shutdown)
{
    int pids[2];
    kr_future *f;
    long n = 9;
    {
        KR_AUTO(kr_executor) *pool = pool_of(2);
        workers_of(pool, pids, 2);
        CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    }
    CHECK(!is_alive(pids[0]) && !is_alive(pids[1]));
    CHECK_EQ(kr_future_result(f, &n, sizeof n, NULL, KR_NOWAIT), 0);
    CHECK_EQ(n, 81);
    kr_future_release(f);
}

/* Dropped with a task in it, after a shutdown that did not wait. */
TEST(test_del_shutdown)
{
    struct gate *gate = gate_new();
    int pids[2];
    kr_executor *pool = pool_of(2);
    kr_future *f = submit_gate(pool, gate);
    workers_of(pool, pids, 2);
    wait_entered(gate, 1);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    kr_executor_release(pool);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(f), 0);
    while (is_alive(pids[0]) || is_alive(pids[1]))
        kri_test_nap();
}

TEST(test_shutdown_no_wait)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(2);
    kr_future *f = submit_gate(pool, gate);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, kr_ms(20)), -ETIMEDOUT);
    kr_event_set(&gate->open);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(error_of(f), 0);
    kr_executor_release(pool);
}

/* In a child that ends by exit; its exit code. */
static int exit_code_of(void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        body();
        exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static kr_word *shared_word(void)
{
    kr_word *word = shared_pages(sizeof *word);
    return word;
}

static kr_word *finished;
static struct gate *exit_gate;

static int finish_at_exit(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(kr_event_wait(&exit_gate->open, KR_FOREVER), 0);
    kri_test_linger();
    kri_add_sc(finished, 1);
    return 0;
}

static void open_gate(void *gate)
{
    kr_event_set(&((struct gate *)gate)->open);
}

/* Its tasks cannot end before exit has begun: what is registered last is called first. */
static kr_executor *pool_for_exit(int workers)
{
    kr_executor *pool = pool_of(workers);
    CHECK_EQ(kr_at_exit(open_gate, exit_gate), 0);
    return pool;
}

static void leave_running(void)
{
    kr_executor *pool = pool_for_exit(2);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(kr_submit(pool, NULL, finish_at_exit, NULL, 0, 0), 0);
}

TEST(test_interpreter_shutdown)
{
    finished = shared_word();
    exit_gate = gate_new();
    CHECK_EQ(exit_code_of(leave_running), 0);
    CHECK_EQ(kri_load_sc(finished), 6);
}

static void shut_and_leave(void)
{
    kr_executor *pool = pool_for_exit(1);
    CHECK_EQ(kr_submit(pool, NULL, finish_at_exit, NULL, 0, 0), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
}

TEST(test_hang_gh83386)
{
    finished = shared_word();
    exit_gate = gate_new();
    CHECK_EQ(exit_code_of(shut_and_leave), 0);
    CHECK_EQ(kri_load_sc(finished), 1);
}

static kr_executor *late_pool;

static void submit_late(void *arg)
{
    (void)arg;
    kr_executor *another;
    if (kr_submit(late_pool, NULL, fail_io, NULL, 0, 0) != KR_ESHUTDOWN ||
        kr_process_pool(&another, NULL) != KR_ESHUTDOWN)
        _exit(3);
}

static void exit_and_submit(void)
{
    CHECK_EQ(kr_at_exit(submit_late, NULL), 0);
    late_pool = pool_of(1);
    CHECK_EQ(square_of(late_pool, 2), 4);
}

TEST(test_submit_after_interpreter_shutdown)
{
    CHECK_EQ(exit_code_of(exit_and_submit), 0);
}

/* Failing tasks in workers that leave after each, and nobody waits. */
static void fail_and_leave(void)
{
    kr_executor *pool = pool_with(1, (kr_process_pool_options){.max_tasks_per_child = 1});
    kr_future *f = submit(pool, fail_io);
    for (int i = 0; i < 4; i++)
        kr_future_release(submit(pool, fail_io));
    (void)!kr_executor_shutdown(pool, NULL, KR_NOWAIT);
    CHECK_EQ(error_of(f), -EIO);
    kr_executor_release(pool);
}

static void quiet(const kr_task_report *report)
{
    (void)report;
}

TEST(test_shutdown_gh_132969_case_1)
{
    (void)kr_set_task_hook(quiet);
    CHECK_EQ(exit_code_of(fail_and_leave), 0);
}

TEST(test_shutdown_gh_132969_case_2)
{
    (void)kr_set_task_hook(quiet);
    for (int i = 0; i < 10; i++)
        fail_and_leave();
}

TEST(test_max_tasks_early_shutdown)
{
    kr_executor *pool = pool_with(3, (kr_process_pool_options){.max_tasks_per_child = 1});
    kr_future *futures[6];
    for (long i = 0; i < 6; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], square, &i, sizeof i, sizeof i), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    kr_executor_release(pool);
}

/* The workers are told to go. */

static int sleeps(const void *arg, void *result)
{
    struct gate *gate = *(struct gate *const *)arg;
    (void)result;
    (void)kr_semaphore_release(&gate->entered, 1);
    pause();
    return -EINTR;
}

static void force(int (*stop)(kr_executor *), int signo)
{
    struct gate *gate = gate_new();
    int pids[2];
    kr_executor *pool = pool_of(2);
    kr_future *f, *pending[20];
    long n = 1;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_submit(pool, i ? &pending[0] : &f, sleeps, &gate, sizeof gate, 0), 0);
    wait_entered(gate, 2);
    kr_future *other = pending[0];
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_submit(pool, &pending[i], square, &n, sizeof n, sizeof n), 0);
    workers_of(pool, pids, 2);
    kr_time began = kr_now();
    CHECK_EQ(stop(pool), 0);
    CHECK_EQ(kr_submit(pool, NULL, square, &n, sizeof n, 0), KR_ESHUTDOWN);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_LE(kr_now() - began, kr_sec(5));
    kr_crash crash;
    CHECK_EQ(kr_future_crash(f, &crash), 0);
    CHECK_EQ(crash.exit_code, -signo);
    CHECK_EQ(crash.reason, KR_CRASH_STOPPED);
    CHECK_EQ(error_of(f), KR_ECRASHED);
    CHECK_EQ(error_of(other), KR_ECRASHED);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(error_of(pending[i]), -ECANCELED);
    CHECK(!is_alive(pids[0]) && !is_alive(pids[1]));
    CHECK_EQ(stop(pool), 0); /* nobody is left */
    kr_executor_release(pool);
}

TEST(test_terminate_workers)
{
    force(kr_executor_terminate_workers, SIGTERM);
}

TEST(test_kill_workers)
{
    force(kr_executor_kill_workers, SIGKILL);
}

TEST(test_force_shutdown_workers)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(square_of(pool, 4), 16);
    CHECK_EQ(kr_executor_kill_workers(pool), 0);
    end(pool);
}

TEST(test_force_shutdown_workers_stops_pool)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(kr_executor_terminate_workers(pool), 0);
    CHECK_EQ(kr_submit(pool, NULL, fail_io, NULL, 0, 0), KR_ESHUTDOWN);
    end(pool);
}

TEST(test_force_shutdown_workers_dead_workers)
{
    kr_executor *pool = pool_of(2);
    int pids[2];
    workers_of(pool, pids, 2);
    CHECK_EQ(kill(pids[0], SIGKILL), 0);
    CHECK_EQ(kill(pids[1], SIGKILL), 0);
    CHECK_EQ(kr_executor_kill_workers(pool), 0);
    CHECK_EQ(kr_executor_terminate_workers(pool), 0);
    end(pool);
}

TEST(test_force_shutdown_workers_not_started_yet)
{
    kr_executor *pool = pool_with(2, (kr_process_pool_options){.start = KR_FORKSERVER});
    CHECK_EQ(kr_process_pool_workers(pool, NULL, 0), 0);
    CHECK_EQ(kr_executor_kill_workers(pool), 0);
    end(pool);
}

TEST(test_force_shutdown_workers_invalid_op)
{
    kr_executor *threads;
    CHECK_EQ(kr_thread_pool(&threads, NULL), 0);
    CHECK_EQ(kr_executor_kill_workers(threads), -EINVAL);
    CHECK_EQ(kr_executor_terminate_workers(NULL), -EINVAL);
    CHECK_EQ(kr_process_pool_workers(threads, NULL, 0), -EINVAL);
    end(threads);
}

TEST(test_force_shutdown_during_max_tasks_worker_exit)
{
    for (int i = 0; i < 20; i++) {
        kr_executor *pool = pool_with(2, (kr_process_pool_options){.max_tasks_per_child = 1});
        CHECK_EQ(square_of(pool, 4), 16);
        CHECK_EQ(kr_executor_kill_workers(pool), 0);
        end(pool);
    }
}

TEST(workers_that_are_stopped_are_terminated)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *f = submit_gate(pool, gate);
    wait_entered(gate, 1);
    int pid;
    CHECK_EQ(kr_process_pool_workers(pool, &pid, 1), 1);
    kri_test_stop(pid);
    CHECK_EQ(kr_executor_terminate_workers(pool), 0);
    CHECK_EQ(error_of(f), KR_ECRASHED);
    end(pool);
}

/* A dead one that its new parent has not reaped yet is dead. */
static bool is_over(int pid)
{
    int fd = os_pidfd_open(pid);
    bool over = fd < 0 || os_pidfd_over(fd);
    if (fd >= 0)
        os_close(fd);
    return over;
}

/* The parent is killed: nobody is left. */
TEST(workers_die_with_their_parent)
{
    struct gate *gate = gate_new();
    int *pids = shared_pages(4096);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        kr_executor *pool = pool_of(4);
        (void)submit_gate(pool, gate);
        workers_of(pool, pids, 4);
        wait_entered(gate, 1);
        raise(SIGKILL);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    kr_time began = kr_now();
    for (int i = 0; i < 4; i++)
        while (!is_over(pids[i]) && kr_now() - began < kr_sec(5))
            kri_test_nap();
    kri_test_note("%jd us", (intmax_t)((kr_now() - began) / 1000));
    CHECK_LE(kr_now() - began, kr_ms(KRI_SLOWED ? 2000 : 200));
}

static int do_nothing(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}
KR_TASK(do_nothing);

_Noreturn static void be_a_parent(kr_start_method start, int *pids)
{
    enum { WORKERS = 2 };
    kr_executor *pool = pool_with(WORKERS, (kr_process_pool_options){.start = start});
    for (;;) {
        CHECK_EQ(error_of(submit(pool, do_nothing)), 0);
        int alive[WORKERS];
        for (int i = kr_process_pool_workers(pool, alive, WORKERS) - 1; i >= 0; i--)
            kri_store_rlx((kr_word *)&pids[i], (uint32_t)alive[i]);
    }
}

/* At any instant: as the pool is made, and while it works. */
TEST(workers_die_with_a_parent_that_is_killed_at_random)
{
    uint64_t random = kri_test_seed();
    int *pids = shared_pages(4096);
    kr_time end = kr_now() + kr_sec(kri_test_budget()), longest = 0;
    int kills = 0;
    for (; kr_now() < end || kills == 0; kills++) {
        pids[0] = pids[1] = 0;
        kr_start_method start = (kr_start_method)(KR_FORK + (int)(kri_test_random(&random) % 3));
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            be_a_parent(start, pids);
        usleep((useconds_t)(kri_test_random(&random) % 20000)); /* the instant of the kill */
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(waitpid(child, NULL, 0), child);
        kr_time began = kr_now();
        for (int i = 0; i < 2; i++)
            while (pids[i] != 0 && !is_over(pids[i]) && kr_now() - began < kr_sec(5))
                kri_test_nap();
        longest = kr_now() - began > longest ? kr_now() - began : longest;
    }
    kri_test_note("%d parents killed, their workers gone after %jd us at most", kills,
                  (intmax_t)(longest / 1000));
    CHECK_LE(longest, kr_ms(KRI_SLOWED ? 2000 : 200));
}

static int close_all(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return (int)syscall(SYS_close_range, 3, ~0u, 0);
}
KR_TASK(close_all);

/* What they die by was closed by a task: then they see to it themselves. */
TEST(workers_without_descriptors_die_with_their_parent)
{
    for (kr_start_method start = KR_FORK; start <= KR_FORKSERVER; start++) {
        int *pid = shared_pages(4096);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            kr_executor *pool = pool_with(1, (kr_process_pool_options){.start = start});
            CHECK_EQ(error_of(submit(pool, close_all)), 0);
            while (kr_process_pool_workers(pool, pid, 1) != 1) /* it was faster than its start */
                kri_test_nap();
            raise(SIGKILL);
        }
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(WTERMSIG(status), SIGKILL);
        CHECK(*pid > 0);
        kr_time began = kr_now();
        while (!is_over(*pid) && kr_now() - began < kr_sec(20))
            kri_test_nap();
        CHECK_LE(kr_now() - began, kr_sec(20) - 1);
    }
}

TEST(a_pool_in_a_forked_child)
{
    kr_executor *pool = pool_of(1);
    kr_future *f = submit(pool, fail_io);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        bool good = kr_submit(pool, NULL, fail_io, NULL, 0, 0) == KR_EFORKED &&
                    kr_future_exception(f, NULL, KR_FOREVER) == KR_EFORKED &&
                    kr_executor_kill_workers(pool) == KR_EFORKED &&
                    kr_executor_shutdown(pool, NULL, KR_FOREVER) == KR_EFORKED;
        kr_future_release(f);
        kr_executor_release(pool);
        _exit(good ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(error_of(f), -EIO);
    end(pool);
}

/* The end is asked for in a callback, which runs in the pool's own thread. */
static int shut_it(kr_future *f, void *arg)
{
    (void)f;
    CHECK_EQ(kr_executor_shutdown(arg, NULL, KR_NOWAIT), -ETIMEDOUT);
    return 0;
}

TEST(a_shutdown_in_a_callback)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(2);
    kr_future *f = submit_gate(pool, gate);
    CHECK_EQ(kr_future_add_done_callback(f, shut_it, pool), 0);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}
