/* A thread from outside that waits for a queued task runs it itself.
 *
 * In all cases the pool's only worker is held at a gate, so that nobody else can.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/counted_local.h"
#include "executor/help.h"

struct scene {
    kr_executor *pool;
    struct gate gate;
    kr_future *blocker;
};

static void open_scene(struct scene *scene, const kr_pool_options *options)
{
    memset(scene, 0, sizeof *scene);
    CHECK_EQ(kr_thread_pool(&scene->pool, options), 0);
    scene->blocker = submit_gate(scene->pool, &scene->gate);
    wait_entered(&scene->gate, 1);
}

static void close_scene(struct scene *scene)
{
    CHECK(kr_future_running(scene->blocker));
    kr_event_set(&scene->gate.open);
    CHECK_EQ(error_from_worker(scene->blocker), 0);
    end(scene->pool);
}

static const kr_pool_options one_worker = {.workers = 1};

static int tell_thread(const void *arg, void *result)
{
    (void)arg;
    *(uint64_t *)result = kr_thread_ident(kr_thread_current());
    return 0;
}

static kr_future *submit_tell(struct scene *scene)
{
    kr_future *f;
    CHECK_EQ(kr_submit(scene->pool, &f, tell_thread, NULL, 0, sizeof(uint64_t)), 0);
    return f;
}

static void check_ran_here(kr_future *f)
{
    uint64_t ident = 0;
    CHECK_EQ(kr_future_result(f, &ident, sizeof ident, NULL, KR_NOWAIT), 0);
    CHECK(ident == kr_thread_ident(kr_thread_current()));
    kr_future_release(f);
}

TEST(result_runs_it_here)
{
    struct scene scene;
    open_scene(&scene, &one_worker);
    kr_future *f = submit_tell(&scene);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    check_ran_here(f);
    close_scene(&scene);
}

TEST(wait_runs_them_here)
{
    struct scene scene;
    kr_future *futures[5];
    open_scene(&scene, &one_worker);
    for (int i = 0; i < 5; i++)
        futures[i] = submit_tell(&scene);
    CHECK_EQ(kr_wait(futures, 5, KR_ALL_COMPLETED, NULL, KR_FOREVER), 5);
    for (int i = 0; i < 5; i++)
        check_ran_here(futures[i]);
    close_scene(&scene);
}

TEST(as_completed_runs_them_here)
{
    struct scene scene;
    kr_future *futures[5], *got;
    kr_completed *it;
    open_scene(&scene, &one_worker);
    for (int i = 0; i < 5; i++)
        futures[i] = submit_tell(&scene);
    CHECK_EQ(kr_as_completed(&it, futures, 5), 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(kr_completed_next(it, &got, KR_FOREVER), 1);
    CHECK_EQ(kr_completed_next(it, &got, KR_FOREVER), 0);
    kr_completed_release(it);
    for (int i = 0; i < 5; i++)
        check_ran_here(futures[i]);
    close_scene(&scene);
}

static void wait_in_thread(void *arg)
{
    kr_future *f = submit_tell(arg);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    check_ran_here(f);
}

TEST(threads_that_krait_has_not_started_help_too)
{
    struct scene scene;
    kri_bunch bunch;
    open_scene(&scene, &one_worker);
    kri_bunch_start(&bunch, 4, wait_in_thread, &scene);
    kri_bunch_end(&bunch);
    close_scene(&scene);
}

/* Only what it waits for, and only without a time limit. */
TEST(what_else_is_queued_stays)
{
    struct scene scene;
    open_scene(&scene, &one_worker);
    kr_future *before, *after;
    CHECK_EQ(kr_submit(scene.pool, &before, count_one, NULL, 0, 0), 0);
    kr_future *f = submit_tell(&scene);
    CHECK_EQ(kr_submit(scene.pool, &after, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    check_ran_here(f);
    CHECK_EQ(kri_load_rlx(&ran), 0);
    CHECK(!kr_future_running(before) && !kr_future_done(before));
    CHECK(!kr_future_running(after) && !kr_future_done(after));
    close_scene(&scene);
    CHECK_EQ(error_of(before), 0);
    CHECK_EQ(error_of(after), 0);
}

TEST(a_wait_with_a_time_limit_does_not_help)
{
    struct scene scene;
    kr_future *f, *got;
    kr_completed *it;
    open_scene(&scene, &one_worker);
    CHECK_EQ(kr_submit(scene.pool, &f, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_future_exception(f, NULL, kr_ms(10)), -ETIMEDOUT);
    CHECK_EQ(kr_wait(&f, 1, KR_ALL_COMPLETED, NULL, kr_ms(10)), 0);
    CHECK_EQ(kr_as_completed(&it, &f, 1), 0);
    CHECK_EQ(kr_completed_next(it, &got, kr_ms(10)), -ETIMEDOUT);
    kr_completed_release(it);
    CHECK_EQ(kri_load_rlx(&ran), 0);
    close_scene(&scene);
    CHECK_EQ(error_of(f), 0);
}

/* Those who must not: the wait then lasts until its scope's time is out. */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void check_not_helped(const kr_pool_options *options)
{
    struct scene scene;
    kr_future *f, *got;
    kr_completed *it;
    open_scene(&scene, options);
    CHECK_EQ(kr_submit(scene.pool, &f, count_one, NULL, 0, 0), 0);
    CHECK_EQ(kr_as_completed(&it, &f, 1), 0);
    for (int way = 0; way < 3; way++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
        if (way == 0)
            CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -ECANCELED);
        else if (way == 1)
            CHECK_EQ(kr_wait(&f, 1, KR_ALL_COMPLETED, NULL, KR_FOREVER), -ECANCELED);
        else
            CHECK_EQ(kr_completed_next(it, &got, KR_FOREVER), -ECANCELED);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    }
    kr_completed_release(it);
    CHECK_EQ(kri_load_rlx(&ran), 0);
    close_scene(&scene);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(kri_load_rlx(&ran), 2);
}

TEST(not_with_no_outside_help)
{
    check_not_helped(&(kr_pool_options){.workers = 1, .no_outside_help = true});
}

TEST(not_with_an_initializer)
{
    check_not_helped(&(kr_pool_options){.workers = 1, .initializer = nothing});
}

/* A worker of one pool is a thread from outside to the other. */

struct crossing {
    struct scene *scene;
    bool helped;
};

static int wait_in_other_pool(const void *arg, void *result)
{
    const struct crossing *crossing = arg;
    (void)result;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_future *f = submit_tell(crossing->scene);
    CHECK_EQ(kr_cancel_scope_enter(&scope, crossing->helped ? KR_FOREVER : kr_ms(20)), 0);
    int err = kr_future_exception(f, NULL, KR_FOREVER);
    (void)kr_cancel_scope_exit(&scope);
    CHECK_EQ(err, crossing->helped ? 0 : -ECANCELED);
    if (crossing->helped)
        check_ran_here(f);
    else
        kr_future_release(f);
    return 0;
}

TEST(a_worker_of_another_pool)
{
    kr_executor *other = pool_of(1);
    for (int helped = 0; helped < 2; helped++) {
        struct scene scene;
        struct crossing crossing = {&scene, helped};
        open_scene(&scene, &(kr_pool_options){.workers = 1, .no_outside_help = !helped});
        CHECK_EQ(run_in_worker(other, wait_in_other_pool, &crossing), 0);
        close_scene(&scene);
    }
    end(other);
}

/* With .no_outside_help its own worker still helps. */
static int wait_in_own_pool(const void *arg, void *result)
{
    kr_executor *pool = (kr_executor *)(uintptr_t)arg;
    (void)result;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, tell_thread, NULL, 0, sizeof(uint64_t)), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    check_ran_here(f);
    return 0;
}

TEST(a_worker_of_the_pool_itself)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = 1, .max_spares = -1, .no_outside_help = true};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    CHECK_EQ(run_in_worker(pool, wait_in_own_pool, pool), 0);
    end(pool);
}

