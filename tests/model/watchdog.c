/* The watch over stuck workers: that who begins to run is looked at in time, whatever the service
 * is doing then, and that pools may go meanwhile.
 *
 * The pools are made of what the watch looks at, so that there are few steps besides its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"
#include "model/scenario.h"

struct watched {
    kri_pool pool;
    kri_worker worker;
    kri_pointer slot;
    kri_budget budget;
};

static struct {
    struct watched one, two;
    kr_word heard; /* reports */
    int wrong;     /* plain: reports of others than `one` */
} s;

static void note(const kr_stuck_report *report)
{
    s.wrong += report->pool[0] != '1';
    kri_add_sc(&s.heard, 1);
    kri_wake(&s.heard, 1, 0);
}

static void watch(struct watched *w, const char *name, kr_time stuck_after)
{
    *w = (struct watched){0};
    memcpy(w->pool.name, name, 2);
    w->pool.options.stuck_after = stuck_after;
    w->pool.budget = &w->budget;
    w->pool.slots = &w->slot;
    w->worker.pool = &w->pool;
    w->worker.thread = kr_thread_current();
    kri_store_rlx_ptr(&w->slot, &w->worker);
    kri_store_rlx(&w->pool.slots_used, 1);
    kr_explore_check(kri_watch_begin(&w->pool, 1) == 0);
}

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    (void)kr_set_stuck_hook(note);
}

/* What a worker does that is called, and what it does when it lies down. */
static void run(struct watched *w, int change)
{
    kri_mutex_lock(&w->budget.mutex);
    w->pool.alive += change;
    if (w->pool.alive > 0)
        kri_watch_ring(w->pool.watch);
    kri_mutex_unlock(&w->budget.mutex);
}

static void begin_task(struct watched *w)
{
    run(w, 1);
    kri_count(&w->worker.begun);
    kri_store_rel64(&w->worker.task, (uintptr_t)begin_task);
}

static void end_task(struct watched *w)
{
    kri_store_rel64(&w->worker.task, 0);
    kri_count(&w->worker.done);
    run(w, -1);
}

static void run_quick_task(struct watched *w)
{
    begin_task(w);
    end_task(w);
}

/* A task that does not end before it was reported. */
static void run_stuck_task(struct watched *w)
{
    uint32_t before = kri_load_sc(&s.heard);
    begin_task(w);
    while (kri_load_sc(&s.heard) == before)
        (void)kri_wait(&s.heard, before, KRI_NEVER, KRI_UNCANCELLABLE);
    end_task(w);
    kr_explore_check(kri_load_sc(&s.heard) == before + 1);
}

/* A ring that is lost is a deadlock here. */
SCENARIO(watch_of_one_pool, .stale = 1)
{
    fresh();
    watch(&s.one, "1", kr_ms(100));
    run_stuck_task(&s.one);
    kri_watch_end(&s.one.pool);
    kr_explore_check(s.wrong == 0);
}

SCENARIO(watch_that_has_gone_to_sleep, .stale = KR_EXPLORE_NONE)
{
    fresh();
    watch(&s.one, "1", kr_ms(100));
    run_quick_task(&s.one);
    run_stuck_task(&s.one);
    kri_watch_end(&s.one.pool);
    kr_explore_check(s.wrong == 0);
}

/* It sleeps for another pool that is in no hurry. */
SCENARIO(watch_of_two_paces, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE)
{
    fresh();
    watch(&s.two, "2", kr_sec(4000));
    watch(&s.one, "1", kr_ms(100));
    begin_task(&s.two);
    kr_time before = kr_now();
    run_stuck_task(&s.one);
    kr_explore_check(kr_now() - before <= kr_ms(200));
    end_task(&s.two);
    kri_watch_end(&s.one.pool);
    kri_watch_end(&s.two.pool);
    kr_explore_check(s.wrong == 0);
}

static void use_two(void *arg)
{
    watch(&s.two, "2", kr_ms(100));
    run_quick_task(&s.two);
    kri_watch_end(&s.two.pool);
    (void)arg;
}

/* The service ends, or goes on, as a pool comes and another goes. */
SCENARIO(watch_as_pools_come_and_go, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE)
{
    fresh();
    kr_explore_spawn(use_two, NULL);
    watch(&s.one, "1", kr_ms(100));
    run_quick_task(&s.one);
    kri_watch_end(&s.one.pool);
    kr_explore_join(1);
    kr_explore_check(kri_load_sc(&s.heard) == 0);
}
