/* Waiting inside tasks: what is queued is run by whoever waits for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/counted_local.h"
#include "executor/help.h"

#include "executor/pool.h"

struct chain {
    kr_executor *pool;
    int depth;
    uint64_t outer; /* the party that waits */
};

static int descend(const void *arg, void *result)
{
    const struct chain *chain = arg;
    CHECK(kri_party_id(kri_party_self()) != chain->outer);
    CHECK(!kr_cancelled());
    int below = 0;
    if (chain->depth > 0) {
        struct chain next = {chain->pool, chain->depth - 1, kri_party_id(kri_party_self())};
        kr_future *f;
        CHECK_EQ(kr_submit(chain->pool, &f, descend, &next, sizeof next, sizeof below), 0);
        CHECK_EQ(kr_future_result(f, &below, sizeof below, NULL, KR_FOREVER), 0);
        kr_future_release(f);
    }
    *(int *)result = below + 1;
    return 0;
}

static void check_chain(int workers, int depth)
{
    struct chain chain = {pool_of(workers), depth, 0};
    kr_future *f;
    int got = 0;
    CHECK_EQ(kr_submit(chain.pool, &f, descend, &chain, sizeof chain, sizeof got), 0);
    CHECK_EQ(kr_future_result(f, &got, sizeof got, NULL, KR_FOREVER), 0);
    CHECK_EQ(got, depth + 1);
    kr_future_release(f);
    end(chain.pool);
}

TEST(waiting_100_deep_on_one_worker)
{
    check_chain(1, 100);
}

TEST(waiting_100_deep_on_three_workers)
{
    for (int i = 0; i < 20; i++)
        check_chain(3, 100);
}

static int fan_out(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    kr_future *futures[20];
    (void)result;
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_wait(futures, 20, KR_ALL_COMPLETED, NULL, KR_FOREVER), 20);
    for (int i = 0; i < 20; i++)
        kr_future_release(futures[i]);
    return 0;
}

TEST(all_workers_wait_for_queued_tasks)
{
    kr_executor *pool = pool_of(2);
    kr_future *futures[8];
    for (int i = 0; i < 8; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], fan_out, &pool, sizeof pool, 0), 0);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    CHECK_EQ(kri_load_rlx(&ran), 160);
    end(pool);
}

/* Two pools of one worker each, whose tasks wait for tasks queued in the other. */
struct pools {
    kr_executor *here;
    kr_executor *there;
    int depth;
};

static int cross(const void *arg, void *result)
{
    const struct pools *pools = arg;
    (void)result;
    if (pools->depth == 0)
        return count_one(NULL, NULL);
    struct pools next = {pools->there, pools->here, pools->depth - 1};
    kr_future *f;
    CHECK_EQ(kr_submit(pools->there, &f, cross, &next, sizeof next, 0), 0);
    return error_of(f);
}

