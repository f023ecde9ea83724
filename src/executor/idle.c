/* Who works: calling workers, searching, parking, and who replaces a worker that waits.
 *
 * State.  A worker with a thread is
 *     running    it runs a task, or is on its way to one
 *     searching  running, too: the one that looks for work again and again before it sleeps
 *     sleeping   in the list of the idle, on its word `called`
 *     waiting    in a task that waits for another task
 * Running are those alive but not sleeping or waiting.  There should be as many as `workers` says,
 * and in all pools of a budget together as many as its limit, but each pool may always run one.
 *
 * Fields.  The legend is at the struct.  callable, excess and ending follow from what the mutex
 * guards, and are written under it, so that others can see without it whether there is anything to
 * be done.
 *
 * Protocol.
 *     Who has queued something looks whether somebody could be called and nobody searches; only
 *     then he takes the mutex, makes a sleeper, the one that slept last, the searcher, and wakes
 *     it.  So at most one call is on its way, and none without a task for it.
 *     A searcher that is about to run a task stops searching; if it sees more work it calls the
 *     next.  What it has found may turn out to be a shell: then it goes on.
 *     One that has found nothing for a while goes to sleep: it says that it can be called, then
 *     that it does not search any more, and then looks once more everywhere.
 *     A task is finished by one who has nothing else to do: he becomes the searcher before the
 *     result is known, so that whoever gets it and submits the next task finds him, and calls or
 *     starts no other.
 *     When a task waits for another one its worker is no longer running, so another can be called,
 *     or a spare one started.  When it goes on, there may be too many: those park who are between
 *     tasks.  Spare workers leave after they have slept for a while.
 *     A caller holds the search, under the mutex, while he looks whether there still is work: if
 *     somebody got up and took it meanwhile, another thread would be started for nothing, and stay.
 *     So in a pool that has ended nobody is started any more: a submitter may come here after the
 *     worker that has found its task has left, and the shutdown joins threads without the mutex.
 *
 * Ordering.
 *     [pool-1]  Who queues writes the queue and reads `callable` and `searching`; who goes to sleep
 *               writes `callable`, then `searching`, and reads the queues.  All are sequentially
 *               consistent, so either the one sees the task or the other the sleeper.
 *     [pool-2]  what was done before a worker is called is visible to it: the store to `called` is
 *               sequentially consistent, as the wake needs it, and is read with acquire
 *
 * Why not call one worker for each task?  A wake-up costs more than most tasks; the worker that is
 * already searching takes several tasks in that time, and calls for more if there are more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

#include "os/os.h"

enum { SPARE_STAYS_MS = 2000 };
enum { BRIEFLY = 10 * 1000, LOOKS_PER_CLOCK = 8 }; /* nanoseconds; a wake-up costs more */

/* Calling. */

void kri_worker_wake(kri_worker *worker, uint32_t how)
{
    kri_store_sc(&worker->called, how); /* [pool-2] */
    kri_wake(&worker->called, 1, 0);
}

/* A shut pool is ended by the last worker that finds nothing.  If that one went to sleep because
 * it saw work, or somebody who was to come, and that has vanished, one has to look again. */
void kri_pool_rouse(kri_pool *pool)
{
    kri_worker *worker = pool->idle;
    if (!pool->shut || !worker || kri_roster_running(pool) > 0 || pool->waiting > 0)
        return;
    kri_roster_raise(worker);
    kri_worker_wake(worker, KRI_CALLED_TO_LOOK);
}

void kri_pool_hold_drop(kri_pool *pool)
{
    pool->holds--;
    kri_pool_rouse(pool);
    kri_pool_check_ended(pool);
}

void kri_pool_hold(kri_pool *pool)
{
    kri_mutex_lock(&pool->budget->mutex);
    pool->holds++;
    kri_mutex_unlock(&pool->budget->mutex);
}

void kri_pool_let_go(kri_pool *pool)
{
    kri_mutex_lock(&pool->budget->mutex);
    kri_pool_hold_drop(pool);
    kri_mutex_unlock(&pool->budget->mutex);
}

