/* What a worker of a process pool does all its life: take what is ready, run it, say so, sleep.
 *
 * It holds no lock and owes nobody anything: it may be killed between any two steps.  Once it is
 * condemned, which it finds out at the end of its task, it takes no further one: see slots.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/work.h"

enum { LOW_FIRST_EVERY = 64 };

/* The task in the slot has ended.  kept: a slot whose completion is still to be told, or -1; false:
 * the worker is condemned. */
static bool complete(const kri_work *work, uint32_t worker, uint32_t slot, int *kept)
{
    if (!kri_slot_pass(&work->slots[slot]))
        return false;
    kri_worker_search(work, worker);
    kri_slot_finish(&work->slots[slot]);
    *kept = kri_completion_put(work, worker, slot) ? -1 : (int)slot;
    return true;
}

bool kri_worker_loop(const kri_work *work, uint32_t worker, uint64_t most, kri_work_run run,
                     void *arg)
{
    uint64_t tasks = 0;
    int kept = -1;
    while ((most == 0 || tasks < most) && !kri_worker_is_dismissed(work, worker)) {
        uint32_t closing = kri_load_acq(&work->area->closing);
        if (closing > 1)
            break;
        int slot = kri_ready_take(work, worker, tasks % LOW_FIRST_EVERY == LOW_FIRST_EVERY - 1);
        if (slot >= 0) {
            kri_worker_found(work, worker);
            kri_completion_tell(work, worker, &kept);
            run(arg, (uint32_t)slot);
            if (!complete(work, worker, (uint32_t)slot, &kept))
                return false;
            tasks++;
        } else if (closing) {
            break;
        } else {
            kri_worker_wait(work, worker, &kept);
        }
    }
    kri_worker_found(work, worker);
    kri_completion_tell(work, worker, &kept);
    return true;
}
