/* Calls that are made by threads of the library's own; see offload.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_IO_OFFLOAD_H
#define KRI_IO_OFFLOAD_H

#include "io/io.h"

/* A call, at the head of what it needs.  All but run and drop is the pool's. */
typedef struct kri_offloaded {
    void (*run)(struct kri_offloaded *call);
    void (*drop)(struct kri_offloaded *call); /* NULL: it cannot be left once it has begun */
    struct kri_offloaded *next;
    kr_word state;
    bool left;
} kri_offloaded;

/* Those that read and write are not to wait for those that ask for names. */
enum kri_offload_pool { KRI_OFFLOAD_FILES, KRI_OFFLOAD_NAMES, KRI_OFFLOAD_POOLS };

/* kri_offload - have it run, and wait for that.
 *
 * 0: it has; in the caller's place, where no thread can be had.  -ETIMEDOUT, -ECANCELED: it had not
 * begun, or it has a `drop` and goes on by itself: that is called, perhaps later, and the call is
 * the caller's no more. */
int kri_offload(enum kri_offload_pool pool, kri_offloaded *call, kr_time deadline);

#endif
