/* Memory of a run: one region at one place, never used twice in a run, so that every use after a
 * free is seen, and every block that is never freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"

#include <string.h>
#include <sys/mman.h>

enum { GRAIN = 16 };
enum { NEVER_USED, LIVE, FREED };

typedef struct block {
    uint32_t size; /* in grains */
    bool live;
    bool reached;     /* from a global, at the end of a run */
    const void *site; /* where it was allocated */
} block;

static char *arena;
static size_t arena_used;
static size_t live_bytes;
static unsigned char state_of[EX_ARENA / GRAIN];

int kri_ex_arena_map(void)
{
    if (arena)
        return 0;
    void *p = mmap(NULL, EX_ARENA, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    arena = p;
    return 0;
}

void kri_ex_arena_begin(void)
{
    if (arena_used) {
        memset(arena, 0, arena_used);
        memset(state_of, NEVER_USED, arena_used / GRAIN);
    }
    arena_used = 0;
    live_bytes = 0;
}

/* A block that a global of the library leads to, at whatever remove, is no leak: it belongs to the
 * process. */
static void reach(const void *from, size_t size);

static block *block_after(const block *b)
{
    size_t at = b ? (size_t)((const char *)b - arena) + ((size_t)b->size + 1) * GRAIN : 0;

    return at < arena_used ? (block *)(void *)(arena + at) : NULL;
}

static void reach_block(uintptr_t at)
{
    for (block *b = block_after(NULL); b; b = block_after(b)) {
        uintptr_t from = (uintptr_t)(b + 1);

        if (!b->live || b->reached || at < from || at >= from + (size_t)b->size * GRAIN)
            continue;
        b->reached = true;
        reach(b + 1, (size_t)b->size * GRAIN);
    }
}

static void reach(const void *from, size_t size)
{
    const uintptr_t *words = from;

    for (size_t i = 0; i < size / sizeof *words; i++)
        if (words[i] >= (uintptr_t)arena && words[i] < (uintptr_t)arena + arena_used)
            reach_block(words[i]);
}

/* How many bytes are live and lost; where the first of them was allocated. */
size_t kri_ex_leaked(const void **site)
{
    size_t leaked = 0;

    if (live_bytes == 0)
        return 0;
    reach(__start_kri_globals, (size_t)(__stop_kri_globals - __start_kri_globals));
    for (const block *b = block_after(NULL); b; b = block_after(b))
        if (b->live && !b->reached) {
            if (leaked == 0)
                *site = b->site;
            leaked += (size_t)b->size * GRAIN;
        }
    return leaked;
}

bool kri_ex_in_arena(const void *p, size_t *offset)
{
    uintptr_t at = (uintptr_t)p;

    if (at < (uintptr_t)arena || at >= (uintptr_t)arena + EX_ARENA)
        return false;
    *offset = at - (uintptr_t)arena;
    return true;
}

void kri_ex_check_freed(const void *at, const char *what)
{
    size_t offset;
    char name[64];

    if (!kri_ex_in_arena(at, &offset) || state_of[offset / GRAIN] == LIVE)
        return;
    kri_ex_fail(KR_EXPLORE_FREED, "%s of %s memory at %s", what,
                state_of[offset / GRAIN] == FREED ? "freed" : "unallocated",
                kri_ex_name(at, name, sizeof name));
}

void *kri_ex_alloc(size_t size, const void *site)
{
    size_t grains = (size + GRAIN - 1) / GRAIN + 1; /* one in front, for the size */

    if (size > EX_ARENA || arena_used + grains * GRAIN > EX_ARENA)
        return NULL;
    block *b = (block *)(void *)(arena + arena_used);
    *b = (block){.size = (uint32_t)(grains - 1), .live = true, .site = site};
    memset(state_of + arena_used / GRAIN + 1, LIVE, grains - 1);
    arena_used += grains * GRAIN;
    live_bytes += (grains - 1) * GRAIN;
    return b + 1;
}

void *os_alloc(size_t size)
{
    if (!kri_ex.active || kri_ex_refused())
        return NULL;
    void *p = kri_ex_alloc(size, __builtin_return_address(0));
    EX_TRACE("alloc", p, size, "");
    return p;
}

void *os_pages(size_t size)
{
    return os_alloc(size);
}

void os_pages_free(void *pages, size_t size)
{
    (void)size;
    os_free(pages);
}

bool os_memory_is_checked(void)
{
    return true;
}

void kri_ex_give_back(void *memory)
{
    block *b = (block *)memory - 1;
    size_t offset = (size_t)((char *)memory - arena);

    memset(state_of + offset / GRAIN, FREED, b->size);
    b->live = false;
    live_bytes -= (size_t)b->size * GRAIN;
}

void os_free(void *memory)
{
    size_t offset;

    if (!memory || !kri_ex.active)
        return;
    EX_SITE(&EX_SELF->site);
    if (!kri_ex_in_arena(memory, &offset))
        kri_ex_fail(KR_EXPLORE_FREED, "free of memory that was not allocated");
    kri_ex_check_freed(memory, "a free");
    EX_TRACE("free", memory, 0, "");
    block *b = (block *)memory - 1;
    /* All other uses must be ordered before the free, as before a write. */
    kri_ex_access(memory, (size_t)b->size * GRAIN, true, EX_SELF->site.frames[0]);
    kri_ex_give_back(memory);
}
