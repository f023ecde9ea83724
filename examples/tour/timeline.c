/* From the events of a trace to who ran where from when to when, and who let whom go on.
 *
 * Shown are those that have spans of the program's own, which stand around each piece of work, and
 * a thread that carries coroutines.  A thread runs in such a span while it does not wait: the trace
 * has waits.  A coroutine waits in it while it does not run: the trace has runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RUNNERS_MOST = 1024,
    SPANS_MANY = 1500, /* more than can be told apart: a piece from the middle is shown; so it is */
    NARROW_MANY = 300, /* with so many that are too short to be seen */
    NARROW_SHARE = 1000, /* of the whole */
    SPANS_SHOWN = 240,
    LINKS_MOST = 160,
};

/* What is used of an event. */
struct noted {
    int lane;
    uint32_t kind;
    bool lock;
    int core;
    kr_time at, end;
    uint64_t other; /* who ended a wait */
};

struct reading {
    struct timeline *timeline;
    struct lane *lanes; /* all, of which the first LANES_MOST are shown */
    int lane_count;
    kr_trace_event *events;
    size_t count, room;
    struct noted *noted;
    size_t noted_count;
    bool failed;
};

static kr_time begun;

int timeline_begin(void)
{
    int err = kr_trace_start(NULL);
    begun = kr_now();
    return err;
}

static void take_event(const kr_trace_event *event, void *arg)
{
    struct reading *reading = arg;
    if (event->kind != KR_TRACE_USER && event->kind != KR_TRACE_RUN &&
        event->kind != KR_TRACE_WAIT && event->kind != KR_TRACE_GIL_WAIT)
        return;
    if (reading->count == reading->room) {
        size_t room = 2 * reading->room + 1024;
        kr_trace_event *events = realloc(reading->events, room * sizeof *events);
        if (!events) {
            reading->failed = true;
            return;
        }
        reading->events = events;
        reading->room = room;
    }
    reading->events[reading->count++] = *event;
}

/* Lanes */

static int find_lane(const struct reading *reading, int process, uint64_t runner, int thread)
{
    for (int i = 0; i < reading->lane_count; i++) {
        const struct lane *lane = &reading->lanes[i];
        if (lane->process == process && lane->runner == runner &&
            (runner != 0 || lane->thread == thread))
            return i;
    }
    return -1;
}

static void name_lane(struct lane *lane, const kr_trace_event *event)
{
    bool other = lane->process != getpid();
    if (event->kind == KR_TRACE_USER && event->runner >> 32 != 0) {
        snprintf(lane->name, sizeof lane->name, "%s", event->name); /* a coroutine */
    } else if (!other && lane->thread == lane->process) {
        snprintf(lane->name, sizeof lane->name, "main thread");
    } else if (other &&
               kr_trace_name(lane->process, lane->process, true, lane->name, sizeof lane->name) ==
                   0 &&
               lane->name[0]) {
        return;
    } else if (kr_trace_name(lane->process, lane->thread, false, lane->name, sizeof lane->name) !=
                   0 ||
               !lane->name[0]) {
        snprintf(lane->name, sizeof lane->name, "thread %d", lane->thread);
    }
}

static void add_lane(struct reading *reading, const kr_trace_event *event, uint64_t runner)
{
    if (reading->lane_count == RUNNERS_MOST ||
        find_lane(reading, event->process, runner, event->thread) >= 0)
        return;
    struct lane *lane = &reading->lanes[reading->lane_count++];
    *lane = (struct lane){
        .process = event->process, .runner = runner, .thread = event->thread, .woken_by = -1};
    name_lane(lane, event);
}

/* Those that carry coroutines come first, then all in the order of their first piece of work. */
static void find_lanes(struct reading *reading)
{
    for (size_t i = 0; i < reading->count; i++) {
        if (reading->events[i].kind == KR_TRACE_RUN)
            add_lane(reading, &reading->events[i], 0);
    }
    for (size_t i = 0; i < reading->count; i++) {
        if (reading->events[i].kind == KR_TRACE_USER)
            add_lane(reading, &reading->events[i], reading->events[i].runner);
    }
}

