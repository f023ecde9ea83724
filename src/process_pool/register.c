/* The process pools of this process: exit finishes their work, a forked child forgets them.
 *
 * A pool stands here until it has ended, whether or not somebody has its handle.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "base/global.h"

static KRI_GLOBAL kri_mutex register_lock; /* guards all below, and the pools' links */
static KRI_GLOBAL kri_process_pool *first_process_pool;
static KRI_GLOBAL bool register_watched; /* exit and fork call us */
static KRI_GLOBAL bool register_exiting;

static void forget_in_child(void)
{
    register_lock = (kri_mutex){0};
    first_process_pool = NULL;
    register_watched = false;
    register_exiting = false;
}

/* The next one not marked so; it is now, and has a reference more. */
static kri_process_pool *visit_next(bool visited)
{
    kri_mutex_lock(&register_lock);
    kri_process_pool *pool = first_process_pool;
    while (pool && pool->visited == visited)
        pool = pool->next;
    if (pool) {
        pool->visited = visited;
        kri_add_rlx(&pool->references, 1);
    }
    kri_mutex_unlock(&register_lock);
    return pool;
}

/* All are shut before any is waited for. */
static void finish_pools(void *unused)
{
    kri_process_pool *pool;
    (void)unused;
    kri_mutex_lock(&register_lock);
    register_exiting = true;
    kri_mutex_unlock(&register_lock);
    while ((pool = visit_next(true)) != NULL) {
        (void)kri_process_pool_shutdown(&pool->executor, false, 0, KRI_UNCANCELLABLE);
        kri_process_pool_unref(pool);
    }
    while ((pool = visit_next(false)) != NULL) {
        (void)kri_process_pool_shutdown(&pool->executor, false, KRI_NEVER, KRI_UNCANCELLABLE);
        kri_process_pool_unref(pool);
    }
}

/* As the library is loaded, so that no fork finds the lock held that is not told. */
__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_at_fork_child(forget_in_child);
}

static int watch(void)
{
    kri_mutex_lock(&register_lock);
    bool watched = register_watched;
    kri_mutex_unlock(&register_lock);
    if (watched)
        return 0;
    int err = kri_at_fork_child(forget_in_child);
    if (!err)
        err = kr_at_exit(finish_pools, NULL);
    kri_mutex_lock(&register_lock);
    register_watched = err == 0;
    kri_mutex_unlock(&register_lock);
    return err;
}

int kri_process_pool_register(kri_process_pool *pool)
{
    int err = watch();
    if (err)
        return err;
    kri_mutex_lock(&register_lock);
    if (register_exiting) {
        err = KR_ESHUTDOWN;
    } else {
        pool->next = first_process_pool;
        if (first_process_pool)
            first_process_pool->previous = pool;
        first_process_pool = pool;
    }
    kri_mutex_unlock(&register_lock);
    return err;
}

void kri_process_pool_unregister(kri_process_pool *pool)
{
    kri_mutex_lock(&register_lock);
    *(pool->previous ? &pool->previous->next : &first_process_pool) = pool->next;
    if (pool->next)
        pool->next->previous = pool->previous;
    kri_mutex_unlock(&register_lock);
}
