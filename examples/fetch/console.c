/* Standard error: messages, and a progress bar when it is a terminal.
 *
 *     123 of 500 URLs  12.3 MB  1.8 MB/s  [=====>              ]
 *
 * Whoever receives something reports it, and draws when the last drawing is old enough.  The lock
 * is held for a moment only, and so taken whether or not the caller is cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../bar.h"
#include "fetch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DRAW_INTERVAL kr_ms(100)

static struct {
    kr_lock lock; /* guards all below but the next */
    bool has_bar; /* set before there is a second thread */
    bool all_known;
    uint64_t urls, expected, bytes;
    kr_time begun, drawn;
} console = {.lock = KR_LOCK_INIT};

void console_open(void)
{
    console.has_bar = isatty(STDERR_FILENO) == 1;
    console.begun = console.drawn = kr_now();
}

static void describe(char *line, size_t size, kr_time now)
{
    char bytes[16], rate[16];
    double seconds = (double)(now - console.begun) / 1e9;
    bar_human(bytes, sizeof bytes, console.bytes);
    bar_human(rate, sizeof rate, (uint64_t)(seconds > 0 ? (double)console.bytes / seconds : 0));
    snprintf(line, size, "%llu of %llu%s URLs  %s  %s/s", (unsigned long long)console.urls,
             (unsigned long long)console.expected, console.all_known ? "" : "+", bytes, rate);
}

static void draw(void)
{
    char line[192];
    kr_time now = kr_now();
    if (!console.has_bar || now - console.drawn < DRAW_INTERVAL)
        return;
    describe(line, sizeof line, now);
    bar_draw(line, console.expected ? (double)console.urls / (double)console.expected : 0);
    console.drawn = now;
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
            bar_hide();
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
            bar_hide();
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
