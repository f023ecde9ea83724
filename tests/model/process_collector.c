/* Who hears of what the workers of a process pool have done: the leader, those who follow, the
 * collector, and whom the teller calls.
 *
 * The pool is the real one but for what it has of the system: its one worker is a logical thread in
 * a process of its own, there is no supervisor, and no argument is so large that it needs a block.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "process/internal.h"
#include "process_pool/pool.h"
#include <krait/krait.h>

enum { WORKERS_PROCESS = 1, SLOTS = 2, SIZE = 16384 };

static struct {
    kri_process_pool pool;
    kri_job *in_slots[SLOTS];
    uint32_t free_slots[SLOTS];
    kri_pool_worker workers[1];
    kr_future *futures[SLOTS];
    kr_event given;  /* what a callback wants */
    kr_event called; /* a callback has run */
    _Alignas(128) unsigned char memory[SIZE];
} s;

void kri_process_pool_rouse(kri_process_pool *pool)
{
    (void)pool;
}

void kri_process_pool_unref(kri_process_pool *pool)
{
    kr_explore_check(kri_sub_acq_rel(&pool->references, 1) > 1);
}

kri_block *kri_arena_alloc(kri_arena *arena, size_t size)
{
    (void)arena;
    (void)size;
    return NULL;
}

void kri_arena_free(kri_arena *arena, kri_block *block)
{
    (void)arena;
    (void)block;
}

int kri_task_find(void (*fn)(void), uint32_t *id)
{
    (void)fn;
    (void)id;
    return -ENOENT;
}

static const kri_executor_ops ops = {
    .elsewhere = true, .make = kri_job_make, .submit = kri_job_submit, .claimed = kri_job_claimed};

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    s.pool.executor = (kr_executor){
        .ops = &ops, .generation = kri_fork_generation(), .workers = 1, .name = "pool"};
    s.pool.references.bits = 1;
    s.pool.bell = s.pool.memory = -1;
    s.pool.more.start = KR_FORK;
    s.pool.wanted = 1;
    s.pool.in_slots = s.in_slots;
    s.pool.free_slots = s.free_slots;
    s.pool.workers = s.workers;
    for (uint32_t i = 0; i < SLOTS; i++)
        s.free_slots[s.pool.free_count++] = i;
    kr_explore_check(kri_work_size(SLOTS, 1) <= sizeof s.memory);
    kri_work_make(&s.pool.work, s.memory, SLOTS, 1);
    kri_worker_reset(&s.pool.work, 0);
    kri_store_rlx(&kri_work_record_of(&s.pool.work, 0)->status, KRI_WORKER_WORKS);
}

static void run(void *arg, uint32_t slot)
{
    (void)arg;
    s.pool.work.slots[slot].error = 0;
}

static void work(void *arg)
{
    (void)arg;
    (void)kri_worker_loop(&s.pool.work, 0, 0, run, NULL);
}

/* Without a teller, for there is mostly nothing to tell: all the schedules of his beginning are
 * many. */
static void begin(void)
{
    fresh();
    kr_explore_check(kri_collector_start(&s.pool) == 0);
}

static void let_work(void)
{
    kr_explore_spawn_in(WORKERS_PROCESS, work, NULL);
}

static int never_here(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_explore_check(false);
    return 0;
}

/* In the lane for which there is a slot in so small a house. */
static kr_future *make(void)
{
    kr_future *f;
    kri_task task = {.fn = never_here, .lane = KR_PRIORITY_HIGH};
    kr_explore_check(kri_submit(&s.pool.executor, &f, &task, KRI_NEVER) == 0);
    return f;
}

static void await(kr_future *f)
{
    int error = 1;
    kr_explore_check(kr_future_exception(f, &error, KR_FOREVER) == 0);
    kr_explore_check(error == 0);
}

static void await_first(void *arg)
{
    (void)arg;
    await(s.futures[0]);
}

static void await_second(void *arg)
{
    (void)arg;
    await(s.futures[1]);
}

static void end(void)
{
    kri_store_sc(&s.pool.work.area->closing, 1);
    kri_worker_call_all(&s.pool.work);
    kri_collector_end(&s.pool);
    if (s.pool.teller.thread)
        kri_teller_end(&s.pool.teller);
    kr_explore_join_all();
    kr_explore_check(s.pool.outstanding == 0 && s.pool.free_count == SLOTS);
    for (int i = 0; i < SLOTS; i++)
        if (s.futures[i])
            kr_future_release(s.futures[i]);
    kr_thread_release(s.pool.collector);
    kr_thread_release(s.pool.teller.thread);
    kr_explore_check(kri_load_rlx(&s.pool.references) == 1);
}

