/* multiprocessing.Pool, call by call: how each is said here.
 *
 *     apply(f, x)                kr_submit, kr_future_result
 *     apply_async(f, x)          kr_submit
 *     apply_async(callback=)     kr_future_add_done_callback
 *     r.get(timeout)             kr_future_result
 *     r.wait(), ready()          kr_wait, kr_future_done
 *     map(f, list, chunk)        kr_map
 *     map_async(f, list)         kr_submit for each, kr_wait for all
 *     starmap(f, tuples)         kr_map: an item is a struct
 *     imap(f, iterator, chunk)   kr_map_open, kr_map_next
 *     imap_unordered             kr_submit, kr_as_completed
 *     close(); join()            kr_executor_shutdown
 *     terminate()                kr_executor_kill_workers
 *     with Pool() as p           KR_AUTO(kr_executor): which finishes, and does not terminate
 *
 * Behaviours: sections 11.4, 11.5, 11.6, 11.8, 11.10, 12.8
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { COUNT = 30 };

TEST(test_apply)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(square_of(pool, 5), 25);
    end(pool);
}

TEST(test_async)
{
    kr_executor *pool = pool_of(2);
    kr_future *f;
    long n = 7, result = 0;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, kr_sec(60)), 0);
    CHECK_EQ(result, 49);
    kr_future_release(f);
    end(pool);
}

TEST(test_async_timeout)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(2);
    kr_future *f = submit_gate(pool, gate);
    CHECK_EQ(kr_future_exception(f, NULL, kr_ms(20)), -ETIMEDOUT);
    CHECK(!kr_future_done(f));
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(f), 0);
    end(pool);
}

static int heard;

static int hear(kr_future *f, void *arg)
{
    (void)arg;
    int error = 1;
    CHECK_EQ(kr_future_exception(f, &error, KR_NOWAIT), 0);
    heard = error;
    return 0;
}

TEST(test_async_error_callback)
{
    kr_executor *pool = pool_of(1);
    kr_future *f = submit(pool, fail_io);
    CHECK_EQ(kr_future_add_done_callback(f, hear, NULL), 0);
    end(pool);
    CHECK_EQ(heard, -EIO);
    kr_future_release(f);
}

struct pair {
    long left, right;
};

static int multiply(const void *arg, void *result)
{
    const struct pair *pair = arg;
    *(long *)result = pair->left * pair->right;
    return 0;
}

TEST(test_starmap)
{
    kr_executor *pool = pool_of(2);
    struct pair pairs[COUNT];
    long results[COUNT];
    for (long i = 0; i < COUNT; i++)
        pairs[i] = (struct pair){i, i + 1};
    CHECK_EQ(kr_map(pool, multiply, pairs, sizeof *pairs, COUNT, results, sizeof *results, NULL),
             0);
    for (long i = 0; i < COUNT; i++)
        CHECK_EQ(results[i], i * (i + 1));
    end(pool);
}

static kr_word calls;

static int count_call(kr_future *f, void *arg)
{
    (void)arg;
    CHECK(kr_future_done(f));
    kri_add_rlx(&calls, 1);
    return 0;
}

static void map_async(kr_executor *pool, kr_future **futures)
{
    for (long i = 0; i < COUNT; i++) {
        struct pair pair = {i, 3};
        CHECK_EQ(kr_submit(pool, &futures[i], multiply, &pair, sizeof pair, sizeof i), 0);
        CHECK_EQ(kr_future_add_done_callback(futures[i], count_call, NULL), 0);
    }
}

static void check_async(kr_executor *pool, kr_future **futures)
{
    CHECK_EQ(kr_wait(futures, COUNT, KR_ALL_COMPLETED, NULL, KR_FOREVER), COUNT);
    for (long i = 0; i < COUNT; i++) {
        long result = -1;
        CHECK_EQ(kr_future_result(futures[i], &result, sizeof result, NULL, KR_NOWAIT), 0);
        CHECK_EQ(result, i * 3);
        kr_future_release(futures[i]);
    }
    end(pool);
}

TEST(test_starmap_async)
{
    kr_executor *pool = pool_of(2);
    kr_future *futures[COUNT];
    map_async(pool, futures);
    check_async(pool, futures);
}

TEST(test_map_async)
{
    kr_executor *pool = pool_of(2);
    kr_future *futures[COUNT];
    map_async(pool, futures);
    check_async(pool, futures);
}

TEST(test_map_async_callbacks)
{
    kr_executor *pool = pool_of(2);
    kr_future *futures[COUNT];
    map_async(pool, futures);
    check_async(pool, futures);
    CHECK_EQ(kri_load_rlx(&calls), COUNT); /* each once, and before the shutdown returned */
}

TEST(test_imap_unordered)
{
    kr_executor *pool = pool_of(2);
    kr_future *futures[COUNT], *f;
    map_async(pool, futures);
    kr_completed *completed;
    CHECK_EQ(kr_as_completed(&completed, futures, COUNT), 0);
    long sum = 0;
    while (kr_completed_next(completed, &f, KR_FOREVER) == 1) {
        long result;
        CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_NOWAIT), 0);
        sum += result;
    }
    CHECK_EQ(sum, 3 * COUNT * (COUNT - 1) / 2);
    kr_completed_release(completed);
    check_async(pool, futures);
}

