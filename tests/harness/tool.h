/* Running an example from a test, in an empty directory that is gone afterwards.
 *
 *     #define TOOL_NAME "fetch"
 *     #include "harness/tool.h"
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_TOOL_H
#define KRI_HARNESS_TOOL_H

#include "harness/sanitizers.h"
#include "harness/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOOL KRI_TEST_BUILD "/examples/" TOOL_NAME "/" TOOL_NAME

static char tool_directory[] = KRI_TEST_BUILD "/" TOOL_NAME ".XXXXXX";
static pid_t tool_owner;

static void tool_remove_directory(void)
{
    if (getpid() != tool_owner)
        return;
    pid_t child = chdir("/") == 0 ? fork() : -1;
    if (child == 0) {
        execlp("rm", "rm", "-rf", tool_directory, (char *)NULL);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

/* Go to a new empty directory. */
static inline void tool_begin(void)
{
    if (access(TOOL, X_OK) != 0)
        SKIP(TOOL_NAME " is not built");
    CHECK(mkdtemp(tool_directory) != NULL);
    CHECK_EQ(chdir(tool_directory), 0);
    tool_owner = getpid();
    CHECK_EQ(atexit(tool_remove_directory), 0);
}

static inline void tool_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    CHECK(file != NULL);
    CHECK_EQ(fputs(text, file) < 0, 0);
    CHECK_EQ(fclose(file), 0);
}

/* What is in a file, less than 1 MiB; the text stays until four calls later. */
static inline const char *tool_read(const char *path)
{
    static char texts[4][1 << 20];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    size_t length = fread(text, 1, sizeof texts[0], file);
    CHECK(length < sizeof texts[0]);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* Exit status of a line of the shell, which puts what it complains about into "err". */
static inline int tool_run_line(const char *line)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execlp("sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (status > 2)
        fprintf(stderr, "%s\n%s", line, tool_read("err"));
    return status;
}

/* Has the program come to where it catches the signal?  In an emulated process all counts as caught
 * from the beginning: ask for what it has open, too. */
static inline bool tool_catches(pid_t process, int signo)
{
    char path[64], line[128];
    unsigned long long caught = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    FILE *stream = fopen(path, "re");
    if (!stream)
        return false;
    while (fgets(line, sizeof line, stream))
        (void)sscanf(line, "SigCgt: %llx", &caught);
    fclose(stream);
    return caught >> (signo - 1) & 1;
}

/* By the last part of its path. */
static inline bool tool_has_open(pid_t process, const char *name)
{
    char path[64], target[512];
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)process, fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        const char *base = strrchr(target, '/');
        if (base && strcmp(base + 1, name) == 0)
            return true;
    }
    return false;
}

#endif
