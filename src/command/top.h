/* What the files of `krait top` share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COMMAND_TOP_H
#define KRI_COMMAND_TOP_H

#include <stddef.h>

#include "os/child.h"
#include "os/look.h"
#include "status/page.h"

/* Text that grows; when memory is short the rest is left out. */
typedef struct kri_lines {
    char *bytes; /* closed by a zero byte; NULL: nothing */
    size_t length;
    size_t room;
} kri_lines;
void kri_lines_add(kri_lines *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
void kri_lines_add_bytes(kri_lines *lines, const char *bytes, size_t length);
void kri_lines_end(kri_lines *lines);

/* What would be a command to the terminal becomes '?': for all that is another program's. */
char *kri_text_clean(char *text);

/* top_page.c: another process's page. */
typedef struct kri_top {
    pid_t pid;
    os_process_about process;
    kri_page *page; /* NULL: not open */
    int fd;
    kr_time interval; /* of the page */
    char library[16]; /* the program's krait */
    kri_view view;    /* as it was read last */
    kr_time looked;   /* when the process was looked at last; 0: never */
    kr_time before;   /* .. and the time before that */
    kr_time computed; /* how much it had computed the time before */
    char why[256];    /* a sentence, after a failure */
} kri_top;
int kri_top_open(kri_top *top, pid_t pid); /* 0; below 0: why says it */
int kri_top_look(kri_top *top);            /* the same */
void kri_top_close(kri_top *top);
int kri_top_processor(const kri_top *top); /* percents of one; below 0: not known yet */
kr_time kri_top_age(const kri_top *top);   /* of what is on the page */
bool kri_top_is_stale(const kri_top *top); /* the writer should have written again */
int kri_top_list(void (*each)(pid_t pid, void *arg), void *arg); /* those with a page; how many */

/* symbols.c: what an address is called in that process, "name+0x12" or "program+0x1234". */
enum { KRI_SYMBOL_TEXT = 96 };
void kri_symbol_of(pid_t pid, uint64_t address, char text[KRI_SYMBOL_TEXT]);
/* The first of some return addresses that is not krait's own. */
void kri_symbol_of_caller(pid_t pid, const uint64_t *places, int count, char text[KRI_SYMBOL_TEXT]);
void kri_symbols_forget(void);

/* top_text.c, top_json.c: a line that is a heading begins with KRI_HEADING. */
enum { KRI_HEADING = 1 };
void kri_top_text(const kri_top *top, kri_lines *lines);
void kri_top_json(const kri_top *top, kri_lines *lines);

/* terminal.c: the screen. */
enum kri_key { KRI_KEY_NONE, KRI_KEY_QUIT, KRI_KEY_REDRAW };
int kri_screen_begin(void); /* below 0: there is none */
void kri_screen_show(const kri_lines *lines);
enum kri_key kri_screen_wait(kr_time deadline);
void kri_screen_end(void);

/* top.c */
int kri_top_run(int argc, char **argv);

#endif
