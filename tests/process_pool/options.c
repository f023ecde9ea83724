/* The options of process pools: sizes, initializers, start methods, limits on tasks.
 *
 * Behaviours: sections 11.2, 11.4, 11.5, 11.6, 11.10, 12.8
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"
#include "harness/sanitizers.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

KR_TASK(square);
KR_TASK(tell_pid);

static int refused(kr_pool_options options, kr_process_pool_options more)
{
    kr_executor *pool;
    int err = kr_process_pool_with(&pool, &options, &more);
    CHECK(pool == NULL);
    return err;
}

TEST(test_max_workers_negative)
{
    CHECK_EQ(refused((kr_pool_options){.workers = -1}, (kr_process_pool_options){0}), -EINVAL);
    kr_executor *pool;
    CHECK_EQ(kr_process_pool(&pool, NULL), 0);
    CHECK_EQ(kr_executor_workers(pool), kr_cpu_count());
    end(pool);
}

TEST(test_make_pool)
{
    CHECK_EQ(refused((kr_pool_options){.workers = 5000}, (kr_process_pool_options){0}), -EINVAL);
    kr_executor *pool = pool_of(3);
    CHECK_EQ(kr_process_pool_workers(pool, NULL, 0), 3);
    end(pool);
}

TEST(options_that_make_no_sense)
{
    kr_pool_options none = {0};
    CHECK_EQ(kr_process_pool(NULL, NULL), -EINVAL);
    CHECK_EQ(refused((kr_pool_options){.reserved = {1}}, (kr_process_pool_options){0}), -EINVAL);
    CHECK_EQ(refused(none, (kr_process_pool_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    CHECK_EQ(refused(none, (kr_process_pool_options){.task_timeout = -1}), -EINVAL);
    CHECK_EQ(refused(none, (kr_process_pool_options){.retries = -1}), -EINVAL);
    CHECK_EQ(refused(none, (kr_process_pool_options){.affinity_count = 1}), -EINVAL);
    CHECK_EQ(refused(none, (kr_process_pool_options){.initializer_arg_size = 1}), -EINVAL);
    CHECK_EQ(refused(none, (kr_process_pool_options){.start = (kr_start_method)9}), -EINVAL);
}

/* Initializers. */

static int initialized;

static int initialize(void *arg)
{
    initialized = *(const int *)arg;
    return 0;
}
KR_TASK(initialize);

static int tell_initialized(const void *arg, void *result)
{
    (void)arg;
    *(int *)result = initialized;
    return 0;
}
KR_TASK(tell_initialized);

static void try_initializer(kr_start_method start)
{
    int number = 42;
    kr_pool_options options = {.workers = 2, .initializer = initialize, .initializer_arg = &number};
    kr_process_pool_options more = {.start = start, .initializer_arg_size = sizeof number};
    kr_executor *pool;
    CHECK_EQ(kr_process_pool_with(&pool, &options, &more), 0);
    number = 0;
    for (int i = 0; i < 20; i++) {
        kr_future *f;
        int seen = 0;
        CHECK_EQ(kr_submit(pool, &f, tell_initialized, NULL, 0, sizeof seen), 0);
        CHECK_EQ(kr_future_result(f, &seen, sizeof seen, NULL, KR_FOREVER), 0);
        CHECK_EQ(seen, 42);
        kr_future_release(f);
    }
    end(pool);
}

TEST(test_initializer)
{
    try_initializer(KR_FORK);
}

TEST(test_initializer_of_spawned)
{
    try_initializer(KR_SPAWN);
}

TEST(test_pool_initializer)
{
    try_initializer(KR_FORKSERVER);
}

static int reported;

static void note(const kr_task_report *report)
{
    reported = report->error;
    CHECK_STR(report->where, "initializer");
    CHECK(report->pool != NULL);
}

static int fail_to_initialize(void *arg)
{
    (void)arg;
    return -ENOENT;
}
KR_TASK(fail_to_initialize);

static void try_failing(kr_start_method start)
{
    (void)kr_set_task_hook(note);
    kr_pool_options options = {.workers = 2, .initializer = fail_to_initialize};
    kr_process_pool_options more = {.start = start};
    kr_executor *pool;
    CHECK_EQ(kr_process_pool_with(&pool, &options, &more), 0);
    kr_future *f;
    int err = kr_submit(pool, &f, tell_initialized, NULL, 0, sizeof(int));
    CHECK(err == 0 || err == KR_EBROKEN);
    if (err == 0)
        CHECK_EQ(error_of(f), KR_EBROKEN);
    CHECK_EQ(kr_submit(pool, &f, tell_initialized, NULL, 0, sizeof(int)), KR_EBROKEN);
    CHECK_EQ(kr_map(pool, square, &(long){1}, sizeof(long), 1, &(long){0}, sizeof(long), NULL),
             KR_EBROKEN);
    end(pool);
    CHECK_EQ(reported, -ENOENT);
}

