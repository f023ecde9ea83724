/* Tables of the processes that hold something of a shared object.
 *
 * State of a row.
 *     process 0            free; its count means nothing
 *     process P, count 0   P holds nothing: it is about to, or has just given the last back
 *     process P, count n   P holds n
 *
 * Fields.  Both are changed under the object's lock.  Whoever dies holding it may leave the row
 * between any two stores.
 *     holder.process    a kri_owner, or 0
 *     holder.count      how much that process holds
 *
 * Protocol.  A row is taken by storing the count 0 and then the process, and given back by storing
 * the process 0.  Each store leads from one of the states above to another, so whoever dies between
 * two of them leaves a row that holds nothing or a row of a dead process, and the next settlement
 * puts both right.  What the object itself says (how many permits are free, how many have arrived)
 * is counted again from the table when the lock's holder has died; the table is the truth.
 *
 * Ordering.  The lock orders everything between the living; whoever takes it from a dead process
 * has proof of the death, and with it all that the dead one wrote.
 *     [holder-1]  a process is stored after the count of 0: who finds a dead one's name does not
 *                 find the count of whoever had the row before.  No other two stores have an order
 *                 that matters, since the count of a free row means nothing.
 *
 * Why not count the rows in use?  It would be a third store, and wrong after a death between it and
 * the row's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/holder.h"
#include "base/atomic.h"

_Static_assert(sizeof(kr_holder) == 16, "part of the layout in shared memory");
_Static_assert(offsetof(kr_holder, count) == 8, "part of the layout in shared memory");

static kri_word64 *process_of(const kr_holder *row)
{
    return (kri_word64 *)(uintptr_t)&row->process;
}

static kr_word *count_of(const kr_holder *row)
{
    return (kr_word *)(uintptr_t)&row->count;
}

static uint32_t held_in(const kr_holder *row)
{
    return kri_load_rlx64(process_of(row)) != 0 ? kri_load_rlx(count_of(row)) : 0;
}

static void set_free(kr_holder *row)
{
    kri_store_rlx64(process_of(row), 0);
}

static void take_row(kr_holder *row)
{
    kri_store_rlx(count_of(row), 0);
    kri_store_rel64(process_of(row), kri_process_self()); /* [holder-1] */
}

void kri_holders_clear(const kri_holders *table)
{
    for (uint32_t i = 0; i < table->length; i++)
        set_free(&table->rows[i]);
}

static kr_holder *find_mine(const kri_holders *table)
{
    for (uint32_t i = 0; i < table->length; i++) {
        if (kri_process_is_self(kri_load_rlx64(process_of(&table->rows[i]))))
            return &table->rows[i];
    }
    return NULL;
}

static kr_holder *find_free(const kri_holders *table)
{
    for (uint32_t i = 0; i < table->length; i++) {
        if (kri_load_rlx64(process_of(&table->rows[i])) == 0)
            return &table->rows[i];
    }
    return NULL;
}

uint32_t kri_holders_mine(const kri_holders *table)
{
    const kr_holder *mine = find_mine(table);
    return mine != NULL ? held_in(mine) : 0;
}

bool kri_holders_have_room(const kri_holders *table)
{
    return find_mine(table) != NULL || find_free(table) != NULL;
}

void kri_holders_add(const kri_holders *table)
{
    kr_holder *mine = find_mine(table);
    if (mine == NULL) {
        mine = find_free(table);
        take_row(mine);
    }
    kri_store_rlx(count_of(mine), held_in(mine) + 1);
}

void kri_holders_take_off(const kri_holders *table, uint32_t count)
{
    kr_holder *mine = find_mine(table);
    uint32_t left = held_in(mine) - count;
    kri_store_rlx(count_of(mine), left);
    if (left == 0)
        set_free(mine);
}

uint32_t kri_holders_sum(const kri_holders *table)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < table->length; i++)
        sum += held_in(&table->rows[i]);
    return sum;
}

uint32_t kri_holders_settle(const kri_holders *table)
{
    uint32_t freed = 0;
    for (uint32_t i = 0; i < table->length; i++) {
        kr_holder *row = &table->rows[i];
        kri_owner process = kri_load_acq64(process_of(row)); /* [holder-1] */
        if (process == 0 || !kri_process_dead(process))
            continue;
        freed += held_in(row);
        set_free(row);
    }
    return freed;
}
