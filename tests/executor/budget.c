/* Pools within tasks of pools: how much runs at a time in all of them together.
 *
 * A budget is as many tasks as the outermost pool has workers; a task that waits for another does
 * not count while it waits, and each pool may always run one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "executor/pool.h"
#include "harness/sanitizers.h"
#include <sys/wait.h>
#include <unistd.h>

/* A task that counts itself in, and stays for a while to meet others. */

struct crowd {
    kr_word now;
    kr_word most;
    kr_word total;
    uint32_t bound; /* met by more than this it need not stay */
};

static void enter(struct crowd *crowd)
{
    uint32_t now = kri_add_sc(&crowd->now, 1) + 1, most = kri_load_sc(&crowd->most);
    while (now > most && !kri_cas_sc(&crowd->most, &most, now))
        continue;
}

static int stay(const void *arg, void *result)
{
    struct crowd *crowd = (struct crowd *)(uintptr_t)arg;
    (void)result;
    enter(crowd);
    for (int naps = 0; naps < 20 && kri_load_sc(&crowd->most) <= crowd->bound; naps++)
        kri_test_nap();
    kri_add_sc(&crowd->total, 1);
    kri_sub_sc(&crowd->now, 1);
    return 0;
}

enum { INNER = 24 };

struct outer {
    struct crowd *crowd;
    int workers; /* of the inner pool */
    bool own_processors;
    bool counts_itself; /* waits in a way in which it runs on */
    kr_semaphore done;
};

static int stay_and_tell(const void *arg, void *result)
{
    struct outer *outer = (struct outer *)(uintptr_t)arg;
    int err = stay(outer->crowd, result);
    CHECK_EQ(kr_semaphore_release(&outer->done, 1), 0);
    return err;
}

static kr_executor *inner_pool(const struct outer *outer)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = outer->workers,
                               .own_processors = outer->own_processors,
                               .no_outside_help = outer->counts_itself};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    return pool;
}

/* Wait for inner tasks as for tasks: the outer one gives its place up. */
static int wait_for_tasks(const void *arg, void *result)
{
    struct outer *outer = (struct outer *)(uintptr_t)arg;
    (void)result;
    kr_executor *inner = inner_pool(outer);
    kr_future *futures[INNER];
    for (int i = 0; i < INNER; i++)
        CHECK_EQ(kr_submit(inner, &futures[i], stay, outer->crowd, 0, 0), 0);
    CHECK_EQ(kr_wait(futures, INNER, KR_ALL_COMPLETED, NULL, kr_sec(20)), INNER);
    for (int i = 0; i < INNER; i++)
        kr_future_release(futures[i]);
    end(inner);
    return 0;
}

/* Wait for them by a semaphore: the outer one runs on, and counts. */
static int wait_for_permits(const void *arg, void *result)
{
    struct outer outer = *(struct outer *)(uintptr_t)arg;
    (void)result;
    enter(outer.crowd);
    kr_executor *inner = inner_pool(&outer);
    for (int i = 0; i < INNER; i++)
        CHECK_EQ(kr_submit(inner, NULL, stay_and_tell, &outer, 0, 0), 0);
    for (int i = 0; i < INNER; i++)
        CHECK_EQ(kr_semaphore_acquire(&outer.done, KR_FOREVER), 0);
    kri_sub_sc(&outer.crowd->now, 1);
    end(inner);
    return 0;
}

static void check_budget(kr_task_fn fn, int outer_workers, int outer_tasks, uint32_t bound,
                         struct outer outer)
{
    struct crowd crowd = {.bound = bound};
    kr_executor *pool = pool_of(outer_workers);
    kr_future *futures[4];
    outer.crowd = &crowd;
    for (int i = 0; i < outer_tasks; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], fn, &outer, 0, 0), 0);
    for (int i = 0; i < outer_tasks; i++)
        CHECK_EQ(error_from_worker(futures[i]), 0);
    end(pool);
    CHECK_EQ(kri_load_sc(&crowd.total), outer_tasks * INNER);
    CHECK_LE(kri_load_sc(&crowd.most), bound);
    CHECK_GE(kri_load_sc(&crowd.most), 1);
}

TEST(one_inner_pool_takes_the_whole_budget_while_its_maker_waits)
{
    check_budget(wait_for_tasks, 2, 1, 2, (struct outer){.workers = 8});
    check_budget(wait_for_tasks, 3, 1, 3, (struct outer){.workers = 8});
}

