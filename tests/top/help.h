/* Running krait top on this very process, and reading what it writes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_TOP_HELP_H
#define KRI_TESTS_TOP_HELP_H

#include "harness/children.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <errno.h>
#include <fcntl.h>
#include <krait/krait.h>
#include <stdio.h>
#include <stdlib.h>

#define KRAIT KRI_TEST_BUILD "/krait"

typedef struct said {
    int status;
    char out[1 << 16];
    char err[1 << 12];
} said;

static said answer;

/* All that comes until the end, closed by a zero byte. */
static inline void read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;
    while (length + 1 < size && (got = read(fd, text + length, size - 1 - length)) != 0) {
        CHECK(got > 0 || errno == EINTR);
        length += got > 0 ? (size_t)got : 0;
    }
    text[length] = '\0';
    close(fd);
}

/* Start a command with its input and outputs as given, -1: as here. */
static inline pid_t start_command(const char *const argv[], int in, int out, int err)
{
    fflush(NULL);
    pid_t id = fork();
    CHECK_GE(id, 0);
    if (id != 0)
        return id;
    if (in >= 0)
        dup2(in, 0);
    if (out >= 0)
        dup2(out, 1);
    if (err >= 0)
        dup2(err, 2);
    unsetenv("KR_STATUS");
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static inline int status_of(pid_t id)
{
    int status;
    CHECK_EQ(waitpid(id, &status, 0), id);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Its end, and what it has said, in `answer`.  What it says to stderr is short. */
static inline void run(const char *const argv[])
{
    int out[2], err[2];
    if (access(KRAIT, X_OK) != 0)
        SKIP("the command is not built");
    CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(err, O_CLOEXEC), 0);
    pid_t id = start_command(argv, -1, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    read_all(out[0], answer.out, sizeof answer.out);
    read_all(err[0], answer.err, sizeof answer.err);
    answer.status = status_of(id);
}

static inline void run_top(pid_t pid, const char *option, const char *other)
{
    char number[32];
    snprintf(number, sizeof number, "%d", (int)pid);
    const char *const argv[] = {KRAIT, "top", number, option, other, NULL};
    run(argv);
}

#endif
