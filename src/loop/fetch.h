/* Having memory come into the cache before it is needed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_FETCH_H
#define KRI_LOOP_FETCH_H

#include <stddef.h>

static inline __attribute__((always_inline)) void kri_fetch(const void *from, size_t lines)
{
    enum { LINE = 64 };
    for (size_t i = 0; i < lines; i++)
        __builtin_prefetch((const char *)from + i * LINE, 1);
}

#endif