/* Two inner pools: when one has taken all there is, the other still runs one. */
TEST(two_inner_pools_share_the_budget)
{
    check_budget(wait_for_tasks, 2, 2, 3, (struct outer){.workers = 8});
}

TEST(a_maker_that_waits_for_no_task_counts)
{
    check_budget(wait_for_permits, 2, 1, 2, (struct outer){.workers = 8, .counts_itself = true});
    check_budget(wait_for_permits, 3, 1, 3, (struct outer){.workers = 8, .counts_itself = true});
}

TEST(each_pool_always_runs_one)
{
    check_budget(wait_for_permits, 2, 2, 4, (struct outer){.workers = 8, .counts_itself = true});
    check_budget(wait_for_permits, 1, 1, 2, (struct outer){.workers = 8, .counts_itself = true});
}

/* A pool that is made by no task, and one with processors of its own, run as many as they have. */

struct gates {
    struct gate gate;
    bool own_processors;
    int workers;
};

static int all_at_once(const void *arg, void *result)
{
    struct gates *gates = (struct gates *)(uintptr_t)arg;
    (void)result;
    kr_executor *inner;
    kr_pool_options options = {.workers = gates->workers, .own_processors = gates->own_processors};
    CHECK_EQ(kr_thread_pool(&inner, &options), 0);
    for (int i = 0; i < gates->workers; i++)
        kr_future_release(submit_gate(inner, &gates->gate));
    wait_entered(&gates->gate, gates->workers);
    kr_event_set(&gates->gate.open);
    end(inner);
    return 0;
}

TEST(own_processors_lifts_it)
{
    kr_executor *pool = pool_of(1);
    struct gates gates = {.own_processors = true, .workers = 6};
    CHECK_EQ(run_in_worker(pool, all_at_once, &gates), 0);
    end(pool);
}

TEST(pools_that_no_task_makes_share_nothing)
{
    struct gates gates = {.workers = 6};
    kr_executor *one = pool_of(1);
    struct gate gate = {0};
    kr_future *f = submit_gate(one, &gate);
    wait_entered(&gate, 1);
    CHECK_EQ(all_at_once(&gates, NULL), 0);
    kr_event_set(&gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    end(one);
}

/* Within the budget nothing is lost of what may run at once. */
TEST(a_budget_of_three_runs_two_beside_the_maker)
{
    kr_executor *pool = pool_of(3);
    struct gates gates = {.workers = 2};
    CHECK_EQ(run_in_worker(pool, all_at_once, &gates), 0);
    end(pool);
}

/* Outer tasks that fill their pool and wait for inner ones through events: one pool below the
 * other, some levels deep. */

struct level {
    int depth;
    kr_event *done;
};

static int go_down(const void *arg, void *result)
{
    const struct level *level = arg;
    kr_event done = KR_EVENT_INIT;
    struct level below = {level->depth - 1, &done};
    (void)result;
    if (level->depth > 0) {
        kr_executor *inner = pool_of(2);
        CHECK_EQ(kr_submit(inner, NULL, go_down, &below, sizeof below, 0), 0);
        CHECK_EQ(kr_event_wait(&done, KR_FOREVER), 0);
        end(inner);
    }
    kri_add_rlx(&ran, 1);
    kr_event_set(level->done);
    return 0;
}

TEST(no_deadlock_of_events_between_levels)
{
    for (int workers = 1; workers <= 3; workers++) {
        kr_executor *pool = pool_of(workers);
        kr_event done[3] = {KR_EVENT_INIT, KR_EVENT_INIT, KR_EVENT_INIT};
        kri_store_sc(&ran, 0);
        for (int i = 0; i < workers; i++) {
            struct level level = {5, &done[i]};
            CHECK_EQ(kr_submit(pool, NULL, go_down, &level, sizeof level, 0), 0);
        }
        for (int i = 0; i < workers; i++)
            CHECK_EQ(kr_event_wait(&done[i], KR_FOREVER), 0);
        end(pool);
        CHECK_EQ(kri_load_rlx(&ran), 6 * workers);
    }
}

/* Places come back: many inner pools one after the other, some of whose tasks fail or are
 * cancelled, and in the end one that needs the whole budget. */

static int use_many(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 30; i++) {
        kr_executor *inner = pool_of(4);
        kr_future *futures[6];
        for (int j = 0; j < 6; j++)
            CHECK_EQ(kr_submit(inner, &futures[j], count_one, NULL, 0, 0), 0);
        (void)kr_future_cancel(futures[i % 6]);
        if (i % 3 == 0)
            CHECK_EQ(kr_future_exception(futures[(i + 1) % 6], NULL, KR_FOREVER), 0);
        for (int j = 0; j < 6; j++)
            kr_future_release(futures[j]);
        if (i % 2)
            CHECK_EQ(kr_executor_shutdown(inner, &(kr_shutdown_options){.cancel_pending = true},
                                          KR_FOREVER),
                     0);
        kr_executor_release(inner);
    }
    return 0;
}

