/* Memory for small objects that one thread makes and another frees.
 *
 * State.  Blocks are of KINDS sizes, multiples of STEP; larger ones are the system's business.  A
 * magazine is a list of FULL blocks.  Of each size a thread has a list of at most FULL blocks that
 * it takes from and gives to, and at most one magazine beside it; all threads share a depot of
 * magazines.
 *
 * Fields.
 *     shelf.first, shelf.room   the thread's list, and how many blocks it still takes; both are 0
 *                               in a thread that has not begun, or is about to end
 *     shelf.magazine            a magazine, or NULL
 *     depot.full, depot.magazines   magazines, linked through their first blocks, and their number
 *     depot.loose, depot.count  fewer than FULL blocks, from threads that ended
 *     depot.least, depot.since  the least number of magazines, since when
 *     depot.debt                how many of them are still to go back to the system
 *     all of a depot            depot.lock; all of a shelf: its thread
 *
 * Protocol.  What one thread only makes and another only frees passes through the depot, a magazine
 * at a time, so that the lock is taken once in FULL blocks.  The magazine beside the list keeps a
 * thread that goes up and down around a full list from going to the depot each time.  A depot keeps
 * what was in use lately: half of what has lain there unused for a whole PERIOD goes back to the
 * system, but for KEPT magazines, a few at each visit.  A thread's blocks go to the depot as
 * it ends; one that cannot be told of its end has no shelves.
 *
 *     Fork.  The child has the depots as they were, but for one that somebody held: its lists may
 *     be half changed, and are given up, like what the other threads had.
 *
 *     Under the explorer, sanitizers and valgrind every block comes from the system and goes back
 *     there at once: a block that is used again would hide a use after it was freed, and the lock
 *     would order what is not ordered.
 *
 * Ordering.  The depot's lock orders the last use of a block before its next use elsewhere.
 *
 * Why not a limit?  A million tasks in flight take 200 MB; to give that back and to have it mapped
 * again costs more, page by page, than to run them.
 * Why not malloc?  Its thread caches hold few blocks, and a thread that frees what another
 * allocated takes the lock of the other's arena, block by block.  Why not aligned to the cache's
 * lines?  posix_memalign costs some 400 instructions more a block than malloc and spreads blocks of
 * 192 bytes over 319 bytes each instead of 208, which misses the cache as often as crossing lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/block.h"
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "wait/wait.h"

enum { STEP = 64, KINDS = 8, FULL = 64 };
enum { KEPT = 64, PAYMENT = 4 }; /* magazines */
enum { PERIOD_MS = 1000 };

typedef struct block {
    struct block *next;
    struct block *next_magazine; /* of the first block of a magazine in a depot */
} block;

typedef struct shelf {
    block *first;
    unsigned room;
    block *magazine;
} shelf;

typedef struct shelves {
    shelf of[KINDS];
} shelves;

typedef struct depot {
    kri_mutex lock;
    unsigned count;
    unsigned magazines;
    block *loose;
    block *full;
    unsigned least;
    unsigned debt;
    kr_time since;
} __attribute__((aligned(64))) depot;

KRI_THREAD_LOCAL(shelves, own_shelves)

static depot depots[KINDS] KRI_GLOBAL;

/* From 0; sizes that are too large have one that is not below KINDS. */
static size_t kind_of(size_t size)
{
    return size > 0 ? (size - 1) / STEP : 0;
}

static void free_list(block *b)
{
    while (b != NULL) {
        block *next = b->next;
        os_free(b);
        b = next;
    }
}

/* Depots.  Those that give keep what the depot does not take. */

static void put_magazine(depot *d, block *magazine)
{
    magazine->next_magazine = d->full;
    d->full = magazine;
    d->magazines++;
}

static block *take_magazine(depot *d)
{
    block *magazine = d->full;
    d->full = magazine->next_magazine;
    d->magazines--;
    if (d->least > d->magazines)
        d->least = d->magazines;
    return magazine;
}

/* With the lock held: what is to go back to the system now, as magazines. */
static block *pay(depot *d)
{
    block *paid = NULL;
    kr_time now = os_now();
    if (now - d->since >= kr_ms(PERIOD_MS)) {
        d->debt = d->least > KEPT ? (d->least - KEPT + 1) / 2 : 0;
        d->least = d->magazines;
        d->since = now;
    }
    for (int i = 0; i < PAYMENT && d->debt && d->magazines; i++, d->debt--) {
        block *magazine = take_magazine(d);
        magazine->next_magazine = paid;
        paid = magazine;
    }
    return paid;
}

