/* The printed schedule.
 *
 * A failing run is made once more from its list of choices, this time noting each operation with
 * the callers' addresses; addr2line, where it is installed, turns those into function, file and
 * line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct event {
    unsigned thread;
    char what[40];
    char place[64];
    uint64_t value;
    const char *note;
    ex_site site;
} event;

enum { EVENTS = 4000, NAMES = 64 };

static event *events;
static unsigned event_count; /* all; the last EVENTS are kept */

static struct {
    const char *from;
    size_t size;
    const char *name;
} names[NAMES];
static unsigned name_count;

void kri_ex_names_begin(void)
{
    name_count = 0;
}

void kr_explore_name(const void *memory, size_t size, const char *name)
{
    if (name_count < NAMES) {
        names[name_count].from = memory;
        names[name_count].size = size;
        names[name_count++].name = name;
    }
}

const char *kri_ex_name(const void *at, char *text, size_t size)
{
    const char *p = at;
    unsigned thread;
    size_t offset;

    if (!at) {
        text[0] = '\0';
        return text;
    }
    for (unsigned i = name_count; i-- > 0;)
        if (p >= names[i].from && p < names[i].from + names[i].size) {
            if (p == names[i].from)
                snprintf(text, size, "%s", names[i].name);
            else
                snprintf(text, size, "%s+%zu", names[i].name, (size_t)(p - names[i].from));
            return text;
        }
    if (kri_ex_in_stack(at, &thread, &offset))
        snprintf(text, size, "T%u.stack-%#zx", thread, offset);
    else if (kri_ex_in_arena(at, &offset))
        snprintf(text, size, "memory+%#zx", offset);
    else if (p >= __start_kri_globals && p < __stop_kri_globals)
        snprintf(text, size, "global+%#zx", (size_t)(p - __start_kri_globals));
    else
        snprintf(text, size, "image+%#zx", (size_t)(p - __executable_start));
    return text;
}

void kri_ex_trace_begin(void)
{
    if (!events)
        events = calloc(EVENTS, sizeof *events);
    event_count = 0;
}

void kri_ex_trace(const char *what, const void *at, uint64_t value, const char *note)
{
    if (!events)
        return;
    event *e = &events[event_count++ % EVENTS];

    e->thread = kri_ex.self;
    snprintf(e->what, sizeof e->what, "%s", what);
    kri_ex_name(at, e->place, sizeof e->place);
    e->value = value;
    e->note = note;
    e->site = EX_SELF->site;
}

void kr_explore_say(const char *line)
{
    if (kri_ex.active) {
        EX_SITE(&EX_SELF->site);
        EX_TRACE(line, NULL, 0, "");
    }
}

/* addr2line answers for each address with a line that repeats it and then, from the innermost
 * inlined call to the function itself, two lines each: the function, and file:line. */
static FILE *ask(const ex_site *sites, unsigned count)
{
    char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    if (n <= 0)
        return NULL;
    path[n] = '\0';
    const ElfW(Ehdr) *header = (const void *)__executable_start;
    size_t base = header->e_type == ET_DYN ? (size_t)__executable_start : 0;
    size_t size = 600 + (size_t)count * EX_FRAMES * 20;
    char *command = malloc(size);
    if (!command)
        return NULL;
    size_t used = (size_t)snprintf(command, size, "addr2line -a -i -s -f -e '%s'", path);
    for (unsigned i = 0; i < count; i++)
        for (unsigned f = 0; f < EX_FRAMES && sites[i].frames[f]; f++)
            used += (size_t)snprintf(command + used, size - used, " %#zx",
                                     (size_t)sites[i].frames[f] - 1 - base);
    snprintf(command + used, size - used, " 2>/dev/null");
    FILE *answer = popen(command, "r");
    free(command);
    return answer;
}

static void add_line(char *out, size_t size, const char *function, const char *line)
{
    size_t used = strlen(out);

    /* What the reader knows anyway. */
    if (strncmp(line, "??", 2) == 0 || strncmp(line, "atomic.h:", 9) == 0 ||
        strncmp(line, "compiler.c:", 11) == 0 || strcmp(function, "kri_ex_thread_main") == 0 ||
        used >= size)
        return;
    snprintf(out + used, size - used, "%s%.40s %.40s", used ? " < " : "", function, line);
}

void kri_ex_print_sites(const ex_site *sites, unsigned count, char (*out)[256])
{
    FILE *answer = ask(sites, count);
    char function[256];
    char line[256];
    unsigned i = 0;
    unsigned f = 0;

    for (unsigned k = 0; k < count; k++)
        out[k][0] = '\0';
    if (!answer)
        return;
    while (fgets(function, sizeof function, answer)) {
        if (function[0] == '0' && function[1] == 'x') { /* the next address */
            while (i < count && (f == EX_FRAMES || !sites[i].frames[f])) {
                i++;
                f = 0;
            }
            f++;
            continue;
        }
        if (!fgets(line, sizeof line, answer) || i >= count)
            break;
        function[strcspn(function, "\n")] = '\0';
        line[strcspn(line, " \n")] = '\0';
        add_line(out[i], sizeof out[i], function, line);
    }
    pclose(answer);
}

static void print_event(unsigned number, const event *e, const char *site)
{
    char what[128];

    if (e->place[0])
        snprintf(what, sizeof what, "%s %s = %llu", e->what, e->place,
                 (unsigned long long)e->value);
    else
        snprintf(what, sizeof what, "%s %llu", e->what, (unsigned long long)e->value);
    fprintf(stderr, "  %4u  %*sT%u  %s%s%s%s  %s\n", number, (int)(e->thread * 2), "", e->thread,
            what, *e->note ? " (" : "", e->note, *e->note ? ")" : "", site);
}

void kri_ex_trace_print(void)
{
    unsigned from = event_count > EVENTS ? event_count - EVENTS : 0;
    enum { BATCH = 100 };
    static ex_site sites[BATCH];
    static char lines[BATCH][256];

    if (!events)
        return;
    while (from < event_count) {
        unsigned count = event_count - from < BATCH ? event_count - from : BATCH;

        for (unsigned i = 0; i < count; i++)
            sites[i] = events[(from + i) % EVENTS].site;
        kri_ex_print_sites(sites, count, lines);
        for (unsigned i = 0; i < count; i++)
            print_event(from + i + 1, &events[(from + i) % EVENTS], lines[i]);
        from += count;
    }
}

/* Frames lie on the stack of a thread, or of a coroutine. */
static bool is_frame(const void *at)
{
    unsigned thread;
    size_t offset;

    return kri_ex_in_stack(at, &thread, &offset) ? offset >= 32 : kri_ex_in_arena(at, &offset);
}

void kri_ex_site_take(ex_site *site, const void *first, const void *frame)
{
    site->frames[0] = first;
    site->frames[1] = NULL;
#if defined(__x86_64__)
    if (!kri_ex.tracing)
        return;
    /* Frame pointers are kept in the model build. */
    for (unsigned i = 1; i < EX_FRAMES; i++) {
        const void *const *f = frame;

        site->frames[i] = NULL;
        if (!is_frame(f))
            return;
        frame = f[0];
        if (!is_frame(frame) || frame <= (const void *)f)
            return;
        site->frames[i] = ((const void *const *)frame)[1];
    }
#else
    (void)frame;
#endif
}
