/* Memory of stacks.
 *
 * It is not kept out of core dumps: what coroutines did is what one looks for there, and pages that
 * were never touched are not written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/stack.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* Linux 6.13; the kernel headers of the build may be older. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

void *os_stack_map(size_t size)
{
    int saved = errno;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory != MAP_FAILED)
        madvise(memory, size, MADV_NOHUGEPAGE); /* one of them would take as much as 500 tops */
    errno = saved;
    return memory == MAP_FAILED ? NULL : memory;
}

void os_stack_unmap(void *memory, size_t size)
{
    int saved = errno;
    munmap(memory, size);
    errno = saved;
}

void os_stack_discard(void *pages, size_t size)
{
    int saved = errno;
    madvise(pages, size, MADV_DONTNEED);
    errno = saved;
}

size_t os_stack_resident(void *pages, size_t size)
{
    enum { AT_ONCE = 256 };
    unsigned char there[AT_ONCE];
    size_t page = os_page_size(), count = 0;
    int saved = errno;
    char *at = pages;
    for (size_t left = size / page; left > 0;) {
        size_t now = left < AT_ONCE ? left : AT_ONCE;
        bool told = mincore(at, now * page, there) == 0;
        for (size_t i = 0; i < now; i++)
            count += !told || (there[i] & 1);
        at += now * page;
        left -= now;
    }
    errno = saved;
    return count;
}

/* A system call that is to write there fails, while an access of our own would be a fault. */
bool os_stack_is_guarded(void *page)
{
    int saved = errno;
    bool guarded = getrandom(page, 1, GRND_NONBLOCK) < 0 && errno == EFAULT;
    errno = saved;
    return guarded;
}

int os_stack_guard_light(void *pages, size_t size)
{
    int saved = errno, err = 0;
    if (madvise(pages, size, MADV_GUARD_INSTALL) != 0)
        err = errno == EINVAL ? -ENOSYS : -ENOMEM;
    errno = saved;
    return err;
}

int os_stack_guard_mapped(void *pages, size_t size)
{
    int saved = errno;
    int err = mprotect(pages, size, PROT_NONE) == 0 ? 0 : -ENOMEM;
    errno = saved;
    return err;
}

size_t os_map_limit(void)
{
    enum { USUAL = 65530 };
    char text[32];
    int saved = errno;
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    errno = saved;
    if (length <= 0)
        return USUAL;
    text[length] = '\0';
    return strtoul(text, NULL, 10);
}
