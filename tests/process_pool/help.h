/* What the tests of process pools share: tasks that live and die in their ways.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_PROCESS_POOL_HELP_H
#define KRI_TESTS_PROCESS_POOL_HELP_H

#include "harness/children.h"
#include "harness/sanitizers.h"
#include "harness/test.h"

#include <krait/krait.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"
#include "executor/future.h"

static inline kr_executor *pool_of(int workers)
{
    kr_executor *pool;
    CHECK_EQ(kr_process_pool_with(&pool, &(kr_pool_options){.workers = workers},
                                  &(kr_process_pool_options){.start = KR_FORK}),
             0);
    return pool;
}

static inline kr_executor *pool_with(int workers, kr_process_pool_options more)
{
    kr_executor *pool;
    if (more.start == KR_START_DEFAULT)
        more.start = KR_FORK;
    CHECK_EQ(kr_process_pool_with(&pool, &(kr_pool_options){.workers = workers}, &more), 0);
    return pool;
}

static inline void end(kr_executor *pool)
{
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

static inline int square(const void *arg, void *result)
{
    long n = *(const long *)arg;
    *(long *)result = n * n;
    return 0;
}

static inline int tell_pid(const void *arg, void *result)
{
    (void)arg;
    *(int *)result = getpid();
    return 0;
}

static inline int fail_io(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return -EIO;
}

static inline int be_killed(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    raise(SIGKILL);
    return 0;
}

/* A gate in memory that workers share: kr_shared_alloc or mmap before the pool is made. */
struct gate {
    kr_semaphore entered;
    kr_event open;
};

static inline struct gate *gate_new(void)
{
    struct gate *gate = shared_pages(sizeof *gate);
    CHECK_EQ(kr_semaphore_init(&gate->entered, 0, &(kr_semaphore_options){.scope = KR_SHARED}), 0);
    gate->open = (kr_event)KR_EVENT_INIT_SHARED;
    return gate;
}

static inline int pass_gate(const void *arg, void *result)
{
    struct gate *gate = *(struct gate *const *)arg;
    (void)result;
    (void)kr_semaphore_release(&gate->entered, 1);
    return kr_event_wait(&gate->open, KR_FOREVER);
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

static inline kr_future *submit(kr_executor *pool, kr_task_fn fn)
{
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, fn, NULL, 0, 0), 0);
    return f;
}

/* The task's error; releases the future. */
static inline int error_of(kr_future *f)
{
    int error = 1;
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    kr_future_release(f);
    return error;
}

static inline long square_of(kr_executor *pool, long n)
{
    kr_future *f;
    long result = -1;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof result), 0);
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    return result;
}

static inline int pid_of_worker(kr_executor *pool)
{
    kr_future *f;
    int pid = 0;
    CHECK_EQ(kr_submit(pool, &f, tell_pid, NULL, 0, sizeof pid), 0);
    CHECK_EQ(kr_future_result(f, &pid, sizeof pid, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    return pid;
}

#endif
