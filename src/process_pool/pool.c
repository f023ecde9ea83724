/* The process pool: making one.
 *
 * Its segment is one sealed memfd: the area that work.h lays out, and behind it room for blocks.
 * It is made much longer than it will ever be, since pages take no memory before they are used.
 * Workers that are forks find it where it is; others get its descriptor.  It is in no core file: to
 * write one the kernel would touch all of it, and give memory to each page.
 *
 * Under KR_FORK all workers are forked before the pool has any thread, so that a program without
 * threads forks without threads.  Those that come later are forked by the supervisor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include <stdio.h>

#include "base/global.h"
#include "base/options.h"
#include "memory/segment.h"
#include "os/os.h"
#include "os/segment.h"
#include "process/internal.h"
#include "wait/stall.h"

static KRI_GLOBAL kr_word process_pools_named;

void kri_process_pool_rouse(kri_process_pool *pool)
{
    os_bell_ring(pool->bell);
}

static void destroy(kri_process_pool *pool)
{
    kri_arena_end(&pool->arena);
    if (pool->work.area)
        kri_memfd_unmap(pool->work.area, pool->mapped);
    if (pool->memory >= 0)
        os_close(pool->memory);
    if (pool->bell >= 0)
        os_close(pool->bell);
    kr_thread_release(pool->supervisor);
    kr_thread_release(pool->collector);
    kr_thread_release(pool->teller.thread);
    os_free(pool->in_slots);
    os_free(pool->free_slots);
    os_free(pool->workers);
    os_free(pool->affinity);
    if (pool->more.initializer_arg_size)
        os_free(pool->initializer_arg);
    os_free(pool);
}

void kri_process_pool_unref(kri_process_pool *pool)
{
    if (kri_sub_acq_rel(&pool->references, 1) == 1)
        destroy(pool);
}

const kri_executor_ops kri_process_pool_ops = {
    .elsewhere = true,
    .make = kri_job_make,
    .map = kri_process_map,
    .submit = kri_job_submit,
    .claimed = kri_job_claimed,
    .shutdown = kri_process_pool_shutdown,
    .release = kri_process_pool_release,
};

static bool is_valid(const kr_pool_options *o, const kr_process_pool_options *m)
{
    bool affinity = m->affinity_count >= 0 && (m->affinity_count == 0) == (m->affinity == NULL);
    bool arg = !m->initializer_arg_size || o->initializer_arg;
    return o->workers >= 0 && o->workers <= KRI_WORKERS_MAX && kri_reserved_is_clear(o->reserved) &&
           m->start >= KR_START_DEFAULT && m->start <= KR_FORKSERVER && m->task_timeout >= 0 &&
           m->retries >= 0 && affinity && arg && m->initializer_arg_size < SIZE_MAX / 4 &&
           kri_reserved_is_clear(m->reserved);
}

static void configure(kri_process_pool *pool, const kr_pool_options *o,
                      const kr_process_pool_options *m)
{
    pool->executor.ops = &kri_process_pool_ops;
    pool->executor.generation = kri_fork_generation();
    pool->executor.workers = o->workers ? o->workers : kr_cpu_count();
    if (pool->executor.workers > KRI_WORKERS_MAX)
        pool->executor.workers = KRI_WORKERS_MAX;
    pool->executor.name = pool->name;
    pool->references.bits = 1;
    pool->memory = -1;
    pool->bell = -1;
    pool->more = *m;
    pool->more.affinity = NULL;
    if (m->start == KR_START_DEFAULT)
        pool->more.start = kr_process_start_method();
    pool->max_queued = o->max_queued;
    pool->initializer = o->initializer;
    pool->initializer_arg = o->initializer_arg;
    pool->watches = m->task_timeout != 0 || m->memory_limit != 0;
    pool->wanted = pool->more.start == KR_FORK ? pool->executor.workers : 0;
}

static void name_pool(kri_process_pool *pool, const char *name)
{
    if (name)
        snprintf(pool->name, sizeof pool->name, "%s", name);
    else
        snprintf(pool->name, sizeof pool->name, "process-pool-%u",
                 (unsigned)kri_add_rlx(&process_pools_named, 1) + 1);
}

static int copy_options(kri_process_pool *pool, const kr_pool_options *o,
                        const kr_process_pool_options *m)
{
    size_t arg_size = m->initializer_arg_size;
    size_t affinity_size = (size_t)m->affinity_count * sizeof *m->affinity;
    if (arg_size) {
        pool->initializer_arg = os_alloc(arg_size);
        if (!pool->initializer_arg)
            return -ENOMEM;
        memcpy(pool->initializer_arg, o->initializer_arg, arg_size);
    }
    if (affinity_size) {
        pool->affinity = os_alloc(affinity_size);
        if (!pool->affinity)
            return -ENOMEM;
        memcpy(pool->affinity, m->affinity, affinity_size);
    }
    return 0;
}

/* As much room as the system gives. */
static int map_segment(kri_process_pool *pool, size_t work)
{
    void *memory = NULL;
    int err = -ENOMEM;
    for (unsigned log = sizeof(void *) > 4 ? 38 : 28; log >= 20 && err; log -= 3) {
        pool->mapped = work + ((size_t)1 << log);
        err = kri_memfd_map(pool->mapped, &pool->memory, &memory);
        if (err == -EMFILE || err == -ENFILE)
            break;
    }
    if (err) {
        pool->memory = -1;
        return err;
    }
    (void)os_segment_leave_undumped(memory, pool->mapped);
    uint32_t workers = (uint32_t)pool->executor.workers;
    kri_work_make(&pool->work, memory, KRI_POOL_SLOTS, workers);
    kri_arena_begin(&pool->arena, memory, pool->memory, work, pool->mapped);
    return 0;
}

