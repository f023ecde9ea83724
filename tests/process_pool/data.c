/* Arguments and results of all sizes, and who gets to know of an end: waiters, callbacks.
 *
 * Behaviours: sections 11.1, 11.2, 11.4, 11.7, 11.8
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"

#include <stdio.h>
#include <sys/resource.h>

struct header {
    size_t arg_size;
    size_t result_size;
    unsigned seed;
};

/* The argument begins with the header; the result is its bytes, each one more. */
static int add_one(const void *arg, void *result)
{
    struct header header;
    memcpy(&header, arg, sizeof header);
    const unsigned char *in = arg;
    unsigned char *out = result;
    for (size_t i = 0; i < header.result_size && header.result_size <= 4096; i++)
        if (out[i] != 0)
            return -EILSEQ; /* "as many zero bytes as were asked for" */
    for (size_t i = 0; i < header.result_size; i++)
        out[i] = (unsigned char)(in[i % header.arg_size] + 1);
    return 0;
}

static kr_future *submit_sizes(kr_executor *pool, size_t arg_size, size_t result_size)
{
    unsigned char *arg = calloc(1, arg_size);
    struct header header = {arg_size, result_size, (unsigned)arg_size};
    for (size_t i = 0; i < arg_size; i++)
        arg[i] = (unsigned char)(i * 7);
    memcpy(arg, &header, sizeof header);
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, add_one, arg, arg_size, result_size), 0);
    free(arg); /* it was copied */
    return f;
}

static void check_sizes(kr_future *f, size_t arg_size, size_t result_size)
{
    unsigned char *result = calloc(1, result_size + 1);
    CHECK_EQ(kr_future_result(f, result, result_size, NULL, KR_FOREVER), 0);
    for (size_t i = sizeof(struct header); i < result_size; i++)
        if (i % arg_size >= sizeof(struct header))
            CHECK_EQ(result[i], (unsigned char)(i % arg_size * 7 + 1));
    free(result);
    kr_future_release(f);
}

static const size_t sizes[] = {24,  32,   100,  150,  160,   176,          177,
                               200, 4095, 4096, 4097, 70000, (1 << 20) + 1};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

TEST(all_sizes)
{
    kr_executor *pool = pool_of(2);
    kr_future *futures[SIZES][SIZES];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < SIZES; i++)
            for (int k = 0; k < SIZES; k++)
                futures[i][k] = submit_sizes(pool, sizes[i], sizes[k]);
        for (int i = 0; i < SIZES; i++)
            for (int k = 0; k < SIZES; k++)
                check_sizes(futures[i][k], sizes[i], sizes[k]);
    }
    end(pool);
}

/* What is not cleared costs nothing: the block of the result before is still as it was left. */
static int leave_it(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

static unsigned char left_by_the_task_before(size_t size)
{
    kr_executor *pool = pool_of(1);
    unsigned char *result = malloc(size);
    CHECK(result != NULL);
    check_sizes(submit_sizes(pool, 100, size), 100, size);
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, leave_it, NULL, 0, size), 0);
    CHECK_EQ(kr_future_result(f, result, size, NULL, KR_FOREVER), 0);
    unsigned char left = result[size / 2];
    kr_future_release(f);
    free(result);
    end(pool);
    return left;
}

TEST(results_of_a_page_are_cleared_and_longer_ones_are_not)
{
    CHECK_EQ(left_by_the_task_before(177), 0);
    CHECK_EQ(left_by_the_task_before(4096), 0);
    CHECK_NE(left_by_the_task_before(4097), 0);
    CHECK_NE(left_by_the_task_before(1 << 20), 0);
}

/* The result outlives the pool. */
TEST(a_large_result_after_the_end)
{
    kr_executor *pool = pool_of(1);
    kr_future *f = submit_sizes(pool, 100, 1 << 20);
    end(pool);
    check_sizes(f, 100, 1 << 20);
}

TEST(what_does_not_fit_is_refused)
{
    kr_executor *pool = pool_of(1);
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, fail_io, NULL, 0, SIZE_MAX / 8), -ENOMEM);
    CHECK(f == NULL);
    CHECK_EQ(kr_submit(pool, &f, fail_io, NULL, 0, SIZE_MAX / 2), -EINVAL);
    CHECK_EQ(kr_submit(pool, &f, fail_io, NULL, 8, 0), -EINVAL);
    CHECK_EQ(kr_submit(pool, &f, NULL, NULL, 0, 0), -EINVAL);
    CHECK_EQ(square_of(pool, 6), 36);
    end(pool);
}

/* An argument with nothing behind the pointer is the pointer. */
static int same_pointer(const void *arg, void *result)
{
    return arg == (const void *)sizes && result == NULL ? 0 : -EINVAL;
}

TEST(a_pointer)
{
    kr_executor *pool = pool_of(1);
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, same_pointer, sizes, 0, 0), 0);
    CHECK_EQ(error_of(f), 0);
    end(pool);
}

/* Who waits. */

