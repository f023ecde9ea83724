/* Values that are handed down.
 *
 * Behaviours: section 13.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/in_loop.h"

#include "base/atomic.h"

static const int three = 3;
static const kr_context_var number = KR_CONTEXT_VAR_INIT(sizeof(int), NULL, NULL);
static const kr_context_var with_initial = KR_CONTEXT_VAR_INIT(sizeof(int), &three, NULL);

static kr_word destroyed;

static void count_destroyed(void *value)
{
    CHECK_GE(*(int *)value, 100);
    kri_add_rlx(&destroyed, 1);
}

static const kr_context_var counted = KR_CONTEXT_VAR_INIT(sizeof(int), NULL, count_destroyed);

static int get(const kr_context_var *var)
{
    int value;
    int err = kr_context_var_get(var, &value);
    return err != 0 ? err : value;
}

static void set(const kr_context_var *var, int value)
{
    CHECK_EQ(kr_context_var_set(var, &value, NULL), 0);
}

TEST(test_get_and_set)
{
    CHECK_EQ(get(&number), -ENOENT);
    CHECK_EQ(get(&with_initial), 3);
    set(&number, 1);
    set(&with_initial, 2);
    CHECK_EQ(get(&number), 1);
    CHECK_EQ(get(&with_initial), 2);
    set(&number, 5);
    CHECK_EQ(get(&number), 5);
    CHECK_EQ(get(&with_initial), 2);
}

TEST(test_many)
{
    static kr_context_var many[100];
    uint64_t random = kri_test_seed();
    int model[100];
    for (int i = 0; i < 100; i++) {
        many[i] = (kr_context_var)KR_CONTEXT_VAR_INIT(sizeof(int), NULL, NULL);
        model[i] = -ENOENT;
    }
    for (int i = 0; i < 2000; i++) {
        int at = (int)(kri_test_random(&random) % 100);
        CHECK_EQ(get(&many[at]), model[at]);
        set(&many[at], model[at] = i);
    }
}

TEST(test_reset)
{
    kr_context_token first, second, unused = {0};
    int value = 1;
    CHECK_EQ(kr_context_var_set(&number, &value, &first), 0);
    value = 2;
    CHECK_EQ(kr_context_var_set(&number, &value, &second), 0);
    CHECK_EQ(kr_context_var_reset(&with_initial, &second), -EINVAL);
    CHECK_EQ(kr_context_var_reset(&number, &second), 0);
    CHECK_EQ(get(&number), 1);
    CHECK_EQ(kr_context_var_reset(&number, &second), -EALREADY);
    CHECK_EQ(kr_context_var_reset(&number, &first), 0);
    CHECK_EQ(get(&number), -ENOENT);
    CHECK_EQ(kr_context_var_reset(&number, &unused), -EALREADY);
}

static int set_and_keep(void *arg)
{
    int value = 7;
    CHECK_EQ(get(&number), 1);
    CHECK_EQ(kr_context_var_set(&number, &value, arg), 0);
    return 5;
}

static int run_again(void *arg)
{
    CHECK_EQ(kr_context_run(arg, run_again, NULL), -EBUSY);
    return 0;
}

TEST(test_context_run)
{
    kr_context *context, *copy;
    kr_context_token token;
    int value;
    set(&number, 1);
    CHECK_EQ(kr_context_copy(&context, NULL), 0);
    set(&number, 2);
    CHECK_EQ(kr_context_run(context, set_and_keep, &token), 5);
    CHECK_EQ(get(&number), 2);
    CHECK_EQ(kr_context_get(context, &number, &value), 0);
    CHECK_EQ(value, 7);
    CHECK_EQ(kr_context_var_reset(&number, &token), -EPERM);
    kr_context_token_drop(&token);
    CHECK_EQ(kr_context_run(context, run_again, context), 0);
    CHECK_EQ(kr_context_run(NULL, run_again, NULL), -EINVAL);
    CHECK_EQ(kr_context_copy(NULL, NULL), -EINVAL);
    CHECK_EQ(kr_context_new(NULL), -EINVAL);
    CHECK_EQ(kr_context_var_reset(NULL, NULL), -EINVAL);
    CHECK_EQ(kr_context_copy(&copy, context), 0);
    kr_context_release(context);
    CHECK_EQ(kr_context_get(copy, &number, &value), 0);
    CHECK_EQ(value, 7);
    kr_context_release(copy);
    CHECK_EQ(kr_context_new(&context), 0);
    CHECK_EQ(kr_context_get(context, &number, &value), -ENOENT);
    kr_context_release(context);
}

static void see_nothing(void *arg)
{
    (void)arg;
    CHECK_EQ(get(&counted), -ENOENT);
    set(&counted, 200);
}

/* Threads begin with none, and destroy what they have as they end. */
TEST(test_thread_has_its_own)
{
    kri_bunch bunch;
    set(&counted, 100);
    kri_bunch_start(&bunch, 4, see_nothing, NULL);
    kri_bunch_end(&bunch);
    CHECK_EQ(kri_load_rlx(&destroyed), 4);
    CHECK_EQ(get(&counted), 100);
}

