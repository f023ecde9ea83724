/* The task: sums the files of one batch, in a thread or in a process.
 *
 * A parcel is all that it gets and outcomes are all that it gives, both without pointers, since a
 * process that was started anew has none of our memory.  So one task serves both pools.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <string.h>

int task_sum(const void *arg, void *result)
{
    const struct parcel *parcel = arg;
    struct outcome *outcomes = result;
    for (uint32_t i = 0; i < parcel->count; i++) {
        const struct parcel_file *sent = &parcel->files[i];
        struct file file = {
            .path = (const char *)arg + sent->path, .size = sent->size, .kind = sent->kind};
        digest_file(&file);
        outcomes[i].error = file.error;
        memcpy(outcomes[i].digest, file.digest, DIGEST_SIZE);
    }
    return 0;
}
KR_TASK(task_sum);
