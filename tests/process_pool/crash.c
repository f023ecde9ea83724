/* Tasks that die, each in its own way, and what is said of them.
 *
 * Behaviours: sections 11.4, 11.8
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* No files of dead bodies, and no reports of sanitizers: the signals are what is looked at. */
static int no_cores(void *arg)
{
    (void)arg;
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    return freopen("/dev/null", "w", stderr) ? 0 : -EIO;
}

static kr_executor *quiet_pool(int workers, kr_process_pool_options more)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = workers, .initializer = no_cores};
    more.start = KR_FORK;
    CHECK_EQ(kr_process_pool_with(&pool, &options, &more), 0);
    return pool;
}

/* Run it beside others that never notice; what is said of it. */
static kr_crash crash_of(kr_executor *pool, kr_task_fn fn, int want)
{
    kr_future *others[4];
    long n = 12;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kr_submit(pool, &others[i], square, &n, sizeof n, sizeof n), 0);
    kr_future *f = submit(pool, fn);
    for (int i = 2; i < 4; i++)
        CHECK_EQ(kr_submit(pool, &others[i], square, &n, sizeof n, sizeof n), 0);
    int error = 0;
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    CHECK_EQ(error, want);
    kr_crash crash = {0};
    CHECK_EQ(kr_future_crash(f, &crash), 0);
    kr_future_release(f);
    CHECK(crash.pid > 0 && crash.worker[0] != '\0' && crash.task == fn);
    CHECK_EQ(crash.attempts, 1);
    CHECK_GE((int64_t)crash.max_rss, 100000);
    for (int i = 0; i < 4; i++) {
        long result = 0;
        CHECK_EQ(kr_future_result(others[i], &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, 144);
        kr_future_release(others[i]);
    }
    return crash;
}

static kr_crash one_crash(kr_task_fn fn)
{
    kr_executor *pool = quiet_pool(2, (kr_process_pool_options){0});
    kr_crash crash = crash_of(pool, fn, KR_ECRASHED);
    CHECK_EQ(crash.reason, KR_CRASH_DIED);
    end(pool);
    return crash;
}

static int segfault(const void *arg, void *result)
{
    (void)result;
    *(volatile int *)arg = 1; /* NULL */
    return 0;
}

#if !KRI_SANITIZED
TEST(test_crash_during_func_exec_on_worker)
{
    CHECK_EQ(one_crash(segfault).exit_code, -SIGSEGV);
}
#else
TEST(test_crash_during_func_exec_on_worker)
{
    CHECK_NE(one_crash(segfault).exit_code, 0);
}
#endif

static int aborts(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    abort();
}

TEST(an_aborting_task)
{
    CHECK_EQ(one_crash(aborts).exit_code, -SIGABRT);
}

static int exits(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    _exit(17);
}

TEST(test_exit_during_func_exec_on_worker)
{
    CHECK_EQ(one_crash(exits).exit_code, 17);
}

static int exits_0(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    _exit(0);
}

TEST(an_exit_with_0_is_a_crash_all_the_same)
{
    CHECK_EQ(one_crash(exits_0).exit_code, 0);
}

static int deeper(volatile char *above)
{
    volatile char here[4096];
    here[0] = *above;
    return *above == 1 ? 0 : deeper(here) + here[0];
}

static int overflows(const void *arg, void *result)
{
    volatile char first = 0;
    (void)arg;
    (void)result;
    return deeper(&first);
}

TEST(a_stack_overflowing_task)
{
    kr_crash crash = one_crash(overflows);
    if (KRI_SANITIZED)
        CHECK_NE(crash.exit_code, 0);
    else
        CHECK_EQ(crash.exit_code, -SIGSEGV);
}

/* The one that returns in the child of a fork is nobody's task. */
static int forks(const void *arg, void *result)
{
    (void)arg;
    pid_t child = fork();
    if (child == 0)
        return -EIO;
    int status;
    *(int *)result = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    return 0;
}

