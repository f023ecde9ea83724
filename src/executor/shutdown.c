/* The end of a thread pool.
 *
 * A pool is shut once and for all.  Its workers go on until the queues are empty; the last of those
 * whom idle.c counts sets `ended`, and then their threads are joined, so that after a shutdown that
 * returned 0 not even a thread on its way out is left.  The memory goes with the last reference.
 *
 * What has not begun when an initializer fails, or when a shutdown cancels, is taken out of the
 * common queues and stolen out of the workers' own, like any task; what is missed there, or pushed
 * beside that by a task that runs, a worker or helper finds the verdict on.  Tasks of groups are
 * run: they are parts of a task that has begun.
 *
 * All that were taken out are done before the first callback runs: a callback may wait for another
 * of them, which nobody else could end.  Callbacks may release the handle, too, so the shutdown has
 * a reference of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/due.h"
#include "executor/pool.h"
#include "executor/stall.h"

#include "os/os.h"

static kri_pool *pool_of(kr_executor *executor)
{
    return (kri_pool *)executor;
}

void kri_pool_check_ended(kri_pool *pool)
{
    if (!pool->shut || pool->alive || pool->holds || kri_load_rlx(&pool->ended))
        return;
    kri_store_sc(&pool->ended, 1);
    kri_wake(&pool->ended, KRI_ALL, 0);
}

/* With the mutex held: from now on submit answers `error`. */
static void close_queues(kri_pool *pool, int error)
{
    kri_store_rel(&pool->closed, 1);
    for (int lane = 0; lane < KRI_LANES; lane++)
        kri_injection_close(&pool->lanes[lane], error);
    kri_nap_rely();
    kri_add_sc(&pool->room, 1); /* nobody waits for room any more; they find out why themselves */
    kri_wake(&pool->room, KRI_ALL, 0);
}

/* Out of a queue: done by the verdict, but for its callbacks.  false: it was a shell. */
static bool conclude(kri_pool *pool, kr_future *f)
{
    int verdict = -(int)kri_load_rlx(&pool->verdict);
    if (!kri_future_claim(f, verdict == -ECANCELED ? KRI_CLAIM_DROPPED : KRI_CLAIM_SILENT)) {
        kri_future_pass(f);
        kri_sub_rlx64(&pool->shells, 1);
        kr_future_release(f);
        return false;
    }
    if (pool->options.max_queued)
        kri_pool_departed(pool);
    kri_add_rlx64(&pool->removed, 1);
    kri_future_conclude(f, verdict);
    return true;
}

static void collect(kri_pool *pool, kr_future *f, kri_due *list)
{
    if (conclude(pool, f))
        kri_due_append(list, f);
}

void kri_pool_finish(kri_pool *pool, kr_future *f)
{
    kri_due list = {NULL, NULL};
    collect(pool, f, &list);
    kri_due_announce(&list);
}

static void collect_lanes(kri_pool *pool, kri_due *list)
{
    kri_item item;
    for (int lane = 0; lane < KRI_LANES; lane++)
        while (kri_injection_take(&pool->lanes[lane], &item, 1))
            collect(pool, kri_item_future(item), list);
}

/* Only as many as there are now: a worker may well push more meanwhile. */
static void collect_deque(kri_pool *pool, kri_deque *deque, kri_due *list)
{
    for (size_t left = kri_deque_length(deque); left > 0; left--) {
        kri_item item = kri_deque_steal_unless(deque, KRI_ITEM_OF_GROUP);
        if (!item)
            return;
        collect(pool, kri_item_future(item), list);
    }
}

/* End what has not begun, with `error`; what is met later ends so too. */
static void finish_queued(kri_pool *pool, int error)
{
    kri_due list = {NULL, NULL};
    uint32_t used = kri_load_acq(&pool->slots_used);
    kri_store_rel(&pool->verdict, (uint32_t)-error);
    collect_lanes(pool, &list);
    for (uint32_t i = 0; i < used; i++) {
        kri_worker *worker = kri_load_acq_ptr(&pool->slots[i]);
        collect_deque(pool, &worker->deque, &list);
    }
    kri_due_announce(&list);
}

static void shut(kri_pool *pool, bool cancel_pending)
{
    kri_mutex_lock(&pool->budget->mutex);
    pool->shut = true;
    kri_store_rel(&pool->executor.shut, 1);
    close_queues(pool, pool->broken ? KR_EBROKEN : KR_ESHUTDOWN);
    kri_worker *idle = kri_pool_take_idle(pool);
    pool->holds += cancel_pending; /* what is taken out of a queue may be claimed already */
    kri_pool_check_ended(pool);
    kri_mutex_unlock(&pool->budget->mutex);
    kri_workers_wake(idle);
    if (!cancel_pending)
        return;
    finish_queued(pool, -ECANCELED);
    kri_pool_let_go(pool);
}

void kri_pool_break(kri_pool *pool, int error)
{
    kri_mutex_lock(&pool->budget->mutex);
    pool->broken = true;
    close_queues(pool, KR_EBROKEN);
    kri_mutex_unlock(&pool->budget->mutex);
    kri_task_report_error(error, "initializer", pool->name);
    finish_queued(pool, KR_EBROKEN);
}

static int join_all(kri_pool *pool, kr_time deadline)
{
    int err = 0;
    uint32_t used = kri_load_acq(&pool->slots_used);
    for (uint32_t i = 0; i < used && !err; i++) {
        kri_worker *worker = kri_load_acq_ptr(&pool->slots[i]);
        if (worker->thread)
            err = kr_thread_join(worker->thread, NULL, kri_left_until(deadline));
    }
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

static int wait_for_end(kr_executor *executor, kr_time deadline, unsigned flags)
{
    if (deadline == 0)
        return wait_ended(pool_of(executor), deadline, flags);
    if (kri_frame_in_executor(executor))
        return -EDEADLK;
    kri_frame *frame = kri_frame_innermost();
    kri_wait_begin(frame);
    int err = wait_ended(pool_of(executor), deadline, flags);
    kri_wait_end(frame);
    return err;
}

int kri_pool_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline, unsigned flags)
{
    kri_pool *pool = pool_of(executor);
    kri_add_rlx(&pool->references, 1);
    shut(pool, cancel_pending);
    int err = wait_for_end(executor, deadline, flags);
    kri_pool_unref(pool);
    return err;
}

static void free_workers(kri_pool *pool)
{
    uint32_t used = kri_load_acq(&pool->slots_used);
    for (uint32_t i = 0; i < used; i++) {
        kri_worker *worker = kri_load_acq_ptr(&pool->slots[i]);
        kr_thread_release(worker->thread);
        os_free(worker);
    }
}

void kri_pool_unref(kri_pool *pool)
{
    if (kri_sub_acq_rel(&pool->references, 1) != 1)
        return;
    kri_registry_remove(pool);
    kri_watch_end(pool);
    kri_budget_leave(pool); /* from now on no neighbour looks into it */
    free_workers(pool);
    for (int lane = 0; lane < KRI_LANES; lane++)
        kri_injection_free(&pool->lanes[lane]);
    os_free(pool->times);
    os_free(pool->slots);
    os_free(pool);
}

void kri_pool_release(kr_executor *executor)
{
    kri_pool_unref(pool_of(executor));
}
