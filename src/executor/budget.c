/* Processors that pools share.
 *
 * A pool that is made in a task of another pool joins its budget; any other has one of its own,
 * which never limits it further than its own number of workers does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

#include "os/os.h"

static kri_budget *new_budget(int limit)
{
    kri_budget *budget = os_alloc(sizeof *budget);
    if (budget)
        budget->limit = limit;
    return budget;
}

/* The budget of the pool whose worker calls; NULL: none does. */
static kri_budget *outer_budget(void)
{
    const kri_frame *frame = kri_frame_innermost();
    return frame && frame->worker ? frame->worker->pool->budget : NULL;
}

int kri_budget_join(kri_pool *pool)
{
    kri_budget *budget = pool->options.own_processors ? NULL : outer_budget();
    if (!budget)
        budget = new_budget(pool->executor.workers);
    if (!budget)
        return -ENOMEM;
    kri_add_rlx(&budget->references, 1);
    pool->budget = budget;
    kri_mutex_lock(&budget->mutex);
    pool->neighbour = budget->pools;
    budget->pools = pool;
    kri_mutex_unlock(&budget->mutex);
    return 0;
}

void kri_budget_leave(kri_pool *pool)
{
    kri_budget *budget = pool->budget;
    kri_mutex_lock(&budget->mutex);
    kri_pool **at = &budget->pools;
    while (*at != pool)
        at = &(*at)->neighbour;
    *at = pool->neighbour;
    kri_mutex_unlock(&budget->mutex);
    if (kri_sub_acq_rel(&budget->references, 1) == 1)
        os_free(budget);
}
