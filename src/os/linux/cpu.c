/* Processors: a pause, who runs us, how many we may use, and the quota of the control groups.
 *
 * A process is in one group of version 2, or in one of the cpu controller of version 1, or in both
 * on a mixed system.  A group's quota holds for all groups below it, so the smallest on the way up
 * to the top that we can see is the one that counts.  /proc/self/cgroup says which group it is, as
 * a path inside the hierarchy; /proc/self/mountinfo says where the hierarchy is mounted, and which
 * part of it: inside a container often only the container's own group.
 *
 * All files are named relative to a root, so that tests can make them up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 35)
#define RSEQ_OF_LIBC
#include <sys/rseq.h>
#endif
#endif

void os_yield(void)
{
    (void)sched_yield();
}

void os_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

static int ask_for_cpu(void)
{
    int saved = errno;
    int cpu = sched_getcpu();
    errno = saved;
    return cpu < 0 ? -1 : cpu;
}

#ifdef RSEQ_OF_LIBC
static const char *thread_pointer(void)
{
#ifdef __x86_64__ /* clang has the builtin for others only */
    const char *self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    return self;
#else
    return __builtin_thread_pointer();
#endif
}

/* The kernel keeps the number in a place that the C library has registered for each thread, and has
 * it negative where it did not. */
int os_cpu_current(void)
{
    const struct rseq *area = (const void *)(thread_pointer() + __rseq_offset);
    int cpu = (int)*(const volatile uint32_t *)&area->cpu_id;
    return cpu >= 0 ? cpu : ask_for_cpu();
}
#else
int os_cpu_current(void)
{
    return ask_for_cpu();
}
#endif

int os_cpu_affinity(void)
{
    enum { WORDS = 64 };
    uint64_t cpus[WORDS];
    int count = 0;
    if (os_thread_get_affinity(0, cpus, WORDS) < 0)
        return 1;
    for (int i = 0; i < WORDS; i++)
        count += __builtin_popcountll(cpus[i]);
    return count > 0 ? count : 1;
}

uint64_t os_cpu_mask(void)
{
    enum { WORDS = 64 };
    uint64_t cpus[WORDS];
    uint64_t mask = 0;
    if (os_thread_get_affinity(0, cpus, WORDS) < 0)
        return 1;
    for (int i = 0; i < WORDS; i++)
        mask |= cpus[i];
    return mask != 0 ? mask : 1;
}

/* Reading. */

/* Small, because a thread with the least stack may ask.  What is longer counts as unreadable. */
enum { PATH_SIZE = 1024, LINE = 2 * PATH_SIZE };

typedef struct path {
    char text[PATH_SIZE];
} path;

/* What is too long to be a path is a path that does not exist. */
static void join_paths(path *out, const char *a, const char *b, const char *c)
{
    int length = snprintf(out->text, sizeof out->text, "%s%s%s", a, b, c);
    if (length < 0 || (size_t)length >= sizeof out->text)
        out->text[0] = '\0';
}

static FILE *open_file(const char *root, const char *name)
{
    path p;
    join_paths(&p, root, name, "");
    return fopen(p.text, "re");
}

static bool read_first_line(const char *folder, const char *name, char *line, int size)
{
    path p;
    join_paths(&p, folder, name, "");
    FILE *f = fopen(p.text, "re");
    if (f == NULL)
        return false;
    bool got = fgets(line, size, f) != NULL;
    fclose(f);
    return got;
}

/* One line without its end; the rest of a line that is too long is skipped. */
static bool next_line(FILE *f, char *line)
{
    if (fgets(line, LINE, f) == NULL)
        return false;
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\n') {
        line[length - 1] = '\0';
        return true;
    }
    int c;
    while ((c = getc(f)) != EOF && c != '\n')
        ;
    return true;
}

/* Quotas, in processors rounded up; 0 is none. */

