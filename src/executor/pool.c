/* The thread pool: making one, and bringing tasks in.
 *
 * A task goes to the deque of the worker that submits it, or, from outside, with a lane other than
 * the normal one, or where the deque is full, to the common queue of its lane.  worker.c tells how
 * tasks are taken, idle.c who is called for them, shutdown.c how it ends.
 *
 * State.  The common queues are closed until the first worker has been started, with an error that
 * nobody else uses, so that what is queued will be run whatever the system refuses later; and
 * closed again by a shutdown, or when an initializer has failed.  So a submit that has found its
 * queue open has queued its task before that, and the workers, who look once more before they
 * leave, find it.
 *
 * Where .max_queued is set, `queued` counts the tasks that nobody has claimed; `room` changes with
 * each departure, for those who wait for it.
 *
 * References.  The handle, each thread, each starter and each helper keep the pool's memory.  A
 * future needs none [future-2].
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"
#include "executor/stall.h"

#include <stdio.h>
#include <string.h>

#include "base/global.h"
#include "base/options.h"
#include "os/os.h"

enum { NO_WORKER_YET = -8192 }; /* what the queues are closed with at first */
enum { SHELLS_TO_SWEEP = 256, SPARES_BY_DEFAULT = 256 };

static KRI_GLOBAL kr_word pools_named;

/* How many tasks the thread has submitted from outside since it last waited for one. */
KRI_SHARED_THREAD_LOCAL_HERE(uint32_t, kri_streak)
enum { A_STREAM = 16 };

static kri_pool *pool_of(kr_executor *executor)
{
    return (kri_pool *)executor;
}

/* Have the first worker started. */
static int staff(kri_pool *pool)
{
    int err = 0;
    kr_with (&pool->growing) {
        kri_mutex_lock(&pool->budget->mutex);
        bool wanted = !pool->staffed && !pool->shut;
        kri_mutex_unlock(&pool->budget->mutex);
        if (!wanted)
            break;
        err = kri_pool_start_first(pool);
        kri_mutex_lock(&pool->budget->mutex);
        pool->staffed = err == 0;
        kri_roster_count(pool, 0, 0, 0);
        for (int lane = 0; lane < KRI_LANES && !err && !pool->shut && !pool->broken; lane++)
            kri_injection_close(&pool->lanes[lane], 0);
        kri_mutex_unlock(&pool->budget->mutex);
    }
    return err;
}

/* Shells: claimed in the queue, and in nobody's way but the memory's. */

static bool is_shell(uint64_t item, void *context)
{
    kr_future *f = kri_item_future(item);
    kr_future **shells = context;
    if (!kri_future_is_claimed(f))
        return false;
    f->next = *shells;
    *shells = f;
    return true;
}

static void sweep(kri_pool *pool, int lane)
{
    kr_future *shells = NULL;
    kri_pool_hold(pool);
    size_t n = kri_injection_sweep(&pool->lanes[lane], is_shell, &shells);
    kri_sub_rlx64(&pool->shells, n);
    while (shells) {
        kr_future *next = shells->next;
        kri_future_pass(shells);
        kr_future_release(shells);
        shells = next;
    }
    kri_pool_let_go(pool);
}

/* The task may release the pool, so as soon as it can be taken the pool is the submitter's only if
 * he has a reference. */
struct push {
    kri_pool *pool;
    bool call;
    bool end_nap; /* a worker has to run it */
};

static void look_who_sleeps(void *context)
{
    struct push *push = context;
    push->call = kri_pool_could_call(push->pool);
    push->end_nap = !push->pool->outside_help && kri_pool_naps(push->pool);
    if (push->call)
        kri_add_rlx(&push->pool->references, 1);
}

static int push(kri_pool *pool, kr_future *f)
{
    kri_injection *queue = &pool->lanes[f->lane];
    uint64_t shells = kri_load_rlx64(&pool->shells);
    if (shells > SHELLS_TO_SWEEP && shells > kri_injection_length(queue) / 2)
        sweep(pool, f->lane);
    struct push push = {pool, false, false};
    f->streams = ++*kri_streak() > A_STREAM;
    int err;
    while ((err = kri_injection_push_then(queue, kri_item_of(f), look_who_sleeps, &push)) ==
           NO_WORKER_YET) {
        err = staff(pool);
        if (err)
            return err;
    }
    if (push.call) {
        kri_pool_notify(pool);
        kri_pool_unref(pool);
    }
    if (push.end_nap)
        kri_nap_call();
    return err;
}

/* Room. */

void kri_pool_departed(kri_pool *pool)
{
    kri_mutex_lock(&pool->budget->mutex);
    pool->queued--;
    kri_add_sc(&pool->room, 1);
    kri_mutex_unlock(&pool->budget->mutex);
    kri_wake(&pool->room, 1, 0);
}

static int why_closed(const kri_pool *pool)
{
    if (pool->broken)
        return KR_EBROKEN;
    return pool->shut ? KR_ESHUTDOWN : 0;
}

/* A worker does not wait: it is what makes room. */
static int enter_bounded(kri_pool *pool, kr_time deadline)
{
    bool waits = !kri_frame_in_executor(&pool->executor);
    int err = 0;
    kri_mutex_lock(&pool->budget->mutex);
    while (!(err = why_closed(pool)) && waits && pool->queued >= pool->options.max_queued) {
        uint32_t seen = kri_load_rlx(&pool->room);
        kri_mutex_unlock(&pool->budget->mutex);
        err = deadline ? kri_wait_for(&pool->room, seen, deadline, 0, kri_pool_describe_room)
                       : -ETIMEDOUT;
        if (err && err != -EAGAIN)
            return err;
        kri_mutex_lock(&pool->budget->mutex);
    }
    pool->queued += !err;
    kri_mutex_unlock(&pool->budget->mutex);
    return err;
}

