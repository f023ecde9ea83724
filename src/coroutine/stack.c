/* Stacks that are used again.
 *
 * State.  Stacks are of KRI_STACK_KINDS sizes.  A free one is warm, its upper pages still there, or
 * cold, in its slab (slab.c).  A magazine is a list of warm ones, full_of() of them.  A thread with
 * a cache has a list and at most one magazine of each kind; all threads share a depot of magazines.
 *
 * Fields.
 *     rack.first, rack.room     the thread's list, and how many more it takes
 *     rack.magazine             a full magazine, or NULL
 *     depot.full, depot.magazines   magazines, linked through their first stacks, and their number
 *     depot.loose, depot.count  fewer than a magazine, from those who have no cache
 *     depot.least, depot.since  the least number of magazines, since when
 *     depot.debt                how many of them are still to become cold
 *     all of a depot            depot.lock; all of a rack: its thread
 *
 * Protocol.  As blocks (executor/block.c): the depot is visited once for each magazine, and what
 * has lain there unused for a PERIOD becomes cold, half at a time.  Here there is a limit, too, as
 * each takes a page at least.  A free stack's list entry lies at its top, where the next user
 * writes first.
 *
 *     A stack may have been used deeply and has many pages then.  A thread keeps such ones: who
 *     needs them once needs them again.  As a magazine goes to the depot one of its stacks is
 *     looked at, and if that is deep all are trimmed.
 *
 *     Fork.  As slabs: the child has what nobody was in the middle of.
 *
 * Ordering.  The depot's lock orders the last use of a stack before its next use elsewhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/stack.h"
#include "base/global.h"
#include "coroutine/cache.h"
#include "coroutine/checked.h"
#include "coroutine/slab.h"
#include "os/stack.h"
#include "wait/wait.h"
#include <errno.h>

enum { FULL = 32 };
enum { MOST_MAGAZINES = 512, KEPT = 8 };
enum { PERIOD_MS = 1000 };
enum { KEPT_BYTES = 16 * 1024 }; /* of a stack that is trimmed */
enum { CANARY_WORDS = 16, LARGE = 256 * 1024 };

/* At the top of a warm one. */
struct kri_free_stack {
    kri_stack stack;
    kri_free_stack *next;
    kri_free_stack *next_magazine; /* of the first of a magazine in a depot */
};

typedef struct depot {
    kri_mutex lock;
    unsigned count;
    kri_free_stack *loose;
    kri_free_stack *full;
    unsigned magazines;
    unsigned least;
    unsigned debt;
    kr_time since;
} __attribute__((aligned(64))) depot;

static depot depots[KRI_STACK_KINDS] KRI_GLOBAL;

/* Stacks that are large may have many pages: fewer of them. */
static unsigned full_of(unsigned kind)
{
    size_t size = (size_t)KRI_STACK_LEAST << kind;
    if (size <= LARGE)
        return FULL;
    return size < (size_t)LARGE * FULL ? FULL / (unsigned)(size / LARGE) : 1;
}

static kri_free_stack *entry_of(const kri_stack *stack)
{
    return (kri_free_stack *)(void *)(stack->low + stack->size - sizeof(kri_free_stack));
}

/* Depots */

static void cool(kri_free_stack *list)
{
    while (list != NULL) {
        kri_free_stack *next = list->next;
        kri_stack stack = list->stack;
        kri_slab_give(&stack);
        list = next;
    }
}

static void put_magazine(depot *d, kri_free_stack *magazine)
{
    magazine->next_magazine = d->full;
    d->full = magazine;
    d->magazines++;
}

static kri_free_stack *take_magazine(depot *d)
{
    kri_free_stack *magazine = d->full;
    d->full = magazine->next_magazine;
    d->magazines--;
    if (d->least > d->magazines)
        d->least = d->magazines;
    return magazine;
}

/* With the lock held: a magazine that is to become cold, or NULL. */
static kri_free_stack *pay(depot *d)
{
    kr_time now = os_now();
    if (now - d->since >= kr_ms(PERIOD_MS)) {
        d->debt = d->least > KEPT ? (d->least - KEPT + 1) / 2 : 0;
        d->least = d->magazines;
        d->since = now;
    }
    if (d->magazines > MOST_MAGAZINES)
        return take_magazine(d);
    if (d->debt == 0 || d->magazines == 0)
        return NULL;
    d->debt--;
    return take_magazine(d);
}

static void trim_magazine(kri_free_stack *magazine)
{
    const kri_stack *first = &magazine->stack;
    size_t most = first->size - KEPT_BYTES;
    if (first->size <= KEPT_BYTES || os_stack_resident(first->low, most) == 0)
        return;
    for (kri_free_stack *f = magazine; f != NULL; f = f->next)
        os_stack_discard(f->stack.low, f->stack.size - KEPT_BYTES);
}

static void give_magazine(unsigned kind, kri_free_stack *magazine)
{
    depot *d = &depots[kind];
    trim_magazine(magazine);
    kri_mutex_lock(&d->lock);
    put_magazine(d, magazine);
    kri_free_stack *paid = pay(d);
    kri_mutex_unlock(&d->lock);
    cool(paid);
}

