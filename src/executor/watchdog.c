/* Workers that do not come back from a task: who looks for them, and when.
 *
 * State.  One service thread for all pools with .stuck_after, from the first such pool to the end
 * of the last.  It looks at the workers of all of them, reports those that are stuck, and sleeps:
 * for a quarter of the shortest .stuck_after among the pools that are busy, or, while none is,
 * without a limit.
 *
 * Fields.
 *     watches, serving    [watch_lock]
 *     asleep_for          atomic: how many ms the service sleeps; 0: it looks, or is about to;
 *                         NO_LIMIT is also what stands there while it looks
 *     of a watch          rang: [the mutex of the pool's budget]; the rest: watch_lock
 *
 * Protocol.
 *     What is reported.  A task that a worker has taken from a queue and is in, when the worker has
 *     for .stuck_after neither begun nor ended anything and has not waited for another task.  Tasks
 *     that it helps meanwhile are part of it: the report names the innermost, and there is one
 *     report for all.  A task of a group that its opener runs goes by the opener's name.
 *
 *     Looking.  The worker counts what it begins and ends anyway, and its waits too; whoever looks
 *     compares that with what he saw before.  So a task pays one store.
 *
 *     Ringing.  Whenever the number of those who run in a watched pool changes, under the mutex,
 *     and is not 0, asleep_for is compared with the time in which the pool wants to be looked at;
 *     if it is longer the service is woken.  A pool that has rung counts as busy for one look more,
 *     so that one that has a little to do now and then rings no more often than it is looked at.
 *
 *     The reports themselves are made without any lock, from copies: the hook may do what it likes,
 *     and the pool may be gone by then.
 *
 * Ordering.
 *     [watch-1]  A busy pool is looked at in time: the service writes NO_LIMIT before it takes the
 *                pool's mutex, and a shorter time only by compare-and-swap, if nobody has rung
 *                since.  Who has made the pool busy before that look is seen by it; who does so
 *                after it has the mutex from the look, so he reads NO_LIMIT or what came later.
 *     [watch-2]  The name belongs to what is counted: the worker counts the begin of a task before
 *                it stores the task, with release; here the task is read first, with acquire.
 *     [watch-3]  `helped` is counted before `done`, and read after it: the difference, which
 *                numbers the tasks from queues, may lag behind but never runs ahead.
 *
 * Why not note the time at each begin?  Reading the clock costs more than most tasks' begin.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

#include <stdio.h>

#include "base/global.h"
#include "os/os.h"
#include "wait/stall.h"

#define NO_LIMIT UINT32_MAX
enum { LOOKS = 4, LEAST_MS = 10, MOST_MS = 1000 * 1000 * 1000 };

/* What a worker was at when it was last looked at. */
struct seen {
    uint64_t begun, done, turns;
    uint64_t taken; /* tasks from a queue that it has ended */
    uint32_t waits;
    bool reported; /* the task that it is in */
    kr_time since; /* when this was first so */
};

struct kri_watch {
    kri_pool *pool;
    kri_watch *next;
    kri_watch *previous;
    uint32_t span; /* const: from look to look, ms */
    bool rang;
    struct seen workers[]; /* one for each slot of the pool */
};

/* A report, with room for what it points to. */
struct copy {
    kr_stuck_report report;
    char pool[sizeof(((kri_pool *)NULL)->name)];
    char worker[KR_THREAD_NAME_SIZE];
};

static KRI_GLOBAL kri_mutex watch_lock;
static KRI_GLOBAL kri_watch *watches;
static KRI_GLOBAL bool serving;
static KRI_GLOBAL kr_word asleep_for;
static KRI_GLOBAL kri_word64 stuck_hook; /* atomic: a kr_stuck_hook; 0: the default */

/* Reporting. */

