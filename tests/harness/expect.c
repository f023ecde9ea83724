/* Reading .expected files, and finding out whether an output is one of those that they allow.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/expect.h"

#include "harness/pattern.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Reading */

typedef struct reader {
    kri_expect *expect;
    kri_expect_part *part;
    kri_expect_element *block; /* NULL: in none */
    bool any_order;
    char *why;
} reader;

__attribute__((format(printf, 2, 3))) static bool say(char *why, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(why, KRI_EXPECT_WHY, format, values);
    va_end(values);
    return false;
}

static void begin_part(reader *r, kri_expect_part *part)
{
    *part = (kri_expect_part){true, r->expect->element_count, 0};
    r->part = part;
}

static kri_expect_element *begin_element(reader *r, int least, int most)
{
    kri_expect *e = r->expect;
    kri_expect_element *element = &e->elements[e->element_count++];
    *element = (kri_expect_element){e->group_count, 0, least, most};
    r->part->count++;
    return element;
}

static void begin_group(reader *r, kri_expect_element *element)
{
    kri_expect *e = r->expect;
    e->groups[e->group_count++] = (kri_expect_group){.first = e->line_count};
    element->count++;
}

static bool end_block(reader *r)
{
    kri_expect *e = r->expect;
    bool empty = r->block->count == 0;
    for (int i = 0; i < r->block->count; i++)
        empty |= e->groups[r->block->first + i].count == 0;
    r->block = NULL;
    return empty ? say(r->why, "a block has nothing inside") : true;
}

static bool begin_block(reader *r, const char *line)
{
    int least, most, end = 0;
    r->any_order = strcmp(line, "[any order") == 0;
    if (r->any_order || strcmp(line, "[interleaved") == 0) {
        least = most = 1;
    } else if (sscanf(line, "[%d..%d times%n", &least, &most, &end) != 2 || end == 0 || line[end] ||
               least < 0 || most < least || most == 0) {
        return say(r->why, "%s begins nothing that there is", line);
    }
    r->block = begin_element(r, least, most);
    if (!r->any_order)
        begin_group(r, r->block);
    return true;
}

/* [KEY REST] */
static char *behind(char *line, const char *key)
{
    size_t length = strlen(key), whole = strlen(line);
    if (strncmp(line + 1, key, length) != 0 || line[whole - 1] != ']')
        return NULL;
    line[whole - 1] = '\0';
    return line + 1 + length;
}

static bool read_part(reader *r, char *line)
{
    kri_expect *e = r->expect;
    char *rest;
    int number;
    if (strcmp(line, "[usually]") == 0) {
        begin_part(r, &e->usually);
    } else if (strcmp(line, "[error output]") == 0) {
        begin_part(r, &e->error);
    } else if (sscanf(line, "[status %d]", &number) == 1) {
        e->status = number;
    } else if (sscanf(line, "[signal %d]", &number) == 1) {
        e->signal = number;
    } else if (sscanf(line, "[processors %d]", &number) == 1) {
        e->processors = number;
    } else if ((rest = behind(line, "not under tsan: "))) {
        e->not_under_tsan = rest;
    } else if ((rest = behind(line, "not under asan: "))) {
        e->not_under_asan = rest;
    } else if ((rest = behind(line, "not under qemu: "))) {
        e->not_under_qemu = rest;
    } else {
        return begin_block(r, line);
    }
    return true;
}

static bool read_plain(reader *r, const char *line)
{
    kri_expect *e = r->expect;
    kri_expect_element *element = r->block;
    if (!kri_pattern_valid(line))
        return say(r->why, "\"%s\" has a placeholder that there is not", line);
    if (!element)
        element = begin_element(r, 1, 1);
    if (!r->block || r->any_order)
        begin_group(r, element);
    e->groups[e->group_count - 1].count++;
    e->lines[e->line_count++] = line;
    return true;
}

static bool read_line(reader *r, char *line)
{
    if (*line == '\0' || *line == '#')
        return true;
    if (r->block && strcmp(line, "]") == 0)
        return end_block(r);
    if (r->block && *line == '[')
        return say(r->why, "%s stands inside a block", line);
    if (*line == '[')
        return read_part(r, line);
    if (r->block && !r->any_order && strcmp(line, "|") == 0) {
        begin_group(r, r->block);
        return true;
    }
    return read_plain(r, line);
}

bool kri_expect_read(kri_expect *expect, char *text, char *why)
{
    reader r = {.expect = expect, .why = why};
    char *line;
    *expect = (kri_expect){.status = 0};
    begin_part(&r, &expect->output);
    for (int number = 1; (line = strsep(&text, "\n")) != NULL; number++) {
        if (number == KRI_EXPECT_LINES)
            return say(why, "more than %d lines", KRI_EXPECT_LINES);
        if (!read_line(&r, line))
            return false;
    }
    return r.block ? say(why, "the last block has no end") : true;
}

