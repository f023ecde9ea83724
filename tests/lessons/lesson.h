/* Running a program to its end, and looking at what it printed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_LESSONS_LESSON_H
#define TESTS_LESSONS_LESSON_H

#include "harness/expect.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <fcntl.h>
#include <krait/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is usual must be seen in one of so many runs, as long as they take no more seconds.  It is
 * what a processor takes, and not looked for under an emulator, which takes much longer. */
enum { LESSON_RUNS = 20, LESSON_SECONDS = 15, LESSON_TEXT = 1 << 16, LESSON_WHY = 2048 };

typedef struct lesson {
    const char *const *command; /* NULL at its end */
    kri_expect expect;
    char text[LESSON_TEXT]; /* of the .expected file, cut up */
    char output[LESSON_TEXT], error[LESSON_TEXT];
    int status; /* as waitpid has it */
} lesson;

static _Noreturn void lesson_become(const lesson *l, int output, int error)
{
    int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (none >= 0 && dup2(none, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(error, STDERR_FILENO) >= 0)
        execv(l->command[0], (char *const *)(uintptr_t)l->command);
    _exit(127);
}

static void lesson_read(int fd, char *text)
{
    ssize_t length = pread(fd, text, LESSON_TEXT - 1, 0);
    CHECK_GE(length, 0);
    text[length] = '\0';
    close(fd);
}

static void lesson_run(lesson *l)
{
    int output = memfd_create("output", MFD_CLOEXEC);
    int error = memfd_create("error", MFD_CLOEXEC);
    CHECK(output >= 0 && error >= 0);
    /* Several processes write there, and a memfd does not keep its place for them by itself. */
    CHECK(fcntl(output, F_SETFL, O_APPEND) == 0 && fcntl(error, F_SETFL, O_APPEND) == 0);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0)
        lesson_become(l, output, error);
    CHECK_EQ(waitpid(child, &l->status, 0), child);
    lesson_read(output, l->output);
    lesson_read(error, l->error);
}

/* Did it end as it should? */
static bool lesson_ended(const lesson *l, char *why)
{
    int got = WIFSIGNALED(l->status) ? WTERMSIG(l->status) : WEXITSTATUS(l->status);
    const char *kind = WIFSIGNALED(l->status) ? "signal" : "status";
    bool right = WIFSIGNALED(l->status) ? l->expect.signal == got
                                        : l->expect.signal == 0 && l->expect.status == got;
    if (!right)
        snprintf(why, LESSON_WHY, "it ended with %s %d", kind, got);
    return right;
}

static bool lesson_printed(lesson *l, const kri_expect_part *part, const char *text,
                           const char *what, char *why)
{
    char copy[LESSON_TEXT], where[KRI_EXPECT_WHY];
    strcpy(copy, text);
    if (kri_expect_match(&l->expect, part, copy, where))
        return true;
    snprintf(why, LESSON_WHY, "%s: %s", what, where);
    return false;
}

/* One run: 1, it was as usual; 0, it was as it must be; -1, it was not. */
static int lesson_look(lesson *l, char *why)
{
    lesson_run(l);
    if (!lesson_ended(l, why) ||
        !lesson_printed(l, &l->expect.output, l->output, "standard output", why) ||
        !lesson_printed(l, &l->expect.error, l->error, "standard error", why))
        return -1;
    return !l->expect.usually.given || KRI_QEMU ||
           lesson_printed(l, &l->expect.usually, l->output, "what is usual", why);
}

/* Does the program do what the text of its .expected file says?  `why` says why not. */
static inline bool lesson_holds(lesson *l, char *why)
{
    if (!kri_expect_read(&l->expect, l->text, why))
        return false;
    kr_time end = kr_now() + kr_sec(LESSON_SECONDS);
    for (int run = 0; run == 0 || (run < LESSON_RUNS && kr_now() < end); run++) {
        int seen = lesson_look(l, why);
        if (seen != 0)
            return seen > 0;
    }
    return false;
}

#endif