/* The one who leads leaves, mostly, before the other one's is done. */
static void two_who_wait(void)
{
    begin();
    let_work();
    s.futures[0] = make();
    s.futures[1] = make();
    int other = kr_explore_spawn(await_second, NULL);
    await(s.futures[0]);
    kr_explore_join(other);
    end();
}

SCENARIO(collector_two_who_wait, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    two_who_wait();
}

SCENARIO(collector_two_who_wait_at_random, .mode = KR_EXPLORE_PCT, .schedules = 50000,
         .stale = KR_EXPLORE_NONE)
{
    two_who_wait();
}

/* Who only asks takes what the leader waits for. */
static void ask(void *arg)
{
    (void)arg;
    (void)kr_future_done(s.futures[0]);
}

SCENARIO(collector_passer_by, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    begin();
    let_work();
    s.futures[0] = make();
    kr_explore_spawn(ask, NULL);
    await(s.futures[0]);
    end();
}

/* A callback that wants what a waiter has until his own task is done, whether he leads or has
 * followed somebody who has left. */
static int want(kr_future *f, void *arg)
{
    (void)f;
    (void)arg;
    kr_explore_check(kr_event_wait(&s.given, KR_FOREVER) == 0);
    kr_event_set(&s.called);
    return 0;
}

static void make_both_and_want(void)
{
    begin();
    kr_explore_check(kri_teller_start(&s.pool.teller) == 0);
    s.futures[0] = make();
    s.futures[1] = make();
    kr_explore_check(kr_future_add_done_callback(s.futures[0], want, NULL) == 0);
}

static void give(void)
{
    kr_event_set(&s.given);
    kr_explore_check(kr_event_wait(&s.called, KR_FOREVER) == 0);
}

SCENARIO(collector_callback_wants_what_the_leader_has, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    make_both_and_want();
    let_work();
    await(s.futures[1]);
    give();
    end();
}

SCENARIO(collector_callback_wants_what_a_follower_has, .mode = KR_EXPLORE_PCT, .schedules = 50000,
         .stale = KR_EXPLORE_NONE)
{
    make_both_and_want();
    let_work();
    int other = kr_explore_spawn(await_first, NULL);
    await(s.futures[1]);
    give();
    kr_explore_join(other);
    end();
}

/* As a shutdown does it, which calls the program itself. */
static void cancel_all(void *arg)
{
    kri_job_list list = {NULL, NULL};
    (void)arg;
    kri_mutex_lock(&s.pool.mutex);
    kri_process_pool_fail(&s.pool, KRI_JOB_CANCELLED, &list);
    (void)kri_process_pool_unlock(&s.pool);
    kri_jobs_conclude(&s.pool, &list, true);
}

SCENARIO(collector_all_are_cancelled, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    make_both_and_want();
    int other = kr_explore_spawn(cancel_all, NULL);
    kr_explore_check(kr_future_exception(s.futures[1], NULL, KR_FOREVER) == -ECANCELED);
    give();
    kr_explore_join(other);
    end();
}

/* It is cancelled before it has begun, or is too late. */
static void cancel(void *arg)
{
    (void)kr_future_cancel(*(kr_future **)arg);
}

static void await_or_hear_of_cancel(kr_future *f)
{
    int error = 1;
    kr_explore_check(kr_future_exception(f, &error, KR_FOREVER) == 0);
    kr_explore_check(error == 0 || error == -ECANCELED);
}

SCENARIO(collector_cancelled_under_the_leader, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    begin();
    let_work();
    s.futures[0] = make();
    kr_explore_spawn(cancel, &s.futures[0]);
    await_or_hear_of_cancel(s.futures[0]);
    end();
}

/* Both have callers, one is cancelled, one is only asked about, and each is waited for. */
SCENARIO(collector_all_at_random, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 50000,
         .stale = KR_EXPLORE_NONE)
{
    make_both_and_want();
    let_work();
    kr_explore_spawn(ask, NULL);
    int canceller = kr_explore_spawn(cancel, &s.futures[1]);
    int other = kr_explore_spawn(await_first, NULL);
    await_or_hear_of_cancel(s.futures[1]);
    give();
    kr_explore_join(canceller);
    kr_explore_join(other);
    end();
}
