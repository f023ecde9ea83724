/* The thread pool: submitting, workers, cancelling, initializers.
 *
 * Behaviours: sections 11.2, 11.3, 11.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/sanitizers.h"

#include "executor/pool.h"

static int add_one(const void *arg, void *result)
{
    *(int *)result = *(const int *)arg + 1;
    return 0;
}

static int fail(const void *arg, void *result)
{
    (void)result;
    return *(const int *)arg;
}

TEST(test_submit)
{
    kr_executor *pool = pool_of(2);
    for (int i = 0; i < 100; i++) {
        kr_future *f;
        int got = 0, error = 1;
        CHECK_EQ(kr_submit(pool, &f, add_one, &i, sizeof i, sizeof got), 0);
        CHECK_EQ(kr_future_result(f, &got, sizeof got, &error, KR_FOREVER), 0);
        CHECK_EQ(error, 0);
        CHECK_EQ(got, i + 1);
        kr_future_release(f);
    }
    end(pool);
}

TEST(errors_come_back)
{
    kr_executor *pool = pool_of(1);
    kr_future *f;
    int error = -ENOENT;
    CHECK_EQ(kr_submit(pool, &f, fail, &error, sizeof error, 0), 0);
    CHECK_EQ(error_of(f), -ENOENT);
    error = 7;
    CHECK_EQ(kr_submit(pool, &f, fail, &error, sizeof error, 0), 0);
    CHECK_EQ(error_of(f), 0);
    end(pool);
}

struct big {
    unsigned char bytes[300];
};

static int turn_round(const void *arg, void *result)
{
    const struct big *in = arg;
    struct big *out = result;
    for (size_t i = 0; i < sizeof in->bytes; i++) {
        CHECK_EQ(out->bytes[i], 0);
        out->bytes[i] = in->bytes[sizeof in->bytes - 1 - i];
    }
    return 0;
}

TEST(big_arguments_and_results)
{
    kr_executor *pool = pool_of(2);
    struct big in, out;
    for (size_t i = 0; i < sizeof in.bytes; i++)
        in.bytes[i] = (unsigned char)i;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, turn_round, &in, sizeof in, sizeof out), 0);
    memset(&in, 0, sizeof in);
    CHECK_EQ(kr_future_result(f, &out, sizeof out, NULL, KR_FOREVER), 0);
    for (size_t i = 0; i < sizeof out.bytes; i++)
        CHECK_EQ(out.bytes[i], (unsigned char)(sizeof out.bytes - 1 - i));
    CHECK_EQ(kr_future_result(f, &out, 1, NULL, KR_FOREVER), -EINVAL);
    kr_future_release(f);
    end(pool);
}

TEST(a_future_with_32_bytes_each_way_takes_192)
{
    CHECK_LE(sizeof(kr_future) + 32 + 32, 192);
}

static int take_pointer(const void *arg, void *result)
{
    CHECK(result == NULL);
    kr_event_set(*(kr_event **)(uintptr_t)&arg);
    return 0;
}

TEST(a_pointer_is_handed_on_with_size_0)
{
    kr_executor *pool = pool_of(1);
    kr_event event = KR_EVENT_INIT;
    CHECK_EQ(kr_submit(pool, NULL, take_pointer, &event, 0, 0), 0);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    end(pool);
}

TEST(test_max_workers_negative)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = -1}), -EINVAL);
    CHECK(pool == NULL);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.reserved = {0, 0, 1, 0}}), -EINVAL);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.stack_size = 1}), -EINVAL);
    CHECK_EQ(kr_thread_pool(NULL, NULL), -EINVAL);
}

TEST(test_default_workers)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    CHECK_EQ(kr_executor_workers(pool), kr_cpu_count());
    kr_executor_release(pool);
}

TEST(wrong_submits_are_refused)
{
    kr_executor *pool = pool_of(1);
    kr_future *f = (kr_future *)&pool;
    int n = 0;
    CHECK_EQ(kr_submit(NULL, &f, fail, &n, sizeof n, 0), -EINVAL);
    CHECK(f == NULL);
    CHECK_EQ(kr_submit(pool, &f, NULL, &n, sizeof n, 0), -EINVAL);
    CHECK_EQ(kr_submit(pool, &f, fail, NULL, sizeof n, 0), -EINVAL);
    CHECK_EQ(kr_submit(pool, &f, fail, &n, SIZE_MAX, 0), -EINVAL);
    if (!KRI_SANITIZED) /* whose allocators end the process instead */
        CHECK_EQ(kr_submit(pool, &f, fail, &n, sizeof n, SIZE_MAX / 8), -ENOMEM);
    CHECK(f == NULL);
    CHECK_EQ(((kri_pool *)pool)->slots_used.bits, 0);
    end(pool);
}

