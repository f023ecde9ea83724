/* How the idle workers of a process pool sleep, and are called.
 *
 * State.  A worker that finds nothing sets its bit among the idle and sleeps on its own word:
 *     CALLED    it is not idle, or was called and does not know it yet
 *     LOOKING   it can be called and does not sleep
 *     ASLEEP    it does, or is about to
 *
 * Protocol.
 *     A worker writes LOOKING, sets its bit, and looks once more for what is ready; then it spins
 *     for a moment where that pays, and sleeps.  Woken, or having found something, it takes its bit
 *     out.
 *     Who has put something takes the lowest bit out and writes CALLED to that worker's word: one
 *     call for each put, while there are idle ones.  The worker that is called looks at least once
 *     after that.  So the lowest are called again and again, and their caches are warm.
 *     A worker that has been idle is searching until it has found something, or is idle again: it
 *     may have been relied on before, so it has to see to what else there is.  So is one
 *     that ends a task and sees no other:
 *     before its completion is known, so that whoever gets that and puts the next task calls nobody
 *     else.  While somebody searches nobody is called.  A searcher that has found one says so, and
 *     if there is more calls another itself.
 *     A worker that has told nobody of its last completion sleeps for PATIENCE at most before it
 *     does; see completion.c.  Called before that, it has slept once, and set one timer.
 *     A worker that is always called from the processor on which it sleeps moves to another one:
 *     kernels leave the woken there while few processors are idle, on average, although it takes
 *     the processor from its caller, and both could spin if they were apart.  How often is enough
 *     doubles with each move, and falls slowly while they are apart; so where moving does not help
 *     it is seldom tried.
 *     One that is dismissed leaves as soon as it is in no task: whoever dismisses it says so in its
 *     record and calls it, and it reads that before it takes a task and before it sleeps.
 *     A call that goes to a dying worker is lost, and so is one by a dying worker, which may have
 *     taken a bit out, or written CALLED, and come no further.  Whoever settles a death calls all,
 *     whatever stands in their words.
 *
 * Ordering.
 *     [calls-1]  a bit is set, and then the rings are read; a ring is written, and then the bits
 *                are read: all sequentially consistent, see [ready-3]
 *                The same holds for a searcher: it takes its bit out, and then reads the rings;
 *                and for who is dismissed: it is told and then called, and looks after LOOKING
 *     [calls-2]  the word is LOOKING before the bit is seen: who takes a bit out acquires what its
 *                setting released, and writes CALLED after it
 *
 * Why not one word for all?  Each put would have to change it, and the kernel wake whom it likes.
 * Why not be less patient?  A time limit that is near makes the kernel set the hardware's timer, at
 * every sleep: with 50 us a round trip on one processor took 1.7 us more.  A longer PATIENCE only
 * holds up what no leader waits for, and of that only what is done first after leaders took the
 * last: whoever tells the collector ends all patience until a leader takes something again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/work.h"

enum { PATIENCE = 2000 * 1000, LONG_IDLE = 100 * 1000 * 1000 }; /* nanoseconds */
enum { FEW_BESIDE = 8, MANY_BESIDE = 4096 };

static kri_word64 *bits_of(const kri_work *work, uint32_t worker)
{
    return &work->area->idle[worker / 64];
}

static uint64_t bit_of(uint32_t worker)
{
    return (uint64_t)1 << worker % 64;
}

static kri_word64 *search_of(const kri_work *work, uint32_t worker)
{
    return &work->area->searching[worker / 64];
}

static bool stop_search(const kri_work *work, uint32_t worker)
{
    kri_word64 *bits = search_of(work, worker);
    if (!(kri_load_rlx64(bits) & bit_of(worker)))
        return false;
    (void)kri_and_sc64(bits, ~bit_of(worker)); /* [calls-1] */
    return true;
}

void kri_worker_search(const kri_work *work, uint32_t worker)
{
    if (!kri_ready_seems(work))
        (void)kri_or_sc64(search_of(work, worker), bit_of(worker));
}

void kri_worker_found(const kri_work *work, uint32_t worker)
{
    if (stop_search(work, worker) && kri_ready_some(work))
        kri_worker_call(work);
}

/* True: it was not called by then. */
static bool sleep_until(kr_word *call, kr_time deadline)
{
    while (kri_load_acq(call) == KRI_ASLEEP) {
        unsigned flags = KRI_SHARED | KRI_UNCANCELLABLE | KRI_IDLE;
        if (kri_wait(call, KRI_ASLEEP, deadline, flags) == -ETIMEDOUT)
            return kri_load_acq(call) == KRI_ASLEEP;
    }
    return false;
}

static bool spin(kri_work_record *record, kr_time *began)
{
    bool called = kri_spin_word(&record->call, KRI_LOOKING, KRI_NEVER, &record->call_hint, began);
    if (*began) {
        record->beside = 0;
        record->more_beside -= record->more_beside > 0;
    }
    return called;
}

