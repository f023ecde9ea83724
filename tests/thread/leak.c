/* Threads: what they leave behind: nothing.
 *
 * Behaviours: section 8.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "harness/sanitizers.h"
#include "thread/help.h"
#include <dirent.h>
#include <krait/krait.h>
#include <stdio.h>
#include <sys/resource.h>

static int count_entries(const char *folder)
{
    DIR *d = opendir(folder);
    CHECK(d != NULL);
    int count = 0;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static void wait_until_alone(int tasks)
{
    while (count_entries("/proc/self/task") > tasks)
        kri_test_nap();
}

/* How many tasks there are when no thread of ours is: after the first one, since a sanitizer then
 * starts its own. */
static int count_at_rest(void)
{
    static int tasks;
    if (tasks > 0)
        return tasks;
    join(start(nothing, NULL));
    int before = 0;
    for (int same = 0; same < 20; same++) {
        kri_test_nap();
        tasks = count_entries("/proc/self/task");
        if (tasks != before)
            same = 0;
        before = tasks;
    }
    return tasks;
}

/* That no memory is left, the address sanitizer's build says. */
TEST(test_leak_without_join)
{
    int tasks = count_at_rest();
    for (int i = 0; i < 20; i++)
        kr_thread_release(start(nothing, NULL));
    while (kr_thread_active_count() > 1)
        kri_test_nap();
    wait_until_alone(tasks);
}

static void run_some(int count)
{
    for (int i = 0; i < count; i++) {
        if (i % 3 == 0)
            CHECK_EQ(kr_thread_start(NULL, nothing, NULL, 0, NULL), 0);
        else if (i % 3 == 1)
            kr_thread_release(start(nothing, NULL));
        else
            join(start(nothing, NULL));
    }
    while (kr_thread_active_count() > 1)
        kri_test_nap();
}

static long resident_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

TEST(a_thousand_threads_leave_nothing_behind)
{
    if (KRI_QEMU)
        SKIP("qemu keeps some 280 KiB of each thread that has ended");
    int tasks = count_at_rest();
    run_some(100);
    wait_until_alone(tasks);
    int fds = count_entries("/proc/self/fd");
    long before = resident_kb();
    run_some(1000);
    wait_until_alone(tasks);
    CHECK_EQ(count_entries("/proc/self/task"), tasks);
    CHECK_EQ(count_entries("/proc/self/fd"), fds);
    CHECK_LE(resident_kb() - before, 16 * 1024);
}

TEST(a_joined_thread_is_gone_from_the_system)
{
    for (int i = 0; i < 200; i++) {
        int tasks = count_at_rest();
        join(start(nothing, NULL));
        /* The kernel lets go the joiner a moment before it takes the thread off its list. */
        wait_until_alone(tasks);
    }
}