TEST(test_saturation)
{
    kr_executor *pool = pool_of(4);
    struct gate gate = {0};
    kr_future *futures[60];
    for (int i = 0; i < 60; i++)
        futures[i] = submit_gate(pool, &gate);
    wait_entered(&gate, 4);
    CHECK_EQ(((kri_pool *)pool)->slots_used.bits, 4);
    kr_event_set(&gate.open);
    for (int i = 0; i < 60; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    end(pool);
}

TEST(test_idle_thread_reuse)
{
    kr_executor *pool = pool_of(8);
    for (int i = 0; i < 2000; i++) {
        kr_future *f;
        int got;
        CHECK_EQ(kr_submit(pool, &f, add_one, &i, sizeof i, sizeof got), 0);
        CHECK_EQ(kr_future_result(f, &got, sizeof got, NULL, KR_FOREVER), 0);
        kr_future_release(f);
    }
    CHECK_EQ(((kri_pool *)pool)->slots_used.bits, 1);
    end(pool);
}

static int note_name(const void *arg, void *result)
{
    (void)arg;
    kr_thread_name(kr_thread_current(), result, KR_THREAD_NAME_SIZE);
    return 0;
}

static void check_name(const char *name, const char *want)
{
    kr_executor *pool;
    kr_future *f;
    char got[KR_THREAD_NAME_SIZE];
    CHECK_EQ(kr_thread_pool(
                 &pool, &(kr_pool_options){.workers = 3, .name = name, .no_outside_help = true}),
             0);
    CHECK_EQ(kr_submit(pool, &f, note_name, NULL, 0, sizeof got), 0);
    CHECK_EQ(kr_future_result(f, got, sizeof got, NULL, KR_FOREVER), 0);
    CHECK_STR(got, want);
    kr_future_release(f);
    end(pool);
}

TEST(test_thread_names_assigned)
{
    check_name("special", "special_0");
}

TEST(test_thread_names_default)
{
    check_name(NULL, "pool-1_0");
    check_name(NULL, "pool-2_0");
}

/* Many submitters at once: every task runs once. */

enum { SUBMITTERS = 4, EACH = 25000 };

static void submit_many(void *arg)
{
    for (int i = 0; i < EACH; i++)
        CHECK_EQ(kr_submit(arg, NULL, count_one, NULL, 0, 0), 0);
}

TEST(none_of_100000_tasks_is_lost)
{
    kr_executor *pool = pool_of(3);
    kri_bunch bunch;
    kri_bunch_start(&bunch, SUBMITTERS, submit_many, pool);
    kri_bunch_end(&bunch);
    end(pool);
    CHECK_EQ(kri_load_rlx(&ran), SUBMITTERS * EACH);
}

static kr_word submitting; /* tasks that may still submit: counted before they count in `ran` */

static int submit_two(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    kri_add_sc(&submitting, 1);
    if (kri_add_sc(&ran, 1) < 5000) {
        CHECK_EQ(kr_submit(pool, NULL, submit_two, arg, sizeof pool, 0), 0);
        CHECK_EQ(kr_submit(pool, NULL, count_one, NULL, 0, 0), 0);
    }
    kri_sub_sc(&submitting, 1);
    return 0;
}

TEST(tasks_submit_tasks)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(kr_submit(pool, NULL, submit_two, &pool, sizeof pool, 0), 0);
    while (kri_load_sc(&ran) < 5000 || kri_load_sc(&submitting) > 0)
        kri_test_nap();
    end(pool);
}

/* A task's error that nobody can ask for. */

static kr_word reports;
static kr_task_report last_report;

static void note_report(const kr_task_report *report)
{
    last_report = *report;
    kri_add_sc(&reports, 1);
}

TEST(an_error_of_a_forgotten_task_is_reported_once)
{
    kr_set_task_hook(note_report);
    kr_executor *pool = pool_of(2);
    int error = -EIO;
    CHECK_EQ(kr_submit(pool, NULL, fail, &error, sizeof error, 0), 0);
    end(pool);
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK_EQ(last_report.error, -EIO);
    CHECK_STR(last_report.where, "task");
}

/* Cancelling */

static int until_cancelled(const void *arg, void *result)
{
    struct gate *gate = *(struct gate *const *)arg;
    (void)result;
    CHECK_EQ(kr_semaphore_release(&gate->entered, 1), 0);
    while (!kr_cancelled())
        kri_test_nap();
    return -ECANCELED;
}

