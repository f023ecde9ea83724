/* The supervisor of a process pool: a thread that starts workers, buries them, and sees to the
 * limits of time and memory.
 *
 * Protocol.
 *     It sleeps until a worker's sentinel says that it is over, it is called, or a limit is due.
 *     A dead worker's tasks are settled and its successor is started before any future ends, so
 *     that the program's callbacks and waiters do not delay that.
 *     It kills for the item that a worker is in, and nothing else.  A look under the pool's mutex
 *     shows which that is, but does not hold the worker, so it is condemned before the kill, see
 *     slots.c; if the item has ended by then, nobody is killed for it.
 *     Memory.  Which item it is in is read first, and then how much it has.  A worker that has too
 *     much and is in no task leaves of itself, so that no other task is killed for that; one that
 *     has not come to work is killed.
 *     Times.  The slots say who runs what; when it began, the worker has noted beside the state of
 *     that slot.  Where it has not come to that, it counts from when it was first seen so.  What
 *     begins after a look cannot be due before a whole time has passed, so no task has to call.
 *
 * Why a kill, and no signal to the task?  C code that does not come back cannot be stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/pool.h"

#include "os/child.h"
#include "os/os.h"
#include "wait/stall.h"

enum { EARLY_DEATHS = 3 };
#define MEMORY_EVERY ((kr_time)100 * 1000 * 1000)
#define TRY_AGAIN    ((kr_time)50 * 1000 * 1000)
#define GIVE_UP      ((kr_time)1000 * 1000 * 1000)

struct supervisor {
    kri_process_pool *pool;
    kr_time try_again; /* a start was refused; 0: none was */
    kr_time refused;   /* since when all starts were, and no worker is left; 0: they were not */
    kr_time look_at_memory;
    int *sentinels; /* of the workers that there are, and the pool's bell at the end */
    uint32_t *who;
    bool *ready;
};

/* Starting. */

static int free_place(kri_process_pool *pool)
{
    kri_mutex_lock(&pool->mutex);
    bool over = pool->stopped || pool->broken || (pool->shut && !pool->outstanding);
    int place = -1;
    if (!over && pool->alive < pool->wanted)
        for (place = 0; pool->workers[place].process; place++)
            ;
    kri_mutex_unlock(&pool->mutex);
    return place;
}

static bool has_workers(kri_process_pool *pool)
{
    kri_mutex_lock(&pool->mutex);
    bool some = pool->alive > 0;
    kri_mutex_unlock(&pool->mutex);
    return some;
}

