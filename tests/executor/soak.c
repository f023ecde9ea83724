/* Everything at once, by chance: submit, cancel, wait, map, groups, lanes, pools within pools, and
 * a shutdown at any moment.  At the end of each round every task is accounted for: none was lost,
 * none ran twice, no future is left pending, and errors that nobody asked for were reported once.
 *
 * A round is a pool of chance options; drivers, which are threads of the system, submit batches of
 * tasks, some of which submit batches of their own.  Who submitted a batch stays until each of its
 * tasks is over, so items lie in the submitter's frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"

#include <krait/group.h>

/* One task */
struct item {
    kr_executor *executor;
    uint64_t seed;
    int depth;
    int error;      /* what it returns */
    bool accepted;  /* by the executor, and not by a group */
    bool forgotten; /* has no future */
    kr_future *future;
    kr_group_task task;
    kr_word runs;
};

/* Over all rounds */
static kr_word accepted, runs, cancelled, refused, failures, timeouts, groups, maps, inner_pools;
static kr_word expected_reports, heard_reports;
static kr_word forgotten, forgotten_runs, dropped;

static void hear(const kr_task_report *report)
{
    CHECK_STR(report->where, "task");
    CHECK(report->error <= -1000);
    kri_add_sc(&heard_reports, 1);
}

static bool chance(uint64_t *random, unsigned one_in)
{
    return kri_test_random(random) % one_in == 0;
}

static kr_time some_time(uint64_t *random)
{
    switch (kri_test_random(random) % 4) {
    case 0:
        return KR_NOWAIT;
    case 1:
        return KR_FOREVER;
    default:
        return kr_us((int64_t)(kri_test_random(random) % 2000));
    }
}

static void run_batch(kr_executor *executor, uint64_t *random, int depth);

/* Map */

static int square(const void *arg, void *result)
{
    int n = *(const int *)arg;
    *(int *)result = n * n;
    return 0;
}

static void map_some(kr_executor *executor, uint64_t *random)
{
    int numbers[30], squares[30], errors[30];
    size_t count = kri_test_random(random) % 31;
    for (int i = 0; i < 30; i++) {
        numbers[i] = i;
        squares[i] = -1;
    }
    kr_map_options options = {.chunk = kri_test_random(random) % 5,
                              .window = kri_test_random(random) % 4,
                              .timeout = chance(random, 3) ? kr_us(300) : 0,
                              .errors = errors};
    int err = kr_map(executor, square, numbers, sizeof(int), count, squares, sizeof(int), &options);
    CHECK(err == 0 || err == -ETIMEDOUT || err == -ECANCELED || err == KR_ESHUTDOWN);
    for (size_t i = 0; i < count; i++) {
        CHECK(errors[i] == 0 || (err && errors[i] == -ECANCELED));
        CHECK_EQ(squares[i], errors[i] == 0 ? (int)(i * i) : -1);
    }
    kri_add_rlx(&maps, 1);
}

/* A pool within a task */

static void use_inner_pool(uint64_t *random, int depth)
{
    kr_executor *inner;
    kr_pool_options options = {.workers = 1 + (int)(kri_test_random(random) % 3),
                               .own_processors = chance(random, 3)};
    CHECK_EQ(kr_thread_pool(&inner, &options), 0);
    run_batch(inner, random, depth);
    kr_shield {
        if (chance(random, 2))
            CHECK_EQ(kr_executor_shutdown(inner, NULL, KR_FOREVER), 0);
        kr_executor_release(inner);
    }
    kri_add_rlx(&inner_pools, 1);
}

/* A task */

static void do_something(kr_executor *executor, uint64_t *random, int depth)
{
    kr_event never = KR_EVENT_INIT;
    switch (kri_test_random(random) % 16) {
    case 0:
    case 1:
    case 2:
        if (depth > 0)
            run_batch(executor, random, depth - 1);
        break;
    case 3:
        map_some(executor, random);
        break;
    case 4:
        if (depth > 0 && chance(random, 4))
            use_inner_pool(random, depth - 1);
        break;
    case 5:
        (void)!kr_event_wait(&never, kr_us((int64_t)(kri_test_random(random) % 1000)));
        break;
    case 6:
        while (!kr_cancelled() && !chance(random, 20))
            kri_test_nap();
        break;
    default:
        break;
    }
}