TEST(cancel_in_each_state)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *first = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    kr_future *second = submit_gate(pool, &gate);
    CHECK_EQ(kr_future_cancel(second), 0);
    CHECK_EQ(kr_future_cancel(second), 0);
    CHECK(kr_future_cancelled(second));
    CHECK_EQ(kr_future_cancel(first), KR_ASKED);
    CHECK_EQ(error_of(first), -ECANCELED);
    CHECK_EQ(error_of(second), -ECANCELED);
    struct gate *at = &gate;
    kr_future *third;
    CHECK_EQ(kr_submit(pool, &third, until_cancelled, &at, sizeof at, 0), 0);
    wait_entered(&gate, 1);
    CHECK_EQ(kr_future_cancel(third), KR_ASKED);
    CHECK_EQ(kr_future_exception(third, NULL, KR_FOREVER), -ECANCELED);
    CHECK(kr_future_cancelled(third));
    kr_future_release(third);
    kr_event_set(&gate.open);
    kr_future *fourth = submit_gate(pool, &gate);
    CHECK_EQ(kr_future_exception(fourth, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_future_cancel(fourth), -EALREADY);
    CHECK_EQ(error_of(fourth), 0);
    end(pool);
}

struct cancel_race {
    kr_future *futures[64];
    kr_word removed;
};

static void cancel_all(void *arg)
{
    struct cancel_race *race = arg;
    for (int i = 0; i < 64; i++) {
        int answer = kr_future_cancel(race->futures[i]);
        CHECK(answer == 0 || answer == KR_ASKED || answer == -EALREADY);
        if (answer == 0)
            kri_add_rlx(&race->removed, 1);
    }
}

TEST(cancelling_from_several_threads_while_they_run)
{
    kr_executor *pool = pool_of(2);
    for (int round = 0; round < 60; round++) {
        struct cancel_race race = {.removed = {0}};
        kri_bunch bunch;
        kri_store_sc(&ran, 0);
        for (int i = 0; i < 64; i++)
            CHECK_EQ(kr_submit(pool, &race.futures[i], count_one, NULL, 0, 0), 0);
        kri_bunch_start(&bunch, 3, cancel_all, &race);
        kri_bunch_end(&bunch);
        unsigned cancelled = 0;
        for (int i = 0; i < 64; i++)
            cancelled += error_of(race.futures[i]) == -ECANCELED;
        CHECK_EQ(kri_load_sc(&ran) + cancelled, 64);
        CHECK_EQ(kri_load_rlx(&race.removed), 3 * cancelled);
    }
    end(pool);
}

/* The initializer */

static _Thread_local int initialized;

static int initialize(void *arg)
{
    initialized = *(int *)arg;
    return 0;
}

static int tell_initialized(const void *arg, void *result)
{
    struct gate *gate = *(struct gate *const *)arg;
    int err = pass_gate(&gate, NULL);
    *(int *)result = initialized;
    return err;
}

TEST(test_initializer)
{
    int value = 77;
    kr_executor *pool;
    kr_pool_options options = {.workers = 4, .initializer = initialize, .initializer_arg = &value};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    struct gate gate = {0}, *at = &gate;
    kr_future *futures[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], tell_initialized, &at, sizeof at, sizeof(int)), 0);
    wait_entered(&gate, 4);
    kr_event_set(&gate.open);
    for (int i = 0; i < 4; i++) {
        int got = 0;
        CHECK_EQ(kr_future_result(futures[i], &got, sizeof got, NULL, KR_FOREVER), 0);
        CHECK_EQ(got, 77);
        kr_future_release(futures[i]);
    }
    end(pool);
}

static int fail_to_initialize(void *arg)
{
    int err = kr_event_wait(arg, KR_FOREVER);
    return err ? err : -ENODEV;
}

/* behaviour: 11.6 FailingInitializerMixin.test_initializer */
TEST(test_failing_initializer)
{
    kr_set_task_hook(note_report);
    kr_event go = KR_EVENT_INIT;
    kr_executor *pool;
    kr_pool_options options = {
        .workers = 1, .name = "bad", .initializer = fail_to_initialize, .initializer_arg = &go};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    kr_future *futures[3], *late;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], count_one, NULL, 0, 0), 0);
    kr_event_set(&go);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(error_of(futures[i]), KR_EBROKEN);
    CHECK_EQ(kr_submit(pool, &late, count_one, NULL, 0, 0), KR_EBROKEN);
    CHECK(late == NULL);
    end(pool);
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK_STR(last_report.where, "initializer");
    CHECK_EQ(last_report.error, -ENODEV);
    CHECK_EQ(kri_load_rlx(&ran), 0);
}
