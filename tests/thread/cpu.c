/* Processors: how many, and on which a thread runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "os/os.h"
#include <krait/krait.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void make_root(void)
{
    strcpy(root, "/tmp/krait-cpu-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
}

static void remove_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CHECK_EQ(system(command), 0);
}

/* Writes a file below the root, with the folders on the way to it. */
static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    CHECK(fputs(text, f) >= 0);
    CHECK_EQ(fclose(f), 0);
}

#define MOUNT_V2 "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_V1                                                                                   \
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"                                                        \
    "33 32 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"                            \
    "34 32 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"

static void quota_is(int want)
{
    CHECK_EQ(os_cpu_quota_below(root), want);
    remove_root();
}

TEST(no_files_no_quota)
{
    make_root();
    quota_is(0);
}

TEST(version_2)
{
    make_root();
    put("/proc/self/cgroup", "0::/app\n");
    put("/proc/self/mountinfo", MOUNT_V2);
    put("/sys/fs/cgroup/app/cpu.max", "150000 100000\n");
    quota_is(2);
}

TEST(version_2_without_a_limit)
{
    make_root();
    put("/proc/self/cgroup", "0::/app\n");
    put("/proc/self/mountinfo", MOUNT_V2);
    put("/sys/fs/cgroup/app/cpu.max", "max 100000\n");
    quota_is(0);
}

