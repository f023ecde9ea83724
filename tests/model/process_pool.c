/* The protocol of the process pool under every schedule, and under the death of a worker at every
 * point.
 *
 * Logical thread 0 is the parent, in process 0; workers are in processes of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "process_pool/doze.h"
#include "process_pool/work.h"

enum { VICTIM = 1, OTHER = 2, SLOTS = 2, WORKERS = 2, SIZE = 16384 };

static struct {
    kri_work work;
    uint64_t taken[WORKERS];
    int ended[SLOTS];   /* by the parent: how often it was told of each */
    int crashed[SLOTS]; /* and how often it found each left by a dead worker */
    int count;
    _Alignas(128) unsigned char memory[SIZE];
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_check(kri_work_size(SLOTS, WORKERS) <= sizeof s.memory);
    kri_work_make(&s.work, s.memory, SLOTS, WORKERS);
    for (uint32_t i = 0; i < WORKERS; i++) {
        kri_worker_reset(&s.work, i);
        kri_store_rlx(&kri_work_record_of(&s.work, i)->status, KRI_WORKER_WORKS);
    }
    kr_explore_name(s.work.area, sizeof(kri_work_area), "area");
    kr_explore_name(s.work.slots, SLOTS * sizeof(kri_work_slot), "slots");
}

/* A task is to double what it finds in its slot. */
static void put_only(uint32_t slot, uint32_t lane)
{
    s.work.slots[slot].error = 0;
    s.work.slots[slot].arg = slot + 5;
    kri_store_rlx(&s.work.slots[slot].progress, 0);
    kr_explore_check(kri_ready_put(&s.work, lane, slot));
}

static void put(uint32_t slot)
{
    put_only(slot, 0);
    kri_worker_call(&s.work);
}

static void run(void *arg, uint32_t slot)
{
    (void)arg;
    s.work.slots[slot].error += (int)s.work.slots[slot].arg * 2;
}

static void work_as(uint32_t worker, uint64_t most)
{
    (void)kri_worker_loop(&s.work, worker, most, run, NULL);
}

static void work_0(void *arg)
{
    (void)arg;
    work_as(0, 0);
}

static void work_1(void *arg)
{
    (void)arg;
    work_as(1, 0);
}

static void work_0_once(void *arg)
{
    (void)arg;
    work_as(0, 1);
}

static void settle(uint32_t slot)
{
    kr_explore_check(s.work.slots[slot].error == (int)(slot + 5) * 2);
    kri_slot_settle(&s.work.slots[slot]);
    s.ended[slot]++;
    s.count++;
}

static void collect(void)
{
    for (uint32_t w = 0; w < WORKERS; w++) {
        int slot;
        while ((slot = kri_completion_get(&s.work, w, &s.taken[w])) >= 0) {
            uint64_t state = kri_slot_look(&s.work.slots[slot]);
            if (kri_slot_phase(state) == KRI_SLOT_DONE && kri_slot_worker(state) == w)
                settle((uint32_t)slot);
        }
    }
}

/* As who leads, or as the collector: until so many have ended, or the time is over. */
static void take(int bell, int count, kr_time deadline)
{
    int err = 0;
    while (err != -ETIMEDOUT) {
        kri_work_bell_begin(&s.work, bell);
        collect();
        if (s.count >= count)
            break;
        err = kri_work_bell_wait(&s.work, bell, deadline, 0);
    }
    kri_work_bell_end(&s.work, bell);
    collect();
}

static void close_pool(void)
{
    kri_store_sc(&s.work.area->closing, 1);
    kri_worker_call_all(&s.work);
}

static void check_each_once(int slots)
{
    for (int i = 0; i < slots; i++)
        kr_explore_check(s.ended[i] + s.crashed[i] == 1);
}

/* Nobody dies. */

SCENARIO(process_pool_hands_over)
{
    fresh();
    kr_explore_spawn_in(OTHER, work_0, NULL);
    put(0);
    take(KRI_BELL_LEADER, 1, KRI_NEVER);
    put(0);
    take(KRI_BELL_LEADER, 2, KRI_NEVER);
    close_pool();
    kr_explore_join_all();
    kr_explore_check(s.ended[0] == 2);
}

