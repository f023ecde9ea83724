/* A process from its start to its end, by each start method.
 *
 * Behaviours: section 12.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"

static int return_number(void *arg)
{
    return *(int *)arg;
}
KR_TASK(return_number);

METHOD_TEST(test_sys_exit)
{
    static const int cases[][2] = {{0, 0}, {1, 1}, {8, 8}, {256 + 7, 7}, {-ECANCELED, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(run_code(return_number, &cases[i][0], sizeof(int)), cases[i][1]);
}