TEST(test_first_completed)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(2);
    kr_future *futures[2] = {submit_gate(pool, gate), submit(pool, fail_io)};
    bool done[2];
    CHECK_EQ(kr_wait(futures, 2, KR_FIRST_COMPLETED, done, KR_FOREVER), 1);
    CHECK(!done[0] && done[1]);
    CHECK_EQ(kr_wait(futures, 2, KR_ALL_COMPLETED, done, kr_ms(20)), 1);
    kr_event_set(&gate->open);
    CHECK_EQ(kr_wait(futures, 2, KR_ALL_COMPLETED, done, KR_FOREVER), 2);
    CHECK_EQ(error_of(futures[0]), 0);
    CHECK_EQ(error_of(futures[1]), -EIO);
    end(pool);
}

TEST(test_no_timeout)
{
    enum { COUNT = 200 };
    kr_executor *pool = pool_of(2);
    kr_future *futures[COUNT], *f;
    for (long i = 0; i < COUNT; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], square, &i, sizeof i, sizeof i), 0);
    kr_completed *completed;
    CHECK_EQ(kr_as_completed(&completed, futures, COUNT), 0);
    int seen = 0;
    while (kr_completed_next(completed, &f, KR_FOREVER) == 1)
        seen++;
    CHECK_EQ(seen, COUNT);
    kr_completed_release(completed);
    for (int i = 0; i < COUNT; i++)
        kr_future_release(futures[i]);
    end(pool);
}

TEST(a_wait_with_a_time_limit)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *f = submit_gate(pool, gate);
    kr_time began = kr_now();
    CHECK_EQ(kr_future_exception(f, NULL, kr_ms(30)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(30));
    kr_cancel_scope scope = {0};
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(f), 0);
    end(pool);
}

/* Many wait for as many futures at once: one of them leads, the others are told. */
static void wait_for_many(void *arg)
{
    kr_executor *pool = arg;
    for (long i = 0; i < 300; i++)
        CHECK_EQ(square_of(pool, i), i * i);
}

TEST(many_waiters)
{
    kr_executor *pool = pool_of(2);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 8, wait_for_many, pool);
    kri_bunch_end(&bunch);
    end(pool);
}

static void wait_for_one(void *arg)
{
    int error = 1;
    CHECK_EQ(kr_future_exception(arg, &error, KR_FOREVER), 0);
    CHECK_EQ(error, 0);
}

TEST(many_wait_for_one)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *f = submit_gate(pool, gate);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 8, wait_for_one, f);
    wait_entered(gate, 1);
    kr_event_set(&gate->open);
    kri_bunch_end(&bunch);
    kr_future_release(f);
    end(pool);
}

/* For a moment, in which those who are about to wait sleep, mostly; else there is less to see. */
static void let_sleep(void)
{
    for (int i = 0; i < 20; i++)
        kri_test_nap();
}

/* The one that is waited for is cancelled: its waiter sleeps on a bell, and must hear of it. */
static void wait_cancelled(void *arg)
{
    int error = 1;
    CHECK_EQ(kr_future_exception(arg, &error, KR_FOREVER), 0);
    CHECK_EQ(error, -ECANCELED);
}

TEST(an_awaited_future_is_cancelled)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *running = submit_gate(pool, gate), *f = submit(pool, fail_io);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 3, wait_cancelled, f);
    kri_bunch_wait_started(&bunch, 3);
    let_sleep();
    CHECK_EQ(kr_future_cancel(f), 0);
    kri_bunch_end(&bunch);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(running), 0);
    kr_future_release(f);
    end(pool);
}

/* Callbacks: never in a thread that waits, for that may hold what they want. */
static pthread_t waiter_thread;
static kr_lock wanted = KR_LOCK_INIT;
static kr_event called = KR_EVENT_INIT;

static int want_lock(kr_future *f, void *arg)
{
    (void)arg;
    CHECK(!pthread_equal(pthread_self(), waiter_thread));
    CHECK(kr_future_done(f));
    CHECK_EQ(kr_lock_acquire(&wanted, KR_FOREVER), 0);
    kr_lock_release(&wanted);
    kr_event_set(&called);
    return 0;
}

TEST(a_callback_wants_a_lock_of_the_waiters)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    waiter_thread = pthread_self();
    kr_future *gated = submit_gate(pool, gate);
    kr_future *first = submit(pool, fail_io);
    CHECK_EQ(kr_future_add_done_callback(first, want_lock, NULL), 0);
    kr_future *second = submit(pool, fail_io);
    CHECK_EQ(kr_lock_acquire(&wanted, KR_FOREVER), 0);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(second), -EIO);
    CHECK_EQ(kr_future_exception(first, NULL, KR_FOREVER), -EIO);
    kr_lock_release(&wanted);
    CHECK_EQ(kr_event_wait(&called, KR_FOREVER), 0);
    CHECK_EQ(error_of(first), -EIO);
    CHECK_EQ(error_of(gated), 0);
    end(pool);
}

