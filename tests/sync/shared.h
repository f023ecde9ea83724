/* Memory and children for tests of what is shared between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SYNC_SHARED_H
#define TESTS_SYNC_SHARED_H

#include "harness/sanitizers.h"
#include "harness/test.h"
#include "sync/internal.h"
#include <krait/krait.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Zero bytes that forked children share. */
static inline void *shared_world(size_t size)
{
    void *world = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(world != MAP_FAILED);
    return world;
}

/* A child that runs body(world, index), ends with status 0, and does not outlive the test. */
static inline pid_t shared_child(void (*body)(void *world, int index), void *world, int index)
{
    pid_t parent = getpid();
    pid_t child = fork();

    CHECK_GE(child, 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        body(world, index);
        _exit(0);
    }
    return child;
}

static inline void shared_kill(pid_t child)
{
    int status;

    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
}

static inline void shared_join(pid_t child)
{
    int status;

    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static inline void shared_await(kr_word *counter, uint32_t count)
{
    while (kri_load_acq(counter) < count)
        kri_test_nap();
}

/* What /proc says of it: S is asleep. */
static inline char shared_state(pid_t child)
{
    char text[512];
    char *after_name = NULL;

    snprintf(text, sizeof text, "/proc/%d/stat", (int)child);
    FILE *file = fopen(text, "re");
    if (file == NULL)
        return '?';
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    after_name = strrchr(text, ')');
    return after_name != NULL && after_name[1] != '\0' ? after_name[2] : '?';
}

static inline void shared_await_asleep(pid_t child)
{
    while (shared_state(child) != 'S')
        kri_test_nap();
}

#endif