/* true: the caller's processor is another one now. */
static bool move(const kri_work *work, kri_work_record *record)
{
    if (!work->move || ++record->beside < FEW_BESIDE + record->more_beside)
        return false;
    record->beside = 0;
    if (record->more_beside < MANY_BESIDE)
        record->more_beside += FEW_BESIDE + record->more_beside;
    return work->move();
}

static void sleep_until_called(const kri_work *work, uint32_t worker, int *kept)
{
    kri_work_record *record = kri_work_record_of(work, worker);
    kr_time began = 0;
    bool called = spin(record, &began);
    if (!called && !began && move(work, record))
        called = spin(record, &began);
    if (!called) {
        uint32_t looking = KRI_LOOKING;
        bool asleep = kri_cas_sc(&record->call, &looking, KRI_ASLEEP);
        if (asleep && *kept >= 0 && !began)
            asleep = sleep_until(&record->call, kri_deadline(PATIENCE));
        if (asleep)
            kri_completion_tell(work, worker, kept);
        if (asleep && work->long_idle && sleep_until(&record->call, kri_deadline(LONG_IDLE)))
            work->long_idle();
        if (asleep)
            (void)sleep_until(&record->call, KRI_NEVER);
    }
    kri_spin_word_learn(&record->call_hint, began);
}

void kri_worker_wait(const kri_work *work, uint32_t worker, int *kept)
{
    kri_work_record *record = kri_work_record_of(work, worker);
    kri_store_rlx(&record->call, KRI_LOOKING);
    kri_or_sc64(bits_of(work, worker), bit_of(worker)); /* [calls-1] [calls-2] */
    stop_search(work, worker);
    if (!kri_ready_some(work) && !kri_load_sc(&work->area->closing) &&
        !kri_worker_is_dismissed(work, worker))
        sleep_until_called(work, worker, kept);
    (void)kri_or_sc64(search_of(work, worker), bit_of(worker));
    (void)kri_and_sc64(bits_of(work, worker), ~bit_of(worker));
}

static void call(const kri_work *work, uint32_t worker, bool in_any_case)
{
    kri_work_record *record = kri_work_record_of(work, worker);
    kri_spin_word_note_waker(&record->call_hint);
    if (kri_swap_sc(&record->call, KRI_CALLED) == KRI_ASLEEP || in_any_case)
        kri_wake(&record->call, 1, KRI_SHARED);
}

static bool somebody_searches(const kri_work *work)
{
    for (uint32_t i = 0; i * 64 < work->workers; i++)
        if (kri_load_sc64(&work->area->searching[i]) != 0) /* [calls-1] */
            return true;
    return false;
}

void kri_worker_call(const kri_work *work)
{
    if (somebody_searches(work))
        return;
    for (uint32_t i = 0; i * 64 < work->workers; i++) {
        kri_word64 *bits = &work->area->idle[i];
        uint64_t idle;
        while ((idle = kri_load_sc64(bits)) != 0) { /* [calls-1] */
            uint32_t lowest = (uint32_t)__builtin_ctzll(idle);
            if (kri_and_acq_rel64(bits, ~bit_of(lowest)) & bit_of(lowest)) { /* [calls-2] */
                call(work, i * 64 + lowest, false);
                return;
            }
        }
    }
}

void kri_worker_call_all(const kri_work *work)
{
    for (uint32_t worker = 0; worker < work->workers; worker++)
        call(work, worker, true);
}

bool kri_worker_dismiss(const kri_work *work, uint32_t worker)
{
    kri_work_record *record = kri_work_record_of(work, worker);
    uint32_t starts = KRI_WORKER_STARTS, works = KRI_WORKER_WORKS;
    if (kri_cas_sc(&record->status, &starts, KRI_WORKER_CONDEMNED))
        return false;
    if (kri_cas_sc(&record->status, &works, KRI_WORKER_DISMISSED)) /* [calls-1] */
        call(work, worker, true);
    return true;
}

bool kri_worker_is_dismissed(const kri_work *work, uint32_t worker)
{
    const kri_work_record *record = kri_work_record_of(work, worker);
    return kri_load_sc(&record->status) == KRI_WORKER_DISMISSED; /* [calls-1] */
}

void kri_worker_reset(const kri_work *work, uint32_t worker)
{
    kri_work_record *record = kri_work_record_of(work, worker);
    (void)kri_and_sc64(bits_of(work, worker), ~bit_of(worker));
    (void)kri_and_sc64(search_of(work, worker), ~bit_of(worker));
    kri_store_rlx(&record->call, KRI_CALLED);
    kri_store_rlx64(&record->completed, 0);
    kri_store_rlx64(&record->running, 0);
    kri_store_rlx64(&record->tasks, 0);
    record->error = 0;
    record->beside = 0;
    record->more_beside = 0;
    kri_store_rel(&record->status, KRI_WORKER_STARTS);
}
