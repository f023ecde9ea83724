/* A table from two numbers to two others: open addressing, doubled when it is half full.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/inside.h"

#include "os/os.h"

enum { FIRST_ROOM = 256 };

static size_t place_of(const kri_trace_table *table, uint64_t kind, uint64_t key)
{
    uint64_t mixed = (key ^ kind * UINT64_C(0xff51afd7ed558ccd)) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed >> 20) & (table->room - 1);
    while (table->entries[at].kind != 0 &&
           (table->entries[at].kind != kind || table->entries[at].key != key))
        at = (at + 1) & (table->room - 1);
    return at;
}

static bool grow(kri_trace_table *table)
{
    size_t room = table->room != 0 ? table->room * 2 : FIRST_ROOM;
    kri_trace_table larger = {.room = room, .used = table->used};
    larger.entries = os_alloc(room * sizeof *larger.entries);
    if (larger.entries == NULL)
        return false;
    for (size_t i = 0; i < table->room; i++) {
        const kri_trace_entry *e = &table->entries[i];
        if (e->kind != 0)
            larger.entries[place_of(&larger, e->kind, e->key)] = *e;
    }
    os_free(table->entries);
    *table = larger;
    return true;
}

kri_trace_entry *kri_trace_entry_of(kri_trace_table *table, uint64_t kind, uint64_t key)
{
    if (table->used >= table->room / 2 && !grow(table))
        return NULL;
    kri_trace_entry *e = &table->entries[place_of(table, kind, key)];
    if (e->kind == 0) {
        *e = (kri_trace_entry){.kind = kind, .key = key};
        table->used++;
    }
    return e;
}

void kri_trace_table_free(kri_trace_table *table)
{
    os_free(table->entries);
    *table = (kri_trace_table){.entries = NULL};
}