SCENARIO(process_pool_two_workers, .preemptions = 1, .stale = 1)
{
    fresh();
    kr_explore_spawn_in(VICTIM, work_0, NULL);
    kr_explore_spawn_in(OTHER, work_1, NULL);
    put(0);
    put(1);
    take(KRI_BELL_LEADER, 2, KRI_NEVER);
    close_pool();
    kr_explore_join_all();
    check_each_once(2);
}

/* Of two tasks that are put at once each has to have a worker: the first to be found waits for the
 * second. */
static void run_together(void *arg, uint32_t slot)
{
    kr_word *here = arg;
    run(NULL, slot);
    kri_add_sc(here, 1);
    kri_wake(here, KRI_ALL, KRI_SHARED);
    while (kri_load_acq(here) < 2)
        (void)kri_wait(here, 1, KRI_NEVER, KRI_SHARED);
}

static kr_word both;

static void together_0(void *arg)
{
    (void)arg;
    (void)kri_worker_loop(&s.work, 0, 1, run_together, &both);
}

static void together_1(void *arg)
{
    (void)arg;
    (void)kri_worker_loop(&s.work, 1, 1, run_together, &both);
}

SCENARIO(process_pool_two_at_a_time, .preemptions = 1, .stale = 1)
{
    fresh();
    both = (kr_word){0};
    kr_explore_spawn_in(VICTIM, together_0, NULL);
    kr_explore_spawn_in(OTHER, together_1, NULL);
    put(0);
    put(1);
    take(KRI_BELL_LEADER, 2, KRI_NEVER);
    kr_explore_join_all();
    check_each_once(2);
}

/* Who has just ended a task searches, so nobody else is called for the next two; he has to see to
 * that himself. */
static kr_word met;

static void run_and_meet(void *arg, uint32_t slot)
{
    bool meets = s.work.slots[slot].flags != 0;
    (void)arg;
    run(NULL, slot);
    if (!meets)
        return;
    kri_add_sc(&met, 1);
    kri_wake(&met, KRI_ALL, KRI_SHARED);
    while (kri_load_acq(&met) < 2)
        (void)kri_wait(&met, 1, KRI_NEVER, KRI_SHARED);
}

static void meet_as(void *arg)
{
    (void)kri_worker_loop(&s.work, (uint32_t)(uintptr_t)arg, 0, run_and_meet, NULL);
}

SCENARIO(process_pool_a_searcher_calls_another, .preemptions = 1, .stale = KR_EXPLORE_NONE,
         .early = KR_EXPLORE_NONE)
{
    fresh();
    met = (kr_word){0};
    kr_explore_spawn_in(VICTIM, meet_as, (void *)0);
    kr_explore_spawn_in(OTHER, meet_as, (void *)1);
    put(0);
    take(KRI_BELL_LEADER, 1, KRI_NEVER);
    s.work.slots[0].flags = 1;
    s.work.slots[1].flags = 1;
    put(0);
    put(1);
    take(KRI_BELL_LEADER, 3, KRI_NEVER);
    close_pool();
    kr_explore_join_all();
    kr_explore_check(s.ended[0] == 2 && s.ended[1] == 1);
}

/* Who leads gives up: the collector hears of it, patient workers or not. */
static void collect_as_collector(void *arg)
{
    (void)arg;
    take(KRI_BELL_COLLECTOR, 1, KRI_NEVER);
}

static kri_mutex collecting;

static void collect_guarded(int bell, kr_time deadline)
{
    int err = 0;
    bool all = false;
    while (!all && err != -ETIMEDOUT) {
        kri_work_bell_begin(&s.work, bell);
        kri_mutex_lock(&collecting);
        collect();
        all = s.count == 1;
        kri_mutex_unlock(&collecting);
        if (!all)
            err = kri_work_bell_wait(&s.work, bell, deadline, 0);
    }
    kri_work_bell_end(&s.work, bell);
    kri_mutex_lock(&collecting);
    collect();
    all = s.count == 1;
    kri_mutex_unlock(&collecting);
    if (all) /* as the pool does: the other may sleep for what this one has taken */
        kri_work_bell_ring(&s.work, KRI_BELL_COLLECTOR - bell);
}

static void be_collector(void *arg)
{
    (void)arg;
    collect_guarded(KRI_BELL_COLLECTOR, KRI_NEVER);
}

