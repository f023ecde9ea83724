/* The timers of a loop.
 *
 * A heap with four children a node, in an array whose entries hold the keys: a step down looks at
 * one cache line, and a million timers are ten steps deep.  Moving entries about touches nothing
 * but the array: no timer knows where its entry is.  Instead each timer that is set has a slot,
 * and the entry names it.  An entry whose order is not that of its slot, or whose slot is free, is
 * dead: its timer was set anew to something sooner, or cancelled.  Dead entries go when they come
 * to the top, at once where they are the last of the array (a wait with a time limit that did not
 * expire, in a loop with few timers), and all together as soon as they are more than half.  So
 * memory is bounded by the timers that are set, and a cancel costs a few loads on average.
 *
 * A timer that is moved later keeps its entry: only its own deadline and order change, and the
 * entry's key is put right when it comes to the top.  A connection that moves its time limit at
 * each message costs a store or two each time.
 *
 * Equal deadlines fire in the order in which they were set.  Orders are 32 bits and go round, and
 * are compared by their distance: two that are 2^31 settings apart may come the wrong way round.
 * Dead entries are thrown out every 2^30 settings, so that no slot sees the order of one again.
 *
 * While timers fire, what is newly set waits behind the heap and joins it at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/timers.h"
#include "os/os.h"
#include "wait/wait.h"
#include <string.h>

typedef struct kri_timer_entry {
    kr_time key; /* at most its timer's deadline */
    uint32_t slot;
    uint32_t order;
} entry;

typedef struct kri_timer_slot {
    kri_timer *timer; /* NULL: free */
    uint32_t order;   /* of its entry */
    uint32_t next;    /* of a free slot: + 1, the one freed before it */
} slot;

enum {
    CHILDREN = 4,
    LINE = 64,
    LEAST_ROOM = 64,
    FEW = 10000,         /* timers that a cache holds */
    LARGE = 4096,        /* slots that are worth giving back */
    LITTLE = 32,         /* so many dead entries are left alone */
    MOST = 1 << 28,      /* slots */
    SWEEP = 1 << 30,     /* settings from one sweep to the next */
    ROOT = CHILDREN - 1, /* so that siblings share a line */
};

static inline bool sooner(const entry *a, const entry *b)
{
    if (__builtin_expect(a->key == b->key, 0))
        return (int32_t)(a->order - b->order) < 0;
    return a->key < b->key;
}

static bool dead(const kri_timers *timers, const entry *e)
{
    const slot *s = &timers->slots[e->slot];
    return s->order != e->order || s->timer == NULL;
}

/* Put e where the hole at i is, or further up. */
static void sift_up(entry *heap, size_t i, entry e)
{
    while (i > 0) {
        size_t parent = (i - 1) / CHILDREN;
        if (!sooner(&e, &heap[parent]))
            break;
        heap[i] = heap[parent];
        i = parent;
    }
    heap[i] = e;
}

static inline __attribute__((always_inline)) size_t soonest_child(const entry *heap, size_t count,
                                                                  size_t first)
{
    if (__builtin_expect(first + CHILDREN <= count, 1)) {
        size_t a = first + sooner(&heap[first + 1], &heap[first]);
        size_t b = first + 2 + sooner(&heap[first + 3], &heap[first + 2]);
        return sooner(&heap[b], &heap[a]) ? b : a;
    }
    size_t best = first;
    for (size_t i = first + 1; i < count; i++)
        best = sooner(&heap[i], &heap[best]) ? i : best;
    return best;
}