static int smaller(int a, int b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static int processors(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long count = quota / period + (quota % period != 0);
    return count > INT_MAX ? INT_MAX : (int)count;
}

/* "max 100000" or "150000 100000" */
static int read_quota_v2(const char *folder)
{
    char line[128];
    long long quota, period;
    if (!read_first_line(folder, "/cpu.max", line, sizeof line))
        return 0;
    return sscanf(line, "%lld %lld", &quota, &period) == 2 ? processors(quota, period) : 0;
}

static int read_quota_v1(const char *folder)
{
    char quota[64], period[64];
    if (!read_first_line(folder, "/cpu.cfs_quota_us", quota, sizeof quota) ||
        !read_first_line(folder, "/cpu.cfs_period_us", period, sizeof period))
        return 0;
    return processors(atoll(quota), atoll(period));
}

/* From the group's folder up to the mount point, which is the first `top` bytes of it. */
static int smallest_on_the_way(path *folder, size_t top, int (*read_quota)(const char *))
{
    int quota = read_quota(folder->text);
    for (;;) {
        char *slash = strrchr(folder->text, '/');
        if (slash == NULL || slash < folder->text + top)
            return quota;
        *slash = '\0';
        quota = smaller(quota, read_quota(folder->text));
    }
}

/* Where a hierarchy is mounted. */

typedef struct mount {
    path part; /* the group that is seen at the mount point, "/" for the whole hierarchy */
    path point;
} mount;

/* Blanks and backslashes in a mount point are written as three octal digits. */
static void unescape(char *text)
{
    char *to = text;
    for (char *at = text; *at != '\0'; to++) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
            at[3] >= '0' && at[3] <= '7') {
            *to = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            at += 4;
        } else {
            *to = *at++;
        }
    }
    *to = '\0';
}

static bool has_option(char *options, const char *wanted)
{
    char *rest = NULL;
    for (char *o = strtok_r(options, ",", &rest); o != NULL; o = strtok_r(NULL, ",", &rest)) {
        if (strcmp(o, wanted) == 0)
            return true;
    }
    return false;
}

/* "36 35 98:0 /part /point rw,noatime master:1 - cgroup source rw,cpu,cpuacct" */
static bool is_mount_of(char *line, bool v2, mount *m)
{
    char *separator = strstr(line, " - ");
    if (separator == NULL)
        return false;
    char type[32], options[LINE];
    if (sscanf(separator, " - %31s %*s %2047s", type, options) != 2 ||
        strcmp(type, v2 ? "cgroup2" : "cgroup") != 0)
        return false;
    if (!v2 && !has_option(options, "cpu"))
        return false;
    if (sscanf(line, "%*s %*s %*s %1023s %1023s", m->part.text, m->point.text) != 2)
        return false;
    unescape(m->part.text);
    unescape(m->point.text);
    return true;
}

static bool find_mount(const char *root, bool v2, mount *m)
{
    FILE *f = open_file(root, "/proc/self/mountinfo");
    if (f == NULL)
        return false;
    char line[LINE];
    bool found = false;
    while (!found && next_line(f, line))
        found = is_mount_of(line, v2, m);
    fclose(f);
    return found;
}

/* Which group we are in. */

/* "0::/group" or "4:cpu,cpuacct:/group" */
static bool is_group_of(char *line, bool v2, path *group)
{
    char *controllers = strchr(line, ':');
    char *name = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (name == NULL)
        return false;
    *name++ = '\0';
    controllers++;
    bool wanted =
        v2 ? strncmp(line, "0:", 2) == 0 && *controllers == '\0' : has_option(controllers, "cpu");
    if (wanted)
        join_paths(group, name, "", "");
    return wanted;
}

static bool find_group(const char *root, bool v2, path *group)
{
    FILE *f = open_file(root, "/proc/self/cgroup");
    if (f == NULL)
        return false;
    char line[LINE];
    bool found = false;
    while (!found && next_line(f, line))
        found = is_group_of(line, v2, group);
    fclose(f);
    return found;
}

/* The group's path below the part that is mounted; a group that is outside of what we can see is
 * taken for the top of it. */
static const char *below(const char *group, const char *part)
{
    size_t length = strcmp(part, "/") == 0 ? 0 : strlen(part);
    if (strncmp(group, part, length) != 0 || (group[length] != '/' && group[length] != '\0'))
        return "";
    if (strstr(group, "/..") != NULL || strcmp(group + length, "/") == 0)
        return "";
    return group + length;
}

static int quota_of(const char *root, bool v2)
{
    path group, folder;
    mount m;
    if (!find_group(root, v2, &group) || !find_mount(root, v2, &m))
        return 0;
    join_paths(&folder, root, m.point.text, below(group.text, m.part.text));
    size_t top = strlen(root) + strlen(m.point.text);
    return smallest_on_the_way(&folder, top, v2 ? read_quota_v2 : read_quota_v1);
}

int os_cpu_quota_below(const char *root)
{
    int saved = errno;
    int quota = smaller(quota_of(root, true), quota_of(root, false));
    errno = saved;
    return quota;
}

int os_cpu_quota(void)
{
    return os_cpu_quota_below("");
}
