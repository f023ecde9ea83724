/* The thread pool: one queue under one mutex, and workers that sleep each on its own word.
 *
 * State.  A worker is
 *     starting   counted in alive and covering, and in holds until its starter is done
 *     busy       runs a task; in alive alone
 *     finishing  has a result that nobody can know of yet, and will be back at once; in finishing
 *     idle       in the list `idle`, asleep on its word `called`
 *     called     taken off that list by whoever called it; in covering until it is at the queue
 *     gone       not in alive
 *
 * Fields.  The legend is at the struct.
 *
 * Protocol.
 *     Each queued task is covered: by a worker that is on its way to the queue (starting, called,
 *     finishing), or else every worker is busy and as many as allowed are alive.  So submit looks
 *     whether the queue is longer than covering plus finishing; if it is, it calls the worker that
 *     was idle last, or starts one.  Nobody is called without a task for him, and no task is left
 *     to a sleeper.  A start that fails uncovers a task again, and then an idle worker is called
 *     who was not there at first.
 *     A worker that comes to the queue counts itself out of covering (or finishing) and takes a
 *     task under one hold of the mutex.  It goes idle only when the queue is empty.
 *     `finishing` is what lets a task submitted right after the result of the last one find the
 *     worker that ran it, instead of starting another.
 *     Before anything is queued one worker must have been started, so that what is queued will be
 *     run whatever the system refuses later.
 *     The pool has ended when it is shut, nobody is alive, and nobody holds it: starters, and
 *     helpers who run a task of the pool elsewhere.
 *
 * References.  The handle, each worker, each starter and each helper keep the pool's memory.  A
 * pending future needs none [future-2].
 *
 * Ordering.
 *     [pool-1]  finishing is counted up, relaxed, before the future is marked done; a submitter who
 *               knows of the result therefore sees the count.  Others may miss it and start a
 *               worker that was not needed.  It is counted down under the mutex.
 *     [pool-2]  what was done before a worker is called is visible to it: the store to `called` is
 *               sequentially consistent as the wake needs it, and is read with acquire
 *
 * Why not a condition and a count of the idle?  A notify wakes any sleeper, the caches of the one
 * that just went to sleep are warm; and a count does not tell how many are already on their way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"
#include "executor/stall.h"

#include <stdio.h>
#include <string.h>

#include "base/global.h"
#include "os/os.h"

static KRI_GLOBAL kr_word pools_named;

static kri_pool *pool_of(kr_executor *executor)
{
    return (kri_pool *)executor;
}

/* With the mutex held: see that the newest task is covered.  The worker to be called, once the
 * mutex is free; *grow says that one is to be started instead. */
static kri_worker *cover(kri_pool *pool, bool may_grow, bool *grow)
{
    *grow = false;
    size_t covered = (size_t)pool->covering + kri_load_rlx(&pool->finishing); /* [pool-1] */
    if (pool->queue.length <= covered)
        return NULL;
    kri_worker *worker = pool->idle;
    if (worker) {
        pool->idle = worker->next_idle;
        pool->covering++;
    } else if (may_grow && pool->alive < pool->executor.workers) {
        *grow = true;
    }
    return worker;
}

/* Start a worker; the mutex is held at call and return and free meanwhile. */
static int start_worker(kri_pool *pool)
{
    bool unused;
    kri_worker *called = NULL;
    pool->alive++;
    pool->covering++;
    pool->holds++;
    kri_mutex_unlock(&pool->mutex);
    int err = kri_worker_start(pool);
    kri_mutex_lock(&pool->mutex);
    if (err) {
        pool->alive--;
        pool->covering--;
        called = cover(pool, false, &unused);
    }
    kri_pool_hold_drop(pool);
    if (called)
        kri_worker_call(called);
    return err;
}

void kri_pool_hold_drop(kri_pool *pool)
{
    pool->holds--;
    kri_pool_check_ended(pool);
}

/* Have the first worker started; the mutex is held at call and return and free meanwhile. */
static int staff(kri_pool *pool)
{
    int err = 0;
    kri_mutex_unlock(&pool->mutex);
    kr_with (&pool->growing) {
        kri_mutex_lock(&pool->mutex);
        if (!pool->staffed && !pool->shut) {
            err = start_worker(pool);
            pool->staffed = err == 0;
        }
        kri_mutex_unlock(&pool->mutex);
    }
    kri_mutex_lock(&pool->mutex);
    return err;
}

