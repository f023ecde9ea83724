/* The picture of a lock: a row for each thread, time from left to right.
 *
 * Who runs is a high, full bar; who waits for the lock a lower, hatched one; who is blocked by
 * something else a thin line: so the three differ in height and brightness, too, not in colour
 * alone.  The colours are of the palette by Okabe and Ito, which colour-blind people can tell
 * apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <string.h>

enum {
    WIDTH = 1040,
    LEFT = 120,  /* of the bars: the names stand there */
    RIGHT = 890, /* and to the right of this how long each has waited */
    HEAD = 62,   /* the legend's height */
    TITLE = 46,  /* of a panel */
    ROW = 36,
    AXIS = 52,
    RUNNING_HEIGHT = 26,
    WAITING_HEIGHT = 14,
    BLOCKED_HEIGHT = 2,
};

static const char style[] =
    "<style>\n"
    "text { font-family: 'DejaVu Sans', Verdana, sans-serif; font-size: 13px; fill: #222 }\n"
    ".title { font-size: 16px; font-weight: bold }\n"
    ".name { text-anchor: end }\n"
    ".tick { text-anchor: middle; font-size: 12px }\n"
    ".grid { stroke: #ccc; stroke-width: 1 }\n"
    ".axis { stroke: #222; stroke-width: 1 }\n"
    ".running { fill: #0072b2 }\n"
    ".waiting { fill: url(#hatch) }\n"
    ".blocked { fill: #888 }\n"
    "</style>\n"
    "<defs><pattern id='hatch' width='6' height='6' patternUnits='userSpaceOnUse' "
    "patternTransform='rotate(45)'><rect width='6' height='6' fill='#f7d58c'/>"
    "<rect width='3' height='6' fill='#e69f00'/></pattern></defs>\n";

static const struct look {
    const char *name, *words;
    int height;
} looks[] = {
    [RUNNING] = {"running", "holds the lock and runs", RUNNING_HEIGHT},
    [WAITING] = {"waiting", "waits for the lock", WAITING_HEIGHT},
    [BLOCKED] = {"blocked", "blocked elsewhere, without the lock", BLOCKED_HEIGHT},
};

static void write_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        const char *name = *text == '&'   ? "&amp;"
                           : *text == '<' ? "&lt;"
                           : *text == '>' ? "&gt;"
                                          : NULL;
        if (name)
            fputs(name, out);
        else
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

static void write_label(FILE *out, const char *class, double x, double y, const char *text)
{
    fprintf(out, "<text class='%s' x='%.1f' y='%.1f'>", class, x, y);
    write_text(out, text);
    fputs("</text>\n", out);
}

static void write_bar(FILE *out, enum state state, double x, double middle, double width)
{
    int height = looks[state].height;
    fprintf(out, "<rect class='%s' x='%.2f' y='%.1f' width='%.2f' height='%d'/>\n",
            looks[state].name, x, middle - height / 2.0, width, height);
}

static void write_legend(FILE *out)
{
    static const double at[] = {[RUNNING] = LEFT, [WAITING] = 350, [BLOCKED] = 550};
    for (int state = RUNNING; state <= BLOCKED; state++) {
        write_bar(out, (enum state)state, at[state], 34, 34);
        write_label(out, "legend", at[state] + 42, 38.5, looks[state].words);
    }
}

/* 1, 2 or 5 times a power of ten: some ten of them make the whole. */
static kr_time step_of(kr_time whole)
{
    static const int factors[] = {2, 5, 10};
    kr_time step = 1000, power = step;
    for (int i = 0; whole / step > 12; i++) {
        step = power * factors[i % 3];
        if (i % 3 == 2)
            power = step;
    }
    return step;
}

static double place(const struct panel *panel, kr_time time)
{
    return LEFT +
           (RIGHT - LEFT) * ((double)(time - panel->from) / (double)(panel->to - panel->from));
}

