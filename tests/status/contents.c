/* What stands on the status page: pools, their workers, loops.
 *
 * States are held by events until they were seen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "status/help.h"

static kr_event go_on;
static kr_semaphore begun;

static int stay(const void *arg, void *result)
{
    (void)arg, (void)result;
    CHECK_EQ(kr_semaphore_release(&begun, 1), 0);
    return kr_event_wait(&go_on, KR_FOREVER);
}

static int nothing(const void *arg, void *result)
{
    (void)arg, (void)result;
    return 0;
}

static void await_begun(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(kr_semaphore_acquire(&begun, KR_FOREVER), 0);
}

/* Thread pools. */

static bool two_run_and_three_wait(void)
{
    const kri_pool_row *row = pool_row("crunch");
    return row != NULL && row->running == 2 && row->queued == 3 && row->done == 0 &&
           workers_in(row, KRI_ROW_RUNS, stay) == 2;
}

static bool five_are_done(void)
{
    const kri_pool_row *row = pool_row("crunch");
    return row != NULL && row->running == 0 && row->queued == 0 && row->done == 5 &&
           workers_in(row, KRI_ROW_IDLE, NULL) == 2;
}

static bool they_have_run_a_while(void)
{
    const kri_worker_row *worker = worker_row(pool_row("crunch"), 0);
    return worker != NULL && worker->since >= (uint64_t)kr_ms(30);
}

static bool no_pool(void)
{
    return view.pool_count == 0 && view.worker_count == 0;
}

TEST(thread_pool)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2, .name = "crunch"}), 0);
    begin_page();
    for (int i = 0; i < 5; i++)
        CHECK_EQ(kr_submit(pool, NULL, stay, NULL, 0, 0), 0);
    await_begun(2);
    await_view(two_run_and_three_wait);
    const kri_pool_row *row = pool_row("crunch");
    CHECK_EQ(row->kind, KRI_ROW_THREADS);
    CHECK_EQ(row->limit, 2);
    CHECK_EQ(row->workers, 2);
    CHECK_EQ(row->flags, 0);
    CHECK_EQ(view.pool_count, 1);
    for (uint32_t i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/task/%u", (unsigned)worker_row(row, i)->native);
        CHECK_EQ(access(path, F_OK), 0);
    }
    await_view(they_have_run_a_while);
    kr_event_set(&go_on);
    await_view(five_are_done);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
    await_view(no_pool);
}

static int wait_for(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(kr_semaphore_release(&begun, 1), 0);
    return kr_future_exception(*(kr_future *const *)arg, NULL, KR_FOREVER);
}

static bool waits_in_its_task(void)
{
    return workers_in(pool_row("nested"), KRI_ROW_WAITS, wait_for) == 1;
}

TEST(worker_that_waits_for_a_task)
{
    kr_executor *pool;
    kr_future *inner, *outer;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2, .name = "nested"}), 0);
    begin_page();
    CHECK_EQ(kr_submit(pool, &inner, stay, NULL, 0, 0), 0);
    await_begun(1);
    CHECK_EQ(kr_submit(pool, &outer, wait_for, &inner, sizeof inner, 0), 0);
    await_begun(1);
    await_view(waits_in_its_task);
    kr_event_set(&go_on);
    CHECK_EQ(kr_future_exception(outer, NULL, KR_FOREVER), 0);
    kr_future_release(inner);
    kr_future_release(outer);
    kr_executor_release(pool);
}

static bool has_a_rate(void)
{
    const kri_pool_row *row = pool_row("quick");
    return row != NULL && row->rate > 0;
}

static bool has_no_rate(void)
{
    const kri_pool_row *row = pool_row("quick");
    return row != NULL && row->rate == 0 && row->done > 0;
}

/* Until a rate is seen there are tasks; and a second later there is none. */
TEST(tasks_a_second)
{
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = "quick"}), 0);
    begin_page();
    read_view();
    while (!has_a_rate()) {
        CHECK_EQ(kr_submit(pool, &f, nothing, NULL, 0, 0), 0);
        CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
        kr_future_release(f);
        read_view();
    }
    await_view(has_no_rate);
    kr_executor_release(pool);
}

static bool is_shut(void)
{
    const kri_pool_row *row = pool_row("shut");
    return row != NULL && (row->flags & KRI_ROW_SHUT);
}

TEST(pool_that_is_shut)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = "shut"}), 0);
    begin_page();
    CHECK_EQ(kr_submit(pool, NULL, stay, NULL, 0, 0), 0);
    await_begun(1);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_NOWAIT), -ETIMEDOUT);
    await_view(is_shut);
    kr_event_set(&go_on);
    kr_executor_release(pool);
}

/* More than the page has room for. */
static bool all_but_seventy(void)
{
    return view.pool_count == KRI_PAGE_POOLS && view.pools_omitted == 70 - KRI_PAGE_POOLS;
}

TEST(more_pools_than_there_is_room)
{
    kr_executor *pools[70];
    begin_page();
    for (int i = 0; i < 70; i++)
        CHECK_EQ(kr_thread_pool(&pools[i], &(kr_pool_options){.workers = 1}), 0);
    await_view(all_but_seventy);
    for (int i = 0; i < 70; i++)
        kr_executor_release(pools[i]);
    await_view(no_pool);
}

/* Process pools. */

static kr_event *far_event;

static int stay_far(const void *arg, void *result)
{
    (void)arg, (void)result;
    return kr_event_wait(far_event, KR_FOREVER);
}

static bool one_runs_far(void)
{
    const kri_pool_row *row = pool_row("far");
    return row != NULL && row->running == 2 && row->queued == 1 && row->workers == 2 &&
           workers_in(row, KRI_ROW_RUNS, stay_far) == 2;
}

