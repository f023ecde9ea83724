/* Running gil_lua from a test, in an empty directory that is gone afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_GIL_LUA_TOOL_H
#define KRI_GIL_LUA_TOOL_H

#define TOOL_NAME "gil_lua"

#include "harness/tool.h"

/* Exit status of gil_lua with these arguments, as a shell takes them; its output is in "out" and
 * "err". */
static inline int tool_run(const char *arguments)
{
    char line[1024];
    CHECK(snprintf(line, sizeof line, "exec " KRI_TEST_START "'%s' %s >out 2>err </dev/null", TOOL,
                   arguments) < (int)sizeof line);
    return tool_run_line(line);
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