static uint64_t answer_of(const struct item *item)
{
    return item->seed ^ 0x5a5a5a5a;
}

static int work(const void *arg, void *result)
{
    struct item *item = (struct item *)(uintptr_t)arg;
    uint64_t random = item->seed;
    CHECK_EQ(kri_add_sc(&item->runs, 1), 0);
    kri_add_rlx(&runs, 1);
    do_something(item->executor, &random, item->depth);
    if (result)
        *(uint64_t *)result = answer_of(item);
    if (item->error)
        kri_add_rlx(&failures, 1);
    return item->error;
}

/* A forgotten task may outlive its batch, so it gets the item by value. */
static int work_forgotten(const void *arg, void *result)
{
    struct item item = *(const struct item *)arg;
    CHECK(result == NULL);
    kri_add_rlx(&forgotten_runs, 1);
    if (item.error)
        kri_add_sc(&expected_reports, 1);
    return work(&item, NULL);
}

static struct item new_item(kr_executor *executor, uint64_t *random, int depth)
{
    return (struct item){.executor = executor,
                         .seed = kri_test_random(random),
                         .depth = depth,
                         .error = chance(random, 10) ? -1000 - (int)(random[0] % 100) : 0,
                         .forgotten = chance(random, 8)};
}

/* Submitting */

static int submit_somehow(struct item *item, uint64_t *random)
{
    kr_task_fn fn = item->forgotten ? work_forgotten : work;
    kr_future **future = item->forgotten ? NULL : &item->future;
    size_t arg_size = item->forgotten ? sizeof *item : 0;
    size_t result_size = item->forgotten ? 0 : sizeof(uint64_t);
    if (chance(random, 2)) {
        kr_submit_options options = {.priority = (kr_priority)(kri_test_random(random) % 3),
                                     .dont_wait = chance(random, 8),
                                     .timeout = chance(random, 4) ? kr_us(200) : 0};
        return kr_submit_with(item->executor, future, fn, item, arg_size, result_size, &options);
    }
    return kr_submit(item->executor, future, fn, item, arg_size, result_size);
}

/* false: the executor takes no more. */
static bool submit(struct item *item, uint64_t *random)
{
    int err = submit_somehow(item, random);
    item->accepted = err == 0;
    kri_add_rlx(err ? &refused : &accepted, 1);
    kri_add_rlx(&forgotten, item->accepted && item->forgotten);
    CHECK(err == 0 || err == KR_ESHUTDOWN || err == -ECANCELED || err == -ETIMEDOUT);
    return err != KR_ESHUTDOWN;
}

/* Waiting */

static void wait_for_some(kr_future **futures, size_t count, uint64_t *random)
{
    bool done[16];
    kr_wait_when when = (kr_wait_when)(kri_test_random(random) % 3);
    int answer = kr_wait(futures, count, when, done, some_time(random));
    int found = 0;
    CHECK(answer >= 0 || answer == -ECANCELED);
    for (size_t i = 0; answer >= 0 && i < count; i++) {
        CHECK(!done[i] || kr_future_done(futures[i]));
        found += done[i];
    }
    if (answer >= 0)
        CHECK_EQ(found, answer);
    if (answer >= 0 && answer < (int)count)
        kri_add_rlx(&timeouts, 1);
}

static void iterate(kr_future **futures, size_t count, uint64_t *random)
{
    kr_completed *it;
    kr_future *got;
    size_t delivered = 0;
    int answer;
    CHECK_EQ(kr_as_completed(&it, futures, count), 0);
    while ((answer = kr_completed_next(it, &got, some_time(random))) == 1) {
        CHECK(kr_future_done(got));
        delivered++;
    }
    CHECK(answer == 0 || answer == -ETIMEDOUT || answer == -ECANCELED);
    CHECK_EQ(delivered + kr_completed_unfinished(it), count);
    if (answer == 0)
        CHECK_EQ(delivered, count);
    kr_completed_release(it);
}

