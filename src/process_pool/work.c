/* The layout of the segment of a process pool.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/work.h"

#define MAGIC UINT64_C(0x4c4f4f5054414b01) /* the last byte is the layout's number */

enum { PAGE = 4096 };

static size_t slots_at(void)
{
    return (sizeof(kri_work_area) + KRI_WORK_LINES - 1) & ~(size_t)(KRI_WORK_LINES - 1);
}

static size_t entries_at(uint32_t slots)
{
    return slots_at() + slots * sizeof(kri_work_slot);
}

static size_t records_at(uint32_t slots)
{
    return entries_at(slots) + (size_t)KRI_WORK_LANES * 2 * slots * sizeof(kr_word);
}

size_t kri_work_size(uint32_t slots, uint32_t workers)
{
    size_t size = records_at(slots) + workers * kri_work_record_size(slots);
    return (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

static void look_at(kri_work *work, void *memory, uint32_t slots, uint32_t workers)
{
    unsigned char *bytes = memory;
    work->area = memory;
    work->slots = (kri_work_slot *)(void *)(bytes + slots_at());
    work->entries = (kr_word *)(void *)(bytes + entries_at(slots));
    work->records = bytes + records_at(slots);
    work->slot_count = slots;
    work->workers = workers;
}

void kri_work_make(kri_work *work, void *memory, uint32_t slots, uint32_t workers)
{
    look_at(work, memory, slots, workers);
    work->area->slots = slots;
    work->area->workers = workers;
    work->area->size = kri_work_size(slots, workers);
    work->area->magic = MAGIC;
}

int kri_work_attach(kri_work *work, void *memory, size_t size)
{
    const kri_work_area *area = memory;
    if (size < sizeof *area || area->magic != MAGIC)
        return KR_ECORRUPT;
    uint32_t slots = area->slots, workers = area->workers;
    bool fits = slots != 0 && slots <= KRI_WORK_SLOTS_MAX && (slots & (slots - 1)) == 0 &&
                workers != 0 && workers <= KRI_WORKERS_MAX;
    if (!fits || kri_work_size(slots, workers) > size)
        return KR_ECORRUPT;
    look_at(work, memory, slots, workers);
    return 0;
}
