/* kr_loop_pool: loops in threads of their own, as one executor.
 *
 * Fields.
 *     loops, threads, options   constant once the pool is made
 *     alive                     atomic; threads whose loop has not ended
 *     references                atomic; the handle's, one of each thread, one of each shutdown
 *     the rest                  the legend is at the struct
 *
 * Protocol.
 *     A task is given to the loop that has the fewest that are not over, which is looked up without
 *     a lock: two who submit at once may choose the same one.  It stays there.
 *     A shutdown marks the pool, and has each loop told by a function that is posted to it, which
 *     is also what wakes it.  Where what has not begun is to be cancelled, a runner that comes upon
 *     a task sees the mark; the function sees to those that wait for the initializer.  A loop ends
 *     once it was told and has nothing left, by closing its inbox: what was put before that is
 *     done, and who comes later is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/line.h"
#include "loop/loop_pool.h"

#include <stdio.h>
#include <string.h>

#include "base/global.h"
#include "os/os.h"
#include "status/status.h"

static KRI_GLOBAL kri_finish_list loop_pools;
static KRI_GLOBAL kr_word loop_pools_named; /* atomic */

static void show(kri_loop_pool *pool, kri_view *view)
{
    uint64_t id = (uint64_t)KRI_ROW_LOOPS << 60 | (uintptr_t)pool;
    kri_pool_row *row = kri_view_pool(view, KRI_ROW_LOOPS, id, pool->name);
    if (row == NULL)
        return;
    row->limit = (uint32_t)pool->executor.workers;
    row->workers = kri_load_rlx(&pool->alive);
    row->flags |= kri_load_rlx(&pool->executor.shut) ? KRI_ROW_SHUT : 0;
    row->flags |= kri_load_rlx(&pool->broken) ? KRI_ROW_BROKEN : 0;
    uint32_t started = kri_load_acq(&pool->started);
    for (uint32_t i = 0; i < started; i++) {
        const kri_loop *loop = pool->members[i].loop;
        row->running += kri_loop_load(loop);
        row->done += kri_load_rlx64(&loop->shown.done);
    }
}

static void look_at_pools(kri_view *view)
{
    if (!kri_view_try(&loop_pools.lock)) {
        view->missed |= KRI_MISSED_LOOPS;
        return;
    }
    for (const kri_finish *at = loop_pools.first; at != NULL; at = at->next)
        show((kri_loop_pool *)at->executor, view);
    kri_mutex_unlock(&loop_pools.lock);
}

static void forget_in_child(void)
{
    kri_finish_forget(&loop_pools);
}

__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_at_fork_child(forget_in_child);
    kri_status_source(look_at_pools);
}

/* A bit of `queued`, above all counts: nobody is let in any more. */
#define CLOSED UINT32_C(0x80000000)

static kri_loop_pool *pool_of(kr_executor *executor)
{
    return (kri_loop_pool *)executor;
}

static void destroy(kri_loop_pool *pool)
{
    for (int i = 0; i < pool->executor.workers; i++) {
        kr_thread_release(pool->members[i].thread);
        if (pool->members[i].loop != NULL)
            kri_loop_free(pool->members[i].loop);
    }
    os_free(pool->members);
    os_free(pool);
}

static void unref(kri_loop_pool *pool)
{
    if (kri_sub_acq_rel(&pool->references, 1) != 1)
        return;
    kri_finish_remove(&loop_pools, &pool->finish);
    destroy(pool);
}

static void release(kr_executor *executor)
{
    unref(pool_of(executor));
}

/* The loops. */

static void be_broken(kri_loop_pool *pool, int err)
{
    kri_store_rel(&pool->broken, 1);
    kri_task_report_error(err, "initializer", pool->name);
}

static bool is_forked(const kri_loop_pool *pool)
{
    return kri_forked_since(pool->executor.generation);
}

/* Tasks of the pool stand back until it is over, so it must not wait for one. */
static bool initializes(const kr_executor *executor)
{
    const kri_loop *loop = kri_loop_here();
    return loop != NULL && loop->face == executor && loop->running != NULL &&
           loop->running == loop->initializes;
}

static int initialize(const void *arg, void *result)
{
    kri_loop_pool *pool = *(kri_loop_pool *const *)arg;
    kri_loop *loop = kri_loop_here();
    (void)result;
    kri_coroutine_runs_for((uintptr_t)pool->initializer);
    loop->initializes = loop->running;
    int err = pool->initializer(pool->initializer_arg);
    loop->initializes = NULL;
    if (err < 0)
        be_broken(pool, err);
    return 0;
}

/* Before the first task of this loop, which stands back meanwhile. */
static void begin(kri_loop_pool *pool, kri_loop *loop)
{
    kr_future *f;
    kri_task task = {.fn = initialize, .arg = &pool, .arg_size = sizeof pool};
    if (pool->initializer == NULL)
        return;
    int err = kri_submit(&loop->executor, &f, &task, KRI_NEVER);
    if (err != 0) {
        be_broken(pool, err);
        return;
    }
    loop->holds_back = true;
    do {
        kri_runner_go_on(loop);
        if (is_forked(pool))
            return;
        kri_loop_look(loop, !kr_future_done(f));
    } while (!kr_future_done(f));
    loop->holds_back = false;
    int how = kr_future_exception(f, &err, KR_NOWAIT);
    kr_future_release(f);
    if (how == 0 && err < 0 && err != KR_EBROKEN) /* it has not run */
        be_broken(pool, err);
    kri_item item;
    while ((item = kri_line_take(&loop->held_back)) != 0)
        kri_line_put(&loop->ready, item);
}

