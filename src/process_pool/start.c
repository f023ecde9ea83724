/* A worker's process: what it is told, and how it is started.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include <stdio.h>

#include "os/child.h"
#include "os/os.h"

void kri_pool_worker_name(const kri_process_pool *pool, uint32_t worker,
                          char name[KR_PROCESS_NAME_SIZE])
{
    snprintf(name, KR_PROCESS_NAME_SIZE, "%s_%u", pool->name, (unsigned)worker);
}

static int make_plan(kri_process_pool *pool, uint32_t worker, kri_worker_plan *plan)
{
    bool fork = pool->more.start == KR_FORK;
    *plan = (kri_worker_plan){.work = fork ? (uintptr_t)pool->work.area : 0,
                              .mapped = pool->mapped,
                              .by_address = fork,
                              .arg = (uintptr_t)pool->initializer_arg,
                              .arg_size = pool->more.initializer_arg_size,
                              .max_tasks = pool->more.max_tasks_per_child,
                              .memory_limit = pool->more.memory_limit,
                              .mask = os_signal_mask(),
                              .worker = worker,
                              .timed = pool->more.task_timeout != 0};
    if (plan->arg_size)
        memcpy(plan->bytes, pool->initializer_arg, plan->arg_size);
    if (!pool->initializer)
        return 0;
    return kri_function_number(pool, (void (*)(void))pool->initializer, &plan->function);
}

/* A SIGINT before the worker has come to ignore it waits until then, and is forgotten. */
static int start_quietly(kr_process **process, const kri_worker_plan *plan, size_t size,
                         const kr_process_options *options)
{
    os_signal_set_mask(plan->mask | (uint64_t)1 << (SIGINT - 1));
    int err = kr_process_start(process, kri_pool_work, plan, size, options);
    os_signal_set_mask(plan->mask);
    return err;
}

int kri_pool_worker_start(kri_process_pool *pool, uint32_t worker)
{
    size_t size = sizeof(kri_worker_plan) + pool->more.initializer_arg_size;
    kri_worker_plan *plan = os_alloc(size);
    if (!plan)
        return -ENOMEM;
    char name[KR_PROCESS_NAME_SIZE];
    kri_pool_worker_name(pool, worker, name);
    kr_process_options options = {.name = name,
                                  .daemon = KR_DAEMON_YES,
                                  .start = pool->more.start,
                                  .die_with_parent = true,
                                  .descriptors = &pool->memory,
                                  .descriptor_count = 1};
    if (pool->affinity)
        options.affinity = &pool->affinity[worker % (uint32_t)pool->more.affinity_count];
    kr_process *process = NULL;
    int err = make_plan(pool, worker, plan);
    if (!err)
        err = start_quietly(&process, plan, size, &options);
    os_free(plan);
    if (err)
        return err;
    kri_mutex_lock(&pool->mutex);
    pool->workers[worker].process = process;
    pool->alive++;
    if (pool->stopped || pool->workers[worker].why != KR_CRASH_DIED) /* condemned by now */
        (void)kr_process_kill(process);
    kri_mutex_unlock(&pool->mutex);
    return 0;
}