TEST(pools_wait_for_each_other)
{
    kr_executor *a = pool_of(1), *b = pool_of(1);
    struct pools one = {a, b, 20}, other = {b, a, 20};
    kr_future *f, *g;
    CHECK_EQ(kr_submit(a, &f, cross, &one, sizeof one, 0), 0);
    CHECK_EQ(kr_submit(b, &g, cross, &other, sizeof other, 0), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(error_of(g), 0);
    end(a);
    end(b);
}

/* Where the other pool has an initializer only its own workers run its tasks. */

static int initialize(void *arg)
{
    (void)arg;
    return 0;
}

static int wait_for_initialized(const void *arg, void *result)
{
    kr_executor *there = *(kr_executor *const *)arg;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_future *f;
    (void)result;
    CHECK_EQ(kr_submit(there, &f, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    CHECK_EQ(kri_load_rlx(&ran), 0);
    kr_future_release(f);
    return 0;
}

TEST(a_worker_of_another_pool_does_not_help_past_an_initializer)
{
    kr_executor *here = pool_of(1), *there;
    struct gate gate = {0};
    kr_pool_options options = {.workers = 1, .initializer = initialize};
    CHECK_EQ(kr_thread_pool(&there, &options), 0);
    kr_future *blocker = submit_gate(there, &gate), *f;
    wait_entered(&gate, 1);
    CHECK_EQ(kr_submit(here, &f, wait_for_initialized, &there, sizeof there, 0), 0);
    CHECK_EQ(error_from_worker(f), 0);
    kr_event_set(&gate.open);
    CHECK_EQ(error_from_worker(blocker), 0);
    end(here);
    end(there);
    CHECK_EQ(kri_load_rlx(&ran), 2);
}

struct self {
    kr_future *future;
    kr_event known;
};

static int wait_for_oneself(const void *arg, void *result)
{
    struct self *self = *(struct self *const *)arg;
    (void)result;
    CHECK_EQ(kr_event_wait(&self->known, KR_FOREVER), 0);
    CHECK_EQ(kr_future_exception(self->future, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_wait(&self->future, 1, KR_ALL_COMPLETED, NULL, KR_FOREVER), -EDEADLK);
    return kr_future_exception(self->future, NULL, KR_FOREVER);
}

TEST(waiting_for_oneself_is_an_error)
{
    kr_executor *pool = pool_of(1);
    struct self self = {.known = KR_EVENT_INIT}, *at = &self;
    CHECK_EQ(kr_submit(pool, &self.future, wait_for_oneself, &at, sizeof at, 0), 0);
    kr_event_set(&self.known);
    CHECK_EQ(error_of(self.future), -EDEADLK);
    end(pool);
}

/* A done callback in a worker may wait for what is queued behind it. */

static int wait_in_callback(kr_future *f, void *arg)
{
    (void)f;
    kr_executor *pool = arg;
    kr_future *g;
    CHECK_EQ(kr_submit(pool, &g, count_one, NULL, 0, 0), 0);
    CHECK_EQ(error_of(g), 0);
    kri_add_rlx(&ran, 1);
    return 0;
}

TEST(a_callback_waits_for_another_task)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *f = submit_gate(pool, &gate);
    CHECK_EQ(kr_future_add_done_callback(f, wait_in_callback, pool), 0);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(f), 0);
    while (kri_load_rlx(&ran) < 3)
        kri_test_nap();
    end(pool);
}

static int touch_local(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK(kr_local_peek(&local) == NULL);
    CHECK(kr_local_get(&local) != NULL);
    return 0;
}

static int touch_and_help(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    void *mine = kr_local_get(&local);
    for (int i = 0; i < 3; i++) {
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, touch_local, NULL, 0, 0), 0);
        CHECK_EQ(error_of(f), 0);
        CHECK_EQ(kri_load_rlx(&values_alive), 1);
        CHECK(kr_local_peek(&local) == mine);
    }
    return 0;
}

/* The worker helps itself; were it this thread that runs the first task, the worker would keep the
 * locals of the others. */
TEST(a_helped_tasks_locals_end_with_it)
{
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .no_outside_help = true}), 0);
    CHECK_EQ(kr_submit(pool, &f, touch_and_help, &pool, sizeof pool, 0), 0);
    CHECK_EQ(error_of(f), 0);
    end(pool);
    CHECK_EQ(kri_load_rlx(&values_alive), 0);
}

/* A stranger, which has nothing to do with the waiter, wants the lock that the waiter holds. */

struct plan {
    kr_executor *pool;
    kr_lock lock;
    struct gate gate;
    kr_future *child;
    kr_event submitted;
    kr_word strangers;
    int way;
};

static int want_lock(const void *arg, void *result)
{
    struct plan *plan = *(struct plan *const *)arg;
    (void)result;
    kr_with (&plan->lock) {
        kri_add_rlx(&plan->strangers, 1);
    }
    return 0;
}

static void submit_stranger(struct plan *plan)
{
    CHECK_EQ(kr_submit(plan->pool, NULL, want_lock, &plan, sizeof plan, 0), 0);
}

static void wait_for_child(const struct plan *plan)
{
    kr_completed *it;
    kr_future *got, *child = plan->child;
    if (plan->way == 0) {
        CHECK_EQ(kr_future_exception(child, NULL, KR_FOREVER), 0);
    } else if (plan->way == 1) {
        CHECK_EQ(kr_wait(&child, 1, KR_ALL_COMPLETED, NULL, KR_FOREVER), 1);
    } else {
        CHECK_EQ(kr_as_completed(&it, &child, 1), 0);
        CHECK_EQ(kr_completed_next(it, &got, KR_FOREVER), 1);
        kr_completed_release(it);
    }
}

static int wait_with_lock(const void *arg, void *result)
{
    struct plan *plan = *(struct plan *const *)arg;
    (void)result;
    CHECK_EQ(kr_lock_acquire(&plan->lock, KR_FOREVER), 0);
    submit_stranger(plan);
    CHECK_EQ(kr_submit(plan->pool, &plan->child, count_one, NULL, 0, 0), 0);
    submit_stranger(plan);
    wait_for_child(plan);
    CHECK_EQ(kri_load_rlx(&plan->strangers), 0);
    kr_future_release(plan->child);
    return kr_lock_release(&plan->lock);
}

