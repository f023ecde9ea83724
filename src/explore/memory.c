/* C11 memory: which values a load may see.
 *
 * State.  Each atomic word that a run touches is a location with the list of its stores, in
 * modification order, which is the order in which the run made them.  Each thread has a view: for
 * each location the oldest store that it may still read.  A store with release order carries a
 * message: the storing thread's view and vector clock.
 *
 * Protocol.
 *     load     picks a store from the thread's view to the latest; the view rises to it
 *              (coherence); with acquire order the thread also learns the message
 *     store    is appended; the view rises to it
 *     change   reads the latest and appends; the message of what it read goes on with it (a
 *              release sequence), joined with its own when it releases
 *     cas      that fails is a load of a store with another value than the expected one
 *     sc       a store raises the location's sc floor to itself; a load reads nothing below it.
 *              Since all runs on one thread the order of execution is the single total order.
 *
 * A thread reads the same stale store of a location at most once: a loop that polls ends, as
 * hardware makes every store visible in the end.
 *
 * Not produced: a load that sees a store which comes later in the run (load buffering), and two
 * stores of different locations in contrary orders (2+2W), since modification order is the order of
 * execution.  Release sequences are C++20's: a plain store of the same thread does not continue
 * one, so what older wording allows to rely on is found as an error.
 *
 * Locations that only one thread ever touches, in any run so far, need no switch points and no
 * history: what the thread does to them commutes with all that others do.  When a second thread
 * touches such a location for the first time the location joins the shared ones for good, and the
 * search starts again with more switch points.  The last search ran to its end with a set of
 * shared locations that none of its runs contradicted; a run of the full tree that did would have
 * a shortest prefix that is equivalent to one of a run that was made.
 *
 * Why not C11's own formal graph (GenMC)?  It needs all events at hand and explores graphs, not
 * runs; here the real code runs, and a failing run can be printed as one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/memory.h"

#include <string.h>
#include <sys/mman.h>

enum { TABLE = 1 << 13, SHARED = 1 << 14 };

static struct {
    uint32_t run;
    uint16_t id;
    uintptr_t address;
} table[TABLE]; /* address to location, open addressing; another run's entry is free */

static uint32_t run;
static ex_location locations[EX_LOCATIONS];
static uintptr_t shared_set[SHARED];
static char *scratch;
static size_t scratch_used;

int kri_ex_memory_map(void)
{
    if (scratch)
        return 0;
    void *p = mmap(NULL, EX_SCRATCH, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    scratch = p;
    return 0;
}

void kri_ex_memory_begin(void)
{
    run++;
    scratch_used = 0;
    kri_ex.location_count = 0;
}

void kri_ex_memory_clear_shared(void)
{
    memset(shared_set, 0, sizeof shared_set);
}

void *kri_ex_scratch(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (scratch_used + size > EX_SCRATCH)
        kri_ex_fail(KR_EXPLORE_LIVELOCK, "the run is too long to be remembered");
    void *p = scratch + scratch_used;
    scratch_used += size;
    return p;
}

static size_t hash(uintptr_t address)
{
    return (size_t)(((uint64_t)address * 0x9e3779b97f4a7c15u) >> 40);
}

/* True when the address is new in the set. */
static bool share(uintptr_t address, bool add)
{
    for (size_t i = hash(address);; i++) {
        uintptr_t *slot = &shared_set[i & (SHARED - 1)];

        if (*slot == address)
            return false;
        if (*slot == 0) {
            if (add)
                *slot = address;
            return true;
        }
    }
}

uint64_t kri_ex_peek(const void *at, unsigned size)
{
    switch (size) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)at;
    case 4:
        return *(const uint32_t *)at;
    default:
        return *(const uint64_t *)at;
    }
}

void kri_ex_poke(void *at, unsigned size, uint64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)at = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(uint64_t *)at = value;
        break;
    }
}

