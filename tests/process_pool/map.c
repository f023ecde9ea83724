/* Maps on process pools.
 *
 * Behaviours: sections 11.2, 11.4, 12.8
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"

#include <stdio.h>

enum { COUNT = 1000 };

static long args[COUNT], results[COUNT];
static int errors[COUNT];

static kr_executor *begin(kr_process_pool_options more)
{
    for (long i = 0; i < COUNT; i++) {
        args[i] = i;
        results[i] = -1;
        errors[i] = 1;
    }
    return pool_with(2, more);
}

static int map(kr_executor *pool, kr_task_fn fn, kr_map_options options)
{
    return kr_map(pool, fn, args, sizeof *args, COUNT, results, sizeof *results, &options);
}

static void check_squares(void)
{
    for (long i = 0; i < COUNT; i++)
        CHECK_EQ(results[i], i * i);
}

TEST(test_map_chunksize)
{
    static const size_t chunks[] = {0, 1, 6, 40, 50, COUNT, 5 * COUNT};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        kr_executor *pool = begin((kr_process_pool_options){0});
        CHECK_EQ(map(pool, square, (kr_map_options){.chunk = chunks[i], .errors = errors}), 0);
        check_squares();
        for (int item = 0; item < COUNT; item++)
            CHECK_EQ(errors[item], 0);
        CHECK_EQ(kr_map(pool, square, NULL, 8, 0, NULL, 8, NULL), 0);
        end(pool);
    }
}

TEST(test_map)
{
    kr_executor *pool = begin((kr_process_pool_options){0});
    CHECK_EQ(map(pool, square, (kr_map_options){.chunk = 3, .window = 2}), 0);
    check_squares();
    CHECK_EQ(kr_map(pool, square, NULL, 8, 5, results, 8, NULL), -EINVAL);
    CHECK_EQ(kr_map(pool, NULL, args, 8, 5, results, 8, NULL), -EINVAL);
    end(pool);
}

static int odd_fails(const void *arg, void *result)
{
    long n = *(const long *)arg;
    *(long *)result = n;
    return n % 2 ? -(int)(n % 100) - 1 : 0;
}

/* All are run, and the first failure by index is told. */
TEST(test_map_exception)
{
    kr_executor *pool = begin((kr_process_pool_options){0});
    CHECK_EQ(map(pool, odd_fails, (kr_map_options){.errors = errors}), -2);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(errors[i], i % 2 ? -(i % 100) - 1 : 0);
        CHECK_EQ(results[i], i % 2 ? -1 : i);
    }
    end(pool);
}

TEST(test_map_no_failfast)
{
    kr_executor *pool = begin((kr_process_pool_options){0});
    CHECK_EQ(map(pool, odd_fails, (kr_map_options){.chunk = 1}), -2);
    for (int i = 0; i < COUNT; i += 2)
        CHECK_EQ(results[i], i);
    end(pool);
}

static int some_die(const void *arg, void *result)
{
    long n = *(const long *)arg;
    if (n % 100 == 7)
        raise(SIGKILL);
    return square(arg, result);
}

/* A worker that dies costs the item that it was in. */
static void check_deaths(size_t chunk)
{
    kr_executor *pool = begin((kr_process_pool_options){0});
    CHECK_EQ(map(pool, some_die, (kr_map_options){.chunk = chunk, .errors = errors}), KR_ECRASHED);
    for (long i = 0; i < COUNT; i++) {
        CHECK_EQ(errors[i], i % 100 == 7 ? KR_ECRASHED : 0);
        CHECK_EQ(results[i], i % 100 == 7 ? -1 : i * i);
    }
    end(pool);
}

TEST(items_that_die)
{
    check_deaths(0);
}

TEST(items_that_die_alone)
{
    check_deaths(1);
}

TEST(items_that_die_in_a_slot)
{
    check_deaths(9);
}

static int hangs_at_3(const void *arg, void *result)
{
    while (*(const volatile long *)arg == 3)
        ;
    return square(arg, result);
}

TEST(an_item_that_takes_too_long)
{
    kr_executor *pool = begin((kr_process_pool_options){.task_timeout = kr_ms(100)});
    CHECK_EQ(map(pool, hangs_at_3, (kr_map_options){.errors = errors}), -ETIMEDOUT);
    for (long i = 0; i < COUNT; i++) {
        CHECK_EQ(errors[i], i == 3 ? -ETIMEDOUT : 0);
        CHECK_EQ(results[i], i == 3 ? -1 : i * i);
    }
    end(pool);
}

