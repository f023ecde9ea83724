/* Jobs: a task of a process pool, and where its bytes lie.
 *
 * A job hangs on its future and goes with it.  What fits stands in the slot, and a copy of it in
 * the future; a larger argument is copied into a block at once, and never anywhere else; a larger
 * result is written into a block by the task, and the future's result is that block.  So a result
 * is copied once, by whoever asks for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "executor/block.h"
#include "os/os.h"
#include "process/internal.h"
#include "trace/trace.h"

static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static kri_block *block_new(kri_process_pool *pool, size_t size)
{
    kri_mutex_lock(&pool->arena_lock);
    kri_block *block = kri_arena_alloc(&pool->arena, size);
    kri_mutex_unlock(&pool->arena_lock);
    return block;
}

void kri_job_free_block(kri_process_pool *pool, kri_block *block)
{
    if (!block)
        return;
    kri_mutex_lock(&pool->arena_lock);
    kri_arena_free(&pool->arena, block);
    kri_mutex_unlock(&pool->arena_lock);
}

/* What has no room in a slot. */
static int get_blocks(kri_process_pool *pool, kri_job *job, const kri_task *task)
{
    size_t inline_arg = task->arg_size <= KRI_WORK_INLINE ? aligned(task->arg_size) : 0;
    bool inline_result = inline_arg + task->result_size <= KRI_WORK_INLINE;
    if (task->arg_size > KRI_WORK_INLINE)
        job->arg = block_new(pool, task->arg_size);
    if (!inline_result)
        job->result = block_new(pool, task->result_size);
    bool failed =
        (task->arg_size > KRI_WORK_INLINE && !job->arg) || (!inline_result && !job->result);
    return failed ? -ENOMEM : 0;
}

static int get_future(kri_process_pool *pool, kri_job *job, const kri_task *task, bool forgotten)
{
    kri_task small = *task;
    if (job->arg) {
        small.arg = kri_block_bytes(&pool->arena, job->arg);
        small.arg_size = 0;
    }
    if (job->result)
        small.result_size = 0;
    int err = kri_future_new(&job->future, &pool->executor, &small, forgotten);
    if (err)
        return err;
    if (job->arg)
        memcpy(kri_block_bytes(&pool->arena, job->arg), task->arg, task->arg_size);
    if (job->result) {
        job->future->result = kri_block_bytes(&pool->arena, job->result);
        job->future->result_size = task->result_size;
    }
    return 0;
}

static void destroy(kri_job *job)
{
    kri_process_pool *pool = job->pool;
    kri_job_free_block(pool, job->arg);
    kri_job_free_block(pool, job->result);
    os_free(job->crash);
    kri_block_free(job, sizeof *job);
    kri_process_pool_unref(pool);
}

void kri_job_drop(kri_remote *remote)
{
    kri_job *job = (kri_job *)remote;
    if (!kri_forked_since(job->pool->executor.generation))
        destroy(job);
}

int kri_function_number(const kri_process_pool *pool, void (*fn)(void), uint64_t *number)
{
    uint32_t id;
    *number = (uint64_t)(uintptr_t)fn;
    if (pool->more.start == KR_FORK)
        return 0;
    int err = kri_task_find(fn, &id);
    if (err == 0)
        *number = (uint64_t)id + 1;
    return err;
}

int kri_job_make(kr_executor *executor, kr_future **future, const kri_task *task, bool forgotten)
{
    kri_process_pool *pool = kri_process_pool_of(executor);
    const size_t most = SIZE_MAX / 4;
    uint64_t function;
    *future = NULL;
    if ((task->arg_size && !task->arg) || task->arg_size > most || task->result_size > most ||
        task->items >= KRI_SLOT_CONDEMNED)
        return -EINVAL;
    int err = kri_function_number(pool, (void (*)(void))task->fn, &function);
    if (err)
        return err;
    kri_job *job = kri_block_new(sizeof *job);
    if (!job)
        return -ENOMEM;
    *job = (kri_job){.remote = {&kri_job_ops, kri_trace_is_on() ? kri_trace_new_id() : 0},
                     .pool = pool,
                     .task = *task,
                     .function = function,
                     .slot = KRI_NO_SLOT};
    kri_add_rlx(&pool->references, 1);
    err = get_blocks(pool, job, task);
    if (!err)
        err = get_future(pool, job, task, forgotten);
    if (err) {
        destroy(job);
        return err;
    }
    job->future->remote = &job->remote;
    *future = job->future;
    return 0;
}

void kri_job_append(kri_job_list *list, kri_job *job)
{
    job->next = NULL;
    job->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = job;
    list->last = job;
}

void kri_job_unlink(kri_job_list *list, kri_job *job)
{
    *(job->previous ? &job->previous->next : &list->first) = job->next;
    *(job->next ? &job->next->previous : &list->last) = job->previous;
}

kri_job *kri_job_shift(kri_job_list *list)
{
    kri_job *job = list->first;
    if (job)
        kri_job_unlink(list, job);
    return job;
}

static bool has_begun(const kr_future *f)
{
    kri_job *job = kri_job_of(f);
    kri_mutex_lock(&job->pool->mutex);
    bool begun = job->place == KRI_JOB_NOWHERE;
    if (job->place == KRI_JOB_SLOT) {
        const kri_work_slot *slot = &job->pool->work.slots[job->slot];
        begun = kri_slot_phase(kri_slot_look(slot)) >= KRI_SLOT_RUNNING;
    }
    kri_mutex_unlock(&job->pool->mutex);
    return begun;
}

/* Whoever leads sleeps on the bell, and not on the future. */
static void withdrawn(kr_future *f)
{
    kri_work_bell_ring(&kri_job_of(f)->pool->work, KRI_BELL_LEADER);
}

const kri_remote_ops kri_job_ops = {
    .has_begun = has_begun,
    .withdraw = kri_job_withdraw,
    .withdrawn = withdrawn,
    .await = kri_job_await,
    .look = kri_job_look,
    .drop = kri_job_drop,
};
