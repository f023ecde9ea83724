/* Running gil_lua from a test, in an empty directory that is gone afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_GIL_LUA_TOOL_H
#define KRI_GIL_LUA_TOOL_H

#include "harness/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOOL KRI_TEST_BUILD "/examples/gil_lua/gil_lua"

static char tool_directory[] = KRI_TEST_BUILD "/gil_lua.XXXXXX";
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
        SKIP("gil_lua is not built");
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

/* What is in a file, at most 16 MiB; the text stays until the second call after. */
static inline const char *tool_read(const char *path)
{
    static char texts[2][1 << 24];
    static unsigned turn;
    char *text = texts[turn++ % 2];
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    text[fread(text, 1, sizeof texts[0] - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* Exit status of gil_lua with these arguments, as a shell takes them; its output is in "out" and
 * "err". */
static inline int tool_run(const char *arguments)
{
    char line[1024];
    CHECK(snprintf(line, sizeof line, "exec '%s' %s >out 2>err </dev/null", TOOL, arguments) <
          (int)sizeof line);
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

/* Run this as a script; its status. */
static inline int tool_run_script(const char *options, const char *script)
{
    char line[512];
    tool_write("script.lua", script);
    snprintf(line, sizeof line, "%s run script.lua", options);
    return tool_run(line);
}

/* The script ends well, and prints this. */
static inline void tool_expect(const char *options, const char *script, const char *output)
{
    int status = tool_run_script(options, script);
    CHECK_STR(tool_read("err"), "");
    CHECK_STR(tool_read("out"), output);
    CHECK_EQ(status, 0);
}

#endif
