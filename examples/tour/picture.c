/* Timelines: a lane for each runner, time from left to right.
 *
 * Who runs is a high bar in the colour of its processor, who waits for a lock a lower, hatched one,
 * who waits for something else a thin one: so they differ in height, not in colour alone.
 *
 * All that is horizontal is a share of the picture's width, all that is vertical in pixels, and
 * texts are never scaled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

enum {
    LANE = 22,
    AXIS = 20,
    RUN_HEIGHT = 16,
    LOCK_HEIGHT = 10,
    WAIT_HEIGHT = 3,
    COLOURS = 8,
    LINKS_MANY = 40,
    HINTS_MOST = 150, /* with more bars than this nobody finds the one that he means */
};

#define NARROW 0.3 /* percent */

static double share(const struct timeline *timeline, kr_time at)
{
    double whole = (double)(timeline->to - timeline->from);
    return whole > 0 ? 100 * (double)(at - timeline->from) / whole : 0;
}

/* 1, 2 or 5 times a power of ten: some four of them make the whole. */
static kr_time step_of(kr_time whole)
{
    static const int factors[] = {2, 5, 10};
    kr_time step = 1, power = 1;
    for (int i = 0; whole / step > 5; i++) {
        step = power * factors[i % 3];
        if (i % 3 == 2)
            power = step;
    }
    return step;
}

static void write_axis(FILE *out, const struct timeline *timeline)
{
    kr_time whole = timeline->to - timeline->from, step = step_of(whole);
    int bottom = LANE * timeline->lane_count;
    double unit = step >= 1000000000 ? 1e9 : step >= 1000000 ? 1e6 : step >= 1000 ? 1e3 : 1;
    const char *name = unit > 1e8 ? "s" : unit > 1e5 ? "ms" : unit > 1e2 ? "µs" : "ns";
    bool odd = false; /* left out where there is little room */
    for (kr_time at = 0; at <= whole; at += step, odd = !odd) {
        double x = share(timeline, timeline->from + at);
        fprintf(out,
                "<line class='grid' x1='%.2f%%' x2='%.2f%%' y1='0' y2='%d'/>"
                "<text class='tick%s' x='%.2f%%' y='%d' text-anchor='%s'>%g %s</text>\n",
                x, x, bottom + 4, odd ? " odd" : "", x, bottom + 16,
                x < 4    ? "start"
                : x > 94 ? "end"
                         : "middle",
                (double)at / unit, name);
    }
}

static void write_span(FILE *out, const struct timeline *timeline, const struct span *span)
{
    int height = span->state == RUNS    ? RUN_HEIGHT
                 : span->state == WAITS ? WAIT_HEIGHT
                                        : LOCK_HEIGHT;
    double x = share(timeline, span->from), width = share(timeline, span->to) - x;
    char kind[8] = "wait", length[32];
    if (span->state == RUNS)
        snprintf(kind, sizeof kind, "c%d", span->core < 0 ? 0 : span->core % COLOURS);
    fprintf(out, "<rect class='%s' x='%.3f%%' y='%.1f' height='%d'",
            span->state == WAITS_LOCK ? "lock" : kind, x, span->lane * LANE + (LANE - height) / 2.0,
            height);
    if (width < NARROW)
        fputs(" width='1.5'", out); /* pixels: it is to be seen on any screen */
    else
        fprintf(out, " width='%.3f%%'", width);
    if (timeline->span_count > HINTS_MOST) {
        fputs("/>\n", out);
        return;
    }
    time_text(length, sizeof length, (double)(span->to - span->from) / 1e9);
    if (span->state == RUNS && span->core >= 0)
        fprintf(out, "><title>runs for %s on processor %d</title></rect>\n", length, span->core);
    else
        fprintf(out, "><title>%s for %s</title></rect>\n",
                span->state == RUNS    ? "runs"
                : span->state == WAITS ? "waits"
                                       : "waits for the lock",
                length);
}

/* Those that follow each other so closely that nothing would be seen between them are one. */
static void write_spans(FILE *out, const struct timeline *timeline, enum state state)
{
    kr_time least = (timeline->to - timeline->from) / 2000;
    struct span open[LANES_MOST];
    bool is_open[LANES_MOST] = {false};
    for (size_t i = 0; i < timeline->span_count; i++) {
        const struct span *span = &timeline->spans[i];
        struct span *last = &open[span->lane];
        if (span->state != state)
            continue;
        if (is_open[span->lane] && span->core == last->core && span->from - last->to < least) {
            last->to = span->to > last->to ? span->to : last->to;
            continue;
        }
        if (is_open[span->lane])
            write_span(out, timeline, last);
        *last = *span;
        is_open[span->lane] = true;
    }
    for (int lane = 0; lane < timeline->lane_count; lane++) {
        if (is_open[lane])
            write_span(out, timeline, &open[lane]);
    }
}

