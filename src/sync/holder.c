/* Tables of the processes that hold something of a shared object.
 *
 * Fields.  All are guarded by the object's lock.
 *     holder.process    a kri_owner; 0: the row is free
 *     holder.count      how much that process holds; 0 in a free row
 *
 * Protocol.  A row is taken by writing the process and then the count, and given back the other way
 * round.  Each step is one store, so whoever dies between two of them leaves a row that holds
 * nothing or a row of a dead process, and both are put right by the next settlement.  What the
 * object itself says (how many permits are free, how many have arrived) is counted again from the
 * table when the lock's holder has died; the table is the truth.
 *
 * Ordering.  The lock orders everything; whoever takes it from a dead process has proof of the
 * death, and with it all that the dead one wrote.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/holder.h"

_Static_assert(sizeof(kr_holder) == 16, "part of the layout in shared memory");
_Static_assert(offsetof(kr_holder, count) == 8, "part of the layout in shared memory");

void kri_holders_clear(const kri_holders *table)
{
    for (uint32_t i = 0; i < table->length; i++)
        table->rows[i] = (kr_holder){0};
}

static kr_holder *find(const kri_holders *table, kri_owner process)
{
    for (uint32_t i = 0; i < table->length; i++) {
        if (table->rows[i].process == process)
            return &table->rows[i];
    }
    return NULL;
}

uint32_t kri_holders_mine(const kri_holders *table)
{
    const kr_holder *mine = find(table, kri_process_self());
    return mine != NULL ? mine->count : 0;
}

bool kri_holders_have_room(const kri_holders *table)
{
    return find(table, kri_process_self()) != NULL || find(table, 0) != NULL;
}

void kri_holders_add(const kri_holders *table)
{
    kri_owner self = kri_process_self();
    kr_holder *mine = find(table, self);
    if (mine == NULL) {
        mine = find(table, 0);
        mine->process = self;
    }
    mine->count++;
}

void kri_holders_take_off(const kri_holders *table, uint32_t count)
{
    kr_holder *mine = find(table, kri_process_self());
    mine->count -= count;
    if (mine->count == 0)
        mine->process = 0;
}

uint32_t kri_holders_sum(const kri_holders *table)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < table->length; i++)
        sum += table->rows[i].count;
    return sum;
}

uint32_t kri_holders_settle(const kri_holders *table)
{
    uint32_t freed = 0;
    for (uint32_t i = 0; i < table->length; i++) {
        kr_holder *row = &table->rows[i];
        if (row->process == 0 || !kri_process_dead(row->process))
            continue;
        freed += row->count;
        row->count = 0;
        row->process = 0;
    }
    return freed;
}
