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
