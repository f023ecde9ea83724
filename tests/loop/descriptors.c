/* Waiting for descriptors in coroutines, below the calls of input and output.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "os/os.h"
#include "wait/wait.h"

#include <krait/krait.h>
#include <unistd.h>

/* A wait is about what is, not about what has changed: one that reads nothing leaves it ready for
 * the next, long before anybody asks about late ones. */
static int wait_twice(void *arg)
{
    int fds[2];
    (void)arg;
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kri_wait_fd(fds[0], OS_READABLE, kri_deadline(kr_ms(20))), OS_READABLE);
    CHECK_EQ(kr_close(fds[0]), 0);
    CHECK_EQ(kr_close(fds[1]), 0);
    return 0;
}

TEST(test_ready_stays_ready)
{
    CHECK_EQ(kr_run(wait_twice, NULL), 0);
}
