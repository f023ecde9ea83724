/* The roster: how many workers run, sleep and wait, and who is idle.
 *
 * All of it under the mutex of the budget.  What others have to see without it, `callable`,
 * `excess` and `spent`, follows from the counts, for all pools of the budget, and is written with
 * each change.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

int kri_roster_running(const kri_pool *pool)
{
    return pool->alive - pool->sleeping - pool->waiting;
}

bool kri_roster_may_run_more(const kri_pool *pool)
{
    int n = kri_roster_running(pool);
    return n <= 0 || (n < pool->executor.workers && pool->budget->running < pool->budget->limit);
}

bool kri_roster_runs_too_many(const kri_pool *pool)
{
    int n = kri_roster_running(pool);
    return n > pool->executor.workers || (n > 1 && pool->budget->running > pool->budget->limit);
}

bool kri_roster_may_grow(const kri_pool *pool)
{
    int spares = pool->waiting < pool->max_spares ? pool->waiting : pool->max_spares;
    bool open = pool->staffed && !pool->refused;
    return open && pool->alive < (int64_t)pool->executor.workers + spares;
}

static void set_flag(kr_word *flag, bool value)
{
    if (kri_load_rlx(flag) != value)
        kri_store_sc(flag, value); /* [pool-1] */
}

static void publish(kri_budget *budget)
{
    for (kri_pool *pool = budget->pools; pool; pool = pool->neighbour) {
        set_flag(&pool->callable,
                 kri_roster_may_run_more(pool) && (pool->idle || kri_roster_may_grow(pool)));
        set_flag(&pool->excess, kri_roster_runs_too_many(pool));
        set_flag(&pool->spent, pool->waiting >= pool->max_spares);
    }
}

/* Change how many of the pool run, sleep and wait. */
void kri_roster_count(kri_pool *pool, int alive, int sleeping, int waiting)
{
    pool->alive += alive;
    pool->sleeping += sleeping;
    pool->waiting += waiting;
    pool->budget->running += alive - sleeping - waiting;
    publish(pool->budget);
    if (pool->watch && kri_roster_running(pool) > 0)
        kri_watch_ring(pool->watch);
}

void kri_roster_lay_down(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    worker->previous_idle = NULL;
    worker->next_idle = pool->idle;
    if (pool->idle)
        pool->idle->previous_idle = worker;
    pool->idle = worker;
    worker->idle = true;
    kri_roster_count(pool, 0, 1, 0);
}

void kri_roster_raise(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    *(worker->previous_idle ? &worker->previous_idle->next_idle : &pool->idle) = worker->next_idle;
    if (worker->next_idle)
        worker->next_idle->previous_idle = worker->previous_idle;
    worker->idle = false;
    kri_roster_count(pool, 0, -1, 0);
}

kri_worker *kri_pool_take_idle(kri_pool *pool)
{
    kri_worker *all = pool->idle;
    for (kri_worker *worker = all; worker; worker = worker->next_idle)
        worker->idle = false;
    pool->idle = NULL;
    kri_roster_count(pool, 0, -pool->sleeping, 0);
    return all;
}