/* The task so run is a party of its own. */

static int touch_local(const void *arg, void *result)
{
    (void)result;
    CHECK(kri_party_id(kri_party_self()) != *(const uint64_t *)arg);
    CHECK(kr_local_peek(&local) == NULL);
    CHECK(kr_local_get(&local) != NULL);
    CHECK_EQ(kri_load_rlx(&values_alive), 2);
    return 0;
}

TEST(it_has_locals_of_its_own)
{
    struct scene scene;
    uint64_t self = kri_party_id(kri_party_self());
    void *mine = kr_local_get(&local);
    open_scene(&scene, &one_worker);
    for (int i = 0; i < 3; i++) {
        kr_future *f;
        CHECK_EQ(kr_submit(scene.pool, &f, touch_local, &self, sizeof self, 0), 0);
        CHECK_EQ(error_of(f), 0);
        CHECK_EQ(kri_load_rlx(&values_alive), 1);
        CHECK(kr_local_peek(&local) == mine);
        CHECK(kri_party_id(kri_party_self()) == self);
    }
    close_scene(&scene);
}

static int cancel_the_waiter(const void *arg, void *result)
{
    kr_cancel_scope *scope = (kr_cancel_scope *)(uintptr_t)arg;
    kr_event never = KR_EVENT_INIT;
    (void)result;
    CHECK(!kr_cancelled());
    kr_cancel(scope);
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_event_wait(&never, kr_ms(1)), -ETIMEDOUT);
    return 0;
}

