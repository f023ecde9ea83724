/* kr_map: order, chunks, windows, progress, errors, time limits, cancelling.
 *
 * Behaviours: sections 11.2, 11.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include <stdlib.h>

#include "executor/pool.h"

enum { MANY = 1000 };

static int numbers[MANY];
static long squares[MANY];
static int errors[MANY];

static void fill(void)
{
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i;
        squares[i] = -1;
        errors[i] = 99;
    }
}

static int square(const void *arg, void *result)
{
    int n = *(const int *)arg;
    *(long *)result = (long)n * n;
    return 0;
}

static int map_squares(kr_executor *pool, kr_task_fn fn, size_t count, const kr_map_options *o)
{
    return kr_map(pool, fn, numbers, sizeof numbers[0], count, squares, sizeof squares[0], o);
}

static void check_squares(size_t count)
{
    for (size_t i = 0; i < MANY; i++)
        CHECK_EQ(squares[i], i < count ? (long)(i * i) : -1);
}

TEST(test_map)
{
    kr_executor *pool = pool_of(3);
    const size_t counts[] = {0, 1, 2, 10, MANY - 1, MANY};
    const size_t chunks[] = {0, 1, 3, 6, 40, 50, MANY, SIZE_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (size_t j = 0; j < sizeof chunks / sizeof chunks[0]; j++) {
            fill();
            CHECK_EQ(map_squares(pool, square, counts[i], &(kr_map_options){.chunk = chunks[j]}),
                     0);
            check_squares(counts[i]);
        }
    fill();
    CHECK_EQ(map_squares(pool, square, MANY, NULL), 0);
    check_squares(MANY);
    end(pool);
}

static int square_but_7(const void *arg, void *result)
{
    int n = *(const int *)arg;
    if (n % 100 == 7)
        return -1000 - n;
    return square(arg, result);
}

TEST(test_map_exception)
{
    kr_executor *pool = pool_of(2);
    fill();
    CHECK_EQ(map_squares(pool, square_but_7, MANY, &(kr_map_options){.errors = errors}), -1007);
    for (int i = 0; i < MANY; i++) {
        bool bad = i % 100 == 7;
        CHECK_EQ(errors[i], bad ? -1000 - i : 0);
        CHECK_EQ(squares[i], bad ? -1 : (long)i * i);
    }
    end(pool);
}

static int time_out_7(const void *arg, void *result)
{
    return *(const int *)arg == 7 ? -ETIMEDOUT : square(arg, result);
}

TEST(test_map_timeout_from_callable)
{
    kr_executor *pool = pool_of(2);
    fill();
    CHECK_EQ(map_squares(pool, time_out_7, 20, &(kr_map_options){.errors = errors}), -ETIMEDOUT);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(errors[i], i == 7 ? -ETIMEDOUT : 0);
    CHECK_EQ(squares[19], 19 * 19);
    end(pool);
}

/* Item 5 waits until it is cancelled; the others are quick. */
static int wait_at_5(const void *arg, void *result)
{
    kr_event never = KR_EVENT_INIT;
    return *(const int *)arg == 5 ? kr_event_wait(&never, KR_FOREVER) : square(arg, result);
}

static void check_cut_at_5(size_t ran_at_least)
{
    CHECK_EQ(errors[5], -ECANCELED);
    for (size_t i = 0; i < MANY; i++)
        if (errors[i] == 0) {
            CHECK_EQ(squares[i], (long)(i * i));
        } else {
            CHECK_EQ(errors[i], -ECANCELED);
            CHECK_EQ(squares[i], -1);
            CHECK(i == 5 || i >= ran_at_least);
        }
}

TEST(test_map_timeout)
{
    kr_executor *pool = pool_of(1);
    fill();
    kr_map_options options = {.chunk = 1, .timeout = kr_sec(1), .errors = errors};
    kr_time began = kr_now();
    CHECK_EQ(map_squares(pool, wait_at_5, MANY, &options), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_sec(1));
    check_cut_at_5(5);
    CHECK_EQ(errors[MANY - 1], -ECANCELED);
    end(pool);
}

TEST(a_timeout_that_cuts_the_last_item_is_a_timeout)
{
    kr_executor *pool = pool_of(2);
    fill();
    kr_map_options options = {.chunk = 1, .timeout = kr_sec(1), .errors = errors};
    CHECK_EQ(map_squares(pool, wait_at_5, 6, &options), -ETIMEDOUT);
    CHECK_EQ(errors[5], -ECANCELED);
    CHECK_EQ(errors[4], 0);
    end(pool);
}