TEST(places_come_back)
{
    kr_executor *pool = pool_of(3);
    struct gates gates = {.workers = 2};
    CHECK_EQ(run_in_worker(pool, use_many, NULL), 0);
    CHECK_EQ(run_in_worker(pool, all_at_once, &gates), 0);
    end(pool);
}

/* Pools of one budget that end while others of it look for somebody to call. */
TEST(neighbours_come_and_go)
{
    kr_executor *pool = pool_of(3);
    kr_future *futures[9];
    for (int i = 0; i < 9; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], use_many, NULL, 0, 0), 0);
    for (int i = 0; i < 9; i++)
        CHECK_EQ(error_from_worker(futures[i]), 0);
    end(pool);
}

/* The place of a pool's last worker comes back too, though nobody waits for its end. */

static int set_event(const void *arg, void *result)
{
    (void)result;
    kr_event_set(*(kr_event *const *)arg);
    return 0;
}

static int end_inner_behind(const void *arg, void *result)
{
    kr_executor *outer = (kr_executor *)(uintptr_t)arg, *inner = pool_of(1);
    struct gate gate = {0};
    kr_event done = KR_EVENT_INIT, *pointer = &done;
    (void)result;
    kr_future *f = submit_gate(inner, &gate);
    wait_entered(&gate, 1);
    CHECK_EQ(kr_submit(outer, NULL, set_event, &pointer, sizeof pointer, 0), 0);
    CHECK_EQ(kr_executor_shutdown(inner, NULL, KR_NOWAIT), -ETIMEDOUT);
    kr_event_set(&gate.open);
    CHECK_EQ(kr_event_wait(&done, KR_FOREVER), 0);
    CHECK_EQ(error_of(f), 0);
    kr_executor_release(inner);
    return 0;
}

TEST(the_place_of_the_last_worker_comes_back)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(run_in_worker(pool, end_inner_behind, pool), 0);
    end(pool);
}

/* A child that is forked in a task is in no pool's task: its pools are their own, and when it waits
 * no worker of its parent's is started in its stead. */

static int use_pools_in_child(const kri_pool *parents)
{
    struct gates gates = {.workers = 4};
    (void)alarm(60);
    kr_executor *own = pool_of(1);
    kr_future *f;
    CHECK_EQ(kr_submit(own, &f, count_one, NULL, 0, 0), 0);
    int error = error_from_worker(f);
    end(own);
    CHECK_EQ(all_at_once(&gates, NULL), 0);
    CHECK_EQ(parents->alive, 1);
    CHECK_EQ(parents->waiting, 0);
    return error;
}

static int fork_with_work(const void *arg, void *result)
{
    kr_executor *pool = (kr_executor *)(uintptr_t)arg;
    int status;
    (void)result;
    CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(use_pools_in_child((const kri_pool *)pool));
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status) ? -EIO : 0;
}

TEST(a_child_forked_in_a_task_is_in_no_task)
{
    if (KRI_TSAN)
        SKIP("the child may start no threads");
    kr_executor *pool = pool_of(1);
    CHECK_EQ(run_in_worker(pool, fork_with_work, pool), 0);
    end(pool);
}

/* An inner pool that outlives the outer one. */

static int make_pool(const void *arg, void *result)
{
    (void)arg;
    kr_executor *inner = pool_of(3);
    memcpy(result, &inner, sizeof inner);
    return 0;
}

TEST(an_inner_pool_outlives_the_outer_one)
{
    kr_executor *pool = pool_of(2), *inner;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, make_pool, NULL, 0, sizeof inner), 0);
    CHECK_EQ(kr_future_result(f, &inner, sizeof inner, NULL, kr_sec(20)), 0);
    kr_future_release(f);
    end(pool);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(kr_submit(inner, NULL, count_one, NULL, 0, 0), 0);
    end(inner);
    CHECK_EQ(kri_load_rlx(&ran), 100);
}
