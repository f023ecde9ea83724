/* Children by a plain fork, and memory that they share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_CHILDREN_H
#define KRI_HARNESS_CHILDREN_H

#include "harness/test.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* All zero. */
static inline void *shared_pages(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static inline pid_t child(void (*body)(void *arg), void *arg)
{
    pid_t id = fork();
    CHECK_GE(id, 0);
    if (id == 0) {
        body(arg);
        _exit(0);
    }
    return id;
}

/* Wait for its end, which was a good one. */
static inline void reap(pid_t id)
{
    int status;
    CHECK_EQ(waitpid(id, &status, 0), id);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

static inline void kill_and_reap(pid_t id)
{
    int status;
    CHECK_EQ(kill(id, SIGKILL), 0);
    CHECK_EQ(waitpid(id, &status, 0), id);
    CHECK(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

#endif
