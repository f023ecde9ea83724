/* Parties that are forked children of the test, in memory that is shared with them.
 *
 * Where a process sleeps is read from /proc: the number and the first arguments of the system call
 * that it is in, which is that of a futex for who sleeps on a word, or of several.  The addresses
 * are the test's own, since its children have its mappings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party_kinds.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

enum { MOST_WORDS = 8 };

/* As the kernel has it. */
typedef struct sleeper_word {
    uint64_t expected;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
} sleeper_word;

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

/* The words on which a thread sleeps, of this process or another: their number. */
static int words_of(int id, uint64_t words[MOST_WORDS])
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/syscall", id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length < 0)
        SKIP("the system does not tell where a process sleeps");
    text[length] = '\0';
    long call;
    unsigned long long first, second;
    if (sscanf(text, "%ld %llx %llx", &call, &first, &second) != 3)
        return 0;
    words[0] = first;
    if (call != SYS_futex_waitv)
        return call == SYS_futex;
    sleeper_word found[MOST_WORDS];
    struct iovec here = {found, sizeof found[0] * (second < MOST_WORDS ? second : MOST_WORDS)};
    struct iovec there = {(void *)(uintptr_t)first, here.iov_len};
    ssize_t got = process_vm_readv(id, &here, 1, &there, 1, 0);
    int count = got < 0 ? 0 : (int)((size_t)got / sizeof found[0]);
    for (int i = 0; i < count; i++)
        words[i] = found[i].address;
    return count;
}

static bool sleeps_in(int id, uint64_t from, size_t size)
{
    uint64_t words[MOST_WORDS];
    int count = words_of(id, words);
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

/* Every other one a thread of the test, which meets the processes at the same objects. */

static const party_kind *kind_of(const party_member *member)
{
    return member->index % 2 == 0 ? &party_processes : &party_threads;
}

static void start_either(party_member *member)
{
    kind_of(member)->start(member);
}

static void join_either(party_member *member)
{
    kind_of(member)->join(member);
}

static void interrupt_either(party_member *member, int signo)
{
    kind_of(member)->interrupt(member, signo);
}

const party_kind party_mixed = {
    .name = "mixed",
    .scope = KR_SHARED,
    .world = make_world,
    .world_free = free_world,
    .start = start_either,
    .join = join_either,
    .parked = parked,
    .interrupt = interrupt_either,
    .check = check,
};
