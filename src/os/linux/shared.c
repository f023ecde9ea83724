/* What processes share: memory, and the names by which they know each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void *os_shared_map(size_t size)
{
    int saved = errno;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    return memory == MAP_FAILED ? NULL : memory;
}

void os_shared_unmap(void *memory, size_t size)
{
    int saved = errno;
    munmap(memory, size);
    errno = saved;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* newer than the headers of some builds */
#endif

int os_shared_touch(void *memory, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)memory / page * page;
    uintptr_t end = ((uintptr_t)memory + size + page - 1) / page * page;
    int saved = errno;
    int returned;
    do {
        returned = madvise((void *)begin, end - begin, MADV_POPULATE_WRITE);
    } while (returned < 0 && (errno == EINTR || errno == EAGAIN));
    int err = returned < 0 && errno != EINVAL ? -ENOMEM : 0;
    errno = saved;
    return err;
}

/* The kernel keeps all namespaces on one file system, so the inode tells them apart. */
static uint64_t namespace_of(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? (uint64_t)s.st_ino : 0;
}

void os_identify(os_identity *identity)
{
    int saved = errno;
    *identity = (os_identity){.pid_namespace = namespace_of("/proc/self/ns/pid"),
                              .time_namespace = namespace_of("/proc/self/ns/time"),
                              .user = geteuid(),
                              .group = getegid()};
    errno = saved;
}

static int find_group(const gid_t *groups, int count, gid_t group)
{
    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return 1;
    return 0;
}

/* Another thread may change them between the two calls; then once more. */
int os_in_group(uint32_t group)
{
    int saved = errno;
    int found = getegid() == group;
    for (int count = -1; !found && count < 0;) {
        int most = getgroups(0, NULL);
        gid_t *groups = most > 0 ? os_alloc((size_t)most * sizeof *groups) : NULL;
        if (most > 0 && groups == NULL) {
            found = -ENOMEM;
            break;
        }
        count = most > 0 ? getgroups(most, groups) : 0;
        found = find_group(groups, count, group);
        os_free(groups);
    }
    errno = saved;
    return found;
}