TEST(version_2_smallest_of_all_levels)
{
    make_root();
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/proc/self/mountinfo", MOUNT_V2);
    put("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    put("/sys/fs/cgroup/cpu.max", "9900000 100000\n");
    put("/sys/fs/cpu.max", "100000 100000\n"); /* above the mount point: not a group */
    quota_is(3);
}

/* In a container the group is often the top of what is mounted. */
TEST(version_2_in_a_container)
{
    make_root();
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", MOUNT_V2);
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    quota_is(1);
}

TEST(version_2_outside_of_what_is_mounted)
{
    make_root();
    put("/proc/self/cgroup", "0::/../other\n");
    put("/proc/self/mountinfo", MOUNT_V2);
    put("/sys/fs/cgroup/cpu.max", "400000 100000\n");
    quota_is(4);
}

TEST(only_a_part_is_mounted)
{
    make_root();
    put("/proc/self/cgroup", "0::/docker/77/inner\n");
    put("/proc/self/mountinfo", "30 24 0:26 /docker/77 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/inner/cpu.max", "600000 100000\n");
    put("/sys/fs/cgroup/cpu.max", "700000 100000\n");
    quota_is(6);
}

TEST(a_mount_point_with_a_blank)
{
    make_root();
    put("/proc/self/cgroup", "0::/app\n");
    put("/proc/self/mountinfo", "30 24 0:26 / /sys/c\\040g rw - cgroup2 cgroup2 rw\n");
    put("/sys/c g/app/cpu.max", "250000 50000\n");
    quota_is(5);
}

TEST(version_1)
{
    make_root();
    put("/proc/self/cgroup", "5:cpuset:/other\n4:cpu,cpuacct:/app/x\n1:name=systemd:/\n");
    put("/proc/self/mountinfo", MOUNT_V1);
    put("/sys/fs/cgroup/cpu,cpuacct/app/x/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/app/x/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "201000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    quota_is(3);
}

TEST(both_versions)
{
    make_root();
    put("/proc/self/cgroup", "4:cpu,cpuacct:/app\n0::/app\n");
    put("/proc/self/mountinfo", MOUNT_V1 MOUNT_V2);
    put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "400000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/app/cpu.max", "700000 100000\n");
    quota_is(4);
}

TEST(nonsense_is_no_quota)
{
    make_root();
    put("/proc/self/cgroup", "garbage\n:\n0\n0::/app\n");
    put("/proc/self/mountinfo", "x\n - \n1 2 3 - cgroup2\n" MOUNT_V2);
    put("/sys/fs/cgroup/app/cpu.max", "\n");
    put("/sys/fs/cgroup/cpu.max", "100000 0\n");
    quota_is(0);
}

TEST(the_count_is_within_the_affinity)
{
    kr_cpu_set set = {{0}};
    int count = kr_cpu_count();
    CHECK_GE(count, 1);
    CHECK_EQ(kr_thread_get_affinity(kr_thread_current(), &set), 0);
    CHECK_LE(count, kr_cpu_set_count(&set));
    CHECK_EQ(os_cpu_affinity(), kr_cpu_set_count(&set));
    int first = 0;
    while (!kr_cpu_set_has(&set, first))
        first++;
    kr_cpu_set one = {{0}};
    CHECK_EQ(kr_cpu_set_add(&one, first), 0);
    CHECK_EQ(kr_thread_set_affinity(kr_thread_current(), &one), 0);
    CHECK_EQ(kr_cpu_count(), 1);
}

TEST(sets_of_processors)
{
    kr_cpu_set set = {{0}};
    CHECK_EQ(kr_cpu_set_count(&set), 0);
    CHECK_EQ(kr_cpu_set_add(&set, -1), -EINVAL);
    CHECK_EQ(kr_cpu_set_add(&set, KR_CPU_MAX), -EINVAL);
    CHECK_EQ(kr_cpu_set_add(&set, 0), 0);
    CHECK_EQ(kr_cpu_set_add(&set, KR_CPU_MAX - 1), 0);
    CHECK_EQ(kr_cpu_set_add(&set, 64), 0);
    CHECK_EQ(kr_cpu_set_count(&set), 3);
    CHECK(kr_cpu_set_has(&set, 64));
    CHECK(!kr_cpu_set_has(&set, 65));
    CHECK(!kr_cpu_set_has(&set, -1));
    CHECK(!kr_cpu_set_has(&set, KR_CPU_MAX));
}

static int where(void *arg)
{
    (void)arg;
    return sched_getcpu();
}

static int wait_for(void *event)
{
    return kr_event_wait(event, KR_FOREVER);
}

TEST(a_thread_starts_on_its_processors)
{
    kr_cpu_set all = {{0}}, got = {{0}};
    CHECK_EQ(kr_thread_get_affinity(kr_thread_current(), &all), 0);
    for (int cpu = 0; cpu < KR_CPU_MAX; cpu++) {
        if (!kr_cpu_set_has(&all, cpu))
            continue;
        kr_cpu_set one = {{0}};
        kr_thread *t;
        int result;
        CHECK_EQ(kr_cpu_set_add(&one, cpu), 0);
        CHECK_EQ(kr_thread_start(&t, where, NULL, 0, &(kr_thread_options){.affinity = &one}), 0);
        CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
        CHECK_EQ(result, cpu);
        CHECK_EQ(kr_thread_get_affinity(t, &got), -ESRCH);
        CHECK_EQ(kr_thread_set_affinity(t, &one), -ESRCH);
        kr_thread_release(t);
    }
}

TEST(affinity_of_another_thread)
{
    kr_event go = KR_EVENT_INIT;
    kr_cpu_set all = {{0}}, one = {{0}}, got = {{0}}, empty = {{0}};
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, wait_for, &go, 0, NULL), 0);
    CHECK_EQ(kr_thread_get_affinity(t, &all), 0);
    int cpu = 0;
    while (!kr_cpu_set_has(&all, cpu))
        cpu++;
    CHECK_EQ(kr_cpu_set_add(&one, cpu), 0);
    CHECK_EQ(kr_thread_set_affinity(t, &empty), -EINVAL);
    CHECK_EQ(kr_thread_set_affinity(t, &one), 0);
    CHECK_EQ(kr_thread_get_affinity(t, &got), 0);
    CHECK_EQ(memcmp(&got, &one, sizeof one), 0);
    CHECK_EQ(kr_thread_get_affinity(kr_thread_current(), &got), 0);
    CHECK_EQ(memcmp(&got, &all, sizeof all), 0);
    kr_event_set(&go);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
}
