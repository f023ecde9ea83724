/* Memory that forked children share.
 *
 *     head     how long the mapping is
 *     then     the caller's
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include <krait/shared_memory.h>

enum { LINE = 64 };

typedef struct head {
    size_t size;
    unsigned char rest[LINE - sizeof(size_t)];
} head;

void *kr_shared_alloc(size_t size)
{
    if (size == 0 || size > PTRDIFF_MAX - sizeof(head))
        return NULL;
    head *made = os_shared_map(sizeof *made + size);
    if (made == NULL)
        return NULL;
    made->size = sizeof *made + size;
    return made + 1;
}

void kr_shared_free(void *memory)
{
    if (memory != NULL) {
        head *made = (head *)memory - 1;
        os_shared_unmap(made, made->size);
    }
}
