/* Tables of the processes that hold something of a shared object; see holder.c.
 *
 * All of it is called with the object's lock held.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SYNC_HOLDER_H
#define KRI_SYNC_HOLDER_H

#include "sync/internal.h"
#include <krait/holder.h>

typedef struct kri_holders {
    kr_holder *rows;
    uint32_t length;
} kri_holders;

void kri_holders_clear(const kri_holders *table);

/* kri_holders_mine - what the calling process holds. */
uint32_t kri_holders_mine(const kri_holders *table);

/* kri_holders_have_room - is there a row for the calling process? */
bool kri_holders_have_room(const kri_holders *table);

/* kri_holders_add - it holds one more.  pre: there is room */
void kri_holders_add(const kri_holders *table);

/* kri_holders_take_off - it holds so many fewer.  pre: it holds them */
void kri_holders_take_off(const kri_holders *table, uint32_t count);

uint32_t kri_holders_sum(const kri_holders *table);

/* kri_holders_settle - how much the dead held; their rows are free again. */
uint32_t kri_holders_settle(const kri_holders *table);

#endif
