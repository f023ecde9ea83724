/* What is said: a progress line on standard error where that is a terminal, messages there, and
 * the tables on standard output.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../bar.h"
#include "tour.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static struct {
    bool has_bar;
    int steps, done;
} console;

void console_open(int steps)
{
    console.has_bar = isatty(STDERR_FILENO) == 1;
    console.steps = steps;
}

void console_step(const char *chapter, const char *what)
{
    char line[128];
    if (console.has_bar) {
        snprintf(line, sizeof line, "%s: %s", chapter, what);
        bar_draw(line, (double)console.done / console.steps);
    }
    console.done += console.done < console.steps;
}

void console_close(void)
{
    bar_hide();
}

void complain(const char *format, ...)
{
    va_list arguments;
    char text[512];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bar_hide();
    fprintf(stderr, "tour: %s\n", text);
}

const char *time_text(char *text, size_t size, double seconds)
{
    static const char *const units[] = {"s", "ms", "µs", "ns"};
    int unit = 0;
    while (unit < 3 && seconds < 0.9995) {
        seconds *= 1000;
        unit++;
    }
    snprintf(text, size, "%.*f %s",
             seconds < 9.995   ? 2
             : seconds < 99.95 ? 1
                               : 0,
             seconds, units[unit]);
    return text;
}

const char *gain_text(char *text, size_t size, double gain)
{
    snprintf(text, size, gain < 0.0995 ? "%.2g" : gain < 99.5 ? "%.2f" : "%.0f", gain);
    return text;
}

/* Bytes of UTF-8 that are no columns of their own are made up for. */
static void put_right(const char *text, int width)
{
    int columns = 0;
    for (const char *at = text; *at; at++)
        columns += ((unsigned char)*at & 0xc0) != 0x80;
    printf("%*s%s", columns < width ? width - columns : 0, "", text);
}

/* In lines of at most 79 columns. */
static void put_paragraph(const char *text, const char *first, const char *others)
{
    int column = printf("%s", first);
    bool begins = true;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (!begins && column + 1 + length > 79) {
            column = printf("\n%s", others) - 1;
            begins = true;
        }
        column += printf("%s%.*s", begins ? "" : " ", length, text);
        begins = false;
        text += length;
        text += *text == ' ';
    }
    putchar('\n');
}

static void show_way(const struct chapter *chapter, const struct way *way)
{
    char text[32];
    if (way->error) {
        printf("  %-26s left out: %s\n", way->name,
               way->error == -ETIME ? "no time is left" : kr_strerror(way->error));
        return;
    }
    printf("  %-26s", way->name);
    put_right(time_text(text, sizeof text, way->seconds), 10);
    if (chapter->ways[0].error == 0)
        printf("%9s", gain_text(text, sizeof text, chapter->ways[0].seconds / way->seconds));
    else
        printf("%9s", "");
    put_right(time_text(text, sizeof text, way->busy), 17);
    printf("%s%s\n", way->note[0] ? "  " : "", way->note);
}

void show_chapter(const struct chapter *chapter)
{
    bar_hide();
    printf("\n%s\n\n", chapter->title);
    put_paragraph(chapter->what, "  ", "  ");
    printf("\n  %-26s%10s%9s%17s\n", "", "time", "as fast", "processor time");
    for (int i = 0; i < chapter->count; i++)
        show_way(chapter, &chapter->ways[i]);
    fflush(stdout);
}

void show_costs(const struct tour *tour)
{
    char text[32];
    bar_hide();
    printf("\nWhat a runner costs\n\n  %-26s%12s%12s%12s\n", "", "to make", "a turn", "to keep");
    for (int i = 0; i < RUNNERS; i++) {
        const struct cost *cost = &tour->costs[i];
        printf("  %-26s", cost->name);
        put_right(cost->make > 0 ? time_text(text, sizeof text, cost->make) : "?", 12);
        put_right(cost->turn > 0                 ? time_text(text, sizeof text, cost->turn)
                  : i > FORKED && cost->make > 0 ? "\""
                                                 : "?",
                  12);
        bar_human(text, sizeof text, (uint64_t)cost->keep);
        put_right(cost->keep > 0 ? text : "?", 12);
        putchar('\n');
    }
    printf("\n  To make: with its end. A turn: until the next one runs, on one processor.\n"
           "  To keep: memory of its own while it waits, without what the kernel has.\n");
    fflush(stdout);
}

void show_advice(const struct tour *tour)
{
    printf("\nWhat follows\n\n");
    for (int i = 0; i < tour->advice_count; i++)
        put_paragraph(tour->advice[i], "  - ", "    ");
    fflush(stdout);
}
