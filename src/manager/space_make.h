/* How a space begins.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_SPACE_MAKE_H
#define KRI_MANAGER_SPACE_MAKE_H

#include "manager/space.h"

typedef struct kri_space_measures {
    uint64_t limit;
    uint64_t table;
    uint64_t first;
    uint64_t chunks;
    uint64_t size;  /* of the address space */
    uint64_t fixed; /* bytes at its beginning that must have memory */
} kri_space_measures;

/* kri_space_measure - 0; -EDQUOT: the limit leaves room for nothing; -EINVAL. */
int kri_space_measure(uint64_t limit, kri_space_measures *m);

/* kri_space_make - make an empty one in zero bytes; nobody else has it yet.
 *
 *   fd   through which memory is taken and given back; -1: all is there
 *
 * 0; -EDQUOT, -ENOSPC */
int kri_space_make(kri_space *s, void *memory, const kri_space_measures *m, unsigned mode, int fd,
                   kr_time timeout, const uint64_t seed[2]);

/* kri_space_attach - see kri_segment_read. */
int kri_space_attach(kri_space *s, void *memory, uint64_t size, int fd, kr_time timeout);

#endif