TEST(a_forking_task)
{
    kr_executor *pool = pool_of(2);
    for (int i = 0; i < 10; i++) {
        kr_future *f;
        int good = 0;
        CHECK_EQ(kr_submit(pool, &f, forks, NULL, 0, sizeof good), 0);
        CHECK_EQ(kr_future_result(f, &good, sizeof good, NULL, KR_FOREVER), 0);
        CHECK_EQ(good, 1);
        kr_future_release(f);
    }
    end(pool);
}

static int loops(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    for (volatile int on = 1; on;)
        ;
    return 0;
}

TEST(an_infinitely_looping_task)
{
    kr_executor *pool = quiet_pool(2, (kr_process_pool_options){.task_timeout = kr_ms(100)});
    kr_crash crash = crash_of(pool, loops, -ETIMEDOUT);
    CHECK_EQ(crash.reason, KR_CRASH_TIMEOUT);
    CHECK_EQ(crash.exit_code, -SIGKILL);
    CHECK_GE(crash.run_time, kr_ms(100));
    CHECK_STR(crash.task_name[0] ? "named" : "", "named");
    end(pool);
}

static int eats_memory(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    enum { STEP = 1 << 20 };
    for (;;) {
        char *more = malloc(STEP);
        if (!more)
            return -ENOMEM;
        memset(more, 1, STEP);
        if (!kri_test_budget())
            free(more);
    }
}

/* The kernel says no to what goes beyond; the task can answer that. */
TEST(a_task_that_maps_too_much_is_told_so)
{
    if (KRI_SANITIZED)
        SKIP("sanitizers map terabytes");
    kr_executor *pool =
        quiet_pool(1, (kr_process_pool_options){.memory_limit = UINT64_C(64) << 20});
    int error = error_of(submit(pool, eats_memory));
    CHECK(error == -ENOMEM || error == KR_ECRASHED);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
}

/* What the workers have in common with the parent counts, too. */
static int stays_large(const void *arg, void *result)
{
    void *memory = *(void *const *)arg;
    (void)result;
    volatile char sum = 0;
    for (size_t i = 0; i < (size_t)64 << 20; i += 4096)
        sum = (char)(sum + ((volatile char *)memory)[i]);
    return loops(NULL, NULL);
}

TEST(a_task_over_the_memory_limit)
{
    if (KRI_SANITIZED)
        SKIP("sanitizers map terabytes");
    size_t size = (size_t)64 << 20;
    void *memory = shared_pages(size);
    memset(memory, 1, size);
    kr_executor *pool =
        quiet_pool(2, (kr_process_pool_options){.memory_limit = UINT64_C(48) << 20});
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, stays_large, &memory, sizeof memory, 0), 0);
    int error = 0;
    kr_crash crash;
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    CHECK_EQ(error, KR_ECRASHED);
    CHECK_EQ(kr_future_crash(f, &crash), 0);
    CHECK_EQ(crash.reason, KR_CRASH_MEMORY);
    CHECK_GE((int64_t)crash.max_rss, (int64_t)48 << 20);
    kr_future_release(f);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
}

static int becomes_large(const void *arg, void *result)
{
    volatile char *memory = *(char *const *)arg;
    volatile char sum = 0;
    for (size_t i = 0; i < (size_t)64 << 20; i += 4096)
        sum = (char)(sum + memory[i]);
    return tell_pid(NULL, result);
}

static bool has_worker(kr_executor *pool, int pid)
{
    int pids[2], count = kr_process_pool_workers(pool, pids, 2);
    bool found = false;
    for (int i = 0; i < count; i++)
        found = found || pids[i] == pid;
    return found;
}

/* The task itself may be found at it. */
TEST(a_worker_that_stays_large_is_replaced)
{
    if (KRI_SANITIZED)
        SKIP("sanitizers map terabytes");
    size_t size = (size_t)64 << 20;
    void *memory = shared_pages(size);
    memset(memory, 1, size);
    struct gate *gate = gate_new();
    kr_executor *pool =
        quiet_pool(2, (kr_process_pool_options){.memory_limit = UINT64_C(48) << 20});
    kr_future *other = submit_gate(pool, gate), *f;
    int pid = 0;
    CHECK_EQ(kr_submit(pool, &f, becomes_large, &memory, sizeof memory, sizeof pid), 0);
    int err = kr_future_result(f, &pid, sizeof pid, NULL, KR_FOREVER);
    CHECK(err == 0 || err == KR_ECRASHED);
    while (err == 0 && has_worker(pool, pid))
        kri_test_nap();
    kr_future_release(f);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(other), 0);
    end(pool);
}

