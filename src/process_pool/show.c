/* A process pool on the status page.
 *
 * Called with the list of all pools held, so that the pool stays.  What the pool's mutex guards is
 * left out when somebody has it.  Who runs what is read from the slots, which are the truth, and
 * since when from what the worker has noted beside the state of its slot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include <string.h>

#include "os/os.h"

struct show {
    kri_process_pool *pool;
    kri_pool_row *row;
    kri_worker_row *workers[KRI_WORKERS_MAX]; /* by number; NULL: none */
    uint64_t completed;                       /* in slots, and not taken yet */
};

static uint32_t state_of(const kri_work_record *record)
{
    uint32_t status = kri_load_acq(&record->status);
    if (status == KRI_WORKER_STARTS)
        return KRI_ROW_STARTS;
    return status == KRI_WORKER_WORKS ? KRI_ROW_IDLE : KRI_ROW_LEFT;
}

static void show_worker(struct show *show, uint32_t number, kri_view *view)
{
    const kr_process *process = show->pool->workers[number].process;
    if (!process)
        return;
    const kri_work_record *record = kri_work_record_of(&show->pool->work, number);
    kri_worker_row *row = kri_view_worker(view, show->row, number);
    if (!row)
        return;
    row->native = (uint32_t)kr_process_pid(process);
    row->state = state_of(record);
    row->done = kri_load_rlx64(&record->tasks);
    row->begun = row->done;
    show->workers[number] = row;
    show->row->workers++;
    show->row->idle += row->state == KRI_ROW_IDLE;
}

static void show_running(struct show *show, uint64_t state, const kri_job *job, kr_time now)
{
    uint32_t number = kri_slot_worker(state);
    kri_worker_row *row = number < KRI_WORKERS_MAX ? show->workers[number] : NULL;
    show->row->running++;
    if (!row)
        return;
    const kri_work_record *record = kri_work_record_of(&show->pool->work, number);
    kr_time began = (kr_time)kri_load_rlx64(&record->began);
    bool known = kri_load_acq64(&record->running) == state && began <= now;
    show->row->idle -= row->state == KRI_ROW_IDLE;
    row->state = KRI_ROW_RUNS;
    row->begun = row->done + 1;
    row->task = (uint64_t)(uintptr_t)job->task.fn;
    row->since = known ? (uint64_t)(now - began) : 0;
}

static void show_slots(struct show *show, kr_time now)
{
    const kri_process_pool *pool = show->pool;
    for (uint32_t i = 0; i < KRI_POOL_SLOTS; i++) {
        const kri_job *job = pool->in_slots[i];
        if (!job)
            continue;
        uint64_t state = kri_slot_look(&pool->work.slots[i]);
        if (kri_slot_phase(state) == KRI_SLOT_RUNNING)
            show_running(show, state, job, now);
        else
            show->completed += kri_slot_phase(state) == KRI_SLOT_DONE;
    }
}

static void show_guarded(struct show *show, kri_view *view)
{
    const kri_process_pool *pool = show->pool;
    kri_pool_row *row = show->row;
    for (uint32_t i = 0; i < pool->work.workers; i++)
        show_worker(show, i, view);
    show_slots(show, os_now());
    uint64_t begun = row->running + show->completed;
    row->queued = pool->outstanding > begun ? pool->outstanding - begun : 0;
    row->done = pool->over + show->completed;
    row->flags |= pool->shut ? KRI_ROW_SHUT : 0;
    row->flags |= pool->broken ? KRI_ROW_BROKEN : 0;
}

void kri_process_pool_show(kri_process_pool *pool, kri_view *view)
{
    uint64_t id = (uint64_t)KRI_ROW_PROCESSES << 60 | (uintptr_t)pool;
    struct show show = {.pool = pool};
    show.row = kri_view_pool(view, KRI_ROW_PROCESSES, id, pool->name);
    if (!show.row)
        return;
    show.row->limit = (uint32_t)pool->executor.workers;
    if (!kri_mutex_try(&pool->mutex)) {
        show.row->flags |= KRI_ROW_BUSY;
        return;
    }
    show_guarded(&show, view);
    kri_mutex_unlock(&pool->mutex);
}
