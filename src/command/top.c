/* krait top: what a program that uses krait is doing, from its status page.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/global.h"

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const char usage[] =
    "usage: krait top [PID] [--once] [--json] [--interval SECONDS]\n"
    "\n"
    "  PID         which program; without it: those that can be looked at\n"
    "  --once      write it once, as plain text; so it is where the output is no terminal\n"
    "  --json      write it as one object of JSON; with --interval, again and again, one a line\n"
    "  --interval  seconds from one look to the next, 0.1 to 3600; 1 unless told\n";

struct options {
    pid_t pid; /* 0: none was given */
    bool once;
    bool json;
    bool repeats; /* an interval was given */
    kr_time interval;
};

static bool read_pid(const char *text, pid_t *pid)
{
    char *end;
    long number = strtol(text, &end, 10);
    *pid = (pid_t)number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number > 0 && number <= INT32_MAX;
}

static bool read_interval(const char *text, kr_time *interval)
{
    char *end;
    double seconds = text != NULL ? strtod(text, &end) : 0;
    if (text == NULL || end == text || *end != '\0' || !(seconds >= 0.1 && seconds <= 3600))
        return false;
    *interval = (kr_time)(seconds * 1e9);
    return true;
}

static int complain(const char *what, const char *text)
{
    fprintf(stderr, "krait: %s: '%s'\n%s", what, text, usage);
    return STATUS_USAGE;
}

/* 0, or the status to end with. */
static int read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.interval = kr_sec(1)};
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--once") == 0) {
            o->once = true;
        } else if (strcmp(word, "--json") == 0) {
            o->json = true;
        } else if (strcmp(word, "--interval") == 0 || strncmp(word, "--interval=", 11) == 0) {
            const char *text = word[10] == '=' ? word + 11 : ++i < argc ? argv[i] : NULL;
            if (!read_interval(text, &o->interval))
                return complain("--interval takes seconds, 0.1 to 3600", text != NULL ? text : "");
            o->repeats = true;
        } else if (word[0] == '-') {
            return complain("krait top has no such option", word);
        } else if (o->pid != 0 || !read_pid(word, &o->pid)) {
            return complain("the number of one process is wanted", word);
        }
    }
    return 0;
}

static int fail(const kri_top *top)
{
    fflush(stdout);
    fprintf(stderr, "krait: %s\n", top->why);
    return STATUS_FAILED;
}

/* Plain headings: without the mark. */
static int write_plain(const kri_lines *lines)
{
    for (size_t i = 0; i < lines->length; i++)
        if (lines->bytes[i] != KRI_HEADING)
            putchar(lines->bytes[i]);
    return fflush(stdout) == 0 && !ferror(stdout) ? STATUS_OK : STATUS_FAILED;
}

static int write_once(const kri_top *top, const struct options *o)
{
    kri_lines lines = {NULL, 0, 0};
    (o->json ? kri_top_json : kri_top_text)(top, &lines);
    int status = write_plain(&lines);
    kri_lines_end(&lines);
    return status;
}

static void pause_until(kr_time deadline)
{
    kr_word never = {0};
    (void)kri_wait(&never, 0, deadline, KRI_UNCANCELLABLE);
}

static int run_plain(kri_top *top, const struct options *o)
{
    kr_time next = os_now();
    for (;;) {
        if (kri_top_look(top) != 0)
            return fail(top);
        int status = write_once(top, o);
        if (o->once || !(o->json && o->repeats) || status != STATUS_OK)
            return status;
        next += o->interval;
        pause_until(next);
    }
}

static int run_live(kri_top *top, const struct options *o)
{
    kri_lines lines = {NULL, 0, 0};
    enum kri_key key = KRI_KEY_NONE;
    int err = kri_screen_begin();
    if (err != 0)
        return run_plain(top, o);
    while (key != KRI_KEY_QUIT) {
        if (key == KRI_KEY_NONE)
            err = kri_top_look(top);
        if (err != 0)
            break;
        lines.length = 0;
        kri_top_text(top, &lines);
        kri_screen_show(&lines);
        key = kri_screen_wait(top->looked + o->interval);
    }
    kri_screen_end();
    kri_lines_end(&lines);
    return err != 0 ? fail(top) : STATUS_OK;
}

/* Without a number. */

static void print_one(pid_t pid, void *arg)
{
    os_process_about about;
    (void)arg;
    if (os_process_look(pid, &about) == 0)
        printf("%10d  %s\n", (int)pid, kri_text_clean(about.name));
}

static int list(void)
{
    int count = kri_top_list(print_one, NULL);
    if (count < 0) {
        fprintf(stderr, "krait: /dev/shm: %s\n", kr_strerror(count));
        return STATUS_FAILED;
    }
    if (count == 0)
        fputs("krait: no program of yours shows a status page: it has to call kr_status_start, or "
              "be started with KR_STATUS=1\n",
              stderr);
    return count == 0 ? STATUS_FAILED : STATUS_OK;
}

int kri_top_run(int argc, char **argv)
{
    struct options o;
    static kri_top top KRI_GLOBAL;
    if (argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        fputs(usage, stdout);
        return STATUS_OK;
    }
    int status = read_options(&o, argc, argv);
    if (status != 0)
        return status;
    if (o.pid == 0)
        return list();
    if (kri_top_open(&top, o.pid) != 0)
        return fail(&top);
    bool live = !o.once && !o.json && os_is_terminal(0) && os_is_terminal(1);
    status = live ? run_live(&top, &o) : run_plain(&top, &o);
    kri_top_close(&top);
    kri_symbols_forget();
    return status;
}
