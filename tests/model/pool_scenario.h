/* What the scenarios of the thread pool have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MODEL_POOL_SCENARIO_H
#define KRI_MODEL_POOL_SCENARIO_H

#include "model/scenario.h"
#include <krait/group.h>
#include <krait/krait.h>

static inline kr_executor *make_pool(const kr_pool_options *options)
{
    kr_executor *pool;
    kr_explore_check(kr_thread_pool(&pool, options) == 0);
    return pool;
}

/* A pool whose tasks are run by its workers only. */
static inline kr_executor *workers_only(int workers)
{
    return make_pool(&(kr_pool_options){.workers = workers, .no_outside_help = true});
}

static inline kr_future *submit(kr_executor *pool, kr_task_fn fn, const void *arg)
{
    kr_future *f;
    kr_explore_check(kr_submit(pool, &f, fn, arg, 0, 0) == 0);
    return f;
}

static inline int error_of(kr_future *f)
{
    int error = 1;
    kr_explore_check(kr_future_exception(f, &error, KR_FOREVER) == 0);
    return error;
}

static inline void wait_and_release(kr_future *f)
{
    kr_explore_check(error_of(f) == 0);
    kr_future_release(f);
}

static inline void run_one(kr_executor *pool, kr_task_fn fn, const void *arg)
{
    wait_and_release(submit(pool, fn, arg));
}

static inline void end_pool(kr_executor *pool)
{
    kr_explore_check(kr_executor_shutdown(pool, NULL, KR_FOREVER) == 0);
    kr_executor_release(pool);
}

#endif
