/* Parties that are coroutines of one loop, in a thread of its own; and those of which every other
 * one is a thread.
 *
 * A loop that waits for no descriptor sleeps as a thread does.  So where its thread sleeps all of
 * its coroutines do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party_kinds.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static kr_executor *loops;

static int run(const void *arg, void *result)
{
    party_member *member = *(party_member *const *)arg;
    (void)result;
    party_run(member);
    kri_store_rel(&member->id, 0); /* the thread that it names goes on */
    return 0;
}

static void start(party_member *member)
{
    if (loops == NULL)
        CHECK_EQ(kr_loop_pool(&loops, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(loops, &member->future, run, &member, sizeof member, 0), 0);
}

static void join(party_member *member)
{
    CHECK_EQ(kr_future_exception(member->future, NULL, KR_FOREVER), 0);
    kr_future_release(member->future);
}

static void interrupt(party_member *member, int signo)
{
    CHECK_EQ(syscall(SYS_tgkill, getpid(), (int)kri_load_acq(&member->id), signo), 0);
}

static void *make_world(size_t size)
{
    return party_threads.world(size);
}

static void free_world(void *world, size_t size)
{
    party_threads.world_free(world, size);
}

static int parked(const void *at, size_t size)
{
    return party_threads.parked(at, size);
}

const party_kind party_coroutines = {
    .name = "coroutines",
    .scope = KR_PRIVATE,
    .world = make_world,
    .world_free = free_world,
    .start = start,
    .join = join,
    .parked = parked,
    .interrupt = interrupt,
};

const party_kind party_runners = {
    .name = "runners",
    .even = &party_coroutines,
    .scope = KR_PRIVATE,
    .world = make_world,
    .world_free = free_world,
    .parked = parked,
};
