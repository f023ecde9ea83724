/* What the tests of pools share: a pool, a task that waits at a gate, one that counts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_EXECUTOR_HELP_H
#define KRI_TESTS_EXECUTOR_HELP_H

#include "harness/test.h"

#include <krait/krait.h>

#include "base/atomic.h"
#include "executor/future.h"

static inline kr_executor *pool_of(int workers)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = workers}), 0);
    return pool;
}

static inline void end(kr_executor *pool)
{
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

static inline uint64_t queued(kr_executor *pool)
{
    kr_pool_metrics metrics;
    CHECK_EQ(kr_pool_read_metrics(pool, &metrics), 0);
    return metrics.queued;
}

static kr_word ran; /* how often count_one and pass_gate did */

static inline int count_one(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kri_add_rlx(&ran, 1);
    return 0;
}

/* A task that says that it runs and goes on when it is told to. */
struct gate {
    kr_semaphore entered;
    kr_event open;
};

static inline int pass_gate(const void *arg, void *result)
{
    struct gate *gate = *(struct gate *const *)arg;
    (void)result;
    CHECK_EQ(kr_semaphore_release(&gate->entered, 1), 0);
    int err = kr_event_wait(&gate->open, KR_FOREVER);
    kri_add_rlx(&ran, 1);
    return err;
}

static inline kr_future *submit_gate(kr_executor *pool, struct gate *gate)
{
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, pass_gate, &gate, sizeof gate, 0), 0);
    return f;
}

static inline void wait_entered(struct gate *gate, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(kr_semaphore_acquire(&gate->entered, KR_FOREVER), 0);
}

/* The task's error; releases the future. */
static inline int error_of(kr_future *f)
{
    int error;
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    kr_future_release(f);
    return error;
}

/* The same of a task that is to run in a worker: a wait with a time limit never runs it itself. */
static inline int error_from_worker(kr_future *f)
{
    int error;
    CHECK_EQ(kr_future_exception(f, &error, kr_sec(3600)), 0);
    kr_future_release(f);
    return error;
}

/* Run fn(arg) in a worker; returns its error. */
static inline int run_in_worker(kr_executor *pool, kr_task_fn fn, const void *arg)
{
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, fn, arg, 0, 0), 0);
    return error_from_worker(f);
}

/* Wait until somebody sleeps until the future is done. */
static inline void wait_awaited(kr_future *f)
{
    kri_test_wait_parked(&f->state, 1);
}

#endif