TEST(test_initializer_that_fails)
{
    try_failing(KR_FORK);
}

TEST(test_spawn)
{
    try_failing(KR_SPAWN);
}

TEST(test_forkserver)
{
    try_failing(KR_FORKSERVER);
}

static int die_at_once(void *arg)
{
    (void)arg;
    _exit(5);
}

TEST(workers_that_die_before_they_begin_break_the_pool)
{
    (void)kr_set_task_hook(note);
    kr_pool_options options = {.workers = 2, .initializer = die_at_once};
    kr_process_pool_options more = {.start = KR_FORK};
    kr_executor *pool;
    CHECK_EQ(kr_process_pool_with(&pool, &options, &more), 0);
    kr_future *f;
    int err = kr_submit(pool, &f, square, &(long){1}, sizeof(long), sizeof(long));
    CHECK(err == 0 || err == KR_EBROKEN);
    if (err == 0)
        CHECK_EQ(error_of(f), KR_EBROKEN);
    end(pool);
}

/* In a child, before anything else there. */
static void interrupt_oneself(void)
{
    raise(SIGINT);
}

static int blocks_interrupts(const void *arg, void *result)
{
    sigset_t set;
    (void)arg;
    sigprocmask(SIG_SETMASK, NULL, &set);
    *(int *)result = sigismember(&set, SIGINT);
    return 0;
}

/* Ctrl-C while the workers start is the parent's affair, too. */
TEST(interrupted_before_it_begins)
{
    CHECK_EQ(pthread_atfork(NULL, NULL, interrupt_oneself), 0);
    kr_executor *pool = pool_of(2);
    CHECK_EQ(square_of(pool, 3), 9);
    kr_future *f;
    int blocked = 1;
    CHECK_EQ(kr_submit(pool, &f, blocks_interrupts, NULL, 0, sizeof blocked), 0);
    CHECK_EQ(kr_future_result(f, &blocked, sizeof blocked, NULL, KR_FOREVER), 0);
    CHECK_EQ(blocked, 0);
    kr_future_release(f);
    end(pool);
}

/* Start methods. */

static int leave(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    _exit(6);
}
KR_TASK(leave);

static void check_report(kr_executor *pool)
{
    kr_crash crash;
    int error = 0;
    kr_future *f = submit(pool, leave);
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    CHECK_EQ(error, KR_ECRASHED);
    CHECK_EQ(kr_future_crash(f, &crash), 0);
    CHECK_EQ(crash.exit_code, 6);
    CHECK_GE((int64_t)crash.max_rss, 100000);
    kr_future_release(f);
}

static void try_method(kr_start_method start)
{
    kr_executor *pool = pool_with(2, (kr_process_pool_options){.start = start});
    for (long i = 0; i < 100; i++)
        CHECK_EQ(square_of(pool, i), i * i);
    long args[500], results[500];
    for (long i = 0; i < 500; i++)
        args[i] = i;
    CHECK_EQ(kr_map(pool, square, args, sizeof *args, 500, results, sizeof *results, NULL), 0);
    for (long i = 0; i < 500; i++)
        CHECK_EQ(results[i], i * i);
    check_report(pool);
    int pid = pid_of_worker(pool);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    for (long i = 0; i < 100; i++)
        CHECK_EQ(square_of(pool, i), i * i);
    CHECK_EQ(kr_submit(pool, NULL, fail_io, NULL, 0, 0), KR_ETASK);
    end(pool);
}

static int not_declared(void *arg)
{
    (void)arg;
    return 0;
}

TEST(spawned_workers)
{
    try_method(KR_SPAWN);
    CHECK_EQ(refused((kr_pool_options){.initializer = not_declared},
                     (kr_process_pool_options){.start = KR_SPAWN}),
             KR_ETASK);
}

TEST(workers_from_the_fork_server)
{
    try_method(KR_FORKSERVER);
}

/* Is a mapping as long as a pool's segment in core files?  1, 0; negative: there is none so long.
 */
static int dumps(const void *arg, void *result)
{
    char line[512];
    unsigned long from, to;
    bool pools = false;
    int found = -ENOENT;
    FILE *maps = fopen("/proc/self/smaps", "r");
    (void)arg;
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            pools = strstr(line, "memfd:krait") && to - from >= 1 << 20;
        else if (pools && strncmp(line, "VmFlags:", 8) == 0)
            found = !strstr(line, " dd") || found == 1;
    }
    if (maps)
        fclose(maps);
    *(int *)result = found;
    return 0;
}
KR_TASK(dumps);

