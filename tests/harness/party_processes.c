/* Parties that are forked children of the test, in memory that is shared with them.
 *
 * They have the test's mappings, so an address on which one sleeps is the test's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "harness/party_kinds.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void *make_world(size_t size)
{
    void *world = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(world != MAP_FAILED);
    return world;
}

static void free_world(void *world, size_t size)
{
    CHECK_EQ(munmap(world, size), 0);
}

static _Noreturn void run_child(party_member *member, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    party_run(member);
    _exit(0);
}

static void start(party_member *member)
{
    pid_t parent = getpid();
    kri_test_seed(); /* the same one in all */
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0)
        run_child(member, parent);
    member->process = child;
}

static void check_end(party_member *member, int status)
{
    if (status != 0)
        kri_test_fail(__FILE__, __LINE__, "party %d has failed: status 0x%x", member->index,
                      (unsigned)status);
}

static void join(party_member *member)
{
    int status;
    if (member->gone)
        return;
    CHECK_EQ(waitpid(member->process, &status, 0), member->process);
    check_end(member, status);
    member->gone = true;
}

static void check(party_member *member)
{
    int status;
    if (member->gone || member->killed || member->process == 0)
        return;
    if (waitpid(member->process, &status, WNOHANG) != member->process)
        return;
    member->gone = true;
    check_end(member, status);
}

static void kill_it(party_member *member)
{
    int status;
    if (member->gone)
        return;
    CHECK_EQ(kill(member->process, SIGKILL), 0);
    CHECK_EQ(waitpid(member->process, &status, 0), member->process);
    if (status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
        check_end(member, status);
    member->gone = true;
}

static void interrupt(party_member *member, int signo)
{
    if (!member->gone)
        CHECK_EQ(kill(member->process, signo), 0);
}

static bool sleeps_in(int id, uint64_t from, size_t size)
{
    uint64_t words[PARTY_MOST_WORDS];
    int count = party_words_of(id, words);
    for (int i = 0; i < count; i++)
        if (words[i] >= from && words[i] - from < size)
            return true;
    return false;
}

static int parked(const void *at, size_t size)
{
    int count = 0;
    for (party_member *member = NULL; (member = party_next_member(member));) {
        int id = (int)kri_load_acq(&member->id);
        if (id != 0 && !member->gone && !member->killed)
            count += sleeps_in(id, (uintptr_t)at, size);
    }
    return count;
}

const party_kind party_processes = {
    .name = "processes",
    .scope = KR_SHARED,
    .world = make_world,
    .world_free = free_world,
    .start = start,
    .join = join,
    .parked = parked,
    .interrupt = interrupt,
    .kill = kill_it,
    .check = check,
};

/* The threads are of the test, and meet the processes at the same objects. */
const party_kind party_mixed = {
    .name = "mixed",
    .even = &party_processes,
    .skipped = KRI_TSAN ? "forked beside threads, a child may hang in the sanitizer's own allocator"
                        : NULL,
    .scope = KR_SHARED,
    .world = make_world,
    .world_free = free_world,
    .parked = parked,
    .check = check,
};
