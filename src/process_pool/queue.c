/* The way of a task to the workers, and back out of it.
 *
 * State.  A job that was submitted is in the backlog of its lane, or in a slot.  The backlog is for
 * what finds no slot, and for what would overtake such: it is in order behind what is in slots.
 * Slots are kept for the high lane, so that it need not wait for a full house of others.
 *
 * Fields.  All under the pool's mutex, but for the slots' own words.
 *
 * Protocol.
 *     .max_queued.  What waits is what is outstanding, less a task for each worker: who has begun
 *     which the parent does not know at each moment, and need not.
 *     The mutex comes after that of a future, and no future's is taken inside.
 *
 * Why not as few tasks in slots as there are workers?  A worker that ends a task finds the next one
 * there at once, and need not wait until the parent has noticed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "wait/stall.h"

#include "os/os.h"

enum { KEPT_FOR_HIGH = KRI_POOL_SLOTS / 8, LOW_FIRST_EVERY = 64 };

static uint64_t offset_of(const kri_process_pool *pool, const void *bytes)
{
    return (uint64_t)((const unsigned char *)bytes - (const unsigned char *)pool->work.area);
}

static unsigned char *inline_result(kri_work_slot *slot, const kri_task *task)
{
    return slot->bytes +
           ((task->arg_size + 15) & ~(size_t)15) * (task->arg_size <= KRI_WORK_INLINE);
}

static void fill_arg(kri_process_pool *pool, const kri_job *job, kri_work_slot *slot)
{
    if (job->arg) {
        slot->arg = job->arg->at;
    } else if (job->task.arg_size) {
        memcpy(slot->bytes, job->future->arg, job->task.arg_size);
        slot->arg = offset_of(pool, slot->bytes);
    } else {
        slot->arg = (uint64_t)(uintptr_t)job->task.arg;
        slot->flags |= KRI_WORK_ARG_ITSELF;
    }
}

static void fill_result(kri_process_pool *pool, const kri_job *job, kri_work_slot *slot)
{
    slot->result = 0;
    slot->result_size = job->task.result_size;
    if (job->result) {
        slot->result = job->result->at;
        slot->flags |= job->result->zero ? KRI_WORK_CLEAN : 0;
        job->result->zero = false;
    } else if (job->task.result_size) {
        unsigned char *bytes = inline_result(slot, &job->task);
        slot->result = offset_of(pool, bytes);
        if (job->progress) /* of a batch that goes on */
            memcpy(bytes, job->future->result, job->task.result_size);
    }
}

static void fill(kri_process_pool *pool, const kri_job *job, kri_work_slot *slot)
{
    slot->function = job->function;
    slot->items = (uint32_t)job->task.items;
    slot->item_arg = job->task.item_arg;
    slot->item_result = job->task.item_result;
    slot->flags = pool->more.start == KR_FORK ? KRI_WORK_BY_ADDRESS : 0;
    slot->error = 0;
    slot->traced = job->remote.traced;
    kri_store_rlx(&slot->progress, job->progress);
    fill_arg(pool, job, slot);
    fill_result(pool, job, slot);
}

static bool put_in_slot(kri_process_pool *pool, kri_job *job)
{
    uint32_t lane = job->future->lane;
    uint32_t kept = lane == KR_PRIORITY_HIGH ? 0 : KEPT_FOR_HIGH;
    if (pool->free_count <= kept)
        return false;
    uint32_t slot = pool->free_slots[pool->free_count - 1];
    fill(pool, job, &pool->work.slots[slot]);
    job->ticket = kri_ready_ticket(&pool->work, lane);
    job->slot = (int)slot;
    job->place = KRI_JOB_SLOT;
    pool->in_slots[slot] = job;
    pool->free_count--;
    if (kri_ready_put(&pool->work, lane, slot))
        return true;
    pool->free_count++;
    pool->in_slots[slot] = NULL;
    job->slot = KRI_NO_SLOT;
    return false;
}

/* The collector is the one who knows when there is a slot again. */
static void put_behind(kri_process_pool *pool, kri_job *job)
{
    job->place = KRI_JOB_BACKLOG;
    pool->backlogged++;
    kri_job_append(&pool->backlog[job->future->lane], job);
    kri_doze_end(&pool->doze);
}

void kri_job_put(kri_process_pool *pool, kri_job *job)
{
    if (pool->backlog[job->future->lane].first || !put_in_slot(pool, job))
        put_behind(pool, job);
}

/* Put the first of a lane's backlog into a slot. */
static bool advance(kri_process_pool *pool, uint32_t lane)
{
    kri_job *job = pool->backlog[lane].first;
    if (!job || !put_in_slot(pool, job))
        return false;
    kri_job_unlink(&pool->backlog[lane], job);
    pool->backlogged--;
    return true;
}