/* To dump it would take memory for each of its pages, and minutes, before the death is heard of. */
TEST(a_pools_memory_is_in_no_core_file)
{
    if (KRI_QEMU)
        SKIP("qemu says yes to MADV_DONTDUMP, and does nothing");
    if (KRI_TSAN)
        SKIP("the sanitizer says what is in core files");
    for (kr_start_method start = KR_FORK; start <= KR_FORKSERVER; start++) {
        kr_executor *pool = pool_with(1, (kr_process_pool_options){.start = start});
        int found = -1;
        CHECK_EQ(dumps(NULL, &found), 0);
        CHECK_EQ(found, 0);
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, dumps, NULL, 0, sizeof found), 0);
        CHECK_EQ(kr_future_result(f, &found, sizeof found, NULL, KR_FOREVER), 0);
        CHECK_EQ(found, 0);
        kr_future_release(f);
        end(pool);
    }
}

/* How many there are. */

TEST(test_saturation)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(4);
    kr_future *futures[60];
    for (int i = 0; i < 60; i++)
        futures[i] = submit_gate(pool, gate);
    wait_entered(gate, 4);
    CHECK_EQ(kr_process_pool_workers(pool, NULL, 0), 4);
    kr_event_set(&gate->open);
    for (int i = 0; i < 60; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    CHECK_EQ(kr_process_pool_workers(pool, NULL, 0), 4);
    end(pool);
}

TEST(test_idle_process_reuse_one)
{
    kr_executor *pool = pool_with(4, (kr_process_pool_options){.start = KR_FORKSERVER});
    for (long i = 0; i < 10; i++)
        CHECK_EQ(square_of(pool, i), i * i);
    while (kr_process_pool_workers(pool, NULL, 0) < 1) /* it was faster than its start */
        kri_test_nap();
    CHECK_EQ(kr_process_pool_workers(pool, NULL, 0), 1);
    end(pool);
}

TEST(test_idle_process_reuse_multiple)
{
    kr_executor *pool = pool_with(4, (kr_process_pool_options){.start = KR_FORKSERVER});
    for (int round = 0; round < 5; round++) {
        kr_future *futures[2];
        long n = 3;
        for (int i = 0; i < 2; i++)
            CHECK_EQ(kr_submit(pool, &futures[i], square, &n, sizeof n, sizeof n), 0);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(error_of(futures[i]), 0);
    }
    CHECK_LE(kr_process_pool_workers(pool, NULL, 0), 2);
    end(pool);
}

/* Tasks a child. */

TEST(test_max_tasks_per_child)
{
    kr_executor *pool = pool_with(1, (kr_process_pool_options){.max_tasks_per_child = 3});
    int first = pid_of_worker(pool);
    CHECK_EQ(pid_of_worker(pool), first);
    CHECK_EQ(pid_of_worker(pool), first);
    CHECK(pid_of_worker(pool) != first);
    end(pool);
}

TEST(test_pool_worker_lifetime)
{
    kr_executor *pool = pool_with(3, (kr_process_pool_options){.max_tasks_per_child = 10});
    int changes = 0, last = 0;
    for (long i = 0; i < 100; i++) {
        int pid = pid_of_worker(pool);
        changes += pid != last;
        last = pid;
    }
    CHECK_GE(changes, 10 / 3);
    end(pool);
}

TEST(test_pool_worker_lifetime_early_close)
{
    kr_executor *pool = pool_with(3, (kr_process_pool_options){.max_tasks_per_child = 1});
    kr_future *futures[6];
    for (long i = 0; i < 6; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], square, &i, sizeof i, sizeof i), 0);
    end(pool);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(error_of(futures[i]), 0);
}

TEST(test_max_tasks_per_child_pending_tasks_gh115634)
{
    kr_executor *pool = pool_with(2, (kr_process_pool_options){.max_tasks_per_child = 1});
    kr_future *futures[40];
    for (long i = 0; i < 40; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], square, &i, sizeof i, sizeof i), 0);
    for (int i = 0; i < 40; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    end(pool);
}

TEST(test_shutdown_no_wait_max_tasks_gh119592)
{
    kr_executor *pool = pool_with(1, (kr_process_pool_options){.max_tasks_per_child = 1});
    kr_future *futures[10];
    for (long i = 0; i < 10; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], square, &i, sizeof i, sizeof i), 0);
    (void)!kr_executor_shutdown(pool, NULL, KR_NOWAIT);
    kr_executor_release(pool);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(error_of(futures[i]), 0);
}

/* Queues. */