static int equip(kri_process_pool *pool)
{
    uint32_t workers = (uint32_t)pool->executor.workers;
    pool->in_slots = os_alloc(KRI_POOL_SLOTS * sizeof *pool->in_slots);
    pool->free_slots = os_alloc(KRI_POOL_SLOTS * sizeof *pool->free_slots);
    pool->workers = os_alloc(workers * sizeof *pool->workers);
    if (!pool->in_slots || !pool->free_slots || !pool->workers)
        return -ENOMEM;
    while (pool->free_count < KRI_POOL_SLOTS) {
        pool->free_slots[pool->free_count] = KRI_POOL_SLOTS - 1 - pool->free_count;
        pool->free_count++;
    }
    int err = map_segment(pool, kri_work_size(KRI_POOL_SLOTS, workers));
    if (err)
        return err;
    pool->bell = os_bell_create();
    return pool->bell < 0 ? pool->bell : 0;
}

/* What cannot be started is found out now, where it can be told. */
static int check_initializer(const kri_process_pool *pool)
{
    uint64_t number;
    if (pool->more.start != KR_FORK && !kri_initialised())
        return KR_EINIT;
    if (!pool->initializer)
        return 0;
    return kri_function_number(pool, (void (*)(void))pool->initializer, &number);
}

/* The first may be the init of a namespace, and then ends after all others. */
static void kill_all(kri_process_pool *pool)
{
    for (uint32_t i = 0; i < pool->work.workers; i++)
        if (pool->workers[i].process)
            (void)kr_process_kill(pool->workers[i].process);
    for (uint32_t i = pool->work.workers; i-- > 0;) {
        kr_process *process = pool->workers[i].process;
        if (!process)
            continue;
        (void)kr_process_join(process, NULL, KR_FOREVER);
        kr_process_release(process);
    }
}

static int start_collector_and_supervisor(kri_process_pool *pool)
{
    int err = kri_collector_start(pool);
    if (err)
        return err;
    kri_stall_may_act(1);
    kri_add_rlx(&pool->references, 1);
    err = kri_supervisor_start(pool);
    if (err) {
        kri_sub_rlx(&pool->references, 1);
        kri_stall_may_act(-1);
        kri_collector_end(pool);
    }
    return err;
}

static int start_threads(kri_process_pool *pool)
{
    int err = kri_process_pool_register(pool);
    if (err)
        return err;
    err = kri_teller_start(&pool->teller);
    if (!err) {
        err = start_collector_and_supervisor(pool);
        if (err)
            kri_teller_end(&pool->teller);
    }
    if (err)
        kri_process_pool_unregister(pool);
    return err;
}

static int start(kri_process_pool *pool)
{
    int err = check_initializer(pool);
    for (int i = 0; i < pool->wanted && !err; i++)
        err = kri_pool_worker_start(pool, (uint32_t)i);
    if (!err)
        err = start_threads(pool);
    if (err)
        kill_all(pool);
    return err;
}

int kr_process_pool_with(kr_executor **executor, const kr_pool_options *options,
                         const kr_process_pool_options *more)
{
    static const kr_pool_options defaults;
    static const kr_process_pool_options no_more;
    if (!executor)
        return -EINVAL;
    *executor = NULL;
    options = options ? options : &defaults;
    more = more ? more : &no_more;
    if (!is_valid(options, more))
        return -EINVAL;
    kri_process_pool *pool = os_alloc(sizeof *pool);
    if (!pool)
        return -ENOMEM;
    configure(pool, options, more);
    name_pool(pool, options->name);
    int err = copy_options(pool, options, more);
    if (!err)
        err = equip(pool);
    if (!err)
        err = start(pool);
    if (err) {
        destroy(pool);
        return err;
    }
    *executor = &pool->executor;
    return 0;
}

int kr_process_pool(kr_executor **pool, const kr_pool_options *options)
{
    return kr_process_pool_with(pool, options, NULL);
}

int kr_process_pool_workers(kr_executor *executor, int *pids, int max)
{
    int err = kri_executor_check(executor);
    if (err)
        return err;
    if (executor->ops != &kri_process_pool_ops || (max > 0 && !pids))
        return -EINVAL;
    kri_process_pool *pool = kri_process_pool_of(executor);
    int count = 0;
    kri_mutex_lock(&pool->mutex);
    for (uint32_t i = 0; i < pool->work.workers; i++) {
        const kr_process *process = pool->workers[i].process;
        if (!process)
            continue;
        if (count < max)
            pids[count] = kr_process_pid(process);
        count++;
    }
    kri_mutex_unlock(&pool->mutex);
    return count;
}