static int run_loop(void *arg)
{
    kri_loop_member *member = arg;
    kri_loop_pool *pool = member->pool;
    kri_loop *loop = member->loop;
    kri_loop_enter(loop);
    begin(pool, loop);
    do {
        do {
            if (is_forked(pool))
                return 0;
            kri_runner_go_on(loop);
            if (is_forked(pool))
                return 0;
            kri_loop_look(loop, !member->told || loop->alive != 0);
        } while (!member->told || !kri_loop_is_empty(loop));
    } while (!kri_inbox_close(&loop->inbox));
    kri_loop_leave(loop);
    if (kri_sub_sc(&pool->alive, 1) == 1)
        kri_wake(&pool->alive, KRI_ALL, 0);
    unref(pool);
    return 0;
}

static void told_to_end(kri_posted *posted)
{
    kri_loop_member *member = (kri_loop_member *)((char *)posted - offsetof(kri_loop_member, end));
    member->told = true;
}

static void told_to_cancel(kri_posted *posted)
{
    kri_loop_member *member =
        (kri_loop_member *)((char *)posted - offsetof(kri_loop_member, cancel));
    kri_loop_cancel_unbegun(member->loop);
}

/* Submitting. */

/* Initializers of the first may submit while the last are being made. */
static kri_loop_member *least_loaded(kri_loop_pool *pool)
{
    kri_loop_member *best = &pool->members[0];
    uint32_t least = UINT32_MAX;
    uint32_t started = kri_load_acq(&pool->started);
    for (uint32_t i = 0; i < started; i++) {
        uint32_t load = kri_loop_load(pool->members[i].loop);
        if (load < least) {
            least = load;
            best = &pool->members[i];
        }
    }
    return best;
}

static bool is_member(const kri_loop_pool *pool)
{
    const kri_loop *loop = kri_loop_here();
    return loop != NULL && loop->face == &pool->executor;
}

static int make_room(kri_loop_pool *pool, kr_time deadline)
{
    uint32_t queued = kri_load_rlx(&pool->queued);
    if (pool->max_queued == 0)
        return 0;
    for (;;) {
        if (queued & CLOSED)
            return KR_ESHUTDOWN;
        if (queued < pool->max_queued || is_member(pool)) {
            if (kri_cas_rlx(&pool->queued, &queued, queued + 1))
                return 0;
            continue;
        }
        int err = kri_wait(&pool->queued, queued, deadline, 0);
        if (err != 0 && err != -EAGAIN)
            return err;
        queued = kri_load_rlx(&pool->queued);
    }
}

static int submit(kr_executor *executor, kr_future *f, kr_time deadline)
{
    kri_loop_pool *pool = pool_of(executor);
    if (kri_load_acq(&executor->shut))
        return KR_ESHUTDOWN;
    if (kri_load_acq(&pool->broken))
        return KR_EBROKEN;
    int err = make_room(pool, deadline);
    if (err != 0)
        return err;
    err = kri_loop_submit(least_loaded(pool)->loop, f);
    if (err != 0 && pool->max_queued != 0)
        kri_loop_made_room(&pool->queued);
    return err;
}

/* Its shell stays in the line of its loop, which comes through it before long. */
static bool claimed(kr_executor *executor, kr_future *f, bool run)
{
    (void)executor;
    (void)f;
    (void)run;
    return false;
}

/* Ending. */

static void tell(kri_loop_pool *pool, bool cancel_pending)
{
    kri_mutex_lock(&pool->mutex);
    bool first = !pool->told;
    bool cancels = cancel_pending && kri_swap_acq_rel(&pool->cancels, 1) == 0;
    pool->told = true;
    kri_store_sc(&pool->executor.shut, 1);
    uint32_t started = kri_load_acq(&pool->started);
    for (uint32_t i = 0; i < started; i++) {
        kri_loop_member *member = &pool->members[i];
        if (cancels)
            (void)kri_loop_post(member->loop, &member->cancel);
        if (first)
            (void)kri_loop_post(member->loop, &member->end);
    }
    if (first) {
        kri_or_sc(&pool->queued, CLOSED); /* for those on their way to wait there, too */
        kri_wake(&pool->queued, KRI_ALL, 0);
    }
    kri_mutex_unlock(&pool->mutex);
}

static int await_end(kri_loop_pool *pool, kr_time deadline, unsigned flags)
{
    for (;;) {
        uint32_t alive = kri_load_acq(&pool->alive);
        if (alive == 0)
            break;
        int err = kri_wait(&pool->alive, alive, deadline, flags);
        if (err != 0 && err != -EAGAIN)
            return err;
    }
    uint32_t started = kri_load_acq(&pool->started);
    kr_shield { /* they are at their last instructions, and nobody is to come back before those */
        for (uint32_t i = 0; i < started; i++)
            (void)kr_thread_join(pool->members[i].thread, NULL, KR_FOREVER);
    }
    return 0;
}