static void play(kr_future **futures, size_t count, uint64_t *random)
{
    for (int i = 0; i < 3 && count > 0; i++) {
        size_t at = kri_test_random(random) % count;
        int answer;
        switch (kri_test_random(random) % 4) {
        case 0:
            wait_for_some(futures, count, random);
            break;
        case 1:
            iterate(futures, count, random);
            break;
        case 2:
            answer = kr_future_cancel(futures[at]);
            CHECK(answer == 0 || answer == KR_ASKED || answer == -EALREADY);
            break;
        default:
            answer = kr_future_exception(futures[at], &(int){0}, some_time(random));
            CHECK(answer == 0 || answer == -ETIMEDOUT || answer == -ECANCELED);
        }
    }
}

/* Wait until it is over, whoever has cancelled whom, and account for it. */
static void settle(struct item *item)
{
    uint64_t answer = 0;
    int error = 1;
    kr_shield {
        CHECK_EQ(kr_future_result(item->future, &answer, sizeof answer, &error, KR_FOREVER), 0);
    }
    CHECK(kr_future_done(item->future));
    if (kri_load_sc(&item->runs) == 0) {
        CHECK_EQ(error, -ECANCELED);
        CHECK(kr_future_cancelled(item->future));
        kri_add_rlx(&cancelled, 1);
    } else {
        CHECK_EQ(error, item->error);
        if (!error)
            CHECK(answer == answer_of(item));
    }
    kr_future_release(item->future);
}

/* A group */

static void run_group(kr_executor *executor, uint64_t *random, int depth)
{
    struct item items[8];
    kr_group group;
    size_t count = kri_test_random(random) % 9;
    int starts[8], first = 0;
    CHECK_EQ(kr_group_open(&group, executor), 0);
    for (size_t i = 0; i < count; i++) {
        items[i] = new_item(executor, random, depth);
        starts[i] = kr_group_start(&group, &items[i].task, work, &items[i], NULL);
        CHECK(starts[i] == 0 || starts[i] == -ECANCELED || starts[i] == KR_ESHUTDOWN);
        kri_add_rlx(starts[i] ? &refused : &accepted, 1);
    }
    if (chance(random, 8))
        kr_group_cancel(&group);
    int err = kr_group_close(&group);
    for (size_t i = 0; i < count; i++) {
        int error = kr_group_task_error(&items[i].task);
        if (kri_load_sc(&items[i].runs)) {
            CHECK_EQ(starts[i], 0);
            CHECK_EQ(error, items[i].error);
        } else {
            CHECK(error == -ECANCELED || error == KR_ESHUTDOWN);
            if (starts[i] == 0)
                kri_add_rlx(&cancelled, 1);
        }
        first = error ? error : first;
    }
    CHECK_EQ(err == 0, first == 0);
    kri_add_rlx(&groups, 1);
}

static bool run_items(kr_executor *executor, uint64_t *random, int depth)
{
    struct item items[16];
    kr_future *futures[16];
    size_t most = depth > 1 ? 16 : 4, count = kri_test_random(random) % most + 1, given = 0;
    bool open = true;
    for (size_t i = 0; i < count && open; i++) {
        items[i] = new_item(executor, random, depth);
        open = submit(&items[i], random);
        if (items[i].future)
            futures[given++] = items[i].future;
        if (!open)
            count = i + 1;
    }
    play(futures, given, random);
    for (size_t i = 0; i < count; i++)
        if (items[i].future)
            settle(&items[i]);
    return open;
}

/* Some tasks, in a cancel scope or not; false: the executor takes no more. */
static bool run_scoped(kr_executor *executor, uint64_t *random, int depth)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_time limit = chance(random, 2) ? kr_us((int64_t)(kri_test_random(random) % 2000)) : 0;
    if (!chance(random, 6))
        limit = KR_FOREVER;
    CHECK_EQ(kr_cancel_scope_enter(&scope, limit), 0);
    if (chance(random, 3))
        run_group(executor, random, depth);
    bool open = run_items(executor, random, depth);
    int cut = kr_cancel_scope_exit(&scope);
    CHECK(cut == 0 || cut == -ECANCELED || cut == -ETIMEDOUT);
    return open;
}

