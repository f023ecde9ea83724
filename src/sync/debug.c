/* The diagnosis of locks: who holds what, who waits for what, and in which orders.
 *
 * State.  Three tables, and all of them in the one block that the first switching on allocates:
 *     held      the locks that are held, each with who has acquired it, and where
 *     waiting   who waits for a lock without a time limit, where, and for which
 *     edges     orders: somebody held `from` while acquiring `to`; in lists by the hash of `from`
 *
 * Fields.
 *     kri_debugging  atomic: it is on
 *     tables         set once, before kri_debugging; all in it is guarded by debug_lock
 *
 * Protocol.
 *     Before an acquire that may wait, each order that is new is entered; if the orders known so
 *     far lead from the wanted lock back to the held one, that is a circle, and it is reported by
 *     the shortest way.  Then it is known, and no other acquire finds it new again.
 *     A row of `held` is made after the lock was acquired and taken out before it is free; a row of
 *     `waiting` stands at least as long as its party waits.  So when one party waits for a lock
 *     whose row names another, that is so, and a circle of these is a deadlock, unless somebody
 *     else releases one of the locks or cancels a wait.  That is given a second.  Whoever begins to
 *     wait last finds the circle, since all the other rows are there by then.
 *     Reports are written and given after debug_lock was released.
 *
 * Ordering.  debug_lock orders the tables.  kri_debugging is relaxed: who sees it late misses an
 * acquire or a release.  A lock's row that stays for a release that was missed is replaced at the
 * next acquire.
 *
 * Why one lock for all?  It is held for microseconds at most, and only while somebody looks for an
 * error.  Why not a class for all locks of one place, as lockdep has it?  The order of two locks of
 * one class is then no order at all, and it would need names that the program does not give.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/debug.h"

#include "base/global.h"
#include "os/os.h"
#include "wait/stall.h"

#include <string.h>

#ifdef KRI_MODEL
enum { EDGES = 8, HELD = 8, WAITING = 8, BUCKETS = 4 };
#else
enum { EDGES = 4096, HELD = 1024, WAITING = 1024, BUCKETS = 1024 };
#endif
enum { NONE = -1, RAW_FRAMES = 16 };

struct held {
    const kr_lock *lock;
    uint64_t party;
    int thread;
    kri_debug_place at;
};

struct waiting {
    const kr_lock *lock; /* NULL: the row is free */
    uint64_t party;
    int thread;
    kri_debug_place at;
};

struct edge {
    kri_debug_line line; /* from: held, to: wanted; held NULL: the row is free */
    int next;            /* in its bucket, or among the free */
    int before;          /* of a search: the edge that led here */
    uint32_t visited;    /* the search that came here last */
};

struct tables {
    struct held held[HELD];
    struct waiting waiting[WAITING];
    struct edge edges[EDGES];
    int buckets[BUCKETS]; /* index + 1; 0: empty */
    int found[EDGES];     /* of a search: edges in the order of coming to them */
    int held_count;
    int waiting_count; /* rows that were ever used */
    int edge_count;    /* the same */
    int free_edge;     /* index + 1 */
    uint32_t search;
    bool told_held;
    bool told_edges;
};

kr_word kri_debugging KRI_GLOBAL;
static kri_mutex debug_lock KRI_GLOBAL;
static struct tables *tables KRI_GLOBAL;

static void clear(struct tables *t)
{
    t->held_count = t->waiting_count = t->edge_count = t->free_edge = 0;
    t->told_held = t->told_edges = false;
    memset(t->buckets, 0, sizeof t->buckets);
}

/* The tables are the parent's, and the other runners that stand in them are not here. */
static void forked(void)
{
    kri_store_rlx(&debug_lock, 0);
    if (tables != NULL)
        clear(tables);
}

int kr_debug_locks(bool on)
{
    const void *frames[1];
    if (!on) {
        kri_store_rlx(&kri_debugging, 0);
        return 0;
    }
    (void)os_backtrace(frames, 1); /* what it loads, it loads now */
    int err = kri_at_fork_child(forked);
    if (err != 0)
        return err;
    kri_mutex_lock(&debug_lock);
    if (tables == NULL)
        tables = os_alloc(sizeof *tables);
    if (tables != NULL && kri_load_rlx(&kri_debugging) == 0) {
        clear(tables);
        kri_store_rlx(&kri_debugging, 1);
    }
    err = tables != NULL ? 0 : -ENOMEM;
    kri_mutex_unlock(&debug_lock);
    return err;
}

static struct tables *open(void)
{
    kri_mutex_lock(&debug_lock);
    return tables;
}

static void close(void)
{
    kri_mutex_unlock(&debug_lock);
}

