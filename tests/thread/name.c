/* Threads: their names, in krait and in the system.
 *
 * Behaviours: section 8.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "thread/help.h"
#include <krait/krait.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int wait_for(void *event)
{
    return kr_event_wait(event, KR_FOREVER);
}

static void check_name(kr_thread *t, const char *want)
{
    char name[KR_THREAD_NAME_SIZE];
    CHECK_EQ(kr_thread_name(t, name, sizeof name), strlen(want));
    CHECK_STR(name, want);
}

static kr_thread *start_named(const char *name)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, nothing, NULL, 0, &(kr_thread_options){.name = name}), 0);
    return t;
}

TEST(test_name)
{
    kr_thread *named = start_named("myname");
    kr_thread *first = start_named(NULL);
    kr_thread *second = start_named("");
    check_name(named, "myname");
    check_name(first, "Thread-1");
    check_name(second, "Thread-2");
    kr_thread_set_name(first, "other");
    check_name(first, "other");
    check_name(kr_thread_main(), "MainThread");
    join(named);
    join(first);
    join(second);
}

TEST(a_long_name_is_cut_between_characters)
{
    char given[KR_THREAD_NAME_SIZE + 2], name[KR_THREAD_NAME_SIZE], small[5];
    memset(given, 'x', sizeof given);
    memcpy(given + KR_THREAD_NAME_SIZE - 2, "\xc3\xa9", 3); /* its second byte does not fit */
    kr_thread *t = start_named(given);
    CHECK_EQ(kr_thread_name(t, name, sizeof name), KR_THREAD_NAME_SIZE - 2);
    CHECK_EQ(name[KR_THREAD_NAME_SIZE - 3], 'x');
    CHECK_EQ(kr_thread_name(t, small, sizeof small), KR_THREAD_NAME_SIZE - 2);
    CHECK_STR(small, "xxxx");
    CHECK_EQ(kr_thread_name(t, NULL, 0), KR_THREAD_NAME_SIZE - 2);
    join(t);
}

static void check_comm(kr_thread *t, const char *want)
{
    char path[64], comm[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", kr_thread_native_id(t));
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    CHECK(fgets(comm, sizeof comm, f) != NULL);
    fclose(f);
    comm[strcspn(comm, "\n")] = '\0';
    CHECK_STR(comm, want);
}

static const struct {
    const char *name, *comm;
} system_names[] = {
    {"short", "short"},
    {"123456789012345", "123456789012345"},
    {"1234567890123456", "123456789012345"},
    {"12345678901234\xc3\xa9", "12345678901234"},
    {"1234567890123\xc3\xa9", "1234567890123\xc3\xa9"},
    {"123456789012\xe2\x82\xacxx", "123456789012\xe2\x82\xac"},
    {"1234567890123\xe2\x82\xac", "1234567890123"},
    {"123456789012\xf0\x9f\x98\x80", "123456789012"},
};

/* behaviour: 8.1 MiscTestCase.test_set_name */
TEST(test_set_name)
{
    for (size_t i = 0; i < sizeof system_names / sizeof system_names[0]; i++) {
        kr_event go = KR_EVENT_INIT;
        kr_event *address = &go;
        kr_thread *t;
        CHECK_EQ(kr_thread_start(&t, wait_for, address, 0,
                                 &(kr_thread_options){.name = system_names[i].name}),
                 0);
        check_comm(t, system_names[i].comm);
        kr_event_set(&go);
        join(t);
    }
}

static int rename_itself(void *arg)
{
    (void)arg;
    check_comm(kr_thread_current(), "before");
    kr_thread_set_name(kr_thread_current(), "by itself");
    check_comm(kr_thread_current(), "by itself");
    return 0;
}

TEST(test_change_name)
{
    kr_event go = KR_EVENT_INIT;
    kr_thread *t = start(wait_for, &go);
    check_comm(t, "Thread-1");
    for (size_t i = 0; i < sizeof system_names / sizeof system_names[0]; i++) {
        kr_thread_set_name(t, system_names[i].name);
        check_comm(t, system_names[i].comm);
    }
    kr_event_set(&go);
    join(t);
    CHECK_EQ(kr_thread_start(&t, rename_itself, NULL, 0, &(kr_thread_options){.name = "before"}),
             0);
    int result = 1;
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    CHECK_EQ(result, 0);
    kr_thread_set_name(t, "after its end");
    check_name(t, "after its end");
    kr_thread_release(t);
}