kr_stuck_hook kr_set_stuck_hook(kr_stuck_hook hook)
{
    uint64_t before = kri_swap_acq_rel64(&stuck_hook, (uint64_t)(uintptr_t)hook);
    return (kr_stuck_hook)(uintptr_t)before;
}

static void print_report(const kr_stuck_report *report)
{
    char line[384];
    char function[128];
    os_describe_function((const void *)(uintptr_t)report->task, function, sizeof function);
    snprintf(line, sizeof line, "krait: pool %s: %s has been in the task %s for %jd ms",
             report->pool, report->worker, function, (intmax_t)(report->since / kr_ms(1)));
    os_print_error(line);
}

static void tell(const kr_stuck_report *report)
{
    kr_stuck_hook hook = (kr_stuck_hook)(uintptr_t)kri_load_acq64(&stuck_hook);
    if (hook)
        hook(report);
    else
        print_report(report);
}

/* Looking, with the lock and the pool's mutex. */

/* How long it has been in its task without anything else; 0: it is in none, or waits. */
static kr_time time_in_task(struct seen *seen, const kri_worker *worker, kr_time now)
{
    uint64_t done = kri_load_acq64(&worker->done); /* [watch-3] */
    uint64_t taken = done - kri_load_rlx64(&worker->helped);
    uint64_t begun = kri_load_rlx64(&worker->begun);
    uint64_t turns = kri_load_rlx64(&worker->turns);
    if (taken > seen->taken) {
        seen->taken = taken;
        seen->reported = false;
    }
    if (begun != seen->begun || done != seen->done || turns != seen->turns ||
        worker->waits != seen->waits) {
        seen->begun = begun;
        seen->done = done;
        seen->turns = turns;
        seen->waits = worker->waits;
        seen->since = now;
    }
    bool waits = worker->waits % 2;
    return begun == done || waits ? 0 : now - seen->since;
}

/* true: it is stuck, and was not reported yet. */
static bool look_at_worker(struct seen *seen, const kri_worker *worker, kr_time now,
                           struct copy *copy)
{
    const kri_pool *pool = worker->pool;
    uint64_t task = kri_load_acq64(&worker->task); /* [watch-2] */
    kr_time since = time_in_task(seen, worker, now);
    if (since < pool->options.stuck_after || seen->reported || task == 0 || !worker->thread)
        return false;
    seen->reported = true;
    snprintf(copy->pool, sizeof copy->pool, "%s", pool->name);
    (void)kr_thread_name(worker->thread, copy->worker, sizeof copy->worker);
    copy->report = (kr_stuck_report){.pool = copy->pool,
                                     .worker = copy->worker,
                                     .task = (kr_task_fn)(uintptr_t)task,
                                     .since = since};
    return true;
}

static bool is_busy(kri_watch *watch)
{
    const kri_pool *pool = watch->pool;
    bool rang = watch->rang;
    watch->rang = false;
    return rang || pool->alive - pool->sleeping - pool->waiting > 0;
}

/* true: somebody is stuck.  Otherwise *span becomes no longer than the pool allows. */
static bool look_at_pool(kri_watch *watch, uint32_t *span, struct copy *copy)
{
    kri_pool *pool = watch->pool;
    bool stuck = false;
    kri_mutex_lock(&pool->budget->mutex);
    uint32_t used = kri_load_acq(&pool->slots_used);
    kr_time now = os_now();
    for (uint32_t i = 0; i < used && !stuck; i++)
        stuck = look_at_worker(&watch->workers[i], kri_load_acq_ptr(&pool->slots[i]), now, copy);
    if (!stuck && is_busy(watch) && watch->span < *span)
        *span = watch->span;
    kri_mutex_unlock(&pool->budget->mutex);
    return stuck;
}

/* The service thread. */

