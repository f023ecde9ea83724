/* From the events of a lock's log to who was what from when to when.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <stdlib.h>
#include <string.h>

enum { EVENTS_MOST = 1 << 20 };

struct reading {
    struct panel *panel;
    uint64_t threads[ROWS_MOST]; /* whose rows they are */
    struct span open[ROWS_MOST]; /* of each, what it has begun to be */
    bool known[ROWS_MOST];       /* is anything open? */
};

static int row_of(struct reading *reading, const kr_gil_event *event)
{
    struct panel *panel = reading->panel;
    int row = 0;
    while (row < panel->rows && reading->threads[row] != event->thread)
        row++;
    if (row == panel->rows) {
        if (row == ROWS_MOST)
            return -1;
        reading->threads[row] = event->thread;
        snprintf(panel->names[row], sizeof panel->names[row], "%s", event->name);
        panel->rows++;
    }
    return row;
}

/* What is seen of a span, if anything is, becomes one of the panel's. */
static void end_span(struct reading *reading, int row, kr_time at)
{
    struct panel *panel = reading->panel;
    struct span span = reading->open[row];
    if (!reading->known[row])
        return;
    reading->known[row] = false;
    span.from = span.from < panel->from ? panel->from : span.from;
    span.to = at > panel->to ? panel->to : at;
    if (span.to > span.from)
        panel->spans[panel->count++] = span;
}

static void read_event(struct reading *reading, const kr_gil_event *event)
{
    int row = row_of(reading, event);
    if (row < 0 || event->what == KR_GIL_ASKED)
        return; /* goes on running */
    if (event->what == KR_GIL_WAITS && reading->known[row] && reading->open[row].state == WAITING)
        return; /* since it dropped the lock */
    end_span(reading, row, event->time);
    if (event->what == KR_GIL_LEAVES)
        return;
    reading->known[row] = true;
    reading->open[row] = (struct span){.row = row,
                                       .state = event->what == KR_GIL_TAKES    ? RUNNING
                                                : event->what == KR_GIL_BLOCKS ? BLOCKED
                                                                               : WAITING,
                                       .from = event->time};
}

/* Rows of those who did nothing meanwhile but wait for something else are left out, the others are
 * in the order of their names. */
static void order_rows(struct panel *panel)
{
    struct panel old = *panel;
    bool idle[ROWS_MOST];
    int place[ROWS_MOST];
    for (int row = 0; row < old.rows; row++)
        idle[row] = true;
    for (size_t i = 0; i < old.count; i++)
        idle[old.spans[i].row] &= old.spans[i].state == BLOCKED;
    panel->rows = 0;
    for (int row = 0; row < old.rows; row++) {
        panel->rows += !idle[row];
        place[row] = 0;
        for (int i = 0; i < old.rows; i++) {
            int order = strcmp(old.names[i], old.names[row]);
            place[row] += !idle[i] && (order < 0 || (order == 0 && i < row));
        }
        if (!idle[row])
            memcpy(panel->names[place[row]], old.names[row], sizeof old.names[row]);
    }
    panel->count = 0;
    for (size_t i = 0; i < old.count; i++) {
        struct span span = old.spans[i];
        if (idle[span.row])
            continue;
        span.row = place[span.row];
        panel->spans[panel->count++] = span;
    }
}

int read_timeline(kr_gil *gil, struct panel *panel)
{
    struct reading reading = {.panel = panel};
    kr_gil_event *events = malloc(EVENTS_MOST * sizeof *events);
    size_t count = events ? kr_gil_log(gil, events, EVENTS_MOST) : 0;
    panel->spans = malloc((count + ROWS_MOST) * sizeof *panel->spans);
    if (!events || !panel->spans) {
        free(events);
        return -ENOMEM;
    }
    if (panel->to == 0 && count > 0) {
        panel->from = events[0].time;
        panel->to = events[count - 1].time;
    }
    for (size_t i = 0; i < count; i++)
        read_event(&reading, &events[i]);
    for (int row = 0; row < panel->rows; row++)
        end_span(&reading, row, panel->to);
    order_rows(panel);
    free(events);
    return 0;
}
