/* Spinning before sleeping: only where whoever is waited for can run meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "wait/wait.h"
#include <sched.h>

/* Leave the process the first `count` of its processors; false: it has fewer. */
static bool keep_processors(int count)
{
    cpu_set_t all, kept;

    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&kept);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&kept) < count; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &kept);
    CHECK_EQ(sched_setaffinity(0, sizeof kept, &kept), 0);
    return CPU_COUNT(&kept) == count;
}

TEST(nobody_spins_on_one_processor)
{
    CHECK(keep_processors(1));
    CHECK(!kri_spin_pays());
}

TEST(spinning_may_pay_on_two_processors)
{
    if (!keep_processors(2))
        SKIP("this machine has one processor");
    CHECK(kri_spin_pays());
}