/* Every future gets a report of its own. */
TEST(test_broken_process_pool_traceback)
{
    kr_executor *pool = quiet_pool(2, (kr_process_pool_options){0});
    kr_crash first = crash_of(pool, exits, KR_ECRASHED);
    kr_crash second = crash_of(pool, aborts, KR_ECRASHED);
    CHECK(first.pid != second.pid);
    CHECK_EQ(first.exit_code, 17);
    CHECK_EQ(second.exit_code, -SIGABRT);
    end(pool);
}

/* The report names the exit code. */
TEST(test_traceback_when_child_process_terminates_abruptly)
{
    kr_crash crash = one_crash(exits);
    CHECK_EQ(crash.exit_code, 17);
    CHECK(strstr(crash.worker, "_") != NULL);
}

static int die_once(const void *arg, void *result)
{
    struct gate *gate = *(struct gate *const *)arg;
    if (kr_semaphore_acquire(&gate->entered, KR_NOWAIT) == 0)
        _exit(3);
    *(int *)result = 5;
    return 0;
}

static kr_future *submit_dying(kr_executor *pool, struct gate *gate, int deaths)
{
    kr_future *f;
    for (int i = 0; i < deaths; i++)
        CHECK_EQ(kr_semaphore_release(&gate->entered, 1), 0);
    CHECK_EQ(kr_submit(pool, &f, die_once, &gate, sizeof gate, sizeof(int)), 0);
    return f;
}

TEST(a_crashed_task_is_run_again)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_with(2, (kr_process_pool_options){.retries = 2});
    kr_future *f = submit_dying(pool, gate, 2);
    int result = 0;
    kr_crash crash;
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER), 0);
    CHECK_EQ(result, 5);
    CHECK_EQ(kr_future_crash(f, &crash), -ENODATA);
    kr_future_release(f);
    f = submit_dying(pool, gate, 3);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), KR_ECRASHED);
    CHECK_EQ(kr_future_crash(f, &crash), 0);
    CHECK_EQ(crash.attempts, 3);
    kr_future_release(f);
    end(pool);
}

TEST(test_error_during_func_exec_on_worker)
{
    kr_executor *pool = pool_of(1);
    kr_crash crash;
    kr_future *f = submit(pool, fail_io);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -EIO);
    CHECK_EQ(kr_future_crash(f, &crash), -ENODATA);
    CHECK_EQ(kr_future_crash(NULL, &crash), -EINVAL);
    CHECK_EQ(kr_future_crash(f, NULL), -EINVAL);
    kr_future_release(f);
    end(pool);
}

/* Killed from outside, and while it sleeps for want of work. */
TEST(an_idle_worker_that_is_killed_is_replaced)
{
    kr_executor *pool = pool_of(1);
    for (int i = 0; i < 20; i++) {
        int pid = pid_of_worker(pool);
        CHECK_EQ(kill(pid, SIGKILL), 0);
        kr_future *f;
        long n = 6, result = 0;
        int error = 1;
        CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
        CHECK_EQ(kr_future_result(f, &result, sizeof result, &error, KR_FOREVER), 0);
        CHECK(error == 0 || error == KR_ECRASHED);
        kr_future_release(f);
    }
    end(pool);
}

/* The only worker dies while the system gives no descriptors; a task that waits for its successor.
 */
static kr_future *submit_without_worker(kr_executor *pool, struct rlimit *before)
{
    int pid = pid_of_worker(pool);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, before), 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, before->rlim_max}), 0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    while (kr_process_pool_workers(pool, NULL, 0) != 0)
        kri_test_nap();
    kr_future *f;
    long n = 4;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    return f;
}