static void write_axis(FILE *out, const struct panel *panel, double top, double bottom)
{
    kr_time whole = panel->to - panel->from, step = step_of(whole);
    const char *unit = step >= 1000000000 ? "s" : step >= 1000000 ? "ms" : "µs";
    double one = step >= 1000000000 ? 1e9 : step >= 1000000 ? 1e6 : 1e3;
    for (kr_time at = 0; at <= whole; at += step) {
        char number[32];
        double x = place(panel, panel->from + at);
        snprintf(number, sizeof number, "%g", (double)at / one);
        fprintf(out, "<line class='grid' x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f'/>\n", x, top, x,
                bottom + 5);
        write_label(out, "tick", x, bottom + 20, number);
    }
    fprintf(out, "<line class='axis' x1='%d' y1='%.1f' x2='%d' y2='%.1f'/>\n", LEFT, bottom, RIGHT,
            bottom);
    char words[32];
    snprintf(words, sizeof words, "time in %s", unit);
    write_label(out, "axis-name", RIGHT + 12, bottom + 20, words);
}

/* How often it had to wait for the lock, and the longest. */
static void write_waits(FILE *out, const struct panel *panel, int row, double middle)
{
    kr_time longest = 0;
    char words[64];
    for (size_t i = 0; i < panel->count; i++) {
        const struct span *span = &panel->spans[i];
        if (span->row == row && span->state == WAITING && span->to - span->from > longest)
            longest = span->to - span->from;
    }
    snprintf(words, sizeof words, "waited ≤ %.2f ms", (double)longest / 1e6);
    write_label(out, "waited", RIGHT + 12, middle + 4.5, words);
}

/* Bars that are too narrow to be seen are drawn wider. */
static void write_one(FILE *out, enum state state, double top, int row, double x, double end)
{
    write_bar(out, state, x, top + ROW * row + ROW / 2.0, end - x < 0.8 ? 0.8 : end - x);
}

/* All of a state; those between which nothing could be seen, and nobody else ran, become one. */
static void write_bars_of(FILE *out, const struct panel *panel, double top, enum state state)
{
    struct {
        double x, end; /* none: x < 0 */
    } bars[ROWS_MOST];
    int last = -1;
    for (int row = 0; row < panel->rows; row++)
        bars[row].x = -1;
    for (size_t i = 0; i < panel->count; i++) {
        const struct span *span = &panel->spans[i];
        int row = span->row;
        double x = place(panel, span->from);
        if (span->state != state)
            continue;
        bool alone = state != RUNNING || row == last;
        last = row;
        if (bars[row].x < 0 || !alone || x - bars[row].end > 0.3) {
            if (bars[row].x >= 0)
                write_one(out, state, top, row, bars[row].x, bars[row].end);
            bars[row].x = x;
        }
        bars[row].end = place(panel, span->to);
    }
    for (int row = 0; row < panel->rows; row++) {
        if (bars[row].x >= 0)
            write_one(out, state, top, row, bars[row].x, bars[row].end);
    }
}

/* Those that run above all others. */
static void write_bars(FILE *out, const struct panel *panel, double top)
{
    static const enum state order[] = {BLOCKED, WAITING, RUNNING};
    for (int i = 0; i < 3; i++)
        write_bars_of(out, panel, top, order[i]);
}

static double panel_height(const struct panel *panel)
{
    return TITLE + ROW * panel->rows + AXIS;
}

static void write_panel(FILE *out, const struct panel *panel, double top)
{
    double rows = top + TITLE, bottom = rows + ROW * panel->rows;
    write_label(out, "title", LEFT, top + 16, panel->title);
    write_label(out, "remark", LEFT, top + 36, panel->remark);
    write_axis(out, panel, rows, bottom);
    for (int row = 0; row < panel->rows; row++) {
        double middle = rows + ROW * row + ROW / 2.0;
        write_label(out, "name", LEFT - 12, middle + 4.5, panel->names[row]);
        write_waits(out, panel, row, middle);
    }
    write_bars(out, panel, rows);
}

int write_svg(const char *path, const struct panel *panels, int count)
{
    double height = HEAD;
    FILE *out = fopen(path, "we");
    if (!out)
        return -errno;
    for (int i = 0; i < count; i++)
        height += panel_height(&panels[i]);
    fprintf(out,
            "<?xml version='1.0' encoding='UTF-8'?>\n"
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%.0f' "
            "viewBox='0 0 %d %.0f'>\n<title>Who holds the interpreter lock</title>\n%s"
            "<rect width='%d' height='%.0f' fill='#fff'/>\n",
            WIDTH, height, WIDTH, height, style, WIDTH, height);
    write_legend(out);
    double top = HEAD;
    for (int i = 0; i < count; i++) {
        write_panel(out, &panels[i], top);
        top += panel_height(&panels[i]);
    }
    fputs("</svg>\n", out);
    bool failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? -EIO : 0;
}