/* One look at everybody: true: *copy is to be reported, and another look is due. */
static bool look(uint32_t *span, struct copy *copy)
{
    bool stuck = false;
    kri_store_sc(&asleep_for, NO_LIMIT); /* [watch-1] */
    *span = NO_LIMIT;
    kri_mutex_lock(&watch_lock);
    for (kri_watch *watch = watches; watch && !stuck; watch = watch->next)
        stuck = look_at_pool(watch, span, copy);
    if (!watches) {
        serving = false;
        *span = 0;
    }
    kri_mutex_unlock(&watch_lock);
    return stuck;
}

static void sleep_for(uint32_t span)
{
    uint32_t seen = NO_LIMIT;
    if (span != NO_LIMIT && !kri_cas_sc(&asleep_for, &seen, span)) /* [watch-1] */
        return;
    kr_time deadline = span == NO_LIMIT ? KRI_NEVER : kri_deadline(kr_ms(span));
    (void)kri_wait(&asleep_for, span, deadline, KRI_UNCANCELLABLE);
}

static void serve(void *unused)
{
    (void)unused;
    uint32_t generation = kri_fork_generation();
    uint32_t span = 0;
    struct copy copy;
    os_thread_set_name(os_thread_id(), "krait-watchdog");
    kri_stall_serve();
    do {
        while (look(&span, &copy)) {
            tell(&copy.report);
            if (generation != kri_fork_generation())
                return; /* a forked child of the hook, where all this has been forgotten */
        }
        if (span != 0)
            sleep_for(span);
    } while (span != 0);
}

/* Another thread goes on in the child, which may be anywhere in here. */
static void forget_in_child(void)
{
    watch_lock = (kri_mutex){0};
    watches = NULL;
    serving = false;
    kri_store_rlx(&asleep_for, 0);
}

#ifndef KRI_MODEL
/* As the library is loaded, for start_service is called with the lock held. */
__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_at_fork_child(forget_in_child);
}
#endif

static int start_service(void)
{
    os_thread thread;
    int err = kri_at_fork_child(forget_in_child);
    if (!err)
        err = os_thread_start(&thread, serve, NULL, true, NULL);
    if (!err)
        os_thread_detach(thread);
    return err;
}

/* Called by the pool. */

static void wake_service(uint32_t unless_within)
{
    uint32_t span = kri_load_rlx(&asleep_for); /* [watch-1] */
    while (span > unless_within)
        if (kri_cas_sc(&asleep_for, &span, 0)) {
            kri_wake(&asleep_for, 1, 0);
            return;
        }
}

void kri_watch_ring(kri_watch *watch)
{
    if (kri_load_rlx(&asleep_for) <= watch->span) /* [watch-1] */
        return;
    watch->rang = true;
    wake_service(watch->span);
}

static uint32_t span_of(kr_time stuck_after)
{
    kr_time ms = stuck_after / LOOKS / kr_ms(1);
    if (ms < LEAST_MS)
        return LEAST_MS;
    return ms < MOST_MS ? (uint32_t)ms : MOST_MS;
}

int kri_watch_begin(kri_pool *pool, size_t slots)
{
    if (!pool->options.stuck_after)
        return 0;
    kri_watch *watch = os_alloc(sizeof *watch + slots * sizeof *watch->workers);
    if (!watch)
        return -ENOMEM;
    watch->pool = pool;
    watch->span = span_of(pool->options.stuck_after);
    kri_mutex_lock(&watch_lock);
    int err = serving ? 0 : start_service();
    if (!err) {
        serving = true;
        watch->next = watches;
        if (watches)
            watches->previous = watch;
        watches = watch;
        pool->watch = watch;
    }
    kri_mutex_unlock(&watch_lock);
    if (err)
        os_free(watch);
    return err;
}

void kri_watch_end(kri_pool *pool)
{
    kri_watch *watch = pool->watch;
    if (!watch)
        return;
    kri_mutex_lock(&watch_lock);
    *(watch->previous ? &watch->previous->next : &watches) = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    bool last = !watches;
    kri_mutex_unlock(&watch_lock);
    if (last)
        wake_service(0);
    os_free(watch);
}
