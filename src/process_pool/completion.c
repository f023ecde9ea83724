/* How the parent of a process pool hears of what is done.
 *
 * State.  Each worker has a ring of the slots that it has done, which it alone writes; how far the
 * parent has read it stands in the parent's memory.  Two bells: the leader's, who waits for a
 * future and takes what comes meanwhile, and the collector's, a thread for the time when nobody
 * leads.  A bell is
 *     CALLED    nobody needs to be told: there is no one, or he looks anyway
 *     LOOKING   whoever it is looks at this word, or is on his way to sleep
 *     ASLEEP    he sleeps on it
 *
 * Protocol.
 *     A worker puts the slot into its ring and then rings the first bell that is not CALLED, the
 *     leader's before the collector's: it writes CALLED and wakes one who sleeps.
 *     Who wants to be told writes LOOKING, looks through all rings once more, and sleeps.  Who does
 *     not any more writes CALLED and looks once more: what was put before that he finds himself,
 *     what is put later rings the other bell.
 *     Where it was a leader who took what was completed last, and none is there now, the next one
 *     is perhaps just on his way from his submit to his wait.  Then the worker tells nobody as long
 *     as it is idle, up to PATIENCE (2 ms, calls.c); after that, or before it takes up another
 *     task, it looks whether its slot has been taken, and if not rings the collector's bell, and no
 *     worker is patient any more until a leader has taken something again.
 *     A worker that dies between the put and the wake, or before the put, has told nobody.  Whoever
 *     settles its death looks at its slots, and rings both bells, and wakes whatever stands there:
 *     the dead one may have written CALLED and come no further.
 *     There is always room: at most as many slots are done and not taken as there are slots.
 *
 * Ordering.
 *     [completion-1]  who sees the count sees the entry: the count is stored sequentially
 *                     consistent, which releases, and read with acquire
 *     [completion-2]  a worker writes its count and then reads the bells; the parent writes a bell
 *                     and then reads the counts: all sequentially consistent
 *     [completion-3]  a leader that leaves looks at the counts once more, so what was put before
 *                     that is taken; the collector hears of what is put after.  A slot that is seen
 *                     DONE though it was taken rings a bell in vain
 *
 * Why a ring for each?  Workers would fight for a common one, and one that is killed in it would
 * have to be helped out.  Why two bells?  A round trip would wake the collector, and that the
 * waiter: three wake-ups where two do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/work.h"

static kr_word *entries_of(kri_work_record *record)
{
    return (kr_word *)(record + 1);
}

static bool ring(kri_work_bell *bell) /* false: there was no need */
{
    if (kri_load_sc(&bell->word) == KRI_CALLED) /* [completion-2] */
        return false;
    kri_spin_word_note_waker(&bell->hint);
    uint32_t before = kri_swap_sc(&bell->word, KRI_CALLED);
    if (before == KRI_ASLEEP)
        kri_wake(&bell->word, 1, KRI_SHARED);
    return before != KRI_CALLED;
}

void kri_completion_learn(const kri_work *work, bool by_leader)
{
    if (kri_load_rlx(&work->area->patience) != by_leader)
        kri_store_rlx(&work->area->patience, by_leader);
}

bool kri_completion_put(const kri_work *work, uint32_t worker, uint32_t slot)
{
    kri_work_record *record = kri_work_record_of(work, worker);
    uint64_t count = kri_load_rlx64(&record->completed);
    kri_store_rlx(&entries_of(record)[count & (work->slot_count - 1)], slot);
    kri_store_sc64(&record->completed, count + 1); /* [completion-1] [completion-2] */
    if (ring(&work->area->bells[KRI_BELL_LEADER]))
        return true;
    if (kri_load_rlx(&work->area->patience))
        return false;
    (void)ring(&work->area->bells[KRI_BELL_COLLECTOR]);
    return true;
}

void kri_completion_tell(const kri_work *work, uint32_t worker, int *kept)
{
    if (*kept < 0)
        return;
    uint64_t state = kri_load_sc64(&work->slots[*kept].state); /* [completion-3] */
    if (kri_slot_phase(state) == KRI_SLOT_DONE && kri_slot_worker(state) == worker) {
        kri_completion_learn(work, false);
        (void)ring(&work->area->bells[KRI_BELL_COLLECTOR]);
    }
    *kept = -1;
}

int kri_completion_get(const kri_work *work, uint32_t worker, uint64_t *taken)
{
    kri_work_record *record = kri_work_record_of(work, worker);
    if (kri_load_sc64(&record->completed) == *taken) /* [completion-1] [completion-2] */
        return -1;
    uint32_t slot = kri_load_rlx(&entries_of(record)[*taken & (work->slot_count - 1)]);
    ++*taken;
    return (int)slot;
}

void kri_work_bell_begin(const kri_work *work, int bell)
{
    kri_store_sc(&work->area->bells[bell].word, KRI_LOOKING); /* [completion-2] */
}

void kri_work_bell_end(const kri_work *work, int bell)
{
    kri_store_sc(&work->area->bells[bell].word, KRI_CALLED); /* [completion-2] */
}

bool kri_work_bell_spin(const kri_work *work, int bell, kr_time deadline, kr_time *began)
{
    kri_work_bell *b = &work->area->bells[bell];
    return kri_spin_word(&b->word, KRI_LOOKING, deadline, &b->hint, began);
}

int kri_work_bell_wait(const kri_work *work, int bell, kr_time deadline, unsigned flags)
{
    kr_word *word = &work->area->bells[bell].word;
    uint32_t looking = KRI_LOOKING;
    if (!kri_cas_sc(word, &looking, KRI_ASLEEP))
        return 0;
    return kri_wait(word, KRI_ASLEEP, deadline, flags | KRI_SHARED);
}

void kri_work_bell_ring(const kri_work *work, int bell)
{
    (void)ring(&work->area->bells[bell]);
}

void kri_work_bells_ring_for_dead(const kri_work *work)
{
    for (int i = 0; i < KRI_BELLS; i++) {
        kri_work_bell *bell = &work->area->bells[i];
        (void)kri_swap_sc(&bell->word, KRI_CALLED);
        kri_wake(&bell->word, 1, KRI_SHARED);
    }
}

void kri_work_bell_learn(const kri_work *work, int bell, kr_time began)
{
    kri_spin_word_learn(&work->area->bells[bell].hint, began);
}
