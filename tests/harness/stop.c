/* Stopping a process.  A kill returns before the threads of the other have seen the signal, and one
 * that runs on another processor goes on for a moment.
 *
 * And forking one under the address sanitizer, whose allocator has locks that no fork knows of: a
 * child is stuck that is forked while another thread is inside, as each is when it begins.  So a
 * fork waits until the others sleep.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "harness/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
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

/* Is one in none of these states, the thread `but` apart? */
static bool one_is_not(const char *states, int process, const char *but, char *entries, long length)
{
    for (long at = 0; at < length;) {
        struct dirent64 *entry = (struct dirent64 *)(entries + at);
        at += entry->d_reclen;
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, but) != 0 &&
            !strchr(states, state_of(process, entry->d_name)))
            return true;
    }
    return false;
}

static bool all_are(const char *states, int process, const char *but)
{
    char path[64];
    _Alignas(uint64_t) char entries[4096];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool all = true;
    for (long length;
         all && fd >= 0 && (length = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0;)
        all = !one_is_not(states, process, but, entries, length);
    if (fd >= 0)
        close(fd);
    return all;
}

void kri_test_stop(int process)
{
    CHECK_EQ(kill(process, SIGSTOP), 0);
    while (!all_are("TtXZ", process, ""))
        kri_test_nap();
}

/* In a case with threads that compute, not for ever. */
static int naps_left = 2000;

static void let_others_sleep(void)
{
    char self[24];
    snprintf(self, sizeof self, "%ld", (long)syscall(SYS_gettid));
    for (; naps_left > 0 && !all_are("SDTtXZ", getpid(), self); naps_left--)
        kri_test_nap();
}

void kri_test_watch_forks(void)
{
    if (KRI_ASAN)
        CHECK_EQ(pthread_atfork(let_others_sleep, NULL, NULL), 0);
}