/* A worker does not wait: it is what makes room. */
static bool is_full(const kri_pool *pool)
{
    size_t most = pool->options.max_queued;
    return most && pool->queue.length >= most && !kri_frame_in_executor(&pool->executor);
}

static int wait_for_room(kri_pool *pool, kr_time deadline)
{
    if (deadline == 0)
        return -ETIMEDOUT;
    uint32_t seen = kri_load_rlx(&pool->room);
    kri_mutex_unlock(&pool->mutex);
    int err = kri_wait_for(&pool->room, seen, deadline, 0, kri_pool_describe_room);
    kri_mutex_lock(&pool->mutex);
    return err == -EAGAIN ? 0 : err;
}

/* May a task be queued now?  The mutex is held at call and return. */
static int admit(kri_pool *pool, kr_time deadline)
{
    int err = 0;
    while (!err) {
        if (pool->broken)
            err = KR_EBROKEN;
        else if (pool->shut)
            err = KR_ESHUTDOWN;
        else if (!pool->staffed)
            err = staff(pool);
        else if (is_full(pool))
            err = wait_for_room(pool, deadline);
        else
            break;
    }
    return err;
}

int kri_pool_submit(kr_executor *executor, kr_future *f, kr_time deadline)
{
    kri_pool *pool = pool_of(executor);
    bool grow = false;
    kri_worker *called = NULL;
    kri_mutex_lock(&pool->mutex);
    int err = admit(pool, deadline);
    if (!err) {
        kri_queue_push(&pool->queue, f);
        called = cover(pool, true, &grow);
    }
    if (grow)
        (void)start_worker(pool);
    kri_mutex_unlock(&pool->mutex);
    if (called)
        kri_worker_call(called);
    return err;
}

void kri_pool_departed(kri_pool *pool)
{
    if (!pool->options.max_queued)
        return;
    kri_add_sc(&pool->room, 1);
    kri_wake(&pool->room, 1, 0);
}

bool kri_pool_take(kr_executor *executor, kr_future *f, bool run)
{
    kri_pool *pool = pool_of(executor);
    if (run && pool->options.initializer && !kri_frame_in_executor(executor))
        return false;
    kri_mutex_lock(&pool->mutex);
    bool taken = kri_queue_remove(&pool->queue, f);
    if (taken)
        kri_pool_departed(pool);
    if (taken && run) {
        pool->holds++;
        kri_add_rlx(&pool->references, 1);
    }
    kri_mutex_unlock(&pool->mutex);
    return taken;
}

void kri_pool_ran(kr_executor *executor)
{
    kri_pool *pool = pool_of(executor);
    kri_mutex_lock(&pool->mutex);
    kri_pool_hold_drop(pool);
    kri_mutex_unlock(&pool->mutex);
    kri_pool_unref(pool);
}

const kri_executor_ops kri_pool_ops = {
    .submit = kri_pool_submit,
    .take = kri_pool_take,
    .ran = kri_pool_ran,
    .shutdown = kri_pool_shutdown,
    .release = kri_pool_release,
};

static bool is_valid(const kr_pool_options *o)
{
    bool stack = o->stack_size == 0 || o->stack_size >= os_thread_stack_minimum();
    uint64_t reserved = o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3];
    return o->workers >= 0 && stack && reserved == 0;
}

static void name_pool(kri_pool *pool, const char *name)
{
    if (name)
        snprintf(pool->name, sizeof pool->name, "%s", name);
    else
        snprintf(pool->name, sizeof pool->name, "pool-%u",
                 (unsigned)kri_add_rlx(&pools_named, 1) + 1);
    pool->executor.name = pool->name;
}

int kr_thread_pool(kr_executor **executor, const kr_pool_options *options)
{
    static const kr_pool_options defaults;
    if (!executor)
        return -EINVAL;
    *executor = NULL;
    if (!options)
        options = &defaults;
    if (!is_valid(options))
        return -EINVAL;
    kri_pool *pool = os_alloc(sizeof *pool);
    if (!pool)
        return -ENOMEM;
    pool->options = *options;
    pool->options.name = NULL;
    pool->references.bits = 1;
    pool->executor.ops = &kri_pool_ops;
    pool->executor.generation = kri_fork_generation();
    pool->executor.workers = options->workers ? options->workers : kr_cpu_count();
    name_pool(pool, options->name);
    int err = kri_registry_add(pool);
    if (err)
        os_free(pool);
    else
        *executor = &pool->executor;
    return err;
}