/* What it was until now: the search has been claimed if nobody searched. */
static uint32_t claim_as(kri_pool *pool, uint32_t how)
{
    uint32_t before = kri_load_sc(&pool->searching);
    if (before == KRI_NOBODY_SEARCHES)
        (void)kri_cas_sc(&pool->searching, &before, how);
    return before;
}

static bool claim_search(kri_pool *pool)
{
    return claim_as(pool, KRI_SEARCHING) == KRI_NOBODY_SEARCHES;
}

static void call_neighbours(kri_pool *pool);

/* Start a thread, which alive, holds and the search were counted for.  Without the mutex. */
static int start(kri_pool *pool)
{
    int err = kri_worker_start(pool);
    kri_mutex_lock(&pool->budget->mutex);
    if (err) {
        pool->refused = true;
        kri_roster_count(pool, -1, 0, 0);
        kri_store_sc(&pool->searching, 0); /* [pool-1] */
    }
    kri_pool_hold_drop(pool);
    kri_mutex_unlock(&pool->budget->mutex);
    if (err)
        call_neighbours(pool);
    return err;
}

/* true: there is more work, which those who saw the search left to it. */
static bool give_up_search(kri_pool *pool)
{
    kri_store_sc(&pool->searching, KRI_NOBODY_SEARCHES); /* [pool-1] */
    return kri_pool_has_work(pool);
}

/* With the mutex held: claim it for somebody who is to come, unless the work has gone meanwhile. */
static bool claim_search_for_work(kri_pool *pool)
{
    while (claim_as(pool, KRI_CALLING) == KRI_NOBODY_SEARCHES) {
        if (kri_pool_has_work(pool)) {
            kri_store_sc(&pool->searching, KRI_SEARCHING); /* [pool-1] */
            return true;
        }
        if (!give_up_search(pool))
            break;
    }
    return false;
}

/* With the mutex held: choose whom to call; *grow says that one is to be started instead. */
static kri_worker *choose(kri_pool *pool, bool *grow)
{
    kri_worker *worker = pool->idle;
    *grow = !worker && kri_roster_may_grow(pool);
    if (!kri_roster_may_run_more(pool) || !(worker || *grow) || !claim_search_for_work(pool)) {
        *grow = false;
        return NULL;
    }
    if (worker) {
        pool->wakeups++;
        kri_roster_raise(worker);
    } else {
        pool->holds++;
        kri_roster_count(pool, 1, 0, 0);
    }
    return worker;
}

static __attribute__((noinline)) void call(kri_pool *pool)
{
    bool grow;
    do {
        kri_mutex_lock(&pool->budget->mutex);
        kri_worker *worker = choose(pool, &grow);
        kri_mutex_unlock(&pool->budget->mutex);
        if (worker)
            kri_worker_wake(worker, KRI_CALLED_TO_SEARCH);
    } while (grow && start(pool) != 0 && kri_pool_has_work(pool));
}

bool kri_pool_could_call(kri_pool *pool)
{
    uint32_t searching = kri_load_sc(&pool->searching); /* [pool-1] [nap-1] */
    if (searching == KRI_NOBODY_SEARCHES)
        return kri_load_sc(&pool->callable); /* [pool-1] */
    if (searching == KRI_NAPPING)
        kri_pool_rely(pool);
    return false;
}

void kri_pool_notify(kri_pool *pool)
{
    if (kri_pool_could_call(pool))
        call(pool);
}

int kri_pool_start_first(kri_pool *pool)
{
    kri_mutex_lock(&pool->budget->mutex);
    bool late = pool->shut; /* and perhaps ended already */
    if (!late) {
        pool->holds++;
        kri_roster_count(pool, 1, 0, 0);
        (void)claim_search(pool);
    }
    kri_mutex_unlock(&pool->budget->mutex);
    return late ? KR_ESHUTDOWN : start(pool);
}

