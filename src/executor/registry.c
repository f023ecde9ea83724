/* The pools of the process: exit finishes their work, a forked child forgets them.
 *
 * At exit every pool is shut first, then every pool is waited for, before the process waits for its
 * threads: so the work that was accepted is done, and no idle worker keeps the process alive.
 * When a task itself calls exit(), its own pool cannot be waited for.  Its worker is given up, so
 * that another can take its place, and be the last that ends the pool: the threads are waited for.
 *
 * Who reports an error asks here for the name of the pool, which may be gone, and another at its
 * place: so pools are numbered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

#include <string.h>

#include "base/global.h"

static KRI_GLOBAL kri_mutex pools_lock; /* guards the list, the pools' links, pools_exiting */
static KRI_GLOBAL kri_pool *first_pool;
static KRI_GLOBAL kr_word pools_watched; /* atomic: the two hooks are in place */
static KRI_GLOBAL bool pools_exiting;
static KRI_GLOBAL uint32_t pools_made; /* guarded by pools_lock, too */

static void forget_in_child(void)
{
    kri_frames_disown();
    pools_lock = (kri_mutex){0};
    first_pool = NULL;
    kri_store_rlx(&pools_watched, 0);
    pools_exiting = false;
}

static bool reference_unless_gone(kri_pool *pool)
{
    uint32_t count = kri_load_rlx(&pool->references);
    while (count != 0)
        if (kri_cas_rlx(&pool->references, &count, count + 1))
            return true;
    return false;
}

/* The next pool that is not marked `visited`, with a reference; it is marked now. */
static kri_pool *visit_next(bool visited)
{
    kri_mutex_lock(&pools_lock);
    kri_pool *pool = first_pool;
    while (pool && (pool->visited == visited || !reference_unless_gone(pool)))
        pool = pool->next;
    if (pool)
        pool->visited = visited;
    kri_mutex_unlock(&pools_lock);
    return pool;
}

static void leave_worker(void)
{
    const kri_frame *frame = kri_frame_innermost();
    kri_worker *worker = frame ? frame->worker : NULL;
    kri_frames_disown();
    if (worker)
        kri_worker_abandon(worker);
}

static void finish_pools(void *unused)
{
    (void)unused;
    kri_pool *pool;
    kri_mutex_lock(&pools_lock);
    pools_exiting = true;
    kri_mutex_unlock(&pools_lock);
    while ((pool = visit_next(true)) != NULL) {
        (void)kri_pool_shutdown(&pool->executor, false, 0, KRI_UNCANCELLABLE);
        kri_pool_unref(pool);
    }
    leave_worker();
    while ((pool = visit_next(false)) != NULL) {
        kr_time deadline = kri_frame_in_executor(&pool->executor) ? 0 : KRI_NEVER;
        (void)kri_pool_shutdown(&pool->executor, false, deadline, KRI_UNCANCELLABLE);
        kri_pool_unref(pool);
    }
}

/* Twice does no harm: the second visit finds nothing to do. */
static int watch(void)
{
    if (kri_load_acq(&pools_watched))
        return 0;
    int err = kri_at_fork_child(forget_in_child);
    if (!err)
        err = kr_at_exit(finish_pools, NULL);
    if (!err)
        kri_store_rel(&pools_watched, 1);
    return err;
}

int kri_registry_add(kri_pool *pool)
{
    int err = watch();
    if (err)
        return err;
    kri_mutex_lock(&pools_lock);
    if (pools_exiting) {
        err = KR_ESHUTDOWN;
    } else {
        pool->next = first_pool;
        if (first_pool)
            first_pool->previous = pool;
        first_pool = pool;
        pool->number = ++pools_made;
    }
    kri_mutex_unlock(&pools_lock);
    return err;
}

void kri_registry_remove(kri_pool *pool)
{
    kri_mutex_lock(&pools_lock);
    *(pool->previous ? &pool->previous->next : &first_pool) = pool->next;
    if (pool->next)
        pool->next->previous = pool->previous;
    kri_mutex_unlock(&pools_lock);
}

bool kri_registry_name(const kr_executor *executor, uint32_t number, char name[KRI_POOL_NAME])
{
    kri_mutex_lock(&pools_lock);
    const kri_pool *pool = first_pool;
    while (pool && (&pool->executor != executor || pool->number != number))
        pool = pool->next;
    if (pool)
        memcpy(name, pool->name, KRI_POOL_NAME);
    kri_mutex_unlock(&pools_lock);
    return pool != NULL;
}