TEST(test_map_timeout)
{
    kr_executor *pool = begin((kr_process_pool_options){0});
    kr_map_options options = {.chunk = 1, .errors = errors, .timeout = kr_ms(50 * KRI_TIMES)};
    kr_time began = kr_now();
    CHECK_EQ(map(pool, hangs_at_3, options), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(50 * KRI_TIMES));
    for (long i = 0; i < 3; i++)
        CHECK_EQ(results[i], i * i);
    CHECK_EQ(errors[3], -ECANCELED);
    CHECK_EQ(square_of(pool, 5), 25); /* the one that hung is replaced */
    end(pool);
}

/* SIGINT, of which workers know nothing. */

static void interrupt_map(void (*how)(kr_executor *))
{
    kr_executor *pool = begin((kr_process_pool_options){0});
    kr_cancel_scope scope = {0};
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_on_signal(SIGINT, &scope), 0);
    how(pool);
    CHECK_EQ(map(pool, hangs_at_3, (kr_map_options){.chunk = 1}), -ECANCELED);
    kr_time began = kr_now();
    CHECK_EQ(kr_cancel_on_signal(SIGINT, NULL), 0);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    kr_executor_release(pool);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
    CHECK_LE(kr_now() - began, kr_ms(KRI_SLOWED ? 2000 : 200));
}

static int send_interrupt(void *arg)
{
    kr_executor *pool = *(kr_executor **)arg;
    int pids[2];
    while (kr_process_pool_workers(pool, pids, 2) < 2)
        kri_test_nap();
    kri_test_nap();
    for (int i = 0; i < 2; i++)
        CHECK_EQ(kill(pids[i], SIGINT), 0);
    CHECK_EQ(kill(getpid(), SIGINT), 0);
    return 0;
}

static void interrupt_soon(kr_executor *pool)
{
    CHECK_EQ(kr_thread_start(NULL, send_interrupt, &pool, sizeof pool, NULL), 0);
}

TEST(an_interrupted_map)
{
    interrupt_map(interrupt_soon);
}

static void interrupt_now(kr_executor *pool)
{
    (void)pool;
    CHECK_EQ(raise(SIGINT), 0);
}

TEST(a_map_that_was_interrupted_before)
{
    interrupt_map(interrupt_now);
}

static size_t progressed;

static void progress(size_t done, size_t total, void *arg)
{
    CHECK(done > progressed && total == COUNT && arg == &progressed);
    progressed = done;
}

TEST(progress_of_a_map)
{
    kr_executor *pool = begin((kr_process_pool_options){0});
    CHECK_EQ(map(pool, square, (kr_map_options){.progress = progress, .progress_arg = &progressed}),
             0);
    CHECK_EQ(progressed, COUNT);
    end(pool);
}

/* Without results, without arguments, of odd sizes. */

static int is_abc(const void *arg, void *result)
{
    return result == NULL && memcmp(arg, "abc", 3) == 0 ? 0 : -EINVAL;
}

static int is_nothing(const void *arg, void *result)
{
    return result == NULL && arg == NULL ? 0 : -EINVAL;
}

struct odd {
    char bytes[37];
};

static int reverse(const void *arg, void *result)
{
    const struct odd *in = arg;
    struct odd *out = result;
    for (size_t i = 0; i < sizeof in->bytes; i++)
        out->bytes[i] = in->bytes[sizeof in->bytes - 1 - i];
    return 0;
}

TEST(items_of_odd_sizes)
{
    static struct odd in[COUNT], out[COUNT];
    kr_executor *pool = begin((kr_process_pool_options){0});
    char text[300];
    for (int i = 0; i < 100; i++)
        memcpy(text + 3 * (size_t)i, "abc", 3);
    CHECK_EQ(kr_map(pool, is_abc, text, 3, 100, NULL, 0, NULL), 0);
    CHECK_EQ(kr_map(pool, is_abc, "abc", 0, 100, NULL, 0, NULL), 0);
    CHECK_EQ(kr_map(pool, is_nothing, NULL, 0, 100, NULL, 0, NULL), 0);
    for (int i = 0; i < COUNT; i++)
        for (size_t k = 0; k < sizeof in->bytes; k++)
            in[i].bytes[k] = (char)((size_t)i + k);
    CHECK_EQ(kr_map(pool, reverse, in, sizeof *in, COUNT, out, sizeof *out, NULL), 0);
    for (int i = 0; i < COUNT; i++)
        for (size_t k = 0; k < sizeof in->bytes; k++)
            CHECK_EQ(out[i].bytes[k], in[i].bytes[sizeof in->bytes - 1 - k]);
    end(pool);
}

