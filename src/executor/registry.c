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
#include "status/status.h"

static KRI_GLOBAL kri_finish_list pools;
static KRI_GLOBAL uint32_t pools_made; /* guarded by the list's lock */

static void look_at_pools(kri_view *view)
{
    if (!kri_view_try(&pools.lock)) {
        view->missed |= KRI_MISSED_POOLS;
        return;
    }
    for (const kri_finish *at = pools.first; at; at = at->next)
        kri_pool_show((kri_pool *)at->executor, view);
    kri_mutex_unlock(&pools.lock);
}

static void forget_in_child(void)
{
    kri_frames_disown();
    kri_finish_forget(&pools);
}

__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_at_fork_child(forget_in_child);
    kri_status_source(look_at_pools);
}

static void leave_worker(void)
{
    const kri_frame *frame = kri_frame_innermost();
    kri_worker *worker = frame ? frame->worker : NULL;
    kri_frames_disown();
    if (worker)
        kri_worker_abandon(worker);
}

static void finish_pools(void *list)
{
    kri_finish_shut(list);
    leave_worker();
    kri_finish_await(list);
}

int kri_registry_add(kri_pool *pool)
{
    pool->finish = (kri_finish){
        .executor = &pool->executor, .references = &pool->references, .unref = kri_pool_release};
    kri_mutex_lock(&pools.lock);
    pool->number = ++pools_made;
    kri_mutex_unlock(&pools.lock);
    return kri_finish_add(&pools, &pool->finish, finish_pools);
}

void kri_registry_remove(kri_pool *pool)
{
    kri_finish_remove(&pools, &pool->finish);
}

bool kri_registry_name(const kr_executor *executor, uint32_t number, char name[KRI_POOL_NAME])
{
    const kri_pool *pool = NULL;
    kri_mutex_lock(&pools.lock);
    for (const kri_finish *at = pools.first; at && !pool; at = at->next) {
        const kri_pool *one = (const kri_pool *)at->executor;
        if (at->executor == executor && one->number == number)
            pool = one;
    }
    if (pool)
        memcpy(name, pool->name, KRI_POOL_NAME);
    kri_mutex_unlock(&pools.lock);
    return pool != NULL;
}