void kri_job_refill(kri_process_pool *pool)
{
    while (pool->backlogged) {
        bool low_first = ++pool->refills % LOW_FIRST_EVERY == 0;
        if (low_first && advance(pool, KR_PRIORITY_LOW))
            continue;
        if (!advance(pool, KR_PRIORITY_HIGH) && !advance(pool, KR_PRIORITY_NORMAL) &&
            !advance(pool, KR_PRIORITY_LOW))
            return;
        pool->to_call++;
    }
}

void kri_job_leave_slot(kri_process_pool *pool, kri_job *job)
{
    kri_work_slot *slot = &pool->work.slots[job->slot];
    if (job->task.result_size && !job->result)
        memcpy(job->future->result, inline_result(slot, &job->task), job->task.result_size);
    kri_slot_settle(slot);
    pool->in_slots[job->slot] = NULL;
    pool->free_slots[pool->free_count++] = (uint32_t)job->slot;
    job->slot = KRI_NO_SLOT;
    job->place = KRI_JOB_NOWHERE;
}

void kri_job_put_again(kri_process_pool *pool, kri_job *job)
{
    kri_job_leave_slot(pool, job);
    if (put_in_slot(pool, job)) {
        pool->to_call++;
        return;
    }
    put_behind(pool, job);
}

bool kri_job_take_back(kri_process_pool *pool, kri_job *job)
{
    if (job->place == KRI_JOB_BACKLOG) {
        kri_job_unlink(&pool->backlog[job->future->lane], job);
        pool->backlogged--;
        job->place = KRI_JOB_NOWHERE;
        return true;
    }
    if (job->place != KRI_JOB_SLOT || !kri_slot_withdraw(&pool->work.slots[job->slot], job->ticket))
        return false;
    kri_job_leave_slot(pool, job);
    return true;
}

/* How many calls are due to workers, with the mutex released. */
uint32_t kri_process_pool_unlock(kri_process_pool *pool)
{
    uint32_t calls = pool->to_call;
    pool->to_call = 0;
    kri_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < calls && i < pool->work.workers; i++)
        kri_worker_call(&pool->work);
    return calls;
}

bool kri_job_withdraw(kr_future *f)
{
    kri_job *job = kri_job_of(f);
    kri_process_pool *pool = job->pool;
    kri_mutex_lock(&pool->mutex);
    bool withdrawn = kri_job_take_back(pool, job);
    if (withdrawn) {
        kri_job_unwatch(pool, job);
        kri_job_refill(pool);
    }
    (void)kri_process_pool_unlock(pool);
    return withdrawn;
}

bool kri_job_claimed(kr_executor *executor, kr_future *f, bool run)
{
    kri_process_pool *pool = kri_process_pool_of(executor);
    (void)f;
    (void)run;
    kri_mutex_lock(&pool->mutex);
    kri_process_pool_departed(pool, 1);
    (void)kri_process_pool_unlock(pool);
    return true;
}

static int why_closed(const kri_process_pool *pool)
{
    if (pool->broken)
        return KR_EBROKEN;
    return pool->shut ? KR_ESHUTDOWN : 0;
}

static bool is_full(const kri_process_pool *pool)
{
    return pool->max_queued &&
           pool->outstanding >= pool->max_queued + (size_t)pool->executor.workers;
}

static void describe_room(const kr_word *word, kri_text *text)
{
    (void)word;
    kri_text_add(text, "room in the queue of a process pool");
}

/* With the mutex held, also afterwards. */
static int enter(kri_process_pool *pool, kr_time deadline)
{
    int err;
    while (!(err = why_closed(pool)) && is_full(pool)) {
        uint32_t seen = kri_load_rlx(&pool->room);
        kri_mutex_unlock(&pool->mutex);
        err = deadline ? kri_wait_for(&pool->room, seen, deadline, 0, describe_room) : -ETIMEDOUT;
        kri_mutex_lock(&pool->mutex);
        if (err && err != -EAGAIN)
            return err;
    }
    return err;
}

int kri_job_submit(kr_executor *executor, kr_future *f, kr_time deadline)
{
    kri_process_pool *pool = kri_process_pool_of(executor);
    kri_mutex_lock(&pool->mutex);
    int err = enter(pool, deadline);
    if (err) {
        kri_mutex_unlock(&pool->mutex);
        return err;
    }
    bool rouse = pool->outstanding++ == 0 && pool->watches;
    if (pool->outstanding > (size_t)pool->wanted && pool->wanted < pool->executor.workers) {
        pool->wanted++;
        rouse = true;
    }
    kri_job_put(pool, kri_job_of(f));
    if (kri_future_is_watched(f))
        kri_job_watch(pool, kri_job_of(f));
    if (rouse)
        kri_process_pool_rouse(pool);
    pool->to_call++;
    (void)kri_process_pool_unlock(pool);
    return 0;
}
