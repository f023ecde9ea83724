/* Where a party sleeps, read from /proc: the number and the first arguments of the system call that
 * it is in, which is that of a futex for who sleeps on a word, or of several.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* As the kernel has it. */
typedef struct sleeper_word {
    uint64_t expected;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
} sleeper_word;

/* The file as a string: its length, or -errno. */
static ssize_t read_file(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = read(fd, text, room - 1);
    int err = errno;
    close(fd);
    text[length < 0 ? 0 : length] = '\0';
    return length < 0 ? -err : length;
}

int party_words_of(int id, uint64_t words[PARTY_MOST_WORDS])
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/syscall", id);
    ssize_t length = read_file(path, text, sizeof text);
    if (length == -EACCES || length == -EPERM)
        SKIP("the system does not tell where a process sleeps");
    if (length < 0)
        return 0;
    long call;
    unsigned long long first, second;
    if (sscanf(text, "%ld %llx %llx", &call, &first, &second) != 3)
        return 0;
    words[0] = first;
    if (call != SYS_futex_waitv)
        return call == kri_test_system_call(SYS_futex);
    sleeper_word found[PARTY_MOST_WORDS];
    struct iovec here = {found,
                         sizeof found[0] * (second < PARTY_MOST_WORDS ? second : PARTY_MOST_WORDS)};
    struct iovec there = {(void *)(uintptr_t)first, here.iov_len};
    ssize_t got = process_vm_readv(id, &here, 1, &there, 1, 0);
    int count = got < 0 ? 0 : (int)((size_t)got / sizeof found[0]);
    for (int i = 0; i < count; i++)
        words[i] = found[i].address;
    return count;
}

/* How often it has gone to sleep so far. */
static long sleeps_of(int id)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", id);
    if (read_file(path, text, sizeof text) < 0)
        return -1;
    const char *line = strstr(text, "\nvoluntary_ctxt_switches:");
    return line ? atol(strchr(line, ':') + 1) : -1;
}

/* Who sleeps at both looks, and has not woken between them, slept all the time in between; so all
 * who are counted slept at the same moment. */
int party_asleep(void)
{
    enum { MOST = 4 * PARTY_MAX };
    int ids[MOST], count = 0, asleep = 0;
    long sleeps[MOST];
    uint64_t words[PARTY_MOST_WORDS];
    for (party_member *member = NULL; (member = party_next_member(member));) {
        int id = (int)kri_load_acq(&member->id);
        if (id == 0 || member->gone || member->killed || party_words_of(id, words) == 0)
            continue;
        CHECK(count < MOST);
        ids[count] = id;
        sleeps[count++] = sleeps_of(id);
    }
    for (int i = 0; i < count; i++)
        asleep += party_words_of(ids[i], words) > 0 && sleeps_of(ids[i]) == sleeps[i];
    return asleep;
}

void party_await_asleep(int count)
{
    while (party_asleep() != count)
        party_nap();
}
