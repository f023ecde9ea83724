/* What all structs of options have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BASE_OPTIONS_H
#define KRI_BASE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What has no meaning yet is to be 0, so that it can be given one. */
static inline bool kri_reserved_is_clear(const uint64_t reserved[static 4])
{
    return (reserved[0] | reserved[1] | reserved[2] | reserved[3]) == 0;
}

#endif