TEST(a_waiter_with_a_lock_runs_no_stranger)
{
    for (int workers = 1; workers <= 3; workers++)
        for (int way = 0; way < 3; way++) {
            struct plan plan = {.pool = pool_of(workers), .way = way}, *at = &plan;
            kr_future *f;
            CHECK_EQ(kr_submit(plan.pool, &f, wait_with_lock, &at, sizeof at, 0), 0);
            CHECK_EQ(error_from_worker(f), 0);
            end(plan.pool);
            CHECK_EQ(kri_load_rlx(&plan.strangers), 2);
        }
}

/* With a time limit nobody helps, for nobody can say how long a task takes: the child runs in
 * another thread, or not yet. */

static int tell_thread(const void *arg, void *result)
{
    (void)arg;
    *(uint64_t *)result = kr_thread_ident(kr_thread_current());
    return 0;
}

static int wait_with_limit(const void *arg, void *result)
{
    (void)result;
    const struct plan *plan = *(struct plan *const *)arg;
    uint64_t here = kr_thread_ident(kr_thread_current()), there = 0;
    kr_future *f, *got;
    kr_completed *it;
    CHECK_EQ(kr_submit(plan->pool, &f, tell_thread, NULL, 0, sizeof there), 0);
    if (plan->way == 0) {
        (void)!kr_future_exception(f, NULL, kr_ms(20));
    } else if (plan->way == 1) {
        (void)!kr_wait(&f, 1, KR_ALL_COMPLETED, NULL, kr_ms(20));
    } else {
        CHECK_EQ(kr_as_completed(&it, &f, 1), 0);
        (void)!kr_completed_next(it, &got, kr_ms(20));
        kr_completed_release(it);
    }
    int err = kr_future_result(f, &there, sizeof there, NULL, KR_NOWAIT);
    CHECK(err == -ETIMEDOUT || (err == 0 && there != here));
    kr_future_release(f);
    return 0;
}

TEST(a_wait_with_a_time_limit_does_not_help)
{
    struct plan plan = {.pool = pool_of(1)}, *at = &plan;
    for (plan.way = 0; plan.way < 3; plan.way++) {
        kr_future *f;
        CHECK_EQ(kr_submit(plan.pool, &f, wait_with_limit, &at, sizeof at, 0), 0);
        CHECK_EQ(error_from_worker(f), 0);
    }
    end(plan.pool);
}

/* The lock again, when another worker has the child already and there is nothing to help with. */
static int sleep_with_lock(const void *arg, void *result)
{
    struct plan *plan = *(struct plan *const *)arg;
    (void)result;
    CHECK_EQ(kr_lock_acquire(&plan->lock, KR_FOREVER), 0);
    plan->child = submit_gate(plan->pool, &plan->gate);
    wait_entered(&plan->gate, 1);
    submit_stranger(plan);
    kr_event_set(&plan->submitted);
    wait_for_child(plan);
    CHECK_EQ(kri_load_rlx(&plan->strangers), 0);
    return kr_lock_release(&plan->lock);
}

TEST(a_waiter_with_a_lock_sleeps_while_strangers_are_queued)
{
    struct plan plan = {.pool = pool_of(2)}, *at = &plan;
    kr_future *f;
    CHECK_EQ(kr_submit(plan.pool, &f, sleep_with_lock, &at, sizeof at, 0), 0);
    CHECK_EQ(kr_event_wait(&plan.submitted, KR_FOREVER), 0);
    wait_awaited(plan.child);
    kr_event_set(&plan.gate.open);
    CHECK_EQ(error_from_worker(f), 0);
    kr_future_release(plan.child);
    end(plan.pool);
    CHECK_EQ(kri_load_rlx(&plan.strangers), 1);
}

static int await_gate(const void *arg, void *result)
{
    struct plan *plan = *(struct plan *const *)arg;
    (void)result;
    plan->child = submit_gate(plan->pool, &plan->gate);
    wait_entered(&plan->gate, 1);
    kr_event_set(&plan->submitted);
    CHECK_EQ(kr_future_exception(plan->child, NULL, KR_FOREVER), -ECANCELED);
    CHECK(kr_future_running(plan->child));
    return -ECANCELED;
}

TEST(a_task_that_waits_for_another_is_cancelled)
{
    struct plan plan = {.pool = pool_of(2)}, *at = &plan;
    kr_future *f;
    CHECK_EQ(kr_submit(plan.pool, &f, await_gate, &at, sizeof at, 0), 0);
    CHECK_EQ(kr_event_wait(&plan.submitted, KR_FOREVER), 0);
    wait_awaited(plan.child);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_from_worker(f), -ECANCELED);
    kr_event_set(&plan.gate.open);
    CHECK_EQ(error_of(plan.child), 0);
    end(plan.pool);
}
