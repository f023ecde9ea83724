/* The same on another processor, under an emulator, with the C library's switch, and under
 * valgrind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the contexts need of the library, and no more: other processors' compilers and emulators are
 * slow. */
#define SOURCES                                                                                    \
    "tests/coroutine/elsewhere/contexts.c src/coroutine/*.c src/coroutine/arch/*.S "               \
    "$(for topic in fault futex memory segment stack thread time; do "                             \
    "echo src/os/linux/$topic.c; done) src/base/time.c src/wait/mutex.c "

static bool have(const char *tool)
{
    char command[200];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", tool);
    return system(command) == 0;
}

/* Compile the program of elsewhere/ and run it. */
static void try_out(const char *name, const char *compiler, const char *flags, const char *runner)
{
    char command[1000], line[200], last[200] = "";
    snprintf(
        command, sizeof command,
        "cd %s && out=$(mktemp -d) && %s -O1 -g -std=gnu11 -D_GNU_SOURCE -Isrc -Iinclude -Itests "
        "%s -ffunction-sections -Wl,--gc-sections -pthread -w " SOURCES
        "-o $out/%s -lm 2>&1 && %s $out/%s 2>&1; "
        "status=$?; rm -rf $out; exit $status",
        KRI_TEST_SOURCE, compiler, flags, name, runner, name);
    FILE *output = popen(command, "r");
    CHECK(output != NULL);
    while (fgets(line, sizeof line, output) != NULL) {
        printf("%s", line);
        memcpy(last, line, sizeof last);
    }
    int status = pclose(output);
    CHECK_EQ(WEXITSTATUS(status), 0);
    CHECK_STR(last, "all is well\n");
}

TEST(test_aarch64)
{
    if (KRI_CHECKED)
        SKIP("the program runs without the tools of this run");
    if (!have("aarch64-linux-gnu-gcc") || !have("qemu-aarch64"))
        SKIP("there is no compiler for AArch64, or no emulator");
    try_out("aarch64", "aarch64-linux-gnu-gcc", "-static", "qemu-aarch64");
}

TEST(test_aarch64_with_tracked_branches)
{
    if (KRI_CHECKED)
        SKIP("the program runs without the tools of this run");
    if (!have("aarch64-linux-gnu-gcc") || !have("qemu-aarch64"))
        SKIP("there is no compiler for AArch64, or no emulator");
    try_out("bti", "aarch64-linux-gnu-gcc", "-static -mbranch-protection=standard",
            "qemu-aarch64 -cpu max");
}

TEST(test_ucontext)
{
    if (KRI_CHECKED)
        SKIP("the program runs without the tools of this run");
    if (!have("cc"))
        SKIP("there is no compiler");
    try_out("ucontext", "cc", "-DKRI_UCONTEXT", "");
}

TEST(test_valgrind)
{
    if (KRI_CHECKED)
        SKIP("the program runs without the tools of this run");
    if (!have("cc") || !have("valgrind"))
        SKIP("there is no valgrind");
    try_out("checked", "cc", "-DKRI_HAVE_VALGRIND", "valgrind -q --error-exitcode=9");
}
