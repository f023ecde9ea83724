/* Memory of stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/stack.h"
#include <sys/mman.h>

void *os_stack_map(size_t size)
{
    int saved = errno;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory != MAP_FAILED)
        madvise(memory, size, MADV_NOHUGEPAGE);
    errno = saved;
    return memory == MAP_FAILED ? NULL : memory;
}

void os_stack_unmap(void *memory, size_t size)
{
    int saved = errno;
    munmap(memory, size);
    errno = saved;
}

int os_stack_guard(void *pages, size_t size)
{
    int saved = errno;
    int result = mprotect(pages, size, PROT_NONE) == 0 ? 0 : -ENOMEM;
    errno = saved;
    return result;
}
