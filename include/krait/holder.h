/* kr_holder - a row in a table of the processes that hold something of a shared object.
 *
 *     struct {
 *         kr_semaphore slots;
 *         kr_holder holders[8];       // at most 8 processes have a slot at once
 *     } *shared = ...;                // in memory that all of them have
 *
 *     kr_semaphore_init(&shared->slots, 20,
 *                       &(kr_semaphore_options){.scope = KR_SHARED,
 *                                               .holders = shared->holders, .holder_count = 8});
 *
 * An object with such a table settles what a process held when it died: a semaphore's permits
 * return, a barrier breaks.  The table lies in the same shared memory as the object, and moves with
 * it.  A process takes a row when it begins to hold something and gives it back when it holds
 * nothing more; the runners of a process share its row.
 *
 * With no row free, and none of a dead process either, the call that needs one returns -ENOSPC, and
 * the object is as before.  Settling needs what the system says of the others: see kr_lock_acquire
 * for one pid namespace, and for /proc.
 *
 * A process that replaces itself (exec) while it holds something goes on holding it, until it ends.
 *
 * Where the table is stands in the object, and is believed: who may write there can lead others
 * anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_HOLDER_H
#define KRAIT_HOLDER_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* All zero is a free row.  Private members. */
typedef struct kr_holder {
    uint64_t process; /* which; 0: none */
    uint32_t count;   /* what it holds */
    uint32_t reserved;
} kr_holder;

KR_EXTERN_END

#endif