TEST(a_bounded_queue)
{
    struct gate *gate = gate_new();
    kr_executor *pool;
    kr_pool_options options = {.workers = 1, .max_queued = 2};
    CHECK_EQ(kr_process_pool_with(&pool, &options, &(kr_process_pool_options){.start = KR_FORK}),
             0);
    kr_future *futures[3], *refused_one;
    for (int i = 0; i < 3; i++)
        futures[i] = submit_gate(pool, gate);
    kr_submit_options now = {.dont_wait = true}, soon = {.timeout = kr_ms(20)};
    CHECK_EQ(kr_submit_with(pool, &refused_one, fail_io, NULL, 0, 0, &now), -ETIMEDOUT);
    CHECK(refused_one == NULL);
    CHECK_EQ(kr_submit_with(pool, &refused_one, fail_io, NULL, 0, 0, &soon), -ETIMEDOUT);
    CHECK_EQ(kr_future_cancel(futures[2]), 0);
    CHECK_EQ(kr_submit_with(pool, &refused_one, fail_io, NULL, 0, 0, &now), 0);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(futures[0]), 0);
    CHECK_EQ(error_of(futures[1]), 0);
    CHECK_EQ(error_of(futures[2]), -ECANCELED);
    CHECK_EQ(error_of(refused_one), -EIO);
    for (int i = 0; i < 100; i++) /* waits for room */
        CHECK_EQ(kr_submit(pool, NULL, square, &(long){i}, sizeof(long), sizeof(long)), 0);
    end(pool);
}

static int append(const void *arg, void *result)
{
    static kr_word *order;
    struct {
        kr_word *count;
        char *text;
        char letter;
    } const *a = arg;
    (void)result;
    order = a->count;
    a->text[kri_add_sc(order, 1)] = a->letter;
    return 0;
}

TEST(priorities)
{
    struct gate *gate = gate_new();
    char *text = shared_pages(4096);
    struct {
        kr_word *count;
        char *text;
        char letter;
    } arg = {(kr_word *)(void *)(text + 2048), text, 0};
    kr_executor *pool = pool_of(1);
    kr_future *first = submit_gate(pool, gate);
    wait_entered(gate, 1);
    static const char *letters = "lnh";
    static const kr_priority lanes[] = {KR_PRIORITY_LOW, KR_PRIORITY_NORMAL, KR_PRIORITY_HIGH};
    for (int i = 0; i < 9; i++) {
        kr_submit_options options = {.priority = lanes[i % 3]};
        arg.letter = letters[i % 3];
        CHECK_EQ(kr_submit_with(pool, NULL, append, &arg, sizeof arg, 0, &options), 0);
    }
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(first), 0);
    end(pool);
    CHECK_STR(text, "hhhnnnlll");
}

/* More than there are slots, with cancelled ones between. */
TEST(a_long_queue_with_holes)
{
    enum { COUNT = 10000 };
    static kr_future *futures[COUNT];
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *first = submit_gate(pool, gate);
    wait_entered(gate, 1);
    for (long i = 0; i < COUNT; i++) {
        CHECK_EQ(kr_submit(pool, &futures[i], square, &i, sizeof i, sizeof i), 0);
        if (i % 3)
            CHECK_EQ(kr_future_cancel(futures[i]), 0);
    }
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(first), 0);
    for (long i = 0; i < COUNT; i++) {
        long result = -1;
        int error = 1;
        CHECK_EQ(kr_future_result(futures[i], i % 3 ? NULL : &result, i % 3 ? 0 : sizeof result,
                                  &error, KR_FOREVER),
                 0);
        CHECK_EQ(error, i % 3 ? -ECANCELED : 0);
        CHECK_EQ(result, i % 3 ? -1 : i * i);
        kr_future_release(futures[i]);
    }
    end(pool);
}

static int tell_cpu(const void *arg, void *result)
{
    cpu_set_t set;
    (void)arg;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return -errno;
    *(int *)result = CPU_COUNT(&set);
    return 0;
}

TEST(affinity)
{
    kr_cpu_set one = {{0}};
    cpu_set_t mine;
    CHECK_EQ(sched_getaffinity(0, sizeof mine, &mine), 0);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &mine))
        cpu++;
    CHECK_EQ(kr_cpu_set_add(&one, (int)cpu), 0);
    kr_executor *pool =
        pool_with(2, (kr_process_pool_options){.affinity = &one, .affinity_count = 1});
    kr_future *f;
    int count = 0;
    CHECK_EQ(kr_submit(pool, &f, tell_cpu, NULL, 0, sizeof count), 0);
    CHECK_EQ(kr_future_result(f, &count, sizeof count, NULL, KR_FOREVER), 0);
    CHECK_EQ(count, 1);
    kr_future_release(f);
    end(pool);
}
