/* Data races on plain memory, in the manner of FastTrack.
 *
 * State.  Each piece of memory that a run touches has a cell: the last write as thread and clock,
 * and the reads since, as one thread and clock while they are ordered and as a vector when they
 * are not.  An access is a race when a recorded one, of which either is a write, is not below the
 * calling thread's vector clock.
 *
 * Pieces are four bytes, or one for smaller accesses.  The same byte touched once alone and once
 * as part of a word is not compared: a race between such two is missed, never invented.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

typedef struct cell {
    uintptr_t key;
    uint32_t run;
    uint32_t write_clock; /* 0: none */
    uint32_t read_clock;
    uint8_t write_thread;
    uint8_t read_thread;
    uint32_t *reads; /* of each thread, when one is not enough */
    const void *write_site;
    const void *read_site;
} cell;

enum { CELLS = 1 << 15 };

static cell *cells;
static const int *own_errno; /* of each thread, but all are one here */
static uint32_t run;
static uint32_t used;

int kri_ex_race_map(void)
{
    if (cells)
        return 0;
    void *p = mmap(NULL, CELLS * sizeof(cell), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    cells = p;
    return 0;
}

void kri_ex_race_begin(void)
{
    run++;
    used = 0;
    own_errno = &errno;
}

static cell *find(uintptr_t key)
{
    for (size_t i = (size_t)(((uint64_t)key * 0x9e3779b97f4a7c15u) >> 40);; i++) {
        cell *c = &cells[i & (CELLS - 1)];

        if (c->run != run) {
            if (++used > CELLS - CELLS / 8)
                kri_ex_fail(KR_EXPLORE_LIVELOCK, "a run touches too much plain memory");
            *c = (cell){.key = key, .run = run};
            return c;
        }
        if (c->key == key)
            return c;
    }
}

static void race(const void *at, bool write, bool other_writes, unsigned other, const void *site,
                 const void *other_site)
{
    char name[64];
    ex_site sites[2] = {{{site}}, {{other_site}}};
    char lines[2][256];

    kri_ex_print_sites(sites, 2, lines);
    kri_ex_fail(KR_EXPLORE_RACE, "data race on %s: T%u %s (%.70s), T%u %s (%.70s)",
                kri_ex_name(at, name, sizeof name), kri_ex.self, write ? "writes" : "reads",
                lines[0], other, other_writes ? "wrote" : "read", lines[1]);
}

static void check_reads(const cell *c, const void *at, const void *site)
{
    const uint32_t *clock = EX_SELF->clock;

    if (c->reads) {
        for (unsigned t = 0; t < EX_THREADS; t++)
            if (c->reads[t] > clock[t])
                race(at, true, false, t, site, c->read_site);
    } else if (c->read_clock > clock[c->read_thread]) {
        race(at, true, false, c->read_thread, site, c->read_site);
    }
}

static void note_read(cell *c, const void *site)
{
    const ex_thread *self = EX_SELF;
    uint32_t now = self->clock[kri_ex.self];

    if (!c->reads && c->read_clock > self->clock[c->read_thread] && c->read_thread != kri_ex.self) {
        c->reads = kri_ex_scratch(EX_THREADS * sizeof *c->reads);
        memset(c->reads, 0, EX_THREADS * sizeof *c->reads);
        c->reads[c->read_thread] = c->read_clock;
    }
    if (c->reads)
        c->reads[kri_ex.self] = now;
    c->read_thread = (uint8_t)kri_ex.self;
    c->read_clock = now;
    c->read_site = site;
}

static void touch(uintptr_t key, bool write, const void *site)
{
    cell *c = find(key);
    const void *at = (const void *)key;
    uint32_t now = EX_SELF->clock[kri_ex.self];

    if (c->write_clock > EX_SELF->clock[c->write_thread])
        race(at, write, true, c->write_thread, site, c->write_site);
    if (!write) {
        if (c->read_thread != kri_ex.self || c->read_clock != now)
            note_read(c, site);
        return;
    }
    check_reads(c, at, site);
    c->write_thread = (uint8_t)kri_ex.self;
    c->write_clock = now;
    c->write_site = site;
    c->reads = NULL;
    c->read_clock = 0;
}

void kri_ex_access(const void *memory, size_t size, bool write, const void *site)
{
    uintptr_t at = (uintptr_t)memory;
    uintptr_t end = at + size;
    unsigned stack;
    size_t offset;

    if (!kri_ex.active || memory == (const void *)own_errno)
        return;
    kri_ex_check_freed(memory, write ? "a write" : "a read");
    if (write && !(kri_ex_in_stack(memory, &stack, &offset) && stack == kri_ex.self))
        kri_ex_before_write();
    while (at < end) {
        if ((at & 3) == 0 && end - at >= 4) {
            touch(at, write, site);
            at += 4;
        } else {
            touch(at, write, site);
            at++;
        }
    }
}

/* An atomic operation races with a plain write that is not ordered before it. */
void kri_ex_atomic_access(const void *at, const void *site)
{
    const cell *c = find((uintptr_t)at);

    if (c->write_clock > EX_SELF->clock[c->write_thread])
        race(at, false, true, c->write_thread, site, c->write_site);
}

void kr_explore_read(const void *memory, size_t size)
{
    kri_ex_access(memory, size, false, __builtin_return_address(0));
}

void kr_explore_write(const void *memory, size_t size)
{
    kri_ex_access(memory, size, true, __builtin_return_address(0));
}