/* Matching: a search that tries, at each line of output, every line of the file that may come next,
 * and takes it back when that leads to nothing. */

enum { STEPS_MOST = 1000000, WANTED_MOST = 4 };

typedef struct match {
    kri_expect *expect;
    const kri_expect_part *part;
    const char *lines[KRI_EXPECT_LINES];
    int count;
    kri_pattern_names names;
    int steps;
    int furthest; /* line of output that could not be placed, and what could have come there */
    const char *wanted[WANTED_MOST];
    int wanted_count;
} match;

static bool match_elements(match *m, int element, int times, int line);

static void note_wanted(match *m, int line, const char *pattern)
{
    if (line > m->furthest) {
        m->furthest = line;
        m->wanted_count = 0;
    }
    for (int i = 0; i < m->wanted_count; i++)
        if (strcmp(m->wanted[i], pattern) == 0)
            return;
    if (line == m->furthest && m->wanted_count < WANTED_MOST)
        m->wanted[m->wanted_count++] = pattern;
}

/* Have both groups the same still to come?  Then there is no need to try both. */
static bool same_rest(const kri_expect *e, const kri_expect_group *a, const kri_expect_group *b)
{
    if (a->count - a->at != b->count - b->at)
        return false;
    for (int i = 0; a->at + i < a->count; i++)
        if (strcmp(e->lines[a->first + a->at + i], e->lines[b->first + b->at + i]) != 0)
            return false;
    return true;
}

static bool tried(const match *m, int first, int group)
{
    const kri_expect *e = m->expect;
    for (int i = first; i < group; i++)
        if (same_rest(e, &e->groups[i], &e->groups[group]))
            return true;
    return false;
}

/* The element has begun one of its times; which line of it is this line of output? */
static bool match_group(match *m, int element, int times, int line)
{
    const kri_expect_element *e = &m->expect->elements[element];
    bool complete = true;
    for (int i = e->first; i < e->first + e->count; i++) {
        kri_expect_group *g = &m->expect->groups[i];
        if (g->at == g->count)
            continue;
        complete = false;
        const char *pattern = m->expect->lines[g->first + g->at];
        int names = m->names.count;
        note_wanted(m, line, pattern);
        if (line == m->count || tried(m, e->first, i) || m->steps++ > STEPS_MOST ||
            !kri_pattern_match(pattern, m->lines[line], &m->names))
            continue;
        g->at++;
        if (match_group(m, element, times, line + 1))
            return true;
        g->at--;
        m->names.count = names;
    }
    return complete && match_elements(m, element, times + 1, line);
}

static void set_groups(const match *m, const kri_expect_element *e, bool to_end)
{
    for (int i = e->first; i < e->first + e->count; i++)
        m->expect->groups[i].at = to_end ? m->expect->groups[i].count : 0;
}

/* The element has been `times` times, and `line` is the next of the output. */
static bool match_elements(match *m, int element, int times, int line)
{
    if (element == m->part->first + m->part->count) {
        if (line < m->count)
            note_wanted(m, line, "(the end)");
        return line == m->count;
    }
    const kri_expect_element *e = &m->expect->elements[element];
    if (times < e->most) {
        set_groups(m, e, false);
        if (match_group(m, element, times, line))
            return true;
        set_groups(m, e, true);
    }
    return times >= e->least && match_elements(m, element + 1, 0, line);
}

static bool say_mismatch(const match *m, char *why)
{
    const char *got = m->furthest < m->count ? m->lines[m->furthest] : "(the end)";
    int length = snprintf(why, KRI_EXPECT_WHY, "line %d is\n    %.200s\nnot", m->furthest + 1, got);
    for (int i = 0; i < m->wanted_count; i++)
        length +=
            snprintf(why + length, KRI_EXPECT_WHY - (size_t)length, "\n    %.100s", m->wanted[i]);
    if (m->steps > STEPS_MOST)
        snprintf(why, KRI_EXPECT_WHY, "too many ways to read it");
    return false;
}

bool kri_expect_match(kri_expect *expect, const kri_expect_part *part, char *output, char *why)
{
    match m = {.expect = expect, .part = part};
    char *line;
    while ((line = strsep(&output, "\n")) != NULL && (*line || output)) {
        if (m.count == KRI_EXPECT_LINES)
            return say(why, "more than %d lines of output", KRI_EXPECT_LINES);
        m.lines[m.count++] = line;
    }
    return match_elements(&m, part->first, 0, 0) || say_mismatch(&m, why);
}

bool kri_expect_line(const char *pattern, const char *text)
{
    kri_pattern_names names = {.count = 0};
    return kri_pattern_valid(pattern) && kri_pattern_match(pattern, text, &names);
}