static void free_magazines(block *magazine)
{
    while (magazine != NULL) {
        block *next = magazine->next_magazine;
        free_list(magazine);
        magazine = next;
    }
}

static void give_magazine(size_t kind, block *magazine)
{
    depot *d = &depots[kind];
    kri_mutex_lock(&d->lock);
    put_magazine(d, magazine);
    block *paid = pay(d);
    kri_mutex_unlock(&d->lock);
    free_magazines(paid);
}

/* With the lock held. */
static void put_loose(depot *d, block *b)
{
    while (b != NULL) {
        block *next = b->next;
        b->next = d->loose;
        d->loose = b;
        if (++d->count == FULL) {
            put_magazine(d, b);
            d->loose = NULL;
            d->count = 0;
        }
        b = next;
    }
}

static void give_list(size_t kind, block *list)
{
    depot *d = &depots[kind];
    kri_mutex_lock(&d->lock);
    put_loose(d, list);
    kri_mutex_unlock(&d->lock);
}

/* A magazine, or what there is; count becomes the number of blocks. */
static block *take_list(size_t kind, unsigned *count)
{
    depot *d = &depots[kind];
    kri_mutex_lock(&d->lock);
    block *list;
    if (d->full != NULL) {
        list = take_magazine(d);
        *count = FULL;
    } else {
        list = d->loose;
        *count = d->count;
        d->loose = NULL;
        d->count = 0;
    }
    kri_mutex_unlock(&d->lock);
    return list;
}

size_t kri_block_spare(size_t size)
{
    size_t kind = kind_of(size);
    if (kind >= KINDS)
        return 0;
    kri_mutex_lock(&depots[kind].lock);
    size_t spare = depots[kind].count + (size_t)depots[kind].magazines * FULL;
    kri_mutex_unlock(&depots[kind].lock);
    return spare;
}

/* The begin and the end of a thread's shelves. */

static void give_up_held_depots(void)
{
    for (depot *d = depots; d < depots + KINDS; d++) {
        if (kri_load_rlx(&d->lock) != 0)
            *d = (depot){0};
    }
}

static void clear_shelves(void)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        shelf s = own_shelves()->of[kind];
        own_shelves()->of[kind] = (shelf){0};
        if (s.magazine != NULL)
            give_magazine(kind, s.magazine);
        if (s.first != NULL)
            give_list(kind, s.first);
    }
}

static bool begin(shelf *s)
{
    if (os_memory_is_checked() || kri_at_fork_child(give_up_held_depots) != 0)
        return false;
    os_at_thread_end(clear_shelves);
    s->room = FULL;
    return true;
}

static bool has_begun(shelf *s)
{
    return s->first != NULL || s->room != 0 || begin(s);
}

/* The two. */

static __attribute__((noinline)) void *new_from_elsewhere(size_t size, size_t kind)
{
    shelf *s = &own_shelves()->of[kind];
    unsigned count = FULL;
    block *b = NULL;
    if (has_begun(s)) {
        b = s->magazine != NULL ? s->magazine : take_list(kind, &count);
        s->magazine = NULL;
    }
    if (b == NULL)
        return os_alloc(os_memory_is_checked() ? size : (kind + 1) * STEP);
    s->first = b->next;
    s->room = FULL + 1 - count;
    return b;
}

static __attribute__((noinline)) void free_to_elsewhere(block *b, size_t kind)
{
    shelf *s = &own_shelves()->of[kind];
    if (!has_begun(s)) {
        os_free(b);
        return;
    }
    if (s->room == 0) {
        if (s->magazine != NULL)
            give_magazine(kind, s->magazine);
        s->magazine = s->first;
        s->first = NULL;
        s->room = FULL;
    }
    b->next = s->first;
    s->first = b;
    s->room--;
}

void *kri_block_new(size_t size)
{
    size_t kind = kind_of(size);
    if (kind >= KINDS)
        return os_alloc(size);
    shelf *s = &own_shelves()->of[kind];
    block *b = s->first;
    if (b == NULL)
        return new_from_elsewhere(size, kind);
    s->first = b->next;
    s->room++;
    return b;
}

void kri_block_free(void *memory, size_t size)
{
    size_t kind = kind_of(size);
    block *b = memory;
    if (b == NULL || kind >= KINDS) {
        os_free(b);
        return;
    }
    shelf *s = &own_shelves()->of[kind];
    if (s->room == 0) {
        free_to_elsewhere(b, kind);
        return;
    }
    b->next = s->first;
    s->first = b;
    s->room--;
}
