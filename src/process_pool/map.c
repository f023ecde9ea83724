/* kr_map on a process pool: batches, see executor/map_batches.c.
 *
 * A worker that dies in a batch costs one item: the pool runs what comes after it once more, see
 * crash.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "executor/map_batches.h"

/* It is not wanted any more: out of the queue with it, and its worker is killed, because nothing
 * less would end it. */
static void abandon(kr_executor *executor, kr_future *f)
{
    kri_process_pool *pool = kri_process_pool_of(executor);
    kri_job *job = kri_job_of(f);
    kri_future_seen(f);
    if (kri_future_remove(f))
        return;
    kri_mutex_lock(&pool->mutex);
    uint64_t state = job->place == KRI_JOB_SLOT ? kri_slot_look(&pool->work.slots[job->slot]) : 0;
    if (kri_slot_phase(state) == KRI_SLOT_RUNNING) {
        kri_pool_worker *worker = &pool->workers[kri_slot_worker(state)];
        job->abandoned = true;
        worker->why = worker->why == KR_CRASH_DIED ? KR_CRASH_STOPPED : worker->why;
        if (worker->process)
            (void)kr_process_kill(worker->process);
    }
    kri_mutex_unlock(&pool->mutex);
}

int kri_process_map(kr_executor *executor, const kri_task *task, void *results,
                    const kr_map_options *options)
{
    return kri_map_batches(executor, task, results, options, abandon);
}