static void a_leader_leaves(bool patient)
{
    fresh();
    collecting = (kri_mutex){0};
    kri_completion_learn(&s.work, patient);
    kr_explore_spawn(be_collector, NULL);
    kr_explore_spawn_in(OTHER, work_0_once, NULL);
    put(0);
    collect_guarded(KRI_BELL_LEADER, kri_deadline(kr_ms(1)));
    kr_explore_join_all();
    check_each_once(1);
}

SCENARIO(process_pool_leader_leaves, .preemptions = 1, .stale = 1)
{
    a_leader_leaves(false);
}

SCENARIO(process_pool_leader_leaves_a_patient_worker, .preemptions = 1, .stale = 1)
{
    a_leader_leaves(true);
}

/* Nobody ever leads, and the worker thought so. */
SCENARIO(process_pool_patience_ends, .stale = 1)
{
    fresh();
    kri_completion_learn(&s.work, true);
    kr_explore_spawn(collect_as_collector, NULL);
    kr_explore_spawn_in(OTHER, work_0, NULL);
    put(0);
    kr_explore_join(1);
    close_pool();
    kr_explore_join_all();
    check_each_once(1);
}

/* A collector that dozes, without an end, and somebody who comes to rely on it. */
static kri_doze doze;

static bool sleeps_for_once(void)
{
    kri_mutex_lock(&collecting);
    bool dozes = kri_doze_begin(&doze);
    kri_mutex_unlock(&collecting);
    if (!dozes)
        return false;
    kri_work_bell_end(&s.work, KRI_BELL_COLLECTOR);
    kri_doze_sleep(&doze, KRI_NEVER);
    kri_mutex_lock(&collecting);
    kri_doze_over(&doze);
    kri_mutex_unlock(&collecting);
    return true;
}

static void be_collector_who_dozes(void *arg)
{
    (void)arg;
    while (s.count == 0) {
        kri_work_bell_begin(&s.work, KRI_BELL_COLLECTOR);
        collect();
        if (s.count == 0 && !sleeps_for_once())
            (void)kri_work_bell_wait(&s.work, KRI_BELL_COLLECTOR, KRI_NEVER, 0);
    }
}

SCENARIO(process_pool_relied_collector, .stale = 1)
{
    fresh();
    collecting = (kri_mutex){0};
    doze = (kri_doze){.relied = 0};
    kr_explore_spawn(be_collector_who_dozes, NULL);
    kr_explore_spawn_in(OTHER, work_0_once, NULL);
    put(0);
    kri_mutex_lock(&collecting);
    kri_doze_rely(&doze);
    kri_mutex_unlock(&collecting);
    kr_explore_join_all();
    check_each_once(1);
}

/* A task is taken back, and its slot is used at once for another, in another lane. */
SCENARIO(process_pool_withdraw, .preemptions = 1, .stale = 1)
{
    fresh();
    kr_explore_spawn_in(VICTIM, work_0, NULL);
    kr_explore_spawn_in(OTHER, work_1, NULL);
    uint64_t ticket = kri_ready_ticket(&s.work, 0);
    put(0);
    bool withdrawn = kri_slot_withdraw(&s.work.slots[0], ticket);
    if (withdrawn) {
        put_only(0, 2);
        kri_worker_call(&s.work);
    }
    take(KRI_BELL_LEADER, 1, KRI_NEVER);
    close_pool();
    kr_explore_join_all();
    check_each_once(1);
}

/* The head is moved past entries that are over, also by the parent. */
SCENARIO(process_pool_full_ring, .preemptions = 1)
{
    fresh();
    for (int i = 0; i < 2 * SLOTS; i++) {
        uint64_t ticket = kri_ready_ticket(&s.work, 0);
        kr_explore_check(kri_ready_put(&s.work, 0, 0));
        kr_explore_check(kri_slot_withdraw(&s.work.slots[0], ticket));
    }
    kr_explore_spawn_in(OTHER, work_0, NULL);
    put(1);
    put(0);
    take(KRI_BELL_LEADER, 2, KRI_NEVER);
    close_pool();
    kr_explore_join_all();
    check_each_once(2);
}

/* Somebody dies, at any point. */

