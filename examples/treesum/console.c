/* Standard error: messages, and a progress bar when it is a terminal.
 *
 *     12345 of 50000 files  612.3 MB of 2.1 GB  1.8 GB/s  0:01 left  [=====>              ]
 *
 * Whoever hashes reports what is done, and draws when the last drawing is old enough: no thread
 * is needed for it.  A lock keeps messages, bar and counts together.  A worker that is a process
 * draws nothing: what it has done is counted when its outcomes are here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_INTERVAL kr_ms(100)

static struct {
    kr_lock lock; /* guards all below but the next two */
    bool has_bar; /* set before there is a second thread */
    pid_t drawer; /* whose bar it is: forked workers inherit all this */
    bool shown;
    bool closed; /* whatever workers still report, nothing is drawn any more */
    bool all_known;
    uint64_t files, bytes; /* done */
    uint64_t expected_files, expected_bytes;
    kr_time begun, drawn;
} console = {.lock = KR_LOCK_INIT};

void console_open(void)
{
    console.has_bar = isatty(STDERR_FILENO) == 1;
    console.drawer = getpid();
    console.begun = console.drawn = kr_now();
}

bool console_has_bar(void)
{
    return console.has_bar;
}

static const char *human(char *text, size_t size, uint64_t bytes)
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

static int describe(char *line, size_t size, kr_time now)
{
    char done[16], expected[16], rate[16];
    double seconds = (double)(now - console.begun) / 1e9;
    double per_second = seconds > 0 ? (double)console.bytes / seconds : 0;
    human(done, sizeof done, console.bytes);
    human(expected, sizeof expected, console.expected_bytes);
    human(rate, sizeof rate, (uint64_t)per_second);
    char left[32] = "";
    if (console.all_known && per_second >= 1 && console.bytes <= console.expected_bytes) {
        uint64_t rest = (uint64_t)((double)(console.expected_bytes - console.bytes) / per_second);
        snprintf(left, sizeof left, "  %llu:%02llu left", (unsigned long long)(rest / 60),
                 (unsigned long long)(rest % 60));
    }
    return snprintf(line, size, "%llu of %llu%s files  %s of %s%s  %s/s%s",
                    (unsigned long long)console.files, (unsigned long long)console.expected_files,
                    console.all_known ? "" : "+", done, expected, console.all_known ? "" : "+",
                    rate, left);
}

static void add_bar(char *line, size_t length, size_t width)
{
    if (width < length + 14)
        return;
    size_t cells = width - length - 4 < 40 ? width - length - 4 : 40;
    double share = console.expected_bytes && console.all_known
                       ? (double)console.bytes / (double)console.expected_bytes
                       : 0;
    size_t full = (size_t)((double)cells * (share < 1 ? share : 1));
    char *end = line + length;
    memcpy(end, "  [", 3);
    memset(end + 3, '=', full);
    memset(end + 3 + full, ' ', cells - full);
    if (full > 0)
        end[2 + full] = '>';
    memcpy(end + 3 + cells, "]", 2);
}

static void draw(kr_time now)
{
    char line[512];
    size_t width = terminal_width();
    int length = describe(line, sizeof line - 64, now);
    if (length > 0 && (size_t)length < sizeof line - 64)
        add_bar(line, (size_t)length, width);
    fprintf(stderr, "\r%.*s\033[K", (int)width, line);
    console.shown = true;
    console.drawn = now;
}

static void hide(void)
{
    if (console.shown)
        fputs("\r\033[K", stderr);
    console.shown = false;
}

void console_expect(uint64_t files, uint64_t bytes)
{
    if (!console.has_bar)
        return;
    kr_with (&console.lock) {
        console.expected_files += files;
        console.expected_bytes += bytes;
        console.all_known = false;
    }
}

void console_all_known(void)
{
    kr_with (&console.lock)
        console.all_known = true;
}

void console_done(uint64_t files, uint64_t bytes)
{
    if (!console.has_bar || getpid() != console.drawer)
        return;
    kr_with (&console.lock) {
        console.files += files;
        console.bytes += bytes;
        kr_time now = kr_now();
        if (!console.closed && now - console.drawn >= DRAW_INTERVAL)
            draw(now);
    }
}

void console_hide(void)
{
    if (!console.has_bar)
        return;
    kr_with (&console.lock)
        hide();
}

void console_close(void)
{
    kr_with (&console.lock) {
        hide();
        console.closed = true;
    }
}

void complain(const char *format, ...)
{
    kr_with (&console.lock) {
        hide();
        char *text = NULL;
        va_list arguments;
        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
            text = NULL;
        va_end(arguments);
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, text ? text : format);
        free(text);
    }
}

void complain_path(const char *path, const char *what)
{
    char *quoted = quote(path);
    complain("%s: %s", quoted ? quoted : path, what);
    free(quoted);
}

const char *reason(int error)
{
    return error <= KR_EBROKEN ? kr_strerror(error) : strerror(-error);
}
