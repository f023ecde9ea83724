/* The program in docs/explorer.md works as the page says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdio.h>
#include <sys/wait.h>

static void output_of(const char *command, char *text, size_t size, int status)
{
    FILE *from = popen(command, "r");

    CHECK(from != NULL);
    size_t used = fread(text, 1, size - 1, from);
    text[used] = '\0';
    int ended = pclose(from);
    CHECK(WIFEXITED(ended));
    CHECK_EQ(WEXITSTATUS(ended), status);
}

TEST(example_in_docs)
{
    static char text[1 << 16];

    output_of(KRI_TEST_BUILD "/tests/model/example/box 2>&1", text, sizeof text, 0);
    CHECK(strstr(text, "explore name=right result=passed mode=all preemptions=2"));
    CHECK(strstr(text, "explore name=wrong result=race"));
    CHECK(strstr(text, "data race on box.value"));
    CHECK(strstr(text, "put_wrong box.c:"));
    CHECK(strstr(text, "KR_EXPLORE_REPLAY=k"));
}

TEST(example_replayed)
{
    static char text[1 << 16];
    char command[1024];
    char *seed;

    output_of(KRI_TEST_BUILD "/tests/model/example/box 2>&1", text, sizeof text, 0);
    seed = strstr(text, "KR_EXPLORE_REPLAY=");
    CHECK(seed != NULL);
    seed[strcspn(seed, "\n")] = '\0';
    snprintf(command, sizeof command,
             "%.200s " KRI_TEST_BUILD "/tests/model/example/box wrong 2>&1", seed);
    output_of(command, text, sizeof text, 0);
    CHECK(strstr(text, "explore name=wrong result=race mode=replay"));
}