/* As the supervisor does it. */
static void bury(uint32_t worker)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint64_t state = kri_slot_look(&s.work.slots[slot]);
        uint32_t phase = kri_slot_phase(state);
        if (phase < KRI_SLOT_RUNNING || kri_slot_worker(state) != worker)
            continue;
        if (kri_slot_has_ended(&s.work.slots[slot], state)) {
            settle(slot);
            continue;
        }
        uint32_t items = s.work.slots[slot].items,
                 item = kri_load_rlx(&s.work.slots[slot].progress);
        kr_explore_check((item & ~KRI_SLOT_CONDEMNED) < (items ? items : 1)); /* it was in one */
        kri_slot_settle(&s.work.slots[slot]);
        s.crashed[slot]++;
        s.count++;
    }
    kri_worker_reset(&s.work, worker);
    s.taken[worker] = 0;
    kri_worker_call_all(&s.work);
    kri_work_bells_ring_for_dead(&s.work);
}

static void supervise(void *arg)
{
    kr_explore_join(*(const int *)arg);
    kri_mutex_lock(&collecting);
    bury(0);
    kri_mutex_unlock(&collecting);
}

/* The leader, beside a supervisor. */
static void lead(int count)
{
    for (bool all = false; !all;) {
        kri_work_bell_begin(&s.work, KRI_BELL_LEADER);
        kri_mutex_lock(&collecting);
        collect();
        all = s.count >= count;
        kri_mutex_unlock(&collecting);
        if (!all)
            (void)kri_work_bell_wait(&s.work, KRI_BELL_LEADER, KRI_NEVER, 0);
    }
    kri_work_bell_end(&s.work, KRI_BELL_LEADER);
}

static int victim;

static void beside_victim(int tasks)
{
    fresh();
    collecting = (kri_mutex){0};
    victim = kr_explore_spawn_in(VICTIM, work_0, NULL);
    kr_explore_spawn_in(OTHER, work_1, NULL);
    kr_explore_spawn(supervise, &victim);
    for (int i = 0; i < tasks; i++)
        put((uint32_t)i);
    lead(tasks);
    close_pool();
    kr_explore_join_all();
    check_each_once(tasks);
    kr_explore_check(s.crashed[0] + s.crashed[1] <= !kr_explore_alive(VICTIM));
}

#define AT_EVERY_POINT                                                                             \
    .victim = VICTIM, .preemptions = KR_EXPLORE_NONE, .stale = KR_EXPLORE_NONE,                    \
    .early = KR_EXPLORE_NONE

SCENARIO(process_pool_worker_dies, AT_EVERY_POINT)
{
    beside_victim(1);
}

SCENARIO(process_pool_worker_dies_of_two_tasks, AT_EVERY_POINT)
{
    beside_victim(2);
}

SCENARIO(process_pool_worker_dies_at_random, .victim = VICTIM, .mode = KR_EXPLORE_PCT,
         .schedules = 5000, .stale = 1)
{
    beside_victim(2);
}

/* It has called another for what it saw beside its own task, or was about to. */
SCENARIO(process_pool_a_searcher_dies, .victim = VICTIM, .preemptions = KR_EXPLORE_NONE,
         .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE)
{
    fresh();
    collecting = (kri_mutex){0};
    victim = kr_explore_spawn_in(VICTIM, work_0, NULL);
    kr_explore_spawn_in(OTHER, work_1, NULL);
    kr_explore_spawn(supervise, &victim);
    put(0);
    lead(1);
    put(0);
    put(1);
    lead(3);
    close_pool();
    kr_explore_join_all();
    kr_explore_check(s.count == 3);
}

/* It was the only one, and another comes in its place. */
static void replace(void *arg)
{
    supervise(arg);
    if (!kr_explore_alive(VICTIM))
        work_as(0, 0);
}

SCENARIO(process_pool_only_worker_dies, AT_EVERY_POINT)
{
    fresh();
    collecting = (kri_mutex){0};
    victim = kr_explore_spawn_in(VICTIM, work_0, NULL);
    kr_explore_spawn(replace, &victim);
    put(0);
    put(1);
    lead(2);
    close_pool();
    kr_explore_join_all();
    check_each_once(2);
}

/* Somebody is to be killed for the item that he is in, and ends it just then.  The kill itself is
 * the death at any point, or, as for who hears of it before, his own end. */
static int condemned;

