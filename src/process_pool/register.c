/* The process pools of this process: exit finishes their work, a forked child forgets them.
 *
 * A pool stands here until it has ended, whether or not somebody has its handle.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "base/global.h"

static KRI_GLOBAL kri_finish_list process_pools;

static void forget_in_child(void)
{
    kri_finish_forget(&process_pools);
}

__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_at_fork_child(forget_in_child);
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