/* Another pool of the budget may run more now: call one of its workers, if there is work. */
static void call_neighbours(kri_pool *pool)
{
    kri_budget *budget = pool->budget;
    if (kri_load_rlx(&budget->references) == 1)
        return;
    kri_worker *called = NULL;
    kri_pool *grown = NULL;
    bool grow = false;
    kri_mutex_lock(&budget->mutex);
    for (kri_pool *other = budget->pools; other && !called && !grow; other = other->neighbour) {
        if (other != pool && kri_load_sc(&other->callable))
            called = choose(other, &grow);
        if (grow) {
            grown = other;
            kri_add_rlx(&other->references, 1);
        }
    }
    kri_mutex_unlock(&budget->mutex);
    if (called)
        kri_worker_wake(called, KRI_CALLED_TO_SEARCH);
    if (grown) {
        if (start(grown) != 0 && kri_pool_has_work(grown))
            kri_pool_notify(grown); /* it could have been called in vain meanwhile */
        kri_pool_unref(grown);
    }
}

/* The hold keeps a shut pool from ending before somebody was called for what is left. */
void kri_worker_abandon(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    kri_mutex_lock(&pool->budget->mutex);
    pool->holds++;
    kri_roster_count(pool, -1, 0, 0);
    kri_mutex_unlock(&pool->budget->mutex);
    if (worker->searches)
        kri_worker_stop_search(worker);
    else if (kri_pool_has_work(pool))
        kri_pool_notify(pool);
    call_neighbours(pool);
    kri_pool_let_go(pool);
}

/* Searching. */

bool kri_worker_begin_search(kri_worker *worker)
{
    if (!worker->searches)
        worker->searches = claim_search(worker->pool);
    return worker->searches;
}

static bool nobody_searches_yet(const kri_pool *pool)
{
    uint32_t searching = kri_load_sc(&pool->searching);
    return searching == KRI_NOBODY_SEARCHES || searching == KRI_CALLING;
}

/* A caller who gives the search up again must not have kept it from this worker. */
void kri_worker_begin_search_surely(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    if (kri_worker_begin_search(worker) || !nobody_searches_yet(pool))
        return;
    kri_mutex_lock(&pool->budget->mutex);
    (void)kri_worker_begin_search(worker);
    kri_mutex_unlock(&pool->budget->mutex);
}

void kri_worker_stop_search(kri_worker *worker)
{
    worker->searches = false;
    if (give_up_search(worker->pool))
        kri_pool_notify(worker->pool);
}

bool kri_pool_has_work(const kri_pool *pool)
{
    for (int lane = 0; lane < KRI_LANES; lane++)
        if (!kri_injection_is_empty(&pool->lanes[lane])) /* [pool-1] */
            return true;
    uint32_t used = kri_load_acq(&pool->slots_used);
    for (uint32_t i = 0; i < used; i++) {
        const kri_worker *worker = kri_load_acq_ptr(&pool->slots[i]);
        if (!kri_deque_is_empty(&worker->deque)) /* [pool-1] */
            return true;
    }
    return false;
}

/* Sleeping. */

void kri_pool_leave(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    worker->next_free = pool->free;
    pool->free = worker;
    kri_roster_count(pool, -1, 0, 0);
    kri_pool_check_ended(pool);
}

/* The pool is shut and the last worker has nothing to do: nothing can come any more. */
static bool is_last_of_all(const kri_pool *pool)
{
    return pool->shut && kri_roster_running(pool) == 1 && pool->waiting == 0 &&
           !kri_pool_has_work(pool);
}

static bool is_spare(const kri_pool *pool)
{
    return pool->alive > pool->executor.workers;
}

void kri_workers_wake(kri_worker *worker)
{
    while (worker) {
        kri_worker *next = worker->next_idle;
        kri_worker_wake(worker, KRI_CALLED_TO_LOOK);
        worker = next;
    }
}