TEST(test_shutdown_race_issue12456)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = 2, .max_queued = 1};
    CHECK_EQ(kr_process_pool_with(&pool, &options, &(kr_process_pool_options){.start = KR_FORK}),
             0);
    for (long i = 0; i < COUNT; i++)
        args[i] = i;
    CHECK_EQ(map(pool, square, (kr_map_options){.chunk = 1}), 0);
    check_squares();
    end(pool);
}

/* Lazy maps. */

static int count_up(void *arg, void *context)
{
    long *next = context;
    if (*next == COUNT)
        return 0;
    *(long *)arg = (*next)++;
    return 1;
}

static void stream(kr_start_method start, size_t chunk)
{
    kr_executor *pool = pool_with(2, (kr_process_pool_options){.start = start});
    kr_map_stream *stream;
    long next = 0, got = 0, result;
    kr_map_stream_options options = {.chunk = chunk, .window = 100};
    CHECK_EQ(
        kr_map_open(&stream, pool, square, count_up, &next, sizeof next, sizeof result, &options),
        0);
    while (kr_map_next(stream, &result, sizeof result, NULL) == 1) {
        CHECK_EQ(result, got * got);
        got++;
    }
    CHECK_EQ(got, COUNT);
    kr_map_close(stream);
    end(pool);
}

KR_TASK(square);

TEST(test_imap)
{
    stream(KR_FORK, 1);
    stream(KR_FORK, 7);
}

TEST(lazy_maps_over_spawned_workers)
{
    stream(KR_FORKSERVER, 5);
}

TEST(a_lazy_map_with_deaths)
{
    kr_executor *pool = pool_with(2, (kr_process_pool_options){0});
    kr_map_stream *stream;
    long next = 0, result;
    kr_map_stream_options options = {.chunk = 8, .window = 32};
    CHECK_EQ(
        kr_map_open(&stream, pool, some_die, count_up, &next, sizeof next, sizeof result, &options),
        0);
    int error;
    long got = 0;
    for (; kr_map_next(stream, &result, sizeof result, &error) == 1; got++) {
        CHECK_EQ(error, got % 100 == 7 ? KR_ECRASHED : 0);
        if (error == 0)
            CHECK_EQ(result, got * got);
    }
    CHECK_EQ(got, COUNT);
    kr_map_close(stream);
    end(pool);
}

static int range_of(size_t first, size_t last, void *arg)
{
    *(size_t *)arg += last - first;
    return 0;
}

TEST(loops_and_groups_are_refused)
{
    kr_executor *pool = pool_of(1);
    size_t sum = 0;
    CHECK_EQ(kr_parallel_for(pool, 0, 10, range_of, &sum, NULL), -EOPNOTSUPP);
    CHECK_EQ(sum, 0);
    kr_group group;
    kr_group_task task;
    CHECK_EQ(kr_group_open(&group, pool), 0);
    CHECK_EQ(kr_group_start(&group, &task, fail_io, NULL, NULL), -EOPNOTSUPP);
    CHECK_EQ(kr_group_close(&group), -EOPNOTSUPP);
    end(pool);
}

/* With the argument copied they belong to the group like any. */
TEST(groups_of_submitted_tasks)
{
    enum { TASKS = 100 };
    kr_executor *pool = pool_of(2);
    kr_group group;
    kr_future *f[TASKS];
    CHECK_EQ(kr_group_open(&group, pool), 0);
    for (long i = 0; i < TASKS; i++)
        CHECK_EQ(kr_group_submit(&group, NULL, &f[i], square, &i, sizeof i, sizeof i), 0);
    CHECK_EQ(kr_group_close(&group), 0);
    for (long i = 0, n; i < TASKS; i++) {
        CHECK_EQ(kr_future_result(f[i], &n, sizeof n, NULL, KR_NOWAIT), 0);
        CHECK_EQ(n, i * i);
        kr_future_release(f[i]);
    }
    end(pool);
}

/* A task that crashes fails the group, and those that are queued never begin. */
TEST(groups_of_tasks_that_crash)
{
    enum { TASKS = 50 };
    kr_executor *pool = pool_of(1);
    kr_group group;
    kr_future *f[TASKS];
    CHECK_EQ(kr_group_open(&group, pool), 0);
    CHECK_EQ(kr_group_submit(&group, NULL, NULL, be_killed, NULL, 0, 0), 0);
    int count = 0;
    while (count < TASKS &&
           kr_group_submit(&group, NULL, &f[count], tell_pid, NULL, 0, sizeof(int)) == 0)
        count++;
    CHECK_EQ(kr_group_close(&group), KR_ECRASHED);
    for (int i = 0; i < count; i++) {
        CHECK(kr_future_done(f[i]));
        kr_future_release(f[i]);
    }
    end(pool);
}