static void give_one(unsigned kind, kri_free_stack *f)
{
    depot *d = &depots[kind];
    kri_free_stack *full = NULL;
    kri_mutex_lock(&d->lock);
    f->next = d->loose;
    d->loose = f;
    if (++d->count >= full_of(kind)) {
        full = f;
        d->loose = NULL;
        d->count = 0;
    }
    kri_mutex_unlock(&d->lock);
    if (full != NULL)
        give_magazine(kind, full);
}

static kri_free_stack *take_one(unsigned kind)
{
    depot *d = &depots[kind];
    kri_mutex_lock(&d->lock);
    if (d->loose == NULL && d->full != NULL) {
        d->loose = take_magazine(d);
        d->count = full_of(kind);
    }
    kri_free_stack *f = d->loose;
    if (f != NULL) {
        d->loose = f->next;
        d->count--;
    }
    kri_mutex_unlock(&d->lock);
    return f;
}

static kri_free_stack *take_full(unsigned kind)
{
    depot *d = &depots[kind];
    kri_mutex_lock(&d->lock);
    kri_free_stack *magazine = d->full != NULL ? take_magazine(d) : NULL;
    kri_mutex_unlock(&d->lock);
    return magazine;
}

static void give_up_held_depots(void)
{
    for (depot *d = depots; d < depots + KRI_STACK_KINDS; d++) {
        if (kri_load_rlx(&d->lock) != 0)
            *d = (depot){0};
    }
    kri_slab_forked();
}

/* A thread's cache */

void kri_stack_cache_begin(kri_stack_cache *cache)
{
    for (unsigned kind = 0; kind < KRI_STACK_ANY; kind++)
        cache->of[kind].room = full_of(kind);
}

void kri_stack_cache_end(kri_stack_cache *cache)
{
    for (unsigned kind = 0; kind < KRI_STACK_ANY; kind++) {
        kri_stack_rack *r = &cache->of[kind];
        if (r->magazine != NULL)
            give_magazine(kind, r->magazine);
        for (kri_free_stack *f = r->first, *next; f != NULL; f = next) {
            next = f->next;
            give_one(kind, f);
        }
        *r = (kri_stack_rack){0};
    }
}

static kri_free_stack *refill(kri_stack_rack *r, unsigned kind)
{
    kri_free_stack *f = r->magazine != NULL ? r->magazine : take_full(kind);
    r->magazine = NULL;
    if (f == NULL)
        return take_one(kind);
    r->first = f->next;
    r->room = 1;
    return f;
}

static kri_free_stack *take_warm(unsigned kind)
{
    kri_stack_cache *cache = kri_stack_cache_own();
    if (cache == NULL)
        return take_one(kind);
    kri_stack_rack *r = &cache->of[kind];
    kri_free_stack *f = r->first;
    if (f == NULL)
        return refill(r, kind);
    r->first = f->next;
    r->room++;
    return f;
}

static void give_warm(unsigned kind, kri_free_stack *f)
{
    kri_stack_cache *cache = kri_stack_cache_own();
    if (cache == NULL) {
        give_one(kind, f);
        return;
    }
    kri_stack_rack *r = &cache->of[kind];
    if (r->room == 0) {
        if (r->magazine != NULL)
            give_magazine(kind, r->magazine);
        r->magazine = r->first;
        r->first = NULL;
        r->room = full_of(kind);
    }
    f->next = r->first;
    r->first = f;
    r->room--;
}

/* The calls */

static int take_cold(kri_stack *stack, unsigned kind, size_t size)
{
    int err = kri_at_fork_child(give_up_held_depots);
    return err != 0 ? err : kri_slab_take(stack, kind, size);
}

int kri_stack_take(kri_stack *stack, size_t size)
{
    size = size == 0 ? KRI_STACK_DEFAULT : size;
    unsigned kind = kri_stack_kind(size);
    kri_free_stack *f = kind != KRI_STACK_ANY ? take_warm(kind) : NULL;
    if (f == NULL)
        return take_cold(stack, kind, size);
    *stack = f->stack;
    kri_stack_show(stack->low, stack->size);
    return 0;
}

void kri_stack_give(kri_stack *stack)
{
    unsigned kind = stack->kind;
    if (kind == KRI_STACK_ANY) {
        kri_slab_give(stack);
    } else {
        kri_free_stack *f = entry_of(stack);
        kri_stack_hide(stack->low, stack->size - sizeof *f);
        kri_stack_show((char *)f, sizeof *f);
        f->stack = *stack;
        give_warm(kind, f);
    }
    stack->low = NULL;
}

/* Without the sanitizers: frames that are gone lie there. */
#if defined(__clang__)
#define UNCHECKED __attribute__((no_sanitize("address", "thread")))
#else
#define UNCHECKED __attribute__((no_sanitize_address, no_sanitize_thread))
#endif

UNCHECKED bool kri_stack_canary_intact(const kri_stack *stack)
{
    const uint64_t *words = (const uint64_t *)(const void *)stack->low - CANARY_WORDS;
    uint64_t written = 0;
    for (int i = 0; i < CANARY_WORDS; i++)
        written |= words[i];
    return written == 0;
}

void kri_stack_trim(const kri_stack *stack, const char *used_from)
{
    size_t page = os_page_size();
    size_t unused = (size_t)(used_from - stack->low);
    if (unused <= KEPT_BYTES)
        return;
    unused = (unused - KEPT_BYTES) / page * page;
    if (os_stack_resident(stack->low, unused) > 0)
        os_stack_discard(stack->low, unused);
}