static void note(struct reading *reading, int lane, const kr_trace_event *event)
{
    if (lane < 0 || lane >= LANES_MOST)
        return;
    struct noted *noted = &reading->noted[reading->noted_count++];
    *noted = (struct noted){.lane = lane,
                            .kind = event->kind,
                            .lock = event->kind == KR_TRACE_GIL_WAIT || strstr(event->name, "lock"),
                            .core = event->processor,
                            .at = event->at,
                            .end = event->at + event->duration,
                            .other = event->other};
}

static int by_lane_and_time(const void *left, const void *right)
{
    const struct noted *a = left, *b = right;
    if (a->lane != b->lane)
        return a->lane < b->lane ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static void sort_events(struct reading *reading)
{
    for (size_t i = 0; i < reading->count; i++) {
        const kr_trace_event *event = &reading->events[i];
        note(reading, find_lane(reading, event->process, event->runner, event->thread), event);
        if (event->kind == KR_TRACE_RUN)
            note(reading, find_lane(reading, event->process, 0, event->thread), event);
    }
    qsort(reading->noted, reading->noted_count, sizeof *reading->noted, by_lane_and_time);
}

/* Spans */

static void add_span(struct reading *reading, int lane, enum state state, int core, kr_time from,
                     kr_time to)
{
    struct timeline *timeline = reading->timeline;
    if (to <= from)
        return;
    timeline->spans[timeline->span_count++] = (struct span){lane, state, core, from, to};
    struct lane *owner = &timeline->lanes[lane];
    if (state == RUNS) {
        owner->ran += to - from;
        owner->cores |= core >= 0 && core < 64 ? UINT64_C(1) << core : 0;
    } else {
        owner->waited += to - from;
        owner->waits++;
    }
}

static void add_link(struct reading *reading, const struct noted *wait)
{
    struct timeline *timeline = reading->timeline;
    const struct lane *waiter = &timeline->lanes[wait->lane];
    int from = -1;
    for (int i = 0; i < timeline->lane_count && wait->other != 0; i++) {
        const struct lane *lane = &timeline->lanes[i];
        if (lane->runner == wait->other && (lane->process == waiter->process || from < 0))
            from = i;
    }
    if (from >= 0 && from != wait->lane)
        timeline->links[timeline->link_count++] = (struct link){from, wait->lane, wait->end};
}

/* What happened inside of one piece of work, [from, to): events of the lane from `first` on. */
static void cut_work(struct reading *reading, size_t first, const struct noted *work)
{
    bool coroutine = reading->timeline->lanes[work->lane].runner >> 32 != 0;
    kr_time at = work->at;
    for (size_t i = first; i < reading->noted_count; i++) {
        const struct noted *event = &reading->noted[i];
        if (event->lane != work->lane || event->at >= work->end)
            break;
        if (event->kind == KR_TRACE_USER || event->end <= at ||
            coroutine != (event->kind == KR_TRACE_RUN))
            continue;
        kr_time begin = event->at > at ? event->at : at;
        kr_time end = event->end < work->end ? event->end : work->end;
        add_span(reading, work->lane, coroutine ? WAITS : RUNS, event->core, at, begin);
        add_span(reading, work->lane,
                 coroutine     ? RUNS
                 : event->lock ? WAITS_LOCK
                               : WAITS,
                 event->core, begin, end);
        if (!coroutine)
            add_link(reading, event);
        at = end;
    }
    add_span(reading, work->lane, coroutine ? WAITS : RUNS, work->core, at, work->end);
}

/* The events of a lane before `work` that may reach into it. */
static size_t first_of(const struct reading *reading, size_t work)
{
    size_t first = work;
    while (first > 0 && reading->noted[first - 1].lane == reading->noted[work].lane &&
           reading->noted[first - 1].end > reading->noted[work].at)
        first--;
    return first;
}

static void make_spans(struct reading *reading)
{
    kr_time end = 0; /* of the piece of work before, in whose midst another may have begun */
    for (size_t i = 0; i < reading->noted_count; i++) {
        const struct noted *event = &reading->noted[i];
        const struct lane *lane = &reading->timeline->lanes[event->lane];
        if (i == 0 || event->lane != reading->noted[i - 1].lane)
            end = 0;
        if (event->kind == KR_TRACE_RUN && lane->runner == 0) {
            add_span(reading, event->lane, RUNS, event->core, event->at, event->end);
        } else if (event->kind == KR_TRACE_USER && event->at >= end) {
            cut_work(reading, first_of(reading, i), event);
            end = event->end;
        }
    }
}

/* Who let each lane go on most often. */
static void find_wakers(struct timeline *timeline)
{
    for (int to = 0; to < timeline->lane_count; to++) {
        int counts[LANES_MOST] = {0}, most = -1;
        for (size_t i = 0; i < timeline->link_count; i++) {
            if (timeline->links[i].to == to)
                counts[timeline->links[i].from]++;
        }
        for (int from = 0; from < timeline->lane_count; from++) {
            if (counts[from] > 0 && (most < 0 || counts[from] > counts[most]))
                most = from;
        }
        timeline->lanes[to].woken_by = most;
    }
}

/* Where there is more than can be told apart, a piece from the middle is shown. */

static int by_time(const void *left, const void *right)
{
    const struct span *a = left, *b = right;
    return (a->from > b->from) - (a->from < b->from);
}

static size_t count_narrow(const struct timeline *timeline)
{
    kr_time least = (timeline->to - timeline->from) / NARROW_SHARE;
    size_t count = 0;
    for (size_t i = 0; i < timeline->span_count; i++)
        count += timeline->spans[i].to - timeline->spans[i].from < least;
    return count;
}

static void narrow(struct timeline *timeline)
{
    size_t kept = 0, links = 0;
    qsort(timeline->spans, timeline->span_count, sizeof *timeline->spans, by_time);
    if (timeline->span_count > SPANS_MANY || count_narrow(timeline) > NARROW_MANY) {
        size_t middle = timeline->span_count / 2;
        timeline->from = timeline->spans[middle - SPANS_SHOWN / 2].from;
        timeline->to = timeline->spans[middle + SPANS_SHOWN / 2].from;
    }
    for (size_t i = 0; i < timeline->span_count; i++) {
        struct span span = timeline->spans[i];
        span.from = span.from < timeline->from ? timeline->from : span.from;
        span.to = span.to > timeline->to ? timeline->to : span.to;
        if (span.to > span.from)
            timeline->spans[kept++] = span;
    }
    timeline->span_count = kept;
    for (size_t i = 0; i < timeline->link_count && links < LINKS_MOST; i++) {
        const struct link *link = &timeline->links[i];
        if (link->at >= timeline->from && link->at <= timeline->to)
            timeline->links[links++] = *link;
    }
    timeline->link_count = links;
}

static int make(struct reading *reading)
{
    struct timeline *timeline = reading->timeline;
    find_lanes(reading);
    timeline->lane_count = reading->lane_count < LANES_MOST ? reading->lane_count : LANES_MOST;
    timeline->left_out = reading->lane_count - timeline->lane_count;
    memcpy(timeline->lanes, reading->lanes, (size_t)timeline->lane_count * sizeof *reading->lanes);
    /* A run is noted twice, and each event ends one span and begins another, at most. */
    reading->noted = calloc(2 * reading->count + 1, sizeof *reading->noted);
    timeline->spans = calloc(6 * reading->count + 1, sizeof *timeline->spans);
    timeline->links = calloc(2 * reading->count + 1, sizeof *timeline->links);
    if (!reading->noted || !timeline->spans || !timeline->links)
        return -ENOMEM;
    sort_events(reading);
    make_spans(reading);
    find_wakers(timeline);
    narrow(timeline);
    return 0;
}

int timeline_end(struct timeline *timeline)
{
    struct reading reading = {.timeline = timeline};
    kr_trace_totals totals = {.lost = 0};
    kr_time end = kr_now();
    int err = kr_trace_stop();
    *timeline = (struct timeline){.from = begun, .to = end, .begun = begun, .end = end};
    reading.lanes = calloc(RUNNERS_MOST, sizeof *reading.lanes);
    if (!err && !reading.lanes)
        err = -ENOMEM;
    if (!err)
        err = kr_trace_visit(take_event, &reading);
    if (!err && kr_trace_about(&totals) == 0)
        timeline->lost = totals.lost;
    if (!err)
        err = reading.failed ? -ENOMEM : make(&reading);
    free(reading.lanes);
    free(reading.events);
    free(reading.noted);
    if (err)
        timeline_free(timeline);
    return err;
}

void timeline_free(struct timeline *timeline)
{
    free(timeline->spans);
    free(timeline->links);
    timeline->spans = NULL;
    timeline->links = NULL;
    timeline->lane_count = 0;
}