/* The input ends with an error, at the place where it is. */
static int fail_at_10(void *arg, void *context)
{
    long *next = context;
    if (*next == 10)
        return -EPROTO;
    *(long *)arg = (*next)++;
    return 1;
}

static void input_error(size_t chunk)
{
    kr_executor *pool = pool_of(2);
    kr_map_stream *map;
    kr_map_stream_options options = {.chunk = chunk, .window = 2 * chunk};
    long next = 0, got = 0, result;
    CHECK_EQ(
        kr_map_open(&map, pool, square, fail_at_10, &next, sizeof next, sizeof result, &options),
        0);
    int err;
    while ((err = kr_map_next(map, &result, sizeof result, NULL)) == 1) {
        CHECK_EQ(result, got * got);
        got++;
    }
    CHECK_EQ(err, -EPROTO);
    CHECK_EQ(got, 10);
    kr_map_close(map);
    end(pool);
}

TEST(test_imap_handle_iterable_exception)
{
    input_error(1);
    input_error(4);
}

TEST(test_map_handle_iterable_exception)
{
    input_error(100);
}

TEST(test_imap_unordered_handle_iterable_exception)
{
    input_error(3);
}

TEST(test_empty_iterable)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(kr_map(pool, square, NULL, sizeof(long), 0, NULL, sizeof(long), NULL), 0);
    CHECK_EQ(kr_wait(NULL, 0, KR_ALL_COMPLETED, NULL, KR_FOREVER), 0);
    end(pool);
}

static int pauses(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    usleep(100000);
    return 0;
}

TEST(test_terminate)
{
    enum { MANY = 10000 };
    static kr_future *futures[MANY];
    kr_executor *pool = pool_of(3);
    for (int i = 0; i < MANY; i++)
        futures[i] = submit(pool, pauses);
    kr_time began = kr_now();
    CHECK_EQ(kr_executor_kill_workers(pool), 0);
    end(pool);
    CHECK_LE(kr_now() - began, kr_sec(5));
    for (int i = 0; i < MANY; i++) {
        int error = error_of(futures[i]);
        CHECK(error == 0 || error == -ECANCELED || error == KR_ECRASHED);
    }
}

TEST(test_enter)
{
    KR_AUTO(kr_executor) *pool = pool_of(1);
    CHECK_EQ(square_of(pool, 2), 4);
}

/* What cannot go over is refused, and costs nobody anything. */
static void refuse_twenty(void)
{
    kr_executor *pool = pool_with(1, (kr_process_pool_options){.start = KR_FORKSERVER});
    kr_future *f;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_submit(pool, &f, pauses, NULL, 0, 0), KR_ETASK);
    CHECK_EQ(kr_map(pool, pauses, NULL, 0, 5, NULL, 0, NULL), KR_ETASK);
    CHECK(f == NULL);
    end(pool);
}

TEST(test_map_unplicklable)
{
    refuse_twenty();
}

TEST(test_error_at_task_pickle)
{
    refuse_twenty();
}

/* Workers that cannot be started: the pool is not made, and those that were are gone. */
TEST(test_release_unused_processes)
{
    if (KRI_SANITIZED || getuid() == 0)
        SKIP("the limit on processes does not hold for root");
    struct rlimit few = {8, 8};
    CHECK_EQ(setrlimit(RLIMIT_NPROC, &few), 0);
    kr_executor *pool;
    CHECK_EQ(kr_process_pool(&pool, &(kr_pool_options){.workers = 64}), -EAGAIN);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
}

/* A pool in a global variable, at exit. */
static kr_executor *global;

TEST(test_worker_finalization_via_atexit_handler_of_multiprocessing)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        global = pool_of(2);
        exit(square_of(global, 3) == 9 ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* The worker dies, or fails, after the pool was shut, and nobody waits. */
static int exits_late(const void *arg, void *result)
{
    struct gate *gate = *(struct gate *const *)arg;
    (void)result;
    (void)!kr_event_wait(&gate->open, KR_FOREVER);
    _exit(1);
}

TEST(test_shutdown_deadlock)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(2);
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, exits_late, &gate, sizeof gate, 0), 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(f), KR_ECRASHED);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

/* Dropped while its workers come and go. */
TEST(test_gc_during_max_tasks_worker_exit_gh152967)
{
    kr_executor *pool = pool_with(1, (kr_process_pool_options){.max_tasks_per_child = 1});
    kr_future *futures[5];
    for (int i = 0; i < 5; i++)
        futures[i] = submit(pool, pauses);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    kr_executor_release(pool);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(error_of(futures[i]), 0);
}

/* No worker can be started for the one that has gone. */
TEST(test_failed_worker_replacement_breaks_pool)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_with(1, (kr_process_pool_options){0});
    kr_future *first = submit_gate(pool, gate), *second = submit(pool, pauses);
    wait_entered(gate, 1);
    int pid = 0;
    while (kr_process_pool_workers(pool, &pid, 1) < 1) /* it was faster than its start */
        kri_test_nap();
    struct rlimit now, none;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
    none = now;
    none.rlim_cur = 3; /* a worker needs descriptors of ours */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(error_of(first), KR_ECRASHED);
    CHECK_EQ(error_of(second), KR_EBROKEN);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &now), 0);
    CHECK_EQ(kr_submit(pool, NULL, pauses, NULL, 0, 0), KR_EBROKEN);
    end(pool);
}