/* From the caller outwards. */
static kri_debug_place take_place(const void *caller)
{
    kri_debug_place place = {{caller}};
    const void *raw[RAW_FRAMES];
    int count = os_backtrace(raw, RAW_FRAMES);
    int first = 0;
    while (first < count && raw[first] != caller)
        first++;
    for (int i = 0; i < KRI_DEBUG_FRAMES && first + i < count; i++)
        place.frames[i] = raw[first + i];
    return place;
}

/* Who holds what. */

static struct held *holder_of(struct tables *t, const kr_lock *lock)
{
    for (int i = 0; i < t->held_count; i++)
        if (t->held[i].lock == lock)
            return &t->held[i];
    return NULL;
}

void kri_debug_acquired(const kr_lock *lock, const void *caller)
{
    struct held row = {.lock = lock,
                       .party = kri_party_id(kri_party_self()),
                       .thread = kri_party_thread(kri_party_self()),
                       .at = take_place(caller)};
    struct tables *t = open();
    struct held *at = holder_of(t, lock);
    if (at == NULL && t->held_count < HELD)
        at = &t->held[t->held_count++];
    bool full = at == NULL && !t->told_held;
    t->told_held |= full;
    if (at != NULL)
        *at = row;
    close();
    if (full)
        kri_debug_report_full("locks held at a time", HELD);
}

void kri_debug_released(const kr_lock *lock)
{
    struct tables *t = open();
    struct held *at = holder_of(t, lock);
    if (at != NULL)
        *at = t->held[--t->held_count];
    close();
}

/* Orders. */

static int *bucket_of(struct tables *t, const kr_lock *from)
{
    uint64_t mixed = (uint64_t)(uintptr_t)from * 0x9e3779b97f4a7c15u;
    return &t->buckets[(mixed >> 32) % BUCKETS];
}

static bool is_known(struct tables *t, const kr_lock *from, const kr_lock *to)
{
    for (int i = *bucket_of(t, from) - 1; i != NONE; i = t->edges[i].next)
        if (t->edges[i].line.held == from && t->edges[i].line.wanted == to)
            return true;
    return false;
}

/* pre: there is room. */
static void add_edge(struct tables *t, const kri_debug_line *line)
{
    int i = t->free_edge - 1;
    if (i != NONE)
        t->free_edge = t->edges[i].next + 1;
    else
        i = t->edge_count++;
    int *bucket = bucket_of(t, line->held);
    t->edges[i] = (struct edge){.line = *line, .next = *bucket - 1};
    *bucket = i + 1;
}

/* Put those that begin at the lock, and were not seen, to the end of the search. */
static int visit(struct tables *t, const kr_lock *lock, int before, int end)
{
    for (int i = *bucket_of(t, lock) - 1; i != NONE; i = t->edges[i].next) {
        struct edge *edge = &t->edges[i];
        if (edge->line.held != lock || edge->visited == t->search)
            continue;
        edge->visited = t->search;
        edge->before = before;
        t->found[end++] = i;
    }
    return end;
}

/* The last edge of a shortest way; NONE: there is none. */
static int find_way(struct tables *t, const kr_lock *from, const kr_lock *to)
{
    t->search++;
    int end = visit(t, from, NONE, 0);
    for (int at = 0; at < end; at++) {
        int i = t->found[at];
        if (t->edges[i].line.wanted == to)
            return i;
        end = visit(t, t->edges[i].line.wanted, i, end);
    }
    return NONE;
}

/* The new order first, then the way back in its own order; how many lines. */
static int list_way(const struct tables *t, int last, const kri_debug_line *first,
                    kri_debug_line *lines)
{
    int length = 1;
    for (int i = last; i != NONE; i = t->edges[i].before)
        length++;
    int count = length < KRI_DEBUG_CYCLE ? length : KRI_DEBUG_CYCLE;
    lines[0] = *first;
    for (int i = last, at = length - 1; i != NONE; i = t->edges[i].before, at--)
        if (at < count)
            lines[at] = t->edges[i].line;
    return count;
}

static bool is_full(const struct tables *t)
{
    return t->free_edge == 0 && t->edge_count == EDGES;
}

/* What entering the new orders of an acquire came to. */
struct entered {
    kri_debug_line lines[KRI_DEBUG_CYCLE];
    int count; /* of lines; 0: no circle */
    bool full; /* to be told */
};

/* Is there a new order, from row *at of `held` on? */
static bool next_order(struct tables *t, kri_debug_line *line, uint64_t party, int *at)
{
    for (; *at < t->held_count; ++*at) {
        const struct held *held = &t->held[*at];
        if (held->party != party || held->lock == line->wanted ||
            is_known(t, held->lock, line->wanted))
            continue;
        line->held = held->lock;
        line->held_at = held->at;
        return true;
    }
    return false;
}

