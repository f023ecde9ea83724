/* Parties that are threads, made by the system directly, so that they are foreign to the library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party_kinds.h"

#include <signal.h>

static void *make_world(size_t size)
{
    void *world = calloc(1, size);
    CHECK(world != NULL);
    return world;
}

static void free_world(void *world, size_t size)
{
    memset(world, 0xa5, size);
    free(world);
}

static void *run(void *member)
{
    party_run(member);
    return NULL;
}

static void start(party_member *member)
{
    CHECK_EQ(pthread_create(&member->thread, NULL, run, member), 0);
}

static void join(party_member *member)
{
    CHECK_EQ(pthread_join(member->thread, NULL), 0);
}

static int parked(const void *at, size_t size)
{
    int count = 0;
    for (size_t offset = 0; offset < size; offset += sizeof(kr_word))
        count += kri_waiting((kr_word *)((uintptr_t)at + offset));
    return count;
}

static void interrupt(party_member *member, int signo)
{
    CHECK_EQ(pthread_kill(member->thread, signo), 0);
}

const party_kind party_threads = {
    .name = "threads",
    .scope = KR_PRIVATE,
    .world = make_world,
    .world_free = free_world,
    .start = start,
    .join = join,
    .parked = parked,
    .interrupt = interrupt,
};
