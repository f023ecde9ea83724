/* What processes share, as logical processes see it: everything, and one user.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"

void *os_shared_map(size_t size)
{
    return os_alloc(size);
}

void os_shared_unmap(void *memory, size_t size)
{
    (void)size;
    os_free(memory);
}

int os_shared_touch(void *memory, size_t size)
{
    (void)memory, (void)size;
    return kri_ex_refused() ? -ENOMEM : 0;
}

void os_identify(os_identity *identity)
{
    *identity = (os_identity){.pid_namespace = 1, .time_namespace = 1, .user = 1, .group = 1};
}

int os_in_group(uint32_t group)
{
    return group == 1;
}
