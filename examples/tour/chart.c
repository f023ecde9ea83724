/* Bars: a row of text and one inline SVG each, whose widths are shares of the row's.
 *
 * So they are as wide as the page, and their labels as large as its text, on any screen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../bar.h"
#include "tour.h"

static void write_row(FILE *out, const char *name, const char *value, const char *remark,
                      double share, const char *kind)
{
    fputs("<div class='row'><span>", out);
    write_text(out, name);
    fprintf(out,
            "</span><svg height='18' aria-hidden='true'><rect class='track' width='100%%' "
            "height='18' rx='3'/><rect class='%s' width='%.2f%%' height='18' rx='3'/></svg>"
            "<span class='value'>",
            kind, share * 100 < 0.4 ? 0.4 : share * 100);
    write_text(out, value);
    if (remark[0]) {
        fputs(" <small>", out);
        write_text(out, remark);
        fputs("</small>", out);
    }
    fputs("</span></div>\n", out);
}

static const char *reason(const struct way *way)
{
    return way->error == -ETIME ? "no time was left" : kr_strerror(way->error);
}

static void write_table(FILE *out, const struct chapter *chapter)
{
    char time[32], busy[32];
    fputs("<details><summary>As a table</summary><div class='scroll'><table><thead><tr>"
          "<th>way</th><th>time</th><th>times as fast</th><th>processor time</th>",
          out);
    fprintf(out, "<th>%s a second</th><th></th></tr></thead><tbody>\n", chapter->unit);
    for (int i = 0; i < chapter->count; i++) {
        const struct way *way = &chapter->ways[i], *first = &chapter->ways[0];
        fputs("<tr><td>", out);
        write_text(out, way->name);
        if (way->error) {
            fputs("</td><td class='words' colspan='5'>left out: ", out);
            write_text(out, reason(way));
            fputs("</td></tr>\n", out);
            continue;
        }
        fprintf(out, "</td><td>%s</td>", time_text(time, sizeof time, way->seconds));
        if (first->error)
            fputs("<td></td>", out);
        else
            fprintf(out, "<td>%s</td>",
                    gain_text(time, sizeof time, first->seconds / way->seconds));
        fprintf(out, "<td>%s</td><td>%.4g</td><td class='words'>%s</td></tr>\n",
                time_text(busy, sizeof busy, way->busy), chapter->amount / way->seconds, way->note);
    }
    fputs("</tbody></table></div></details>\n", out);
}

void draw_bars(struct page *page, const struct chapter *chapter)
{
    double longest = 0, shortest = 0;
    char value[32], remark[80];
    for (int i = 0; i < chapter->count; i++) {
        const struct way *way = &chapter->ways[i];
        if (way->error)
            continue;
        longest = way->seconds > longest ? way->seconds : longest;
        if (!way->wrong)
            shortest = shortest <= 0 || way->seconds < shortest ? way->seconds : shortest;
    }
    page->figures++;
    fputs("<figure class='bars'><figcaption>Time, <strong>shorter is better</strong>"
          "</figcaption>\n",
          page->out);
    for (int i = 0; i < chapter->count; i++) {
        const struct way *way = &chapter->ways[i], *first = &chapter->ways[0];
        if (way->error) {
            write_row(page->out, way->name, "left out", reason(way), 0, "bar");
            continue;
        }
        remark[0] = '\0';
        if (way->note[0])
            snprintf(remark, sizeof remark, "%s", way->note);
        else if (i > 0 && !first->error)
            snprintf(remark, sizeof remark, "%s × as fast",
                     gain_text(value, sizeof value, first->seconds / way->seconds));
        time_text(value, sizeof value, way->seconds);
        write_row(page->out, way->name, value, remark, way->seconds / longest,
                  way->wrong                 ? "wrong"
                  : way->seconds <= shortest ? "best"
                                             : "bar");
    }
    write_table(page->out, chapter);
    fputs("</figure>\n", page->out);
}

/* Costs */

static double number_of(const struct cost *cost, int which)
{
    return which == 0 ? cost->make : which == 1 ? cost->turn : cost->keep;
}

static const char *number_text(char *text, size_t size, double number, int which)
{
    if (which == 2)
        return bar_human(text, size, (uint64_t)number);
    return time_text(text, size, number);
}

static void draw_cost(struct page *page, const struct tour *tour, int which, const char *words)
{
    double most = 0, least = 0;
    char value[32];
    for (int i = 0; i < RUNNERS; i++) {
        double number = number_of(&tour->costs[i], which);
        most = number > most ? number : most;
        least = number > 0 && (least <= 0 || number < least) ? number : least;
    }
    if (most <= 0)
        return;
    page->figures++;
    fprintf(page->out, "<figure class='bars'><figcaption><strong>%s</strong></figcaption>\n",
            words);
    for (int i = 0; i < RUNNERS; i++) {
        double number = number_of(&tour->costs[i], which);
        if (number > 0)
            write_row(page->out, tour->costs[i].name,
                      number_text(value, sizeof value, number, which), "", number / most,
                      number <= least ? "best" : "bar");
    }
    fputs("</figure>\n", page->out);
}

void draw_costs(struct page *page, const struct tour *tour)
{
    char text[32];
    fputs("<div class='scroll'><table><thead><tr><th>a</th><th>to make</th><th>a turn</th>"
          "<th>to keep</th></tr></thead><tbody>\n",
          page->out);
    for (int i = 0; i < RUNNERS; i++) {
        const struct cost *cost = &tour->costs[i];
        fprintf(page->out, "<tr><td>%s</td>", cost->name);
        for (int which = 0; which < 3; which++) {
            double number = number_of(cost, which);
            bool same = which == 1 && i > FORKED && tour->costs[FORKED].turn > 0;
            fprintf(page->out, "<td>%s</td>",
                    number > 0 ? number_text(text, sizeof text, number, which)
                    : same     ? "the same"
                               : "?");
        }
        fputs("</tr>\n", page->out);
    }
    fputs("</tbody></table></div>\n", page->out);
    draw_cost(page, tour, 0, "To make one that does nothing, with its end");
    draw_cost(page, tour, 1, "A turn: until the next one runs, on one processor");
    draw_cost(page, tour, 2, "To keep one that waits: memory of its own");
}
