/* The end of a process pool.
 *
 * A pool is shut once and for all.  Once no task is outstanding the workers are told to leave; when
 * the last is buried the supervisor ends the collector and the teller, says that the pool has
 * ended, and ends.
 * The memory goes with the last reference, which may be a future's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "os/child.h"
#include "os/os.h"
#include "wait/stall.h"

static void describe_end(const kr_word *word, kri_text *text)
{
    (void)word;
    kri_text_add(text, "the workers of a process pool to end");
}

/* With the mutex held: from now on nothing is taken. */
static void shut(kri_process_pool *pool)
{
    pool->shut = true;
    kri_store_rel(&pool->executor.shut, 1);
    kri_doze_end(&pool->doze);
    kri_process_pool_departed(pool, 0);
    kri_add_sc(&pool->room, 1);
    kri_wake(&pool->room, KRI_ALL, 0);
}

/* With the mutex held, which is given back. */
static void unlock_and_conclude(kri_process_pool *pool, kri_job_list *list, bool announces)
{
    (void)kri_process_pool_unlock(pool);
    kri_process_pool_rouse(pool);
    kri_jobs_conclude(pool, list, announces);
}

static bool is_own_thread(const kri_process_pool *pool)
{
    const kr_thread *self = kr_thread_current();
    return self && (self == pool->supervisor || self == pool->teller.thread);
}

static int await_end(kri_process_pool *pool, kr_time deadline, unsigned flags)
{
    int err = 0;
    while (!kri_load_acq(&pool->ended) && (err == 0 || err == -EAGAIN))
        err = kri_wait_for(&pool->ended, 0, deadline, flags, describe_end);
    if (!kri_load_acq(&pool->ended))
        return err;
    (void)kr_thread_join(pool->supervisor, NULL, KR_FOREVER);
    return 0;
}

int kri_process_pool_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline,
                              unsigned flags)
{
    kri_process_pool *pool = kri_process_pool_of(executor);
    kri_job_list list = {NULL, NULL};
    kri_add_rlx(&pool->references, 1);
    kri_mutex_lock(&pool->mutex);
    if (cancel_pending)
        kri_process_pool_fail(pool, KRI_JOB_CANCELLED, &list);
    shut(pool);
    unlock_and_conclude(pool, &list, true);
    int err = deadline == 0 ? -ETIMEDOUT : -EDEADLK;
    if (!is_own_thread(pool))
        err = await_end(pool, deadline, flags);
    kri_process_pool_unref(pool);
    return err;
}

void kri_process_pool_release(kr_executor *executor)
{
    kri_process_pool_unref(kri_process_pool_of(executor));
}

/* One that is stopped would get its SIGTERM only when it goes on. */
void kri_process_pool_stop(kri_process_pool *pool, bool at_once)
{
    kri_job_list list = {NULL, NULL};
    kri_mutex_lock(&pool->mutex);
    pool->stopped = true;
    kri_process_pool_fail(pool, KRI_JOB_CANCELLED, &list);
    kri_store_sc(&pool->work.area->closing, 2);
    kri_worker_call_all(&pool->work);
    for (uint32_t i = 0; i < pool->work.workers; i++) {
        kri_pool_worker *w = &pool->workers[i];
        if (!w->process)
            continue;
        w->why = w->why == KR_CRASH_DIED ? KR_CRASH_STOPPED : w->why;
        (void)(at_once ? kr_process_kill(w->process) : kr_process_terminate(w->process));
        (void)os_pidfd_signal(kr_process_sentinel(w->process), SIGCONT);
    }
    shut(pool);
    unlock_and_conclude(pool, &list, true);
}

void kri_process_pool_break(kri_process_pool *pool, int error)
{
    kri_job_list list = {NULL, NULL};
    kri_mutex_lock(&pool->mutex);
    bool first = !pool->broken;
    pool->broken = true;
    kri_process_pool_fail(pool, KR_EBROKEN, &list);
    kri_add_sc(&pool->room, 1);
    kri_wake(&pool->room, KRI_ALL, 0);
    unlock_and_conclude(pool, &list, false);
    kri_work_bell_ring(&pool->work, KRI_BELL_LEADER);
    if (first && error)
        kri_task_report_error(error, "initializer", pool->name);
}

static int stop(kr_executor *executor, bool at_once)
{
    int err = kri_executor_check(executor);
    if (err)
        return err;
    if (executor->ops != &kri_process_pool_ops)
        return -EINVAL;
    kri_process_pool_stop(kri_process_pool_of(executor), at_once);
    return 0;
}

int kr_executor_terminate_workers(kr_executor *executor)
{
    return stop(executor, false);
}

int kr_executor_kill_workers(kr_executor *executor)
{
    return stop(executor, true);
}