static kri_worker *worker_here(const kri_pool *pool)
{
    const kri_frame *frame = kri_frame_innermost();
    return frame && frame->worker && frame->worker->pool == pool ? frame->worker : NULL;
}

static int submit(kri_pool *pool, kr_future *f)
{
    kri_worker *worker = f->lane == KR_PRIORITY_NORMAL ? worker_here(pool) : NULL;
    if (worker && !kri_load_acq(&pool->closed) && kri_deque_push(&worker->deque, kri_item_of(f))) {
        kri_pool_notify(pool);
        return 0;
    }
    return push(pool, f);
}

int kri_pool_submit(kr_executor *executor, kr_future *f, kr_time deadline)
{
    kri_pool *pool = pool_of(executor);
    f->outside_help = pool->outside_help;
    f->pool = pool->number;
    if (pool->times)
        f->submitted = os_now();
    if (!pool->options.max_queued)
        return submit(pool, f);
    int err = enter_bounded(pool, deadline);
    if (err)
        return err;
    err = submit(pool, f);
    if (err)
        kri_pool_departed(pool);
    return err;
}

/* All under the mutex, without which no worker leaves: once the task is out of the queue, or is a
 * shell that somebody drops, nothing else keeps the pool [future-2]. */
bool kri_pool_claimed(kr_executor *executor, kr_future *f, bool run)
{
    kri_pool *pool = pool_of(executor);
    bool bounded = pool->options.max_queued != 0;
    kri_mutex_lock(&pool->budget->mutex);
    bool out = kri_injection_remove(&pool->lanes[f->lane], kri_item_of(f));
    if (!out)
        kri_add_rlx64(&pool->shells, 1);
    if (run)
        kri_count(&pool->outside_begun);
    else
        kri_add_rlx64(&pool->removed, 1);
    if (bounded) {
        pool->queued--;
        kri_add_sc(&pool->room, 1);
    }
    kri_add_rlx(&pool->references, run);
    pool->holds += run;
    if (!run)
        kri_pool_rouse(pool);
    kri_mutex_unlock(&pool->budget->mutex);
    if (bounded)
        kri_wake(&pool->room, 1, 0);
    return out;
}

void kri_pool_ran(kr_executor *executor)
{
    kri_pool *pool = pool_of(executor);
    kri_mutex_lock(&pool->budget->mutex);
    kri_count(&pool->outside_done); /* [metrics-1] */
    kri_pool_hold_drop(pool);
    kri_mutex_unlock(&pool->budget->mutex);
    kri_pool_unref(pool);
}

const kri_executor_ops kri_pool_ops = {
    .submit = kri_pool_submit,
    .claimed = kri_pool_claimed,
    .ran = kri_pool_ran,
    .shutdown = kri_pool_shutdown,
    .release = kri_pool_release,
};

static bool is_valid(const kr_pool_options *o)
{
    bool stack = o->stack_size == 0 || o->stack_size >= os_thread_stack_minimum();
    return o->workers >= 0 && stack && o->stuck_after >= 0 && kri_reserved_is_clear(o->reserved);
}

static void name_pool(kri_pool *pool, const char *name)
{
    if (name)
        snprintf(pool->name, sizeof pool->name, "%s", name);
    else
        snprintf(pool->name, sizeof pool->name, "pool-%u",
                 (unsigned)kri_add_rlx(&pools_named, 1) + 1);
    pool->executor.name = pool->name;
}

static void configure(kri_pool *pool, const kr_pool_options *options)
{
    pool->options = *options;
    pool->options.name = NULL;
    pool->executor.ops = &kri_pool_ops;
    pool->executor.generation = kri_fork_generation();
    pool->executor.workers = options->workers ? options->workers : kr_cpu_count();
    pool->max_spares = options->max_spares ? options->max_spares : SPARES_BY_DEFAULT;
    if (pool->max_spares < 0)
        pool->max_spares = 0;
    pool->outside_help = !options->no_outside_help && !options->initializer;
    pool->references.bits = 1;
    for (int lane = 0; lane < KRI_LANES; lane++)
        kri_injection_close(&pool->lanes[lane], NO_WORKER_YET);
}

/* What a pool has besides itself.  -ENOMEM, -EAGAIN, KR_ESHUTDOWN. */
static int equip(kri_pool *pool, const char *name)
{
    /* One more for a worker that a call of exit() has given up. */
    size_t slots = (size_t)pool->executor.workers + (size_t)pool->max_spares + 1;
    pool->slots = os_alloc(slots * sizeof *pool->slots);
    if (pool->options.timing)
        pool->times = os_alloc(sizeof *pool->times);
    if (!pool->slots || (pool->options.timing && !pool->times))
        return -ENOMEM;
    int err = kri_budget_join(pool);
    if (err)
        return err;
    err = kri_watch_begin(pool, slots);
    if (!err) {
        name_pool(pool, name); /* before others see it */
        err = kri_registry_add(pool);
    }
    if (err) {
        kri_watch_end(pool);
        kri_budget_leave(pool);
    }
    return err;
}

int kr_thread_pool(kr_executor **executor, const kr_pool_options *options)
{
    static const kr_pool_options defaults;
    if (!executor)
        return -EINVAL;
    *executor = NULL;
    if (!options)
        options = &defaults;
    if (!is_valid(options))
        return -EINVAL;
    kri_pool *pool = os_alloc(sizeof *pool);
    if (!pool)
        return -ENOMEM;
    configure(pool, options);
    int err = equip(pool, options->name);
    if (err) {
        os_free(pool->times);
        os_free(pool->slots);
        os_free(pool);
        return err;
    }
    *executor = &pool->executor;
    return 0;
}
