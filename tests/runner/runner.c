/* Does the runner notice everything that can be wrong with a case?
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "harness/sanitizers.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char output[65536];

/* Run the cases whose names contain `filter`; the runner's status, its text in `output`. */
static int run_with(const char *options, const char *filter)
{
    char command[1024];
    snprintf(command, sizeof command,
             "KR_BUDGET=0 " KRI_TEST_START
             "'%s/tests/kri-runner' %s -t 2 %s -f %s '%s/tests/kri-faults' 2>&1",
             KRI_TEST_BUILD, KRI_EMULATED ? "-e qemu-aarch64" : "", options, filter,
             KRI_TEST_BUILD);
    FILE *pipe = popen(command, "r");
    CHECK(pipe != NULL);
    size_t length = fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    int status = pclose(pipe);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run_faults(const char *filter)
{
    return run_with("", filter);
}

static void check_has(const char *text)
{
    if (!strstr(output, text))
        kri_test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", text, output);
}

TEST(test_pass_shows_notes_when_asked)
{
    CHECK_EQ(run_with("-v", "fault_none"), 0);
    check_has("fault_none: # counted 42\n");
    check_has("\n1 passed, 0 failed, 0 skipped\n");
}

TEST(test_pass_is_silent)
{
    CHECK_EQ(run_faults("fault_none"), 0);
    CHECK_STR(output, "1 passed, 0 failed, 0 skipped\n");
}

/* As some machines call a suite: the output of a case must not take the number of its input. */
TEST(test_notes_without_standard_input)
{
    CHECK_EQ(close(STDIN_FILENO), 0);
    CHECK_EQ(run_with("-v", "fault_none"), 0);
    check_has("fault_none: # counted 42\n");
}

TEST(test_failed_check)
{
    CHECK_EQ(run_faults("fault_unequal"), 1);
    check_has("1 == 2: 1 and 2\n");
    check_has("repeat: KR_SEED=");
    check_has("--run fault_unequal\n");
    CHECK_EQ(run_faults("fault_false"), 1);
    check_has("1 > 2 is false\n");
    CHECK_EQ(run_faults("fault_string"), 1);
    check_has("\"got\", not \"want\"\n");
    CHECK_EQ(run_faults("fault_in_thread"), 1);
    check_has("0 passed, 1 failed, 0 skipped\n");
}

TEST(test_failed_check_in_a_party)
{
    CHECK_EQ(run_faults("fault_in_party"), 1);
    check_has("fault_in_party.threads");
    check_has("fault_in_party.coroutines");
    check_has("fault_in_party.processes");
    check_has("party 1 has failed");
    check_has("0 passed, 6 failed, 0 skipped\n");
}

TEST(test_killed)
{
    CHECK_EQ(run_faults("fault_killed"), 1);
    check_has("killed by Killed\n");
}

TEST(test_skipped)
{
    CHECK_EQ(run_faults("fault_skipped"), 0);
    check_has("skipped: the reason\n");
    check_has("0 passed, 0 failed, 1 skipped\n");
}

TEST(test_time_out_shows_stacks)
{
    CHECK_EQ(run_faults("fault_hangs"), 1);
    check_has("stacks of process ");
    check_has("ran longer than ");
}

TEST(test_process_left_behind)
{
    CHECK_EQ(run_faults("fault_leaves_process"), 1);
    check_has("left 1 process behind\n");
}

TEST(test_no_such_case)
{
    CHECK_EQ(run_faults("fault_unheard_of"), 1);
    check_has("0 passed, 0 failed, 0 skipped\n");
}