TEST(the_waiters_scope_does_not_reach_it)
{
    struct scene scene;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_future *f;
    open_scene(&scene, &one_worker);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_submit(scene.pool, &f, cancel_the_waiter, &scope, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    CHECK(kr_cancelled());
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    kr_future_release(f);
    close_scene(&scene);
}

/* Others see it as one that runs: they cancel it, wait for it, and shut its pool down. */

static void cancel_when_running(void *arg)
{
    while (!kr_future_running(arg))
        kri_test_nap();
    CHECK_EQ(kr_future_cancel(arg), KR_ASKED);
}

static int wait_for_ever(const void *arg, void *result)
{
    kr_event never = KR_EVENT_INIT;
    (void)arg;
    (void)result;
    return kr_event_wait(&never, KR_FOREVER);
}

TEST(it_can_be_cancelled)
{
    struct scene scene;
    kri_bunch bunch;
    kr_future *f;
    open_scene(&scene, &one_worker);
    CHECK_EQ(kr_submit(scene.pool, &f, wait_for_ever, NULL, 0, 0), 0);
    kri_bunch_start(&bunch, 1, cancel_when_running, f);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), -ECANCELED);
    kri_bunch_end(&bunch);
    CHECK(!kr_cancelled());
    CHECK(kr_future_cancelled(f));
    kr_future_release(f);
    close_scene(&scene);
}

struct shutter {
    struct scene *scene;
    struct gate gate; /* the helped task stands at it */
    kr_word over;     /* it has ended */
};

static int stand_then_end(const void *arg, void *result)
{
    struct shutter *shutter = (struct shutter *)(uintptr_t)arg;
    struct gate *gate = &shutter->gate;
    (void)result;
    int err = pass_gate(&gate, NULL);
    for (int naps = 0; naps < 20; naps++)
        kri_test_nap();
    kri_store_sc(&shutter->over, 1);
    return err;
}