static void add_store(ex_location *l, uint64_t value, const ex_message *message)
{
    if (l->count == l->capacity) {
        unsigned capacity = l->capacity ? l->capacity * 2u : 8;
        ex_store *larger = kri_ex_scratch(capacity * sizeof *larger);

        if (capacity > UINT16_MAX)
            kri_ex_fail(KR_EXPLORE_LIVELOCK, "too many stores to one word");
        if (l->count)
            memcpy(larger, l->stores, l->count * sizeof *larger);
        l->stores = larger;
        l->capacity = (uint16_t)capacity;
    }
    l->stores[l->count++] = (ex_store){value, message, (uint8_t)kri_ex.self};
}

/* A value that was put there as plain memory: nobody may see what was before it. */
static void restart(ex_location *l, uint64_t value)
{
    unsigned id = (unsigned)(l - locations);

    add_store(l, value, NULL);
    l->sc_floor = (uint16_t)(l->count - 1);
    for (unsigned t = 0; t < EX_THREADS; t++)
        kri_ex.threads[t].view[id] = l->sc_floor;
}

static void create(ex_location *l, const void *at, unsigned size)
{
    l->address = (uintptr_t)at;
    l->size = (uint8_t)size;
    l->count = 0;
    l->capacity = 0;
    l->touched = 0;
    memset(l->reread, 0, sizeof l->reread);
    l->shared = kri_ex.all_shared || !share((uintptr_t)at, false);
    restart(l, kri_ex_peek(at, size));
}

static uint16_t find(const void *at)
{
    for (size_t i = hash((uintptr_t)at);; i++) {
        size_t slot = i & (TABLE - 1);

        if (table[slot].run != run) {
            if (kri_ex.location_count == EX_LOCATIONS)
                kri_ex_fail(KR_EXPLORE_LIVELOCK, "more than %d atomic words in a run",
                            EX_LOCATIONS);
            table[slot].run = run;
            table[slot].address = (uintptr_t)at;
            table[slot].id = (uint16_t)kri_ex.location_count++;
            locations[table[slot].id].stores = NULL;
            for (unsigned t = 0; t < EX_THREADS; t++)
                kri_ex.threads[t].view[table[slot].id] = 0;
            return table[slot].id;
        }
        if (table[slot].address == (uintptr_t)at)
            return table[slot].id;
    }
}

/* A small number for an address, the same in each run with the same choices. */
unsigned kri_explore_location(const void *at)
{
    return find(at);
}

/* The location, noting that this thread has come to it. */
static ex_location *touch(const void *at, unsigned size)
{
    ex_location *l = &locations[find(at)];

    if (!l->stores)
        create(l, at, size);
    l->touched |= (uint8_t)(1u << kri_ex.self);
    if (!l->shared && (l->touched & (l->touched - 1))) {
        share(l->address, true);
        kri_ex_stop_again();
    }
    if (l->touched & (l->touched - 1))
        share(l->address, true);
    return l;
}

void kri_ex_look(const kr_word *word)
{
    touch(word, sizeof word->bits);
}

/* The location, with the switch point before the operation done. */
ex_location *kri_ex_arrive(const void *at, unsigned size)
{
    ex_location *l = touch(at, size);

    kri_ex_point(l->shared);
    kri_ex_check_freed(at, "an atomic operation");
    if (l->shared)
        kri_ex_atomic_access(at, EX_SELF->site.frames[0]);
    /* Written as plain memory meanwhile: initialised anew. */
    if (size > l->size)
        l->size = (uint8_t)size;
    uint64_t now = kri_ex_peek(at, l->size);
    if (l->stores[l->count - 1].value != now)
        restart(l, now);
    return l;
}

static bool acquires(int order)
{
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_SEQ_CST;
}

static bool releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

void kri_ex_receive(const ex_message *m)
{
    ex_thread *self = EX_SELF;

    for (unsigned i = 0; i < EX_THREADS; i++)
        if (m->clock[i] > self->clock[i])
            self->clock[i] = m->clock[i];
    for (uint32_t i = 0; i < m->count; i++)
        if (m->view[i] > self->view[i])
            self->view[i] = m->view[i];
}

