/* From what was noted to what happened: spans out of beginnings and ends, and who woke whom.
 *
 * The events come in order of time.  Each runner has a line, on which spans are nested; so have
 * each thread, for the coroutines that it runs, and each interpreter lock, for its holders.  A line
 * knows its innermost open span, each open span the one around it.
 *
 * Where an end has no beginning, that one was overwritten: the span is taken to begin with the
 * oldest event that its ring still has.  Where a beginning has no end, it lasts until the last that
 * is known of its process, if that is over, and until the end of the trace otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

/* Kinds of entries; a process stands in the upper half of the kind. */
enum { LINE = 1, THREAD_RUNS, GIL, WOKEN, GIVEN, SUBMITTED, STARTED, PROCESS, RING, FUNCTION };

typedef struct kri_matching {
    kri_trace_book *book;
    kri_trace_table table;
    size_t *around; /* of each item: the open span around it, + 1 */
    size_t room;
    uint64_t flows;
    const kri_trace_found *now;
    uint32_t process;
    uint32_t thread;
    bool failed;
} matching;

static kri_trace_entry *entry(matching *m, uint32_t process, unsigned kind, uint64_t key)
{
    kri_trace_entry *e = kri_trace_entry_of(&m->table, (uint64_t)process << 32 | kind, key);
    m->failed = m->failed || e == NULL;
    return e;
}

static uint64_t field(const matching *m, int which)
{
    return m->now->copy.fields[which];
}

static uint64_t runner_now(const matching *m)
{
    uint64_t runner = field(m, KRI_TRACE_RUNNER);
    return runner != 0 ? runner : m->thread;
}

static kri_trace_item *add(matching *m, unsigned kind)
{
    kri_trace_item *item = &m->book->items[m->book->count++];
    uint64_t what = field(m, KRI_TRACE_WHAT);
    uint64_t object = field(m, KRI_TRACE_OBJECT);
    *item = (kri_trace_item){.event = {.at = (kr_time)field(m, KRI_TRACE_AT),
                                       .kind = kind,
                                       .process = (int32_t)m->process,
                                       .thread = (int32_t)m->thread,
                                       .processor = (int32_t)(what >> 16 & 0xffff) - 1,
                                       .runner = runner_now(m),
                                       .object = object,
                                       .other = field(m, KRI_TRACE_OTHER),
                                       .shared = (object & KRI_TRACE_SHARED_ID) != 0}};
    memcpy(item->event.name, m->now->copy.name, sizeof item->event.name);
    return item;
}

/* Spans. */

static void open_span(matching *m, kri_trace_entry *line, kri_trace_item *item)
{
    size_t index = (size_t)(item - m->book->items);
    item->event.unfinished = true;
    m->around[index] = line->value;
    line->value = index + 1;
}

static void close_span(kri_trace_item *item, kr_time at)
{
    item->event.duration = at > item->event.at ? at - item->event.at : 1;
    item->event.unfinished = false;
}

static bool fits(const kri_trace_item *item, unsigned kind, uint64_t object)
{
    return item->event.kind == kind && item->event.object == object;
}

/* The innermost that fits; those inside it, whose ends were lost, are over as well. */
static kri_trace_item *close_innermost(matching *m, kri_trace_entry *line, unsigned kind,
                                       uint64_t object, kr_time at)
{
    size_t found = line->value;
    while (found != 0 && !fits(&m->book->items[found - 1], kind, object))
        found = m->around[found - 1];
    if (found == 0)
        return NULL;
    for (size_t i = line->value; i != found; i = m->around[i - 1])
        close_span(&m->book->items[i - 1], at);
    line->value = m->around[found - 1];
    close_span(&m->book->items[found - 1], at);
    return &m->book->items[found - 1];
}

/* Arrows. */

static void flow(matching *m, size_t from, kri_trace_item *to, bool to_end)
{
    kri_trace_item *source = &m->book->items[from];
    if (source->flow_from == 0)
        source->flow_from = ++m->flows;
    to->flow_to = source->flow_from;
    to->to_end = to_end;
}

/* So that an arrow leads from here to who asks with the same key later. */
static void leave_mark(matching *m, uint32_t process, unsigned kind, uint64_t key,
                       const kri_trace_item *item)
{
    kri_trace_entry *e = entry(m, process, kind, key);
    if (e != NULL)
        e->value = (size_t)(item - m->book->items) + 1;
}

/* The item that has left the mark, which is taken away; NULL: nobody has. */
static kri_trace_item *take_mark(matching *m, uint32_t process, unsigned kind, uint64_t key)
{
    kri_trace_entry *e = entry(m, process, kind, key);
    if (e == NULL || e->value == 0)
        return NULL;
    kri_trace_item *item = &m->book->items[e->value - 1];
    e->value = 0;
    return item;
}

