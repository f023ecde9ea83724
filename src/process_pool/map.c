/* kr_map on a process pool: batches, see executor/map_batches.c.
 *
 * A worker that dies in a batch costs one item: the pool runs what comes after it once more, see
 * crash.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "executor/map_batches.h"

/* Whichever item it is in.  true: none of those that are left will be told of. */
static bool condemn(kri_process_pool *pool, uint32_t slot)
{
    const kri_work_slot *s = &pool->work.slots[slot];
    uint64_t state = kri_slot_look(s);
    uint32_t item;
    while (kri_slot_is_running(s, state, &item))
        if (kri_crash_condemn(pool, slot, item, KR_CRASH_STOPPED))
            return true;
    return kri_slot_phase(state) == KRI_SLOT_RUNNING && !kri_slot_has_ended(s, state);
}

/* It is not wanted any more: out of the queue with it, and its worker is killed, because nothing
 * less would end it.  If its worker has died in between it may be in the queue once more. */
static void abandon(kr_executor *executor, kr_future *f)
{
    kri_process_pool *pool = kri_process_pool_of(executor);
    kri_job *job = kri_job_of(f);
    bool waits = true;
    kri_future_seen(f);
    while (waits && !kri_future_remove(f)) {
        kri_mutex_lock(&pool->mutex);
        const kri_work_slot *slot =
            job->place == KRI_JOB_SLOT ? &pool->work.slots[job->slot] : NULL;
        waits = job->place == KRI_JOB_BACKLOG ||
                (slot && kri_slot_phase(kri_slot_look(slot)) == KRI_SLOT_READY);
        if (slot && !waits)
            job->abandoned = condemn(pool, (uint32_t)job->slot);
        kri_mutex_unlock(&pool->mutex);
    }
}

int kri_process_map(kr_executor *executor, const kri_task *task, void *results,
                    const kr_map_options *options)
{
    return kri_map_batches(executor, task, results, options, abandon);
}
