/* The live view: the other screen of the terminal, drawn anew, line by line.
 *
 * The keys' signals do what they do elsewhere, but the terminal is put back first: what ends us
 * only sets a flag and rings, Ctrl-Z stops us until we are in the foreground again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/top.h"

#include <stdio.h>
#include <string.h>

#include "base/global.h"
#include "os/io.h"

#define OTHER_SCREEN "\033[?1049h\033[?25l"
#define FIRST_SCREEN "\033[?25h\033[?1049l"
enum { IN = 0, OUT = 1, NAP = 50 };

static int bell KRI_GLOBAL;           /* rung by signals */
static kr_word ends KRI_GLOBAL;       /* atomic: 1: a signal wants us to end */
static kr_word stops KRI_GLOBAL;      /* atomic: 1: one wants us to stop */
static kr_word redraws KRI_GLOBAL;    /* atomic: 1: the window has another size */
static bool keys_are_over KRI_GLOBAL; /* the input has ended */
static bool entered KRI_GLOBAL;       /* the terminal is ours to put back */

static void on_signal(int signo)
{
    kr_word *flag = signo == OS_RESIZED ? &redraws : signo == OS_KEY_STOP ? &stops : &ends;
    kri_store_rel(flag, 1);
    os_bell_ring(bell);
}

static void put(const char *bytes, size_t length)
{
    while (length > 0) {
        int64_t put = os_write(OUT, bytes, length);
        if (put == -EINTR)
            continue;
        if (put <= 0) { /* the terminal is gone */
            kri_store_rel(&ends, 1);
            return;
        }
        bytes += put;
        length -= (size_t)put;
    }
}

static int enter(void)
{
    int err = os_terminal_begin(IN);
    entered = err == 0;
    if (entered)
        put(OTHER_SCREEN, strlen(OTHER_SCREEN));
    return err;
}

static void leave(void)
{
    if (!entered)
        return;
    entered = false;
    put(FIRST_SCREEN, strlen(FIRST_SCREEN));
    os_terminal_restore();
}

int kri_screen_begin(void)
{
    static const int signals[] = {OS_HANGUP,    OS_INTERRUPT, OS_QUIT,
                                  OS_TERMINATE, OS_KEY_STOP,  OS_RESIZED};
    bell = os_bell_create();
    if (bell < 0)
        return bell;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)os_signal_catch(signals[i], on_signal);
    return enter();
}

void kri_screen_end(void)
{
    leave();
}

/* In the background a stop would find the terminal another's; so wait for the foreground.  Whoever
 * is ended there leaves the terminal alone: to touch it would stop him. */
static void stop_here(void)
{
    leave();
    os_signal_send(OS_STOP);
    while (!os_terminal_has_me(IN) && kri_load_acq(&ends) == 0)
        (void)os_poll(bell, OS_READABLE, -1, os_now() + kr_ms(NAP));
    if (os_terminal_has_me(IN))
        (void)enter();
}

/* Drawing. */

/* The beginning of a line that `columns` characters of the screen have room for. */
static size_t cut(const char *line, size_t length, unsigned columns)
{
    unsigned used = 0;
    size_t at = 0;
    while (at < length) {
        bool begins = ((unsigned char)line[at] & 0xc0) != 0x80;
        if (begins && used++ == columns)
            break;
        at++;
    }
    return at;
}

static void draw_line(kri_lines *out, const char *line, size_t length, unsigned columns)
{
    bool bold = length > 0 && line[0] == KRI_HEADING;
    size_t shown = cut(line + bold, length - bold, columns);
    kri_lines_add(out, bold ? "\033[1m" : "");
    kri_lines_add_bytes(out, line + bold, shown);
    kri_lines_add(out, bold ? "\033[m\033[K" : "\033[K");
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

/* Where there is no room for all, the last row says how much is missing. */
void kri_screen_show(const kri_lines *lines)
{
    unsigned columns = 80, rows = 24;
    kri_lines out = {NULL, 0, 0};
    const char *at = lines->bytes != NULL ? lines->bytes : "";
    (void)os_terminal_size(OUT, &columns, &rows);
    unsigned count = count_lines(at);
    unsigned room = rows > 1 ? rows - 1 : 1;
    unsigned shown = count < room ? count : room;
    kri_lines_add(&out, "\033[H");
    for (unsigned i = 0; i < shown; i++) {
        const char *end = strchr(at, '\n');
        draw_line(&out, at, (size_t)(end - at), columns);
        kri_lines_add(&out, "\r\n");
        at = end + 1;
    }
    kri_lines_add(&out, "\033[J");
    char last[64];
    if (shown < count)
        snprintf(last, sizeof last, "%u more lines; q: quit", count - shown);
    else
        snprintf(last, sizeof last, "q: quit");
    if (rows > 1)
        draw_line(&out, last, strlen(last), columns);
    put(out.bytes != NULL ? out.bytes : "", out.length);
    kri_lines_end(&out);
}

/* Waiting. */

static enum kri_key read_keys(void)
{
    char keys[64];
    int64_t got = os_read(IN, keys, sizeof keys);
    if (got == 0 || (got < 0 && got != -EINTR && got != -EAGAIN))
        keys_are_over = true;
    for (int64_t i = 0; i < got; i++)
        if (keys[i] == 'q' || keys[i] == 'Q')
            return KRI_KEY_QUIT;
    return got > 0 ? KRI_KEY_REDRAW : KRI_KEY_NONE;
}

static enum kri_key look_at_signals(void)
{
    os_bell_clear(bell);
    if (kri_load_acq(&ends) != 0)
        return KRI_KEY_QUIT;
    if (kri_swap_acq(&stops, 0) != 0) {
        stop_here();
        return kri_load_acq(&ends) != 0 ? KRI_KEY_QUIT : KRI_KEY_REDRAW;
    }
    return kri_swap_acq(&redraws, 0) != 0 ? KRI_KEY_REDRAW : KRI_KEY_NONE;
}

enum kri_key kri_screen_wait(kr_time deadline)
{
    enum kri_key key;
    for (;;) {
        int ready = keys_are_over ? os_poll(bell, OS_READABLE, -1, deadline)
                                  : os_poll(IN, OS_READABLE, bell, deadline);
        key = look_at_signals();
        if (key == KRI_KEY_NONE && ready > 0 && !keys_are_over)
            key = read_keys();
        if (key != KRI_KEY_NONE || ready == -ETIMEDOUT)
            return key;
    }
}
