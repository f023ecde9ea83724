/* A child process for cases about exit, death and fork: what it printed, and how it ended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_THREAD_CHILD_H
#define KRI_TESTS_THREAD_CHILD_H

#include "harness/sanitizers.h"
#include "harness/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Cases fork while threads run, and the child starts new ones. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

typedef struct child {
    int status; /* of waitpid */
    size_t length;
    char out[16384]; /* both outputs */
} child;

static inline void child_read(child *c, int from)
{
    ssize_t got;
    while ((got = read(from, c->out + c->length, sizeof c->out - 1 - c->length)) > 0)
        c->length += (size_t)got;
    c->out[c->length] = '\0';
}

/* Runs body in a forked child that then exits with 0; returns when it has ended. */
static inline void child_run(child *c, void (*body)(void))
{
    int pipes[2];
    memset(c, 0, sizeof *c);
    CHECK_EQ(pipe(pipes), 0);
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        dup2(pipes[1], 1);
        dup2(pipes[1], 2);
        close(pipes[0]);
        close(pipes[1]);
        setvbuf(stdout, NULL, _IONBF, 0);
        body();
        exit(0);
    }
    close(pipes[1]);
    child_read(c, pipes[0]);
    close(pipes[0]);
    CHECK_EQ(waitpid(pid, &c->status, 0), pid);
}

/* Runs body in a child that is to print exactly `out` and exit with 0. */
static inline void child_expect(void (*body)(void), const char *out)
{
    child c;
    child_run(&c, body);
    CHECK_STR(c.out, out);
    CHECK(WIFEXITED(c.status));
    CHECK_EQ(WEXITSTATUS(c.status), 0);
}

/* Waits for a forked child that is to exit with 0. */
static inline void child_wait(pid_t pid)
{
    int status;
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

#endif
