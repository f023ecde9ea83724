/* Stopping a process.  A kill returns before the threads of the other have seen the signal, and one
 * that runs on another processor goes on for a moment.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* No memory is asked for here: a forked child may call this. */
static char state_of(int process, const char *thread)
{
    char path[320], text[512];
    snprintf(path, sizeof path, "/proc/%d/task/%s/stat", process, thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 'X';
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = '\0';
    const char *at = strrchr(text, ')');
    return at ? at[2] : 'X';
}

static bool one_runs(int process, char *entries, long length)
{
    for (long at = 0; at < length;) {
        struct dirent64 *entry = (struct dirent64 *)(entries + at);
        at += entry->d_reclen;
        if (entry->d_name[0] != '.' && !strchr("TtXZ", state_of(process, entry->d_name)))
            return true;
    }
    return false;
}

static bool is_stopped(int process)
{
    char path[64];
    _Alignas(uint64_t) char entries[4096];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    bool stopped = true;
    for (long length;
         stopped && (length = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0;)
        stopped = !one_runs(process, entries, length);
    close(fd);
    return stopped;
}

void kri_test_stop(int process)
{
    CHECK_EQ(kill(process, SIGSTOP), 0);
    while (!is_stopped(process))
        kri_test_nap();
}
