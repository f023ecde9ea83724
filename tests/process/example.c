/* examples/sorters says what it should under each start method.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdio.h>
#include <unistd.h>

#define SORTERS KRI_TEST_BUILD "/examples/sorters/sorters"

static void run_sorters(const char *start)
{
    char command[512], wanted[512], got[512];
    if (access(SORTERS, X_OK) != 0)
        SKIP("the example is not built");
    snprintf(command, sizeof command, KRI_TEST_START "'%s' %s 2>&1", SORTERS, start);
    snprintf(wanted, sizeof wanted,
             "%s\n  four one three two: exit code 0\n  brown fox quick the: exit code 0\n"
             "  (its pipe has ended): exit code -9\n  8 words so far\n",
             start);
    FILE *output = popen(command, "r");
    CHECK(output != NULL);
    got[fread(got, 1, sizeof got - 1, output)] = '\0';
    CHECK_EQ(pclose(output), 0);
    CHECK_STR(got, wanted);
}

TEST(sorters_fork)
{
    run_sorters("fork");
}

TEST(sorters_spawn)
{
    run_sorters("spawn");
}

TEST(sorters_forkserver)
{
    run_sorters("forkserver");
}