static void come_from(matching *m, uint32_t process, unsigned kind, uint64_t key,
                      kri_trace_item *item, bool to_end)
{
    kri_trace_item *source = take_mark(m, process, kind, key);
    if (source != NULL)
        flow(m, (size_t)(source - m->book->items), item, to_end);
}

static uint32_t process_of_object(const matching *m, uint64_t object)
{
    return object & KRI_TRACE_SHARED_ID ? 0 : m->process;
}

/* Events. */

static kri_trace_entry *line_of(matching *m, unsigned kind)
{
    return kind == KR_TRACE_GIL_HELD ? entry(m, m->process, GIL, field(m, KRI_TRACE_OBJECT))
                                     : entry(m, m->process, LINE, runner_now(m));
}

/* The lock has one holder. */
static void begin_to_hold(matching *m, kri_trace_entry *line, kri_trace_item *item)
{
    uint64_t giver = item->event.runner;
    uint64_t holder = item->event.other;
    if (line->value != 0)
        (void)close_innermost(m, line, KR_TRACE_GIL_HELD, item->event.object, item->event.at);
    item->event.runner = holder;
    item->event.other = 0;
    open_span(m, line, item);
    if (giver == holder)
        return;
    kri_trace_entry *woken = entry(m, m->process, GIVEN, holder);
    if (woken != NULL) {
        woken->value = (size_t)(item - m->book->items) + 1;
        woken->more = giver;
    }
}

static void begins(matching *m, unsigned kind)
{
    kri_trace_item *item = add(m, kind);
    uint64_t object = item->event.object;
    kri_trace_entry *line = line_of(m, kind);
    if (line == NULL)
        return;
    if (kind == KR_TRACE_GIL_HELD) {
        begin_to_hold(m, line, item);
        return;
    }
    open_span(m, line, item);
    if (kind == KR_TRACE_TASK)
        come_from(m, process_of_object(m, object), SUBMITTED, object, item, false);
    else if (kind == KR_TRACE_THREAD || kind == KR_TRACE_PROCESS)
        come_from(m, process_of_object(m, object), STARTED, object, item, false);
}

/* Who has woken it since its last wait? */
static void note_waker(matching *m, kri_trace_item *item)
{
    unsigned kind = item->event.kind == KR_TRACE_GIL_WAIT ? GIVEN : WOKEN;
    kri_trace_entry *woken = entry(m, m->process, kind, item->event.runner);
    if (woken == NULL || woken->value == 0)
        return;
    item->event.other = woken->more;
    flow(m, woken->value - 1, item, true);
    woken->value = 0;
}

static void ends(matching *m, unsigned kind)
{
    uint64_t object = field(m, KRI_TRACE_OBJECT);
    kr_time at = (kr_time)field(m, KRI_TRACE_AT);
    kri_trace_entry *line = line_of(m, kind);
    if (line == NULL)
        return;
    kri_trace_item *item = close_innermost(m, line, kind, object, at);
    if (item == NULL && kind == KR_TRACE_GIL_HELD)
        return; /* handed over: the next holder has said so before */
    if (item == NULL) {
        const kri_trace_entry *ring = entry(m, 0, RING, m->now->ring + 1);
        if (ring == NULL || ring->more == 1)
            return; /* nothing is lost there: it began before the trace, or never */
        item = add(m, kind);
        item->event.at = (kr_time)ring->value;
        item->event.name[0] = 0;
        close_span(item, at);
        item->event.unfinished = true;
    }
    if (kind == KR_TRACE_WAIT || kind == KR_TRACE_GIL_WAIT)
        note_waker(m, item);
}

/* The thread goes over to a coroutine, or to itself. */
static void runs(matching *m)
{
    kri_trace_entry *line = entry(m, m->process, THREAD_RUNS, m->thread);
    if (line == NULL)
        return;
    if (line->value != 0)
        close_span(&m->book->items[line->value - 1], (kr_time)field(m, KRI_TRACE_AT));
    line->value = 0;
    uint64_t runner = field(m, KRI_TRACE_OBJECT);
    if (runner == 0)
        return;
    kri_trace_item *item = add(m, KR_TRACE_RUN);
    item->event.runner = runner;
    item->event.object = 0;
    open_span(m, line, item);
}