static int block(const void *arg, void *result)
{
    (void)result;
    kr_event *open = *(kr_event *const *)arg;
    return kr_event_wait(open, KR_FOREVER);
}

/* A pool of one worker, which the caller does not help. */
static kr_executor *pool_apart(void)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .no_outside_help = true}), 0);
    return pool;
}

TEST(test_executor_map_current_future_cancel)
{
    kr_executor *pool = pool_apart();
    kr_event open = KR_EVENT_INIT, *at = &open;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, block, &at, sizeof at, 0), 0);
    while (queued(pool) > 0)
        kri_test_nap();
    fill();
    kr_map_options options = {.timeout = kr_ms(10), .errors = errors};
    CHECK_EQ(map_squares(pool, square, MANY, &options), -ETIMEDOUT);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(errors[i], -ECANCELED);
    CHECK_EQ(queued(pool), 0);
    kr_event_set(&open);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    end(pool);
    check_squares(0);
}

/* The caller does what no worker is free for. */
TEST(a_map_does_not_wait_for_a_free_worker)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *f = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    fill();
    CHECK_EQ(map_squares(pool, square, MANY, &(kr_map_options){.chunk = 1}), 0);
    check_squares(MANY);
    CHECK_EQ(queued(pool), 0);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(f), 0);
    end(pool);
}

static kr_thread *mapper_thread;

static int note_thread(const void *arg, void *result)
{
    (void)arg;
    *(bool *)result = kr_thread_current() == mapper_thread;
    return 0;
}

static int accept(void *arg)
{
    (void)arg;
    return 0;
}

TEST(where_the_caller_takes_part)
{
    const kr_pool_options pools[3] = {{.workers = 1},
                                      {.workers = 1, .no_outside_help = true},
                                      {.workers = 1, .initializer = accept}};
    mapper_thread = kr_thread_current();
    for (int i = 0; i < 3; i++) {
        kr_executor *pool;
        bool here[20];
        CHECK_EQ(kr_thread_pool(&pool, &pools[i]), 0);
        CHECK_EQ(kr_map(pool, note_thread, numbers, 0, 20, here, sizeof here[0], NULL), 0);
        for (int j = 0; j < 20; j++)
            CHECK_EQ(here[j], i == 0);
        end(pool);
    }
}

struct canceller {
    kr_cancel_scope scope;
    kr_word begun;
};

static struct canceller canceller;

static int wait_at_5_and_tell(const void *arg, void *result)
{
    if (*(const int *)arg == 5)
        kri_store_sc(&canceller.begun, 1);
    return wait_at_5(arg, result);
}

static void cancel_at_5(void *arg)
{
    (void)arg;
    while (!kri_load_sc(&canceller.begun))
        kri_test_nap();
    kr_cancel(&canceller.scope);
}

/* Closing the iterator is, here, cancelling the scope of the caller. */
TEST(test_map_close)
{
    kr_executor *pool = pool_of(2);
    fill();
    CHECK_EQ(kr_cancel_scope_enter(&canceller.scope, KR_FOREVER), 0);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, cancel_at_5, NULL);
    kr_map_options options = {.chunk = 1, .errors = errors};
    CHECK_EQ(map_squares(pool, wait_at_5_and_tell, MANY, &options), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&canceller.scope), -ECANCELED);
    kri_bunch_end(&bunch);
    check_cut_at_5(5);
    fill();
    CHECK_EQ(map_squares(pool, square, MANY, NULL), 0);
    check_squares(MANY);
    end(pool);
}

/* The window: how many chunks are in flight at the same time. */

static kr_word in_flight, most_in_flight, together;

static int count_in_flight(const void *arg, void *result)
{
    uint32_t now = kri_add_sc(&in_flight, 1) + 1;
    uint32_t most = kri_load_sc(&most_in_flight);
    while (now > most && !kri_cas_sc(&most_in_flight, &most, now))
        continue;
    for (int i = 0; i < 200 && kri_load_sc(&most_in_flight) < kri_load_sc(&together); i++)
        kri_test_nap();
    kri_sub_sc(&in_flight, 1);
    return square(arg, result);
}

