/* Reading all rings of a trace, whoever writes to them meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "os/os.h"

/* Slots of a ring that may have an event of the trace. */
static uint32_t slots_of(const kri_trace_book *book, const kri_trace_ring *ring)
{
    if (kri_load_acq(&ring->trace) != book->trace || kri_load_rlx64(&ring->owner) == 0)
        return 0;
    uint32_t room = kri_load_acq(&ring->room);
    uint32_t most = kri_load_rlx(&book->area->events);
    return room < most ? room : most;
}

static size_t read_ring(kri_trace_book *book, uint32_t number, kri_trace_found *found, size_t room)
{
    kri_trace_ring *ring = &book->area->rings[number];
    uint32_t slots = slots_of(book, ring);
    const kri_trace_slot *slot = kri_trace_slots(book->area, ring);
    size_t count = 0;
    for (uint32_t i = 0; i < slots && count < room; i++) {
        if (kri_trace_slot_read(slot + i, book->trace, &found[count].copy))
            found[count++].ring = number;
    }
    uint64_t lost = kri_load_rlx64(&ring->lost);
    uint64_t events = kri_load_acq64(&ring->count) + lost;
    book->totals.events += events;
    book->totals.lost += events > count ? events - count : 0;
    book->totals.threads += slots != 0;
    return count;
}

static int compare(const void *a, const void *b)
{
    const kri_trace_found *x = a, *y = b;
    uint64_t p = x->copy.fields[KRI_TRACE_AT], q = y->copy.fields[KRI_TRACE_AT];
    if (p != q)
        return p < q ? -1 : 1;
    if (x->ring != y->ring)
        return x->ring < y->ring ? -1 : 1;
    return x->copy.number < y->copy.number ? -1 : x->copy.number > y->copy.number;
}

/* A ring that grows meanwhile may have more than was counted, which is left then. */
static int read_all(kri_trace_book *book, kri_trace_found **found, size_t *count)
{
    size_t room = 0;
    for (uint32_t i = 0; i < KRI_TRACE_RINGS; i++)
        room += slots_of(book, &book->area->rings[i]);
    *count = 0;
    *found = os_alloc((room + 1) * sizeof **found);
    if (*found == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < KRI_TRACE_RINGS; i++)
        *count += read_ring(book, i, *found + *count, room - *count);
    qsort(*found, *count, sizeof **found, compare);
    return 0;
}

static void count_processes(kri_trace_book *book)
{
    uint32_t seen[KRI_TRACE_RINGS];
    for (uint32_t i = 0; i < KRI_TRACE_RINGS; i++) {
        const kri_trace_ring *ring = &book->area->rings[i];
        if (slots_of(book, ring) == 0)
            continue;
        uint32_t process = (uint32_t)((kri_load_rlx64(&ring->owner) & ~KRI_TRACE_ENDED) >> 32);
        uint32_t at = 0;
        while (at < book->totals.processes && seen[at] != process)
            at++;
        if (at == book->totals.processes)
            seen[book->totals.processes++] = process;
    }
}

static int open_book(kri_trace_book *book)
{
    *book = (kri_trace_book){.area = kri_trace_area_now()};
    if (book->area == NULL)
        return -ENODATA;
    uint32_t state = kri_load_acq(&book->area->state); /* [trace-5] */
    if (state >> 1 == 0)
        return -ENODATA;
    book->trace = state >> 1;
    book->begin = (kr_time)kri_load_rlx64(&book->area->started);
    book->totals.started = book->begin;
    book->totals.stopped = (kr_time)kri_load_rlx64(&book->area->stopped);
    book->totals.left_out = kri_load_rlx64(&book->area->left_out);
    book->end = book->totals.stopped != 0 ? book->totals.stopped : os_now();
    return 0;
}

int kri_trace_gather(kri_trace_book *book)
{
    kri_trace_found *found = NULL;
    size_t count = 0;
    int err = open_book(book);
    if (err == 0)
        err = read_all(book, &found, &count);
    if (err == 0) {
        count_processes(book);
        err = kri_trace_match(book, found, count);
    }
    os_free(found);
    if (err < 0)
        kri_trace_book_free(book);
    return err;
}

void kri_trace_book_free(kri_trace_book *book)
{
    os_free(book->items);
    book->items = NULL;
    book->count = 0;
}

static kri_trace_process *process_with(kri_trace_area *area, int32_t id)
{
    for (int i = 0; i < KRI_TRACE_PROCESSES; i++)
        if (kri_load_rlx(&area->processes[i].id) == (uint32_t)id)
            return &area->processes[i];
    return NULL;
}

uint64_t kri_trace_image_of(kri_trace_area *area, int32_t process)
{
    const kri_trace_process *p = process_with(area, process);
    return p != NULL ? kri_load_rlx64(&p->base) : 0;
}

static int name_of_process(kri_trace_area *area, int32_t process, char name[KRI_TRACE_NAME])
{
    const kri_trace_process *p = process_with(area, process);
    if (p == NULL || process == 0)
        return -ENOENT;
    kri_trace_name_get(p->name, name);
    return 0;
}

/* The newest of those with that number. */
int kri_trace_name_of(const kri_trace_book *book, int32_t process, int32_t thread,
                      char name[KRI_TRACE_NAME])
{
    uint64_t owner = (uint64_t)(uint32_t)process << 32 | (uint32_t)thread;
    int err = -ENOENT;
    for (uint32_t i = 0; i < KRI_TRACE_RINGS; i++) {
        const kri_trace_ring *ring = &book->area->rings[i];
        if ((kri_load_rlx64(&ring->owner) & ~KRI_TRACE_ENDED) != owner || slots_of(book, ring) == 0)
            continue;
        kri_trace_name_get(ring->name, name);
        err = 0;
    }
    return err;
}

int kr_trace_name(int32_t process, int32_t thread, bool of_process, char *name, size_t size)
{
    kri_trace_book book;
    char text[KRI_TRACE_NAME] = "";
    int err = name != NULL && size > 0 ? open_book(&book) : -EINVAL;
    if (err < 0)
        return err;
    err = of_process ? name_of_process(book.area, process, text)
                     : kri_trace_name_of(&book, process, thread, text);
    size_t length = kri_utf8_cut(text, size - 1);
    memcpy(name, text, length);
    name[length] = 0;
    return err;
}

int kr_trace_visit(kr_trace_fn fn, void *arg)
{
    kri_trace_book book;
    int err = fn != NULL ? kri_trace_lock() : -EINVAL;
    if (err < 0)
        return err;
    err = kri_trace_gather(&book);
    for (size_t i = 0; err == 0 && i < book.count; i++)
        fn(&book.items[i].event, arg);
    if (err == 0)
        kri_trace_book_free(&book);
    kri_trace_unlock();
    return err;
}

/* Without the events themselves. */
static void count_ring(kri_trace_book *book, const kri_trace_ring *ring)
{
    uint32_t slots = slots_of(book, ring);
    if (slots == 0)
        return;
    uint64_t lost = kri_load_rlx64(&ring->lost);
    uint64_t count = kri_load_acq64(&ring->count);
    book->totals.threads++;
    book->totals.events += count + lost;
    book->totals.lost += lost + (count > slots ? count - slots : 0);
}

int kr_trace_about(kr_trace_totals *totals)
{
    kri_trace_book book;
    int err = totals != NULL ? open_book(&book) : -EINVAL;
    if (err < 0)
        return err;
    for (uint32_t i = 0; i < KRI_TRACE_RINGS; i++)
        count_ring(&book, &book.area->rings[i]);
    count_processes(&book);
    *totals = book.totals;
    return 0;
}