static void run_batch(kr_executor *executor, uint64_t *random, int depth)
{
    (void)run_scoped(executor, random, depth);
}

/* A round */

static kr_word drivers;

static void drive(void *arg)
{
    uint64_t random = kri_test_seed() + kri_add_rlx(&drivers, 1) * 7919;
    for (int i = 0; i < 20; i++)
        if (!run_scoped(arg, &random, 2))
            return;
}

struct closer {
    kri_bunch bunch;
    kr_executor *pool;
    bool cancel_pending;
};

static void shut_at_some_time(void *arg)
{
    struct closer *closer = arg;
    uint64_t random = kri_test_seed() + kri_add_rlx(&drivers, 1) * 7919;
    kr_shutdown_options options = {.cancel_pending = closer->cancel_pending};
    for (uint64_t naps = kri_test_random(&random) % 200; naps > 0; naps--)
        kri_test_nap();
    int err = kr_executor_shutdown(closer->pool, &options, some_time(&random));
    CHECK(err == 0 || err == -ETIMEDOUT);
}

static int initialize(void *arg)
{
    (void)arg;
    return 0;
}

static kr_executor *some_pool(uint64_t *random)
{
    kr_executor *pool;
    kr_pool_options options = {
        .workers = 1 + (int)(kri_test_random(random) % 4),
        .initializer = chance(random, 4) ? initialize : NULL,
        .max_queued = chance(random, 3) ? 1 + kri_test_random(random) % 20 : 0,
        .max_spares = chance(random, 3) ? (int)(kri_test_random(random) % 4) - 1 : 0,
        .no_outside_help = chance(random, 3),
        .timing = chance(random, 2)};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    return pool;
}

/* All is over: what nobody could ask about was run, unless a shutdown has cancelled it. */
static void check_accounts(bool some_were_dropped)
{
    uint32_t missing = kri_load_sc(&forgotten) - kri_load_sc(&forgotten_runs);
    if (some_were_dropped)
        kri_store_sc(&dropped, missing);
    CHECK_EQ(missing, kri_load_sc(&dropped));
    CHECK_EQ(kri_load_sc(&runs) + kri_load_sc(&cancelled) + missing, kri_load_sc(&accepted));
    CHECK_EQ(kri_load_sc(&heard_reports), kri_load_sc(&expected_reports));
}

static void run_round(uint64_t *random)
{
    kri_bunch bunch;
    struct closer closer = {.pool = some_pool(random)};
    bool shut = chance(random, 2);
    closer.cancel_pending = shut && chance(random, 2);
    kri_bunch_start(&bunch, 3, drive, closer.pool);
    if (shut)
        kri_bunch_start(&closer.bunch, 1, shut_at_some_time, &closer);
    kri_bunch_end(&bunch);
    if (shut)
        kri_bunch_end(&closer.bunch);
    if (shut || chance(random, 2))
        CHECK_EQ(kr_executor_shutdown(closer.pool, NULL, KR_FOREVER), 0);
    kr_executor_release(closer.pool);
    check_accounts(closer.cancel_pending);
}

TEST(everything_at_once)
{
    uint64_t random = kri_test_seed();
    kr_time until = kr_now() + kr_sec(kri_test_budget());
    int rounds = 0, before = kr_thread_active_count();
    (void)kr_set_task_hook(hear);
    for (; kr_now() < until; rounds++)
        run_round(&random);
    CHECK_EQ(kr_thread_active_count(), before);
    kri_test_note("%d rounds: %u accepted, %u run, %u cancelled, %u dropped, %u refused, %u failed",
                  rounds, kri_load_rlx(&accepted), kri_load_rlx(&runs), kri_load_rlx(&cancelled),
                  kri_load_rlx(&dropped), kri_load_rlx(&refused), kri_load_rlx(&failures));
    kri_test_note("%u waits cut, %u groups, %u maps, %u inner pools, %u reports",
                  kri_load_rlx(&timeouts), kri_load_rlx(&groups), kri_load_rlx(&maps),
                  kri_load_rlx(&inner_pools), kri_load_rlx(&heard_reports));
}
