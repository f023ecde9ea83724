/* Who takes what the workers have done: whoever waits, and the collector.
 *
 * State.  `leading` is 1 while one waiter leads: he takes all that is completed, ends those
 * futures, and sleeps on the leader's bell until his own is done.  The collector is a thread that
 * sleeps on the other bell, which is rung when nobody leads.
 *
 * Protocol.
 *     Whoever comes to wait while nobody leads leads.  Others sleep on their future.
 *     A leader that leaves, whatever for, lets go of his bell and looks once more, see
 *     completion.c; then the other bell is rung for what comes.  So a round trip has two wake-ups,
 *     that of the worker and that of the waiter.
 *     Who ends a future that is not his own rings the leader's bell, for it may be the leader's.
 *     The collector never calls the program, whose callback may wait for what somebody has who
 *     waits for another task: that is the teller's.
 *     While nobody relies on the collector it dozes instead of having itself called, see doze.c.
 *
 * Why is the lead not handed to another waiter?  The collector is there anyway; to hand over would
 * wake a thread for nothing whenever the waiter's own task is the next to be done.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "wait/stall.h"

enum { DOZE = 2000 * 1000 }; /* nanoseconds */

/* With the mutex held: what this worker has completed. */
static void take_from(kri_process_pool *pool, uint32_t worker, kri_job_list *list)
{
    int slot;
    while ((slot = kri_completion_get(&pool->work, worker, &pool->workers[worker].taken)) >= 0) {
        kri_job *job = pool->in_slots[slot];
        const kri_work_slot *s = &pool->work.slots[slot];
        uint64_t state = kri_slot_look(s);
        if (!job || kri_slot_phase(state) != KRI_SLOT_DONE || kri_slot_worker(state) != worker)
            continue;
        int error = s->error;
        kri_job_leave_slot(pool, job);
        kri_job_ended(pool, job, error, list);
    }
}

bool kri_collect(kri_process_pool *pool, enum kri_collects who)
{
    kri_job_list list = {NULL, NULL};
    kri_mutex_lock(&pool->mutex);
    for (uint32_t worker = 0; worker < pool->work.workers; worker++)
        take_from(pool, worker, &list);
    if (list.first)
        kri_job_refill(pool);
    bool some = list.first != NULL;
    (void)kri_process_pool_unlock(pool);
    kri_jobs_conclude(pool, &list, false);
    if (some)
        kri_completion_learn(&pool->work, who != KRI_COLLECTOR);
    if (some && who != KRI_LEADER)
        kri_work_bell_ring(&pool->work, KRI_BELL_LEADER);
    return some;
}

static int lead(kri_process_pool *pool, kr_future *f, kr_time deadline, unsigned flags)
{
    const kri_work *work = &pool->work;
    kr_time began = 0;
    for (;;) {
        kri_work_bell_begin(work, KRI_BELL_LEADER);
        (void)kri_collect(pool, KRI_LEADER);
        if (kri_future_is_over(f))
            break;
        kr_time spun = 0;
        int err = 0;
        if (!kri_work_bell_spin(work, KRI_BELL_LEADER, deadline, &spun))
            err = kri_work_bell_wait(work, KRI_BELL_LEADER, deadline, flags);
        began = began ? began : spun;
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
    }
    kri_work_bell_learn(work, KRI_BELL_LEADER, began);
    return 0;
}

static int follow(kri_process_pool *pool, kr_future *f, kr_time deadline, unsigned flags)
{
    kri_mutex_lock(&pool->mutex);
    kri_doze_rely(&pool->doze);
    kri_mutex_unlock(&pool->mutex);
    int err = kri_future_await(f, deadline, flags);
    kri_mutex_lock(&pool->mutex);
    kri_doze_rely_no_more(&pool->doze);
    kri_mutex_unlock(&pool->mutex);
    return err;
}

int kri_job_await(kr_future *f, kr_time deadline, unsigned flags)
{
    kri_process_pool *pool = kri_job_of(f)->pool;
    uint32_t nobody = 0;
    if (!kri_cas_acq_rel(&pool->leading, &nobody, 1))
        return follow(pool, f, deadline, flags);
    int err = lead(pool, f, deadline, flags);
    kri_work_bell_end(&pool->work, KRI_BELL_LEADER);
    (void)kri_collect(pool, KRI_LEADER); /* [completion-3] */
    kri_store_rel(&pool->leading, 0);
    return kri_future_is_over(f) ? 0 : err;
}

void kri_job_watch(kri_process_pool *pool, kri_job *job)
{
    if (job->watched)
        return;
    job->watched = true;
    kri_doze_rely(&pool->doze);
}

void kri_job_unwatch(kri_process_pool *pool, kri_job *job)
{
    if (job->watched)
        kri_doze_rely_no_more(&pool->doze);
    job->watched = false;
}

void kri_job_look(const kr_future *f, bool watched)
{
    kri_job *job = kri_job_of(f);
    kri_process_pool *pool = job->pool;
    (void)kri_collect(pool, KRI_PASSER_BY);
    if (!watched)
        return;
    kri_completion_learn(&pool->work, false);
    kri_mutex_lock(&pool->mutex);
    if (job->place != KRI_JOB_NOWHERE)
        kri_job_watch(pool, job);
    kri_mutex_unlock(&pool->mutex);
}

/* With the mutex held. */
static bool may_doze(const kri_process_pool *pool)
{
    return kri_spin_pays() && !pool->backlogged && !pool->shut && !pool->max_queued;
}

/* With its bell begun; true: it has dozed, and has to look. */
static bool doze(kri_process_pool *pool)
{
    kri_mutex_lock(&pool->mutex);
    bool dozes = may_doze(pool) && kri_doze_begin(&pool->doze);
    kri_mutex_unlock(&pool->mutex);
    if (!dozes)
        return false;
    kri_work_bell_end(&pool->work, KRI_BELL_COLLECTOR);
    kri_doze_sleep(&pool->doze, kri_deadline(DOZE));
    kri_mutex_lock(&pool->mutex);
    kri_doze_over(&pool->doze);
    kri_mutex_unlock(&pool->mutex);
    return true;
}

static int serve(void *arg)
{
    kri_process_pool *pool = *(kri_process_pool *const *)arg;
    bool called = false;
    kri_stall_serve();
    while (!kri_load_acq(&pool->closing)) {
        kri_work_bell_begin(&pool->work, KRI_BELL_COLLECTOR);
        bool some = kri_collect(pool, KRI_COLLECTOR);
        if (kri_load_acq(&pool->closing))
            break;
        if ((some || called) && doze(pool)) {
            called = false;
            continue;
        }
        (void)kri_work_bell_wait(&pool->work, KRI_BELL_COLLECTOR, KRI_NEVER,
                                 KRI_UNCANCELLABLE | KRI_IDLE);
        called = true;
    }
    return 0;
}

int kri_collector_start(kri_process_pool *pool)
{
    kr_thread_options options = {.name = "krait-collector", .daemon = KR_DAEMON_YES};
    return kr_thread_start(&pool->collector, serve, &pool, sizeof pool, &options);
}

void kri_collector_end(kri_process_pool *pool)
{
    kri_store_rel(&pool->closing, 1);
    kri_work_bell_ring(&pool->work, KRI_BELL_COLLECTOR);
    if (pool->collector)
        (void)kr_thread_join(pool->collector, NULL, KR_FOREVER);
}
