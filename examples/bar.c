/* A line on standard error; see bar.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bar.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool shown;

const char *bar_human(char *text, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit < 6) {
        value /= 1000;
        unit++;
    }
    snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

static size_t terminal_width(void)
{
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0)
        return 79;
    return window.ws_col - 1u; /* a full last column would wrap */
}

enum { FRAME = 4, LEAST_CELLS = 10, MOST_CELLS = 40, BAR = FRAME + MOST_CELLS + 1 };

static void add_bar(char *end, size_t room, double share)
{
    if (room < FRAME + LEAST_CELLS)
        return;
    size_t cells = room - FRAME < MOST_CELLS ? room - FRAME : MOST_CELLS;
    size_t full = (size_t)((double)cells * (share < 1 ? share : 1));
    memcpy(end, "  [", 3);
    memset(end + 3, '=', full);
    memset(end + 3 + full, ' ', cells - full);
    if (full > 0)
        end[2 + full] = '>';
    memcpy(end + 3 + cells, "]", 2);
}

void bar_draw(const char *text, double share)
{
    char line[512];
    size_t width = terminal_width(), length = strlen(text);
    snprintf(line, sizeof line, "%s", text);
    if (length < width && length < sizeof line - BAR)
        add_bar(line + length, width - length, share);
    fprintf(stderr, "\r%.*s\033[K", (int)width, line);
    shown = true;
}

void bar_hide(void)
{
    if (shown)
        fputs("\r\033[K", stderr);
    shown = false;
}
