/* Who owes a task_done, so that what a dead process owed can be settled.
 *
 * State.  A table of entries, one for each process that has taken items and not yet said that they
 * are done; a free entry is 0.  The runners of a process share one.
 *
 * Fields.  All changed under the lock of the getting side.
 *     process      whose entry it is, 0: free
 *     owed         low half: how many it owes.  High half: 0, or what is under way: GETTING or
 *                  SETTLING with the low 30 bits of the number that it is about to change
 *     ledger.done  how many task_done there were; atomic, for the others
 *
 * Protocol.  To take items changes get.at and what is owed, to say task_done changes ledger.done
 * and what is owed; a kill may fall between the two.  So the entry first says what the number
 * was; then the number is changed by one store, and then the entry by another.  The next
 * holder of the lock sees in the number whether, and by how much, it was changed, and finishes the
 * entry (kri_owing_resolve).  At most one entry is under way, that of the dead holder.
 *
 * Who waits in a join settles, once in a slice, what processes owe that have died since; a get
 * that finds no free entry does so, too.
 *
 * A process that says task_done for what another took has no entry of its own to reduce; what the
 * other owed is then settled once too often if it dies, but never more than is owed by all.
 *
 * Ordering.  The lock orders all of it.  ledger.done is sequentially consistent as well, for joins,
 * which look at it without the lock [bell-1].
 *
 * Why not.  A log beside the entries of what is under way: the entry's own word has room for it,
 * and one store changes both.  An entry for each runner: runners end without notice, and what one
 * has taken another may finish.  The taker's name with each item: the ring would have to keep the
 * item until its task_done.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared.h"

#define NUMBER   UINT32_C(0x3fffffff)
#define GETTING  UINT32_C(0x40000000)
#define SETTLING UINT32_C(0x80000000)

static void store_owed(kri_owing *entry, uint32_t under_way, uint32_t count)
{
    kri_store_rel64(&entry->owed, (uint64_t)under_way << 32 | count);
}

static uint32_t count_of(const kri_owing *entry)
{
    return (uint32_t)kri_load_rlx64(&entry->owed);
}

static uint32_t number_of(const kri_word64 *word)
{
    return (uint32_t)kri_load_rlx64(word) & NUMBER;
}

static void give_back_if_done(kri_owing *entry)
{
    if (count_of(entry) == 0)
        kri_store_rel64(&entry->process, 0);
}

static kri_owing *find_free(const kri_shared *q)
{
    for (uint32_t i = 0; i < q->owners; i++) {
        if (kri_load_rlx64(&q->owing[i].process) == 0)
            return &q->owing[i];
    }
    return NULL;
}

static kri_owing *find_mine(const kri_shared *q)
{
    for (uint32_t i = 0; i < q->owners; i++) {
        if (kri_process_is_self(kri_load_rlx64(&q->owing[i].process)))
            return &q->owing[i];
    }
    return NULL;
}

int kri_owing_begin(const kri_shared *q, kri_owing **mine)
{
    kri_owing *entry = find_mine(q);
    if (entry == NULL) {
        entry = find_free(q);
        if (entry == NULL) {
            kri_owing_settle(q);
            entry = find_free(q);
        }
        if (entry == NULL)
            return -ENOSPC;
        store_owed(entry, 0, 0);
        kri_store_rel64(&entry->process, kri_process_self());
    }
    store_owed(entry, GETTING | number_of(&q->state->get.at), count_of(entry));
    *mine = entry;
    return 0;
}

void kri_owing_end(kri_owing *mine, int taken)
{
    store_owed(mine, 0, count_of(mine) + (uint32_t)taken);
    give_back_if_done(mine);
}

static void finish(const kri_shared *q, kri_owing *entry)
{
    uint32_t under_way = (uint32_t)(kri_load_rlx64(&entry->owed) >> 32);
    uint32_t count = count_of(entry);
    if (under_way & GETTING)
        count += (number_of(&q->state->get.at) - under_way) & NUMBER;
    else if (under_way & SETTLING)
        count -= (number_of(&q->state->ledger.done) - under_way) & NUMBER;
    store_owed(entry, 0, count);
    if (kri_load_rlx64(&entry->process) != 0)
        give_back_if_done(entry);
}

void kri_owing_resolve(const kri_shared *q)
{
    for (uint32_t i = 0; i < q->owners; i++) {
        if (kri_load_rlx64(&q->owing[i].owed) >> 32 != 0)
            finish(q, &q->owing[i]);
    }
}

static void pay(const kri_shared *q, kri_owing *entry, uint32_t count)
{
    kri_word64 *done = &q->state->ledger.done;
    uint32_t owed = count_of(entry);
    store_owed(entry, SETTLING | number_of(done), owed);
    kri_store_sc64(done, kri_load_rlx64(done) + count); /* [bell-1] */
    store_owed(entry, 0, owed - count);
    give_back_if_done(entry);
}

void kri_owing_task_done(const kri_shared *q)
{
    kri_word64 *done = &q->state->ledger.done;
    kri_owing *mine = find_mine(q);
    if (mine != NULL && count_of(mine) > 0)
        pay(q, mine, 1);
    else
        kri_store_sc64(done, kri_load_rlx64(done) + 1); /* [bell-1] */
}

static void forgive(kri_owing *entry)
{
    store_owed(entry, 0, 0);
    kri_store_rel64(&entry->process, 0);
}

void kri_owing_settle(const kri_shared *q)
{
    for (uint32_t i = 0; i < q->owners; i++) {
        kri_owing *entry = &q->owing[i];
        kri_owner process = kri_load_rlx64(&entry->process);
        if (process == 0 || !kri_process_dead(process))
            continue;
        uint32_t unfinished = kri_shared_unfinished(q);
        uint32_t owed = count_of(entry);
        if (owed < unfinished)
            pay(q, entry, owed);
        else if (unfinished > 0)
            pay(q, entry, unfinished);
        forgive(entry);
    }
}