static void sift_down(entry *heap, size_t count, size_t i, entry e)
{
    for (;;) {
        size_t first = i * CHILDREN + 1;
        if (first >= count)
            break;
        size_t child = soonest_child(heap, count, first);
        if (!sooner(&heap[child], &e))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = e;
}

/* What comes from the end of the array mostly belongs near the end: follow the hole down to a
 * leaf without comparing, and go up from there. */
static void remove_top(kri_timers *timers)
{
    entry *heap = timers->heap;
    size_t count = --timers->count, i = 0;
    entry last = heap[count];
    if (timers->fresh > 0)
        heap[count] = heap[count + timers->fresh];
    if (count == 0)
        return;
    for (size_t first = 1; first < count; first = i * CHILDREN + 1) {
        for (size_t next = first * CHILDREN + 1, n = 0; n < CHILDREN; n++, next += CHILDREN)
            __builtin_prefetch(&heap[next < count ? next : 0]);
        size_t child = soonest_child(heap, count, first);
        heap[i] = heap[child];
        i = child;
    }
    sift_up(heap, i, last);
}

/* Throw out what is dead. */
static void sweep(kri_timers *timers)
{
    entry *heap = timers->heap;
    size_t all = timers->count + timers->fresh, kept = 0, in_heap = 0;
    for (size_t i = 0; i < all; i++) {
        if (!dead(timers, &heap[i]))
            heap[kept++] = heap[i];
        if (i + 1 == timers->count)
            in_heap = kept;
    }
    timers->count = in_heap;
    timers->fresh = kept - in_heap;
    for (size_t i = in_heap > 1 ? (in_heap - 2) / CHILDREN + 1 : 0; i-- > 0;)
        sift_down(heap, in_heap, i, heap[i]);
}

/* Make the top one that is alive and has its timer's deadline.  False: there is none. */
static bool settle(kri_timers *timers)
{
    while (timers->count > 0) {
        entry *top = timers->heap;
        slot *s = &timers->slots[top->slot];
        if (dead(timers, top)) {
            remove_top(timers);
            continue;
        }
        if (s->timer->order == top->order && s->timer->deadline == top->key)
            return true;
        s->order = s->timer->order;
        entry moved = {s->timer->deadline, top->slot, s->order};
        sift_down(top, timers->count, 0, moved);
    }
    return false;
}

static uint32_t take_slot(kri_timers *timers)
{
    return timers->freed > 0 ? timers->free[--timers->freed] : timers->used++;
}

static void free_slot(kri_timers *timers, kri_timer *timer)
{
    uint32_t place = timer->place - 1;
    timer->place = 0;
    timers->slots[place].timer = NULL;
    timers->free[timers->freed++] = place;
    if (--timers->live > 0)
        return;
    timers->count = timers->fresh = 0; /* all dead */
    timers->used = timers->freed = 0;  /* so that slots are taken in order */
}

void kri_timers_set(kri_timers *timers, kri_timer *timer, kr_time deadline)
{
    uint32_t order = timers->orders++;
    if (__builtin_expect(order % SWEEP == SWEEP - 1, 0))
        sweep(timers);
    bool later = timer->place != 0 && deadline >= timer->deadline && !timers->firing;
    timer->deadline = deadline;
    timer->order = order;
    if (later)
        return;
    if (timer->place == 0) {
        timer->place = take_slot(timers) + 1;
        timers->slots[timer->place - 1].timer = timer;
        timers->live++;
    }
    timers->slots[timer->place - 1].order = order;
    if (__builtin_expect(timers->count + timers->fresh == timers->room * 2, 0))
        sweep(timers);
    entry e = {deadline, timer->place - 1, order};
    if (timers->firing)
        timers->heap[timers->count + timers->fresh++] = e;
    else
        sift_up(timers->heap, timers->count++, e);
}

void kri_timers_cancel(kri_timers *timers, kri_timer *timer)
{
    if (timer->place == 0)
        return;
    free_slot(timers, timer);
    size_t all = timers->count + timers->fresh;
    for (; all > 0 && dead(timers, &timers->heap[all - 1]); all--)
        --*(timers->fresh > 0 ? &timers->fresh : &timers->count);
    if (all > timers->live * 2 + LITTLE)
        sweep(timers);
}

kr_time kri_timers_next(kri_timers *timers)
{
    return settle(timers) ? timers->heap->key : KRI_NEVER;
}

/* What may be the top next, and the time before has had its slot fetched. */
static void fetch_ahead(const kri_timers *timers)
{
    const entry *heap = timers->heap;
    if (timers->count <= FEW)
        return;
    for (size_t i = 1; i <= CHILDREN; i++)
        __builtin_prefetch(timers->slots[heap[i].slot].timer, 1);
    for (size_t i = CHILDREN + 1; i <= CHILDREN + CHILDREN * CHILDREN; i++)
        __builtin_prefetch(&timers->slots[heap[i].slot], 1);
}

size_t kri_timers_fire(kri_timers *timers, kr_time now)
{
    size_t fired = 0;
    timers->firing = true;
    for (; settle(timers) && timers->heap->key <= now; fired++) {
        fetch_ahead(timers);
        kri_timer *timer = timers->slots[timers->heap->slot].timer;
        remove_top(timers);
        free_slot(timers, timer);
        timer->fire(timer); /* which may be the end of it */
    }
    timers->firing = false;
    while (timers->fresh > 0) {
        timers->fresh--;
        sift_up(timers->heap, timers->count, timers->heap[timers->count]);
        timers->count++;
    }
    return fired;
}

/* New arrays with so many slots, and what the old ones hold. */
static int make_room(kri_timers *timers, size_t room)
{
    void *memory = os_alloc((room * 2 + ROOT) * sizeof(entry) + LINE);
    slot *slots = os_alloc(room * (sizeof(slot) + sizeof(uint32_t)));
    if (memory == NULL || slots == NULL) {
        os_free(memory);
        os_free(slots);
        return -ENOMEM;
    }
    uintptr_t line = ((uintptr_t)memory + LINE - 1) / LINE * LINE;
    entry *heap = (entry *)line + ROOT;
    if (timers->memory != NULL) {
        memcpy(heap, timers->heap, (timers->count + timers->fresh) * sizeof(entry));
        memcpy(slots, timers->slots, timers->used * sizeof(slot));
        memcpy(slots + room, timers->free, timers->freed * sizeof(uint32_t));
    }
    os_free(timers->memory);
    os_free(timers->slots);
    timers->memory = memory;
    timers->heap = heap;
    timers->slots = slots;
    timers->free = (uint32_t *)(slots + room);
    timers->room = room;
    return 0;
}

int kri_timers_reserve(kri_timers *timers, size_t count)
{
    if (count > MOST || timers->reserved + count > MOST)
        return -ENOMEM;
    size_t room = timers->room > 0 ? timers->room : LEAST_ROOM;
    while (room < timers->reserved + count)
        room *= 2;
    int err = room > timers->room ? make_room(timers, room) : 0;
    if (err == 0)
        timers->reserved += count;
    return err;
}

void kri_timers_unreserve(kri_timers *timers, size_t count)
{
    timers->reserved -= count;
    size_t room = timers->room / 4;
    if (timers->live > 0 || room < LARGE || timers->reserved > room / 2)
        return;
    (void)make_room(timers, room); /* or the larger one stays */
}

void kri_timers_each(kri_timers *timers, void (*visit)(kri_timer *timer, void *arg), void *arg)
{
    for (uint32_t i = 0; i < timers->used; i++)
        if (timers->slots[i].timer != NULL)
            visit(timers->slots[i].timer, arg);
}

void kri_timers_end(kri_timers *timers)
{
    os_free(timers->memory);
    os_free(timers->slots);
    *timers = (kri_timers){0};
}