static void condemn_what_runs(void)
{
    for (uint32_t slot = 0; slot < SLOTS && condemned < 0; slot++) {
        uint32_t item;
        uint64_t state = kri_slot_look(&s.work.slots[slot]);
        bool runs = kri_slot_is_running(&s.work.slots[slot], state, &item);
        if (!runs || kri_slot_worker(state) != 0)
            continue;
        uint64_t began = kri_load_rlx64(&kri_work_record_of(&s.work, 0)->began);
        kr_explore_check(began >= item); /* no time of an item before it */
        if (!kri_slot_condemn(&s.work.slots[slot], item))
            continue;
        condemned = (int)slot;
        kr_explore_check(kri_load_rlx(&s.work.slots[slot].progress) == (item | KRI_SLOT_CONDEMNED));
    }
}

static void supervise_with_limits(void *arg)
{
    kri_mutex_lock(&collecting);
    condemn_what_runs();
    kri_mutex_unlock(&collecting);
    supervise(arg);
}

static void check_only_the_condemned_crashed(int tasks)
{
    check_each_once(tasks);
    int crashed = s.crashed[0] + s.crashed[1];
    if (condemned >= 0)
        kr_explore_check(s.crashed[condemned] == 1 && crashed == 1);
    else
        kr_explore_check(crashed <= !kr_explore_alive(VICTIM));
}

static void beside_a_limit(void)
{
    fresh();
    collecting = (kri_mutex){0};
    condemned = -1;
    victim = kr_explore_spawn_in(VICTIM, work_0, NULL);
    kr_explore_spawn_in(OTHER, work_1, NULL);
    kr_explore_spawn(supervise_with_limits, &victim);
    put(0);
    put(1);
    lead(2);
    close_pool();
    kr_explore_join_all();
    check_only_the_condemned_crashed(2);
}

/* The parent does it all, and is the successor too. */
SCENARIO(process_pool_condemned)
{
    fresh();
    condemned = -1;
    victim = kr_explore_spawn_in(VICTIM, work_0, NULL);
    put(0);
    put(1);
    condemn_what_runs();
    if (condemned < 0)
        take(KRI_BELL_LEADER, 2, KRI_NEVER);
    else
        kr_explore_join(victim);
    close_pool();
    if (condemned >= 0) {
        bury(0);
        work_as(0, 0);
        collect();
    }
    kr_explore_join_all();
    check_only_the_condemned_crashed(2);
}

SCENARIO(process_pool_condemned_dies_at_random, .victim = VICTIM, .mode = KR_EXPLORE_PCT,
         .schedules = 5000, .stale = 1)
{
    beside_a_limit();
}

/* As worker.c does it. */
static void run_items(void *arg, uint32_t slot)
{
    kri_work_slot *at = &s.work.slots[slot];
    run(arg, slot);
    for (uint32_t i = 1; i < at->items; i++) {
        kri_store_rlx64(&kri_work_record_of(&s.work, 0)->began, i);
        if (!kri_slot_pass(at))
            return;
    }
}

static void work_0_on_items(void *arg)
{
    (void)arg;
    (void)kri_worker_loop(&s.work, 0, 1, run_items, NULL);
}

SCENARIO(process_pool_condemned_for_an_item)
{
    fresh();
    collecting = (kri_mutex){0};
    condemned = -1;
    victim = kr_explore_spawn_in(VICTIM, work_0_on_items, NULL);
    kr_explore_spawn(supervise_with_limits, &victim);
    s.work.slots[0].items = 2;
    put(0);
    lead(1);
    kr_explore_join_all();
    check_only_the_condemned_crashed(1);
}

/* It leaves, whether it sleeps, runs something, or is on its way to either. */
SCENARIO(process_pool_dismissed, .preemptions = 2, .stale = KR_EXPLORE_NONE)
{
    fresh();
    victim = kr_explore_spawn_in(VICTIM, work_0, NULL);
    kr_explore_spawn_in(OTHER, work_1, NULL);
    put(0);
    kr_explore_check(kri_worker_dismiss(&s.work, 0));
    kr_explore_join(victim);
    put(1);
    take(KRI_BELL_LEADER, 2, KRI_NEVER);
    close_pool();
    kr_explore_join_all();
    check_each_once(2);
}
