/* How tasks of a process pool end.
 *
 * Protocol.
 *     Whoever takes a job out of its slot or of the backlog, under the mutex, is the one who ends
 *     its future: nobody else can have it.  He ends all that he has taken, after the mutex, and
 *     then counts them as departed.
 *     The pool's own threads, and a waiter that leads, leave callbacks to the teller, see
 *     executor/teller.c, before they count those tasks as departed: so the teller's end finds them
 *     all.  Who cancels or shuts down runs them, and has told the leader first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "os/os.h"

void kri_job_ended(kri_process_pool *pool, kri_job *job, int error, kri_job_list *list)
{
    kri_job_unwatch(pool, job);
    job->error = error;
    kri_job_append(list, job);
}

/* true: the program has to be called for it. */
static bool conclude(kri_process_pool *pool, kri_job *job)
{
    kr_future *f = job->future;
    kri_block *arg = job->arg;
    job->arg = NULL;
    kri_job_free_block(pool, arg);
    if (job->error != KRI_JOB_CANCELLED) {
        (void)kri_future_claim(f, KRI_CLAIM_SILENT);
        return kri_future_end_quietly(f, job->error);
    }
    (void)kri_future_claim(f, KRI_CLAIM_DROPPED);
    kri_future_conclude(f, -ECANCELED);
    return true;
}

/* Departed are those who are done, so that a shutdown that has waited for them finds them so. */
void kri_jobs_conclude(kri_process_pool *pool, kri_job_list *list, bool announces)
{
    kri_due due = {NULL, NULL};
    kri_job *job;
    size_t count = 0;
    while ((job = kri_job_shift(list)) != NULL) {
        kr_future *f = job->future;
        count++;
        if (conclude(pool, job))
            kri_due_append(&due, f);
    }
    if (!count)
        return;
    if (!announces)
        kri_teller_give(&pool->teller, &due);
    kri_mutex_lock(&pool->mutex);
    kri_process_pool_departed(pool, count);
    (void)kri_process_pool_unlock(pool);
    if (announces) /* the leader's may be among them, and what is called may wait for him */
        kri_work_bell_ring(&pool->work, KRI_BELL_LEADER);
    kri_due_announce(&due);
}

static void close_workers(kri_process_pool *pool)
{
    if (kri_load_rlx(&pool->work.area->closing))
        return;
    kri_store_sc(&pool->work.area->closing, 1);
    kri_worker_call_all(&pool->work);
    kri_process_pool_rouse(pool);
}

void kri_process_pool_departed(kri_process_pool *pool, size_t count)
{
    pool->outstanding -= count;
    pool->over += count;
    if (pool->max_queued) {
        kri_add_sc(&pool->room, 1);
        kri_wake(&pool->room, KRI_ALL, 0);
    }
    if (pool->shut && !pool->outstanding)
        close_workers(pool);
}

void kri_process_pool_fail(kri_process_pool *pool, int error, kri_job_list *list)
{
    for (uint32_t slot = 0; slot < pool->work.slot_count; slot++) {
        kri_job *job = pool->in_slots[slot];
        if (job && kri_job_take_back(pool, job))
            kri_job_ended(pool, job, error, list);
    }
    for (int lane = 0; lane < KRI_WORK_LANES; lane++) {
        kri_job *job;
        while ((job = pool->backlog[lane].first) != NULL && kri_job_take_back(pool, job))
            kri_job_ended(pool, job, error, list);
    }
}