/* Enter them up to the first that closes a circle. */
static void enter_orders(struct tables *t, kri_debug_line *line, uint64_t party,
                         struct entered *entered)
{
    int at = 0;
    entered->count = 0;
    entered->full = false;
    while (entered->count == 0 && next_order(t, line, party, &at)) {
        if (is_full(t)) {
            entered->full = !t->told_edges;
            t->told_edges = true;
            return;
        }
        int back = find_way(t, line->wanted, line->held);
        if (back != NONE)
            entered->count = list_way(t, back, line, entered->lines);
        add_edge(t, line);
    }
}

void kri_debug_order(const kr_lock *lock, const void *caller)
{
    struct entered entered;
    uint64_t party = kri_party_id(kri_party_self());
    kri_debug_line line = {.wanted = lock, .thread = kri_party_thread(kri_party_self())};
    int at = 0;
    if (kri_debug_is_reporting())
        return;
    bool any = next_order(open(), &line, party, &at);
    close();
    if (!any)
        return;
    line.wanted_at = take_place(caller);
    do {
        enter_orders(open(), &line, party, &entered);
        close();
        if (entered.full)
            kri_debug_report_full("orders of locks", EDGES);
        if (entered.count > 0)
            kri_debug_report_order(entered.lines, entered.count);
    } while (entered.count > 0);
}

/* Waiting. */

static struct waiting *wait_of(struct tables *t, uint64_t party)
{
    for (int i = 0; i < t->waiting_count; i++)
        if (t->waiting[i].lock != NULL && t->waiting[i].party == party)
            return &t->waiting[i];
    return NULL;
}

/* The circle that begins with this party's wait; 0: there is none. */
static int find_cycle(struct tables *t, uint64_t first, kri_debug_line *lines)
{
    uint64_t party = first;
    for (int count = 0; count < KRI_DEBUG_CYCLE; count++) {
        const struct waiting *wait = wait_of(t, party);
        const struct held *held = wait != NULL ? holder_of(t, wait->lock) : NULL;
        if (held == NULL)
            return 0;
        lines[count] = (kri_debug_line){.thread = wait->thread,
                                        .wanted = wait->lock,
                                        .wanted_at = wait->at,
                                        .held = held->lock,
                                        .held_at = held->at};
        party = held->party;
        if (party == first)
            return count + 1;
    }
    return 0;
}

bool kri_debug_wait(const kr_lock *lock, const void *caller)
{
    kri_debug_line lines[KRI_DEBUG_CYCLE];
    uint64_t party = kri_party_id(kri_party_self());
    struct waiting row = {.lock = lock,
                          .party = party,
                          .thread = kri_party_thread(kri_party_self()),
                          .at = take_place(caller)};
    if (kri_debug_is_reporting())
        return false;
    struct tables *t = open();
    int i = 0;
    while (i < t->waiting_count && t->waiting[i].lock != NULL)
        i++;
    bool room = i < WAITING;
    if (room) {
        t->waiting_count += i == t->waiting_count;
        t->waiting[i] = row;
    }
    bool stuck = room && find_cycle(t, party, lines) > 0;
    close();
    return stuck;
}

void kri_debug_wait_end(void)
{
    struct tables *t = open();
    struct waiting *row = wait_of(t, kri_party_id(kri_party_self()));
    if (row != NULL)
        row->lock = NULL;
    close();
}

void kri_debug_stuck(void)
{
    kri_debug_line lines[KRI_DEBUG_CYCLE];
    struct tables *t = open();
    int count = find_cycle(t, kri_party_id(kri_party_self()), lines);
    close();
    if (count > 0)
        kri_debug_report_cycle(lines, count);
}

/* Forgetting. */

void kri_debug_forget(const kr_lock *lock)
{
    struct tables *t = open();
    for (int b = 0; b < BUCKETS; b++) {
        int *link = &t->buckets[b];
        int i = *link - 1;
        int previous = NONE;
        for (int next; i != NONE; i = next) {
            struct edge *edge = &t->edges[i];
            next = edge->next;
            if (edge->line.held != lock && edge->line.wanted != lock) {
                previous = i;
                continue;
            }
            if (previous == NONE)
                *link = next + 1;
            else
                t->edges[previous].next = next;
            edge->next = t->free_edge - 1;
            t->free_edge = i + 1;
        }
    }
    struct held *held = holder_of(t, lock);
    if (held != NULL)
        *held = t->held[--t->held_count];
    close();
}
