/* Standard error: messages, and a progress bar when it is a terminal.
 *
 *     123 of 500 URLs  12.3 MB  1.8 MB/s  [=====>              ]
 *
 * Whoever receives something reports it, and draws when the last drawing is old enough.  The lock
 * is held for a moment only, and so taken whether or not the caller is cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_INTERVAL kr_ms(100)

static struct {
    kr_lock lock; /* guards all below but the next */
    bool has_bar; /* set before there is a second thread */
    bool shown;
    bool all_known;
    uint64_t urls, expected, bytes;
    kr_time begun, drawn;
} console = {.lock = KR_LOCK_INIT};

void console_open(void)
{
    console.has_bar = isatty(STDERR_FILENO) == 1;
    console.begun = console.drawn = kr_now();
}

const char *console_human(char *text, size_t size, uint64_t bytes)
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
    char bytes[16], rate[16];
    double seconds = (double)(now - console.begun) / 1e9;
    console_human(bytes, sizeof bytes, console.bytes);
    console_human(rate, sizeof rate, (uint64_t)(seconds > 0 ? (double)console.bytes / seconds : 0));
    return snprintf(line, size, "%llu of %llu%s URLs  %s  %s/s", (unsigned long long)console.urls,
                    (unsigned long long)console.expected, console.all_known ? "" : "+", bytes,
                    rate);
}

static void add_bar(char *line, size_t length, size_t width)
{
    if (width < length + 14)
        return;
    size_t cells = width - length - 4 < 40 ? width - length - 4 : 40;
    double share = console.expected ? (double)console.urls / (double)console.expected : 0;
    size_t full = (size_t)((double)cells * share);
    char *end = line + length;
    memcpy(end, "  [", 3);
    memset(end + 3, '=', full);
    memset(end + 3 + full, ' ', cells - full);
    if (full > 0)
        end[2 + full] = '>';
    memcpy(end + 3 + cells, "]", 2);
}

static void draw(void)
{
    char line[256];
    size_t width = terminal_width();
    kr_time now = kr_now();
    if (!console.has_bar || now - console.drawn < DRAW_INTERVAL)
        return;
    int length = describe(line, sizeof line - 64, now);
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

void console_expect(void)
{
    kr_shield
        kr_with (&console.lock)
            console.expected++;
}

void console_all_known(void)
{
    kr_shield
        kr_with (&console.lock)
            console.all_known = true;
}

void console_bytes(uint64_t bytes)
{
    kr_shield
        kr_with (&console.lock) {
            console.bytes += bytes;
            draw();
        }
}

void console_done(void)
{
    kr_shield
        kr_with (&console.lock) {
            console.urls++;
            draw();
        }
}

void console_hide(void)
{
    kr_shield
        kr_with (&console.lock)
            hide();
}

void console_close(void)
{
    console_hide();
    console.has_bar = false;
}

void complain(const char *format, ...)
{
    kr_shield
        kr_with (&console.lock) {
            va_list arguments;
            hide();
            fprintf(stderr, "%s: ", program_invocation_short_name);
            va_start(arguments, format);
            vfprintf(stderr, format, arguments);
            va_end(arguments);
            fputc('\n', stderr);
        }
}

const char *reason(int error)
{
    switch (error) {
    case BAD_URL:
        return "not a URL that can be fetched";
    case BAD_SCHEME:
        return "neither http nor https";
    case BAD_SERVER:
        return "the server does not speak HTTP/1.1";
    case HEAD_TOO_LONG:
        return "the server's answer has too long a head";
    case BODY_TOO_LONG:
        return "larger than allowed";
    case CUT_OFF:
        return "the connection was cut off";
    case TOO_MANY_HOPS:
        return "too many redirects";
    case BAD_STATUS:
        return "refused by the server";
    case NO_SUCH_HOST:
        return "no such host";
    case BAD_TRUST:
        return "there is no such file of certificates to trust";
    default:
        return error <= KR_EBROKEN ? kr_strerror(error) : strerror(-error);
    }
}