static void check_window(kr_executor *pool, size_t window, uint32_t want)
{
    fill();
    kri_store_sc(&most_in_flight, 0);
    kri_store_sc(&together, want);
    kr_map_options options = {.chunk = 1, .window = window};
    CHECK_EQ(map_squares(pool, count_in_flight, 40, &options), 0);
    CHECK_EQ(kri_load_sc(&most_in_flight), want);
    check_squares(40);
}

TEST(test_map_buffersize)
{
    kr_executor *pool = pool_of(4);
    check_window(pool, 0, 4);
    check_window(pool, 1, 1);
    check_window(pool, 2, 2);
    check_window(pool, 3, 3);
    check_window(pool, 100, 4);
    end(pool);
}

/* Progress */

struct progress {
    size_t last;
    size_t total;
    int calls;
    kr_word inside;
};

static void note_progress(size_t done, size_t total, void *arg)
{
    struct progress *progress = arg;
    CHECK_EQ(kri_add_rlx(&progress->inside, 1), 0);
    CHECK(done > progress->last);
    progress->last = done;
    progress->total = total;
    progress->calls++;
    kri_sub_rlx(&progress->inside, 1);
}

TEST(progress_rises_to_the_total)
{
    kr_executor *pool = pool_of(4);
    for (size_t chunk = 0; chunk < 4; chunk++) {
        struct progress progress = {0};
        fill();
        kr_map_options options = {
            .chunk = chunk, .progress = note_progress, .progress_arg = &progress};
        CHECK_EQ(map_squares(pool, square_but_7, MANY, &options), -1007);
        CHECK_EQ(progress.last, MANY);
        CHECK_EQ(progress.total, MANY);
        CHECK_GE(progress.calls, 1);
    }
    end(pool);
}

TEST(progress_of_one_worker_counts_each_chunk)
{
    kr_executor *pool = pool_of(1);
    struct progress progress = {0};
    fill();
    kr_map_options options = {.chunk = 10, .progress = note_progress, .progress_arg = &progress};
    CHECK_EQ(map_squares(pool, square, 95, &options), 0);
    CHECK_EQ(progress.calls, 10);
    CHECK_EQ(progress.last, 95);
    CHECK_EQ(map_squares(pool, square, 0, &options), 0);
    CHECK_EQ(progress.calls, 10);
    end(pool);
}

TEST(test_map_buffersize_on_empty_iterable)
{
    kr_executor *pool = pool_of(2);
    fill();
    CHECK_EQ(map_squares(pool, square, 0, &(kr_map_options){.window = 3}), 0);
    check_squares(0);
    CHECK_EQ(((kri_pool *)pool)->slots_used.bits, 0);
    end(pool);
}

/* Nothing has to be fetched for the tasks to run. */
TEST(test_map_submits_without_iteration)
{
    kr_executor *pool = pool_of(2);
    fill();
    CHECK_EQ(map_squares(pool, square, 10, NULL), 0);
    check_squares(10);
    end(pool);
}

