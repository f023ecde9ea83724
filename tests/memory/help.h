/* What the tests of shared memory have in common: children, Python, names of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MEMORY_HELP_H
#define KRI_MEMORY_HELP_H

#include "harness/children.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <fcntl.h>
#include <krait/krait.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* A name that no other case has, nor another run of this one. */
static inline const char *own_name(const char *what)
{
    static char names[4][128];
    static int next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "krait-test-%d-%s", (int)getpid(), what);
    return name;
}

static inline bool name_exists(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    return access(path, F_OK) == 0;
}

static inline bool write_line(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);
    close(fd);
    return done;
}

static inline bool leave_mounts(void)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %d 1", (int)geteuid());
    snprintf(groups, sizeof groups, "0 %d 1", (int)getegid());
    if (unshare(CLONE_NEWNS) == 0)
        return true;
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           write_line("/proc/self/setgroups", "deny") && write_line("/proc/self/uid_map", users) &&
           write_line("/proc/self/gid_map", groups);
}

/* A /dev/shm of the case's own, of so many bytes: nobody else cleans there, or fills it. */
static inline void own_place(size_t size)
{
    char option[64];
    snprintf(option, sizeof option, "size=%zu", size);
    if (!leave_mounts() || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/dev/shm", "tmpfs", 0, option) != 0)
        SKIP("no /dev/shm of its own can be had here");
}

/* Run a command; its exit status. */
static inline int run_command(char *const argv[])
{
    int status;
    fflush(NULL);
    pid_t id = fork();
    CHECK_GE(id, 0);
    if (id == 0) {
        unsetenv("LD_PRELOAD");
        execvp(argv[0], argv);
        _exit(127);
    }
    CHECK_EQ(waitpid(id, &status, 0), id);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Run a Python program with one argument, sys.argv[1]; its exit status.  Skips where there is no
 * python3 that has shared memory. */
static inline int run_python(const char *program, const char *arg)
{
    char *test[] = {(char *)(uintptr_t) "python3", (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t) "import multiprocessing.shared_memory", NULL};
    char *argv[] = {(char *)(uintptr_t) "python3", (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t)program, (char *)(uintptr_t)arg, NULL};
    if (run_command(test) != 0)
        SKIP("there is no python3 with shared memory");
    return run_command(argv);
}

#endif