/* Go into the list, unless it is time to leave (false).  *must_sleep: the others are enough. */
static bool lie_down(kri_worker *worker, bool *must_sleep, bool *spare)
{
    kri_pool *pool = worker->pool;
    kri_worker *others = NULL;
    kri_mutex_lock(&pool->budget->mutex);
    if (!kri_load_rlx(&pool->ending) && is_last_of_all(pool)) {
        kri_store_rel(&pool->ending, 1);
        others = kri_pool_take_idle(pool);
    }
    bool leave = kri_load_rlx(&pool->ending);
    pool->refused = false;
    *must_sleep = kri_roster_runs_too_many(pool);
    *spare = is_spare(pool);
    if (leave) {
        kri_pool_leave(worker);
    } else {
        kri_store_rlx(&worker->called, KRI_NOT_CALLED);
        kri_roster_lay_down(worker);
    }
    if (worker->searches)
        kri_store_sc(&pool->searching, 0); /* [pool-1] */
    worker->searches = false;
    kri_mutex_unlock(&pool->budget->mutex);
    kri_workers_wake(others);
    return !leave;
}

/* Back to work without having been called, as the searcher: nobody else is called for what it has
 * seen, and if there is more it calls others, on which those rely who saw it search.  false:
 * somebody is calling it right now. */
static bool get_up(kri_worker *worker)
{
    kri_mutex_lock(&worker->pool->budget->mutex);
    bool up = worker->idle;
    if (up) {
        kri_roster_raise(worker);
        worker->searches = claim_search(worker->pool);
    }
    kri_mutex_unlock(&worker->pool->budget->mutex);
    return up;
}

/* A worker has slept long enough to be given up; false: it was called meanwhile, or is needed. */
static bool retire(kri_worker *worker)
{
    kri_mutex_lock(&worker->pool->budget->mutex);
    bool gone = worker->idle && is_spare(worker->pool);
    if (gone) {
        kri_roster_raise(worker);
        kri_pool_leave(worker);
    }
    kri_mutex_unlock(&worker->pool->budget->mutex);
    return gone;
}

/* Until called; false: retired. */
static bool sleep_until_called(kri_worker *worker, bool spare)
{
    kr_time deadline = spare ? kri_deadline(kr_ms(SPARE_STAYS_MS)) : KRI_NEVER;
    while (!kri_load_acq(&worker->called)) { /* [pool-2] */
        int err = kri_wait(&worker->called, KRI_NOT_CALLED, deadline, KRI_UNCANCELLABLE | KRI_IDLE);
        if (err != -ETIMEDOUT)
            continue;
        if (retire(worker))
            return false;
        deadline = KRI_NEVER;
    }
    return true;
}

bool kri_worker_park(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    bool must_sleep;
    bool spare;
    bool stays = lie_down(worker, &must_sleep, &spare);
    call_neighbours(pool);
    if (!stays)
        return false;
    if (!must_sleep && kri_pool_has_work(pool) && get_up(worker)) /* [pool-1] */
        return true;
    if (!sleep_until_called(worker, spare))
        return false;
    worker->searches = kri_load_acq(&worker->called) == KRI_CALLED_TO_SEARCH; /* [pool-2] */
    worker->called_to_work = worker->searches;
    return true;
}

/* Waiting for another task. */

bool kri_wait_briefly(const kr_word *word, bool (*is_over)(uint32_t bits))
{
    if (!kri_spin_pays() || kri_party_shares_thread() || kri_party_self()->hooks != NULL)
        return is_over(kri_load_acq(word));
    kr_time end = os_now() + BRIEFLY;
    do {
        for (int look = 0; look < LOOKS_PER_CLOCK; look++) {
            if (is_over(kri_load_acq(word)))
                return true;
            os_pause();
        }
    } while (os_now() < end);
    return false;
}

static void set_waiting(kri_worker *worker, bool waits)
{
    kri_pool *pool = worker->pool;
    kri_mutex_lock(&pool->budget->mutex);
    worker->waits++;
    kri_roster_count(pool, 0, 0, waits ? 1 : -1);
    kri_mutex_unlock(&pool->budget->mutex);
}

void kri_wait_begin(kri_frame *frame)
{
    kri_worker *worker = frame ? frame->worker : NULL;
    if (!worker)
        return;
    set_waiting(worker, true);
    if (kri_pool_has_work(worker->pool))
        kri_pool_notify(worker->pool);
    call_neighbours(worker->pool);
}

void kri_wait_end(kri_frame *frame)
{
    kri_worker *worker = frame ? frame->worker : NULL;
    if (worker)
        set_waiting(worker, false);
}