static void shut_down(void *arg)
{
    struct shutter *shutter = arg;
    wait_entered(&shutter->gate, 1);
    CHECK_EQ(kr_executor_shutdown(shutter->scene->pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    kr_event_set(
        &shutter->scene->gate.open); /* the worker ends, and nobody but the helper is left */
    CHECK_EQ(error_from_worker(kr_future_retain(shutter->scene->blocker)), 0);
    CHECK_EQ(kr_executor_shutdown(shutter->scene->pool, NULL, kr_ms(10)), -ETIMEDOUT);
    kr_event_set(&shutter->gate.open);
    CHECK_EQ(kr_executor_shutdown(shutter->scene->pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&shutter->over), 1);
}

TEST(a_shutdown_waits_for_it)
{
    struct scene scene;
    struct shutter shutter = {.scene = &scene};
    kri_bunch bunch;
    kr_future *f;
    open_scene(&scene, &one_worker);
    CHECK_EQ(kr_submit(scene.pool, &f, stand_then_end, &shutter, 0, 0), 0);
    kri_bunch_start(&bunch, 1, shut_down, &shutter);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kri_bunch_end(&bunch);
    kr_future_release(f);
    kr_future_release(scene.blocker);
    kr_executor_release(scene.pool);
}

static int shut_own_pool(const void *arg, void *result)
{
    (void)result;
    return kr_executor_shutdown((kr_executor *)(uintptr_t)arg, NULL, KR_FOREVER);
}

TEST(a_shutdown_in_it_is_one_from_a_task_of_the_pool)
{
    struct scene scene;
    kr_future *f;
    open_scene(&scene, &one_worker);
    CHECK_EQ(kr_submit(scene.pool, &f, shut_own_pool, scene.pool, 0, 0), 0);
    CHECK_EQ(error_of(f), -EDEADLK);
    close_scene(&scene);
}

/* One that waits for others in its turn. */

struct chain {
    kr_executor *pool;
    int depth;
};

static int descend(const void *arg, void *result)
{
    const struct chain *chain = arg;
    struct chain below = {chain->pool, chain->depth - 1};
    kr_future *f;
    (void)result;
    if (chain->depth == 0)
        return count_one(NULL, NULL);
    CHECK_EQ(kr_submit(chain->pool, &f, descend, &below, sizeof below, 0), 0);
    return error_of(f);
}

TEST(a_chain_100_deep)
{
    struct scene scene;
    open_scene(&scene, &one_worker);
    struct chain chain = {scene.pool, 100};
    kr_future *f;
    CHECK_EQ(kr_submit(scene.pool, &f, descend, &chain, sizeof chain, 0), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(kri_load_rlx(&ran), 1);
    close_scene(&scene);
}

static int wait_for_oneself(const void *arg, void *result)
{
    (void)result;
    kr_future *self = **(kr_future * *const *)arg;
    return kr_future_exception(self, NULL, KR_FOREVER);
}

TEST(one_that_waits_for_itself)
{
    struct scene scene;
    kr_future *f, **at = &f;
    open_scene(&scene, &one_worker);
    CHECK_EQ(kr_submit(scene.pool, &f, wait_for_oneself, &at, sizeof at, 0), 0);
    CHECK_EQ(error_of(f), -EDEADLK);
    close_scene(&scene);
}

/* Helpers, workers and cancellers after the same tasks: each runs once. */

struct race {
    kr_future *futures[64];
    kr_word removed;
};

static void take_all(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < 64; i++) {
        int error;
        if (i % 5 == 4 && kr_future_cancel(race->futures[i]) == 0)
            kri_add_rlx(&race->removed, 1);
        CHECK_EQ(kr_future_exception(race->futures[i], &error, KR_FOREVER), 0);
        CHECK(error == 0 || error == -ECANCELED);
    }
}

TEST(helpers_and_workers_after_the_same_tasks)
{
    kr_executor *pool = pool_of(2);
    for (int round = 0; round < 100; round++) {
        struct race race = {.removed = {0}};
        kri_bunch bunch;
        uint32_t cancelled = 0;
        kri_store_sc(&ran, 0);
        for (int i = 0; i < 64; i++)
            CHECK_EQ(kr_submit(pool, &race.futures[i], count_one, NULL, 0, 0), 0);
        kri_bunch_start(&bunch, 3, take_all, &race);
        kri_bunch_end(&bunch);
        for (int i = 0; i < 64; i++)
            cancelled += error_of(race.futures[i]) == -ECANCELED;
        CHECK_EQ(kri_load_sc(&ran) + cancelled, 64);
        CHECK_EQ(kri_load_rlx(&race.removed), 3 * cancelled);
    }
    end(pool);
}