TEST(wrong_maps_are_refused)
{
    kr_executor *pool = pool_of(1);
    fill();
    CHECK_EQ(map_squares(pool, NULL, 1, NULL), -EINVAL);
    CHECK_EQ(map_squares(NULL, square, 1, NULL), -EINVAL);
    CHECK_EQ(map_squares(pool, square, 1, &(kr_map_options){.timeout = -1}), -EINVAL);
    CHECK_EQ(map_squares(pool, square, 1, &(kr_map_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    CHECK_EQ(kr_map(pool, square, NULL, 4, 1, squares, 8, NULL), -EINVAL);
    CHECK_EQ(kr_map(pool, square, numbers, 4, 1, NULL, 8, NULL), -EINVAL);
    CHECK_EQ(kr_map(pool, square, NULL, 4, 0, NULL, 8, NULL), 0);
    check_squares(0);
    end(pool);
}

/* Maps inside tasks */

struct nested {
    kr_executor *pool;
    int depth;
    kr_time timeout;
};

static int sum_below(const void *arg, void *result)
{
    const struct nested *nested = arg;
    struct nested below[3];
    long sums[3] = {1, 1, 1};
    for (int i = 0; i < 3; i++)
        below[i] = (struct nested){nested->pool, nested->depth - 1, nested->timeout};
    if (nested->depth > 0) {
        kr_map_options options = {.chunk = 1, .timeout = nested->timeout};
        int err = kr_map(nested->pool, sum_below, below, sizeof below[0], 3, sums, sizeof sums[0],
                         &options);
        if (err)
            return err;
    }
    *(long *)result = sums[0] + sums[1] + sums[2];
    return 0;
}

static void check_nested(int workers, kr_time timeout)
{
    struct nested top = {pool_of(workers), 5, timeout};
    long sum = 0;
    CHECK_EQ(kr_map(top.pool, sum_below, &top, sizeof top, 1, &sum, sizeof sum, NULL), 0);
    CHECK_EQ(sum, 729);
    end(top.pool);
}

TEST(maps_within_maps)
{
    check_nested(1, 0);
    check_nested(1, kr_sec(60));
    check_nested(3, 0);
}

static int map_and_wait(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    kr_map_options options = {.chunk = 1, .errors = errors};
    return map_squares(pool, wait_at_5_and_tell, MANY, &options);
}

TEST(cancelling_a_task_cancels_its_map)
{
    for (int workers = 1; workers <= 3; workers++) {
        kr_executor *pool = pool_of(workers);
        kr_future *f;
        fill();
        kri_store_sc(&canceller.begun, 0);
        CHECK_EQ(kr_submit(pool, &f, map_and_wait, &pool, sizeof pool, 0), 0);
        while (!kri_load_sc(&canceller.begun))
            kri_test_nap();
        CHECK_EQ(kr_future_cancel(f), KR_ASKED);
        CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -ECANCELED);
        CHECK(kr_future_cancelled(f));
        kr_future_release(f);
        check_cut_at_5(5);
        end(pool);
    }
}

/* A pool that goes while a map is waiting in its queue. */

struct mapper {
    kr_executor *pool;
    int want;
};

static void map_in_thread(void *arg)
{
    const struct mapper *mapper = arg;
    CHECK_EQ(map_squares(mapper->pool, square, MANY, NULL), mapper->want);
}

TEST(a_shutdown_that_cancels_ends_a_waiting_map)
{
    kr_executor *pool = pool_apart();
    kr_event open = KR_EVENT_INIT, *at = &open;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, block, &at, sizeof at, 0), 0);
    while (!kr_future_running(f))
        kri_test_nap();
    fill();
    struct mapper mapper = {pool, KR_ESHUTDOWN};
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, map_in_thread, &mapper);
    while (queued(pool) == 0)
        kri_test_nap();
    kr_shutdown_options options = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &options, KR_NOWAIT), -ETIMEDOUT);
    kri_bunch_end(&bunch);
    check_squares(0);
    kr_event_set(&open);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    end(pool);
}

static int refuse(void *arg)
{
    (void)arg;
    return -EACCES;
}

static void hear_nothing(const kr_task_report *report)
{
    (void)report;
}

TEST(a_broken_pool_ends_a_map)
{
    kr_executor *pool;
    kr_set_task_hook(hear_nothing);
    kr_pool_options options = {.workers = 2, .initializer = refuse};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    fill();
    CHECK_EQ(map_squares(pool, square, MANY, &(kr_map_options){.errors = errors}), KR_EBROKEN);
    CHECK_EQ(errors[0], -ECANCELED);
    check_squares(0);
    end(pool);
}

static void map_bunch(void *arg)
{
    long sums[200];
    for (int round = 0; round < 20; round++) {
        CHECK_EQ(kr_map(arg, square, numbers, sizeof(int), 200, sums, sizeof(long),
                        &(kr_map_options){.chunk = 3}),
                 0);
        for (long i = 0; i < 200; i++)
            CHECK_EQ(sums[i], i * i);
    }
}

TEST(several_maps_at_once)
{
    kr_executor *pool = pool_of(2);
    kri_bunch bunch;
    fill();
    kri_bunch_start(&bunch, 5, map_bunch, pool);
    kri_bunch_end(&bunch);
    end(pool);
}

TEST(a_bounded_queue_takes_a_map)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 4, .max_queued = 1}), 0);
    fill();
    CHECK_EQ(map_squares(pool, square, MANY, NULL), 0);
    check_squares(MANY);
    end(pool);
}

static void cancel_the_map(size_t done, size_t total, void *arg)
{
    (void)done;
    (void)total;
    kr_cancel(arg);
}

/* One at a time, and the report after the first cancels: the next item already does not begin. */
TEST(progress_may_cancel_the_map)
{
    kr_executor *pool = pool_of(1);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_map_options options = {
        .chunk = 1, .window = 1, .progress = cancel_the_map, .progress_arg = &scope};
    fill();
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(map_squares(pool, square, MANY, &options), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    check_squares(1);
    end(pool);
}
