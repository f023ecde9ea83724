/* Start methods: which there are, which is taken, and what they refuse.
 *
 * Behaviours: section 12.2
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include "process/internal.h"

#include <sys/stat.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}
KR_TASK(nothing);

static int undeclared(void *arg)
{
    (void)arg;
    return 0;
}

static int task(const void *arg, void *result)
{
    *(int *)result = *(const int *)arg + 1;
    return 0;
}
KR_TASK(task);

/* Without anything set; gcc's thread sanitizer has a thread of its own. */
static kr_start_method usual(void)
{
    struct stat tasks;
    CHECK_EQ(stat("/proc/self/task", &tasks), 0);
    return tasks.st_nlink > 2 + 1 ? KR_FORKSERVER : KR_FORK;
}

TEST(test_set_get)
{
    static const kr_start_method all[] = {KR_FORK, KR_SPAWN, KR_FORKSERVER};
    CHECK_EQ(kr_process_start_method(), usual());
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_process_set_start_method(all[i]), 0);
        CHECK_EQ(kr_process_start_method(), all[i]);
        CHECK_EQ(run_code(nothing, NULL, 0), 0);
    }
    CHECK_EQ(kr_process_set_start_method((kr_start_method)4), -EINVAL);
    CHECK_EQ(kr_process_start_method(), KR_FORKSERVER);
    CHECK_EQ(kr_process_set_start_method(KR_START_DEFAULT), 0);
    CHECK_EQ(kr_process_start_method(), usual());
}

/* A method for one start leaves the others alone. */
METHOD_TEST(test_context)
{
    kr_start_method other = method == KR_SPAWN ? KR_FORKSERVER : KR_SPAWN;
    CHECK_EQ(kr_process_set_start_method(other), 0);
    CHECK_EQ(run_code(nothing, NULL, 0), 0);
    CHECK_EQ(kr_process_start_method(), other);
}

TEST(test_get_all)
{
    kr_start_method all[3] = {KR_START_DEFAULT};
    CHECK_EQ(kr_process_start_methods(NULL, 0), 3);
    CHECK_EQ(kr_process_start_methods(all, 1), 3);
    CHECK_EQ(all[0], kr_process_start_method());
    CHECK_EQ(all[1], KR_START_DEFAULT);
    CHECK_EQ(kr_process_start_methods(all, 3), 3);
    CHECK_EQ(all[0] + all[1] + all[2], KR_FORK + KR_SPAWN + KR_FORKSERVER);
    CHECK(all[0] != all[1] && all[1] != all[2]);
}

/* behaviour: 12.2 test_get_all_start_methods */
TEST(the_default_comes_first)
{
    kr_start_method all[3];
    CHECK_EQ(kr_process_set_start_method(KR_SPAWN), 0);
    CHECK_EQ(kr_process_start_methods(all, 3), 3);
    CHECK_EQ(all[0], KR_SPAWN);
}

static void stay_until(void *arg)
{
    CHECK_EQ(kr_event_wait(arg, KR_FOREVER), 0);
}

/* behaviours: 12.2 test_spawn_dont_set_context, test_freeze_support_dont_set_context */
TEST(a_start_fixes_no_default)
{
    kri_bunch bunch;
    kr_event go = KR_EVENT_INIT;
    CHECK_EQ(kr_process_start_method(), usual());
    kr_init(0, NULL);
    CHECK_EQ(run_code(nothing, NULL, 0), 0);
    CHECK_EQ(kr_process_start_method(), usual());
    kri_bunch_start(&bunch, 1, stay_until, &go);
    CHECK_EQ(kr_process_start_method(), KR_FORKSERVER); /* there are threads */
    CHECK_EQ(run_code(nothing, NULL, 0), 0);
    kr_event_set(&go);
    kri_bunch_end(&bunch);
    CHECK_EQ(run_code(nothing, NULL, 0), 0);
}

/* Functions. */

METHOD_TEST(undeclared_functions_do_not_travel)
{
    kr_process *p;
    kr_process_options o = {.start = method};
    int err = kr_process_start(&p, undeclared, NULL, 0, &o);
    CHECK_EQ(err, method == KR_FORK ? 0 : KR_ETASK);
    CHECK_EQ(p != NULL, err == 0);
    kr_process_release(p);
}

METHOD_TEST(addresses_do_not_travel)
{
    int here = 0;
    kr_process_options o = {.start = method};
    int err = kr_process_start(NULL, nothing, &here, 0, &o);
    CHECK_EQ(err, method == KR_FORK ? 0 : -EINVAL);
}

TEST(numbers_of_functions)
{
    uint32_t id = 77, other = 77;
    CHECK_EQ(kri_task_find((void (*)(void))task, &id), 0);
    CHECK(kri_task_function(id) == (void (*)(void))task);
    CHECK_EQ(kri_task_find((void (*)(void))nothing, &other), 0);
    CHECK(other < id); /* by name */
    CHECK_EQ(kri_task_find((void (*)(void))undeclared, &id), KR_ETASK);
    CHECK(kri_task_function(1000000) == NULL);
    CHECK_NE(kri_task_table_sum(), 0);
}

METHOD_TEST(bad_options)
{
    kr_process *p = (kr_process *)&method;
    kr_cpu_set none = {{0}};
    kr_connection *null = NULL;
    kr_process_options bad[] = {
        {.daemon = 2},
        {.daemon = -2},
        {.start = (kr_start_method)9},
        {.die_with_parent = true, .outlive_parent = true},
        {.descriptor_count = 1},
        {.descriptor_count = -1},
        {.connection_count = 1},
        {.connections = &null, .connection_count = 1},
        {.descriptors = &(int){0}, .descriptor_count = KR_HANDED_MAX + 1},
        {.reserved = {0, 0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (bad[i].start == KR_START_DEFAULT)
            bad[i].start = method;
        CHECK_EQ(kr_process_start(&p, nothing, NULL, 0, &bad[i]), -EINVAL);
        CHECK(p == NULL);
    }
    kr_process_options o = {.start = method};
    CHECK_EQ(kr_process_start(&p, NULL, NULL, 0, &o), -EINVAL);
    o.descriptors = &(int){1000};
    o.descriptor_count = 1;
    CHECK_EQ(kr_process_start(&p, nothing, NULL, 0, &o), -EBADF);
    o = (kr_process_options){.start = method, .affinity = &none};
    CHECK_EQ(kr_process_start(&p, nothing, NULL, 0, &o), -EINVAL);
}
