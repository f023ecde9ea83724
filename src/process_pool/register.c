/* The process pools of this process: exit finishes their work, a forked child forgets them.
 *
 * A pool stands here until it has ended, whether or not somebody has its handle.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "base/global.h"
#include "status/status.h"

static KRI_GLOBAL kri_finish_list process_pools;

static void look_at_pools(kri_view *view)
{
    if (!kri_view_try(&process_pools.lock)) {
        view->missed |= KRI_MISSED_PROCESSES;
        return;
    }
    for (const kri_finish *at = process_pools.first; at; at = at->next)
        kri_process_pool_show((kri_process_pool *)at->executor, view);
    kri_mutex_unlock(&process_pools.lock);
}

static void forget_in_child(void)
{
    kri_finish_forget(&process_pools);
}

__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_at_fork_child(forget_in_child);
    kri_status_source(look_at_pools);
}

int kri_process_pool_register(kri_process_pool *pool)
{
    pool->finish = (kri_finish){.executor = &pool->executor,
                                .references = &pool->references,
                                .unref = kri_process_pool_release};
    return kri_finish_add(&process_pools, &pool->finish, kri_finish_all);
}

void kri_process_pool_unregister(kri_process_pool *pool)
{
    kri_finish_remove(&process_pools, &pool->finish);
}