TEST(a_start_that_is_refused_is_tried_again)
{
    struct rlimit before;
    kr_executor *pool = pool_of(1);
    kr_future *f = submit_without_worker(pool, &before);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(error_of(f), 0);
    end(pool);
}

TEST(starts_that_are_refused_for_long_break_the_pool)
{
    struct rlimit before;
    kr_executor *pool = pool_of(1);
    kr_future *f = submit_without_worker(pool, &before);
    CHECK_EQ(error_of(f), KR_EBROKEN);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(kr_submit(pool, &f, square, &(long){1}, sizeof(long), sizeof(long)), KR_EBROKEN);
    end(pool);
}

/* The last of very many is looked after as the first is, and so is the pool's bell. */
TEST(many_workers_are_all_watched)
{
    enum { MANY = 80 };
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(MANY);
    int pids[MANY];
    CHECK_EQ(kr_process_pool_workers(pool, pids, MANY), MANY);
    kr_future *futures[MANY];
    for (int i = 0; i < MANY; i++)
        futures[i] = submit_gate(pool, gate);
    wait_entered(gate, MANY);
    CHECK_EQ(kill(pids[MANY - 1], SIGKILL), 0);
    CHECK_EQ(square_of(pool, 4), 16); /* by the one in its place */
    kr_event_set(&gate->open);
    int crashed = 0;
    for (int i = 0; i < MANY; i++)
        crashed += error_of(futures[i]) == KR_ECRASHED;
    CHECK_EQ(crashed, 1);
    end(pool);
}

/* Megabytes on their way when the worker dies. */
struct big {
    char bytes[3 << 20];
};

static int die_with_big(const void *arg, void *result)
{
    memcpy(result, arg, sizeof(struct big));
    raise(SIGKILL);
    return 0;
}

TEST(test_crash_big_data)
{
    kr_executor *pool = pool_of(2);
    struct big *big = calloc(1, sizeof *big);
    for (int i = 0; i < 10; i++) {
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, die_with_big, big, sizeof *big, sizeof *big), 0);
        CHECK_EQ(error_of(f), KR_ECRASHED);
    }
    CHECK_EQ(square_of(pool, 4), 16);
    free(big);
    end(pool);
}

/* Dies as it gets its argument, as it writes its result: the task is what dies. */
static int die_reading(const void *arg, void *result)
{
    (void)result;
    if (*(const char *)arg == 7)
        raise(SIGSEGV);
    return 0;
}

TEST(test_crash_at_task_unpickle)
{
    kr_executor *pool = quiet_pool(1, (kr_process_pool_options){0});
    char bytes[1000] = {7};
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, die_reading, bytes, sizeof bytes, 0), 0);
    CHECK_EQ(error_of(f), KR_ECRASHED);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
}

static int die_writing(const void *arg, void *result)
{
    (void)arg;
    memset(result, 1, 500);
    if (*(char *)result == 1)
        _exit(9);
    return 0;
}

TEST(test_crash_during_result_pickle_on_worker)
{
    kr_executor *pool = quiet_pool(1, (kr_process_pool_options){0});
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, die_writing, NULL, 0, 1000), 0);
    CHECK_EQ(error_of(f), KR_ECRASHED);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
}

/* From the kill to the next task in its place. */
TEST(a_killed_worker_is_replaced_at_once)
{
    kr_executor *pool = pool_of(1);
    kr_time best = kr_sec(10);
    for (int i = 0; i < 20; i++) {
        kr_future *f = submit(pool, loops);
        int pid = 0;
        while (kr_process_pool_workers(pool, &pid, 1) != 1 || !kr_future_running(f))
            kri_test_nap();
        kr_time began = kr_now();
        CHECK_EQ(kill(pid, SIGKILL), 0);
        CHECK(pid_of_worker(pool) != pid);
        kr_time took = kr_now() - began;
        best = took < best ? took : best;
        CHECK_EQ(error_of(f), KR_ECRASHED);
    }
    kri_test_note("%jd us at best", (intmax_t)(best / 1000));
    CHECK_LE(best, kr_ms(KRI_SLOWED ? 1000 : 50));
    end(pool);
}
