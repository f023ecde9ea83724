/* A thread pool on the status page.
 *
 * Called with the list of all pools held, so that the pool stays.  Whatever needs the pool's mutex
 * is left out when somebody has it.
 *
 * Ordering.  That of the metrics: what has ended is read before what has begun, and a worker's task
 * is read before its counts [watch-2]; so a task is not named that has ended long ago, but may be
 * one behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

#include "thread/thread.h"

/* With the mutex held. */
static void show_thread(const kri_worker *worker, kri_worker_row *row)
{
    row->native = worker->thread ? kri_load_rlx(&worker->thread->native_id) : 0;
    if (worker->idle)
        row->state = KRI_ROW_IDLE;
    else if (worker->waits % 2)
        row->state = KRI_ROW_WAITS;
}

static bool has_thread(const kri_worker *worker)
{
    for (const kri_worker *free = worker->pool->free; free; free = free->next_free)
        if (free == worker)
            return false;
    return true;
}

static void show_worker(const kri_worker *worker, const kri_pool_row *pool, kri_view *view,
                        bool guarded)
{
    uint64_t task = kri_load_acq64(&worker->task); /* [watch-2] */
    uint64_t done = kri_load_acq64(&worker->done); /* [metrics-1] */
    uint64_t begun = kri_load_rlx64(&worker->begun);
    if (guarded && !has_thread(worker))
        return;
    kri_worker_row *row = kri_view_worker(view, pool, (uint32_t)worker->number);
    if (!row)
        return;
    row->done = done;
    row->begun = begun;
    row->state = begun != done ? KRI_ROW_RUNS : KRI_ROW_IDLE;
    if (guarded)
        show_thread(worker, row);
    row->task = row->state == KRI_ROW_IDLE ? 0 : task;
}

static void show_counts(const kri_pool *pool, kri_pool_row *row)
{
    uint32_t workers = kri_load_acq(&pool->slots_used);
    uint64_t begun = 0;
    row->done = kri_load_acq64(&pool->outside_done); /* [metrics-1] */
    for (uint32_t i = 0; i < workers; i++) {
        const kri_worker *worker = kri_load_acq_ptr(&pool->slots[i]);
        row->done += kri_load_acq64(&worker->done); /* [metrics-1] */
        row->steals += kri_load_rlx64(&worker->steals);
        row->queued += kri_deque_length(&worker->deque);
    }
    for (uint32_t i = 0; i < workers; i++) {
        const kri_worker *worker = kri_load_acq_ptr(&pool->slots[i]);
        begun += kri_load_rlx64(&worker->begun);
    }
    for (int lane = 0; lane < KRI_LANES; lane++)
        row->queued += kri_injection_length(&pool->lanes[lane]);
    uint64_t shells = kri_load_rlx64(&pool->shells);
    row->queued -= shells < row->queued ? shells : row->queued;
    row->running = begun + kri_load_rlx64(&pool->outside_begun) - row->done;
    row->cancelled = kri_load_rlx64(&pool->removed);
}

void kri_pool_show(kri_pool *pool, kri_view *view)
{
    uint64_t id = (uint64_t)KRI_ROW_THREADS << 60 | pool->number;
    kri_pool_row *row = kri_view_pool(view, KRI_ROW_THREADS, id, pool->name);
    if (!row)
        return;
    show_counts(pool, row);
    row->limit = (uint32_t)pool->executor.workers;
    row->flags |= kri_load_rlx(&pool->closed) ? KRI_ROW_SHUT : 0;
    bool guarded = kri_mutex_try(&pool->budget->mutex);
    if (guarded) {
        row->workers = (uint32_t)pool->alive;
        row->idle = (uint32_t)pool->sleeping;
        row->waiting = (uint32_t)pool->waiting;
        row->flags |= pool->broken ? KRI_ROW_BROKEN : 0;
    } else {
        row->flags |= KRI_ROW_BUSY;
    }
    uint32_t workers = kri_load_acq(&pool->slots_used);
    for (uint32_t i = 0; i < workers; i++)
        show_worker(kri_load_acq_ptr(&pool->slots[i]), row, view, guarded);
    if (guarded)
        kri_mutex_unlock(&pool->budget->mutex);
}