static void write_links(FILE *out, const struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->link_count; i++) {
        const struct link *link = &timeline->links[i];
        double x = share(timeline, link->at);
        int from = link->from * LANE + LANE / 2, to = link->to * LANE + LANE / 2;
        fprintf(out,
                "<line class='link' x1='%.3f%%' x2='%.3f%%' y1='%d' y2='%d'/>"
                "<circle class='dot' cx='%.3f%%' cy='%d' r='%s'/>\n",
                x, x, from, to, x, to, timeline->link_count > LINKS_MANY ? "1.5" : "2.5");
    }
}

static void write_cores(FILE *out, uint64_t cores)
{
    const char *separator = "";
    for (int core = 0; core < 64; core++) {
        if (cores >> core & 1) {
            fprintf(out, "%s%d", separator, core);
            separator = ", ";
        }
    }
}

static void write_table(FILE *out, const struct timeline *timeline)
{
    char text[32];
    fputs("<details><summary>As a table</summary><div class='scroll'><table><thead><tr><th>who</th>"
          "<th>ran</th><th>on processors</th><th>waited</th><th>waits</th>"
          "<th>let go on most often by</th></tr></thead><tbody>\n",
          out);
    for (int i = 0; i < timeline->lane_count; i++) {
        const struct lane *lane = &timeline->lanes[i];
        fputs("<tr><td>", out);
        write_text(out, lane->name);
        fprintf(out, "</td><td>%s</td><td>", time_text(text, sizeof text, (double)lane->ran / 1e9));
        write_cores(out, lane->cores);
        fprintf(out, "</td><td>%s</td><td>%d</td><td class='words'>",
                time_text(text, sizeof text, (double)lane->waited / 1e9), lane->waits);
        write_text(out, lane->woken_by >= 0 ? timeline->lanes[lane->woken_by].name : "");
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table></div></details>\n", out);
}

static void write_caption(FILE *out, const struct way *way)
{
    const struct timeline *timeline = &way->timeline;
    char whole[32], part[32];
    time_text(whole, sizeof whole, (double)(timeline->end - timeline->begun) / 1e9);
    time_text(part, sizeof part, (double)(timeline->to - timeline->from) / 1e9);
    fputs("<figcaption><strong>", out);
    write_text(out, way->name);
    fprintf(out, "</strong>: %s", whole);
    if (timeline->from != timeline->begun || timeline->to != timeline->end)
        fprintf(out, ", of which %s from the middle are shown", part);
    if (timeline->left_out > 0)
        fprintf(out, "; %d more did the same", timeline->left_out);
    if (timeline->lost > 0)
        fprintf(out, "; the trace kept the newest events, %llu are missing",
                (unsigned long long)timeline->lost);
    fputs("</figcaption>\n", out);
}

void draw_timeline(struct page *page, const struct way *way)
{
    const struct timeline *timeline = &way->timeline;
    FILE *out = page->out;
    if (timeline->lane_count == 0 || timeline->span_count == 0)
        return;
    page->figures++;
    fputs("<figure class='timeline'>\n", out);
    write_caption(out, way);
    fputs("<div class='lanes'><ul>", out);
    for (int i = 0; i < timeline->lane_count; i++) {
        fputs("<li>", out);
        write_text(out, timeline->lanes[i].name);
        fputs("</li>", out);
    }
    fprintf(out, "</ul><svg class='%s' height='%d' role='img' aria-label='Who ran when: ",
            timeline->link_count > LINKS_MANY ? "crowded" : "plain",
            LANE * timeline->lane_count + AXIS);
    write_text(out, way->name);
    fputs("; the table below says the same'>\n", out);
    write_axis(out, timeline);
    write_spans(out, timeline, WAITS);
    write_spans(out, timeline, WAITS_LOCK);
    write_spans(out, timeline, RUNS);
    write_links(out, timeline);
    fputs("</svg></div>\n", out);
    write_table(out, timeline);
    fputs("</figure>\n", out);
}
