/* Running treesum from a test, in an empty directory that is gone afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TREESUM_TOOL_H
#define KRI_TREESUM_TOOL_H

#define TOOL_NAME "treesum"

#include "harness/sanitizers.h"
#include "harness/tool.h"
#include <signal.h>

/* What scripts begin with.
 *
 *     expected PATHS...   what sha256sum prints for the files that find lists below PATHS
 *     same A B            two files are equal, or the case fails and shows how they differ
 *     status N COMMAND    the command ends with status N
 *     renamed             sha256sum's messages as if it were called treesum
 */
#define PRELUDE                                                                                    \
    "set -eu; export LC_ALL=C.UTF-8; t='" TOOL "'; treesum() { " KRI_TEST_START                    \
    "\"$t\" \"$@\"; };"                                                                            \
    "expected() { find \"$@\" -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum --; };"     \
    "same() { cmp \"$1\" \"$2\" >&2 || { diff \"$1\" \"$2\" >&2 || :; exit 1; }; };"               \
    "status() { want=$1; shift; set +e; \"$@\"; got=$?; set -e; [ $got -eq $want ] || "            \
    "{ echo \"status $got, not $want: $*\" >&2; exit 1; }; };"                                     \
    "renamed() { sed 's/^sha256sum:/treesum:/; s/sha256sum --help/treesum --help/'; };"

/* A tool that is out of patience leaves its workers behind, which ThreadSanitizer calls a leak. */
static inline void tool_may_leave_threads(void)
{
    kri_test_sanitizer_option("TSAN_OPTIONS", "report_thread_leaks=0");
}

/* Status of a shell script; it ends by `exit 77` where it cannot run here. */
static inline int tool_script(const char *script)
{
    char text[8192];
    CHECK(snprintf(text, sizeof text, "%s%s", PRELUDE, script) < (int)sizeof text);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execlp("sh", "sh", "-c", text, (char *)NULL);
        _exit(127);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("the system does not allow it here");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* How many bytes the process has read so far. */
static inline long long bytes_read(pid_t process)
{
    char path[64], line[128];
    long long bytes = 0;
    snprintf(path, sizeof path, "/proc/%d/io", (int)process);
    FILE *stream = fopen(path, "re");
    if (!stream)
        return 0;
    while (fgets(line, sizeof line, stream))
        (void)sscanf(line, "rchar: %lld", &bytes);
    fclose(stream);
    return bytes;
}

#define SCRIPT(name, text)                                                                         \
    TEST(name)                                                                                     \
    {                                                                                              \
        tool_begin();                                                                              \
        CHECK_EQ(tool_script(text), 0);                                                            \
    }

#endif