/* Who cancels calls the program as well: by then the waiter who leads has been told. */
static void hold_lock_and_wait(void *arg)
{
    waiter_thread = pthread_self();
    CHECK_EQ(kr_lock_acquire(&wanted, KR_FOREVER), 0);
    kr_event_set(&called);
    CHECK_EQ(kr_future_exception(arg, NULL, KR_FOREVER), -ECANCELED);
    kr_lock_release(&wanted);
}

TEST(a_cancelled_ones_callback_wants_a_lock_of_the_waiters)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *running = submit_gate(pool, gate), *f = submit(pool, fail_io);
    kri_bunch bunch;
    CHECK_EQ(kr_future_add_done_callback(f, want_lock, NULL), 0);
    kri_bunch_start(&bunch, 1, hold_lock_and_wait, f);
    CHECK_EQ(kr_event_wait(&called, KR_FOREVER), 0);
    let_sleep();
    CHECK_EQ(kr_future_cancel(f), 0);
    kri_bunch_end(&bunch);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(running), 0);
    kr_future_release(f);
    end(pool);
}

/* A callback that waits holds up nobody's task: neither the one of who leads, who has left by then,
 * nor that of who followed him, and has what it wants. */
static kr_event begun = KR_EVENT_INIT;

static int begin_and_want_lock(kr_future *f, void *arg)
{
    kr_event_set(&begun);
    return want_lock(f, arg);
}

static void lead(void *arg)
{
    CHECK_EQ(kr_future_exception(arg, NULL, KR_FOREVER), -EIO);
}

static void hold_lock_and_follow(void *arg)
{
    waiter_thread = pthread_self();
    CHECK_EQ(kr_lock_acquire(&wanted, KR_FOREVER), 0);
    CHECK_EQ(kr_future_exception(arg, NULL, KR_FOREVER), 0);
    kr_lock_release(&wanted);
}

TEST(a_callback_wants_a_lock_of_one_who_follows)
{
    struct gate *before = gate_new(), *behind = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *running = submit_gate(pool, before), *first = submit(pool, fail_io);
    CHECK_EQ(kr_future_add_done_callback(first, begin_and_want_lock, NULL), 0);
    kr_future *second = submit_gate(pool, behind);
    kri_bunch leader, follower;
    kri_bunch_start(&leader, 1, lead, first);
    kri_bunch_wait_started(&leader, 1);
    let_sleep();
    kri_bunch_start(&follower, 1, hold_lock_and_follow, second);
    kri_bunch_wait_started(&follower, 1);
    let_sleep();
    kr_event_set(&before->open);
    CHECK_EQ(kr_event_wait(&begun, KR_FOREVER), 0);
    kri_bunch_end(&leader);
    kr_event_set(&behind->open);
    kri_bunch_end(&follower);
    CHECK_EQ(kr_event_wait(&called, KR_FOREVER), 0);
    CHECK_EQ(error_of(running), 0);
    kr_future_release(first);
    kr_future_release(second);
    end(pool);
}

/* A thread pool's task waits for a process pool's. */
static int wait_inside(const void *arg, void *result)
{
    kr_executor *processes = *(kr_executor *const *)arg;
    *(long *)result = square_of(processes, 11);
    return 0;
}

TEST(pools_of_both_kinds)
{
    kr_executor *processes = pool_of(2), *threads;
    CHECK_EQ(kr_thread_pool(&threads, &(kr_pool_options){.workers = 2}), 0);
    kr_future *futures[20];
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_submit(threads, &futures[i], wait_inside, &processes, sizeof processes,
                           sizeof(long)),
                 0);
    for (int i = 0; i < 20; i++) {
        long result = 0;
        CHECK_EQ(kr_future_result(futures[i], &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, 121);
        kr_future_release(futures[i]);
    }
    end(threads);
    end(processes);
}

static int own_pool(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    return kr_submit(pool, NULL, fail_io, NULL, 0, 0);
}

TEST(a_task_cannot_use_its_own_pool)
{
    kr_executor *pool = pool_of(1);
    kr_future *f;
    /* The pool's address is known in a fork only if it was there before. */
    CHECK_EQ(kr_submit(pool, &f, own_pool, &pool, sizeof pool, 0), 0);
    CHECK_EQ(error_of(f), KR_EFORKED);
    end(pool);
}

static int told;

static void hear(const kr_task_report *report)
{
    told = report->error;
}

TEST(an_error_nobody_asks_for)
{
    (void)kr_set_task_hook(hear);
    kr_executor *pool = pool_of(1);
    CHECK_EQ(kr_submit(pool, NULL, fail_io, NULL, 0, 0), 0);
    end(pool);
    CHECK_EQ(told, -EIO);
}

/* Submitting never waits for the other side. */
TEST(test_gh105829_should_not_deadlock_if_wakeup_pipe_full)
{
    struct gate *gate = gate_new();
    kr_executor *pool = pool_of(1);
    kr_future *first = submit_gate(pool, gate);
    for (long i = 0; i < 100000; i++)
        CHECK_EQ(kr_submit(pool, NULL, square, &i, sizeof i, sizeof i), 0);
    kr_event_set(&gate->open);
    CHECK_EQ(error_of(first), 0);
    end(pool);
}
