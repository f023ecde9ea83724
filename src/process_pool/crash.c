/* What is left of a dead worker: each task that it had ends, or is run again, exactly once.
 *
 * Its ring of completed slots may tell less than it has done, never more; so the slots are asked.
 * What is DONE has ended, whether or not anybody was told.  What is RUNNING has crashed with it,
 * unless its last item has passed.
 *
 * Of a batch the item that it was in has crashed, and what it did before stands; the rest is put
 * once more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include <stdio.h>

#include "os/os.h"
#include "process/internal.h"

static void name_task(kr_crash *crash, const kri_job *job)
{
    const char *name = kri_task_name((void (*)(void))job->task.fn);
    if (name)
        snprintf(crash->task_name, sizeof crash->task_name, "%s", name);
    else
        os_describe_function((const void *)(uintptr_t)job->task.fn, crash->task_name,
                             sizeof crash->task_name);
}

/* Without memory for a report the error says all that is known. */
static void report(kri_process_pool *pool, uint32_t worker, int exit_code, kri_job *job)
{
    const kri_work_record *record = kri_work_record_of(&pool->work, worker);
    const kri_pool_worker *w = &pool->workers[worker];
    uint64_t state = kri_slot_look(&pool->work.slots[job->slot]);
    if (!job->crash)
        job->crash = os_alloc(sizeof *job->crash);
    if (!job->crash)
        return;
    uint64_t rss = w->process->max_rss; /* of one that has been joined */
    *job->crash = (kr_crash){.pid = kr_process_pid(w->process),
                             .exit_code = exit_code,
                             .reason = w->why,
                             .attempts = job->attempts,
                             .task = job->task.fn,
                             .max_rss = rss > w->max_rss ? rss : w->max_rss};
    kri_pool_worker_name(pool, worker, job->crash->worker);
    if (kri_load_rlx64(&record->running) == state)
        job->crash->run_time = os_now() - (kr_time)kri_load_rlx64(&record->began);
    name_task(job->crash, job);
}

static int *errors_of(const kri_process_pool *pool, const kri_job *job)
{
    unsigned char *result = (unsigned char *)pool->work.area + pool->work.slots[job->slot].result;
    return (int *)(void *)(result + kri_batch_errors_at(job->task.items, job->task.item_result));
}

/* The item that it was in has failed.  true: there are others after it. */
static bool pass_item(kri_process_pool *pool, kri_job *job, int error)
{
    int *errors = errors_of(pool, job);
    errors[job->progress++] = error;
    job->attempts = 0;
    if (!pool->stopped && !pool->broken)
        return job->progress < job->task.items;
    while (job->progress < job->task.items)
        errors[job->progress++] = KR_ECRASHED;
    return false;
}

static void crashed(kri_process_pool *pool, uint32_t worker, int exit_code, kri_job *job,
                    kri_job_list *list)
{
    kr_crash_reason why = pool->workers[worker].why;
    int error = why == KR_CRASH_TIMEOUT ? -ETIMEDOUT : KR_ECRASHED;
    bool final = pool->stopped || pool->broken || why == KR_CRASH_TIMEOUT;
    uint32_t progress = kri_load_rlx(&pool->work.slots[job->slot].progress) & ~KRI_SLOT_CONDEMNED;
    if (progress != job->progress)
        job->attempts = 0;
    job->progress = progress;
    job->attempts++;
    report(pool, worker, exit_code, job);
    if (job->abandoned) {
        error = -ECANCELED;
    } else if (!final && job->attempts <= pool->more.retries) {
        kri_job_put_again(pool, job);
        return;
    } else if (job->task.items) {
        if (pass_item(pool, job, error)) {
            kri_job_put_again(pool, job);
            return;
        }
        error = 0;
    }
    kri_job_leave_slot(pool, job);
    kri_job_ended(pool, job, error, list);
}

void kri_crash_kill(kri_process_pool *pool, uint32_t worker, kr_crash_reason why)
{
    kri_pool_worker *w = &pool->workers[worker];
    w->why = w->why == KR_CRASH_DIED ? why : w->why;
    if (w->process)
        (void)kr_process_kill(w->process);
}

bool kri_crash_condemn(kri_process_pool *pool, uint32_t slot, uint32_t item, kr_crash_reason why)
{
    kri_work_slot *s = &pool->work.slots[slot];
    uint32_t worker = kri_slot_worker(kri_slot_look(s));
    if (!kri_slot_condemn(s, item))
        return false;
    kri_crash_kill(pool, worker, why);
    return true;
}

void kri_crash_settle(kri_process_pool *pool, uint32_t worker, int exit_code, kri_job_list *list)
{
    for (uint32_t slot = 0; slot < pool->work.slot_count; slot++) {
        kri_job *job = pool->in_slots[slot];
        uint64_t state = kri_slot_look(&pool->work.slots[slot]);
        if (!job || kri_slot_worker(state) != worker || kri_slot_phase(state) < KRI_SLOT_RUNNING)
            continue;
        if (!kri_slot_has_ended(&pool->work.slots[slot], state)) {
            crashed(pool, worker, exit_code, job, list);
            continue;
        }
        int error = pool->work.slots[slot].error;
        kri_job_leave_slot(pool, job);
        kri_job_ended(pool, job, error, list);
    }
    kri_worker_reset(&pool->work, worker);
    pool->workers[worker].taken = 0;
    pool->workers[worker].why = KR_CRASH_DIED;
    pool->workers[worker].max_rss = 0;
    kri_job_refill(pool);
}

int kr_future_crash(const kr_future *f, kr_crash *crash)
{
    int err = crash ? kri_future_check(f) : -EINVAL;
    if (err)
        return err;
    const kri_job *job = f->remote && f->remote->ops == &kri_job_ops ? kri_job_of(f) : NULL;
    if (!job || !kri_future_is_over(f) || !job->crash || f->error == 0)
        return -ENODATA;
    *crash = *job->crash;
    return 0;
}