static bool three_are_done(void)
{
    const kri_pool_row *row = pool_row("far");
    return row != NULL && row->running == 0 && row->queued == 0 && row->done == 3;
}

TEST(process_pool)
{
    NEED_PROCESSES;
    kr_executor *pool;
    kr_future *futures[3];
    int pids[2];
    far_event = kr_shared_alloc(sizeof *far_event);
    CHECK_EQ(kr_event_init(far_event, KR_SHARED), 0);
    kr_pool_options options = {.workers = 2, .name = "far"};
    kr_process_pool_options more = {.start = KR_FORK};
    CHECK_EQ(kr_process_pool_with(&pool, &options, &more), 0);
    begin_page();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], stay_far, NULL, 0, 0), 0);
    await_view(one_runs_far);
    const kri_pool_row *row = pool_row("far");
    CHECK_EQ(row->kind, KRI_ROW_PROCESSES);
    CHECK_EQ(kr_process_pool_workers(pool, pids, 2), 2);
    for (uint32_t i = 0; i < 2; i++)
        CHECK_EQ(worker_row(row, i)->native, pids[i]);
    kr_event_set(far_event);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_future_exception(futures[i], NULL, KR_FOREVER), 0);
        kr_future_release(futures[i]);
    }
    await_view(three_are_done);
    kr_executor_release(pool);
    await_view(no_pool);
    kr_shared_free(far_event);
}

/* Loops. */

static bool six_coroutines_wait(void)
{
    uint64_t waiting = 0, tasks = 0;
    for (uint32_t i = 0; i < view.loop_count; i++) {
        if (strcmp(view.loops[i].name, "net") != 0)
            continue;
        waiting += view.loops[i].waiting;
        tasks += view.loops[i].tasks;
    }
    const kri_pool_row *row = pool_row("net");
    return row != NULL && row->kind == KRI_ROW_LOOPS && row->workers == 2 && row->running == 6 &&
           waiting == 6 && tasks == 6;
}

static bool six_are_over(void)
{
    uint64_t done = 0;
    for (uint32_t i = 0; i < view.loop_count; i++)
        done += view.loops[i].done;
    const kri_pool_row *row = pool_row("net");
    return row != NULL && row->done == 6 && row->running == 0 && done == 6;
}

static bool no_loop(void)
{
    return view.loop_count == 0;
}

TEST(loop_pool)
{
    kr_executor *pool;
    begin_page();
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 2, .name = "net"}), 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(kr_submit(pool, NULL, stay, NULL, 0, 0), 0);
    await_begun(6);
    await_view(six_coroutines_wait);
    kr_event_set(&go_on);
    await_view(six_are_over);
    kr_executor_release(pool);
    await_view(no_loop);
}

static kr_word let_go;

static int hold_up(const void *arg, void *result)
{
    (void)arg, (void)result;
    CHECK_EQ(kr_sleep(kr_us(1)), 0); /* by then the loop has heard of the page */
    CHECK_EQ(kr_semaphore_release(&begun, 1), 0);
    while (kri_load_acq(&let_go) == 0)
        kri_test_nap();
    return 0;
}

static bool is_held_up(void)
{
    return view.loop_count == 1 && view.loops[0].running >= (uint64_t)kr_ms(20) &&
           view.loops[0].task == (uint64_t)(uintptr_t)hold_up && view.loops[0].native != 0;
}

static bool was_held_up(void)
{
    return view.loop_count == 1 && view.loops[0].running == 0 &&
           view.loops[0].longest >= (uint64_t)kr_ms(20) &&
           view.loops[0].longest_task == (uint64_t)(uintptr_t)hold_up;
}

TEST(coroutine_that_holds_up_its_loop)
{
    kr_executor *pool;
    begin_page();
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, NULL, hold_up, NULL, 0, 0), 0);
    await_begun(1);
    await_view(is_held_up);
    kri_store_rel(&let_go, 1);
    await_view(was_held_up);
    kr_executor_release(pool);
}

static bool one_is_asleep(void)
{
    return view.loop_count == 1 && (view.loops[0].flags & KRI_ROW_UNSEEN) &&
           view.loops[0].tasks == 1 && view.loops[0].native == 0;
}

/* It tells of itself when it wakes. */
static bool it_was_seen(void)
{
    return view.loop_count == 1 && !(view.loops[0].flags & KRI_ROW_UNSEEN) &&
           view.loops[0].done == 1;
}

TEST(loop_that_sleeps_since_before)
{
    kr_executor *pool;
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, NULL, stay, NULL, 0, 0), 0);
    await_begun(1);
    kri_test_wait_parked(&go_on.word, 1);
    kri_test_linger();
    begin_page();
    read_view();
    if (!one_is_asleep())
        SKIP("it had not gone to sleep yet");
    kr_event_set(&go_on);
    await_view(it_was_seen);
    kr_executor_release(pool);
}

static int run_main(void *arg)
{
    (void)arg;
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, stay, NULL, 0, 0, NULL), 0);
    await_begun(1);
    for (;;) { /* the loop goes on telling */
        read_view();
        if (view.loop_count == 1 && view.loops[0].tasks == 2 && view.loops[0].waiting >= 1 &&
            view.loops[0].native != 0)
            break;
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    }
    CHECK_STR(view.loops[0].name, "loop");
    CHECK_EQ(view.loops[0].native, getpid());
    kr_event_set(&go_on);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    return 0;
}

TEST(loop_of_kr_run)
{
    begin_page();
    CHECK_EQ(kr_run(run_main, NULL), 0);
    await_view(no_loop);
}
