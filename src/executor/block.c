/* SPDX-License-Identifier: MIT */
#include "executor/block.h"

#include "os/os.h"

void *kri_block_new(size_t size)
{
    return os_alloc(size);
}

void kri_block_free(void *block, size_t size)
{
    (void)size;
    os_free(block);
}
