/* What a thread pool is doing and has done.
 *
 * Each worker counts for itself, with plain stores that others may read; so counting costs nobody a
 * shared line.
 *
 * Ordering.
 *     [metrics-1]  what has begun is read after what has ended, so that the difference is not below
 *                  0: the counts of what has ended are released, and acquired here
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

static void add_worker(kr_pool_metrics *metrics, const kri_worker *worker)
{
    metrics->done += kri_load_acq64(&worker->done); /* [metrics-1] */
    metrics->helped += kri_load_rlx64(&worker->helped);
    metrics->steals += kri_load_rlx64(&worker->steals);
    metrics->queued += kri_deque_length(&worker->deque);
}

static uint64_t begun(const kri_pool *pool, uint32_t workers)
{
    uint64_t sum = kri_load_rlx64(&pool->outside_begun);
    for (uint32_t i = 0; i < workers; i++) {
        const kri_worker *worker = kri_load_acq_ptr(&pool->slots[i]);
        sum += kri_load_rlx64(&worker->begun);
    }
    return sum;
}

static void read_counts(const kri_pool *pool, kr_pool_metrics *metrics)
{
    uint32_t workers = kri_load_acq(&pool->slots_used);
    uint64_t outside = kri_load_acq64(&pool->outside_done); /* [metrics-1] */
    uint64_t shells = kri_load_rlx64(&pool->shells);
    metrics->done = outside;
    metrics->helped = outside;
    for (uint32_t i = 0; i < workers; i++)
        add_worker(metrics, kri_load_acq_ptr(&pool->slots[i]));
    for (int lane = 0; lane < KRI_LANES; lane++)
        metrics->queued += kri_injection_length(&pool->lanes[lane]);
    metrics->queued -= shells < metrics->queued ? shells : metrics->queued;
    metrics->running = begun(pool, workers) - metrics->done;
    metrics->cancelled = kri_load_rlx64(&pool->removed);
}

static void read_guarded(kri_pool *pool, kr_pool_metrics *metrics)
{
    kri_mutex_lock(&pool->budget->mutex);
    metrics->wakeups = pool->wakeups;
    metrics->workers = pool->alive;
    metrics->sleeping = pool->sleeping;
    metrics->waiting = pool->waiting;
    kri_mutex_unlock(&pool->budget->mutex);
}

static void read_times(const kri_waiting_times *times, kr_pool_metrics *metrics)
{
    static const unsigned percents[4] = {50, 90, 99, 100};
    kr_time durations[4];
    kri_waiting_times_read(times, percents, 4, durations);
    metrics->wait_p50 = durations[0];
    metrics->wait_p90 = durations[1];
    metrics->wait_p99 = durations[2];
    metrics->wait_max = durations[3];
}

int kr_pool_read_metrics(kr_executor *executor, kr_pool_metrics *metrics)
{
    int err = kri_executor_check(executor);
    if (err)
        return err;
    if (!metrics || executor->ops != &kri_pool_ops)
        return -EINVAL;
    kri_pool *pool = (kri_pool *)executor;
    *metrics = (kr_pool_metrics){0};
    read_counts(pool, metrics);
    read_guarded(pool, metrics);
    if (pool->times)
        read_times(pool->times, metrics);
    return 0;
}