static bool may_pass(int error)
{
    return error == -EAGAIN || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* Limits of the system are often full for a moment only. */
static void be_refused(struct supervisor *s, int error)
{
    kr_time now = os_now();
    if (has_workers(s->pool))
        s->refused = 0;
    else if (s->refused == 0)
        s->refused = now;
    if (s->refused != 0 && (!may_pass(error) || now - s->refused >= GIVE_UP))
        kri_process_pool_break(s->pool, 0);
    else
        s->try_again = now + TRY_AGAIN;
}

static void staff(struct supervisor *s)
{
    int place;
    s->try_again = 0;
    while ((place = free_place(s->pool)) >= 0) {
        int err = kri_pool_worker_start(s->pool, (uint32_t)place);
        if (err) {
            be_refused(s, err);
            return;
        }
        s->refused = 0;
    }
}

/* Burying. */

/* With the mutex held: how it went says something about the next one. */
static void draw_conclusions(kri_process_pool *pool, uint32_t worker, int *error)
{
    const kri_work_record *record = kri_work_record_of(&pool->work, worker);
    uint32_t status = kri_load_acq(&record->status);
    bool early = (status == KRI_WORKER_STARTS || status == KRI_WORKER_CONDEMNED) && !pool->stopped;
    pool->early_deaths = early ? pool->early_deaths + 1 : 0;
    if (status == KRI_WORKER_FAILED)
        *error = record->error;
    else if (pool->early_deaths >= EARLY_DEATHS)
        *error = KR_ECRASHED;
}

static void bury(struct supervisor *s, uint32_t worker)
{
    kri_process_pool *pool = s->pool;
    kri_job_list list = {NULL, NULL};
    kr_process *process = pool->workers[worker].process;
    int exit_code = KR_EXIT_UNKNOWN;
    int failure = 0;
    (void)kr_process_join(process, &exit_code, kr_sec(1));
    kri_mutex_lock(&pool->mutex);
    draw_conclusions(pool, worker, &failure);
    kri_crash_settle(pool, worker, exit_code, &list);
    pool->workers[worker].process = NULL;
    pool->alive--;
    (void)kri_process_pool_unlock(pool);
    if (failure)
        kri_process_pool_break(pool, failure);
    else
        staff(s);
    kri_jobs_conclude(pool, &list, false);
    kri_worker_call_all(&pool->work);
    kri_work_bells_ring_for_dead(&pool->work);
    kr_process_release(process);
}

/* Limits. */

/* When the item in this slot is due; KRI_NEVER: none runs there. */
static kr_time due_in(kri_process_pool *pool, uint32_t slot, kr_time now, uint32_t *item)
{
    uint64_t state = kri_slot_look(&pool->work.slots[slot]);
    if (!kri_slot_is_running(&pool->work.slots[slot], state, item))
        return KRI_NEVER;
    kri_pool_worker *w = &pool->workers[kri_slot_worker(state)];
    const kri_work_record *record = kri_work_record_of(&pool->work, kri_slot_worker(state));
    if (w->seen != state) {
        w->seen = state;
        w->seen_at = now;
    }
    kr_time began = w->seen_at;
    if (kri_load_acq64(&record->running) == state)
        began = (kr_time)kri_load_rlx64(&record->began);
    return began + pool->more.task_timeout;
}

static kr_time look_at_times(kri_process_pool *pool, kr_time now)
{
    kr_time next = KRI_NEVER;
    kri_mutex_lock(&pool->mutex);
    if (pool->outstanding)
        next = now + pool->more.task_timeout;
    for (uint32_t slot = 0; slot < pool->work.slot_count; slot++) {
        uint32_t item;
        kr_time due = due_in(pool, slot, now, &item);
        if (due <= now)
            (void)kri_crash_condemn(pool, slot, item, KR_CRASH_TIMEOUT);
        else if (due < next)
            next = due;
    }
    kri_mutex_unlock(&pool->mutex);
    return next;
}

/* With the mutex held: who is in which item. */
static void find_workers(kri_process_pool *pool)
{
    for (uint32_t worker = 0; worker < pool->work.workers; worker++)
        pool->workers[worker].runs = KRI_NO_SLOT;
    for (uint32_t slot = 0; slot < pool->work.slot_count; slot++) {
        uint32_t item;
        uint64_t state = kri_slot_look(&pool->work.slots[slot]);
        if (!kri_slot_is_running(&pool->work.slots[slot], state, &item))
            continue;
        pool->workers[kri_slot_worker(state)].runs = (int)slot;
        pool->workers[kri_slot_worker(state)].item = item;
    }
}

/* With the mutex held. */
static void limit_memory(kri_process_pool *pool, uint32_t worker)
{
    kri_pool_worker *w = &pool->workers[worker];
    int64_t resident = w->process ? os_process_resident(kr_process_pid(w->process)) : 0;
    if (resident > 0 && (uint64_t)resident > w->max_rss)
        w->max_rss = (uint64_t)resident;
    if (resident <= 0 || (uint64_t)resident <= pool->more.memory_limit)
        return;
    if (w->runs != KRI_NO_SLOT)
        (void)kri_crash_condemn(pool, (uint32_t)w->runs, w->item, KR_CRASH_MEMORY);
    else if (!kri_worker_dismiss(&pool->work, worker))
        kri_crash_kill(pool, worker, KR_CRASH_MEMORY);
}

static kr_time look_at_memory(struct supervisor *s, kr_time now)
{
    kri_process_pool *pool = s->pool;
    kri_mutex_lock(&pool->mutex);
    bool busy = pool->outstanding != 0;
    if (busy && now >= s->look_at_memory) {
        find_workers(pool);
        for (uint32_t worker = 0; worker < pool->work.workers; worker++)
            limit_memory(pool, worker);
    }
    kri_mutex_unlock(&pool->mutex);
    if (now >= s->look_at_memory)
        s->look_at_memory = now + MEMORY_EVERY;
    return busy ? s->look_at_memory : KRI_NEVER;
}

static kr_time look_at_limits(struct supervisor *s)
{
    kr_time deadline = s->try_again ? s->try_again : KRI_NEVER;
    kr_time now = os_now();
    if (s->pool->more.task_timeout) {
        kr_time next = look_at_times(s->pool, now);
        deadline = next < deadline ? next : deadline;
    }
    if (s->pool->more.memory_limit) {
        kr_time next = look_at_memory(s, now);
        deadline = next < deadline ? next : deadline;
    }
    return deadline;
}

/* The thread. */

static bool is_finished(kri_process_pool *pool)
{
    kri_mutex_lock(&pool->mutex);
    bool finished = pool->shut && !pool->outstanding && !pool->alive;
    kri_mutex_unlock(&pool->mutex);
    return finished;
}

static int list_sentinels(struct supervisor *s)
{
    int count = 0;
    for (uint32_t worker = 0; worker < s->pool->work.workers; worker++) {
        const kr_process *process = s->pool->workers[worker].process;
        if (!process)
            continue;
        s->who[count] = worker;
        s->sentinels[count++] = kr_process_sentinel(process);
    }
    s->sentinels[count] = s->pool->bell;
    return count;
}

static void watch(struct supervisor *s)
{
    int count = list_sentinels(s);
    kr_time deadline = look_at_limits(s);
    int some = os_poll_some(s->sentinels, s->ready, count + 1, deadline);
    if (some <= 0)
        return;
    if (s->ready[count])
        os_bell_clear(s->pool->bell);
    for (int i = 0; i < count; i++)
        if (s->ready[i])
            bury(s, s->who[i]);
}

static void finish(kri_process_pool *pool)
{
    kri_collector_end(pool);
    kri_teller_end(&pool->teller);
    kri_process_pool_unregister(pool);
    kri_store_sc(&pool->ended, 1);
    kri_wake(&pool->ended, KRI_ALL, 0);
    kri_stall_may_act(-1);
    kri_process_pool_unref(pool);
}

static int supervise(void *arg)
{
    struct supervisor s = *(struct supervisor *)arg;
    kri_stall_serve();
    while (!is_finished(s.pool)) {
        staff(&s);
        watch(&s);
    }
    os_free(s.sentinels);
    os_free(s.who);
    os_free(s.ready);
    finish(s.pool);
    return 0;
}

int kri_supervisor_start(kri_process_pool *pool)
{
    size_t places = pool->work.workers + 1;
    struct supervisor s = {.pool = pool,
                           .sentinels = os_alloc(places * sizeof(int)),
                           .who = os_alloc(places * sizeof(uint32_t)),
                           .ready = os_alloc(places * sizeof(bool))};
    kr_thread_options options = {.name = "krait-processes", .daemon = KR_DAEMON_YES};
    int err = s.sentinels && s.who && s.ready ? 0 : -ENOMEM;
    if (!err)
        err = kr_thread_start(&pool->supervisor, supervise, &s, sizeof s, &options);
    if (!err)
        return 0;
    os_free(s.sentinels);
    os_free(s.who);
    os_free(s.ready);
    return err;
}
