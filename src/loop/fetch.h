/* Having memory come into the cache before it is needed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_FETCH_H
#define KRI_LOOP_FETCH_H

#include <stddef.h>

/* Four at a time: the loop is more than what it is for. */
static inline __attribute__((always_inline)) void kri_fetch(const void *from, size_t lines)
{
    enum { LINE = 64 };
    const char *at = from;
    for (; lines >= 4; lines -= 4, at += 4 * LINE) {
        __builtin_prefetch(at, 1);
        __builtin_prefetch(at + LINE, 1);
        __builtin_prefetch(at + 2 * LINE, 1);
        __builtin_prefetch(at + 3 * LINE, 1);
    }
    for (; lines > 0; lines--, at += LINE)
        __builtin_prefetch(at, 1);
}

#endif
