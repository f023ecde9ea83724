/* The end of a thread pool.
 *
 * A pool is shut once and for all.  Its workers go on until the queue is empty; the last of those
 * whom pool.c counts sets `ended`, and then their threads are joined, so that after a shutdown that
 * returned 0 not even a thread on its way out is left.  The memory goes with the last reference.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"
#include "executor/stall.h"

#include "os/os.h"

void kri_pool_check_ended(kri_pool *pool)
{
    if (!pool->shut || pool->alive || pool->holds || kri_load_rlx(&pool->ended))
        return;
    kri_store_sc(&pool->ended, 1);
    kri_wake(&pool->ended, KRI_ALL, 0);
}

/* With the mutex held: the queue's futures, of which the caller now has the references. */
static kr_future *empty_queue(kri_pool *pool)
{
    kr_future *first = NULL;
    kr_future **end = &first;
    kr_future *f;
    while ((f = kri_queue_pop(&pool->queue)) != NULL) {
        *end = f;
        end = &f->next;
    }
    *end = NULL;
    return first;
}

static void cancel_all(kr_future *f)
{
    while (f) {
        kr_future *next = f->next;
        kri_future_drop(f);
        kr_future_release(f);
        f = next;
    }
}

static void fail_all(kr_future *f, int error)
{
    while (f) {
        kr_future *next = f->next;
        kri_future_end(f, error, NULL, NULL);
        kr_future_release(f);
        f = next;
    }
}

static void call_all(kri_worker *idle)
{
    while (idle) {
        kri_worker *next = idle->next_idle;
        kri_worker_call(idle);
        idle = next;
    }
}

/* With the mutex held: nobody waits for room any more; they find out why themselves. */
static void give_up_room(kri_pool *pool)
{
    kri_add_sc(&pool->room, 1);
    kri_wake(&pool->room, KRI_ALL, 0);
}

static kri_worker *take_idle(kri_pool *pool)
{
    kri_worker *idle = pool->idle;
    for (const kri_worker *worker = idle; worker; worker = worker->next_idle)
        pool->covering++;
    pool->idle = NULL;
    return idle;
}

static void shut(kri_pool *pool, bool cancel_pending)
{
    kri_mutex_lock(&pool->mutex);
    pool->shut = true;
    kri_store_rel(&pool->executor.shut, 1);
    kr_future *cancelled = cancel_pending ? empty_queue(pool) : NULL;
    kri_worker *idle = take_idle(pool);
    give_up_room(pool);
    kri_pool_check_ended(pool);
    kri_mutex_unlock(&pool->mutex);
    call_all(idle);
    cancel_all(cancelled);
}

void kri_pool_break(kri_pool *pool, int error)
{
    kri_mutex_lock(&pool->mutex);
    pool->broken = true;
    kr_future *failed = empty_queue(pool);
    give_up_room(pool);
    kri_mutex_unlock(&pool->mutex);
    kri_task_report_error(error, "initializer", pool->name);
    fail_all(failed, KR_EBROKEN);
}

static int join_all(kri_pool *pool, kr_time deadline)
{
    int err = 0;
    for (kri_worker *worker = pool->all; worker && !err; worker = worker->next)
        err = kr_thread_join(worker->thread, NULL, kri_left_until(deadline));
    return err;
}

static int wait_ended(kri_pool *pool, kr_time deadline, unsigned flags)
{
    int err = 0;
    while (!kri_load_acq(&pool->ended)) {
        if (err != 0 && err != -EAGAIN)
            return err;
        err = deadline == 0 ? -ETIMEDOUT
                            : kri_wait_for(&pool->ended, 0, deadline, flags, kri_pool_describe_end);
    }
    if (!(flags & KRI_UNCANCELLABLE))
        return join_all(pool, deadline);
    err = 0;
    kr_shield {
        err = join_all(pool, deadline);
    }
    return err;
}

int kri_pool_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline, unsigned flags)
{
    kri_pool *pool = (kri_pool *)executor;
    shut(pool, cancel_pending);
    if (deadline != 0 && kri_frame_in_executor(executor))
        return -EDEADLK;
    return wait_ended(pool, deadline, flags);
}

static void free_workers(kri_worker *worker)
{
    while (worker) {
        kri_worker *next = worker->next;
        kr_thread_release(worker->thread);
        os_free(worker);
        worker = next;
    }
}

void kri_pool_unref(kri_pool *pool)
{
    if (kri_sub_acq_rel(&pool->references, 1) != 1)
        return;
    kri_registry_remove(pool);
    free_workers(pool->all);
    os_free(pool);
}

void kri_pool_release(kr_executor *executor)
{
    kri_pool_unref((kri_pool *)executor);
}
