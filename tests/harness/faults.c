/* Cases that fail, each in its own way, for the tests of the runner.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party.h"

#include <signal.h>
#include <unistd.h>

TEST(fault_none)
{
    kri_test_note("counted %d", 42);
}

TEST(fault_unequal)
{
    kri_test_seed();
    CHECK_EQ(1, 2);
}

TEST(fault_false)
{
    CHECK(1 > 2);
}

TEST(fault_string)
{
    CHECK_STR("got", "want");
}

static void fail_here(void *arg)
{
    CHECK(arg != NULL);
}

TEST(fault_in_thread)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, fail_here, NULL);
    kri_bunch_end(&bunch);
}

TEST(fault_killed)
{
    raise(SIGKILL);
}

TEST(fault_skipped)
{
    SKIP("the reason");
}

static void hang_here(void *arg)
{
    (void)arg;
    for (;;)
        pause();
}

TEST(fault_hangs)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 2, hang_here, NULL);
    kri_bunch_wait_started(&bunch, 2);
    hang_here(NULL);
}

TEST(fault_leaves_process)
{
    if (fork() == 0)
        hang_here(NULL);
}

static void fail_in_party(void *world, int index)
{
    (void)world;
    CHECK_NE(index, 1);
}

PARTY_TEST(fault_in_party)
{
    party_join(party_start(2, fail_in_party, NULL));
}

/* Noticed by who waits for something else. */
PARTY_TEST(fault_in_party_while_waiting)
{
    kr_word *never = party_world(sizeof *never);
    party_start(2, fail_in_party, NULL);
    party_await_count(never, 1);
}