TEST(test_destroyed_once)
{
    kr_context *context;
    kr_context_token token;
    int value = 101;
    set(&counted, 100);
    CHECK_EQ(kr_context_copy(&context, NULL), 0);
    CHECK_EQ(kr_context_var_set(&counted, &value, &token), 0);
    kr_context_release(context);
    CHECK_EQ(kri_load_rlx(&destroyed), 0);
    CHECK_EQ(kr_context_var_reset(&counted, &token), 0);
    CHECK_EQ(kri_load_rlx(&destroyed), 1);
    set(&counted, 102);
    CHECK_EQ(kri_load_rlx(&destroyed), 2);
}

/* Coroutines. */

static int see_and_set(const void *arg, void *result)
{
    const int *wanted = arg;
    (void)result;
    CHECK_EQ(get(&number), *wanted);
    CHECK_EQ(kr_yield(), 0);
    CHECK_EQ(get(&number), *wanted);
    set(&number, *wanted + 100);
    set(&counted, 300);
    CHECK_EQ(kr_yield(), 0);
    CHECK_EQ(get(&number), *wanted + 100);
    return 0;
}

/* behaviour: 13.3 test_context_*
 * behaviour: 13.4 test_taskgroup_task_context */
LOOP_TEST(test_context_vars)
{
    kr_group group;
    CHECK_EQ(kr_group_open(&group, NULL), 0);
    for (int i = 1; i <= 5; i++) {
        set(&number, i);
        CHECK_EQ(kr_group_submit(&group, NULL, NULL, see_and_set, &i, sizeof i, 0), 0);
    }
    set(&number, 6);
    CHECK_EQ(kr_group_close(&group), 0);
    CHECK_EQ(get(&number), 6);
    CHECK_EQ(kri_load_rlx(&destroyed), 5);
}

/* One that never begins leaves nothing behind. */
LOOP_TEST(test_cancelled_before_it_begins)
{
    kr_future *f;
    int wanted = 1;
    set(&counted, 100);
    CHECK_EQ(kr_spawn(&f, see_and_set, &wanted, sizeof wanted, 0, NULL), 0);
    set(&counted, 101);
    CHECK_EQ(kri_load_rlx(&destroyed), 0);
    CHECK_EQ(kr_future_cancel(f), 0);
    kr_future_release(f);
    let_others_run();
    CHECK_EQ(kri_load_rlx(&destroyed), 1);
}

static int see_none(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(get(&number), -ENOENT);
    return 0;
}

static int see_copied(void *arg)
{
    CHECK_EQ(get(&number), *(int *)arg);
    set(&number, 50);
    return 0;
}

static int in_copy(const void *arg, void *result)
{
    int wanted = 4;
    (void)result;
    return kr_context_run(*(kr_context *const *)arg, see_copied, &wanted);
}

/* A pool's task has none, unless it is handed one. */
LOOP_TEST(test_to_thread_contextvars)
{
    kr_executor *pool;
    kr_context *copy;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    set(&number, 4);
    CHECK_EQ(kr_context_copy(&copy, NULL), 0);
    CHECK_EQ(kr_submit(pool, &f, see_none, NULL, 0, 0), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(kr_submit(pool, &f, in_copy, &copy, sizeof copy, 0), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(get(&number), 4);
    kr_context_release(copy);
    kr_executor_release(pool);
}

/* From a thread to a loop of a pool. */
TEST(test_submitted_to_loop)
{
    kr_executor *loops;
    kr_future *f;
    int wanted = 9;
    CHECK_EQ(kr_loop_pool(&loops, NULL), 0);
    set(&number, wanted);
    CHECK_EQ(kr_submit(loops, &f, see_and_set, &wanted, sizeof wanted, 0), 0);
    set(&number, 10);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(get(&number), 10);
    kr_executor_release(loops);
}

static int see_at_once(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(get(&number), *(const int *)arg);
    set(&number, 77);
    return 0;
}

LOOP_TEST(test_eager_has_a_copy)
{
    kr_future *f;
    int wanted = 12;
    set(&number, wanted);
    CHECK_EQ(
        kr_spawn(&f, see_at_once, &wanted, sizeof wanted, 0, &(kr_spawn_options){.eager = true}),
        0);
    CHECK_EQ(get(&number), 12);
    CHECK_EQ(error_of(f), 0);
}