static int shut_down(kr_executor *executor, bool cancel_pending, kr_time deadline, unsigned flags)
{
    kri_loop_pool *pool = pool_of(executor);
    kri_add_rlx(&pool->references, 1);
    tell(pool, cancel_pending);
    int err = deadline == 0 ? -ETIMEDOUT : -EDEADLK;
    if (!is_member(pool))
        err = await_end(pool, deadline, flags);
    else if (deadline == 0 && kri_load_acq(&pool->alive) == 0)
        err = 0;
    unref(pool);
    return err;
}

static const kri_executor_ops loop_pool_ops = {.overlaps = true,
                                               .submit = submit,
                                               .claimed = claimed,
                                               .shutdown = shut_down,
                                               .initializes = initializes,
                                               .release = release};

/* Making. */

static bool is_valid(const kr_pool_options *o)
{
    return o->workers >= 0 && (o->stack_size == 0 || o->stack_size >= KRI_STACK_LEAST) &&
           o->stuck_after >= 0 &&
           !(o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3]);
}

static int make_one(kri_loop_pool *pool, int i, const kr_pool_options *o)
{
    kri_loop_member *member = &pool->members[i];
    kr_run_options options = {
        .stack_size = o->stack_size, .debug = o->stuck_after != 0, .slow_after = o->stuck_after};
    *member = (kri_loop_member){
        .pool = pool, .end = {.run = told_to_end}, .cancel = {.run = told_to_cancel}};
    int err = kri_loop_create(&member->loop, &options, &pool->executor);
    if (err != 0)
        return err;
    member->loop->broken = &pool->broken;
    member->loop->cancels = &pool->cancels;
    member->loop->queued = pool->max_queued != 0 ? &pool->queued : NULL;
    return 0;
}

static int start_one(kri_loop_pool *pool, int i)
{
    kri_loop_member *member = &pool->members[i];
    char name[KR_THREAD_NAME_SIZE];
    snprintf(name, sizeof name, "%.16s_%d", pool->name, i);
    kri_add_rlx(&pool->references, 1);
    kri_add_rlx(&pool->alive, 1);
    int err = kr_thread_start(&member->thread, run_loop, member, 0,
                              &(kr_thread_options){.name = name, .daemon = true});
    if (err == 0) {
        kri_add_acq_rel(&pool->started, 1);
        return 0;
    }
    kri_sub_rlx(&pool->references, 1);
    kri_sub_rlx(&pool->alive, 1);
    return err;
}

static int start(kri_loop_pool *pool, const kr_pool_options *o)
{
    int err = kri_finish_add(&loop_pools, &pool->finish, kri_finish_all);
    for (int i = 0; i < pool->executor.workers && err == 0; i++)
        err = make_one(pool, i, o);
    for (int i = 0; i < pool->executor.workers && err == 0; i++)
        err = start_one(pool, i);
    if (err == 0)
        return 0;
    tell(pool, false);
    (void)await_end(pool, KRI_NEVER, KRI_UNCANCELLABLE);
    return err;
}

static kri_loop_pool *make(const kr_pool_options *o)
{
    kri_loop_pool *pool = os_alloc(sizeof *pool);
    int workers = o->workers != 0 ? o->workers : kr_cpu_count();
    kri_loop_member *members = os_alloc((size_t)workers * sizeof *members);
    if (pool == NULL || members == NULL) {
        os_free(pool);
        os_free(members);
        return NULL;
    }
    pool->executor = (kr_executor){.ops = &loop_pool_ops,
                                   .generation = kri_fork_generation(),
                                   .workers = workers,
                                   .name = pool->name};
    pool->members = members;
    pool->references = (kr_word){1};
    pool->finish = (kri_finish){
        .executor = &pool->executor, .references = &pool->references, .unref = release};
    pool->initializer = o->initializer;
    pool->initializer_arg = o->initializer_arg;
    pool->max_queued = o->max_queued;
    if (o->name != NULL)
        snprintf(pool->name, sizeof pool->name, "%s", o->name);
    else
        snprintf(pool->name, sizeof pool->name, "loop-pool-%u",
                 (unsigned)kri_add_rlx(&loop_pools_named, 1) + 1);
    return pool;
}

int kr_loop_pool(kr_executor **executor, const kr_pool_options *options)
{
    static const kr_pool_options defaults;
    if (executor == NULL)
        return -EINVAL;
    *executor = NULL;
    options = options != NULL ? options : &defaults;
    if (!is_valid(options) || options->max_queued > INT32_MAX)
        return -EINVAL;
    kri_loop_pool *pool = make(options);
    if (pool == NULL)
        return -ENOMEM;
    int err = start(pool, options);
    if (err != 0) {
        unref(pool);
        return err;
    }
    *executor = &pool->executor;
    return 0;
}
