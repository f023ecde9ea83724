/* The timers of a loop.
 *
 * Those that are near stand in a heap with four children a node, in an array whose entries hold the
 * keys: a step down looks at one cache line.  Where there are many, those that are farther stand in
 * a wheel (wheel.c), and the first of them come into the heap once that is empty; so it is small,
 * and the slots and timers of what comes in are fetched all at once.  A loop with few timers has no
 * wheel.  A heap of a million is ten steps deep, and each step is a cache miss.
 *
 * Moving entries about touches nothing else: no timer knows where its entry is.  Instead each timer
 * that is set has a slot, and the entry names it.  An entry whose order is not that of its slot, or
 * whose slot is free, is dead: its timer was set anew to something sooner, or cancelled.  Dead
 * entries go when they come to the top, at once where they were put last (a wait with a time limit
 * that did not expire), and all together as soon as they are more than half.  So memory is bounded
 * by the timers that are set, and a cancel costs a few loads on average.
 *
 * A timer that is moved later keeps its entry: only its own deadline and order change, and the
 * entry's key is put right when it comes to the top.  A connection that moves its time limit at
 * each message costs a store or two each time.
 *
 * Equal deadlines fire in the order in which they were set.  Orders are 32 bits and go round, and
 * are compared by their distance: two that are 2^31 settings apart may come the wrong way round.
 * Dead entries are thrown out every 2^30 settings, so that no slot sees the order of one again.
 *
 * While timers fire, the slots of what is newly set stand in a list, and get their entries at the
 * end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/timers.h"
#include "loop/wheel.h"
#include "os/os.h"
#include "wait/wait.h"
#include <string.h>

typedef kri_timer_entry entry; /* its key is at most its timer's deadline */

typedef struct kri_timer_slot {
    kri_timer *timer; /* NULL: free */
    uint32_t order;   /* of its entry */
    uint32_t next;    /* + 1, of those set while timers fire; 0: it is none; LAST */
} slot;

enum {
    CHILDREN = 4,
    LINE = 64,
    LEAST_ROOM = 64,
    NEAR = 2048,         /* entries of the heap, mostly at most */
    LARGE = 4096,        /* slots that are worth giving back */
    LITTLE = 32,         /* so many dead entries are left alone */
    MOST = 1 << 28,      /* slots */
    SWEEP = 1 << 30,     /* settings from one sweep to the next */
    ROOT = CHILDREN - 1, /* so that siblings share a line */
};
static const uint32_t LAST = UINT32_MAX;

static inline bool sooner(const entry *a, const entry *b)
{
    if (__builtin_expect(a->key == b->key, 0))
        return (int32_t)(a->order - b->order) < 0;
    return a->key < b->key;
}