void kri_ex_learn_from(unsigned thread, unsigned other)
{
    ex_thread *t = &kri_ex.threads[thread];
    const ex_thread *o = &kri_ex.threads[other];

    for (unsigned i = 0; i < EX_THREADS; i++)
        if (o->clock[i] > t->clock[i])
            t->clock[i] = o->clock[i];
    for (unsigned i = 0; i < kri_ex.location_count; i++)
        if (o->view[i] > t->view[i])
            t->view[i] = o->view[i];
}

/* What the calling thread knows now, joined with another message.  What it does from now on is
 * not part of it. */
ex_message *kri_ex_message(const ex_message *also)
{
    ex_thread *self = EX_SELF;
    uint32_t count = kri_ex.location_count;
    ex_message *m = kri_ex_scratch(sizeof *m + count * sizeof m->view[0]);

    memcpy(m->clock, self->clock, sizeof m->clock);
    memcpy(m->view, self->view, count * sizeof m->view[0]);
    m->count = count;
    if (also) {
        for (unsigned i = 0; i < EX_THREADS; i++)
            if (also->clock[i] > m->clock[i])
                m->clock[i] = also->clock[i];
        for (uint32_t i = 0; i < also->count; i++)
            if (also->view[i] > m->view[i])
                m->view[i] = also->view[i];
    }
    self->clock[kri_ex.self]++;
    return m;
}

void kri_ex_append(ex_location *l, uint64_t value, int order, const ex_message *continued)
{
    unsigned id = (unsigned)(l - locations);
    const ex_message *message = continued;

    EX_SELF->view[id] = l->count;
    if (releases(order) && l->shared)
        message = kri_ex_message(continued);
    if (order == __ATOMIC_SEQ_CST)
        l->sc_floor = l->count;
    add_store(l, value, message);
    kri_ex_poke((void *)l->address, l->size, value);
    kri_ex.changes++;
}

/* The oldest store that the thread may read, stale ones it has read already left out. */
static unsigned oldest(const ex_location *l, int order)
{
    unsigned from = EX_SELF->view[l - locations];

    if (order == __ATOMIC_SEQ_CST && l->sc_floor > from)
        from = l->sc_floor;
    if (l->reread[kri_ex.self] > from)
        from = l->reread[kri_ex.self];
    return from < l->count ? from : l->count - 1u;
}

/* Choose among the stores that may be seen; those that hold `except` are no choice when only a
 * failing compare-and-swap asks.  The latest is the ordinary way. */
unsigned kri_ex_choose_store(ex_location *l, int order, const uint64_t *except)
{
    unsigned codes[64];
    unsigned at[64];
    unsigned count = 1;
    unsigned latest = l->count - 1u;

    if (!l->shared) {
        kri_ex_choose(NULL, 0);
        return latest;
    }
    codes[0] = EX_STALE;
    at[0] = latest;
    if (kri_ex.stale > 0)
        for (unsigned i = latest, from = oldest(l, order); i-- > from && count < 64;) {
            if (except && l->stores[i].value == *except)
                continue;
            codes[count] = EX_STALE + latest - i;
            at[count++] = i;
        }
    unsigned taken = at[kri_ex_choose(codes, count)];
    if (taken != latest) {
        kri_ex.stale--;
        l->reread[kri_ex.self] = (uint16_t)(taken + 1);
    }
    return taken;
}

uint64_t kri_ex_see(ex_location *l, unsigned taken, int order)
{
    unsigned id = (unsigned)(l - locations);
    const ex_store *s = &l->stores[taken];

    if (taken > EX_SELF->view[id])
        EX_SELF->view[id] = (uint16_t)taken;
    if (acquires(order) && s->message)
        kri_ex_receive(s->message);
    return s->value;
}