static void happens(matching *m, unsigned kind)
{
    if (kind == KR_TRACE_RUN) {
        runs(m);
        return;
    }
    const kri_trace_item *item = add(m, kind);
    const kr_trace_event *e = &item->event;
    if (kind == KR_TRACE_SUBMIT)
        leave_mark(m, process_of_object(m, e->object), SUBMITTED, e->object, item);
    if (kind == KR_TRACE_START)
        leave_mark(m, process_of_object(m, e->object), STARTED, e->object, item);
    if (kind != KR_TRACE_WAKE || e->other == 0)
        return;
    kri_trace_entry *woken = entry(m, m->process, WOKEN, e->other);
    if (woken != NULL) {
        woken->value = (size_t)(item - m->book->items) + 1;
        woken->more = e->runner;
    }
}

static void see(matching *m, const kri_trace_found *found)
{
    const kri_trace_ring *ring = &m->book->area->rings[found->ring];
    uint64_t owner = kri_load_rlx64(&ring->owner) & ~KRI_TRACE_ENDED;
    uint64_t what = found->copy.fields[KRI_TRACE_WHAT];
    uint64_t at = found->copy.fields[KRI_TRACE_AT];
    unsigned kind = what & 0xff;
    m->now = found;
    m->process = (uint32_t)(owner >> 32);
    m->thread = (uint32_t)owner;
    kri_trace_entry *oldest = entry(m, 0, RING, found->ring + 1);
    if (oldest != NULL && oldest->value == 0) {
        oldest->value = at;
        oldest->more = found->copy.number;
    }
    kri_trace_entry *last = entry(m, 0, PROCESS, m->process);
    if (last != NULL)
        last->value = at;
    if (kind == KR_TRACE_NONE || kind >= KR_TRACE_KINDS)
        return;
    switch (what >> 8 & 3) {
    case KRI_TRACE_BEGIN:
        begins(m, kind);
        break;
    case KRI_TRACE_END:
        ends(m, kind);
        break;
    default:
        happens(m, kind);
    }
}

/* What is left open. */
static void finish(matching *m)
{
    for (size_t i = 0; i < m->book->count && !m->failed; i++) {
        kr_trace_event *e = &m->book->items[i].event;
        if (!e->unfinished || e->duration != 0)
            continue;
        kri_trace_entry *last = entry(m, 0, PROCESS, (uint32_t)e->process);
        if (last == NULL)
            return;
        if (last->more == 0)
            last->more = 1 + os_process_ended(e->process);
        kr_time end = last->more == 2 ? (kr_time)last->value : m->book->end;
        e->duration = end > e->at ? end - e->at : 1;
    }
}

static void name_function(kr_trace_event *e, uint64_t function)
{
    const void *address = (const void *)(uintptr_t)function;
    char text[128];
    os_describe_function(address, text, sizeof text);
    snprintf(e->name, sizeof e->name, "%.*s", (int)sizeof e->name - 1, text);
}

/* Tasks are called as their functions are.  In another process those may lie elsewhere. */
static void name_task(matching *m, kr_trace_event *e)
{
    uint64_t here = kri_load_rlx64(&kri_trace_image);
    uint64_t there = kri_trace_image_of(m->book->area, e->process);
    uint64_t function = e->other - (there != 0 ? there : here) + here;
    kri_trace_entry *known = entry(m, 0, FUNCTION, function);
    if (known == NULL)
        return;
    if (known->value != 0) {
        memcpy(e->name, m->book->items[known->value - 1].event.name, sizeof e->name);
        return;
    }
    name_function(e, function);
    known->value = (size_t)((kri_trace_item *)(void *)e - m->book->items) + 1;
}

static void name_tasks(matching *m)
{
    for (size_t i = 0; i < m->book->count && !m->failed; i++) {
        kr_trace_event *e = &m->book->items[i].event;
        bool of_task = e->kind == KR_TRACE_TASK || e->kind == KR_TRACE_SUBMIT;
        if (of_task && e->name[0] == 0 && e->other != 0)
            name_task(m, e);
    }
}

static int compare(const void *a, const void *b)
{
    const kri_trace_item *x = a, *y = b;
    if (x->event.at != y->event.at)
        return x->event.at < y->event.at ? -1 : 1;
    return x->event.duration > y->event.duration ? -1 : x->event.duration < y->event.duration;
}

int kri_trace_match(kri_trace_book *book, const kri_trace_found *found, size_t count)
{
    matching m = {.book = book};
    book->items = os_alloc((count + 1) * sizeof *book->items);
    m.around = os_alloc((count + 1) * sizeof *m.around);
    m.failed = book->items == NULL || m.around == NULL;
    for (size_t i = 0; i < count && !m.failed; i++)
        see(&m, &found[i]);
    if (!m.failed)
        finish(&m);
    if (!m.failed)
        name_tasks(&m);
    if (!m.failed)
        qsort(book->items, book->count, sizeof *book->items, compare);
    kri_trace_table_free(&m.table);
    os_free(m.around);
    return m.failed ? -ENOMEM : 0;
}