static bool dead(const void *arg, const entry *e)
{
    const kri_timers *timers = arg;
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

static void order_heap(kri_timers *timers)
{
    size_t count = timers->near;
    for (size_t i = count > 1 ? (count - 2) / CHILDREN + 1 : 0; i-- > 0;)
        sift_down(timers->heap, count, i, timers->heap[i]);
}

/* What comes from the end of the array mostly belongs near the end: follow the hole down to a
 * leaf without comparing, and go up from there. */
static void remove_top(kri_timers *timers)
{
    entry *heap = timers->heap;
    size_t count = --timers->near, i = 0;
    timers->count--;
    if (count == 0)
        return;
    for (size_t first = 1; first < count; first = i * CHILDREN + 1) {
        size_t child = soonest_child(heap, count, first);
        heap[i] = heap[child];
        i = child;
    }
    sift_up(heap, i, heap[count]);
}

/* Throw out what is dead. */
static void sweep(kri_timers *timers)
{
    entry *heap = timers->heap;
    size_t kept = 0, far = timers->count - timers->near;
    for (size_t i = 0; i < timers->near; i++)
        if (!dead(timers, &heap[i]))
            heap[kept++] = heap[i];
    timers->near = kept;
    order_heap(timers);
    if (far > 0)
        far = kri_wheel_sweep(timers->wheel, dead, timers);
    timers->count = kept + far;
}

/* Near and far. */

static void expect(kri_timers *timers)
{
    timers->most = timers->near > NEAR / 2 ? timers->near * 2 : NEAR;
}

/* The heap has become large: what can go into the wheel does. */
static void spill(kri_timers *timers)
{
    entry *heap = timers->heap;
    size_t kept = 0;
    kr_time base = kri_wheel_open(timers->wheel, heap->key);
    for (size_t i = 0; i < timers->near; i++) {
        if (heap[i].key < base)
            heap[kept++] = heap[i];
        else
            kri_wheel_put(timers->wheel, heap[i]);
    }
    timers->near = kept;
    order_heap(timers);
    expect(timers);
}

/* The heap is empty: the first that are far come into it.  False: there are none. */
static bool pull(kri_timers *timers)
{
    if (timers->count == 0)
        return false;
    entry *heap = timers->heap;
    timers->near = kri_wheel_take(timers->wheel, heap);
    for (size_t i = 0; i < timers->near; i++)
        __builtin_prefetch(&timers->slots[heap[i].slot], 1);
    for (size_t i = 0; i < timers->near; i++)
        __builtin_prefetch(timers->slots[heap[i].slot].timer, 1);
    order_heap(timers);
    expect(timers);
    return true;
}

static void put(kri_timers *timers, entry e)
{
    if (__builtin_expect(timers->count == timers->room * 2, 0))
        sweep(timers);
    bool some_far = timers->count > timers->near;
    timers->count++;
    if (some_far && e.key > kri_wheel_near(timers->wheel)) {
        kri_wheel_put(timers->wheel, e);
        return;
    }
    sift_up(timers->heap, timers->near++, e);
    if (__builtin_expect(timers->near > timers->most, 0))
        spill(timers);
}

/* Make the top one that is alive and has its timer's deadline.  False: there is none. */
static bool settle(kri_timers *timers)
{
    while (timers->near > 0 || pull(timers)) {
        entry top = timers->heap[0];
        slot *s = &timers->slots[top.slot];
        bool gone = dead(timers, &top);
        if (!gone && s->timer->order == top.order && s->timer->deadline == top.key)
            return true;
        remove_top(timers);
        if (gone)
            continue;
        s->order = s->timer->order;
        put(timers, (entry){s->timer->deadline, top.slot, s->order});
    }
    return false;
}

static uint32_t take_slot(kri_timers *timers)
{
    return timers->freed > 0 ? timers->free[--timers->freed] : timers->used++;
}

/* All are dead; slots are taken in order again. */
static void forget_entries(kri_timers *timers)
{
    if (timers->count > timers->near)
        kri_wheel_clear(timers->wheel);
    timers->count = timers->near = 0;
    timers->used = timers->freed = 0;
    expect(timers);
}

static void free_slot(kri_timers *timers, kri_timer *timer)
{
    uint32_t place = timer->place - 1;
    timer->place = 0;
    timers->slots[place].timer = NULL;
    timers->free[timers->freed++] = place;
    if (--timers->live == 0 && !timers->firing)
        forget_entries(timers);
}

static void enlist_fresh(kri_timers *timers, uint32_t place)
{
    slot *s = &timers->slots[place];
    if (s->next != 0)
        return;
    s->next = timers->fresh != 0 ? timers->fresh : LAST;
    timers->fresh = place + 1;
}

/* Some have been cancelled meanwhile. */
static void put_fresh(kri_timers *timers)
{
    uint32_t at = timers->fresh;
    timers->fresh = 0;
    while (at != 0 && at != LAST) {
        uint32_t place = at - 1;
        slot *s = &timers->slots[place];
        at = s->next;
        s->next = 0;
        if (s->timer != NULL)
            put(timers, (entry){s->timer->deadline, place, s->order});
    }
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
    uint32_t place = timer->place - 1;
    timers->slots[place].order = order;
    if (timers->firing)
        enlist_fresh(timers, place);
    else
        put(timers, (entry){deadline, place, order});
}

void kri_timers_cancel(kri_timers *timers, kri_timer *timer)
{
    if (timer->place == 0)
        return;
    entry e = {timer->deadline, timer->place - 1, timers->slots[timer->place - 1].order};
    bool in_place = timer->order == e.order;
    free_slot(timers, timer);
    for (; timers->near > 0 && dead(timers, &timers->heap[timers->near - 1]); timers->near--)
        timers->count--;
    if (timers->count > timers->near && in_place && e.key > kri_wheel_near(timers->wheel))
        timers->count -= kri_wheel_take_back(timers->wheel, e);
    if (timers->count > timers->live * 2 + LITTLE)
        sweep(timers);
}

kr_time kri_timers_next(kri_timers *timers)
{
    return settle(timers) ? timers->heap->key : KRI_NEVER;
}

/* New arrays with so many slots, and what the old ones hold. */
static int make_room(kri_timers *timers, size_t room)
{
    size_t heap_size = (room * 2 + ROOT) * sizeof(entry) / LINE * LINE + LINE;
    size_t wheel_size = room * 2 > NEAR ? kri_wheel_size(room * 2) : 0;
    void *memory = os_alloc(heap_size + wheel_size + LINE);
    slot *slots = os_alloc(room * (sizeof(slot) + sizeof(uint32_t)));
    if (memory == NULL || slots == NULL) {
        os_free(memory);
        os_free(slots);
        return -ENOMEM;
    }
    char *line = (char *)(((uintptr_t)memory + LINE - 1) / LINE * LINE);
    entry *heap = (entry *)(void *)line + ROOT;
    kri_wheel *wheel = wheel_size > 0 ? (kri_wheel *)(void *)(line + heap_size) : NULL;
    if (timers->memory != NULL) {
        memcpy(heap, timers->heap, timers->near * sizeof(entry));
        memcpy(slots, timers->slots, timers->used * sizeof(slot));
        memcpy(slots + room, timers->free, timers->freed * sizeof(uint32_t));
    }
    if (timers->count > timers->near)
        kri_wheel_copy(wheel, timers->wheel);
    os_free(timers->memory);
    os_free(timers->slots);
    timers->memory = memory;
    timers->heap = heap;
    timers->wheel = wheel;
    timers->slots = slots;
    timers->free = (uint32_t *)(slots + room);
    timers->room = room;
    if (timers->most == 0)
        timers->most = NEAR;
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

/* Or the larger room stays. */
static void give_room_back(kri_timers *timers)
{
    size_t room = timers->room;
    while (room / 4 >= LARGE && timers->reserved <= room / 8)
        room /= 4;
    if (room < timers->room)
        (void)make_room(timers, room);
}

void kri_timers_unreserve(kri_timers *timers, size_t count)
{
    timers->reserved -= count;
    if (timers->live == 0 && !timers->firing)
        give_room_back(timers);
}

size_t kri_timers_fire(kri_timers *timers, kr_time now, size_t most)
{
    size_t fired = 0;
    timers->firing = true;
    for (; fired < most && settle(timers) && timers->heap->key <= now; fired++) {
        kri_timer *timer = timers->slots[timers->heap->slot].timer;
        remove_top(timers);
        free_slot(timers, timer);
        timer->fire(timer); /* which may be the end of it */
    }
    timers->firing = false;
    put_fresh(timers);
    if (timers->live == 0) {
        forget_entries(timers);
        give_room_back(timers);
    }
    return fired;
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
