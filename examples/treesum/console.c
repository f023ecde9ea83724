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
#include "../bar.h"
#include "treesum.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAW_INTERVAL kr_ms(100)

static struct {
    kr_lock lock; /* guards all below but the next two */
    bool has_bar; /* set before there is a second thread */
    pid_t drawer; /* whose bar it is: forked workers inherit all this */
    bool closed;  /* whatever workers still report, nothing is drawn any more */
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

static void describe(char *line, size_t size, kr_time now)
{
    char done[16], expected[16], rate[16];
    double seconds = (double)(now - console.begun) / 1e9;
    double per_second = seconds > 0 ? (double)console.bytes / seconds : 0;
    bar_human(done, sizeof done, console.bytes);
    bar_human(expected, sizeof expected, console.expected_bytes);
    bar_human(rate, sizeof rate, (uint64_t)per_second);
    char left[32] = "";
    if (console.all_known && per_second >= 1 && console.bytes <= console.expected_bytes) {
        uint64_t rest = (uint64_t)((double)(console.expected_bytes - console.bytes) / per_second);
        snprintf(left, sizeof left, "  %llu:%02llu left", (unsigned long long)(rest / 60),
                 (unsigned long long)(rest % 60));
    }
    snprintf(line, size, "%llu of %llu%s files  %s of %s%s  %s/s%s",
             (unsigned long long)console.files, (unsigned long long)console.expected_files,
             console.all_known ? "" : "+", done, expected, console.all_known ? "" : "+", rate,
             left);
}

static void draw(kr_time now)
{
    char line[256];
    bool known = console.all_known && console.expected_bytes > 0;
    describe(line, sizeof line, now);
    bar_draw(line, known ? (double)console.bytes / (double)console.expected_bytes : 0);
    console.drawn = now;
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
        bar_hide();
}

void console_close(void)
{
    kr_with (&console.lock) {
        bar_hide();
        console.closed = true;
    }
}

void complain(const char *format, ...)
{
    kr_with (&console.lock) {
        bar_hide();
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
